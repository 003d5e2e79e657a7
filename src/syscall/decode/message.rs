//! struct msghdr and struct mmsghdr (sendmsg(2), recvmsg(2), sendmmsg(2), recvmmsg(2)).

use super::Decoder;
use super::payload::{Way, buffers};
use super::pointer::address_len;
use crate::syscall::names::socket;
use crate::syscall::shape::{signed, unsigned};
use crate::syscall::{Snapshot, Value, control};

/// sizeof(struct msghdr).
pub const HEADER: usize = 56;

/// sizeof(struct mmsghdr): a msghdr, msg_len, padding.
pub const ELEMENT: usize = 64;

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
        let Some(after) = Header::read(&self.memory.bytes(address, HEADER)) else {
            return Value::Pointer(address);
        };
        let before = Header::read(self.kept(index));
        let control = self.control(&after, self.transferred(), way);
        Value::Struct(self.header(&after, before.as_ref(), control, self.transferred(), way))
    }

    /// An array of messages. Those beyond the limit of items say only how long they were, so that whoever counts bytes sees all of
    /// them; the ones that bring descriptors stay whole, for whoever keeps account of descriptors.
    pub fn messages(&mut self, index: usize, count: usize, way: Way) -> Value {
        let address = self.raw(index);
        let (offered, done) = (u64::from(self.raw(count) as u32), self.done(count));
        let len = self.messages_len(count);
        let elements = self.memory.bytes(address, len);
        if elements.len() < ELEMENT && len > 0 || address == 0 {
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
            if at < self.limits.buffers || way == Way::Received && brings_descriptors(&control) {
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

    /// How many of the messages were sent or received; nothing where none were. `count` is the argument that says how many were offered.
    fn done(&self, count: usize) -> Option<u64> {
        let offered = u64::from(self.raw(count) as u32);
        Some(self.transferred()?.min(offered).min(MOST_MESSAGES))
    }

    /// How many bytes of the array are read: all that were sent or received; where none were, what was offered.
    pub fn messages_len(&self, count: usize) -> usize {
        let offered = u64::from(self.raw(count) as u32);
        let items = (self.limits.buffers as u64).min(MOST_MESSAGES);
        self.done(count).unwrap_or(offered.min(items)) as usize * ELEMENT
    }

    /// Asks for what the parts of a message point to (level 2), or for its data (level 3).
    pub fn want_message(&mut self, level: u8, index: usize, way: Way, into: &mut Snapshot) {
        if let Some(after) = Header::read(into.copied(self.raw(index), HEADER)) {
            let before = Header::read(self.kept(index));
            match level {
                2 => self.want_parts(&after, before.as_ref(), self.transferred(), way, true, into),
                _ => self.want_buffers(&after, self.transferred(), way, into),
            }
        }
    }

    /// The same for an array of messages.
    pub fn want_messages(
        &mut self,
        level: u8,
        index: usize,
        count: usize,
        way: Way,
        into: &mut Snapshot,
    ) {
        let (address, len, done) = (self.raw(index), self.messages_len(count), self.done(count));
        for at in 0..len / ELEMENT {
            let element = into.copied(address, len).get(at * ELEMENT..);
            let Some(element) = element.and_then(|rest| rest.first_chunk::<ELEMENT>()) else {
                break;
            };
            let Some(after) = Header::read(element) else {
                break;
            };
            let transferred = done.map(|_| unsigned(&element[HEADER..], 4));
            let first = at < self.limits.buffers;
            if level == 2 {
                let before = self.kept(index).get(at * ELEMENT..).and_then(Header::read);
                self.want_parts(&after, before.as_ref(), transferred, way, first, into);
                continue;
            }
            let wanted = self.control_len(&after, transferred, way);
            let control = || control::decode(into.copied(after.control, wanted), self.limits);
            if first || way == Way::Received && control().as_ref().is_some_and(brings_descriptors) {
                self.want_buffers(&after, transferred, way, into);
            }
        }
    }

    /// Asks for name, control messages and vector of a message; without its being told `whole`, only where it may bring descriptors.
    fn want_parts(
        &mut self,
        after: &Header,
        before: Option<&Header>,
        transferred: Option<u64>,
        way: Way,
        whole: bool,
        into: &mut Snapshot,
    ) {
        let control = self.control_len(after, transferred, way);
        into.want(after.control, control);
        if whole || way == Way::Received && control > 0 {
            if filled(transferred, way) {
                let len = before.unwrap_or(after).name_len.min(after.name_len);
                into.want(after.name, address_len(len));
            }
            into.want(after.vector, self.vector_len(after.vector_len));
        }
    }

    /// Asks for the data of a message.
    fn want_buffers(
        &mut self,
        header: &Header,
        transferred: Option<u64>,
        way: Way,
        into: &mut Snapshot,
    ) {
        into.follow(
            header.vector,
            self.vector_len(header.vector_len),
            |vector| self.wanted_of(buffers(vector, transferred, way)),
        );
    }

    /// Whether any message of an array of at most `len` bytes has control messages.
    pub fn any_control(&self, address: u64, len: usize, element: usize) -> bool {
        let bytes = self.memory.bytes(address, len);
        let mut headers = bytes.chunks_exact(element).filter_map(Header::read);
        headers.any(|header| header.control != 0 && header.control_len > 0)
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
        let wanted = self.control_len(header, transferred, way);
        if wanted == 0 {
            return Value::Pointer(header.control);
        }
        let bytes = self.memory.bytes(header.control, wanted);
        control::decode(&bytes, self.limits).unwrap_or(Value::Pointer(header.control))
    }

    /// How many bytes of them are read, which are taken off what one call may read. What could not be read counts too: a thousand bad
    /// pointers are as much work as good ones.
    fn control_len(&mut self, header: &Header, transferred: Option<u64>, way: Way) -> usize {
        if header.control == 0 || !filled(transferred, way) {
            return 0;
        }
        let len = usize::try_from(header.control_len).unwrap_or(usize::MAX);
        let wanted = len.min(LONGEST_CONTROL).min(self.control);
        self.control -= wanted;
        wanted
    }
}

/// Whether control messages bring descriptors.
fn brings_descriptors(control: &Value) -> bool {
    control::descriptors(control).next().is_some()
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
