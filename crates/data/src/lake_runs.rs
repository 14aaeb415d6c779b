//! Lake's 20 one-shot runs: a fixed evaluation list of within-alphabet 20-way 1-shot tasks with 20 queries each.
//!
//! Source: Lake et al. 2015, `all_runs.zip`; human error on these runs is 4.5 %. The list names drawers and
//! characters; the images come from the evaluation set, which holds the same pixels (datasets/omniglot/README.md).

use crate::omniglot::N_DRAWERS;
use crate::{ClassRef, DataError, Dataset, Episode, EpisodeShape};

/// The shape of every run.
pub const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 20,
    k_shot: 1,
    n_query: 1,
};

/// Share of wrong answers that people give on these runs (Lake et al. 2015).
pub const HUMAN_ERROR: f64 = 0.045;

const LIST: &str = include_str!("../../../datasets/omniglot/lake_runs.tsv");

/// The 20 runs in their published order; label `i` is `training/class{i + 1}`.
///
/// # Errors
/// [`DataError::Invalid`] if `dataset` is not Omniglot.
pub fn lake_runs(dataset: &Dataset) -> Result<Vec<Episode>, DataError> {
    LIST.lines()
        .skip(1)
        .map(|line| {
            run(dataset, line).ok_or_else(|| DataError::Invalid {
                setting: "dataset",
                value: dataset.name.clone(),
                problem: format!("Lake's run `{line}` is not in it"),
                next_step: "load `omniglot`: the runs are made of its evaluation set".into(),
            })
        })
        .collect()
}

/// One line: run, alphabet, drawer of the supports, drawer of the queries, characters.
fn run(dataset: &Dataset, line: &str) -> Option<Episode> {
    let fields: Vec<&str> = line.split('\t').collect();
    let [_, alphabet, support_drawer, query_drawer, characters] = fields[..] else {
        return None;
    };
    let mut episode = Episode {
        shape: SHAPE,
        classes: Vec::new(),
        support: Vec::new(),
        query: Vec::new(),
    };
    for character in characters.split(' ') {
        let class_idx = dataset.class_idx(&format!("{alphabet}/character{character}"))?;
        let class = &dataset.classes[class_idx as usize];
        let image_of = |drawer: &str| -> Option<u32> {
            let offset = drawer.parse::<usize>().ok()?.checked_sub(1)?;
            (class.n_images == N_DRAWERS && offset < N_DRAWERS)
                .then_some((class.first_image + offset) as u32)
        };
        episode.support.push(image_of(support_drawer)?);
        episode.query.push(image_of(query_drawer)?);
        episode.classes.push(ClassRef {
            class_idx,
            quarter_turns: 0,
        });
    }
    (episode.classes.len() == SHAPE.n_way).then_some(episode)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Cursor;

    use super::*;
    use crate::archive::{self, Limits};
    use crate::{omniglot, picture, test_data};

    #[test]
    fn other_data_are_refused() {
        let message = lake_runs(&test_data::dataset(1, 2, 20))
            .unwrap_err()
            .to_string();
        assert!(message.contains("load `omniglot`"), "{message}");
    }

    /// Every support and query, at full size, against the images and labels of the published archive.
    #[test]
    fn the_runs_are_those_of_the_published_archive() {
        let Some(folder) = test_data::folder("omniglot") else {
            return;
        };
        let dataset = omniglot::load(&folder, 105, None).unwrap();
        let bytes = std::fs::read(folder.join("one-shot-classification/all_runs.zip")).unwrap();
        let mut archive = archive::open(Cursor::new(bytes), &Limits::default()).unwrap();
        let mut files = BTreeMap::new();
        for entry_idx in 0..archive.len() {
            let name = archive
                .name_for_index(entry_idx)
                .unwrap()
                .unwrap()
                .into_owned();
            files.insert(name, archive::read(&mut archive, entry_idx).unwrap());
        }
        let ink = |name: &str| -> Vec<u8> {
            picture::decode_grey(&files[name])
                .unwrap()
                .iter()
                .map(|grey| 255 - grey)
                .collect()
        };
        let runs = lake_runs(&dataset).unwrap();
        assert_eq!(runs.len(), 20);
        let mut n_compared = 0;
        for (run_idx, episode) in runs.iter().enumerate() {
            let folder = format!("run{:02}", run_idx + 1);
            let labels =
                String::from_utf8(files[&format!("{folder}/class_labels.txt")].clone()).unwrap();
            for pair in labels.lines() {
                let (test, training) = pair.trim().split_once(' ').unwrap();
                let label = training[training.len() - 6..training.len() - 4]
                    .parse::<usize>()
                    .unwrap()
                    - 1;
                assert_eq!(
                    dataset.image(episode.support[label] as usize),
                    ink(training),
                    "{training}"
                );
                assert_eq!(
                    dataset.image(episode.query[label] as usize),
                    ink(test),
                    "{test}"
                );
                n_compared += 1;
            }
        }
        assert_eq!(n_compared, 400);
    }
}
