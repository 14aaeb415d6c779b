//! What stands where a network stands, for a learner whose network is elsewhere.

use std::sync::Arc;

use metastable_models::{
    ImageShape, Layout, ModelError, Network, NetworkConfig, Norm, Objective, Params, Pass, Real,
    Tape,
};

/// Name of the network of a guest in a configuration.
pub const OUTSIDE: &str = "outside";

/// A network that is elsewhere: it knows the size of its images, and has one parameter, the number of the guest's saved state that
/// is asked.
#[derive(Debug)]
pub struct Outside {
    config: NetworkConfig,
    layout: Arc<Layout>,
    buffers: Arc<Layout>,
}

/// How a configuration names the network of a guest.
#[must_use]
pub fn outside(image: ImageShape) -> NetworkConfig {
    NetworkConfig {
        name: OUTSIDE.to_owned(),
        form: None,
        image,
        n_blocks: 0,
        width: 0,
        norm: Norm::None,
        n_way: None,
    }
}

impl Outside {
    /// For images of a shape; `fixed_way` is the number of classes of a guest that is bound to one.
    #[must_use]
    pub fn new(image: ImageShape, fixed_way: Option<usize>) -> Self {
        let mut layout = Layout::default();
        layout.push("guest.state", &[1]);
        Self {
            config: NetworkConfig {
                n_way: fixed_way,
                ..outside(image)
            },
            layout: layout.into(),
            buffers: Layout::default().into(),
        }
    }

    /// The parameter that names a saved state.
    pub(crate) fn state<T: Real>(&self, number: u16) -> Params<T> {
        Params::from_values(&self.layout, vec![T::of(number.into())])
    }
}

pub(crate) fn refuse() -> ModelError {
    ModelError::Outside(
        "the network of a guest is in another process, and gives neither outputs nor gradients here"
            .into(),
    )
}

impl<T: Real> Network<T> for Outside {
    fn config(&self) -> &NetworkConfig {
        &self.config
    }

    fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    fn buffers(&self) -> &Arc<Layout> {
        &self.buffers
    }

    fn n_outputs(&self) -> usize {
        0
    }

    fn outputs(
        &self,
        _params: &Params<T>,
        _images: &[T],
        _pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        Err(refuse())
    }

    fn record(
        &self,
        _params: &Params<T>,
        _images: &[T],
        _pass: Pass<'_, T>,
        _objective: Objective<'_>,
    ) -> Result<Box<dyn Tape<T> + '_>, ModelError> {
        Err(refuse())
    }
}
