//! Cart and pole, with masses and a length that differ from task to task.
//!
//! The equations are those of Barto, Sutton & Anderson 1983, "Neuronlike adaptive elements that can solve difficult learning control
//! problems", IEEE Transactions on Systems, Man, and Cybernetics 13, without friction, as Gymnasium's `CartPole-v1` has them:
//! Euler steps of 0.02 s, a force of 10 N to either side, over at 12 degrees or 2.4 m, 1 for each step. The masses (0.5 to 2 kg, 0.05 to
//! 0.5 kg) and the half length (0.25 to 1 m) are uniform; Gymnasium's are 1 kg, 0.1 kg and 0.5 m.

use metastable_data::Seeds;
use rand::Rng;

use crate::draw::uniform;
use crate::environment::{Action, Actions, Environment, Family, Step, of_task};

/// Metres a second, each second.
const GRAVITY: f64 = 9.8;
/// Newtons.
const FORCE: f64 = 10.0;
/// Seconds of a step.
const TAU: f64 = 0.02;
/// Radians at which the pole has fallen: 12 degrees.
const MOST_ANGLE: f64 = 12.0 * std::f64::consts::PI / 180.0;
/// Metres at which the cart has left.
const MOST_PLACE: f64 = 2.4;
/// Largest absolute value of each state variable at the start.
const START: f64 = 0.05;

/// Carts and poles of any masses and lengths.
#[derive(Clone, Copy, Debug)]
pub struct CartPoles {
    /// Most steps of a rollout; 500 in Gymnasium.
    pub horizon: usize,
}

/// One cart with its pole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct CartPole {
    /// Kilograms of the cart.
    pub cart: f64,
    /// Kilograms of the pole.
    pub pole: f64,
    /// Metres from the joint to the middle of the pole.
    pub half_length: f64,
    /// Most steps of a rollout.
    pub horizon: usize,
}

impl CartPole {
    /// That of Gymnasium.
    #[must_use]
    pub fn usual(horizon: usize) -> Self {
        Self {
            cart: 1.0,
            pole: 0.1,
            half_length: 0.5,
            horizon,
        }
    }

    /// Accelerations of the cart and of the angle, under a force.
    #[must_use]
    pub fn accelerations(&self, angle: f64, turning: f64, force: f64) -> [f64; 2] {
        let (sine, cosine) = angle.sin_cos();
        let total = self.cart + self.pole;
        let swing = self.pole * self.half_length;
        let pushed = (force + swing * turning * turning * sine) / total;
        let bent = 4.0 / 3.0 - self.pole * cosine * cosine / total;
        let turned = (GRAVITY * sine - cosine * pushed) / (self.half_length * bent);
        [pushed - swing * turned * cosine / total, turned]
    }
}

impl CartPoles {
    /// The cart at an index.
    #[must_use]
    pub fn cart_pole(&self, seeds: &Seeds, index: u64) -> CartPole {
        let mut rng = of_task(seeds, index);
        CartPole {
            cart: uniform(&mut rng, 0.5, 2.0),
            pole: uniform(&mut rng, 0.05, 0.5),
            half_length: uniform(&mut rng, 0.25, 1.0),
            horizon: self.horizon,
        }
    }
}

impl Family for CartPoles {
    fn name(&self) -> &'static str {
        "cart-poles"
    }

    fn citation(&self) -> &'static str {
        "Barto, Sutton & Anderson 1983, IEEE Transactions on Systems, Man, and Cybernetics 13"
    }

    fn task(&self, seeds: &Seeds, index: u64) -> Box<dyn Environment> {
        Box::new(self.cart_pole(seeds, index))
    }
}

impl Environment for CartPole {
    /// 0 pushes to the left, 1 to the right.
    fn actions(&self) -> Actions {
        Actions::Discrete(2)
    }

    /// Place, speed, angle, turning.
    fn n_observed(&self) -> usize {
        4
    }

    fn horizon(&self) -> usize {
        self.horizon
    }

    /// Masses of cart and pole, and half the length of the pole.
    fn numbers(&self) -> Vec<f64> {
        vec![self.cart, self.pole, self.half_length]
    }

    /// A pole that never falls.
    fn best(&self) -> Option<f64> {
        Some(self.horizon as f64)
    }

    fn start(&self, rng: &mut dyn Rng) -> Vec<f64> {
        (0..4).map(|_| uniform(rng, -START, START)).collect()
    }

    fn step(&self, state: &mut Vec<f64>, action: &Action, _rng: &mut dyn Rng) -> Step {
        let Action::Discrete(side) = action else {
            panic!("a cart is pushed to a side, and got {action:?}");
        };
        let force = if *side == 1 { FORCE } else { -FORCE };
        let [pushed, turned] = self.accelerations(state[2], state[3], force);
        state[0] += TAU * state[1];
        state[1] += TAU * pushed;
        state[2] += TAU * state[3];
        state[3] += TAU * turned;
        Step {
            reward: 1.0,
            is_over: state[0].abs() > MOST_PLACE || state[2].abs() > MOST_ANGLE,
        }
    }
}

#[cfg(test)]
mod tests {
    use metastable_data::Stream;

    use super::*;
    use crate::environment::rewards;

    /// The Lagrangian of a cart and a uniform pole gives two linear equations for the accelerations,
    /// `(M + m) x'' + m l cos(t) t'' = F + m l t'^2 sin(t)` and `m l cos(t) x'' + (4/3) m l^2 t'' = m g l sin(t)`; Cramer's rule solves them.
    #[test]
    fn accelerations_are_those_of_the_lagrangian() {
        let (family, seeds) = (CartPoles { horizon: 10 }, Seeds::all(7));
        for index in 0..20 {
            let it = family.cart_pole(&seeds, index);
            let mut rng = seeds.rng(Stream::Support, index);
            let (angle, turning) = (uniform(&mut rng, -1.0, 1.0), uniform(&mut rng, -3.0, 3.0));
            let force = uniform(&mut rng, -10.0, 10.0);
            let (m, l) = (it.pole, it.half_length);
            let [a, b] = [it.cart + m, m * l * angle.cos()];
            let d = 4.0 / 3.0 * m * l * l;
            let right = [
                force + m * l * turning * turning * angle.sin(),
                m * GRAVITY * l * angle.sin(),
            ];
            let determinant = a * d - b * b;
            let expected = [
                (right[0] * d - b * right[1]) / determinant,
                (a * right[1] - b * right[0]) / determinant,
            ];
            for (found, expected) in it.accelerations(angle, turning, force).iter().zip(expected) {
                assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0));
            }
        }
    }

    /// Pushed to one side only, Gymnasium's pole falls within about ten steps; pushed to the side that it falls to, it stands for longer.
    #[test]
    fn a_pole_falls_and_a_rule_of_thumb_holds_it() {
        let it = CartPole::usual(500);
        let mut rng = Seeds::all(8).rng(Stream::Query, 0);
        let fallen = rewards(&it, &mut rng, |_, _, _| Action::Discrete(1)).len();
        assert!((6..15).contains(&fallen), "{fallen}");
        let held = rewards(&it, &mut rng, |state, _, _| {
            Action::Discrete(usize::from(state[2] + 0.3 * state[3] > 0.0))
        });
        assert!(held.len() > 100, "{}", held.len());
    }
}
