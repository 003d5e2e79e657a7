//! Writes a trace line by line.

use std::io::{self, Write};

use super::line::{HeaderLine, Line, NoticeLine, TickLine};
use super::{CallLine, ExitLine};
use crate::tracer::event::{Event, Nanos};
use crate::tracer::outbox::Seen;

/// Writes lines, each at once and whole.
#[derive(Debug)]
pub struct Writer<W> {
    out: W,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    /// Lines to be written there.
    pub fn new(out: W) -> Self {
        Self {
            out,
            line: Vec::new(),
        }
    }

    /// Writes one line.
    ///
    /// # Errors
    /// Those of the place that it goes to.
    pub fn write(&mut self, line: &Line<'_>) -> io::Result<()> {
        /// How much room for a line is kept for the next.
        const ROOM: usize = 1 << 20;
        self.line.clear();
        self.line.shrink_to(ROOM);
        serde_json::to_writer(&mut self.line, line)?;
        self.line.push(b'\n');
        self.out.write_all(&self.line)
    }

    /// The first line.
    ///
    /// # Errors
    /// As [`Self::write`]; so have the others.
    pub fn header(&mut self, header: &HeaderLine<'_>) -> io::Result<()> {
        self.write(&Line::Header(Box::new(header.clone())))
    }

    /// What the tracer saw.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn seen(&mut self, seen: Seen<'_>) -> io::Result<()> {
        match seen {
            Seen::Call(calling) => self.write(&Line::Call(Box::new(CallLine::of(calling)))),
            Seen::Waiting(calling) => self.write(&Line::Waiting(Box::new(CallLine::of(calling)))),
            Seen::Event(Event::Process(event)) => {
                self.write(&Line::Process(Box::new(event.into())))
            }
            Seen::Event(Event::Kernel(event)) => {
                self.write(&Line::Kernel(Box::new((&**event).into())))
            }
            Seen::Event(Event::Library(event)) => {
                self.write(&Line::Library(Box::new((&**event).into())))
            }
            Seen::Event(Event::Notice(notice)) => match NoticeLine::of(notice) {
                Some(line) => self.write(&Line::Notice(line)),
                None => Ok(()),
            },
            // The tracer sends calls as they were captured.
            Seen::Event(Event::Call(event)) => {
                self.write(&Line::Call(Box::new(CallLine::told(event))))
            }
            Seen::Event(Event::Waiting(event)) => {
                self.write(&Line::Waiting(Box::new(CallLine::told(event))))
            }
        }
    }

    /// The story is asked what is still waited for.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn tick(&mut self, now: Nanos) -> io::Result<()> {
        self.write(&Line::Tick(TickLine { time: now }))
    }

    /// The last line.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn exit(&mut self, exit: ExitLine<'_>) -> io::Result<()> {
        self.write(&Line::Exit(exit))
    }

    /// The place that it goes to.
    pub fn place(&mut self) -> &mut W {
        &mut self.out
    }

    /// The same for good.
    pub fn into_place(self) -> W {
        self.out
    }
}
