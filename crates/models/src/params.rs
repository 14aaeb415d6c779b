//! Parameters as values: named tensors in one fixed order, stored end to end in one vector.
//!
//! Nothing here is a variable that a layer owns. A network is a function of (parameters, images), so fast weights are
//! simply another [`Params`] with the same [`Layout`]. Shapes and names are PyTorch's.

use std::ops::Range;
use std::sync::Arc;

use crate::{Real, Vector};

/// Name and shape of one tensor, and where it starts in the flat vector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// PyTorch-conventional name, e.g. `blocks.0.conv.weight`.
    pub name: String,
    /// PyTorch-conventional shape, e.g. `[64, 1, 3, 3]` for (out, in, height, width).
    pub shape: Vec<usize>,
    /// Index of the first value.
    pub offset: usize,
}

impl Entry {
    /// Number of values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether the tensor holds no value at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The order, names and shapes of a network's parameters.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layout {
    entries: Vec<Entry>,
    n_values: usize,
}

impl Layout {
    /// Appends a tensor and returns the range of its values.
    pub fn push(&mut self, name: impl Into<String>, shape: &[usize]) -> std::ops::Range<usize> {
        let entry = Entry {
            name: name.into(),
            shape: shape.to_vec(),
            offset: self.n_values,
        };
        let start = self.n_values;
        self.n_values += entry.len();
        self.entries.push(entry);
        start..self.n_values
    }

    /// The tensors, in order.
    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Number of values of all tensors.
    #[must_use]
    pub fn n_values(&self) -> usize {
        self.n_values
    }

    /// The layers in order, each with the range of its values: neighbours whose names begin alike, by all parts but the
    /// last and at most two (`blocks.0` of `blocks.0.conv.weight`, `head` of `head.bias`).
    #[must_use]
    pub fn layers(&self) -> Vec<(&str, Range<usize>)> {
        let mut layers: Vec<(&str, Range<usize>)> = Vec::new();
        for entry in &self.entries {
            let end = entry.offset + entry.len();
            match layers.last_mut() {
                Some((name, range)) if *name == layer(&entry.name) => range.end = end,
                _ => layers.push((layer(&entry.name), entry.offset..end)),
            }
        }
        layers
    }

    /// The tensor of that name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

fn layer(tensor: &str) -> &str {
    let end = tensor.match_indices('.').map(|(at, _)| at).take(2).last();
    &tensor[..end.unwrap_or(tensor.len())]
}

/// Values for every tensor of a [`Layout`]. A clone shares them until one of the two is changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Params<T> {
    layout: Arc<Layout>,
    values: Arc<Vec<T>>,
}

impl<T: Real> Params<T> {
    /// All zeros.
    #[must_use]
    pub fn zeros(layout: &Arc<Layout>) -> Self {
        Self {
            layout: Arc::clone(layout),
            values: Arc::new(vec![T::ZERO; layout.n_values()]),
        }
    }

    /// Values in the order of the layout; panics if their number differs, which is a bug of the caller.
    #[must_use]
    pub fn from_values(layout: &Arc<Layout>, values: Vec<T>) -> Self {
        assert_eq!(
            values.len(),
            layout.n_values(),
            "number of values and layout differ"
        );
        Self {
            layout: Arc::clone(layout),
            values: Arc::new(values),
        }
    }

    /// Names and shapes.
    #[must_use]
    pub fn layout(&self) -> &Arc<Layout> {
        &self.layout
    }

    /// All values, end to end.
    #[must_use]
    pub fn values(&self) -> &[T] {
        &self.values
    }

    /// All values, end to end, to be changed.
    pub fn values_mut(&mut self) -> &mut [T] {
        Arc::make_mut(&mut self.values).as_mut_slice()
    }

    /// The values of one tensor.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&[T]> {
        self.layout
            .find(name)
            .map(|entry| &self.values[entry.offset..][..entry.len()])
    }

    /// `self + alpha * other`, as a new value: `phi.plus(-inner_lr, &gradient)` is a gradient step.
    #[must_use]
    pub fn plus(&self, alpha: T, other: &Self) -> Self {
        let mut sum = self.clone();
        sum.add(alpha, other);
        sum
    }

    /// `self += alpha * other`.
    pub fn add(&mut self, alpha: T, other: &Self) {
        debug_assert_eq!(self.layout, other.layout, "layouts differ");
        T::add_scaled(self.values_mut(), alpha, &other.values);
    }

    /// `self *= factor`.
    pub fn scale(&mut self, factor: T) {
        <T as Vector>::scale(self.values_mut(), factor);
    }

    /// Inner product, summed in double precision (see [`Vector::dot`]).
    #[must_use]
    pub fn dot(&self, other: &Self) -> f64 {
        debug_assert_eq!(self.layout, other.layout, "layouts differ");
        T::dot(&self.values, &other.values)
    }

    /// Euclidean norm over all values.
    #[must_use]
    pub fn norm(&self) -> f64 {
        self.dot(self).sqrt()
    }

    /// Name of the first tensor that holds a NaN or an infinity.
    #[must_use]
    pub fn first_non_finite(&self) -> Option<&str> {
        self.layout
            .entries()
            .iter()
            .find(|entry| !T::all_finite(&self.values[entry.offset..][..entry.len()]))
            .map(|entry| entry.name.as_str())
    }

    /// The same values in another precision.
    #[must_use]
    pub fn cast<U: Real>(&self) -> Params<U> {
        let values = self.values.iter().map(|value| U::of(value.wide()));
        Params::from_values(&self.layout, values.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tensors_of_a_layer_are_neighbours_with_one_beginning() {
        let mut layout = Layout::default();
        for (name, n_values) in [
            ("blocks.0.conv.weight", 3),
            ("blocks.0.norm.bias", 2),
            ("blocks.1.conv.weight", 4),
            ("head.weight", 5),
            ("head.bias", 1),
            ("theta", 7),
        ] {
            layout.push(name, &[n_values]);
        }
        let expected = [
            ("blocks.0", 0..5),
            ("blocks.1", 5..9),
            ("head", 9..15),
            ("theta", 15..22),
        ];
        assert_eq!(layout.layers(), expected);
    }
}
