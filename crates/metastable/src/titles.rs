//! The names under which a report shows learners: `maml` of a study as `MAML (ours)` of a paper.

use std::collections::BTreeSet;
use std::str::FromStr;

use anyhow::{Result, bail};
use metastable_analysis::{Options, Study};

use crate::study::suggestion;

/// A learner and its title, written `LEARNER=TITLE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title {
    learner: String,
    title: String,
}

impl FromStr for Title {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('=')
            .map(|(learner, title)| (learner.trim(), title.trim()));
        match parts {
            Some((learner, title)) if !learner.is_empty() && !title.is_empty() => Ok(Self {
                learner: learner.to_owned(),
                title: title.to_owned(),
            }),
            _ => Err(format!(
                "`{text}` is not LEARNER=TITLE; write for example `maml=MAML (ours)`"
            )),
        }
    }
}

/// The same tables and options with the learners' titles for their names. Titles are names from then on: figures, tables, JSON and the
/// conditions of a gate have them.
pub(crate) fn titled(
    tables: &Study,
    options: &Options,
    titles: &[Title],
) -> Result<(Study, Options)> {
    let names: BTreeSet<&str> = tables.runs.iter().map(|run| run.learner.as_str()).collect();
    if names.is_empty() {
        bail!("--title: this report shows no learner by name; leave it out");
    }
    for Title { learner, .. } in titles {
        if !names.contains(learner.as_str()) {
            let names: Vec<&str> = names.into_iter().collect();
            bail!(
                "--title: no learner `{learner}` here; {}",
                suggestion(learner, &names)
            );
        }
    }
    let shown = |name: &str| {
        let own = titles.iter().find(|it| it.learner == name);
        own.map_or(name, |it| it.title.as_str()).to_owned()
    };
    let mut seen = BTreeSet::new();
    for name in &names {
        let title = shown(name);
        if !seen.insert(title.clone()) {
            bail!("--title: two learners would be called `{title}`; give each a title of its own");
        }
    }
    let (mut tables, mut options) = (tables.clone(), options.clone());
    for run in &mut tables.runs {
        run.learner = shown(&run.learner);
    }
    options.reference = options.reference.as_deref().map(shown);
    for name in options.bases.iter_mut().flatten() {
        *name = shown(name);
    }
    Ok((tables, options))
}

#[cfg(test)]
mod tests {
    use metastable_analysis::rows::Row;

    use super::*;

    fn study() -> Study {
        let rows = ["maml", "protonet"].into_iter().flat_map(|learner| {
            (0..3).map(move |seed| Row {
                learner,
                seed,
                task: "test",
                score: 0.5 + 0.1 * seed as f64,
            })
        });
        Study::from_rows("two", rows).unwrap()
    }

    fn with(titles: &[&str]) -> Result<(Study, Options)> {
        let titles: Vec<Title> = titles.iter().map(|text| text.parse().unwrap()).collect();
        let options = Options {
            reference: Some("maml".to_owned()),
            ..Options::default()
        };
        titled(&study(), &options, &titles)
    }

    #[test]
    fn titles_stand_for_names_everywhere() {
        let (tables, options) = with(&["maml=MAML = ours"]).unwrap();
        let names: BTreeSet<&str> = tables.runs.iter().map(|run| run.learner.as_str()).collect();
        assert_eq!(names, BTreeSet::from(["MAML = ours", "protonet"]));
        assert_eq!(options.reference.as_deref(), Some("MAML = ours"));
    }

    #[test]
    fn unknown_learners_and_equal_titles_are_refused() {
        let said = |titles: &[&str]| with(titles).unwrap_err().to_string();
        assert!(
            said(&["mamml=X"]).contains("did you mean \"maml\""),
            "{}",
            said(&["mamml=X"])
        );
        assert!(said(&["maml=protonet"]).contains("would be called `protonet`"));
        assert!("maml".parse::<Title>().is_err() && "=X".parse::<Title>().is_err());
    }
}
