//! In the steady state, a call takes no memory on the tracer's side.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use syscalls::Sysno;

use super::alarm::Alarm;
use super::calling::Calling;
use super::descriptors::{Descriptors, Look};
use super::event::Event;
use super::memory::TraceeMemory;
use super::outbox::queue;
use crate::syscall::{Effect, Limits, Origin, Outcome, Raw, add_effects, row};

/// The system's allocator, which counts how often each thread asks it for memory.
struct Counting;

thread_local! {
    static TAKEN: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: as our caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: as our caller promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        TAKEN.set(TAKEN.get() + 1);
        // SAFETY: as our caller promises.
        unsafe { System.realloc(place, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Where something stands.
fn at<T>(items: &[T]) -> u64 {
    items.as_ptr() as u64
}

#[test]
fn after_the_first_of_its_kind_a_call_takes_no_memory() {
    let (mut outbox, mut inbox) = queue(false, Alarm::start().expect("a thread"));
    // We are the tracee ourselves: what the calls point to stands here.
    let memory = TraceeMemory::of(std::process::id() as i32);
    let data = [7u8; 64];
    let iovecs = [at(&data), 30, at(&data), 34];
    let address = [2u8, 0, 0, 80, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0];
    let len = [16u32];
    let message = [at(&address), 16, at(&iovecs), 2, 0, 0, 0];
    let messages = [&message[..], &[64], &message, &[64]].concat();
    let pollfds = [4u64 | 1 << 32 | 1 << 48, 5 | 1 << 32];
    let events = [1u32, 4, 0];
    let calls: &[(Sysno, &[u64], i64)] = &[
        (Sysno::read, &[4, at(&data), 64], 64),
        (Sysno::write, &[4, at(&data), 64], 64),
        (Sysno::readv, &[4, at(&iovecs), 2], 64),
        (Sysno::writev, &[4, at(&iovecs), 2], 64),
        (Sysno::sendto, &[4, at(&data), 64, 0, at(&address), 16], 64),
        (
            Sysno::recvfrom,
            &[4, at(&data), 64, 0, at(&address), at(&len)],
            64,
        ),
        (Sysno::sendmsg, &[4, at(&message), 0], 64),
        (Sysno::recvmsg, &[4, at(&message), 0], 64),
        (Sysno::sendmmsg, &[4, at(&messages), 2, 0], 2),
        (Sysno::recvmmsg, &[4, at(&messages), 2, 0, 0], 2),
        (Sysno::accept, &[3, at(&address), at(&len)], 5),
        (Sysno::connect, &[4, at(&address), 16], 0),
        (Sysno::poll, &[at(&pollfds), 2, 0], 1),
        (Sysno::epoll_wait, &[9, at(&events), 1, 0], 1),
        (Sysno::close, &[5], 0),
    ];
    let mut descriptors = Descriptors::default();
    let table = descriptors.create([]);
    let opens = |fd| Effect::Opens {
        fd,
        origin: Origin::Elsewhere,
        cloexec: false,
    };
    let look = |fd| Look::Socket(fd as u64);
    descriptors.apply(table, &[3, 4, 6].map(opens), &look);
    descriptors.apply(table, &[Effect::Closes { fd: 6 }], &look);

    let mut at_first = 0;
    for round in 0..3 {
        for (call, args, result) in calls {
            let before = TAKEN.get();
            let mut registers = [0; 6];
            registers[..args.len()].copy_from_slice(args);
            let row = row(*call as u64).expect("a row");
            let raw = Raw {
                number: *call as u64,
                args: registers,
            };
            let mut calling = Calling::enter(outbox.spare(), row, raw, &memory);
            calling.leave(1, Outcome::Value(*result), &memory, Limits::default());
            let outline = calling.outline();
            let Calling {
                effects, changes, ..
            } = &mut *calling;
            effects.clear();
            add_effects(&outline, effects);
            descriptors.book(table, effects, &look, changes);
            let mut sockets = std::mem::take(&mut calling.changes.sockets);
            calling.each_descriptor(&outline, |fd| {
                sockets.extend(descriptors.socket(table, fd).map(|socket| (fd, socket)));
            });
            let found = sockets.len();
            calling.changes.sockets = sockets;
            descriptors.take_fresh(table, |_| true);
            outbox.send_call(calling, None);
            let taken = TAKEN.get() - before;

            let Some(Event::Call(event)) = inbox.next_now() else {
                panic!("{call} did not arrive");
            };
            assert_eq!(event.descriptors.len(), found);
            assert_eq!(event.call.row.number, *call);
            if event.call.payload().iter().any(|data| data.len > 0) {
                let bytes: usize = event.call.payload().iter().map(|it| it.bytes.len()).sum();
                assert_eq!(bytes, Limits::default().data, "{call}: {:?}", event.call);
            }
            match round {
                0 => at_first += taken,
                _ => assert_eq!(taken, 0, "{call} took memory"),
            }
        }
    }
    assert!(at_first > 0, "memory is counted");
}
