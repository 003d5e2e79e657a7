//! sockstrace runs a program under ptrace and shows, live, every call that it makes to the protocol stack.
//!
//! One pipeline, one direction: [`tracer`] → [`syscall`] → [`story`] → [`output`]. The tracer stops the program and copies
//! what a call points to, `syscall` turns registers and bytes into a typed call, `story` says what the call means in the
//! life of its connection, and `output` shows it. [`session`] lays the pipe.

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
compile_error!(
    "sockstrace traces system calls by Linux's ptrace on x86_64: build it for an x86_64 Linux target"
);

/// Modules that need Linux's interfaces: elsewhere only the line above is to be seen.
macro_rules! on_linux {
    ($($(#[$doc:meta])* pub mod $name:ident;)*) => {
        $(
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            $(#[$doc])*
            pub mod $name;
        )*
    };
}

on_linux! {
    pub mod cli;
    pub mod demo;
    pub mod destination;
    pub mod ending;
    pub mod front;
    pub mod output;
    pub mod session;
    pub mod story;
    pub mod syscall;
    pub mod terminal;
    pub mod tracer;
}
