//! The one list of metrics. To add one: a file, and a line here.

use crate::metric::{LearnerMetric, SettingMetric, StudyMetric};
use crate::{
    aggregate, between_settings, churn, comparison, confusion, crossed, curves, difficulty,
    domains, factors, hardness, optimum, over_settings, probe, promises, replacement, spread,
    steadiness, tail, threshold, training, transfer,
};

/// Metrics of one learner in one setting, in the order of the report.
pub const LEARNER_METRICS: &[&LearnerMetric] = &[
    &spread::METRIC,
    &crossed::METRIC,
    &optimum::METRIC,
    &tail::METRIC,
    &difficulty::METRIC,
    &confusion::METRIC,
    &domains::METRIC,
    &churn::METRIC,
    &threshold::METRIC,
    &training::reliability::METRIC,
    &training::spikes::METRIC,
    &training::signal::METRIC,
    &training::alignment::METRIC,
    &training::first_order::METRIC,
    &training::inside::INNER,
    &training::inside::UNITS,
    &training::selection::METRIC,
    &curves::METRIC,
    &replacement::coefficient::METRIC,
    &probe::support_sets::METRIC,
    &probe::label_order::METRIC,
    &probe::support_order::METRIC,
    &probe::step_sizes::METRIC,
    &probe::coupling::METRIC,
    &probe::shots::METRIC,
    &probe::example_influence::METRIC,
    &probe::left_out::METRIC,
    &probe::trajectory::METRIC,
    &probe::gaps::METRIC,
    &probe::curvature::METRIC,
    &probe::surface::METRIC,
    &probe::representation::METRIC,
    &probe::task_map::METRIC,
    &probe::mismatch::METRIC,
    &probe::corruption::METRIC,
    &probe::label_noise::METRIC,
    &probe::confidence::METRIC,
    &probe::lifelong::METRIC,
    &probe::switches::METRIC,
    &probe::noise_floor::METRIC,
];

/// Metrics across the learners of one setting.
pub const SETTING_METRICS: &[&SettingMetric] = &[
    &comparison::METRIC,
    &steadiness::METRIC,
    &promises::METRIC,
    &transfer::METRIC,
    &hardness::METRIC,
    &probe::kinship::METRIC,
];

/// Metrics across all settings.
pub const STUDY_METRICS: &[&StudyMetric] = &[
    &aggregate::METRIC,
    &between_settings::METRIC,
    &over_settings::METRIC,
    &replacement::slope::METRIC,
    &factors::sources::METRIC,
    &factors::key::METRIC,
    &probe::certificate::METRIC,
];
