//! Whole screens, as a person sees them.

mod programs;
mod properties;
mod settings;

use std::collections::BTreeSet;

use insta::assert_snapshot;
use syscalls::Sysno;

use super::Output;
use super::escape::Hex;
use super::hexdump::Descriptors;
use super::summary::{Sort, Summary};
use super::text::{Settings, Text};
use super::time::{Clock, Wall};
use crate::story::scene::*;
use crate::story::{Options, Story};
use crate::syscall::names::{file, poll, socket};
use crate::syscall::{Data, Selection, SockAddr, Value};
use crate::tracer::event::{Change, Descriptor, Event, Nanos, Notice, Status};

/// One step of a scene.
enum Step {
    Tell(Event),
    Tick(Nanos),
    End(Nanos),
}

impl From<Event> for Step {
    fn from(event: Event) -> Self {
        Self::Tell(event)
    }
}

fn play(
    steps: impl IntoIterator<Item = impl Into<Step>>,
    options: Options,
    output: &mut dyn Output,
) {
    let mut story = Story::new(options);
    for step in steps {
        let said = match step.into() {
            Step::Tell(event) => story.tell(event),
            Step::Tick(now) => story.tick(now),
            Step::End(now) => story.end(now),
        };
        for told in said {
            output.show(&told).expect("a Vec takes all");
        }
    }
    output.finish(0).expect("a Vec takes all");
}

fn screen(steps: impl IntoIterator<Item = impl Into<Step>>, settings: Settings) -> String {
    let options = Options {
        every_step: settings.explain,
        verbose: settings.verbose,
        ..Options::default()
    };
    screen_of(steps, options, settings)
}

fn screen_of(
    steps: impl IntoIterator<Item = impl Into<Step>>,
    options: Options,
    settings: Settings,
) -> String {
    let mut out = Vec::new();
    play(steps, options, &mut Text::new(&mut out, settings));
    String::from_utf8(out).expect("text is UTF-8")
}

fn file() -> Settings {
    Settings {
        zone: Some(0),
        wall_start: Wall {
            seconds: 1_700_000_000,
            nanos: 123_456_789,
        },
        ..Settings::default()
    }
}

fn wide(width: usize) -> Settings {
    Settings {
        width: Some(width),
        ..file()
    }
}

/// A connect that hangs until the kernel gives up.
fn hanging() -> Vec<Step> {
    let db = || connect(3, inet([10, 20, 0, 9], 5432)).on(3, 4);
    vec![
        started(100, None, "psql", 0).into(),
        makes(3, 4).at(MS, 9000).done().into(),
        db().at(1_200_000, 200 * MS).waiting().into(),
        Step::Tick(900 * MS),
        Step::Tick(1_300 * MS),
        Step::Tick(1_400 * MS),
        Step::Tick(10_350 * MS),
        Step::Tick(61_000 * MS),
        db().fails(libc::ETIMEDOUT)
            .at(1_200_000, 130_000 * MS)
            .done()
            .into(),
        close(3)
            .on(3, 4)
            .releases(4)
            .at(130_002 * MS, 9000)
            .done()
            .into(),
    ]
}

/// A refusal, at once and after a handshake that was left to the kernel.
fn failing() -> Vec<Step> {
    let closed = || inet([127, 0, 0, 1], 1);
    vec![
        started(100, None, "curl", 0).into(),
        makes(3, 4).at(MS, 9000).done().into(),
        connect(3, closed())
            .on(3, 4)
            .fails(libc::ECONNREFUSED)
            .at(2 * MS, 40_000)
            .done()
            .into(),
        close(3).on(3, 4).releases(4).at(3 * MS, 9000).done().into(),
        makes(3, 5).at(4 * MS, 9000).done().into(),
        connect(3, closed())
            .on(3, 5)
            .fails(libc::EINPROGRESS)
            .at(5 * MS, 40_000)
            .done()
            .into(),
        polls(3, 0x1c).on(3, 5).at(6 * MS, 9000).done().into(),
        so_error(3, i64::from(libc::ECONNREFUSED))
            .on(3, 5)
            .at(7 * MS, 9000)
            .done()
            .into(),
        close(3).on(3, 5).releases(5).at(8 * MS, 9000).done().into(),
        close(9).fails(libc::EBADF).at(9 * MS, 9000).done().into(),
    ]
}

/// A shell that starts a client, whose threads interleave; one is killed.
fn several() -> Vec<Step> {
    let thread = Change::Started {
        parent: Some(201),
        name: "fetch".into(),
        own: None,
    };
    let answer = || recvfrom(5, b"late", 4, 4096).on(5, 8).by(201, 202);
    vec![
        started(200, None, "sh", 0).into(),
        started(201, Some(200), "sh", MS).into(),
        executed(201, "fetch", 2 * MS).into(),
        makes(5, 8).by(201, 201).at(3 * MS, 9000).done().into(),
        connect(5, inet([10, 0, 0, 1], 7))
            .on(5, 8)
            .by(201, 201)
            .at(4 * MS, 2 * MS)
            .done()
            .into(),
        process(201, 202, 7 * MS, thread).into(),
        receiving(5, 4096)
            .on(5, 8)
            .by(201, 202)
            .at(8 * MS, 200 * MS)
            .waiting()
            .into(),
        sendto(5, b"question")
            .on(5, 8)
            .by(201, 201)
            .at(300 * MS, 9000)
            .done()
            .into(),
        answer().at(8 * MS, 400 * MS).done().into(),
        receiving(5, 4096)
            .on(5, 8)
            .by(201, 202)
            .at(410 * MS, 200 * MS)
            .waiting()
            .into(),
        answer().fails(512).at(410 * MS, 600 * MS).done().into(),
        process(
            201,
            202,
            1010 * MS,
            Change::Signal {
                signal: libc::SIGALRM,
                code: 0x80,
                sender: None,
            },
        )
        .into(),
        process(
            201,
            201,
            1020 * MS,
            Change::Signal {
                signal: libc::SIGTERM,
                code: 0,
                sender: Some(200),
            },
        )
        .into(),
        process(
            201,
            202,
            1030 * MS,
            ended(Status::Killed(libc::SIGTERM, false), vec![], false),
        )
        .into(),
        process(
            201,
            201,
            1030 * MS,
            ended(Status::Killed(libc::SIGTERM, false), vec![8], true),
        )
        .into(),
        process(
            200,
            200,
            1040 * MS,
            Change::Signal {
                signal: libc::SIGCHLD,
                code: 2,
                sender: Some(201),
            },
        )
        .into(),
        exited(200, 143, vec![], 1050 * MS).into(),
    ]
}

fn ended(status: Status, released: Vec<u64>, process: bool) -> Change {
    Change::Ended {
        status,
        released,
        process,
    }
}
