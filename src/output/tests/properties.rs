//! What holds for any program.

use proptest::prelude::*;

use super::*;
use crate::story::chaos;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 100, ..ProptestConfig::default() })]

    /// Whatever the program does and is called: nothing panics, and nothing controls the terminal but our own colours and newlines.
    #[test]
    fn no_trace_controls_the_terminal(
        events in chaos::events(),
        (colour, unicode, verbose, explain) in any::<(bool, bool, bool, bool)>(),
        (width, hex, dump) in (proptest::option::of(1..200usize), 0..4usize, any::<bool>()),
    ) {
        let settings = Settings {
            colour,
            unicode,
            verbose,
            explain,
            width,
            hex: [Hex::No, Hex::Characters, Hex::Strings, Hex::All][hex],
            dump_read: if dump { Descriptors::All } else { Descriptors::None },
            durations: dump.then_some(6),
            ..file()
        };
        let steps = events.into_iter().flat_map(|event| [Step::Tell(event), Step::Tick(2_000 * MS)]).chain([Step::End(u64::MAX)]);
        let text = screen(steps, settings);
        for line in text.split('\n') {
            let plain = if colour { without_colours(line) } else { line.to_string() };
            let safe = |c: char| if c.is_ascii() { !c.is_ascii_control() } else { unicode && c.escape_debug().len() == 1 };
            prop_assert!(plain.chars().all(safe), "{plain:?}");
        }
        prop_assert!(text.is_empty() || text.ends_with('\n'));
    }

    /// On a terminal no line is wider than it, as long as it isn't absurdly narrow.
    #[test]
    fn lines_fit_the_terminal(events in chaos::events(), width in 90..200usize, verbose: bool, keep_data: bool) {
        let text = screen(events, Settings { verbose, keep_data, ..wide(width) });
        for line in text.lines() {
            prop_assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{line}");
        }
    }
}

/// The line without our own SGR sequences.
fn without_colours(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain += before;
        let end = after
            .find(|c: char| !c.is_ascii_digit() && c != ';')
            .unwrap_or(after.len());
        assert!(after[end..].starts_with('m'), "only colours: {line:?}");
        rest = &after[end + 1..];
    }
    plain + rest
}
