//! The figures and tables of a report as files: drawings or pixels, and beside each the numbers behind it; LaTeX.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use clap::ValueEnum;
use metastable_analysis::report::{FigureFile, TableFile};
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree, fontdb::Database};

use crate::files::{make_folder, write_whole};

/// Pixels for each unit of a drawing: a figure of two panels is 2,628 pixels wide, 300 an inch over the width of a page.
const PIXELS: f32 = 3.0;

/// What figures are written as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Drawings, for papers and further editing
    Svg,
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
        match format {
            Format::Svg => write_whole(&path.with_extension("svg"), figure.svg.as_bytes())?,
            Format::Png => {
                let pixels = png(&figure.svg, &fonts)
                    .with_context(|| format!("while drawing {}", figure.name))?;
                write_whole(&path.with_extension("png"), &pixels)?;
            }
        }
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

fn png(svg: &str, fonts: &Arc<Database>) -> Result<Vec<u8>> {
    let options = Options {
        fontdb: Arc::clone(fonts),
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options)?;
    let size = tree.size().to_int_size();
    let size = size
        .scale_by(PIXELS)
        .ok_or_else(|| anyhow!("a drawing of {size:?} has no pixels"))?;
    let mut pixels = Pixmap::new(size.width(), size.height())
        .ok_or_else(|| anyhow!("a picture of {size:?} pixels does not fit the memory"))?;
    resvg::render(
        &tree,
        Transform::from_scale(PIXELS, PIXELS),
        &mut pixels.as_mut(),
    );
    Ok(pixels.encode_png()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Text is drawn whatever the machine has installed: a letter of a face has to leave ink, and the same ink each time.
    #[test]
    fn pixels_hold_marks_and_letters() {
        let drawing = |body: &str| {
            format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\" viewBox=\"0 0 40 20\" \
                 font-family=\"'DejaVu Sans'\"><style>.a {{ fill: #0072b2; }}</style>\
                 <rect width=\"40\" height=\"20\" fill=\"#ffffff\"/>{body}</svg>"
            )
        };
        let ink = |body: &str| {
            let bytes = png(&drawing(body), &fonts()).unwrap();
            assert_eq!(bytes, png(&drawing(body), &fonts()).unwrap());
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
