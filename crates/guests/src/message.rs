//! What either side says first, and what a guest reports of its training. Every message has a `type`, every answer the `id` of
//! its question.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the protocol; another one is refused.
pub const PROTOCOL: u64 = 1;

/// Sizes of an episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// Classes.
    pub way: usize,
    /// Supports of each class.
    pub shot: usize,
    /// Queries of each class.
    pub query: usize,
}

/// The images.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Data {
    /// Name of the data set.
    pub name: String,
    /// SHA-256 of the images.
    pub digest: String,
    /// Rows of an image.
    pub height: usize,
    /// Columns.
    pub width: usize,
    /// 1 for grey.
    pub channels: usize,
    /// Classes for training.
    pub train_classes: usize,
}

/// What the training may take. A guest that is given its episodes gets so many messages; one that samples is asked to keep to
/// the budget.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// Outer steps.
    pub outer_steps: usize,
    /// Tasks of a step.
    pub meta_batch: usize,
    /// Step size of the outer loop, for those that have one.
    pub outer_lr: f64,
}

/// The greeting: all that a guest is told of its run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Version of the protocol.
    pub protocol: u64,
    /// Name of the run.
    pub run: String,
    /// `given`, `own` or `none`.
    pub training: crate::Training,
    /// The study's settings for the guest.
    pub settings: Map<String, Value>,
    /// The seed of each stream of chance; `init` is the guest's for its weights.
    pub seeds: BTreeMap<String, u64>,
    /// The images.
    pub data: Data,
    /// Training episodes.
    pub episode: Shape,
    /// Test episodes.
    pub test: Shape,
    /// What the training may take.
    pub budget: Budget,
    /// Threads that it should use.
    pub threads: usize,
}

/// The answer to the greeting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// Version of the protocol.
    pub protocol: u64,
    /// What the guest calls itself.
    pub name: String,
    /// Its own version.
    #[serde(default)]
    pub version: String,
    /// Of `train`, `fit`, `predict`, `features`, `save`: the requests that it answers. Saving includes loading.
    pub offers: Vec<String>,
    /// The only number of classes that it can tell apart, if it has a head.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_way: Option<usize>,
    /// Most tasks of one request that it answers; this program sends at most 64.
    #[serde(default = "one")]
    pub max_batch: usize,
    /// Whether it says that the label of a class matters, as it does to a learner with a head.
    #[serde(default)]
    pub label_bound: bool,
    /// Whether it says that the order of its supports matters, as it does to one that reads them as a sequence.
    #[serde(default)]
    pub order_bound: bool,
    /// SHA-256 of each module that it has imported from the folder it was started in.
    #[serde(default)]
    pub modules: BTreeMap<String, String>,
}

fn one() -> usize {
    1
}

impl Ready {
    /// Whether it answers a request.
    #[must_use]
    pub fn offers(&self, request: &str) -> bool {
        self.offers.iter().any(|offer| offer == request)
    }
}

/// What a guest reports of one of its steps. A number that is `null` was not finite; loss and accuracy cannot be left out, or a
/// misspelt key would be a divergence.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Mean loss of the queries, in nats.
    #[serde(deserialize_with = "Option::deserialize")]
    pub loss: Option<f64>,
    /// Mean accuracy on them, a fraction from 0 to 1.
    #[serde(deserialize_with = "Option::deserialize")]
    pub accuracy: Option<f64>,
    /// Norm of the meta-gradient, if the guest reports it.
    #[serde(default)]
    pub gradient_norm: Option<f64>,
}

/// A report on a training of its own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progressed {
    /// Steps made.
    pub step: usize,
    /// Their loss, accuracy and norm.
    #[serde(flatten)]
    pub trained: Trained,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn null_is_a_number_that_was_not_finite_and_a_missing_one_is_refused() {
        let said: Trained =
            serde_json::from_value(json!({ "loss": null, "accuracy": 0.5 })).unwrap();
        assert_eq!((said.loss, said.accuracy), (None, Some(0.5)));
        let report: Progressed =
            serde_json::from_value(json!({ "step": 3, "loss": 1.5, "accuracy": null })).unwrap();
        assert_eq!(
            (report.trained.loss, report.trained.accuracy),
            (Some(1.5), None)
        );
        let error = |said: Value| {
            serde_json::from_value::<Trained>(said)
                .unwrap_err()
                .to_string()
        };
        let found = error(json!({ "Loss": 1.5, "accuracy": 0.5 }));
        assert!(found.contains("missing field `loss`"), "{found}");
        let found = error(json!({ "loss": 1.5 }));
        assert!(found.contains("missing field `accuracy`"), "{found}");
        let report = serde_json::from_value::<Progressed>(json!({ "step": 3, "loss": 1.5 }));
        let found = report.unwrap_err().to_string();
        assert!(found.contains("missing field `accuracy`"), "{found}");
    }
}
