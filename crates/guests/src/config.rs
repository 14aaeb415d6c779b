//! The settings of a guest, as a study has them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{GuestError, Result};

/// What a guest learns from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Training {
    /// The very episodes that a learner of this program would get, one meta-batch a message.
    #[default]
    Given,
    /// The images of the training classes, to sample from as it likes.
    Own,
    /// Nothing: the model is frozen.
    None,
}

/// A guest as a user writes it, unchecked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProcessConfig {
    /// The program and its arguments. It is started without a shell, in the folder that this program was started in.
    pub command: Vec<String>,
    /// Files that the guest consists of, from the same folder: their digests are part of what identifies a run.
    pub files: Vec<String>,
    /// What it learns from.
    pub training: Training,
    /// Handed to it as they are: numbers, strings, true or false, or lists of them.
    pub settings: Map<String, Value>,
    /// Seconds that one answer may take.
    pub timeout_seconds: u64,
    /// SHA-256 of each of `files`. Set by this program, and no setting of a study.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub digests: BTreeMap<String, String>,
}

impl Default for ProcessConfig {
    fn default() -> Self {
        Self {
            command: Vec::new(),
            files: Vec::new(),
            training: Training::Given,
            settings: Map::new(),
            timeout_seconds: 600,
            digests: BTreeMap::new(),
        }
    }
}

impl ProcessConfig {
    /// Reads the settings of a learner, of which names and types are checked.
    ///
    /// # Errors
    /// Those of the parser.
    pub fn read(settings: &Map<String, Value>) -> Result<Self, serde_json::Error> {
        Self::deserialize(settings)
    }

    /// Checks what can be told without starting anything. A command that is absent passes: a study is checked line by line.
    ///
    /// # Errors
    /// [`GuestError::Setting`].
    pub fn check(&self) -> Result<()> {
        let refuse = |setting, problem: String| Err(GuestError::Setting { setting, problem });
        if !(1..=10_000).contains(&self.timeout_seconds) {
            let problem = format!(
                "{}: has to be 1 to 10,000; 600 is usual",
                self.timeout_seconds
            );
            return refuse("timeout_seconds", problem);
        }
        let is_flat = |value: &Value| match value {
            Value::Array(items) => items
                .iter()
                .all(|item| !item.is_object() && !item.is_array()),
            Value::Object(_) => false,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        };
        match self.settings.iter().find(|(_, value)| !is_flat(value)) {
            Some((key, value)) => refuse(
                "settings",
                format!(
                    "{key} = {value}: has to be a number, a string, true or false, or a list of them"
                ),
            ),
            None => Ok(()),
        }
    }

    /// The command as one line, for people.
    #[must_use]
    pub fn line(&self) -> String {
        self.command.join(" ")
    }
}
