//! Constants of open(2), fcntl(2) and of the other calls that make descriptors or work on them.

use super::Names;

const CLOEXEC: u64 = 0o2000000;
const NONBLOCK: u64 = 0o4000;

/// O_* on x86_64 (open(2)). O_RDONLY, O_WRONLY and O_RDWR share two bits.
pub static OPEN: Names = Names::masked(
    "O_???",
    0o3,
    &[
        (0, "O_RDONLY"),
        (1, "O_WRONLY"),
        (2, "O_RDWR"),
        (3, "O_ACCMODE"),
        (0o100, "O_CREAT"),
        (0o200, "O_EXCL"),
        (0o400, "O_NOCTTY"),
        (0o1000, "O_TRUNC"),
        (0o2000, "O_APPEND"),
        (NONBLOCK, "O_NONBLOCK"),
        (0o4010000, "O_SYNC"),
        (0o10000, "O_DSYNC"),
        (0o20000, "O_ASYNC"),
        (0o40000, "O_DIRECT"),
        (0o100000, "O_LARGEFILE"),
        (0o400000, "O_NOFOLLOW"),
        (0o1000000, "O_NOATIME"),
        (CLOEXEC, "O_CLOEXEC"),
        (0o10000000, "O_PATH"),
        (0o20200000, "O_TMPFILE"),
        (0o200000, "O_DIRECTORY"),
    ],
);

/// What pipe2(2), dup3(2) and others take of O_*: no access mode among them.
pub static DESCRIPTOR: Names = Names::new(
    "O_???",
    &[
        (NONBLOCK, "O_NONBLOCK"),
        (0o40000, "O_DIRECT"),
        (0o200, "O_EXCL"),
        (CLOEXEC, "O_CLOEXEC"),
    ],
);

/// RESOLVE_* (openat2(2)).
pub static RESOLVE: Names = Names::new(
    "RESOLVE_???",
    &[
        (0x01, "RESOLVE_NO_XDEV"),
        (0x02, "RESOLVE_NO_MAGICLINKS"),
        (0x04, "RESOLVE_NO_SYMLINKS"),
        (0x08, "RESOLVE_BENEATH"),
        (0x10, "RESOLVE_IN_ROOT"),
        (0x20, "RESOLVE_CACHED"),
    ],
);

/// The one flag of F_SETFD.
pub static FD: Names = Names::new("FD_???", &[(1, "FD_CLOEXEC")]);

/// l_type of a struct flock, and the argument of F_SETLEASE.
pub static LOCK: Names = Names::new("F_???", &[(0, "F_RDLCK"), (1, "F_WRLCK"), (2, "F_UNLCK")]);

/// Where an offset counts from (lseek(2)).
pub static WHENCE: Names = Names::new(
    "SEEK_???",
    &[(0, "SEEK_SET"), (1, "SEEK_CUR"), (2, "SEEK_END")],
);

/// Who owns a descriptor's signals (F_SETOWN_EX).
pub static OWNER: Names = Names::new(
    "F_OWNER_???",
    &[(0, "F_OWNER_TID"), (1, "F_OWNER_PID"), (2, "F_OWNER_PGRP")],
);

/// F_SEAL_* (F_ADD_SEALS).
pub static SEAL: Names = Names::new(
    "F_SEAL_???",
    &[
        (0x01, "F_SEAL_SEAL"),
        (0x02, "F_SEAL_SHRINK"),
        (0x04, "F_SEAL_GROW"),
        (0x08, "F_SEAL_WRITE"),
        (0x10, "F_SEAL_FUTURE_WRITE"),
        (0x20, "F_SEAL_EXEC"),
    ],
);

/// CLOSE_RANGE_* (close_range(2)).
pub static CLOSE_RANGE: Names = Names::new(
    "CLOSE_RANGE_???",
    &[(2, "CLOSE_RANGE_UNSHARE"), (4, "CLOSE_RANGE_CLOEXEC")],
);

/// RWF_* (preadv2(2)).
pub static READ_WRITE: Names = Names::new(
    "RWF_???",
    &[
        (0x01, "RWF_HIPRI"),
        (0x02, "RWF_DSYNC"),
        (0x04, "RWF_SYNC"),
        (0x08, "RWF_NOWAIT"),
        (0x10, "RWF_APPEND"),
        (0x20, "RWF_NOAPPEND"),
        (0x40, "RWF_ATOMIC"),
        (0x80, "RWF_DONTCACHE"),
    ],
);

/// SPLICE_F_* (splice(2)).
pub static SPLICE: Names = Names::new(
    "SPLICE_F_???",
    &[
        (1, "SPLICE_F_MOVE"),
        (2, "SPLICE_F_NONBLOCK"),
        (4, "SPLICE_F_MORE"),
        (8, "SPLICE_F_GIFT"),
    ],
);

/// EFD_* (eventfd(2)).
pub static EVENT: Names = Names::new(
    "EFD_???",
    &[
        (1, "EFD_SEMAPHORE"),
        (CLOEXEC, "EFD_CLOEXEC"),
        (NONBLOCK, "EFD_NONBLOCK"),
    ],
);

/// TFD_* of timerfd_create(2).
pub static TIMER: Names = Names::new(
    "TFD_???",
    &[(CLOEXEC, "TFD_CLOEXEC"), (NONBLOCK, "TFD_NONBLOCK")],
);

/// SFD_* (signalfd(2)).
pub static SIGNAL: Names = Names::new(
    "SFD_???",
    &[(CLOEXEC, "SFD_CLOEXEC"), (NONBLOCK, "SFD_NONBLOCK")],
);

/// IN_* of inotify_init1(2).
pub static INOTIFY: Names = Names::new(
    "IN_???",
    &[(CLOEXEC, "IN_CLOEXEC"), (NONBLOCK, "IN_NONBLOCK")],
);

/// MFD_* (memfd_create(2)), the page size in the upper six bits left as a number.
pub static MEMFD: Names = Names::new(
    "MFD_???",
    &[
        (0x01, "MFD_CLOEXEC"),
        (0x02, "MFD_ALLOW_SEALING"),
        (0x04, "MFD_HUGETLB"),
        (0x08, "MFD_NOEXEC_SEAL"),
        (0x10, "MFD_EXEC"),
    ],
);

/// FAN_* of fanotify_init(2).
pub static FANOTIFY: Names = Names::new(
    "FAN_???",
    &[
        (0x0001, "FAN_CLOEXEC"),
        (0x0002, "FAN_NONBLOCK"),
        (0x0004, "FAN_CLASS_CONTENT"),
        (0x0008, "FAN_CLASS_PRE_CONTENT"),
        (0x0010, "FAN_UNLIMITED_QUEUE"),
        (0x0020, "FAN_UNLIMITED_MARKS"),
        (0x0040, "FAN_ENABLE_AUDIT"),
        (0x0080, "FAN_REPORT_PIDFD"),
        (0x0100, "FAN_REPORT_TID"),
        (0x0200, "FAN_REPORT_FID"),
        (0x0400, "FAN_REPORT_DIR_FID"),
        (0x0800, "FAN_REPORT_NAME"),
        (0x1000, "FAN_REPORT_TARGET_FID"),
        (0x2000, "FAN_REPORT_FD_ERROR"),
        (0x4000, "FAN_REPORT_MNT"),
    ],
);

/// CLOCK_* (clock_gettime(2)).
pub static CLOCK: Names = Names::new(
    "CLOCK_???",
    &[
        (0, "CLOCK_REALTIME"),
        (1, "CLOCK_MONOTONIC"),
        (2, "CLOCK_PROCESS_CPUTIME_ID"),
        (3, "CLOCK_THREAD_CPUTIME_ID"),
        (4, "CLOCK_MONOTONIC_RAW"),
        (5, "CLOCK_REALTIME_COARSE"),
        (6, "CLOCK_MONOTONIC_COARSE"),
        (7, "CLOCK_BOOTTIME"),
        (8, "CLOCK_REALTIME_ALARM"),
        (9, "CLOCK_BOOTTIME_ALARM"),
        (11, "CLOCK_TAI"),
    ],
);

/// IORING_SETUP_* (io_uring_setup(2)).
pub static RING_SETUP: Names = Names::new(
    "IORING_SETUP_???",
    &[
        (1 << 0, "IORING_SETUP_IOPOLL"),
        (1 << 1, "IORING_SETUP_SQPOLL"),
        (1 << 2, "IORING_SETUP_SQ_AFF"),
        (1 << 3, "IORING_SETUP_CQSIZE"),
        (1 << 4, "IORING_SETUP_CLAMP"),
        (1 << 5, "IORING_SETUP_ATTACH_WQ"),
        (1 << 6, "IORING_SETUP_R_DISABLED"),
        (1 << 7, "IORING_SETUP_SUBMIT_ALL"),
        (1 << 8, "IORING_SETUP_COOP_TASKRUN"),
        (1 << 9, "IORING_SETUP_TASKRUN_FLAG"),
        (1 << 10, "IORING_SETUP_SQE128"),
        (1 << 11, "IORING_SETUP_CQE32"),
        (1 << 12, "IORING_SETUP_SINGLE_ISSUER"),
        (1 << 13, "IORING_SETUP_DEFER_TASKRUN"),
        (1 << 14, "IORING_SETUP_NO_MMAP"),
        (1 << 15, "IORING_SETUP_REGISTERED_FD_ONLY"),
        (1 << 16, "IORING_SETUP_NO_SQARRAY"),
        (1 << 17, "IORING_SETUP_HYBRID_IOPOLL"),
    ],
);

/// IORING_ENTER_* (io_uring_enter(2)).
pub static RING_ENTER: Names = Names::new(
    "IORING_ENTER_???",
    &[
        (1 << 0, "IORING_ENTER_GETEVENTS"),
        (1 << 1, "IORING_ENTER_SQ_WAKEUP"),
        (1 << 2, "IORING_ENTER_SQ_WAIT"),
        (1 << 3, "IORING_ENTER_EXT_ARG"),
        (1 << 4, "IORING_ENTER_REGISTERED_RING"),
        (1 << 5, "IORING_ENTER_ABS_TIMER"),
        (1 << 6, "IORING_ENTER_EXT_ARG_REG"),
        (1 << 7, "IORING_ENTER_NO_IOWAIT"),
    ],
);

/// IORING_REGISTER_* (io_uring_register(2)).
pub static RING_REGISTER: Names = Names::new(
    "IORING_REGISTER_???",
    &[
        (0, "IORING_REGISTER_BUFFERS"),
        (1, "IORING_UNREGISTER_BUFFERS"),
        (2, "IORING_REGISTER_FILES"),
        (3, "IORING_UNREGISTER_FILES"),
        (4, "IORING_REGISTER_EVENTFD"),
        (5, "IORING_UNREGISTER_EVENTFD"),
        (6, "IORING_REGISTER_FILES_UPDATE"),
        (7, "IORING_REGISTER_EVENTFD_ASYNC"),
        (8, "IORING_REGISTER_PROBE"),
        (9, "IORING_REGISTER_PERSONALITY"),
        (10, "IORING_UNREGISTER_PERSONALITY"),
        (11, "IORING_REGISTER_RESTRICTIONS"),
        (12, "IORING_REGISTER_ENABLE_RINGS"),
        (13, "IORING_REGISTER_FILES2"),
        (14, "IORING_REGISTER_FILES_UPDATE2"),
        (15, "IORING_REGISTER_BUFFERS2"),
        (16, "IORING_REGISTER_BUFFERS_UPDATE"),
        (17, "IORING_REGISTER_IOWQ_AFF"),
        (18, "IORING_UNREGISTER_IOWQ_AFF"),
        (19, "IORING_REGISTER_IOWQ_MAX_WORKERS"),
        (20, "IORING_REGISTER_RING_FDS"),
        (21, "IORING_UNREGISTER_RING_FDS"),
        (22, "IORING_REGISTER_PBUF_RING"),
        (23, "IORING_UNREGISTER_PBUF_RING"),
        (24, "IORING_REGISTER_SYNC_CANCEL"),
        (25, "IORING_REGISTER_FILE_ALLOC_RANGE"),
        (26, "IORING_REGISTER_PBUF_STATUS"),
        (27, "IORING_REGISTER_NAPI"),
        (28, "IORING_UNREGISTER_NAPI"),
        (29, "IORING_REGISTER_CLOCK"),
        (30, "IORING_REGISTER_CLONE_BUFFERS"),
        (31, "IORING_REGISTER_SEND_MSG_RING"),
        (32, "IORING_REGISTER_ZCRX_IFQ"),
        (33, "IORING_REGISTER_RESIZE_RINGS"),
        (34, "IORING_REGISTER_MEM_REGION"),
    ],
);
