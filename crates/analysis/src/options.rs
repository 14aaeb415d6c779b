//! What the reader of a study may choose. Every value is written into the report.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::scale::ScoreScale;

/// Settings of an analysis; [`Options::default`] is what the report uses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Key of every draw (bootstrap, null models). Same study, options and seed: same bits, at any thread count.
    pub seed: u64,
    /// Coverage of all intervals.
    pub level: f64,
    /// Bootstrap resamples of tables; of the tail of more than 1,000 tasks fewer, `5e7 / T` and at least 2,000.
    pub n_resamples: usize,
    /// Bootstrap resamples of profiles (curves).
    pub n_profile_resamples: usize,
    /// Simulated tables of the binomial null model.
    pub n_null_draws: usize,
    /// Tail shares of the CVaR, each in `(0, 1]`; shares below 0.1 are left out under 5,000 tasks.
    pub tail_shares: Vec<f64>,
    /// Whether the bootstrap over settings also resamples the settings.
    pub resample_settings: bool,
    /// Target of the optimality gap, in chance-normalized score.
    pub gap_target: f64,
    /// A run fails at or under chance plus this accuracy; outliers have to be this far under the median too.
    pub failure_margin: f64,
    /// Probability with which the lowest of normal runs counts as lying outside, and so as failed, whatever their number.
    pub outlier_level: f64,
    /// The accuracy to reach, for steps to threshold.
    pub threshold: Threshold,
    /// Validation checks in the trailing mean that smooths a validation curve.
    pub smoothing: usize,
    /// Consecutive checks for which the threshold has to be held.
    pub held: usize,
    /// Learner whose first tested run (lowest seed) defines the hardness of tasks; none: no hardness slopes.
    pub reference: Option<String>,
    /// What the test episodes of a setting were drawn from, for the open interval; keyed by setting.
    /// Where a setting is absent the fields `test.n_classes`, `test.n_examples`, `test.k_shot` of the fingerprint serve.
    pub pools: BTreeMap<String, TestPool>,
    /// Fields of the fingerprint that may differ between the runs of one learner; `seed` also covers `seed.task` etc.
    pub may_vary: Vec<String>,
    /// Fields in which learners that are compared may differ: what makes them different learners. The seeds of a pair agree.
    pub studied: Vec<String>,
    /// Class pairs kept in the confusion list.
    pub n_confused_pairs: usize,
    /// Forests on resampled points, for the intervals of factor importances.
    pub n_refits: usize,
    /// Thresholds of the card, by column: `seed_sd`, `tail` (CVaR10 less what query sampling alone gives), `failed`; fractions.
    pub lights: BTreeMap<String, Light>,
    /// Learners that promise to be steadier than another, which is their base: pairs `[learner, base]`. Each promise is judged in a chapter
    /// of its own, with Holm over the promises of a setting.
    pub bases: Vec<[String; 2]>,
    /// Two spreads count as practically equal if their ratio is known to lie between one over this and this.
    pub equivalence: f64,
    /// How far under its best the mean response may lie within the basin of a setting: a share of right answers, or, for a score
    /// of another [`scale`](Self::scale), a share of the range of the points' means.
    pub basin_margin: f64,
    /// What a score is, if it is no share of right answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scale: Option<ScoreScale>,
}

/// The accuracy that counts as learnt.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Threshold {
    /// A validation accuracy, 0 to 1.
    Accuracy(f64),
    /// `chance + share * (final - chance)`, with `final` the median over all runs of the setting of the last smoothed
    /// validation accuracy: one threshold for every learner of a setting, so that their steps compare.
    ShareOfFinal(f64),
}

/// Two thresholds of a figure. Low values are good if `good` is under `bad`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Light {
    /// Steady from here on, if the interval excludes `bad`.
    pub good: f64,
    /// Unstable from here on, if the interval excludes `good`.
    pub bad: f64,
}

/// What test episodes are drawn from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestPool {
    /// Classes, C.
    pub n_classes: usize,
    /// Examples of each class, n.
    pub n_examples: usize,
    /// Support examples of each class, K.
    pub k_shot: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 0,
            level: 0.95,
            n_resamples: 50_000,
            n_profile_resamples: 2_000,
            n_null_draws: 2_000,
            tail_shares: vec![0.1, 0.01],
            resample_settings: false,
            gap_target: 1.0,
            failure_margin: 0.05,
            outlier_level: 0.01,
            threshold: Threshold::ShareOfFinal(0.95),
            smoothing: 3,
            held: 3,
            reference: None,
            pools: BTreeMap::new(),
            may_vary: vec!["seed".to_owned()],
            studied: ["learner", "training", "episode", "network", "n_parameters"]
                .map(str::to_owned)
                .to_vec(),
            n_confused_pairs: 50,
            lights: [
                ("seed_sd", 0.005, 0.015),
                ("tail", -0.02, -0.1),
                ("support_sd", 0.02, 0.1),
                ("failed", 0.05, 0.2),
            ]
            .map(|(column, good, bad)| (column.to_owned(), Light { good, bad }))
            .into(),
            n_refits: 100,
            bases: Vec::new(),
            equivalence: 2.0,
            basin_margin: 0.01,
            scale: None,
        }
    }
}

impl Options {
    /// Checks every bound once, before anything is computed.
    ///
    /// # Errors
    /// [`AnalysisError::OutOfRange`] naming the setting.
    pub fn validate(&self) -> Result<(), AnalysisError> {
        let open = |value: f64| 0.0 < value && value < 1.0;
        let check = |fits: bool, what: &str, value: f64, expected: &str| {
            if fits {
                Ok(())
            } else {
                Err(AnalysisError::out_of_range(
                    what, value, "options", expected,
                ))
            }
        };
        check(
            open(self.level),
            "level",
            self.level,
            "a share between 0 and 1",
        )?;
        for (what, count) in [
            ("n_resamples", self.n_resamples),
            ("n_profile_resamples", self.n_profile_resamples),
            ("n_null_draws", self.n_null_draws),
        ] {
            check(count >= 100, what, count as f64, "at least 100")?;
        }
        for share in &self.tail_shares {
            check(
                *share > 0.0 && *share <= 1.0,
                "tail_shares",
                *share,
                "a share in (0, 1]",
            )?;
        }
        check(
            self.gap_target.is_finite(),
            "gap_target",
            self.gap_target,
            "a finite score",
        )?;
        check(
            (0.0..1.0).contains(&self.failure_margin),
            "failure_margin",
            self.failure_margin,
            "an accuracy in [0, 1)",
        )?;
        check(
            open(self.outlier_level),
            "outlier_level",
            self.outlier_level,
            "a probability between 0 and 1",
        )?;
        let (Threshold::Accuracy(value) | Threshold::ShareOfFinal(value)) = self.threshold;
        check(open(value), "threshold", value, "a share between 0 and 1")?;
        check(
            self.smoothing >= 1,
            "smoothing",
            self.smoothing as f64,
            "at least 1 check",
        )?;
        check(
            self.n_refits >= 10,
            "n_refits",
            self.n_refits as f64,
            "at least 10",
        )?;
        check(
            self.equivalence.is_finite() && self.equivalence > 1.0,
            "equivalence",
            self.equivalence,
            "a ratio above 1",
        )?;
        check(
            self.basin_margin.is_finite() && self.basin_margin > 0.0,
            "basin_margin",
            self.basin_margin,
            "a positive number",
        )?;
        check(self.held >= 1, "held", self.held as f64, "at least 1 check")
    }
}
