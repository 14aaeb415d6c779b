//! Writes a report of a simulated study: `cargo run -p metastable-analysis --example report -- report.html`.
//!
//! No learner is trained here. Skill, task difficulty and training curves are drawn from a fixed key, so that the page
//! shows what every chapter looks like; its name and its setting say so.

use std::collections::BTreeMap;
use std::error::Error;

use metastable_analysis::factors::table::{Factor, FactorRun, FactorTable, Scale};
use metastable_analysis::{
    Adaptation, Options, Outcome, Progress, Run, Study, Test, analyze, report,
};

const N_TASKS: usize = 600;
const N_WAY: usize = 5;
const N_QUERY: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments
        .next()
        .ok_or("usage: report PATH.html [RUNS [SETTINGS]]")?;
    let n_runs = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let n_settings = arguments.next().map_or(Ok(1), |text| text.parse())?;
    let study = simulated(n_runs, n_settings);
    let options = Options {
        reference: Some("protonet".to_owned()),
        ..Options::default()
    };
    let analysis = analyze(&study, &options)?;
    std::fs::write(&path, report::html(&study, &analysis))?;
    std::fs::write(format!("{path}.md"), report::markdown(&study, &analysis))?;
    std::fs::write(
        format!("{path}.txt"),
        report::terminal_table(&study, &analysis),
    )?;
    Ok(())
}

/// What sets the simulated learners apart.
struct Learner {
    name: &'static str,
    /// Mean logit of a right answer.
    skill: f64,
    /// Standard deviation of that logit between seeds.
    seed_sd: f64,
    /// Outer steps after which the curve has made two thirds of its way.
    pace: f64,
    /// Inner steps of training; none for a metric learner.
    inner_steps: Option<usize>,
    /// Run that diverges.
    diverges: Option<u64>,
}

const LEARNERS: [Learner; 4] = [
    Learner {
        name: "maml",
        skill: 3.5,
        seed_sd: 0.22,
        pace: 700.0,
        inner_steps: Some(5),
        diverges: None,
    },
    Learner {
        name: "fomaml",
        skill: 2.9,
        seed_sd: 0.40,
        pace: 900.0,
        inner_steps: Some(5),
        diverges: Some(1),
    },
    Learner {
        name: "protonet",
        skill: 4.1,
        seed_sd: 0.07,
        pace: 300.0,
        inner_steps: None,
        diverges: None,
    },
    Learner {
        name: "matching-cosine",
        skill: 3.7,
        seed_sd: 0.12,
        pace: 450.0,
        inner_steps: None,
        diverges: None,
    },
];

fn simulated(n_runs: u64, n_settings: u64) -> Study {
    let mut runs = Vec::new();
    for setting in 0..n_settings {
        let mut tasks = Draws(7 + setting);
        // Each further setting is harder than the one before.
        let draw = |_| 0.9 * tasks.normal() + 0.8 * setting as f64;
        let difficulty: Vec<f64> = (0..N_TASKS).map(draw).collect();
        for (index, learner) in LEARNERS.iter().enumerate() {
            for seed in 0..n_runs {
                let key = 1000 * (index as u64 + 1) + seed + 100_000 * setting;
                let mut made = run(learner, seed, &difficulty, &mut Draws(key));
                if setting > 0 {
                    made.setting = format!("simulated, harder by {setting}");
                    made.id = format!("{}-{setting}", made.id);
                }
                runs.push(made);
            }
        }
    }
    Study {
        name: "Simulated example (no learner was trained)".to_owned(),
        command: format!(
            "cargo run -p metastable-analysis --example report -- report.html {n_runs}"
        ),
        runs,
        factors: Some(factor_study()),
        probes: Vec::new(),
        replacements: Vec::new(),
        domains: Vec::new(),
    }
}

/// Points of three settings with five bundles each, and one point with a crossed plan of split, initialization and order.
fn factor_study() -> FactorTable {
    let factor = |name: &str, scale| Factor {
        name: name.to_owned(),
        scale,
    };
    let norms = ["batch", "running", "none"].map(str::to_owned).to_vec();
    let factors = vec![
        factor(
            "inner_lr",
            Scale::Logarithmic {
                low: 0.01,
                high: 1.0,
            },
        ),
        factor(
            "filters",
            Scale::Linear {
                low: 16.0,
                high: 64.0,
            },
        ),
        factor("norm", Scale::Categories(norms)),
    ];
    let mut draws = Draws(99);
    let mut runs = Vec::new();
    for point in 0..60 {
        let levels: Vec<f64> = factors
            .iter()
            .map(|f| f.scale.from_unit(draws.uniform()))
            .collect();
        for bundle in 0..5 {
            let labels = std::array::from_fn(|_| format!("p{bundle}"));
            runs.push(factor_run(
                format!("p{point}-b{bundle}"),
                &levels,
                labels,
                0.0,
                &mut draws,
            ));
        }
    }
    let effects: Vec<f64> = (0..6)
        .map(|at| draws.normal() * if at < 3 { 0.02 } else { 0.008 })
        .collect();
    for (split, init, order) in (0..27).map(|at| (at / 9, at / 3 % 3, at % 3)) {
        let labels = [split, init, order].map(|level| level.to_string());
        let id = format!("plan-{}", labels.join(""));
        let effect = effects[split] + effects[3 + init];
        runs.push(factor_run(
            id,
            &[0.4, 64.0, 0.0],
            labels,
            effect,
            &mut draws,
        ));
    }
    FactorTable {
        response: "accuracy".to_owned(),
        factors,
        streams: ["split", "init", "order"].map(str::to_owned).to_vec(),
        runs,
        queries: None,
        bounds: None,
        may_vary: Vec::new(),
    }
}

fn factor_run(
    id: String,
    levels: &[f64],
    streams: [String; 3],
    effect: f64,
    draws: &mut Draws,
) -> FactorRun {
    let sd = if levels[2] > 1.5 { 0.03 } else { 0.006 };
    let center = 0.95 - 0.15 * (levels[0].log10() + 0.6).powi(2) + 0.0004 * (levels[1] - 40.0);
    FactorRun {
        id,
        levels: levels.to_vec(),
        streams: streams.to_vec(),
        response: Some((center + effect + sd * draws.normal()).clamp(0.0, 1.0)),
        failed: draws.uniform()
            < if levels[0] > 0.5 && levels[2] > 1.5 {
                0.6
            } else {
                0.02
            },
        scores: Vec::new(),
        fingerprint: BTreeMap::new(),
    }
}

fn run(learner: &Learner, seed: u64, difficulty: &[f64], draws: &mut Draws) -> Run {
    let skill = learner.skill + learner.seed_sd * draws.normal();
    let pace = (1.5 * learner.seed_sd * draws.normal()).exp();
    let diverged = learner.diverges == Some(seed);
    let last = if diverged { 1300 } else { 3000 };
    let history = (1..=last / 100)
        .map(|i| progress(learner, (skill, pace), 100 * i, draws))
        .collect();
    let setting = BTreeMap::from(
        [
            ("data", "simulated from a fixed key"),
            ("network", "none"),
            ("test.k_shot", "1"),
            ("train.steps", "3000"),
            (
                "learner.inner_steps",
                learner.inner_steps.map_or("none", |_| "5"),
            ),
            (
                "learner.inner_lr",
                learner.inner_steps.map_or("none", |_| "0.4"),
            ),
            ("learner.name", learner.name),
        ]
        .map(|(field, value)| (field.to_owned(), value.to_owned())),
    );
    Run {
        id: format!("{}-seed{seed}", learner.name),
        learner: learner.name.to_owned(),
        setting: "simulated 5-way 1-shot".to_owned(),
        seed,
        outcome: if diverged {
            Outcome::Diverged {
                step: 1342,
                cause: "query loss is not finite".to_owned(),
            }
        } else {
            Outcome::Completed
        },
        history,
        train_seconds: 41.0 + 3.0 * draws.uniform(),
        test: (!diverged).then(|| test(skill, difficulty, draws)),
        scores: None,
        adaptation: learner
            .inner_steps
            .filter(|_| !diverged)
            .map(|steps| adaptation(skill, steps, difficulty, draws)),
        training: None,
        selection: None,
        fingerprint: setting,
    }
}

fn progress(
    learner: &Learner,
    (skill, pace): (f64, f64),
    step: usize,
    draws: &mut Draws,
) -> Progress {
    let way = 1.0 - (-(step as f64) / (learner.pace * pace)).exp();
    let accuracy = 0.2 + (logistic(skill) - 0.2) * way + 0.006 * draws.normal();
    Progress {
        step,
        train_loss: 1.6 * (1.0 - way) + 0.1,
        train_accuracy: accuracy.clamp(0.0, 1.0),
        validation_accuracy: Some(accuracy.clamp(0.0, 1.0)),
    }
}

fn test(skill: f64, difficulty: &[f64], draws: &mut Draws) -> Test {
    let mut predictions = Vec::new();
    let mut task_nll = Vec::new();
    let mut query_log_odds = Vec::new();
    for hardness in difficulty {
        let p = logistic(skill - hardness + 0.4 * draws.normal());
        let mut nll = 0.0;
        for query in 0..N_WAY * N_QUERY {
            let label = query / N_QUERY;
            let right = draws.uniform() < p;
            let of_truth = if right {
                p
            } else {
                (1.0 - p) / (N_WAY - 1) as f64
            };
            nll -= of_truth.ln();
            query_log_odds.push(((1.0 - of_truth) / of_truth).ln());
            let other = (label + 1 + (draws.uniform() * (N_WAY - 1) as f64) as usize) % N_WAY;
            predictions.push(if right { label } else { other } as u8);
        }
        task_nll.push(nll / (N_WAY * N_QUERY) as f64);
    }
    Test {
        n_tasks: difficulty.len(),
        n_way: N_WAY,
        n_query: N_QUERY,
        predictions,
        task_nll,
        query_log_odds: Some(query_log_odds),
        classes: None,
    }
}

fn adaptation(
    skill: f64,
    trained_steps: usize,
    difficulty: &[f64],
    draws: &mut Draws,
) -> Adaptation {
    let tasks = &difficulty[..50.min(difficulty.len())];
    let (mut query_accuracy, mut support_loss, mut query_loss) =
        (Vec::new(), Vec::new(), Vec::new());
    for hardness in tasks {
        let top = skill - hardness;
        for k in 0..=4 * trained_steps {
            // After the steps of training the query loss creeps up again while the support loss falls.
            let way = 1.0 - (-(k as f64) / 1.2).exp();
            let p = 0.2 + (logistic(top) - 0.2) * way;
            let rounded = (p * 75.0 + 1.5 * draws.normal()).round().clamp(0.0, 75.0) / 75.0;
            query_accuracy.push(if k == 0 {
                (0.2f64 + 0.03 * draws.normal()).max(0.0)
            } else {
                rounded
            });
            support_loss.push(1.6 * (-(k as f64) / 0.9).exp() + 0.002);
            query_loss.push(
                -p.ln() + 0.012 * k.saturating_sub(trained_steps) as f64 + 0.01 * draws.uniform(),
            );
        }
    }
    Adaptation {
        n_tasks: tasks.len(),
        trained_steps,
        query_accuracy,
        support_loss,
        query_loss,
    }
}

fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// SplitMix64 (Steele, Lea and Flood 2014): enough for a picture, and no dependency.
struct Draws(u64);

impl Draws {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Standard normal, by the central limit of twelve uniform draws.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.uniform()).sum::<f64>() - 6.0
    }
}
