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

/// The demo's servers, at ports that the kernel chose.
#[derive(Debug)]
pub struct Servers {
    names: UdpSocket,
    pages: TcpListener,
    nameserver_port: u16,
    http_port: u16,
}

impl Servers {
    /// Makes both sockets. Clients may come from now on; they are answered once [`Servers::serve`] is called.
    pub fn bind() -> io::Result<Self> {
        let names = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        let pages = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let (nameserver_port, http_port) = (names.local_addr()?.port(), pages.local_addr()?.port());
        Ok(Self {
            names,
            pages,
            nameserver_port,
            http_port,
        })
    }

    /// Serves one client, each server on a thread of its own that ends with the process. It is a step of its own since a program
    /// is launched before there are threads.
    pub fn serve(self) -> io::Result<()> {
        let Self { names, pages, .. } = self;
        // A server that fails has nobody to tell but its client, which then says what it misses.
        thread::Builder::new()
            .name("name server".into())
            .spawn(move || name_server::serve(&names))?;
        thread::Builder::new()
            .name("http server".into())
            .spawn(move || http::serve_one(&pages))?;
        Ok(())
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
        "That was a whole connection, and every number in it is the kernel's. Now a program of yours:\n  \
         {own} {talker}\n  \
         {own} -v {talker}      (every call, nothing folded)\n  \
         {own} -o trace.txt {talker}      (the trace into a file)\n\
         {own} -h lists what else there is.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_client_gets_the_page_by_name() {
        let servers = Servers::bind().unwrap();
        let (names, pages) = (servers.nameserver_port(), servers.http_port());
        servers.serve().unwrap();
        let mut said = Vec::new();
        client(names, pages, &mut said).unwrap();
        assert_eq!(String::from_utf8(said).unwrap(), http::PAGE);
    }

    #[test]
    fn the_client_s_command_names_both_ports() {
        let servers = Servers::bind().unwrap();
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
