//! Functions as the ABI lays their arguments out: what is asked, what is answered, and that nothing hostile leads astray.

use std::ffi::CString;

use proptest::prelude::*;

use super::*;
use crate::syscall::{Memory, NoMemory, Noting, Snapshot, Value};
use crate::tracer::memory::TraceeMemory;

/// Memory with a few pieces in it.
#[derive(Default)]
struct Places(Vec<(u64, Vec<u8>)>);

impl Places {
    fn with(mut self, address: u64, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.push((address, bytes.into()));
        self
    }
}

impl Memory for Places {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        let found = self.0.iter().find_map(|(start, bytes)| {
            let from = usize::try_from(address.checked_sub(*start)?).ok()?;
            bytes.get(from..).filter(|rest| !rest.is_empty())
        });
        let rest = found.unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        len
    }
}

fn words(words: &[u64]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn pair(low: i32, high: i32) -> u64 {
    u64::from(low as u32) | u64::from(high as u32) << 32
}

fn known(name: &str) -> &'static Function {
    function(name.as_bytes()).expect("a function that is probed")
}

fn lookup(invocation: &Invocation) -> &Lookup {
    match &invocation.said {
        Said::Lookup(lookup) => lookup,
        said => panic!("{said:?}"),
    }
}

fn tls(invocation: &Invocation) -> &Tls {
    match &invocation.said {
        Said::Tls(tls) => tls,
        said => panic!("{said:?}"),
    }
}

fn data(bytes: &[u8]) -> Data {
    Data {
        bytes: bytes.to_vec(),
        len: bytes.len() as u64,
    }
}

#[test]
fn getaddrinfo_gives_each_address_once_and_in_its_order() {
    let inet = |last| {
        let mut bytes = (libc::AF_INET as u16).to_ne_bytes().to_vec();
        bytes.extend([0, 80, 192, 0, 2, last, 0, 0, 0, 0, 0, 0, 0, 0]);
        bytes
    };
    let item = |address, name, next| {
        words(&[
            pair(0, libc::AF_INET),
            pair(libc::SOCK_STREAM, 6),
            16,
            address,
            name,
            next,
        ])
    };
    let memory = Places::default()
        .with(0x1000, *b"shop.example\0and more")
        .with(0x2000, *b"80\0")
        .with(
            0x3000,
            words(&[pair(0x20, libc::AF_INET), pair(libc::SOCK_STREAM, 0)]),
        )
        .with(0x4000, words(&[0x5000]))
        .with(0x5000, item(0x6000, 0x7000, 0x5100))
        .with(0x5100, item(0x6100, 0, 0x5200))
        // The list leads back into itself.
        .with(0x5200, item(0x6000, 0, 0x5000))
        .with(0x6000, inet(7))
        .with(0x6100, inet(8))
        .with(0x7000, *b"www.shop.example\0");
    let raw = [0x1000, 0x2000, 0x3000, 0x4000, 0, 0];
    let mut call = enter(known("getaddrinfo"), raw, &memory, 0);
    assert_eq!(lookup(&call).name, Some(data(b"shop.example")));
    let shown: Vec<_> = call.args.iter().map(|arg| arg.name).collect();
    assert_eq!(
        shown,
        ["node", "service", "ai_family", "ai_socktype", "ai_flags"]
    );
    leave(&mut call, 0, &memory, 0);
    let ips: Vec<_> = lookup(&call)
        .addresses
        .iter()
        .map(|it| match it {
            SockAddr::Inet { ip, .. } => ip.octets()[3],
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(ips, [7, 8]);
    assert_eq!(lookup(&call).canonical, Some(data(b"www.shop.example")));
    let mut call = enter(known("getaddrinfo"), raw, &memory, 0);
    // The upper half of the register says nothing.
    leave(&mut call, 0x7fff_ffff_fffe, &memory, 0);
    assert_eq!(call.value, Some(-2));
    assert_eq!(lookup(&call).error, Some("EAI_NONAME"));
    assert_eq!(i64::from(libc::EAI_NONAME), -2);
}

#[test]
fn a_host_is_found_behind_its_pointers() {
    let host = words(&[0x2000, 0, pair(libc::AF_INET, 4), 0x3000]);
    let memory = Places::default()
        .with(0x1000, *b"shop\0")
        .with(0x1100, host)
        .with(0x2000, *b"shop.example\0")
        .with(0x3000, words(&[0x4000, 0]))
        .with(0x4000, [192, 0, 2, 7])
        .with(0x5000, words(&[0x1100]))
        .with(0x6000, words(&[0]));
    let mut call = enter(known("gethostbyname"), [0x1000, 0, 0, 0, 0, 0], &memory, 0);
    leave(&mut call, 0x1100, &memory, 0);
    let ip = "192.0.2.7".parse().expect("an address");
    assert_eq!(lookup(&call).addresses, [SockAddr::Inet { ip, port: 0 }]);
    assert_eq!(lookup(&call).canonical, Some(data(b"shop.example")));
    let raw = [0x1000, 0, 0, 0, 0x5000, 0];
    let mut call = enter(known("gethostbyname_r"), raw, &memory, 0);
    leave(&mut call, 0, &memory, 0);
    assert_eq!(lookup(&call).addresses.len(), 1);
    let memory = memory.with(0x7000, words(&[1]));
    let raw = [0x1000, 0, 0, 0, 0x6000, 0x7000];
    let mut call = enter(known("gethostbyname_r"), raw, &memory, 0);
    leave(&mut call, 0, &memory, 0);
    assert_eq!(lookup(&call).error, Some("HOST_NOT_FOUND"));
}

#[test]
fn clear_text_is_as_long_as_was_taken_or_given() {
    let memory = Places::default()
        .with(0x1000, *b"GET / HTTP/1.1\r\n\r\n")
        .with(0x2000, words(&[5]));
    for (name, raw, value, text) in [
        ("SSL_write", [7, 0x1000, 18, 0, 0, 0], 18, Some(18)),
        ("SSL_write", [7, 0x1000, 18, 0, 0, 0], 4, Some(4)),
        ("SSL_write", [7, 0x1000, 18, 0, 0, 0], 0xffff_ffff, None),
        // More than there was room for is none of ours to believe.
        ("SSL_read", [7, 0x1000, 18, 0, 0, 0], 19, None),
        ("SSL_read", [7, 0x1000, 18, 0, 0, 0], 0, None),
        ("SSL_read_ex", [7, 0x1000, 18, 0x2000, 0, 0], 1, Some(5)),
        ("SSL_read_ex", [7, 0x1000, 18, 0x2000, 0, 0], 0, None),
        ("SSL_peek", [7, 0x1000, 18, 0, 0, 0], 18, None),
        ("gnutls_record_recv", [7, 0x1000, 18, 0, 0, 0], -28, None),
        (
            "gnutls_record_send2",
            [7, 0x1000, 18, 0, 0, 0],
            18,
            Some(18),
        ),
        ("PR_Read", [7, 0x1000, 18, 0, 0, 0], 3, Some(3)),
    ] {
        let mut call = enter(known(name), raw, &memory, 10);
        assert_eq!((tls(&call).session, &tls(&call).text), (7, &None));
        leave(&mut call, value, &memory, 10);
        let found = tls(&call).text.as_ref();
        assert_eq!(found.map(|it| it.len), text, "{name} {value}");
        assert!(found.is_none_or(|it| it.bytes.len() as u64 == it.len.min(10)));
    }
}

#[test]
fn what_is_said_of_a_session_is_learned() {
    let memory = Places::default()
        .with(0x2000, words(&[0x3000]))
        .with(0x3000, *b"h2")
        .with(0x4000, words(&[2]));
    let fact = |name: &str, raw, value| {
        let mut call = enter(known(name), raw, &memory, 10);
        leave(&mut call, value, &memory, 10);
        match call.said {
            Said::Tls(tls) => tls.fact,
            _ => None,
        }
    };
    let agreed = fact("SSL_get0_alpn_selected", [7, 0x2000, 0x4000, 0, 0, 0], 0);
    assert_eq!(agreed, Some(Fact::Protocol(data(b"h2"))));
    let verified = fact("SSL_get_verify_result", [7, 0, 0, 0, 0, 0], 10);
    assert_eq!(verified, Some(Fact::Verified(10, Some("it has expired"))));
    assert_eq!(fact("SSL_free", [7, 0, 0, 0, 0, 0], 0), Some(Fact::Freed));
}

/// What is noted of a string is the string: behind it may stand anything.
#[test]
fn strings_are_noted_without_what_stands_behind_them() {
    let memory = Places::default().with(0x1000, *b"shop.example\0password");
    let noting = Noting::new(&memory);
    let raw = [0x1000, 0, 0, 0, 0, 0];
    let live = enter(known("getaddrinfo"), raw, &noting, 10);
    let notes: Snapshot = noting.into_snapshot();
    let all: Vec<u8> = notes
        .pieces()
        .flat_map(|(_, _, bytes)| bytes.to_vec())
        .collect();
    assert_eq!(all, b"shop.example\0");
    assert_eq!(enter(known("getaddrinfo"), raw, &notes, 10), live);
}

#[test]
fn what_the_c_library_answers_here_is_read() {
    let [node, service] = ["127.0.0.1", "80"].map(|it| CString::new(it).expect("a string"));
    let mut found = std::ptr::null_mut();
    let place = &raw mut found;
    // SAFETY: two strings that end with NUL, no hints, and a place for the answer.
    let value =
        unsafe { libc::getaddrinfo(node.as_ptr(), service.as_ptr(), std::ptr::null(), place) };
    let memory = TraceeMemory::of(std::process::id() as i32);
    let raw = [
        node.as_ptr() as u64,
        service.as_ptr() as u64,
        0,
        place as u64,
        0,
        0,
    ];
    let mut call = enter(known("getaddrinfo"), raw, &memory, 10);
    leave(&mut call, value.into(), &memory, 10);
    let ip = "127.0.0.1".parse().expect("an address");
    assert_eq!(lookup(&call).addresses, [SockAddr::Inet { ip, port: 80 }]);
    assert!(matches!(&call.args[0].value, Value::Text(it) if it.bytes == b"127.0.0.1"));
    // SAFETY: what getaddrinfo gave.
    unsafe { libc::freeaddrinfo(found) };
}

/// Memory that has the same bytes everywhere, which as pointers lead anywhere.
struct Anything(Vec<u8>);

impl Memory for Anything {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        for (at, byte) in buffer.iter_mut().enumerate() {
            *byte = self.0[(address as usize).wrapping_add(at) % self.0.len()];
        }
        buffer.len()
    }
}

proptest! {
    #[test]
    fn nothing_hostile_leads_astray(
        raw in any::<[u64; 6]>(), value in any::<i64>(), bytes in proptest::collection::vec(any::<u8>(), 1..64)
    ) {
        const LIMIT: usize = 1000;
        let memory = Anything(bytes);
        for function in functions::functions() {
            for memory in [&memory as &dyn Memory, &NoMemory] {
                let mut call = enter(function, raw, memory, LIMIT);
                leave(&mut call, value, memory, LIMIT);
                match &call.said {
                    Said::Tls(tls) => {
                        prop_assert!(tls.text.as_ref().is_none_or(|it| it.bytes.len() <= LIMIT));
                    }
                    Said::Lookup(lookup) => prop_assert!(lookup.addresses.len() <= 65),
                    Said::Nothing => {}
                }
            }
        }
    }
}
