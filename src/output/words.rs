//! English for what the story means.

pub mod kernel;
pub mod names;

use super::address;
use super::escape::Escape;
use super::glyphs::Glyphs;
use super::grammar::errno_name;
use super::number::{decimal, signed};
use super::time::{duration, size, whole_seconds};
use crate::kernel::Facts;
use crate::protocol::Message;
use crate::story::{Awaited, Conversation, Ending, Farewell, Fate, Meaning, Name, Rival, Side};
use crate::syscall::SockAddr;

/// How many characters of a message are shown.
const MESSAGE: usize = 72;

/// Adds what a message says: `HTTP GET /index.html`.
pub fn message(out: &mut String, message: &Message, escape: Escape, glyphs: &Glyphs) {
    out.push_str(message.protocol);
    out.push(' ');
    let cut = message.text.char_indices().nth(MESSAGE);
    let text = cut.map_or(&*message.text, |(end, _)| &message.text[..end]);
    // What our own words have of signs, a terminal of ASCII has in other ones.
    for (part, piece) in text.split('→').enumerate() {
        if part > 0 {
            out.push_str(glyphs.to);
        }
        escape.bare(out, piece.as_bytes());
    }
    if cut.is_some() {
        out.push_str(glyphs.cut);
    }
}

/// Adds what a meaning is called in the dim column.
pub fn meaning(out: &mut String, meaning: &Meaning, escape: Escape, glyphs: &Glyphs) {
    let words = match meaning {
        Meaning::Trouble(words) => words,
        Meaning::PassedOn(calls, inside) => {
            out.push_str("passed on as ");
            match calls {
                1 => out.push_str("one call"),
                calls => {
                    decimal(out, u64::from(*calls));
                    out.push_str(" calls");
                }
            }
            out.push_str(", ");
            duration(out, *inside, glyphs);
            return out.push_str(" of it in the kernel");
        }
        Meaning::Agreed(name) => {
            out.push_str("both speak ");
            return escape.bare(out, &name.bytes);
        }
        Meaning::Verified(0, _) => "the certificate is good",
        Meaning::Verified(_, Some(words)) => {
            out.push_str("the certificate: ");
            words
        }
        Meaning::Verified(_, None) => "the certificate was not accepted",
        Meaning::Resumed => "the session goes on from an earlier one",
        Meaning::StaysClosed => "encrypted: its TLS is no library that is known here",
        Meaning::SetsPeer => "notes the peer, sends nothing yet",
        Meaning::ForgetsPeer => "forgets its peer",
        Meaning::EveryAddress => "every address of this machine",
        Meaning::ThisMachine => "this machine only",
        Meaning::KernelPicksPort => "the kernel picks the port",
        Meaning::WaitingForPeers => "waiting for peers",
        Meaning::Accepted { local, peer } => {
            return accepted(out, local.as_ref(), peer.as_ref(), escape, glyphs);
        }
        Meaning::Joined(one, other) => {
            out.push('#');
            signed(out, *one);
            out.push_str(" and #");
            signed(out, *other);
            ", joined to each other"
        }
        Meaning::Part { done, of } => {
            size(out, *done);
            out.push_str(" of ");
            size(out, *of);
            " fitted in"
        }
        Meaning::Cut { of, to } => {
            out.push_str("datagram of ");
            size(out, *of);
            out.push_str(", cut to ");
            return size(out, *to);
        }
        Meaning::Peeked => "only a look: the bytes stay",
        Meaning::PeerEnded => "the peer has closed its side",
        Meaning::ShutSend => "no more from us; we still read",
        Meaning::ShutReceive => "we read no more",
        Meaning::ShutBoth => "both directions end",
        Meaning::Connection { local, peer } => {
            return connection(out, local.as_ref(), peer.as_ref(), escape, glyphs);
        }
        Meaning::Farewell(farewell) => return self::farewell(out, farewell, glyphs),
        Meaning::OpenElsewhere => "still open by another descriptor",
        Meaning::HandedOn => "handed on to another process",
        Meaning::SeveralEnded(count) => {
            decimal(out, *count as u64);
            " sockets end here"
        }
        Meaning::WaitsFor(awaited) => match awaited {
            Awaited::Answer => "waits for an answer",
            Awaited::Peer => "waits for a peer",
            Awaited::Data => "waits for data",
            Awaited::Room => "waits for room: the peer reads slowly",
            Awaited::Other => "waits",
        },
        Meaning::StillWaiting { elapsed, syns, .. } => {
            out.push_str("nothing for ");
            whole_seconds(out, *elapsed);
            if let Some(syns) = syns {
                out.push_str(", SYN sent ");
                times(out, *syns);
            }
            return;
        }
        Meaning::TimedOut(took) => {
            out.push_str("timed out after ");
            return duration(out, *took, glyphs);
        }
        Meaning::Interrupted => "a signal came in between",
        Meaning::GivenUp => "given up: the thread ended inside the call",
    };
    out.push_str(words);
}

/// `:80 ← 10.0.0.7:41234`.
fn accepted(
    out: &mut String,
    local: Option<&SockAddr>,
    peer: Option<&SockAddr>,
    escape: Escape,
    glyphs: &Glyphs,
) {
    match (local, peer) {
        (Some(local), Some(peer)) => {
            address::local(out, local, escape);
            out.push(' ');
            out.push_str(glyphs.from);
            out.push(' ');
            address::write(out, peer, escape);
        }
        (None, Some(peer)) => {
            out.push_str(glyphs.from);
            out.push(' ');
            address::write(out, peer, escape);
        }
        (Some(local), None) => {
            out.push_str("a peer came to ");
            address::local(out, local, escape);
        }
        (None, None) => out.push_str("a peer came"),
    }
}

/// `connected 10.0.0.7:41234 → 93.184.216.34:80`, without the first word.
pub fn connection(
    out: &mut String,
    local: Option<&SockAddr>,
    peer: Option<&SockAddr>,
    escape: Escape,
    glyphs: &Glyphs,
) {
    match (local, peer) {
        (Some(local), Some(peer)) => {
            address::local(out, local, escape);
            out.push(' ');
            out.push_str(glyphs.to);
            out.push(' ');
            address::write(out, peer, escape);
        }
        (None, Some(peer)) => {
            out.push_str("to ");
            address::write(out, peer, escape);
        }
        (Some(local), None) => {
            out.push_str("from ");
            address::local(out, local, escape);
        }
        (None, None) => {}
    }
}

/// `won against [2001:db8::7]:443 (ETIMEDOUT), begun 200ms before`: whom else the program tried for the same name.
pub fn rivals(out: &mut String, rivals: &[Rival], escape: Escape, glyphs: &Glyphs) {
    for (at, rival) in rivals.iter().enumerate() {
        out.push_str(if at == 0 { "won against " } else { ", " });
        address::write(out, &rival.peer, escape);
        if let Some(errno) = rival.errno {
            out.push_str(" (");
            errno_name(out, errno);
            out.push(')');
        }
        if rival.before > 0 {
            out.push_str(", begun ");
            duration(out, rival.before, glyphs);
            out.push_str(" before");
        }
    }
}

/// `connected`, with what there is to say of the ends.
pub fn connected(
    out: &mut String,
    conversation: Option<&Conversation>,
    escape: Escape,
    glyphs: &Glyphs,
) {
    out.push_str("connected");
    if let Some(Conversation {
        local, peer, name, ..
    }) = conversation
        && (local.is_some() || peer.is_some())
    {
        out.push(' ');
        connection(out, local.as_ref(), peer.as_ref(), escape, glyphs);
        if let Some(Name { text, .. }) = name {
            out.push(' ');
            escape.bare(out, text.as_bytes());
        }
    }
}

/// `still waiting for 10.20.0.9:5432 db.internal`.
pub fn still_waiting(out: &mut String, conversation: Option<&Conversation>, escape: Escape) {
    out.push_str("still waiting");
    let peer = conversation.and_then(|it| it.peer.as_ref());
    if let Some(peer) = peer.filter(|peer| !matches!(peer, SockAddr::UnixUnnamed)) {
        out.push_str(" for ");
        address::write(out, peer, escape);
    }
    if let Some(Name { text, .. }) = conversation.and_then(|it| it.name.as_ref()) {
        out.push(' ');
        escape.bare(out, text.as_bytes());
    }
}

/// `75 B out, 1.6 kB in, closed by us, lived 28ms`.
fn farewell(out: &mut String, farewell: &Farewell, glyphs: &Glyphs) {
    let start = out.len();
    let carried = |out: &mut String| {
        size(out, farewell.out);
        out.push_str(" out, ");
        size(out, farewell.received);
        out.push_str(" in");
    };
    match farewell.fate {
        Fate::Carried => carried(out),
        Fate::Open if farewell.out + farewell.received > 0 => carried(out),
        Fate::Open => {}
        Fate::Listened(0) => out.push_str("no peer came"),
        Fate::Listened(1) => out.push_str("let 1 peer in"),
        Fate::Listened(count) => {
            out.push_str("let ");
            decimal(out, count);
            out.push_str(" peers in");
        }
        Fate::NeverConnected => out.push_str("never connected"),
        Fate::Lost(to) => {
            out.push_str("given up: #");
            signed(out, to);
            out.push_str(" was faster");
        }
        Fate::HandedOn => out.push_str("handed on to another process"),
        Fate::Unused => out.push_str("nothing sent or received"),
    }
    let part = |out: &mut String, words: &str| {
        if out.len() > start {
            out.push_str(", ");
        }
        out.push_str(words);
    };
    if farewell.peers > 0 {
        part(out, "with ");
        decimal(out, farewell.peers as u64);
        out.push_str(" peers");
    }
    if let Some(side) = farewell.first {
        let words = match side {
            // Whether the peer had closed too by then, unread, the calls cannot tell.
            Side::Us => "closed by us",
            Side::Peer => "closed first by the peer",
            Side::PeerByReset => "broken off by the peer",
        };
        part(out, words);
    }
    match (farewell.fate, farewell.lived) {
        (Fate::Open, Some(lived)) => {
            part(out, "still open after ");
            duration(out, lived, glyphs);
        }
        (Fate::Open, None) => part(out, "still open"),
        (_, Some(lived)) => {
            part(out, "lived ");
            duration(out, lived, glyphs);
        }
        (_, None) => {}
    }
    match (farewell.fate, farewell.kernel.as_deref()) {
        (Fate::Carried, Some(facts)) => {
            kernel::stack(out, facts, glyphs);
            kernel::dropped(out, facts);
        }
        (Fate::NeverConnected, Some(Facts { tcp: Some(tcp), .. })) if tcp.connects() => {
            let again = tcp.total_retrans.max(tcp.retransmits.into());
            out.push_str(", SYN sent ");
            times(out, again.saturating_add(1));
        }
        _ => {}
    }
}

/// `once`, `twice`, `3 times`.
pub(super) fn times(out: &mut String, count: u32) {
    match count {
        1 => out.push_str("once"),
        2 => out.push_str("twice"),
        _ => {
            decimal(out, count.into());
            out.push_str(" times");
        }
    }
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
