//! The client that the demo traces: it looks a name up, connects, asks for a page, reads to the end and closes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddrV4, TcpStream, UdpSocket};
use std::os::fd::{FromRawFd, OwnedFd};

use nix::libc;
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, RCODE, TYPE};

use super::{NAME, PATIENCE};

/// Plays the client against the servers on these ports of 127.0.0.1 and writes the page's text to `out`. The error says in one
/// line what went wrong.
pub fn client(nameserver_port: u16, http_port: u16, out: &mut dyn Write) -> io::Result<()> {
    let address =
        look_up(nameserver_port).map_err(|error| explain("the demo's name server", &error))?;
    let reply = fetch(SocketAddrV4::new(address, http_port))
        .map_err(|error| explain("the demo's HTTP server", &error))?;
    let (head, page) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    if !head.starts_with("HTTP/1.1 200 ") {
        return Err(io::Error::other(
            "the demo's HTTP server did not give the page away",
        ));
    }
    out.write_all(page.as_bytes())?;
    out.flush()
}

fn explain(whom: &str, error: &io::Error) -> io::Error {
    io::Error::other(match error.kind() {
        // What a read timeout of a socket gives (socket(7), SO_RCVTIMEO).
        io::ErrorKind::WouldBlock => {
            format!("{whom} has not answered within {}s", PATIENCE.as_secs())
        }
        _ => format!("{whom} failed: {error}"),
    })
}

/// Asks the name server for the address, by UDP as a resolver does.
fn look_up(port: u16) -> io::Result<Ipv4Addr> {
    let socket = datagram_socket()?;
    socket.set_read_timeout(Some(PATIENCE))?;
    socket.connect((Ipv4Addr::LOCALHOST, port))?;
    // Any number does: only this server can send to a connected socket on loopback.
    let id = std::process::id() as u16;
    let mut query = Packet::new_query(id);
    query.set_flags(PacketFlag::RECURSION_DESIRED);
    let name = Name::new(NAME).map_err(io::Error::other)?;
    query
        .questions
        .push(Question::new(name, TYPE::A.into(), CLASS::IN.into(), false));
    socket.send(&query.build_bytes_vec().map_err(io::Error::other)?)?;
    let mut message = [0; 512];
    let length = socket.recv(&mut message)?;
    let reply = Packet::parse(&message[..length]).map_err(io::Error::other)?;
    if reply.id() != id || reply.rcode() != RCODE::NoError {
        return Err(io::Error::other(format!(
            "it answered {:?} for {NAME}",
            reply.rcode()
        )));
    }
    let address = reply.answers.iter().find_map(|record| match &record.rdata {
        RData::A(address) => Some(Ipv4Addr::from(address.address)),
        _ => None,
    });
    address.ok_or_else(|| io::Error::other(format!("it knows no address of {NAME}")))
}

/// A UDP socket without a local address, as resolvers have it; the standard library only makes bound ones.
fn datagram_socket() -> io::Result<UdpSocket> {
    // SAFETY: socket(2) takes numbers only.
    let fd = unsafe {
        libc::socket(
            libc::AF_INET,
            libc::SOCK_DGRAM | libc::SOCK_CLOEXEC,
            libc::IPPROTO_UDP,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor is new and nobody else's.
    Ok(UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Gets the page and reads until the server closes.
fn fetch(server: SocketAddrV4) -> io::Result<String> {
    let stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    // To the kernel a socket is a file: from here on it is written, read and closed by the same calls as one.
    let mut socket = File::from(OwnedFd::from(stream));
    let request = format!("GET / HTTP/1.1\r\nHost: {NAME}\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    let mut reply = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match socket.read(&mut buffer)? {
            0 => break,
            length => reply.extend_from_slice(&buffer[..length]),
        }
    }
    String::from_utf8(reply).map_err(io::Error::other)
}
