//! The chapters, one file each: what they draw, and what they say about it. To add one: a file with a `SUBJECT`, its `mod`,
//! and a line in the list.

use super::subject::Subject;

mod adaptation;
mod aggregates;
mod alphabets;
mod bands;
mod certificate;
mod churn;
mod comparison;
mod confidence;
mod corruption;
mod coupling;
mod curvature;
mod difficulty;
mod domains;
mod example_influence;
mod factor_lists;
pub(crate) mod factors;
mod failures;
mod fan;
mod fingerprint;
mod first_order;
mod gaps;
mod gradients;
mod hardness;
mod inside;
pub(super) mod intervals;
mod kinship;
mod label_noise;
mod label_order;
mod lifelong;
mod marginals;
mod mismatch;
mod noise_floor;
mod optimum;
mod outcome;
mod promises;
pub(super) mod published;
mod replacement;
mod representation;
mod seeds;
mod selection;
mod shots;
mod sources;
mod step_sizes;
mod strip;
mod support_order;
mod support_sets;
mod surface;
mod switches;
pub(crate) mod tail;
mod task_map;
mod training_course;
mod trajectory;
mod waterfall;

/// All chapters; within a family they stand in this order.
pub(crate) const SUBJECTS: &[&Subject] = &[
    &factors::SUBJECT,
    &outcome::SUBJECT,
    &noise_floor::SUBJECT,
    &optimum::SUBJECT,
    &tail::SUBJECT,
    &difficulty::SUBJECT,
    &domains::SUBJECT,
    &churn::SUBJECT,
    &failures::SUBJECT,
    &adaptation::SUBJECT,
    &support_sets::SUBJECT,
    &label_order::SUBJECT,
    &support_order::SUBJECT,
    &step_sizes::SUBJECT,
    &coupling::SUBJECT,
    &shots::SUBJECT,
    &replacement::SUBJECT,
    &trajectory::SUBJECT,
    &gaps::SUBJECT,
    &example_influence::SUBJECT,
    &selection::SUBJECT,
    &training_course::SUBJECT,
    &gradients::SUBJECT,
    &first_order::SUBJECT,
    &inside::INNER,
    &inside::UNITS,
    &curvature::SUBJECT,
    &surface::SUBJECT,
    &representation::SUBJECT,
    &kinship::SUBJECT,
    &task_map::SUBJECT,
    &mismatch::SUBJECT,
    &corruption::SUBJECT,
    &label_noise::SUBJECT,
    &confidence::SUBJECT,
    &lifelong::SUBJECT,
    &switches::SUBJECT,
    &comparison::SUBJECT,
    &promises::SUBJECT,
    &certificate::SUBJECT,
    &fingerprint::SUBJECT,
];
