//! The engine: launches the program, follows all that it starts, stops its calls and copies what they point to.
//!
//! The only room that knows ptrace. It gives away one stream of [`event::Event`]s.

pub mod event;
