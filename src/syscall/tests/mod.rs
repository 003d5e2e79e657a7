//! The decoders against a tracee made of bytes: what goes in is registers and memory, what comes out is read as text.

mod constants;
mod descriptors;
mod effects;
mod errors;
mod messages;
mod options;
mod polling;
mod properties;
mod sockets;

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use syscalls::Sysno;

use super::memory::Piece;
use super::*;

/// A tracee's memory: pieces at their addresses, and holes between them.
#[derive(Default)]
pub struct Tracee {
    pieces: RefCell<BTreeMap<u64, Vec<u8>>>,
    reads: RefCell<Vec<(u64, usize)>>,
    gathers: Cell<usize>,
}

impl Memory for Tracee {
    fn read(&self, address: u64, buffer: &mut [u8]) -> usize {
        self.reads.borrow_mut().push((address, buffer.len()));
        let pieces = self.pieces.borrow();
        let Some((start, piece)) = pieces.range(..=address).next_back() else {
            return 0;
        };
        let from = usize::try_from(address - start).unwrap_or(usize::MAX);
        let there = piece.get(from..).unwrap_or(&[]);
        let read = there.len().min(buffer.len());
        buffer[..read].copy_from_slice(&there[..read]);
        read
    }

    fn gather(&self, pieces: &mut [Piece], bytes: &mut [u8]) {
        self.gathers.set(self.gathers.get() + 1);
        for piece in pieces {
            piece.read = self.read(piece.address, &mut bytes[piece.place()]);
        }
    }
}

impl Tracee {
    /// Puts bytes at an address, over what was there at just that address.
    pub fn put(&self, address: u64, bytes: impl AsRef<[u8]>) -> &Self {
        self.pieces
            .borrow_mut()
            .insert(address, bytes.as_ref().to_vec());
        self
    }

    /// How often memory was read since the last time, and how many bytes at most.
    pub fn reads(&self) -> (usize, usize) {
        let reads = std::mem::take(&mut *self.reads.borrow_mut());
        (reads.len(), reads.iter().map(|(_, len)| len).sum())
    }

    /// How often several pieces were read at once since the last time.
    pub fn gathers(&self) -> usize {
        self.gathers.take()
    }

    /// A call from its entry to its end, with what the kernel does to memory in between.
    pub fn call(
        &self,
        sysno: Sysno,
        args: &[u64],
        kernel: impl FnOnce(&Self),
        outcome: Outcome,
    ) -> Call {
        let entry = self.enter(sysno, args);
        kernel(self);
        self.finish(&entry, outcome, Limits::default())
    }

    /// The end of a call, decoded from what was captured of memory, and found to be what memory itself says.
    pub fn finish(&self, entry: &Entry, outcome: Outcome, limits: Limits) -> Call {
        let mut snapshot = Snapshot::default();
        capture(entry, outcome, self, limits, &mut snapshot);
        let before = self.reads.borrow().len();
        let live = finish(entry, outcome, self, limits);
        self.reads.borrow_mut().truncate(before);
        let call = finish(entry, outcome, &snapshot, limits);
        assert_eq!(call.args, live.args);
        call
    }

    /// The entry of a call.
    pub fn enter(&self, sysno: Sysno, args: &[u64]) -> Entry {
        let mut registers = [0; 6];
        registers[..args.len()].copy_from_slice(args);
        let row = row(sysno as u64).expect("a row");
        enter(
            row,
            Raw {
                number: sysno as u64,
                args: registers,
            },
            self,
        )
    }

    /// The same as text, for a call that leaves memory as it is.
    pub fn show(&self, sysno: Sysno, args: &[u64], outcome: Outcome) -> String {
        show_call(&self.call(sysno, args, |_| {}, outcome))
    }
}

/// Little-endian numbers of 4 bytes.
pub fn words(numbers: &[i32]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// Little-endian numbers of 8 bytes.
pub fn longs(numbers: &[u64]) -> Vec<u8> {
    numbers
        .iter()
        .flat_map(|number| number.to_le_bytes())
        .collect()
}

/// A struct sockaddr_in.
pub fn inet(ip: [u8; 4], port: u16) -> Vec<u8> {
    let [high, low] = port.to_be_bytes();
    [&[2, 0, high, low], ip.as_slice(), &[0; 8]].concat()
}

/// A call in strace's grammar, near enough to be read.
pub fn show_call(call: &Call) -> String {
    let args: Vec<_> = call.args.iter().map(|arg| show(&arg.value)).collect();
    format!("{}({})", call.name(), args.join(", "))
}

/// A value likewise.
pub fn show(value: &Value) -> String {
    let text = |data: &Data| {
        let more = if data.len > data.bytes.len() as u64 {
            "…"
        } else {
            ""
        };
        format!("\"{}\"{more}", data.bytes.escape_ascii())
    };
    match value {
        Value::Fd(fd) => fd.to_string(),
        Value::Int(number) => number.to_string(),
        Value::Unsigned(number) => number.to_string(),
        Value::Hex(number) => format!("{number:#x}"),
        Value::Octal(number) => format!("0{number:o}"),
        Value::Pointer(0) => "NULL".to_owned(),
        Value::Pointer(address) => format!("{address:#x}"),
        Value::Const(names, number) => names
            .get(*number)
            .map_or(format!("{number:#x} /* {} */", names.prefix), str::to_owned),
        Value::Flags(names, number) => {
            let (known, rest) = names.flags(*number);
            let mut parts: Vec<_> = known.into_iter().map(str::to_owned).collect();
            if rest != 0 || parts.is_empty() {
                parts.push(if rest == 0 {
                    "0".to_owned()
                } else {
                    format!("{rest:#x}")
                });
            }
            parts.join("|")
        }
        Value::Address(address) => format!("{address:?}"),
        Value::Data(data) | Value::Text(data) => text(data),
        Value::List { items, more } => {
            let items: Vec<_> = items.iter().map(show).collect();
            format!("[{}{}]", items.join(", "), if *more { ", …" } else { "" })
        }
        Value::Struct(fields) => {
            let fields: Vec<_> = fields
                .iter()
                .map(|(name, value)| format!("{name}={}", show(value)))
                .collect();
            format!("{{{}}}", fields.join(", "))
        }
        Value::Changed(before, after) => format!("[{} => {}]", show(before), show(after)),
        Value::Wrapped(name, inner) => format!("{name}({})", show(inner)),
    }
}
