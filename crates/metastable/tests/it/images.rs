//! A user's own images in colour, and the test of a run again under other protocols.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use safetensors::{SafeTensors, serialize_to_file, tensor::TensorView};

use crate::support::{Bench, json, picture, stderr, stdout};

/// Twelve classes of six images that differ in colour alone: every pixel of a class has one luma, its place is noise.
fn coloured(bench: &Bench, name: &str) {
    for class in 0..12_u32 {
        let folder = bench.path(name).join(format!("class{class:02}"));
        fs::create_dir_all(&folder).unwrap();
        let angle = f64::from(class) * std::f64::consts::TAU / 12.0;
        // Around grey in the plane of equal luma (Rec. 709), so that grey images tell nothing.
        let (red, blue) = (70.0 * angle.cos(), 70.0 * angle.sin());
        let green = -(0.2126 * red + 0.0722 * blue) / 0.7152;
        for image in 0..6_u32 {
            // More than what rounding leaves of a class in its luma.
            let light = f64::from(mixed(1_000_000 + image + 6 * class) % 40);
            let pixel = |x: u32, y: u32| {
                let place = x + 14 * y + 196 * (image + 6 * class);
                let grey = 90.0 + light + f64::from(mixed(place) % 16);
                [red, green, blue].map(|colour| (grey + colour).round() as u8)
            };
            fs::write(folder.join(format!("{image}.bmp")), picture(pixel)).unwrap();
        }
    }
}

/// A number that its neighbours say nothing of.
fn mixed(mut n: u32) -> u32 {
    n = (n ^ (n >> 16)).wrapping_mul(0x7feb_352d);
    n = (n ^ (n >> 15)).wrapping_mul(0x846c_a68b);
    n ^ (n >> 16)
}

fn bench() -> Bench {
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
        ("width = 4", "width = 8"),
        ("outer_steps = 12", "outer_steps = 40"),
        ("episodes = 8", "episodes = 40"),
    ]);
    coloured(&bench, "mine");
    bench
}

const FOLDER: [&str; 4] = ["--dataset", "folder:mine", "--split", "random:4,4,4"];
const RUN: &str = "out/runs/protonet-mine-3w1s-s0";

fn evaluate(bench: &Bench, flags: &[&str]) -> (serde_json::Value, String) {
    let checkpoint = format!("{RUN}/best.safetensors");
    let output = bench.run(&[&["evaluate", &checkpoint, "--json"], flags].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    (
        serde_json::from_str(&stdout(&output)).unwrap(),
        stderr(&output),
    )
}

/// Settings that differ in their episodes alone have one split: it is said once, and each shape of test episodes below it.
#[test]
fn a_split_is_said_once_for_all_settings() {
    let settings = "[settings.one]\nshot = 1\n\n[settings.two]\nshot = 2\n\n[learner]\n";
    let bench = Bench::new(&[
        ("seeds = 2", "seeds = 1"),
        ("[learners.maml]\ninner_steps = 2\n", ""),
        ("[learner]\n", settings),
    ]);
    bench.images("mine");
    let said = stderr(&bench.experiment(&[&FOLDER[..], &["--out", "out"]].concat()));
    let text = fs::read_to_string(bench.path("out/data.txt")).unwrap();
    for told in [&said, &text] {
        assert_eq!(told.matches("split `random:4,4,4`").count(), 1, "{told}");
        for images in ["1 + 2", "2 + 2"] {
            let test = format!("test: 3 classes with {images} images each");
            assert_eq!(told.matches(&test).count(), 1, "{told}");
        }
    }
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert_eq!(page.matches("data:image/png;base64,").count(), 1);
}

#[test]
fn classes_that_differ_in_colour_are_told_apart_and_in_grey_they_are_not() {
    let bench = bench();
    let said = stderr(&bench.experiment(&[&FOLDER[..], &["--out", "out"]].concat()));
    for part in [
        "channels: 3 (red, green, blue): 72 images have colours",
        "split `random:4,4,4`: 4 classes for training",
        "chance is 33.33 %",
    ] {
        assert!(said.contains(part), "{part} is not in: {said}");
    }
    let record = json(&bench.path(RUN).join("run.json"));
    let accuracy = |record: &serde_json::Value| record["result"]["test"]["accuracy"].as_f64();
    assert!(accuracy(&record).unwrap() > 0.8, "{record}");
    assert_eq!(record["config"]["network"]["image"]["channels"], 3);
    assert_eq!(record["receipt"]["decoding"]["n_colour"], 72);
    let page = fs::read_to_string(bench.path("out/report.html")).unwrap();
    assert!(page.contains("<section id=\"data\">") && page.contains("data:image/png;base64,"));
    let text = fs::read_to_string(bench.path("out/data.txt")).unwrap();
    assert!(text.contains("chance is 33.33 %"), "{text}");

    let grey = ["--set", "data.channels=1", "--out", "grey"];
    let said = stderr(&bench.experiment(&[&FOLDER[..], &grey].concat()));
    assert!(
        said.contains("72 images have colours and BECOME GREY"),
        "{said}"
    );
    let grey = json(&bench.path("grey/runs/protonet-mine-grey-3w1s-s0/run.json"));
    assert!(accuracy(&grey).unwrap() < 0.5, "{grey}");

    // Damage, other data and a test again, all in three channels.
    let output = bench.run(&[
        "probe",
        "out",
        "--families",
        "g",
        "--tasks",
        "2",
        "--other",
        "glyphs",
    ]);
    assert!(output.status.success(), "{}", stderr(&output));
    let (own, _) = evaluate(&bench, &[]);
    assert_eq!(own["nll"], record["result"]["test"]["nll"]);
    assert_eq!(own["changed"], serde_json::json!([]));
    let refused = [
        "experiment",
        "tiny.toml",
        "--set",
        "data.channels=2",
        "--out",
        "no",
    ];
    bench.refuses(&refused, &["--set data.channels=2", "1 (grey) or 3"]);
}

#[test]
fn a_test_is_made_again_under_another_protocol_and_on_the_very_episodes_of_a_run() {
    let bench = bench();
    bench.experiment(&[&FOLDER[..], &["--out", "out"]].concat());
    let (own, said) = evaluate(&bench, &[]);
    assert!(
        !said.contains("this test differs from the run's own"),
        "{said}"
    );
    let (turned, said) = evaluate(&bench, &["--set", "data.test_rotations=as-classes"]);
    assert!(
        said.contains("data.test_rotations was off, is now as-classes"),
        "{said}"
    );
    assert_ne!(turned["predictions_sha256"], own["predictions_sha256"]);
    let (other, _) = evaluate(&bench, &["--seed", "5", "--episodes", "20"]);
    assert_eq!(other["changed"].as_array().unwrap().len(), 2, "{other}");
    assert_ne!(other["task_accuracy"], own["task_accuracy"]);

    // The list of the run, whatever the seed of the split that the checkpoint is asked with.
    let list = format!("{RUN}/test.safetensors");
    let (listed, _) = evaluate(&bench, &["--episodes-from", &list]);
    assert_eq!(listed["predictions_sha256"], own["predictions_sha256"]);
    let checkpoint = format!("{RUN}/best.safetensors");
    for (flags, words) in [
        (
            vec!["--set", "learner.inner_lr=1"],
            vec!["learner belongs to the training", "data.test_rotations"],
        ),
        (
            vec!["--set", "data.size=28"],
            vec!["data.size stays as it is"],
        ),
        (
            vec!["--set", "data.tset_rotations=off"],
            vec!["did you mean \"test_rotations\""],
        ),
        (
            vec!["--episodes-from", &checkpoint],
            vec!["holds no list of episodes"],
        ),
        (
            vec!["--episodes-from", &list, "--dataset", "glyphs"],
            vec!["images of other data"],
        ),
    ] {
        let all = [vec!["evaluate", checkpoint.as_str()], flags].concat();
        bench.refuses(&all, &words);
    }
}

/// Python's load, average and save, without our digest: any order of the header, the metadata as it was.
#[test]
fn an_average_of_seeds_is_tested_and_a_file_of_torch_is_refused_with_the_way_out() {
    let bench = Bench::new(&[("[learners.maml]\ninner_steps = 2\n", "")]);
    bench.experiment(&["--out", "out"]);
    let file = |seed: u32| {
        let name = format!("out/runs/protonet-glyphs-3w1s-s{seed}/best.safetensors");
        fs::read(bench.path(&name)).unwrap()
    };
    let (first, second) = (file(0), file(1));
    let (_, header) = SafeTensors::read_metadata(&first).unwrap();
    let mut metadata = header.metadata().clone().unwrap();
    metadata.remove("metastable.sha256");
    let [a, b] = [&first, &second].map(|bytes| SafeTensors::deserialize(bytes).unwrap());
    let floats = |bytes: &[u8]| -> Vec<f32> {
        let (chunks, _) = bytes.as_chunks();
        chunks.iter().map(|it| f32::from_le_bytes(*it)).collect()
    };
    let means: BTreeMap<String, (Vec<usize>, Vec<u8>)> = a
        .tensors()
        .into_iter()
        .map(|(name, view)| {
            let other = floats(b.tensor(&name).unwrap().data());
            let own = floats(view.data());
            let mean = own.iter().zip(other).map(|(a, b)| f32::midpoint(*a, b));
            let bytes = mean.flat_map(f32::to_le_bytes).collect();
            (name, (view.shape().to_vec(), bytes))
        })
        .collect();
    let views = means.iter().map(|(name, (shape, bytes))| {
        let view = TensorView::new(safetensors::Dtype::F32, shape.clone(), bytes).unwrap();
        (name.clone(), view)
    });
    let path = bench.path("averaged.safetensors");
    serialize_to_file(views, Some(metadata), Path::new(&path)).unwrap();
    let output = bench.run(&["evaluate", "averaged.safetensors", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("no digest of its own"));

    fs::write(
        bench.path("net.pth"),
        b"PK\x03\x04 and the rest of an archive",
    )
    .unwrap();
    bench.refuses(
        &["evaluate", "net.pth"],
        &["torch.save", "save_file", "weights_only=True"],
    );
}
