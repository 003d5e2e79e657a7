//! What stands behind a pointer: structures, strings, addresses, lengths. Everything is bounded, and whatever cannot be read is
//! shown as its address.

use super::Decoder;
use crate::syscall::shape::{self, Shape};
use crate::syscall::{Data, Limits, Memory, SockAddr, Value, sockaddr};

/// PATH_MAX: the kernel takes no longer path, its NUL included.
const LONGEST_PATH: usize = 4096;

/// How much of a path is read first: most are shorter.
pub const PATH: usize = 256;

/// Two descriptors.
pub const PAIR: usize = 8;

/// How many strings of an array are read.
const STRINGS: usize = 32;

/// How much of an array of strings is read: one more tells whether there are more.
pub const ARRAY: usize = 8 * (STRINGS + 1);

/// A path or another string that ends with a NUL.
pub fn path(memory: &dyn Memory, address: u64) -> Value {
    if address == 0 {
        return Value::Pointer(0);
    }
    let mut read = memory.bytes(address, PATH);
    if let Some((address, len)) = rest_of_path(address, &read) {
        read.to_mut().extend_from_slice(&memory.bytes(address, len));
    }
    let text = shape::until_nul(&read);
    if text.len() == read.len() && read.len() < LONGEST_PATH {
        return Value::Pointer(address);
    }
    Value::Text(Data {
        bytes: text.to_vec(),
        len: text.len() as u64,
    })
}

/// Where the rest of a path stands that is longer than what was read of it first.
pub fn rest_of_path(address: u64, read: &[u8]) -> Option<(u64, usize)> {
    let goes_on = read.len() == PATH && !read.contains(&0);
    goes_on.then(|| (address.wrapping_add(PATH as u64), LONGEST_PATH - PATH))
}

/// An array of strings that ends with NULL.
pub fn strings(memory: &dyn Memory, address: u64) -> Value {
    let array = memory.bytes(address, ARRAY);
    if array.len() < 8 {
        return Value::Pointer(address);
    }
    let mut items: Vec<_> = in_array(&array)
        .map(|pointer| path(memory, pointer))
        .collect();
    let more = items.len() > STRINGS;
    items.truncate(STRINGS);
    Value::List { items, more }
}

/// The addresses of the strings in an array.
pub fn in_array(array: &[u8]) -> impl Iterator<Item = u64> {
    array
        .chunks_exact(8)
        .map(|pointer| shape::unsigned(pointer, 8))
        .take_while(|pointer| *pointer != 0)
}

impl<'a> Decoder<'a> {
    /// The structure at an address, of at most `len` bytes.
    pub fn at(&self, address: u64, shape: &Shape, len: usize) -> Value {
        if address == 0 {
            return Value::Pointer(0);
        }
        self.shown(address, shape, &self.memory.bytes(address, len))
    }

    /// The structure in those bytes, which were read at that address.
    pub fn shown(&self, address: u64, shape: &Shape, bytes: &[u8]) -> Value {
        match shape.decode(bytes, self.limits) {
            None => Value::Pointer(address),
            Some(value) if shape.is_scalar() => one(value),
            Some(value) => value,
        }
    }

    /// A number that the call changes.
    pub fn changing(&self, index: usize, shape: &Shape) -> Value {
        let after = self
            .succeeded()
            .then(|| self.memory.bytes(self.raw(index), shape.size()));
        self.change(index, shape, after.as_deref())
    }

    /// A pointer to a length: before the call, and after it.
    pub fn length(&self, index: usize) -> Value {
        let after = self.succeeded().then(|| self.length_after(index));
        self.change(index, &Shape::Signed(4), after)
    }

    /// The length behind an argument after the call. No call has two of them, so it is read once.
    pub fn length_after(&self, index: usize) -> &[u8] {
        self.length
            .get_or_init(|| self.memory.bytes(self.raw(index), 4))
    }

    /// What an argument pointed to before the call, and what it became.
    fn change(&self, index: usize, shape: &Shape, after: Option<&[u8]>) -> Value {
        let Some(before) = shape.decode(self.kept(index), self.limits) else {
            return Value::Pointer(self.raw(index));
        };
        match after.and_then(|after| shape.decode(after, self.limits)) {
            Some(after) if after != before => Value::Changed(Box::new(before), Box::new(after)),
            _ => one(before),
        }
    }

    /// A socket address that was handed over.
    pub fn address(&self, address: u64, len: i64) -> Value {
        let len = address_len(len);
        if address == 0 || len == 0 {
            return Value::Pointer(address);
        }
        let bytes = self.memory.bytes(address, len);
        // Half an address would be read as another one: a path cut short by the end of a page, say.
        match SockAddr::parse(&bytes).filter(|_| bytes.len() == len) {
            Some(parsed) => Value::Address(Box::new(parsed)),
            None => Value::Pointer(address),
        }
    }

    /// A socket address that the call gave back. What was longer than the buffer is cut, as the kernel does.
    pub fn address_back(&self, address: u64, len: usize) -> Value {
        match self.length_back(len) {
            Some(len) => self.address(address, len),
            None => Value::Pointer(address),
        }
    }

    /// How much a call that succeeded has written into a buffer whose length stands behind that argument.
    pub fn length_back(&self, len: usize) -> Option<i64> {
        let before = self.length_before(len)?;
        let after = self.length_after(len);
        (after.len() == 4).then(|| before.min(shape::signed(after, 4)))
    }

    /// How much a call that succeeded can have written at most.
    pub fn length_before(&self, len: usize) -> Option<i64> {
        let before = self.kept(len);
        (self.succeeded() && before.len() == 4).then(|| shape::signed(before, 4))
    }

    /// The two descriptors that socketpair and pipe store.
    pub fn pair(&self, address: u64) -> Value {
        let limits = Limits {
            items: 2,
            ..self.limits
        };
        match Shape::List(&Shape::Fd).decode(&self.memory.bytes(address, PAIR), limits) {
            Some(Value::List { items, more }) if self.succeeded() && items.len() == 2 => {
                Value::List { items, more }
            }
            _ => Value::Pointer(address),
        }
    }
}

/// How much is read of an address of that length; none of what is too short to be one.
pub fn address_len(len: i64) -> usize {
    match usize::try_from(len).unwrap_or(0).min(sockaddr::LONGEST) {
        0 | 1 => 0,
        len => len,
    }
}

/// A number behind a pointer: `[1]`.
pub fn one(value: Value) -> Value {
    Value::List {
        items: vec![value],
        more: false,
    }
}
