//! Every combination of network, norm, loss, image, number of filters and size of batch: the fused kernels beside the
//! candle graph to rounding, and beside central differences; and a mistake that the comparison has to see.

use std::sync::Arc;

use metastable_models::check::{self, Subject};
use metastable_models::{
    Backend, DeviceSpec, Layout, Loss, ModelError, Network, NetworkConfig, Objective, Params, Pass,
    Tape, Units, build,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Largest relative difference of two ways to compute the same sums in double precision. The median over all cases is
/// 4e-15, the largest difference 9e-13 at a temperature of 1.
const ROUNDING: f64 = 1e-12;

/// The same for a loss: what a logit is off by, its exponential is off by relatively, and a temperature divides the logits.
fn rounding(loss: Loss) -> f64 {
    match loss {
        Loss::Prototype { temperature, .. } | Loss::Matching { temperature, .. } => {
            ROUNDING / temperature.min(1.0)
        }
        Loss::CrossEntropy | Loss::SquaredError | Loss::Gaussian | Loss::Categorical => ROUNDING,
    }
}

fn network(subject: &Subject, backend: Backend) -> Box<dyn Network<f64>> {
    build(&subject.config, backend, DeviceSpec::Cpu).unwrap()
}

fn subjects(rng: &mut ChaCha8Rng) -> Vec<Subject> {
    let subjects = check::combinations(rng).unwrap();
    assert!(
        subjects.len() > 1000,
        "the product has shrunk: {}",
        subjects.len()
    );
    subjects
}

#[test]
fn fused_and_graph_agree_in_every_combination() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    for subject in &subjects(&mut rng) {
        let [fused, graph] = [Backend::Fused, Backend::Graph].map(|b| network(subject, b));
        let gap = check::disagreement(&*fused, &*graph, subject.case(), &mut rng).unwrap();
        let most = rounding(subject.loss);
        assert!(gap < most, "{}: {gap:e}", subject.title());
    }
}

/// A pass that nothing is asked of keeps less on its way: also where a scale is negative, so that the least value of a window wins.
#[test]
fn outputs_have_the_bits_of_a_recorded_pass_in_every_combination() {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    for subject in &subjects(&mut rng) {
        let network = network(subject, Backend::Fused);
        let case = subject.case();
        let mut params = case.params.clone();
        for value in params.values_mut().iter_mut().step_by(3) {
            *value = -*value;
        }
        let bare = network.outputs(&params, case.images, case.pass).unwrap();
        let tape = network.record(&params, case.images, case.pass, case.objective);
        assert_eq!(bare, tape.unwrap().outputs(), "{}", subject.title());
    }
}

#[test]
fn fused_derivatives_agree_with_differences_in_every_combination() {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    for subject in &subjects(&mut rng) {
        let network = network(subject, Backend::Fused);
        let errors = check::derivatives(&*network, subject.case(), &mut rng).unwrap();
        assert!(errors.acceptable(), "{}: {errors:?}", subject.title());
    }
}

#[test]
fn one_value_wrong_by_1e_10_of_itself_is_seen() {
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    // A stride that shares no factor with the lengths of the lists that the product walks.
    for subject in subjects(&mut rng).iter().step_by(17) {
        let (fused, graph) = (
            network(subject, Backend::Fused),
            network(subject, Backend::Graph),
        );
        for place in [Place::Outputs, Place::Gradient, Place::HessianProduct] {
            let wrong = Wrong {
                network: &*fused,
                place,
            };
            let gap = check::disagreement(&wrong, &*graph, subject.case(), &mut rng).unwrap();
            assert!(
                gap > rounding(subject.loss),
                "{} {place:?}: {gap:e}",
                subject.title()
            );
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Outputs,
    Gradient,
    HessianProduct,
}

/// A network with a small mistake: the largest value of one of its results is off by 1e-10 of itself.
#[derive(Clone, Copy)]
struct Wrong<'a> {
    network: &'a dyn Network<f64>,
    place: Place,
}

impl Network<f64> for Wrong<'_> {
    fn config(&self) -> &NetworkConfig {
        self.network.config()
    }

    fn layout(&self) -> &Arc<Layout> {
        self.network.layout()
    }

    fn buffers(&self) -> &Arc<Layout> {
        self.network.buffers()
    }

    fn n_outputs(&self) -> usize {
        self.network.n_outputs()
    }

    fn outputs(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
    ) -> Result<Vec<f64>, ModelError> {
        self.network.outputs(params, images, pass)
    }

    fn record(
        &self,
        params: &Params<f64>,
        images: &[f64],
        pass: Pass<'_, f64>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<f64> + '_>, ModelError> {
        let tape = self.network.record(params, images, pass, objective)?;
        let mut outputs = tape.outputs().to_vec();
        if self.place == Place::Outputs {
            spoil(&mut outputs);
        }
        Ok(Box::new(WrongTape {
            tape,
            outputs,
            place: self.place,
        }))
    }
}

struct WrongTape<'a> {
    tape: Box<dyn Tape<f64> + 'a>,
    outputs: Vec<f64>,
    place: Place,
}

impl Tape<f64> for WrongTape<'_> {
    fn loss(&self) -> f64 {
        self.tape.loss()
    }

    fn log_probabilities(&self) -> &[f64] {
        self.tape.log_probabilities()
    }

    fn outputs(&self) -> &[f64] {
        &self.outputs
    }

    fn statistics(&self) -> Params<f64> {
        self.tape.statistics()
    }

    fn units(&self) -> Result<Vec<Units<f64>>, ModelError> {
        self.tape.units()
    }

    fn gradient(&mut self) -> Result<Params<f64>, ModelError> {
        let mut gradient = self.tape.gradient()?;
        if self.place == Place::Gradient {
            spoil(gradient.values_mut());
        }
        Ok(gradient)
    }

    fn hessian_product(&mut self, v: &Params<f64>) -> Result<Params<f64>, ModelError> {
        let mut product = self.tape.hessian_product(v)?;
        if self.place == Place::HessianProduct {
            spoil(product.values_mut());
        }
        Ok(product)
    }
}

fn spoil(values: &mut [f64]) {
    let largest = values
        .iter_mut()
        .max_by(|a, b| a.abs().total_cmp(&b.abs()))
        .unwrap();
    *largest *= 1.0 + 1e-10;
}
