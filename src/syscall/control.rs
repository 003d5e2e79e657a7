//! Control messages (cmsg(3)): what travels beside the data of sendmsg and recvmsg.

use super::shape::{Shape, signed, unsigned};
use super::{Limits, Value, option};

/// sizeof(struct cmsghdr): cmsg_len, cmsg_level, cmsg_type.
const HEADER: usize = 16;

/// SCM_MAX_FD: the most descriptors in one message (include/net/scm.h).
const MOST_DESCRIPTORS: usize = 253;

/// The messages in a buffer of control messages; nothing where it holds none. Messages beyond the limit of items are left out,
/// unless they bring descriptors.
pub fn decode(buffer: &[u8], limits: Limits) -> Option<Value> {
    let mut items = Vec::new();
    let mut more = false;
    let mut rest = buffer;
    while let Some(header) = rest.get(..HEADER) {
        let len = usize::try_from(unsigned(header, 8)).unwrap_or(usize::MAX);
        if len < HEADER {
            break;
        }
        let (level, kind) = (
            signed(&header[8..], 4) as i32,
            signed(&header[12..], 4) as i32,
        );
        // A length that goes beyond the buffer ends the list, as CMSG_NXTHDR says; what is there of it is shown.
        let data = &rest[HEADER..len.min(rest.len())];
        let rights = (level, kind) == (libc::SOL_SOCKET, libc::SCM_RIGHTS);
        if items.len() < limits.items || rights {
            items.push(message(len, level, kind, data, rights, limits));
        } else {
            more = true;
        }
        let next = len.checked_next_multiple_of(8).unwrap_or(usize::MAX);
        rest = rest.get(next..).unwrap_or(&[]);
    }
    (!items.is_empty()).then_some(Value::List { items, more })
}

/// One message.
fn message(len: usize, level: i32, kind: i32, data: &[u8], rights: bool, limits: Limits) -> Value {
    let names = option::control_level(level);
    let shape = names
        .and_then(|names| names.shape(kind))
        .unwrap_or(Shape::Opaque);
    let limits = if rights {
        Limits {
            items: MOST_DESCRIPTORS,
            ..limits
        }
    } else {
        limits
    };
    let value = match shape.decode(data, limits) {
        Some(value) if shape.is_scalar() => Value::List {
            items: vec![value],
            more: false,
        },
        Some(value) => value,
        None => Value::List {
            items: Vec::new(),
            more: false,
        },
    };
    let kind = match names {
        Some(names) => Value::Const(&names.names, u64::from(kind as u32)),
        None => Value::Int(kind.into()),
    };
    Value::Struct(vec![
        ("cmsg_len", Value::Unsigned(len as u64)),
        (
            "cmsg_level",
            Value::Const(&option::LEVEL, u64::from(level as u32)),
        ),
        ("cmsg_type", kind),
        ("cmsg_data", value),
    ])
}

/// The descriptors that decoded control messages bring.
pub fn descriptors(control: &Value) -> impl Iterator<Item = Descriptor> + '_ {
    control.items().iter().flat_map(|message| {
        let (items, pidfd) = match message.fields() {
            [
                _,
                (_, Value::Const(_, SOL_SOCKET)),
                (_, Value::Const(_, kind @ (SCM_RIGHTS | SCM_PIDFD))),
                (_, Value::List { items, .. }),
            ] => (items.as_slice(), *kind == SCM_PIDFD),
            _ => (&[][..], false),
        };
        items.iter().filter_map(move |item| match item {
            Value::Fd(fd) => Some(Descriptor { fd: *fd, pidfd }),
            _ => None,
        })
    })
}

/// A descriptor that came with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Descriptor {
    /// Its number.
    pub fd: i32,
    /// Whether the kernel made it for the sender's process (SCM_PIDFD) rather than the sender passing it.
    pub pidfd: bool,
}

const SOL_SOCKET: u64 = libc::SOL_SOCKET as u64;
const SCM_RIGHTS: u64 = libc::SCM_RIGHTS as u64;
const SCM_PIDFD: u64 = 4;
