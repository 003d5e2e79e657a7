//! The way out of the tracer: a bounded queue of events.
//!
//! When it is full, threads stay stopped until there is room, and nothing is lost; the tracer itself never blocks on it.
//! Where output keeps step with the program, a thread runs on only when its event has been dealt with.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use super::alarm::Alarm;
use super::event::Event;
use super::stopped::{Resume, Stopped};

/// How many events may wait for the output.
const CAPACITY: usize = 4096;

/// A stopped thread, and how it is to run on once its event is on its way.
#[derive(Debug)]
pub struct Held {
    /// The thread.
    pub stopped: Stopped,
    /// How it runs on.
    pub how: Resume,
    /// The signal to deliver, or 0.
    pub signal: i32,
}

impl Held {
    /// Runs the thread on.
    pub fn resume(self) {
        self.stopped.resume(self.how, self.signal);
    }
}

#[derive(Debug, Default)]
struct Progress {
    /// How many events the output has dealt with.
    done: AtomicU64,
    /// Whether the tracer holds threads that wait for it.
    awaited: AtomicBool,
}

/// The tracer's end.
#[derive(Debug)]
pub struct Outbox {
    sender: Option<SyncSender<Event>>,
    sent: u64,
    keep_step: bool,
    progress: Arc<Progress>,
    /// Events that found no room, in their order, with the threads that wait for it.
    backlog: VecDeque<(Event, Option<Held>)>,
    /// Threads that wait until the event of that count is dealt with, in order.
    in_step: VecDeque<(u64, Held)>,
}

/// The output's end.
#[derive(Debug)]
pub struct Inbox {
    keep_step: bool,
    receiver: Receiver<Event>,
    progress: Arc<Progress>,
    alarm: Alarm,
}

/// Both ends of a queue. With `keep_step`, a thread waits until its event has been dealt with.
pub fn queue(keep_step: bool, alarm: Alarm) -> (Outbox, Inbox) {
    let (sender, receiver) = sync_channel(CAPACITY);
    let progress = Arc::new(Progress::default());
    let outbox = Outbox {
        sender: Some(sender),
        sent: 0,
        keep_step,
        progress: Arc::clone(&progress),
        backlog: VecDeque::new(),
        in_step: VecDeque::new(),
    };
    (
        outbox,
        Inbox {
            keep_step,
            receiver,
            progress,
            alarm,
        },
    )
}

impl Outbox {
    /// Sends an event; `held` runs on as soon as it may.
    pub fn send(&mut self, event: Event, held: Option<Held>) {
        if self.backlog.is_empty() {
            if let Some((event, held)) = self.try_send(event, held) {
                self.backlog.push_back((event, held));
                self.progress.awaited.store(true, Ordering::SeqCst);
            }
            // What the output did before it could know that we wait woke nobody.
            if self.progress.awaited.load(Ordering::SeqCst) {
                self.advance();
            }
        } else {
            self.backlog.push_back((event, held));
        }
    }

    /// Ends the queue; what is sent from now on is dropped. Threads that wait run on.
    pub fn close(&mut self) {
        self.sender = None;
        self.advance();
    }

    /// Lets all threads that wait run on, and keeps their events.
    pub fn release(&mut self) {
        let waiting = self.backlog.iter_mut().filter_map(|(_, held)| held.take());
        waiting
            .chain(self.in_step.drain(..).map(|(_, held)| held))
            .for_each(Held::resume);
    }

    /// Forgets that a thread waits: it is gone, and another has its number.
    pub fn forget(&mut self, tid: i32) {
        for (_, held) in &mut self.backlog {
            if held.as_ref().is_some_and(|held| held.stopped.tid() == tid) {
                *held = None;
            }
        }
        self.in_step.retain(|(_, held)| held.stopped.tid() != tid);
    }

    /// The tracees are gone: sends what is left, and waits for the output as long as it takes.
    pub fn finish(&mut self) {
        self.release();
        if let Some(sender) = self.sender.take() {
            for (event, _) in self.backlog.drain(..) {
                if sender.send(event).is_err() {
                    break;
                }
            }
        }
    }

    /// Whether there is no room: what can be left out should be.
    pub fn full(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends what has found room meanwhile, and resumes the threads that no longer need to wait.
    pub fn advance(&mut self) {
        while let Some((event, held)) = self.backlog.pop_front() {
            if let Some(again) = self.try_send(event, held) {
                self.backlog.push_front(again);
                break;
            }
        }
        let done = self.progress.done.load(Ordering::SeqCst);
        while self
            .in_step
            .front()
            .is_some_and(|(count, _)| *count <= done || self.sender.is_none())
        {
            if let Some((_, held)) = self.in_step.pop_front() {
                held.resume();
            }
        }
        if self.backlog.is_empty() && self.in_step.is_empty() {
            self.progress.awaited.store(false, Ordering::SeqCst);
        }
    }

    fn try_send(&mut self, event: Event, held: Option<Held>) -> Option<(Event, Option<Held>)> {
        let result = match &self.sender {
            Some(sender) => sender.try_send(event),
            None => Err(TrySendError::Disconnected(event)),
        };
        match (result, held) {
            (Err(TrySendError::Full(event)), held) => return Some((event, held)),
            (Err(TrySendError::Disconnected(_)), held) => {
                // The output has ended (a broken pipe, say): the program goes on without it.
                self.sender = None;
                if let Some(held) = held {
                    held.resume();
                }
            }
            (Ok(()), held) => {
                self.sent += 1;
                match held {
                    Some(held) if self.keep_step => {
                        self.in_step.push_back((self.sent, held));
                        self.progress.awaited.store(true, Ordering::SeqCst);
                    }
                    Some(held) => held.resume(),
                    None => {}
                }
            }
        }
        None
    }
}

impl Inbox {
    /// The next event, or none within `patience`; an error when the tracer is done.
    pub fn next(&self, patience: Duration) -> Result<Option<Event>, Closed> {
        match self.receiver.recv_timeout(patience) {
            Ok(event) => Ok(Some(event)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }

    /// The next event, if one is there already.
    pub fn next_now(&self) -> Option<Event> {
        self.receiver.try_recv().ok()
    }

    /// Whether threads wait for what they did to be shown.
    pub fn in_step(&self) -> bool {
        self.keep_step
    }

    /// Says that one event has been dealt with.
    pub fn done(&self) {
        self.progress.done.fetch_add(1, Ordering::SeqCst);
        if self.progress.awaited.load(Ordering::SeqCst) {
            self.alarm.ring();
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Threads that wait for us run on.
        self.progress.done.store(u64::MAX, Ordering::SeqCst);
        self.alarm.ring();
    }
}

/// The tracer has ended and every event was taken.
#[derive(Clone, Copy, Debug)]
pub struct Closed;
