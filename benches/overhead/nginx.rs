//! nginx, traced or not, and wrk, untraced, beside it.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::{self, Signal};
use nix::unistd::{Pid, geteuid};
use tempfile::TempDir;

use crate::measure::{self, Running};
use crate::server::{self, Port};

/// How long the page is, in bytes.
const PAGE: usize = 1024;

/// Requests per second for a small file over 50 connections that stay open, asked for so many seconds. `start` makes the command
/// that runs nginx with these arguments.
pub fn rate(
    start: impl Fn(&[OsString]) -> Command,
    wrk: &Path,
    seconds: u32,
) -> Result<f64, String> {
    let port = Port::reserve()?;
    let place = place(&port).map_err(|error| format!("a place for nginx: {error}"))?;
    let (file, pid) = (place.path().join("nginx.conf"), place.path().join("pid"));
    let arguments = ["-p".into(), place.path().into(), "-c".into(), file.into()];
    let server = Running::start(start(&arguments))?;
    // nginx listens before it writes who it is.
    server::until(&server, || process(&pid).is_some())?;
    let pid = process(&pid).ok_or("nginx does not say which process it is")?;
    let mut client = Command::new(wrk);
    client
        .args(["-t", "1", "-c", "50", "--timeout", "30s", "-d"])
        .arg(format!("{seconds}s"))
        .arg(format!("http://127.0.0.1:{}/", port.number));
    let rate = requests_per_second(&measure::run(client)?.stdout)?;
    // It closes what it has open, and ends with status 0.
    signal::kill(pid, Signal::SIGQUIT)
        .map_err(|error| format!("nginx cannot be ended: {error}"))?;
    server.finish()?;
    Ok(rate)
}

/// A directory with a page and a configuration: one worker, which serves the page as a busy site would.
fn place(port: &Port) -> std::io::Result<TempDir> {
    let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let root = directory.path();
    std::fs::write(root.join("index.html"), "x".repeat(PAGE))?;
    // Another user could not read the page wherever this directory may be. Everybody but root is told that the line has no effect.
    let user = match geteuid().is_root() {
        true => "user root root;",
        false => "",
    };
    let text = format!(
        "{user} daemon off; worker_processes 1; pid pid; error_log error.log;
events {{ worker_connections 256; }}
http {{
    access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000000;
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    server {{ listen 127.0.0.1:{}; root .; }}
}}
",
        port.number
    );
    std::fs::write(root.join("nginx.conf"), text)?;
    Ok(directory)
}

/// The process that has written its number there, and a newline.
fn process(file: &Path) -> Option<Pid> {
    let text = std::fs::read_to_string(file).ok()?;
    text.strip_suffix('\n')?.parse().ok().map(Pid::from_raw)
}

/// From wrk's report, which has a line more where an answer was missing or not the page.
fn requests_per_second(report: &str) -> Result<f64, String> {
    let after = |name| {
        let mut lines = report.lines();
        lines.find_map(|line| line.trim_start().strip_prefix(name))
    };
    if let Some(failures) = after("Socket errors:").or_else(|| after("Non-2xx or 3xx responses:")) {
        return Err(format!("wrk did not get all its answers:{failures}"));
    }
    let rate = after("Requests/sec:").and_then(|rate| rate.trim().parse().ok());
    rate.ok_or_else(|| "wrk reports no rate".into())
}
