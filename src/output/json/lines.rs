//! The lines of names and conversations.

use crate::protocol::Asked;
use crate::record::{
    Address, Bytes, ClearLine, ConversationLine, MessageLine, NameLine, PeerLine, ServerLine, inode,
};
use crate::story::bytes::Direction;
use crate::story::{
    By, Clear, Conversation, Ending, Exchange, Farewell, Fate, Part, Resolution, Server, Side,
    Told, Upshot, What,
};
use crate::syscall::Data;
use crate::syscall::names::socket::{FAMILY, TYPE};

pub fn name_line<'a>(told: &'a Told, resolution: &'a Resolution) -> NameLine<'a> {
    let answer = resolution.library.as_deref();
    let lookup = answer.map(|(_, lookup)| lookup);
    let text = |data: &Data| String::from_utf8_lossy(&data.bytes).into_owned();
    NameLine {
        run: None,
        function: answer.map(|(event, _)| event.invocation.function.name),
        service: lookup.and_then(|it| it.service.as_ref()).map(text),
        canonical: lookup.and_then(|it| it.canonical.as_ref()).map(text),
        error: lookup.and_then(|it| it.error),
        start: resolution.start,
        end: resolution.end,
        pid: resolution.pid,
        tid: resolution.tid,
        process: told.who.as_ref().map(|who| &*who.name),
        name: &resolution.name,
        tried: resolution.tried.iter().map(String::as_str).collect(),
        asked: resolution.asked.iter().map(Asked::word).collect(),
        addresses: resolution
            .addresses
            .iter()
            .map(ToString::to_string)
            .collect(),
        records: resolution.records as u64,
        outcome: match resolution.upshot {
            Upshot::NoAnswer => "no-answer",
            Upshot::Found => "found",
            Upshot::Cut => "cut",
            Upshot::Nothing => "nothing",
            Upshot::NoSuchName => "no-such-name",
            Upshot::Refused(code) => code,
        },
        source: resolution.source().word(),
        servers: resolution.servers.iter().map(server_line).collect(),
        told: resolution.told,
    }
}

pub fn clear_line<'a>(told: &'a Told, clear: &'a Clear, bytes: &'a [u8]) -> ClearLine<'a> {
    let conversation = told.conversation.as_deref();
    let text = std::str::from_utf8(bytes);
    ClearLine {
        run: None,
        start: clear.event.start,
        end: clear.event.time,
        pid: clear.event.pid,
        tid: clear.event.tid,
        process: told.who.as_ref().map(|who| &*who.name),
        conversation: conversation.map(|it| it.number),
        peer_name: conversation
            .and_then(|it| it.name.as_ref())
            .map(|it| &*it.text),
        inferred: clear.inferred,
        function: clear.event.invocation.function.name,
        result: clear.event.invocation.value.unwrap_or(0),
        way: match clear.way {
            Direction::Out => "out",
            Direction::In => "in",
        },
        bytes: clear.data.len,
        data: text.ok(),
        data_base64: text.is_err().then(|| Bytes(bytes.into())),
        after: told.after,
        messages: told.messages.iter().map(MessageLine::of).collect(),
    }
}

pub fn server_line(server: &Server) -> ServerLine<'_> {
    ServerLine {
        address: server
            .address
            .as_ref()
            .map(Address::from)
            .unwrap_or_default(),
        by: match server.by {
            By::Udp => "udp",
            By::Tcp => "tcp",
            By::Multicast => "multicast",
            By::Resolved => "resolved",
            By::Nscd => "nscd",
        },
        times: server.times,
        answered: server.answered,
    }
}

pub fn peer_line(exchange: &Exchange) -> PeerLine<'_> {
    PeerLine {
        address: Address::from(&exchange.peer),
        sent: exchange.out,
        received: exchange.received,
        sends: exchange.sends,
        receives: exchange.receives,
        first: exchange.first,
        last: exchange.last,
    }
}

pub fn conversation_line<'a>(
    told: &'a Told,
    conversation: &'a Conversation,
    farewell: &Farewell,
) -> ConversationLine<'a> {
    let local = conversation
        .local
        .as_ref()
        .map(Address::from)
        .unwrap_or_default();
    let peer = conversation
        .peer
        .as_ref()
        .map(Address::from)
        .unwrap_or_default();
    let kind = conversation.socket.kind;
    let kernel = farewell.kernel.as_ref();
    let tcp = kernel.and_then(|it| it.tcp);
    let (fate, accepted) = match farewell.fate {
        Fate::Carried => ("carried", None),
        Fate::Listened(peers) => ("listened", Some(peers)),
        Fate::NeverConnected => ("never-connected", None),
        Fate::Lost(_) => ("lost", None),
        Fate::Unused => ("unused", None),
        Fate::HandedOn => ("handed-on", None),
        Fate::Open => ("open", None),
    };
    ConversationLine {
        run: None,
        conversation: conversation.number,
        pid: told.who.as_ref().map(|who| who.pid),
        process: told.who.as_ref().map(|who| &*who.name),
        inode: inode(conversation.socket.id),
        family: kind.and_then(|(family, ..)| FAMILY.get(family as u64)),
        kind: kind.and_then(|(_, kind, _)| TYPE.get(kind as u64)),
        part: match conversation.part {
            Part::Open => "open",
            Part::Listener(_) => "listener",
            Part::Accepted => "accepted",
            Part::Connector => "connector",
            Part::Pair => "pair",
        },
        local_ip: local.ip,
        local_port: local.port,
        local_path: local.path,
        peer_ip: peer.ip,
        peer_port: peer.port,
        peer_path: peer.path,
        peer_name: conversation.name.as_ref().map(|it| &*it.text),
        peer_name_source: conversation.name.as_ref().map(|it| it.source.word()),
        sends: conversation.sends,
        receives: conversation.receives,
        blocked: conversation.blocked,
        connected: conversation.connected,
        first_byte: conversation.first_byte,
        lost_to: conversation.lost_to,
        other_end: conversation.far,
        listener: conversation.listener.filter(|it| *it != 0),
        queued: conversation.queued,
        backlog: conversation.backlog,
        processes: &conversation.processes,
        peers: conversation
            .exchanges
            .several()
            .iter()
            .map(peer_line)
            .collect(),
        peers_more: Some(conversation.exchanges.more()).filter(|it| *it > 0),
        dropped: kernel.and_then(|it| it.buffers).map(|it| it.drops),
        rtt_us: tcp.map(|it| it.rtt_us).filter(|rtt| *rtt > 0),
        resent_segments: tcp.map(|it| it.total_retrans),
        unread: kernel.and_then(|it| it.unread),
        protocols: conversation.layers.names().collect(),
        start: conversation.born,
        end: match &told.what {
            What::Call(event) => event.end,
            _ => told.time,
        },
        sent: farewell.out,
        received: farewell.received,
        ended: match &told.what {
            What::Ended(Ending::Exit) => "exit",
            What::Ended(Ending::Exec) => "exec",
            What::Ended(Ending::StillOpen) => "left-open",
            _ => "closed",
        },
        closed_first: farewell.first.map(|side| match side {
            Side::Us => "us",
            Side::Peer => "peer",
            Side::PeerByReset => "reset",
        }),
        fate,
        accepted,
    }
}
