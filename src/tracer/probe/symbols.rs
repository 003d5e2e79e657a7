//! What an object has that is to be probed, and what it asks of others: from its dynamic symbols as they are mapped, or from the symbol
//! table of a program's file.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use memchr::memmem;
use object::LittleEndian;
use object::elf::{self, FileHeader64, Sym64};
use object::pod::slice_from_bytes;
use object::read::elf::{FileHeader, SectionHeader, Sym};
use object::read::{ReadCache, StringTable};

use super::objects::{Object, dynamic_section};
use crate::library::{Family, Function, function};
use crate::syscall::Memory;

/// DT_* of elf(5).
const DT_HASH: u64 = 4;
const DT_STRTAB: u64 = 5;
const DT_SYMTAB: u64 = 6;
const DT_STRSZ: u64 = 10;
const DT_GNU_HASH: u64 = 0x6fff_fef5;

/// How many symbols, bytes of their names and hash buckets of one object are read at most.
const MOST_SYMBOLS: usize = 1 << 20;
const MOST_NAMES: usize = 64 << 20;
const MOST_BUCKETS: usize = 1 << 20;

/// The size of a symbol.
const SYMBOL: usize = size_of::<Symbol>();

type Symbol = Sym64<LittleEndian>;

/// What is known of an object's file.
#[derive(Debug, Default)]
pub struct Symbols {
    /// Functions to probe: where they are linked to be, and which they are. Each address once.
    pub functions: Vec<(u64, &'static Function)>,
    /// Whose functions it asks others for.
    pub asks: Vec<Family>,
    /// Whether it may load further objects.
    pub loads: bool,
}

/// By these functions objects are loaded (dlopen(3)).
const LOADING: [&[u8]; 2] = [b"dlopen", b"dlmopen"];

impl Symbols {
    /// Notes a symbol.
    fn add(&mut self, symbol: &Symbol, name: &[u8]) {
        let endian = LittleEndian;
        self.loads |= symbol.is_undefined(endian) && LOADING.contains(&name);
        let Some(function) = function(name) else {
            return;
        };
        if symbol.is_undefined(endian) {
            if !self.asks.contains(&function.family) {
                self.asks.push(function.family);
            }
            return;
        }
        let address = symbol.st_value.get(endian);
        let known = self.functions.iter().any(|(at, _)| *at == address);
        if symbol.st_type() == elf::STT_FUNC && address != 0 && !known {
            self.functions.push((address, function));
        }
    }

    fn add_all(&mut self, symbols: &[Symbol], names: &[u8]) {
        let names = StringTable::new(names, 0, names.len() as u64);
        for symbol in symbols {
            if let Ok(name) = symbol.name(LittleEndian, names) {
                self.add(symbol, name);
            }
        }
    }
}

/// The dynamic symbols of a loaded object.
pub fn dynamic(memory: &dyn Memory, object: Object) -> Symbols {
    let entries = dynamic_section(memory, object);
    let value = |tag| Some(entries.iter().find(|(it, _)| *it == tag)?.1);
    // glibc moves these addresses when it loads an object, others leave them as they were linked.
    let address = |tag| {
        let value = value(tag)?;
        Some(if value < object.base {
            value.wrapping_add(object.base)
        } else {
            value
        })
    };
    let mut found = Symbols::default();
    let (Some(table), Some(names), Some(size)) =
        (address(DT_SYMTAB), address(DT_STRTAB), value(DT_STRSZ))
    else {
        return found;
    };
    let count = match (address(DT_HASH), address(DT_GNU_HASH)) {
        // The number of chains is that of symbols.
        (Some(hash), _) => number(memory, hash.wrapping_add(4)).map(|it| it as usize),
        (None, Some(hash)) => counted_by_hash(memory, hash),
        (None, None) => None,
    };
    let count = count.unwrap_or(0).min(MOST_SYMBOLS);
    let symbols = memory.bytes(table, count * SYMBOL);
    let names = memory.bytes(
        names,
        usize::try_from(size).map_or(0, |it| it.min(MOST_NAMES)),
    );
    let whole = symbols.len() / SYMBOL;
    if let Ok((symbols, _)) = slice_from_bytes::<Symbol>(&symbols, whole) {
        found.add_all(symbols, &names);
    }
    found
}

fn number(memory: &dyn Memory, address: u64) -> Option<u32> {
    let mut bytes = [0; 4];
    (memory.read(address, &mut bytes) == 4).then(|| u32::from_ne_bytes(bytes))
}

/// How many symbols there are by a table of DT_GNU_HASH: the last one ends the chain of the highest bucket.
fn counted_by_hash(memory: &dyn Memory, table: u64) -> Option<usize> {
    let buckets = number(memory, table)? as usize;
    let first = number(memory, table.wrapping_add(4))?;
    let bloom = u64::from(number(memory, table.wrapping_add(8))?) * 8;
    let buckets_at = table.wrapping_add(16).wrapping_add(bloom);
    let bytes = memory.bytes(buckets_at, buckets.min(MOST_BUCKETS) * 4);
    let all = bytes.chunks_exact(4);
    let highest = all.map(|it| u32::from_ne_bytes(it.try_into().expect("four bytes")));
    let mut symbol = highest.max().unwrap_or(0);
    if symbol < first {
        // Nothing is exported; what is asked for stands before.
        return Some(first as usize);
    }
    let chains = buckets_at.wrapping_add(buckets as u64 * 4);
    while (symbol as usize) < MOST_SYMBOLS {
        let at = chains.wrapping_add(u64::from(symbol - first) * 4);
        let ends = number(memory, at)? & 1 != 0;
        symbol += 1;
        if ends {
            return Some(symbol as usize);
        }
    }
    None
}

/// The functions in the symbol table of a program's file (`.symtab`), which only one that was not stripped has.
pub fn of_file(path: &Path) -> Symbols {
    let mut found = Symbols::default();
    let _unreadable: Option<()> = read_file(path, &mut found);
    found.asks.clear();
    found
}

fn read_file(path: &Path, found: &mut Symbols) -> Option<()> {
    let file = File::open(path).ok()?;
    let cache = ReadCache::new(&file);
    let header = FileHeader64::<LittleEndian>::parse(&cache).ok()?;
    let endian = header.endian().ok()?;
    let sections = header.sections(endian, &cache).ok()?;
    let table = sections
        .iter()
        .find(|section| section.sh_type(endian) == elf::SHT_SYMTAB)?;
    let names = sections.section(table.link(endian)).ok()?;
    let names = whole(&file, names.file_range(endian)?, MOST_NAMES)?;
    // Most programs have none, and the names alone tell.
    let any = MARKS
        .iter()
        .any(|mark| memmem::find(&names, mark).is_some());
    if any {
        let symbols = whole(&file, table.file_range(endian)?, MOST_SYMBOLS * SYMBOL)?;
        let count = symbols.len() / SYMBOL;
        let (symbols, _) = slice_from_bytes::<Symbol>(&symbols, count).ok()?;
        found.add_all(symbols, &names);
    }
    Some(())
}

/// Names of which every library that is to be probed has one. (A table may keep a name as the end of a longer one.)
const MARKS: [&[u8]; 5] = [
    b"SSL_write\0",
    b"gnutls_record_send\0",
    b"getaddrinfo\0",
    b"mbedtls_ssl_write\0",
    b"wolfSSL_write\0",
];

/// A part of a file, `most` bytes at most.
fn whole(file: &File, (start, len): (u64, u64), most: usize) -> Option<Vec<u8>> {
    let mut bytes = vec![0; usize::try_from(len).ok()?.min(most)];
    file.read_exact_at(&mut bytes, start).ok()?;
    Some(bytes)
}
