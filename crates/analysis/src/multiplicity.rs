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

/// The level at which each of several lists may make claims, so that of the claims of a report at most the share `level` is expected to
/// be false, and of reports in which nothing differs at most `level` makes one: Benjamini and Hochberg's procedure over the least
/// adjusted p-value of each list selects `s` of `n` lists, which then are read at `level s / n`. Zero if it selects none.
///
/// # Source
/// Benjamini and Bogomolov 2014 (selected families).
pub(crate) fn level_of_lists(least: &[f64], level: f64) -> f64 {
    let mut sorted = least.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    let selected = (1..=sorted.len())
        .rev()
        .find(|&rank| sorted[rank - 1] <= level * rank as f64 / n);
    selected.map_or(0.0, |selected| level * selected as f64 / n)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_selected_by_benjamini_and_hochberg() {
        let level = |least: &[f64]| level_of_lists(least, 0.05);
        assert!(level(&[0.02, 0.3, 0.6, 0.9]).abs() < 1e-15);
        assert!((level(&[0.012, 0.3, 0.6, 0.9]) - 0.0125).abs() < 1e-15);
        // 0.03 is over 2/4 of 5 %, and under 3/4: all three are in.
        assert!((level(&[0.03, 0.001, 0.037, 0.9]) - 0.0375).abs() < 1e-15);
        assert!(level(&[]).abs() < 1e-15);
    }

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
