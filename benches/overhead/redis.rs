//! redis-server, traced or not, and redis-benchmark, untraced, beside it.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;

use crate::measure::{self, Running};
use crate::server::{self, PATIENCE, Port};

/// Requests per second of one test of redis-benchmark (`set`, `get`) from 50 clients. `start` makes the command that runs redis-server
/// with these arguments.
pub fn rate(
    start: impl Fn(&[OsString]) -> Command,
    benchmark: &Path,
    test: &str,
    requests: u32,
) -> Result<f64, String> {
    let port = Port::reserve()?;
    let number = port.number.to_string();
    let arguments = ["--port", &number, "--bind", "127.0.0.1", "--save", ""].map(OsString::from);
    let server = Running::start(start(&arguments))?;
    // redis-server says when it listens.
    server::until(&server, || {
        server.stdout().contains("eady to accept connections")
    })?;
    set(port.number).map_err(|error| format!("redis-server does not answer: {error}"))?;
    let mut client = Command::new(benchmark);
    client
        .args(["-p", &number, "-t", test, "-c", "50", "--csv", "-n"])
        .arg(requests.to_string());
    let said = measure::run(client)?.stdout;
    let rate = requests_per_second(&said, test).ok_or("redis-benchmark reports no rate")?;
    shut_down(port.number).map_err(|error| format!("redis-server does not shut down: {error}"))?;
    server.finish()?;
    Ok(rate)
}

/// From `"SET","72463.77",…`.
fn requests_per_second(csv: &str, test: &str) -> Option<f64> {
    let name = format!("\"{}\"", test.to_uppercase());
    let line = csv.lines().find(|line| line.starts_with(&name))?;
    line.split(',').nth(1)?.trim_matches('"').parse().ok()
}

/// Gives a value to the key that redis-benchmark asks for unless it is told to choose some at random.
fn set(port: u16) -> io::Result<()> {
    let mut answer = [0; 5];
    let mut stream = said(port, "SET key:__rand_int__ xxx\r\n")?;
    stream.read_exact(&mut answer)?;
    match &answer {
        b"+OK\r\n" => Ok(()),
        other => Err(io::Error::other(String::from_utf8_lossy(other))),
    }
}

/// Asks it to end; it closes the connection when it does.
fn shut_down(port: u16) -> io::Result<()> {
    let mut stream = said(port, "SHUTDOWN NOSAVE\r\n")?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// A connection on which it has been told that.
fn said(port: u16, line: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(line.as_bytes())?;
    Ok(stream)
}
