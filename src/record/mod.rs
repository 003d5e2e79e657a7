//! The trace as data: what the tracer saw as lines of JSON, written and read back.
//!
//! A record (`--record`) is a header and then each event as the tracer sent it, below the story: calls as they were captured, not as
//! they were decoded. Replaying it runs today's decoders, story and outputs over what was seen then. The lines of `--json`
//! are the same, with what the story says beside what was captured, so one [`Reader`] reads both.

mod bytes;
mod call;
mod library;
mod line;
mod message;
mod process;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use bytes::{Bytes, Hex};
pub use call::{Address, CallLine, CapturedLine, DATA, KernelLine, LIMITS, inode};
pub use library::{ClearLine, LibraryLine};
pub use line::{
    ConversationLine, ExitLine, FindingLine, HeaderLine, KernelMomentLine, Line, MomentLine,
    NameLine, NoticeLine, PeerLine, ServerLine, TickLine, VERSION,
};
pub use message::MessageLine;
pub use process::{ProcessLine, ProgramEnd};
pub use reader::{Item, Reader, Unreadable};
pub use writer::Writer;
