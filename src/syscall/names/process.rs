//! Constants of clone(2) and signals.

use super::Names;

macro_rules! tables {
    (signals { $($signal:tt)* } clone { $($clone:tt)* } clone3 { $($clone3:tt)* }) => {
        /// Signals on x86_64 (signal(7)).
        pub static SIGNAL: Names = Names::new("SIG???", &[$($signal)*]);

        /// CLONE_* with, in the lowest byte, the signal that the parent gets at the end (clone(2)).
        pub static CLONE: Names = Names::masked("CLONE_???", 0xff, &[$($signal)* $($clone)*]);

        /// The flags of clone3(2) and unshare(2): no signal among them, and newer ones in its byte and above.
        pub static CLONE3: Names = Names::new("CLONE_???", &[$($clone3)* $($clone)*]);
    };
}

tables! {
    signals {
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (16, "SIGSTKFLT"),
        (17, "SIGCHLD"),
        (18, "SIGCONT"),
        (19, "SIGSTOP"),
        (20, "SIGTSTP"),
        (21, "SIGTTIN"),
        (22, "SIGTTOU"),
        (23, "SIGURG"),
        (24, "SIGXCPU"),
        (25, "SIGXFSZ"),
        (26, "SIGVTALRM"),
        (27, "SIGPROF"),
        (28, "SIGWINCH"),
        (29, "SIGIO"),
        (30, "SIGPWR"),
        (31, "SIGSYS"),
        (32, "SIGRTMIN"),
        (33, "SIGRT_1"),
        (34, "SIGRT_2"),
        (35, "SIGRT_3"),
        (36, "SIGRT_4"),
        (37, "SIGRT_5"),
        (38, "SIGRT_6"),
        (39, "SIGRT_7"),
        (40, "SIGRT_8"),
        (41, "SIGRT_9"),
        (42, "SIGRT_10"),
        (43, "SIGRT_11"),
        (44, "SIGRT_12"),
        (45, "SIGRT_13"),
        (46, "SIGRT_14"),
        (47, "SIGRT_15"),
        (48, "SIGRT_16"),
        (49, "SIGRT_17"),
        (50, "SIGRT_18"),
        (51, "SIGRT_19"),
        (52, "SIGRT_20"),
        (53, "SIGRT_21"),
        (54, "SIGRT_22"),
        (55, "SIGRT_23"),
        (56, "SIGRT_24"),
        (57, "SIGRT_25"),
        (58, "SIGRT_26"),
        (59, "SIGRT_27"),
        (60, "SIGRT_28"),
        (61, "SIGRT_29"),
        (62, "SIGRT_30"),
        (63, "SIGRT_31"),
        (64, "SIGRT_32"),
    }
    clone {
        (0x100, "CLONE_VM"),
        (0x200, "CLONE_FS"),
        (0x400, "CLONE_FILES"),
        (0x800, "CLONE_SIGHAND"),
        (0x1000, "CLONE_PIDFD"),
        (0x2000, "CLONE_PTRACE"),
        (0x4000, "CLONE_VFORK"),
        (0x8000, "CLONE_PARENT"),
        (0x1_0000, "CLONE_THREAD"),
        (0x2_0000, "CLONE_NEWNS"),
        (0x4_0000, "CLONE_SYSVSEM"),
        (0x8_0000, "CLONE_SETTLS"),
        (0x10_0000, "CLONE_PARENT_SETTID"),
        (0x20_0000, "CLONE_CHILD_CLEARTID"),
        (0x40_0000, "CLONE_DETACHED"),
        (0x80_0000, "CLONE_UNTRACED"),
        (0x100_0000, "CLONE_CHILD_SETTID"),
        (0x200_0000, "CLONE_NEWCGROUP"),
        (0x400_0000, "CLONE_NEWUTS"),
        (0x800_0000, "CLONE_NEWIPC"),
        (0x1000_0000, "CLONE_NEWUSER"),
        (0x2000_0000, "CLONE_NEWPID"),
        (0x4000_0000, "CLONE_NEWNET"),
        (0x8000_0000, "CLONE_IO"),
    }
    clone3 {
        (0x80, "CLONE_NEWTIME"),
        (0x1_0000_0000, "CLONE_CLEAR_SIGHAND"),
        (0x2_0000_0000, "CLONE_INTO_CGROUP"),
    }
}

/// AT_* of execveat(2).
pub static EXEC_AT: Names = Names::new(
    "AT_???",
    &[
        (0x100, "AT_SYMLINK_NOFOLLOW"),
        (0x1000, "AT_EMPTY_PATH"),
        (0x10000, "AT_EXECVE_CHECK"),
    ],
);
