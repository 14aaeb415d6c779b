//! How large episodes are: all of one shape, of unequal supports, or of any way and any shot as Meta-Dataset draws them.
//!
//! | written | an episode |
//! | --- | --- |
//! | `even` | way, shot and query are those of the settings |
//! | `linear LOW-HIGH` | way and query are; supports of the classes rise evenly from LOW to HIGH |
//! | `step LOW-HIGH` | way and query are; half of the classes (rounded down) have LOW supports, the others HIGH |
//! | `random LOW-HIGH` | way and query are; supports of each class are uniform in LOW to HIGH |
//! | `meta-dataset` | all are drawn, by the rules of Meta-Dataset ([`meta_dataset_queries`], [`meta_dataset_shots`]) |
//!
//! # Source
//! Ochal, Patacchiola, Vazquez, Storkey & Wang 2023, "Few-shot learning with class imbalance", IEEE Transactions on Artificial
//! Intelligence 4(5), arXiv 2101.02523, section 4 (linear, step, random). Triantafillou et al. 2020, "Meta-Dataset", ICLR,
//! arXiv 1903.03096, section 3.2 and appendix, as its code has them (`meta_dataset/data/sampling.py`).

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use rand_chacha::rand_core::Rng;
use serde::{Deserialize, Serialize};

use crate::draw::below;
use crate::{DataError, EpisodeShape};

/// How supports differ between the classes of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Imbalance {
    /// They rise evenly.
    Linear,
    /// Few for half of the classes, many for the others.
    Step,
    /// Uniform for each class.
    Random,
}

impl Imbalance {
    /// Every one, by its written name.
    pub const ALL: [(&'static str, Self); 3] = [
        ("linear", Self::Linear),
        ("step", Self::Step),
        ("random", Self::Random),
    ];
}

/// How large episodes are; see the [module](self).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Sizes {
    /// Way, shot and query are given.
    #[default]
    Even,
    /// Way and query are given, supports differ between classes.
    Unequal {
        /// How.
        imbalance: Imbalance,
        /// Fewest supports of a class.
        low: u16,
        /// Most supports of a class.
        high: u16,
    },
    /// Everything is drawn.
    MetaDataset,
}

/// Fewest classes of an episode of Meta-Dataset.
pub const MIN_WAYS: usize = 5;
/// Most classes.
pub const MAX_WAYS: usize = 50;
/// Most queries of a class.
pub const MAX_QUERIES: u32 = 10;
/// Most supports of all classes.
pub const MAX_SUPPORTS: u32 = 500;
/// Most images of a class that count for the number of supports.
pub const MAX_CONTRIBUTION: u32 = 100;
/// A class's share of the supports is multiplied by a factor whose logarithm is uniform between those of 1/2 and 2.
pub const LOG_WEIGHTS: Range<f64> = -std::f64::consts::LN_2..std::f64::consts::LN_2;

impl Sizes {
    /// Whether every episode is of the shape of the settings.
    #[must_use]
    pub fn is_even(&self) -> bool {
        *self == Self::Even
    }

    /// Whether the number of classes is drawn, so that a head bound to one cannot serve.
    #[must_use]
    pub fn draws_way(&self) -> bool {
        *self == Self::MetaDataset
    }

    /// The largest episode where the settings say `shape` and the largest class has `most_images`, of `n_classes` classes.
    #[must_use]
    pub fn largest(
        &self,
        shape: EpisodeShape,
        most_images: usize,
        n_classes: usize,
    ) -> EpisodeShape {
        match *self {
            Self::Even => shape,
            Self::Unequal { high, .. } => EpisodeShape {
                k_shot: high.into(),
                ..shape
            },
            Self::MetaDataset => EpisodeShape {
                n_way: n_classes.min(MAX_WAYS),
                k_shot: most_images
                    .saturating_sub(1)
                    .clamp(1, MAX_CONTRIBUTION as usize),
                n_query: MAX_QUERIES as usize,
            },
        }
    }

    /// An episode of usual size, for what is to be said of the cost: of Meta-Dataset 15 classes with 4 supports each, the medians on
    /// an alphabet of 26 classes of 20 images.
    #[must_use]
    pub fn usual(&self, shape: EpisodeShape) -> EpisodeShape {
        match *self {
            Self::Even => shape,
            Self::Unequal { low, high, .. } => EpisodeShape {
                k_shot: usize::from(low + high).div_ceil(2),
                ..shape
            },
            Self::MetaDataset => EpisodeShape {
                n_way: 15,
                k_shot: 4,
                n_query: MAX_QUERIES as usize,
            },
        }
    }

    /// How a setting is called: `5-way 1-shot`.
    #[must_use]
    pub fn title(&self, shape: EpisodeShape) -> String {
        match self {
            Self::Even => format!("{}-way {}-shot", shape.n_way, shape.k_shot),
            Self::Unequal { .. } => format!("{}-way {self} supports", shape.n_way),
            Self::MetaDataset => "any-way any-shot (Meta-Dataset)".to_owned(),
        }
    }

    /// The same in a name of a folder: `5w1s`.
    #[must_use]
    pub fn label(&self, shape: EpisodeShape) -> String {
        match self {
            Self::Even => format!("{}w{}s", shape.n_way, shape.k_shot),
            Self::Unequal { .. } => {
                format!("{}w-{}", shape.n_way, self.to_string().replace(' ', ""))
            }
            Self::MetaDataset => self.to_string(),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Even => f.write_str("even"),
            Self::MetaDataset => f.write_str("meta-dataset"),
            Self::Unequal {
                imbalance,
                low,
                high,
            } => {
                let name = crate::choice::name_of(&Imbalance::ALL, imbalance);
                write!(f, "{name} {low}-{high}")
            }
        }
    }
}

impl FromStr for Sizes {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        let refuse = |problem: &str| {
            DataError::Invalid {
            setting: "sizes",
            value: text.to_owned(),
            problem: problem.to_owned(),
            next_step:
                "write even, meta-dataset, or one of linear, step, random with two numbers of supports, e.g. \"linear 1-9\""
                    .to_owned(),
        }
        };
        match text {
            "even" => return Ok(Self::Even),
            "meta-dataset" => return Ok(Self::MetaDataset),
            _ => {}
        }
        let (name, range) = text
            .split_once(' ')
            .ok_or_else(|| refuse("no sizes of episodes are called so"))?;
        let kind = Imbalance::ALL.iter().find(|(known, _)| *known == name);
        let (_, imbalance) = kind.ok_or_else(|| refuse("no sizes of episodes are called so"))?;
        let numbers = range.trim().split_once('-').and_then(|(low, high)| {
            let number = |text: &str| text.trim().parse::<u16>().ok();
            Some((number(low)?, number(high)?))
        });
        match numbers {
            Some((low, high)) if 1 <= low && low <= high && high <= 1000 => Ok(Self::Unequal {
                imbalance: *imbalance,
                low,
                high,
            }),
            Some(_) => Err(refuse(
                "the fewest supports are 1 or more and the most as many or more, up to 1000",
            )),
            None => Err(refuse("two numbers of supports are missing")),
        }
    }
}

impl TryFrom<String> for Sizes {
    type Error = DataError;

    fn try_from(text: String) -> Result<Self, DataError> {
        text.parse()
    }
}

impl From<Sizes> for String {
    fn from(sizes: Sizes) -> Self {
        sizes.to_string()
    }
}

/// Queries of each class of an episode of Meta-Dataset: `min(10, min_c floor(n_c / 2))`, with `n_c` the images of class `c`.
#[must_use]
pub fn meta_dataset_queries(n_images: &[u32]) -> u32 {
    let fewest = n_images.iter().copied().min().unwrap_or(0);
    MAX_QUERIES.min(fewest / 2)
}

/// Supports of each class of an episode of Meta-Dataset.
///
/// `S = min(500, sum_c floor(beta min(100, n_c - q) + 1))` supports in all; class `c` asks for the share
/// `R_c = n_c e^{a_c} / sum n e^a` of what is left when each class has one, and gets
/// `k_c = min(floor(R_c (S - N)) + 1, n_c - q)`.
///
/// `n_images`: `n_c`, more than `n_query` each; `beta` in `[0, 1)`; `log_weights`: `a_c`.
#[must_use]
pub fn meta_dataset_shots(
    n_images: &[u32],
    n_query: u32,
    beta: f64,
    log_weights: &[f64],
) -> Vec<u32> {
    let left = |n: u32| n - n_query;
    let asked = n_images.iter().map(|n| {
        let counted = left(*n).min(MAX_CONTRIBUTION);
        (beta * f64::from(counted) + 1.0).floor() as u32
    });
    let total = asked.sum::<u32>().min(MAX_SUPPORTS);
    let beyond_one = f64::from(total.saturating_sub(n_images.len() as u32));
    let weights = n_images.iter().zip(log_weights);
    let weights: Vec<f64> = weights.map(|(n, a)| f64::from(*n) * a.exp()).collect();
    let sum: f64 = weights.iter().sum();
    let classes = n_images.iter().zip(&weights);
    classes
        .map(|(n, weight)| {
            let desired = (weight / sum * beyond_one).floor() as u32 + 1;
            desired.min(left(*n))
        })
        .collect()
}

/// Supports of each class where they are unequal, in the order of the classes.
///
/// Linear: `round(low - c + i (high + 2c - low) / (N - 1))` for `i = 0 .. N - 1` with `c = 0.499`, which gives the two ends as many
/// classes as the numbers between.
pub(crate) fn unequal_shots(
    imbalance: Imbalance,
    (low, high): (u32, u32),
    n_way: usize,
    rng: &mut impl Rng,
) -> Vec<u32> {
    const EDGE: f64 = 0.499;
    match imbalance {
        Imbalance::Linear => {
            let (from, to) = (f64::from(low) - EDGE, f64::from(high) + EDGE);
            let step = (to - from) / (n_way - 1) as f64;
            (0..n_way)
                .map(|at| (from + at as f64 * step).round() as u32)
                .collect()
        }
        Imbalance::Step => (0..n_way)
            .map(|at| if at < n_way / 2 { low } else { high })
            .collect(),
        Imbalance::Random => (0..n_way)
            .map(|_| low + below(rng, high - low + 1))
            .collect(),
    }
}

/// Uniform in `[0, 1)`, from the upper 53 bits of one draw.
pub(crate) fn unit(rng: &mut impl Rng) -> f64 {
    const SCALE: f64 = 1.0 / (1_u64 << 53) as f64;
    (rng.next_u64() >> 11) as f64 * SCALE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_as_they_are_read() {
        for text in [
            "even",
            "meta-dataset",
            "linear 1-9",
            "step 2-2",
            "random 3-40",
        ] {
            let sizes: Sizes = text.parse().unwrap();
            assert_eq!(sizes.to_string(), text);
            assert_eq!(serde_json::to_value(sizes).unwrap(), text);
        }
        for text in [
            "odd",
            "linear",
            "linear 9-1",
            "linear 0-3",
            "cubic 1-9",
            "step 1",
        ] {
            let said = text.parse::<Sizes>().unwrap_err().to_string();
            assert!(said.contains(text) && said.contains("linear 1-9"), "{said}");
        }
    }

    /// By hand. Classes of 20, 20 and 40 images: q = min(10, 10) = 10, and 10, 10, 30 are left. beta = 0.35: floor(4.5) = 4 twice and
    /// floor(11.5) = 11 make S = 19, of which 16 are beyond one each. Weights e^a = 1, 2, 1/2 give n e^a = 20, 40, 20 of 80, so 4, 8, 4
    /// and one: 5, 9, 5.
    #[test]
    fn an_episode_of_meta_dataset_by_hand() {
        let ln2 = std::f64::consts::LN_2;
        let n_images = [20, 20, 40];
        assert_eq!(meta_dataset_queries(&n_images), 10);
        let shots = meta_dataset_shots(&n_images, 10, 0.35, &[0.0, ln2, -ln2]);
        assert_eq!(shots, [5, 9, 5]);
        // No class gets more than it has left: beta near 1 makes S = 10 + 10 + 30 = 50, 47 beyond: 11.75, 23.5, 11.75.
        let shots = meta_dataset_shots(&n_images, 10, 0.999, &[0.0, ln2, -ln2]);
        assert_eq!(shots, [10, 10, 12]);
        // beta = 0: one each.
        assert_eq!(meta_dataset_shots(&n_images, 10, 0.0, &[0.0; 3]), [1; 3]);
        // A class of 5 images leaves 2 queries a class; one of 3 leaves 1.
        assert_eq!(meta_dataset_queries(&[20, 5, 9]), 2);
        assert_eq!(meta_dataset_queries(&[20, 3]), 1);
        // Large classes: each counts 100 at the most, and all of them 500. 10 classes of 600: floor(0.9 * 100 + 1) = 91 each, 910 in all, so
        // 500, of which 490 are shared evenly: 49 and one.
        assert_eq!(meta_dataset_queries(&[600; 10]), 10);
        assert_eq!(
            meta_dataset_shots(&[600; 10], 10, 0.9, &[0.3; 10]),
            [50; 10]
        );
    }

    /// Ochal et al. 2023, section 4: 4-6 over five classes; 1-9 over five; half and half.
    #[test]
    fn unequal_supports_by_hand() {
        let mut rng = crate::Seeds::all(1).rng(crate::Stream::Support, 0);
        let mut of = |imbalance, range| unequal_shots(imbalance, range, 5, &mut rng);
        // 3.501, 4.2505, 5, 5.7495, 6.499.
        assert_eq!(of(Imbalance::Linear, (4, 6)), [4, 4, 5, 6, 6]);
        // 0.501, 2.7505, 5, 7.2495, 9.499.
        assert_eq!(of(Imbalance::Linear, (1, 9)), [1, 3, 5, 7, 9]);
        assert_eq!(of(Imbalance::Step, (1, 9)), [1, 1, 9, 9, 9]);
        let random: Vec<u32> = (0..200)
            .flat_map(|_| of(Imbalance::Random, (1, 9)))
            .collect();
        for shots in 1..=9 {
            // 1,000 draws: 111 expected, SD 9.9.
            let n = random.iter().filter(|it| **it == shots).count();
            assert!((60..=165).contains(&n), "{shots}: {n}");
        }
        assert!(random.iter().all(|it| (1..=9).contains(it)));
    }
}
