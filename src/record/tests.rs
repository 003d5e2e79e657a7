//! What is written is what is read, and whatever is read ends well.

use std::io::{BufReader, Cursor};

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::call::{DATA, ITEMS};
use super::*;
use crate::output::Output;
use crate::output::text::{Settings, Text};
use crate::story::chaos;
use crate::story::{Options, Story};
use crate::syscall::{Data, Entry, Limits, Outcome, Raw, Snapshot, rows};
use crate::tracer::calling::{Calling, Telling};
use crate::tracer::event::{Descriptor, Event, Socket};
use crate::tracer::outbox::Seen;

#[test]
fn the_schema_is_fresh() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/trace.schema.json");
    let mut schema = schemars::schema_for!(Line<'static>);
    schema.insert("title".into(), "A line of a trace of sockstrace".into());
    schema.insert(
        "$comment".into(),
        format!("Version {VERSION}. Made of the types in src/record by UPDATE_DOCS=1 cargo test --lib schema").into(),
    );
    let fresh = serde_json::to_string_pretty(&schema).expect("it is JSON") + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(path, &fresh).expect("the docs can be written");
    }
    let there = std::fs::read_to_string(path).unwrap_or_default();
    assert!(
        there == fresh,
        "UPDATE_DOCS=1 cargo test --lib schema writes docs/trace.schema.json anew"
    );
}

/// What a line says, to be compared.
#[derive(Debug)]
enum Saw {
    Call(Box<Calling>),
    Waiting(Box<Calling>),
    Event(Event),
    Tick(u64),
}

fn snapshot() -> impl Strategy<Value = Snapshot> {
    let piece = (any::<u64>(), 0..100_usize, vec(any::<u8>(), 0..60));
    vec(piece, 0..4).prop_map(|pieces| {
        let mut snapshot = Snapshot::default();
        for (address, more, bytes) in pieces {
            snapshot.add(address, bytes.len() + more, &bytes);
        }
        snapshot
    })
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        any::<i64>().prop_map(Outcome::Value),
        any::<i32>().prop_map(Outcome::Error),
        Just(Outcome::Unfinished),
    ]
}

fn socket() -> impl Strategy<Value = (i32, Socket)> {
    let id = prop_oneof![0..100_u64, (1_u64 << 63..(1 << 63) + 9)];
    (
        any::<i32>(),
        id,
        option::of(any::<(i32, i32, i32)>()),
        any::<bool>(),
    )
        .prop_map(|(fd, id, kind, inherited)| {
            let socket = Socket {
                id,
                kind,
                inherited,
            };
            (fd, socket)
        })
}

fn calling() -> impl Strategy<Value = Box<Calling>> {
    let whose = ((0..=1 << 22, 0..=1 << 22), any::<(u64, u64)>());
    let made = (
        0..rows().len(),
        any::<[u64; 6]>(),
        outcome(),
        0..DATA,
        0..ITEMS,
    );
    let files = vec((any::<i32>(), vec(any::<u8>(), 0..20), 0..3_u64), 0..2);
    let behind = (snapshot(), snapshot());
    (
        whose,
        made,
        behind,
        vec(socket(), 0..3),
        files,
        vec(0..9_u64, 0..3),
    )
        .prop_map(
            |(((pid, tid), (start, end)), made, (before, after), sockets, files, released)| {
                let (at, args, outcome, data, items) = made;
                let row = &rows()[at];
                let number = row.number as u64;
                let mut calling = Calling::new(Entry::of(row, Raw { number, args }, before));
                (calling.pid, calling.tid) = (pid, tid);
                (calling.start, calling.end) = (start, end);
                (calling.outcome, calling.limits) = (
                    outcome,
                    Limits {
                        data,
                        items,
                        buffers: items,
                    },
                );
                calling.snapshot = after;
                calling.changes.sockets = sockets;
                calling.changes.released = released;
                for (fd, bytes, more) in files {
                    let len = bytes.len() as u64 + more;
                    calling
                        .files
                        .push((fd, Descriptor::File(Data { bytes, len })));
                }
                Box::new(calling)
            },
        )
}

fn saw() -> impl Strategy<Value = Vec<Saw>> {
    let call = prop_oneof![
        4 => calling().prop_map(Saw::Call),
        1 => calling().prop_map(Saw::Waiting),
        1 => any::<u64>().prop_map(Saw::Tick),
    ];
    (vec(call, 0..12), chaos::events()).prop_map(|(mut all, events)| {
        let others = events
            .into_iter()
            .filter(|event| matches!(event, Event::Process(_) | Event::Notice(_)));
        all.extend(others.map(Saw::Event));
        all
    })
}

fn written(all: &[Saw]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    let header = HeaderLine {
        version: VERSION,
        run: "a \"run\"\n".into(),
        ..HeaderLine::default()
    };
    writer.header(&header).expect("a Vec takes all");
    for saw in all {
        let result = match saw {
            Saw::Call(calling) => writer.seen(Seen::Call(calling)),
            Saw::Waiting(calling) => writer.seen(Seen::Waiting(calling)),
            Saw::Event(event) => writer.seen(Seen::Event(event)),
            Saw::Tick(time) => writer.tick(*time),
        };
        result.expect("a Vec takes all");
    }
    writer.into_place()
}

/// Everything that can be read, and why it ended where it did not end by itself.
fn read(bytes: &[u8]) -> (Vec<Saw>, Option<Unreadable>) {
    let mut all = Vec::new();
    let mut reader = match Reader::new(Cursor::new(bytes)) {
        Ok((reader, _)) => reader,
        Err(why) => return (all, Some(why)),
    };
    loop {
        all.push(match reader.next() {
            Ok(Some(Item::Call(calling, ..))) => Saw::Call(calling),
            Ok(Some(Item::Waiting(calling))) => Saw::Waiting(calling),
            Ok(Some(Item::Library(event, ..))) => Saw::Event(Event::Library(event)),
            Ok(Some(Item::Event(event))) => Saw::Event(event),
            Ok(Some(Item::Tick(time) | Item::End(time))) => Saw::Tick(time),
            Ok(None) => return (all, None),
            Err(why) => return (all, Some(why)),
        });
    }
}

/// Tells and shows all of it, as a replay does.
fn show(all: Vec<Saw>) {
    let mut story = Story::new(Options::default());
    let mut text = Text::new(Vec::new(), Settings::default());
    let telling = Telling {
        captures: Some(Limits::default()),
        ..Telling::default()
    };
    for saw in all {
        let told = match saw {
            Saw::Call(mut calling) => story.tell(Event::Call(calling.tell(None, &telling))),
            Saw::Waiting(mut calling) => story.tell(Event::Waiting(calling.tell(None, &telling))),
            Saw::Event(event) => story.tell(event),
            Saw::Tick(time) => story.tick(time),
        };
        for told in told {
            text.show(&told).expect("a Vec takes all");
        }
    }
    text.finish(0).expect("a Vec takes all");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_written_is_what_is_read(all in saw()) {
        let (back, why) = read(&written(&all));
        prop_assert_eq!(why, None);
        prop_assert_eq!(format!("{all:?}"), format!("{back:?}"));
        show(back);
    }

    #[test]
    fn a_trace_that_is_cut_off_is_read_up_to_there(all in saw(), cut in any::<prop::sample::Index>()) {
        let bytes = written(&all);
        let len = cut.index(bytes.len());
        let (back, why) = read(&bytes[..len]);
        // The last line is as good without its end.
        let lines = bytes[..len].iter().filter(|byte| **byte == b'\n').count();
        prop_assert!(back.len() + 1 >= lines, "{} of {lines}", back.len());
        let on_a_line = bytes[..len].last() == Some(&b'\n') || bytes[len] == b'\n';
        prop_assert_eq!(why.is_none(), on_a_line);
        let expected: Vec<String> = all.iter().map(|saw| format!("{saw:?}")).collect();
        let back: Vec<String> = back.iter().map(|saw| format!("{saw:?}")).collect();
        prop_assert_eq!(&expected[..back.len()], &back[..]);
    }

    #[test]
    fn a_damaged_trace_does_no_harm(all in saw(), damage in vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = written(&all);
        for (at, byte) in damage {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        show(read(&bytes).0);
    }

    #[test]
    fn no_bytes_do_harm(bytes in vec(any::<u8>(), 0..200)) {
        let (all, why) = read(&bytes);
        prop_assert!(all.is_empty() && why.is_some());
    }

    #[test]
    fn no_lines_do_harm(lines in vec("\\{\"type\":\"(call|process|notice|exit|tick|waiting)\"[,:\\[\\]{}a-z\"0-9]{0,40}\\}?\n", 0..5)) {
        let mut bytes = written(&[]);
        bytes.extend(lines.concat().into_bytes());
        show(read(&bytes).0);
    }
}

#[test]
fn every_failure_says_its_line_and_why() {
    let header = String::from_utf8(written(&[])).expect("JSON is UTF-8");
    let tick = "{\"type\":\"tick\",\"time_ns\":5}\n";
    for (text, line, why) in [
        (String::new(), 1, "it is empty"),
        (
            "what?\n".into(),
            1,
            "it is no JSON: expected value at column 1",
        ),
        (
            tick.into(),
            1,
            "it is no trace: the first line has to be its header",
        ),
        (
            "{\"type\":\"header\",\"version\":2,\"sockstrace\":\"9\\u001b\"}\n".into(),
            1,
            "the trace has version 2 and was written by sockstrace 9\\u{1b}; this one reads version 1",
        ),
        (
            format!("{header}{tick}{{\"type\":\"tick\",\"time_ns\":-1}}\n"),
            3,
            "it says what no trace says: invalid value: integer `-1`, expected u64 at column 27",
        ),
        (
            format!(
                "{header}{{\"type\":\"process\",\"pid\":1,\"tid\":-5,\"time_ns\":0,\"change\":\"continued\"}}\n"
            ),
            2,
            "no process has the number -5",
        ),
        (
            format!("{header}{tick}{{\"type\":\"ti"),
            3,
            "the file ends in the middle of it",
        ),
    ] {
        let why = why.to_owned();
        assert_eq!(read(text.as_bytes()).1, Some(Unreadable { line, why }));
    }
    // What a later version adds is passed over.
    let later = format!(
        "{header}{{\"type\":\"weather\",\"rain\":true}}\n{{\"time_ns\":7,\"more\":[1],\"type\":\"tick\"}}"
    );
    let (all, why) = read(later.as_bytes());
    assert!(
        matches!(all[..], [Saw::Tick(7)]) && why.is_none(),
        "{all:?} {why:?}"
    );
}

#[test]
fn a_line_without_end_takes_no_more_memory_than_a_line_may() {
    let header = written(&[]);
    let endless = BufReader::new(std::io::Read::chain(
        Cursor::new(header),
        std::io::repeat(b' '),
    ));
    let (mut reader, _) = Reader::new(endless).expect("a header");
    let why = reader.next().expect_err("it has no end");
    assert_eq!(why.line, 2);
    assert!(why.why.starts_with("it is longer than"), "{why}");
}
