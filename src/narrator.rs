//! From events to outputs: asks the story what there is to say, and has it shown.

use std::io;
use std::mem;

use crate::output::several::Several;
use crate::protocol::Message;
use crate::story::{Story, Told, What};
use crate::tracer::event::{CallEvent, Event, Nanos};

/// Tells a trace to its outputs.
pub struct Narrator {
    story: Story,
    outputs: Several,
    said: Vec<Told>,
}

impl Narrator {
    /// Tells that story to those outputs.
    pub fn new(story: Story, outputs: Several) -> Self {
        Self {
            story,
            outputs,
            said: Vec::new(),
        }
    }

    /// Whether anybody still listens.
    pub fn is_heard(&self) -> bool {
        self.outputs.shows()
    }

    /// How many sockets and processes the story remembers: those that are there.
    pub fn remembers(&self) -> usize {
        self.story.open() + self.story.alive()
    }

    /// Tells an event; gives back the box of a call, for another.
    pub fn event(&mut self, event: Event) -> Option<Box<CallEvent>> {
        let mut spare = None;
        self.story.tell_into(event, &mut self.said);
        for told in &mut self.said {
            self.outputs.show(told);
            if let What::Call(event) = mem::replace(&mut told.what, What::Connected) {
                spare = Some(event);
            }
        }
        self.said.clear();
        spare
    }

    /// What was said in the next call is known already.
    pub fn recall(&mut self, messages: Vec<Message>, more: u64) {
        self.story.recall(messages, more);
    }

    /// Says what is still waited for.
    pub fn tick(&mut self, now: Nanos) {
        for told in self.story.tick(now) {
            self.outputs.show(&told);
        }
    }

    /// Has everything written out that is told.
    pub fn flush(&mut self) {
        self.outputs.flush();
    }

    /// The trace is over. Gives the outputs that are not complete, by the names of their places.
    pub fn end(mut self, now: Nanos) -> Vec<(String, io::Error)> {
        for told in self.story.end(now) {
            self.outputs.show(&told);
        }
        self.outputs.finish(now)
    }
}
