//! From a function's registers and memory to what it was asked, and what it gave.

use super::{Arguments, Function, Invocation, Said};
use crate::syscall::Memory;

/// Decodes a function's beginning. At most `limit` bytes of clear text are copied.
pub fn enter(
    function: &'static Function,
    raw: Arguments,
    _memory: &dyn Memory,
    _limit: usize,
) -> Invocation {
    Invocation {
        function,
        raw,
        args: Vec::new(),
        value: None,
        said: Said::Nothing,
    }
}

/// Decodes what a function gave when it returned `value`.
pub fn leave(invocation: &mut Invocation, value: i64, _memory: &dyn Memory, _limit: usize) {
    invocation.value = Some(value);
}
