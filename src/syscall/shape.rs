//! How bytes of a structure, an option or an argument become a [`Value`]: layouts as data.

use super::{Data, Limits, Names, SockAddr, Value, errno};

/// What some bytes hold. Numbers are in the machine's byte order unless said otherwise; widths are in bytes (1, 2, 4 or 8).
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// A signed number.
    Signed(usize),
    /// An unsigned number.
    Unsigned(usize),
    /// A number for people who read base 16.
    Hex(usize),
    /// A file mode, 8 bytes wide as in openat2(2).
    Octal,
    /// An int, or one byte where there are fewer than 4: what most socket options hold, and how the kernel reads them.
    Number,
    /// An address of the tracee.
    Pointer,
    /// A descriptor.
    Fd,
    /// A named constant.
    Const(&'static Names, usize),
    /// Named bits.
    Flags(&'static Names, usize),
    /// An errno, 4 bytes wide.
    Errno,
    /// A port in network byte order.
    Port,
    /// An IPv4 address.
    Ip,
    /// An IPv6 address.
    Ip6,
    /// A socket address with its family in front.
    Address,
    /// A struct sockaddr of 16 bytes, as in netdevice(7).
    ShortAddress,
    /// A hardware address of 6 bytes.
    HardwareAddress,
    /// Text up to a NUL or the end.
    Text,
    /// A name in a field of 16 bytes (IFNAMSIZ).
    Name,
    /// What is not read, only its address shown: keys, structures that are not looked into.
    Unread,
    /// Bytes of no known meaning; 4 of them are taken for a number.
    Opaque,
    /// Items of one shape each, as many as there are.
    List(&'static Shape),
    /// Named fields at their offsets. Those beyond the end are left out: the kernel's structures grow at their ends.
    Struct(&'static [Field]),
}

/// A field of a structure: its name, its offset in bytes, what it holds.
pub type Field = (&'static str, usize, Shape);

impl Shape {
    /// How many bytes it takes; for what takes any number of them, the least that means something.
    pub fn size(&self) -> usize {
        match self {
            Self::Signed(width)
            | Self::Unsigned(width)
            | Self::Hex(width)
            | Self::Const(_, width)
            | Self::Flags(_, width) => *width,
            Self::Octal | Self::Pointer => 8,
            Self::Fd | Self::Errno | Self::Ip => 4,
            Self::Port | Self::Address => 2,
            Self::HardwareAddress => 6,
            Self::Ip6 | Self::Name | Self::ShortAddress => 16,
            Self::Number | Self::Text | Self::Opaque | Self::Unread => 1,
            Self::List(item) => item.size(),
            Self::Struct(fields) => fields
                .iter()
                .map(|(_, at, shape)| at + shape.size())
                .max()
                .unwrap_or(0),
        }
    }

    /// Whether it is a bare number, shown as `[1]` where it stands behind a pointer, as strace does.
    pub fn is_scalar(&self) -> bool {
        !matches!(
            self,
            Self::Address
                | Self::ShortAddress
                | Self::Text
                | Self::Name
                | Self::Opaque
                | Self::List(_)
                | Self::Struct(_)
        )
    }

    /// Whether a descriptor is among what it holds.
    pub fn holds_descriptor(&self) -> bool {
        match self {
            Self::Fd => true,
            Self::List(item) => item.holds_descriptor(),
            Self::Struct(fields) => fields.iter().any(|(_, _, shape)| shape.holds_descriptor()),
            _ => false,
        }
    }

    /// What the bytes say; nothing where they are too few.
    pub fn decode(&self, bytes: &[u8], limits: Limits) -> Option<Value> {
        if bytes.len() < self.size() && !matches!(self, Self::Struct(_) | Self::List(_)) {
            return None;
        }
        Some(match self {
            Self::Signed(width) => Value::Int(signed(bytes, *width)),
            Self::Unsigned(width) => Value::Unsigned(unsigned(bytes, *width)),
            Self::Hex(width) => Value::Hex(unsigned(bytes, *width)),
            Self::Octal => Value::Octal(unsigned(bytes, 8)),
            Self::Number if bytes.len() < 4 => Value::Unsigned(bytes[0].into()),
            Self::Number => Value::Int(signed(bytes, 4)),
            Self::Pointer => Value::Pointer(unsigned(bytes, 8)),
            Self::Fd => Value::Fd(signed(bytes, 4) as i32),
            Self::Const(names, width) => Value::Const(names, unsigned(bytes, *width)),
            Self::Flags(names, width) => Value::Flags(names, unsigned(bytes, *width)),
            Self::Errno => match signed(bytes, 4) {
                0 => Value::Int(0),
                number => Value::Const(errno::names(), number as u64),
            },
            Self::Port => Value::Wrapped(
                "htons",
                Box::new(Value::Unsigned(
                    u16::from_be_bytes([bytes[0], bytes[1]]).into(),
                )),
            ),
            Self::Ip => {
                let ip = std::net::Ipv4Addr::new(bytes[0], bytes[1], bytes[2], bytes[3]);
                Value::Wrapped("inet_addr", Box::new(text(ip.to_string().as_bytes())))
            }
            Self::Ip6 => {
                let octets: [u8; 16] = bytes[..16].try_into().expect("the length was checked");
                Value::Wrapped(
                    "inet_pton",
                    Box::new(text(
                        std::net::Ipv6Addr::from(octets).to_string().as_bytes(),
                    )),
                )
            }
            Self::Unread => return None,
            Self::Address => Value::Address(Box::new(SockAddr::parse(bytes)?)),
            Self::ShortAddress => Value::Address(Box::new(SockAddr::parse(&bytes[..16])?)),
            Self::HardwareAddress => text(
                bytes[..6]
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect::<Vec<_>>()
                    .join(":")
                    .as_bytes(),
            ),
            Self::Text => text(&until_nul(bytes)[..until_nul(bytes).len().min(TEXT)]),
            Self::Name => text(until_nul(&bytes[..16])),
            Self::Opaque if bytes.len() == 4 => Value::List {
                items: vec![Value::Int(signed(bytes, 4))],
                more: false,
            },
            Self::Opaque => Value::Data(Data {
                bytes: bytes[..bytes.len().min(limits.data)].to_vec(),
                len: bytes.len() as u64,
            }),
            Self::List(item) => {
                let size = item.size().max(1);
                let items = bytes
                    .chunks_exact(size)
                    .take(limits.items)
                    .filter_map(|chunk| item.decode(chunk, limits));
                Value::List {
                    items: items.collect(),
                    more: bytes.len() / size > limits.items,
                }
            }
            Self::Struct(fields) => {
                let known = fields.iter().filter_map(|(name, at, shape)| {
                    let end = (at + shape.size()).min(bytes.len());
                    // An address or a text goes on to the end of the structure.
                    let end = if matches!(shape, Self::Address | Self::Text | Self::Opaque) {
                        bytes.len()
                    } else {
                        end
                    };
                    Some((*name, shape.decode(bytes.get(*at..end)?, limits)?))
                });
                let known: Vec<_> = known.collect();
                if known.is_empty() {
                    return None;
                }
                Value::Struct(known)
            }
        })
    }
}

/// The longest text that is kept; names of options, congestion algorithms and security labels are far shorter.
const TEXT: usize = 256;

/// Text whole.
pub fn text(bytes: &[u8]) -> Value {
    Value::Text(Data {
        bytes: bytes.to_vec(),
        len: bytes.len() as u64,
    })
}

/// The bytes before the first NUL, or all of them.
pub fn until_nul(bytes: &[u8]) -> &[u8] {
    &bytes[..bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len())]
}

/// The number in the first `width` bytes, or in as many as there are.
pub fn unsigned(bytes: &[u8], width: usize) -> u64 {
    let mut full = [0; 8];
    let width = width.min(8).min(bytes.len());
    full[..width].copy_from_slice(&bytes[..width]);
    u64::from_le_bytes(full)
}

/// The same with the sign of its highest bit.
pub fn signed(bytes: &[u8], width: usize) -> i64 {
    let unused = 64 - 8 * width.clamp(1, 8) as u32;
    (unsigned(bytes, width) << unused) as i64 >> unused
}
