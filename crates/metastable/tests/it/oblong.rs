//! Images that are not square, from the folder to the report, and what is refused of them.

use std::fs;
use std::path::Path;

use metastable_models::Checkpoint;

use crate::support::{Bench, json, sized_picture, stderr, stdout};

/// Bright ink on 24 x 40 pixels, twice the height and width of what is learnt.
fn two_bars(row: u32, column: u32, image: u32) -> Vec<u8> {
    sized_picture(24, 40, |x, y| {
        let is_bar = (y / 2 == row && x > 2 * image) || (x / 2 == column && y > image);
        [if is_bar { 255 } else { 0 }; 3]
    })
}

/// Twelve classes of six images, told apart by the row of one bar and the column of another; columns 2 to 17 of 20, so that they lie
/// where a square of 12 has no pixel.
fn images(root: &Path) {
    for class in 0..12 {
        let folder = root.join(format!("class{class:02}"));
        fs::create_dir_all(&folder).unwrap();
        for image in 0..6 {
            let (row, column) = (2 + class % 3 * 4, 2 + class / 3 * 5);
            let path = folder.join(format!("{image}.bmp"));
            fs::write(path, two_bars(row, column, image)).unwrap();
        }
    }
}

const SETS: [(&str, &str); 4] = [
    (
        "set = \"glyphs\"\nsize = 14",
        "set = \"folder:own\"\nsize = \"12x20\"\nsplit = \"random:0.4,0.3,0.3\"",
    ),
    (
        "[glyphs]\nn_alphabets = 10\nn_characters = 4\nn_drawers = 6\n",
        "",
    ),
    ("outer_steps = 12", "outer_steps = 60\nouter_lr = 0.01"),
    ("episodes = 8", "episodes = 40"),
];

const MAP: &str = r#"
[data]
set = "folder:own"
size = "12x20"
split = "random:0.4,0.3,0.3"
[test]
way = 3
shot = 1
query = 2
episodes = 40
[network]
width = 4
blocks = 2
[learners.protonet]
"#;

fn bench() -> Bench {
    let bench = Bench::new(&SETS);
    images(&bench.path("own"));
    bench
}

#[test]
fn conv4_learns_two_bars_on_images_of_12_by_20() {
    let bench = bench();
    let plan = bench.run(&["experiment", "tiny.toml", "--out", "out", "--plan"]);
    assert!(stdout(&plan).contains("4 runs"), "{}", stderr(&plan));

    let text = fs::read_to_string(bench.path("tiny.toml")).unwrap();
    let asked = "[probe]\nfamilies = [\"c\", \"g\"]\ntasks = 2\n";
    fs::write(bench.path("tiny.toml"), text + asked).unwrap();
    bench.experiment(&["--out", "out"]);
    let report = json(&bench.path("out/report.json"));
    let learners = report["settings"][0]["learners"].as_array().unwrap();
    assert_eq!(learners.len(), 2);
    for learner in learners {
        assert!(learner["all"]["corruption"].is_object());
    }
    for learner in ["maml", "protonet"] {
        let record = json(&bench.path(&format!("out/runs/{learner}-own-3w1s-s1/run.json")));
        // Chance is a third.
        let accuracy = record["result"]["test"]["accuracy"].as_f64().unwrap();
        assert!(accuracy > 0.75, "{learner}: {accuracy}");
    }

    let run = bench.path("out/runs/protonet-own-3w1s-s0");
    let config = json(&run.join("run.json"));
    assert_eq!(config["config"]["data"]["size"], "12x20");
    let best = run.join("best.safetensors");
    let checkpoint = Checkpoint::open(&best).unwrap();
    let image = checkpoint.config().unwrap().image;
    assert_eq!((image.height, image.width, image.channels), (12, 20, 1));
    // Written out and read again, it is the same study: every run is there.
    let study = bench.path("out/study.toml");
    assert!(
        fs::read_to_string(&study)
            .unwrap()
            .contains("size = \"12x20\"")
    );
    let again = bench.run(&["experiment", study.to_str().unwrap(), "--out", "out"]);
    let said = stderr(&again);
    assert!(
        said.contains("12 of 12 questions have their answers"),
        "{said}"
    );

    // The weights are tested again on their episodes, to the bit.
    let weights = best.to_str().unwrap();
    let output = bench.run(&["evaluate", weights, "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let again: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(again["nll"].is_number());
    assert_eq!(again["nll"], config["result"]["test"]["nll"]);
    // Also as somebody else's weights, by a map that says the size.
    fs::write(bench.path("map.toml"), MAP).unwrap();
    let output = bench.run(&["evaluate", weights, "--import", "map.toml", "--json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let imported: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!(imported["nll"], again["nll"]);
    bench.refuses(
        &[
            "evaluate",
            weights,
            "--set",
            "data.test_rotations=as-classes",
        ],
        &[
            "test_rotations",
            "not square",
            "data.test_rotations = \"off\"",
        ],
    );
    // Episodes of squares of the same files, turned.
    let turned = [
        "experiment",
        "tiny.toml",
        "--out",
        "square",
        "--set",
        "data.size=14",
        "--set",
        "data.test_rotations=as-classes",
        "--set",
        "learner.outer_steps=2",
        "--seeds",
        "1",
    ];
    let output = bench.run(&turned);
    assert!(output.status.success(), "{}", stderr(&output));
    let list = "square/runs/protonet-own-3w1s-s0/test.safetensors";
    bench.refuses(
        &["evaluate", weights, "--episodes-from", list],
        &[
            "lists turned images",
            "12x20",
            "data.test_rotations = \"off\"",
        ],
    );
    bench.refuses(
        &["evaluate", weights, "--dataset", "glyphs"],
        &[
            "data.size = \"12x20\"",
            "glyphs are drawn square",
            "data.set",
        ],
    );
}

#[test]
fn what_does_not_go_with_such_images_is_refused_by_name() {
    let bench = bench();
    for (sets, words) in [
        (
            &["data.rotations=as-classes"][..],
            &[
                "rotations = as-classes",
                "not square",
                "data.rotations = \"off\"",
            ][..],
        ),
        (
            &["data.test_rotations=augment"],
            &[
                "test_rotations = augment",
                "12x20",
                "data.test_rotations = \"off\"",
            ],
        ),
        (
            &["data.set=glyphs"],
            &[
                "data.size = \"12x20\"",
                "glyphs are drawn square",
                "data.size = 28",
            ],
        ),
        (&["data.size=12x9999"], &["data.size", "1 to 512 pixels"]),
        (&["data.size=12*20"], &["data.size", "HEIGHTxWIDTH"]),
        (&["data.size=[12, 20]"], &["data.size", "HEIGHTxWIDTH"]),
        (&["data.size=3x20"], &["3x20", "fewer blocks"]),
    ] {
        let mut arguments = vec!["experiment", "tiny.toml", "--out", "out"];
        arguments.extend(sets.iter().flat_map(|set| ["--set", set]));
        bench.refuses(&arguments, words);
        assert!(!bench.path("out").exists());
    }
}
