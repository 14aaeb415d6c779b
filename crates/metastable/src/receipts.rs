//! What was understood of the images that a study learns from: said before the training, kept in the study's folder (`data.txt` for
//! people, `data.json` with its checksum for the report), shown in the report with a sheet of examples.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Result, anyhow};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use metastable_analysis::report::{Input, Picture};
use metastable_data::{MetaSplit, Sheet};
use serde::{Deserialize, Serialize};

use crate::Ending;
use crate::campaign::folder::{DATA_IMAGES, DATA_SEALED, DATA_TEXT};
use crate::files::{read_bytes, write_whole};
use crate::plan::Planned;
use crate::run::{Material, RunConfig};
use crate::sealed::{Sealed, fault};

/// Every data set of a study that was read from a stranger's files.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Receipts {
    inputs: Vec<About>,
}

/// One data set with what is asked of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct About {
    set: String,
    text: String,
    /// Names of the rows of the sheet.
    classes: Vec<String>,
    /// The sheet: a PNG in base64.
    sheet: String,
}

/// How the classes are split.
fn split(config: &RunConfig, material: &Material) -> String {
    let count = |part| material.split.classes(part).len();
    format!(
        "  split `{}`: {} classes for training, {} for validation, {} for test\n",
        config.data.split,
        count(MetaSplit::Train),
        count(MetaSplit::Validation),
        count(MetaSplit::Test)
    )
}

/// What test episodes ask of the classes.
fn test(config: &RunConfig, material: &Material) -> String {
    let fewest = material
        .split
        .fewest_images(&material.dataset, MetaSplit::Test);
    let test = &config.test;
    if test.sizes.is_even() {
        return format!(
            "  test: {} classes with {} + {} images each (the smallest test class has {fewest}); chance is {:.2} %\n",
            test.way,
            test.shot,
            test.query,
            100.0 / test.way as f64
        );
    }
    let what = if test.sizes.draws_way() {
        "5 to 50 classes, 1 to 10 queries of each, up to 500 supports, by Meta-Dataset's rules; chance differs by task"
            .to_owned()
    } else {
        format!(
            "{} classes with {} supports and {} queries of each; chance is {:.2} %",
            test.way,
            test.sizes,
            test.query,
            100.0 / test.way as f64
        )
    };
    format!("  test: {what} (the smallest test class has {fewest} images)\n")
}

/// Says on stderr what is asked of the data: each split once, and below it each shape of test episodes. What was read has been said on
/// loading.
pub(crate) fn say(runs: &[Planned]) {
    for asked in asked(runs) {
        eprint!("{}", asked.text());
    }
}

/// A data set with a receipt, and what a study asks of it.
struct Asked<'r> {
    /// The first run that it holds for.
    run: &'r Planned,
    /// Splits, each with the tests on it.
    splits: Vec<(String, Vec<String>)>,
}

impl Asked<'_> {
    fn text(&self) -> String {
        let lines = |(split, tests): &(String, Vec<String>)| split.clone() + &tests.concat();
        self.splits.iter().map(lines).collect()
    }
}

/// Each receipt once, with each split once, with each test once.
fn asked(runs: &[Planned]) -> Vec<Asked<'_>> {
    let mut all: Vec<Asked<'_>> = Vec::new();
    for run in runs {
        if run.material.dataset.receipt.is_none() {
            continue;
        }
        let (split, test) = (
            split(&run.config, &run.material),
            test(&run.config, &run.material),
        );
        let of_receipt = match all.iter().position(|it| is_same_receipt(it.run, run)) {
            Some(at) => at,
            None => {
                all.push(Asked {
                    run,
                    splits: Vec::new(),
                });
                all.len() - 1
            }
        };
        let splits = &mut all[of_receipt].splits;
        match splits.iter_mut().find(|(known, _)| *known == split) {
            Some((_, tests)) if tests.contains(&test) => {}
            Some((_, tests)) => tests.push(test),
            None => splits.push((split, vec![test])),
        }
    }
    all
}

/// Whether two runs have one receipt. Runs share their data set as a rule, and a receipt lists every image.
fn is_same_receipt(run: &Planned, other: &Planned) -> bool {
    let (dataset, others) = (&run.material.dataset, &other.material.dataset);
    let is_same = || dataset.digest == others.digest && dataset.receipt == others.receipt;
    Arc::ptr_eq(dataset, others) || is_same()
}

/// The receipts with what is asked of them, each once.
fn texts(runs: &[Planned]) -> Vec<(&Planned, String)> {
    let with_receipt = |asked: Asked<'_>| {
        let receipt = asked.run.material.dataset.receipt.as_ref();
        receipt.map_or_else(String::new, ToString::to_string) + &asked.text()
    };
    let all = asked(runs).into_iter();
    all.map(|asked| (asked.run, with_receipt(asked))).collect()
}

/// Writes both files into the folder of a study; nothing if no data set has a receipt.
pub(crate) fn write(out: &Path, runs: &[Planned]) -> Result<()> {
    let texts = texts(runs);
    if texts.is_empty() {
        return Ok(());
    }
    let about = |(run, text): &(&Planned, String)| -> Result<About> {
        let sheet = Sheet::of(&run.material.dataset)
            .map_err(|problem| anyhow!("while drawing examples: {problem}"))?;
        Ok(About {
            set: run.config.data.sets().join(" + "),
            text: text.clone(),
            classes: sheet.classes,
            sheet: STANDARD.encode(&sheet.png),
        })
    };
    let inputs = texts.iter().map(about).collect::<Result<_>>()?;
    let all: Vec<&str> = texts.iter().map(|(_, text)| text.as_str()).collect();
    write_whole(&out.join(DATA_TEXT), all.join("\n").as_bytes())?;
    write_images(&out.join(DATA_IMAGES), &texts)?;
    let sealed = Sealed::new(Receipts { inputs })?;
    write_whole(&out.join(DATA_SEALED), &sealed.to_bytes()?)
}

/// Every image of every data set: its number, which the episodes of `test.safetensors` count by, its class and its file.
fn write_images(path: &Path, texts: &[(&Planned, String)]) -> Result<()> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(["data_digest", "image", "class", "file"])?;
    let mut digests: Vec<&str> = Vec::new();
    for (run, _) in texts {
        let dataset = &run.material.dataset;
        let Some(receipt) = &dataset.receipt else {
            continue;
        };
        if digests.contains(&dataset.digest.as_str()) {
            continue;
        }
        digests.push(&dataset.digest);
        for class in &dataset.classes {
            for image in class.images() {
                let file = receipt.files.get(image).map(|it| it.to_string_lossy());
                writer.write_record([
                    dataset.digest.as_str(),
                    &image.to_string(),
                    &class.name,
                    &file.unwrap_or_default(),
                ])?;
            }
        }
    }
    write_whole(path, &writer.into_inner()?)
}

/// What the report of a study says of its data; nothing where the study has no such file. One that cannot be opened is named on stderr and left
/// out, and the ending is a failure.
pub(crate) fn read(out: &Path) -> Result<(Vec<Input>, Ending)> {
    let path = out.join(DATA_SEALED);
    if !path.exists() {
        return Ok((Vec::new(), Ending::Done));
    }
    let bytes = read_bytes(&path)?;
    let Ok(receipts) = Sealed::<Receipts>::open(&bytes) else {
        eprintln!(
            "{} {}, so the report says nothing about the data; the command that runs the study writes it again",
            path.display(),
            fault(&bytes)
        );
        return Ok((Vec::new(), Ending::Failed));
    };
    let input = |about: About| Input {
        title: about.set,
        text: about.text,
        picture: Some(Picture {
            address: format!("data:image/png;base64,{}", about.sheet),
            description: format!(
                "Examples as the learners get them, one class a row: {}.",
                about.classes.join(", ")
            ),
        }),
    };
    Ok((
        receipts.inputs.into_iter().map(input).collect(),
        Ending::Done,
    ))
}
