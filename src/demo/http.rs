//! An HTTP server that gives away one page, once (RFC 9112).

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use super::PATIENCE;

/// The page.
pub(super) const PAGE: &str =
    "Hello from the other end! This page came through a socket that your kernel made.\n";

/// The longest request that is read.
const REQUEST_LIMIT: u64 = 8192;

/// Answers the first client and closes.
pub(super) fn serve_one(listener: &TcpListener) {
    if let Ok((stream, _)) = listener.accept() {
        // A client that went away has no use for an error.
        let _ = answer(&stream);
    }
}

/// Reads one request and answers it. The caller closes, so that the server is the first to do so.
fn answer(mut stream: &TcpStream) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let request = read_head(stream)?;
    let (status, body) = if request.starts_with(b"GET / ") {
        ("200 OK", PAGE)
    } else if request.starts_with(b"GET ") {
        ("404 Not Found", "There is only one page here: /\n")
    } else {
        ("501 Not Implemented", "Only GET is understood here.\n")
    };
    let length = body.len();
    let reply = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    stream.write_all(reply.as_bytes())
}

/// Everything up to the empty line that ends a request's header.
fn read_head(stream: &TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::new();
    let mut stream = stream.take(REQUEST_LIMIT);
    let mut buffer = [0; 1024];
    while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut buffer)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            length => head.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv4Addr;
    use std::thread;

    fn ask(request: &[u8]) -> String {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || serve_one(&listener));
        client.write_all(request).unwrap();
        let mut reply = String::new();
        // The end comes since the server closes first: this end is still open.
        client.read_to_string(&mut reply).unwrap();
        server.join().unwrap();
        reply
    }

    #[test]
    fn the_page_comes_with_its_true_length() {
        let reply = ask(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n");
        let (head, body) = reply.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"));
        assert!(head.contains(&format!("Content-Length: {}", body.len())));
        assert_eq!(body, PAGE);
    }

    #[test]
    fn other_requests_are_refused() {
        assert!(ask(b"GET /x HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 404 "));
        assert!(ask(b"PUT / HTTP/1.1\r\n\r\n").starts_with("HTTP/1.1 501 "));
    }
}
