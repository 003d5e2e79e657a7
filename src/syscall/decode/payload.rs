//! What is sent and received: one buffer, or a vector of them.

use super::{Decoder, pointer};
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
        self.data(address, self.transferred().unwrap_or(len).min(len))
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
        let wanted = usize::try_from(len).unwrap_or(usize::MAX).min(self.data);
        if len == 0 && address == 0 {
            return Value::Pointer(0);
        }
        // What cannot be read counts too: many bad pointers are as much work as good ones.
        self.data -= wanted;
        let bytes = if wanted == 0 {
            Vec::new()
        } else {
            pointer::bytes(self.memory, address, wanted)
        };
        if bytes.is_empty() && wanted > 0 {
            return Value::Pointer(address);
        }
        Value::Data(Data { bytes, len })
    }

    /// A vector of buffers, of which `transferred` bytes were sent or received in all (nothing: the call failed, or is not over).
    pub fn vector(
        &mut self,
        address: u64,
        count: u64,
        transferred: Option<u64>,
        way: Way,
    ) -> Value {
        let wanted = usize::try_from(count)
            .unwrap_or(usize::MAX)
            .min(self.limits.items)
            .min(LONGEST_VECTOR);
        let vector = pointer::bytes(self.memory, address, wanted * IOVEC);
        if vector.len() < IOVEC && wanted > 0 || address == 0 {
            return Value::Pointer(address);
        }
        let mut left = transferred.unwrap_or(u64::MAX);
        let items = vector.chunks_exact(IOVEC).map(|iovec| {
            let (base, len) = (unsigned(iovec, 8), unsigned(&iovec[8..], 8));
            let taken = len.min(left);
            left -= taken;
            let value = match way {
                Way::Received if transferred.is_none() => Value::Pointer(base),
                _ => self.data(base, taken),
            };
            Value::Struct(vec![("iov_base", value), ("iov_len", Value::Unsigned(len))])
        });
        let items: Vec<_> = items.collect();
        Value::List {
            more: count > items.len() as u64,
            items,
        }
    }
}
