//! The recorder: call sites that have become hot record their calls themselves, without a stop. See docs/recorder.md.

pub mod layout;
pub mod padding;
pub mod record;
pub mod recording;
pub mod set_up;
mod settle;
pub mod shared;
pub mod space;
pub mod stub;
mod taking;
mod trial;
pub mod tsc;
