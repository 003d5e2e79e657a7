//! Whole screens, as a person sees them.

use super::text::{Settings, Text};
use super::{Output, summary};
use crate::story::scene::*;
use crate::story::{Options, Story};
use crate::tracer::event::Event;

fn screen(events: Vec<Event>, settings: Settings) -> String {
    let mut story = Story::new(Options {
        verbose: settings.verbose,
        ..Options::default()
    });
    let mut out = Vec::new();
    let mut text = Text::new(&mut out, settings);
    for event in events {
        for told in story.tell(event) {
            text.show(&told).unwrap();
        }
    }
    text.finish().unwrap();
    drop(text);
    String::from_utf8(out).unwrap()
}

#[test]
fn look() {
    for width in [None, Some(60), Some(100), Some(160)] {
        println!(
            "{}",
            screen(
                client(),
                Settings {
                    width,
                    ..Settings::default()
                }
            )
        );
        println!(
            "{}",
            screen(
                server(),
                Settings {
                    width,
                    ..Settings::default()
                }
            )
        );
    }
    println!(
        "{}",
        screen(
            client(),
            Settings {
                explain: true,
                verbose: true,
                ..Settings::default()
            }
        )
    );
    let mut s = summary::Summary::new(Vec::new(), Default::default());
    let mut story = Story::new(Options::default());
    for e in client() {
        for t in story.tell(e) {
            s.show(&t).unwrap();
        }
    }
    println!("{}", s.table());
}
