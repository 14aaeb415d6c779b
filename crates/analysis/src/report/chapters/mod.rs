//! The chapters, one file each: what they draw, and what they say about it. To add one: a file with a `SUBJECT`, its `mod`,
//! and a line in the list.

use super::subject::Subject;

mod adaptation;
mod aggregates;
mod churn;
mod comparison;
mod coupling;
mod difficulty;
mod example_influence;
mod factor_lists;
pub(crate) mod factors;
mod failures;
mod fan;
mod fingerprint;
mod hardness;
mod intervals;
mod label_order;
mod marginals;
mod outcome;
mod seeds;
mod sources;
mod step_sizes;
mod support_sets;
pub(crate) mod tail;
mod waterfall;

/// All chapters; within a family they stand in this order.
pub(crate) const SUBJECTS: &[&Subject] = &[
    &factors::SUBJECT,
    &outcome::SUBJECT,
    &tail::SUBJECT,
    &difficulty::SUBJECT,
    &churn::SUBJECT,
    &failures::SUBJECT,
    &adaptation::SUBJECT,
    &support_sets::SUBJECT,
    &label_order::SUBJECT,
    &step_sizes::SUBJECT,
    &coupling::SUBJECT,
    &example_influence::SUBJECT,
    &comparison::SUBJECT,
    &fingerprint::SUBJECT,
];
