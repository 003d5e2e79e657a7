//! The processes and threads of a trace: their names, and who started whom.

use std::rc::Rc;

use rustc_hash::{FxHashMap, FxHashSet};

use super::told::Who;
use crate::tracer::event::Nanos;

/// What is known of every process and thread that lives.
#[derive(Debug, Default)]
pub struct Processes {
    /// The program itself.
    first: Option<i32>,
    processes: FxHashMap<i32, Process>,
    /// The process of each thread that isn't its leader.
    threads: FxHashMap<i32, i32>,
    /// Threads whose latest call a signal has ended.
    interrupted: FxHashSet<i32>,
}

#[derive(Debug)]
struct Process {
    name: Rc<str>,
    /// The number by which it knows itself, where that is another one.
    own: Option<i32>,
    parent: Option<Who>,
    /// Who started it, and when it became another program; until that is told.
    news: Option<(Who, Nanos)>,
    /// When polling last reported something to it.
    ready: Option<Nanos>,
}

impl Processes {
    /// How many processes and threads are known.
    pub fn len(&self) -> usize {
        self.processes.len() + self.threads.len()
    }

    /// A process or thread has begun.
    pub fn started(&mut self, pid: i32, tid: i32, parent: Option<i32>, name: &str) {
        if pid != tid {
            self.threads.insert(tid, pid);
            return;
        }
        self.first.get_or_insert(pid);
        let parent = parent.map(|parent| self.who(self.of(parent), parent));
        self.processes.insert(
            pid,
            Process {
                name: name.into(),
                own: None,
                parent,
                news: None,
                ready: None,
            },
        );
    }

    /// In its own PID namespace it has another number.
    pub fn knows_itself_as(&mut self, pid: i32, own: Option<i32>) {
        if let (Some(own), Some(process)) = (own, self.processes.get_mut(&pid)) {
            process.own = Some(own);
        }
    }

    /// A process became another program; all its other threads are gone.
    pub fn executed(&mut self, pid: i32, name: &str, time: Nanos) {
        self.threads.retain(|tid, of| {
            if *of == pid {
                self.interrupted.remove(tid);
            }
            *of != pid
        });
        let process = self.process(pid);
        process.name = name.into();
        process.news = process.parent.clone().map(|parent| (parent, time));
    }

    /// A thread has ended, and with the last one its process.
    pub fn ended(&mut self, pid: i32, tid: i32, process: bool) {
        self.threads.remove(&tid);
        self.interrupted.remove(&tid);
        if process {
            self.processes.remove(&pid);
            self.threads.retain(|_, of| *of != pid);
        }
    }

    /// The process of a thread.
    pub fn of(&self, tid: i32) -> i32 {
        self.threads.get(&tid).copied().unwrap_or(tid)
    }

    /// The process that started this one, where that is known.
    pub fn parent(&self, pid: i32) -> Option<i32> {
        Some(self.processes.get(&pid)?.parent.as_ref()?.pid)
    }

    /// Who that is.
    pub fn who(&self, pid: i32, tid: i32) -> Who {
        let process = self.processes.get(&pid);
        Who {
            pid,
            tid,
            own: process.and_then(|process| process.own),
            name: process.map_or_else(|| "".into(), |process| process.name.clone()),
        }
    }

    /// Whether it is the program itself, none of its descendants.
    pub fn is_first(&self, pid: i32) -> bool {
        self.first.is_none_or(|first| first == pid)
    }

    /// Who started this process under its present program, and when that began; told once.
    pub fn news(&mut self, pid: i32) -> Option<(Who, Nanos)> {
        self.processes.get_mut(&pid)?.news.take()
    }

    /// Polling has reported something to this process.
    pub fn polled(&mut self, pid: i32, time: Nanos) {
        self.process(pid).ready = Some(time);
    }

    /// Whether polling has reported anything to it since then.
    pub fn ready_since(&self, pid: i32, time: Nanos) -> bool {
        self.processes
            .get(&pid)
            .and_then(|process| process.ready)
            .is_some_and(|ready| ready >= time)
    }

    /// Notes whether a signal ended the thread's latest call.
    pub fn interrupt(&mut self, tid: i32, is: bool) {
        if is {
            self.interrupted.insert(tid);
        } else {
            self.interrupted.remove(&tid);
        }
    }

    /// Whether a signal has ended the thread's latest call; asked once.
    pub fn was_interrupted(&mut self, tid: i32) -> bool {
        self.interrupted.remove(&tid)
    }

    /// The process; one that nobody announced (a trace that begins in the middle) is made up.
    fn process(&mut self, pid: i32) -> &mut Process {
        self.processes.entry(pid).or_insert_with(|| Process {
            name: "".into(),
            own: None,
            parent: None,
            news: None,
            ready: None,
        })
    }
}
