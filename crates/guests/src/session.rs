//! The conversation with one guest, from the greeting to the goodbye. It has a scratch folder of its own, through which saved
//! states go; both end with it.

use std::fs;
use std::time::Duration;

use metastable_algorithms::{Prediction, Task};
use metastable_models::{ImageShape, Real};
use safetensors::SafeTensors;
use serde_json::{Map, Value, json};

use crate::answer::{embeddings, prediction};
use crate::config::{ProcessConfig, Training};
use crate::error::{GuestError, Result};
use crate::living::Scratch;
use crate::message::{Hello, PROTOCOL, Progressed, Ready, Trained};
use crate::order::order;
use crate::talk::{Talk, header, kind};
use crate::tensors::{Images, Out, QueryLabels, payload, task};

pub use crate::talk::Cancel;

/// Most bytes of a saved state.
const MOST_SAVED: u64 = 4 << 30;
/// Most values of an embedding.
const MOST_FEATURES: u64 = 1 << 16;

/// A guest that was greeted.
#[derive(Debug)]
pub struct Session {
    talk: Talk,
    scratch: Scratch,
    ready: Ready,
    image: ImageShape,
}

impl Session {
    /// Starts and greets a guest.
    ///
    /// # Errors
    /// [`GuestError::Start`]; [`GuestError::Version`]; [`GuestError::Protocol`] for one that does not offer what the
    /// training needs; those of any request.
    pub fn start(config: &ProcessConfig, hello: &Hello, cancel: Cancel) -> Result<Self> {
        config.check()?;
        if config.command.is_empty() {
            return Err(GuestError::Setting {
                setting: "command",
                problem: "is missing; say how the guest is started, e.g. command = [\"python3\", \"my_learner.py\"]".to_owned(),
            });
        }
        let scratch = Scratch::new().map_err(|error| GuestError::Scratch {
            folder: std::env::temp_dir().display().to_string(),
            request: "start".to_owned(),
            problem: error.to_string(),
        })?;
        let mut session = Self {
            talk: Talk::start(
                &config.command,
                hello.threads,
                Duration::from_secs(config.timeout_seconds),
                cancel,
            )?,
            scratch,
            ready: Ready {
                protocol: 0,
                name: config.line(),
                version: String::new(),
                offers: Vec::new(),
                fixed_way: None,
                max_batch: 1,
                label_bound: false,
                order_bound: false,
                modules: std::collections::BTreeMap::new(),
            },
            image: ImageShape {
                height: hello.data.height,
                width: hello.data.width,
                channels: hello.data.channels,
            },
        };
        session.ready = session.greet(hello)?;
        session.check_offers(hello)?;
        Ok(session)
    }

    fn greet(&mut self, hello: &Hello) -> Result<Ready> {
        let request = "hello";
        let mut header = object(hello);
        header.insert("scratch".to_owned(), json!(self.scratch.path()));
        let frame = self.talk.ask(request, header, &[], 0)?;
        let theirs = frame.header.get("protocol").and_then(Value::as_u64);
        match theirs {
            Some(PROTOCOL) => self.talk.parse(request, "ready", frame),
            _ => Err(GuestError::Version {
                name: frame
                    .header
                    .get("name")
                    .and_then(Value::as_str)
                    .map_or_else(|| self.ready.name.clone(), str::to_owned),
                ours: PROTOCOL,
                theirs: theirs.unwrap_or(0),
            }),
        }
    }

    fn check_offers(&self, hello: &Hello) -> Result<()> {
        let needed: &[&str] = match hello.training {
            Training::Given => &["predict", "train", "save"],
            Training::Own => &["predict", "fit", "save"],
            Training::None => &["predict"],
        };
        if let Some(missing) = needed.iter().find(|request| !self.ready.offers(request)) {
            return Err(self.talk.protocol(
                "hello",
                format!(
                    "it offers {:?} and not {missing}, and training = {} needs {needed:?} (questions after training are put to the saved state)",
                    self.ready.offers,
                    json!(hello.training),
                ),
            ));
        }
        if self.ready.max_batch == 0 {
            return Err(self.talk.protocol(
                "hello",
                "max_batch is 0, and has to be 1 or more".to_owned(),
            ));
        }
        match self.ready.fixed_way {
            Some(way) if way != hello.test.way => Err(self.talk.protocol(
                "hello",
                format!(
                    "it is bound to {way} classes, and the test has {}; make test.way and episode.way {way}",
                    hello.test.way
                ),
            )),
            _ => Ok(()),
        }
    }

    /// What it said of itself.
    #[must_use]
    pub fn ready(&self) -> &Ready {
        &self.ready
    }

    /// One outer step on the tasks of a meta-batch, labels of queries included.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn train<T: Real>(&mut self, step: usize, tasks: &[Task<T>]) -> Result<Trained> {
        let request = format!("train (step {step}, {} tasks)", tasks.len());
        let tensors = tasks.iter().enumerate();
        let tensors = tensors
            .flat_map(|(number, one)| task(number, one, self.image, QueryLabels::Sent).tensors);
        let tensors: Vec<Out> = tensors.collect();
        let header = header(
            "train",
            &[("step", json!(step)), ("tasks", json!(tasks.len()))],
        );
        let frame = self.talk.ask(&request, header, &tensors, 0)?;
        self.talk.parse(&request, "trained", frame)
    }

    /// A training on the images of the training classes `(n, pixels)` with their labels, and on those for validation.
    /// `progressed` hears of its progress; the last report is returned.
    ///
    /// # Errors
    /// [`GuestError`]; a file of the images that cannot be written.
    pub fn fit(
        &mut self,
        train: (&[f32], &[usize]),
        validation: (&[f32], &[usize]),
        mut progressed: impl FnMut(&Progressed),
    ) -> Result<Progressed> {
        let request = "fit";
        let parts = [("train", train), ("validation", validation)];
        let tensors: Vec<Out> = parts
            .into_iter()
            .flat_map(|(part, (images, labels))| {
                let images = Images::new(images, self.image);
                [
                    Out::labels(format!("{part}.labels"), labels.iter().copied()),
                    Out::images(format!("{part}.images"), images),
                ]
            })
            .collect();
        // A file that both map beats a message of all images.
        let path = self.scratch.path().join("data.safetensors");
        let bytes = payload(&tensors).map_err(|problem| self.talk.protocol(request, problem))?;
        fs::write(&path, bytes).map_err(|error| self.scratch_failed(request, &error))?;
        self.talk
            .send(request, header("fit", &[("path", json!(path))]), &[], 0)?;
        loop {
            let frame = self.talk.receive(request)?;
            match kind(&frame) {
                "progress" => progressed(&self.talk.parse(request, "progress", frame)?),
                _ => return self.talk.parse(request, "fitted", frame),
            }
        }
    }

    /// Class probabilities of the queries of some tasks, at most [`Ready::max_batch`] of them; numbers that are not finite are
    /// no error.
    ///
    /// # Errors
    /// [`GuestError`]: an answer of another shape, or of log-probabilities that are none.
    pub fn predict<T: Real>(&mut self, tasks: &[&Task<T>]) -> Result<Vec<Prediction<T>>> {
        let request = format!("predict ({} tasks)", tasks.len());
        let (mut tensors, mut orders, mut n_scores) = (Vec::new(), Vec::new(), 0);
        for (number, one) in tasks.iter().enumerate() {
            let sent = task(number, one, self.image, QueryLabels::Kept);
            n_scores += sent.queries.len() * one.shape().n_way;
            tensors.extend(sent.tensors);
            orders.push(sent.queries);
        }
        let ways: Vec<usize> = tasks.iter().map(|one| one.shape().n_way).collect();
        let header = header(
            "predict",
            &[("tasks", json!(tasks.len())), ("ways", json!(ways))],
        );
        let frame = self
            .talk
            .ask(&request, header, &tensors, n_scores as u64 * 8)?;
        let request = format!("{request}, id {}", self.talk.id);
        self.talk.expect(&request, "prediction", &frame)?;
        let read = || -> Result<Vec<Prediction<T>>, String> {
            let scores = SafeTensors::deserialize(&frame.payload)
                .map_err(|error| format!("its payload is no safetensors: {error}"))?;
            let each = tasks.iter().zip(&orders).enumerate();
            each.map(|(number, (one, order))| prediction(&scores, number, one, order))
                .collect()
        };
        read().map_err(|problem| self.talk.protocol(&request, problem))
    }

    /// Embeddings `(n, width)` of images `(n, pixels)`, and their width. The images are sent in an order of their pixels, as those of
    /// a task are.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn features<T: Real>(&mut self, images: &[T]) -> Result<(usize, Vec<f64>)> {
        let request = "features";
        let images = Images::new(images, self.image);
        let order = order(images.rows(), 0);
        let tensors = [Out::images("images".to_owned(), images.ordered(&order))];
        let most = order.len() as u64 * MOST_FEATURES * 8;
        let frame = self
            .talk
            .ask(request, header("features", &[]), &tensors, most)?;
        self.talk.expect(request, "features", &frame)?;
        let read = || -> Result<(usize, Vec<f64>), String> {
            let found = SafeTensors::deserialize(&frame.payload)
                .map_err(|error| format!("its payload is no safetensors: {error}"))?;
            embeddings(&found, &order)
        };
        read().map_err(|problem| self.talk.protocol(request, problem))
    }

    /// All that the guest has learnt, as it writes it to a file.
    ///
    /// # Errors
    /// [`GuestError`]; no file, or one beyond 4 GB.
    pub fn save(&mut self) -> Result<Vec<u8>> {
        let request = "save";
        let path = self.scratch.path().join("state");
        let _ = fs::remove_file(&path);
        let frame = self
            .talk
            .ask(request, header("save", &[("path", json!(path))]), &[], 0)?;
        self.talk.expect(request, "saved", &frame)?;
        let size = fs::metadata(&path).map(|metadata| metadata.len());
        match size {
            Ok(size) if size <= MOST_SAVED => {
                fs::read(&path).map_err(|error| self.scratch_failed(request, &error))
            }
            Ok(size) => Err(self.talk.protocol(
                request,
                format!("the state has {size} bytes, and at most {MOST_SAVED} are kept"),
            )),
            Err(_) => Err(self.talk.protocol(
                request,
                format!("it says that it saved, and {} is not there", path.display()),
            )),
        }
    }

    /// Puts back what [`Self::save`] gave, of this process or of another.
    ///
    /// # Errors
    /// [`GuestError`].
    pub fn load(&mut self, state: &[u8]) -> Result<()> {
        let request = "load";
        let path = self.scratch.path().join("state");
        // What is there is the guest's: it may be a link, or open to the guest, and would be written through.
        let _ = fs::remove_file(&path);
        fs::write(&path, state).map_err(|error| self.scratch_failed(request, &error))?;
        let frame = self
            .talk
            .ask(request, header("load", &[("path", json!(path))]), &[], 0)?;
        self.talk.expect(request, "loaded", &frame)
    }

    /// Tells it goodbye; one that does not go is killed.
    pub fn bye(mut self) {
        let _ = self.talk.send("bye", header("bye", &[]), &[], 0);
        self.talk.child.farewell();
    }

    fn scratch_failed(&self, request: &str, error: &std::io::Error) -> GuestError {
        GuestError::Scratch {
            folder: self.scratch.path().display().to_string(),
            request: request.to_owned(),
            problem: error.to_string(),
        }
    }
}

/// The greeting as a header.
fn object(hello: &Hello) -> Map<String, Value> {
    let mut map = match serde_json::to_value(hello) {
        Ok(Value::Object(map)) => map,
        // A structure of numbers and strings is an object.
        Ok(_) | Err(_) => Map::new(),
    };
    map.insert("type".to_owned(), json!("hello"));
    map
}
