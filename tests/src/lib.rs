//! Cross-crate scenarios live in `tests/`; this library holds what they share.
