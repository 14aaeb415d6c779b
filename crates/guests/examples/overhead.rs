//! What the protocol costs: processor time of both sides for 5-way 1-shot episodes of 28x28 images with 15 queries a class.
//!
//! `cargo run --release -p metastable-guests --example overhead -- 2000 python3 crates/guests/python/nearest_mean.py` (Linux). The
//! start of the guest is in its figure, and so is what it computes.

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::collections::BTreeMap;
use std::error::Error;

use metastable_algorithms::Task;
use metastable_data::{EpisodeShape, GlyphsConfig, Rotations, Sampler, Seeds};
use metastable_guests::message::{Budget, Data};
use metastable_guests::{Cancel, Hello, PROTOCOL, ProcessConfig, Session, Shape, Training};

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let n_tasks: usize = arguments
        .next()
        .ok_or("give a number of episodes")?
        .parse()?;
    let config = ProcessConfig {
        command: arguments.collect(),
        ..ProcessConfig::default()
    };
    let dataset = metastable_data::glyphs::generate(&GlyphsConfig::default())?;
    let shape = EpisodeShape {
        n_way: 5,
        k_shot: 1,
        n_query: 15,
    };
    let classes: Vec<u32> = (0..dataset.classes.len() as u32).collect();
    let sampler = Sampler::new(&dataset, &classes, shape, Rotations::Off, false)?;
    let seeds = Seeds::all(0);
    let tasks = (0..100)
        .map(|index| Task::gather(&dataset, &sampler.episode(&seeds, index)))
        .collect::<Result<Vec<Task<f32>>, _>>()?;
    let of_episode = Shape {
        way: 5,
        shot: 1,
        query: 15,
    };
    let hello = Hello {
        protocol: PROTOCOL,
        run: "overhead".to_owned(),
        training: Training::None,
        settings: serde_json::Map::new(),
        seeds: BTreeMap::from([("init".to_owned(), 0)]),
        data: Data {
            name: "glyphs".to_owned(),
            digest: dataset.digest.clone(),
            height: dataset.size.height,
            width: dataset.size.width,
            channels: 1,
            train_classes: classes.len(),
        },
        episode: of_episode,
        test: of_episode,
        budget: Budget {
            outer_steps: 0,
            meta_batch: 1,
            outer_lr: 0.0,
        },
        threads: 1,
    };
    let before = times()?;
    let mut session = Session::start(&config, &hello, Cancel::never())?;
    let mut accuracy = 0.0;
    for task in tasks.iter().cycle().take(n_tasks) {
        let prediction = session.predict(&[task])?.remove(0);
        accuracy += prediction.accuracy(task.query_labels()) / n_tasks as f64;
    }
    session.bye();
    let after = times()?;
    println!("{n_tasks} episodes, accuracy {:.2} %", 100.0 * accuracy);
    for (who, at) in [("here ", 0), ("guest", 2)] {
        let each = |at: usize| 10.0 * (after[at] - before[at]) as f64 / n_tasks as f64;
        let (user, system) = (each(at), each(at + 1));
        println!(
            "{who} {:.3} ms an episode ({user:.3} of its own, {system:.3} of the system)",
            user + system
        );
    }
    Ok(())
}

/// Processor time of this process, its own and the system's for it, and of its children that have ended, in hundredths of a second.
fn times() -> Result<[i64; 4], Box<dyn Error>> {
    let text = std::fs::read_to_string("/proc/self/stat")?;
    let (_, fields) = text.rsplit_once(')').ok_or("an unknown system")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let number = |at: usize| -> Result<i64, Box<dyn Error>> { Ok(fields[at].parse()?) };
    // utime, stime, cutime, cstime are fields 14 to 17 of `man proc`; the first two stand before the bracket.
    Ok([number(11)?, number(12)?, number(13)?, number(14)?])
}
