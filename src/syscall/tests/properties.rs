//! Whatever the registers and the memory hold: no panic, bounded work, bounded output.

use proptest::prelude::*;

use super::*;

/// Memory that is never the same twice, with holes: a hostile tracee whose other threads write while we read.
struct Noise {
    seed: u64,
    words: Vec<u64>,
    read: RefCell<usize>,
}

impl Memory for Noise {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        *self.read.borrow_mut() += buffer.len();
        let mut state = self.seed ^ address;
        for chunk in buffer.chunks_mut(8) {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            let word = self.words[(state >> 33) as usize % self.words.len()].to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        match address % 5 {
            0 => buffer.len() / 2,
            1 if self.seed.is_multiple_of(2) => 0,
            _ => buffer.len(),
        }
    }
}

/// Memory that stays as it is: each byte depends on its address alone, and some pages are missing. Many of its words are addresses
/// within it, so that pointers lead to pointers, to the same place twice, and into the middle of each other.
struct Image {
    seed: u64,
    words: Vec<u64>,
}

impl Image {
    fn hash(&self, number: u64) -> u64 {
        (self.seed ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20
    }

    fn byte(&self, address: u64) -> Option<u8> {
        if self.hash(address / 2048).is_multiple_of(9) {
            return None;
        }
        let word = self.words[self.hash(address / 8) as usize % self.words.len()];
        Some(word.to_le_bytes()[(address % 8) as usize])
    }
}

impl Memory for Image {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        for (at, byte) in buffer.iter_mut().enumerate() {
            let there = address.checked_add(at as u64).and_then(|at| self.byte(at));
            match there {
                Some(there) => *byte = there,
                None => return at,
            }
        }
        buffer.len()
    }
}

/// Addresses within an [`Image`], lengths, control messages, and numbers that decoders trip over.
fn word() -> impl Strategy<Value = u64> {
    prop_oneof![
        4 => (0x1000u64..0x9000).prop_map(|address| address & !7),
        2 => 0u64..70,
        1 => number(),
        1 => Just(20 | 1 << 32),
    ]
}

/// Numbers that decoders trip over.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![
        any::<u64>(),
        0u64..40,
        Just(0),
        Just(u64::MAX),
        Just(u64::from(u32::MAX)),
        Just(1024),
        Just(65535),
        Just(i64::MIN as u64),
        // cmsghdr of SOL_SOCKET with SCM_RIGHTS, and lengths beside it.
        Just(1 | 1 << 32),
        Just(24),
        Just(4096),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any::<i64>().prop_map(Outcome::Value),
        (0i64..2000).prop_map(Outcome::Value),
        any::<i32>().prop_map(Outcome::Error),
        Just(Outcome::Unfinished),
    ]
}

/// How many values there are, and how many bytes of payload and others.
fn size(value: &Value) -> (usize, usize) {
    let add = |(a, b): (usize, usize), (c, d): (usize, usize)| (a + c, b + d);
    match value {
        Value::Data(data) => (1, data.bytes.len()),
        Value::List { items, .. } => items.iter().map(size).fold((1, 0), add),
        Value::Struct(fields) => fields
            .iter()
            .map(|(_, value)| size(value))
            .fold((1, 0), add),
        Value::Changed(before, after) => add(size(before), size(after)),
        Value::Wrapped(_, inner) => size(inner),
        _ => (1, 0),
    }
}

/// Every descriptor in a value, in order.
fn descriptors_in(value: &Value, found: &mut Vec<i32>) {
    match value {
        Value::Fd(fd) => found.push(*fd),
        Value::List { items, .. } => items.iter().for_each(|item| descriptors_in(item, found)),
        Value::Struct(fields) => fields
            .iter()
            .for_each(|(_, value)| descriptors_in(value, found)),
        Value::Changed(before, after) => {
            descriptors_in(before, found);
            descriptors_in(after, found);
        }
        Value::Wrapped(_, inner) => descriptors_in(inner, found),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_registers_and_no_memory_do_harm(
        at in 0..rows().len(),
        args in prop::array::uniform6(number()),
        seed in any::<u64>(),
        words in prop::collection::vec(number(), 1..12),
        outcome in outcome(),
        data in 0usize..200,
        items in 0usize..40,
    ) {
        let row = &rows()[at];
        let memory = Noise { seed, words, read: RefCell::default() };
        let entry = enter(row, Raw { number: row.number as u64, args }, &memory);
        let call = finish(&entry, outcome, &memory, Limits { data, items, buffers: items });
        let _ = effects(&call);
        let _ = errno::is_normal(&call);
        let payload = call.payload();
        prop_assert!(payload.iter().map(|data| data.bytes.len()).sum::<usize>() <= data);
        prop_assert!(payload.iter().all(|data| data.bytes.len() as u64 <= data.len));
        let values: usize = call.args.iter().map(|arg| size(&arg.value).0).sum();
        prop_assert!(values < 400_000, "{values} values");
        let read = *memory.read.borrow();
        prop_assert!(read < 2 << 20, "{read} bytes read");
    }

    #[test]
    fn what_was_transferred_bounds_the_payload(
        lens in prop::collection::vec(0u64..60, 0..20),
        returned in 0i64..2000,
        data in 0usize..100,
    ) {
        let tracee = Tracee::default();
        let iovecs: Vec<u64> = lens.iter().flat_map(|len| [0x10_0000, *len]).collect();
        tracee.put(0x100, longs(&iovecs)).put(0x10_0000, [b'x'; 64]);
        let offered: u64 = lens.iter().sum();
        for sysno in [Sysno::readv, Sysno::writev] {
            let entry = tracee.enter(sysno, &[3, 0x100, lens.len() as u64]);
            let call = tracee.finish(&entry, Outcome::Value(returned), Limits { data, ..Limits::default() });
            let payload = call.payload();
            prop_assert_eq!(payload.iter().map(|data| data.len).sum::<u64>(), offered.min(returned as u64));
            let shown: usize = payload.iter().map(|data| data.bytes.len()).sum();
            prop_assert_eq!(shown as u64, offered.min(returned as u64).min(data as u64));
        }
    }

    #[test]
    fn addresses_survive_the_way_there_and_back(address in address()) {
        prop_assert_eq!(SockAddr::parse(&encode(&address)), Some(address));
    }

    #[test]
    fn any_bytes_are_an_address_or_none(bytes in prop::collection::vec(any::<u8>(), 0..300), family in 0u8..46) {
        let mut bytes = bytes;
        if let [first, second, ..] = bytes.as_mut_slice() {
            (*first, *second) = (family, 0);
        }
        match SockAddr::parse(&bytes) {
            None => prop_assert!(bytes.len() < 2),
            Some(address) => prop_assert_eq!(address.family(), u16::from(family)),
        }
    }

    #[test]
    fn selections_never_panic(text in "[!?/%a-z0-9_,()\\[\\]*. ]{0,40}") {
        if let Err(error) = Selection::parse(&text) {
            prop_assert!(!error.contains('\n'), "one line: {}", error);
        }
    }
}

proptest! {
    // Each case goes through every row.
    #![proptest_config(ProptestConfig { cases: 50, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_call_decodes_alike_from_memory_and_from_what_was_captured_of_it(
        args in prop::array::uniform6(word()),
        seed in any::<u64>(),
        words in prop::collection::vec(word(), 1..40),
        outcome in outcome(),
        data in prop_oneof![0usize..200, Just(4000)],
        items in 0usize..40,
    ) {
        let limits = Limits { data, items, buffers: items };
        let memory = Image { seed, words };
        let mut snapshot = Snapshot::default();
        for row in rows() {
            let raw = Raw { number: row.number as u64, args };
            let entry = enter(row, raw, &memory);
            capture(&entry, outcome, &memory, limits, &mut snapshot);
            let live = finish(&entry, outcome, &memory, limits);
            let later = finish(&entry, outcome, &snapshot, limits);
            prop_assert_eq!(&later.args, &live.args);

            // What the tracer needs of it at once it gets without decoding, where nothing hides it.
            if !hides_descriptors(&entry, outcome, &snapshot, limits) {
                prop_assert_eq!(effects(&entry.bare(outcome)), effects(&live));
                let mut named = Vec::new();
                named_descriptors(&entry, outcome, &snapshot, limits, |fd| named.push(fd));
                let mut told = Vec::new();
                live.args.iter().for_each(|arg| descriptors_in(&arg.value, &mut told));
                prop_assert_eq!(named, told);
            }
        }
    }
}

fn address() -> impl Strategy<Value = SockAddr> {
    let bytes = |least, most| prop::collection::vec(1u8.., least..=most);
    prop_oneof![
        (any::<[u8; 4]>(), any::<u16>()).prop_map(|(ip, port)| SockAddr::Inet {
            ip: ip.into(),
            port
        }),
        (any::<[u8; 16]>(), any::<u16>(), any::<u32>(), any::<u32>()).prop_map(
            |(ip, port, flowinfo, scope)| SockAddr::Inet6 {
                ip: ip.into(),
                port,
                flowinfo,
                scope
            }
        ),
        bytes(1, 108).prop_map(SockAddr::UnixPath),
        prop::collection::vec(any::<u8>(), 0..=107).prop_map(SockAddr::UnixAbstract),
        Just(SockAddr::UnixUnnamed),
        (any::<u32>(), any::<u32>()).prop_map(|(pid, groups)| SockAddr::Netlink { pid, groups }),
        (
            any::<u16>(),
            any::<i32>(),
            any::<u16>(),
            any::<u8>(),
            bytes(0, 8)
        )
            .prop_map(
                |(protocol, ifindex, hatype, pkttype, address)| SockAddr::Packet {
                    protocol,
                    ifindex,
                    hatype,
                    pkttype,
                    address
                }
            ),
        (any::<u32>(), any::<u32>()).prop_map(|(cid, port)| SockAddr::Vsock { cid, port }),
        (50u16.., bytes(0, 126)).prop_map(|(family, bytes)| SockAddr::Other { family, bytes }),
    ]
}

/// An address as the C library's structures have it.
fn encode(address: &SockAddr) -> Vec<u8> {
    let mut bytes = address.family().to_ne_bytes().to_vec();
    match address {
        SockAddr::Inet { ip, port } => {
            bytes.extend(port.to_be_bytes());
            bytes.extend(ip.octets());
            bytes.extend([0; 8]);
        }
        SockAddr::Inet6 {
            ip,
            port,
            flowinfo,
            scope,
        } => {
            bytes.extend(port.to_be_bytes());
            bytes.extend(flowinfo.to_be_bytes());
            bytes.extend(ip.octets());
            bytes.extend(scope.to_ne_bytes());
        }
        SockAddr::UnixPath(path) => bytes.extend(path),
        SockAddr::UnixAbstract(name) => {
            bytes.push(0);
            bytes.extend(name);
        }
        SockAddr::UnixUnnamed => {}
        SockAddr::Netlink { pid, groups } => {
            bytes.extend([0; 2]);
            bytes.extend(pid.to_ne_bytes());
            bytes.extend(groups.to_ne_bytes());
        }
        SockAddr::Packet {
            protocol,
            ifindex,
            hatype,
            pkttype,
            address,
        } => {
            bytes.extend(protocol.to_be_bytes());
            bytes.extend(ifindex.to_ne_bytes());
            bytes.extend(hatype.to_ne_bytes());
            bytes.extend([*pkttype, address.len() as u8]);
            bytes.extend(address);
            bytes.resize(20, 0);
        }
        SockAddr::Vsock { cid, port } => {
            bytes.extend([0; 2]);
            bytes.extend(port.to_ne_bytes());
            bytes.extend(cid.to_ne_bytes());
            bytes.extend([0; 4]);
        }
        SockAddr::Other { bytes: rest, .. } => bytes.extend(rest),
    }
    bytes
}
