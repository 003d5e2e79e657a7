//! What the kernel says, in words.

use super::times;
use crate::kernel::{Facts, STATES, Taken};
use crate::output::escape::Escape;
use crate::output::glyphs::Glyphs;
use crate::output::number::{decimal, signed};
use crate::output::time::{duration, size};

/// `, rtt 0.3ms, 2 segments sent again, 5 B never read`: what the kernel knew at the end.
pub(super) fn stack(out: &mut String, facts: &Facts, glyphs: &Glyphs) {
    if let Some(tcp) = facts.tcp.filter(|tcp| tcp.rtt_us > 0) {
        out.push_str(", rtt ");
        duration(out, u64::from(tcp.rtt_us) * 1000, glyphs);
        if tcp.total_retrans > 0 {
            out.push_str(", ");
            decimal(out, tcp.total_retrans.into());
            out.push_str(if tcp.total_retrans == 1 {
                " segment"
            } else {
                " segments"
            });
            out.push_str(" sent again");
        }
    }
    if let Some(unread) = facts.unread.filter(|unread| *unread > 0) {
        out.push_str(", ");
        size(out, unread.into());
        out.push_str(" never read");
    }
}

/// `was ESTABLISHED, now CLOSE_WAIT, rtt 0.3ms`: what changed between calls.
pub fn changed(out: &mut String, before: u8, facts: &Facts, glyphs: &Glyphs) {
    let now = facts.tcp.map_or(0, |tcp| tcp.state);
    let was = STATES.get(usize::from(before)).copied().unwrap_or("");
    if !was.is_empty() && before != now {
        out.push_str(was);
        out.push(' ');
        out.push_str(glyphs.to);
        out.push(' ');
    }
    view(out, facts, false, glyphs);
}

/// `nginx[123] listens there`: who has an address that could not be bound.
pub fn taken(out: &mut String, taken: &Taken, escape: Escape) {
    match taken.pid {
        Some(pid) => {
            escape.bare(out, taken.process.as_bytes());
            out.push('[');
            signed(out, pid.into());
            out.push(']');
        }
        None if taken.lingers() => {
            out.push_str("a connection of before is in ");
            out.push_str(STATES.get(usize::from(taken.state)).unwrap_or(&""));
            return out.push_str(" there");
        }
        None => out.push_str("a process that we cannot see"),
    }
    out.push_str(if taken.listens() {
        " listens there"
    } else {
        " has it"
    });
}

/// `, 3 datagrams dropped`.
pub(super) fn dropped(out: &mut String, facts: &Facts) {
    let drops = facts.buffers.map_or(0, |it| it.drops);
    if drops > 0 && facts.tcp.is_none() {
        out.push_str(", ");
        decimal(out, drops.into());
        out.push_str(if drops == 1 {
            " datagram"
        } else {
            " datagrams"
        });
        out.push_str(" dropped");
    }
}

/// `ESTABLISHED, rtt 0.3ms, 10 segments may be under way, 5 B to be read`: the kernel's view after a call.
pub fn view(out: &mut String, facts: &Facts, receives: bool, glyphs: &Glyphs) {
    let start = out.len();
    let part = |out: &mut String, words: &str| {
        if out.len() > start {
            out.push_str(", ");
        }
        out.push_str(words);
    };
    if let Some(tcp) = &facts.tcp {
        part(out, tcp.state());
        if tcp.listens() {
            part(out, "");
            decimal(out, tcp.unacked.into());
            out.push_str(" of ");
            decimal(out, tcp.sacked.into());
            out.push_str(" waiting to be accepted");
            return;
        }
        if tcp.rtt_us > 0 {
            part(out, "rtt ");
            duration(out, u64::from(tcp.rtt_us) * 1000, glyphs);
        }
        if tcp.connects() {
            part(out, "SYN sent ");
            return times(out, tcp.total_retrans.saturating_add(1));
        }
        if !tcp.is_connected() {
            return;
        }
        part(out, "window ");
        decimal(out, tcp.cwnd.into());
        if tcp.retransmits > 0 || tcp.total_retrans > 0 {
            part(out, "sent again ");
            decimal(out, tcp.total_retrans.max(tcp.retransmits.into()).into());
        }
        if tcp.delivery_rate > 0 {
            part(out, "rate ");
            size(out, tcp.delivery_rate);
            out.push_str("/s");
        }
        // Less than that is the program's own pace.
        if receives && tcp.last_data_recv_ms >= 5 {
            part(out, "the data lay here for ");
            duration(out, u64::from(tcp.last_data_recv_ms) * 1_000_000, glyphs);
        }
    }
    if let Some(unread) = facts.unread.filter(|unread| *unread > 0) {
        part(out, "");
        size(out, unread.into());
        out.push_str(" to be read");
    }
    dropped(out, facts);
    if let Some(bytes) = facts.unacknowledged.filter(|bytes| *bytes > 0) {
        part(out, "");
        size(out, bytes.into());
        out.push_str(" not acknowledged");
    }
}
