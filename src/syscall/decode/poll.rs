//! What poll(2), select(2) and epoll(7) wait for, and what they found.

use super::{Decoder, pointer};
use crate::syscall::Value;
use crate::syscall::names::{poll, process};
use crate::syscall::shape::{Field, Shape, signed, unsigned};

/// The most pollfds that are read.
const MOST_FDS: usize = 1024;

/// The highest descriptor of an fd_set that is looked at, plus one. (FD_SETSIZE is 1,024; the kernel takes larger sets.)
const SET: u64 = 8192;

/// sizeof(struct pollfd): fd, events, revents.
const POLLFD: usize = 8;

/// struct epoll_event, packed on x86_64.
const EVENT_FIELDS: &[Field] = &[
    ("events", 0, Shape::Flags(&poll::EPOLL, 4)),
    (
        "data",
        4,
        Shape::Struct(&[
            ("u32", 0, Shape::Unsigned(4)),
            ("u64", 0, Shape::Unsigned(8)),
        ]),
    ),
];
static EVENT: Shape = Shape::Struct(EVENT_FIELDS);

/// How many bytes of an fd_set the kernel reads for that `nfds`, as far as we look.
pub fn set_size(nfds: u64) -> usize {
    let nfds = u64::try_from(nfds as i32).unwrap_or(0).min(SET);
    nfds.div_ceil(64) as usize * 8
}

impl Decoder<'_> {
    /// An array of pollfds, with what was found where something was. Of those beyond the limit of items, the ones that are
    /// ready stay.
    pub fn poll_fds(&self, address: u64, count: u32) -> Value {
        let found = self.outcome.value().is_some_and(|ready| ready > 0);
        let wanted = (count as usize).min(if found { MOST_FDS } else { self.limits.items });
        let bytes = pointer::bytes(self.memory, address, wanted * POLLFD);
        if bytes.len() < POLLFD && wanted > 0 || address == 0 {
            return Value::Pointer(address);
        }
        let items = bytes
            .chunks_exact(POLLFD)
            .enumerate()
            .filter_map(|(at, pollfd)| {
                let returned = unsigned(&pollfd[6..], 2);
                let ready = found && returned != 0;
                let mut fields = vec![
                    ("fd", Value::Fd(signed(pollfd, 4) as i32)),
                    (
                        "events",
                        Value::Flags(&poll::POLL, unsigned(&pollfd[4..], 2)),
                    ),
                ];
                if ready {
                    fields.push(("revents", Value::Flags(&poll::POLL, returned)));
                }
                (ready || at < self.limits.items).then_some(Value::Struct(fields))
            });
        let items: Vec<_> = items.collect();
        Value::List {
            more: count as usize > items.len(),
            items,
        }
    }

    /// An fd_set: what was asked for, and, where the call succeeded, what of it was ready (all of it, perhaps).
    pub fn fd_set(&self, index: usize) -> Value {
        let address = self.raw(index);
        let before = self.kept(index);
        if before.is_empty() {
            return Value::Pointer(address);
        }
        let asked = self.descriptors(before);
        if !self.succeeded() {
            return asked;
        }
        let ready = self.descriptors(&pointer::bytes(self.memory, address, before.len()));
        Value::Changed(Box::new(asked), Box::new(ready))
    }

    /// The descriptors in a set, as far as `nfds` goes.
    fn descriptors(&self, set: &[u8]) -> Value {
        let bits = (0..self.int(0).max(0)).zip(
            set.iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)),
        );
        let mut members = bits.filter(|(_, set)| *set).map(|(fd, _)| Value::Fd(fd));
        let items = members.by_ref().take(self.limits.items).collect();
        Value::List {
            items,
            more: members.next().is_some()
                || u64::try_from(self.int(0)).is_ok_and(|nfds| nfds > SET),
        }
    }

    /// The event of epoll_ctl; EPOLL_CTL_DEL ignores it.
    pub fn epoll_event(&self, address: u64) -> Value {
        match self.int(1) {
            libc::EPOLL_CTL_DEL => Value::Pointer(address),
            _ => self.at(address, &EVENT, EVENT.size()),
        }
    }

    /// The events that an epoll_wait returned.
    pub fn epoll_events(&self, address: u64) -> Value {
        let Some(count) = self.transferred() else {
            return Value::Pointer(address);
        };
        let wanted = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.limits.items);
        let bytes = pointer::bytes(self.memory, address, wanted * EVENT.size());
        if bytes.is_empty() && wanted > 0 {
            return Value::Pointer(address);
        }
        let items: Vec<_> = bytes
            .chunks_exact(EVENT.size())
            .filter_map(|event| EVENT.decode(event, self.limits))
            .collect();
        Value::List {
            more: count > items.len() as u64,
            items,
        }
    }

    /// A signal mask of 64 bits.
    pub fn signal_set(&self, address: u64) -> Value {
        let bytes = pointer::bytes(self.memory, address, 8);
        if bytes.len() < 8 || address == 0 {
            return Value::Pointer(address);
        }
        let mask = unsigned(&bytes, 8);
        let signals = (0..64)
            .filter(|bit| mask >> bit & 1 == 1)
            .map(|bit| Value::Const(&process::SIGNAL, bit + 1));
        Value::List {
            items: signals.take(self.limits.items).collect(),
            more: mask.count_ones() as usize > self.limits.items,
        }
    }

    /// pselect6's mask and its size.
    pub fn signal_set_and_size(&self, address: u64) -> Value {
        let bytes = pointer::bytes(self.memory, address, 16);
        if bytes.len() < 16 || address == 0 {
            return Value::Pointer(address);
        }
        let mask = self.signal_set(unsigned(&bytes, 8));
        Value::Struct(vec![
            ("sigmask", mask),
            ("sigsetsize", Value::Unsigned(unsigned(&bytes[8..], 8))),
        ])
    }
}
