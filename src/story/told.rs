//! What the story says: each event with its place in the life of its conversation.

use std::rc::Rc;

use super::boundary::Clear;
use super::findings::Finding;
use super::{Conversation, Meaning, Resolution};
use crate::kernel::Facts;
use crate::protocol::Message;
use crate::tracer::event::{CallEvent, LibraryEvent, Nanos, Notice, ProcessEvent};

/// One thing told, in the order in which it became known.
#[derive(Clone, Debug)]
pub struct Told {
    /// What happened.
    pub what: What,
    /// Whose it is; nothing for what is said about the trace as a whole.
    pub who: Option<Who>,
    /// When: the entry of a call, otherwise the moment at which it happened.
    pub time: Nanos,
    /// Which call of the trace it is, from 1, in the order in which they became known.
    pub call: Option<u64>,
    /// The conversation that it belongs to, as it stands now.
    pub conversation: Option<Rc<Conversation>>,
    /// Which stage of it.
    pub stage: Option<Stage>,
    /// What it means.
    pub meaning: Option<Meaning>,
    /// How long someone waited for it, where that is worth saying: a handshake, a call that blocked.
    pub took: Option<Nanos>,
    /// How long after the other side's latest turn an answer came, where that is worth saying. What the program did meanwhile is in it.
    pub after: Option<Nanos>,
    /// What was said in it.
    pub messages: Vec<Message>,
    /// Messages that there was no room for.
    pub more: u64,
    /// Whether a secret was in it that nothing encrypts.
    pub secret: bool,
    /// Whether it is only counted, not shown: set-up and polling that went well.
    pub folds: bool,
    /// How much it matters.
    pub importance: Importance,
}

impl Told {
    /// Something ordinary that happened to nobody's conversation.
    pub fn new(what: What, who: Option<Who>, time: Nanos) -> Self {
        Self {
            what,
            who,
            time,
            call: None,
            conversation: None,
            stage: None,
            meaning: None,
            took: None,
            after: None,
            messages: Vec::new(),
            more: 0,
            secret: false,
            folds: false,
            importance: Importance::Ordinary,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum What {
    /// A call is over.
    Call(Box<CallEvent>),
    /// A call has blocked and still does.
    Waiting(Box<CallEvent>),
    /// The call, handshake or answer that was waited for is still waited for, after 1, 10 and 60 s.
    StillWaiting,
    /// A handshake that connect(2) had left to the kernel was found to be complete.
    Connected,
    /// Such a handshake was found to have failed, with this errno.
    NotConnected(i32),
    /// The kernel knows something new of a socket between calls: the state before, by its number (include/net/tcp_states.h), and what is.
    Kernel(u8, Box<Facts>),
    /// A conversation ended, or was left open, without a close(2) of its own.
    Ended(Ending),
    /// A function of a library has begun, or is over, and that is all there is to say.
    Function(Box<LibraryEvent>),
    /// A TLS library took clear text from its program, or gave it some.
    Clear(Box<Clear>),
    /// A name was asked for, with all questions and answers.
    Resolved(Box<Resolution>),
    /// Something was found that a person should look at.
    Found(Box<Finding>),
    /// The trace is over: all that was found, the gravest first.
    AllFound(Vec<Finding>),
    /// The process had started this other one, which has just made its first call of interest under its new program.
    Runs(Who),
    /// A process began, became another program, got a signal, stopped or ended.
    Process(Box<ProcessEvent>),
    /// Something about the tracing itself.
    Notice(Box<Notice>),
}

/// How a conversation ended without a close(2) of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The last process that had it is gone.
    Exit,
    /// execve(2) closed it, since it was marked close-on-exec.
    Exec,
    /// Another call took it away: close_range(2), dup2(2).
    Call(&'static str),
    /// It hasn't ended: the trace has.
    StillOpen,
}

/// A thread, with the name of its program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// The number by which the process knows itself, where its PID namespace is not ours.
    pub own: Option<i32>,
    /// The process's name in /proc/PID/comm, the tracee's own choice and thus not safe to print; empty where nobody has said it.
    pub name: Rc<str>,
}

/// The stages of a conversation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// A name becomes addresses.
    Resolve,
    /// The socket is made.
    Create,
    /// It gets an address of its own.
    Bind,
    /// It waits for peers.
    Listen,
    /// A peer is taken in.
    Accept,
    /// It joins a peer.
    Connect,
    /// Data goes out.
    Send,
    /// Data comes in.
    Receive,
    /// A direction, or all of it, ends.
    Close,
}

impl Stage {
    /// The stage's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Resolve => "resolve",
            Self::Create => "create",
            Self::Bind => "bind",
            Self::Listen => "listen",
            Self::Accept => "accept",
            Self::Connect => "connect",
            Self::Send => "send",
            Self::Receive => "receive",
            Self::Close => "close",
        }
    }
}

/// How much something matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Importance {
    /// It went as it should.
    Ordinary,
    /// It failed as such things do: EINPROGRESS, EAGAIN, an optional probe; or it explains another line.
    Expected,
    /// It failed.
    Error,
}
