//! Ways of showing the story: each file one of them, or one idea that they share.

mod address;
mod escape;
mod explain;
pub mod findings;
mod glyphs;
mod grammar;
mod hexdump;
pub mod json;
mod layout;
mod lines;
mod number;
pub mod overview;
pub mod per_process;
mod remarks;
mod settings;
pub mod several;
pub mod summary;
#[cfg(test)]
mod tests;
pub mod text;
pub mod time;
mod words;

pub use escape::Hex;
pub use hexdump::Descriptors;

use std::io;

use crate::story::Told;
use crate::tracer::event::Nanos;

/// One way of showing the story.
pub trait Output {
    /// Shows what was told, or keeps it for later.
    fn show(&mut self, told: &Told) -> io::Result<()>;

    /// Writes out what is buffered; to be called when there is nothing else to do.
    fn flush(&mut self) -> io::Result<()>;

    /// The trace is over, so many ns after it began: shows what is left to show, and flushes.
    fn finish(&mut self, end: Nanos) -> io::Result<()>;
}
