//! Sinusoids: `y = A sin(x - phi)` with amplitude `A` in `[0.1, 5.0]`, phase `phi` in `[0, pi]`, inputs `x` in `[-5, 5]`, all uniform.
//!
//! Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.1, which gives the ranges; the sign of the phase is that of the
//! authors' code (`data_generator.py` of cbfinn/maml). Where that code tests, it draws amplitudes from `[5, 10]`, beyond those of
//! training, with the published range commented out; here training and test have the published one.

use std::f64::consts::PI;

use super::FunctionFamily;

pub(super) const FAMILY: FunctionFamily = FunctionFamily {
    name: "sinusoid",
    summary: "regression: sinusoids of any amplitude and phase from a few points (Finn et al. 2017); nothing to download",
    citation: "Finn, Abbeel & Levine 2017, ICML, arXiv 1703.03400, section 5.1",
    parameters: &[("amplitude", [0.1, 5.0]), ("phase", [0.0, PI])],
    inputs: [-5.0, 5.0],
    value: |parameters, input| parameters[0] * (input - parameters[1]).sin(),
};

#[cfg(test)]
mod tests {
    use super::FAMILY;
    use crate::functions::Functions;
    use crate::{MetaSplit, Seeds};

    /// The mean square of the targets: a midpoint rule over the published ranges against 20,000 drawn points.
    #[test]
    fn the_second_moment_is_that_of_the_published_ranges() {
        let n = 400;
        let middle =
            |[low, high]: [f64; 2], at: usize| low + (at as f64 + 0.5) / n as f64 * (high - low);
        let (amplitudes, phases) = (FAMILY.parameters[0].1, FAMILY.parameters[1].1);
        let square = |value: f64| value * value;
        let mean_square_amplitude =
            (0..n).map(|at| square(middle(amplitudes, at))).sum::<f64>() / n as f64;
        let mut sines = 0.0;
        for phase in 0..n {
            for input in 0..n {
                let x = middle(FAMILY.inputs, input) - middle(phases, phase);
                sines += square(x.sin());
            }
        }
        let exact = mean_square_amplitude * sines / square(n as f64);
        let functions = Functions {
            family: &FAMILY,
            part: MetaSplit::Test,
            n_support: 5,
            n_query: 5,
            seeds: Seeds::all(0),
            pool: None,
        };
        let targets: Vec<f64> = (0..2000)
            .flat_map(|at| functions.task(at).targets)
            .collect();
        let drawn = targets.iter().map(|it| it * it).sum::<f64>() / targets.len() as f64;
        // The mean square of a task varies by about its mean (4.3) over tasks: four standard errors of 2,000 tasks.
        assert!(
            (drawn - exact).abs() < 4.0 * exact / 2000.0_f64.sqrt(),
            "{drawn} {exact}"
        );
    }
}
