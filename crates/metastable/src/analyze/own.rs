//! Our names for the columns of a table.

/// Columns that have a meaning of their own.
pub(super) const KNOWN: [&str; 12] = [
    "run", "setting", "learner", "seed", "task", "step", "score", "query", "hit", "queries", "way",
    "failed",
];

/// Of these, the ones that may also be factors or streams.
const SHARED: [&str; 3] = ["learner", "seed", "setting"];

/// Whether a name says what a row is or what a run came to, which is neither a factor nor a stream.
pub(super) fn is_no_setting(own: &str) -> bool {
    KNOWN.contains(&own) && !SHARED.contains(&own)
}
