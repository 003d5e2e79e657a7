//! Stage 0: questions to the name service, put together into what a program wished to know and was told.

use std::net::IpAddr;

use super::boundary::Answered;
use crate::protocol::{Asked, Lookup, Source, Verdict};
use crate::syscall::SockAddr;
use crate::tracer::event::{Nanos, SocketId};

/// How many are followed at a time.
const FOLLOWED: usize = 256;
/// How many addresses, servers, names and kinds of one are remembered.
const PARTS: usize = 64;
/// Servers that one socket asks within so short a time are asked at once, and whoever answers first counts: 50 ms.
const AT_ONCE: Nanos = 50_000_000;

/// One name that a program wished to know, with all that it asked for it.
#[derive(Clone, Debug)]
pub struct Resolution {
    /// The process that asked.
    pub pid: i32,
    /// The thread that asked first.
    pub tid: i32,
    /// The name.
    pub name: String,
    /// Others that were tried too: with search domains (resolv.conf(5)).
    pub tried: Vec<String>,
    /// What was asked of it.
    pub asked: Vec<Asked>,
    /// The addresses that it has.
    pub addresses: Vec<IpAddr>,
    /// How many records of other kinds came.
    pub records: usize,
    /// Who was asked.
    pub servers: Vec<Server>,
    /// When the first question was asked.
    pub start: Nanos,
    /// When the last answer came, or the last question was given up.
    pub end: Nanos,
    /// What came of it.
    pub upshot: Upshot,
    /// What the program asked of its library, and was answered, where that is known.
    pub library: Option<Box<Answered>>,
    /// When it was told, where that was by no occasion but after a while.
    pub told: Option<Nanos>,
    /// Whether an answer did not fit into a datagram, and nobody has asked for it by TCP yet.
    cut: bool,
    /// By which socket it was asked last, while that is open.
    asking: Option<SocketId>,
    /// Questions without an answer.
    open: Vec<Question>,
}

/// A name server that was asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Server {
    /// Its address; nothing where the calls don't tell.
    pub address: Option<SockAddr>,
    /// How it was asked.
    pub by: By,
    /// How often it was asked the same.
    pub times: u32,
    /// Whether it answered.
    pub answered: bool,
    /// By which socket it was asked first, and when.
    first: (SocketId, Nanos),
    questions: Vec<(String, Asked, u32)>,
}

/// How a question travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// In datagrams.
    Udp,
    /// In a stream.
    Tcp,
    /// To all machines around (RFC 6762).
    Multicast,
    /// By a UNIX socket, to systemd-resolved.
    Resolved,
    /// By a UNIX socket, to nscd(8).
    Nscd,
}

impl By {
    /// How a name is known that was asked for so.
    pub fn source(self) -> Source {
        match self {
            Self::Multicast => Source::Mdns,
            Self::Nscd => Source::Nscd,
            Self::Udp | Self::Tcp | Self::Resolved => Source::Dns,
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upshot {
    /// Nothing yet: where it stays so, nobody answered.
    NoAnswer,
    /// There are addresses, or other records.
    Found,
    /// The answer did not fit into a datagram (TC), and nobody got it by TCP.
    Cut,
    /// The name exists, but has nothing of what was asked.
    Nothing,
    /// It does not exist.
    NoSuchName,
    /// The server would or could not say: its code.
    Refused(&'static str),
}

impl Upshot {
    /// Which one counts of several: one kind of record may be there and the other not.
    fn weight(self) -> u8 {
        match self {
            Self::NoAnswer => 0,
            Self::Nothing => 1,
            Self::Cut => 2,
            Self::NoSuchName | Self::Refused(_) => 3,
            Self::Found => 4,
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Question {
    socket: SocketId,
    id: u16,
    name: String,
    asked: Asked,
    server: usize,
}

/// One message of the name service, with who sent or got it.
#[derive(Clone, Copy, Debug)]
pub struct Heard<'a> {
    /// The process.
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The socket.
    pub socket: SocketId,
    /// The other end.
    pub server: Option<&'a SockAddr>,
    /// How it travels.
    pub by: By,
    /// When.
    pub time: Nanos,
}

/// All that are under way or not told yet.
#[derive(Debug, Default)]
pub struct Resolutions {
    followed: Vec<Resolution>,
}

impl Resolutions {
    /// Takes a question, or an answer: then the addresses that its name has come with the name that was wished for.
    pub fn hear(&mut self, heard: Heard<'_>, lookup: &Lookup) -> Option<(String, Vec<IpAddr>)> {
        match &lookup.verdict {
            None => {
                self.ask(heard, lookup);
                None
            }
            Some(verdict) => self.answer(heard, lookup, verdict),
        }
    }

    fn ask(&mut self, heard: Heard<'_>, lookup: &Lookup) {
        let at = self
            .followed
            .iter()
            .position(|it| it.pid == heard.pid && it.is_about(&lookup.name))
            .or_else(|| {
                let last = self.followed.iter().rposition(|it| it.pid == heard.pid);
                last.filter(|at| self.followed[*at].may_go_on_to(lookup))
            });
        let at = match at {
            Some(at) => at,
            None if self.followed.len() < FOLLOWED => {
                self.followed.push(Resolution::new(heard, &lookup.name));
                self.followed.len() - 1
            }
            None => return,
        };
        self.followed[at].ask(heard, lookup);
    }

    fn answer(
        &mut self,
        heard: Heard<'_>,
        lookup: &Lookup,
        verdict: &Verdict,
    ) -> Option<(String, Vec<IpAddr>)> {
        let matches = |question: &Question| {
            question.socket == heard.socket
                && question.id == lookup.id
                && question.name.eq_ignore_ascii_case(&lookup.name)
        };
        let found = self.followed.iter_mut().find_map(|it| {
            let at = it.open.iter().position(matches)?;
            Some((it, at))
        });
        let (resolution, at) = found?;
        let question = resolution.open.swap_remove(at);
        resolution.end = heard.time;
        // All may have been asked at once: who it was says the datagram's sender.
        let server = resolution.server(heard).unwrap_or(question.server);
        resolution.servers[server].answered = true;
        let (addresses, finding) = match verdict {
            // The same will be asked again by TCP; some take what did fit in.
            Verdict::Cut(addresses) => {
                resolution.cut = true;
                (addresses.clone(), Upshot::Cut)
            }
            Verdict::Found(addresses, records) => {
                resolution.records += records;
                (addresses.clone(), Upshot::Found)
            }
            Verdict::Nothing => (Vec::new(), Upshot::Nothing),
            Verdict::NoSuchName => (Vec::new(), Upshot::NoSuchName),
            Verdict::Refused(code) => (Vec::new(), Upshot::Refused(code)),
        };
        for address in &addresses {
            if resolution.addresses.len() < PARTS && !resolution.addresses.contains(address) {
                resolution.addresses.push(*address);
            }
        }
        let known = resolution.upshot;
        if finding.weight() >= known.weight() {
            resolution.upshot = finding;
        }
        Some((resolution.name.clone(), addresses))
    }

    /// A socket is closed: what was asked by it will not be answered.
    pub fn give_up(&mut self, socket: SocketId, now: Nanos) {
        for resolution in &mut self.followed {
            let before = resolution.open.len();
            resolution.open.retain(|question| question.socket != socket);
            resolution.asking.take_if(|asking| *asking == socket);
            if resolution.open.len() < before {
                resolution.end = now;
            }
        }
    }

    /// A server cannot be reached by TCP: what did not fit into its datagram stays unknown.
    pub fn cannot_ask(&mut self, heard: Heard<'_>) {
        let own = |it: &&mut Resolution| {
            let known = |server: &Server| server.address.as_ref() == heard.server;
            it.pid == heard.pid && it.cut && it.servers.iter().any(known)
        };
        for resolution in self.followed.iter_mut().filter(own) {
            resolution.meet(heard);
            (resolution.cut, resolution.end) = (false, heard.time);
        }
    }

    /// Whether that server is asked by one of them.
    pub fn asks(&self, server: &SockAddr) -> bool {
        let servers = |it: &Resolution| {
            it.servers
                .iter()
                .any(|it| it.address.as_ref() == Some(server))
        };
        self.followed.iter().any(servers)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.followed.is_empty()
    }

    /// Takes out those that are over and that the choice is for.
    pub fn take(&mut self, mut chosen: impl FnMut(&Resolution) -> bool) -> Vec<Resolution> {
        let mut taken = Vec::new();
        let mut at = 0;
        while let Some(resolution) = self.followed.get(at) {
            match chosen(resolution) {
                true => taken.push(self.followed.remove(at)),
                false => at += 1,
            }
        }
        taken
    }
}

impl Resolution {
    fn new(heard: Heard<'_>, name: &str) -> Self {
        Self {
            pid: heard.pid,
            tid: heard.tid,
            name: name.to_owned(),
            tried: Vec::new(),
            asked: Vec::new(),
            addresses: Vec::new(),
            records: 0,
            servers: Vec::new(),
            start: heard.time,
            end: heard.time,
            upshot: Upshot::NoAnswer,
            library: None,
            told: None,
            cut: false,
            asking: None,
            open: Vec::new(),
        }
    }

    /// One that a program asks of its library.
    pub fn by_library(pid: i32, tid: i32, start: Nanos) -> Self {
        let heard = Heard {
            pid,
            tid,
            socket: 0,
            server: None,
            by: By::Udp,
            time: start,
        };
        Self::new(heard, "")
    }

    /// Takes in another one that was made for the same question.
    pub fn absorb(&mut self, other: Self) {
        for server in other.servers {
            if self.servers.len() < PARTS {
                self.servers.push(server);
            }
        }
        for asked in other.asked {
            if !self.asked.contains(&asked) {
                self.asked.push(asked);
            }
        }
        if !other.name.eq_ignore_ascii_case(&self.name) && self.tried.len() < PARTS {
            self.tried.push(other.name);
        }
        if other.upshot.weight() > self.upshot.weight() {
            self.upshot = other.upshot;
        }
    }

    /// Whether nothing is open any more, and nothing is to be asked again: by TCP, or by the same socket where the server would or could
    /// not answer.
    pub fn is_over(&self) -> bool {
        let again = matches!(self.upshot, Upshot::Refused(_)) && self.asking.is_some();
        self.open.is_empty() && !self.cut && !again
    }

    /// The same for its thread, which does something else now, and after a resolver's patience.
    pub fn is_left(&self) -> bool {
        self.open.is_empty()
    }

    /// Its process is gone: what is open was waited for until now.
    pub fn ends(&mut self, now: Nanos) {
        if !self.open.is_empty() {
            self.end = now;
        }
    }

    /// Whether something went wrong.
    pub fn failed(&self) -> bool {
        match self.upshot {
            Upshot::NoAnswer | Upshot::NoSuchName | Upshot::Refused(_) => true,
            // What did fit in is taken by some.
            Upshot::Cut => self.addresses.is_empty(),
            Upshot::Found | Upshot::Nothing => false,
        }
    }

    /// How its names became known.
    pub fn source(&self) -> Source {
        let answered = self.servers.iter().rfind(|it| it.answered);
        let last = answered.or(self.servers.last());
        last.map_or(Source::Library, |server| server.by.source())
    }

    /// Whether a server was waited for in vain: another one answered, which was not asked at the same time.
    pub fn waited_in_vain(&self, server: &Server) -> bool {
        let at_once = |other: &Server| {
            let (socket, time) = other.first;
            socket == server.first.0 && time.abs_diff(server.first.1) < AT_ONCE
        };
        let answered = |other: &&Server| other.answered;
        !server.answered
            && self.servers.iter().any(|it| it.answered)
            && !self.servers.iter().filter(answered).any(at_once)
    }

    /// A server is asked so, or would be: which one of them it is, if there is room.
    fn meet(&mut self, heard: Heard<'_>) -> Option<usize> {
        if let Some(known) = self.server(heard) {
            return Some(known);
        }
        if self.servers.len() == PARTS {
            return None;
        }
        self.servers.push(Server {
            address: heard.server.cloned(),
            by: heard.by,
            times: 0,
            answered: false,
            first: (heard.socket, heard.time),
            questions: Vec::new(),
        });
        Some(self.servers.len() - 1)
    }

    /// Which one of the servers it is that is asked so, or says so.
    fn server(&self, heard: Heard<'_>) -> Option<usize> {
        let known =
            |server: &Server| server.address.as_ref() == heard.server && server.by == heard.by;
        self.servers.iter().position(known)
    }

    /// Whether the name is this one, or this one with a search domain, or the other way round.
    fn is_about(&self, name: &str) -> bool {
        let longer = |long: &str, short: &str| {
            long.len() > short.len()
                && long.as_bytes()[short.len()] == b'.'
                && long.is_char_boundary(short.len())
                && long[..short.len()].eq_ignore_ascii_case(short)
        };
        self.name.eq_ignore_ascii_case(name) || longer(name, &self.name) || longer(&self.name, name)
    }

    /// Whether a name that was not found is followed by this one with the next search domain: they have the beginning in common, and
    /// the same is asked of both.
    fn may_go_on_to(&self, lookup: &Lookup) -> bool {
        let in_vain = matches!(self.upshot, Upshot::NoSuchName | Upshot::Nothing);
        let labels = |name: &str| Some(name.split_once('.')?.0.to_ascii_lowercase());
        let (first, next) = (labels(&self.name), labels(&lookup.name));
        self.is_over()
            && in_vain
            && first.is_some()
            && first == next
            && self.asked.contains(&lookup.asked)
    }

    fn ask(&mut self, heard: Heard<'_>, lookup: &Lookup) {
        let name = &lookup.name;
        // The shorter one is what was wished; of two with different search domains, the latest is what came of it.
        if name.len() < self.name.len() || !self.is_about(name) {
            let former = std::mem::replace(&mut self.name, name.clone());
            self.try_too(former);
        } else if !self.name.eq_ignore_ascii_case(name) {
            self.try_too(name.clone());
        }
        if !self.asked.contains(&lookup.asked) && self.asked.len() < PARTS {
            self.asked.push(lookup.asked.clone());
        }
        if heard.by == By::Tcp {
            self.cut = false;
            if self.upshot == Upshot::Cut {
                self.upshot = Upshot::NoAnswer;
            }
        }
        let Some(server) = self.meet(heard) else {
            return;
        };
        self.servers[server].ask(name, &lookup.asked);
        (self.end, self.asking) = (heard.time, Some(heard.socket));
        // The same once more: the first one is not waited for any longer.
        self.open
            .retain(|it| !(it.name == *name && it.asked == lookup.asked));
        if self.open.len() < PARTS {
            self.open.push(Question {
                socket: heard.socket,
                id: lookup.id,
                name: name.clone(),
                asked: lookup.asked.clone(),
                server,
            });
        }
    }

    fn try_too(&mut self, name: String) {
        if self.tried.len() < PARTS && !self.tried.contains(&name) {
            self.tried.push(name);
        }
    }
}

impl Server {
    fn ask(&mut self, name: &str, asked: &Asked) {
        let known = self
            .questions
            .iter_mut()
            .find(|it| it.0 == name && it.1 == *asked);
        let count = match known {
            Some((.., count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                if self.questions.len() < PARTS {
                    self.questions.push((name.to_owned(), asked.clone(), 1));
                }
                1
            }
        };
        self.times = self.times.max(count);
    }
}
