//! An environment in another process, over the frames of the guests: a whole batch of rollouts goes one step a message.
//!
//! It is the 2-D navigation of Finn, Abbeel & Levine 2017, "Model-agnostic meta-learning for fast adaptation of deep networks", section
//! 5.3, as their code has it: a point starts at the origin, moves by an action clipped to 0.1 along either axis, is rewarded with minus
//! its distance to the goal of its task, and has ended when both coordinates are within 0.01 of it.

use std::io::{Write, stdin, stdout};

use metastable_guests::frame::{Frame, Frames};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value, json};

/// Largest move along an axis.
const MOST: f32 = 0.1;
/// Distance along an axis at which the goal is reached.
const REACHED: f32 = 0.01;

fn main() {
    let mut frames = Frames::new(stdin());
    let (mut goals, mut points) = (Vec::new(), Vec::new());
    while let Ok(Some(frame)) = frames.next(|| u64::MAX) {
        let Some(kind) = frame.header.get("type").and_then(Value::as_str) else {
            return;
        };
        match kind {
            "reset" => {
                goals = pairs(&frame, "goals");
                points = vec![[0.0; 2]; goals.len()];
            }
            "step" => {
                for (point, action) in points.iter_mut().zip(pairs(&frame, "actions")) {
                    for (at, by) in point.iter_mut().zip(action) {
                        *at += by.clamp(-MOST, MOST);
                    }
                }
            }
            _ => return,
        }
        let bytes = answer(&frame, &goals, &points)
            .to_bytes()
            .unwrap_or_default();
        if stdout()
            .write_all(&bytes)
            .and_then(|()| stdout().flush())
            .is_err()
        {
            return;
        }
    }
}

/// Rows of two numbers.
fn pairs(frame: &Frame, name: &str) -> Vec<[f32; 2]> {
    let tensors = SafeTensors::deserialize(&frame.payload).expect("safetensors are sent");
    let rows = tensors.tensor(name).expect("the tensor is sent");
    let number = |b: &[u8]| f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
    let rows = rows.data().chunks_exact(8);
    rows.map(|row| [number(&row[..4]), number(&row[4..])])
        .collect()
}

/// Where the points are, what they are rewarded with, and which have arrived.
fn answer(question: &Frame, goals: &[[f32; 2]], points: &[[f32; 2]]) -> Frame {
    let each = || points.iter().zip(goals);
    let apart = |(point, goal): (&[f32; 2], &[f32; 2])| [point[0] - goal[0], point[1] - goal[1]];
    let observations: Vec<u8> = points
        .as_flattened()
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let rewards: Vec<u8> = each()
        .map(apart)
        .flat_map(|[x, y]| (-x.hypot(y)).to_le_bytes())
        .collect();
    let ended: Vec<u8> = each()
        .map(apart)
        .map(|by| u8::from(by.iter().all(|x| x.abs() < REACHED)))
        .collect();
    let n = points.len();
    let tensors = [
        ("observations", Dtype::F32, vec![n, 2], &observations),
        ("rewards", Dtype::F32, vec![n], &rewards),
        ("ended", Dtype::U8, vec![n], &ended),
    ];
    let views = tensors.into_iter().map(|(name, dtype, shape, bytes)| {
        (
            name,
            TensorView::new(dtype, shape, bytes).expect("a tensor of its shape"),
        )
    });
    let mut header = Map::new();
    header.insert("type".to_owned(), json!("observed"));
    header.insert(
        "id".to_owned(),
        question.header.get("id").cloned().unwrap_or(Value::Null),
    );
    Frame {
        header,
        payload: safetensors::serialize(views, None).unwrap_or_default(),
    }
}
