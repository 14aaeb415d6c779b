//! Buffers that are used again: a training step asks for the same few sizes over and over, and fresh pages cost more
//! than the arithmetic of a small layer.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};

/// A list of free buffers, shared by the threads of a network.
#[derive(Debug, Default)]
pub(super) struct Arena<E> {
    free: Mutex<Vec<Vec<E>>>,
}

impl<E: Copy + Default> Arena<E> {
    /// A buffer of `len` elements with **arbitrary contents**: whoever takes one overwrites all of it.
    pub(super) fn take(self: &Arc<Self>, len: usize) -> Buffer<E> {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        // Of equally good ones the last that came back: it is the likeliest to lie in a cache still.
        let best = (0..free.len())
            .rev()
            .filter(|&i| free[i].capacity() >= len && free[i].capacity() / 2 <= len)
            .min_by_key(|&i| free[i].capacity());
        let mut values = best.map(|i| free.remove(i)).unwrap_or_default();
        drop(free);
        if values.len() < len {
            values.resize(len, E::default());
        }
        Buffer {
            values,
            len,
            arena: Arc::clone(self),
        }
    }

    /// A buffer of `len` zeros.
    pub(super) fn zeros(self: &Arc<Self>, len: usize) -> Buffer<E> {
        let mut buffer = self.take(len);
        buffer.fill(E::default());
        buffer
    }
}

/// A vector that returns to its arena when it is dropped.
#[derive(Debug)]
pub(super) struct Buffer<E: Copy + Default> {
    /// May be longer: what was cut off would have to be filled when it is wanted again.
    values: Vec<E>,
    len: usize,
    arena: Arc<Arena<E>>,
}

impl<E: Copy + Default> Deref for Buffer<E> {
    type Target = [E];

    fn deref(&self) -> &[E] {
        &self.values[..self.len]
    }
}

impl<E: Copy + Default> DerefMut for Buffer<E> {
    fn deref_mut(&mut self) -> &mut [E] {
        &mut self.values[..self.len]
    }
}

impl<E: Copy + Default> Drop for Buffer<E> {
    fn drop(&mut self) {
        let values = std::mem::take(&mut self.values);
        self.arena
            .free
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(values);
    }
}
