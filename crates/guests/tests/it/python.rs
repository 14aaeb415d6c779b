//! The Python side, where there is a Python with numpy and safetensors (`METASTABLE_PYTHON` names it; else `python3`).

use std::process::Command;

use metastable_algorithms::Task;
use metastable_guests::{Cancel, Session, Training};

use super::support::{accuracy_of_nearest_mean, config, hello, python_folder, start, tasks};

/// The interpreter; none, said aloud, where the machine's own lacks what the helper needs. One that was named has to have it: a test
/// that somebody asked for is not skipped in silence.
fn python() -> Option<String> {
    let named = std::env::var("METASTABLE_PYTHON").ok();
    let is_named = named.is_some();
    let python = named.unwrap_or_else(|| "python3".to_owned());
    let found = Command::new(&python)
        .args(["-c", "import numpy, safetensors"])
        .output();
    if found.is_ok_and(|output| output.status.success()) {
        return Some(python);
    }
    assert!(
        !is_named,
        "METASTABLE_PYTHON is {python}, which does not start or lacks numpy or safetensors; name another, or unset it"
    );
    eprintln!("skipped: {python} has no numpy and safetensors; METASTABLE_PYTHON names another");
    None
}

fn script(name: &str) -> String {
    python_folder().join(name).to_string_lossy().into_owned()
}

#[test]
fn numpy_has_the_accuracies_of_rust_to_the_bit() {
    let Some(python) = python() else { return };
    let config = config(vec![python, script("nearest_mean.py")]);
    // A frozen model is not to be trained.
    let error = start(&config).unwrap_err().to_string();
    assert!(error.contains("and not train"), "{error}");
    let mut session = Session::start(&config, &hello(Training::None), Cancel::never()).unwrap();
    for task in &tasks(20) {
        let prediction = session.predict(&[task]).unwrap().remove(0);
        let accuracy = prediction.accuracy(task.query_labels());
        assert_eq!(accuracy.to_bits(), accuracy_of_nearest_mean(task).to_bits());
    }
    let tasks = tasks(2);
    let images: Vec<f32> = tasks
        .iter()
        .flat_map(|task: &Task<f32>| task.query_images().to_vec())
        .collect();
    let (width, features) = session.features(&images).unwrap();
    assert_eq!((width, features.len()), (400, 30 * 400));
    session.bye();
}
