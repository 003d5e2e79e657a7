//! The command: reads the command line, runs one session, and ends as the program ended.

use std::env;
use std::io::{self, Write};
use std::process::exit;

use sockstrace::cli::{self, Invocation};
use sockstrace::ending::end_like;
use sockstrace::{demo, replay, session};

fn main() {
    let invocation =
        cli::parse(env::args_os()).unwrap_or_else(|refusal| fail(&refusal, cli::FAILURE.into()));
    let outcome = match invocation {
        Invocation::Print(text) => {
            return match io::stdout().write_all(text.as_bytes()) {
                // A reader that has seen enough is no failure.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => fail(
                    &format_args!("standard output: {error}"),
                    cli::FAILURE.into(),
                ),
                _ => {}
            };
        }
        Invocation::DemoClient {
            nameserver_port,
            http_port,
        } => match demo::client(nameserver_port, http_port, &mut io::stdout()) {
            Ok(()) => return,
            Err(error) => fail(&format_args!("demo: {error}"), 1),
        },
        Invocation::Demo(options) => session::demo(*options),
        Invocation::Replay(options) => match replay::run(&options) {
            Ok(()) => return,
            Err(failure) => Err(failure),
        },
        Invocation::Run(options) => session::run(*options),
    };
    match outcome {
        Ok(status) => end_like(status),
        Err(failure) => fail(&failure.message, failure.status),
    }
}

/// One line, and the status of our own failures.
fn fail(message: &dyn std::fmt::Display, status: i32) -> ! {
    let _closed = writeln!(io::stderr(), "sockstrace: {message}");
    exit(status)
}
