//! Minimum of a smooth function of a few unknowns without derivatives.
//!
//! Written here because it is used for one to seven variance components only; the optimizer crates bring a dozen others.

/// The minimum found from `start`, and where: Nelder and Mead's simplex (1965), begun again at its own end until a whole
/// search gains less than `tolerance`.
pub(crate) fn minimize(
    f: &dyn Fn(&[f64]) -> f64,
    start: &[f64],
    step: f64,
    tolerance: f64,
) -> (f64, Vec<f64>) {
    if start.is_empty() {
        return (f(start), Vec::new());
    }
    let mut best = (f(start), start.to_vec());
    let mut step = step;
    for _ in 0..20 {
        let found = search(f, &best.1, step, tolerance);
        let gain = best.0 - found.0;
        if found.0 < best.0 {
            best = found;
        }
        if gain.is_nan() || gain < tolerance {
            break;
        }
        step = (step / 2.0).max(0.02);
    }
    best
}

fn search(f: &dyn Fn(&[f64]) -> f64, start: &[f64], step: f64, tolerance: f64) -> (f64, Vec<f64>) {
    let n = start.len();
    let mut simplex = vec![(f(start), start.to_vec())];
    for axis in 0..n {
        let mut corner = start.to_vec();
        corner[axis] += step;
        simplex.push((f(&corner), corner));
    }
    for _ in 0..200 * n {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        if simplex[n].0 - simplex[0].0 < 0.1 * tolerance {
            break;
        }
        let center: Vec<f64> = (0..n)
            .map(|axis| {
                simplex[..n]
                    .iter()
                    .map(|corner| corner.1[axis])
                    .sum::<f64>()
                    / n as f64
            })
            .collect();
        let worst = simplex[n].1.clone();
        let at = |reach: f64| {
            let point: Vec<f64> = center
                .iter()
                .zip(&worst)
                .map(|(c, w)| c + reach * (c - w))
                .collect();
            (f(&point), point)
        };
        let reflected = at(1.0);
        if reflected.0 < simplex[0].0 {
            let stretched = at(2.0);
            simplex[n] = if stretched.0 < reflected.0 {
                stretched
            } else {
                reflected
            };
        } else if reflected.0 < simplex[n - 1].0 {
            simplex[n] = reflected;
        } else {
            let inside = if reflected.0 < simplex[n].0 {
                at(0.5)
            } else {
                at(-0.5)
            };
            if inside.0 < reflected.0.min(simplex[n].0) {
                simplex[n] = inside;
            } else {
                let anchor = simplex[0].1.clone();
                for corner in &mut simplex[1..] {
                    for (x, a) in corner.1.iter_mut().zip(&anchor) {
                        *x = a + 0.5 * (*x - a);
                    }
                    corner.0 = f(&corner.1);
                }
            }
        }
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    simplex.swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_rosenbrock() {
        let f = |x: &[f64]| (1.0 - x[0]).powi(2) + 100.0 * (x[1] - x[0] * x[0]).powi(2);
        let (value, at) = minimize(&f, &[-1.2, 1.0], 0.5, 1e-14);
        assert!(
            value < 1e-12 && (at[0] - 1.0).abs() < 1e-5,
            "{value} {at:?}"
        );
    }
}
