//! The typed call: what every later room works on.

use super::{Names, Row, SockAddr};

/// A call as the registers give it at its entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    /// The number in the kernel's table of this architecture.
    pub number: u64,
    /// The six argument registers, in the order of syscall(2).
    pub args: [u64; 6],
}

/// How a call came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It returned this value.
    Value(i64),
    /// It failed with this errno, the kernel's own restart codes (512 to 530, include/linux/errno.h) included.
    Error(i32),
    /// It is still in the kernel, or its thread ended inside it.
    Unfinished,
}

/// A decoded call.
#[derive(Clone, Debug)]
pub struct Call {
    /// What the call is; its name, role and classes stand there.
    pub row: &'static Row,
    /// The registers that it was made with.
    pub raw: Raw,
    /// The arguments in their order, as many as the call has (a trailing one that does not apply is left out, as in fcntl).
    pub args: Vec<Arg>,
    /// How it came back.
    pub outcome: Outcome,
}

/// One argument with its name in the manual page.
#[derive(Clone, Debug, PartialEq)]
pub struct Arg {
    /// The name, as "sockfd" in connect(2).
    pub name: &'static str,
    /// What it says.
    pub value: Value,
}

/// One value of an argument, or of a field of a structure that it points to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A descriptor of the process (AT_FDCWD and -1 included).
    Fd(i32),
    /// A signed number.
    Int(i64),
    /// An unsigned number, such as a size.
    Unsigned(u64),
    /// A number that people read in base 16.
    Hex(u64),
    /// A number that people read in base 8: file modes.
    Octal(u64),
    /// NULL, or an address whose content does not apply or could not be read.
    Pointer(u64),
    /// One of a list of named constants.
    Const(&'static Names, u64),
    /// Named bits, joined by `|`.
    Flags(&'static Names, u64),
    /// A socket address.
    Address(Box<SockAddr>),
    /// Bytes handed over, or received.
    Data(Data),
    /// A path or another NUL-terminated string, without its NUL.
    Text(Data),
    /// An array; `more` where it was longer than what was read.
    List {
        /// The items read.
        items: Vec<Value>,
        /// Whether there were more.
        more: bool,
    },
    /// A structure's fields by name.
    Struct(Vec<(&'static str, Value)>),
    /// A value that the call changed: before, and after. Shown as strace does, `[128 => 16]`.
    Changed(Box<Value>, Box<Value>),
    /// An alternative reading: `{sa_family=…}` of a raw number and so on; shown as `name(inner)`, such as `htons(80)` or `makedev(…)`.
    Wrapped(&'static str, Box<Value>),
}

/// Bytes of the tracee: a prefix as long as was asked for, and how many there really were.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Data {
    /// The first bytes.
    pub bytes: Vec<u8>,
    /// How many bytes the call handed over or received, `bytes` being the first of them.
    pub len: u64,
}

impl Value {
    /// The fields of a structure; none of any other value.
    pub fn fields(&self) -> &[(&'static str, Value)] {
        match self {
            Self::Struct(fields) => fields,
            _ => &[],
        }
    }

    /// The field of that name, where this is a structure that has it.
    pub fn field(&self, name: &str) -> Option<&Value> {
        self.fields()
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// The items of a list; none of any other value.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::List { items, .. } => items,
            _ => &[],
        }
    }
}

impl Outcome {
    /// The returned value, where the call succeeded.
    pub fn value(self) -> Option<i64> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }

    /// The errno, where it failed.
    pub fn errno(self) -> Option<i32> {
        match self {
            Self::Error(errno) => Some(errno),
            _ => None,
        }
    }
}

impl Call {
    /// The call's name, as in syscalls(2).
    pub fn name(&self) -> &'static str {
        self.row.name()
    }

    /// The descriptor that the call is about, where it has one.
    pub fn descriptor(&self) -> Option<i32> {
        self.row
            .descriptor
            .map(|index| self.raw.args[index as usize] as i32)
    }

    /// The first socket address among the arguments, wherever it stands (a msghdr's name included).
    pub fn address(&self) -> Option<&SockAddr> {
        fn find(value: &Value) -> Option<&SockAddr> {
            match value {
                Value::Address(address) => Some(address),
                Value::Struct(fields) => fields.iter().find_map(|(_, value)| find(value)),
                Value::List { items, .. } => items.iter().find_map(find),
                Value::Changed(_, after) => find(after),
                _ => None,
            }
        }
        self.args.iter().find_map(|arg| find(&arg.value))
    }

    /// The argument of that name.
    pub fn arg(&self, name: &str) -> Option<&Value> {
        self.args
            .iter()
            .find(|arg| arg.name == name)
            .map(|arg| &arg.value)
    }

    /// Has every piece of payload changed, in the order of [`Self::payload`].
    pub fn change_payload(&mut self, change: &mut dyn FnMut(&mut Data)) {
        fn walk(value: &mut Value, change: &mut dyn FnMut(&mut Data)) {
            match value {
                Value::Data(data) => change(data),
                Value::Struct(fields) => {
                    for (name, value) in fields {
                        if *name != "msg_control" {
                            walk(value, change);
                        }
                    }
                }
                Value::List { items, .. } => items.iter_mut().for_each(|item| walk(item, change)),
                Value::Changed(_, after) => walk(after, change),
                _ => {}
            }
        }
        if matches!(self.row.role, super::Role::Send | super::Role::Receive) {
            self.args
                .iter_mut()
                .for_each(|arg| walk(&mut arg.value, change));
        }
    }

    /// Every piece of payload that the call handed over or received, in order (iovecs of readv, sendmsg, each message of sendmmsg).
    pub fn payload(&self) -> Vec<&Data> {
        fn collect<'a>(value: &'a Value, found: &mut Vec<&'a Data>) {
            match value {
                Value::Data(data) => found.push(data),
                Value::Struct(fields) => {
                    for (name, value) in fields {
                        // Control messages are not payload.
                        if *name != "msg_control" {
                            collect(value, found);
                        }
                    }
                }
                Value::List { items, .. } => items.iter().for_each(|item| collect(item, found)),
                Value::Changed(_, after) => collect(after, found),
                _ => {}
            }
        }
        let mut found = Vec::new();
        if matches!(self.row.role, super::Role::Send | super::Role::Receive) {
            self.args
                .iter()
                .for_each(|arg| collect(&arg.value, &mut found));
        }
        found
    }
}
