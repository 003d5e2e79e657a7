//! One conversation's talk: recognises its protocol and cuts what is carried into messages.

use std::{fmt, mem};

use super::said::Said;
use super::{Carrier, Guess, PROTOCOLS, Protocol, Side, Sniffer, Step};
use crate::syscall::Data;

/// The most that is kept of a message that is not whole, for each side.
const KEPT: usize = 16 * 1024;

/// How often the beginning of a call is tried before a conversation counts as unknown.
const TRIES: u8 = 8;

/// How many bytes decide at most what a protocol is.
const OPENING: usize = 1024;

/// How many protocols may lie inside each other.
const LAYERS: usize = 3;

/// The protocols that a conversation carries, the outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Layers([Option<&'static str>; LAYERS]);

impl Layers {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().flatten().copied()
    }

    /// Whether any is known.
    pub fn is_empty(&self) -> bool {
        self.0[0].is_none()
    }

    /// Adds one inside the others, if it is new.
    pub fn add(&mut self, name: &'static str) {
        if !self.names().any(|known| known == name)
            && let Some(free) = self.0.iter_mut().find(|layer| layer.is_none())
        {
            *free = Some(name);
        }
    }

    fn remove(&mut self, name: &'static str) {
        let last = self.0.iter_mut().rev().find(|layer| layer.is_some());
        if let Some(last) = last.filter(|last| **last == Some(name)) {
            *last = None;
        }
    }
}

/// A conversation's talk so far.
#[derive(Debug)]
pub struct Talk {
    carrier: Carrier,
    /// Whose role the program has, as far as the calls tell.
    part: Option<Side>,
    state: State,
    flows: [Flow; 2],
    layers: Layers,
}

enum State {
    /// Nothing is known yet; calls that are still tried.
    Opening(u8),
    Speaking {
        name: &'static str,
        sniffer: Box<dyn Sniffer>,
        /// Whether the first way of a call, out, is the client's.
        out: Side,
    },
    /// Unknown for good.
    Unknown,
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Opening(_) => "Opening",
            Self::Speaking { name, .. } => name,
            Self::Unknown => "Unknown",
        })
    }
}

/// What one side has sent and nobody has read.
#[derive(Debug, Default)]
struct Flow {
    kept: Vec<u8>,
    /// Bytes to come that nobody needs to see.
    skip: u64,
    /// Whether those are secret.
    hides: bool,
    /// Whether nobody knows where the next message begins.
    lost: bool,
}

/// Which way a call moves data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the program.
    Out,
    /// To it.
    In,
}

impl Talk {
    /// A conversation that hasn't begun; `part` is the program's role in it, as far as its calls tell.
    pub fn new(carrier: Carrier, part: Option<Side>) -> Self {
        Self {
            carrier,
            part,
            state: State::Opening(TRIES),
            flows: Default::default(),
            layers: Layers::default(),
        }
    }

    /// What is known of what it carries.
    pub fn layers(&self) -> Layers {
        self.layers
    }

    /// Whether nothing will ever be known of it.
    pub fn is_unknown(&self) -> bool {
        matches!(self.state, State::Unknown)
    }

    /// Takes what a call moved: the first `moved` bytes of its data, of which the first ones are there, and `room` of them are
    /// looked at.
    pub fn take(&mut self, way: Way, data: &[&Data], moved: u64, room: usize, said: &mut Said) {
        if self.is_unknown() {
            return;
        }
        match self.carrier {
            Carrier::Stream => self.stream(way, data, moved, room, said),
            Carrier::Datagram | Carrier::Netlink => self.datagram(way, data, moved, room, said),
        }
    }

    /// What one way carries from here on was not seen whole.
    pub fn lose(&mut self, way: Way) {
        *self.flow(way) = Flow::default();
        self.lost(way);
    }

    /// Tells the one who listens that a part of what one way carries was not seen.
    fn lost(&mut self, way: Way) {
        if let State::Speaking { sniffer, out, .. } = &mut self.state {
            sniffer.lose(side(way, *out));
        }
    }

    fn stream(&mut self, way: Way, data: &[&Data], moved: u64, mut room: usize, said: &mut Said) {
        let (mut left, mut place) = (moved, 0);
        self.flow(way).lost = false;
        for piece in data {
            let len = piece.len.min(left);
            let there = piece.bytes.len().min(room);
            let there = usize::try_from(len).unwrap_or(usize::MAX).min(there);
            self.piece(way, &piece.bytes[..there], len, place, said);
            place += piece.bytes.len();
            left -= len;
            room -= there;
        }
        // What moved without being copied at all: a file's bytes (sendfile).
        if left > 0 {
            self.piece(way, &[], left, place, said);
        }
        if self.flow(way).lost {
            self.lost(way);
        }
    }

    /// Takes a piece of `len` bytes, of which the first are there; they stand at `place` in the call's data.
    fn piece(&mut self, way: Way, bytes: &[u8], len: u64, place: usize, said: &mut Said) {
        let flow = self.flow(way);
        let skipped = flow.skip.min(len);
        flow.skip -= skipped;
        let start = usize::try_from(skipped)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let whole = bytes.len() as u64 == len;
        if flow.hides {
            flow.hides = flow.skip > 0;
            said.hide(place..place + start);
        }
        if len == skipped {
            return;
        }
        if flow.lost || skipped as usize > start {
            // Nothing is known of what follows the part that is not there.
            flow.lost |= len > skipped;
            return;
        }
        let gap = len - bytes.len() as u64;
        let before = flow.kept.len();
        let mut kept = mem::take(&mut flow.kept);
        let fresh = &bytes[start..];
        let secrets = said.secrets.len();
        let (taken, known) = match before {
            0 => self.read(way, fresh, whole, said),
            _ => {
                kept.extend_from_slice(fresh);
                self.read(way, &kept, whole, said)
            }
        };
        // What was kept from earlier calls has been shown already.
        for secret in said.secrets.drain(secrets..).collect::<Vec<_>>() {
            let at = |end: usize| (end.max(before) - before).min(fresh.len()) + start + place;
            let (from, to) = (at(secret.start), at(secret.end));
            if from < to {
                said.secrets.push(from..to);
            }
        }
        let flow = self.flow(way);
        let rest = before + fresh.len() - taken;
        flow.lost = !known || rest > KEPT || (gap > 0 && rest > 0);
        if flow.lost {
            flow.skip = 0;
        } else if rest > 0 {
            match before {
                0 => kept.extend_from_slice(&fresh[taken..]),
                _ => drop(kept.drain(..taken)),
            }
            flow.kept = kept;
        } else if gap > 0 {
            let skipped = flow.skip.min(gap);
            flow.skip -= skipped;
            flow.lost = skipped < gap;
        }
    }

    /// Has bytes read, message for message: how many were taken, and whether it is known where the next message begins.
    fn read(&mut self, way: Way, bytes: &[u8], whole: bool, said: &mut Said) -> (usize, bool) {
        let mut taken = 0;
        while taken < bytes.len() {
            let rest = &bytes[taken..];
            if let State::Opening(_) = self.state
                && let Some(known) = self.recognise(way, rest)
            {
                return (taken, known);
            }
            let State::Speaking { name, sniffer, out } = &mut self.state else {
                return (taken, false);
            };
            let from = side(way, *out);
            said.begin(name);
            let step = sniffer.read(from, rest, whole, said);
            let hides = matches!(step, Step::Secret(_));
            if let Step::Secret(len) = step {
                let there = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
                said.hide(0..there);
            }
            said.place(taken);
            let (len, inner) = match step {
                Step::Took(0) | Step::Secret(0) | Step::Lost => return (taken, false),
                Step::More => return (taken, whole),
                Step::Took(len) | Step::Secret(len) => (len, None),
                Step::Inside(len, inner) => (len, Some(inner)),
                Step::Wrong => {
                    let name = *name;
                    self.layers.remove(name);
                    self.state = State::Unknown;
                    return (taken, false);
                }
            };
            let there = usize::try_from(len).unwrap_or(usize::MAX).min(rest.len());
            taken += there;
            let flow = &mut self.flows[way as usize];
            flow.skip = len - there as u64;
            flow.hides = hides && flow.skip > 0;
            if let Some(inner) = inner {
                let out = *out;
                self.flows[1 - way as usize] = Flow::default();
                self.state = State::Opening(TRIES);
                let row = inner.and_then(|inner| PROTOCOLS.iter().find(|row| row.name == inner));
                if let Some(row) = row {
                    self.speak(row, out);
                }
            }
        }
        (taken, true)
    }

    /// Asks who speaks: nothing once it is known, otherwise whether it may be with more bytes.
    fn recognise(&mut self, way: Way, bytes: &[u8]) -> Option<bool> {
        let opening = &bytes[..bytes.len().min(OPENING)];
        let mut perhaps = false;
        for row in PROTOCOLS.iter().filter(|row| row.carrier == self.carrier) {
            let out = |side: Side| if way == Way::Out { side } else { side.other() };
            let out = match (row.guess)(opening) {
                Guess::No => continue,
                Guess::Perhaps => {
                    perhaps = true;
                    continue;
                }
                Guess::Client => out(Side::Client),
                Guess::Server => out(Side::Server),
                Guess::Either => self.part.unwrap_or(Side::Client),
            };
            self.speak(row, out);
            return None;
        }
        if perhaps && bytes.len() < OPENING {
            return Some(true);
        }
        if let State::Opening(tries) = &mut self.state {
            *tries -= 1;
            if *tries == 0 {
                self.state = State::Unknown;
                self.flows = Default::default();
            }
        }
        Some(false)
    }

    fn speak(&mut self, row: &'static Protocol, out: Side) {
        self.layers.add(row.name);
        self.state = State::Speaking {
            name: row.name,
            sniffer: (row.sniffer)(),
            out,
        };
    }

    fn datagram(&mut self, way: Way, data: &[&Data], moved: u64, room: usize, said: &mut Said) {
        let (mut left, mut place) = (moved, 0);
        // The pieces of one datagram follow each other; where several went in one call, each is a piece.
        for piece in data {
            let len = piece.len.min(left);
            left -= len;
            let there = piece.bytes.len().min(room);
            let there = usize::try_from(len).unwrap_or(usize::MAX).min(there);
            if there == 0 {
                continue;
            }
            let bytes = &piece.bytes[..there];
            let whole = there as u64 == len;
            if let State::Opening(_) = self.state {
                self.recognise(way, bytes);
            }
            if let State::Speaking { name, sniffer, out } = &mut self.state {
                let from = side(way, *out);
                said.begin(name);
                let step = sniffer.read(from, bytes, whole, said);
                said.place(place);
                if step == Step::Wrong {
                    let name = *name;
                    self.layers.remove(name);
                    self.state = State::Unknown;
                }
            }
            place += piece.bytes.len();
            if self.is_unknown() {
                return;
            }
        }
    }

    fn flow(&mut self, way: Way) -> &mut Flow {
        &mut self.flows[way as usize]
    }
}

fn side(way: Way, out: Side) -> Side {
    match way {
        Way::Out => out,
        Way::In => out.other(),
    }
}
