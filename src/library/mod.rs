//! The library boundary: what a program asks of a function that stands between it and the stack, and what it is answered. Pure: registers
//! and memory in, typed values out.
//!
//! [`functions`] has one [`Function`] for each that sockstrace knows. [`enter`] decodes what is asked when the function begins, [`leave`]
//! what it gives when it is over.

mod decode;
pub mod functions;
mod resolver;
#[cfg(test)]
mod tests;
mod tls;

pub use decode::{enter, leave};
pub use functions::{Does, Family, Function, function};

use crate::syscall::{Arg, Data, SockAddr};

/// The argument registers of a function call, in their order (System V ABI, AMD64 supplement, section 3.2.3).
pub type Arguments = [u64; 6];

/// A call of such a function.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// Which function it is.
    pub function: &'static Function,
    /// The registers that it was called with.
    pub raw: Arguments,
    /// The arguments as people want to read them: what tells nothing (a place for the result) is left out.
    pub args: Vec<Arg>,
    /// What it returned, as the register has it; nothing while it runs, or where it never returned.
    pub value: Option<i64>,
    /// What was asked, or what came of it.
    pub said: Said,
}

/// What an invocation says.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// Nothing that would concern a connection.
    Nothing,
    /// A question to the resolver.
    Lookup(Box<Lookup>),
    /// A question of a TLS session.
    Tls(Box<Tls>),
}

/// A question to the resolver, and its answer once there is one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lookup {
    /// The name that was asked for; where an address was, the name that it has.
    pub name: Option<Data>,
    /// The service.
    pub service: Option<Data>,
    /// The addresses that the name has, in the order in which they were given, each once; or the address that was asked for.
    pub addresses: Vec<SockAddr>,
    /// The name that the answer says is the true one (ai_canonname, h_name).
    pub canonical: Option<Data>,
    /// How it failed: the constant's name (`EAI_NONAME`, `HOST_NOT_FOUND`).
    pub error: Option<&'static str>,
    /// Whether a name was asked for by an address.
    pub reverse: bool,
}

/// What is asked of a TLS session.
#[derive(Clone, Debug, PartialEq)]
pub struct Tls {
    /// The address of the library's object (SSL *, gnutls_session_t, PRFileDesc *).
    pub session: u64,
    /// What.
    pub does: Does,
    /// The clear text that it took or gave; nothing where there is none (yet).
    pub text: Option<Data>,
    /// What else was said of the session.
    pub fact: Option<Fact>,
}

/// Something that a TLS session's functions say of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// The protocol that both agreed on (ALPN).
    Protocol(Data),
    /// The verification's result: 0 is good (openssl-verify(1)); its words.
    Verified(i64, Option<&'static str>),
    /// Whether the session goes on from an earlier one.
    Resumed(bool),
    /// It is done with: another one may have its address.
    Freed,
}
