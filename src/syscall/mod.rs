//! What a call says: registers and memory in, a typed [`Call`] out. Pure: no time, no processes, no colours.
//!
//! [`table`] has one [`Row`] for each call that sockstrace knows. [`decode::enter`] keeps what only the entry of a call can
//! tell (a length that the kernel will overwrite), [`decode::capture()`] copies what the call points to when its result is known, and
//! [`decode::finish`] decodes it, from that copy or from memory itself.

pub mod call;
mod calls;
pub mod command;
mod control;
pub mod decode;
pub mod effect;
pub mod errno;
pub mod memory;
pub mod names;
pub mod option;
pub mod select;
pub mod shape;
pub mod sockaddr;
mod structures;
pub mod table;

pub use call::{Arg, Call, Data, Outcome, Raw, Value};
pub use decode::{
    Entry, Limits, MESSAGE_HEADER, add_arguments, capture, enter, finish, hides_descriptors,
    named_descriptors,
};
pub use effect::{Effect, Origin, add_effects, effects};
pub use memory::{Extent, Memory, NoMemory, Noting, Snapshot};
pub use names::Names;
pub use select::Selection;
pub use sockaddr::{LONGEST as LONGEST_ADDRESS, SockAddr};
pub use table::{Role, Row, row, rows};

#[cfg(test)]
mod tests;
