//! English for what the story means.

use super::address;
use super::escape::Escape;
use super::glyphs::Glyphs;
use super::time::{duration, size, whole_seconds};
use crate::story::{Awaited, Ending, Farewell, Fate, Meaning, Side};
use crate::syscall::SockAddr;

/// What a meaning is called in the dim column.
pub fn meaning(meaning: &Meaning, escape: Escape, glyphs: &Glyphs) -> String {
    match meaning {
        Meaning::Trouble(words) => (*words).into(),
        Meaning::SetsPeer => "notes the peer, sends nothing yet".into(),
        Meaning::ForgetsPeer => "forgets its peer".into(),
        Meaning::EveryAddress => "every address of this machine".into(),
        Meaning::ThisMachine => "this machine only".into(),
        Meaning::KernelPicksPort => "the kernel picks the port".into(),
        Meaning::WaitingForPeers => "waiting for peers".into(),
        Meaning::Accepted { local, peer } => match (local, peer) {
            (Some(local), Some(peer)) => {
                format!(
                    "{} {} {}",
                    address::local(local, escape),
                    glyphs.from,
                    address::write(peer, escape)
                )
            }
            (None, Some(peer)) => format!("{} {}", glyphs.from, address::write(peer, escape)),
            (Some(local), None) => format!("a peer came to {}", address::local(local, escape)),
            (None, None) => "a peer came".into(),
        },
        Meaning::Joined(one, other) => format!("#{one} and #{other}, joined to each other"),
        Meaning::Part { done, of } => format!("{} of {} fitted in", size(*done), size(*of)),
        Meaning::Cut { of, to } => format!("datagram of {}, cut to {}", size(*of), size(*to)),
        Meaning::Peeked => "only a look: the bytes stay".into(),
        Meaning::PeerEnded => "the peer has closed its side".into(),
        Meaning::ShutSend => "no more from us; we still read".into(),
        Meaning::ShutReceive => "we read no more".into(),
        Meaning::ShutBoth => "both directions end".into(),
        Meaning::Connection { local, peer } => {
            connection(local.as_ref(), peer.as_ref(), escape, glyphs)
        }
        Meaning::Farewell(farewell) => self::farewell(farewell, glyphs),
        Meaning::OpenElsewhere => "still open by another descriptor".into(),
        Meaning::SeveralEnded(count) => format!("{count} sockets end here"),
        Meaning::WaitsFor(awaited) => match awaited {
            Awaited::Answer => "waits for an answer".into(),
            Awaited::Peer => "waits for a peer".into(),
            Awaited::Data => "waits for data".into(),
            Awaited::Room => "waits for room: the peer reads slowly".into(),
            Awaited::Other => "waits".into(),
        },
        Meaning::StillWaiting { elapsed, .. } => format!("nothing for {}", whole_seconds(*elapsed)),
        Meaning::TimedOut(took) => format!("timed out after {}", duration(*took, glyphs)),
        Meaning::Interrupted => "a signal came in between".into(),
        Meaning::GivenUp => "given up: the thread ended inside the call".into(),
    }
}

/// `connected 10.0.0.7:41234 → 93.184.216.34:80`, without the first word.
pub fn connection(
    local: Option<&SockAddr>,
    peer: Option<&SockAddr>,
    escape: Escape,
    glyphs: &Glyphs,
) -> String {
    match (local, peer) {
        (Some(local), Some(peer)) => {
            format!(
                "{} {} {}",
                address::local(local, escape),
                glyphs.to,
                address::write(peer, escape)
            )
        }
        (None, Some(peer)) => format!("to {}", address::write(peer, escape)),
        (Some(local), None) => format!("from {}", address::local(local, escape)),
        (None, None) => String::new(),
    }
}

/// `still waiting for 10.20.0.9:5432`.
pub fn still_waiting(peer: Option<&SockAddr>, escape: Escape) -> String {
    match peer {
        Some(SockAddr::UnixUnnamed) | None => "still waiting".into(),
        Some(peer) => format!("still waiting for {}", address::write(peer, escape)),
    }
}

/// `75 B out, 1.6 kB in, closed by us, lived 28ms`.
fn farewell(farewell: &Farewell, glyphs: &Glyphs) -> String {
    let carried = format!("{} out, {} in", size(farewell.out), size(farewell.received));
    let mut parts = vec![match farewell.fate {
        Fate::Carried => carried,
        Fate::Open if farewell.out + farewell.received > 0 => carried,
        Fate::Open => String::new(),
        Fate::Listened(0) => "no peer came".into(),
        Fate::Listened(1) => "let 1 peer in".into(),
        Fate::Listened(count) => format!("let {count} peers in"),
        Fate::NeverConnected => "never connected".into(),
        Fate::Unused => "nothing sent or received".into(),
    }];
    parts.extend(farewell.first.map(|side| {
        match side {
            // Whether the peer had closed too by then, unread, the calls cannot tell.
            Side::Us => "closed by us",
            Side::Peer => "closed first by the peer",
            Side::PeerByReset => "broken off by the peer",
        }
        .into()
    }));
    let lived = farewell.lived.map(|lived| duration(lived, glyphs));
    match (farewell.fate, lived) {
        (Fate::Open, Some(lived)) => parts.push(format!("still open after {lived}")),
        (Fate::Open, None) => parts.push("still open".into()),
        (_, Some(lived)) => parts.push(format!("lived {lived}")),
        (_, None) => {}
    }
    parts.retain(|part| !part.is_empty());
    parts.join(", ")
}

/// How a conversation ended without a close(2) of its own, in place of the call.
pub fn ending(ending: Ending) -> String {
    match ending {
        Ending::Exit => "(exit)".into(),
        Ending::Exec => "(execve)".into(),
        Ending::Call(name) => format!("({name})"),
        Ending::StillOpen => "(not closed)".into(),
    }
}
