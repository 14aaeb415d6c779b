//! A short run of every target, the same each time; long ones are for the command.

use metastable_fuzz::{TARGETS, runner};

/// No parser panics; and the seeds themselves are accepted, or the mutations start from nothing.
#[test]
fn no_target_panics() {
    for target in &TARGETS {
        let seeds = (target.seeds)();
        assert!(!seeds.is_empty(), "{}", target.name);
        let whole = runner::run(target, seeds.len(), 0, None).unwrap();
        // A zip with a link is refused by design, and a hub's file of another set may be.
        assert!(
            whole.accepted * 2 >= seeds.len(),
            "{}: {whole:?}",
            target.name
        );
        let counts = runner::run(target, seeds.len() + 1500, 1, None).unwrap();
        assert_eq!(
            (counts.panics, counts.slow),
            (0, 0),
            "{}: {counts:?}",
            target.name
        );
        assert!(
            counts.accepted < counts.tried,
            "{}: nothing is ever refused",
            target.name
        );
    }
}

/// Found by the target `parquet-images`: the library panics on it, and the reader of hub files names it instead.
#[test]
fn a_panic_of_the_parquet_parser_is_an_error() {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/panicking.parquet");
    let before = metastable_data::contained::count();
    let error = metastable_data::fetch::read_parquet(&path).unwrap_err();
    assert!(error.to_string().contains("panicked"), "{error}");
    assert!(metastable_data::contained::count() > before);
}
