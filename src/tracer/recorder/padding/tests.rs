//! Hand-written code, and bytes at random.

use proptest::prelude::*;

use super::*;

const BASE: u64 = 0x7f00_0000_1000;

/// write(2) as glibc has it, without cancellation: the call, the return, the error.
const GLIBC: &[u8] = b"\xb8\x01\x00\x00\x00\x0f\x05\x48\x3d\x00\xf0\xff\xff\x77\x01\xc3\
    \x48\x8b\x15\x69\x6b\x19\x00\xf7\xd8\x64\x89\x02\x83\xc8\xff\xc3";

/// Six arguments to the right registers, as musl's `__syscall`.
const MUSL: &[u8] = b"\x48\x89\xf8\x48\x89\xf7\x48\x89\xd6\x48\x89\xca\x4d\x89\xc2\x4d\x89\xc8\x4c\x8b\x4c\x24\x08\x0f\x05\xc3";

/// Go's `runtime.write1`.
const GO: &[u8] = b"\x48\x8b\x7c\x24\x08\x48\x8b\x74\x24\x10\x8b\x54\x24\x18\xb8\x01\x00\x00\x00\x0f\x05\x89\x44\x24\x20\xc3";

/// No-ops as gas writes them, by their length.
fn nops(mut length: usize) -> Vec<u8> {
    const NOPS: [&[u8]; 12] = [
        b"",
        b"\x90",
        b"\x66\x90",
        b"\x0f\x1f\x00",
        b"\x0f\x1f\x40\x00",
        b"\x0f\x1f\x44\x00\x00",
        b"\x66\x0f\x1f\x44\x00\x00",
        b"\x0f\x1f\x80\x00\x00\x00\x00",
        b"\x0f\x1f\x84\x00\x00\x00\x00\x00",
        b"\x66\x0f\x1f\x84\x00\x00\x00\x00\x00",
        b"\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
        b"\x66\x66\x2e\x0f\x1f\x84\x00\x00\x00\x00\x00",
    ];
    let mut bytes = Vec::new();
    while length > 0 {
        let one = NOPS[length.min(NOPS.len() - 1)];
        bytes.extend(one);
        length -= one.len();
    }
    bytes
}

/// Functions in a row, each from a multiple of 16 on.
fn laid_out(functions: &[&[u8]], fill: impl Fn(usize) -> Vec<u8>) -> Vec<u8> {
    let mut code = Vec::new();
    for function in functions {
        code.extend(*function);
        code.extend(fill(code.len().next_multiple_of(16) - code.len()));
    }
    code
}

fn calls(code: &[u8]) -> Vec<u64> {
    let pairs = code.windows(2).enumerate();
    pairs
        .filter(|(_, pair)| *pair == b"\x0f\x05")
        .map(|(at, _)| BASE + at as u64)
        .collect()
}

fn first(code: &[u8]) -> Option<u64> {
    find(code, BASE, calls(code)[0], |_| false)
}

#[test]
fn padding_behind_a_function_is_found() {
    let traps = |length| vec![0xcc; length];
    let small = b"\xb8\x27\x00\x00\x00\x0f\x05\xc3";
    for (name, function, fill, found) in [
        // The first function ends where the second begins, but that one has some.
        ("glibc", GLIBC, nops as fn(usize) -> Vec<u8>, 32 + GO.len()),
        ("glibc, a small one", small, nops, small.len()),
        ("musl", MUSL, nops, MUSL.len()),
        ("Go", GO, traps, GO.len()),
    ] {
        let code = laid_out(&[function, GO], fill);
        assert_eq!(first(&code), Some(BASE + found as u64), "{name}");
    }
}

#[test]
fn padding_before_a_function_is_found_where_its_beginning_is_certain() {
    // Nothing but the way to the call, which is too long for a jump forward.
    let mut tail = MUSL[..25].to_vec();
    tail.extend([0x48, 0x89, 0xc3].repeat(60));
    let code = laid_out(&[GO, GO, GO, GO, GO, GO, GO, &tail], |length| {
        vec![0xcc; length]
    });
    let site = *calls(&code).last().unwrap();
    assert_eq!(
        find(&code, BASE, site, |_| false),
        Some(BASE + 6 * 32 + GO.len() as u64)
    );
    // The same with less before it.
    let late = 5 * 32;
    assert_eq!(
        find(&code[late..], BASE + late as u64, site, |_| false),
        None
    );
}

#[test]
fn what_may_be_alive_is_not_padding() {
    let small = |rest: &[u8]| [b"\x0f\x05\xc3", rest].concat();
    for (what, code) in [
        (
            "it goes on there",
            [b"\x0f\x05".to_vec(), nops(14), vec![0x55]].concat(),
        ),
        (
            "a call returns there",
            [b"\x0f\x05\xe8\0\0\0\0".to_vec(), nops(9), vec![0x55]].concat(),
        ),
        (
            "a jump leads there",
            [b"\x0f\x05\x74\x01\xc3".to_vec(), nops(11), vec![0x55]].concat(),
        ),
        (
            "a jump leads into it",
            [
                b"\x0f\x05\x74\x06\xc3".to_vec(),
                nops(5),
                nops(5),
                nops(1),
                vec![0x55],
            ]
            .concat(),
        ),
        (
            "something reads it",
            [
                b"\x0f\x05\x48\x8d\x05\x01\0\0\0\xc3".to_vec(),
                nops(6),
                vec![0x55],
            ]
            .concat(),
        ),
        (
            "a jump over it",
            [b"\x0f\x05\xeb\x0c".to_vec(), nops(12), vec![0x55]].concat(),
        ),
        ("it ends nowhere", small(&[nops(9), vec![0x55]].concat())),
        ("its end is out of sight", small(&nops(9))),
        (
            "a probe",
            small(&[nops(1), nops(8), nops(4), vec![0x55]].concat()),
        ),
        (
            "a mark for XRay",
            small(b"\x66\x0f\x1f\x84\0\0\x02\0\0\x66\x90\x66\x90\x55"),
        ),
        (
            "an entry",
            small(&[b"\xf3\x0f\x1e\xfa".to_vec(), nops(9), vec![0x55]].concat()),
        ),
        (
            "a prefix",
            small(&[vec![0x36], vec![0xcc; 12], vec![0x55]].concat()),
        ),
        ("constants", small(&[vec![0; 13], vec![0x55]].concat())),
        (
            "no-ops that begin a function",
            [[0x90; 13].to_vec(), small(&[0x90; 16])].concat(),
        ),
        (
            "too little",
            [
                b"\x0f\x05\x31\xc0\x31\xc0\x31\xc0\x31\xc0\x31\xc0\xc3".to_vec(),
                nops(3),
                vec![0x55],
            ]
            .concat(),
        ),
        (
            "a jump of ours that returns there",
            [
                b"\x0f\x05\x90\xeb\x0b".to_vec(),
                nops(11),
                b"\xe9\0\0\0\x10\x55".to_vec(),
            ]
            .concat(),
        ),
    ] {
        assert_eq!(first(&code), None, "{what}: {code:02x?}");
    }
    let alive = [small(&nops(13)), vec![0x55]].concat();
    assert_eq!(first(&alive), Some(BASE + 3), "none of the above");
}

#[test]
fn constants_before_a_call_are_no_code() {
    // From nowhere among these bytes decoding leads to the call: they are no instructions.
    let mut code = vec![0x06; 200];
    code.extend([0xc3; 11]);
    code.extend(nops(13));
    let site = BASE + code.len() as u64;
    code.extend(b"\x0f\x05\x55");
    assert_eq!(find(&code, BASE, site, |_| false), None);
    // Here it does, wherever it begins.
    code[..200].fill(0x53);
    assert_eq!(find(&code, BASE, site, |_| false), Some(BASE + 216));
}

#[test]
fn a_loop_is_aligned_to_less_if_one_no_op_does() {
    let loops = |filler: &[u8]| [b"\x0f\x05\xc3", filler, &[0x55]].concat();
    assert_eq!(first(&loops(&nops(5))), Some(BASE + 3));
    assert_eq!(first(&loops(&[0x90; 5])), None);
    assert_eq!(first(&loops(&[nops(5), nops(6)].concat())), None);
    assert_eq!(
        first(&loops(&nops(5))[..8]),
        None,
        "what follows is out of sight"
    );
}

#[test]
fn calls_share_padding() {
    let code = [b"\x0f\x05\x0f\x05\xc3".to_vec(), nops(11), vec![0x55]].concat();
    let mut taken = Vec::new();
    for site in [BASE, BASE + 2, BASE] {
        let is_taken = |at: u64| {
            taken
                .iter()
                .any(|other| at.abs_diff(*other) < LONG_JUMP as u64)
        };
        let Some(padding) = find(&code, BASE, site, is_taken) else {
            continue;
        };
        taken.push(padding);
    }
    assert_eq!(taken, [BASE + 5, BASE + 10]);
}

#[test]
fn one_page_has_all_of_it_if_it_can() {
    let code = [b"\x0f\x05\xc3".to_vec(), vec![0xcc; 17], vec![0x55]].concat();
    let base = BASE - 4;
    assert_eq!(find(&code, base, base, |_| false), Some(BASE + 4));
    assert_eq!(find(&code, base, base, |at| at >= BASE), Some(BASE - 1));
}

#[test]
fn jumps_lead_where_they_should() {
    assert_eq!(short_jump(BASE, BASE + 2 + 127), Some([0xeb, 127]));
    assert_eq!(short_jump(BASE, BASE + 2 + 128), None);
    assert_eq!(short_jump(BASE, BASE + 2 - 128), Some([0xeb, 0x80]));
    assert_eq!(short_jump(BASE, BASE + 2 - 129), None);
    assert_eq!(short_jump(BASE, BASE + 2), Some([0xeb, 0]));
    assert_eq!(short_jump(BASE, BASE - 5), Some([0xeb, 0xf9]));
    for inside in BASE - 4..BASE + 2 {
        assert_eq!(short_jump(BASE, inside), None);
    }
    assert_eq!(long_jump(BASE, BASE + 5), Some([0xe9, 0, 0, 0, 0]));
    assert_eq!(long_jump(BASE, BASE), Some([0xe9, 0xfb, 0xff, 0xff, 0xff]));
    let furthest = BASE + 5 + 0x7fff_ffff;
    assert_eq!(
        long_jump(BASE, furthest),
        Some([0xe9, 0xff, 0xff, 0xff, 0x7f])
    );
    assert_eq!(long_jump(BASE, furthest + 1), None);
    assert_eq!(long_jump(u64::MAX - 4, 0), None);
}

#[test]
fn a_cache_line_has_both_bytes() {
    assert!(is_atomic(0x103e) && !is_atomic(0x103f) && is_atomic(0x1040));
}

/// Something like a function, and with what it is filled up, if it is.
fn piece() -> impl Strategy<Value = (Vec<u8>, Option<bool>)> {
    let random = prop::collection::vec(any::<u8>(), 0..20);
    let known: Vec<&[u8]> = vec![GLIBC, MUSL, GO, b"\xc3", b"\xeb\x05", b"\x0f\x0b", b"\xcc"];
    let known = prop::sample::select(known).prop_map(<[u8]>::to_vec);
    let filler = (0_usize..40).prop_map(nops);
    (prop_oneof![random, known, filler], any::<Option<bool>>())
}

proptest! {
    #[test]
    fn whatever_stands_there_what_is_found_fits(
        pieces in prop::collection::vec(piece(), 0..40),
        base in prop_oneof![Just(0), Just(BASE), Just(u64::MAX - 207), any::<u64>()],
        at in 0_usize..700,
        // Addresses that others have.
        others in 2_u64..9,
    ) {
        let mut code = Vec::new();
        for (bytes, fill) in pieces {
            code.extend(bytes);
            let rest = code.len().next_multiple_of(16) - code.len();
            match fill {
                Some(true) => code.extend(nops(rest)),
                Some(false) => code.resize(code.len() + rest, 0xcc),
                None => {}
            }
        }
        let calls = calls(&code);
        // A call if there is one, but sometimes anything.
        let into = match calls.len() {
            0 => at as u64,
            _ if at % 5 == 0 => at as u64,
            count => calls[at % count] - BASE,
        };
        let site = base.wrapping_add(into);
        let taken = |address: u64| address.is_multiple_of(others);
        if let Some(padding) = find(&code, base, site, taken) {
            prop_assert!(short_jump(site, padding).is_some());
            prop_assert!(padding >= base && padding - base + LONG_JUMP as u64 <= code.len() as u64);
            prop_assert!(padding + LONG_JUMP as u64 <= site || padding >= site + SHORT_JUMP as u64);
            prop_assert!(!taken(padding));
            let bytes = &code[(padding - base) as usize..][..LONG_JUMP];
            let filler = [0x00, 0x0f, 0x1f, 0x2e, 0x40, 0x44, 0x66, 0x80, 0x84, 0x90, 0xcc];
            prop_assert!(bytes.iter().all(|byte| filler.contains(byte)), "{bytes:02x?}");
        }
    }

    #[test]
    fn jumps_are_decoded_as_they_are_meant(site in any::<u64>(), near in -200_i64..200, far in any::<i64>()) {
        let padding = site.wrapping_add_signed(near);
        if let Some(bytes) = short_jump(site, padding) {
            let jump = Decoder::with_ip(64, &bytes, site, DecoderOptions::NONE).decode();
            prop_assert_eq!((jump.code(), jump.near_branch_target()), (Code::Jmp_rel8_64, padding));
        }
        let target = site.wrapping_add_signed(far >> 30);
        if let Some(bytes) = long_jump(site, target) {
            let jump = Decoder::with_ip(64, &bytes, site, DecoderOptions::NONE).decode();
            prop_assert_eq!((jump.code(), jump.near_branch_target()), (Code::Jmp_rel32_64, target));
        }
    }
}
