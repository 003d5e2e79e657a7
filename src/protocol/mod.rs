//! What travels inside a conversation: protocols known by their bytes, and what their messages say. Pure.
//!
//! Each protocol is one file with a [`Sniffer`] and one row of [`PROTOCOLS`]. [`Talk`] cuts what a conversation carries into
//! messages: it keeps what a message still lacks, skips what nobody needs to see, and finds its way back after data that was not
//! copied. A sniffer that doesn't understand says so; it never guesses.

mod dbus;
mod dns;
mod hpack;
mod http;
mod http2;
mod kafka;
mod memcached;
mod mongodb;
mod mqtt;
mod mysql;
mod nscd;
mod ntp;
mod postgres;
mod quic;
mod redis;
mod resolved;
mod rtnetlink;
mod said;
mod secret;
mod smtp;
mod socks;
mod ssh;
mod syslog;
mod talk;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

use std::fmt;

pub use dns::{Asked, Lookup, Verdict};
pub use said::{Detail, Kind, Message, Said, Source, mask};
pub use talk::{Layers, Talk, Way};

/// How many bytes of one call are looked at, where no more are shown.
pub const LOOKED_AT: usize = 2048;

/// Who sent something: the one who began the conversation, or the one who was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// It connected, or asks.
    Client,
    /// It accepted, or answers.
    Server,
}

impl Side {
    /// The other one.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// What the first bytes that one side sent look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guess {
    /// Not like this protocol.
    No,
    /// Too few to tell.
    Perhaps,
    /// Like its client's.
    Client,
    /// Like its server's.
    Server,
    /// Like either's.
    Either,
}

impl Guess {
    /// Whether the bytes begin with `start`, or may yet.
    pub fn starts(bytes: &[u8], start: &[u8], then: Self) -> Self {
        let common = bytes.len().min(start.len());
        match bytes[..common] == start[..common] {
            false => Self::No,
            true if common < start.len() => Self::Perhaps,
            true => then,
        }
    }
}

/// What a sniffer made of the bytes that lie before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The first so many are one message, or a part of one that nobody needs to see; it may reach beyond what is there.
    Took(u64),
    /// The same, and all of it is secret, also what is still to come.
    Secret(u64),
    /// More are needed; what is secret of those that are there has to be hidden now. Where more cannot come (data that was not copied follows) this is as good as [`Step::Lost`].
    More,
    /// They make no sense: a message may begin with the next call.
    Lost,
    /// The first so many are the last of this protocol: inside it another one begins, which may be known already.
    Inside(u64, Option<&'static str>),
    /// This is not the protocol after all.
    Wrong,
}

/// Understands one protocol in one conversation. Its state is bounded, whatever it is fed.
pub trait Sniffer: fmt::Debug {
    /// Looks at what one side sent, from the beginning of a message on; of datagrams, at one. `whole` is false where bytes that
    /// were not copied follow: then nothing more comes, and what can be told of the part is to be told now.
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step;

    /// A part of what one side sent will never be seen: a message may begin with the next call.
    fn lose(&mut self, _from: Side) {}
}

/// Where a protocol is at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// In byte streams.
    Stream,
    /// In datagrams.
    Datagram,
    /// In messages to the kernel (netlink(7)).
    Netlink,
}

/// A row of the table.
pub struct Protocol {
    /// Its name.
    pub name: &'static str,
    /// Where it is at home.
    pub carrier: Carrier,
    /// What the first bytes that one side sent look like.
    pub guess: fn(&[u8]) -> Guess,
    /// Begins to listen.
    pub sniffer: fn() -> Box<dyn Sniffer>,
}

impl fmt::Debug for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every protocol that is known, the more certain ones first.
pub static PROTOCOLS: &[Protocol] = &[
    Protocol {
        name: "TLS",
        carrier: Carrier::Stream,
        guess: tls::guess,
        sniffer: || Box::<tls::Tls>::default(),
    },
    Protocol {
        name: "HTTP",
        carrier: Carrier::Stream,
        guess: http::guess,
        sniffer: || Box::<http::Http>::default(),
    },
    Protocol {
        name: "HTTP/2",
        carrier: Carrier::Stream,
        guess: http2::guess,
        sniffer: || Box::<http2::Http2>::default(),
    },
    Protocol {
        name: "SSH",
        carrier: Carrier::Stream,
        guess: ssh::guess,
        sniffer: || Box::<ssh::Ssh>::default(),
    },
    Protocol {
        name: "MySQL",
        carrier: Carrier::Stream,
        guess: mysql::guess,
        sniffer: || Box::<mysql::Mysql>::default(),
    },
    Protocol {
        name: "SMTP",
        carrier: Carrier::Stream,
        guess: smtp::guess,
        sniffer: || Box::<smtp::Smtp>::default(),
    },
    Protocol {
        name: "D-Bus",
        carrier: Carrier::Stream,
        guess: dbus::guess,
        sniffer: || Box::<dbus::DBus>::default(),
    },
    Protocol {
        name: "MQTT",
        carrier: Carrier::Stream,
        guess: mqtt::guess,
        sniffer: || Box::<mqtt::Mqtt>::default(),
    },
    // Before PostgreSQL: a request for metadata has its version's place and number.
    Protocol {
        name: "Kafka",
        carrier: Carrier::Stream,
        guess: kafka::guess,
        sniffer: || Box::<kafka::Kafka>::default(),
    },
    Protocol {
        name: "MongoDB",
        carrier: Carrier::Stream,
        guess: mongodb::guess,
        sniffer: || Box::<mongodb::MongoDb>::default(),
    },
    Protocol {
        name: "PostgreSQL",
        carrier: Carrier::Stream,
        guess: postgres::guess,
        sniffer: || Box::<postgres::Postgres>::default(),
    },
    Protocol {
        name: "Redis",
        carrier: Carrier::Stream,
        guess: redis::guess,
        sniffer: || Box::<redis::Redis>::default(),
    },
    Protocol {
        name: "SOCKS",
        carrier: Carrier::Stream,
        guess: socks::guess,
        sniffer: || Box::<socks::Socks>::default(),
    },
    Protocol {
        name: "WebSocket",
        carrier: Carrier::Stream,
        guess: websocket::guess,
        sniffer: || Box::<websocket::WebSocket>::default(),
    },
    Protocol {
        name: "nscd",
        carrier: Carrier::Stream,
        guess: nscd::guess,
        sniffer: || Box::<nscd::Nscd>::default(),
    },
    Protocol {
        name: "resolved",
        carrier: Carrier::Stream,
        guess: resolved::guess,
        sniffer: || Box::<resolved::Resolved>::default(),
    },
    Protocol {
        name: "memcached",
        carrier: Carrier::Stream,
        guess: memcached::guess,
        sniffer: || Box::<memcached::Memcached>::default(),
    },
    Protocol {
        name: "syslog",
        carrier: Carrier::Stream,
        guess: syslog::guess_stream,
        sniffer: || Box::new(syslog::Syslog::in_stream()),
    },
    Protocol {
        name: "DNS",
        carrier: Carrier::Stream,
        guess: dns::guess_stream,
        sniffer: || Box::new(dns::Dns::in_stream()),
    },
    Protocol {
        name: "QUIC",
        carrier: Carrier::Datagram,
        guess: quic::guess,
        sniffer: || Box::<quic::Quic>::default(),
    },
    Protocol {
        name: "DNS",
        carrier: Carrier::Datagram,
        guess: dns::guess,
        sniffer: || Box::new(dns::Dns::in_datagrams()),
    },
    Protocol {
        name: "rtnetlink",
        carrier: Carrier::Netlink,
        guess: rtnetlink::guess,
        sniffer: || Box::<rtnetlink::Rtnetlink>::default(),
    },
    // After DNS: of its questions one in a thousand, of this very length, could be one for the time.
    Protocol {
        name: "NTP",
        carrier: Carrier::Datagram,
        guess: ntp::guess,
        sniffer: || Box::<ntp::Ntp>::default(),
    },
    Protocol {
        name: "syslog",
        carrier: Carrier::Datagram,
        guess: syslog::guess,
        sniffer: || Box::new(syslog::Syslog::in_datagrams()),
    },
];
