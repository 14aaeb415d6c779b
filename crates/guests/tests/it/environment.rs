//! An environment speaks the same frames: a message moves a batch of rollouts by one step.

use std::time::Duration;

use metastable_guests::child::Child;
use metastable_guests::frame::Frame;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, json};

use super::support::built;

/// Rollouts of a batch: 20 of each of 40 tasks, as for an outer step of the paper.
const N_ROLLOUTS: usize = 800;
/// Most bytes of an answer, its header included: two coordinates, a reward and an end for each rollout.
const MOST: u64 = 13 * N_ROLLOUTS as u64 + 1024;

/// Asks, and gives the numbers of a tensor of the answer.
fn ask(child: &mut Child, id: u64, kind: &str, name: &str, rows: &[[f32; 2]]) -> Frame {
    let bytes: Vec<u8> = rows
        .as_flattened()
        .iter()
        .flat_map(|x| x.to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F32, vec![rows.len(), 2], &bytes).unwrap();
    let mut header = Map::new();
    header.insert("type".to_owned(), json!(kind));
    header.insert("id".to_owned(), json!(id));
    let payload = safetensors::serialize([(name, view)], None).unwrap();
    child.send(Frame { header, payload }, MOST).unwrap();
    let answer = child.receive(Duration::from_secs(20), &|| false).unwrap();
    assert_eq!(
        (&answer.header["type"], &answer.header["id"]),
        (&json!("observed"), &json!(id))
    );
    answer
}

fn numbers(answer: &Frame, name: &str) -> Vec<f32> {
    let tensors = SafeTensors::deserialize(&answer.payload).unwrap();
    let each = tensors.tensor(name).unwrap().data().chunks_exact(4);
    each.map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

#[test]
fn a_batch_of_rollouts_goes_a_step_a_message() {
    let mut child = Child::start(&[built("environment")], 1).unwrap();
    // Goals on a ring of radius 0.4, which a point that moves by at most 0.1 along an axis reaches within 4 steps.
    let goals: Vec<[f32; 2]> = (0..N_ROLLOUTS)
        .map(|at| {
            let angle = at as f32 * std::f32::consts::TAU / N_ROLLOUTS as f32;
            [0.4 * angle.cos(), 0.4 * angle.sin()]
        })
        .collect();
    let begun = ask(&mut child, 1, "reset", "goals", &goals);
    assert_eq!(numbers(&begun, "observations"), vec![0.0; 2 * N_ROLLOUTS]);
    assert!(
        numbers(&begun, "rewards")
            .iter()
            .all(|reward| (reward + 0.4).abs() < 1e-6)
    );
    // A quarter of the way each time.
    let actions: Vec<[f32; 2]> = goals.iter().map(|[x, y]| [x / 4.0, y / 4.0]).collect();
    for step in 1..=4_u64 {
        let answer = ask(&mut child, step + 1, "step", "actions", &actions);
        let share = step as f32 / 4.0;
        let observed = numbers(&answer, "observations");
        for (at, goal) in observed.iter().zip(goals.as_flattened()) {
            assert!((at - share * goal).abs() < 1e-6, "{at} {goal}");
        }
        for reward in numbers(&answer, "rewards") {
            assert!((reward + 0.4 * (1.0 - share)).abs() < 1e-5, "{reward}");
        }
        let tensors = SafeTensors::deserialize(&answer.payload).unwrap();
        let ended = tensors.tensor("ended").unwrap();
        assert!(ended.data().iter().all(|has| (*has == 1) == (step == 4)));
    }
    child.farewell();
}
