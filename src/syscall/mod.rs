//! What a call says: registers and memory in, a typed [`Call`] out. Pure: no time, no processes, no colours.
//!
//! [`table`] has one [`Row`] for each call that sockstrace knows. [`decode::enter`] keeps what only the entry of a call can
//! tell (a length that the kernel will overwrite), [`decode::finish`] decodes the call when its result is known.

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
pub use decode::{Entry, Limits, capture, enter, finish, hides_descriptors, named_descriptors};
pub use effect::{Effect, Origin, add_effects, effects};
pub use memory::{Memory, NoMemory, Snapshot};
pub use names::Names;
pub use select::Selection;
pub use sockaddr::SockAddr;
pub use table::{Role, Row, row, rows};

#[cfg(test)]
mod tests;
