//! On procedural glyphs: the same bits on any number of threads, and learning that beats its start.

use acceptance::{Scenario, with_threads};
use metastable_algorithms::{LEARNERS, LearnerConfig};
use metastable_data::{Dataset, EpisodeShape, GlyphsConfig, Seeds, Split, glyphs};

fn scenario(learner: &str) -> Scenario {
    Scenario {
        learner: LearnerConfig::named(learner),
        shape: EpisodeShape {
            n_way: 5,
            k_shot: 1,
            n_query: 3,
        },
        outer_steps: 3,
        meta_batch: 3,
        width: 8,
        n_tasks: 10,
        seed: 1,
    }
}

fn data() -> (Dataset, Split) {
    let config = GlyphsConfig {
        n_alphabets: 10,
        n_characters: 10,
        n_drawers: 8,
        ..GlyphsConfig::default()
    };
    let dataset = glyphs::generate(&config).unwrap();
    let rule = "random-alphabets".parse().unwrap();
    let split = Split::new(&dataset, &rule, &Seeds::all(0)).unwrap();
    (dataset, split)
}

#[test]
fn every_learner_has_the_same_bits_on_1_2_and_4_threads() {
    let (dataset, split) = data();
    for entry in LEARNERS {
        let scenario = scenario(entry.name);
        let run = || scenario.run(&dataset, &split).unwrap();
        let one = with_threads(1, run).unwrap();
        for n in [2, 4] {
            assert!(
                one == with_threads(n, run).unwrap(),
                "{} on {n} threads",
                entry.name
            );
        }
    }
}

#[test]
fn another_seed_gives_other_weights_on_the_same_test_list() {
    let (dataset, split) = data();
    let first = scenario("protonet").run(&dataset, &split).unwrap();
    let second = Scenario {
        seed: 2,
        ..scenario("protonet")
    };
    let second = second.run(&dataset, &split).unwrap();
    assert!(first.theta != second.theta);
    assert_eq!(first.test_list, second.test_list);
    // The digest does tell lists apart: one episode more is another list.
    let longer = Scenario {
        n_tasks: 11,
        ..scenario("protonet")
    };
    assert_ne!(
        first.test_list,
        longer.run(&dataset, &split).unwrap().test_list
    );
}

/// Chance is 20 %, and random features alone tell glyphs apart to some degree: a short training has to beat both. The
/// standard error of a mean over 60 tasks of 15 queries is below 2.5 points even if queries of a task go together.
#[test]
fn a_short_training_beats_chance_and_its_start() {
    let (dataset, split) = data();
    for learner in ["maml", "protonet"] {
        let scenario = Scenario {
            outer_steps: 120,
            meta_batch: 4,
            n_tasks: 60,
            ..scenario(learner)
        };
        let trace = scenario.run(&dataset, &split).unwrap();
        let (before, after) = (trace.before.accuracy(), trace.after.accuracy());
        println!("{learner}: {before:.3} before, {after:.3} after");
        assert!(after > 0.35, "{learner}: {after}");
        assert!(
            after > before + 0.1,
            "{learner}: {before} before, {after} after"
        );
    }
}
