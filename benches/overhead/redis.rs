//! redis-server, traced or not, and redis-benchmark, untraced, beside it.

use std::ffi::OsString;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, sockopt};

use crate::measure::{self, Running};

/// How long redis-server may take to begin, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// Requests per second of SET from 50 clients. `start` makes the command that runs redis-server with these arguments.
pub fn rate(
    start: impl Fn(&[OsString]) -> Command,
    benchmark: &Path,
    requests: u32,
) -> Result<f64, String> {
    let port = Port::reserve().map_err(|error| format!("a port on 127.0.0.1: {error}"))?;
    let number = port.number.to_string();
    let arguments = ["--port", &number, "--bind", "127.0.0.1", "--save", ""].map(OsString::from);
    let server = Running::start(start(&arguments))?;
    until_ready(&server)?;
    let mut client = Command::new(benchmark);
    client
        .args(["-p", &number, "-t", "set", "-c", "50", "--csv", "-n"])
        .arg(requests.to_string());
    let said = measure::run(client)?.stdout;
    let rate = requests_per_second(&said).ok_or("redis-benchmark reports no rate")?;
    shut_down(port.number).map_err(|error| format!("redis-server does not shut down: {error}"))?;
    server.finish()?;
    Ok(rate)
}

/// redis-server says when it listens.
fn until_ready(server: &Running) -> Result<(), String> {
    let began = Instant::now();
    while !server.stdout().contains("eady to accept connections") {
        if server.has_ended() || began.elapsed() > PATIENCE {
            return Err(format!("redis-server does not begin: {}", server.stdout()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// From `"SET","72463.77",…`.
fn requests_per_second(csv: &str) -> Option<f64> {
    let line = csv.lines().find(|line| line.starts_with("\"SET\""))?;
    line.split(',').nth(1)?.trim_matches('"').parse().ok()
}

/// Asks it to end; it closes the connection when it does.
fn shut_down(port: u16) -> std::io::Result<()> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"SHUTDOWN NOSAVE\r\n")?;
    stream.read_to_end(&mut Vec::new()).map(drop)
}

/// A port on loopback that nobody else gets as long as this lives, and on which nobody listens yet: a server that sets
/// SO_REUSEADDR, as redis-server does, can bind to it beside us.
struct Port {
    _socket: OwnedFd,
    number: u16,
}

impl Port {
    fn reserve() -> nix::Result<Self> {
        let socket = socket::socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )?;
        socket::setsockopt(&socket, sockopt::ReuseAddr, &true)?;
        socket::bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))?;
        let number = socket::getsockname::<SockaddrIn>(socket.as_raw_fd())?.port();
        Ok(Self {
            _socket: socket,
            number,
        })
    }
}
