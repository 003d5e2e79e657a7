//! Asking the kernel about the socket of a call, while the call's thread stands still.

use std::borrow::Cow;

use super::calling::Calling;
use super::engine::Engine;
use super::event::Socket;
use super::start::Asking;
use super::watch::Watching;
use crate::kernel::{self, Depth, Facts, Hosts};
use crate::syscall::{Memory, Outcome, Role};

/// The length of a struct sockaddr_in6, the longest that matters.
const ADDRESS: usize = 28;

impl Engine {
    /// Asks about the socket of a call that is over.
    pub(super) fn ask_kernel_after(&mut self, calling: &mut Calling) {
        let (role, outcome) = (calling.entry.row.role, calling.outcome);
        let never = matches!(
            role,
            Role::Close | Role::Setup | Role::Duplicate | Role::Poll
        );
        if never || self.config.kernel == Asking::Never {
            return;
        }
        let Some((fd, socket)) = asked_about(calling) else {
            return;
        };
        let goes_on = outcome == Outcome::Error(libc::EINPROGRESS);
        if outcome == Outcome::Error(libc::EADDRINUSE) {
            if role == Role::Bind {
                let facts = self.ask_for_owner(calling.tid, &socket, &address(calling));
                calling.kernel = facts.map(Box::new);
            }
            return;
        }
        let tells = match (role, outcome) {
            (Role::Connect, Outcome::Value(_)) | (Role::Accept, Outcome::Value(_)) => true,
            (Role::Connect, Outcome::Error(_)) => goes_on,
            // Of a port that the kernel picks no call tells.
            (Role::Listen, Outcome::Value(_)) => true,
            (_, outcome) => self.config.kernel == Asking::Calls && outcome.value().is_some(),
        };
        let tells = tells && (role == Role::Accept || !is_unix(&socket));
        let ends = matches!(role, Role::Connect | Role::Send | Role::Receive) && !goes_on;
        if tells {
            let depth = match self.config.kernel {
                Asking::Calls => Depth::All,
                Asking::Ends | Asking::Never if role == Role::Accept => Depth::Accepted,
                Asking::Ends | Asking::Never => Depth::Addresses,
            };
            calling.kernel = self.ask_kernel(calling.tid, fd, &socket, depth, role);
        }
        if role == Role::Connect && !is_unix(&socket) {
            self.ask_hosts(calling);
        }
        match (role, outcome) {
            (Role::Connect, _)
                if goes_on && !calling.kernel.as_ref().is_some_and(|it| it.is_connected()) =>
            {
                self.watch(calling.tid, &socket, Watching::Handshake)
            }
            (Role::Listen, Outcome::Value(_)) => self.watch(calling.tid, &socket, Watching::Queue),
            (Role::Connect | Role::Accept, _) if tells && self.config.kernel == Asking::Calls => {
                self.watch(calling.tid, &socket, Watching::States)
            }
            _ => {}
        }
        let waits = ends && outcome == Outcome::Error(libc::EAGAIN);
        self.watched_call(socket.id, calling, !ends || waits);
    }

    /// Looks for the name of whom a call connects to in the process's hosts file.
    fn ask_hosts(&mut self, calling: &mut Calling) {
        let Some(process) = self.tracees.processes.get_mut(&calling.pid) else {
            return;
        };
        let hosts = process.hosts.get_or_insert_with(|| Hosts::of(calling.pid));
        if let Some((ip, _)) = kernel::address_and_port(&address(calling))
            && let Some(name) = hosts.name(ip)
        {
            calling.kernel.get_or_insert_default().host = Some(name.to_owned());
        }
    }

    /// Asks about a socket. A copy of a descriptor may exist only while nobody else who has it can close it: where other threads share
    /// the descriptors and run on, the monitor is asked, which needs none.
    pub(super) fn ask_kernel(
        &mut self,
        tid: i32,
        fd: i32,
        socket: &Socket,
        depth: Depth,
        role: Role,
    ) -> Option<Box<Facts>> {
        let (family, kind, _) = socket.kind?;
        if self.config.kernel == Asking::Never {
            return None;
        }
        match (family, depth) {
            (libc::AF_INET | libc::AF_INET6, _) => {}
            (libc::AF_UNIX, Depth::Accepted | Depth::All) if kind != libc::SOCK_DGRAM => {
                return self.ask_for_other_end(tid, socket).map(Box::new);
            }
            _ => return None,
        }
        let thread = self.tracees.threads.get(&tid)?;
        let alone = thread.pid == tid && !self.descriptors.is_shared(thread.table);
        // Nobody else knows the number of a descriptor that has just been made.
        if alone || role == Role::Accept {
            let facts = kernel::look(thread.pid, fd, depth);
            if let (false, Some(facts)) = (alone, &facts) {
                self.remember_ends(tid, socket.id, facts);
            }
            return facts.map(Box::new);
        }
        let what = match role {
            Role::Listen => Watching::Queue,
            _ => Watching::Ends,
        };
        match depth {
            Depth::Addresses | Depth::Accepted => self.ask_monitor_now(tid, socket, what),
            Depth::End => self.ask_monitor_again(tid, socket.id),
            Depth::All => self
                .ask_monitor_again(tid, socket.id)
                .or_else(|| self.ask_monitor_now(tid, socket, what)),
        }
        .map(Box::new)
    }
}

/// The address that a call to bind(2) or connect(2) gives.
fn address(calling: &Calling) -> Cow<'_, [u8]> {
    let [_, address, len, ..] = calling.entry.raw.args;
    calling.snapshot.bytes(address, ADDRESS.min(len as usize))
}

fn is_unix(socket: &Socket) -> bool {
    socket.kind.is_some_and(|it| it.0 == libc::AF_UNIX)
}

/// The socket that a call tells of: the one that it made, or else its own.
fn asked_about(calling: &Calling) -> Option<(i32, Socket)> {
    let made = match (calling.entry.row.role, calling.outcome) {
        (Role::Accept, Outcome::Value(fd)) => i32::try_from(fd).ok(),
        _ => None,
    };
    let entry = &calling.entry;
    let own = entry
        .row
        .descriptor
        .map(|at| entry.raw.args[usize::from(at)] as i32);
    let wanted = made.or(calling.subject.map(|it| it.0)).or(own);
    let sockets = &calling.changes.sockets;
    sockets.iter().find(|it| Some(it.0) == wanted).copied()
}
