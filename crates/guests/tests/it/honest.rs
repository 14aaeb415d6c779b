//! A guest that does as it should.

use std::time::Duration;

use metastable_algorithms::{Context, Predict, Task};
use metastable_data::EpisodeShape;
use metastable_guests::{Guest, Outside, state};
use metastable_models::ImageShape;

use super::support::{accuracy_of_nearest_mean, guest, start, tasks};

#[test]
fn a_nearest_mean_elsewhere_has_the_accuracies_of_one_here() {
    let mut session = start(&guest(&["nearest-mean"])).unwrap();
    assert_eq!(session.ready().max_batch, 4);
    let tasks = tasks(12);
    let mut n_wrong = 0;
    for some in tasks.chunks(4) {
        let some: Vec<&Task<f32>> = some.iter().collect();
        for (task, prediction) in some.iter().zip(session.predict(&some).unwrap()) {
            let accuracy = prediction.accuracy(task.query_labels());
            let expected = accuracy_of_nearest_mean(task);
            assert_eq!(accuracy.to_bits(), expected.to_bits());
            n_wrong += usize::from(accuracy < 1.0);
        }
    }
    assert!(n_wrong > 0, "tasks that are all right would prove little");
    session.bye();
}

#[test]
fn a_cheat_by_position_scores_chance() {
    let mut session = start(&guest(&["cheat"])).unwrap();
    let tasks = tasks(60);
    let mut sum = 0.0;
    for task in &tasks {
        let prediction = session.predict(&[task]).unwrap().remove(0);
        sum += prediction.accuracy(task.query_labels()) / tasks.len() as f64;
    }
    // 900 queries at 1/5: the standard error is 0.013.
    assert!((sum - 0.2).abs() < 0.05, "{sum}");
}

#[test]
fn what_is_learnt_is_saved_and_loaded_by_another_process() {
    let tasks = tasks(2);
    let mut session = start(&guest(&["nearest-mean"])).unwrap();
    for step in 1..=3 {
        let trained = session.train(step, &tasks).unwrap();
        assert_eq!(
            trained.loss.map(f64::to_bits),
            Some((1.0 / step as f64).to_bits())
        );
    }
    let state = session.save().unwrap();
    assert_eq!(state, 3_u64.to_le_bytes());
    let mut other = start(&guest(&["nearest-mean"])).unwrap();
    other.load(&state).unwrap();
    let trained = other.train(4, &tasks).unwrap();
    assert_eq!(trained.loss.map(f64::to_bits), Some(0.25_f64.to_bits()));
}

#[test]
fn equal_questions_have_equal_answers_whatever_their_order_and_threads() {
    let task = tasks(1).remove(0);
    let mut session = start(&guest(&["nearest-mean"])).unwrap();
    let first = session.predict(&[&task]).unwrap().remove(0);
    assert_eq!(session.predict(&[&task]).unwrap().remove(0), first);
    // Means of other orders of the same images differ in rounding alone.
    let arranged = session.predict(&[&task.arranged(5)]).unwrap().remove(0);
    for (a, b) in arranged
        .log_probabilities
        .iter()
        .zip(&first.log_probabilities)
    {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
    // Behind the trait of all learners.
    let image = ImageShape {
        height: 20,
        width: 20,
        channels: 1,
    };
    let network = Outside::new(image, None);
    let weights = state(&network, 0);
    let guest = Guest::with(vec![session]);
    let context = Context::training(&network, &task);
    assert_eq!(guest.predict(&context, &weights.theta).unwrap(), first);
    let other = state(&network, 1);
    assert!(guest.predict(&context, &other.theta).is_err());
}

#[test]
fn another_arrangement_moves_images_within_their_class_alone() {
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 4,
        n_query: 2,
    };
    let task = Task::new(shape, (0..12).map(f64::from).collect()).unwrap();
    assert_eq!(task.arranged(0), task);
    let other = task.arranged(3);
    assert_eq!((&other, other.arrangement()), (&task.arranged(3), 3));
    assert_ne!(other.support_images(), task.support_images());
    assert_eq!(other.support_labels(), task.support_labels());
    assert_eq!(other.query_images(), task.query_images());
    let mut sorted = other.support_images().to_vec();
    sorted
        .chunks_exact_mut(4)
        .for_each(|class| class.sort_by(f64::total_cmp));
    assert_eq!(sorted, task.support_images());
}

#[cfg(target_os = "linux")]
#[test]
fn a_guest_ends_with_its_session() {
    let alive = |marker: &str| {
        std::fs::read_dir("/proc").unwrap().any(|entry| {
            let line = std::fs::read(entry.unwrap().path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains(marker)
        })
    };
    let marker = format!("marker-{}", std::process::id());
    let session = start(&guest(&["nearest-mean", "", &marker])).unwrap();
    assert!(alive(&marker));
    drop(session);
    std::thread::sleep(Duration::from_millis(50));
    // This test's own command line does not have the marker.
    assert!(!alive(&marker));
}
