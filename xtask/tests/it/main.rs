//! The program as a user meets it: the built binary, in a folder of its own, offline.

mod bits;
mod endings;
mod errors;
mod support;
mod whole;
