//! What all servers that are measured need: a port of their own, and time to begin.

use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::sys::socket::{self, AddressFamily, SockFlag, SockType, SockaddrIn, sockopt};

use crate::measure::Running;

/// How long a server may take to begin, or to end.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until a server has begun.
pub fn until(server: &Running, begun: impl Fn() -> bool) -> Result<(), String> {
    let since = Instant::now();
    while !begun() {
        if server.has_ended() || since.elapsed() > PATIENCE {
            return Err(format!("the server does not begin: {}", server.stdout()));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// A port on loopback that nobody else gets as long as this lives, and on which nobody listens yet: a server that sets
/// SO_REUSEADDR, as redis-server and nginx do, can bind to it beside us.
pub struct Port {
    _socket: OwnedFd,
    /// Its number.
    pub number: u16,
}

impl Port {
    /// Takes one that is free.
    pub fn reserve() -> Result<Self, String> {
        Self::bound().map_err(|error| format!("a port on 127.0.0.1: {error}"))
    }

    fn bound() -> nix::Result<Self> {
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
