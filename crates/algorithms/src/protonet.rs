//! Prototypical Networks.
//!
//! Snell, Swersky & Zemel 2017, "Prototypical networks for few-shot learning", NeurIPS, arXiv 1703.05175.
//!
//! Equation 1: `c_k` is the mean embedding of the supports of class `k`. Equation 2:
//! `p(y = k | x) = softmax_k(s(f(x), c_k) / temperature)` with `s` the negative squared Euclidean distance, or the
//! cosine. The loss is the mean of `-log p` over the queries; there is no inner loop.
//!
//! Differs from the paper: the temperature (1 there) is a setting.

use metastable_models::{Loss, Metric};
use serde_json::Value;

use crate::AlgorithmError;
use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::metric::{MetricConfig, MetricLearner};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "protonet",
    summary: "Prototypical Networks: softmax over distances to class means",
    citation: "Snell, Swersky & Zemel 2017, NeurIPS, arXiv 1703.05175",
    head: Head::None,
    complete,
    build,
};

/// The metric of the paper: a Bregman divergence, for which the mean is the right prototype (section 2.3).
const METRIC: Metric = Metric::Euclidean;

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    parse::<MetricConfig>(settings)?.complete(METRIC)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: MetricConfig = parse_for(ENTRY.name, settings)?;
    let (metric, temperature) = config.validate(METRIC)?;
    Ok(Box::new(MetricLearner {
        loss: Loss::Prototype {
            metric,
            temperature,
        },
    }))
}
