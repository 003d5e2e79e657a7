//! What stands beside a line: what it means, what was said in it, how long it took.

use super::escape::Escape;
use super::glyphs::Glyphs;
use super::layout::{Paint, Spans};
use super::number::{decimal, signed};
use super::time::duration;
use super::words;
use crate::kernel::Taken;
use crate::story::{Conversation, Importance, Meaning, Told, What};
use crate::syscall::Role;
use crate::tracer::event::Nanos;

/// How many messages of one call are told one by one.
const MESSAGES: usize = 3;

/// From when on it is worth saying that a peer had to wait: the kernel counts in steps of up to 10 ms.
const QUEUED: Nanos = 10_000_000;

/// How it is said.
#[derive(Clone, Copy, Debug)]
pub struct Wording {
    /// How names are escaped.
    pub escape: Escape,
    /// The signs.
    pub glyphs: &'static Glyphs,
    /// Whether each call's own time stands beside it anyway (`-T`).
    pub durations: bool,
}

impl Wording {
    /// Adds all that there is to say beside a line that means that and took so long.
    pub fn write(
        self,
        remarks: &mut Spans,
        told: &Told,
        meaning: Option<&Meaning>,
        took: Option<Nanos>,
    ) {
        self.meaning(remarks, told, meaning);
        if let Some(conversation) = told.conversation.as_deref() {
            self.comes_about(remarks, told, conversation);
        }
        self.messages(remarks, told);
        if let Some(took) = took {
            remarks.add(Paint::Dim, |out| duration(out, took, self.glyphs));
        }
        if let Some(after) = told.after {
            remarks.add(Paint::Dim, |out| {
                out.push_str("after ");
                duration(out, after, self.glyphs);
            });
        }
    }

    fn meaning(self, remarks: &mut Spans, told: &Told, meaning: Option<&Meaning>) {
        let paint = match told.importance {
            Importance::Error => Paint::Error,
            Importance::Ordinary | Importance::Expected => Paint::Dim,
        };
        match (taken(told), meaning) {
            // Who has the address says more than that somebody has it.
            (Some(taken), Some(Meaning::Trouble(_)) | None) => {
                remarks.add(paint, |out| words::kernel::taken(out, taken, self.escape));
            }
            (_, Some(Meaning::TimedOut(_))) if self.durations => {
                remarks.add(paint, |out| out.push_str("timed out"));
            }
            (_, Some(meaning)) => remarks.add(paint, |out| {
                words::meaning(out, meaning, self.escape, self.glyphs)
            }),
            (_, None) => {}
        }
        if let What::Resolved(resolution) = &told.what {
            remarks.add(Paint::Dim, |out| {
                words::names::asked(out, resolution, self.escape)
            });
        }
    }

    /// Of a connection that comes about: whom it was faster than, how long it waited, where its other end is.
    fn comes_about(self, remarks: &mut Spans, told: &Told, conversation: &Conversation) {
        let (connects, accepts) = match &told.what {
            What::Connected => (true, false),
            What::Call(event) => match event.call.row.role {
                Role::Connect => (event.call.outcome.value().is_some(), false),
                Role::Accept => (false, true),
                _ => return,
            },
            _ => return,
        };
        if connects && !conversation.rivals.is_empty() {
            remarks.add(Paint::Dim, |out| {
                words::rivals(out, &conversation.rivals, self.escape, self.glyphs)
            });
        }
        if let Some(queued) = conversation.queued.filter(|it| accepts && *it >= QUEUED) {
            remarks.add(Paint::Dim, |out| {
                out.push_str("waited ");
                duration(out, queued, self.glyphs);
                out.push_str(" to be accepted");
            });
        }
        if let Some(far) = conversation.far.filter(|_| connects || accepts) {
            remarks.add(Paint::Dim, |out| {
                out.push_str("the other end is #");
                signed(out, far);
            });
        }
    }

    /// What was said in it.
    fn messages(self, remarks: &mut Spans, told: &Told) {
        for message in told.messages.iter().take(MESSAGES) {
            let paint = match message.failed {
                true => Paint::Error,
                false => Paint::Dim,
            };
            remarks.add(paint, |out| {
                words::message(out, message, self.escape, self.glyphs)
            });
        }
        let more = told.more + told.messages.len().saturating_sub(MESSAGES) as u64;
        if more > 0 {
            remarks.add(Paint::Dim, |out| {
                out.push_str("and ");
                decimal(out, more);
                out.push_str(" more");
            });
        }
    }
}

/// Who has the address that a call could not bind.
fn taken(told: &Told) -> Option<&Taken> {
    match &told.what {
        What::Call(event) => event.kernel.as_ref()?.taken.as_ref(),
        _ => None,
    }
}
