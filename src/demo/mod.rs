//! The demo's two ends: a name server and an HTTP server on loopback, and a client, a process of its own, that uses both.
//!
//! Nothing is acted: the client is traced as any other program is, and what it says and hears goes through the kernel.

mod client;
mod http;
mod name_server;

use std::ffi::OsString;
use std::io;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

pub use client::client;

/// The name that the demo's client looks up; `.example` belongs to nobody (RFC 2606).
pub const NAME: &str = "demo.sockstrace.example";

/// How long either end waits for the other: far longer than loopback ever takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// The demo's servers, each on a thread and on a port that the kernel chose. They serve one client and end with the process.
#[derive(Debug)]
pub struct Servers {
    nameserver_port: u16,
    http_port: u16,
}

impl Servers {
    /// Starts both.
    pub fn start() -> io::Result<Self> {
        let names = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let pages = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let servers = Self {
            nameserver_port: names.local_addr()?.port(),
            http_port: pages.local_addr()?.port(),
        };
        // A server that fails has nobody to tell but its client, which then says what it misses.
        thread::Builder::new()
            .name("name server".into())
            .spawn(move || name_server::serve(&names))?;
        thread::Builder::new()
            .name("http server".into())
            .spawn(move || http::serve_one(&pages))?;
        Ok(servers)
    }

    /// The name server's UDP port on 127.0.0.1.
    pub fn nameserver_port(&self) -> u16 {
        self.nameserver_port
    }

    /// The HTTP server's TCP port on 127.0.0.1.
    pub fn http_port(&self) -> u16 {
        self.http_port
    }

    /// The program to trace: ourselves, in the client's role.
    pub fn client_command(&self) -> Vec<OsString> {
        // The path names the process better than /proc/self/exe; that one works even where the file was replaced meanwhile.
        let own = std::env::current_exe().ok().filter(|path| path.exists());
        let own = own.unwrap_or_else(|| PathBuf::from("/proc/self/exe"));
        let ports = [self.nameserver_port, self.http_port].map(|port| port.to_string().into());
        [own.into(), "--demo-client".into()]
            .into_iter()
            .chain(ports)
            .collect()
    }
}

/// Commands that people have and that talk to somebody, the likeliest first.
const TALKERS: &[(&str, &str)] = &[
    ("curl", "curl example.com"),
    ("wget", "wget -qO- example.com"),
    (
        "python3",
        "python3 -c \"import urllib.request as r; r.urlopen('http://example.com')\"",
    ),
    ("ssh", "ssh example.com"),
];

/// What to try next, with commands that can be copied as they stand: `own_name` is how we were called, `installed` whether a
/// program is there.
pub fn farewell(own_name: &str, installed: impl Fn(&str) -> bool) -> String {
    let talker = TALKERS
        .iter()
        .find(|(program, _)| installed(program))
        .map_or("PROGRAM", |(_, command)| command);
    let own = own_name.escape_debug();
    format!(
        "That was a whole connection, and every number in it came from the kernel. Next:\n  \
         {own} {talker}\n  \
         {own} -v {talker}      every call, nothing folded\n  \
         {own} -o trace.txt {talker}      the trace into a file, the program as if alone\n  \
         {own} --help\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_page_by_name() {
        let servers = Servers::start().unwrap();
        let mut said = Vec::new();
        client(servers.nameserver_port(), servers.http_port(), &mut said).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), http::PAGE);
    }

    #[test]
    fn the_client_s_command_names_both_ports() {
        let servers = Servers::start().unwrap();
        let command = servers.client_command();
        let expected = [servers.nameserver_port(), servers.http_port()]
            .map(|port| OsString::from(port.to_string()));
        assert_eq!(command[1], "--demo-client");
        assert_eq!(command[2..], expected);
    }

    #[test]
    fn a_server_that_is_not_there_is_one_clear_line() {
        // Ports that were free a moment ago: their sockets are closed again.
        let gone = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let text = client(gone, 1, &mut Vec::new()).unwrap_err().to_string();
        assert!(
            text.contains("name server") && !text.contains('\n'),
            "{text}"
        );
    }

    #[test]
    fn the_farewell_suggests_what_is_installed() {
        assert!(
            farewell("./sockstrace", |program| program == "wget").contains("./sockstrace wget")
        );
        let bare = farewell("sockstrace", |_| false);
        assert!(bare.contains("sockstrace PROGRAM") && bare.lines().count() <= 5);
    }
}
