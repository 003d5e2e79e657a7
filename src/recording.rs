//! The record of a run (`--record`): written beside the outputs, from what the tracer saw.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use crate::cli::Options;
use crate::destination::{Codec, NameFacts, Sink};
use crate::record::{HeaderLine, ProgramEnd, Writer};
use crate::report::{Holds, Written};
use crate::tracer::event::{Event, Nanos};
use crate::tracer::outbox::{Seen, Tap};

/// After how long without news the story has said all that there is to say of what is waited for: beyond its last word, at 60 s.
const PATIENCE: Nanos = 61_000_000_000;

/// A record that is being written, if one is wanted.
#[derive(Clone)]
pub struct Recording(Option<Arc<Mutex<Running>>>);

struct Running {
    writer: Writer<Sink>,
    header: HeaderLine<'static>,
    program: ProgramEnd,
    /// Whether anything was seen since the story was asked last, and until when it may have an answer.
    fresh: bool,
    ticks_until: Nanos,
    /// Why it ended early.
    failure: Option<io::Error>,
}

impl Recording {
    /// Opens it and writes its header, where the options ask for one.
    ///
    /// # Errors
    /// One line that says what could not be opened, and why.
    pub fn start(
        options: &Options,
        facts: &NameFacts,
        header: &HeaderLine<'static>,
    ) -> Result<Self, String> {
        let Some(target) = &options.record else {
            return Ok(Self(None));
        };
        let sink = Sink::open(target, facts, Some(Codec::Zstd), options.rotate, &[])?;
        let mut running = Running {
            writer: Writer::new(sink),
            header: header.clone(),
            program: ProgramEnd::default(),
            fresh: false,
            ticks_until: 0,
            failure: None,
        };
        running.attempt(|running| running.writer.header(&running.header));
        Ok(Self(Some(Arc::new(Mutex::new(running)))))
    }

    /// What sees all that the tracer saw.
    pub fn tap(&self) -> Option<Tap> {
        let recording = self.clone();
        self.0.as_ref()?;
        Some(Box::new(move |seen| {
            recording.with(|running| running.attempt(|running| running.see(seen)));
        }))
    }

    /// Whether it is still being written.
    pub fn goes_on(&self) -> bool {
        let mut goes_on = false;
        self.with(|running| goes_on = running.failure.is_none());
        goes_on
    }

    /// Notes that the story is asked what is still waited for.
    pub fn tick(&self, now: Nanos) {
        self.with(|running| running.attempt(|running| running.tick(now)));
    }

    /// Has everything written out.
    pub fn flush(&self) {
        self.with(|running| {
            running.attempt(|running| io::Write::flush(running.writer.place()));
        });
    }

    /// Writes the last line, and notes what became of it.
    pub fn end(self, now: Nanos, written: &mut Written, holds: Holds) {
        let Some(running) = self.0.and_then(Arc::into_inner) else {
            return;
        };
        let mut running = running.into_inner().unwrap_or_else(PoisonError::into_inner);
        running.attempt(|running| running.writer.exit(running.program.exit_line(now)));
        let sink = running.writer.into_place();
        if let Some(failure) = running.failure
            && failure.kind() != io::ErrorKind::BrokenPipe
        {
            written.failures.push((sink.name().to_owned(), failure));
        }
        written.finish(sink, holds);
    }

    fn with(&self, act: impl FnOnce(&mut Running)) {
        if let Some(running) = &self.0 {
            act(&mut running.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }
}

impl Running {
    /// Does something, unless something has failed before.
    fn attempt(&mut self, act: impl FnOnce(&mut Self) -> io::Result<()>) {
        if self.failure.is_none() {
            self.failure = act(self).err();
        }
    }

    /// Where nothing happens for long, nothing new is waited for: a program that idles for days makes no record longer.
    fn tick(&mut self, now: Nanos) -> io::Result<()> {
        if std::mem::take(&mut self.fresh) {
            self.ticks_until = now.saturating_add(PATIENCE);
        }
        match now <= self.ticks_until {
            true => self.writer.tick(now),
            false => Ok(()),
        }
    }

    fn see(&mut self, seen: Seen<'_>) -> io::Result<()> {
        self.fresh = true;
        if self.writer.place().rotate_if_due()? {
            let part = self.header.part.unwrap_or(0) + 1;
            self.header.part = Some(part);
            self.writer.header(&self.header)?;
        }
        if let Seen::Event(Event::Process(event)) = seen {
            self.program.see(event);
        }
        self.writer.seen(seen)
    }
}
