//! What to run next: the cheapest runs that would settle what a study leaves open, and what more of each would buy.

use serde::Serialize;

use super::document::{count, decimal, list};
use super::light::{Verdict, judge};
use crate::between_settings::SettingEffects;
use crate::components::Components;
use crate::distribution::deviation_factors;
use crate::estimate::Estimate;
use crate::factors::key::{FactorList, KeyFactors};
use crate::options::Light;
use crate::outcome::{LearnerAnalysis, StudyAnalysis};
use crate::planner::{MOST_SEEDS, Size, half_width};
use crate::probe::support_sets::SupportSets;
use crate::record::Study;
use crate::spread::Spread;
use crate::steadiness::{SpreadVerdict, Steadiness};
use crate::summary::NO_SCATTER;
use crate::tail::Tail;

/// The setting, in parentheses, where there are several.
fn place(analysis: &StudyAnalysis, setting: &str) -> String {
    match analysis.settings.len() {
        0 | 1 => String::new(),
        _ => format!(" ({setting})"),
    }
}

/// What more seeds would settle.
struct Plan {
    /// Seeds of each learner in all.
    seeds: usize,
    /// What they settle.
    what: String,
}

/// In ascending order of seeds.
fn plans(analysis: &StudyAnalysis) -> Vec<Plan> {
    let mut plans = Vec::new();
    for setting in &analysis.settings {
        let place = place(analysis, &setting.setting);
        for pair in setting.all.get::<Steadiness>().unwrap_or_default().pairs {
            if let SpreadVerdict::Open { seeds: Some(seeds) } = pair.verdict {
                plans.push(Plan {
                    seeds,
                    what: format!("which of {} and {} is steadier{place}", pair.a, pair.b),
                });
            }
        }
        for learner in &setting.learners {
            let Some(light) = analysis.options.lights.get("seed_sd") else {
                continue;
            };
            let spread = learner.all.get::<Spread>();
            let Some(spread) = spread else { continue };
            let is_open = |sd: &Estimate| judge(sd, *light) == Verdict::Open;
            if spread.between_seeds().is_some_and(is_open)
                && let Some(seeds) =
                    seeds_for_light(&spread, *light, learner.seeds.len(), analysis.options.level)
            {
                plans.push(Plan {
                    seeds,
                    what: format!("the seed spread of {}{place}", learner.learner),
                });
            }
        }
    }
    for it in analysis
        .all
        .get::<SettingEffects>()
        .unwrap_or_default()
        .pairs
    {
        if let SpreadVerdict::Open { seeds: Some(seeds) } = it.spread.verdict {
            plans.push(Plan {
                seeds,
                what: format!(
                    "what the setting does to the spread of {} ({} and {})",
                    it.learner, it.spread.a, it.spread.b
                ),
            });
        }
    }
    plans.sort_by_key(|plan| plan.seeds);
    plans
}

/// Seeds from which the interval of the standard deviation over seeds would leave one of the thresholds, if it stays what it is and the
/// runs are normal.
fn seeds_for_light(spread: &Spread, light: Light, from: usize, level: f64) -> Option<usize> {
    let (sd, noise) = (
        spread.seed_sd.as_ref()?.value,
        spread.test_noise.unwrap_or(0.0),
    );
    // Runs that are copies of each other would have more copies.
    if sd <= NO_SCATTER {
        return None;
    }
    let left = |factor: f64| ((factor * sd).powi(2) - noise).max(0.0).sqrt();
    (from + 1..=MOST_SEEDS).find(|&n| {
        deviation_factors(n, level).is_some_and(|(low, high)| {
            (left(1.0) <= light.good && left(high) < light.bad)
                || (left(1.0) >= light.bad && left(low) > light.good)
        })
    })
}

/// Learners whose runs all have one mean, and what to look at before more of them are run.
fn equal_runs(analysis: &StudyAnalysis) -> Option<String> {
    let settings = analysis.settings.iter();
    let learners = settings.flat_map(|it| it.learners.iter().map(|of| (it.setting.as_str(), of)));
    let has_equal = |(_, it): &(&str, &LearnerAnalysis)| {
        let sd = it.all.get::<Spread>().and_then(|spread| spread.seed_sd);
        sd.is_some_and(|sd| sd.value <= NO_SCATTER)
    };
    let names: Vec<String> = learners
        .filter(has_equal)
        .map(|(setting, it)| format!("{}{}", it.learner, place(analysis, setting)))
        .collect();
    (!names.is_empty()).then(|| {
        format!(
            "More runs of {} tell nothing as long as all runs are equal. Check whether the seed reaches the training, or take a harder test.",
            list(&names)
        )
    })
}

/// What to run next.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Advice {
    /// What further runs would settle, or that none would.
    pub sentences: Vec<String>,
    /// What a larger experiment would make of the interval of each learner's mean.
    pub widths: Vec<Widths>,
    /// Runs that are new; 0 where none are proposed.
    pub new_runs: usize,
    /// Expected time of training of the new runs one after the other, each as long as those so far were on average.
    pub seconds: f64,
    /// The command, for a study that has one.
    pub command: Option<String>,
}

/// Half-widths of the interval of a learner's mean over other trainings and other tasks, as fractions: what it is, and what twice as much would
/// be expected to make of it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Widths {
    /// Name of the learner.
    pub learner: String,
    /// Name of the setting.
    pub setting: String,
    /// Runs, R.
    pub n_runs: usize,
    /// Test tasks, T.
    pub n_tasks: usize,
    /// Queries of a task; absent where they are not known.
    pub n_queries: Option<usize>,
    /// As it is.
    pub now: f64,
    /// With twice the seeds.
    pub twice_runs: f64,
    /// With twice the test tasks.
    pub twice_tasks: f64,
    /// With twice the queries of each task; absent where they are not known.
    pub twice_queries: Option<f64>,
    /// With two support sets for each task; absent where `probe` did not ask what one brings (family `c`).
    pub twice_supports: Option<f64>,
}

fn widths(analysis: &StudyAnalysis) -> Vec<Widths> {
    let settings = analysis.settings.iter();
    let learners = settings.flat_map(|it| it.learners.iter().map(move |of| (&it.setting, of)));
    let of = |(setting, learner): (&String, &LearnerAnalysis)| {
        let found: Components = learner.all.get()?;
        let queries = learner.all.get::<Tail>().map(|it| it.queries_per_task);
        let now = Size {
            n_runs: found.n_runs,
            n_tasks: found.n_tasks,
            n_supports: 1,
            n_queries: queries,
        };
        let supports = learner.all.get::<SupportSets>().and_then(|it| it.parts);
        let with = |planned: Size| half_width(&found, supports, now, planned);
        Some(Widths {
            learner: learner.learner.clone(),
            setting: setting.clone(),
            n_runs: now.n_runs,
            n_tasks: now.n_tasks,
            n_queries: queries,
            now: with(now)?,
            twice_runs: with(Size {
                n_runs: 2 * now.n_runs,
                ..now
            })?,
            twice_tasks: with(Size {
                n_tasks: 2 * now.n_tasks,
                ..now
            })?,
            twice_queries: queries.and_then(|queries| {
                with(Size {
                    n_queries: Some(2 * queries),
                    ..now
                })
            }),
            twice_supports: with(Size {
                n_supports: 2,
                ..now
            }),
        })
    };
    learners.filter_map(of).collect()
}

/// What twice as much of each would make of the intervals of the means.
fn narrower(widths: &[Widths]) -> Option<String> {
    let share = |of: &dyn Fn(&Widths) -> f64| {
        let shares: Vec<f64> = widths
            .iter()
            .filter(|it| it.now > 0.0)
            .map(|it| of(it) / it.now)
            .collect();
        let least = shares.iter().copied().reduce(f64::min)?;
        let most = shares.iter().copied().reduce(f64::max)?;
        let (least, most) = (decimal(least, 2), decimal(most, 2));
        Some(if least == most {
            format!("x {least}")
        } else {
            format!("x {least} to {most}")
        })
    };
    Some(format!(
        "Expected width of the interval of a mean over trainings and tasks, relative to the present width: {} with twice the seeds, {} with twice the test tasks.",
        share(&|it| it.twice_runs)?,
        share(&|it| it.twice_tasks)?
    ))
}

/// The cheapest runs that would settle most of what a study leaves open, if its estimates are right.
#[must_use]
pub fn advice(study: &Study, analysis: &StudyAnalysis) -> Advice {
    let plain = |sentence: &str| Advice {
        sentences: vec![sentence.to_owned()],
        ..Advice::default()
    };
    if study.runs.is_empty() {
        let is_open =
            |list: &FactorList| list.settled().next().is_none() && list.why_none.is_none();
        let key: Option<KeyFactors> = analysis.all.get();
        return plain(if key.is_some_and(|key| key.lists.iter().any(is_open)) {
            "Added seeds at each point settle more than added points do. Repeat the study with a higher --seeds."
        } else {
            "No open verdict would be settled by more runs of this study."
        });
    }
    let widths = widths(analysis);
    let narrower = narrower(&widths);
    let plans = plans(analysis);
    let equal = equal_runs(analysis);
    let Some(first) = plans.first() else {
        let mut sentences = vec![format!(
            "No open verdict would be settled by up to {MOST_SEEDS} seeds."
        )];
        sentences.extend(equal);
        sentences.extend(narrower);
        return Advice {
            sentences,
            widths,
            ..Advice::default()
        };
    };
    // What a quarter more seeds settles along with the cheapest is worth running at once.
    let most = first.seeds + first.seeds.div_ceil(4);
    let within: Vec<&Plan> = plans.iter().filter(|plan| plan.seeds <= most).collect();
    let seeds = within.last().map_or(first.seeds, |plan| plan.seeds);
    let learners = analysis.settings.iter().flat_map(|it| &it.learners);
    let new_runs = learners
        .map(|it| seeds.saturating_sub(it.seeds.len()))
        .sum();
    let settled: Vec<&str> = within.iter().map(|plan| plan.what.as_str()).collect();
    let mut sentences = vec![format!(
        "{} of each learner ({} more in all) would settle {}, if the estimates are right.",
        count(seeds, "seed"),
        count(new_runs, "run"),
        list(&settled)
    )];
    let rest = plans.len() - within.len();
    if rest > 0 {
        sentences.push(format!("{} would need more.", count(rest, "open verdict")));
    }
    sentences.extend(equal);
    sentences.extend(narrower);
    Advice {
        sentences,
        widths,
        new_runs,
        seconds: seconds(study, new_runs),
        command: with_seeds(&study.command, seeds),
    }
}

/// How long the new runs train if one follows another.
fn seconds(study: &Study, new_runs: usize) -> f64 {
    let trained: f64 = study.runs.iter().map(|run| run.train_seconds).sum();
    trained / study.runs.len().max(1) as f64 * new_runs as f64
}

impl Advice {
    /// How long the new runs train, where that is known.
    #[must_use]
    pub fn time(&self) -> Option<String> {
        let written = match self.seconds {
            s if s <= 0.0 => return None,
            s if s < 90.0 => format!("{s:.0} s"),
            s if s < 5400.0 => format!("{:.0} min", s / 60.0),
            s => format!("{:.1} h", s / 3600.0),
        };
        Some(format!(
            "This is about {written} of training, one run after another, if each takes as long as the average run so far."
        ))
    }
}

/// The command that adds seeds to the study: its own, into the folder that it read the study from, where what has run is found in the
/// store. None for a study that no command made.
fn with_seeds(command: &str, seeds: usize) -> Option<String> {
    let (made, _) = command.split_once(" --out ")?;
    let (program, study) = made.split_once(" experiment ")?;
    let folder = study.replacen("/study.toml", "", 1);
    Some(format!(
        "{program} experiment {study} --out {folder} --seeds {seeds}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::ScoreMatrix;
    use crate::spread::spread;

    #[test]
    fn the_command_gets_one_number_of_seeds() {
        let with = |command: &str| with_seeds(command, 12);
        assert_eq!(
            with(
                "metastable experiment 'a b/study.toml' --out 'a b-again' --store 'a b-again/store'"
            )
            .as_deref(),
            Some("metastable experiment 'a b/study.toml' --out 'a b' --seeds 12")
        );
        assert_eq!(with("metastable analyze scores.csv"), None);
    }

    /// Runs of 2 s and 4 s: 40 more take 120 s.
    #[test]
    fn the_time_of_new_runs_is_that_of_the_old_ones() {
        let run = |seconds: f64| crate::Run {
            id: String::new(),
            learner: String::new(),
            setting: String::new(),
            seed: 0,
            outcome: crate::Outcome::Completed,
            history: Vec::new(),
            train_seconds: seconds,
            test: None,
            scores: None,
            adaptation: None,
            training: None,
            selection: None,
            fingerprint: Default::default(),
        };
        let study = Study {
            runs: vec![run(2.0), run(4.0)],
            ..Study::default()
        };
        let of = |new_runs: usize| Advice {
            seconds: seconds(&study, new_runs),
            ..Advice::default()
        };
        assert!(
            of(40)
                .time()
                .unwrap()
                .starts_with("This is about 2 min of training")
        );
        assert_eq!(of(0).time(), None);
    }

    #[test]
    fn seeds_for_a_light_by_hand() {
        let light = Light {
            good: 0.5,
            bad: 1.5,
        };
        let with = |sd: f64, noise: f64| {
            let table = ScoreMatrix::from_rows(&[vec![0.4, 0.6], vec![0.5, 0.7]]).unwrap();
            Spread {
                seed_sd: Some(Estimate::bare(sd)),
                test_noise: Some(noise),
                ..spread(&table, 0.95).unwrap()
            }
        };
        let seeds = |sd, noise| seeds_for_light(&with(sd, noise), light, 3, 0.95);
        // The upper factor at 4 seeds is 3.73 (1.49 under 1.5).
        assert_eq!(seeds(0.4, 0.0), Some(4));
        assert_eq!(seeds(1.0, 0.0), None);
        // An SD of 0.4 beyond a noise of 0.8: s^2 = 0.8. At 9 seeds the factor is 1.916, and sqrt(1.916^2 0.8 - 0.64) = 1.516; at 10 seeds
        // 1.826, and 1.424.
        assert_eq!(seeds(0.8_f64.sqrt(), 0.64), Some(10));
    }
}
