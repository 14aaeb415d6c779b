//! One body, heads of any size: what [`crate::build`] hands out.
//!
//! A linear head lies behind all other parameters, so that networks which differ in the size of their heads share everything before
//! it, value by value. A learner whose head follows the task asks for the network with as many outputs as the task has classes.
//!
//! What lies beside the network's parameters ([`crate::registry::Beside`]) is in the layout and in no pass: the passes are those of the
//! network without it, which take the leading values of whatever is longer.

use std::sync::{Arc, OnceLock};

use crate::build::with_own_head;
use crate::registry::{Beside, HeadForm};
use crate::{
    Architecture, Backend, DeviceSpec, Layout, ModelError, Network, NetworkConfig, Objective,
    Params, Pass, Real, Tape,
};

/// Most outputs of a head that is asked for: 256, as a predicted label is a byte, and one more for the derivative of prototypes.
const MOST_OUTPUTS: usize = 257;

/// A network, and those with other heads, made when they are first asked for.
pub(crate) struct WithHeads<T> {
    /// Without what lies beside.
    own: Box<dyn Network<T>>,
    /// With it.
    config: NetworkConfig,
    layout: Arc<Layout>,
    backend: Backend,
    device: DeviceSpec,
    plain: Others<T>,
    unit: Others<T>,
}

/// The networks with heads of one form.
struct Others<T> {
    /// By number of outputs.
    by_size: Vec<Place<T>>,
    /// With the outputs of a linear map that lies beside, if it has more than those.
    largest: Place<T>,
}

/// Where a network is kept once it is made.
type Place<T> = OnceLock<Box<dyn Network<T>>>;

impl<T> Others<T> {
    fn new() -> Self {
        Self {
            by_size: (0..=MOST_OUTPUTS).map(|_| OnceLock::new()).collect(),
            largest: OnceLock::new(),
        }
    }
}

impl<T: Real> WithHeads<T> {
    /// Around a network of this backend and device.
    pub(crate) fn new(
        own: Box<dyn Network<T>>,
        whole: &Architecture,
        backend: Backend,
        device: DeviceSpec,
    ) -> Self {
        Self {
            own,
            config: whole.config().clone(),
            layout: Arc::clone(whole.layout()),
            backend,
            device,
            plain: Others::new(),
            unit: Others::new(),
        }
    }

    /// The parameters that a pass reads; `cut` is where they are put if there are more.
    fn read<'p>(&self, params: &'p Params<T>, cut: &'p mut Option<Params<T>>) -> &'p Params<T> {
        let n_values = self.own.layout().n_values();
        if n_values == self.layout.n_values() || params.values().len() != self.layout.n_values() {
            return params;
        }
        let leading = params.values()[..n_values].to_vec();
        cut.insert(Params::from_values(self.own.layout(), leading))
    }

    /// Where a network with so many outputs is kept. Of a linear map that lies beside, some rows may be no outputs; how many is always
    /// the same.
    fn place(&self, n_outputs: usize, head: HeadForm) -> Option<&Place<T>> {
        let others = match head {
            HeadForm::Plain => &self.plain,
            HeadForm::Unit => &self.unit,
        };
        match (
            others.by_size.get(n_outputs),
            self.config.form.map(|form| form.beside),
        ) {
            (None, Some(Beside::Linear(rows))) if n_outputs <= rows => {
                let place = &others.largest;
                let known = place.get().map(|known| known.n_outputs());
                known
                    .is_none_or(|known| known == n_outputs)
                    .then_some(place)
            }
            (place, _) => place,
        }
    }

    /// The network with a head of that size and form, made when it is first asked for.
    fn headed(&self, n_outputs: usize, head: HeadForm) -> Result<&dyn Network<T>, ModelError> {
        let place = self.place(n_outputs, head);
        let place = place.ok_or_else(|| ModelError::Config {
            what: "network.n_way",
            got: n_outputs.to_string(),
            advice: format!("a head that follows its task has at most {MOST_OUTPUTS} outputs"),
        })?;
        if let Some(known) = place.get() {
            return Ok(&**known);
        }
        let config = self.own.config().clone().headed(n_outputs, head)?;
        let built = with_own_head(Architecture::new(&config)?, self.backend, self.device)?;
        // Whoever is first: two threads build the same.
        Ok(&**place.get_or_init(|| built))
    }
}

impl<T: Real> Network<T> for WithHeads<T> {
    fn config(&self) -> &NetworkConfig {
        &self.config
    }

    fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn buffers(&self) -> &Arc<Layout> {
        self.own.buffers()
    }

    fn n_outputs(&self) -> usize {
        self.own.n_outputs()
    }

    fn outputs(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        let mut cut = None;
        self.own.outputs(self.read(params, &mut cut), images, pass)
    }

    fn record(
        &self,
        params: &Params<T>,
        images: &[T],
        pass: Pass<'_, T>,
        objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        let mut cut = None;
        self.own
            .record(self.read(params, &mut cut), images, pass, objective)
    }

    fn with_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        if self.own.config().n_way == Some(n_outputs) {
            return Ok(&*self.own);
        }
        self.headed(n_outputs, HeadForm::Plain)
    }

    fn with_unit_head(&self, n_outputs: usize) -> Result<&dyn Network<T>, ModelError> {
        self.headed(n_outputs, HeadForm::Unit)
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;

    use crate::{
        Architecture, Backend, DeviceSpec, ImageShape, Loss, NetworkConfig, Norm, Objective, Pass,
        build,
    };

    /// The network of any head is the one that would have been built with it, on both backends.
    #[test]
    fn a_head_of_another_size_is_the_network_built_with_it() {
        let config = |n_way| NetworkConfig {
            name: "conv4".to_owned(),
            form: None,
            image: ImageShape {
                height: 4,
                width: 4,
                channels: 1,
            },
            n_blocks: 1,
            width: 8,
            norm: Norm::Batch,
            n_way,
        };
        let images: Vec<f64> = (0..32).map(|at| f64::from(at % 7) / 7.0).collect();
        let objective = Objective {
            loss: Loss::CrossEntropy,
            n_way: 3,
            supports: &[],
            labels: &[0, 2],
            values: &[],
        };
        for backend in [Backend::Fused, Backend::Graph] {
            let plain = build::<f64>(&config(Some(3)), backend, DeviceSpec::Cpu).unwrap();
            let theta = Architecture::new(&config(Some(3)))
                .unwrap()
                .initial_params(&mut ChaCha8Rng::seed_from_u64(0));
            let expected = plain
                .record(&theta, &images, Pass::batch(0), objective)
                .unwrap()
                .loss();
            for n_way in [None, Some(1), Some(3)] {
                let any = build::<f64>(&config(n_way), backend, DeviceSpec::Cpu).unwrap();
                let other = any.with_head(3).unwrap();
                assert_eq!(other.layout(), plain.layout());
                let tape = other.record(&theta, &images, Pass::batch(0), objective);
                assert_eq!(tape.unwrap().loss().to_bits(), expected.to_bits());
                assert!(any.with_head(0).is_err() && any.with_head(1000).is_err());
            }
        }
    }
}
