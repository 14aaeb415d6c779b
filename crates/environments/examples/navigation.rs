//! MAML on two-dimensional navigation, and its test as a table that `metastable analyze` reads.
//!
//! ```sh
//! cargo run --release -p metastable-environments --example navigation -- 3 100 20 > returns.csv
//! metastable analyze returns.csv --unit return
//! ```
//!
//! Arguments: seeds, outer steps, tasks of an outer step. A row is one goal of one run: `learner` says after how many policy-gradient
//! steps; all runs are tested on the same 40 goals, with 40 rollouts each, by steps of 0.5 and then 0.25 (Finn et al. 2017, as the
//! authors' test has it; means over goals are -40.4, -11.7, -3.3 and -3.2 after 0 to 3 steps in the files that lie in their repository).

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "an example shows its result"
)]

use std::error::Error;

use metastable_data::{Seeds, Stream};
use metastable_environments::navigation::Navigation;
use metastable_environments::{Actions, Fisher, MamlRl, MamlRlConfig, Policy, PolicyConfig};
use metastable_models::Backend;

/// Goals of the test.
const N_GOALS: u64 = 40;
/// Rollouts of each update of the test.
const N_ROLLOUTS: usize = 40;
/// Its step sizes.
const STEPS: [f64; 3] = [0.5, 0.25, 0.25];

fn main() -> Result<(), Box<dyn Error>> {
    let mut numbers = std::env::args().skip(1).map(|it| it.parse::<u64>());
    let mut next = |usual: u64| numbers.next().unwrap_or(Ok(usual));
    let (n_seeds, n_steps, meta_batch) = (next(1)?, next(100)?, next(20)?);
    let config = MamlRlConfig {
        meta_batch: usize::try_from(meta_batch)?,
        // A tenth of the time; the line search holds the bound all the same.
        fisher: Fisher::FirstOrder,
        fisher_every: 4,
        ..MamlRlConfig::default()
    };
    config.check()?;
    let family = Navigation::default();
    let policy = Policy::<f32>::new(
        PolicyConfig::default(),
        2,
        Actions::Continuous(2),
        Backend::Fused,
    )?;
    println!("learner,seed,task,score");
    for seed in 0..n_seeds {
        let seeds = Seeds::all(seed);
        let mut theta = policy.initial(&mut seeds.rng(Stream::Init, 0))?;
        let training = MamlRl {
            policy: &policy,
            family: &family,
            config: config.clone(),
            seeds,
        };
        for made in 0..n_steps {
            let step = training.step(&mut theta, made)?;
            eprintln!(
                "seed {seed}, step {}: {:.2} before, {:.2} after adaptation",
                made + 1,
                step.before,
                step.after
            );
        }
        // The goals of all runs are one list.
        let goals = Seeds::all(0).evaluation();
        for index in 0..N_GOALS {
            let goal = family.goal(&goals, index);
            let returns = training.test(&theta, &goal, &STEPS, N_ROLLOUTS, index)?;
            for (after, sums) in returns.iter().enumerate() {
                let mean = sums.iter().sum::<f64>() / N_ROLLOUTS as f64;
                println!("after-{after},{seed},goal-{index},{mean}");
            }
        }
    }
    Ok(())
}
