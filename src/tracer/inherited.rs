//! What we inherited and must hand on untouched: the dispositions of SIGPIPE and SIGTTOU, and which of descriptors 0 to 2 were closed.
//!
//! Rust's runtime ignores SIGPIPE and opens /dev/null at closed standard descriptors before `main` runs, so they are noted by
//! a function that the dynamic loader (or the static start code) calls before that.

use std::ffi::CStr;
use std::sync::atomic::{AtomicBool, Ordering};

static PIPE_IGNORED: AtomicBool = AtomicBool::new(false);
static TTOU_IGNORED: AtomicBool = AtomicBool::new(false);
static CLOSED: [AtomicBool; 3] = [const { AtomicBool::new(false) }; 3];

extern "C" fn note() {
    // SAFETY: both calls only ask, and sigaction is a plain structure that all zero is a value of.
    unsafe {
        let mut action: libc::sigaction = std::mem::zeroed();
        for (signal, ignored) in [
            (libc::SIGPIPE, &PIPE_IGNORED),
            (libc::SIGTTOU, &TTOU_IGNORED),
        ] {
            libc::sigaction(signal, std::ptr::null(), &raw mut action);
            ignored.store(action.sa_sigaction == libc::SIG_IGN, Ordering::Relaxed);
        }
        for (fd, closed) in CLOSED.iter().enumerate() {
            closed.store(
                libc::fcntl(fd as i32, libc::F_GETFD) == -1,
                Ordering::Relaxed,
            );
        }
    }
}

#[used]
// SAFETY: the section holds pointers to functions that are called once at the start with no precondition; `note` allocates nothing.
#[unsafe(link_section = ".init_array")]
static AT_START: extern "C" fn() = note;

/// The environment as it was handed to us, entry by entry: those that are no `NAME=VALUE` too.
pub fn environment() -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    // SAFETY: environ points to strings that end with NUL, and ends with NULL (environ(7)); nothing here changes it.
    unsafe {
        let mut next = environ;
        while !next.is_null() && !(*next).is_null() {
            entries.push(CStr::from_ptr(*next).to_bytes().to_vec());
            next = next.add(1);
        }
    }
    entries
}

unsafe extern "C" {
    static environ: *const *const libc::c_char;
}

/// Whether whoever started us ignored SIGPIPE.
pub fn pipe_ignored() -> bool {
    PIPE_IGNORED.load(Ordering::Relaxed)
}

/// Whether whoever started us ignored SIGTTOU.
pub fn background_writes_ignored() -> bool {
    TTOU_IGNORED.load(Ordering::Relaxed)
}

/// Whether that standard descriptor (0, 1 or 2) was closed.
pub fn closed(fd: usize) -> bool {
    CLOSED[fd].load(Ordering::Relaxed)
}
