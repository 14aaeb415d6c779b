//! One file over HTTP into `NAME.part`: attempts, resumption, patience. What the bytes are worth is judged elsewhere.
//!
//! A part is resumed with `Range` and, where the server gave one, its validator in `If-Range`; a server that ignores
//! the range, or whose file changed, makes the transfer start over. A part without a validator is resumed only if the
//! file's hash is known, for then a mixture of two versions cannot pass.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body};

use super::{Event, FetchError, Options, Progress, Timing, part};

/// A file to transfer.
pub(crate) struct Request<'a> {
    /// Name in messages and events.
    pub(crate) file: &'a str,
    pub(crate) url: &'a str,
    /// Its size, where known beforehand.
    pub(crate) bytes: Option<u64>,
    /// No more than this is taken, whatever the server says.
    pub(crate) max_bytes: u64,
    /// Whether a hash (or the content) will be checked afterwards.
    pub(crate) hash_known: bool,
    /// Access token, sent to the host of `url` only.
    pub(crate) token: Option<&'a str>,
}

/// What an attempt ended with.
pub(crate) enum Failure {
    /// Worth another try, perhaps after a wait that the server asks for.
    Passing(FetchError, Option<Duration>),
    /// Trying again would not help.
    Final(FetchError),
}

/// Beside a part: which version of which file it is the beginning of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Provenance {
    url: String,
    validator: Option<String>,
    total: Option<u64>,
}

/// Bytes that must have arrived for the count of failures to start anew.
const MEANINGFUL: u64 = 256 << 10;

/// An agent with the patience of `timing`; redirects are followed, statuses are left to the caller.
pub(crate) fn agent(timing: &Timing) -> Agent {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(8)
        .timeout_connect(Some(timing.connect))
        .timeout_recv_response(Some(timing.response))
        .timeout_per_read(Some(timing.stall))
        .timeout_per_write(Some(timing.stall))
        .user_agent(concat!("metastable/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// Runs `attempt` until it succeeds, fails for good, or has failed too often without progress.
///
/// `position` tells how far the work has come; only reaching a new high counts as progress, so a server that always
/// cuts at the same place is given up.
pub(crate) fn with_retries<T>(
    file: &str,
    url: &str,
    options: &Options,
    progress: &dyn Progress,
    position: impl Fn() -> u64,
    mut attempt: impl FnMut() -> Result<T, Failure>,
) -> Result<T, FetchError> {
    let mut high = position();
    let mut n_failures = 0;
    loop {
        let (error, asked) = match attempt() {
            Ok(value) => return Ok(value),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Passing(error, asked)) => (error, asked),
        };
        if position() >= high + MEANINGFUL {
            high = position();
            n_failures = 0;
        }
        if n_failures >= options.retries {
            return Err(error);
        }
        n_failures += 1;
        if let Some(wait) = asked.filter(|wait| *wait > options.timing.max_wait) {
            return Err(FetchError::RateLimited {
                url: url.to_owned(),
                wait,
            });
        }
        let backoff = options
            .timing
            .backoff
            .saturating_mul(1 << (n_failures - 1).min(16));
        let wait = backoff
            .min(options.timing.max_wait)
            .max(asked.unwrap_or_default());
        let cause = error.to_string();
        progress.event(&Event::Retry {
            file,
            attempt: n_failures,
            wait,
            cause: &cause,
        });
        std::thread::sleep(wait);
    }
}

/// Brings all bytes of a file into `part`; returns from which byte the transfer was resumed (0 for none).
pub(crate) fn download(
    request: &Request<'_>,
    part: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<u64, FetchError> {
    let agent = agent(&options.timing);
    let mut resumed_from = None;
    let position = || part::len(part);
    with_retries(
        request.file,
        request.url,
        options,
        progress,
        position,
        || {
            let start = attempt(&agent, request, part, options, progress)?;
            resumed_from = Some(start);
            Ok(())
        },
    )?;
    Ok(resumed_from.unwrap_or(0))
}

/// One request; appends to the part, or starts it over. Returns the offset it went on from.
fn attempt(
    agent: &Agent,
    request: &Request<'_>,
    part: &Path,
    options: &Options,
    progress: &dyn Progress,
) -> Result<u64, Failure> {
    let before = part::read_note::<Provenance>(part).unwrap_or_default();
    let offset = usable_offset(request, part, &before)?;
    if offset > 0 && request.bytes == Some(offset) {
        return Ok(offset);
    }
    let mut builder = agent
        .get(request.url)
        .header(header::ACCEPT_ENCODING, "identity");
    if let Some(token) = request.token {
        builder = builder.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    if offset > 0 {
        builder = builder.header(header::RANGE, format!("bytes={offset}-"));
        if let Some(validator) = before
            .validator
            .as_ref()
            .filter(|_| before.url == request.url)
        {
            builder = builder.header(header::IF_RANGE, validator.clone());
        }
    }
    let https_only = request.url.starts_with("https://");
    let response = builder
        .config()
        .https_only(https_only)
        .build()
        .call()
        .map_err(|error| failure(request.url, error))?;
    check_status(request.url, &response)?;
    let plan = plan(request, &before, offset, &response)?;
    if plan.start_over_first {
        part::discard(part).map_err(Failure::Final)?;
        return Err(Failure::Passing(
            protocol(request.url, "the file changed between two attempts"),
            None,
        ));
    }
    let now = Provenance {
        url: request.url.to_owned(),
        validator: validator(response.headers()),
        total: plan.total,
    };
    part::write_note(part, &now).map_err(Failure::Final)?;
    receive(request, response, part, &plan, options, progress)?;
    Ok(plan.start)
}

/// From which byte the part may be resumed; a part that may not is removed.
fn usable_offset(request: &Request<'_>, part: &Path, before: &Provenance) -> Result<u64, Failure> {
    let have = part::len(part);
    let same_url = before.url == request.url;
    let trusted = request.hash_known || (same_url && before.validator.is_some());
    let too_long = request.bytes.is_some_and(|bytes| have > bytes);
    if have > 0 && (!trusted || too_long) {
        part::discard(part).map_err(Failure::Final)?;
        return Ok(0);
    }
    Ok(have)
}

/// What to do with an answer.
struct Plan {
    start: u64,
    total: Option<u64>,
    start_over_first: bool,
}

fn plan(
    request: &Request<'_>,
    before: &Provenance,
    offset: u64,
    response: &Response<Body>,
) -> Result<Plan, Failure> {
    let headers = response.headers();
    let encoding = text(headers, header::CONTENT_ENCODING.as_str());
    if encoding.is_some_and(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        let problem =
            format!("the body is encoded ({encoding:?}), though the plain file was asked for");
        return Err(Failure::Final(protocol(request.url, problem)));
    }
    let length = text(headers, header::CONTENT_LENGTH.as_str())
        .and_then(|length| length.trim().parse::<u64>().ok());
    let mut plan = Plan {
        start: 0,
        total: length,
        start_over_first: false,
    };
    match response.status().as_u16() {
        200 => {}
        206 if offset > 0 => {
            let range = text(headers, header::CONTENT_RANGE.as_str()).and_then(parse_content_range);
            let Some((first, total)) = range else {
                return Err(Failure::Final(protocol(
                    request.url,
                    "a partial answer without a readable Content-Range",
                )));
            };
            let changed = before.url == request.url
                && (is_other_version(request, before, headers)
                    || before.total.is_some() && total.is_some() && before.total != total);
            plan = Plan {
                start: offset,
                total: total.or(length.map(|length| length + offset)),
                start_over_first: first != offset || changed,
            };
            if plan.start_over_first {
                return Ok(plan);
            }
        }
        // Nothing after the part: it is as long as the file there, or longer.
        416 if offset > 0 => {
            return Ok(Plan {
                start_over_first: true,
                ..plan
            });
        }
        status => {
            return Err(Failure::Final(FetchError::Status {
                url: request.url.to_owned(),
                status,
            }));
        }
    }
    match (request.bytes, plan.total) {
        (Some(expected), Some(got)) if expected != got => Err(Failure::Final(FetchError::Length {
            file: request.file.to_owned(),
            expected,
            got,
        })),
        (None, Some(got)) if got > request.max_bytes => Err(Failure::Final(FetchError::Length {
            file: request.file.to_owned(),
            expected: request.max_bytes,
            got,
        })),
        _ => {
            plan.total = plan.total.or(request.bytes);
            Ok(plan)
        }
    }
}

/// Whether a partial answer is of another version than the part; without a tag to compare, the hash will tell.
fn is_other_version(request: &Request<'_>, before: &Provenance, headers: &HeaderMap) -> bool {
    match validator(headers) {
        Some(now) => before.validator.as_ref().is_some_and(|then| *then != now),
        None => before.validator.is_some() && !request.hash_known,
    }
}

/// Copies the body into the part.
fn receive(
    request: &Request<'_>,
    response: Response<Body>,
    part: &Path,
    plan: &Plan,
    options: &Options,
    progress: &dyn Progress,
) -> Result<(), Failure> {
    let (file, url, total) = (request.file, request.url, plan.total);
    let io = |action| {
        move |error| Failure::Final(disk(FetchError::io(action, part)(error), total, plan.start))
    };
    let mut out: File = if plan.start > 0 {
        OpenOptions::new()
            .append(true)
            .open(part)
            .map_err(io("open"))?
    } else {
        File::create(part).map_err(io("create"))?
    };
    progress.event(&Event::Start {
        file,
        resumed_from: plan.start,
        total,
        from: url,
    });
    let mut body = response.into_body().into_reader();
    let mut buffer = vec![0_u8; 1 << 16];
    let mut done = plan.start;
    let mut window = (Instant::now(), done);
    loop {
        let n_read = match body.read(&mut buffer) {
            Ok(n_read) => n_read,
            Err(error) => return Err(cut(url, &error, done, total)),
        };
        if n_read == 0 {
            break;
        }
        let most = total.unwrap_or(request.max_bytes);
        if done + n_read as u64 > most {
            // More than promised: none of it can be trusted.
            drop(out);
            part::discard(part).map_err(Failure::Final)?;
            let file = file.to_owned();
            return Err(Failure::Final(FetchError::Length {
                file,
                expected: most,
                got: done + n_read as u64,
            }));
        }
        out.write_all(&buffer[..n_read]).map_err(|error| {
            Failure::Final(disk(FetchError::io("write", part)(error), total, done))
        })?;
        done += n_read as u64;
        progress.event(&Event::Bytes { file, done, total });
        let elapsed = window.0.elapsed();
        if elapsed >= options.timing.stall {
            let rate = (done - window.1) as f64 / elapsed.as_secs_f64();
            if rate < options.timing.min_rate as f64 {
                let problem = format!("{rate:.0} bytes a second");
                return Err(Failure::Passing(
                    FetchError::Stalled {
                        url: url.to_owned(),
                        problem,
                    },
                    None,
                ));
            }
            window = (Instant::now(), done);
        }
    }
    match total {
        Some(total) if done < total => {
            let problem = format!("the connection was cut after {done} of {total} bytes");
            Err(Failure::Passing(
                FetchError::Network {
                    url: url.to_owned(),
                    problem,
                },
                None,
            ))
        }
        _ => Ok(()),
    }
}

/// Says how much is missing when the disk is full.
fn disk(error: FetchError, total: Option<u64>, done: u64) -> FetchError {
    match (error, total) {
        (FetchError::DiskFull { path, .. }, Some(total)) => FetchError::DiskFull {
            path,
            missing: format!("{} bytes", total.saturating_sub(done)),
        },
        (error, _) => error,
    }
}

fn cut(url: &str, error: &std::io::Error, done: u64, total: Option<u64>) -> Failure {
    let url = url.to_owned();
    let of = total.map_or_else(String::new, |total| format!(" of {total}"));
    let problem = format!("{error} after {done}{of} bytes");
    let is_timeout = error.kind() == std::io::ErrorKind::TimedOut;
    let error = if is_timeout {
        FetchError::Stalled { url, problem }
    } else {
        FetchError::Network { url, problem }
    };
    Failure::Passing(error, None)
}

/// Sorts statuses that carry no file into passing and final ones.
pub(crate) fn check_status(url: &str, response: &Response<Body>) -> Result<(), Failure> {
    let status = response.status().as_u16();
    let error = FetchError::Status {
        url: url.to_owned(),
        status,
    };
    match status {
        200 | 206 | 416 => Ok(()),
        408 | 425 | 429 | 500 | 502 | 503 | 504 => {
            let asked =
                text(response.headers(), header::RETRY_AFTER.as_str()).and_then(retry_after);
            Err(Failure::Passing(error, asked))
        }
        _ => Err(Failure::Final(error)),
    }
}

/// Sorts errors of the client into passing and final ones.
pub(crate) fn failure(url: &str, error: ureq::Error) -> Failure {
    let address = url.to_owned();
    let network = |problem: String| FetchError::Network {
        url: url.to_owned(),
        problem,
    };
    match error {
        ureq::Error::TooManyRedirects => {
            Failure::Final(FetchError::TooManyRedirects { url: address })
        }
        ureq::Error::Timeout(which) => Failure::Passing(
            FetchError::Stalled {
                url: address,
                problem: format!("timeout: {which}"),
            },
            None,
        ),
        // A machine without a network fails here; waiting would only delay the next source.
        ureq::Error::HostNotFound => Failure::Final(network(
            "the host is not found; is there a network?".to_owned(),
        )),
        ureq::Error::Io(error) => Failure::Passing(network(error.to_string()), None),
        ureq::Error::ConnectionFailed => {
            Failure::Passing(network("no connection".to_owned()), None)
        }
        ureq::Error::Protocol(error) => Failure::Passing(network(error.to_string()), None),
        error => Failure::Final(protocol(url, error.to_string())),
    }
}

pub(crate) fn protocol(url: &str, problem: impl Into<String>) -> FetchError {
    FetchError::Protocol {
        url: url.to_owned(),
        problem: problem.into(),
    }
}

/// A header that is plain text.
fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A strong validator: an entity tag that is not weak, else the date of the last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, header::ETAG.as_str()).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text(headers, header::LAST_MODIFIED.as_str()))
        .map(ToOwned::to_owned)
}

/// `bytes 5-9/10` as (5, 10); the total may be `*`.
fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
    let (range, total) = text
        .trim()
        .strip_prefix("bytes")?
        .trim_start()
        .split_once('/')?;
    let (first, _) = range.split_once('-')?;
    let total = if total.trim() == "*" {
        None
    } else {
        Some(total.trim().parse().ok()?)
    };
    Some((first.trim().parse().ok()?, total))
}

/// `Retry-After`: seconds or a date.
fn retry_after(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text.trim()).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{parse_content_range, retry_after};
    use std::time::{Duration, SystemTime};

    #[test]
    fn headers_are_read_as_rfc_9110_writes_them() {
        assert_eq!(
            parse_content_range("bytes 42-1233/1234"),
            Some((42, Some(1234)))
        );
        assert_eq!(parse_content_range("bytes 42-1233/*"), Some((42, None)));
        assert_eq!(parse_content_range("bytes */1234"), None);
        assert_eq!(parse_content_range("lines 1-2/3"), None);
        assert_eq!(retry_after("120"), Some(Duration::from_secs(120)));
        assert_eq!(
            retry_after("Fri, 31 Dec 1999 23:59:59 GMT"),
            Some(Duration::ZERO)
        );
        let soon = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(600));
        let wait = retry_after(&soon).unwrap().as_secs();
        assert!((590..=600).contains(&wait), "{wait}");
        assert_eq!(retry_after("later"), None);
    }
}
