//! What a guest may send, for the fuzz target alone: frames out of bytes, and every answer that they could be.

use metastable_algorithms::Task;
use metastable_data::EpisodeShape;
use safetensors::SafeTensors;
use serde_json::Value;

use crate::answer::{embeddings, prediction};
use crate::frame::{FrameError, Frames};
use crate::message::{Progressed, Ready, Trained};

/// Most bytes of a payload here.
const MOST: u64 = 1 << 16;

/// Reads all frames, and each as whatever answer it may be; whether the last of them was whole and an answer.
///
/// # Errors
/// Bytes that are no frame.
pub fn frames(bytes: &[u8]) -> Result<bool, FrameError> {
    let mut frames = Frames::new(bytes);
    let mut is_answer = false;
    while let Some(frame) = frames.next(|| MOST)? {
        let header = Value::Object(frame.header);
        is_answer = serde_json::from_value::<Ready>(header.clone()).is_ok()
            | serde_json::from_value::<Trained>(header.clone()).is_ok()
            | serde_json::from_value::<Progressed>(header).is_ok()
            | is_of_scores(&frame.payload);
    }
    Ok(is_answer)
}

/// As log-probabilities of two queries of two classes, and as embeddings.
fn is_of_scores(payload: &[u8]) -> bool {
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 1,
        n_query: 1,
    };
    let (Ok(scores), Ok(task)) = (
        SafeTensors::deserialize(payload),
        Task::new(shape, vec![0.0_f32, 1.0, 0.0, 1.0]),
    ) else {
        return false;
    };
    prediction(&scores, 0, &task, &[1, 0]).is_ok() | embeddings(&scores, &[1, 0]).is_ok()
}
