//! What poll(2), select(2) and epoll(7) wait for, and what they found.

use super::Decoder;
use crate::syscall::Value;
use crate::syscall::names::{poll, process};
use crate::syscall::shape::{Field, Shape, signed, unsigned};

/// The most pollfds that are read.
const MOST_FDS: usize = 1024;

/// The highest descriptor of an fd_set that is looked at, plus one. (FD_SETSIZE is 1,024; the kernel takes larger sets.)
const SET: u64 = 8192;

/// sizeof(struct pollfd): fd, events, revents.
const POLLFD: usize = 8;

/// The kernel's sigset_t.
pub const MASK: usize = 8;

/// What pselect6 takes last: a pointer to a sigset_t, and its size.
pub const MASK_AND_SIZE: usize = 16;

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
    pub fn poll_fds(&self, address: u64, count: usize) -> Value {
        let len = self.poll_fds_len(count);
        let bytes = self.memory.bytes(address, len);
        if bytes.len() < POLLFD && len > 0 || address == 0 {
            return Value::Pointer(address);
        }
        let items = self.poll_fds_in(&bytes).map(|(fd, events, returned)| {
            let mut fields = vec![
                ("fd", Value::Fd(fd)),
                ("events", Value::Flags(&poll::POLL, events)),
            ];
            fields.extend(returned.map(|events| ("revents", Value::Flags(&poll::POLL, events))));
            Value::Struct(fields)
        });
        let items: Vec<_> = items.collect();
        Value::List {
            more: self.raw(count) as u32 as usize > items.len(),
            items,
        }
    }

    /// How many bytes of the array are read; `count` is the argument that says how long it is.
    pub fn poll_fds_len(&self, count: usize) -> usize {
        let most = match self.outcome.value() {
            Some(ready) if ready > 0 => MOST_FDS,
            _ => self.limits.items,
        };
        (self.raw(count) as u32 as usize).min(most) * POLLFD
    }

    /// Each of the pollfds that are told: descriptor, events that were asked for, events that were found.
    pub fn poll_fds_in(&self, bytes: &[u8]) -> impl Iterator<Item = (i32, u64, Option<u64>)> {
        let found = self.outcome.value().is_some_and(|ready| ready > 0);
        let first = self.limits.items;
        let pollfds = bytes.chunks_exact(POLLFD).enumerate();
        pollfds.filter_map(move |(at, pollfd)| {
            let returned = Some(unsigned(&pollfd[6..], 2)).filter(|events| found && *events != 0);
            let (fd, events) = (signed(pollfd, 4) as i32, unsigned(&pollfd[4..], 2));
            (returned.is_some() || at < first).then_some((fd, events, returned))
        })
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
        let ready = self.descriptors(&self.memory.bytes(address, before.len()));
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

    /// The event of epoll_ctl.
    pub fn epoll_event(&self, address: u64) -> Value {
        match self.epoll_event_len() {
            0 => Value::Pointer(address),
            len => self.at(address, &EVENT, len),
        }
    }

    /// How many bytes it has; EPOLL_CTL_DEL ignores it.
    pub fn epoll_event_len(&self) -> usize {
        match self.int(1) {
            libc::EPOLL_CTL_DEL => 0,
            _ => EVENT.size(),
        }
    }

    /// The events that an epoll_wait returned.
    pub fn epoll_events(&self, address: u64) -> Value {
        let Some(count) = self.transferred() else {
            return Value::Pointer(address);
        };
        let len = self.epoll_events_len();
        let bytes = self.memory.bytes(address, len);
        if bytes.is_empty() && len > 0 {
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

    /// How many bytes of them are read.
    pub fn epoll_events_len(&self) -> usize {
        let count = self.transferred().unwrap_or(0);
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        wanted.min(self.limits.items) * EVENT.size()
    }

    /// A signal mask of 64 bits.
    pub fn signal_set(&self, address: u64) -> Value {
        let bytes = self.memory.bytes(address, MASK);
        if bytes.len() < MASK {
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
        let bytes = self.memory.bytes(address, MASK_AND_SIZE);
        match mask_in(&bytes) {
            None => Value::Pointer(address),
            Some(mask) => Value::Struct(vec![
                ("sigmask", self.signal_set(mask)),
                ("sigsetsize", Value::Unsigned(unsigned(&bytes[8..], 8))),
            ]),
        }
    }
}

/// Where the mask of pselect6 stands.
pub fn mask_in(bytes: &[u8]) -> Option<u64> {
    (bytes.len() == MASK_AND_SIZE).then(|| unsigned(bytes, 8))
}
