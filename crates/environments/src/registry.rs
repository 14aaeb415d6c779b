//! The families that a study can name.

use crate::environment::{Actions, Family};
use crate::navigation::Navigation;

/// A family by its name.
#[derive(Clone, Copy, Debug)]
pub struct FamilyEntry {
    /// As written in a study (`data.set`).
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What a task is made of, [`crate::Environment::numbers`] in order.
    pub numbers: &'static [&'static str],
    /// Numbers that are observed of a state.
    pub n_observed: usize,
    /// What may be done.
    pub actions: Actions,
    /// What another definition would say otherwise: it goes into the digest that stands in the place of images.
    pub definition: &'static str,
    /// The family itself.
    pub make: fn() -> Box<dyn Family>,
}

/// Every family with a study.
pub const FAMILIES: &[FamilyEntry] = &[FamilyEntry {
    name: "navigation",
    summary: "a point goes to a goal that it is not told (Finn et al. 2017); scores are returns (docs/returns.md)",
    numbers: &["goal_x", "goal_y"],
    n_observed: 2,
    actions: Actions::Continuous(2),
    definition: "start (0, 0); goal uniform in [-0.5, 0.5]^2; moves of a tenth of the action, at most 0.1 along an axis; reward minus the \
                 distance after the move; over within 0.01 along both axes, or after 100 steps",
    make: || Box::new(Navigation::default()),
}];

impl FamilyEntry {
    /// The family of that name.
    #[must_use]
    pub fn find(name: &str) -> Option<&'static Self> {
        FAMILIES.iter().find(|family| family.name == name)
    }
}

#[cfg(test)]
mod tests {
    use metastable_data::Seeds;

    use super::*;

    #[test]
    fn an_entry_says_what_its_tasks_are() {
        for entry in FAMILIES {
            let family = (entry.make)();
            let task = family.task(&Seeds::all(1), 3);
            assert_eq!(family.name(), entry.name);
            assert_eq!(task.numbers().len(), entry.numbers.len());
            assert_eq!(task.n_observed(), entry.n_observed);
            assert_eq!(task.actions(), entry.actions);
            assert!(FamilyEntry::find(entry.name).is_some());
        }
        assert!(FamilyEntry::find("glyphs").is_none());
    }
}
