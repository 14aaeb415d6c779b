//! Where the test tasks of a setting come from: the input of A9.

use serde::{Deserialize, Serialize};

/// Which domain each test task of a setting is from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskDomains {
    /// The setting whose runs share these tasks.
    pub setting: String,
    /// Names of the domains.
    pub names: Vec<String>,
    /// Number of the domain of each task, `(n_tasks)`.
    pub of_task: Vec<u32>,
}
