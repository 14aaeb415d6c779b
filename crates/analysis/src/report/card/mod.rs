//! The card: one row per learner and setting, and one more where failed runs weigh on the first. It has parts, so that it fits a
//! page: each has these rows, and columns of its own.

mod column;
mod dynamics;
mod outcome;
mod probed;

pub(crate) use column::{Column, Row};
pub(crate) use outcome::below_null;

use std::collections::BTreeMap;

use crate::options::Light;
use crate::outcome::{LearnerAnalysis, SettingAnalysis, StudyAnalysis};
use crate::report::document::Table;
use crate::report::group::Group;
use crate::report::light::judge;
use crate::report::svg::text::number;
use crate::spread::Spread;
use crate::words::Words;

/// A part of the card.
struct Part {
    /// What its columns are about, and how to read them.
    caption: &'static str,
    columns: &'static [Column],
}

/// All parts, in order; one without a value is left out. The first is the card of a terminal.
const PARTS: &[Part] = &[
    Part {
        caption: "A row counts every tested run unless it says otherwise. CI: confidence interval of the mean over trainings, at the level \
                  of the analysis. Next: interval in which one more training is expected. Seed SD: standard deviation between trainings, \
                  beyond the noise of the test if there are at least 20 tasks with a known number of queries. Null: what query sampling \
                  alone would give.",
        columns: outcome::COLUMNS,
    },
    Part {
        caption: "The trainings. Threshold: the validation accuracy in the column of that name. Quartiles: steps after which a quarter, half \
                  and three quarters of the runs have reached it. Signal to noise: ratio of the meta-gradient; 1 is noise alone.",
        columns: dynamics::COLUMNS,
    },
    Part {
        caption: "One trained learner, tested again with other support sets, orders of the classes, batches and step sizes.",
        columns: probed::ADAPTATION,
    },
    Part {
        caption: "One task of the training pool exchanged, one task of one training step exchanged (doublings of the distance), and the \
                  accuracy lost on tasks other than those of training.",
        columns: probed::GENERALIZATION,
    },
    Part {
        caption: "Curvature of the query loss after adaptation, similarity of the features of different seeds, and the effect of damage, \
                  other data and wrong labels.",
        columns: probed::GEOMETRY_AND_SHIFT,
    },
    Part {
        caption: "New images of all classes of the longest stream, told at its end by a linear head on the learner's features; what later classes cost                   the blocks before them; the same classes in other orders.",
        columns: probed::STREAMS,
    },
];

/// The first part without lights: their thresholds would have to be printed below, and a terminal is narrow.
pub(crate) fn table(groups: &[Group<'_>], analysis: &StudyAnalysis) -> Table {
    part(&PARTS[0], groups, analysis, &BTreeMap::new())
}

/// All parts that have a value.
pub(crate) fn tables(groups: &[Group<'_>], analysis: &StudyAnalysis) -> Vec<Table> {
    let lights = &analysis.options.lights;
    PARTS
        .iter()
        .map(|it| part(it, groups, analysis, lights))
        .filter(|table| table.head.len() > 1)
        .collect()
}

fn part(
    part: &Part,
    groups: &[Group<'_>],
    analysis: &StudyAnalysis,
    lights: &BTreeMap<String, Light>,
) -> Table {
    let columns = part.columns;
    let words = Words::of(&analysis.options);
    let mut rows: Vec<(String, Vec<Option<String>>)> = Vec::new();
    let mut add = |name: String, row: &Row<'_>| {
        let cell = |column: &Column| Some((column.cell)(row)? + &verdict(column, row, lights));
        rows.push((name, columns.iter().map(cell).collect()));
    };
    for group in groups {
        let Some(of_learner) = group.analysis else {
            continue;
        };
        let all = whole(group, of_learner, analysis);
        add(group.name.clone(), &all);
        let sound = of_learner.without_failed.as_ref();
        let n_sound = sound.and_then(|sound| Some(sound.get::<Spread>()?.n_runs));
        // Untested runs never entered; only a tested failure makes the second row differ.
        if let (Some(sound), Some(n)) = (sound, n_sound)
            && of_learner.tested_seeds.len() > n
        {
            let sound = Row {
                of_setting: setting(group, analysis).and_then(|it| it.without_failed.as_ref()),
                measures: sound,
                failures: None,
                ..all
            };
            add(format!("{}, failed runs left out", group.name), &sound);
        }
    }
    let is_known = |column: &usize| rows.iter().any(|(_, cells)| cells[*column].is_some());
    let known: Vec<usize> = (0..columns.len()).filter(is_known).collect();
    let cells = |(name, row): &(String, Vec<Option<String>>)| {
        let cell = |column: &usize| row[*column].clone().unwrap_or_else(|| "none".to_owned());
        std::iter::once(name.clone())
            .chain(known.iter().map(cell))
            .collect()
    };
    Table {
        caption: format!("{} {}", words.text(part.caption), rule(columns, lights))
            .trim_end()
            .to_owned(),
        head: std::iter::once("learner")
            .map(str::to_owned)
            .chain(known.iter().map(|column| match columns[*column].head {
                // Shares of pairs and of units are shares on every scale.
                head @ ("pairs in conflict, % [CI]" | "dead units, %") => head.to_owned(),
                head => words.text(head),
            }))
            .collect(),
        rows: rows.iter().map(cells).collect(),
    }
}

/// A learner's row of all of its runs.
fn whole<'a>(
    group: &Group<'a>,
    of_learner: &'a LearnerAnalysis,
    analysis: &'a StudyAnalysis,
) -> Row<'a> {
    Row {
        learner: group.learner,
        of_setting: setting(group, analysis).map(|it| &it.all),
        measures: &of_learner.all,
        failures: Some(&of_learner.failures),
        words: Words::of(&analysis.options),
    }
}

fn setting<'a>(group: &Group<'_>, analysis: &'a StudyAnalysis) -> Option<&'a SettingAnalysis> {
    let mut settings = analysis.settings.iter();
    settings.find(|it| it.setting == group.setting)
}

/// The largest value over learners that each light judges, in units of its bad threshold: 1 and more is unstable if the interval agrees.
pub(crate) fn over_thresholds(
    groups: &[Group<'_>],
    analysis: &StudyAnalysis,
) -> BTreeMap<&'static str, f64> {
    let mut largest = BTreeMap::new();
    let columns = PARTS.iter().flat_map(|part| part.columns);
    for (name, value) in columns.filter_map(|column| column.light.as_ref()) {
        let Some(light) = analysis.options.lights.get(*name) else {
            continue;
        };
        let of = |group: &Group<'_>| {
            let row = whole(group, group.analysis?, analysis);
            Some(value(&row)?.value / light.bad)
        };
        let most = groups.iter().filter_map(of).reduce(f64::max);
        largest.extend(most.map(|most| (*name, most)));
    }
    largest
}

/// The light of a cell as ` · steady`, if its column has one.
fn verdict(column: &Column, row: &Row<'_>, lights: &BTreeMap<String, Light>) -> String {
    let judged = column.light.as_ref().and_then(|(name, of)| {
        let verdict = judge(&of(row)?, *lights.get(*name)?);
        Some(format!(" · {}", verdict.word()))
    });
    judged.unwrap_or_default()
}

/// What the words of the lights mean.
fn rule(columns: &[Column], lights: &BTreeMap<String, Light>) -> String {
    let each: Vec<String> = columns
        .iter()
        .filter_map(|column| {
            let (name, _) = column.light.as_ref()?;
            let light = lights.get(*name)?;
            let column = column.head.split(',').next()?;
            let less = if *name == "tail" {
                " less its null"
            } else {
                ""
            };
            Some(format!(
                "{column}{less} {} and {}",
                number(100.0 * light.good, 1),
                number(100.0 * light.bad, 1)
            ))
        })
        .collect();
    if each.is_empty() {
        return String::new();
    }
    format!(
        "Steady: the value is on the good side of the first threshold, and its interval excludes the second. Unstable: the value is beyond \
         the second threshold, and its interval excludes the first. Open: neither. Thresholds, in percentage points: {}.",
        each.join("; ")
    )
}
