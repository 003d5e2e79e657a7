//! The engine: launches the program, follows all that it starts, stops its calls and copies what they point to.
//!
//! The only room that knows ptrace. It gives away one stream of [`event::Event`]s, by an [`outbox`].

pub mod abi;
pub mod alarm;
mod asking;
mod births;
mod bundle;
pub mod calling;
mod calls;
pub mod coverage;
mod decoy;
pub mod descriptors;
mod engine;
pub mod event;
pub mod filter;
mod growth;
mod image;
pub mod inherited;
mod inject;
mod install;
pub mod launch;
mod lives;
pub mod memory;
mod nearby;
pub mod outbox;
pub mod places;
mod privilege;
mod probe;
pub mod procfs;
mod program;
pub mod recorder;
pub mod signals;
mod start;
#[cfg(test)]
mod steady;
pub mod stopped;
mod tracees;
mod turns;
mod waiting;
mod watch;

pub use engine::{Engine, Finished};
pub use probe::looking::Probed;
pub use program::{LaunchError, Program};
pub use start::{Asking, Clock, Config, Mechanism, Trace, start};
