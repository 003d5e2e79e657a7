//! What /proc says of a tracee (proc(5)). Every answer may be missing: a process can end at any time.

use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;

use super::descriptors::Look;
use super::event::SocketId;
use super::recorder::space::Mapping;

/// The longest name of a descriptor in /proc: `/proc/-2147483648/fd/-2147483648` and a NUL.
const PATH: usize = 33;

/// The longest name of a socket there: `socket:[18446744073709551615]`. What is longer is none.
const SOCKET: usize = 30;

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
    let link = fs::read_link(format!("/proc/{tid}/fd/{fd}"));
    Some(OsString::from(link.ok()?).into_vec())
}

/// What a descriptor leads to, as far as sockets go. It is asked for each new one, so it takes no memory.
pub fn look(tid: i32, fd: i32) -> Look {
    let (mut path, mut link) = ([0; PATH], [0; SOCKET]);
    write!(&mut path[..], "/proc/{tid}/fd/{fd}\0").expect("room for two numbers");
    // SAFETY: a string that ends with NUL, and a place of the size given.
    let len = unsafe { libc::readlink(path.as_ptr().cast(), link.as_mut_ptr().cast(), SOCKET) };
    match Errno::result(len) {
        Ok(len) => socket(&link[..len as usize]).map_or(Look::Other, Look::Socket),
        Err(Errno::EACCES | Errno::EPERM) => Look::Denied,
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
    let set = |field| signal_set(tid, field);
    (set("SigPnd") | set("ShdPnd")) & !set("SigBlk") != 0
}

/// Whether a signal waits for the process or its leader to take it.
pub fn signal_pending(pid: i32, signal: i32) -> bool {
    ["SigPnd", "ShdPnd"]
        .into_iter()
        .any(|field| signal_set(pid, field) & 1 << (signal - 1) != 0)
}

/// Whether the thread sleeps.
pub fn is_asleep(tid: i32) -> bool {
    status(tid, "State").is_some_and(|state| state.starts_with('S'))
}

/// Whether the thread runs in user mode, or could at any moment: it neither sleeps nor is stopped.
pub fn is_running(tid: i32) -> bool {
    status(tid, "State").is_some_and(|state| state.starts_with('R'))
}

/// Whether a fault's signal would change the thread's dispositions, since it is blocked or ignored.
pub fn forces(tid: i32, signal: i32) -> bool {
    ["SigBlk", "SigIgn"]
        .into_iter()
        .any(|field| signal_set(tid, field) & 1 << (signal - 1) != 0)
}

/// A set of signals in /proc/PID/status.
fn signal_set(tid: i32, field: &str) -> u64 {
    let mask = status(tid, field);
    mask.and_then(|mask| u64::from_str_radix(&mask, 16).ok())
        .unwrap_or(0)
}

/// The process's number in its own namespace of such.
pub fn own_number(pid: i32) -> Option<i32> {
    status(pid, "NSpid")?
        .split_whitespace()
        .last()?
        .parse()
        .ok()
}

/// The same where that namespace is not ours.
pub fn foreign_number(pid: i32) -> Option<i32> {
    let of = |pid: &str| Some(fs::metadata(format!("/proc/{pid}/ns/pid")).ok()?.ino());
    match of(&pid.to_string())? == of("self")? {
        true => None,
        false => own_number(pid),
    }
}

/// Whether two processes have the same memory (kcmp(2)). Where the kernel does not say, they have not.
pub fn share_memory(one: i32, other: i32) -> bool {
    /// See linux/kcmp.h.
    const KCMP_VM: i32 = 1;
    // SAFETY: takes plain numbers.
    unsafe { libc::syscall(libc::SYS_kcmp, one, other, KCMP_VM, 0, 0) == 0 }
}

/// What the process has mapped (/proc/PID/maps), in order.
pub fn mappings(tid: i32) -> Vec<Mapping> {
    let maps = fs::read(format!("/proc/{tid}/maps")).unwrap_or_default();
    String::from_utf8_lossy(&maps)
        .lines()
        .filter_map(|line| {
            let (range, rest) = line.split_once(' ')?;
            let (start, end) = range.split_once('-')?;
            let address = |text| u64::from_str_radix(text, 16).ok();
            Some(Mapping {
                range: address(start)?..address(end)?,
                permissions: *rest.as_bytes().first_chunk()?,
                heap: rest.ends_with("[heap]"),
            })
        })
        .collect()
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
