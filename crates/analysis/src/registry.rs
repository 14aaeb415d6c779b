//! The one list of metrics. To add one: a file, and a line here.

use crate::metric::{LearnerMetric, SettingMetric, StudyMetric};
use crate::{spread, threshold};

/// Metrics of one learner in one setting, in the order of the report.
pub const LEARNER_METRICS: &[&LearnerMetric] = &[&spread::METRIC, &threshold::METRIC];

/// Metrics across the learners of one setting.
pub const SETTING_METRICS: &[&SettingMetric] = &[];

/// Metrics across all settings.
pub const STUDY_METRICS: &[&StudyMetric] = &[];
