//! How data moves: too slowly, in too small pieces, or not at all.

use std::collections::VecDeque;

use rustc_hash::FxHashMap;
use syscalls::Sysno;

use super::{Found, Kind, Severity, span};
use crate::kernel::Tcp;
use crate::story::bytes::{Direction, direction, moved};
use crate::story::{Conversation, Meaning, Part, Stage, Told, What};
use crate::syscall::{Outcome, Role};
use crate::tracer::event::{CallEvent, Nanos};

const NAGLE: Kind = Kind {
    name: "nagle-delayed-ack",
    severity: Severity::Warning,
    advice: "The second small piece waits for the first one's acknowledgement, which the peer delays by 40 ms. Send both in one call (writev), or set TCP_NODELAY.",
};
const TINY: Kind = Kind {
    name: "tiny-calls",
    severity: Severity::Warning,
    advice: "Each call costs far more than the bytes it moves: put a buffer between.",
};
const SPINNING: Kind = Kind {
    name: "spinning",
    severity: Severity::Warning,
    advice: "It asks again and again without waiting, and takes a whole processor: let poll or epoll_wait sleep until there is something.",
};
const NO_TIMEOUT: Kind = Kind {
    name: "no-timeout",
    severity: Severity::Warning,
    advice: "The call waits for as long as the peer stays silent, even for ever: SO_RCVTIMEO, or poll with a time limit, ends that.",
};
const SLOW_ANSWER: Kind = Kind {
    name: "slow-answer",
    severity: Severity::Warning,
    advice: "Others of the same kind were answered much faster: look at the server's side of this one.",
};

const LOST: Kind = Kind {
    name: "segments-lost",
    severity: Severity::Warning,
    advice: "The way there loses packets, and each loss makes everything behind it wait: a bad link, a full queue on the way, or a wrong duplex or MTU. What the program does is not to blame.",
};
const DROPPED: Kind = Kind {
    name: "datagrams-dropped",
    severity: Severity::Warning,
    advice: "Mostly they came faster than the program took them, and the receive buffer was full: receive more often or more at once (recvmmsg), or enlarge it (SO_RCVBUF, net.core.rmem_max). What a socket filter refuses counts here too.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[
    &LOST,
    &DROPPED,
    &NAGLE,
    &TINY,
    &SPINNING,
    &NO_TIMEOUT,
    &SLOW_ANSWER,
];

/// Where Nagle's algorithm and delayed acknowledgements meet (RFC 1122 section 4.2.3.2; Linux waits 40 ms).
const DELAYED: std::ops::Range<Nanos> = 35_000_000..60_000_000;
/// Less than a segment.
const SMALL: u64 = 1000;
/// So many bytes a call are tiny, and so many such calls in one conversation too many.
const FEW: u64 = 16;
const CALLS: u32 = 200;
/// So many vain calls within a second are spinning.
const VAIN: u32 = 500;
const SECOND: Nanos = 1_000_000_000;
/// After so long a blocking receive without a time limit is worth a word: 10 s.
const SILENCE: Nanos = 10_000_000_000;
/// In a handshake that took so long a SYN was sent again: 900 ms.
const SLOW_HANDSHAKE: Nanos = 900_000_000;
/// How often segments are sent again where a way is bad, and how many bytes one of them has at most on most ways.
const AGAIN: u32 = 3;
const SEGMENT: u64 = 1448;
/// How many conversations and threads are looked at.
const WATCHED: usize = 4096;
/// How many answers are remembered to know what is usual.
const ANSWERS: usize = 31;

/// Counts by conversation and thread.
#[derive(Debug, Default)]
pub struct Traffic {
    conversations: FxHashMap<i64, Flow>,
    vain: FxHashMap<i32, (u32, Nanos)>,
}

#[derive(Debug, Default)]
struct Flow {
    /// Small sends in a row since the last receive, and their calls.
    sends: u32,
    calls: Vec<u64>,
    small: bool,
    nodelay: bool,
    timeout: bool,
    tiny: [u32; 2],
    all: [u32; 2],
    answers: VecDeque<Nanos>,
}

/// What had to be sent again: now and then that happens on any way.
fn lost(told: &Told, conversation: &Conversation, found: &mut Found) {
    let tcp = conversation.kernel.as_ref().and_then(|it| it.tcp);
    // A handshake that had to be begun again may be the peer's doing, and what stays on this machine takes no way.
    let handshake = conversation.connected.zip(conversation.born);
    let slow = handshake.is_some_and(|(end, start)| end.saturating_sub(start) >= SLOW_HANDSHAKE);
    let away = crate::story::peer_ip(conversation).is_some_and(|ip| !ip.is_loopback());
    let counts = |tcp: &Tcp| !tcp.connects() && !slow && away;
    let again = tcp.filter(counts).map_or(0, |tcp| tcp.total_retrans);
    let segments = conversation.out / SEGMENT + conversation.sends.min(conversation.out);
    if again >= AGAIN && u64::from(again) * 100 >= segments {
        found.add(&LOST, super::peer(told), told, || {
            format!("{again} segments to {} were sent again.", super::peer(told))
        });
    }
}

/// What a socket for datagrams had no room for.
fn dropped(told: &Told, conversation: &Conversation, found: &mut Found) {
    let buffers = conversation.kernel.as_ref().and_then(|it| it.buffers);
    let drops = buffers.map_or(0, |it| it.drops);
    if drops > 0 && conversation.is_datagram() {
        let local = conversation
            .local
            .as_ref()
            .map_or_else(String::new, super::place);
        found.add(&DROPPED, local.clone(), told, || {
            let datagrams = if drops == 1 { "datagram" } else { "datagrams" };
            match local.is_empty() {
                true => format!("{drops} {datagrams} were dropped."),
                false => format!("{drops} {datagrams} to {local} were dropped."),
            }
        });
    }
}

impl Traffic {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        match &told.what {
            What::Call(event) => {
                self.spins(told, event, found);
                if let Some(conversation) = told.conversation.as_ref().filter(|it| it.number > 0) {
                    self.moves(told, event, conversation, found);
                }
            }
            What::StillWaiting if told.stage == Some(Stage::Receive) => self.waits(told, found),
            _ => {}
        }
        if let (Some(Meaning::Farewell(_)), Some(conversation)) =
            (&told.meaning, &told.conversation)
        {
            self.ends(told, conversation.number, found);
            dropped(told, conversation, found);
            lost(told, conversation, found);
        }
    }

    fn spins(&mut self, told: &Told, event: &CallEvent, found: &mut Found) {
        let call = &event.call;
        let vain = match (call.row.role, call.outcome) {
            (Role::Receive | Role::Accept | Role::Send, Outcome::Error(libc::EAGAIN)) => true,
            (Role::Poll, Outcome::Value(0)) => match call.row.number {
                Sysno::poll => call.raw.args[2] as i32 == 0,
                Sysno::epoll_wait | Sysno::epoll_pwait => call.raw.args[3] as i32 == 0,
                _ => false,
            },
            _ => false,
        };
        if !vain {
            // Whoever gets something in between, or waits, does not spin.
            if event.end.saturating_sub(event.start) > 1_000_000 || moved(event) > 0 {
                self.vain.remove(&event.tid);
            }
            return;
        }
        if self.vain.len() >= WATCHED && !self.vain.contains_key(&event.tid) {
            return;
        }
        let (count, since) = self.vain.entry(event.tid).or_insert((0, event.start));
        if event.end.saturating_sub(*since) > SECOND {
            (*count, *since) = (0, event.start);
        }
        *count += 1;
        if *count >= VAIN {
            let name = call.name();
            found.add(&SPINNING, name, told, || {
                format!("{name} found nothing {VAIN} times within a second.")
            });
            self.vain.remove(&event.tid);
        }
    }

    fn moves(
        &mut self,
        told: &Told,
        event: &CallEvent,
        conversation: &Conversation,
        found: &mut Found,
    ) {
        if self.conversations.len() >= WATCHED
            && !self.conversations.contains_key(&conversation.number)
        {
            return;
        }
        let flow = self.conversations.entry(conversation.number).or_default();
        let call = &event.call;
        let Some(direction) = direction(event) else {
            // TCP_NODELAY and SO_RCVTIMEO, SO_SNDTIMEO in both their numbers (include/uapi/asm-generic/socket.h).
            if call.row.number == Sysno::setsockopt {
                flow.nodelay |= call.raw.args[1..3] == [6, 1];
                flow.timeout |=
                    call.raw.args[1] == 1 && matches!(call.raw.args[2], 20 | 21 | 66 | 67);
            }
            return;
        };
        let count = moved(event);
        if count == 0 {
            return;
        }
        let way = usize::from(direction == Direction::In);
        flow.all[way] += 1;
        flow.tiny[way] += u32::from(count <= FEW);
        match direction {
            Direction::Out => {
                flow.sends += 1;
                flow.small = count < SMALL && (flow.sends == 1 || flow.small);
                if flow.calls.len() < 4 {
                    flow.calls.extend(told.call);
                }
            }
            Direction::In => {
                let stalled = told.after.is_some_and(|after| DELAYED.contains(&after));
                let stream =
                    conversation.is_stream() && crate::story::peer_ip(conversation).is_some();
                if flow.sends >= 2 && flow.small && !flow.nodelay && stalled && stream {
                    let calls = std::mem::take(&mut flow.calls);
                    found.add(&NAGLE, super::peer(told), told, || {
                        let after = told.after.unwrap_or(0);
                        format!(
                            "Two small sends to {}, then {} of waiting.",
                            super::peer(told),
                            span(after)
                        )
                    });
                    found.prove(&calls);
                }
                (flow.sends, flow.calls) = (0, Vec::new());
            }
        }
        if let Some(after) = told.after.filter(|_| conversation.part == Part::Connector) {
            if flow.answers.len() == ANSWERS {
                let mut usual: Vec<_> = flow.answers.iter().copied().collect();
                usual.sort_unstable();
                let usual = usual[ANSWERS / 2];
                if after >= SECOND && after / 10 >= usual {
                    found.add(&SLOW_ANSWER, super::peer(told), told, || {
                        format!(
                            "{} took {} to answer; {} is usual here.",
                            super::peer(told),
                            span(after),
                            span(usual)
                        )
                    });
                }
                flow.answers.pop_front();
            }
            flow.answers.push_back(after);
        }
    }

    fn waits(&mut self, told: &Told, found: &mut Found) {
        let (Some(conversation), Some(Meaning::StillWaiting { elapsed, .. })) =
            (&told.conversation, &told.meaning)
        else {
            return;
        };
        let flow = self.conversations.get(&conversation.number);
        let limited = conversation.may_not_block() || flow.is_some_and(|flow| flow.timeout);
        if *elapsed >= SILENCE && !limited {
            found.add(&NO_TIMEOUT, super::peer(told), told, || {
                format!(
                    "{} has been silent for {}, and nothing limits the waiting.",
                    super::peer(told),
                    span(*elapsed)
                )
            });
        }
    }

    fn ends(&mut self, told: &Told, number: i64, found: &mut Found) {
        let Some(flow) = self.conversations.remove(&number) else {
            return;
        };
        for (way, word) in [(0, "sends"), (1, "receives")] {
            let (tiny, all) = (flow.tiny[way], flow.all[way]);
            if tiny >= CALLS && tiny > all / 2 {
                found.add(&TINY, format!("{} {word}", super::peer(told)), told, || {
                    format!(
                        "{tiny} of {all} {word} with {} moved {FEW} bytes or less.",
                        super::peer(told)
                    )
                });
            }
        }
    }
}
