//! Event files, as TensorBoard reads them: the training logs of runs for the viewer that people know.
//!
//! They are made from `log.jsonl` and nothing else. The time of an event is its step, as if each took a second: with a
//! clock in them, equal runs would leave different files, and a run that goes on after a crash could not append to what
//! was there. Nothing reads them but the viewer; they are no part of a run.
//!
//! The format is TensorFlow's: records (length, checksum, content, checksum), each an `Event` message. Of the crates that
//! write such files, tensorboard-rs takes the time from the clock and needs protobuf 2 and image 0.23, and tfrecord is of
//! prost 0.12 and needs num, noisy_float and crc; the four messages that scalars take are here, with their numbers from
//! `tensorflow/core/util/event.proto` and `tensorflow/core/framework/summary.proto`.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use prost::{Message, Oneof};

use crate::files::{make_folder, read_text, write_whole};
use crate::run::log::LogLine;
use crate::signals;

/// What the first event has to say.
const VERSION: &str = "brain.Event:2";

/// TensorBoard takes every file for one of events that has `tfevents` in its name.
const NAME: &str = "events.out.tfevents.metastable";

#[derive(Clone, PartialEq, Message)]
struct Event {
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(oneof = "What", tags = "3, 5")]
    what: Option<What>,
}

#[derive(Clone, PartialEq, Oneof)]
enum What {
    #[prost(string, tag = "3")]
    FileVersion(String),
    #[prost(message, tag = "5")]
    Summary(Summary),
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    values: Vec<Scalar>,
}

/// `Summary.Value` with the one kind of value that is written.
#[derive(Clone, PartialEq, Message)]
struct Scalar {
    #[prost(string, tag = "1")]
    tag: String,
    /// TensorBoard knows 32 bits.
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
}

/// The event file of the run of that name, below a folder that TensorBoard is shown.
pub(crate) fn path(folder: &Path, label: &str) -> PathBuf {
    folder.join(label).join(NAME)
}

/// Brings the event file of a run at work up to its log. A viewer that has the file open sees it grow: it is appended to,
/// also when the run goes on from a state that is older than what was seen, since the same lines will come again.
pub(crate) fn follow(path: &Path, log: &Path) -> Result<()> {
    if !log.exists() {
        // The run has not begun, or has just ended.
        return Ok(());
    }
    let events = events(log)?;
    let there = fs::read(path).unwrap_or_default();
    if there.starts_with(&events) {
        return Ok(());
    }
    put(path, &there, &events)
}

/// Makes the event file of a finished run what its log says.
pub(crate) fn finish(path: &Path, log: &Path) -> Result<()> {
    let events = events(log)?;
    let there = fs::read(path).unwrap_or_default();
    if there == events {
        return Ok(());
    }
    put(path, &there, &events)
}

fn put(path: &Path, there: &[u8], events: &[u8]) -> Result<()> {
    match events.strip_prefix(there) {
        Some(rest) if !there.is_empty() => OpenOptions::new()
            .append(true)
            .open(path)
            .and_then(|mut file| file.write_all(rest))
            .with_context(|| format!("while writing {}", path.display())),
        // There is none, or it is of another run of that name.
        _ => {
            if let Some(folder) = path.parent() {
                make_folder(folder)?;
            }
            write_whole(path, events)
        }
    }
}

/// The whole file for the lines that a log has so far.
fn events(log: &Path) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    append(
        &mut bytes,
        &Event {
            wall_time: 0.0,
            step: 0,
            what: Some(What::FileVersion(VERSION.to_owned())),
        },
    );
    // The last line may be half-written.
    let text = read_text(log)?;
    let lines = text
        .lines()
        .map_while(|line| serde_json::from_str(line).ok());
    for line in lines {
        append(&mut bytes, &event(&line)?);
    }
    Ok(bytes)
}

/// Every number of a line that stands alone is a scalar under its name there.
#[allow(
    clippy::cast_possible_truncation,
    reason = "the viewer's own precision"
)]
#[allow(clippy::cast_precision_loss, reason = "steps are far below 2^52")]
fn event(line: &LogLine) -> Result<Event> {
    let signals = signals::of(line)?.into_iter();
    let alone = signals.filter(|signal| signal.places.is_empty());
    let values = alone.map(|signal| Scalar {
        tag: signal.name,
        simple_value: Some(signal.value as f32),
    });
    Ok(Event {
        wall_time: line.step as f64,
        step: i64::try_from(line.step)?,
        what: Some(What::Summary(Summary {
            values: values.collect(),
        })),
    })
}

/// Appends one record.
fn append(bytes: &mut Vec<u8>, event: &Event) {
    let content = event.encode_to_vec();
    let length = (content.len() as u64).to_le_bytes();
    bytes.extend(length);
    bytes.extend(masked_checksum(&length).to_le_bytes());
    bytes.extend(&content);
    bytes.extend(masked_checksum(&content).to_le_bytes());
}

/// A rotated CRC-32C, so that records within records have other checksums: `tensorflow/core/lib/hash/crc32c.h`.
fn masked_checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes)
        .rotate_right(15)
        .wrapping_add(0xa282_ead8)
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::files::hex;

    /// See `events.py` beside it.
    #[derive(Deserialize)]
    struct Golden {
        lines: Vec<String>,
        bytes: String,
    }

    fn golden() -> Golden {
        toml::from_str(include_str!("../tests/golden/events.toml")).unwrap()
    }

    /// A log with the first so many of the lines, and what may follow.
    fn log(folder: &Path, n: usize, rest: &str) -> PathBuf {
        let path = folder.join("log.jsonl");
        let lines: Vec<String> = golden().lines[..n]
            .iter()
            .map(|it| format!("{it}\n"))
            .collect();
        fs::write(&path, lines.concat() + rest).unwrap();
        path
    }

    #[test]
    fn the_file_is_what_tensorboards_own_writer_writes() {
        let folder = tempfile::tempdir().unwrap();
        let bytes = events(&log(folder.path(), 2, "")).unwrap();
        assert_eq!(hex(&bytes), golden().bytes);
        // Half a line is no line yet.
        let half = log(folder.path(), 1, &golden().lines[1][..30]);
        assert_eq!(
            events(&half).unwrap(),
            events(&log(folder.path(), 1, "")).unwrap()
        );
    }

    #[test]
    fn a_file_grows_in_place_and_is_behind_its_log_only_until_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = path(folder.path(), "run");
        let expect = |n: usize| {
            let log = log(folder.path(), n, "");
            assert_eq!(fs::read(&path).unwrap(), events(&log).unwrap(), "{n} lines");
        };
        let none = folder.path().join("none");
        follow(&path, &none).unwrap();
        assert!(!path.exists());
        assert!(finish(&path, &none).is_err());
        follow(&path, &log(folder.path(), 1, "")).unwrap();
        expect(1);
        let viewer = fs::File::open(&path).unwrap();
        follow(&path, &log(folder.path(), 2, "")).unwrap();
        expect(2);
        // The run went on from an older state: what the viewer has seen will come again.
        follow(&path, &log(folder.path(), 1, "")).unwrap();
        expect(2);
        let n_bytes = fs::metadata(&path).unwrap().len();
        assert_eq!(viewer.metadata().unwrap().len(), n_bytes);
        // A run of the same name that ended earlier.
        finish(&path, &log(folder.path(), 1, "")).unwrap();
        expect(1);
        fs::write(&path, "something else").unwrap();
        follow(&path, &log(folder.path(), 2, "")).unwrap();
        expect(2);
    }
}
