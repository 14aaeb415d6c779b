//! From a study to its figures: everything in the registry, with and without failed runs.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::failure::{self, Failures};
use crate::findings::Finding;
use crate::group::{LearnerRuns, SettingRuns, StudyRuns};
use crate::metric::{LearnerMetric, Measured, Measures, SettingMetric, StudyMetric};
use crate::options::Options;
use crate::record::{Run, Study};
use crate::registry::{LEARNER_METRICS, SETTING_METRICS, STUDY_METRICS};

/// Format of [`StudyAnalysis`]; grows by one when a field changes its meaning or leaves.
pub const SCHEMA: &str = "metastable.analysis/2";

/// Every figure of a study: what is written to `report.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StudyAnalysis {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the study.
    pub study: String,
    /// The command that makes it again.
    pub command: String,
    /// What was chosen.
    pub options: Options,
    /// Metrics across settings, over all tested runs.
    pub all: Measures,
    /// The same without failed runs; absent if none failed.
    pub without_failed: Option<Measures>,
    /// In order of first appearance.
    pub settings: Vec<SettingAnalysis>,
    /// All sentences, in the order of the report: learner by learner, then comparisons, then across settings.
    pub findings: Vec<Finding>,
}

/// One setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SettingAnalysis {
    /// Name of the setting.
    pub setting: String,
    /// Accuracy of guessing, `1/N`, if any run was tested.
    pub chance: Option<f64>,
    /// Metrics across learners, over all tested runs.
    pub all: Measures,
    /// The same without failed runs; absent if none failed.
    pub without_failed: Option<Measures>,
    /// In order of first appearance.
    pub learners: Vec<LearnerAnalysis>,
}

/// One learner in one setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerAnalysis {
    /// Name of the learner.
    pub learner: String,
    /// Seeds of all runs, ascending.
    pub seeds: Vec<u64>,
    /// Seeds of the tested runs, in the order in which figures list runs.
    pub tested_seeds: Vec<u64>,
    /// Failed runs (A7).
    pub failures: Failures,
    /// Metrics over all tested runs.
    pub all: Measures,
    /// The same without failed runs; absent if none failed, empty if all did.
    pub without_failed: Option<Measures>,
}

/// Computes every figure of a study.
///
/// # Errors
/// Those of [`Options::validate`], of [`StudyRuns::new`] (runs that are not comparable, bad values), and of the metrics.
pub fn analyze(study: &Study, options: &Options) -> Result<StudyAnalysis, AnalysisError> {
    analyze_with(study, options, &[])
}

/// The same with metrics of another crate beside those of [`LEARNER_METRICS`].
///
/// # Errors
/// Those of [`analyze`], and of these metrics.
pub fn analyze_with(
    study: &Study,
    options: &Options,
    guests: &[&'static LearnerMetric],
) -> Result<StudyAnalysis, AnalysisError> {
    options.validate()?;
    let of_learner: Vec<&LearnerMetric> = LEARNER_METRICS.iter().chain(guests).copied().collect();
    let groups = StudyRuns::new(study, options)?;
    let mut findings = Vec::new();
    let mut settings = Vec::new();
    let mut sound = StudyRuns {
        settings: Vec::new(),
        // The lists of factors treat failures as a response of their own.
        factors: None,
        // Certificates are of runs, failed or not.
        certificates: Vec::new(),
    };
    let mut n_failed = 0;
    for group in &groups.settings {
        let (analysis, sound_group, failed) =
            analyze_setting(group, &of_learner, options, &mut findings)?;
        settings.push(analysis);
        sound.settings.push(sound_group);
        n_failed += failed;
    }
    let mut of_study = |group: &StudyRuns<'_>, without_failed| {
        let measure = |m: &&StudyMetric| (m.id, (m.measure)(group, options));
        collect(STUDY_METRICS, measure, &mut findings, without_failed)
    };
    let all = of_study(&groups, false)?;
    let without_failed = if n_failed > 0 {
        Some(of_study(&sound, true)?)
    } else {
        None
    };
    Ok(StudyAnalysis {
        schema: SCHEMA.to_owned(),
        study: study.name.clone(),
        command: study.command.clone(),
        options: options.clone(),
        all,
        without_failed,
        settings,
        findings,
    })
}

fn analyze_setting<'a>(
    group: &SettingRuns<'a>,
    of_learner: &[&LearnerMetric],
    options: &Options,
    findings: &mut Vec<Finding>,
) -> Result<(SettingAnalysis, SettingRuns<'a>, usize), AnalysisError> {
    let mut learners = Vec::new();
    let mut sound_learners = Vec::new();
    let mut n_failed = 0;
    for learner in &group.learners {
        let failures = failure::failures(learner, options);
        findings.push(failure::finding(learner, &failures));
        let is_sound = |run: &Run| failures.failed.iter().all(|failed| failed.id != run.id);
        let sound = learner.filtered(is_sound);
        let mut measured = |group: &LearnerRuns<'_>, without_failed| {
            let measure = |m: &&LearnerMetric| (m.id, (m.measure)(group, options));
            collect(of_learner, measure, findings, without_failed)
        };
        let all = measured(learner, false)?;
        let without_failed = if failures.failed.is_empty() {
            None
        } else {
            Some(measured(&sound, true)?)
        };
        n_failed += failures.failed.len();
        learners.push(LearnerAnalysis {
            learner: learner.learner.to_owned(),
            seeds: learner.runs.iter().map(|run| run.seed).collect(),
            tested_seeds: learner.scored.iter().map(|run| run.seed).collect(),
            failures,
            all,
            without_failed,
        });
        sound_learners.push(sound);
    }
    let sound = SettingRuns {
        setting: group.setting,
        learners: sound_learners,
    };
    let of_setting =
        |group: &SettingRuns<'_>, findings: &mut Vec<Finding>, without_failed: bool| {
            let measure = |m: &&SettingMetric| (m.id, (m.measure)(group, options));
            collect(SETTING_METRICS, measure, findings, without_failed)
        };
    let analysis = SettingAnalysis {
        setting: group.setting.to_owned(),
        chance: group.learners.iter().find_map(|learner| learner.chance),
        all: of_setting(group, findings, false)?,
        without_failed: if n_failed > 0 {
            Some(of_setting(&sound, findings, true)?)
        } else {
            None
        },
        learners,
    };
    Ok((analysis, sound, n_failed))
}

/// Takes metrics side by side, and puts results into one table and their sentences into the list, in the order of the metrics.
fn collect<M: Sync>(
    metrics: &[M],
    measure: impl Fn(&M) -> (&'static str, Result<Measured, AnalysisError>) + Send + Sync,
    findings: &mut Vec<Finding>,
    without_failed: bool,
) -> Result<Measures, AnalysisError> {
    let mut measures = Measures::default();
    let measured: Vec<_> = metrics.par_iter().map(measure).collect();
    for (id, result) in measured {
        let Measured {
            value,
            findings: sentences,
        } = result?;
        if let Some(value) = value {
            measures.insert(id, value);
        }
        findings.extend(sentences.into_iter().map(|sentence| Finding {
            without_failed,
            ..sentence
        }));
    }
    Ok(measures)
}
