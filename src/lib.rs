//! sockstrace runs a program under ptrace and shows, live, every call that it makes to the protocol stack.
//!
//! One pipeline, one direction: [`tracer`] → [`syscall`] → [`story`] → [`output`]. The tracer stops the program and copies
//! what a call points to, `syscall` turns registers and bytes into a typed call, `story` says what the call means in the
//! life of its connection, and `output` shows it. [`session`] lays the pipe.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!(
    "sockstrace traces system calls by Linux's ptrace on x86_64: build it for an x86_64 Linux target"
);

// Elsewhere only the line above is to be seen.
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod cli;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod demo;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod destination;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod ending;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod front;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod kernel;
pub mod library;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod narrator;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod origin;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod output;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod protocol;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod record;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod recording;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod replay;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod report;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod session;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod showing;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod story;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod syscall;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod terminal;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub mod tracer;
