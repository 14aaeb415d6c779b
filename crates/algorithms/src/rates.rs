//! Inner step sizes that are learnt: how they lie beside the network's parameters in theta, and their gradient.
//!
//! What lies there is the offset from `inner_lr`, which begins at 0. An optimizer step changes it as it would change the rate itself, and
//! another `inner_lr` at test shifts every rate.

use std::sync::Arc;

use metastable_models::{Layout, Params, Real};

/// Which parameters and steps share a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// A rate for each parameter, for all steps (Li et al. 2017).
    PerParameter,
    /// A rate for each tensor and step (Antoniou et al. 2019); a step beyond those of training has the rates of the last.
    PerTensorAndStep,
}

/// Theta in its two parts.
pub(crate) struct Parts<T> {
    /// `phi_0`.
    pub(crate) start: Params<T>,
    /// Rates of each step that has its own, in the layout of the network's parameters.
    rates: Vec<Params<T>>,
    sharing: Sharing,
}

impl<T: Real> Parts<T> {
    /// `layout` is that of the fast weights.
    pub(crate) fn of(
        sharing: Sharing,
        inner_lr: f64,
        layout: &Arc<Layout>,
        theta: &Params<T>,
    ) -> Self {
        let values = theta.values();
        let (start, beside) = values.split_at(layout.n_values().min(values.len()));
        let inner_lr = T::of(inner_lr);
        let of_step = |offsets: &[T]| -> Vec<T> {
            let entries = layout.entries();
            let mut rates = vec![inner_lr; start.len()];
            match sharing {
                Sharing::PerParameter => {
                    for (rate, offset) in rates.iter_mut().zip(offsets) {
                        *rate = inner_lr + *offset;
                    }
                }
                Sharing::PerTensorAndStep => {
                    for (entry, offset) in entries.iter().zip(offsets) {
                        rates[entry.offset..][..entry.len()].fill(inner_lr + *offset);
                    }
                }
            }
            rates
        };
        let rates = beside
            .chunks(sharing.n_of_step(layout))
            .map(|offsets| Params::from_values(layout, of_step(offsets)));
        Self {
            start: Params::from_values(layout, start.to_vec()),
            rates: rates.collect(),
            sharing,
        }
    }

    /// Rates of step `k`.
    pub(crate) fn rates(&self, k: usize) -> &Params<T> {
        &self.rates[self.row(k)]
    }

    /// `phi - alpha_k * gradient`.
    pub(crate) fn step(&self, phi: &mut Params<T>, k: usize, gradient: &Params<T>) {
        phi.add(-T::ONE, &times(self.rates(k), gradient));
    }

    /// No gradient yet, for all that lies beside.
    pub(crate) fn no_gradient(&self) -> Vec<T> {
        let n_of_step = self.sharing.n_of_step(self.start.layout());
        vec![T::ZERO; self.rates.len() * n_of_step]
    }

    /// Takes into `of_rates` what step `k` adds to the gradient of the rates, `-grad L_S(phi_k) * v`, summed over whatever shares one.
    pub(crate) fn pull_back(
        &self,
        of_rates: &mut [T],
        k: usize,
        gradient: &Params<T>,
        v: &Params<T>,
    ) {
        let layout = self.start.layout();
        let n_of_step = self.sharing.n_of_step(layout);
        let row = &mut of_rates[self.row(k) * n_of_step..][..n_of_step];
        let product = times(gradient, v);
        match self.sharing {
            Sharing::PerParameter => {
                for (sum, value) in row.iter_mut().zip(product.values()) {
                    *sum -= *value;
                }
            }
            Sharing::PerTensorAndStep => {
                for (sum, entry) in row.iter_mut().zip(layout.entries()) {
                    let values = &product.values()[entry.offset..][..entry.len()];
                    *sum -= T::of(values.iter().map(|value| value.wide()).sum());
                }
            }
        }
    }

    fn row(&self, k: usize) -> usize {
        k.min(self.rates.len() - 1)
    }
}

impl Sharing {
    /// Numbers that lie beside the network for one step that has rates of its own.
    fn n_of_step(self, layout: &Layout) -> usize {
        match self {
            Self::PerParameter => layout.n_values(),
            Self::PerTensorAndStep => layout.entries().len(),
        }
    }
}

/// `a * b`, elementwise.
pub(crate) fn times<T: Real>(a: &Params<T>, b: &Params<T>) -> Params<T> {
    let values = a.values().iter().zip(b.values()).map(|(a, b)| *a * *b);
    Params::from_values(a.layout(), values.collect())
}
