//! What is told of a call, and which calls are only counted.

use syscalls::Sysno;

use super::bytes;
use super::conversation::interrupted;
use super::patience::may_time_out;
use super::{Meaning, Options, Stage};
use crate::syscall::{Outcome, Role, errno};
use crate::tracer::event::{CallEvent, Descriptor};

impl Options {
    /// Whether sockets that nobody asked about are set apart.
    pub(super) fn sets_apart(&self) -> bool {
        !(self.verbose || self.every_step || self.shows_folded || self.shown.is_some())
    }

    /// Whether a call's arguments are needed: what is only counted needs none, unless they teach something.
    pub fn need_arguments(&self, event: &CallEvent) -> bool {
        let call = &event.call;
        let teaches_nothing = match (call.row.role, call.outcome) {
            (Role::Poll, Outcome::Value(_)) => call.row.number != Sysno::epoll_ctl,
            (Role::Receive | Role::Accept, Outcome::Error(libc::EAGAIN)) => true,
            _ => false,
        };
        self.shows_folded || !teaches_nothing || may_time_out(event) || !self.folds(event)
    }

    /// Whether a call is only counted: set-up and polling that went well, and asking for what hasn't come yet.
    pub(super) fn folds(&self, event: &CallEvent) -> bool {
        let call = &event.call;
        if self.verbose || self.named.contains(call.row.number.id() as u64) {
            return false;
        }
        match (call.row.role, call.outcome) {
            // A question that is answered by an error, a poll that a signal ends.
            (Role::Setup | Role::Poll | Role::Duplicate, Outcome::Error(_)) => {
                errno::is_normal(call)
            }
            (Role::Setup | Role::Poll | Role::Duplicate, _) => true,
            (Role::Receive | Role::Accept, Outcome::Error(errno)) => errno == libc::EAGAIN,
            _ => false,
        }
    }
}

/// Whether the options let a call be told of.
pub(super) fn selected(options: &Options, event: &CallEvent) -> bool {
    let number = event.call.row.number.id() as u64;
    let shown = options
        .shown
        .as_ref()
        .is_none_or(|shown| shown.contains(number));
    shown && (event.call.row.role != Role::Engine || options.named.contains(number))
}

/// The stage of its conversation that a call belongs to; none for what is no socket.
pub(super) fn stage(event: &CallEvent) -> Option<Stage> {
    let file = |fd| {
        event
            .descriptors
            .iter()
            .any(|(at, what)| *at == fd && matches!(what, Descriptor::File(_)))
    };
    if event.call.row.number != Sysno::splice && event.call.descriptor().is_some_and(file) {
        return None;
    }
    if let Some(direction) = bytes::direction(event) {
        return Some(if direction == bytes::Direction::Out {
            Stage::Send
        } else {
            Stage::Receive
        });
    }
    Some(match event.call.row.role {
        Role::Create => Stage::Create,
        Role::Bind => Stage::Bind,
        Role::Listen => Stage::Listen,
        Role::Accept => Stage::Accept,
        Role::Connect => Stage::Connect,
        Role::Send => Stage::Send,
        Role::Receive => Stage::Receive,
        Role::Shutdown | Role::Close => Stage::Close,
        _ => return None,
    })
}

/// What there is to say of a call that did not go well.
pub(super) fn unhappy(event: &CallEvent) -> Option<Meaning> {
    match event.call.outcome {
        Outcome::Value(_) => None,
        Outcome::Error(errno) if interrupted(errno) => Some(Meaning::Interrupted),
        Outcome::Error(_) => {
            let words = errno::reason(&event.call);
            (!words.is_empty()).then_some(Meaning::Trouble(words))
        }
        Outcome::Unfinished => Some(Meaning::GivenUp),
    }
}
