//! Guests that die, hang, print and lie: each gets an error that says what happened, and none takes this process along.

use std::time::{Duration, Instant};

use metastable_guests::{Cancel, GuestError, ProcessConfig, Session, Training};

use super::support::{config, guest, hello, start, tasks};

/// What a flawed guest gets for a prediction.
fn failure(flaw: &str, timeout_seconds: u64) -> GuestError {
    let config = ProcessConfig {
        timeout_seconds,
        ..guest(&["nearest-mean", flaw])
    };
    let mut session = start(&config).unwrap();
    let task = &tasks(1)[0];
    session.predict(&[task]).unwrap_err()
}

#[test]
fn one_that_dies_leaves_its_last_words() {
    let error = failure("die-at-predict", 20);
    let text = error.to_string();
    assert!(
        text.contains("exit status: 7") && text.contains("predict (1 tasks), id 2"),
        "{text}"
    );
    let GuestError::Ended { last_words, .. } = error else {
        panic!("{error:?}");
    };
    let expected: Vec<String> = (60..100).map(|line| format!("line {line}")).collect();
    assert_eq!(last_words.0, expected);
}

#[test]
fn one_that_hangs_is_killed_after_the_time_that_it_has() {
    let begun = Instant::now();
    let error = failure("hang", 1);
    assert!(
        matches!(error, GuestError::Silent { seconds: 1, .. }),
        "{error:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(8));
}

#[test]
fn one_that_is_slow_and_in_time_is_none_of_these() {
    let config = ProcessConfig {
        timeout_seconds: 20,
        ..guest(&["nearest-mean", "slow"])
    };
    start(&config).unwrap().predict(&[&tasks(1)[0]]).unwrap();
}

#[test]
fn what_is_printed_to_stdout_is_told() {
    let error = start(&guest(&["nearest-mean", "print"]))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("looks like text: \"Epoch 1: loss 0.3"),
        "{error}"
    );
    assert!(error.contains("print to stderr"), "{error}");
}

#[test]
fn lies_are_told_with_what_came_and_what_was_asked() {
    for (flaw, words) in [
        (
            "shape",
            "has shape [5, 15], and [15, 5] (queries, classes) is expected",
        ),
        ("id", "its id is 12345, and 2 was asked"),
        ("long", "a payload of 16777216 bytes, and at most"),
        ("unnormalised", "the probabilities of query"),
    ] {
        let error = failure(flaw, 20);
        assert!(matches!(error, GuestError::Protocol { .. }), "{error:?}");
        assert!(error.to_string().contains(words), "{flaw}: {error}");
    }
    let mut session = start(&guest(&["nearest-mean", "no-file"])).unwrap();
    let error = session.save().unwrap_err().to_string();
    assert!(error.contains("it says that it saved, and"), "{error}");
}

#[test]
fn numbers_that_are_not_finite_are_no_error() {
    let tasks = tasks(2);
    let mut session = start(&guest(&["nearest-mean", "nan"])).unwrap();
    assert!(
        session.predict(&[&tasks[0]]).unwrap()[0]
            .query_loss
            .is_finite()
    );
    assert!(
        session.predict(&[&tasks[1]]).unwrap()[0]
            .query_loss
            .is_nan()
    );
    let mut session = start(&guest(&["nearest-mean", "nan-at-train"])).unwrap();
    let losses = [1, 2, 3].map(|step| session.train(step, &tasks).unwrap().loss);
    assert_eq!(losses, [Some(1.0), Some(0.5), None]);
}

#[test]
fn another_version_is_refused_with_both_numbers() {
    let error = start(&guest(&["nearest-mean", "version"])).unwrap_err();
    let expected = GuestError::Version {
        name: "guest".to_owned(),
        ours: 1,
        theirs: 9,
    };
    assert_eq!(error, expected);
}

#[test]
fn a_command_that_does_not_start_and_one_that_is_no_guest_are_told() {
    let error = start(&config(vec!["no-such-program-here".to_owned()])).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("the guest `no-such-program-here` does not start"),
        "{error}"
    );
    let error = start(&config(Vec::new())).unwrap_err();
    assert!(error.to_string().contains("command: is missing"), "{error}");
    let error = start(&config(vec!["true".to_owned()])).unwrap_err();
    assert!(matches!(error, GuestError::Ended { .. }), "{error:?}");
    let error = start(&config(vec!["cat".to_owned()])).unwrap_err();
    assert!(
        matches!(
            error,
            GuestError::Version { .. } | GuestError::Protocol { .. }
        ),
        "{error:?}"
    );
}

#[cfg(unix)]
#[test]
fn one_that_dies_while_its_child_holds_the_pipe_is_noticed() {
    let words = ["sh", "-c", "sleep 60 & exit 3"];
    let begun = Instant::now();
    let error = start(&config(words.map(str::to_owned).to_vec())).unwrap_err();
    let GuestError::Ended { status, .. } = error else {
        panic!("{error:?}");
    };
    assert!(status.contains("exit status: 3"), "{status}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[test]
fn what_it_does_not_offer_is_not_asked() {
    let error = Session::start(
        &guest(&["nearest-mean"]),
        &hello(Training::Own),
        Cancel::never(),
    );
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("not fit, and training = \"own\" needs"),
        "{error}"
    );
}

#[test]
fn one_that_is_waited_for_when_the_user_stops_is_killed() {
    let config = guest(&["nearest-mean", "hang"]);
    let mut session =
        Session::start(&config, &hello(Training::Given), Cancel::when(|| true)).unwrap();
    let begun = Instant::now();
    let error = session.predict(&[&tasks(1)[0]]).unwrap_err();
    assert!(matches!(error, GuestError::Cancelled { .. }), "{error:?}");
    assert!(begun.elapsed() < Duration::from_secs(15));
}
