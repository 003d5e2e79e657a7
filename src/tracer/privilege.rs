//! Whether a program runs without the privilege that its file gives.

use std::fs;
use std::os::unix::fs::MetadataExt;

use nix::sys::statvfs::{FsFlags, statvfs};

use super::procfs;

/// Whether the process runs a setuid, setgid or capability-bearing file without the privilege that the file gives: the kernel takes it
/// away where the tracer is not privileged (execve(2)).
pub fn lost(pid: i32) -> bool {
    let path = format!("/proc/{pid}/exe");
    let Ok(file) = fs::metadata(&path) else {
        return false;
    };
    let effective = |field| {
        procfs::status(pid, field)?
            .split_whitespace()
            .nth(1)?
            .parse::<u32>()
            .ok()
    };
    let lost_user =
        file.mode() & libc::S_ISUID != 0 && effective("Uid").is_some_and(|uid| uid != file.uid());
    let lost_group = file.mode() & libc::S_ISGID != 0
        && file.mode() & libc::S_IXGRP != 0
        && effective("Gid").is_some_and(|gid| gid != file.gid());
    let lost_any = lost_user || lost_group || (has_capabilities(&path) && permits_none(pid));
    // On such a file system the kernel gives no privilege to anybody. Asked last: hardly a program comes so far.
    let nosuid = || statvfs(path.as_str()).is_ok_and(|fs| fs.flags().contains(FsFlags::ST_NOSUID));
    lost_any && !nosuid()
}

fn permits_none(pid: i32) -> bool {
    procfs::status(pid, "CapPrm").is_some_and(|mask| mask.bytes().all(|digit| digit == b'0'))
}

fn has_capabilities(path: &str) -> bool {
    let Ok(path) = std::ffi::CString::new(path) else {
        return false;
    };
    // SAFETY: both strings end with NUL; without a buffer the call only says how long the attribute is.
    let length = unsafe {
        libc::getxattr(
            path.as_ptr(),
            c"security.capability".as_ptr(),
            std::ptr::null_mut(),
            0,
        )
    };
    length > 0
}
