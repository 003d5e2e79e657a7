//! The way out of the tracer: a bounded queue of events.
//!
//! When it is full, threads stay stopped until there is room, and nothing is lost; the tracer itself never blocks on it.
//! Where output keeps step with the program, a thread runs on only when its event has been dealt with.
//!
//! Calls travel as they were copied and are decoded at the output's end; their boxes then come back for other calls. Those that were
//! recorded, with nobody who waits for them, go together, so that what the two threads share is touched once for many.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::Duration;

use super::alarm::Alarm;
use super::bundle::Bundle;
use super::calling::{Calling, Telling};
use super::event::{CallEvent, Event};
use super::stopped::{Resume, Stopped};

/// How many events may wait for the output.
const CAPACITY: usize = 4096;

/// How many still wait when the tracer is told that there is room again: to wake it for each event would keep it from its work.
const ROOM_AGAIN: u64 = CAPACITY as u64 * 3 / 4;

/// How many bytes of calls may wait for it, apart from a single call that is longer: many long ones are not to take all memory.
const BYTES: usize = 8 << 20;

/// How many bundles are kept for others, and how many bytes one of them may take beside itself.
const BUNDLES: usize = 256;
const BUNDLE_ROOM: usize = 1 << 17;

/// How many boxes of events are kept for others: a call makes one, and few calls come back with more than one line.
const SPARE: usize = 4;

/// How long the output waits for further events before it sleeps. To wake it costs the tracer more than the rest of an event.
const GATHER: Duration = Duration::from_millis(2);

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

/// What travels.
#[derive(Debug)]
enum Parcel {
    /// A call that is over.
    Call(Box<Calling>),
    /// A call that has blocked, and still does.
    Waiting(Box<Calling>),
    /// Several that are over.
    Bundle(Box<Bundle>),
    /// Anything else.
    Event(Box<Event>),
}

impl Parcel {
    /// How many bytes it takes beside itself.
    fn room(&self) -> usize {
        match self {
            Self::Call(calling) | Self::Waiting(calling) => calling.room(),
            Self::Bundle(bundle) => bundle.room(),
            Self::Event(_) => 0,
        }
    }

    /// How many events it is.
    fn events(&self) -> u64 {
        match self {
            Self::Bundle(bundle) => bundle.len() as u64,
            Self::Call(_) | Self::Waiting(_) | Self::Event(_) => 1,
        }
    }
}

#[derive(Debug, Default)]
struct Progress {
    /// How many events have been sent.
    sent: AtomicU64,
    /// How many events the output has dealt with.
    done: AtomicU64,
    /// Whether the tracer holds threads that wait for it.
    awaited: AtomicBool,
    /// How many bytes the calls on their way take.
    bytes: AtomicUsize,
    /// The output's thread.
    output: OnceLock<Thread>,
}

/// The tracer's end.
#[derive(Debug)]
pub struct Outbox {
    sender: Option<SyncSender<Parcel>>,
    /// The boxes of calls that were told.
    returned: Receiver<Box<Calling>>,
    /// Those of calls that nobody wanted to be told.
    #[expect(clippy::vec_box, reason = "they go on as boxes")]
    spare: Vec<Box<Calling>>,
    /// Calls that are to go together.
    bundle: Box<Bundle>,
    /// Bundles that were told.
    emptied: Receiver<Box<Bundle>>,
    /// How many calls have been sent.
    calls: u64,
    keep_step: bool,
    progress: Arc<Progress>,
    /// Events that found no room, in their order, with the threads that wait for it.
    backlog: VecDeque<(Parcel, Option<Held>)>,
    /// Threads that wait until the event of that count is dealt with, in order.
    in_step: VecDeque<(u64, Held)>,
}

/// The output's end.
pub struct Inbox {
    keep_step: bool,
    receiver: Receiver<Parcel>,
    returns: SyncSender<Box<Calling>>,
    /// The bundle that is being told, and the call that is taken out of it.
    bundle: Option<Box<Bundle>>,
    bundled: Option<Box<Calling>>,
    emptied: SyncSender<Box<Bundle>>,
    /// How many events of it have been dealt with, which the tracer need not know one by one.
    undone: u64,
    progress: Arc<Progress>,
    alarm: Alarm,
    telling: Telling,
    /// Sees everything before it is told.
    tap: Option<Tap>,
    /// The boxes of events that have been dealt with.
    #[expect(clippy::vec_box, reason = "they go on as boxes")]
    spare: Vec<Box<CallEvent>>,
}

/// What comes out of the queue, as the tracer saw it.
#[derive(Clone, Copy, Debug)]
pub enum Seen<'a> {
    /// A call that is over.
    Call(&'a Calling),
    /// A call that has blocked.
    Waiting(&'a Calling),
    /// Anything else.
    Event(&'a Event),
}

/// Something that sees everything.
pub type Tap = Box<dyn FnMut(Seen<'_>) + Send>;

/// Both ends of a queue. With `keep_step`, a thread waits until its event has been dealt with.
pub fn queue(keep_step: bool, alarm: Alarm) -> (Outbox, Inbox) {
    let (sender, receiver) = sync_channel(CAPACITY);
    let (returns, returned) = sync_channel(CAPACITY);
    let (empties, emptied) = sync_channel(BUNDLES);
    let progress = Arc::new(Progress::default());
    let outbox = Outbox {
        sender: Some(sender),
        returned,
        spare: Vec::new(),
        bundle: Box::default(),
        emptied,
        calls: 0,
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
            returns,
            bundle: None,
            bundled: None,
            emptied: empties,
            undone: 0,
            progress,
            alarm,
            telling: Telling::default(),
            tap: None,
            spare: Vec::new(),
        },
    )
}

impl Outbox {
    /// Sends an event; `held` runs on as soon as it may.
    pub fn send(&mut self, event: Event, held: Option<Held>) {
        self.post_bundle();
        self.post(Parcel::Event(Box::new(event)), held);
    }

    /// Sends a call that is over, as [`Self::send`] does with an event.
    pub fn send_call(&mut self, calling: Box<Calling>, held: Option<Held>) {
        self.calls += 1;
        if held.is_some() || self.keep_step || !calling.is_bundled() {
            self.post_bundle();
            return self.post(Parcel::Call(calling), held);
        }
        self.bundle.add(&calling);
        self.spare.push(calling);
        if self.bundle.is_full() {
            self.post_bundle();
        }
    }

    /// Sends a call that has blocked.
    pub fn send_waiting(&mut self, calling: Box<Calling>) {
        self.post_bundle();
        self.post(Parcel::Waiting(calling), None);
    }

    /// Sends the calls that wait for others.
    fn post_bundle(&mut self) {
        if !self.bundle.is_empty() {
            let next = self.emptied.try_recv().unwrap_or_default();
            let bundle = std::mem::replace(&mut self.bundle, next);
            self.post(Parcel::Bundle(bundle), None);
        }
    }

    /// A box for a call that begins, if one is free.
    pub fn spare(&mut self) -> Option<Box<Calling>> {
        self.spare.pop().or_else(|| self.returned.try_recv().ok())
    }

    /// Takes the box of a call that is not to be told.
    pub fn reuse(&mut self, calling: Box<Calling>) {
        if calling.is_lean() {
            self.spare.push(calling);
        }
    }

    fn post(&mut self, parcel: Parcel, held: Option<Held>) {
        if self.backlog.is_empty() {
            if let Some(again) = self.try_send(parcel, held) {
                self.backlog.push_back(again);
                self.progress.awaited.store(true, Ordering::SeqCst);
            }
            // What the output did before it could know that we wait woke nobody.
            if self.progress.awaited.load(Ordering::SeqCst) {
                self.send_backlog();
            }
        } else {
            self.backlog.push_back((parcel, held));
        }
    }

    /// Ends the queue; what is sent from now on is dropped. Threads that wait run on.
    pub fn close(&mut self) {
        self.post_bundle();
        self.sender = None;
        self.wake_output();
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
        self.post_bundle();
        if let Some(sender) = self.sender.take() {
            for (parcel, _) in self.backlog.drain(..) {
                let room = parcel.room();
                self.progress.bytes.fetch_add(room, Ordering::SeqCst);
                if sender.send(parcel).is_err() {
                    break;
                }
            }
        }
        self.wake_output();
    }

    /// Tells the output that there is nothing more to wait for.
    fn wake_output(&self) {
        self.progress.output.get().inspect(|output| output.unpark());
    }

    /// How many calls have been sent.
    pub fn calls(&self) -> u64 {
        self.calls
    }

    /// Whether so much waits for room that whatever happens next has to wait, too.
    pub fn flooded(&self) -> bool {
        self.backlog.len() > CAPACITY
    }

    /// Whether there is no room: what can be left out should be.
    pub fn full(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// Sends what has found room meanwhile, and resumes the threads that no longer need to wait.
    pub fn advance(&mut self) {
        self.post_bundle();
        self.send_backlog();
    }

    fn send_backlog(&mut self) {
        while let Some((parcel, held)) = self.backlog.pop_front() {
            if let Some(again) = self.try_send(parcel, held) {
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

    fn try_send(&mut self, parcel: Parcel, held: Option<Held>) -> Option<(Parcel, Option<Held>)> {
        let (room, events) = (parcel.room(), parcel.events());
        let before = self.progress.bytes.fetch_add(room, Ordering::SeqCst);
        let result = match &self.sender {
            Some(_) if before > 0 && before + room > BYTES => Err(TrySendError::Full(parcel)),
            Some(sender) => sender.try_send(parcel),
            None => Err(TrySendError::Disconnected(parcel)),
        };
        if result.is_err() {
            self.progress.bytes.fetch_sub(room, Ordering::SeqCst);
        }
        match (result, held) {
            (Err(TrySendError::Full(parcel)), held) => return Some((parcel, held)),
            (Err(TrySendError::Disconnected(_)), held) => {
                // The output has ended (a broken pipe, say): the program goes on without it.
                self.sender = None;
                if let Some(held) = held {
                    held.resume();
                }
            }
            (Ok(()), held) => {
                let sent = self.progress.sent.fetch_add(events, Ordering::SeqCst) + events;
                match held {
                    Some(held) if self.keep_step => {
                        self.in_step.push_back((sent, held));
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
    /// Calls are told that way.
    pub fn telling(mut self, telling: Telling) -> Self {
        self.telling = telling;
        self
    }

    /// Everything is shown to `tap`, before it is told.
    pub fn tapped(mut self, tap: Option<Tap>) -> Self {
        self.tap = tap;
        self
    }

    fn see(&mut self, seen: Seen<'_>) {
        if let Some(tap) = &mut self.tap {
            tap(seen);
        }
    }

    /// Takes the box of an event that has been dealt with, for another.
    pub fn reuse(&mut self, event: Box<CallEvent>) {
        if self.spare.len() < SPARE {
            self.spare.push(event);
        }
    }

    /// The next event, or none within `patience`; an error when the tracer is done.
    pub fn next(&mut self, patience: Duration) -> Result<Option<Event>, Closed> {
        if let Some(event) = self.next_bundled() {
            return Ok(Some(event));
        }
        match self.receiver.recv_timeout(patience) {
            Ok(parcel) => Ok(self.unpack(parcel)),
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Closed),
        }
    }

    /// The next event, if one is there already.
    pub fn next_now(&mut self) -> Option<Event> {
        if let Some(event) = self.next_bundled() {
            return Some(event);
        }
        let parcel = self.receiver.try_recv().ok()?;
        self.unpack(parcel)
    }

    /// The first of the events that gather within a moment. None where somebody waits for each to be shown.
    pub fn next_gathered(&mut self) -> Option<Event> {
        if self.keep_step {
            return None;
        }
        self.progress.output.get_or_init(thread::current);
        thread::park_timeout(GATHER);
        self.next_now()
    }

    /// The event that came, a call's decoded and its box sent back.
    fn unpack(&mut self, parcel: Parcel) -> Option<Event> {
        let room = parcel.room();
        self.progress.bytes.fetch_sub(room, Ordering::SeqCst);
        match parcel {
            Parcel::Event(event) => {
                self.see(Seen::Event(&event));
                Some(*event)
            }
            Parcel::Bundle(bundle) => {
                self.bundle = Some(bundle);
                self.next_bundled()
            }
            Parcel::Waiting(mut calling) => {
                self.see(Seen::Waiting(&calling));
                Some(Event::Waiting(calling.tell(None, &self.telling)))
            }
            Parcel::Call(mut calling) => {
                self.see(Seen::Call(&calling));
                let event = calling.tell(self.spare.pop(), &self.telling);
                if calling.is_lean() {
                    // Where there are enough, it is dropped.
                    let _ = self.returns.try_send(calling);
                }
                Some(Event::Call(event))
            }
        }
    }

    /// The next event of the bundle that is being told.
    fn next_bundled(&mut self) -> Option<Event> {
        let bundle = self.bundle.as_mut()?;
        let calling = bundle.next(&mut self.bundled);
        let event = calling.map(|calling| {
            if let Some(tap) = &mut self.tap {
                tap(Seen::Call(calling));
            }
            calling.tell(self.spare.pop(), &self.telling)
        });
        if bundle.is_told()
            && let Some(mut bundle) = self.bundle.take()
        {
            bundle.clear();
            if bundle.room() <= BUNDLE_ROOM {
                // Where there are enough, it is dropped.
                let _ = self.emptied.try_send(bundle);
            }
        }
        event.map(Event::Call)
    }

    /// Whether threads wait for what they did to be shown.
    pub fn in_step(&self) -> bool {
        self.keep_step
    }

    /// Says that one event has been dealt with.
    pub fn done(&mut self) {
        self.undone += 1;
        if self.bundle.is_some() {
            return;
        }
        let undone = std::mem::take(&mut self.undone);
        let done = self.progress.done.fetch_add(undone, Ordering::SeqCst) + undone;
        if self.progress.awaited.load(Ordering::SeqCst) {
            let left = self
                .progress
                .sent
                .load(Ordering::SeqCst)
                .saturating_sub(done);
            if self.keep_step || left <= ROOM_AGAIN {
                self.alarm.ring();
            }
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

#[cfg(test)]
mod tests {
    use super::super::event::{Descriptor, Notice, Socket};
    use super::super::memory::TraceeMemory;
    use super::*;
    use crate::syscall::{Limits, Outcome, Raw, row};

    #[test]
    fn long_calls_wait_for_room_and_none_is_lost() {
        const LEN: usize = 1 << 20;
        let (mut outbox, mut inbox) = queue(false, Alarm::start().expect("a thread"));
        let memory = TraceeMemory::of(std::process::id() as i32);
        let data = vec![7u8; LEN];
        let number = libc::SYS_write as u64;
        let args = [1, data.as_ptr() as u64, LEN as u64, 0, 0, 0];
        let limits = Limits {
            data: LEN,
            ..Limits::default()
        };
        let send = |outbox: &mut Outbox| {
            let (row, raw) = (row(number).expect("a row"), Raw { number, args });
            let mut calling = Calling::enter(outbox.spare(), row, raw, &memory);
            calling.leave(0, Outcome::Value(LEN as i64), &memory, limits);
            outbox.send_call(calling, None);
        };
        let mut sent = 0;
        while !outbox.full() {
            send(&mut outbox);
            sent += 1;
            assert!(
                sent <= BYTES / LEN + 1,
                "more than {BYTES} bytes are on their way"
            );
        }
        let mut came = 0;
        while let Some(Event::Call(event)) = inbox.next_now() {
            assert_eq!(event.call.payload()[0].bytes, data);
            inbox.done();
            outbox.advance();
            came += 1;
        }
        assert_eq!(came, sent);
        assert!(!outbox.full());
    }
    #[test]
    fn recorded_calls_go_together_and_come_one_by_one() {
        const CALLS: usize = 150;
        let (mut outbox, mut inbox) = queue(false, Alarm::start().expect("a thread"));
        let memory = TraceeMemory::of(std::process::id() as i32);
        let data: Vec<u8> = (0..CALLS as u8).collect();
        let number = libc::SYS_write as u64;
        let limits = Limits {
            data: CALLS,
            ..Limits::default()
        };
        let socket = |id| Socket {
            id,
            kind: None,
            inherited: false,
        };
        for len in 0..CALLS {
            let args = [len as u64, data.as_ptr() as u64, len as u64, 0, 0, 0];
            let (row, raw) = (row(number).expect("a row"), Raw { number, args });
            let mut calling = Calling::enter(outbox.spare(), row, raw, &memory);
            calling.leave(len as u64, Outcome::Value(len as i64), &memory, limits);
            calling.recorded = true;
            let changes = &mut calling.changes;
            for id in 0..len as u64 % 3 {
                changes.sockets.push((len as i32, socket(id)));
                changes.released.push(id);
            }
            outbox.send_call(calling, None);
        }
        // What goes by itself comes behind those before it.
        outbox.send(Event::Notice(Notice::Text(String::new())), None);
        for len in 0..CALLS {
            let Some(Event::Call(event)) = inbox.next_now() else {
                panic!("call {len} did not arrive");
            };
            assert_eq!(
                (event.end, event.call.raw.args[0]),
                (len as u64, len as u64)
            );
            let bytes = event.call.payload().first().map(|it| &it.bytes[..]);
            assert_eq!(bytes.unwrap_or_default(), &data[..len]);
            assert_eq!(event.released, [0, 1][..len % 3]);
            let ids = event.descriptors.iter().map(|(fd, what)| match what {
                Descriptor::Socket(socket) if *fd == len as i32 => Some(socket.id),
                _ => None,
            });
            assert_eq!(ids.collect::<Vec<_>>(), [Some(0), Some(1)][..len % 3]);
            inbox.done();
            inbox.reuse(event);
        }
        assert!(matches!(inbox.next_now(), Some(Event::Notice(_))));
        inbox.done();
        let progress = &inbox.progress;
        let count = |count: &AtomicU64| count.load(Ordering::SeqCst);
        assert_eq!(count(&progress.done), CALLS as u64 + 1);
        assert_eq!(count(&progress.sent), CALLS as u64 + 1);
        assert_eq!(progress.bytes.load(Ordering::SeqCst), 0);
    }
}
