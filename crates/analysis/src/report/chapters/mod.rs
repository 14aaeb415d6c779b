//! The chapters, one file each: what they draw, and what they say about it. To add one: a file with a `SUBJECT`, its `mod`,
//! and a line in the list.

use super::subject::Subject;

mod adaptation;
mod aggregates;
mod churn;
mod comparison;
mod difficulty;
mod factor_lists;
pub(crate) mod factors;
mod failures;
mod fan;
mod fingerprint;
mod hardness;
mod marginals;
mod outcome;
mod seeds;
mod sources;
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
    &comparison::SUBJECT,
    &fingerprint::SUBJECT,
];
