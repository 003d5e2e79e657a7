//! Calls that block: told while they do, without being stopped.

use super::calling::Calling;
use super::engine::{Engine, PATIENCE};
use super::event::Socket;
use super::memory::TraceeMemory;
use super::tracees::Doing;
use super::watch::Watching;
use crate::syscall::{Limits, Outcome, Role};

/// How many bytes of data are copied while a call blocks: it comes again when it is over.
const SHOWN: usize = 1 << 20;

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
                waiting.push((*tid, calling.start, calling.entry.clone(), calling.subject));
            }
        }
        let recorded = self.recorded_waiting(now).into_iter();
        waiting.extend(recorded.map(|(tid, start, entry)| (tid, start, entry, None)));
        waiting.sort_by_key(|(_, start, ..)| *start);
        for (tid, start, entry, subject) in waiting {
            let Some(thread) = self.tracees.threads.get(&tid) else {
                continue;
            };
            let mut calling = Box::new(Calling::new(entry));
            (calling.pid, calling.tid, calling.start) = (thread.pid, tid, start);
            let memory = TraceeMemory::of(tid);
            let limits = self.config.limits;
            let limits = Limits {
                data: limits.data.min(SHOWN),
                ..limits
            };
            calling.leave(now, Outcome::Unfinished, &memory, limits);
            let outline = calling.outline();
            let mut sockets: Vec<(i32, Socket)> = subject.into_iter().collect();
            calling.each_descriptor(&outline, |fd| {
                if subject.is_none_or(|(subject, _)| subject != fd) {
                    let socket = self.descriptors.socket(thread.table, fd);
                    sockets.extend(socket.map(|socket| (fd, socket)));
                }
            });
            if self.wanted(thread.pid, &outline, !sockets.is_empty()) {
                calling.changes.sockets = sockets;
                let connects = calling.entry.row.role == Role::Connect;
                self.outbox.send_waiting(calling);
                if let (true, Some((_, socket))) = (connects, subject) {
                    self.watch(tid, &socket, Watching::Handshake);
                }
            }
        }
    }
}
