//! Learners over all their settings at once.

use crate::aggregate::Aggregates;
use crate::estimate::Estimate;
use crate::outcome::StudyAnalysis;
use crate::report::document::{Table, decimal};

/// Aggregates over settings, where there are several.
pub(super) fn table(analysis: &StudyAnalysis) -> Option<Table> {
    let aggregates: Aggregates = analysis.all.get().filter(|_| analysis.settings.len() > 1)?;
    let show = |e: &Estimate| {
        let range = e.interval.as_ref().map_or(String::new(), |i| {
            format!(" [{}, {}]", decimal(i.lower, 3), decimal(i.upper, 3))
        });
        format!("{}{range}", decimal(e.value, 3))
    };
    Some(Table {
        caption: "Over settings: chance-normalized accuracy (0 is guessing, 1 is perfect), stratified bootstrap over runs; a run without a \
                  usable test counts as guessing."
            .to_owned(),
        head: ["learner", "IQM [CI]", "mean [CI]", "median [CI]", "optimality gap [CI]", "settings"].map(str::to_owned).to_vec(),
        rows: aggregates
            .learners
            .iter()
            .map(|l| vec![l.learner.clone(), show(&l.iqm), show(&l.mean), show(&l.median), show(&l.optimality_gap), l.settings.len().to_string()])
            .collect(),
    })
}
