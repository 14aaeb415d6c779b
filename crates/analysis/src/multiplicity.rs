//! Several tests of one list: p-values after which the list as a whole keeps its level.

/// Holm's adjusted p-values, in the order given; what is absent stays absent and counts as no test.
///
/// # Source
/// Holm 1979.
pub(crate) fn holm(p: impl Iterator<Item = Option<f64>>) -> Vec<Option<f64>> {
    let mut adjusted: Vec<Option<f64>> = p.collect();
    let mut order: Vec<(usize, f64)> = adjusted
        .iter()
        .enumerate()
        .filter_map(|(at, p)| Some((at, (*p)?)))
        .collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let n = order.len();
    let mut reached: f64 = 0.0;
    for (rank, (at, p)) in order.into_iter().enumerate() {
        reached = reached.max((p * (n - rank) as f64).min(1.0));
        adjusted[at] = Some(reached);
    }
    adjusted
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R: `p.adjust(c(0.01, 0.02, 0.03, 0.04), "holm")` is 0.04 0.06 0.06 0.06.
    #[test]
    fn as_in_r() {
        let found = holm([Some(0.03), None, Some(0.01), Some(0.04), Some(0.02)].into_iter());
        for (got, expected) in
            found
                .iter()
                .zip([Some(0.06), None, Some(0.04), Some(0.06), Some(0.06)])
        {
            assert_eq!(got.is_some(), expected.is_some());
            assert!((got.unwrap_or(0.0) - expected.unwrap_or(0.0)).abs() < 1e-12);
        }
    }
}
