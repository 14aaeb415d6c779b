//! The figures and tables of a report as files: drawings or pixels, and beside each the numbers behind it; LaTeX.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use krilla::Document;
use krilla::geom::Size;
use krilla::page::PageSettings;
use krilla_svg::{SurfaceExt, SvgSettings};
use metastable_analysis::report::{FigureFile, TableFile};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use crate::files::{make_folder, write_whole};

/// Pixels for each unit of a drawing: a figure of two panels is 2,628 pixels wide, 300 an inch over the width of a page.
const PIXELS: f32 = 3.0;
/// Points of a page for each unit of a drawing: 72 an inch where a drawing has 96.
const POINTS: f32 = 0.75;

/// What figures are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Drawings, for the web and further editing
    Svg,
    /// Pages of the size of the drawing, for papers; their text can be searched
    Pdf,
    /// Pixels, for slides and messages
    Png,
}

/// What tables are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum TableFormat {
    /// For a paper, with the package `booktabs`
    Latex,
}

/// Writes all tables into a folder `tables`, and returns its name.
pub(crate) fn write_tables(
    out: &Path,
    tables: &[TableFile],
    format: TableFormat,
) -> Result<PathBuf> {
    let folder = out.join("tables");
    make_folder(&folder)?;
    for table in tables {
        match format {
            TableFormat::Latex => {
                let path = folder.join(&table.name).with_extension("tex");
                write_whole(&path, table.tex.as_bytes())?;
            }
        }
    }
    Ok(folder)
}

/// Writes all figures into a folder `figures`, and returns its name.
pub(crate) fn write(out: &Path, figures: &[FigureFile], format: Format) -> Result<PathBuf> {
    let folder = out.join("figures");
    make_folder(&folder)?;
    let fonts = fonts();
    for figure in figures {
        let path = folder.join(&figure.name);
        write_whole(&path.with_extension("csv"), figure.csv.as_bytes())?;
        let drawn = |draw: fn(&Tree) -> Result<Vec<u8>>| {
            tree(&figure.svg, &fonts)
                .and_then(|tree| draw(&tree))
                .with_context(|| format!("while drawing {}", figure.name))
        };
        let (ending, bytes) = match format {
            Format::Svg => ("svg", figure.svg.clone().into_bytes()),
            Format::Pdf => ("pdf", drawn(pdf)?),
            Format::Png => ("png", drawn(png)?),
        };
        write_whole(&path.with_extension(ending), &bytes)?;
    }
    Ok(folder)
}

/// The face that the drawings are laid out for, so that pixels do not depend on what a machine has installed.
fn fonts() -> Arc<Database> {
    let mut fonts = Database::new();
    fonts.load_font_data(dejavu::sans::regular().to_vec());
    fonts.load_font_data(dejavu::sans::bold().to_vec());
    Arc::new(fonts)
}

fn tree(svg: &str, fonts: &Arc<Database>) -> Result<Tree> {
    let options = Options {
        fontdb: Arc::clone(fonts),
        ..Options::default()
    };
    Ok(Tree::from_str(svg, &options)?)
}

/// One page of the size of the drawing.
fn pdf(tree: &Tree) -> Result<Vec<u8>> {
    let (width, height) = (tree.size().width() * POINTS, tree.size().height() * POINTS);
    let no_page = || anyhow!("a drawing of {width} by {height} points is no page");
    let mut document = Document::new();
    let mut page =
        document.start_page_with(PageSettings::from_wh(width, height).ok_or_else(no_page)?);
    let mut surface = page.surface();
    let size = Size::from_wh(width, height).ok_or_else(no_page)?;
    surface
        .draw_svg(tree, size, SvgSettings::default())
        .ok_or_else(|| anyhow!("the drawing has something that a page cannot show"))?;
    surface.finish();
    page.finish();
    document
        .finish()
        .map_err(|error| anyhow!("the page was not written: {error:?}"))
}

fn png(tree: &Tree) -> Result<Vec<u8>> {
    let size = tree.size().to_int_size();
    let size = size
        .scale_by(PIXELS)
        .ok_or_else(|| anyhow!("a drawing of {size:?} has no pixels"))?;
    let mut pixels = Pixmap::new(size.width(), size.height())
        .ok_or_else(|| anyhow!("a picture of {size:?} pixels does not fit the memory"))?;
    resvg::render(
        tree,
        Transform::from_scale(PIXELS, PIXELS),
        &mut pixels.as_mut(),
    );
    Ok(pixels.encode_png()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawing(body: &str) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\" viewBox=\"0 0 40 20\" \
             font-family=\"'DejaVu Sans'\"><style>.a {{ fill: #0072b2; }}</style>\
             <rect width=\"40\" height=\"20\" fill=\"#ffffff\"/>{body}</svg>"
        )
    }

    /// A page has the size of the drawing in points, its face inside of it, and the same bytes each time.
    #[test]
    fn a_page_has_the_size_and_the_face_of_the_drawing() {
        let page = || {
            let text = drawing("<text x=\"2\" y=\"15\" font-size=\"12\">Mρ</text>");
            pdf(&tree(&text, &fonts()).unwrap()).unwrap()
        };
        let bytes = page();
        assert_eq!(bytes, page());
        assert!(bytes.starts_with(b"%PDF-") && bytes.ends_with(b"%%EOF"));
        let holds = |what: &[u8]| bytes.windows(what.len()).any(|at| at == what);
        assert!(
            holds(b"/MediaBox[0 0 30 15]"),
            "{}",
            String::from_utf8_lossy(&bytes)
        );
        assert!(holds(b"DejaVuSans"));
    }

    /// Text is drawn whatever the machine has installed: a letter of a face has to leave ink, and the same ink each time.
    #[test]
    fn pixels_hold_marks_and_letters() {
        let ink = |body: &str| {
            let pixels = || png(&tree(&drawing(body), &fonts()).unwrap()).unwrap();
            let bytes = pixels();
            assert_eq!(bytes, pixels());
            let pixels = Pixmap::decode_png(&bytes).unwrap();
            assert_eq!([pixels.width(), pixels.height()], [120, 60]);
            let white = |p: &&resvg::tiny_skia::PremultipliedColorU8| p.red() == 255;
            pixels.pixels().iter().filter(|p| !white(p)).count()
        };
        assert_eq!(ink(""), 0);
        assert_eq!(ink("<rect class=\"a\" width=\"10\" height=\"10\"/>"), 900);
        let plain = ink("<text x=\"2\" y=\"15\" font-size=\"12\">Mρ</text>");
        let bold = ink("<text x=\"2\" y=\"15\" font-size=\"12\" font-weight=\"600\">Mρ</text>");
        assert!(plain > 300 && bold > plain, "{plain} {bold}");
    }
}
