//! The features of a guest as a network, so that whatever looks at features looks at those of a guest too.

use std::sync::Arc;

use metastable_models::{
    ImageShape, Layout, ModelError, Network, NetworkConfig, Objective, Params, Pass, Real, Tape,
};

use crate::learner::{Guest, state_of};
use crate::network::{Outside, refuse};

/// The features of a guest as a network without a head: an output row is what the guest makes of an image in
/// its batch.
#[derive(Debug)]
pub struct Embedding {
    outside: Outside,
    guest: Arc<Guest>,
}

impl Embedding {
    /// Of images of this shape.
    #[must_use]
    pub fn new(image: ImageShape, guest: Arc<Guest>) -> Self {
        Self {
            outside: Outside::new(image, None),
            guest,
        }
    }
}

impl<T: Real> Network<T> for Embedding {
    fn config(&self) -> &NetworkConfig {
        Network::<T>::config(&self.outside)
    }

    fn layout(&self) -> &Arc<Layout> {
        Network::<T>::layout(&self.outside)
    }

    fn buffers(&self) -> &Arc<Layout> {
        Network::<T>::buffers(&self.outside)
    }

    /// 0: it is known once it has answered.
    fn n_outputs(&self) -> usize {
        0
    }

    fn outputs(
        &self,
        params: &Params<T>,
        images: &[T],
        _pass: Pass<'_, T>,
    ) -> Result<Vec<T>, ModelError> {
        let asked = self
            .guest
            .ask(state_of(params), |session| session.features(images));
        let (_, values) = asked.map_err(|error| ModelError::Outside(Box::new(error)))?;
        Ok(values.into_iter().map(T::of).collect())
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
