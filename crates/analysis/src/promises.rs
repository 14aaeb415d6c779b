//! Learners that promise to be steadier than their base ([`Options::bases`]): is the promise kept?
//!
//! The ratio of standard deviations over seeds is that of [`crate::steadiness`], learner over base; p-values are adjusted by Holm's procedure over the
//! promises of the setting, which are fewer than all of its pairs.

use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::group::SettingRuns;
use crate::metric::{Measure, Measured, SettingMetric};
use crate::options::Options;
use crate::steadiness::{SpreadRatio, judged, sentence};
use crate::words::Words;

/// The promises of one setting.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Promises {
    /// `a` is the learner that promises, `b` its base; a ratio below 1 is what was promised.
    pub pairs: Vec<SpreadRatio>,
}

impl Measure for Promises {
    const ID: &'static str = "promises";
}

pub(crate) const METRIC: SettingMetric = SettingMetric {
    id: Promises::ID,
    title: "Is a learner steadier than its base?",
    measure,
};

fn measure(group: &SettingRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let declared = options.bases.iter();
    let declared: Vec<(&str, &str)> = declared
        .map(|[learner, base]| (learner.as_str(), base.as_str()))
        .collect();
    let pairs = judged(group, &declared, options);
    if pairs.is_empty() {
        return Ok(Measured::absent());
    }
    let words = Words::of(options);
    let findings = pairs
        .iter()
        .map(|pair| sentence(group.setting, Promises::ID, pair, words))
        .collect();
    Measured::new(&Promises { pairs }, findings)
}
