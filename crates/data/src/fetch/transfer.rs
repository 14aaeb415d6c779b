//! One file over HTTP into `NAME.part`: attempts, resumption, patience. What the bytes are worth is judged elsewhere.
//!
//! A part is resumed with `Range` and, where the server gave one, its validator in `If-Range`; a server that ignores
//! the range, or whose file changed, makes the transfer start over. A part without a validator is resumed only if the
//! file's hash is known, for then a mixture of two versions cannot pass.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, Response, header};
use ureq::{Agent, Body};

use super::answer::{
    Failure, check_status, failure, parse_content_range, protocol, text, validator, with_retries,
};
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

/// Beside a part: which version of which file it is the beginning of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Provenance {
    url: String,
    validator: Option<String>,
    total: Option<u64>,
}

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
