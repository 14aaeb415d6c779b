//! `fetch`: data sets and weights, verified before they get their name.

use std::path::Path;

use anyhow::{Result, bail};
use metastable_data::fetch::{self, FetchedFile, Options, Source};

use crate::Ending;
use crate::bring::{Display, bring};
use crate::flags;
use crate::places::data_dir;

/// Runs the command.
pub(crate) fn fetch(flags: &flags::Fetch) -> Result<Ending> {
    let mut options = Options::new(data_dir(flags.data_dir.as_deref()));
    if let Some(from) = &flags.from {
        options.source = Source::parse(from);
    }
    match flags.what.split_first() {
        Some((what, specs)) if what == "weights" => {
            if specs.is_empty() {
                let known = fetch::WeightsManifest::built_in()?.weights;
                let known: Vec<&str> = known.iter().map(|entry| entry.name.as_str()).collect();
                bail!(
                    "fetch weights: name them, e.g. {}, or hf:owner/repo/model.safetensors",
                    known.join(", ")
                );
            }
            for spec in specs {
                let file = fetch::weights(spec, &options, &Display::new())?;
                print_file(&file);
            }
        }
        _ => {
            for name in &flags.what {
                if name == "emoji" {
                    emoji(flags, &options)?;
                    continue;
                }
                let all = fetch::names();
                let names = match name.as_str() {
                    "all" => all,
                    name => vec![name],
                };
                for name in names {
                    for file in bring(name, &options)?.files {
                        print_file(&file);
                    }
                }
            }
        }
    }
    Ok(Ending::Done)
}

/// Makes the set of drawings out of packages that the user brought.
fn emoji(flags: &flags::Fetch, options: &Options) -> Result<()> {
    let Some(from) = &flags.from else {
        bail!(
            "fetch emoji: name the folder with the packages, as `npm pack @iconify-json/noto` and so on leave them: --from DIR"
        );
    };
    let made = crate::emoji::make(Path::new(from), &options.data_dir)?;
    if !made.left_out.is_empty() {
        note!(
            "left out, since a style draws them as it draws another name: {}",
            made.left_out.join(", ")
        );
    }
    let (shown, n_images) = (made.folder.display(), made.n_images);
    println!(
        "{shown} {n_images} images; licences in {shown}/sources.json; use it as folder:{shown}"
    );
    Ok(())
}

fn print_file(file: &FetchedFile) {
    println!(
        "{} {} bytes, sha256 {}",
        file.path.display(),
        file.bytes,
        file.sha256
    );
}
