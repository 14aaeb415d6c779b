//! `fetch emoji --from DIR`: six styles of emoji, drawn by different hands, as a folder of coloured images: a class a name, an image a
//! style, an alphabet a category. The drawings are packages of npm (`npm pack @iconify-json/noto`); resvg makes pixels of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use flate2::read::GzDecoder;
use rayon::prelude::*;
use resvg::tiny_skia::{Pixmap, PremultipliedColorU8, Transform};
use resvg::usvg::{ImageHrefResolver, Options, Tree};
use serde::{Deserialize, Serialize};

use crate::files::{make_folder, process_token, read_bytes, sha256, write_whole};

/// Style, who drew it, licence. The categories are those of the first.
const STYLES: [(&str, &str, &str); 6] = [
    ("noto", "Google Noto Emoji", "Apache-2.0"),
    ("noto-v1", "Google Noto Emoji, first version", "Apache-2.0"),
    ("twemoji", "Twitter Emoji", "CC-BY-4.0"),
    ("openmoji", "OpenMoji", "CC-BY-SA-4.0"),
    ("emojione", "Emoji One, first version", "CC-BY-4.0"),
    ("fluent-emoji-flat", "Microsoft Fluent UI Emoji", "MIT"),
];

/// Height and width of an image; `data.size` makes it smaller.
const SIDE: u32 = 84;

/// Most bytes of a file inside of a package; the largest is 20 million.
const MOST_BYTES: u64 = 200 << 20;

/// Names that end so are one drawing in another colour.
const SKIN: &str = "-skin-tone";

/// Icons of one package, as iconify keeps them.
#[derive(Deserialize)]
struct Icons {
    width: Option<f64>,
    height: Option<f64>,
    icons: BTreeMap<String, Icon>,
}

#[derive(Deserialize)]
struct Icon {
    body: String,
    width: Option<f64>,
    height: Option<f64>,
    left: Option<f64>,
    top: Option<f64>,
    #[serde(default)]
    hidden: bool,
}

#[derive(Deserialize)]
struct Metadata {
    categories: BTreeMap<String, Vec<String>>,
}

/// What `sources.json` says of a style.
#[derive(Serialize)]
struct Source {
    style: &'static str,
    drawn_by: &'static str,
    licence: &'static str,
    package: String,
    sha256: String,
}

/// What was made.
pub(crate) struct Made {
    pub(crate) folder: PathBuf,
    pub(crate) n_images: usize,
    /// Names that a style draws as it draws another.
    pub(crate) left_out: Vec<String>,
}

/// Makes `DATA/emoji-84` of the packages in `from`.
pub(crate) fn make(from: &Path, data_dir: &Path) -> Result<Made> {
    let out = data_dir.join(format!("emoji-{SIDE}"));
    if out.exists() {
        let shown = out.display();
        bail!("{shown} is there already; use it as folder:{shown}, or remove it");
    }
    let read = |style: &str| -> Result<(PathBuf, Vec<u8>)> {
        let path = package_of(from, style)?;
        let bytes = read_bytes(&path)?;
        Ok((path, bytes))
    };
    let files: Vec<_> = STYLES
        .iter()
        .map(|(style, ..)| read(style))
        .collect::<Result<_>>()?;
    let (mut packages, mut sources) = (Vec::new(), Vec::new());
    for ((style, drawn_by, licence), (path, bytes)) in STYLES.into_iter().zip(&files) {
        let icons: Icons = json_of(bytes, path, "package/icons.json")?;
        packages.push((style, icons));
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        sources.push(Source {
            style,
            drawn_by,
            licence,
            package: name.into_owned(),
            sha256: sha256(bytes),
        });
    }
    let (first, bytes) = &files[0];
    let metadata: Metadata = json_of(bytes, first, "package/metadata.json")?;
    let category_of = categories(&metadata)?;

    let names = common_names(&packages);
    ensure!(
        !names.is_empty(),
        "no name is in all {} packages",
        packages.len()
    );
    let drawn: Vec<Vec<Drawing>> = names
        .par_iter()
        .map(|name| packages.iter().map(|it| drawing(it, name)).collect())
        .collect::<Result<_>>()?;
    let repeated = repeated(&drawn);
    let beside = data_dir.join(format!(".emoji-{SIDE}.{}.tmp", process_token()));
    let write_name = |at: usize| -> Result<()> {
        let category = category_of.get(names[at]).map_or("Others", String::as_str);
        let folder = beside.join(category).join(names[at]);
        make_folder(&folder)?;
        for ((style, _), drawing) in packages.iter().zip(&drawn[at]) {
            let file = folder.join(format!("{style}.png"));
            fs::write(&file, &drawing.png)
                .with_context(|| format!("while writing {}", file.display()))?;
        }
        Ok(())
    };
    let kept: Vec<usize> = (0..names.len())
        .filter(|at| !repeated.contains(at))
        .collect();
    let write = || -> Result<()> {
        kept.par_iter().copied().try_for_each(write_name)?;
        let sources = serde_json::to_string_pretty(&sources)?;
        write_whole(&beside.join("sources.json"), sources.as_bytes())?;
        fs::rename(&beside, &out).with_context(|| format!("while placing {}", out.display()))
    };
    write().inspect_err(|_| {
        // The error that is told is the one that matters.
        let _ = fs::remove_dir_all(&beside);
    })?;
    Ok(Made {
        folder: out,
        n_images: kept.len() * packages.len(),
        left_out: repeated
            .into_iter()
            .map(|at| names[at].to_owned())
            .collect(),
    })
}

/// A name in a style.
struct Drawing {
    /// The file.
    png: Vec<u8>,
    /// What is seen of it on white paper, which is what it is read on: a white frame is seen on black alone.
    on_white: Vec<u8>,
}

fn drawing((style, icons): &(&str, Icons), name: &str) -> Result<Drawing> {
    let draw = || -> Result<Drawing> {
        let pixels = pixels(&svg(icons, &icons.icons[name]))?;
        Ok(Drawing {
            png: pixels.encode_png()?,
            on_white: on_white(&pixels),
        })
    };
    draw().with_context(|| format!("while drawing {name} of {style}"))
}

/// Red, green and blue of each pixel, `c + (1 - alpha)` of the premultiplied `c`.
fn on_white(pixels: &Pixmap) -> Vec<u8> {
    let seen = |it: &PremultipliedColorU8| {
        let paper = u8::MAX - it.alpha();
        [it.red() + paper, it.green() + paper, it.blue() + paper]
    };
    pixels.pixels().iter().flat_map(seen).collect()
}

/// Names, by their places, that a style draws as it draws an earlier one that is kept, as seen on paper: a picture of two classes
/// shows neither.
fn repeated(drawn: &[Vec<Drawing>]) -> BTreeSet<usize> {
    let (mut seen, mut repeated) = (BTreeSet::new(), BTreeSet::new());
    for (at, of_name) in drawn.iter().enumerate() {
        let pictures = || of_name.iter().map(|it| &it.on_white).enumerate();
        if pictures().any(|picture| seen.contains(&picture)) {
            repeated.insert(at);
        } else {
            seen.extend(pictures());
        }
    }
    repeated
}

/// The package of a style: `iconify-json-noto-1.2.9.tgz`, as `npm pack` calls it.
fn package_of(from: &Path, style: &str) -> Result<PathBuf> {
    let entries =
        fs::read_dir(from).with_context(|| format!("while listing {}", from.display()))?;
    let start = format!("iconify-json-{style}-");
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let version = name
                .strip_prefix(&start)
                .and_then(|it| it.strip_suffix(".tgz"));
            version.is_some_and(|it| it.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect();
    found.sort();
    found.pop().ok_or_else(|| {
        let packages: Vec<String> = STYLES
            .iter()
            .map(|(style, ..)| format!("@iconify-json/{style}"))
            .collect();
        anyhow!(
            "{} holds no {start}*.tgz; bring the packages there with\n  npm pack {}",
            from.display(),
            packages.join(" ")
        )
    })
}

/// A JSON file of a package.
fn json_of<T: serde::de::DeserializeOwned>(package: &[u8], path: &Path, name: &str) -> Result<T> {
    let read = || -> Result<T> {
        let mut archive = tar::Archive::new(GzDecoder::new(package));
        for entry in archive.entries()? {
            let entry = entry?;
            if entry.path()? == Path::new(name) {
                let mut bytes = Vec::new();
                entry.take(MOST_BYTES).read_to_end(&mut bytes)?;
                return Ok(serde_json::from_slice(&bytes)?);
            }
        }
        bail!("it is not there")
    };
    read().with_context(|| format!("while reading {name} of {}", path.display()))
}

/// The category of each name, as a folder may be called.
fn categories(metadata: &Metadata) -> Result<BTreeMap<&str, String>> {
    let mut category_of = BTreeMap::new();
    for (category, names) in &metadata.categories {
        let folder = category.replace(['/', '\\'], "-");
        ensure!(
            !folder.is_empty() && !folder.starts_with('.'),
            "a category is called {category:?}"
        );
        for name in names {
            category_of.insert(name.as_str(), folder.clone());
        }
    }
    Ok(category_of)
}

/// Names that every style has, without withdrawn ones and skin tones.
fn common_names<'p>(packages: &'p [(&str, Icons)]) -> Vec<&'p str> {
    let plain = |name: &str| {
        let letters = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        name.chars().all(letters) && !name.contains(SKIN)
    };
    let names_of = |icons: &'p Icons| -> BTreeSet<&'p str> {
        let shown = icons.icons.iter().filter(|(_, icon)| !icon.hidden);
        let names = shown.map(|(name, _)| name.as_str());
        names.filter(|name| plain(name)).collect()
    };
    let mut common: Option<BTreeSet<&str>> = None;
    for (_, icons) in packages {
        let names = names_of(icons);
        common = Some(match common {
            None => names,
            Some(known) => known.intersection(&names).copied().collect(),
        });
    }
    common.unwrap_or_default().into_iter().collect()
}

/// The drawing as a file: the body inside of its view box, of iconify's usual size where nothing is said.
fn svg(icons: &Icons, icon: &Icon) -> String {
    let width = icon.width.or(icons.width).unwrap_or(16.0);
    let height = icon.height.or(icons.height).unwrap_or(16.0);
    let (left, top) = (icon.left.unwrap_or(0.0), icon.top.unwrap_or(0.0));
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" xmlns:xlink=\"http://www.w3.org/1999/xlink\" width=\"{width}\" height=\"{height}\" viewBox=\"{left} {top} {width} {height}\">{}</svg>",
        icon.body
    )
}

/// The drawing in pixels, transparent where nothing is drawn. It may refer to no file.
fn pixels(svg: &str) -> Result<Pixmap> {
    let options = Options {
        image_href_resolver: ImageHrefResolver {
            resolve_data: Box::new(|_, _, _| None),
            resolve_string: Box::new(|_, _| None),
        },
        ..Options::default()
    };
    let tree = Tree::from_str(svg, &options)?;
    let mut pixels = Pixmap::new(SIDE, SIDE).ok_or_else(|| anyhow!("no memory for a picture"))?;
    let (width, height) = (tree.size().width(), tree.size().height());
    let side = SIDE as f32;
    resvg::render(
        &tree,
        Transform::from_scale(side / width, side / height),
        &mut pixels.as_mut(),
    );
    Ok(pixels)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_drawing_fills_its_view_box_and_is_transparent_elsewhere() {
        let icons: Icons = serde_json::from_str(
            r##"{"width": 10, "height": 10, "icons": {
                "half": {"body": "<path fill=\"#ff0000\" d=\"M4 2h5v10h-5z\"/>", "left": 4, "top": 2},
                "gone": {"body": "", "hidden": true},
                "hand-dark-skin-tone": {"body": ""}}}"##,
        )
        .unwrap();
        let packages = [("one", icons)];
        assert_eq!(common_names(&packages), ["half"]);
        let icons = &packages[0].1;
        let pixels = pixels(&svg(icons, &icons.icons["half"])).unwrap();
        let at = |x: u32| {
            let pixel = pixels.pixel(x, 42).unwrap();
            (pixel.red(), pixel.alpha())
        };
        assert_eq!((at(20), at(60)), ((255, 255), (0, 0)));
    }

    #[test]
    fn a_name_is_left_out_if_a_style_draws_it_as_another() {
        let drawn = [["a", "b"], ["c", "b"], ["c", "d"], ["b", "a"]];
        let of_style = |pixels: &&str| Drawing {
            png: Vec::new(),
            on_white: pixels.as_bytes().to_vec(),
        };
        let drawn: Vec<Vec<Drawing>> = drawn
            .iter()
            .map(|name| name.iter().map(of_style).collect())
            .collect();
        // Styles are compared with themselves alone, and names with those that are kept.
        assert_eq!(repeated(&drawn), BTreeSet::from([1]));
    }

    /// Fluent's white square button is its black medium square in a white frame.
    #[test]
    fn a_white_frame_makes_no_other_drawing() {
        let icons: Icons = serde_json::from_str(
            r##"{"width": 10, "height": 10, "icons": {
                "square": {"body": "<path d=\"M3 3h4v4h-4z\"/>"},
                "framed": {"body": "<path fill=\"#fff\" d=\"M1 1h8v8h-8z\"/><path d=\"M3 3h4v4h-4z\"/>"},
                "grey": {"body": "<path fill=\"#ddd\" d=\"M1 1h8v8h-8z\"/><path d=\"M3 3h4v4h-4z\"/>"}}}"##,
        )
        .unwrap();
        let style = ("fluent", icons);
        let drawn: Vec<Vec<Drawing>> = ["square", "framed", "grey"]
            .iter()
            .map(|name| vec![drawing(&style, name).unwrap()])
            .collect();
        assert_ne!(drawn[0][0].png, drawn[1][0].png);
        assert_eq!(repeated(&drawn), BTreeSet::from([1]));
    }

    #[test]
    fn packages_are_told_by_their_style_and_missing_ones_named() {
        let dir = tempfile::tempdir().unwrap();
        for name in [
            "iconify-json-noto-v1-1.2.5.tgz",
            "iconify-json-noto-1.2.9.tgz",
        ] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let found = package_of(dir.path(), "noto").unwrap();
        assert!(found.ends_with("iconify-json-noto-1.2.9.tgz"));
        let error = package_of(dir.path(), "openmoji").unwrap_err().to_string();
        assert!(error.contains("npm pack @iconify-json/noto"), "{error}");
    }
}
