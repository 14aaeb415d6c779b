//! Learners against each other, paired by seed and by task.

use super::aggregates;
use crate::comparison::{Comparison, Comparisons, Decision, PairedComparison};
use crate::estimate::{Estimate, Interval};
use crate::findings::{Certainty, p_value};
use crate::outcome::StudyAnalysis;
use crate::report::document::{Cell, Chapter, Csv, Figure, Table, list, percent, percent_range};
use crate::report::said::{Basis, Said};
use crate::report::subject::{Family, Material, Subject};
use crate::report::svg::series::swatch;
use crate::report::svg::{Axis, Extent, Rows, Series};
use crate::welch::UnpairedComparison;
use crate::words::Words;

/// A pair in the order that makes the difference positive.
struct Pair {
    setting: String,
    better: String,
    other: String,
    difference: Estimate,
    probability: Estimate,
    n_seeds: usize,
    /// Among all pairs of the setting; unknown without an interval.
    told_apart: Option<bool>,
    decision: Decision,
}

impl Pair {
    fn new(setting: &str, pair: &Comparison, paired: &PairedComparison, level: f64) -> Self {
        let (a, b, n_seeds) = (pair.a.as_str(), pair.b.as_str(), pair.seeds.len());
        let keep = paired.difference.value >= 0.0;
        // The share of wins of the other.
        let rest = |share: &Estimate| Estimate {
            value: 1.0 - share.value,
            interval: share.interval.as_ref().map(|i| Interval {
                lower: 1.0 - i.upper,
                upper: 1.0 - i.lower,
                ..i.clone()
            }),
        };
        let (better, other) = if keep { (a, b) } else { (b, a) };
        Self {
            setting: setting.to_owned(),
            better: better.to_owned(),
            other: other.to_owned(),
            difference: paired.difference.clone().positive(),
            probability: if keep {
                paired.probability.clone()
            } else {
                rest(&paired.probability)
            },
            n_seeds,
            told_apart: pair.p_value.map(|_| pair.better(level).is_some()),
            decision: paired.decision,
        }
    }

    fn name(&self) -> String {
        format!("{} over {}", self.better, self.other)
    }

    fn words(&self, words: Words<'_>) -> String {
        format!("{} by {}", self.name(), words.points_with(&self.difference))
    }
}

/// The subject.
pub(crate) const SUBJECT: Subject = Subject {
    id: "comparison",
    family: Family::Comparison,
    title: "Comparison",
    question: "Is one learner better than another?",
    metrics: &["comparisons", "aggregates"],
    write: chapter,
};

fn chapter(material: &Material<'_>) -> Option<Chapter> {
    let Material { analysis, .. } = *material;
    let words = Words::of(&analysis.options);
    let (pairs, unpaired) = pairs(analysis);
    let loose = loose(analysis);
    let finding = match (pairs.as_slice(), loose.as_slice()) {
        ([], [_, ..]) => loose_finding(&loose, words),
        _ => finding(analysis, &pairs),
    };
    let apart = pairs.iter().any(|pair| pair.told_apart == Some(true))
        || loose.iter().any(|pair| pair.told_apart);
    let certainty = match apart {
        true => Certainty::Distinguishable,
        false => Certainty::NotDistinguishable,
    };
    let basis = Basis::of(&material.groups.iter().collect::<Vec<_>>(), certainty);
    let largest = pairs
        .iter()
        .max_by(|a, b| a.difference.value.total_cmp(&b.difference.value));
    Some(Chapter {
        number: largest.map(|pair| (words.bare_points(pair.difference.value) + words.points_unit(), label(pair, words))),
        finding: Said::carried(finding, basis),
        caveat: "Pairs share seeds and test tasks. The interval is for other seeds and other tasks of the same kind, and for its pair alone; \
                 whether learners are told apart is decided over all pairs of a setting. The difference of the means and the share of wins \
                 are two questions. The second asks how often a training of one learner beats a training of the other, and it needs about 35 \
                 seed bundles.".to_owned(),
        figures: [figure(&pairs, words), aggregates::figure(material)].into_iter().flatten().collect(),
        tables: [table(&pairs, &unpaired, words), loose_table(&loose, words), aggregates::table(analysis)].into_iter().flatten().collect(),
        ..Chapter::default()
    })
}

/// What the number at the head of the chapter is, with its verdict.
fn label(pair: &Pair, words: Words<'_>) -> String {
    let verdict = match pair.told_apart {
        Some(true) => "",
        Some(false) => ", not distinguishable from zero",
        None => ", not decided",
    };
    format!(
        "largest paired difference in mean {}: {}{verdict}",
        words.noun(),
        pair.name()
    )
}

/// Pairs that a sentence names before it counts the rest.
const MOST_NAMED: usize = 4;

fn finding(analysis: &StudyAnalysis, pairs: &[Pair]) -> String {
    if pairs.is_empty() {
        let alone = analysis
            .settings
            .iter()
            .all(|setting| setting.learners.len() < 2);
        return if alone {
            "The study has one learner in each setting: there is nothing to compare.".to_owned()
        } else {
            "No two learners share a seed and a list of test tasks, so none can be compared in pairs.".to_owned()
        };
    }
    let many = pairs.iter().any(|pair| pair.setting != pairs[0].setting);
    let place = |pair: &Pair| {
        if many {
            format!(" ({})", pair.setting)
        } else {
            String::new()
        }
    };
    let mut apart: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.told_apart == Some(true))
        .collect();
    apart.sort_by(|a, b| b.difference.value.total_cmp(&a.difference.value));
    let alike: Vec<&Pair> = pairs
        .iter()
        .filter(|pair| pair.told_apart == Some(false))
        .collect();
    let words = Words::of(&analysis.options);
    let what = words.noun();
    let n_decided = apart.len() + alike.len();
    let noun = |n: usize| if n == 1 { "pair" } else { "pairs" };
    let open = |is_single: bool| {
        let is = |pair: &&Pair| pair.told_apart.is_none() && (pair.n_seeds == 1) == is_single;
        pairs.iter().filter(is).count()
    };
    let mut text = match (n_decided, apart.len()) {
        (0, _) if open(false) == 0 => {
            return "Each pair shares a single seed, so there is no interval and no decision."
                .to_owned();
        }
        (0, _) => "No pair can be decided.".to_owned(),
        (n, 0) => format!(
            "Of {n} {}, none is shown to differ in mean {what} (5 % for all pairs of a setting, Holm).",
            noun(n)
        ),
        (n, k) => format!(
            "Of {n} {}, {k} {} in mean {what} (5 % for all pairs of a setting, Holm): {}.",
            noun(n),
            if k == 1 { "differs" } else { "differ" },
            named(&apart, |pair| format!(
                "{}{}",
                pair.words(words),
                place(pair)
            ))
        ),
    };
    if !alike.is_empty() {
        let names = named(&alike, |pair| {
            format!("{} from {}{}", pair.better, pair.other, place(pair))
        });
        text += &format!(" Not distinguishable: {names}.");
    }
    for (n, why) in [
        (open(true), "a single shared seed: no interval, no decision"),
        (
            open(false),
            "the same difference on every seed: no scatter, no decision",
        ),
    ] {
        if n > 0 {
            text += &format!(" {n} {} with {why}.", noun(n));
        }
    }
    text
}

/// The first few pairs in words, and how many more there are.
fn named<P>(pairs: &[&P], words: impl Fn(&P) -> String) -> String {
    let mut names: Vec<String> = pairs
        .iter()
        .take(MOST_NAMED)
        .map(|pair| words(pair))
        .collect();
    if pairs.len() > MOST_NAMED {
        names.push(format!("{} more", pairs.len() - MOST_NAMED));
    }
    list(&names)
}

fn pairs(analysis: &StudyAnalysis) -> (Vec<Pair>, Vec<(String, String)>) {
    let (mut pairs, mut unpaired) = (Vec::new(), Vec::new());
    for setting in &analysis.settings {
        for pair in setting
            .all
            .get::<Comparisons>()
            .into_iter()
            .flat_map(|c| c.pairs)
        {
            match &pair.paired {
                Some(paired) => {
                    let level = analysis.options.level;
                    pairs.push(Pair::new(&setting.setting, &pair, paired, level));
                }
                None => {
                    let why = pair.refused.as_ref().map_or_else(
                        || "no seed in common".to_owned(),
                        |found| format!("not comparable: they differ in {}", found.field),
                    );
                    if pair.unpaired.is_none() {
                        unpaired.push((format!("{} and {}", pair.a, pair.b), why));
                    }
                }
            }
        }
    }
    (pairs, unpaired)
}

/// Two learners by the means of all their runs, where seeds are not all shared.
struct Loose {
    name: String,
    n_shared: usize,
    found: UnpairedComparison,
    told_apart: bool,
    /// After Holm over the pairs of the setting.
    p_value: f64,
}

impl Loose {
    /// `5.00 [1.00, 9.00]`, in percentage points.
    fn difference(&self, words: Words<'_>) -> String {
        words.bare_points_with(&self.found.difference)
    }
}

fn loose(analysis: &StudyAnalysis) -> Vec<Loose> {
    let many = analysis.settings.len() > 1;
    let mut loose = Vec::new();
    for setting in &analysis.settings {
        let all = setting.all.get::<Comparisons>();
        for pair in all.into_iter().flat_map(|found| found.pairs) {
            let mut name = format!("{} minus {}", pair.a, pair.b);
            if many {
                name += &format!(", {}", setting.setting);
            }
            let told_apart = pair.paired.is_none() && pair.better(analysis.options.level).is_some();
            loose.extend(pair.unpaired.map(|found| Loose {
                name,
                n_shared: pair.seeds.len(),
                told_apart,
                p_value: pair.p_value.unwrap_or(1.0),
                found,
            }));
        }
    }
    loose
}

/// What Welch's intervals carry, where no seed is shared.
fn loose_finding(loose: &[Loose], words: Words<'_>) -> String {
    let (apart, alike): (Vec<&Loose>, Vec<&Loose>) = loose.iter().partition(|pair| pair.told_apart);
    let n = loose.len();
    let mut text = format!(
        "No two learners share a seed. Of {n} {} of learners, {} in the means of all their runs (Welch, 5 % for all pairs, Holm)",
        if n == 1 { "pair" } else { "pairs" },
        match apart.len() {
            0 => String::from("none differs"),
            1 => String::from("1 differs"),
            k => format!("{k} differ"),
        }
    );
    if !apart.is_empty() {
        let unit = words.points_unit();
        let names = named(&apart, |pair| {
            format!("{} {}{unit}", pair.name, pair.difference(words))
        });
        text += &format!(": {names}");
    }
    text.push('.');
    if !alike.is_empty() {
        let words = named(&alike, |pair| pair.name.clone());
        text += &format!(" Not distinguishable from zero: {words}.");
    }
    text
}

fn loose_table(loose: &[Loose], words: Words<'_>) -> Option<Table> {
    let row = |pair: &Loose| {
        vec![
            pair.name.clone(),
            pair.difference(words),
            format!("{} and {}", pair.found.n_runs[0], pair.found.n_runs[1]),
            pair.n_shared.to_string(),
            p_value(pair.p_value),
        ]
    };
    (!loose.is_empty()).then(|| Table {
        caption: "Differences of run means (Welch) of learners that do not share all seeds, for other trainings on these tasks."
            .to_owned(),
        head: ["learners", "difference, pp [CI]", "runs", "shared seeds", "no difference"]
            .map(|head| words.text(head))
            .to_vec(),
        rows: loose.iter().map(row).collect(),
    })
}

fn figure(pairs: &[Pair], words: Words<'_>) -> Option<Figure> {
    let factor = words.difference_factor();
    let mut panels = Vec::new();
    let mut data = Csv::new(
        "setting,better,other,seeds,difference,lower,upper,probability_better_wins,lower,upper",
    );
    let mut settings: Vec<&str> = pairs.iter().map(|p| p.setting.as_str()).collect();
    settings.dedup();
    for setting in &settings {
        let members: Vec<&Pair> = pairs.iter().filter(|p| p.setting == **setting).collect();
        let names: Vec<String> = members.iter().map(|p| p.name()).collect();
        let limits = |e: &Estimate| {
            e.interval
                .as_ref()
                .map_or((f64::NAN, f64::NAN), |i| (i.lower, i.upper))
        };
        let ends = members.iter().flat_map(|p| {
            let (lo, hi) = limits(&p.difference);
            [factor * lo, factor * p.difference.value, factor * hi]
        });
        let extent = Extent::of(ends)?.with(0.0);
        let extent = if words.are_shares() {
            extent.padded(0.05, 0.5, -100.0, 100.0)
        } else {
            extent.padded(0.05, 0.0, f64::NEG_INFINITY, f64::INFINITY)
        };
        let suffix = if settings.len() > 1 {
            format!(", {setting}")
        } else {
            String::new()
        };
        let mut rows = Rows::new(
            &format!("Difference{suffix}"),
            &Axis::new(&words.text("difference in mean accuracy, pp"), extent),
            &names,
            24.0,
        );
        rows.upright(0.0, "reference");
        for (row, pair) in members.iter().enumerate() {
            let (lo, hi) = limits(&pair.difference);
            let class = if pair.told_apart == Some(true) {
                "dot"
            } else {
                "ring"
            };
            rows.interval(
                row,
                0.0,
                Series(0),
                class,
                factor * lo,
                factor * pair.difference.value,
                factor * hi,
            );
            let (p_lo, p_hi) = limits(&pair.probability);
            data.row(&[
                Cell::Text(setting),
                Cell::Text(&pair.better),
                Cell::Text(&pair.other),
                Cell::Count(pair.n_seeds),
                Cell::Number(pair.difference.value),
                Cell::Number(lo),
                Cell::Number(hi),
                Cell::Number(pair.probability.value),
                Cell::Number(p_lo),
                Cell::Number(p_hi),
            ]);
        }
        let told: Vec<String> = members.iter().map(|p| p.words(words)).collect();
        panels.push(rows.finish(
            &format!("pairs-{}", panels.len()),
            &format!("Paired differences in mean {}, {setting}", words.noun()),
            &format!("{}.", told.join("; ")),
        ));
        let axis = Axis::new(
            "share of seeds on which the first wins, %",
            Extent::of([0.0, 100.0])?,
        );
        let mut rows = Rows::new(&format!("P(first > second){suffix}"), &axis, &names, 24.0);
        rows.upright(50.0, "reference");
        rows.upright(75.0, "connector");
        for (row, pair) in members.iter().enumerate() {
            let (lo, hi) = limits(&pair.probability);
            let class = if lo > 0.5 { "dot" } else { "ring" };
            rows.interval(
                row,
                0.0,
                Series(0),
                class,
                100.0 * lo,
                100.0 * pair.probability.value,
                100.0 * hi,
            );
        }
        let told: Vec<String> = members
            .iter()
            .map(|p| {
                format!(
                    "{} on {:.0} % of {} seeds",
                    p.name(),
                    100.0 * p.probability.value,
                    p.n_seeds
                )
            })
            .collect();
        panels.push(rows.finish(
            &format!("pairs-{}", panels.len()),
            &format!("How often one learner beats another, {setting}"),
            &format!("{}.", told.join("; ")),
        ));
    }
    let marker = |class: &str| {
        swatch(&format!(
            "<path class=\"c0 whisker\" d=\"M1 6H29M1 2V10M29 2V10\"/><path class=\"c0 {class}\" d=\"{}\"/>",
            Series(0).marker(15.0, 6.0, 3.6)
        ))
    };
    (!panels.is_empty()).then(|| Figure {
        id: "pairs".to_owned(),
        panels,
        legend: vec![
            (marker("dot"), "told apart, over all pairs".to_owned()),
            (marker("ring"), "not told apart".to_owned()),
            (swatch("<path class=\"reference\" d=\"M15 0V12\"/>"), "no difference".to_owned()),
            (swatch("<path class=\"connector\" d=\"M15 0V12\"/>"), "75 %: a meaningful share of wins".to_owned()),
        ],
        caption: "Each pair stands in the order that makes the difference positive. First panel: mean difference over shared seeds and \
                  tasks with its random-effects interval. Second: share of seeds on which the first learner wins (ties half), with its \
                  exact interval (Clopper and Pearson)."
            .to_owned(),
        data,
    })
}

fn table(pairs: &[Pair], unpaired: &[(String, String)], words: Words<'_>) -> Option<Table> {
    let many = pairs.iter().any(|pair| pair.setting != pairs[0].setting);
    let mut rows: Vec<Vec<String>> = pairs
        .iter()
        .map(|pair| {
            let share = |e: &Estimate| {
                e.interval.as_ref().map_or(String::new(), |i| {
                    format!(" {}", percent_range(i.lower, i.upper))
                })
            };
            let verdict = match pair.decision {
                Decision::NotSignificant => "wins are not distinguishable from a coin",
                Decision::ASignificantNotMeaningful | Decision::BSignificantNotMeaningful => {
                    "one wins more often, by a margin that matters little"
                }
                Decision::ASignificantAndMeaningful | Decision::BSignificantAndMeaningful => {
                    "one wins more often, by a margin that matters"
                }
            };
            vec![
                if many {
                    format!("{}, {}", pair.name(), pair.setting)
                } else {
                    pair.name()
                },
                words.bare_points_with(&pair.difference),
                format!(
                    "{}{}",
                    percent(pair.probability.value),
                    share(&pair.probability)
                ),
                pair.n_seeds.to_string(),
                verdict.to_owned(),
            ]
        })
        .collect();
    for (names, why) in unpaired {
        let mut row = vec![names.clone()];
        row.resize(4, "none".to_owned());
        row.push(why.clone());
        rows.push(row);
    }
    (!rows.is_empty()).then(|| Table {
        caption:
            "Paired comparison; the verdict follows Bouthillier et al. 2021 on the share of wins."
                .to_owned(),
        head: vec![
            "pair".to_owned(),
            words.text("difference, pp [CI]"),
            "wins, % [CI]".to_owned(),
            "shared seeds".to_owned(),
            "verdict on wins".to_owned(),
        ],
        rows,
    })
}
