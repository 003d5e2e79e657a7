//! Which shared objects a process has loaded, as debuggers learn it: from the auxiliary vector (getauxval(3)) and the dynamic linker's
//! rendezvous (struct r_debug, link.h). Only memory is read, so the files may be anywhere, or gone.

use crate::syscall::Memory;

/// AT_* of getauxval(3).
const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
const AT_BASE: u64 = 7;
const AT_ENTRY: u64 = 9;
const AT_SYSINFO_EHDR: u64 = 33;

/// PT_* and DT_* of elf(5).
const PT_DYNAMIC: u32 = 2;
const PT_PHDR: u32 = 6;
const DT_DEBUG: u64 = 21;

/// How variables that the linker heeds begin, behind the end of the one before.
const LINKER_VARIABLE: &[u8] = b"\0LD_";

/// The size of a program header, and of an entry of the dynamic section.
const PROGRAM_HEADER: usize = 56;
const DYNAMIC_ENTRY: usize = 16;

/// How many words of the initial stack are looked through, objects listed, entries and headers read at most.
const STACK_WORDS: usize = 1 << 20;
const MOST_OBJECTS: usize = 4096;
const MOST_ENTRIES: usize = 512;
const MOST_HEADERS: usize = 64;

/// What the kernel tells a program at its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Start {
    /// The program's first instruction, which runs when the dynamic linker is done.
    pub entry: u64,
    /// Its program headers.
    pub headers: u64,
    /// How many.
    pub header_count: u64,
    /// Where the dynamic linker is; 0 for a program that is linked statically.
    pub linker: u64,
    /// Where the kernel's own object is (vdso(7)), 0 without one.
    pub vdso: u64,
    /// Whether variables may change which objects the linker takes (LD_*, ld.so(8)), as far as we have looked.
    pub swayed: bool,
}

impl Start {
    /// Where the program's file is mapped from its beginning: its program headers follow the first one.
    pub fn header(&self) -> u64 {
        self.headers & !0xfff
    }
}

/// A loaded object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Object {
    /// What its addresses are moved by (l_addr).
    pub base: u64,
    /// Its dynamic section (l_ld).
    pub dynamic: u64,
}

/// The dynamic linker's rendezvous.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rendezvous {
    /// The first object of its list.
    pub first: u64,
    /// The function that it calls before and after it changes the list.
    pub called: u64,
    /// Whether the list is not being changed (RT_CONSISTENT).
    pub consistent: bool,
}

fn words<const N: usize>(memory: &dyn Memory, address: u64) -> Option<[u64; N]> {
    let mut words = [0; N];
    let bytes = memory.bytes(address, N * 8);
    (bytes.len() == N * 8).then(|| {
        for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
        }
        words
    })
}

/// Reads what the kernel put onto the stack of a program that is about to begin: argc, argv, NULL, environment, NULL, auxiliary vector.
pub fn start(memory: &dyn Memory, stack: u64) -> Option<Start> {
    const PIECE: usize = 512;
    let mut all: Vec<u64> = Vec::new();
    let (mut nulls, mut vector) = (0, None);
    while all.len() < STACK_WORDS {
        let bytes = memory.bytes(stack.checked_add(all.len() as u64 * 8)?, PIECE * 8);
        if bytes.len() < 8 {
            return None;
        }
        let seen = all.len();
        let new = bytes.chunks_exact(8);
        all.extend(new.map(|bytes| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"))));
        for (at, word) in all.iter().enumerate().skip(seen.max(1)) {
            // argv may be empty, but it ends with NULL all the same.
            if *word == 0 && nulls < 2 && at as u64 > if nulls == 0 { all[0] } else { 0 } {
                nulls += 1;
                if nulls == 2 {
                    vector = Some(at + 1);
                }
            }
        }
        let Some(vector) = vector else { continue };
        let strings = all.iter().flat_map(|word| word.to_ne_bytes());
        let strings: Vec<u8> = strings.collect();
        let swayed = strings
            .windows(LINKER_VARIABLE.len())
            .any(|it| it == LINKER_VARIABLE);
        let pairs = all.get(vector..).unwrap_or_default().chunks_exact(2);
        if !pairs.clone().any(|pair| pair[0] == 0) {
            continue;
        }
        let value = |key| {
            let mut known = pairs.clone().take_while(|pair| pair[0] != 0);
            known.find(|pair| pair[0] == key).map(|pair| pair[1])
        };
        return Some(Start {
            entry: value(AT_ENTRY)?,
            headers: value(AT_PHDR)?,
            header_count: value(AT_PHNUM)?,
            linker: value(AT_BASE).unwrap_or(0),
            vdso: value(AT_SYSINFO_EHDR).unwrap_or(0),
            swayed,
        });
    }
    None
}

/// What a program's addresses are moved by, and its dynamic section, if it has one.
pub fn program(memory: &dyn Memory, start: &Start) -> Option<Object> {
    let count = usize::try_from(start.header_count).ok()?.min(MOST_HEADERS);
    let headers = memory.bytes(start.headers, count * PROGRAM_HEADER);
    let address_of = |kind: u32| {
        let mut all = headers.chunks_exact(PROGRAM_HEADER);
        all.find(|header| header[..4] == kind.to_ne_bytes())
            .map(|header| u64::from_ne_bytes(header[16..24].try_into().expect("eight bytes")))
    };
    // Without PT_PHDR it stands where it was linked.
    let base = address_of(PT_PHDR).map_or(0, |own| start.headers.wrapping_sub(own));
    let dynamic = address_of(PT_DYNAMIC)?.wrapping_add(base);
    Some(Object { base, dynamic })
}

/// The entries of an object's dynamic section: tag and value.
pub fn dynamic_section(memory: &dyn Memory, object: Object) -> Vec<(u64, u64)> {
    let bytes = memory.bytes(object.dynamic, MOST_ENTRIES * DYNAMIC_ENTRY);
    let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    bytes
        .chunks_exact(DYNAMIC_ENTRY)
        .map(|entry| (number(&entry[..8]), number(&entry[8..])))
        .take_while(|(tag, _)| *tag != 0)
        .collect()
}

/// Where the dynamic linker keeps its rendezvous, once it has begun.
pub fn rendezvous_address(memory: &dyn Memory, program: Object) -> Option<u64> {
    let entries = dynamic_section(memory, program);
    let debug = entries.iter().find(|(tag, _)| *tag == DT_DEBUG);
    debug.map(|(_, address)| *address).filter(|it| *it != 0)
}

/// The rendezvous at that address.
pub fn rendezvous(memory: &dyn Memory, address: u64) -> Option<Rendezvous> {
    // int r_version; struct link_map *r_map; ElfW(Addr) r_brk; enum r_state.
    let [version, first, called, state] = words(memory, address)?;
    (version as u32 != 0).then_some(Rendezvous {
        first,
        called,
        consistent: state as u32 == 0,
    })
}

/// The objects of a list, in its order.
pub fn objects(memory: &dyn Memory, first: u64) -> Vec<Object> {
    let (mut all, mut next) = (Vec::new(), first);
    while next != 0 && all.len() < MOST_OBJECTS {
        // l_addr, l_name, l_ld, l_next.
        let Some([base, _name, dynamic, after]) = words(memory, next) else {
            break;
        };
        all.push(Object { base, dynamic });
        next = after;
    }
    all
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::tracer::memory::TraceeMemory;

    struct Words(u64, Vec<u64>);

    impl Memory for Words {
        fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
            let bytes: Vec<u8> = self.1.iter().flat_map(|it| it.to_ne_bytes()).collect();
            let from = address.wrapping_sub(self.0) as usize;
            let rest = bytes.get(from..).unwrap_or_default();
            let len = rest.len().min(buffer.len());
            buffer[..len].copy_from_slice(&rest[..len]);
            len
        }
    }

    #[test]
    fn the_auxiliary_vector_stands_behind_arguments_and_environment() {
        let vector = [
            3, 0x40, 5, 2, 9, 0x1040, 7, 0x7000, 33, 0x8000, 0, 0, 99, 99,
        ];
        for (argc, more) in [(2, vec![10, 11, 0, 20, 0]), (0, vec![0, 20, 21, 22, 0])] {
            let mut stack = vec![argc];
            stack.extend(&more);
            stack.extend(vector);
            let found = start(&Words(0x1000, stack), 0x1000).expect("a start");
            assert_eq!((found.entry, found.linker), (0x1040, 0x7000));
            assert_eq!((found.headers, found.vdso), (0x40, 0x8000));
        }
        assert_eq!(start(&Words(0x1000, vec![1, 2, 0]), 0x1000), None);
    }

    #[test]
    fn a_list_that_leads_back_to_itself_ends() {
        let memory = Words(0x1000, vec![1, 2, 3, 0x1000]);
        assert_eq!(objects(&memory, 0x1000).len(), MOST_OBJECTS);
        assert!(objects(&memory, 0x9000).is_empty());
    }

    #[test]
    fn finds_the_objects_of_this_process() {
        let pid = std::process::id() as i32;
        let memory = TraceeMemory::of(pid);
        let vector = fs::read("/proc/self/auxv").expect("an auxiliary vector");
        let value = |key: u64| {
            let number = |bytes: &[u8]| u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
            let mut pairs = vector.chunks_exact(16);
            pairs
                .find(|pair| number(&pair[..8]) == key)
                .map_or(0, |pair| number(&pair[8..]))
        };
        let start = Start {
            entry: value(AT_ENTRY),
            headers: value(AT_PHDR),
            header_count: value(AT_PHNUM),
            linker: value(AT_BASE),
            vdso: value(AT_SYSINFO_EHDR),
            swayed: false,
        };
        let program = program(&memory, &start).expect("a program");
        let address = rendezvous_address(&memory, program).expect("a rendezvous");
        let rendezvous = rendezvous(&memory, address).expect("its words");
        let objects = objects(&memory, rendezvous.first);
        assert!(rendezvous.consistent && objects.len() > 2, "{objects:?}");
        assert_eq!(objects[0], program);
        let maps = fs::read_to_string("/proc/self/maps").expect("maps");
        let libc = maps.lines().find(|line| line.contains("libc.so.6"));
        let base = libc.and_then(|line| line.split('-').next());
        let base = u64::from_str_radix(base.expect("an address"), 16).expect("a number");
        assert!(objects.iter().any(|object| object.base == base));
    }
}
