//! Whether the calls that set a recorder up are allowed here: where we are confined by somebody's seccomp filter, a child tries them.

use std::ptr;

use nix::errno::Errno;

use crate::tracer::procfs;

/// Whether they are.
pub fn passes() -> bool {
    let confined = procfs::status_number(std::process::id() as i32, "Seccomp");
    confined == Some(0) || a_child_succeeds()
}

fn a_child_succeeds() -> bool {
    // SAFETY: the child makes calls alone, uses no memory but its own copy, and never returns.
    let child = unsafe { libc::fork() };
    match Errno::result(child) {
        Err(_) => false,
        Ok(0) => {
            let failed = !makes_them();
            // SAFETY: ends the process.
            unsafe { libc::_exit(failed.into()) }
        }
        Ok(child) => {
            let mut status = -1;
            // SAFETY: our own child, and a place for an int. (What its filter does to it is its own affair.)
            unsafe { libc::waitpid(child, &raw mut status, libc::__WALL) };
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

/// Makes the calls of `set_up.rs`, and those of the code itself.
fn makes_them() -> bool {
    const LEN: usize = 4096;
    let mut stat = std::mem::MaybeUninit::<libc::stat>::uninit();
    let mut byte = 0_u8;
    let local = libc::iovec {
        iov_base: (&raw mut byte).cast(),
        iov_len: 1,
    };
    // SAFETY: new mappings at addresses of the kernel's choice, places of the sizes given.
    unsafe {
        let code = libc::mmap(
            ptr::null_mut(),
            LEN,
            libc::PROT_READ | libc::PROT_EXEC,
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS,
            -1,
            0,
        );
        let file = libc::memfd_create(c"".as_ptr(), libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING);
        if code == libc::MAP_FAILED || file < 0 || libc::ftruncate(file, LEN as i64) != 0 {
            return false;
        }
        let protection = libc::PROT_READ | libc::PROT_WRITE;
        let shared = libc::mmap(ptr::null_mut(), LEN, protection, libc::MAP_SHARED, file, 0);
        shared != libc::MAP_FAILED
            && libc::fstat(file, stat.as_mut_ptr()) == 0
            && libc::close(file) == 0
            && libc::madvise(shared, LEN, libc::MADV_DONTFORK) == 0
            && libc::process_vm_readv(libc::getpid(), &raw const local, 1, &raw const local, 1, 0)
                == 1
    }
}
