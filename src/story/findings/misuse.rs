//! Calls that cannot have been meant so.

use super::{Found, Kind, Severity};
use crate::story::{Meaning, Told, What, bytes};
use crate::syscall::{Outcome, Role};

const AFTER_CLOSE: Kind = Kind {
    name: "use-after-close",
    severity: Severity::Error,
    advice: "The number may belong to another file by then: data can end up anywhere. Forget a descriptor where it is closed.",
};
const DOUBLE_CLOSE: Kind = Kind {
    name: "double-close",
    severity: Severity::Warning,
    advice: "Harmless alone, but once another thread has opened something in between, it closes that one.",
};
const BROKEN_PIPE: Kind = Kind {
    name: "broken-pipe",
    severity: Severity::Error,
    advice: "The peer had closed before. MSG_NOSIGNAL keeps the signal away; reading first would have told of the end.",
};
const ADDRESS: Kind = Kind {
    name: "wrong-address",
    severity: Severity::Error,
    advice: "The structure's length or family does not fit the socket: sizeof of the right sockaddr, and AF_* as socket() was given.",
};
const TRUNCATED: Kind = Kind {
    name: "datagram-cut",
    severity: Severity::Warning,
    advice: "The rest of the datagram is lost for good: receive into a larger buffer.",
};
const UNSENT: Kind = Kind {
    name: "short-write",
    severity: Severity::Warning,
    advice: "A call may take less than it is given: what it returns has to be looked at, and the rest sent again.",
};

const RACE: Kind = Kind {
    name: "closed-while-waited",
    severity: Severity::Warning,
    advice: "The wait goes on, on a socket that has no number any more, and the number may soon be another's: wake the other thread first (shutdown(2) does), and close when nobody waits.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[
    &AFTER_CLOSE,
    &DOUBLE_CLOSE,
    &BROKEN_PIPE,
    &ADDRESS,
    &TRUNCATED,
    &UNSENT,
    &RACE,
];

/// EFAULT aside, what the kernel answers to an address that does not fit.
const UNFIT: [i32; 3] = [libc::EINVAL, libc::EAFNOSUPPORT, libc::EPROTOTYPE];

/// How many conversations with something left to send are remembered.
const SHORT: usize = 1024;

/// Remembers who has something left to send.
#[derive(Debug, Default)]
pub struct Misuse {
    short: rustc_hash::FxHashMap<i64, (u64, u64)>,
    /// Threads that wait in a call, with the conversation that it is about.
    waiting: rustc_hash::FxHashMap<i32, (i64, &'static str)>,
}

impl Misuse {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        if let (What::Waiting(event), Some(conversation)) = (&told.what, &told.conversation)
            && self.waiting.len() < SHORT
        {
            let name = event.call.name();
            self.waiting.insert(event.tid, (conversation.number, name));
        }
        let What::Call(event) = &told.what else {
            if let Some(Meaning::Farewell(_)) = &told.meaning {
                self.left(told, found);
            }
            return;
        };
        let call = &event.call;
        let name = call.name();
        self.waiting.remove(&event.tid);
        if let (Role::Close, "close", Some(conversation)) =
            (call.row.role, name, &told.conversation)
            && let Some((tid, (_, waits))) =
                self.waiting.iter().find(|it| it.1.0 == conversation.number)
        {
            found.add(&RACE, super::peer(told), told, || {
                format!(
                    "A thread closed the socket to {} while thread {tid} waited in {waits} on it.",
                    super::peer(told)
                )
            });
        }
        match (call.row.role, call.outcome) {
            (Role::Close, Outcome::Error(libc::EBADF)) => {
                let fd = call.descriptor().unwrap_or(-1);
                // Programs that close all numbers there could be do it on purpose.
                if fd > 2 && name == "close" {
                    found.add(&DOUBLE_CLOSE, fd.to_string(), told, || {
                        format!("Descriptor {fd} was closed once more.")
                    });
                }
            }
            (Role::Engine | Role::Poll | Role::Duplicate, _) => {}
            (_, Outcome::Error(libc::EBADF)) if call.descriptor().is_some_and(|fd| fd >= 0) => {
                let fd = call.descriptor().unwrap_or(-1);
                found.add(&AFTER_CLOSE, format!("{fd} {name}"), told, || {
                    format!("{name} was called on descriptor {fd}, which is closed.")
                });
            }
            (_, Outcome::Error(libc::EPIPE)) if told.conversation.is_some() => {
                found.add(&BROKEN_PIPE, super::peer(told), told, || {
                    format!(
                        "Data was sent to {}, which takes no more.",
                        super::peer(told)
                    )
                });
            }
            (Role::Connect | Role::Bind, Outcome::Error(errno)) if UNFIT.contains(&errno) => {
                found.add(&ADDRESS, name, told, || {
                    format!("{name} does not accept the address that it was given.")
                });
            }
            _ => {}
        }
        if let Some(Meaning::Cut { of, to }) = told.meaning {
            found.add(&TRUNCATED, super::peer(told), told, || {
                format!("A datagram of {of} bytes was received into {to}.")
            });
        }
        let Some(conversation) = &told.conversation else {
            return;
        };
        if bytes::direction(event) == Some(bytes::Direction::Out) && call.outcome.value().is_some()
        {
            match told.meaning {
                Some(Meaning::Part { done, of }) if self.short.len() < SHORT => {
                    self.short
                        .insert(conversation.number, (of - done, told.call.unwrap_or(0)));
                }
                _ => {
                    self.short.remove(&conversation.number);
                }
            }
        }
        if let Some(Meaning::Farewell(_)) = &told.meaning {
            self.left(told, found);
        }
    }

    /// A conversation ends: was all sent?
    fn left(&mut self, told: &Told, found: &mut Found) {
        let Some(conversation) = &told.conversation else {
            return;
        };
        // Whom the peer has left has nobody to send the rest to.
        let left = self.short.remove(&conversation.number).filter(|_| {
            conversation
                .first
                .is_none_or(|it| it == crate::story::Side::Us)
        });
        if let Some((rest, call)) = left {
            found.add(&UNSENT, super::peer(told), told, || {
                format!(
                    "{rest} bytes that did not fit in were never sent to {}.",
                    super::peer(told)
                )
            });
            found.prove(&[call]);
        }
    }
}
