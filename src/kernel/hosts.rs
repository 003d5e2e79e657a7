//! Names that a program is likely to have from its hosts file (hosts(5)): no call on a socket tells, since the resolver only reads a file.

use std::ffi::CStr;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, FromRawFd, RawFd};

/// How much is read of the hosts file and of the arguments, in bytes.
const READ: u64 = 1 << 16;

/// How many names are remembered.
const NAMES: usize = 64;

/// The names of a process's hosts file that its own arguments mention, by address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts {
    names: Vec<(IpAddr, String)>,
}

impl Hosts {
    /// Those of a process, in its own mount namespace (/proc/PID/root).
    pub fn of(pid: i32) -> Self {
        let arguments = read(&format!("/proc/{pid}/cmdline"));
        // Most programs name nobody, and need no look at the file.
        match arguments.is_empty() {
            true => Self::default(),
            false => Self::mentioned(&read_in(pid, c"etc/hosts"), &arguments),
        }
    }

    fn mentioned(hosts: &str, arguments: &str) -> Self {
        let arguments = arguments.to_ascii_lowercase();
        let mut names = Vec::new();
        for line in hosts.lines() {
            let line = line.split('#').next().unwrap_or_default();
            let mut words = line.split_whitespace();
            let Some(ip) = words.next().and_then(|word| word.parse::<IpAddr>().ok()) else {
                continue;
            };
            for name in words {
                // Whoever writes the address too did not need the name.
                if names.len() < NAMES
                    && mentions(&arguments, &name.to_ascii_lowercase())
                    && !mentions(&arguments, &ip.to_string())
                {
                    names.push((ip.to_canonical(), name.to_owned()));
                }
            }
        }
        Self { names }
    }

    /// The name of an address: the first one, as the resolver takes it.
    pub fn name(&self, ip: IpAddr) -> Option<&str> {
        let ip = ip.to_canonical();
        let mut names = self.names.iter();
        names.find(|it| it.0 == ip).map(|it| it.1.as_str())
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }
}

/// What a file says, as far as it is text.
fn read(path: &str) -> String {
    File::open(path).map_or_else(|_| String::new(), text)
}

/// What a file in a process's own tree says, links taken as the process would. It chooses what lies there: what is no plain file could
/// keep us waiting.
fn read_in(pid: i32, path: &CStr) -> String {
    let Ok(root) = File::open(format!("/proc/{pid}/root")) else {
        return String::new();
    };
    // SAFETY: open_how is plain numbers; all zero is one of its values.
    let mut how: libc::open_how = unsafe { std::mem::zeroed() };
    let flags = libc::O_RDONLY | libc::O_NONBLOCK | libc::O_NOCTTY | libc::O_CLOEXEC;
    how.flags = flags as u64;
    how.resolve = libc::RESOLVE_IN_ROOT;
    // SAFETY: a directory of ours, a string that ends with NUL, and a struct of the size given; what comes back is ours.
    let file = unsafe {
        let result = libc::syscall(
            libc::SYS_openat2,
            root.as_raw_fd(),
            path.as_ptr(),
            &raw const how,
            size_of_val(&how),
        );
        RawFd::try_from(result)
            .ok()
            .filter(|fd| *fd >= 0)
            .map(|fd| File::from_raw_fd(fd))
    };
    let plain = |file: &File| file.metadata().is_ok_and(|it| it.is_file());
    file.filter(plain).map_or_else(String::new, text)
}

fn text(file: File) -> String {
    let mut bytes = Vec::new();
    let _partial = file.take(READ).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Whether a name stands somewhere as one of a host: alone, behind `//`, `@` or `=`, before a port or a path.
fn mentions(text: &str, name: &str) -> bool {
    let bytes = text.as_bytes();
    text.match_indices(name).any(|(at, _)| {
        let begins = match &bytes[..at] {
            [] | [.., b'/', b'/'] => true,
            [.., before] => b"\0@=\t\n ,;'\"([".contains(before),
        };
        let after = bytes.get(at + name.len());
        begins && after.is_none_or(|after| b"\0:/?\t\n ,;'\")]".contains(after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str =
        "127.0.0.1 localhost # here\n10.0.0.9\tdb.internal db\n::1 localhost\nbad line\n";

    fn name<'a>(hosts: &'a Hosts, ip: &str) -> Option<&'a str> {
        hosts.name(ip.parse().unwrap())
    }

    #[test]
    fn names_that_the_arguments_mention() {
        let hosts = Hosts::mentioned(FILE, "psql\0postgres://me@DB:5432/x\0");
        assert_eq!(name(&hosts, "10.0.0.9"), Some("db"));
        assert_eq!(name(&hosts, "::ffff:10.0.0.9"), Some("db"));
        assert_eq!(name(&hosts, "127.0.0.1"), None);
        let hosts = Hosts::mentioned(FILE, "curl\0http://localhost:80/\0");
        assert_eq!(name(&hosts, "::1"), Some("localhost"));
        for other in [
            "curl\0http://mydb.internal.net/\0",
            "x\0db 10.0.0.9\0",
            "x\0/var/log/db/y\0",
            "",
        ] {
            assert!(Hosts::mentioned(FILE, other).is_empty(), "{other}");
        }
    }
}
