//! A trace that is shown again: what was recorded, through today's decoders, story and outputs.

use std::time::{Duration, UNIX_EPOCH};

use crate::cli::Options;
use crate::destination::{self, Place};
use crate::narrator::Narrator;
use crate::record::{HeaderLine, Item, Reader};
use crate::report::Written;
use crate::session::{self, Failure, complain};
use crate::showing::{self, Places, Run};
use crate::story::Story;
use crate::tracer::event::Event;

/// Shows the trace that the options name.
///
/// # Errors
/// What cannot be read of it, when all before that is shown; or what could not be written.
pub fn run(options: &Options) -> Result<(), Failure> {
    for warning in &options.warnings {
        complain(warning);
    }
    let Some(path) = &options.replay else {
        return Ok(());
    };
    let unreadable = |why: String| Failure::own(format!("cannot replay {}: {why}", path.display()));
    let (input, identity) = destination::open_input(path).map_err(Failure::own)?;
    let inputs = [identity];
    let (mut reader, recorded) = Reader::new(input).map_err(|why| unreadable(why.to_string()))?;
    let text = Place::open(&options.destination, &inputs).map_err(Failure::own)?;
    // What was said in a trace's calls stands in it: the data may be cut.
    let recalls = recorded.content == "trace";
    let run = Run {
        began: UNIX_EPOCH
            + Duration::new(
                u64::try_from(recorded.unix_seconds)
                    .unwrap_or(0)
                    .min(MOST_SECONDS),
                recorded.unix_nanos.min(999_999_999),
            ),
        header: header(options, recorded),
    };
    let facts = showing::name_facts(&run);
    let json = showing::json_sink(options, &facts, &inputs).map_err(Failure::own)?;
    let mut story = showing::story(options, run.header.explains);
    story.hearing.recalls = recalls;
    let telling = session::telling(options, story.clone());
    let shown = showing::outputs(
        options,
        Places {
            text,
            json,
            inputs: inputs.to_vec(),
        },
        run,
    );
    let mut narrator = Narrator::new(Story::new(story), shown.outputs);
    let (mut spare, mut now, mut whole) = (None, 0, false);
    let ended = loop {
        if narrator.remembers() > MOST_REMEMBERED {
            break Some(
                reader.unreadable("there are more sockets and processes than a machine has"),
            );
        }
        if !narrator.is_heard() {
            whole = true;
            break None;
        }
        let item = match reader.next() {
            Ok(Some(item)) => item,
            Ok(None) => break None,
            Err(unreadable) => break Some(unreadable),
        };
        now = item.time().map_or(now, |time| time.max(now));
        match item {
            Item::Call(mut calling, messages, more) => {
                narrator.recall(messages, more);
                let event = calling.tell(spare.take(), &telling);
                spare = narrator.event(Event::Call(event));
            }
            Item::Waiting(mut calling) => {
                narrator.event(Event::Waiting(calling.tell(None, &telling)));
            }
            Item::Library(event, messages, more) => {
                narrator.recall(messages, more);
                narrator.event(Event::Library(event));
            }
            Item::Event(event) => {
                narrator.event(event);
            }
            Item::Tick(time) => narrator.tick(time),
            Item::End(time) => (now, whole) = (time, true),
        }
    };
    let mut written = Written::new(narrator.end(now));
    written.finish_shared(shown.json, showing::holds(options));
    written.report(showing::is_quiet(options))?;
    match ended {
        Some(why) => Err(unreadable(format!("{why}; all before that was shown"))),
        None if !whole => Err(unreadable(format!(
            "line {} is the last one, and does not end the trace; all of it was shown",
            reader.line()
        ))),
        None => Ok(()),
    }
}

/// How many sockets and processes may be alive at once: more come from no machine, and would take all memory.
const MOST_REMEMBERED: usize = 1 << 23;

/// The latest beginning that is believed: the year 9999.
const MOST_SECONDS: u64 = 253_402_300_799;

/// The header of what a replay writes: it is still the same run, of which less may be shown.
fn header(options: &Options, recorded: HeaderLine<'static>) -> HeaderLine<'static> {
    let mut header = recorded;
    header.part = None;
    header.labels.extend(options.labels.clone());
    for filter in &options.filters {
        if !header.filters.contains(filter) {
            header.filters.push(filter.clone());
        }
    }
    header
}
