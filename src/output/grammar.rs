//! Calls in strace's grammar: `connect(5, 93.184.216.34:80) = 0`.
//!
//! By default what a reader does not miss is left out: the length of an address that is shown, flags of 0 and NULLs at the end,
//! empty fields of a msghdr, the iov_len of an iovec. `-v` writes all of it.

use unicode_width::UnicodeWidthStr;

use super::address;
use super::escape::Escape;
use super::glyphs::Glyphs;
use crate::syscall::names::file;
use crate::syscall::{Call, Data, Names, Outcome, Role, Value, errno};
use crate::tracer::event::{CallEvent, Descriptor};

/// How calls are written.
#[derive(Clone, Copy, Debug)]
pub struct Grammar {
    /// How strings are.
    pub escape: Escape,
    /// Characters of our own.
    pub glyphs: &'static Glyphs,
    /// Whether arguments are the registers' numbers.
    pub raw: bool,
    /// Whether nothing is left out.
    pub verbose: bool,
    /// How many bytes of a payload are quoted at most.
    pub data: usize,
    /// The most columns between the quotes of a payload; for lines that have to fit. Paths and addresses stay whole.
    pub cap: Option<usize>,
}

impl Grammar {
    /// The name with its arguments, `)` included.
    pub fn call(&self, event: &CallEvent) -> String {
        if self.raw {
            return raw(&event.call);
        }
        let args = self
            .kept(&event.call)
            .map(|value| self.argument(event, value));
        format!(
            "{}({})",
            event.call.name(),
            args.collect::<Vec<_>>().join(", ")
        )
    }

    /// The same for a call that hasn't come back, without the arguments that only its return will fill.
    pub fn waiting(&self, event: &CallEvent) -> String {
        let call = &event.call;
        if self.raw {
            return raw(call);
        }
        let known = match call.row.role {
            _ if self.verbose => usize::MAX,
            Role::Receive | Role::Accept => 1,
            _ => usize::MAX,
        };
        let args = self
            .kept(call)
            .take(known)
            .map(|value| self.argument(event, value));
        format!("{}({})", call.name(), args.collect::<Vec<_>>().join(", "))
    }

    /// The result: `= 5`, `= -1 ECONNREFUSED (Connection refused)`, `= ?`. `brief` leaves the words in parentheses to the meaning.
    pub fn outcome(&self, event: &CallEvent, brief: bool) -> String {
        let call = &event.call;
        match call.outcome {
            Outcome::Unfinished => "= ?".into(),
            Outcome::Error(errno) => match restart(errno) {
                Some(words) if !brief => format!("= ? {} ({words})", errno_name(errno)),
                Some(_) => format!("= ? {}", errno_name(errno)),
                None if brief => format!("= -1 {}", errno_name(errno)),
                None => format!("= -1 {}", failure(errno)),
            },
            Outcome::Value(value) => match returned_flags(call) {
                Some(names) if value > 0 => {
                    format!("= {value:#x} (flags {})", flags(names, value as u64))
                }
                _ => format!("= {value}{}", self.ready(call)),
            },
        }
    }

    /// What poll(2) and select(2) found, as strace adds it to the result.
    fn ready(&self, call: &Call) -> String {
        if call.row.role != Role::Poll || call.outcome.value() == Some(0) {
            return String::new();
        }
        if let Some(Value::List { items, .. }) = call.arg("fds") {
            let found: Vec<_> = items
                .iter()
                .filter_map(|item| self.reported(item))
                .collect();
            return if found.is_empty() {
                String::new()
            } else {
                format!(" ([{}])", found.join(", "))
            };
        }
        let sets = [
            ("readfds", "in"),
            ("writefds", "out"),
            ("exceptfds", "except"),
            ("timeout", "left"),
        ];
        let found: Vec<_> = sets
            .iter()
            .filter_map(|(arg, word)| match call.arg(arg) {
                Some(Value::Changed(_, after)) if !is_empty(after) => {
                    Some(format!("{word} {}", self.value(after)))
                }
                _ => None,
            })
            .collect();
        if found.is_empty() {
            String::new()
        } else {
            format!(" ({})", found.join(", "))
        }
    }

    /// A pollfd with anything to report.
    fn reported(&self, item: &Value) -> Option<String> {
        let Value::Struct(fields) = item else {
            return None;
        };
        let field = |wanted| {
            fields
                .iter()
                .find(|(name, _)| *name == wanted)
                .map(|(_, value)| value)
        };
        let revents = field("revents")?;
        if is_zero(revents) {
            return None;
        }
        Some(format!(
            "{{fd={}, revents={}}}",
            self.value(field("fd")?),
            self.value(revents)
        ))
    }

    /// The arguments that are worth showing.
    fn kept<'a>(&self, call: &'a Call) -> impl Iterator<Item = &'a Value> {
        let mut kept: Vec<_> = call.args.iter().collect();
        if !self.verbose {
            let address = call
                .args
                .iter()
                .any(|arg| matches!(arg.value, Value::Address(_)));
            kept.retain(|arg| !(address && arg.name == "addrlen"));
            if matches!(
                call.row.role,
                Role::Accept | Role::Connect | Role::Send | Role::Receive
            ) {
                while let Some(last) = kept.last() {
                    let null = matches!(last.value, Value::Pointer(0));
                    let zero = matches!(last.name, "flags" | "addrlen") && is_zero(&last.value);
                    if !null && !zero || kept.len() < 2 {
                        break;
                    }
                    kept.pop();
                }
            }
        }
        kept.into_iter().map(|arg| &arg.value)
    }

    fn argument(&self, event: &CallEvent, value: &Value) -> String {
        match value {
            Value::Fd(fd) => {
                let file = event.descriptors.iter().find_map(|(at, what)| match what {
                    Descriptor::File(path) if at == fd => Some(path),
                    _ => None,
                });
                let path = file.map(|path| format!("<{}>", self.escape.bare(&path.bytes)));
                format!("{}{}", self.value(value), path.unwrap_or_default())
            }
            // What was found stands behind the result.
            Value::Changed(before, _) if event.call.row.role == Role::Poll => self.value(before),
            value => self.value(value),
        }
    }

    /// One value.
    pub fn value(&self, value: &Value) -> String {
        match value {
            Value::Fd(libc::AT_FDCWD) => "AT_FDCWD".into(),
            Value::Fd(fd) => fd.to_string(),
            Value::Int(number) => number.to_string(),
            Value::Unsigned(number) => number.to_string(),
            Value::Hex(number) => format!("{number:#x}"),
            Value::Octal(0) => "0".into(),
            Value::Octal(number) => format!("0{number:o}"),
            Value::Pointer(0) => "NULL".into(),
            Value::Pointer(address) => format!("{address:#x}"),
            Value::Const(names, number) => match names.get(*number) {
                Some(name) => name.into(),
                None => format!("{number:#x} /* {} */", names.prefix),
            },
            Value::Flags(names, bits) => flags(names, *bits),
            Value::Address(address) => address::write(address, self.escape),
            Value::Data(data) => self.string(data, self.data, self.cap),
            Value::Text(data) => self.string(data, usize::MAX, None),
            Value::List { items, more } => {
                let mut items: Vec<_> = items.iter().map(|item| self.item(item)).collect();
                if *more {
                    items.push("...".into());
                }
                format!("[{}]", items.join(", "))
            }
            Value::Struct(fields) => self.structure(fields),
            Value::Changed(before, after) if before == after => format!("[{}]", self.bare(after)),
            Value::Changed(before, after) => {
                format!("[{} => {}]", self.bare(before), self.bare(after))
            }
            Value::Wrapped(name, inner) => format!("{name}({})", self.value(inner)),
        }
    }

    /// A value without the brackets that a list of one brings along.
    fn bare(&self, value: &Value) -> String {
        match value {
            Value::List { items, more: false } if items.len() == 1 => self.value(&items[0]),
            value => self.value(value),
        }
    }

    fn item(&self, item: &Value) -> String {
        match item {
            Value::Struct(fields) if !self.verbose => match &fields[..] {
                // An iovec: its length is that of the data, or of the buffer behind it.
                [("iov_base", base), ("iov_len", _)] => self.value(base),
                // A mmsghdr: the message itself, and what became of it.
                [("msg_hdr", Value::Struct(header)), rest @ ..] => {
                    self.structure(&[header, rest].concat())
                }
                // A pollfd: what came of it stands behind the result.
                [fd @ ("fd", _), events @ ("events", _), ("revents", _)] => {
                    self.structure(&[fd.clone(), events.clone()])
                }
                fields => self.structure(fields),
            },
            Value::Struct(fields)
                if matches!(&fields[..], [("fd", _), ("events", _), ("revents", _)]) =>
            {
                self.structure(&fields[..2])
            }
            item => self.value(item),
        }
    }

    fn structure(&self, fields: &[(&'static str, Value)]) -> String {
        let message = !self.verbose && fields.iter().any(|(name, _)| *name == "msg_iov");
        let fields = fields.iter().filter(|(name, value)| {
            let implied = matches!(*name, "msg_namelen" | "msg_iovlen" | "msg_controllen");
            let empty = matches!(*name, "msg_name" | "msg_control" | "msg_flags")
                && (is_zero(value) || is_empty(value));
            !(message && (implied || empty))
        });
        let fields = fields.map(|(name, value)| match value {
            // Behind no pointer, so without strace's brackets.
            Value::Changed(before, after) => {
                format!("{name}={} => {}", self.bare(before), self.bare(after))
            }
            value => format!("{name}={}", self.value(value)),
        });
        format!("{{{}}}", fields.collect::<Vec<_>>().join(", "))
    }

    fn string(&self, data: &Data, most: usize, cap: Option<usize>) -> String {
        let mut bytes = &data.bytes[..data.bytes.len().min(most)];
        let mut cut = data.len > bytes.len() as u64;
        let mut text = self.escape.quoted(bytes, cut);
        if let Some(cap) = cap {
            // Every byte makes at most four columns, so this ends after a few rounds.
            while text.width() > cap + 2 && !bytes.is_empty() {
                let over = text.width() - 2 - cap;
                bytes = &bytes[..bytes.len() - over.div_ceil(4).min(bytes.len())];
                cut = true;
                text = self.escape.quoted(bytes, cut);
            }
        }
        if cut {
            text.push_str(self.glyphs.cut);
        }
        text
    }
}

/// `ECONNREFUSED (Connection refused)`.
pub fn failure(number: i32) -> String {
    let words = std::io::Error::from_raw_os_error(number).to_string();
    let words = words.split(" (os error").next().unwrap_or_default();
    format!("{} ({words})", errno_name(number))
}

/// The errno's name.
pub fn errno_name(number: i32) -> String {
    errno::name(number).map_or_else(|| number.to_string(), str::to_string)
}

/// What the kernel's restart codes say, which no program ever sees (include/linux/errno.h).
fn restart(errno: i32) -> Option<&'static str> {
    Some(match errno {
        512 => "To be restarted if SA_RESTART is set",
        513 => "To be restarted",
        514 => "To be restarted if no handler",
        516 => "Interrupted by signal",
        _ => return None,
    })
}

/// The flags that fcntl(2) returns for F_GETFD and F_GETFL.
fn returned_flags(call: &Call) -> Option<&'static Names> {
    match (call.name(), call.raw.args[1] as i32) {
        ("fcntl", libc::F_GETFD) => Some(&file::FD),
        ("fcntl", libc::F_GETFL) => Some(&file::OPEN),
        _ => None,
    }
}

/// Named bits: `A|B|0x40`, `0`, `0x40 /* MSG_??? */`.
fn flags(names: &Names, bits: u64) -> String {
    let (mut parts, rest) = names.flags(bits);
    let unknown = format!("{rest:#x}");
    if bits == 0 && parts.is_empty() {
        return "0".into();
    }
    if parts.is_empty() {
        return format!("{bits:#x} /* {} */", names.prefix);
    }
    if rest != 0 {
        parts.push(&unknown);
    }
    parts.join("|")
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Int(number) => *number == 0,
        Value::Unsigned(number) | Value::Hex(number) | Value::Pointer(number) => *number == 0,
        Value::Const(_, number) | Value::Flags(_, number) => *number == 0,
        _ => false,
    }
}

fn is_empty(value: &Value) -> bool {
    matches!(value, Value::List { items, more: false } if items.is_empty())
}

/// A call with as many of its registers as it has arguments.
fn raw(call: &Call) -> String {
    let registers = call.raw.args.iter().take(call.args.len());
    let number = |register: &u64| match register {
        0 => "0".to_owned(),
        _ => format!("{register:#x}"),
    };
    let args: Vec<_> = registers.map(number).collect();
    format!("{}({})", call.name(), args.join(", "))
}
