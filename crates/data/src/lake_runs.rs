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

const LIST: &str = include_str!("../datasets/omniglot/lake_runs.tsv");

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
    let mut episode = Episode::even(SHAPE, Vec::new(), Vec::new(), Vec::new());
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

    use rayon::prelude::*;

    use super::*;
    use crate::archive::{self, Limits};
    use crate::{omniglot, picture, test_data};

    /// Row and column of each inked pixel around their mean, as Lake et al.'s demonstration program takes it; in order
    /// of rows.
    fn points(image: &[u8], side: usize) -> Vec<[f64; 2]> {
        let at = |index: usize| [(index / side) as f64, (index % side) as f64];
        let inked = (0..image.len()).filter(|&index| image[index] > 127);
        let points: Vec<[f64; 2]> = inked.map(at).collect();
        let n = points.len() as f64;
        let mean = [0, 1].map(|axis| points.iter().map(|point| point[axis]).sum::<f64>() / n);
        let around = |point: &[f64; 2]| [point[0] - mean[0], point[1] - mean[1]];
        points.iter().map(around).collect()
    }

    /// Distance to the nearest of `points`: outwards from the point's own row, no further than the best so far.
    fn nearest(point: [f64; 2], points: &[[f64; 2]]) -> f64 {
        let (above, below) = points.split_at(points.partition_point(|other| other[0] < point[0]));
        let mut best = f64::INFINITY;
        let mut visit = |others: &mut dyn Iterator<Item = &[f64; 2]>| {
            for other in others {
                let (dy, dx) = (other[0] - point[0], other[1] - point[1]);
                if dy * dy >= best {
                    return;
                }
                best = best.min(dy * dy + dx * dx);
            }
        };
        visit(&mut below.iter());
        visit(&mut above.iter().rev());
        best.sqrt()
    }

    /// The larger of the two mean distances to the nearest point of the other image.
    fn modified_hausdorff(a: &[[f64; 2]], b: &[[f64; 2]]) -> f64 {
        let one_way = |from: &[[f64; 2]], to: &[[f64; 2]]| {
            from.iter().map(|point| nearest(*point, to)).sum::<f64>() / from.len() as f64
        };
        one_way(a, b).max(one_way(b, a))
    }

    /// Nearest support by modified Hausdorff distance: "should lead to a result of 38.8 percent errors", says
    /// `python/one-shot-classification/demo_classification.py` of brendenlake/omniglot, which comes with the list.
    #[test]
    fn the_published_baseline_makes_its_published_errors() {
        let Some(folder) = test_data::folder("omniglot") else {
            return;
        };
        let dataset = omniglot::load(&folder, 105, None).unwrap();
        let runs = lake_runs(&dataset).unwrap();
        let n_wrong: usize = runs
            .par_iter()
            .map(|episode| {
                let load = |images: &[u32]| -> Vec<Vec<[f64; 2]>> {
                    let image = |&image: &u32| points(dataset.image(image as usize), 105);
                    images.iter().map(image).collect()
                };
                let (supports, queries) = (load(&episode.support), load(&episode.query));
                let is_wrong = |(label, query): &(usize, &Vec<[f64; 2]>)| {
                    let distance = |support: &Vec<[f64; 2]>| modified_hausdorff(query, support);
                    let distances: Vec<f64> = supports.iter().map(distance).collect();
                    let own = distances[*label];
                    distances.iter().any(|other| *other < own)
                };
                queries.iter().enumerate().filter(is_wrong).count()
            })
            .sum();
        assert_eq!(n_wrong, 155, "of 400: 38.75 %");
    }

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
