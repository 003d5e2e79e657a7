//! A web server of our own on 127.0.0.1, for clients that are traced.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};

/// Starts it on a thread and gives its port. It answers every request with a small page, and lives as long as we do.
pub fn serve() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            for _head in BufReader::new(&stream)
                .lines()
                .map_while(Result::ok)
                .take_while(|line| !line.is_empty())
            {}
            // A client that has gone is the client's business.
            let _gone = (&stream).write_all(
                b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 6\r\n\r\nHello!",
            );
        }
    });
    Ok(port)
}
