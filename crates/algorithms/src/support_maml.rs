//! MAML whose outer loss is taken on the supports: a defect of teaching codes, kept to be measured (`docs/textbook.md`).
//!
//! The meta-gradient of [`crate::maml`] is that of `L_Q(phi_K)`, the loss of queries that the inner loop has not seen (Finn, Abbeel &
//! Levine 2017, ICML, arXiv 1703.03400, algorithm 2, line 10). Here it is that of `L_S(phi_K)`: the outer loop is rewarded for fitting
//! the few images that the inner loop fits anyway, and nothing rewards what carries over to others. Validation and test are as ever, of
//! queries. Losses and accuracies of the training's log are those of the supports.

use metastable_models::{Params, Real, Tape};
use serde_json::Value;

use crate::adaptation::{Adaptation, Adapts};
use crate::entry::{AnyLearner, Head, LearnerEntry, complete_steps, parse_for};
use crate::maml::{GradientOrder, Maml, MamlConfig};
use crate::{Context, Differentiable, InnerLoop, Learner, MetaGradient, Result, Train};

/// The registry's line.
pub const ENTRY: LearnerEntry = LearnerEntry {
    name: "support-maml",
    summary: "MAML with the outer loss on the supports, a defect to be measured",
    citation: "docs/textbook.md; MAML is of Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400",
    head: Head::Linear,
    complete: complete_steps::<MamlConfig>,
    build,
};

/// With checked settings. The network has a head with `n_way` outputs.
struct SupportMaml(Maml);

impl Adapts for SupportMaml {
    fn adaptation(&self) -> &Adaptation {
        self.0.adaptation()
    }
}

impl<T: Real> Train<T> for SupportMaml {
    /// `d L_S(phi_K) / d theta`.
    fn meta_gradient(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
    ) -> Result<MetaGradient<T>> {
        let task = context.task.on_supports()?;
        self.0.meta_gradient(&context.of(&task), theta)
    }

    fn query_loss<'a>(
        &self,
        context: &Context<'a, T>,
        phi: &Params<T>,
        labels: &[usize],
    ) -> Result<Box<dyn Tape<T> + 'a>> {
        self.0.query_loss(context, phi, labels)
    }
}

impl<T: Real> Learner<T> for SupportMaml {
    fn inner_loop(&self) -> Option<&dyn InnerLoop<T>> {
        Some(self.0.adaptation())
    }

    fn differentiable(&self) -> Option<&dyn Differentiable<T>> {
        Some(self)
    }
}

impl<T: Real> Differentiable<T> for SupportMaml {
    fn displaced_loss(
        &self,
        context: &Context<'_, T>,
        theta: &Params<T>,
        step: T,
        direction: &Params<T>,
    ) -> Result<T> {
        let task = context.task.on_supports()?;
        self.0
            .displaced_loss(&context.of(&task), theta, step, direction)
    }
}

fn build(settings: &Value) -> Result<Box<dyn AnyLearner>> {
    let config: MamlConfig = parse_for(ENTRY.name, settings)?;
    Ok(Box::new(SupportMaml(
        config.validate(GradientOrder::Second)?,
    )))
}
