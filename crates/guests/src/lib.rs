//! Learners from elsewhere: a process in any language that is asked over its standard input and output.
//!
//! A [`Session`] starts the command of a [`ProcessConfig`], greets it, and asks it: [`Session::train`] on episodes,
//! [`Session::predict`] the queries of tasks, [`Session::save`] and [`Session::load`] what it has learnt. [`Guest`] is the same
//! as a [`metastable_algorithms::Learner`], so that whatever asks a learner asks a guest.
//!
//! Three rules make the answers worth something. Labels of queries never leave when a task is asked; supports and queries
//! are sent in an order that depends on their pixels alone ([`order`]); nothing that arrives is believed before its
//! length, shape and normalisation are checked. A guest that dies, hangs or lies is an error that names the request and has
//! the last lines of its stderr ([`GuestError`]); numbers that are not finite are a result, and pass.
//!
//! Start reading at [`session`].

mod answer;
pub mod child;
pub mod config;
pub mod embedding;
pub mod environment;
pub mod error;
pub mod frame;
#[doc(hidden)]
pub mod inputs;
pub mod learner;
mod living;
pub mod message;
pub mod network;
pub mod order;
pub mod python;
pub mod session;
mod talk;
mod tensors;

pub use config::{ProcessConfig, Training};
pub use embedding::Embedding;
pub use environment::{
    ActionSpace, EnvironmentConfig, EnvironmentReady, Environments, Rolled, SentPolicy,
};
pub use error::{GuestError, Result};
pub use learner::{ENTRY, Guest, state, state_of};
pub use living::kill_all;
pub use message::{Hello, PROTOCOL, Ready, Shape, Trained};
pub use network::{OUTSIDE, Outside, outside};
pub use session::{Cancel, Session};

/// The code of `README.md`, as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
