//! What every layer is told.

use std::sync::Arc;

use super::arena::Arena;
use crate::Real;

/// What a pass knows besides its input.
#[derive(Clone, Copy)]
pub(super) struct Point<'a, T: Real> {
    /// All parameters of the network.
    pub(super) params: &'a [T],
    /// All stored statistics of the network, if they are to normalise.
    pub(super) stored: Option<&'a [T]>,
    /// Inner steps taken so far.
    pub(super) inner_step: usize,
    pub(super) arena: &'a Arc<Arena<T>>,
    pub(super) choices: &'a Arc<Arena<u8>>,
}
