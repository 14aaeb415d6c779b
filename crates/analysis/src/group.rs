//! The runs of a study, sorted into what belongs together, checked once.

use std::collections::BTreeMap;

use crate::error::{AnalysisError, check_finite, check_len};
use crate::findings::{Certainty, Finding};
use crate::fingerprint::{FIELD_CLASSES, FIELD_EXAMPLES, FIELD_SHOT, check_same};
use crate::options::{Options, TestPool, Threshold};
use crate::record::answers::certificate;
use crate::record::domains::TaskDomains;
use crate::record::factors::FactorTable;
use crate::record::probe::Probe;
use crate::record::{Run, Study, TaskScores, Test};
use crate::replacement::Replacement;
use crate::scores::ScoreMatrix;
use crate::summary::median;
use crate::validation::{smoothed, validation_curve};

/// All runs of one study, by setting.
#[derive(Clone, Debug)]
pub struct StudyRuns<'a> {
    /// In order of first appearance.
    pub settings: Vec<SettingRuns<'a>>,
    /// Runs with deliberately varied settings, if the study has any.
    pub factors: Option<&'a FactorTable>,
    /// What was checked of each run that has a certificate, by its identifier.
    pub certificates: Vec<(&'a str, &'a certificate::Answers)>,
}

/// All runs of one setting, by learner.
#[derive(Clone, Debug)]
pub struct SettingRuns<'a> {
    /// Name of the setting.
    pub setting: &'a str,
    /// In order of first appearance.
    pub learners: Vec<LearnerRuns<'a>>,
}

/// The runs of one learner in one setting.
#[derive(Clone, Debug)]
pub struct LearnerRuns<'a> {
    /// Name of the learner.
    pub learner: &'a str,
    /// Name of the setting.
    pub setting: &'a str,
    /// All of them, in order of seed.
    pub runs: Vec<&'a Run>,
    /// Those with a test whose losses are finite: what every figure on accuracy rests on.
    pub tested: Vec<(&'a Run, &'a Test)>,
    /// Those with an accuracy on each task: the tested ones, and those that carry scores alone.
    pub scored: Vec<&'a Run>,
    /// What its runs answered when they were asked, with the run, in order of seed.
    pub probes: Vec<(&'a Run, &'a Probe)>,
    /// Trainings that differ from one of its runs in one task of the pool, or in nothing, with that run.
    pub replacements: Vec<(&'a Run, &'a Replacement)>,
    /// Accuracy of each scored run on each task, `(scored, n_tasks)`; none if there is none.
    pub scores: Option<ScoreMatrix>,
    /// Queries behind each accuracy, if known and equal.
    pub queries_per_task: Option<usize>,
    /// Queries behind the accuracy on each task where they differ, `(n_tasks)`.
    pub queries_by_task: Option<Vec<usize>>,
    /// Classes of each task where they differ, `(n_tasks)`.
    pub ways_by_task: Option<Vec<usize>>,
    /// Scores by task of the setting, `(scored, n_tasks)`, where some are missing: `scores` then holds one adjusted mean for each run.
    pub cells: Option<Vec<Vec<Option<f64>>>>,
    /// What the test episodes were drawn from, if known.
    pub pool: Option<TestPool>,
    /// Validation accuracy to reach, if any run of the setting validated.
    pub threshold: Option<f64>,
    /// Accuracy of guessing, `1/N`, if any run of the setting was tested.
    pub chance: Option<f64>,
    /// Which domain each test task is from, where there are several.
    pub domains: Option<&'a TaskDomains>,
}

impl<'a> LearnerRuns<'a> {
    /// The same group with the runs for which `keep` holds.
    #[must_use]
    pub fn filtered(&self, keep: impl Fn(&Run) -> bool) -> Self {
        let runs: Vec<&'a Run> = self.runs.iter().copied().filter(|run| keep(run)).collect();
        let tested: Vec<(&'a Run, &'a Test)> = self
            .tested
            .iter()
            .copied()
            .filter(|(run, _)| keep(run))
            .collect();
        let scored: Vec<&'a Run> = self
            .scored
            .iter()
            .copied()
            .filter(|run| keep(run))
            .collect();
        Self {
            runs,
            tested,
            probes: self
                .probes
                .iter()
                .copied()
                .filter(|(run, _)| keep(run))
                .collect(),
            replacements: self
                .replacements
                .iter()
                .copied()
                .filter(|(run, _)| keep(run))
                .collect(),
            scores: ScoreMatrix::from_rows(&rows(&scored)).ok(),
            cells: cells(&scored),
            scored,
            ..self.clone()
        }
    }

    /// Whether each class has the 15 queries that a claim on the tail needs; where classes are not known, whether each task
    /// has the 75 of a usual 5-way task.
    #[must_use]
    pub fn enough_queries(&self) -> bool {
        match self.episode_shape() {
            Some((_, n_query)) => n_query >= 15,
            None => match (&self.queries_by_task, &self.ways_by_task) {
                (Some(queries), Some(ways)) => queries
                    .iter()
                    .zip(ways)
                    .all(|(queries, way)| *queries >= 15 * way),
                (Some(queries), None) => queries.iter().all(|queries| *queries >= 75),
                (None, _) => self.queries_per_task.is_some_and(|queries| queries >= 75),
            },
        }
    }

    /// Whether the number of queries behind each accuracy is known.
    pub(crate) fn knows_queries(&self) -> bool {
        self.queries_per_task.is_some() || self.queries_by_task.is_some()
    }

    /// One table of the answers of its runs, where there is one, in order of seed.
    pub(crate) fn answers<T>(&self, table: impl Fn(&'a Probe) -> Option<&'a T>) -> Vec<&'a T> {
        self.probes
            .iter()
            .filter_map(|(_, probe)| table(probe))
            .collect()
    }

    /// Shape of the tests: `(n_way, n_query)`.
    #[must_use]
    pub fn episode_shape(&self) -> Option<(usize, usize)> {
        self.tested
            .first()
            .map(|(_, test)| (test.n_way, test.n_query))
    }
}

impl<'a> StudyRuns<'a> {
    /// Sorts and checks the runs of a study.
    ///
    /// # Errors
    /// [`AnalysisError::NotComparable`] if runs of one learner and setting were made differently, or if tests of one
    /// setting differ in shape; [`AnalysisError::Shape`], [`AnalysisError::NotFinite`] or
    /// [`AnalysisError::OutOfRange`] naming the run and the position of a bad value;
    /// [`AnalysisError::TooFew`] for a study without runs and without factors.
    pub fn new(study: &'a Study, options: &Options) -> Result<Self, AnalysisError> {
        if study.runs.is_empty() && study.factors.is_none() {
            return Err(AnalysisError::too_few("runs in the study", 1, 0));
        }
        let mut ids = BTreeMap::new();
        for (position, run) in study.runs.iter().enumerate() {
            if let Some(earlier) = ids.insert(run.id.as_str(), position) {
                return Err(AnalysisError::OutOfRange {
                    what: "run identifier".to_owned(),
                    value: run.id.clone(),
                    position: format!("runs {earlier} and {position}"),
                    expected: "one name for each run".to_owned(),
                });
            }
            check_run(run, options.scale.is_none())?;
        }
        let mut settings: Vec<SettingRuns<'a>> = Vec::new();
        for run in &study.runs {
            let at = position_or_push(
                &mut settings,
                |group| group.setting == run.setting,
                || SettingRuns {
                    setting: &run.setting,
                    learners: Vec::new(),
                },
            );
            let learners = &mut settings[at].learners;
            let at = position_or_push(
                learners,
                |group| group.learner == run.learner,
                || LearnerRuns {
                    learner: &run.learner,
                    setting: &run.setting,
                    runs: Vec::new(),
                    tested: Vec::new(),
                    scored: Vec::new(),
                    probes: Vec::new(),
                    replacements: Vec::new(),
                    scores: None,
                    queries_per_task: None,
                    queries_by_task: None,
                    ways_by_task: None,
                    cells: None,
                    pool: None,
                    threshold: None,
                    chance: None,
                    domains: study.domains.iter().find(|it| it.setting == run.setting),
                },
            );
            learners[at].runs.push(run);
        }
        for setting in &mut settings {
            complete(setting, options)?;
            for learner in &mut setting.learners {
                learner.probes = probes_of(study, &learner.runs)?;
                let own = |run: &&'a Run| {
                    let run = *run;
                    let with = study.replacements.iter().filter(|it| it.run == run.id);
                    with.map(move |it| (run, it))
                };
                learner.replacements = learner.runs.iter().flat_map(own).collect();
            }
        }
        Ok(Self {
            settings,
            factors: study.factors.as_ref(),
            certificates: study
                .probes
                .iter()
                .filter_map(|probe| Some((probe.run.as_str(), probe.certificate.as_ref()?)))
                .collect(),
        })
    }
}

/// The answers of these runs, checked.
fn probes_of<'a>(
    study: &'a Study,
    runs: &[&'a Run],
) -> Result<Vec<(&'a Run, &'a Probe)>, AnalysisError> {
    let mut found = Vec::new();
    for &run in runs {
        if let Some(probe) = study.probes.iter().find(|probe| probe.run == run.id) {
            probe.check()?;
            found.push((run, probe));
        }
    }
    Ok(found)
}

fn position_or_push<T>(
    items: &mut Vec<T>,
    is_it: impl Fn(&T) -> bool,
    make: impl FnOnce() -> T,
) -> usize {
    items.iter().position(is_it).unwrap_or_else(|| {
        items.push(make());
        items.len() - 1
    })
}

/// Fills in what follows from all runs of a setting together.
fn complete<'a>(setting: &mut SettingRuns<'a>, options: &Options) -> Result<(), AnalysisError> {
    let tests: Vec<(&Run, &Test)> = setting
        .learners
        .iter()
        .flat_map(|learner| {
            learner
                .runs
                .iter()
                .filter_map(|run| run.test.as_ref().map(|test| (*run, test)))
        })
        .collect();
    for pair in tests.windows(2) {
        same_shape(pair[0], pair[1])?;
    }
    let scores: Vec<(&Run, &TaskScores)> = setting
        .learners
        .iter()
        .flat_map(|learner| &learner.runs)
        .filter(|run| run.test.is_none())
        .filter_map(|run| Some((*run, run.scores.as_ref()?)))
        .collect();
    for pair in scores.windows(2) {
        same_scores(pair[0], pair[1])?;
    }
    if let (Some((run, test)), Some((other, scores))) = (tests.first(), scores.first())
        && test.n_tasks != scores.accuracies.len()
    {
        let counts = [test.n_tasks, scores.accuracies.len()].map(|n| n.to_string());
        return Err(not_comparable(
            run,
            other,
            "test.n_tasks",
            &counts[0],
            &counts[1],
        ));
    }
    let queries = scores
        .first()
        .and_then(|(_, scores)| scores.queries_per_task);
    let first = scores.first().map(|it| it.1);
    let queries_by_task = first.and_then(|scores| scores.task_queries.clone());
    let ways_by_task = first.and_then(|scores| scores.task_ways.clone());
    let judged = tests
        .first()
        .map(|it| it.0)
        .or(scores.first().map(|it| it.0));
    let chance = judged.and_then(Run::chance);
    let threshold = threshold_of(setting, chance, options);
    for learner in &mut setting.learners {
        learner.runs.sort_by_key(|run| run.seed);
        for pair in learner.runs.windows(2) {
            if pair[0].seed == pair[1].seed {
                return Err(not_comparable(
                    pair[0],
                    pair[1],
                    "seed",
                    "used",
                    "used again",
                ));
            }
            let made = |run: &'a Run| (run.id.as_str(), &run.fingerprint);
            check_same(made(pair[0]), made(pair[1]), &options.may_vary)?;
        }
        learner.tested = learner
            .runs
            .iter()
            .filter_map(|run| run.test.as_ref().map(|test| (*run, test)))
            // A learner that predicts from NaN has a table of accuracies, but it is not one of a trained learner.
            .filter(|(_, test)| test.task_nll.iter().all(|nll| nll.is_finite()))
            .collect();
        learner.scored = learner
            .runs
            .iter()
            .copied()
            .filter(|run| run.task_accuracies().is_some())
            .collect();
        learner.scores = if learner.scored.is_empty() {
            None
        } else {
            Some(ScoreMatrix::from_rows(&rows(&learner.scored))?)
        };
        learner.cells = cells(&learner.scored);
        learner.queries_by_task.clone_from(&queries_by_task);
        learner.ways_by_task.clone_from(&ways_by_task);
        learner.queries_per_task = learner
            .episode_shape()
            .map(|(way, query)| way * query)
            .or(queries);
        learner.chance = chance;
        learner.threshold = threshold;
        learner.pool = options
            .pools
            .get(setting.setting)
            .copied()
            .or_else(|| learner.runs.first().and_then(|run| pool_of(run)));
    }
    Ok(())
}

fn threshold_of(setting: &SettingRuns<'_>, chance: Option<f64>, options: &Options) -> Option<f64> {
    let finals: Vec<f64> = setting
        .learners
        .iter()
        .flat_map(|learner| &learner.runs)
        .filter_map(|run| {
            smoothed(&validation_curve(run), options.smoothing)
                .last()
                .map(|point| point.1)
        })
        .filter(|accuracy| accuracy.is_finite())
        .collect();
    if finals.is_empty() {
        return None;
    }
    match options.threshold {
        Threshold::Accuracy(accuracy) => Some(accuracy),
        Threshold::ShareOfFinal(share) => {
            chance.map(|chance| chance + share * (median(&finals) - chance))
        }
    }
}

fn pool_of(run: &Run) -> Option<TestPool> {
    let number = |field: &str| {
        run.fingerprint
            .get(field)
            .and_then(|text| text.parse().ok())
    };
    Some(TestPool {
        n_classes: number(FIELD_CLASSES)?,
        n_examples: number(FIELD_EXAMPLES)?,
        k_shot: number(FIELD_SHOT)?,
    })
}

fn not_comparable(first: &Run, second: &Run, field: &str, a: &str, b: &str) -> AnalysisError {
    AnalysisError::NotComparable {
        first: first.id.clone(),
        second: second.id.clone(),
        field: field.to_owned(),
        first_value: a.to_owned(),
        second_value: b.to_owned(),
    }
}

fn same_shape(first: (&Run, &Test), second: (&Run, &Test)) -> Result<(), AnalysisError> {
    let shape = |test: &Test| [test.n_tasks, test.n_way, test.n_query];
    let names = ["test.n_tasks", "test.n_way", "test.n_query"];
    for (name, (a, b)) in names
        .into_iter()
        .zip(shape(first.1).into_iter().zip(shape(second.1)))
    {
        if a != b {
            return Err(not_comparable(
                first.0,
                second.0,
                name,
                &a.to_string(),
                &b.to_string(),
            ));
        }
    }
    Ok(())
}

fn same_scores(
    first: (&Run, &TaskScores),
    second: (&Run, &TaskScores),
) -> Result<(), AnalysisError> {
    let shape = |scores: &TaskScores| {
        let known = |n: Option<usize>| n.map_or_else(|| "unknown".to_owned(), |n| n.to_string());
        [
            scores.accuracies.len().to_string(),
            known(scores.queries_per_task),
            known(scores.n_way),
        ]
    };
    let names = ["test.n_tasks", "test.queries", "test.n_way"];
    let (a, b) = (shape(first.1), shape(second.1));
    for (name, a, b) in [
        (
            "test.queries",
            &first.1.task_queries,
            &second.1.task_queries,
        ),
        ("test.n_way", &first.1.task_ways, &second.1.task_ways),
    ] {
        if a != b {
            let told = |it: &Option<Vec<usize>>| match it {
                None => "one number, or unknown".to_owned(),
                Some(by_task) => format!("by task {by_task:?}"),
            };
            return Err(not_comparable(first.0, second.0, name, &told(a), &told(b)));
        }
    }
    match (0..names.len()).find(|&at| a[at] != b[at]) {
        None => Ok(()),
        Some(at) => Err(not_comparable(first.0, second.0, names[at], &a[at], &b[at])),
    }
}

/// Scores by task of runs that lack some; none where no run lacks any.
fn cells(scored: &[&Run]) -> Option<Vec<Vec<Option<f64>>>> {
    let of = |run: &&Run| run.scores.as_ref()?.cells.clone();
    let found: Option<Vec<_>> = scored.iter().map(of).collect();
    found.filter(|cells| !cells.is_empty())
}

fn rows(scored: &[&Run]) -> Vec<Vec<f64>> {
    scored
        .iter()
        .filter_map(|run| run.task_accuracies())
        .collect()
}

/// Checks the tables of one run. Non-finite losses pass: they are how a run fails.
fn check_run(run: &Run, are_shares: bool) -> Result<(), AnalysisError> {
    let of = |what: &str| format!("{what} of run `{}`", run.id);
    for progress in &run.history {
        let Some(accuracy) = progress.validation_accuracy else {
            continue;
        };
        if are_shares && !(0.0..=1.0).contains(&accuracy) && accuracy.is_finite() {
            return Err(AnalysisError::out_of_range(
                &of("validation accuracy"),
                accuracy,
                &format!("step {}", progress.step),
                "a fraction between 0 and 1",
            ));
        }
    }
    if let Some(training) = &run.training {
        training.check(&of("training log"))?;
    }
    if let Some(selection) = &run.selection {
        selection.check(&of("selection"))?;
    }
    if let Some(test) = &run.test {
        test.check(&of("test"))?;
    }
    if let Some(scores) = &run.scores {
        scores.check_on(&of("accuracy"), are_shares)?;
    }
    if let Some(curves) = &run.adaptation {
        let n_points = curves.query_accuracy.len() / curves.n_tasks.max(1);
        for (name, table) in [
            ("query accuracy", &curves.query_accuracy),
            ("support loss", &curves.support_loss),
            ("query loss", &curves.query_loss),
        ] {
            check_len(&of(name), curves.n_tasks * n_points, table.len())?;
        }
        check_finite(
            &of("query accuracy along the inner loop"),
            &curves.query_accuracy,
        )?;
    }
    Ok(())
}

/// Sentences on one learner are made here, so that [`Finding`] knows no group.
impl Finding {
    pub(crate) fn of_learner(
        runs: &LearnerRuns<'_>,
        metric: &str,
        certainty: Certainty,
        text: String,
    ) -> Self {
        Self {
            metric: metric.to_owned(),
            setting: Some(runs.setting.to_owned()),
            learner: Some(runs.learner.to_owned()),
            certainty,
            text,
            without_failed: false,
        }
    }
}
