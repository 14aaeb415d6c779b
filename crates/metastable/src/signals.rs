//! Every number of a line of a training log, under its name there: what TensorBoard and tables are made of, so that what the
//! log learns to say is shown and exported without being listed again.

use anyhow::Result;
use serde_json::Value;

use crate::run::log::LogLine;

/// One number of a line.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Signal {
    /// Keys on the way to it, joined by points: `inspection.blocks.dead`.
    pub(crate) name: String,
    /// Its places in the lists on the way, from 0; empty for a number that stands alone.
    pub(crate) places: Vec<usize>,
    pub(crate) value: f64,
}

/// All numbers of a line but its step, in the order of names.
pub(crate) fn of(line: &LogLine) -> Result<Vec<Signal>> {
    let mut signals = Vec::new();
    gather(&serde_json::to_value(line)?, "", &[], &mut signals);
    signals.retain(|signal| signal.name != "step");
    Ok(signals)
}

fn gather(tree: &Value, name: &str, places: &[usize], signals: &mut Vec<Signal>) {
    match tree {
        Value::Object(fields) => {
            for (key, inner) in fields {
                let name = [name, key].into_iter().filter(|part| !part.is_empty());
                gather(inner, &name.collect::<Vec<_>>().join("."), places, signals);
            }
        }
        Value::Array(items) => {
            for (place, inner) in items.iter().enumerate() {
                gather(inner, name, &[places, &[place]].concat(), signals);
            }
        }
        tree => signals.extend(tree.as_f64().map(|value| Signal {
            name: name.to_owned(),
            places: places.to_owned(),
            value,
        })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_names_and_places() {
        let line = r#"{"step":4,"train_loss":1.5,"train_accuracy":0.5,"gradient_norm":2.0,"n_clipped":1,"outer_lr":0.1,
            "layer_norms":[[1.0,2.0],[3.0,4.0]],"inspection":{"n_tasks":3,"blocks":[{"dead":0.25},{"dead":0.75}]}}"#;
        let signals = of(&serde_json::from_str(line).unwrap()).unwrap();
        let named = |name: &str| -> Vec<(Vec<usize>, f64)> {
            let own = signals.iter().filter(|signal| signal.name == name);
            own.map(|signal| (signal.places.clone(), signal.value))
                .collect()
        };
        assert_eq!(named("n_clipped"), [(vec![], 1.0)]);
        assert_eq!(
            named("layer_norms"),
            [
                (vec![0, 0], 1.0),
                (vec![0, 1], 2.0),
                (vec![1, 0], 3.0),
                (vec![1, 1], 4.0)
            ]
        );
        assert_eq!(
            named("inspection.blocks.dead"),
            [(vec![0], 0.25), (vec![1], 0.75)]
        );
        assert_eq!(named("step"), []);
        assert_eq!(named("validation_loss"), []);
    }
}
