//! Servers that clients talk to: some of the tests' own, on threads, some real. All on loopback, all on ports that the kernel chose.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::Path;
use std::process::Command;

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, sockopt};

use super::programs::script;
use super::{Job, command, installed, poll};

/// A TCP server on a thread: each connection is handled by `serve`, one after the other. It lives as long as the tests do.
pub fn tcp(serve: impl Fn(TcpStream) + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || listener.incoming().flatten().for_each(&serve));
    address
}

/// A web server that answers every request with `body`, then closes.
pub fn http(body: &'static str) -> SocketAddr {
    tcp(move |stream| {
        for _head in BufReader::new(&stream)
            .lines()
            .map_while(Result::ok)
            .take_while(|line| !line.is_empty())
        {}
        let head =
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length:";
        // A client that has gone is the client's business.
        let _ = (&stream).write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes());
    })
}

/// A server that says `greeting` and then only listens, until the client ends.
pub fn greeter(greeting: &'static str) -> SocketAddr {
    tcp(move |mut stream| {
        let _ = stream.write_all(greeting.as_bytes());
        while let Ok(1..) = stream.read(&mut [0; 512]) {}
    })
}

/// A server that says `greeting`, then sends everything back until the client has said its last word.
pub fn echo(greeting: &'static str) -> SocketAddr {
    tcp(move |mut stream| {
        let _ = stream.write_all(greeting.as_bytes());
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
    })
}

/// A server that takes connections and never says a word.
pub fn silent() -> SocketAddr {
    greeter("")
}

/// A name server that knows one name: A of `name` is 192.0.2.7; every other name does not exist.
pub fn dns(name: &'static str) -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
    let address = socket.local_addr().expect("its address");
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            if let Some(answer) = answer(&query[..length], name) {
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    address
}

/// The same, whose answers fit into no datagram: there they are cut (TC), and whole by TCP at the same port.
pub fn dns_by_tcp(name: &'static str) -> SocketAddr {
    let (listener, socket) = loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port on loopback");
        let address = listener.local_addr().expect("its address");
        if let Ok(socket) = UdpSocket::bind(address) {
            break (listener, socket);
        }
    };
    let address = socket.local_addr().expect("its address");
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut query) {
            if let Some(mut answer) = answer(&query[..length], name) {
                answer.truncate(length);
                answer[2] |= 2;
                answer[7] = 0;
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut length = [0; 2];
            while stream.read_exact(&mut length).is_ok() {
                let mut query = vec![0; u16::from_be_bytes(length).into()];
                let _ = stream.read_exact(&mut query);
                let answer = answer(&query, name).unwrap_or_default();
                let length = (answer.len() as u16).to_be_bytes();
                let _ = stream.write_all(&[&length[..], &answer].concat());
            }
        }
    });
    address
}

/// The answer to one query (RFC 1035 section 4): header, question, and the address record if the name is the known one.
fn answer(query: &[u8], known: &str) -> Option<Vec<u8>> {
    let mut name = Vec::new();
    let mut at = 12;
    while *query.get(at)? != 0 {
        let length = usize::from(query[at]);
        name.push(String::from_utf8_lossy(query.get(at + 1..at + 1 + length)?).to_lowercase());
        at += 1 + length;
    }
    let question = query.get(12..at + 5)?;
    let found = name.join(".") == known;
    let flags = if found { [0x85, 0x80] } else { [0x85, 0x83] };
    let has_answer = u8::from(found && question[question.len() - 4..] == [0, 1, 0, 1]);
    let mut answer = [
        &query[..2],
        &flags,
        &[0, 1, 0, has_answer, 0, 0, 0, 0],
        question,
    ]
    .concat();
    if has_answer == 1 {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7]);
    }
    Some(answer)
}

/// A port on loopback that nobody else gets as long as this lives, and on which nobody listens yet: a server that sets
/// SO_REUSEADDR, as servers do, can bind to it beside us.
pub struct Port {
    _socket: OwnedFd,
    /// Its number.
    pub number: u16,
}

impl Port {
    /// Takes one from the kernel.
    pub fn reserve() -> Self {
        let socket = socket::socket(
            AddressFamily::Inet,
            SockType::Stream,
            SockFlag::SOCK_CLOEXEC,
            None,
        )
        .expect("a socket");
        socket::setsockopt(&socket, sockopt::ReuseAddr, &true).expect("SO_REUSEADDR");
        socket::bind(socket.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0))
            .expect("a port on loopback");
        let number = socket::getsockname::<SockaddrIn>(socket.as_raw_fd())
            .expect("its address")
            .port();
        Self {
            _socket: socket,
            number,
        }
    }

    /// Its address, as people write it.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.number)
    }
}

/// Starts a web server (Python's) for the files of a directory; which port it got.
pub fn files(root: &Path) -> (Job, u16) {
    let mut python = command(installed("python3"));
    python
        .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1"])
        .current_dir(root);
    let server = Job::start(python);
    let port = announced_port(&server);
    (server, port)
}

/// Starts a web server that speaks TLS (tests/programs/tls_server.py); which port it got.
#[track_caller]
pub fn tls() -> (Job, u16) {
    let mut python = command(installed("python3"));
    python.arg(script("tls_server.py"));
    let server = Job::start(python);
    let port = announced_port(&server);
    (server, port)
}

/// The port of which Python's web server tells.
#[track_caller]
pub fn announced_port(server: &Job) -> u16 {
    server.until("a port", || {
        let output = server.stdout().text();
        let rest = output.split(" port ").nth(1)?;
        rest.split(' ').next()?.parse().ok()
    })
}

/// What makes a redis-server listen on that port of loopback and write nothing.
pub fn redis_arguments(port: &str) -> [&str; 8] {
    [
        "--port",
        port,
        "--bind",
        "127.0.0.1",
        "--save",
        "",
        "--appendonly",
        "no",
    ]
}

/// Starts a server and waits until it takes connections on the port.
#[track_caller]
pub fn start(command: Command, port: &Port) -> Job {
    let mut job = Job::start(command);
    let ready = poll(|| (TcpStream::connect(port.address()).is_ok() || job.ended()).then_some(()));
    assert!(
        ready.is_some() && !job.ended(),
        "the server does not take connections:\n{:?}{:?}",
        job.stdout(),
        job.stderr()
    );
    job
}
