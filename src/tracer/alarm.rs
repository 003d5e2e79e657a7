//! What ends the tracer's wait beside its tracees: a tick of the clock, a signal sent to us, room in the output queue.
//!
//! The tracer waits in waitpid(2), which only a signal interrupts. One thread takes all signals that come to us, and wakes the
//! tracer by a signal of its own until the tracer says that it is awake: a wake-up that comes just before the wait is not lost.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How often the tracer looks at what only time changes: calls that block, signals to pass on.
pub const TICK: Duration = Duration::from_millis(50);

/// How soon a wake-up that was not noticed is repeated.
const REPEAT: Duration = Duration::from_millis(1);

/// Signals that people send to a program by its number. Those sent to us alone are passed on to the program; those that a terminal
/// sends to its whole foreground group reach the program by themselves.
const WATCHED: [i32; 9] = [
    libc::SIGHUP,
    libc::SIGINT,
    libc::SIGQUIT,
    libc::SIGTERM,
    libc::SIGUSR1,
    libc::SIGUSR2,
    libc::SIGALRM,
    libc::SIGWINCH,
    libc::SIGTSTP,
];

/// Those among them by which people end a program.
const ENDING: [i32; 4] = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGTERM];

/// A signal that came to us.
#[derive(Clone, Copy, Debug)]
pub struct Received {
    /// Its number.
    pub signal: i32,
    /// Who sent it; 0 for the kernel.
    pub sender: i32,
    /// When, as [`now`] tells.
    pub at: i64,
}

#[derive(Debug, Default)]
struct Shared {
    tracer: AtomicI32,
    ringing: AtomicBool,
    ends: AtomicBool,
    received: Mutex<Vec<Received>>,
}

/// Wakes the tracer; may be cloned and used from any thread.
#[derive(Clone, Debug)]
pub struct Alarm {
    shared: Arc<Shared>,
}

fn wake_signal() -> i32 {
    libc::SIGRTMAX() - 1
}

/// Nanoseconds of CLOCK_MONOTONIC, the same in every process. Allocates nothing.
pub fn now() -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: a valid place for the time; the clock always exists.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC, &raw mut time) };
    time.tv_sec * 1_000_000_000 + time.tv_nsec
}

/// Whether a signal with that si_code names the process that sent it (sigaction(2)); a timer's has another thing in its place.
pub fn names_sender(code: i32) -> bool {
    [
        libc::SI_USER,
        libc::SI_QUEUE,
        libc::SI_TKILL,
        libc::SI_MESGQ,
    ]
    .contains(&code)
}

/// Who sent a signal; 0 for the kernel.
fn sender_of(info: &libc::siginfo_t) -> i32 {
    match names_sender(info.si_code) {
        // SAFETY: with these codes si_pid stands where it is read.
        true => unsafe { info.si_pid() },
        false => 0,
    }
}

/// The set of these signals.
pub(super) fn set_of(signals: &[i32]) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: sigemptyset initialises the whole set; sigaddset gets valid signal numbers.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in signals {
            libc::sigaddset(set.as_mut_ptr(), *signal);
        }
        set.assume_init()
    }
}

/// The mask of blocked signals that we inherited, to be given to the program.
pub type Mask = libc::sigset_t;

/// Blocks the signals that are watched, in this thread and all that it starts. Returns the mask as it was.
pub fn block_signals() -> Mask {
    let set = set_of(&WATCHED);
    let mut before = MaybeUninit::uninit();
    // SAFETY: both point to signal sets; the old mask is written whole.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, before.as_mut_ptr());
        before.assume_init()
    }
}

/// A descriptor that becomes readable when a watched signal, or one of `more`, comes to this process (signalfd(2)); -1 where there is none.
pub fn signal_descriptor(more: &[i32]) -> i32 {
    let mut signals = WATCHED.to_vec();
    signals.extend(more);
    let set = set_of(&signals);
    // SAFETY: a valid set; signals must be blocked to be read.
    unsafe {
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut());
        libc::signalfd(-1, &raw const set, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    }
}

/// Takes a signal from such a descriptor: its number, or 0 where there is none, and its sender.
pub fn read_signal(descriptor: i32) -> (i32, i32) {
    let mut info = MaybeUninit::<libc::signalfd_siginfo>::uninit();
    let size = size_of::<libc::signalfd_siginfo>();
    // SAFETY: a buffer of the size given, which the kernel fills whole or not at all.
    unsafe {
        if libc::read(descriptor, info.as_mut_ptr().cast(), size) != size as isize {
            return (0, 0);
        }
        let info = info.assume_init();
        (
            info.ssi_signo as i32,
            if names_sender(info.ssi_code) {
                info.ssi_pid as i32
            } else {
                0
            },
        )
    }
}

/// Waits for a watched signal, blocked in the calling thread: its number and its sender, 0 for the kernel. Allocates nothing.
pub fn take_signal() -> (i32, i32) {
    let set = set_of(&WATCHED);
    let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
    loop {
        // SAFETY: both point to valid objects; info is written where a signal is returned.
        unsafe {
            let signal = libc::sigwaitinfo(&raw const set, info.as_mut_ptr());
            if signal > 0 {
                let info = info.assume_init();
                return (signal, sender_of(&info));
            }
        }
    }
}

/// Passes a signal to the tracer behind this process, with the number of its first sender.
pub fn relay(tracer: i32, signal: i32, sender: i32) {
    let value = libc::sigval {
        sival_ptr: sender as usize as *mut libc::c_void,
    };
    // SAFETY: a signal to our own unreaped child.
    unsafe { libc::sigqueue(tracer, signal, value) };
}

/// Ends this process by a signal, as if it had not been blocked.
fn end_by(signal: i32) {
    let set = set_of(&[signal]);
    // SAFETY: a valid signal and set; raise sends it to this thread, where it is unblocked.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
        libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
    }
}

extern "C" fn nothing(_: i32) {}

impl Alarm {
    /// Starts the thread. The calling thread is the tracer, and the watched signals are blocked in it.
    ///
    /// # Errors
    /// Where no thread can be started.
    pub fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        // SAFETY: installs an empty handler without SA_RESTART, and unblocks its signal, so that it interrupts a wait and does nothing else.
        unsafe {
            shared.tracer.store(libc::gettid(), Ordering::Relaxed);
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = nothing as extern "C" fn(i32) as libc::sighandler_t;
            libc::sigaction(wake_signal(), &raw const action, ptr::null_mut());
            let set = set_of(&[wake_signal()]);
            libc::pthread_sigmask(libc::SIG_UNBLOCK, &raw const set, ptr::null_mut());
        }
        let alarm = Self { shared };
        let clock = alarm.clone();
        thread::Builder::new()
            .name("clock".to_owned())
            .spawn(move || clock.run())?;
        Ok(alarm)
    }

    /// Ends the tracer's wait, or its next one.
    pub fn ring(&self) {
        if !self.shared.ringing.swap(true, Ordering::AcqRel) {
            self.interrupt();
        }
    }

    /// Whether the tracer is to look at something else than its tracees.
    pub fn is_ringing(&self) -> bool {
        self.shared.ringing.load(Ordering::Acquire)
    }

    /// From now on a signal that asks us to end does so. One that came before was meant for the program, even if nobody has looked at
    /// it yet: a terminal sends it to both.
    pub fn end_by_signals(&self) {
        let set = set_of(&ENDING);
        let at_once = libc::timespec {
            tv_sec: 0,
            tv_nsec: 0,
        };
        // SAFETY: both point to valid objects, and nothing is to be written.
        while unsafe { libc::sigtimedwait(&raw const set, ptr::null_mut(), &raw const at_once) } > 0
        {
        }
        self.shared.ends.store(true, Ordering::Release);
    }

    /// The tracer is awake.
    pub fn acknowledge(&self) {
        self.shared.ringing.store(false, Ordering::Release);
    }

    /// The signals that came since the last time.
    pub fn received(&self) -> Vec<Received> {
        std::mem::take(&mut *self.inbox())
    }

    /// The signals that nobody has fetched yet.
    fn inbox(&self) -> MutexGuard<'_, Vec<Received>> {
        let received = self.shared.received.lock();
        received.unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn interrupt(&self) {
        let tracer = self.shared.tracer.load(Ordering::Relaxed);
        // SAFETY: a signal to a thread of this very process; one that is gone is an error without effect.
        unsafe { libc::syscall(libc::SYS_tgkill, libc::getpid(), tracer, wake_signal()) };
    }

    fn run(&self) {
        let set = set_of(&WATCHED);
        let mut next = Instant::now() + TICK;
        loop {
            let ringing = self.shared.ringing.load(Ordering::Acquire);
            // What comes in this wait may have been sent before its end.
            let ends = self.shared.ends.load(Ordering::Acquire);
            let patience = if ringing {
                REPEAT
            } else {
                next.saturating_duration_since(Instant::now())
            };
            let timeout = libc::timespec {
                tv_sec: 0,
                tv_nsec: patience.as_nanos() as libc::c_long,
            };
            let mut info = MaybeUninit::<libc::siginfo_t>::uninit();
            // SAFETY: all three point to valid objects; info is written where a signal is returned.
            let signal = unsafe {
                libc::sigtimedwait(&raw const set, info.as_mut_ptr(), &raw const timeout)
            };
            if signal > 0 {
                // SAFETY: the kernel filled info; si_pid is meaningful for codes of a sending process, si_value for SI_QUEUE.
                let sender = unsafe {
                    let info = info.assume_init();
                    let relayed =
                        info.si_code == libc::SI_QUEUE && info.si_pid() == libc::getppid();
                    match relayed {
                        // By way of the process in front of us (`--no-wait`), which names the first sender.
                        true => info.si_value().sival_ptr as usize as i32,
                        false => sender_of(&info),
                    }
                };
                if ends && ENDING.contains(&signal) {
                    end_by(signal);
                }
                let received = Received {
                    signal,
                    sender,
                    at: now(),
                };
                self.inbox().push(received);
                self.ring();
            }
            if ringing && self.shared.ringing.load(Ordering::Acquire) {
                self.interrupt();
            }
            if Instant::now() >= next {
                next = Instant::now() + TICK;
                self.ring();
            }
        }
    }
}
