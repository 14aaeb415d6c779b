//! Parsers of others: where one panics on a stranger's file, the file is refused and the program goes on.
//!
//! A panic is a bug of the parser, not of the file; but whoever reads a folder of a thousand files wants to know which one it
//! was. The message of a contained panic goes into the error, and a program whose hook asks [`is_under_way`] prints it once.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static IS_UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Whether this thread is inside of [`run`], so that a panic here becomes an error.
#[must_use]
pub fn is_under_way() -> bool {
    IS_UNDER_WAY.with(Cell::get)
}

/// Panics that this process has contained so far.
static N_CONTAINED: AtomicUsize = AtomicUsize::new(0);

/// How many panics this process has contained so far.
#[must_use]
pub fn count() -> usize {
    N_CONTAINED.load(Ordering::Relaxed)
}

/// Runs a parser that is not ours, on this thread alone; what it would have changed when it panics is not used again.
///
/// # Errors
/// The message of its panic.
pub fn run<T>(parse: impl FnOnce() -> T) -> Result<T, String> {
    let was = IS_UNDER_WAY.with(|it| it.replace(true));
    let parsed = catch_unwind(AssertUnwindSafe(parse));
    IS_UNDER_WAY.with(|it| it.set(was));
    parsed.map_err(|panic| {
        N_CONTAINED.fetch_add(1, Ordering::Relaxed);
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        format!(
            "its parser panicked, which is a bug of the parser ({})",
            text.unwrap_or("it does not say why")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_an_error_and_is_known_while_it_lasts() {
        assert!(!is_under_way());
        assert_eq!(run(is_under_way), Ok(true));
        let error = run(|| -> u8 { panic!("index {} out of range", 7) }).unwrap_err();
        assert!(error.contains("index 7 out of range"), "{error}");
        assert!(count() > 0);
        assert!(!is_under_way());
    }
}
