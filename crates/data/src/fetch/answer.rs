//! What a server's answers and failures mean: worth another try or not, after which wait, which version of a file.

use std::time::{Duration, SystemTime};

use ureq::Body;
use ureq::http::{HeaderMap, Response, header};

use super::{Event, FetchError, Options, Progress};

/// What an attempt ended with.
pub(crate) enum Failure {
    /// Worth another try, perhaps after a wait that the server asks for.
    Passing(FetchError, Option<Duration>),
    /// Trying again would not help.
    Final(FetchError),
}

/// Bytes that must have arrived for the count of failures to start anew.
const MEANINGFUL: u64 = 256 << 10;

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
pub(crate) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// A strong validator: an entity tag that is not weak, else the date of the last change.
pub(crate) fn validator(headers: &HeaderMap) -> Option<String> {
    let tag = text(headers, header::ETAG.as_str()).filter(|tag| !tag.starts_with("W/"));
    tag.or_else(|| text(headers, header::LAST_MODIFIED.as_str()))
        .map(ToOwned::to_owned)
}

/// `bytes 5-9/10` as (5, 10); the total may be `*`.
pub(crate) fn parse_content_range(text: &str) -> Option<(u64, Option<u64>)> {
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
