//! Every kind of lie at every kind of source: the right bytes under the final name, or an error and nothing under it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use metastable_data::fetch::{Options, Source, WeightsManifest, dataset_of, weights, weights_of};

use crate::hub::listing;
use crate::server::{Reply, Request, Server};
use crate::tools::{blob_manifest, files_below, noise, options, sha256};

/// Longest that a fetch may take with the patience of [`impatient`].
const LONGEST: Duration = Duration::from_secs(20);

const TAG: &str = "\"v1\"";

/// What a server answers to a request, the number of requests for the file before it, and the file.
type Lie = fn(&Request, usize, &[u8]) -> Reply;

/// Cut at the first request, so that the second asks for the rest.
fn after_a_cut(request: &Request, n_before: usize, body: &[u8], then: Reply) -> Reply {
    match n_before {
        0 => Reply::file(request, body, TAG).cut_after(body.len() / 2),
        _ => then,
    }
}

fn rest(request: &Request, body: &[u8], tag: &str) -> Reply {
    let start = request.range_start().unwrap_or(0).min(body.len());
    let range = format!("bytes {start}-{}/{}", body.len() - 1, body.len());
    Reply::new(206, &body[start..])
        .with("Content-Range", &range)
        .with("ETag", tag)
}

fn page(n_bytes: usize) -> Vec<u8> {
    let mut page = b"<!DOCTYPE html><html><body>Please log in</body></html>".to_vec();
    page.resize(n_bytes.max(page.len()), b' ');
    page
}

fn chunked(chunks: &str) -> Reply {
    Reply::raw(format!(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}"
    ))
}

fn flipped(body: &[u8]) -> Vec<u8> {
    let mut bytes = body.to_vec();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    bytes
}

/// A name, the lie, and whether the right file has to come all the same.
#[rustfmt::skip]
const LIES: &[(&str, Lie, bool)] = &[
    ("nothing", |_, _, _| Reply::new(200, ""), false),
    ("cut", |_, _, body| Reply::new(200, body).cut_after(body.len() / 2), false),
    ("shorter and declared so", |_, _, body| Reply::new(200, &body[..body.len() - 1]), false),
    ("shorter without a length", |_, _, body| Reply::new(200, &body[..body.len() - 1]).declaring(None), false),
    ("longer and declared so", |_, _, body| Reply::new(200, [body, b"x"].concat()), false),
    ("longer without a length", |_, _, body| Reply::new(200, [body, b"x"].concat()).declaring(None), false),
    ("much longer without a length", |_, _, body| Reply::new(200, body.repeat(20)).declaring(None), false),
    ("bytes beyond the declared length", |_, _, body| Reply::new(200, [body, b"xyz"].concat()).declaring(Some(body.len())), true),
    ("declares more than it has", |_, _, body| Reply::new(200, body).declaring(Some(body.len() + 9)), false),
    ("other bytes", |_, _, body| Reply::new(200, noise(body.len(), 9)), false),
    ("one bit flipped", |_, _, body| Reply::new(200, flipped(body)), false),
    ("a page of HTML", |_, _, _| Reply::new(200, page(0)).with("Content-Type", "text/html"), false),
    ("a page of the right length", |_, _, body| Reply::new(200, page(body.len())), false),
    ("said to be gzip", |_, _, body| Reply::new(200, body).with("Content-Encoding", "gzip"), false),
    ("said to be br", |_, _, body| Reply::new(200, body).with("Content-Encoding", "br"), false),
    ("said to be in an unknown encoding", |_, _, body| Reply::new(200, body).with("Content-Encoding", "x-y"), false),
    ("a negative length", |_, _, body| Reply::new(200, body).declaring(None).with("Content-Length", "-5"), false),
    ("a length that is no number", |_, _, body| Reply::new(200, body).declaring(None).with("Content-Length", "many"), false),
    ("two lengths", |_, _, body| Reply::new(200, body).with("Content-Length", "7"), false),
    ("a length of 2^63", |_, _, body| Reply::new(200, body).declaring(None).with("Content-Length", "9223372036854775808"), false),
    ("a length of 2^64", |_, _, body| Reply::new(200, body).declaring(None).with("Content-Length", "18446744073709551616"), false),
    ("a redirect to itself", |request, _, _| Reply::redirect(&request.path), false),
    ("a ring of redirects", |request, n, _| Reply::redirect(&format!("{}?{}", request.path.split('?').next().unwrap(), n % 2)), false),
    ("a redirect to nowhere", |_, _, _| Reply::new(302, ""), false),
    ("a redirect to a file", |_, _, _| Reply::redirect("file:///etc/passwd"), false),
    ("a redirect to ftp", |_, _, _| Reply::redirect("ftp://127.0.0.1/x"), false),
    ("a redirect to a closed port", |_, _, _| Reply::redirect("http://127.0.0.1:9/x"), false),
    ("a redirect to no address", |_, _, _| Reply::redirect("http://[::bad/x"), false),
    ("a redirect to a host with the right file", |request, _, body| elsewhere(request, Reply::file(request, body, TAG)), true),
    ("a redirect to a host with another file", |request, _, body| elsewhere(request, Reply::new(200, noise(body.len(), 4))), false),
    ("a redirect to a host with a page", |request, _, body| elsewhere(request, Reply::new(200, page(body.len()))), false),
    ("a relative redirect", |request, _, body| if request.path.ends_with("?here") { Reply::file(request, body, TAG) } else { Reply::new(308, "").with("Location", "?here") }, true),
    ("not modified", |_, _, _| Reply::new(304, ""), false),
    ("no content", |_, _, _| Reply::new(204, "").declaring(None), false),
    ("unauthorised", |_, _, _| Reply::new(401, "no"), false),
    ("forbidden", |_, _, _| Reply::new(403, "no"), false),
    ("not found, with the file", |_, _, body| Reply::new(404, body), false),
    ("gone", |_, _, _| Reply::new(410, ""), false),
    ("no such range, though none was asked for", |_, _, _| Reply::new(416, ""), false),
    ("too many requests", |_, _, _| Reply::new(429, ""), false),
    ("too many requests, wait a year", |_, _, _| Reply::new(429, "").with("Retry-After", "31536000"), false),
    ("too many requests, wait until never", |_, _, _| Reply::new(429, "").with("Retry-After", "whenever"), false),
    ("an error of the server", |_, _, _| Reply::new(500, ""), false),
    ("an error of the server, once", |request, n, body| if n == 0 { Reply::new(503, "") } else { Reply::file(request, body, TAG) }, true),
    ("a status that does not exist", |_, _, body| Reply::new(999, body), false),
    ("a part that nobody asked for", |_, _, body| Reply::new(206, &body[5..]).with("Content-Range", "bytes 5-9/10"), false),
    ("no HTTP", |_, _, _| Reply::raw("SSH-2.0-OpenSSH_9.6\r\n"), false),
    ("no byte at all", |_, _, _| Reply::raw(""), false),
    ("half a head", |_, _, _| Reply::raw("HTTP/1.1 200 OK\r\nContent-Le"), false),
    ("a head of a megabyte", |_, _, _| Reply::raw(format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "y".repeat(1 << 20))), false),
    ("ten thousand fields", |_, _, _| Reply::raw(format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(10_000))), false),
    ("a chunk of a length that is none", |_, _, _| chunked("zz\r\nabc\r\n0\r\n\r\n"), false),
    ("a chunk of 2^64 bytes", |_, _, _| chunked("ffffffffffffffffff\r\nabc"), false),
    ("chunks that stop", |_, _, _| chunked("3\r\nabc\r\n"), false),
    ("a head that drips", |_, _, _| Reply::raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n").dripping(Duration::from_millis(150)), false),
    ("a body that drips", |_, _, body| Reply::new(200, body).dripping(Duration::from_millis(150)), false),
    ("silence", |_, _, body| Reply::new(200, body).after(Duration::from_secs(3)), false),
    ("resumed from another file under the same tag", |request, n, body| after_a_cut(request, n, body, rest(request, &noise(body.len(), 3), TAG)), false),
    ("resumed from a file that changed", |request, n, body| if n == 0 { Reply::file(request, &noise(body.len(), 3), "\"v0\"").cut_after(body.len() / 2) } else { Reply::file(request, body, TAG) }, true),
    ("resumed with another tag, though the range was conditional", |request, n, body| if n == 0 { Reply::file(request, body, TAG).cut_after(body.len() / 2) } else if request.range_start().is_some() { rest(request, body, "\"v2\"") } else { Reply::file(request, body, TAG) }, true),
    ("resumed from another place", |request, n, body| after_a_cut(request, n, body, Reply::new(206, body).with("ETag", TAG).with("Content-Range", "bytes 1-9/10")), false),
    ("resumed beyond the end", |request, n, body| after_a_cut(request, n, body, Reply::new(416, "")), false),
    ("resumed with the whole file", |request, n, body| after_a_cut(request, n, body, Reply::new(200, body).with("ETag", TAG)), true),
    ("resumed, and gone", |request, n, body| after_a_cut(request, n, body, Reply::new(404, "")), false),
    ("resumed with a page", |request, n, body| after_a_cut(request, n, body, Reply::new(200, page(0))), false),
];

/// A redirect from 127.0.0.1 to localhost, which answers so.
fn elsewhere(request: &Request, answer: Reply) -> Reply {
    if request.host.starts_with("localhost") {
        return answer;
    }
    let port = request.host.split(':').nth(1).unwrap();
    Reply::redirect(&format!("http://localhost:{port}{}", request.path))
}

/// Little patience, so that every lie is over soon.
fn impatient(folder: &Path) -> Options {
    let mut options = options(folder);
    options.retries = 2;
    options.timing.connect = Duration::from_secs(2);
    options.timing.response = Duration::from_millis(700);
    options.timing.stall = Duration::from_millis(700);
    options.timing.max_wait = Duration::from_millis(200);
    options
}

/// `{"w": n values of f32}`.
fn tensor(n_values: usize) -> Vec<u8> {
    let n_bytes = 4 * n_values;
    let header =
        format!(r#"{{"w":{{"dtype":"F32","shape":[{n_values}],"data_offsets":[0,{n_bytes}]}}}}"#);
    let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
    bytes.extend(header.bytes());
    bytes.extend(noise(n_bytes, 7));
    bytes
}

const FILE: &str = "model.safetensors";
const SPEC: &str = "hf:someone/nets/model.safetensors";

/// Where a file can come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The place that the manifest of a data set names.
    Origin,
    /// The second place that it names, where the first has nothing.
    MirrorOfTheManifest,
    /// The user's prefix.
    Mirror,
    /// Weights from the hub, whose listing tells the hash of a large file.
    Hub,
    /// Weights from the hub that our list has with a hash.
    ListedWeights,
    /// Weights from the user's prefix: nothing but their form is known.
    UnknownWeights,
}

const SOURCES: [Place; 6] = [
    Place::Origin,
    Place::MirrorOfTheManifest,
    Place::Mirror,
    Place::Hub,
    Place::ListedWeights,
    Place::UnknownWeights,
];

/// Fetches from a liar; whether it went well, and what was said otherwise. Fails where a wrong byte has the final name.
fn try_lie(name: &str, lie: Lie, from: Place) -> Result<(), String> {
    let is_weights = !matches!(
        from,
        Place::Origin | Place::MirrorOfTheManifest | Place::Mirror
    );
    let body = if is_weights {
        tensor(2000)
    } else {
        noise(8000, 1)
    };
    let served = body.clone();
    let list = listing(&[(FILE, &body, true)]);
    let n_of_file = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request, _| {
        if request.path.starts_with("/api/") {
            return Reply::new(200, list.clone());
        }
        if request.path == "/first" {
            return Reply::new(404, "");
        }
        let n_before = n_of_file.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        lie(request, n_before, &served)
    });
    let folder = tempfile::tempdir().unwrap();
    let mut options = impatient(folder.path());
    let target = folder.path().join(match is_weights {
        true => "weights/someone/nets/model.safetensors",
        false => "toy/blob.bin",
    });
    let mut manifest = blob_manifest(&server.url("/blob.bin"), &body);
    let text = format!(
        "[[weights]]\nname = \"net\"\ntitle = \"a net\"\nhub = \"someone/nets/{FILE}\"\nlicense = \"MIT\"\nsha256 = \"{}\"\n",
        sha256(&body)
    );
    let listed = WeightsManifest::from_toml(&text).unwrap();
    let begun = Instant::now();
    let fetched = catch_unwind(AssertUnwindSafe(|| match from {
        Place::Origin => dataset_of(&manifest, &options, &()).map(drop),
        Place::MirrorOfTheManifest => {
            manifest.files[0].url = server.url("/first");
            manifest.files[0].mirrors = vec![server.url("/blob.bin")];
            dataset_of(&manifest, &options, &()).map(drop)
        }
        Place::Mirror => {
            options.source = Source::parse(&server.url("/base"));
            dataset_of(&manifest, &options, &()).map(drop)
        }
        Place::Hub | Place::ListedWeights => {
            options.hub.endpoint = Some(server.url(""));
            match from {
                Place::Hub => weights(SPEC, &options, &()).map(drop),
                _ => weights_of(&listed, "net", &options, &()).map(drop),
            }
        }
        Place::UnknownWeights => {
            options.source = Source::parse(&server.url("/base"));
            weights(SPEC, &options, &()).map(drop)
        }
    }));
    let shown = format!("{name}, {from:?}");
    let fetched = fetched.unwrap_or_else(|_| panic!("{shown}: panicked"));
    let took = begun.elapsed();
    assert!(took < LONGEST, "{shown}: {took:?}");
    match &fetched {
        Ok(()) => {
            let bytes = std::fs::read(&target).unwrap();
            // Of weights of which nothing is known, any safetensors file is as good; its hash is told.
            let is_right =
                bytes == body || (from == Place::UnknownWeights && bytes.len() == body.len());
            assert!(is_right, "{shown}: wrong bytes under the final name");
        }
        Err(error) => {
            assert!(!target.exists(), "{shown}: a file after: {error}");
            let left = files_below(folder.path());
            let is_part = |name: &String| name.ends_with(".part") || name.ends_with(".part.json");
            assert!(left.iter().all(is_part), "{shown}: {left:?}");
        }
    }
    fetched.map_err(|error| error.to_string())
}

#[test]
fn no_lie_of_a_server_becomes_a_file() {
    assert!(LIES.len() >= 38, "{}", LIES.len());
    let tries = LIES.iter().flat_map(|lie| SOURCES.map(|from| (lie, from)));
    let tries: Vec<_> = tries.collect();
    // Most of the time is the server's silence.
    let next = std::sync::atomic::AtomicUsize::new(0);
    let faults = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    let Some(((name, lie, is_good), from)) = tries.get(at) else {
                        return;
                    };
                    let result = catch_unwind(|| try_lie(name, *lie, *from));
                    // Where it may fail, the right file is as good.
                    let fault = match result {
                        Ok(Err(said)) if *is_good => format!("{name}, {from:?}: {said}"),
                        Ok(Ok(()) | Err(_)) => continue,
                        Err(_) => format!("{name}, {from:?}: see above"),
                    };
                    faults.lock().unwrap().push(fault);
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "{faults:#?}");
}
