//! Probes: stops at named functions of shared objects and at their returns.
//!
//! `objects` says what is loaded and `symbols` what is in it; `points` has the breakpoints of an address space, `displaced` what they
//! stand in the place of, `slots` gets memory for that; `frames` has the functions that a thread is in. `looking` finds what is
//! to be probed, `placing` sets breakpoints, and `probing` is what happens when a thread meets one.

mod displaced;
pub mod frames;
pub mod looking;
mod objects;
mod placing;
pub mod points;
pub mod probing;
pub mod slots;
pub mod symbols;
