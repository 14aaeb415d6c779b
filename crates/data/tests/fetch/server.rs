//! A web server on the loopback that can lie: each test scripts what it answers.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// Path and query.
    pub(crate) path: String,
    /// The host that was asked.
    pub(crate) host: String,
    headers: Vec<(String, String)>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// First byte of a `Range: bytes=N-`.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?
            .strip_prefix("bytes=")?
            .strip_suffix('-')?
            .parse()
            .ok()
    }
}

/// An answer, honest unless told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    /// What `Content-Length` says; `None` leaves it out, so the end of the connection ends the body.
    declared: Option<usize>,
    /// Close after so many bytes of the body.
    cut: usize,
    /// Send one byte at a time, with this pause.
    drip: Option<Duration>,
    /// Wait before the head.
    silence: Duration,
    /// These bytes instead of everything above.
    raw: Option<Vec<u8>>,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        let body = body.into();
        Self {
            status,
            headers: Vec::new(),
            declared: Some(body.len()),
            body,
            cut: usize::MAX,
            drip: None,
            silence: Duration::ZERO,
            raw: None,
        }
    }

    /// What an honest server says: it knows ranges and `If-Range`.
    pub(crate) fn file(request: &Request, body: &[u8], tag: &str) -> Self {
        let is_same = request.header("if-range").is_none_or(|asked| asked == tag);
        let reply = match request.range_start().filter(|_| is_same) {
            Some(start) if start >= body.len() => Self::new(416, ""),
            Some(start) => Self::new(206, &body[start..]).with(
                "Content-Range",
                &format!("bytes {start}-{}/{}", body.len() - 1, body.len()),
            ),
            None => Self::new(200, body),
        };
        reply.with("ETag", tag)
    }

    /// Bytes that need not be HTTP.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        let mut reply = Self::new(200, "");
        reply.raw = Some(bytes.into());
        reply
    }

    pub(crate) fn redirect(to: &str) -> Self {
        Self::new(302, "").with("Location", to)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(key, _)| key != name);
        self
    }

    pub(crate) fn declaring(mut self, length: Option<usize>) -> Self {
        self.declared = length;
        self
    }

    pub(crate) fn cut_after(mut self, n_bytes: usize) -> Self {
        self.cut = n_bytes;
        self
    }

    pub(crate) fn dripping(mut self, pause: Duration) -> Self {
        self.drip = Some(pause);
        self
    }

    pub(crate) fn after(mut self, silence: Duration) -> Self {
        self.silence = silence;
        self
    }

    fn send(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        std::thread::sleep(self.silence);
        if let Some(raw) = &self.raw {
            return self.send_body(raw, stream);
        }
        let mut head = format!("HTTP/1.1 {} Status\r\nConnection: close\r\n", self.status);
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        if let Some(length) = self.declared {
            head += &format!("Content-Length: {length}\r\n");
        }
        stream.write_all(head.as_bytes())?;
        stream.write_all(b"\r\n")?;
        self.send_body(&self.body[..self.cut.min(self.body.len())], stream)
    }

    fn send_body(&self, body: &[u8], stream: &mut TcpStream) -> std::io::Result<()> {
        match self.drip {
            None => stream.write_all(body),
            Some(pause) => body.iter().try_for_each(|byte| {
                std::thread::sleep(pause);
                stream.write_all(&[*byte])?;
                stream.flush()
            }),
        }
    }
}

/// A running server; it lives as long as the test process.
pub(crate) struct Server {
    port: u16,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// `answer` gets the request and how many came before it.
    pub(crate) fn start(answer: impl Fn(&Request, usize) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (log, answer) = (Arc::clone(&requests), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, answer) = (Arc::clone(&log), Arc::clone(&answer));
                std::thread::spawn(move || serve(stream, &log, &*answer));
            }
        });
        Self { port, requests }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// The same server under another host name.
    pub(crate) fn other_host_url(&self, path: &str) -> String {
        format!("http://localhost:{}{path}", self.port)
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }
}

fn serve(
    mut stream: TcpStream,
    log: &Mutex<Vec<Request>>,
    answer: &dyn Fn(&Request, usize) -> Reply,
) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut line = String::new();
    if reader.read_line(&mut line).unwrap_or(0) == 0 {
        return;
    }
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    let mut headers = Vec::new();
    loop {
        line.clear();
        if reader.read_line(&mut line).unwrap_or(0) == 0 || line.trim().is_empty() {
            break;
        }
        if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_owned(), value.trim().to_owned()));
        }
    }
    let mut request = Request {
        path,
        host: String::new(),
        headers,
    };
    request.host = request.header("host").unwrap_or_default().to_owned();
    let n_before = {
        let mut log = log.lock().unwrap();
        log.push(request.clone());
        log.len() - 1
    };
    // The client may hang up first; that is its right.
    let _ = answer(&request, n_before).send(&mut stream);
}
