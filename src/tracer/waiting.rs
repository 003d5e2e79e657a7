//! Calls that block: told while they do, without being stopped.

use super::calling::Calling;
use super::engine::{Engine, PATIENCE};
use super::event::{CallEvent, Descriptor, Event, Socket};
use super::memory::TraceeMemory;
use super::tracees::Doing;
use crate::syscall::{Outcome, finish};

impl Engine {
    /// Reports the calls that have blocked for a while. They are looked at without being stopped.
    pub(super) fn report_waiting(&mut self) {
        if self.outbox.full() {
            return;
        }
        let now = self.now();
        let mut waiting = Vec::new();
        for (tid, thread) in &mut self.tracees.threads {
            if let Doing::Calling(calling) = &mut thread.doing
                && !calling.reported
                && u128::from(now.saturating_sub(calling.start)) >= PATIENCE.as_nanos()
            {
                calling.reported = true;
                let limits = self.config.limits;
                let call = finish(
                    &calling.entry,
                    Outcome::Unfinished,
                    &TraceeMemory::of(*tid),
                    limits,
                );
                let mut sockets: Vec<(i32, Socket)> = calling.subject.into_iter().collect();
                calling.each_descriptor(&call, |fd| {
                    if calling.subject.is_none_or(|(subject, _)| subject != fd) {
                        let socket = self.descriptors.socket(thread.table, fd);
                        sockets.extend(socket.map(|socket| (fd, socket)));
                    }
                });
                waiting.push((thread.pid, *tid, calling.start, call, sockets));
            }
        }
        let limits = self.config.limits;
        for (tid, start, entry) in self.recorded_waiting(now) {
            let Some(thread) = self.tracees.threads.get(&tid) else {
                continue;
            };
            let calling = Calling::new(entry);
            let memory = TraceeMemory::of(tid);
            let call = finish(&calling.entry, Outcome::Unfinished, &memory, limits);
            let mut sockets: Vec<(i32, Socket)> = Vec::new();
            calling.each_descriptor(&call, |fd| {
                let socket = self.descriptors.socket(thread.table, fd);
                sockets.extend(socket.map(|socket| (fd, socket)));
            });
            waiting.push((thread.pid, tid, start, call, sockets));
        }
        waiting.sort_by_key(|(_, _, start, ..)| *start);
        for (pid, tid, start, call, sockets) in waiting {
            if self.wanted(pid, &call, !sockets.is_empty()) {
                let descriptors = sockets
                    .into_iter()
                    .map(|(fd, socket)| (fd, Descriptor::Socket(socket)))
                    .collect();
                let event = CallEvent {
                    pid,
                    tid,
                    start,
                    end: now,
                    call,
                    descriptors,
                    released: Vec::new(),
                };
                self.outbox.send(Event::Waiting(Box::new(event)), None);
            }
        }
    }
}
