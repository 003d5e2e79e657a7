//! How often padding is found in real programs, and whether objdump sees it as we do.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};

use super::{LONG_JUMP, SIGHT, find, is_atomic};

/// Code of an ELF file: a section that is executed.
struct Section {
    address: u64,
    code: Vec<u8>,
}

/// The sections with code (elf(5)).
fn sections(file: &[u8]) -> Option<Vec<Section>> {
    const MACHINE: u64 = 62;
    const PROGBITS: u64 = 1;
    const EXECINSTR: u64 = 4;
    let number = |at: usize, size: usize| {
        let bytes = file.get(at..at + size)?;
        Some(
            bytes
                .iter()
                .rev()
                .fold(0, |all, byte| all << 8 | u64::from(*byte)),
        )
    };
    if !file.starts_with(b"\x7fELF\x02") || number(18, 2)? != MACHINE {
        return None;
    }
    let headers =
        (0..number(60, 2)? as usize).map(|index| Some(number(40, 8)? as usize + 64 * index));
    let section = |header: usize| {
        let offset = number(header + 24, 8)? as usize;
        let wanted = number(header + 4, 4)? == PROGBITS && number(header + 8, 8)? & EXECINSTR != 0;
        let section = Section {
            address: number(header + 16, 8)?,
            code: file
                .get(offset..offset + number(header + 32, 8)? as usize)?
                .to_vec(),
        };
        wanted.then_some(section)
    };
    Some(headers.flatten().filter_map(section).collect())
}

impl Section {
    /// The addresses of all call instructions, decoding from the first to the last.
    fn sites(&self) -> Vec<u64> {
        let mut decoder = Decoder::with_ip(64, &self.code, self.address, DecoderOptions::NONE);
        let mut instruction = Instruction::default();
        let mut sites = Vec::new();
        while decoder.can_decode() {
            let at = decoder.position();
            decoder.decode_out(&mut instruction);
            if instruction.is_invalid() {
                decoder.set_position(at + 1).unwrap();
                decoder.set_ip(self.address + at as u64 + 1);
            } else if instruction.code() == Code::Syscall {
                sites.push(instruction.ip());
            }
        }
        sites
    }

    fn find(&self, site: u64, taken: impl Fn(u64) -> bool) -> Option<u64> {
        let at = site - self.address;
        let end = self.code.len().min((at + SIGHT) as usize);
        let start = at.saturating_sub(SIGHT);
        let code = &self.code[start as usize..end];
        find(code, self.address + start, site, taken)
    }
}

/// What is found in one file.
#[derive(Default)]
struct Survey {
    sites: usize,
    atomic: usize,
    /// If no other call had any.
    found: usize,
    /// If all calls get some.
    shared: Vec<u64>,
    /// Calls without any.
    missed: Vec<u64>,
}

impl Survey {
    fn of(path: &Path) -> Option<Self> {
        let mut survey = Self::default();
        for section in sections(&fs::read(path).ok()?)? {
            for site in section.sites() {
                survey.sites += 1;
                survey.atomic += usize::from(is_atomic(site));
                match section.find(site, |_| false) {
                    Some(_) => survey.found += 1,
                    None => survey.missed.push(site),
                }
                let taken = |at: u64| {
                    survey
                        .shared
                        .iter()
                        .any(|other| at.abs_diff(*other) < LONG_JUMP as u64)
                };
                survey.shared.extend(section.find(site, taken));
            }
        }
        Some(survey)
    }
}

/// All instructions of a file as objdump sees them: where they end, and their text.
fn disassembled(path: &Path) -> BTreeMap<u64, (u64, String)> {
    let output = Command::new("objdump")
        .args(["-d", "--wide"])
        .arg(path)
        .output()
        .unwrap();
    let line = |line: &str| {
        let mut columns = line.split('\t');
        let address = u64::from_str_radix(columns.next()?.trim().strip_suffix(':')?, 16).ok()?;
        let length = columns.next()?.split_whitespace().count() as u64;
        let words: Vec<&str> = columns.next().unwrap_or("").split_whitespace().collect();
        Some((address, (address + length, words.join(" "))))
    };
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(line)
        .collect()
}

/// Panics unless there are but no-ops and traps, and an end before them.
#[track_caller]
fn check(instructions: &BTreeMap<u64, (u64, String)>, padding: u64) {
    let is_filler = |text: &str| text == "int3" || text == "xchg %ax,%ax" || text.contains("nop");
    let (first, _) = instructions.range(..=padding).next_back().unwrap();
    for (_, (_, text)) in instructions.range(first..&(padding + LONG_JUMP as u64)) {
        assert!(is_filler(text), "{padding:x}: {text}");
    }
    let mut before = instructions.range(..padding).rev();
    let (_, (_, before)) = before.find(|(_, (_, text))| !is_filler(text)).unwrap();
    let mut words = before.split(' ');
    let end = words.find(|word| !["bnd", "notrack", "rep", "repz"].contains(word));
    let is_end = |word| ["ret", "retq", "jmp", "jmpq", "ud2", "hlt"].contains(&word);
    assert!(end.is_some_and(is_end), "{padding:x}: {before}");
}

/// The C library that this test runs with.
fn libc() -> PathBuf {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let path = maps
        .split_whitespace()
        .find(|word| word.contains("/libc.so") || word.contains("/libc-"));
    path.expect("the test is linked dynamically").into()
}

#[test]
fn most_calls_of_the_c_library_have_padding() {
    let survey = Survey::of(&libc()).unwrap();
    assert!(survey.sites > 200, "{}", survey.sites);
    assert!(
        survey.found * 100 >= survey.sites * 85,
        "{} of {}",
        survey.found,
        survey.sites
    );
}

/// `cargo test --release survey -- --ignored --nocapture`, with further files in `FILES`, separated by colons.
#[test]
#[ignore = "a table of this system's programs and libraries"]
fn table() {
    let libraries = fs::read_dir("/lib/x86_64-linux-gnu").into_iter().flatten();
    let mut paths: Vec<PathBuf> = libraries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_file() && path.to_string_lossy().contains(".so"))
        .chain(
            std::env::var_os("FILES")
                .iter()
                .flat_map(std::env::split_paths),
        )
        .filter_map(|path| path.canonicalize().ok())
        .collect();
    paths.sort();
    paths.dedup();
    println!("{:40} calls  found  every one  atomic", "");
    for path in paths {
        let Some(survey) = Survey::of(&path).filter(|survey| survey.sites > 0) else {
            continue;
        };
        let percent = |count: usize| 100 * count / survey.sites;
        let name = path.file_name().unwrap_or(OsStr::new("")).to_string_lossy();
        println!(
            "{name:40} {:5} {:5}% {:9}% {:6}%",
            survey.sites,
            percent(survey.found),
            percent(survey.shared.len()),
            percent(survey.atomic),
        );
        let instructions = disassembled(&path);
        for padding in &survey.shared {
            check(&instructions, *padding);
        }
        println!("    none: {:x?}", survey.missed);
    }
}
