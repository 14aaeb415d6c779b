//! Answers as they are taken: put back in order, normalised, or refused.

use super::*;
use metastable_data::EpisodeShape;

fn example() -> (Task<f32>, Vec<usize>) {
    let shape = EpisodeShape {
        n_way: 2,
        k_shot: 1,
        n_query: 1,
    };
    (
        Task::new(shape, vec![0.0, 1.0, 0.0, 1.0]).unwrap(),
        vec![1, 0],
    )
}

/// A tensor in a payload.
fn payload(name: &str, shape: [usize; 2], values: &[f64]) -> Vec<u8> {
    let bytes: Vec<u8> = values
        .iter()
        .flat_map(|value| value.to_le_bytes())
        .collect();
    let view = safetensors::tensor::TensorView::new(safetensors::Dtype::F64, shape.into(), &bytes);
    safetensors::serialize([(name, view.unwrap())], None).unwrap()
}

fn read(name: &str, values: &[f64]) -> Result<Prediction<f32>, String> {
    let payload = payload(name, [2, 2], values);
    let (task, order) = example();
    prediction(
        &SafeTensors::deserialize(&payload).unwrap(),
        0,
        &task,
        &order,
    )
}

#[test]
fn queries_are_put_back_and_logits_normalised() {
    // Row 0 is query 1, row 1 is query 0.
    let found = read("0.logits", &[3.0, 3.0, 5.0 + 3.0_f64.ln(), 5.0]).unwrap();
    let expected = [0.75_f32.ln(), 0.25_f32.ln(), 0.5_f32.ln(), 0.5_f32.ln()];
    for (found, expected) in found.log_probabilities.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6);
    }
    let loss = -(0.75_f32.ln() + 0.5_f32.ln()) / 2.0;
    assert!((found.query_loss - loss).abs() < 1e-6);
}

#[test]
fn probabilities_have_to_add_up_and_nan_passes() {
    let half = 0.5_f64.ln();
    assert!(read("0.log_probabilities", &[half; 4]).is_ok());
    let error = read("0.log_probabilities", &[0.0; 4]).unwrap_err();
    assert!(error.contains("query 0 of task 0 add up to 2"), "{error}");
    let nan = read("0.log_probabilities", &[half, half, f64::NAN, half]).unwrap();
    assert!(nan.query_loss.is_nan());
    let error = read("0.scores", &[half; 4]).unwrap_err();
    assert!(error.contains("0.log_probabilities is missing"), "{error}");
}

#[test]
fn embeddings_are_put_back_and_other_shapes_are_refused() {
    let read = |shape: [usize; 2], values: &[f64]| {
        let payload = payload("embeddings", shape, values);
        embeddings(&SafeTensors::deserialize(&payload).unwrap(), &[2, 0, 1])
    };
    let (width, rows) = read([3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).unwrap();
    assert_eq!((width, rows), (2, vec![3.0, 4.0, 5.0, 6.0, 1.0, 2.0]));
    for (shape, values) in [([2, 3], &[0.0; 6][..]), ([3, 0], &[])] {
        let error = read(shape, values).unwrap_err();
        assert!(error.contains("(3, width) is expected"), "{error}");
    }
}
