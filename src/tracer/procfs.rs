//! What /proc says of a tracee (proc(5)). Every answer may be missing: a process can end at any time.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;

use super::descriptors::Look;
use super::event::SocketId;

/// The thread's name (/proc/PID/comm), at most 15 bytes; what is not UTF-8 is replaced.
pub fn name(tid: i32) -> String {
    let bytes = fs::read(format!("/proc/{tid}/comm")).unwrap_or_default();
    String::from_utf8_lossy(bytes.strip_suffix(b"\n").unwrap_or(&bytes)).into_owned()
}

/// The file that the process runs (/proc/PID/exe).
pub fn executable(pid: i32) -> Vec<u8> {
    fs::read_link(format!("/proc/{pid}/exe"))
        .map(|path| OsString::from(path).into_vec())
        .unwrap_or_default()
}

/// What a descriptor leads to, as /proc/PID/fd says it: a path, `socket:[N]`, `pipe:[N]`.
pub fn descriptor(tid: i32, fd: i32) -> Option<Vec<u8>> {
    link(tid, fd).ok()
}

fn link(tid: i32, fd: i32) -> std::io::Result<Vec<u8>> {
    fs::read_link(format!("/proc/{tid}/fd/{fd}")).map(|path| OsString::from(path).into_vec())
}

/// What a descriptor leads to, as far as sockets go.
pub fn look(tid: i32, fd: i32) -> Look {
    match link(tid, fd) {
        Ok(link) => socket(&link).map_or(Look::Other, Look::Socket),
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Look::Denied,
        Err(_) => Look::Other,
    }
}

/// The inode in `socket:[N]`.
fn socket(link: &[u8]) -> Option<SocketId> {
    let number = link.strip_prefix(b"socket:[")?.strip_suffix(b"]")?;
    std::str::from_utf8(number).ok()?.parse().ok()
}

/// The sockets among all open descriptors of a process, each with its close-on-exec flag.
pub fn sockets(pid: i32) -> Vec<(i32, SocketId, bool)> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter_map(|fd| Some((fd, socket(&descriptor(pid, fd)?)?, closes_on_exec(pid, fd))))
        .collect()
}

fn closes_on_exec(pid: i32, fd: i32) -> bool {
    let info = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).unwrap_or_default();
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags
        .and_then(|flags| i32::from_str_radix(flags.trim(), 8).ok())
        .is_some_and(|flags| flags & libc::O_CLOEXEC != 0)
}

/// A field of /proc/PID/status.
pub fn status(tid: i32, field: &str) -> Option<String> {
    let status = fs::read(format!("/proc/{tid}/status")).ok()?;
    String::from_utf8_lossy(&status).lines().find_map(|line| {
        line.strip_prefix(field)?
            .strip_prefix(':')
            .map(|value| value.trim().to_owned())
    })
}

/// A field of /proc/PID/status that is one number.
pub fn status_number(tid: i32, field: &str) -> Option<i32> {
    status(tid, field)?.parse().ok()
}

/// Whether any signal waits for the thread or its process that the thread does not block.
pub fn any_signal_pending(tid: i32) -> bool {
    let set = |field| {
        let mask = status(tid, field);
        mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok())
            .unwrap_or(0)
    };
    (set("SigPnd") | set("ShdPnd")) & !set("SigBlk") != 0
}

/// Whether a signal waits for the process or its leader to take it.
pub fn signal_pending(pid: i32, signal: i32) -> bool {
    ["SigPnd", "ShdPnd"].into_iter().any(|field| {
        let mask = status(pid, field)
            .and_then(|mask| u64::from_str_radix(&mask, 16).ok())
            .unwrap_or(0);
        mask & 1 << (signal - 1) != 0
    })
}

/// Whether the thread sleeps.
pub fn is_asleep(tid: i32) -> bool {
    status(tid, "State").is_some_and(|state| state.starts_with('S'))
}

/// Whether a signal has stopped the thread.
pub fn in_group_stop(tid: i32) -> bool {
    status(tid, "State").is_some_and(|state| state.starts_with('T'))
}

/// Whether the thread is in a ptrace-stop, or gone: its tracer has something to do.
pub fn in_ptrace_stop(tid: i32) -> bool {
    status(tid, "State").is_none_or(|state| state.starts_with(['t', 'Z', 'X']))
}

/// How often the thread was switched away from: it changes when a sleeping thread runs.
pub fn switches(tid: i32) -> Option<i32> {
    let count = |field| status_number(tid, field);
    Some(count("voluntary_ctxt_switches")?.wrapping_add(count("nonvoluntary_ctxt_switches")?))
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;

    use super::*;

    #[test]
    fn sees_the_sockets_of_this_process() {
        let pid = std::process::id() as i32;
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let all = sockets(pid);
        let found = all.iter().find(|(fd, ..)| *fd == socket.as_raw_fd());
        assert_eq!(
            found.map(|(fd, _, cloexec)| (*fd, *cloexec)),
            Some((socket.as_raw_fd(), true))
        );
        let file = fs::File::open("/dev/null").unwrap();
        assert_eq!(look(pid, file.as_raw_fd()), Look::Other);
        assert_eq!(
            descriptor(pid, file.as_raw_fd()).as_deref(),
            Some(&b"/dev/null"[..])
        );
        assert_eq!(status_number(pid, "Pid"), Some(pid));
        assert!(!signal_pending(pid, libc::SIGUSR1));
    }
}
