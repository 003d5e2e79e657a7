//! struct msghdr and struct mmsghdr (sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2)).

use super::payload::Way;
use super::{Decoder, pointer};
use crate::syscall::names::socket;
use crate::syscall::shape::{signed, unsigned};
use crate::syscall::{Value, control};

/// sizeof(struct msghdr).
pub const HEADER: usize = 56;

/// sizeof(struct mmsghdr): a msghdr, msg_len, padding.
const ELEMENT: usize = 64;

/// UIO_MAXIOV: the kernel takes no more messages at once.
const MOST_MESSAGES: u64 = 1024;

/// Of how many messages the entry keeps the lengths.
const KEPT_MESSAGES: u64 = 64;

/// How many bytes of control messages are read in one call. One message brings at most 253 descriptors (1,028 bytes), so that
/// those of 250 messages fit.
pub const CONTROL: usize = 1 << 18;

/// The longest buffer of control messages that is read.
const LONGEST_CONTROL: usize = 1 << 16;

/// How many bytes of an array of mmsghdr the entry keeps.
pub fn kept(count: u64) -> usize {
    u64::from(count as u32).min(KEPT_MESSAGES) as usize * ELEMENT
}

/// The fields of a msghdr on x86_64.
struct Header {
    name: u64,
    name_len: i64,
    vector: u64,
    vector_len: u64,
    control: u64,
    control_len: u64,
    flags: u64,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; HEADER] = bytes.first_chunk()?;
        Some(Self {
            name: unsigned(bytes, 8),
            name_len: signed(&bytes[8..], 4),
            vector: unsigned(&bytes[16..], 8),
            vector_len: unsigned(&bytes[24..], 8),
            control: unsigned(&bytes[32..], 8),
            control_len: unsigned(&bytes[40..], 8),
            flags: unsigned(&bytes[48..], 4),
        })
    }
}

impl Decoder<'_> {
    /// One message; `index` is its argument.
    pub fn message(&mut self, index: usize, way: Way) -> Value {
        let address = self.raw(index);
        let Some(after) = Header::read(&pointer::bytes(self.memory, address, HEADER)) else {
            return Value::Pointer(address);
        };
        let before = Header::read(self.kept(index));
        let control = self.control(&after, self.transferred(), way);
        Value::Struct(self.header(&after, before.as_ref(), control, self.transferred(), way))
    }

    /// An array of messages. Those beyond the limit of items say only how long they were, so that whoever counts bytes sees all of
    /// them; the ones that bring descriptors stay whole, for whoever keeps account of descriptors.
    pub fn messages(&mut self, index: usize, count: u32, way: Way) -> Value {
        let address = self.raw(index);
        let offered = u64::from(count);
        // All that were sent or received; where none were, what was offered.
        let done = self
            .transferred()
            .map(|done| done.min(offered).min(MOST_MESSAGES));
        let read = done.unwrap_or(offered.min(self.limits.items as u64).min(MOST_MESSAGES));
        let elements = pointer::bytes(self.memory, address, read as usize * ELEMENT);
        if elements.len() < ELEMENT && read > 0 || address == 0 {
            return Value::Pointer(address);
        }
        let mut items = Vec::new();
        for (at, element) in elements.chunks_exact(ELEMENT).enumerate() {
            let Some(after) = Header::read(element) else {
                break;
            };
            let transferred = done.map(|_| unsigned(&element[HEADER..], 4));
            let control = self.control(&after, transferred, way);
            let mut message = Vec::new();
            if at < self.limits.items
                || way == Way::Received && control::descriptors(&control).next().is_some()
            {
                let before = self.kept(index).get(at * ELEMENT..).and_then(Header::read);
                let fields = self.header(&after, before.as_ref(), control, transferred, way);
                message.push(("msg_hdr", Value::Struct(fields)));
            }
            message.extend(transferred.map(|len| ("msg_len", Value::Unsigned(len))));
            items.push(Value::Struct(message));
        }
        Value::List {
            more: offered > items.len() as u64,
            items,
        }
    }

    /// The fields of a msghdr. `transferred` as in [`Decoder::vector`].
    fn header(
        &mut self,
        after: &Header,
        before: Option<&Header>,
        control: Value,
        transferred: Option<u64>,
        way: Way,
    ) -> Vec<(&'static str, Value)> {
        let before = before.unwrap_or(after);
        let name = match filled(transferred, way) {
            true => self.address(after.name, before.name_len.min(after.name_len)),
            false => Value::Pointer(after.name),
        };
        vec![
            ("msg_name", name),
            (
                "msg_namelen",
                became(Value::Int(before.name_len), Value::Int(after.name_len)),
            ),
            (
                "msg_iov",
                self.vector(after.vector, after.vector_len, transferred, way),
            ),
            ("msg_iovlen", Value::Unsigned(after.vector_len)),
            ("msg_control", control),
            (
                "msg_controllen",
                became(
                    Value::Unsigned(before.control_len),
                    Value::Unsigned(after.control_len),
                ),
            ),
            ("msg_flags", Value::Flags(&socket::MESSAGE, after.flags)),
        ]
    }

    /// The control messages of a message.
    fn control(&mut self, header: &Header, transferred: Option<u64>, way: Way) -> Value {
        let len = usize::try_from(header.control_len).unwrap_or(usize::MAX);
        let wanted = len.min(LONGEST_CONTROL).min(self.control);
        if header.control == 0 || wanted == 0 || !filled(transferred, way) {
            return Value::Pointer(header.control);
        }
        // What could not be read counts too: a thousand bad pointers are as much work as good ones.
        self.control -= wanted;
        let bytes = pointer::bytes(self.memory, header.control, wanted);
        control::decode(&bytes, self.limits).unwrap_or(Value::Pointer(header.control))
    }
}

/// Whether the buffers of a message are of this call: those of a failed or unfinished receive hold what was there before.
fn filled(transferred: Option<u64>, way: Way) -> bool {
    way == Way::Sent || transferred.is_some()
}

/// A field that the call may have changed.
fn became(before: Value, after: Value) -> Value {
    if before == after {
        after
    } else {
        Value::Changed(Box::new(before), Box::new(after))
    }
}
