//! The line of a process or thread at a turn of its life.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::call::{inode, socket_id};
use super::{Bytes, ExitLine};
use crate::syscall::Data;
use crate::tracer::event::{Change, Nanos, ProcessEvent, Status};

/// A process or thread began, became another program, got a signal, stopped or ended.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ProcessLine<'a> {
    /// The run that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none", skip_deserializing)]
    pub run: Option<&'a str>,
    /// The process (thread group).
    pub pid: i32,
    /// The thread.
    pub tid: i32,
    /// When, in ns since the trace began.
    #[serde(rename = "time_ns")]
    pub time: u64,
    /// What: started, executed, signal, stopped, continued or ended.
    pub change: Cow<'a, str>,
    /// started: the thread that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<i32>,
    /// started, executed: its name (comm).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Cow<'a, str>>,
    /// started: the number by which it knows itself, where its PID namespace is not ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub own_pid: Option<i32>,
    /// executed: the program's file, where its name is UTF-8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<Cow<'a, str>>,
    /// executed: the same where it isn't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_base64: Option<Bytes<'a>>,
    /// executed: how long that name is, where only its beginning is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_length: Option<u64>,
    /// executed: the thread that called execve, where it was not the leader.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub former: Option<i32>,
    /// signal, stopped, ended: its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal: Option<i32>,
    /// signal: si_code (sigaction(2)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<i32>,
    /// signal: the process that sent it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sender: Option<i32>,
    /// ended: its exit status, where no signal killed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<i32>,
    /// ended by a signal: whether it left a core dump.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub core_dumped: Option<bool>,
    /// ended: whether the whole process is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<bool>,
    /// executed, ended: the sockets whose last descriptor went with it, by their inodes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub released: Vec<i64>,
}

impl<'a> From<&'a ProcessEvent> for ProcessLine<'a> {
    fn from(event: &'a ProcessEvent) -> Self {
        let mut line = Self {
            pid: event.pid,
            tid: event.tid,
            time: event.time,
            ..Self::default()
        };
        let word = match &event.change {
            Change::Started { parent, name, own } => {
                (line.parent, line.name) = (*parent, Some(name.into()));
                line.own_pid = *own;
                "started"
            }
            Change::Executed {
                name,
                path,
                released,
                former,
            } => {
                (line.name, line.former) = (Some(name.into()), *former);
                match std::str::from_utf8(&path.bytes) {
                    Ok(path) => line.path = Some(path.into()),
                    Err(_) => line.path_base64 = Some(Bytes(path.bytes.as_slice().into())),
                }
                line.path_length = (path.len != path.bytes.len() as u64).then_some(path.len);
                line.released = released.iter().map(|id| inode(*id)).collect();
                "executed"
            }
            Change::Signal {
                signal,
                code,
                sender,
            } => {
                (line.signal, line.code, line.sender) = (Some(*signal), Some(*code), *sender);
                "signal"
            }
            Change::Stopped { signal } => {
                line.signal = Some(*signal);
                "stopped"
            }
            Change::Continued => "continued",
            Change::Ended {
                status,
                released,
                process,
            } => {
                (line.exit_status, line.signal, line.core_dumped) = ending(*status);
                line.whole = Some(*process);
                line.released = released.iter().map(|id| inode(*id)).collect();
                "ended"
            }
        };
        line.change = word.into();
        line
    }
}

/// Sees how the program ends, for the last line.
#[derive(Clone, Copy, Debug, Default)]
pub struct ProgramEnd {
    program: Option<i32>,
    status: Option<Status>,
}

impl ProgramEnd {
    /// Takes in what became of a process: the first one is the program's own.
    pub fn see(&mut self, event: &ProcessEvent) {
        match event.change {
            Change::Started { parent: None, .. } => {
                self.program.get_or_insert(event.pid);
            }
            Change::Ended { status, .. } if self.program == Some(event.tid) => {
                self.status = Some(status);
            }
            _ => {}
        }
    }

    /// The last line of a trace that ends now.
    pub fn exit_line(self, now: Nanos) -> ExitLine<'static> {
        let (exit_status, signal, _) = self.status.map(ending).unwrap_or_default();
        ExitLine {
            run: None,
            time: now,
            exit_status,
            signal,
        }
    }
}

/// A status as exit status, signal and whether there is a core dump.
pub fn ending(status: Status) -> (Option<i32>, Option<i32>, Option<bool>) {
    match status {
        Status::Exited(status) => (Some(status), None, None),
        Status::Killed(signal, core) => (None, Some(signal), Some(core)),
    }
}

/// The reverse.
pub fn status(exit_status: Option<i32>, signal: Option<i32>, core: Option<bool>) -> Status {
    match signal {
        Some(signal) => Status::Killed(signal, core.unwrap_or(false)),
        None => Status::Exited(exit_status.unwrap_or(0)),
    }
}

impl ProcessLine<'_> {
    /// The event; nothing where this version does not know what happened.
    pub fn event(self) -> Option<ProcessEvent> {
        let released = self.released.into_iter().map(socket_id).collect();
        let name = self.name.unwrap_or_default().into_owned();
        let change = match &*self.change {
            "started" => Change::Started {
                parent: self.parent,
                name,
                own: self.own_pid,
            },
            "executed" => {
                let bytes = match (self.path, self.path_base64) {
                    (Some(path), _) => path.into_owned().into_bytes(),
                    (None, path) => path.unwrap_or_default().0.into_owned(),
                };
                Change::Executed {
                    name,
                    path: Data {
                        len: self.path_length.unwrap_or(bytes.len() as u64),
                        bytes,
                    },
                    released,
                    former: self.former,
                }
            }
            "signal" => Change::Signal {
                signal: self.signal?,
                code: self.code.unwrap_or(0),
                sender: self.sender,
            },
            "stopped" => Change::Stopped {
                signal: self.signal?,
            },
            "continued" => Change::Continued,
            "ended" => Change::Ended {
                status: status(self.exit_status, self.signal, self.core_dumped),
                released,
                process: self.whole.unwrap_or(true),
            },
            _ => return None,
        };
        Some(ProcessEvent {
            pid: self.pid,
            tid: self.tid,
            time: self.time,
            change,
        })
    }
}
