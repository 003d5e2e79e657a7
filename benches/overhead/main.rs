//! What tracing costs: workloads run untraced, under strace and under sockstrace in turns, and the table that comes of it.
//!
//! `cargo bench --bench overhead -- --help` says what it can be asked. A time never makes it fail, a workload that does not run does.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod build;
mod json;
mod machine;
mod markdown;
mod measure;
mod nginx;
mod redis;
mod results;
mod running;
mod server;
mod statistics;
mod table;
mod way;
mod web;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use machine::Machine;
use running::Setup;
use workloads::{WORKLOADS, Workload};

/// Runs workloads untraced, under strace and under sockstrace in turns, and prints what each costs
#[derive(Parser)]
#[command(name = "overhead", bin_name = "cargo bench --bench overhead --")]
struct Arguments {
    /// How often each workload runs under each, after one round that does not count
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rounds: u32,
    /// Only these workloads
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    only: Vec<String>,
    /// Say which workloads there are, and run none
    #[arg(long)]
    list: bool,
    /// Tiny sizes and one round: whether everything works, not what it costs
    #[arg(long)]
    short: bool,
    /// Write all samples there
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Replace the table between the markers of FILE (BENCHMARKS.md), or print it (-)
    #[arg(long, value_name = "FILE|-")]
    markdown: Option<PathBuf>,
    /// The sockstrace to measure, in place of the one just built
    #[arg(long, value_name = "PATH", default_value = env!("CARGO_BIN_EXE_sockstrace"))]
    sockstrace: PathBuf,
    /// sockstrace's way of seeing calls: auto, stop, record, number or syscall
    #[arg(long, value_name = "ENGINE")]
    engine: Option<String>,
    /// What cargo bench says to every benchmark, and cargo test does not
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.bench && !arguments.list {
        println!("overhead: nothing to test; cargo bench --bench overhead runs it");
        return ExitCode::SUCCESS;
    }
    match measure_all(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("overhead: {message}");
            ExitCode::FAILURE
        }
    }
}

fn measure_all(arguments: &Arguments) -> Result<(), String> {
    let chosen = chosen(&arguments.only)?;
    if arguments.list {
        print!("{}", table::list(&chosen));
        return Ok(());
    }
    let markdown = arguments.markdown.as_deref();
    // A file that cannot take the table is found out now, not after the measuring.
    markdown.map(markdown::check).transpose()?;
    let setup = Setup::new(arguments)?;
    let machine = Machine::this(&setup);
    print!("{machine}");
    setup.notes().for_each(|note| println!("{note}"));
    println!("{}", table::HEAD);
    let (mut rows, mut failures) = (Vec::new(), Vec::new());
    for workload in chosen {
        match setup.run(workload) {
            Ok(results) => {
                for result in results {
                    println!("{}", table::row(&result));
                    rows.push(result);
                }
            }
            Err(message) => {
                println!("{}: {message}", workload.name);
                failures.push(workload.name);
            }
        }
    }
    if let Some(file) = &arguments.json {
        let text = json::document(&machine, &setup, &rows);
        std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    if let Some(file) = markdown {
        markdown::write(file, &markdown::section(&machine, &setup, &rows))?;
    }
    match failures[..] {
        [] => Ok(()),
        _ => Err(format!("did not run: {}", failures.join(", "))),
    }
}

/// The workloads of these names; all where there are none.
fn chosen(only: &[String]) -> Result<Vec<&'static Workload>, String> {
    let unknown = only
        .iter()
        .find(|name| !WORKLOADS.iter().any(|workload| workload.name == **name));
    match unknown {
        Some(name) => Err(format!("no workload is named {name}; see --list")),
        None => Ok(WORKLOADS
            .iter()
            .filter(|workload| only.is_empty() || only.iter().any(|name| name == workload.name))
            .collect()),
    }
}
