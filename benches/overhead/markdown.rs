//! The table in BENCHMARKS.md: what stands between two markers is written anew.

use std::path::Path;

use crate::machine::Machine;
use crate::results::Row;
use crate::running::Setup;
use crate::statistics::median;
use crate::table;
use crate::way::Way;

const BEGIN: &str = "<!-- overhead: begin -->\n";
const END: &str = "<!-- overhead: end -->";

/// Whether there is a place for the table.
pub fn check(file: &Path) -> Result<(), String> {
    match is_standard_output(file) {
        true => Ok(()),
        false => parts(file).map(drop),
    }
}

/// Puts the section where it belongs.
pub fn write(file: &Path, section: &str) -> Result<(), String> {
    if is_standard_output(file) {
        print!("{section}");
        return Ok(());
    }
    let (before, after) = parts(file)?;
    std::fs::write(file, format!("{before}{BEGIN}\n{section}\n{END}{after}"))
        .map_err(|error| format!("{}: {error}", file.display()))
}

/// The machine and the table.
pub fn section(machine: &Machine, setup: &Setup, rows: &[Row]) -> String {
    let mut text = String::new();
    for (name, fact) in &machine.0 {
        text += &format!("- {name}: {fact}\n");
    }
    let engine = setup.engine.as_deref().unwrap_or("auto");
    text += &format!("- rounds: {}; engine: {engine}\n\n", setup.rounds);
    text += "| workload | of one run | untraced | strace | sockstrace | × untraced | × strace | to reach |\n";
    text += "|---|---|---|---|---|---|---|---|\n";
    for row in rows {
        let quantity = row.measure.quantity;
        text += &format!("| {} | {}", row.workload.title, table::unit(quantity));
        for way in Way::COLUMNS {
            text += " | ";
            text += &match (median(row.samples(way)), row.best(way)) {
                (Some(median), Some(best)) => format!(
                    "{} ({})",
                    table::number_of(median, quantity),
                    table::number_of(best, quantity)
                ),
                _ => "–".into(),
            };
        }
        for way in [Way::Untraced, Way::Strace] {
            text += &format!(" | {}", table::ratio(row.ratio(way)));
        }
        text += &format!(" | {} |\n", table::verdicts(row));
    }
    text
}

fn is_standard_output(file: &Path) -> bool {
    file == Path::new("-")
}

/// What stands before and after the markers.
fn parts(file: &Path) -> Result<(String, String), String> {
    let text =
        std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let split = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before.to_owned(), after.to_owned()))
    });
    split.ok_or_else(|| {
        format!(
            "{}: no place for the table; put the lines {BEGIN}{END} where it belongs",
            file.display()
        )
    })
}
