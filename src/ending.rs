//! Ending as the program ended: with its exit status, or by the signal that killed it.

use std::process::exit;
use std::ptr;

use crate::tracer::event::Status;

/// Ends this process in the same way.
pub fn end_like(status: Status) -> ! {
    match status {
        Status::Exited(code) => exit(code),
        Status::Killed(signal, _) => {
            // SAFETY: plain calls about this process; the program left the core dump, if any, so we leave none.
            unsafe {
                let none = libc::rlimit {
                    rlim_cur: 0,
                    rlim_max: 0,
                };
                libc::setrlimit(libc::RLIMIT_CORE, &raw const none);
                libc::prctl(libc::PR_SET_DUMPABLE, 0);
                libc::signal(signal, libc::SIG_DFL);
                let mut all = std::mem::MaybeUninit::uninit();
                libc::sigemptyset(all.as_mut_ptr());
                libc::sigaddset(all.as_mut_ptr(), signal);
                libc::pthread_sigmask(libc::SIG_UNBLOCK, all.as_ptr(), ptr::null_mut());
                libc::raise(signal);
            }
            // Only a signal that does not kill us gets here; shells write such an end so.
            exit(128 + signal)
        }
    }
}
