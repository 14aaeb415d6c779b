//! Matching Networks, without full-context embeddings.
//!
//! Vinyals, Blundell, Lillicrap, Kavukcuoglu & Wierstra 2016, "Matching networks for one shot learning", NeurIPS,
//! arXiv 1606.04080.
//!
//! Equation 1: `p(y | x) = sum_i a(x, x_i) 1[y_i = y]` over the supports, with the attention of section 2.1.1:
//! `a(x, x_i) = softmax_i(c(f(x), f(x_i)) / temperature)`, `c` the cosine, or the negative squared Euclidean distance.
//! The loss is the mean of `-log p` over the queries; there is no inner loop.
//!
//! Differs from the paper: the temperature, absent there, is 0.1 by default for the cosine. Without one the attention
//! stays nearly flat, since cosines lie in `[-1, 1]`; `temperature = 1` is the paper. One embedding serves supports and
//! queries (`f = g`).

use metastable_models::{Loss, Metric};
use serde_json::Value;

use crate::AlgorithmError;
use crate::entry::{AnyLearner, Head, LearnerEntry, parse, parse_for};
use crate::metric::{MetricConfig, MetricLearner};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "matching",
    summary: "Matching Networks: attention over supports",
    citation: "Vinyals, Blundell, Lillicrap, Kavukcuoglu & Wierstra 2016, NeurIPS, arXiv 1606.04080",
    head: Head::None,
    complete,
    build,
};

/// The metric of the paper.
const METRIC: Metric = Metric::Cosine;

fn complete(settings: &Value) -> Result<Value, serde_json::Error> {
    parse::<MetricConfig>(settings)?.complete(METRIC)
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>, AlgorithmError> {
    let config: MetricConfig = parse_for(ENTRY.name, settings)?;
    let (metric, temperature) = config.validate(METRIC)?;
    Ok(Box::new(MetricLearner {
        loss: Loss::Matching {
            metric,
            temperature,
        },
    }))
}
