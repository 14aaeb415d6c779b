//! Transfers: what a server may do to one file.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use metastable_data::fetch::{
    FetchError, Fetched, How, Manifest, Options, Proof, Source, dataset_of,
};

use crate::server::{Reply, Request, Server};
use crate::tools::{Log, blob_manifest, files_below, md5, noise, options};

const N_BYTES: usize = 300_000;

/// A server, a data folder and the manifest of `blob.bin`.
struct Scene {
    folder: tempfile::TempDir,
    server: Server,
    manifest: Manifest,
    options: Options,
    body: Vec<u8>,
}

impl Scene {
    fn new(answer: impl Fn(&Request, usize, &[u8]) -> Reply + Send + Sync + 'static) -> Self {
        let body = noise(N_BYTES, 1);
        let served = body.clone();
        let server = Server::start(move |request, n_before| answer(request, n_before, &served));
        let folder = tempfile::tempdir().unwrap();
        let manifest = blob_manifest(&server.url("/blob.bin"), &body);
        let options = options(folder.path());
        Self {
            folder,
            server,
            manifest,
            options,
            body,
        }
    }

    fn fetch(&self) -> Result<Fetched, FetchError> {
        dataset_of(&self.manifest, &self.options, &())
    }

    fn target(&self) -> PathBuf {
        self.folder.path().join("toy/blob.bin")
    }

    fn files(&self) -> Vec<String> {
        files_below(self.folder.path())
    }

    /// The fetch succeeds; the right bytes lie under the final name and nothing beside them.
    fn succeeds(&self) -> Fetched {
        let fetched = self.fetch().unwrap();
        assert_eq!(self.files(), ["toy/blob.bin"]);
        assert!(
            std::fs::read(self.target()).unwrap() == self.body,
            "wrong bytes under the final name"
        );
        assert_eq!(fetched.files[0].proof, Proof::Md5(md5(&self.body)));
        fetched
    }

    /// The fetch fails; nothing lies under the final name. Returns the error behind the sources.
    fn fails(&self) -> String {
        let error = self.fetch().unwrap_err();
        assert!(
            !self.target().exists(),
            "a file under the final name after: {error}"
        );
        error.to_string()
    }

    fn n_requests(&self) -> usize {
        self.server.requests().len()
    }
}

fn resumed_from(fetched: &Fetched) -> u64 {
    match fetched.files[0].how {
        How::Downloaded { resumed_from, .. } => resumed_from,
        ref how => panic!("{how:?}"),
    }
}

const TAG: &str = "\"v1\"";

#[test]
fn an_honest_server_is_asked_once() {
    let scene = Scene::new(|request, _, body| Reply::file(request, body, TAG));
    let log = Log::default();
    let fetched = dataset_of(&scene.manifest, &scene.options, &log).unwrap();
    assert_eq!(resumed_from(&fetched), 0);
    let events = log.0.lock().unwrap().clone();
    assert!(events[0].starts_with("Start"), "{events:?}");
    assert!(
        events
            .iter()
            .any(|event| event.contains("done: 300000, total: Some(300000)")),
        "{events:?}"
    );
    assert!(events.last().unwrap().starts_with("Done"));

    let again = scene.succeeds();
    assert_eq!(again.files[0].how, How::Present);
    assert_eq!(scene.n_requests(), 1);
}

#[test]
fn a_cut_transfer_goes_on_where_it_stopped() {
    let scene = Scene::new(|request, n_before, body| {
        let reply = Reply::file(request, body, TAG);
        if n_before == 0 {
            reply.cut_after(100_000)
        } else {
            reply
        }
    });
    let from = resumed_from(&scene.succeeds());
    assert_eq!(from, 100_000);
    let second = &scene.server.requests()[1];
    assert_eq!(second.range_start(), Some(100_000));
    assert_eq!(second.header("if-range"), Some(TAG));
}

#[test]
fn a_part_survives_the_process() {
    let mut scene = Scene::new(|request, n_before, body| {
        let reply = Reply::file(request, body, TAG);
        if n_before == 0 {
            reply.cut_after(100_000)
        } else {
            reply
        }
    });
    scene.options.retries = 0;
    let error = scene.fails();
    assert!(error.contains("100000"), "{error}");
    assert!(error.contains("goes on from there"), "{error}");
    assert_eq!(
        scene.files(),
        ["toy/blob.bin.part", "toy/blob.bin.part.json"]
    );
    assert_eq!(resumed_from(&scene.succeeds()), 100_000);
}

#[test]
fn a_complete_part_needs_no_network() {
    let scene = Scene::new(|_, _, _| Reply::new(500, ""));
    std::fs::create_dir_all(scene.target().parent().unwrap()).unwrap();
    std::fs::write(scene.target().with_extension("bin.part"), &scene.body).unwrap();
    scene.succeeds();
    assert_eq!(scene.n_requests(), 0);
}

#[test]
fn a_server_that_always_cuts_at_the_same_place_is_given_up() {
    // It ignores ranges too, so no attempt comes further than the first.
    let scene = Scene::new(|_, _, body| Reply::new(200, body).cut_after(270_000));
    let error = scene.fails();
    assert!(error.contains("270000"), "{error}");
    // Reaching 270,000 once resets the count of three retries.
    assert!(scene.n_requests() <= 8, "{}", scene.n_requests());
}

#[test]
fn an_ignored_range_starts_over() {
    let scene = Scene::new(|_, n_before, body| {
        let reply = Reply::new(200, body).with("ETag", TAG);
        if n_before == 0 {
            reply.cut_after(100_000)
        } else {
            reply
        }
    });
    assert_eq!(resumed_from(&scene.succeeds()), 0);
    assert_eq!(scene.server.requests()[1].range_start(), Some(100_000));
}

#[test]
fn a_file_that_changed_between_attempts_is_not_mixed() {
    let old = noise(N_BYTES, 2);
    // Honest about it (200 with the whole new file), dishonest (206 of the new file, with its tag, although the
    // range was conditional), and silent (206 without any tag).
    for dishonesty in 0..3 {
        let old = old.clone();
        let scene = Scene::new(
            move |request, n_before, body| match (n_before, dishonesty) {
                (0, 2) => Reply::file(request, &old, TAG)
                    .without("ETag")
                    .cut_after(100_000),
                (0, _) => Reply::file(request, &old, TAG).cut_after(100_000),
                (_, 0) => Reply::file(request, body, "\"v2\""),
                _ => {
                    let start = request.range_start().unwrap_or(0);
                    let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
                    let reply = match start {
                        0 => Reply::new(200, body),
                        _ => Reply::new(206, &body[start..]).with("Content-Range", &range),
                    };
                    if dishonesty == 1 {
                        reply.with("ETag", "\"v2\"")
                    } else {
                        reply
                    }
                }
            },
        );
        assert_eq!(
            resumed_from(&scene.succeeds()),
            0,
            "dishonesty {dishonesty}"
        );
    }
}

#[test]
fn a_range_that_is_not_the_one_asked_for_starts_over() {
    let scene = Scene::new(
        |request, n_before, body| match (n_before, request.range_start()) {
            (0, _) => Reply::file(request, body, TAG).cut_after(100_000),
            (1, _) => Reply::new(206, &body[50_000..])
                .with("ETag", TAG)
                .with("Content-Range", "bytes 50000-299999/300000"),
            _ => Reply::file(request, body, TAG),
        },
    );
    assert_eq!(resumed_from(&scene.succeeds()), 0);
}

#[test]
fn a_partial_answer_must_say_which_part() {
    let scene = Scene::new(|request, n_before, body| match n_before {
        0 => Reply::file(request, body, TAG).cut_after(100_000),
        _ => Reply::new(206, &body[100_000..]).with("ETag", TAG),
    });
    assert!(scene.fails().contains("Content-Range"));
}

#[test]
fn wrong_lengths_are_refused() {
    // Declared longer, declared shorter: refused at the head.
    for length in [N_BYTES + 1, N_BYTES - 1] {
        let scene = Scene::new(move |_, _, body| Reply::new(200, body).declaring(Some(length)));
        let error = scene.fails();
        assert!(
            error.contains(&format!("{length} bytes, but 300000 were expected")),
            "{error}"
        );
        assert_eq!(scene.n_requests(), 1);
        assert!(scene.files().is_empty());
    }
    // Nothing declared, and more comes than the manifest says.
    let scene = Scene::new(|_, _, body| Reply::new(200, [body, body].concat()).declaring(None));
    assert!(scene.fails().contains("but 300000 were expected"));
    assert!(scene.files().is_empty());
    // Nothing declared, and less comes: taken for a cut, tried again, given up.
    let scene = Scene::new(|_, _, body| Reply::new(200, &body[..1000]).declaring(None));
    let error = scene.fails();
    assert!(error.contains("cut after 1000 of 300000"), "{error}");
    assert_eq!(scene.n_requests(), 4);
}

#[test]
fn a_wrong_hash_is_refused() {
    let scene = Scene::new(|_, _, _| Reply::new(200, noise(N_BYTES, 9)));
    let error = scene.fails();
    assert!(
        error.contains(&md5(&noise(N_BYTES, 9))) && error.contains(&md5(&scene.body)),
        "{error}"
    );
    assert_eq!(scene.n_requests(), 1);
    assert!(scene.files().is_empty());
}

#[test]
fn an_encoded_body_is_refused() {
    let scene = Scene::new(|_, _, body| Reply::new(200, body).with("Content-Encoding", "br"));
    assert!(scene.fails().contains("encoded"));
    assert_eq!(
        scene.server.requests()[0].header("accept-encoding"),
        Some("identity")
    );
}

#[test]
fn refusals_are_final() {
    for status in [400, 401, 403, 404, 410, 451] {
        let scene = Scene::new(move |_, _, _| Reply::new(status, "no"));
        let error = scene.fails();
        assert!(error.contains(&format!("answered {status}")), "{error}");
        assert_eq!(scene.n_requests(), 1, "{status}");
    }
}

#[test]
fn trouble_passes() {
    for status in [408, 429, 500, 502, 503, 504] {
        let scene = Scene::new(move |request, n_before, body| {
            if n_before < 3 {
                Reply::new(status, "later")
            } else {
                Reply::file(request, body, TAG)
            }
        });
        scene.succeeds();
        assert_eq!(scene.n_requests(), 4);
    }
    let scene = Scene::new(|_, _, _| Reply::new(503, "never"));
    assert!(scene.fails().contains("answered 503"));
    assert_eq!(scene.n_requests(), 4);
}

#[test]
fn retry_after_is_obeyed() {
    let scene = Scene::new(|request, n_before, body| match n_before {
        0 => Reply::new(429, "slow down").with("Retry-After", "1"),
        _ => Reply::file(request, body, TAG),
    });
    let start = Instant::now();
    scene.succeeds();
    assert!(start.elapsed() >= Duration::from_secs(1));

    let scene = Scene::new(|_, _, _| Reply::new(429, "go away").with("Retry-After", "3600"));
    assert!(scene.fails().contains("wait 3600 s"));
    assert_eq!(scene.n_requests(), 1);
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let scene = Scene::new(|request, _, body| match request.path.as_str() {
        "/blob.bin" => Reply::redirect("/step"),
        "/step" => Reply::new(307, "").with("Location", "/there?key=1"),
        _ => Reply::file(request, body, TAG),
    });
    scene.succeeds();
    let scene = Scene::new(|request, _, _| Reply::redirect(&request.path));
    let error = scene.fails();
    assert!(error.contains("redirects too often"), "{error}");
    assert!(scene.n_requests() < 12, "{}", scene.n_requests());
    let scene = Scene::new(|_, _, _| Reply::new(302, ""));
    scene.fails();
}

#[test]
fn a_server_that_drips_or_is_silent_is_left() {
    let mut scene = Scene::new(|request, _, body| {
        Reply::file(request, body, TAG).dripping(Duration::from_millis(20))
    });
    scene.options.timing.stall = Duration::from_millis(200);
    scene.options.retries = 1;
    assert!(scene.fails().contains("stalled"));
    assert_eq!(scene.n_requests(), 2);

    let mut scene = Scene::new(|_, _, body| Reply::new(200, body).after(Duration::from_secs(20)));
    scene.options.timing.response = Duration::from_millis(200);
    scene.options.retries = 1;
    let start = Instant::now();
    assert!(scene.fails().contains("stalled"));
    assert!(start.elapsed() < Duration::from_secs(15));

    // Half a body, then nothing.
    let mut scene = Scene::new(|request, n_before, body| {
        if n_before > 0 {
            return Reply::file(request, body, TAG);
        }
        Reply::new(200, &body[..100_000])
            .with("ETag", TAG)
            .declaring(None)
            .dripping(Duration::from_millis(300))
    });
    scene.options.timing.stall = Duration::from_millis(100);
    scene.succeeds();
}

#[test]
fn mirrors_of_the_manifest_stand_in() {
    let mut scene = Scene::new(|request, _, body| match request.path.as_str() {
        "/mirror/blob.bin" => Reply::file(request, body, TAG),
        "/wrong/blob.bin" => Reply::new(200, noise(N_BYTES, 9)),
        _ => Reply::new(404, ""),
    });
    scene.manifest.files[0].mirrors = vec![
        scene.server.url("/wrong/blob.bin"),
        scene.server.url("/mirror/blob.bin"),
    ];
    let fetched = scene.succeeds();
    assert!(
        fetched.files[0].how.to_string().contains("/mirror/"),
        "{}",
        fetched.files[0].how
    );
}

#[test]
fn a_user_mirror_is_a_prefix() {
    let mut scene = Scene::new(|request, _, body| match request.path.as_str() {
        "/base/blob.bin" => Reply::file(request, body, TAG),
        _ => Reply::new(404, ""),
    });
    scene.options.source = Source::parse(&scene.server.url("/base/"));
    scene.succeeds();
    // Without a size in the manifest's name, an endless body is still bounded.
    let mut scene = Scene::new(|_, _, _| Reply::new(200, vec![7; 4_000_000]).declaring(None));
    scene.options.source = Source::parse(&scene.server.url("/base"));
    assert!(scene.fails().contains("bytes, but"));
    assert!(scene.files().is_empty());
}

#[test]
fn a_wrong_file_in_place_is_kept_until_the_right_one_has_come() {
    let scene = Scene::new(|request, n_before, body| match n_before {
        0 => Reply::new(404, ""),
        _ => Reply::file(request, body, TAG),
    });
    std::fs::create_dir_all(scene.target().parent().unwrap()).unwrap();
    std::fs::write(scene.target(), b"mine").unwrap();
    scene.fetch().unwrap_err();
    assert_eq!(std::fs::read(scene.target()).unwrap(), b"mine");
    scene.succeeds();
}

#[test]
fn optional_files_may_be_missing() {
    let mut scene = Scene::new(|request, _, body| match request.path.as_str() {
        "/blob.bin" => Reply::file(request, body, TAG),
        _ => Reply::new(404, ""),
    });
    let mut extra = scene.manifest.files[0].clone();
    extra.name = "sub/extra.bin".to_owned();
    extra.url = scene.server.url("/extra.bin");
    extra.optional = true;
    scene.manifest.files.push(extra);
    let fetched = scene.succeeds();
    assert_eq!(fetched.skipped.len(), 1);
    assert_eq!(fetched.skipped[0].0, "sub/extra.bin");
    assert!(fetched.skipped[0].1.contains("404"));
}

#[test]
fn two_fetches_at_once_do_the_work_once() {
    let scene = Scene::new(|request, _, body| {
        Reply::file(request, body, TAG).after(Duration::from_millis(300))
    });
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| scene.fetch().unwrap());
        }
    });
    assert_eq!(scene.n_requests(), 1);
    scene.succeeds();
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named() {
    let scene = Scene::new(|request, _, body| Reply::file(request, body, TAG));
    std::fs::create_dir_all(scene.target().parent().unwrap()).unwrap();
    // A device that is always full stands in for the disk.
    let part = scene.target().with_extension("bin.part");
    std::os::unix::fs::symlink(Path::new("/dev/full"), &part).unwrap();
    let error = scene.fails();
    assert!(
        error.contains("is full; 300000 bytes more are needed"),
        "{error}"
    );
    assert_eq!(scene.n_requests(), 1);
    assert!(part.is_symlink());
}

#[test]
fn no_server_at_all() {
    let mut scene = Scene::new(|_, _, _| Reply::new(200, ""));
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    scene.manifest.files[0].url = format!("http://{free}/blob.bin");
    let error = scene.fails();
    assert!(
        error.contains("no source gave toy") && error.contains("from that folder"),
        "{error}"
    );
}
