//! `[streams]`: sources of chance with seeds of their own, crossed, nested, or one at a time.

use anyhow::{Result, bail};
use metastable_data::{Seeds, Stream};

use super::bounds::MOST_COMBINATIONS;
use super::factors::product;
use super::section::suggestion;
use super::tree::{Entry, Item};

/// Keys besides the streams.
const PLAN: &str = "plan";
const TOGETHER: &str = "together";

/// Which streams vary, and how their seeds go together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Streams {
    /// In the order of the file.
    pub(crate) names: Vec<Stream>,
    /// For each run of a learner at a point, how far the seed of each stream is from the first.
    offsets: Vec<Vec<u64>>,
}

/// The seeds of one run of a learner at a point.
#[derive(Clone, Debug)]
pub(crate) struct Bundle {
    /// Pairs the runs of different learners.
    pub(crate) index: u64,
    /// Tells bundles of a study apart, in the names of folders.
    pub(crate) label: String,
    pub(crate) seeds: Seeds,
    /// Of each stream of [`Streams::names`]: equal where the seeds are.
    pub(crate) offsets: Vec<u64>,
}

/// What the study file calls a stream.
pub(crate) fn name(stream: Stream) -> String {
    format!("{stream:?}").to_lowercase()
}

impl Streams {
    /// Reads the table.
    pub(crate) fn read(entries: &[Entry]) -> Result<Self> {
        let known: Vec<String> = Stream::ALL.map(name).to_vec();
        let mut valid: Vec<&str> = vec![PLAN, TOGETHER];
        valid.extend(known.iter().map(String::as_str));
        let (mut plan, mut together) = (String::from("crossed"), 0);
        let (mut names, mut counts) = (Vec::new(), Vec::new());
        for Entry { key, origin, item } in entries {
            let stream = Stream::ALL.into_iter().find(|stream| name(*stream) == *key);
            match (key.as_str(), stream, item) {
                (PLAN, _, Item::Text(text)) => {
                    let plans = ["crossed", "nested", "alone"];
                    if !plans.contains(&text.as_str()) {
                        bail!(
                            "{origin}: streams.plan = {item}: {}",
                            suggestion(text, &plans)
                        );
                    }
                    plan.clone_from(text);
                }
                (PLAN, ..) => bail!("{origin}: streams.plan = {item}: has to be a string"),
                (TOGETHER, _, Item::Integer(count @ 0..=10_000)) => {
                    together = u64::try_from(*count)?;
                }
                (TOGETHER, ..) => {
                    bail!("{origin}: streams.together = {item}: has to be 0 to 10,000")
                }
                (_, None, _) => bail!(
                    "{origin}: [streams] has no setting {key:?}; {}",
                    suggestion(key, &valid)
                ),
                (_, Some(stream), Item::Integer(count @ 1..=10_000)) => {
                    names.push(stream);
                    counts.push(u64::try_from(*count)?);
                }
                _ => bail!("{origin}: streams.{key} = {item}: has to be 1 to 10,000 seeds"),
            }
        }
        let Some(first) = entries.first() else {
            return Ok(Self::default());
        };
        if names.is_empty() {
            bail!(
                "{}: [streams] names no stream; valid: {}",
                first.origin,
                known.join(", ")
            );
        }
        if together > 0 && plan != "alone" {
            bail!(
                "{}: streams.together goes with plan = \"alone\": elsewhere the streams vary together anyway",
                first.origin
            );
        }
        let n_crossed = counts.iter().fold(1_u128, |product, count| {
            product.saturating_mul((*count).into())
        });
        if plan != "alone" && n_crossed > MOST_COMBINATIONS {
            bail!(
                "{}: {n_crossed} combinations of seeds, and at most {MOST_COMBINATIONS} are allowed; take fewer seeds, or plan = \"alone\"",
                first.origin
            );
        }
        let axes: Vec<Vec<u64>> = counts.iter().map(|count| (0..*count).collect()).collect();
        let offsets = match plan.as_str() {
            "crossed" => product(&axes),
            "nested" => nested(&product(&axes), &counts),
            _ => alone(&counts, together),
        };
        Ok(Self { names, offsets })
    }

    /// The bundles around that of the study, `further` on.
    pub(crate) fn bundles(&self, base: &Seeds, further: u64) -> Vec<Bundle> {
        let bundle = |(index, offsets): (usize, &Vec<u64>)| {
            let pairs = || self.names.iter().zip(offsets);
            let seeds = pairs().fold(*base, |seeds, (stream, offset)| {
                let seed = seeds.of(*stream).wrapping_add(further + *offset);
                seeds.with(*stream, seed)
            });
            let parts: Vec<String> = pairs()
                .map(|(stream, offset)| format!("{}{offset}", name(*stream)))
                .collect();
            Bundle {
                index: index as u64 + further,
                label: parts.join("-"),
                seeds,
                offsets: offsets.iter().map(|offset| offset + further).collect(),
            }
        };
        self.offsets.iter().enumerate().map(bundle).collect()
    }
}

/// Under each seed of one stream, seeds of their own for the next.
fn nested(combinations: &[Vec<u64>], counts: &[u64]) -> Vec<Vec<u64>> {
    let own = |combination: &Vec<u64>| {
        let mut number = 0;
        combination
            .iter()
            .zip(counts)
            .map(|(level, count)| {
                number = number * count + level;
                number
            })
            .collect()
    };
    combinations.iter().map(own).collect()
}

/// Each stream by itself around the first seeds of all, then `together` bundles in which all are new.
fn alone(counts: &[u64], together: u64) -> Vec<Vec<u64>> {
    let base = vec![0; counts.len()];
    let mut offsets = vec![base.clone()];
    for (stream, count) in counts.iter().enumerate() {
        offsets.extend((1..*count).map(|level| {
            let mut one = base.clone();
            one[stream] = level;
            one
        }));
    }
    let most = counts.iter().copied().max().unwrap_or(1);
    offsets.extend((0..together).map(|draw| vec![most + draw; counts.len()]));
    offsets
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::study::tree;

    fn streams(text: &str) -> Result<Streams> {
        Streams::read(&tree::parse(text, "s.toml")?)
    }

    #[test]
    fn crossed_nested_and_alone() {
        let offsets = |text: &str| streams(text).unwrap().offsets;
        assert_eq!(
            offsets("init = 2\ntask = 2"),
            [[0, 0], [0, 1], [1, 0], [1, 1]]
        );
        assert_eq!(
            offsets("plan = \"nested\"\ninit = 2\ntask = 2"),
            [[0, 0], [0, 1], [1, 2], [1, 3]]
        );
        assert_eq!(
            offsets("plan = \"alone\"\ntogether = 2\ninit = 2\ntask = 3"),
            [[0, 0], [1, 0], [0, 1], [0, 2], [3, 3], [4, 4]]
        );
    }

    #[test]
    fn a_stream_moves_its_own_seed_alone() {
        let base = Seeds::all(5);
        let bundles = streams("init = 2").unwrap().bundles(&base, 0);
        assert_eq!(bundles[0].seeds, base);
        assert_eq!(bundles[1].seeds, base.with(Stream::Init, 6));
        assert_eq!(bundles[1].label, "init1");
    }

    #[test]
    fn complaints_name_the_line_and_the_nearest() {
        for (text, expected) in [
            (
                "innit = 2",
                "s.toml:1: [streams] has no setting \"innit\"; did you mean \"init\"",
            ),
            ("\ninit = 0", "s.toml:2: streams.init = 0: has to be 1"),
            ("plan = \"cross\"\ninit = 2", "did you mean \"crossed\""),
            ("plan = \"nested\"", "names no stream"),
            ("together = 3\ninit = 2", "goes with plan"),
        ] {
            let message = streams(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{message}");
        }
    }
}
