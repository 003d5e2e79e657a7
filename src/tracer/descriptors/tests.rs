//! Descriptor tables through the calls that change them.

use super::*;

fn opens(fd: i32, origin: Origin) -> Effect {
    Effect::Opens {
        fd,
        origin,
        cloexec: false,
    }
}

const SOCKET: Origin = Origin::Socket {
    domain: 2,
    kind: 1,
    protocol: 6,
};

/// Descriptor N leads to inode 1000 + N.
fn look(fd: i32) -> Look {
    Look::Socket(1000 + fd as u64)
}

#[test]
fn a_socket_lives_until_its_last_descriptor_goes() {
    let mut all = Descriptors::default();
    let parent = all.create([]);
    all.apply(
        parent,
        &[opens(3, SOCKET), opens(4, Origin::Same(3))],
        &look,
    );
    let child = all.copy(parent);
    assert!(
        all.apply(parent, &[Effect::Closes { fd: 3 }], &look)
            .released
            .is_empty()
    );
    assert!(
        all.apply(parent, &[Effect::Closes { fd: 4 }], &look)
            .released
            .is_empty()
    );
    assert!(!all.any(parent));
    assert!(all.leave(parent).is_empty());
    assert_eq!(all.leave(child), [1003]);
    assert!(all.references.is_empty() && all.tables.is_empty());
}

#[test]
fn threads_share_one_table_until_they_unshare_it() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.share(table);
    all.apply(table, &[opens(5, SOCKET)], &look);
    let own = all.unshare(table);
    assert_ne!(own, table);
    assert!(
        all.apply(own, &[Effect::Closes { fd: 5 }], &look)
            .released
            .is_empty()
    );
    assert_eq!(all.socket(table, 5).map(|socket| socket.id), Some(1005));
    assert_eq!(all.leave(table), [1005]);
}

#[test]
fn exec_closes_what_is_marked_so() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.apply(
        table,
        &[
            opens(3, SOCKET),
            Effect::Opens {
                fd: 4,
                origin: SOCKET,
                cloexec: true,
            },
        ],
        &look,
    );
    all.apply(
        table,
        &[Effect::CloseOnExec {
            first: 3,
            last: 3,
            on: true,
        }],
        &look,
    );
    all.apply(
        table,
        &[Effect::CloseOnExec {
            first: 4,
            last: u32::MAX,
            on: false,
        }],
        &look,
    );
    let (table, released) = all.exec(table);
    assert_eq!(released, [1003]);
    assert!(all.socket(table, 3).is_none() && all.socket(table, 4).is_some());
}

#[test]
fn dup_over_a_socket_releases_it_unless_it_is_the_same() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.apply(table, &[opens(3, SOCKET), opens(4, SOCKET)], &look);
    let changes = all.apply(table, &[opens(4, Origin::Same(3))], &look);
    assert_eq!(changes.released, [1004]);
    let changes = all.apply(table, &[opens(4, Origin::Same(3))], &look);
    assert!(changes.released.is_empty());
    let changes = all.apply(
        table,
        &[
            opens(4, Origin::File),
            Effect::ClosesRange { first: 0, last: 3 },
        ],
        &look,
    );
    assert_eq!(changes.released, [1003]);
}

#[test]
fn a_closed_number_is_remembered_until_it_leads_somewhere() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.apply(table, &[opens(3, SOCKET)], &look);
    assert!(!all.was_socket(table, 3));
    all.apply(
        table,
        &[Effect::Closes { fd: 3 }, Effect::Closes { fd: 9 }],
        &look,
    );
    assert!(all.was_socket(table, 3) && !all.was_socket(table, 9));
    all.is_no_socket(table, 3);
    assert!(!all.was_socket(table, 3));
}

#[test]
fn a_socket_on_its_way_to_another_process_lives() {
    let mut all = Descriptors::default();
    let (sender, receiver) = (all.create([]), all.create([]));
    all.apply(sender, &[opens(3, SOCKET), Effect::Passes { fd: 3 }], &look);
    let closed = all.apply(sender, &[Effect::Closes { fd: 3 }], &look);
    assert!(closed.released.is_empty());
    all.apply(receiver, &[opens(7, Origin::Elsewhere)], &|_| {
        Look::Socket(1003)
    });
    assert!(all.in_flight.is_empty());
    let kind = all.socket(receiver, 7).and_then(|socket| socket.kind);
    assert_eq!(kind, Some((2, 1, 6)));
    assert_eq!(
        all.apply(receiver, &[Effect::Closes { fd: 7 }], &look)
            .released,
        [1003]
    );
}

#[test]
fn a_socket_that_the_kernel_hides_is_one_all_the_same() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    let changes = all.apply(
        table,
        &[opens(3, SOCKET), opens(4, Origin::Elsewhere)],
        &|_| Look::Denied,
    );
    assert!(changes.denied);
    assert!(all.socket(table, 3).is_some() && all.socket(table, 4).is_none());
}

#[test]
fn a_table_becomes_what_the_kernel_says() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.apply(table, &[opens(3, SOCKET), opens(4, SOCKET)], &look);
    let child = all.copy(table);
    all.resync(child, vec![(4, 1004, false), (5, 1003, true)]);
    let ids = [3, 4, 5].map(|fd| all.socket(child, fd).map(|socket| socket.id));
    assert_eq!(ids, [None, Some(1004), Some(1003)]);
    assert!(all.leave(child).is_empty());
}

#[test]
fn a_number_reused_by_another_thread_is_looked_up() {
    let mut all = Descriptors::default();
    let table = all.create([]);
    all.share(table);
    all.apply(table, &[opens(3, SOCKET)], &look);
    let changes = all.apply(table, &[opens(9, Origin::Same(3))], &|_| Look::Other);
    assert!(changes.sockets.is_empty() && all.socket(table, 9).is_none());
}
