//! A sentence for each stage when it first comes, for people who see a connection for the first time. Numbers are those of the call.

use rustc_hash::FxHashSet;

use super::address;
use super::escape::Escape;
use crate::story::{Conversation, Meaning, Side, Stage, Told, What};
use crate::syscall::SockAddr;
use crate::tracer::event::CallEvent;

/// What can be explained, each once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Topic {
    Stream(Stage),
    Datagram(Stage),
    /// A stream's end, as a receive sees it.
    End,
}

/// Remembers what was explained.
#[derive(Debug, Default)]
pub struct Explain {
    explained: FxHashSet<Topic>,
    /// Whether it was said where our own port comes from.
    own_port: bool,
}

impl Explain {
    /// The sentence that belongs below a line, if its topic is new.
    pub fn sentence(&mut self, told: &Told, escape: Escape) -> Option<String> {
        let (conversation, stage) = (told.conversation.as_ref()?, told.stage?);
        let event = match &told.what {
            What::Call(event) => {
                Some(&**event).filter(|event| event.call.outcome.value().is_some())
            }
            What::Connected => None,
            _ => return None,
        };
        if event.is_none() && !matches!(told.what, What::Connected) {
            return None;
        }
        let datagram = conversation.is_datagram();
        let end = told.meaning == Some(Meaning::PeerEnded);
        let topic = match (datagram, end) {
            (true, _) => Topic::Datagram(stage),
            (false, true) => Topic::End,
            (false, false) => Topic::Stream(stage),
        };
        let text = match topic {
            Topic::Datagram(stage) => datagrams(stage, event?, conversation, escape)?,
            Topic::Stream(stage) => streams(stage, event, conversation)?,
            Topic::End => "A result of 0 does not mean that there is no data just now. It is the end: the peer has closed its side, and nothing \
                           more will come."
                .into(),
        };
        if !self.explained.insert(topic) {
            return None;
        }
        let own = conversation.local.as_ref().and_then(port);
        match own.filter(|_| matches!(topic, Topic::Stream(Stage::Connect | Stage::Send))) {
            Some(own) if !std::mem::replace(&mut self.own_port, true) => Some(format!(
                "{text} Our own end got port {own} from the stack, without being asked."
            )),
            _ => Some(text),
        }
    }
}

fn streams(stage: Stage, event: Option<&CallEvent>, conversation: &Conversation) -> Option<String> {
    let descriptor = |event: &CallEvent| match stage {
        Stage::Create => event.call.outcome.value().unwrap_or(-1),
        _ => event.call.descriptor().map_or(-1, i64::from),
    };
    Some(match stage {
        Stage::Create => format!(
            "The program asked the protocol stack for a socket, the doorway at our end of the pipe. It got back descriptor {}: a number that \
             has meaning only inside this process. The other side will never see it.",
            descriptor(event?)
        ),
        Stage::Connect => {
            let port = port(conversation.peer.as_ref()?)?;
            format!(
                "The IP address finds the machine, the port ({port}) finds the socket on it. A descriptor could not do that, since the other \
                 side does not know ours."
            )
        }
        Stage::Send => format!(
            "The stack took {} from the program. That is not yet an arrival: the stack cuts them into packets, sends them, and sends again \
             what gets lost, while the program goes on.",
            bytes(event?)
        ),
        // Nothing came, which here is not the end.
        Stage::Receive if event?.call.outcome.value() == Some(0) => return None,
        Stage::Receive => format!(
            "The stack had {} waiting, put back in order. The program reads from descriptor {} alone: the stack knows which peer is at the \
             other end.",
            bytes(event?),
            descriptor(event?)
        ),
        Stage::Close => {
            let event = event.filter(|event| !event.released.is_empty())?;
            let mut text = format!(
                "Descriptor {} is free again, and the stack ends the connection.",
                descriptor(event)
            );
            text += match conversation.first {
                Some(Side::Peer | Side::PeerByReset) => {
                    " The peer had closed first, so nothing is left to wait for: a pipe is gone once both sides have closed it."
                }
                _ => {
                    " We closed first, so the stack keeps the pair of addresses for a minute more (TIME_WAIT), in case a late packet \
                     still turns up."
                }
            };
            text
        }
        _ => return None,
    })
}

fn datagrams(
    stage: Stage,
    event: &CallEvent,
    conversation: &Conversation,
    escape: Escape,
) -> Option<String> {
    Some(match stage {
        Stage::Create => format!(
            "A socket for datagrams: single packets, with no connection behind them. The program got descriptor {} for it.",
            event.call.outcome.value()?
        ),
        Stage::Send => {
            let payload = event.call.payload();
            let name = question(&payload.first()?.bytes)?;
            let mut server = String::new();
            address::write(&mut server, conversation.peer.as_ref()?, escape);
            format!(
                "Machines are found by addresses, not by names. So the program first asks the name server {server} for the address of {}: \
                 one packet out, and one back if all goes well. The stack itself knows no names.",
                escape.name(&name)
            )
        }
        Stage::Receive if event.call.outcome.value()? > 0 => {
            format!(
                "The answer, one packet of {}. It could have got lost: then the program would have to ask again by itself.",
                bytes(event)
            )
        }
        _ => return None,
    })
}

fn bytes(event: &CallEvent) -> String {
    match event.call.outcome.value() {
        Some(1) => "1 byte".into(),
        count => format!("{} bytes", count.unwrap_or(0)),
    }
}

fn port(address: &SockAddr) -> Option<u16> {
    match address {
        SockAddr::Inet { port, .. } | SockAddr::Inet6 { port, .. } => Some(*port),
        _ => None,
    }
}

/// The name that a DNS query of one question asks for (RFC 1035, section 4.1); nothing where the bytes are anything else.
fn question(bytes: &[u8]) -> Option<Vec<u8>> {
    // QR, opcode, and one question.
    if bytes.get(2)? & 0xf8 != 0 || bytes.get(4..6)? != [0, 1] {
        return None;
    }
    let mut rest = bytes.get(12..)?;
    let mut name = Vec::new();
    loop {
        let (length, after) = rest.split_first()?;
        if *length == 0 {
            return Some(name).filter(|name| !name.is_empty());
        }
        if *length > 63 || name.len() > 253 {
            return None;
        }
        if !name.is_empty() {
            name.push(b'.');
        }
        name.extend(after.get(..usize::from(*length))?);
        rest = &after[usize::from(*length)..];
    }
}

#[cfg(test)]
mod tests {
    use super::question;

    #[test]
    fn finds_the_name_in_a_query() {
        let query = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04demo\x04test\0\0\x01\0\x01";
        assert_eq!(question(query).as_deref(), Some(&b"demo.test"[..]));
        assert_eq!(question(&query[..18]), None);
        assert_eq!(question(b"GET / HTTP/1.1\r\n"), None);
        let answer = b"\x12\x34\x81\0\0\x01\0\0\0\0\0\0\x04demo\x04test\0\0\x01\0\x01";
        assert_eq!(question(answer), None);
    }
}
