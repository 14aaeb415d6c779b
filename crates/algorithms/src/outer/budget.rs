//! How much of a training may be spent on looking inside, and at which validations.
//!
//! Costs are counted in passes of one image, a forward pass as the unit and a gradient as three: counts, unlike seconds, are
//! the same on every machine, so equal runs inspect at equal steps.

use metastable_data::EpisodeShape;

use super::TrainPlan;
use crate::evaluate::CURVE_FACTOR;

/// Largest share of the passes of a training that its inspections take.
const SHARE: f64 = 0.01;

/// Tasks of an inspection where the budget is short: a course over the training says more than one look at many tasks.
const FEW_TASKS: usize = 5;

/// Inspections of a training: at which validations, of how many tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct InspectionBudget {
    n_tasks: usize,
    n_inspections: usize,
    n_validations: usize,
    every: usize,
}

impl InspectionBudget {
    /// Every validation with as many tasks as the budget allows, up to those that the plan asks for. Where that were fewer than
    /// [`FEW_TASKS`], so many at fewer validations, evenly spread, the last one among them; and where not even that is allowed
    /// once, the last one with fewer, down to none.
    pub(super) fn new(
        plan: &TrainPlan,
        inner_steps: Option<usize>,
        trained: EpisodeShape,
        inspected: EpisodeShape,
    ) -> Self {
        let config = plan.config();
        let n_validations = match config.validate_every {
            0 => 0,
            every => config.outer_steps.div_ceil(every),
        };
        let wanted = config.inspected_tasks.min(config.validation_tasks);
        let training = (config.outer_steps * config.meta_batch) as f64
            * passes_of_gradient(inner_steps, trained);
        let affordable = SHARE * training / passes_of_inspection(inner_steps, inspected);
        let everywhere = affordable as usize / n_validations.max(1);
        let n_tasks = wanted
            .min(everywhere.max(FEW_TASKS))
            .min(affordable as usize);
        let n_inspections = match n_tasks {
            0 => 0,
            n_tasks => n_validations.min((affordable / n_tasks as f64) as usize),
        };
        Self {
            n_tasks,
            n_inspections,
            n_validations,
            every: config.validate_every,
        }
    }

    /// Tasks to inspect at the validation after `step`; none where it is not one of those that inspect.
    pub(super) fn n_tasks_after(&self, step: usize) -> Option<usize> {
        if self.n_inspections == 0 {
            return None;
        }
        // Validation v of V is among n evenly spread ones if floor(v n / V) grows at v; it does at the last.
        let validation = step.div_ceil(self.every);
        let rank = |validation: usize| validation * self.n_inspections / self.n_validations;
        (rank(validation - 1) < rank(validation)).then_some(self.n_tasks)
    }
}

/// Lower bound on the passes of a task's meta-gradient: the first-order one, which every learner needs.
fn passes_of_gradient(inner_steps: Option<usize>, shape: EpisodeShape) -> f64 {
    let (supports, queries) = (shape.n_support() as f64, shape.n_queries() as f64);
    match inner_steps {
        None => 3.0 * (supports + queries),
        Some(steps) => 3.0 * (steps as f64 * supports + queries),
    }
}

/// So many passes does the inspection of a task take: the curve's losses and gradients, the adaptation (taken for as long as
/// in training), and the passes that show the units.
fn passes_of_inspection(inner_steps: Option<usize>, shape: EpisodeShape) -> f64 {
    let (supports, queries) = (shape.n_support() as f64, shape.n_queries() as f64);
    match inner_steps {
        None => supports + queries,
        Some(steps) => {
            let (steps, last) = (steps as f64, (CURVE_FACTOR * steps) as f64);
            let curve = (last + 1.0) * (queries + supports) + 2.0 * last * supports;
            let adaptation = 3.0 * steps * supports;
            curve + adaptation + queries + 2.0 * supports
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outer::TrainConfig;

    const SHAPE: EpisodeShape = EpisodeShape {
        n_way: 5,
        k_shot: 1,
        n_query: 5,
    };

    fn inspected(config: &TrainConfig, inner_steps: Option<usize>) -> Vec<(usize, usize)> {
        let plan = config.validate().unwrap();
        let budget = InspectionBudget::new(&plan, inner_steps, SHAPE, SHAPE);
        (1..=config.outer_steps)
            .filter(|step| plan.validates_after(*step))
            .filter_map(|step| Some((step, budget.n_tasks_after(step)?)))
            .collect()
    }

    #[test]
    fn long_trainings_inspect_at_every_validation_and_short_ones_at_the_last() {
        let config = |outer_steps, validate_every| TrainConfig {
            outer_steps,
            validate_every,
            meta_batch: 8,
            ..TrainConfig::default()
        };
        let long: Vec<usize> = inspected(&config(9000, 900), Some(1))
            .iter()
            .map(|it| it.0)
            .collect();
        assert_eq!(long, (1..=10).map(|v| 900 * v).collect::<Vec<_>>());
        let fewer_tasks = inspected(&config(2000, 201), Some(1));
        assert_eq!(fewer_tasks.len(), 10);
        assert!(fewer_tasks.iter().all(|it| it.1 == 6), "{fewer_tasks:?}");
        let fewer_looks = inspected(&config(1000, 100), Some(1));
        assert_eq!(fewer_looks.last(), Some(&(1000, 5)));
        assert_eq!(fewer_looks.len(), 6, "{fewer_looks:?}");
        assert_eq!(inspected(&config(300, 30), Some(1)), [(300, 5)]);
        assert_eq!(inspected(&config(3, 1), Some(5)), []);
    }

    #[test]
    fn what_is_inspected_stays_within_the_share() {
        for (outer_steps, times, meta_batch, inner_steps) in [
            (500, 20, 4, Some(2)),
            (300, 10, 1, Some(5)),
            (750, 10, 1, None),
            (40, 7, 2, None),
        ] {
            let config = TrainConfig {
                outer_steps,
                validate_every: usize::div_ceil(outer_steps, times),
                meta_batch,
                ..TrainConfig::default()
            };
            let n_tasks: usize = inspected(&config, inner_steps).iter().map(|it| it.1).sum();
            let spent = n_tasks as f64 * passes_of_inspection(inner_steps, SHAPE);
            let trained =
                (outer_steps * meta_batch) as f64 * passes_of_gradient(inner_steps, SHAPE);
            assert!(spent <= SHARE * trained, "{spent} of {trained}");
        }
    }
}
