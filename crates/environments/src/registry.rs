//! The families that a study can name.

use crate::bandit::{Arms, Bandits};
use crate::cart_pole::CartPoles;
use crate::environment::{Actions, Family};
use crate::mdp::Tables;
use crate::navigation::Navigation;

/// A family by its name.
#[derive(Clone, Copy, Debug)]
pub struct FamilyEntry {
    /// As written in a study (`data.set`).
    pub name: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What a task is made of, [`crate::Environment::numbers`] in order; empty where they are too many to have names.
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

/// Arms of a bandit and pulls of a rollout in a study: the smallest of Duan et al. 2016, table 1.
const ARMS: usize = 5;
const PULLS: usize = 10;

/// Every family with a study.
pub const FAMILIES: &[FamilyEntry] = &[
    FamilyEntry {
        name: "navigation",
        summary: "a point goes to a goal that it is not told (Finn et al. 2017); scores are returns (docs/returns.md)",
        numbers: &["goal_x", "goal_y"],
        n_observed: 2,
        actions: Actions::Continuous(2),
        definition: "start (0, 0); goal uniform in [-0.5, 0.5]^2; moves of a tenth of the action, at most 0.1 along an axis; reward minus the \
                     distance after the move; over within 0.01 along both axes, or after 100 steps",
        make: || Box::new(Navigation::default()),
    },
    FamilyEntry {
        name: "bernoulli-bandits",
        summary: "5 arms, 10 pulls; an arm pays 1 with its probability (Duan et al. 2016)",
        numbers: &["arm_0", "arm_1", "arm_2", "arm_3", "arm_4"],
        n_observed: 1,
        actions: Actions::Discrete(ARMS),
        definition: "5 arms, 10 pulls; an arm pays 1 with a probability uniform in [0, 1], else 0",
        make: || {
            Box::new(Bandits {
                arms: Arms::Bernoulli,
                n_arms: ARMS,
                n_pulls: PULLS,
            })
        },
    },
    FamilyEntry {
        name: "gaussian-bandits",
        summary: "5 arms, 10 pulls; an arm pays its mean with normal noise",
        numbers: &["arm_0", "arm_1", "arm_2", "arm_3", "arm_4"],
        n_observed: 1,
        actions: Actions::Discrete(ARMS),
        definition: "5 arms, 10 pulls; means standard normal; rewards normal about the mean with variance 1",
        make: || {
            Box::new(Bandits {
                arms: Arms::Gaussian,
                n_arms: ARMS,
                n_pulls: PULLS,
            })
        },
    },
    FamilyEntry {
        name: "tabular-mdps",
        summary: "10 states, 5 actions, 10 steps, drawn at random (Duan et al. 2016)",
        numbers: &[],
        n_observed: 10,
        actions: Actions::Discrete(5),
        definition: "10 states, 5 actions, 10 steps from state 0; mean rewards normal about 1, rewards normal about them, variances 1; followers \
                     from a flat Dirichlet",
        make: || Box::new(Tables::default()),
    },
    FamilyEntry {
        name: "cart-poles",
        summary: "carts with poles of random masses and lengths, at most 100 steps",
        numbers: &["cart_kg", "pole_kg", "half_length_m"],
        n_observed: 4,
        actions: Actions::Discrete(2),
        definition: "Gymnasium's CartPole-v1 with masses uniform in [0.5, 2] and [0.05, 0.5] kg, half length uniform in [0.25, 1] m; at most 100 \
                     steps",
        make: || Box::new(CartPoles { horizon: 100 }),
    },
];

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
            let n_named = entry.numbers.len();
            assert!(n_named == 0 || task.numbers().len() == n_named);
            assert!(!task.numbers().is_empty() && task.best().is_some());
            assert_eq!(task.n_observed(), entry.n_observed);
            assert_eq!(task.actions(), entry.actions);
            assert!(FamilyEntry::find(entry.name).is_some());
        }
        assert!(FamilyEntry::find("glyphs").is_none());
    }
}
