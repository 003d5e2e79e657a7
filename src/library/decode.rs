//! From a function's registers and memory to what it was asked, and what it gave.

use super::functions::Does;
use super::{Arguments, Family, Function, Invocation, Said, resolver, tls};
use crate::syscall::Memory;

/// What a decoder works on.
#[derive(Clone, Copy)]
pub(super) struct Source<'a> {
    pub raw: Arguments,
    pub memory: &'a dyn Memory,
    /// How many bytes of clear text are copied at most.
    pub limit: usize,
}

impl Source<'_> {
    /// An int among the arguments.
    pub fn int(&self, index: usize) -> i32 {
        self.raw[index] as i32
    }
}

/// Decodes a function's beginning. At most `limit` bytes of clear text are copied.
pub fn enter(
    function: &'static Function,
    raw: Arguments,
    memory: &dyn Memory,
    limit: usize,
) -> Invocation {
    let source = Source { raw, memory, limit };
    let (args, said) = match function.family {
        Family::Resolver | Family::Cares => resolver::ask(function.does, source),
        Family::OpenSsl | Family::GnuTls | Family::Nss => {
            (Vec::new(), tls::ask(function.does, source))
        }
        Family::Sockets => (Vec::new(), Said::Nothing),
    };
    Invocation {
        function,
        raw,
        args,
        value: None,
        said,
    }
}

/// Decodes what a function gave when it returned `value`, the whole register.
pub fn leave(invocation: &mut Invocation, value: i64, memory: &dyn Memory, limit: usize) {
    let does = invocation.function.does;
    let value = match does {
        // They return pointers, or a long.
        Does::HostByName | Does::HostByName2 | Does::HostByAddress | Does::Import => value,
        Does::Write | Does::Read | Does::WritePadded
            if invocation.function.family == Family::GnuTls =>
        {
            value
        }
        Does::Verified => value,
        // The upper half of an int's register says nothing.
        _ => i64::from(value as i32),
    };
    invocation.value = Some(value);
    let raw = invocation.raw;
    let source = Source { raw, memory, limit };
    match &mut invocation.said {
        Said::Lookup(lookup) => resolver::answer(does, source, value, lookup),
        Said::Tls(tls) => tls::answer(does, source, value, tls),
        Said::Nothing => {}
    }
}
