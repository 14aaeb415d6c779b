//! Tests of the sampler: what an episode always is, and what each stream changes and leaves alone.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rayon::prelude::*;

use super::*;
use crate::list_digest;
use crate::test_data::dataset;

const SHAPE: EpisodeShape = EpisodeShape {
    n_way: 5,
    k_shot: 3,
    n_query: 8,
};

fn sampler(rotations: Rotations) -> Sampler {
    let dataset = dataset(4, 6, 20);
    Sampler::new(&dataset, &dataset.all_classes(), SHAPE, rotations, false).unwrap()
}

#[test]
fn images_that_are_not_square_are_not_turned() {
    let class = |name: u8| crate::ClassImages {
        name: name.to_string(),
        alphabet: ".".into(),
        pixels: (0..12).map(|at| 20 * name + at).collect(),
    };
    let size = "2x3".parse::<crate::ImageSize>().unwrap();
    let dataset = Dataset::from_classes("made", size, (0..3).map(class)).unwrap();
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 1,
        n_query: 1,
    };
    let classes = dataset.all_classes();
    for rotations in [Rotations::AsClasses, Rotations::Augment] {
        let refused = Sampler::new(&dataset, &classes, shape, rotations, false).unwrap_err();
        let said = refused.to_string();
        assert!(
            said.contains("2x3") && said.contains("test_rotations = \"off\""),
            "{said}"
        );
    }
    let sampler = Sampler::new(&dataset, &classes, shape, Rotations::Off, false).unwrap();
    let episode = sampler.episode(&Seeds::all(0), 0);
    let mut images: Vec<f64> = Vec::new();
    episode.gather(&dataset, &mut images);
    let first = dataset.image(episode.support[0] as usize);
    let expected: Vec<f64> = first.iter().map(|byte| f64::from(*byte) / 255.0).collect();
    assert_eq!(images[..6], expected);
    // The digest tells 2x3 from 3x2.
    let other = "3x2".parse::<crate::ImageSize>().unwrap();
    let other = Dataset::from_classes("made", other, (0..3).map(class)).unwrap();
    assert_ne!(other.digest, dataset.digest);
}

/// What an episode says of one class, without its label.
type OfClass = (u32, u8, Vec<u32>, Vec<u32>);

fn by_label(episode: &Episode) -> Vec<OfClass> {
    let EpisodeShape {
        k_shot, n_query, ..
    } = episode.shape;
    let images = episode
        .support
        .chunks(k_shot)
        .zip(episode.query.chunks(n_query));
    episode
        .classes
        .iter()
        .zip(images)
        .map(|(class, (support, query))| {
            (
                class.class_idx,
                class.quarter_turns,
                support.to_vec(),
                query.to_vec(),
            )
        })
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn an_episode_is_what_its_shape_says(
        seed: u64,
        index: u64,
        n_way in 2_usize..10,
        k_shot in 1_usize..6,
        n_query in 1_usize..7,
        rotations in prop::sample::select(Rotations::ALL.map(|(_, rotations)| rotations).to_vec()),
        within_alphabet: bool,
    ) {
        let dataset = dataset(3, 10, 12);
        let classes: Vec<u32> = (0..30).filter(|class_idx| class_idx % 10 != 7).collect();
        let shape = EpisodeShape { n_way, k_shot, n_query };
        let sampler = Sampler::new(&dataset, &classes, shape, rotations, within_alphabet).unwrap();
        let episode = sampler.episode(&Seeds::all(seed), index);
        prop_assert_eq!(episode.classes.len(), n_way);
        prop_assert_eq!(episode.support.len(), shape.n_support());
        prop_assert_eq!(episode.query.len(), shape.n_queries());
        let distinct: BTreeSet<_> = episode.classes.iter().collect();
        prop_assert_eq!(distinct.len(), n_way);
        for (class_idx, turns, support, query) in by_label(&episode) {
            prop_assert!(classes.contains(&class_idx));
            prop_assert!(turns < 4 && (rotations != Rotations::Off || turns == 0));
            let images: BTreeSet<u32> = support.iter().chain(&query).copied().collect();
            prop_assert_eq!(images.len(), k_shot + n_query, "support and query are disjoint, nothing twice");
            let class = &dataset.classes[class_idx as usize];
            let own = class.first_image as u32..(class.first_image + class.n_images) as u32;
            prop_assert!(images.iter().all(|image_idx| own.contains(image_idx)));
        }
        if rotations != Rotations::AsClasses {
            let characters: BTreeSet<_> = episode.classes.iter().map(|class| class.class_idx).collect();
            prop_assert_eq!(characters.len(), n_way, "no character twice");
        }
        if within_alphabet {
            let alphabets: BTreeSet<_> = episode.classes.iter().map(|class| class.class_idx / 10).collect();
            prop_assert_eq!(alphabets.len(), 1);
        }
    }

    #[test]
    fn larger_episodes_hold_the_smaller(seed: u64, index: u64) {
        let dataset = dataset(1, 12, 20);
        let episode = |n_way, k_shot, n_query| {
            let shape = EpisodeShape { n_way, k_shot, n_query };
            let sampler = Sampler::new(&dataset, &dataset.all_classes(), shape, Rotations::Off, false).unwrap();
            let mut classes = by_label(&sampler.episode(&Seeds::all(seed), index));
            classes.sort();
            classes
        };
        let small = episode(3, 2, 5);
        for ((_, _, support, query), (_, _, more_support, same_query)) in small.iter().zip(&episode(3, 4, 5)) {
            prop_assert_eq!(support, &more_support[..2]);
            prop_assert_eq!(query, same_query);
        }
        for ((.., query), (.., more_query)) in small.iter().zip(&episode(3, 2, 9)) {
            prop_assert_eq!(query, &more_query[..5]);
        }
        let wide = episode(8, 2, 5);
        prop_assert!(small.iter().all(|class| wide.contains(class)));
    }
}

#[test]
fn same_key_same_bytes_in_any_order_on_any_thread() {
    let dataset = dataset(4, 6, 20);
    let sampler = sampler(Rotations::AsClasses);
    let seeds = Seeds::all(5);
    let bytes = |index: u64| {
        let episode = sampler.episode(&seeds, index);
        let mut buffer: Vec<f32> = Vec::new();
        episode.gather(&dataset, &mut buffer);
        (episode, buffer)
    };
    let forwards: Vec<_> = (0..64).map(bytes).collect();
    let mut backwards: Vec<_> = (0..64).rev().map(bytes).collect();
    backwards.reverse();
    assert!(forwards == backwards);
    for n_threads in [1, 2, 4] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(n_threads)
            .build()
            .unwrap();
        let parallel: Vec<_> = pool.install(|| (0..64).into_par_iter().map(bytes).collect());
        assert!(forwards == parallel, "{n_threads} threads");
    }
}

/// Values of `tests/golden/episodes.py` (CPython 3), which has its own ChaCha8 and its own draws. A change of generator,
/// stream layout or draw shows here, as it would in every figure.
#[test]
fn the_first_episodes_are_those_of_an_independent_program() {
    let sampler = sampler(Rotations::AsClasses);
    let list = |seeds: &Seeds| list_digest((0..100).map(|index| sampler.episode(seeds, index)));
    let seeds = Seeds::all(0);
    assert_eq!(
        list(&seeds),
        "fe15655e3345c57ea9fd08a2ef7c72a2a0e595549d038454b30d04f91de47d99"
    );
    assert_eq!(
        list(&seeds.evaluation()),
        "dd401804cf6f4b9c0ad3c29dc01b49e0090e8d75822685641a527718c9fb9dc9"
    );
}

/// Replaces each stream alone, over many indices, and compares all that an episode says.
#[test]
fn each_stream_changes_its_own_part_alone() {
    for rotations in [Rotations::AsClasses, Rotations::Augment, Rotations::Off] {
        let sampler = sampler(rotations);
        let seeds = Seeds::all(3);
        for stream in Stream::ALL {
            let changed = seeds.with(stream, 4);
            let mut n_changed = 0;
            for index in 0..50 {
                let (before, after) = (
                    sampler.episode(&seeds, index),
                    sampler.episode(&changed, index),
                );
                n_changed += usize::from(before != after);
                check_change(stream, &before, &after);
            }
            let matters = match stream {
                Stream::Task | Stream::Support | Stream::Query | Stream::Label => true,
                Stream::Augment => rotations == Rotations::Augment,
                Stream::Split | Stream::Init | Stream::Eval => false,
            };
            assert_eq!(
                n_changed > 40,
                matters,
                "{stream:?} {rotations:?}: {n_changed} of 50 changed"
            );
            assert!(matters || n_changed == 0, "{stream:?} {rotations:?}");
        }
    }
}

fn check_change(stream: Stream, before: &Episode, after: &Episode) {
    match stream {
        Stream::Support => {
            assert_eq!(
                (&before.classes, &before.query),
                (&after.classes, &after.query)
            );
        }
        Stream::Query => {
            assert_eq!(before.classes, after.classes);
            for ((_, _, old, old_query), (_, _, new, query)) in
                by_label(before).iter().zip(&by_label(after))
            {
                // A support goes only by becoming a query or for one that was a query before.
                let entered = new.iter().filter(|image_idx| !old.contains(image_idx));
                assert!(entered.clone().count() <= old_query.len());
                let left = old.iter().filter(|image_idx| !new.contains(image_idx));
                let freed = new.iter().any(|image_idx| old_query.contains(image_idx));
                assert!(freed || left.into_iter().all(|image_idx| query.contains(image_idx)));
            }
        }
        Stream::Label => {
            let [mut old, mut new] = [by_label(before), by_label(after)];
            old.sort();
            new.sort();
            assert_eq!(
                old, new,
                "the same classes with the same images, under other labels"
            );
        }
        Stream::Augment => {
            let characters = |episode: &Episode| -> Vec<u32> {
                episode
                    .classes
                    .iter()
                    .map(|class| class.class_idx)
                    .collect()
            };
            assert_eq!(characters(before), characters(after));
            assert_eq!(
                (&before.support, &before.query),
                (&after.support, &after.query)
            );
        }
        Stream::Task => {
            let positions = |episode: &Episode| -> Vec<u32> {
                episode
                    .support
                    .iter()
                    .chain(&episode.query)
                    .map(|image_idx| image_idx % 20)
                    .collect()
            };
            assert_eq!(positions(before), positions(after));
        }
        Stream::Split | Stream::Init | Stream::Eval => assert_eq!(before, after),
    }
}

#[test]
fn the_evaluation_list_depends_on_its_seed_alone() {
    let sampler = sampler(Rotations::Augment);
    let list = |seeds: Seeds| {
        (0..20)
            .map(|index| sampler.episode(&seeds, index))
            .collect::<Vec<_>>()
    };
    let mut other = Seeds::all(77);
    other.eval = 1;
    assert!(list(Seeds::all(1).evaluation()) == list(other.evaluation()));
    assert!(list(Seeds::all(1).evaluation()) != list(Seeds::all(2).evaluation()));
    assert!(
        list(Seeds::all(1).evaluation()) != list(Seeds::all(1)),
        "not what a run was trained by"
    );
    let fixed = Seeds::all(1).evaluation();
    for (before, after) in list(fixed)
        .iter()
        .zip(&list(fixed.with(Stream::Support, 9)))
    {
        assert_eq!(
            (&before.classes, &before.query),
            (&after.classes, &after.query)
        );
    }
}

/// Each class in 5 of 24, each image of a drawn class as support in 3 of 20: binomial bounds at 5 SD.
#[test]
fn classes_images_and_turns_are_drawn_evenly() {
    let n_episodes = 4_000_u32;
    let sampler = sampler(Rotations::Augment);
    let (mut classes, mut supports, mut turns) = ([0_u32; 24], [0_u32; 20], [0_u32; 4]);
    for index in 0..u64::from(n_episodes) {
        let episode = sampler.episode(&Seeds::all(11), index);
        for class in &episode.classes {
            classes[class.class_idx as usize] += 1;
            turns[class.quarter_turns as usize] += 1;
        }
        episode
            .support
            .iter()
            .for_each(|image_idx| supports[(image_idx % 20) as usize] += 1);
    }
    let check = |counts: &[u32], n: u32, p: f64| {
        let mean = f64::from(n) * p;
        let bound = 5.0 * (mean * (1.0 - p)).sqrt();
        assert!(
            counts
                .iter()
                .all(|&count| (f64::from(count) - mean).abs() < bound),
            "{counts:?}"
        );
    };
    check(&classes, n_episodes, 5.0 / 24.0);
    check(&supports, n_episodes * 5, 3.0 / 20.0);
    check(&turns, n_episodes * 5, 0.25);
}

#[test]
fn gathered_rows_are_the_images_as_their_class_is_turned() {
    let dataset = dataset(4, 6, 20);
    let episode = sampler(Rotations::AsClasses).episode(&Seeds::all(2), 0);
    let mut buffer: Vec<f64> = vec![9.0; 3];
    episode.gather(&dataset, &mut buffer);
    let images = episode.support.iter().zip(episode.support_labels());
    let images = images.chain(episode.query.iter().zip(episode.query_labels()));
    assert_eq!(buffer.len(), (SHAPE.n_support() + SHAPE.n_queries()) * 9);
    for (row, (&image_idx, label)) in buffer.chunks_exact(9).zip(images) {
        let [low, high, ..] = image_idx.to_le_bytes();
        let corner = match episode.classes[label as usize].quarter_turns {
            0 => [low, high, 3],
            1 => [3, 6, 9],
            2 => [9, 8, 7],
            _ => [7, 4, low],
        };
        assert_eq!(row[..3], corner.map(|byte| f64::from(byte) / 255.0));
    }
}

fn check_refused(classes: &[u32], shape: [usize; 3], within_alphabet: bool, expected: &[&str]) {
    let [n_way, k_shot, n_query] = shape;
    let shape = EpisodeShape {
        n_way,
        k_shot,
        n_query,
    };
    let message = Sampler::new(
        &dataset(2, 6, 20),
        classes,
        shape,
        Rotations::Off,
        within_alphabet,
    )
    .unwrap_err()
    .to_string();
    for part in expected {
        assert!(message.contains(part), "{message:?} lacks {part:?}");
    }
}

#[test]
fn requests_beyond_the_data_name_both_numbers() {
    let all: Vec<u32> = (0..12).collect();
    check_refused(
        &all,
        [13, 1, 1],
        false,
        &["13 needed, 12 there", "lower way to 12"],
    );
    check_refused(
        &all,
        [7, 1, 1],
        true,
        &["7 needed, 6 there", "or draw from all alphabets"],
    );
    check_refused(
        &all,
        [5, 6, 15],
        false,
        &["shot 6 + query 15", "21 needed, 20 there", "12 of 12"],
    );
    check_refused(&all, [1, 1, 1], false, &["way = 1", "2 or more"]);
    check_refused(&all, [5, 0, 1], false, &["shot = 0"]);
    check_refused(&all, [5, 1, 0], false, &["query = 0"]);
    check_refused(&[0, 1, 1], [2, 1, 1], false, &["listed twice"]);
    check_refused(&[0, 99], [2, 1, 1], false, &["99", "has 12 classes"]);
    check_refused(&[], [5, 1, 1], false, &["5 needed, 0 there"]);
}

/// An alphabet of 26 characters of 20 images, as Meta-Dataset's sampler sees it (2,000 episodes of an independent Python simulation:
/// 5 to 26 classes, mean 15.5; 10 queries of each; 5 to 221 supports, median 61; 1, 4 and 10 of a class at 5, 50 and 95 %).
#[test]
fn episodes_of_meta_dataset_have_the_moments_of_its_sampler() {
    let dataset = dataset(3, 26, 20);
    let classes = dataset.all_classes();
    let sampler = Sampler::sized(
        &dataset,
        &classes,
        (SHAPE, Sizes::MetaDataset),
        Rotations::Off,
        true,
    )
    .unwrap();
    let largest = sampler.shape();
    assert_eq!(
        (largest.n_way, largest.k_shot, largest.n_query),
        (26, 19, 10)
    );
    let seeds = Seeds::all(4);
    let (mut ways, mut totals) = (Vec::new(), Vec::new());
    let mut shots: Vec<u32> = Vec::new();
    for index in 0..4000 {
        let episode = sampler.episode(&seeds, index);
        assert_eq!(episode.shape.n_query, 10);
        assert_eq!(episode.query.len(), 10 * episode.shape.n_way);
        let total: u32 = episode.shots.iter().sum();
        assert_eq!(episode.support.len(), total as usize);
        let alphabets: BTreeSet<u32> = episode.classes.iter().map(|it| it.class_idx / 26).collect();
        assert_eq!(alphabets.len(), 1);
        for (supports, (queries, class)) in episode
            .supports_by_label()
            .zip(episode.queries_by_label().zip(&episode.classes))
        {
            let images: BTreeSet<&u32> = supports.iter().chain(queries).collect();
            assert_eq!(images.len(), supports.len() + 10);
            assert!(images.iter().all(|image| **image / 20 == class.class_idx));
        }
        ways.push(episode.shape.n_way);
        totals.push(total);
        shots.extend(&episode.shots);
    }
    let mean = ways.iter().sum::<usize>() as f64 / 4000.0;
    // SD of a uniform draw from 5 ..= 26 is 6.34; 5 of its errors.
    assert!((mean - 15.5).abs() < 0.5, "{mean}");
    assert_eq!(
        (ways.iter().min(), ways.iter().max()),
        (Some(&5), Some(&26))
    );
    totals.sort_unstable();
    shots.sort_unstable();
    assert_eq!(totals[0], 5);
    assert!((55..=67).contains(&totals[2000]), "{}", totals[2000]);
    assert!((180..=260).contains(&totals[3999]), "{}", totals[3999]);
    let at = |share: f64| shots[(shots.len() as f64 * share) as usize];
    assert_eq!([at(0.05), at(0.5), at(0.95)], [1, 4, 10]);
}

/// Each draw has its stream: other supports in number and kind, the same classes, labels and queries.
#[test]
fn the_support_stream_decides_how_many_supports_there_are() {
    let dataset = dataset(3, 26, 20);
    let classes = dataset.all_classes();
    for sizes in ["meta-dataset", "random 1-9", "linear 1-9"] {
        let sizes = sizes.parse().unwrap();
        let sampler =
            Sampler::sized(&dataset, &classes, (SHAPE, sizes), Rotations::Off, false).unwrap();
        let seeds = Seeds::all(4);
        let own = sampler.episode(&seeds, 0);
        let other = sampler.episode(&seeds.with(Stream::Support, 9), 0);
        assert_eq!((&own.classes, &own.query), (&other.classes, &other.query));
        assert_ne!(own.support, other.support);
        assert_eq!(own, sampler.episode(&seeds, 0));
        assert!(!own.is_even());
        if !sizes.draws_way() {
            let mut shots = own.shots.clone();
            shots.sort_unstable();
            assert_eq!((own.shape.n_way, own.shape.n_query), (5, 8));
            assert!(shots[4] <= 9 && shots[0] >= 1);
        }
        let lists = [&own, &other].map(|it| list_digest([it.clone()]));
        assert_ne!(lists[0], lists[1]);
    }
    let few = Sampler::sized(
        &dataset,
        &[0, 1, 2, 3],
        (SHAPE, Sizes::MetaDataset),
        Rotations::Off,
        false,
    );
    let said = few.unwrap_err().to_string();
    assert!(said.contains("5 classes or more"), "{said}");
}
