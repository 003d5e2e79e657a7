//! End-to-end tests: the real binary traces real programs; what they do must not change, and what the trace says must be so.
//!
//! One file a theme. The small C and Go programs lie in tests/programs, each with what it proves in its first line.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod harness;

mod adaptive;
mod calls;
mod clients;
mod data;
mod dialogues;
mod disturbed;
mod errors;
mod facts;
mod languages;
mod library;
mod modes;
mod names;
mod networks;
mod outlived;
mod pressure;
mod privileges;
mod processes;
mod recorder;
mod screens;
mod servers;
mod signals;
mod stack;
mod surroundings;
mod terminal;
mod told;
mod unnoticed;
