//! The recorder: call sites that have become hot record their calls themselves, without a stop. See docs/recorder.md.

pub mod clear;
pub mod layout;
pub mod padding;
pub mod patching;
pub mod record;
pub mod recording;
pub mod set_up;
pub(super) mod settle;
pub mod shared;
pub mod space;
mod stall;
pub mod stub;
mod taking;
mod trial;
pub mod tsc;
