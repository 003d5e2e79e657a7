//! What a call costs us once the tracee runs on: from registers and memory to a typed call, to the story, to text.
//!
//! The tracee is made of bytes, so nothing of the kernel's is in these times; `benches/overhead` has those.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod calls;

use std::io;
use std::mem;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use sockstrace::output::summary::{Sort, Summary};
use sockstrace::output::text::{Settings, Text};
use sockstrace::output::{Descriptors, Output};
use sockstrace::story::{self, Story, Told, What};
use sockstrace::tracer::calling::Telling;
use sockstrace::tracer::event::Event;

use calls::{CALLS, CONVERSATION, Made, SERVER};

fn main() {
    divan::main();
}

/// A call, by its name: entry and exit.
#[divan::bench(args = CALLS, sample_size = 1000)]
fn decode(bencher: Bencher, made: &Made) {
    let memory = made.memory();
    bencher.bench_local(|| made.call(black_box(&memory)));
}

/// A conversation from its socket to its close, with nothing folded.
#[divan::bench(sample_size = 100)]
fn tell(bencher: Bencher) {
    let mut story = Story::new(verbose());
    bencher
        .counter(ItemsCount::new(CONVERSATION.len()))
        .with_inputs(events)
        .bench_local_values(|events| {
            for event in events {
                black_box(story.tell(event));
            }
        });
}

/// The same conversation, once told, as each output shows it.
#[divan::bench(args = ["file", "terminal", "dump", "summary"], sample_size = 100)]
fn show(bencher: Bencher, output: &str) {
    let mut output = output_named(output);
    let mut story = Story::new(verbose());
    let told: Vec<Told> = events()
        .into_iter()
        .flat_map(|event| story.tell(event))
        .collect();
    bencher
        .counter(ItemsCount::new(CONVERSATION.len()))
        .bench_local(|| {
            for told in &told {
                output.show(black_box(told)).expect("a sink takes all");
            }
        });
}

/// All of it: what the tracer's two threads do together for that conversation, with text to a file.
#[divan::bench(sample_size = 100)]
fn decode_tell_show(bencher: Bencher) {
    let mut story = Story::new(verbose());
    let mut output = output_named("file");
    let memory: Vec<_> = CONVERSATION.iter().map(Made::memory).collect();
    bencher
        .counter(ItemsCount::new(CONVERSATION.len()))
        .bench_local(|| {
            for (made, memory) in CONVERSATION.iter().zip(&memory) {
                for told in story.tell(made.event(made.call(memory))) {
                    output.show(&told).expect("a sink takes all");
                }
            }
        });
}

/// What the output's thread does for a call that has come, again and again: from its copied bytes to text in a file, without anything
/// new to learn.
#[divan::bench(args = SERVER, sample_size = 1000)]
fn come_tell_show(bencher: Bencher, made: &Made) {
    let options = story::Options::default();
    let mut story = Story::new(options.clone());
    let mut output = Text::new(io::sink(), Settings::default());
    let mut calling = made.calling(&made.memory());
    let (mut spare, mut said) = (None, Vec::new());
    let telling = Telling {
        needed: Box::new(move |event| options.need_arguments(event)),
        ..Telling::default()
    };
    bencher.bench_local(|| {
        let event = black_box(&mut calling).tell(spare.take(), &telling);
        story.tell_into(Event::Call(event), &mut said);
        for told in &mut said {
            output.show(told).expect("a sink takes all");
            if let What::Call(event) = mem::replace(&mut told.what, What::Connected) {
                spare = Some(event);
            }
        }
        said.clear();
    });
}

fn verbose() -> story::Options {
    story::Options {
        verbose: true,
        ..story::Options::default()
    }
}

fn events() -> Vec<Event> {
    CONVERSATION
        .iter()
        .map(|made| made.event(made.call(&made.memory())))
        .collect()
}

/// A way of showing, into nothing.
fn output_named(name: &str) -> Box<dyn Output> {
    let file = Settings {
        verbose: true,
        ..Settings::default()
    };
    let settings = match name {
        "summary" => return Box::new(Summary::new(io::sink(), Sort::default())),
        "terminal" => Settings {
            colour: true,
            width: Some(120),
            ..file
        },
        "dump" => Settings {
            dump_read: Descriptors::All,
            dump_write: Descriptors::All,
            ..file
        },
        _ => file,
    };
    Box::new(Text::new(io::sink(), settings))
}
