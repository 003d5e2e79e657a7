//! Calls in strace's grammar: `connect(5, 93.184.216.34:80) = 0`.
//!
//! By default what a reader does not miss is left out: the length of an address that is shown, flags of 0 and NULLs at the end,
//! empty fields of a msghdr, the iov_len of an iovec. `-v` writes all of it.

use std::cell::Cell;
use std::fmt::Write;

use super::address;
use super::escape::Escape;
use super::glyphs::Glyphs;
use super::layout::columns;
use super::number::{decimal, signed};
use crate::story::Clear;
use crate::syscall::names::file;
use crate::syscall::{Arg, Call, Data, Names, Outcome, Role, SockAddr, Value, errno};
use crate::tracer::event::{CallEvent, Descriptor};

/// How calls are written.
#[derive(Clone, Copy, Debug)]
pub struct Grammar<'a> {
    /// How strings are.
    pub escape: Escape,
    /// Characters of our own.
    pub glyphs: &'static Glyphs,
    /// Whether arguments are the registers' numbers.
    pub raw: bool,
    /// Whether nothing is left out.
    pub verbose: bool,
    /// How many bytes of a call's payload are quoted at most, and how many of them are left.
    pub data: usize,
    pub left: &'a Cell<usize>,
    /// The most columns between the quotes of a payload; for lines that have to fit. Paths and addresses stay whole.
    pub cap: Option<usize>,
    /// An address that has a name, and the name.
    pub named: Option<(&'a SockAddr, &'a str)>,
}

impl Grammar<'_> {
    /// The name with its arguments, `)` included.
    pub fn call(&self, out: &mut String, event: &CallEvent) {
        self.made(out, event, usize::MAX);
    }

    /// The same for a call that hasn't come back, without the arguments that only its return will fill.
    pub fn waiting(&self, out: &mut String, event: &CallEvent) {
        let known = match event.call.row.role {
            Role::Receive | Role::Accept if !self.verbose => 1,
            _ => usize::MAX,
        };
        self.made(out, event, known);
    }

    /// A call with at most so many of its arguments.
    fn made(&self, out: &mut String, event: &CallEvent, known: usize) {
        let call = &event.call;
        self.left.set(self.data);
        out.push_str(call.name());
        out.push('(');
        if self.raw {
            let registers = call.raw.args.iter().take(call.args.len());
            list(out, registers, |out, register| hex(out, *register));
        } else {
            let args = self.kept(call).take(known);
            list(out, args, |out, value| self.argument(out, event, value));
        }
        out.push(')');
    }

    /// The result: `= 5`, `= -1 ECONNREFUSED (Connection refused)`, `= ?`. `brief` leaves the words in parentheses to the meaning.
    pub fn outcome(&self, out: &mut String, event: &CallEvent, brief: bool) {
        let call = &event.call;
        match call.outcome {
            Outcome::Unfinished => out.push_str("= ?"),
            Outcome::Error(errno) => {
                let restart = restart(errno);
                out.push_str(if restart.is_some() { "= ? " } else { "= -1 " });
                match restart {
                    _ if brief => errno_name(out, errno),
                    None => failure(out, errno),
                    Some(words) => {
                        errno_name(out, errno);
                        out.push_str(" (");
                        out.push_str(words);
                        out.push(')');
                    }
                }
            }
            Outcome::Value(value) => match returned_flags(call) {
                Some(names) if value > 0 => {
                    write!(out, "= {value:#x} (flags ").expect("a String takes all");
                    flags(out, names, value as u64);
                    out.push(')');
                }
                _ => {
                    out.push_str("= ");
                    signed(out, value);
                    self.ready(out, call);
                }
            },
        }
    }

    /// A function's name and arguments: `getaddrinfo("example.com", "443", AF_UNSPEC, SOCK_STREAM)`.
    pub fn invocation(&self, out: &mut String, function: &str, args: &[Arg]) {
        self.left.set(self.data);
        out.push_str(function);
        out.push('(');
        list(out, args, |out, arg| self.value(out, &arg.value));
        out.push(')');
    }

    /// What passed in clear by a function of a TLS library: `TLS  SSL_write("GET / HTTP/1.1\r\n"…, 84) = 84`.
    pub fn clear(&self, out: &mut String, clear: &Clear) {
        self.left.set(self.data);
        out.push_str("TLS  ");
        out.push_str(clear.event.invocation.function.name);
        out.push('(');
        self.string(out, &clear.data, self.data, self.cap);
        out.push_str(", ");
        decimal(out, clear.data.len);
        out.push_str(") ");
    }

    /// What poll(2) and select(2) found, as strace adds it to the result.
    fn ready(&self, out: &mut String, call: &Call) {
        if call.row.role != Role::Poll || call.outcome.value() == Some(0) {
            return;
        }
        if let Some(Value::List { items, .. }) = call.arg("fds") {
            let mut found = items.iter().filter_map(reported).peekable();
            if found.peek().is_some() {
                out.push_str(" ([");
                list(out, found, |out, (fd, revents)| {
                    out.push_str("{fd=");
                    self.value(out, fd);
                    out.push_str(", revents=");
                    self.value(out, revents);
                    out.push('}');
                });
                out.push_str("])");
            }
            return;
        }
        let sets = [
            ("readfds", "in "),
            ("writefds", "out "),
            ("exceptfds", "except "),
            ("timeout", "left "),
        ];
        let found = |(arg, word)| match call.arg(arg) {
            Some(Value::Changed(_, after)) if !is_empty(after) => Some((word, &**after)),
            _ => None,
        };
        let mut found = sets.into_iter().filter_map(found).peekable();
        if found.peek().is_some() {
            out.push_str(" (");
            list(out, found, |out, (word, after)| {
                out.push_str(word);
                self.value(out, after);
            });
            out.push(')');
        }
    }

    /// The arguments that are worth showing.
    fn kept<'a>(&self, call: &'a Call) -> impl Iterator<Item = &'a Value> {
        let mut args = &call.args[..];
        let is_address = |arg: &Arg| matches!(arg.value, Value::Address(_));
        let address = !self.verbose && args.iter().any(is_address);
        let implied = move |arg: &Arg| address && arg.name == "addrlen";
        let defaults = matches!(
            call.row.role,
            Role::Accept | Role::Connect | Role::Send | Role::Receive
        );
        if defaults && !self.verbose {
            let mut left = args.iter().filter(|arg| !implied(arg)).count();
            while let Some((last, others)) = args.split_last() {
                if !implied(last) {
                    let null = matches!(last.value, Value::Pointer(0));
                    let zero = matches!(last.name, "flags" | "addrlen") && is_zero(&last.value);
                    if !null && !zero || left < 2 {
                        break;
                    }
                    left -= 1;
                }
                args = others;
            }
        }
        let kept = args.iter().filter(move |arg| !implied(arg));
        kept.map(|arg| &arg.value)
    }

    fn argument(&self, out: &mut String, event: &CallEvent, value: &Value) {
        match value {
            Value::Fd(fd) => {
                self.value(out, value);
                let file = event.descriptors.iter().find_map(|(at, what)| match what {
                    Descriptor::File(path) if at == fd => Some(path),
                    _ => None,
                });
                if let Some(path) = file {
                    out.push('<');
                    self.escape.bare(out, &path.bytes);
                    out.push('>');
                }
            }
            // What was found stands behind the result.
            Value::Changed(before, _) if event.call.row.role == Role::Poll => {
                self.value(out, before)
            }
            value => self.value(out, value),
        }
    }

    /// One value.
    pub fn value(&self, out: &mut String, value: &Value) {
        match value {
            Value::Fd(libc::AT_FDCWD) => out.push_str("AT_FDCWD"),
            Value::Fd(fd) => signed(out, (*fd).into()),
            Value::Int(number) => signed(out, *number),
            Value::Unsigned(number) => decimal(out, *number),
            Value::Hex(number) => write!(out, "{number:#x}").expect("a String takes all"),
            Value::Octal(0) => out.push('0'),
            Value::Octal(number) => write!(out, "0{number:o}").expect("a String takes all"),
            Value::Pointer(0) => out.push_str("NULL"),
            Value::Pointer(address) => write!(out, "{address:#x}").expect("a String takes all"),
            Value::Const(names, number) => match names.get(*number) {
                Some(name) => out.push_str(name),
                None => unknown(out, names, *number),
            },
            Value::Flags(names, bits) => flags(out, names, *bits),
            Value::Address(address) => {
                address::write(out, address, self.escape);
                if let Some((_, name)) = self.named.filter(|(named, _)| *named == &**address) {
                    out.push(' ');
                    self.escape.bare(out, name.as_bytes());
                }
            }
            Value::Data(data) => {
                let most = self.left.get().min(data.bytes.len());
                self.left.set(self.left.get() - most);
                self.string(out, data, most, self.cap);
            }
            Value::Text(data) => self.string(out, data, usize::MAX, None),
            Value::List { items, more } => {
                out.push('[');
                list(out, items, |out, item| self.item(out, item));
                match (more, items.is_empty()) {
                    (true, true) => out.push_str("..."),
                    (true, false) => out.push_str(", ..."),
                    (false, _) => {}
                }
                out.push(']');
            }
            Value::Struct(fields) => self.structure(out, fields.iter()),
            Value::Changed(before, after) => {
                out.push('[');
                if before != after {
                    self.bare(out, before);
                    out.push_str(" => ");
                }
                self.bare(out, after);
                out.push(']');
            }
            Value::Wrapped(name, inner) => {
                out.push_str(name);
                out.push('(');
                self.value(out, inner);
                out.push(')');
            }
        }
    }

    /// A value without the brackets that a list of one brings along.
    fn bare(&self, out: &mut String, value: &Value) {
        match value {
            Value::List { items, more: false } if items.len() == 1 => self.value(out, &items[0]),
            value => self.value(out, value),
        }
    }

    fn item(&self, out: &mut String, item: &Value) {
        let Value::Struct(fields) = item else {
            return self.value(out, item);
        };
        match &fields[..] {
            // A pollfd: what came of it stands behind the result.
            [("fd", _), ("events", _), ("revents", _)] => self.structure(out, fields[..2].iter()),
            // An iovec: its length is that of the data, or of the buffer behind it.
            [("iov_base", base), ("iov_len", _)] if !self.verbose => self.value(out, base),
            // A mmsghdr: the message itself, and what became of it.
            [("msg_hdr", Value::Struct(header)), rest @ ..] if !self.verbose => {
                self.structure(out, header.iter().chain(rest));
            }
            fields => self.structure(out, fields.iter()),
        }
    }

    fn structure<'a, I>(&self, out: &mut String, fields: I)
    where
        I: Iterator<Item = &'a (&'static str, Value)> + Clone,
    {
        let message = !self.verbose && fields.clone().any(|(name, _)| *name == "msg_iov");
        let fields = fields.filter(|(name, value)| {
            let implied = matches!(*name, "msg_namelen" | "msg_iovlen" | "msg_controllen");
            let empty = matches!(*name, "msg_name" | "msg_control" | "msg_flags")
                && (is_zero(value) || is_empty(value));
            !(message && (implied || empty))
        });
        out.push('{');
        list(out, fields, |out, (name, value)| {
            out.push_str(name);
            out.push('=');
            match value {
                // Behind no pointer, so without strace's brackets.
                Value::Changed(before, after) => {
                    self.bare(out, before);
                    out.push_str(" => ");
                    self.bare(out, after);
                }
                value => self.value(out, value),
            }
        });
        out.push('}');
    }

    fn string(&self, out: &mut String, data: &Data, most: usize, cap: Option<usize>) {
        let mut bytes = &data.bytes[..data.bytes.len().min(most)];
        let mut cut = data.len > bytes.len() as u64;
        let start = out.len();
        self.escape.quoted(out, bytes, cut);
        if let Some(cap) = cap {
            // Every byte makes at most four columns, so this ends after a few rounds.
            loop {
                let over = columns(&out[start..]).saturating_sub(cap + 2);
                if over == 0 || bytes.is_empty() {
                    break;
                }
                bytes = &bytes[..bytes.len() - over.div_ceil(4).min(bytes.len())];
                cut = true;
                out.truncate(start);
                self.escape.quoted(out, bytes, cut);
            }
        }
        if cut {
            out.push_str(self.glyphs.cut);
        }
    }
}

/// Adds items with commas between them.
fn list<T>(
    out: &mut String,
    items: impl IntoIterator<Item = T>,
    mut add: impl FnMut(&mut String, T),
) {
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push_str(", ");
        }
        add(out, item);
    }
}

/// The descriptor of a pollfd and what there is to report of it, if there is anything.
fn reported(item: &Value) -> Option<(&Value, &Value)> {
    let revents = item.field("revents")?;
    match is_zero(revents) {
        true => None,
        false => Some((item.field("fd")?, revents)),
    }
}

/// A number in base 16, 0 without a base.
fn hex(out: &mut String, number: u64) {
    match number {
        0 => out.push('0'),
        _ => write!(out, "{number:#x}").expect("a String takes all"),
    }
}

/// `ECONNREFUSED (Connection refused)`.
pub fn failure(out: &mut String, number: i32) {
    let words = std::io::Error::from_raw_os_error(number).to_string();
    errno_name(out, number);
    out.push_str(" (");
    out.push_str(words.split(" (os error").next().unwrap_or_default());
    out.push(')');
}

/// The errno's name.
pub fn errno_name(out: &mut String, number: i32) {
    match errno::name(number) {
        Some(name) => out.push_str(name),
        None => signed(out, number.into()),
    }
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
fn flags(out: &mut String, names: &Names, bits: u64) {
    let start = out.len();
    let rest = names.each_flag(bits, |name| {
        if out.len() > start {
            out.push('|');
        }
        out.push_str(name);
    });
    match (out.len() > start, rest) {
        (true, 0) => {}
        (true, rest) => write!(out, "|{rest:#x}").expect("a String takes all"),
        (false, _) if bits == 0 => out.push('0'),
        (false, _) => unknown(out, names, bits),
    }
}

/// A number that has no name.
fn unknown(out: &mut String, names: &Names, number: u64) {
    write!(out, "{number:#x} /* {} */", names.prefix).expect("a String takes all");
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
