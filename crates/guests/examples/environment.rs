//! An environment in another process, in one file: it draws tasks, and makes a whole batch of rollouts a message.
//!
//! It is the 2-D navigation of Finn, Abbeel & Levine 2017, "Model-agnostic meta-learning for fast adaptation of deep networks", section
//! 5.3, as their code has it: a point starts at the origin, moves by a tenth of an action, at most by 0.1 along either axis, is rewarded with
//! minus its distance to the goal of its task, and has ended when both coordinates are within 0.01 of it.
//!
//! A word after the program makes it misbehave, for tests: `dies` at the second batch, `long` rollouts, `nan` rewards, `other` numbers
//! observed.

#![allow(clippy::print_stderr, reason = "a process speaks")]

use std::io::{Write, stdin, stdout};

use metastable_guests::frame::{Frame, Frames};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

/// Largest move along an axis, and what a unit of an action moves by.
const MOST: f64 = 0.1;
/// Distance along an axis at which the goal is reached.
const REACHED: f64 = 0.01;

/// A generator of Steele, Lea & Flood 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
struct Draws(u64);

impl Draws {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (0, 1).
    fn unit(&mut self) -> f64 {
        ((self.next() >> 12) as f64 + 0.5) / (1_u64 << 52) as f64
    }

    /// Standard normal, by Box and Muller.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * self.unit().ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

/// A multilayer perceptron whose outputs are means and logarithms of deviations.
struct Policy {
    /// Weight, `(outputs, inputs)`, and bias of each layer; the head is the last.
    layers: Vec<(Vec<f64>, Vec<f64>)>,
    is_tanh: bool,
}

impl Policy {
    fn read(sent: &SafeTensors<'_>, activation: &str) -> Self {
        let mut layers = Vec::new();
        for at in 0.. {
            let name = format!("policy.blocks.{at}.linear");
            if sent.tensor(&format!("{name}.weight")).is_err() {
                break;
            }
            layers.push((
                singles(sent, &format!("{name}.weight")),
                singles(sent, &format!("{name}.bias")),
            ));
        }
        layers.push((
            singles(sent, "policy.head.weight"),
            singles(sent, "policy.head.bias"),
        ));
        Self {
            layers,
            is_tanh: activation == "tanh",
        }
    }

    fn outputs(&self, seen: &[f64]) -> Vec<f64> {
        let mut x = seen.to_vec();
        for (at, (weight, bias)) in self.layers.iter().enumerate() {
            let rows = weight.chunks_exact(x.len()).zip(bias);
            let y = rows.map(|(row, b)| row.iter().zip(&x).map(|(w, x)| w * x).sum::<f64>() + b);
            let is_head = at + 1 == self.layers.len();
            x = match (is_head, self.is_tanh) {
                (true, _) => y.collect(),
                (false, true) => y.map(f64::tanh).collect(),
                (false, false) => y.map(|value| value.max(0.0)).collect(),
            };
        }
        x
    }
}

fn singles(sent: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let bytes = sent.tensor(name).expect("the tensor is sent").data();
    let each = bytes.chunks_exact(4);
    each.map(|b| f64::from(f32::from_le_bytes([b[0], b[1], b[2], b[3]])))
        .collect()
}

fn doubles(sent: &SafeTensors<'_>, name: &str) -> Vec<f64> {
    let bytes = sent.tensor(name).expect("the tensor is sent").data();
    let each = bytes.chunks_exact(8);
    each.map(|b| f64::from_le_bytes([b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7]]))
        .collect()
}

fn seeds(question: &Frame) -> Vec<u64> {
    let seeds = question.header["seeds"].as_array().expect("seeds are sent");
    seeds.iter().filter_map(Value::as_u64).collect()
}

/// A tensor on its way out.
type Out = (&'static str, Vec<usize>, Vec<f64>);

fn rollouts(question: &Frame, horizon: usize, trick: &str) -> Vec<Out> {
    let sent = SafeTensors::deserialize(&question.payload).expect("safetensors are sent");
    let activation = question.header["activation"].as_str().unwrap_or_default();
    let policy = Policy::read(&sent, activation);
    let goal = doubles(&sent, "task");
    let (mut lengths, mut seen, mut done, mut got) = (vec![], vec![], vec![], vec![]);
    for seed in seeds(question) {
        let mut draws = Draws(seed);
        let mut point = [0.0; 2];
        let mut length = 0;
        for _ in 0..horizon {
            let outputs = policy.outputs(&point);
            seen.extend(point);
            for axis in 0..2 {
                let action = outputs[axis] + outputs[2 + axis].exp() * draws.normal();
                done.push(action);
                point[axis] += (MOST * action).clamp(-MOST, MOST);
            }
            let gaps = [point[0] - goal[0], point[1] - goal[1]];
            got.push(if trick == "nan" {
                f64::NAN
            } else {
                -gaps[0].hypot(gaps[1])
            });
            length += 1;
            if gaps.iter().all(|gap| gap.abs() < REACHED) {
                break;
            }
        }
        lengths.push(f64::from(length) + if trick == "long" { 1e6 } else { 0.0 });
    }
    let n = got.len();
    vec![
        ("lengths", vec![lengths.len()], lengths),
        ("observations", vec![n, 2], seen),
        ("actions", vec![n, 2], done),
        ("rewards", vec![n], got),
    ]
}

fn main() {
    let trick = std::env::args().nth(1).unwrap_or_default();
    let mut frames = Frames::new(stdin());
    let (mut horizon, mut n_batches) = (0, 0);
    while let Ok(Some(frame)) = frames.next(|| u64::MAX) {
        let kind = frame.header.get("type").and_then(Value::as_str);
        let (mut header, tensors): (Map<String, Value>, Vec<Out>) = match kind {
            Some("hello") => {
                horizon = frame.header["horizon"].as_u64().unwrap_or(0) as usize;
                let observed = if trick == "other" { 3 } else { 2 };
                let ready = json!({
                    "type": "ready", "protocol": 1, "name": "navigation", "version": "1",
                    "observed": observed, "actions": "continuous-2", "task": ["goal_x", "goal_y"],
                });
                (ready.as_object().cloned().unwrap_or_default(), Vec::new())
            }
            Some("tasks") => {
                let seeds = seeds(&frame);
                let goals = seeds.iter().flat_map(|seed| {
                    let mut draws = Draws(*seed);
                    [draws.unit() - 0.5, draws.unit() - 0.5]
                });
                let tasks = ("tasks", vec![seeds.len(), 2], goals.collect());
                (of_type("tasks"), vec![tasks])
            }
            Some("rollouts") => {
                n_batches += 1;
                if trick == "dies" && n_batches == 2 {
                    eprintln!("the wheel came off");
                    std::process::exit(3);
                }
                (of_type("rollouts"), rollouts(&frame, horizon, &trick))
            }
            _ => return,
        };
        header.insert("id".to_owned(), frame.header["id"].clone());
        let reply = Frame {
            header,
            payload: payload(&tensors),
        };
        let bytes = reply.to_bytes().unwrap_or_default();
        let mut out = stdout();
        if out.write_all(&bytes).and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

fn of_type(kind: &str) -> Map<String, Value> {
    Map::from_iter([("type".to_owned(), json!(kind))])
}

fn payload(tensors: &[Out]) -> Vec<u8> {
    if tensors.is_empty() {
        return Vec::new();
    }
    let bytes: Vec<Vec<u8>> = tensors
        .iter()
        .map(|(_, _, values)| {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        })
        .collect();
    let views = tensors.iter().zip(&bytes).map(|((name, shape, _), bytes)| {
        let view = TensorView::new(Dtype::F64, shape.clone(), bytes);
        (*name, view.expect("a tensor of its shape"))
    });
    safetensors::serialize(views, None).unwrap_or_default()
}
