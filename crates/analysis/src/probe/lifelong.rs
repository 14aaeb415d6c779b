//! L1 to L3: accuracy on ever more classes that come one after the other, what later ones cost, and what their order does.

use serde::{Deserialize, Serialize};

use super::pool::{in_points, over_runs_of};
use super::support_sets::some;
use crate::error::AnalysisError;
use crate::estimate::Estimate;
use crate::findings::{Certainty, Finding, percent};
use crate::group::LearnerRuns;
use crate::metric::{LearnerMetric, Measure, Measured};
use crate::options::Options;
use crate::record::answers::lifelong::{Answers, Head, Streamed, Transfer};
use crate::summary::{mean, standard_deviation};

/// Streams of one learner, over its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lifelong {
    /// Runs asked.
    pub n_runs: usize,
    /// Orders of the classes.
    pub n_orders: usize,
    /// Images of a class in a stream.
    pub n_images: usize,
    /// New images of a class.
    pub n_queries: usize,
    /// Each head.
    pub heads: Vec<OfHead>,
}

/// Streams of one head.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OfHead {
    /// Which.
    pub head: Head,
    /// By number of classes, ascending.
    pub curve: Vec<Point>,
    /// Backward transfer along the longest stream, mean over runs and orders ([`Transfer::backward`]).
    pub backward: Estimate,
    /// Forgetting along it ([`Transfer::forgetting`]).
    pub forgetting: Estimate,
    /// Whether no order of any stream changes the accuracy at its end.
    pub is_order_blind: bool,
    /// Blocks of the longest stream.
    pub n_blocks: usize,
    /// Accuracy on block `j` after block `i`, mean over runs and orders, `(n_blocks, n_blocks)`.
    pub matrix: Vec<f64>,
}

/// Streams of one length.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Classes.
    pub n_classes: usize,
    /// Accuracy on new images of all of them at the end.
    pub seen: Estimate,
    /// Accuracy on the images of the stream.
    pub retained: Estimate,
    /// Standard deviation of `seen` over orders of the same classes and images, mean over runs; none with one order.
    pub order_sd: Option<Estimate>,
}

impl Measure for Lifelong {
    const ID: &'static str = "lifelong";
}

pub(crate) const METRIC: LearnerMetric = LearnerMetric {
    id: Lifelong::ID,
    title: "Streams of classes (L1 to L3)",
    measure,
};

/// What has to be equal for runs to be taken together.
fn sizes(run: &Answers) -> (&[usize], [usize; 3], Vec<(Head, usize)>) {
    let heads = run.heads.iter().map(|it| (it.head, it.n_counts));
    (
        &run.classes,
        [run.n_orders, run.n_images, run.n_queries],
        heads.collect(),
    )
}

fn measure(group: &LearnerRuns<'_>, options: &Options) -> Result<Measured, AnalysisError> {
    let mut asked: Vec<&Answers> = group.answers(|probe| probe.lifelong.as_ref());
    let Some(first) = asked.first().copied() else {
        return Ok(Measured::absent());
    };
    asked.retain(|run| sizes(run) == sizes(first));
    let heads = (0..first.heads.len())
        .map(|at| of_head(&asked, at, options))
        .collect::<Result<Vec<_>, _>>()?;
    let result = Lifelong {
        n_runs: asked.len(),
        n_orders: first.n_orders,
        n_images: first.n_images,
        n_queries: first.n_queries,
        heads,
    };
    let findings = result.heads.iter().map(|it| {
        let text = sentence(group.learner, &result, it);
        Finding::of_learner(
            group,
            Lifelong::ID,
            Certainty::of_estimate(result.n_runs),
            text,
        )
    });
    Measured::new(&result, findings.collect())
}

fn of_head(asked: &[&Answers], at: usize, options: &Options) -> Result<OfHead, AnalysisError> {
    let first = asked[0];
    let n_orders = first.n_orders;
    let heads: Vec<&Streamed> = asked.iter().map(|run| &run.heads[at]).collect();
    let own = heads[0];
    let over = |of: &dyn Fn(&Streamed) -> Vec<f64>| {
        let runs: Vec<Vec<f64>> = heads.iter().map(|head| of(head)).collect();
        some(over_runs_of(&runs, options.level, "orders"))
    };
    let mut curve = Vec::new();
    for (count, n_classes) in first.classes[..own.n_counts].iter().enumerate() {
        let cells = count * n_orders..(count + 1) * n_orders;
        curve.push(Point {
            n_classes: *n_classes,
            seen: over(&|head| head.seen[cells.clone()].to_vec())?,
            retained: over(&|head| head.retained[cells.clone()].to_vec())?,
            order_sd: match n_orders {
                0 | 1 => None,
                _ => Some(over(&|head| {
                    vec![standard_deviation(&head.seen[cells.clone()])]
                })?),
            },
        });
    }
    let n_cells = own.n_blocks * own.n_blocks;
    let transfers = |of: fn(&Transfer) -> f64| {
        over(&|head| {
            let orders = head.matrix.chunks_exact(n_cells);
            let each = orders.filter_map(|matrix| Transfer::of(matrix, own.n_blocks));
            each.map(|transfer| of(&transfer)).collect()
        })
    };
    let cell = |at: usize| {
        let values = heads
            .iter()
            .flat_map(|head| head.matrix.iter().skip(at).step_by(n_cells).copied());
        mean(&values.collect::<Vec<f64>>())
    };
    let is_blind = |head: &&Streamed| {
        let mut streams = head.seen.chunks_exact(n_orders);
        streams.all(|orders| {
            orders
                .windows(2)
                .all(|pair| pair[0].to_bits() == pair[1].to_bits())
        })
    };
    Ok(OfHead {
        head: own.head,
        curve,
        backward: transfers(|it| it.backward)?,
        forgetting: transfers(|it| it.forgetting)?,
        is_order_blind: n_orders > 1 && heads.iter().all(is_blind),
        n_blocks: own.n_blocks,
        matrix: (0..n_cells).map(cell).collect(),
    })
}

fn sentence(learner: &str, all: &Lifelong, of: &OfHead) -> String {
    let Some(end) = of.curve.last() else {
        return String::new();
    };
    let order = match &end.order_sd {
        _ if of.is_order_blind => {
            format!(
                "; none of {} orders of the classes changes that",
                all.n_orders
            )
        }
        Some(sd) => format!("; the SD over {} orders is {}", all.n_orders, in_points(sd)),
        None => String::new(),
    };
    format!(
        "After a stream of {} classes with {} images each, {learner} with its {} classifies {} of new images of these classes correctly, and \
         {} of the images of the stream{order}. Backward transfer is {}.",
        end.n_classes,
        all.n_images,
        of.head.name(),
        percent(end.seen.value),
        percent(end.retained.value),
        in_points(&of.backward)
    )
}
