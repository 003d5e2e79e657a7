//! Connections that don't come about, or to another place than was meant.

use std::net::{Ipv4Addr, Ipv6Addr};

use rustc_hash::{FxHashMap, FxHashSet};

use super::{Found, Kind, Severity, place, span};
use crate::kernel::{Facts, Taken};
use crate::story::{Importance, Meaning, Stage, Told, What};
use crate::syscall::{Role, SockAddr};
use crate::tracer::event::Nanos;

const REFUSED: Kind = Kind {
    name: "connect-refused",
    severity: Severity::Error,
    advice: "The machine is there and says no: nobody listens at that port, or only at another address. Is the server started, and does it listen there (ss -ltn)?",
};
const NO_SERVER: Kind = Kind {
    name: "connect-no-server",
    severity: Severity::Error,
    advice: "A UNIX socket leads to whoever has bound that path: its server does not run, or has its socket elsewhere.",
};
const UNREACHABLE: Kind = Kind {
    name: "connect-unreachable",
    severity: Severity::Error,
    advice: "No packet can be sent there: a route, an interface or a gateway is missing (ip route get).",
};
const NO_IPV6: Kind = Kind {
    name: "no-ipv6",
    severity: Severity::Note,
    advice: "This machine has no way to IPv6 addresses. Programs try them first, fail at once and go on with IPv4.",
};
const NO_ANSWER: Kind = Kind {
    name: "connect-no-answer",
    severity: Severity::Error,
    advice: "Not even a refusal comes back: a firewall that drops, a host that is down, or a wrong route. A closed port would refuse at once.",
};
const IPV6_FIRST: Kind = Kind {
    name: "ipv6-first",
    severity: Severity::Warning,
    advice: "The name has IPv6 addresses that do not work from here, and each connection pays for the try. Mend the route, take the AAAA record away, or let the program prefer IPv4.",
};
const BYTE_ORDER: Kind = Kind {
    name: "byte-order",
    severity: Severity::Warning,
    advice: "Ports and addresses travel with the highest byte first: is htons or htonl forgotten?",
};
const IN_USE: Kind = Kind {
    name: "address-in-use",
    severity: Severity::Error,
    advice: "Another socket has that port (ss -ltnp says whose): end that program, or take another port.",
};
const TIME_WAIT: Kind = Kind {
    name: "address-in-time-wait",
    severity: Severity::Error,
    advice: "Nobody has the port any more, but connections of an earlier run linger for a minute. SO_REUSEADDR lets that pass where it is set before bind at every start: the socket of that earlier run must have had it, too.",
};
const LISTENS_EVERYWHERE: Kind = Kind {
    name: "listens-everywhere",
    severity: Severity::Note,
    advice: "Whoever reaches any address of this machine reaches it. Bound to 127.0.0.1 it would be for this machine only.",
};

const SLOW_ACCEPT: Kind = Kind {
    name: "slow-accept",
    severity: Severity::Warning,
    advice: "The connection was there, and its peer may have asked already, before the program took it: what it did meanwhile belongs behind accept, or into another thread.",
};
const QUEUE: Kind = Kind {
    name: "accept-queue-full",
    severity: Severity::Warning,
    advice: "Peers that come while the queue is full get no answer and try again a second later. Accept faster (more threads, no work between accept and accept), or raise the backlog of listen and net.core.somaxconn.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[
    &REFUSED,
    &NO_SERVER,
    &UNREACHABLE,
    &NO_IPV6,
    &NO_ANSWER,
    &IPV6_FIRST,
    &BYTE_ORDER,
    &IN_USE,
    &TIME_WAIT,
    &QUEUE,
    &SLOW_ACCEPT,
    &LISTENS_EVERYWHERE,
];

/// Ports that people mean, and that are another's in the wrong byte order.
const PORTS: [u16; 22] = [
    21, 22, 25, 53, 80, 110, 123, 143, 389, 443, 587, 993, 995, 1883, 3306, 5432, 5672, 6379, 8000,
    8080, 8443, 27017,
];

/// For how long a peer may wait to be accepted: 200 ms.
const QUEUED: Nanos = 200_000_000;
/// How many failed tries are remembered.
const TRIES: usize = 256;
/// What a try of IPv6 costs at least to be worth a word: 50 ms.
const COST: Nanos = 50_000_000;
/// When a handshake has been waited for so long that it was said to: 1 s.
const LATE: Nanos = 1_000_000_000;

/// Remembers what was tried of each name.
#[derive(Debug, Default)]
pub struct Connecting {
    /// By process and name: how long IPv6 was tried in vain.
    lost: FxHashMap<(i32, std::rc::Rc<str>), (Nanos, String)>,
    /// The listeners whose queue was full.
    full: FxHashSet<String>,
    /// How long an answer was waited for in vain, by address.
    waited: FxHashMap<String, Nanos>,
}

impl Connecting {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        match (&told.what, told.stage) {
            (What::Call(event), _) => {
                match event.call.row.role {
                    Role::Connect | Role::Bind => {
                        if let Some(address) = event.call.address() {
                            byte_order(told, address, found);
                        }
                    }
                    Role::Listen => listens(told, found),
                    Role::Accept => accepts(told, found),
                    _ => {}
                }
                if let Some(errno) = event.call.outcome.errno() {
                    let took = event.end.saturating_sub(event.start);
                    match event.call.row.role {
                        Role::Connect => self.failed(told, errno, took, found),
                        Role::Bind if errno == libc::EADDRINUSE => {
                            let place = event.call.address().map_or_else(String::new, place);
                            let taken = event.kernel.as_ref().and_then(|it| it.taken.as_ref());
                            in_use(told, &place, taken, found);
                        }
                        _ => {}
                    }
                } else if event.call.row.role == Role::Connect
                    && event.call.outcome.value().is_some()
                {
                    self.connected(told, found);
                }
            }
            (What::NotConnected(errno), _) => {
                self.failed(told, *errno, told.took.unwrap_or(0), found)
            }
            (What::Connected, _) => self.connected(told, found),
            (What::StillWaiting, Some(Stage::Connect)) => {
                let Some(Meaning::StillWaiting { elapsed, .. }) = told.meaning else {
                    return;
                };
                self.no_answer(told, elapsed, false, found);
            }
            (What::Kernel(_, facts), _) => self.queue(told, facts, found),
            _ => {}
        }
        if let Some(Meaning::Farewell(farewell)) = &told.meaning
            && let Some(facts) = &farewell.kernel
        {
            self.queue(told, facts, found);
        }
    }

    fn failed(&mut self, told: &Told, errno: i32, took: Nanos, found: &mut Found) {
        let Some(conversation) = told.conversation.as_ref().filter(|it| it.number >= 0) else {
            return;
        };
        let Some(peer) = &conversation.peer else {
            return;
        };
        let local = matches!(peer, SockAddr::UnixPath(_) | SockAddr::UnixAbstract(_));
        let (key, name) = (place(peer), super::peer(told));
        match errno {
            libc::ECONNREFUSED | libc::ENOENT if local && told.importance == Importance::Error => {
                found.add(&NO_SERVER, key, told, || format!("Nobody serves {name}."));
            }
            libc::ECONNREFUSED | libc::ENOENT if local => {}
            libc::ECONNREFUSED => found.add(&REFUSED, key, told, || {
                format!("{name} refuses the connection.")
            }),
            libc::ENETUNREACH | libc::EHOSTUNREACH | libc::EADDRNOTAVAIL => {
                let kind = match peer {
                    SockAddr::Inet6 { .. } => &NO_IPV6,
                    _ => &UNREACHABLE,
                };
                let key = if kind == &NO_IPV6 { String::new() } else { key };
                found.add(kind, key, told, || format!("{name} cannot be reached."));
            }
            // It was found while it was waited for: now it is known how long that was.
            libc::ETIMEDOUT => self.no_answer(told, took, true, found),
            _ => {}
        }
        let Some(pid) = told.who.as_ref().map(|who| who.pid) else {
            return;
        };
        if let (SockAddr::Inet6 { .. }, Some(known), true) =
            (peer, &conversation.name, self.lost.len() < TRIES)
        {
            let lost = self.lost.entry((pid, known.text.clone())).or_default();
            lost.0 = lost.0.saturating_add(took);
            lost.1 = place(peer);
        }
    }

    /// Nobody answers, or has answered in all the time that was `over` then.
    fn no_answer(&mut self, told: &Told, elapsed: Nanos, over: bool, found: &mut Found) {
        let Some(conversation) = &told.conversation else {
            return;
        };
        let Some(peer) = &conversation.peer else {
            return;
        };
        // Of several tries the longest says the most.
        let key = place(peer);
        let known = self.waited.get(&key).copied().unwrap_or(0);
        if elapsed < known || (self.waited.len() >= TRIES && known == 0) {
            return;
        }
        self.waited.insert(key.clone(), elapsed);
        let (peer_of, span) = (super::peer(told), span(elapsed));
        let mut seen = match over {
            true => format!("{peer_of} answered nothing at all, for {span}"),
            false => format!("{peer_of} answers nothing at all, for {span} so far"),
        };
        if let Some(syns) = conversation.syns() {
            seen.push_str(&format!(", to {syns} SYNs"));
        }
        seen.push('.');
        found.revise(&NO_ANSWER, key, told, seen);
    }

    /// A listener's queue, as the kernel sees it. It counts whatever was dropped at a listener, so that this matters only where the
    /// queue was seen to be full.
    fn queue(&mut self, told: &Told, facts: &Facts, found: &mut Found) {
        let Some(tcp) = facts.tcp.filter(|tcp| tcp.listens()) else {
            return;
        };
        let Some(local) = told.conversation.as_ref().and_then(|it| it.local.as_ref()) else {
            return;
        };
        let (local, full) = (place(local), tcp.unacked > tcp.sacked);
        if !full && !self.full.contains(&local) {
            return;
        }
        if self.full.len() < TRIES {
            self.full.insert(local.clone());
        }
        let mut seen = match full {
            true => format!("The queue of {local} is full: {} wait", tcp.unacked),
            false => format!(
                "The queue of {local} was full: there is room for {}",
                tcp.sacked
            ),
        };
        let drops = facts.buffers.map_or(0, |it| it.drops);
        if drops > 0 {
            seen.push_str(&format!(", {drops} segments of peers were dropped"));
        }
        seen.push('.');
        found.revise(&QUEUE, local, told, seen);
    }

    /// The other family did it: what the first one has cost.
    fn connected(&mut self, told: &Told, found: &mut Found) {
        let (Some(conversation), Some(who)) = (&told.conversation, &told.who) else {
            return;
        };
        let took = match &told.what {
            What::Call(event) => Some(event.end.saturating_sub(event.start)),
            _ => told.took,
        };
        if let (Some(peer), Some(took)) = (&conversation.peer, took.filter(|it| *it >= LATE)) {
            found.correct(&NO_ANSWER, place(peer), || {
                format!("{} answered only after {}.", super::peer(told), span(took))
            });
        }
        let (Some(SockAddr::Inet { .. }), Some(name)) = (&conversation.peer, &conversation.name)
        else {
            return;
        };
        let failed = self.lost.remove(&(who.pid, name.text.clone()));
        // A try that has not failed by now was waited for before this one was begun.
        let waited = conversation.rivals.iter().filter_map(|it| match it.peer {
            SockAddr::Inet6 { .. } if it.errno.is_none() => Some((it.before, place(&it.peer))),
            _ => None,
        });
        let lost = failed.into_iter().chain(waited).max_by_key(|it| it.0);
        if let Some((took, tried)) = lost.filter(|lost| lost.0 >= COST) {
            let name = &name.text;
            found.add(&IPV6_FIRST, &**name, told, || {
                format!("{name} was tried by IPv6 first, at {tried}, and {} were lost before IPv4 connected.", span(took))
            });
        }
    }
}

fn accepts(told: &Told, found: &mut Found) {
    let Some(conversation) = &told.conversation else {
        return;
    };
    let queued = conversation.queued.unwrap_or(0);
    if let (QUEUED.., Some(local)) = (queued, &conversation.local) {
        found.add(&SLOW_ACCEPT, place(local), told, || {
            format!(
                "{} waited {} to be accepted by {}.",
                super::peer(told),
                span(queued),
                place(local)
            )
        });
    }
}

fn in_use(told: &Told, place: &str, taken: Option<&Taken>, found: &mut Found) {
    let kind = match taken {
        Some(taken) if taken.lingers() => &TIME_WAIT,
        _ => &IN_USE,
    };
    found.add(kind, place, told, || match taken {
        Some(taken) if taken.lingers() => {
            format!(
                "{place} cannot be bound: connections of before linger there, and are nobody's."
            )
        }
        Some(Taken {
            pid: Some(pid),
            process,
            ..
        }) => format!("{place} cannot be bound: {process}[{pid}] has it."),
        _ => format!("{place} cannot be bound: it is in use."),
    });
}

fn listens(told: &Told, found: &mut Found) {
    let local = told.conversation.as_ref().and_then(|it| it.local.as_ref());
    let port = match local {
        Some(SockAddr::Inet { ip, port }) if ip.is_unspecified() => port,
        Some(SockAddr::Inet6 { ip, port, .. }) if ip.is_unspecified() => port,
        _ => return,
    };
    found.add(&LISTENS_EVERYWHERE, port.to_string(), told, || {
        format!("Port {port} is open at every address of this machine.")
    });
}

fn byte_order(told: &Told, address: &SockAddr, found: &mut Found) {
    let (port, turned) = match address {
        SockAddr::Inet { ip, port } => (*port, turned_address(*ip)),
        SockAddr::Inet6 { ip, port, .. } => (
            *port,
            (*ip == Ipv6Addr::from(1u128.to_be().swap_bytes() << 120)).then(|| "::1".to_owned()),
        ),
        _ => return,
    };
    let swapped = port.swap_bytes();
    if PORTS.contains(&swapped) && !PORTS.contains(&port) {
        found.add(&BYTE_ORDER, format!("port {port}"), told, || {
            format!("Port {port} is port {swapped} with its bytes swapped.")
        });
    }
    if let Some(meant) = turned {
        found.add(&BYTE_ORDER, format!("address {meant}"), told, || {
            format!("{} is {meant} with its bytes turned round.", place(address))
        });
    }
}

/// What an address that begins with 1.0.0 may have been meant as.
fn turned_address(ip: Ipv4Addr) -> Option<String> {
    let [a, b, c, d] = ip.octets();
    let turned = Ipv4Addr::new(d, c, b, a);
    (turned.is_loopback() && !ip.is_loopback()).then(|| turned.to_string())
}
