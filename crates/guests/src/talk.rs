//! Questions to a process and their answers: one message out, one in, with its number, in time.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::child::{Child, NoFrame};
use crate::error::{GuestError, Result};
use crate::frame::Frame;
use crate::tensors::{Out, payload};

/// Most bytes of the header and the names of an answer's tensors.
const TENSOR_HEADER: u64 = 1 << 20;

/// Says whether the user asked to stop.
#[derive(Clone)]
pub struct Cancel(Arc<dyn Fn() -> bool + Send + Sync>);

impl Cancel {
    /// By a function that is asked while an answer is waited for.
    pub fn when(asked: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        Self(Arc::new(asked))
    }

    /// Nobody asks.
    #[must_use]
    pub fn never() -> Self {
        Self::when(|| false)
    }
}

impl std::fmt::Debug for Cancel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Cancel")
    }
}

/// A process that is asked.
#[derive(Debug)]
pub(crate) struct Talk {
    pub(crate) child: Child,
    patience: Duration,
    cancel: Cancel,
    /// Number of the last request.
    pub(crate) id: u64,
}

impl Talk {
    /// Starts a command.
    pub(crate) fn start(
        command: &[String],
        threads: usize,
        patience: Duration,
        cancel: Cancel,
    ) -> Result<Self> {
        Ok(Self {
            child: Child::start(command, threads)?,
            patience,
            cancel,
            id: 0,
        })
    }

    pub(crate) fn ask(
        &mut self,
        request: &str,
        header: Map<String, Value>,
        tensors: &[Out],
        most_scores: u64,
    ) -> Result<Frame> {
        self.send(request, header, tensors, most_scores)?;
        self.receive(request)
    }

    pub(crate) fn send(
        &mut self,
        request: &str,
        mut header: Map<String, Value>,
        tensors: &[Out],
        most_scores: u64,
    ) -> Result<()> {
        self.id += 1;
        header.insert("id".to_owned(), json!(self.id));
        let payload = if tensors.is_empty() {
            Vec::new()
        } else {
            payload(tensors).map_err(|problem| self.protocol(request, problem))?
        };
        let most = if most_scores == 0 {
            0
        } else {
            most_scores + TENSOR_HEADER
        };
        let sent = self.child.send(Frame { header, payload }, most);
        sent.map_err(|error| self.protocol(request, error.to_string()))
    }

    /// The next message, which has to be about the last request.
    pub(crate) fn receive(&mut self, request: &str) -> Result<Frame> {
        let cancel = Arc::clone(&self.cancel.0);
        let request = format!("{request}, id {}", self.id);
        let frame = match self.child.receive(self.patience, &*cancel) {
            Ok(frame) => frame,
            Err(NoFrame::Ended) => {
                let status = self.child.status();
                let last_words = self.child.last_words();
                return Err(GuestError::Ended {
                    status,
                    request,
                    last_words,
                });
            }
            Err(NoFrame::Bad(error)) => {
                let problem = format!("{error}; stdout belongs to the protocol: print to stderr");
                self.child.end();
                return Err(self.protocol(&request, problem));
            }
            Err(NoFrame::Late) => {
                self.child.end();
                return Err(GuestError::Silent {
                    request,
                    seconds: self.patience.as_secs(),
                    last_words: self.child.last_words(),
                });
            }
            Err(NoFrame::Cancelled) => {
                self.child.end();
                return Err(GuestError::Cancelled { request });
            }
        };
        if kind(&frame) == "error" {
            let message = frame.header.get("message").and_then(Value::as_str);
            let message = message.unwrap_or("it does not say why").to_owned();
            self.child.status();
            return Err(GuestError::Failed {
                request,
                message,
                last_words: self.child.last_words(),
            });
        }
        match frame.header.get("id").and_then(Value::as_u64) {
            Some(id) if id == self.id => Ok(frame),
            other => {
                let problem = format!("its id is {}, and {} was asked", json!(other), self.id);
                Err(self.protocol(&request, problem))
            }
        }
    }

    pub(crate) fn expect(&self, request: &str, expected: &str, frame: &Frame) -> Result<()> {
        match kind(frame) {
            found if found == expected => Ok(()),
            found => Err(self.protocol(
                request,
                format!("its type is {found:?}, and {expected:?} is expected"),
            )),
        }
    }

    pub(crate) fn parse<A: DeserializeOwned>(
        &self,
        request: &str,
        expected: &str,
        frame: Frame,
    ) -> Result<A> {
        self.expect(request, expected, &frame)?;
        serde_json::from_value(Value::Object(frame.header))
            .map_err(|error| self.protocol(request, error.to_string()))
    }

    pub(crate) fn protocol(&self, request: &str, problem: String) -> GuestError {
        GuestError::Protocol {
            request: request.to_owned(),
            problem,
            last_words: self.child.last_words(),
        }
    }
}

pub(crate) fn kind(frame: &Frame) -> &str {
    frame
        .header
        .get("type")
        .and_then(Value::as_str)
        .unwrap_or_default()
}

pub(crate) fn header(kind: &str, fields: &[(&str, Value)]) -> Map<String, Value> {
    let fields = fields
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()));
    std::iter::once(("type".to_owned(), json!(kind)))
        .chain(fields)
        .collect()
}
