//! The child's side of a launch: all that it needs, made before the fork, and its way to execve(2).
//!
//! After the fork it makes only async-signal-safe calls (signal-safety(7)) and allocates nothing.

use std::ffi::{CString, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::{env, ptr};

use nix::errno::Errno;
use nix::unistd::{Gid, Uid, User};

use super::alarm::Mask;
use super::filter::Filter;
use super::inherited;
use super::program::{LaunchError, Program};

/// The marks of the probing call: setsockopt(-1) with these in its arguments, and whether there are no new privileges in the next one.
pub const PROBE: [u64; 2] = [0x736f_636b, 0x7374_7261];

/// What the child is to become.
pub struct Image {
    files: Vec<CString>,
    environment: Vec<CString>,
    argv: Pointers,
    /// For a file that is neither a binary nor begins with `#!`: /bin/sh, the file (set by the child), its arguments.
    shell_argv: Pointers,
    variables: Pointers,
    filter: Option<Filter>,
    mask: Mask,
    ids: Option<(Uid, Gid, Vec<Gid>)>,
    /// Where in `environment` our own number stands for the program's: which entry, and at which byte.
    own_number: Vec<(usize, usize)>,
}

/// An array of pointers to strings that ends with NULL, as execve(2) wants it, and the strings.
struct Pointers {
    places: Vec<*const libc::c_char>,
    _strings: Vec<CString>,
}

impl Pointers {
    fn to(strings: Vec<CString>) -> Self {
        let places = strings
            .iter()
            .map(|string| string.as_ptr())
            .chain([ptr::null()])
            .collect();
        Self {
            places,
            _strings: strings,
        }
    }
}

/// The files to try for a program's name, in order, as execvp(3) does.
fn candidates(name: &OsString) -> Vec<OsString> {
    if name.as_bytes().contains(&b'/') {
        return vec![name.clone()];
    }
    let path = env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/bin:/usr/bin".into());
    env::split_paths(&path)
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                PathBuf::from(".")
            } else {
                folder
            }
        })
        .map(|folder| folder.join(name).into_os_string())
        .collect()
}

impl Image {
    /// Prepares a program.
    ///
    /// # Errors
    /// Where its name, arguments or user cannot be.
    pub fn new(program: &Program, filter: Option<Filter>, mask: Mask) -> Result<Self, LaunchError> {
        let string = |text: Vec<u8>| {
            CString::new(text).map_err(|_| {
                LaunchError::Own("an argument or variable holds a NUL byte".to_owned())
            })
        };
        let name = program.argv.first().filter(|name| !name.is_empty());
        let name =
            name.ok_or_else(|| LaunchError::NotFound("the program's name is empty".to_owned()))?;
        let files = candidates(name)
            .into_iter()
            .map(|file| string(file.into_vec()))
            .collect::<Result<_, _>>()?;
        let argv: Vec<CString> = program
            .argv
            .iter()
            .map(|argument| string(argument.clone().into_vec()))
            .collect::<Result<_, _>>()?;
        let shell_argv = [c"/bin/sh".to_owned(), CString::default()]
            .into_iter()
            .chain(argv[1..].iter().cloned())
            .collect();

        let mut variables = inherited::environment();
        for (name, value) in &program.environment {
            let mut start = name.clone().into_vec();
            start.push(b'=');
            variables.retain(|entry| !entry.starts_with(&start));
            variables.extend(
                value
                    .clone()
                    .map(|value| [start, value.into_vec()].concat()),
            );
        }
        let own = std::process::id().to_string();
        let mut environment = Vec::with_capacity(variables.len());
        let mut own_number = Vec::new();
        for (index, mut entry) in variables.into_iter().enumerate() {
            for name in ["LISTEN_PID=", "WATCHDOG_PID="] {
                if entry.strip_prefix(name.as_bytes()) == Some(own.as_bytes()) {
                    // Room for any number; the child writes its own. sd_listen_fds(3) compares it with getpid.
                    own_number.push((index, name.len()));
                    entry.truncate(name.len());
                    entry.extend_from_slice(b"0000000000");
                }
            }
            environment.push(string(entry)?);
        }
        let ids = program.user.as_deref().map(lookup_user).transpose()?;
        let variables = Pointers {
            places: environment
                .iter()
                .map(|entry: &CString| entry.as_ptr())
                .chain([ptr::null()])
                .collect(),
            _strings: Vec::new(),
        };
        Ok(Self {
            files,
            environment,
            argv: Pointers::to(argv),
            shell_argv: Pointers::to(shell_argv),
            variables,
            filter,
            mask,
            ids,
            own_number,
        })
    }

    /// The child's side. Returns never: it is the program, or it is gone.
    pub fn become_program(mut self, go: i32, go_write: i32, report: i32) -> ! {
        // SAFETY: only async-signal-safe calls, on objects made before the fork; every pointer array ends with NULL.
        unsafe {
            libc::close(go_write);
            let mut byte = 0_u8;
            if libc::read(go, (&raw mut byte).cast(), 1) != 1 {
                libc::_exit(125);
            }
            restore_signals();
            let mut no_new_privs: libc::c_long = 0;
            if let Some(filter) = &self.filter
                && filter.install() == Err(Errno::EACCES)
                && libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
            {
                no_new_privs = 1;
                // What fails here shows by the probe: calls are then stopped one by one.
                let _ = filter.install();
            }
            libc::syscall(
                libc::SYS_setsockopt,
                -1,
                PROBE[0],
                PROBE[1],
                no_new_privs,
                0,
            );
            if let Some((uid, gid, groups)) = &self.ids {
                let failed = libc::setgroups(groups.len(), groups.as_ptr().cast()) != 0
                    || libc::setgid(gid.as_raw()) != 0
                    || libc::setuid(uid.as_raw()) != 0;
                if failed {
                    give_up(report, -Errno::last_raw());
                }
            }
            for fd in 0..3 {
                if inherited::closed(fd) {
                    libc::close(fd as i32);
                }
            }
            self.write_own_number();
            self.exec(report)
        }
    }

    fn write_own_number(&mut self) {
        // SAFETY: getpid cannot fail.
        let mut number = unsafe { libc::getpid() };
        let mut digits = [0_u8; 10];
        let mut first = digits.len();
        while number > 0 && first > 0 {
            first -= 1;
            digits[first] = b'0' + (number % 10) as u8;
            number /= 10;
        }
        let digits = &digits[first..];
        for (index, offset) in &self.own_number {
            let place = self.environment[*index].as_ptr().cast_mut().cast::<u8>();
            // SAFETY: `new` left room for ten digits at that offset of a string that this process alone holds.
            unsafe {
                ptr::copy_nonoverlapping(digits.as_ptr(), place.add(*offset), digits.len());
                *place.add(*offset + digits.len()) = 0;
            }
        }
    }

    /// Tries each file as execvp(3) does: one that may not be run does not hide a later one that may, and a script without a
    /// first line is given to the shell.
    ///
    /// # Safety
    /// Only in the child.
    unsafe fn exec(&mut self, report: i32) -> ! {
        let mut found = Errno::ENOENT as i32;
        // SAFETY: arrays of pointers that end with NULL, to strings that live until execve.
        unsafe {
            libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.mask, ptr::null_mut());
            for file in &self.files {
                libc::execve(
                    file.as_ptr(),
                    self.argv.places.as_ptr(),
                    self.variables.places.as_ptr(),
                );
                match Errno::last() {
                    Errno::ENOEXEC => {
                        self.shell_argv.places[1] = file.as_ptr();
                        let argv = self.shell_argv.places.as_ptr();
                        libc::execve(c"/bin/sh".as_ptr(), argv, self.variables.places.as_ptr());
                        found = Errno::ENOEXEC as i32;
                        break;
                    }
                    Errno::EACCES => found = Errno::EACCES as i32,
                    Errno::ENOENT | Errno::ENOTDIR => {}
                    errno => {
                        found = errno as i32;
                        break;
                    }
                }
            }
            give_up(report, found)
        }
    }
}

/// Gives SIGPIPE and SIGTTOU back as they were inherited.
///
/// # Safety
/// Only in the child.
unsafe fn restore_signals() {
    // SAFETY: valid signal numbers and dispositions; signal(2) is async-signal-safe.
    unsafe {
        libc::signal(
            libc::SIGPIPE,
            if inherited::pipe_ignored() {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            },
        );
        libc::signal(
            libc::SIGTTOU,
            if inherited::background_writes_ignored() {
                libc::SIG_IGN
            } else {
                libc::SIG_DFL
            },
        );
    }
}

/// Tells the parent why, and ends.
///
/// # Safety
/// Only in the child.
unsafe fn give_up(report: i32, errno: i32) -> ! {
    // SAFETY: four bytes from an array of four to a pipe that has room.
    unsafe {
        libc::write(report, errno.to_ne_bytes().as_ptr().cast(), 4);
        libc::_exit(125)
    }
}

/// Whom `-u` means: a name, a number, or UID:GID.
fn lookup_user(text: &str) -> Result<(Uid, Gid, Vec<Gid>), LaunchError> {
    let failed = |reason: &str| LaunchError::Own(format!("-u {text}: {reason}"));
    if !Uid::effective().is_root() {
        return Err(failed("only root can run a program as another user"));
    }
    if let Some((uid, gid)) = text.split_once(':') {
        let number = |text: &str| {
            text.parse::<u32>()
                .map_err(|_| failed("UID:GID are two numbers"))
        };
        let (uid, gid) = (Uid::from_raw(number(uid)?), Gid::from_raw(number(gid)?));
        return Ok((uid, gid, vec![gid]));
    }
    let by_name = User::from_name(text).map_err(|errno| failed(errno.desc()))?;
    let user = match (by_name, text.parse()) {
        (Some(user), _) => user,
        (None, Ok(number)) => User::from_uid(Uid::from_raw(number))
            .map_err(|errno| failed(errno.desc()))?
            .ok_or_else(|| failed("no user has this number; UID:GID needs none"))?,
        (None, Err(_)) => return Err(failed("no such user; see getent passwd")),
    };
    let name = CString::new(user.name.as_str()).map_err(|_| failed("no such user"))?;
    let groups =
        nix::unistd::getgrouplist(&name, user.gid).map_err(|errno| failed(errno.desc()))?;
    Ok((user.uid, user.gid, groups))
}
