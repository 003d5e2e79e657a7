//! Constants of poll(2) and epoll(7).

use super::Names;

/// POLL* (poll(2)).
pub static POLL: Names = Names::new(
    "POLL???",
    &[
        (0x001, "POLLIN"),
        (0x002, "POLLPRI"),
        (0x004, "POLLOUT"),
        (0x008, "POLLERR"),
        (0x010, "POLLHUP"),
        (0x020, "POLLNVAL"),
        (0x040, "POLLRDNORM"),
        (0x080, "POLLRDBAND"),
        (0x100, "POLLWRNORM"),
        (0x200, "POLLWRBAND"),
        (0x400, "POLLMSG"),
        (0x1000, "POLLREMOVE"),
        (0x2000, "POLLRDHUP"),
    ],
);

/// EPOLL* (epoll_ctl(2)).
pub static EPOLL: Names = Names::new(
    "EPOLL???",
    &[
        (0x001, "EPOLLIN"),
        (0x002, "EPOLLPRI"),
        (0x004, "EPOLLOUT"),
        (0x008, "EPOLLERR"),
        (0x010, "EPOLLHUP"),
        (0x020, "EPOLLNVAL"),
        (0x040, "EPOLLRDNORM"),
        (0x080, "EPOLLRDBAND"),
        (0x100, "EPOLLWRNORM"),
        (0x200, "EPOLLWRBAND"),
        (0x400, "EPOLLMSG"),
        (0x2000, "EPOLLRDHUP"),
        (1 << 28, "EPOLLEXCLUSIVE"),
        (1 << 29, "EPOLLWAKEUP"),
        (1 << 30, "EPOLLONESHOT"),
        (1 << 31, "EPOLLET"),
    ],
);

/// EPOLL_CTL_* (epoll_ctl(2)).
pub static CONTROL: Names = Names::new(
    "EPOLL_CTL_???",
    &[
        (1, "EPOLL_CTL_ADD"),
        (2, "EPOLL_CTL_DEL"),
        (3, "EPOLL_CTL_MOD"),
    ],
);

/// The one flag of epoll_create1(2).
pub static CREATE: Names = Names::new("EPOLL_???", &[(0o2000000, "EPOLL_CLOEXEC")]);
