//! A peer's silence: since when something is to come from it, who waits for that, and what was said of it.

use syscalls::Sysno;

use super::bytes::number;
use crate::tracer::event::{CallEvent, Nanos};

/// What is known of the waiting for a conversation's peer.
#[derive(Clone, Debug, Default)]
pub struct Silence {
    /// Since when it is the peer's turn: our latest send, or the connection's beginning, until something comes.
    pub since: Option<Nanos>,
    /// The process that made the latest call on the socket.
    pub user: i32,
    /// Whether the socket is in an epoll set, for what comes in.
    pub watched: bool,
    /// Whether calls on it never block, as far as was seen.
    pub nonblocking: bool,
    /// How often it was said that the peer is still waited for.
    pub reminded: usize,
    /// The longest poll for the peer that was said to have timed out in this silence.
    pub timed_out: Nanos,
}

impl Silence {
    /// It is the peer's turn from now on.
    pub fn begins(&mut self, now: Nanos) {
        self.ends();
        self.since = Some(now);
    }

    /// Nothing is to come that we know of.
    pub fn ends(&mut self) {
        (self.since, self.reminded, self.timed_out) = (None, 0, 0);
    }

    /// Takes in what a call on the socket says of how others will go: whether they block, and whether data is polled for.
    pub fn note(&mut self, event: &CallEvent) {
        let call = &event.call;
        self.user = event.pid;
        if call.outcome.value().is_none() {
            return;
        }
        let args = &call.raw.args;
        // The same bit as SOCK_NONBLOCK (include/linux/net.h).
        let nonblocking = |argument: usize| args[argument] & libc::O_NONBLOCK as u64 != 0;
        match call.row.number {
            Sysno::socket | Sysno::socketpair => self.nonblocking = nonblocking(1),
            Sysno::accept4 => self.nonblocking = nonblocking(3),
            Sysno::fcntl if args[1] == libc::F_SETFL as u64 => self.nonblocking = nonblocking(2),
            Sysno::ioctl if args[1] == libc::FIONBIO => {
                let value = call.args.get(2).and_then(|arg| number(&arg.value));
                self.nonblocking = value.is_some_and(|value| value != 0);
            }
            Sysno::epoll_ctl => {
                let events = call.arg("event").and_then(|event| event.field("events"));
                let incoming = events.and_then(number).unwrap_or(0) & libc::EPOLLIN as u64 != 0;
                self.watched = args[1] != libc::EPOLL_CTL_DEL as u64 && incoming;
            }
            _ => {}
        }
    }
}
