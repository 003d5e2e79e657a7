//! Questions to the resolver, and their answers: getaddrinfo(3), gethostbyname(3), getnameinfo(3), resolver(3) and what c-ares has.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::decode::Source;
use super::functions::Does;
use super::{Lookup, Said};
use crate::syscall::Names;
use crate::syscall::names::socket::{FAMILY, INTERNET_PROTOCOL, TYPE};
use crate::syscall::{Arg, Data, LONGEST_ADDRESS, SockAddr, Value};

/// NI_MAXHOST (getnameinfo(3)): the longest name, its NUL included.
const LONGEST: usize = 1025;

/// How many addresses of one answer are read.
const MOST: usize = 64;

/// What there is to ask for besides addresses, by its number (RFC 1035 section 3.2.2).
static TYPES: Names = Names::new(
    "T_???",
    &[
        (1, "T_A"),
        (2, "T_NS"),
        (5, "T_CNAME"),
        (6, "T_SOA"),
        (12, "T_PTR"),
        (15, "T_MX"),
        (16, "T_TXT"),
        (28, "T_AAAA"),
        (33, "T_SRV"),
        (65, "T_HTTPS"),
        (255, "T_ANY"),
    ],
);

/// AI_* of netdb.h.
static ADDRESS_FLAGS: Names = Names::new(
    "AI_???",
    &[
        (0x01, "AI_PASSIVE"),
        (0x02, "AI_CANONNAME"),
        (0x04, "AI_NUMERICHOST"),
        (0x08, "AI_V4MAPPED"),
        (0x10, "AI_ALL"),
        (0x20, "AI_ADDRCONFIG"),
        (0x40, "AI_IDN"),
        (0x80, "AI_CANONIDN"),
        (0x400, "AI_NUMERICSERV"),
    ],
);

/// EAI_* of netdb.h, glibc's numbers; musl has the same.
const FAILURES: &[(i64, &str)] = &[
    (-1, "EAI_BADFLAGS"),
    (-2, "EAI_NONAME"),
    (-3, "EAI_AGAIN"),
    (-4, "EAI_FAIL"),
    (-5, "EAI_NODATA"),
    (-6, "EAI_FAMILY"),
    (-7, "EAI_SOCKTYPE"),
    (-8, "EAI_SERVICE"),
    (-9, "EAI_ADDRFAMILY"),
    (-10, "EAI_MEMORY"),
    (-11, "EAI_SYSTEM"),
    (-12, "EAI_OVERFLOW"),
    (-101, "EAI_CANCELED"),
    (-104, "EAI_INTR"),
];

/// The codes behind h_errnop (gethostbyname(3)).
const HOST_FAILURES: &[(i64, &str)] = &[
    (1, "HOST_NOT_FOUND"),
    (2, "TRY_AGAIN"),
    (3, "NO_RECOVERY"),
    (4, "NO_DATA"),
];

fn name_of(table: &[(i64, &'static str)], value: i64) -> Option<&'static str> {
    table
        .iter()
        .find(|(number, _)| *number == value)
        .map(|(_, name)| *name)
}

/// A string of the program's, as far as it is one.
fn string(source: &Source<'_>, address: u64, most: usize) -> Option<Data> {
    let bytes = source.memory.string(address, most.min(LONGEST))?;
    let len = bytes.len() as u64;
    Some(Data { bytes, len })
}

fn text(name: &'static str, data: Option<Data>) -> Arg {
    let value = data.map_or(Value::Pointer(0), Value::Text);
    Arg { name, value }
}

fn constant(name: &'static str, names: &'static Names, value: i32) -> Arg {
    Arg {
        name,
        value: Value::Const(names, value as u32 as u64),
    }
}

/// What is asked.
pub(super) fn ask(does: Does, source: Source<'_>) -> (Vec<Arg>, Said) {
    let named = |at: usize| string(&source, source.raw[at], LONGEST);
    let mut lookup = Lookup::default();
    let mut args = Vec::new();
    match does {
        Does::AddressInfo | Does::CaresAddressInfo => {
            let first = usize::from(does == Does::CaresAddressInfo);
            (lookup.name, lookup.service) = (named(first), named(first + 1));
            args.push(text("node", lookup.name.clone()));
            args.push(text("service", lookup.service.clone()));
            hints(&source, source.raw[first + 2], &mut args);
        }
        Does::HostByName | Does::HostByNameR => {
            lookup.name = named(0);
            args.push(text("name", lookup.name.clone()));
        }
        Does::HostByName2 | Does::HostByName2R => {
            lookup.name = named(0);
            args.push(text("name", lookup.name.clone()));
            args.push(constant("af", &FAMILY, source.int(1)));
        }
        Does::CaresHostByName => {
            lookup.name = named(1);
            args.push(text("name", lookup.name.clone()));
            args.push(constant("family", &FAMILY, source.int(2)));
        }
        Does::Query | Does::QueryN | Does::CaresQuery => {
            let first = usize::from(does != Does::Query);
            lookup.name = named(first);
            args.push(text("dname", lookup.name.clone()));
            args.push(constant("type", &TYPES, source.int(first + 2)));
        }
        Does::HostByAddress | Does::HostByAddressR => {
            lookup.reverse = true;
            let len = source.int(1).clamp(0, 16) as usize;
            let bytes = source.memory.bytes(source.raw[0], len);
            lookup.addresses.extend(ip(source.int(2), &bytes));
            args.extend(address(&lookup));
        }
        Does::NameInfo => {
            lookup.reverse = true;
            let len = (source.raw[1] as u32 as usize).min(LONGEST_ADDRESS);
            let bytes = source.memory.bytes(source.raw[0], len);
            lookup.addresses.extend(SockAddr::parse(&bytes));
            args.extend(address(&lookup));
            // The seventh argument, its flags, lies on the stack; what is asked for shows by the places for it.
        }
        _ => return (args, Said::Nothing),
    }
    // c-ares only takes the question: the answer comes by a callback, long after.
    match does {
        Does::CaresAddressInfo | Does::CaresHostByName | Does::CaresQuery => (args, Said::Nothing),
        _ => (args, Said::Lookup(Box::new(lookup))),
    }
}

fn address(lookup: &Lookup) -> Option<Arg> {
    let address = lookup.addresses.first()?.clone();
    let value = Value::Address(Box::new(address));
    Some(Arg {
        name: "addr",
        value,
    })
}

/// struct addrinfo as hints: ai_flags, ai_family, ai_socktype, ai_protocol.
fn hints(source: &Source<'_>, address: u64, args: &mut Vec<Arg>) {
    let bytes = source.memory.bytes(address, 16);
    let field = |at: usize| {
        let bytes = bytes.get(at * 4..)?.first_chunk()?;
        Some(i32::from_ne_bytes(*bytes))
    };
    args.push(constant(
        "ai_family",
        &FAMILY,
        field(1).unwrap_or(libc::AF_UNSPEC),
    ));
    let kind = field(2).unwrap_or(0);
    if kind != 0 {
        args.push(constant("ai_socktype", &TYPE, kind));
    }
    let protocol = field(3).unwrap_or(0);
    if protocol != 0 {
        args.push(constant("ai_protocol", &INTERNET_PROTOCOL, protocol));
    }
    let wishes = field(0).unwrap_or(0);
    if wishes != 0 {
        args.push(Arg {
            name: "ai_flags",
            value: Value::Flags(&ADDRESS_FLAGS, wishes as u32 as u64),
        });
    }
}

fn ip(family: i32, bytes: &[u8]) -> Option<SockAddr> {
    match family {
        libc::AF_INET => {
            let ip = Ipv4Addr::from(*bytes.first_chunk::<4>()?);
            Some(SockAddr::Inet { ip, port: 0 })
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(*bytes.first_chunk::<16>()?);
            Some(SockAddr::Inet6 {
                ip,
                port: 0,
                flowinfo: 0,
                scope: 0,
            })
        }
        _ => None,
    }
}

/// What came of it.
pub(super) fn answer(does: Does, source: Source<'_>, value: i64, lookup: &mut Lookup) {
    let behind = |at: usize| source.memory.word(source.raw[at]);
    match does {
        Does::AddressInfo if value == 0 => addresses(&source, behind(3), lookup),
        Does::AddressInfo => lookup.error = Some(name_of(FAILURES, value).unwrap_or("EAI_?")),
        Does::NameInfo if value == 0 => {
            let place = |at: usize| {
                let most = source.raw[at + 1] as u32 as usize;
                string(&source, source.raw[at], most)
            };
            (lookup.name, lookup.service) = (place(2), place(4));
        }
        Does::NameInfo => lookup.error = Some(name_of(FAILURES, value).unwrap_or("EAI_?")),
        Does::HostByName | Does::HostByName2 | Does::HostByAddress => {
            host(&source, (value != 0).then_some(value as u64), lookup);
        }
        Does::HostByNameR | Does::HostByName2R | Does::HostByAddressR => {
            let (result, failure) = match does {
                Does::HostByNameR => (behind(4), source.memory.word(source.raw[5])),
                Does::HostByName2R => (behind(5), None),
                // Its last arguments lie on the stack; what it found stands where it was told to put it.
                _ => ((value == 0).then_some(source.raw[3]), None),
            };
            host(&source, result.filter(|it| *it != 0), lookup);
            if lookup.error.is_some()
                && let Some(failure) = failure
            {
                let failure = i64::from(failure as i32);
                lookup.error = name_of(HOST_FAILURES, failure).or(lookup.error);
            }
        }
        Does::Query | Does::QueryN if value < 0 => lookup.error = Some("no answer"),
        _ => {}
    }
}

/// A list of struct addrinfo: ai_flags 0, ai_family 4, ai_socktype 8, ai_protocol 12, ai_addrlen 16, ai_addr 24, ai_canonname 32,
/// ai_next 40.
fn addresses(source: &Source<'_>, first: Option<u64>, lookup: &mut Lookup) {
    let mut next = first.unwrap_or(0);
    let mut items = 0;
    while next != 0 && items < MOST {
        items += 1;
        let bytes = source.memory.bytes(next, 48);
        let Some(bytes) = bytes.first_chunk::<48>() else {
            return;
        };
        let word = |at: usize| {
            bytes[at..]
                .first_chunk()
                .map_or(0, |it| u64::from_ne_bytes(*it))
        };
        let len = (word(16) as u32 as usize).min(LONGEST_ADDRESS);
        let address = SockAddr::parse(&source.memory.bytes(word(24), len));
        // One for each kind of socket.
        lookup
            .addresses
            .extend(address.filter(|it| !lookup.addresses.contains(it)));
        if lookup.canonical.is_none() {
            lookup.canonical = string(source, word(32), LONGEST);
        }
        next = word(40);
    }
}

/// struct hostent: h_name 0, h_aliases 8, h_addrtype 16, h_length 20, h_addr_list 24.
fn host(source: &Source<'_>, place: Option<u64>, lookup: &mut Lookup) {
    let bytes = place.map(|place| source.memory.bytes(place, 32));
    let Some(bytes) = bytes.as_deref().and_then(|it| it.first_chunk::<32>()) else {
        // Why, the program learns from a variable of its thread's (h_errno).
        lookup.error = Some("not found");
        return;
    };
    let word = |at: usize| {
        bytes[at..]
            .first_chunk()
            .map_or(0, |it| u64::from_ne_bytes(*it))
    };
    let name = string(source, word(0), LONGEST);
    if lookup.reverse {
        lookup.name = name;
        return;
    }
    lookup.canonical = name.filter(|it| Some(it) != lookup.name.as_ref());
    let family = word(16) as u32 as i32;
    for at in 0..MOST as u64 {
        let place = word(24).wrapping_add(at * 8);
        let Some(address) = source.memory.word(place).filter(|it| *it != 0) else {
            return;
        };
        let address = ip(family, &source.memory.bytes(address, 16))
            .or_else(|| ip(family, &source.memory.bytes(address, 4)));
        lookup
            .addresses
            .extend(address.filter(|it| !lookup.addresses.contains(it)));
    }
}
