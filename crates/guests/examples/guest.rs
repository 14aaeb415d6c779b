//! A guest in Rust: nearest class mean on raw pixels, and every way of going wrong that the tests need.
//!
//! `guest nearest-mean` is an honest one, `guest embedder` the same with its pixels as features, `guest own` one that trains by
//! itself, `guest cheat` one that answers by position. A second word makes it fail in a way: `guest nearest-mean die-at-predict`. It
//! needs nothing of metastable but the frames.

#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a guest that fails talks where it should not"
)]

use std::collections::BTreeSet;
use std::io::{Write, stdin, stdout};
use std::path::{Path, PathBuf};
use std::time::Duration;

use metastable_guests::frame::{Frame, Frames};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let kind = arguments.first().map_or("nearest-mean", String::as_str);
    let flaw = arguments.get(1).map_or("", String::as_str);
    let mut guest = Guest {
        kind: kind.to_owned(),
        rate: 1.0,
        budget: 0,
        flaw: flaw.to_owned(),
        trained: 0,
        asked: 0,
    };
    if flaw == "print" {
        println!("Epoch 1: loss 0.3");
    }
    let mut frames = Frames::new(stdin());
    while let Ok(Some(frame)) = frames.next(|| u64::MAX) {
        let Some(reply) = guest.answer(&frame) else {
            return;
        };
        if !send(&reply) {
            return;
        }
    }
}

/// Whether the other side is still there.
fn send(frame: &Frame) -> bool {
    let bytes = frame.to_bytes().unwrap_or_default();
    let mut out = stdout();
    out.write_all(&bytes).and_then(|()| out.flush()).is_ok()
}

struct Guest {
    kind: String,
    /// Its only setting: what its losses are multiplied with.
    rate: f64,
    /// Outer steps of the study.
    budget: u64,
    flaw: String,
    /// Steps made: all that it learns.
    trained: u64,
    /// Predictions made.
    asked: u64,
}

impl Guest {
    fn has(&self, flaw: &str) -> bool {
        self.flaw == flaw
    }

    fn answer(&mut self, frame: &Frame) -> Option<Frame> {
        let kind = frame
            .header
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let id = frame.header.get("id").cloned().unwrap_or(Value::Null);
        let path = || {
            let path = frame.header.get("path").and_then(Value::as_str);
            path.map(PathBuf::from).unwrap_or_default()
        };
        let plain = |fields: Value| {
            let mut header = match fields {
                Value::Object(map) => map,
                _ => Map::new(),
            };
            header.insert("id".to_owned(), id.clone());
            Some(Frame::of(header))
        };
        match kind {
            "hello" => {
                self.rate = frame.header["settings"]["rate"].as_f64().unwrap_or(1.0);
                self.budget = frame.header["budget"]["outer_steps"].as_u64().unwrap_or(0);
                plain(json!({
                    "type": "ready",
                    "protocol": if self.has("version") { 9 } else { 1 },
                    "name": "guest", "version": "1",
                    "offers": match self.kind.as_str() {
                        "embedder" => ["predict", "features", "train", "save"].as_slice(),
                        "own" => &["predict", "fit", "save"],
                        _ => &["predict", "train", "save"],
                    },
                    "max_batch": 4,
                }))
            }
            "fit" => self.fit(&path(), &id),
            "features" => Some(self.features(frame, &id)),
            "train" => {
                self.trained += 1;
                if self.has("die-at-train") && self.trained == 3 {
                    eprintln!("the third step is too much for me");
                    std::process::exit(7);
                }
                if self.has("slow") {
                    std::thread::sleep(Duration::from_millis(300));
                }
                let loss = if self.has("nan-at-train") && self.trained == 3 {
                    Value::Null
                } else {
                    json!(self.rate / self.trained as f64)
                };
                plain(json!({ "type": "trained", "loss": loss, "accuracy": 0.5 }))
            }
            "predict" => {
                self.asked += 1;
                if self.has("die-at-predict") {
                    for line in 0..100 {
                        eprintln!("line {line}");
                    }
                    std::process::exit(7);
                }
                if self.has("killed") {
                    std::process::abort();
                }
                if self.has("hang") {
                    std::thread::sleep(Duration::from_secs(1000));
                }
                if self.has("slow") {
                    std::thread::sleep(Duration::from_millis(300));
                }
                Some(self.predict(frame, &id))
            }
            "save" => {
                let bytes = self.trained.to_le_bytes();
                if !self.has("no-file") {
                    std::fs::write(path(), bytes).ok()?;
                }
                plain(json!({ "type": "saved" }))
            }
            "load" => {
                let bytes = std::fs::read(path()).ok()?;
                let mut eight = [0; 8];
                eight.copy_from_slice(bytes.get(..8)?);
                self.trained = u64::from_le_bytes(eight);
                plain(json!({ "type": "loaded" }))
            }
            _ => None,
        }
    }

    /// Steps of its own on the images of a file, half of which it reports.
    fn fit(&mut self, path: &Path, id: &Value) -> Option<Frame> {
        let bytes = std::fs::read(path).ok()?;
        let tensors = SafeTensors::deserialize(&bytes).ok()?;
        let classes = |part: &str| -> Option<BTreeSet<Vec<u8>>> {
            let labels = tensors.tensor(&format!("{part}.labels")).ok()?;
            let images = tensors.tensor(&format!("{part}.images")).ok()?;
            let each = labels.data().chunks_exact(8).map(<[u8]>::to_vec);
            (images.shape()[0] == labels.shape()[0]).then(|| each.collect())
        };
        eprintln!(
            "{} classes for training, {} for validation",
            classes("train")?.len(),
            classes("validation")?.len()
        );
        let report = |kind: &str, step: u64, loss: f64| {
            let said =
                json!({ "type": kind, "id": id, "step": step, "loss": loss, "accuracy": 0.5 });
            said.as_object().cloned().map(Frame::of)
        };
        while self.trained < self.budget {
            self.trained += 1;
            if self.has("die-at-train") && self.trained == 3 {
                eprintln!("the third step is too much for me");
                std::process::exit(7);
            }
            if self.trained.is_multiple_of(2) {
                send(&report(
                    "progress",
                    self.trained,
                    self.rate / self.trained as f64,
                )?);
            }
        }
        report("fitted", self.trained, self.rate / self.trained as f64)
    }

    /// The pixels.
    fn features(&self, frame: &Frame, id: &Value) -> Frame {
        let tensors =
            SafeTensors::deserialize(&frame.payload).expect("metastable sends safetensors");
        let mut rows = rows(&tensors, "images");
        if self.has("cheat-by-place") {
            // What the place of an image would tell of its class.
            for (at, row) in rows.iter_mut().enumerate() {
                row.fill(at as f64);
            }
        }
        let width = rows[0].len();
        let bytes: Vec<u8> = rows
            .concat()
            .iter()
            .flat_map(|value| value.to_le_bytes())
            .collect();
        let view = TensorView::new(Dtype::F64, vec![rows.len(), width], &bytes)
            .expect("a tensor of its shape");
        let mut header = Map::new();
        header.insert("type".to_owned(), json!("features"));
        header.insert("id".to_owned(), id.clone());
        let payload = safetensors::serialize([("embeddings", view)], None).unwrap_or_default();
        Frame { header, payload }
    }

    fn predict(&self, frame: &Frame, id: &Value) -> Frame {
        let tensors =
            SafeTensors::deserialize(&frame.payload).expect("metastable sends safetensors");
        let ways = frame.header["ways"].as_array().cloned().unwrap_or_default();
        let mut scores: Vec<(String, Vec<usize>, Vec<u8>)> = Vec::new();
        for (number, way) in ways.iter().enumerate() {
            let way = way.as_u64().unwrap_or(1) as usize;
            let rows = self.scores(&tensors, number, way);
            let mut values = rows.concat();
            if self.has("nan") && self.asked > 1 {
                values[0] = f64::NAN;
            }
            let mut shape = vec![rows.len(), way];
            if self.has("shape") {
                shape.swap(0, 1);
            }
            if self.has("noisy") {
                values[0] += self.asked as f64;
            }
            let name = if self.has("unnormalised") {
                "log_probabilities"
            } else {
                "logits"
            };
            let bytes = values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            scores.push((format!("{number}.{name}"), shape, bytes));
        }
        let views = scores.iter().map(|(name, shape, bytes)| {
            let view =
                TensorView::new(Dtype::F64, shape.clone(), bytes).expect("a tensor of its shape");
            (name.as_str(), view)
        });
        let mut payload = safetensors::serialize(views, None).unwrap_or_default();
        if self.has("long") {
            payload.resize(1 << 24, 0);
        }
        let id = if self.has("id") {
            json!(12345)
        } else {
            id.clone()
        };
        let mut header = Map::new();
        header.insert("type".to_owned(), json!("prediction"));
        header.insert("id".to_owned(), id);
        Frame { header, payload }
    }

    /// Minus the squared distance of each query to each class mean, in pixels over 255.
    fn scores(&self, tensors: &SafeTensors<'_>, number: usize, way: usize) -> Vec<Vec<f64>> {
        let images = |what: &str| rows(tensors, &format!("{number}.{what}.images"));
        let (supports, queries) = (images("support"), images("query"));
        if self.kind == "cheat" {
            // By the place of a query, as if they came label by label.
            let of_class = queries.len() / way;
            let row =
                |at: usize| (0..way).map(move |class| f64::from(u8::from(class == at / of_class)));
            return (0..queries.len())
                .map(|at| row(at).map(|hit| 10.0 * hit).collect())
                .collect();
        }
        let labels = tensors
            .tensor(&format!("{number}.support.labels"))
            .expect("labels are sent");
        let labels: Vec<usize> = labels
            .data()
            .chunks_exact(8)
            .map(|b| b[0] as usize)
            .collect();
        let mut means = vec![vec![0.0; supports[0].len()]; way];
        for (class, mean) in means.iter_mut().enumerate() {
            let own: Vec<&Vec<f64>> = supports
                .iter()
                .zip(&labels)
                .filter(|(_, label)| **label == class)
                .map(|(row, _)| row)
                .collect();
            for (at, value) in mean.iter_mut().enumerate() {
                *value = own.iter().map(|row| row[at]).sum::<f64>() / own.len() as f64;
            }
        }
        let distance =
            |a: &[f64], b: &[f64]| -> f64 { a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum() };
        queries
            .iter()
            .map(|query| means.iter().map(|mean| -distance(query, mean)).collect())
            .collect()
    }
}

/// Images as rows of pixels.
fn rows(tensors: &SafeTensors<'_>, name: &str) -> Vec<Vec<f64>> {
    let view = tensors.tensor(name).expect("images are sent");
    let n_pixels: usize = view.shape()[1..].iter().product();
    let values: Vec<f64> = match view.dtype() {
        Dtype::U8 => view
            .data()
            .iter()
            .map(|byte| f64::from(*byte) / 255.0)
            .collect(),
        _ => view
            .data()
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]).into())
            .collect(),
    };
    values.chunks_exact(n_pixels).map(<[f64]>::to_vec).collect()
}
