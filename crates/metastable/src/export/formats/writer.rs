//! What a format does with a table.

use anyhow::Result;

use super::super::column::Value;
use crate::files::WholeFile;

/// A format at work.
pub(super) trait Writer {
    /// Writes one row.
    fn row(&mut self, values: &[Value<'_>]) -> Result<()>;

    /// Writes what is still in memory, and hands the file on.
    fn end(self: Box<Self>) -> Result<WholeFile>;
}
