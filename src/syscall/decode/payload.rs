//! What is sent and received: one buffer, or a vector of them.

use super::Decoder;
use crate::syscall::shape::unsigned;
use crate::syscall::{Data, Value};

/// Which way the bytes go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Out of the program.
    Sent,
    /// Into it.
    Received,
}

/// UIO_MAXIOV: the kernel takes no longer vector.
const LONGEST_VECTOR: usize = 1024;

/// sizeof(struct iovec).
const IOVEC: usize = 16;

impl Decoder<'_> {
    /// A buffer handed over: what was taken of it, or, where the call failed or is not over, all that was offered.
    pub fn sent(&mut self, address: u64, len: u64) -> Value {
        self.data(address, self.sent_len(len))
    }

    /// How much of a buffer that was offered has been taken.
    pub fn sent_len(&self, len: u64) -> u64 {
        self.transferred().unwrap_or(len).min(len)
    }

    /// A buffer to be filled: what came in. (With MSG_TRUNC recv returns more than the buffer could hold.)
    pub fn received(&mut self, address: u64, len: u64) -> Value {
        match self.transferred() {
            Some(transferred) => self.data(address, transferred.min(len)),
            None => Value::Pointer(address),
        }
    }

    /// Bytes of payload, the first of them as far as the call's limit allows.
    pub fn data(&mut self, address: u64, len: u64) -> Value {
        if len == 0 && address == 0 {
            return Value::Pointer(0);
        }
        let wanted = self.afford(len);
        let bytes = self.memory.bytes(address, wanted);
        if bytes.is_empty() && wanted > 0 {
            return Value::Pointer(address);
        }
        Value::Data(Data {
            bytes: bytes.into_owned(),
            len,
        })
    }

    /// How many of so many bytes the call's limit still allows; they are taken off it. What cannot be read counts too: many bad
    /// pointers are as much work as good ones.
    pub fn afford(&mut self, len: u64) -> usize {
        let wanted = usize::try_from(len).unwrap_or(usize::MAX).min(self.data);
        self.data -= wanted;
        wanted
    }

    /// A vector of buffers, of which `transferred` bytes were sent or received in all (nothing: the call failed, or is not over).
    pub fn vector(
        &mut self,
        address: u64,
        count: u64,
        transferred: Option<u64>,
        way: Way,
    ) -> Value {
        let wanted = self.vector_len(count);
        let memory = self.memory;
        let vector = memory.bytes(address, wanted);
        if vector.len() < IOVEC && wanted > 0 || address == 0 {
            return Value::Pointer(address);
        }
        let items = buffers(&vector, transferred, way).map(|(base, len, taken)| {
            let value = match taken {
                Some(taken) => self.data(base, taken),
                None => Value::Pointer(base),
            };
            Value::Struct(vec![("iov_base", value), ("iov_len", Value::Unsigned(len))])
        });
        let items: Vec<_> = items.collect();
        Value::List {
            more: count > items.len() as u64,
            items,
        }
    }

    /// What is read of each buffer, as far as the call's limit allows.
    pub fn wanted_of(
        &mut self,
        buffers: impl Iterator<Item = (u64, u64, Option<u64>)>,
    ) -> impl Iterator<Item = (u64, usize)> {
        buffers.filter_map(|(base, _, taken)| Some((base, self.afford(taken?))))
    }

    /// How many bytes of a vector of that many buffers are read.
    pub fn vector_len(&self, count: u64) -> usize {
        usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.limits.buffers)
            .min(LONGEST_VECTOR)
            * IOVEC
    }
}

/// Each buffer of a vector: its address, its length, and how much of it was sent or received, where it holds anything of this call.
/// `transferred` as in [`Decoder::vector`].
pub fn buffers(
    vector: &[u8],
    transferred: Option<u64>,
    way: Way,
) -> impl Iterator<Item = (u64, u64, Option<u64>)> {
    let filled = way == Way::Sent || transferred.is_some();
    let mut left = transferred.unwrap_or(u64::MAX);
    vector.chunks_exact(IOVEC).map(move |iovec| {
        let (base, len) = (unsigned(iovec, 8), unsigned(&iovec[8..], 8));
        let taken = len.min(left);
        left -= taken;
        (base, len, filled.then_some(taken))
    })
}
