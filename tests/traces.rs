//! Recorded runs of real programs, shown by every output: a change of the story or of an output shows here what it does to all of them.
//! `tests/traces/remake` records them anew.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

#[path = "end_to_end/harness/data.rs"]
#[expect(dead_code, reason = "what other tests need")]
mod data;

use std::path::{Path, PathBuf};
use std::process::Command;

use insta::assert_snapshot;
use serde_json::Value;

const TRACES: [&str; 11] = [
    "curl",
    "curl-no-name",
    "curl-refused",
    "dig",
    "git",
    "nginx",
    "node",
    "psql",
    "python",
    "redis-cli",
    "ssh",
];

fn trace(name: &str) -> PathBuf {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/traces");
    Path::new(folder).join(name).with_extension("zst")
}

/// What a replay shows.
#[track_caller]
fn shown(name: &str, options: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_sockstrace"))
        .args(options)
        .arg("--replay")
        .arg(trace(name))
        .env("LC_ALL", "C.UTF-8")
        .env("TZ", "UTC")
        .env_remove("NO_COLOR")
        .output()
        .expect("sockstrace");
    let text = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(output.status.success(), "{name} {options:?}: {text}");
    text
}

/// Lines of JSON without what they were decoded from.
fn told(lines: &str) -> String {
    let lines = data::parse(lines).into_iter().map(|mut line| {
        let object = line.as_object_mut().expect("an object");
        object.remove("captured");
        object.remove("run");
        // The version is the program's.
        object.remove("sockstrace");
        format!("{line}\n")
    });
    lines.collect()
}

#[test]
fn as_text() {
    for name in TRACES {
        assert_snapshot!(format!("{name}-text"), shown(name, &[]));
    }
    for name in ["curl", "nginx"] {
        let all = shown(name, &["-v", "-tt", "-r", "-T", "-s", "100"]);
        assert_snapshot!(format!("{name}-text-of-all"), all);
    }
    for name in TRACES {
        assert_snapshot!(
            format!("{name}-overview"),
            shown(name, &["--overview=only"])
        );
    }
    let coloured = shown("redis-cli", &["--color", "always", "--hex"]);
    assert_snapshot!(
        "redis-cli-text-with-colours-and-dumps",
        coloured.replace('\u{1b}', "␛")
    );
}

#[test]
fn as_a_table() {
    for name in TRACES {
        assert_snapshot!(format!("{name}-table"), shown(name, &["-c"]));
    }
}

#[test]
fn as_json() {
    for name in TRACES {
        let conversations = [
            "--json",
            "--json-types=conversation,connected,process,waiting",
        ];
        assert_snapshot!(format!("{name}-json"), told(&shown(name, &conversations)));
    }
    for name in ["dig", "psql"] {
        let all = told(&shown(name, &["--json"]));
        assert_snapshot!(format!("{name}-json-of-all"), all);
    }
}

#[test]
fn a_folder_of_files_for_each_process() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = folder.path().join("nginx");
    shown("nginx", &["-ff", "-o", place.to_str().expect("UTF-8")]);
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .map(|file| file.file_name().into_string().expect("UTF-8"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 2, "{names:?}");
    for (number, name) in names.iter().enumerate() {
        let text = std::fs::read_to_string(folder.path().join(name)).expect("a file");
        assert_snapshot!(format!("nginx-process-{number}"), text);
    }
}

#[test]
fn none_names_the_machine_on_which_it_was_made() {
    for name in TRACES {
        let header = shown(name, &["--json", "--json-types=process"]);
        let header: Value =
            serde_json::from_str(header.lines().next().expect("a header")).expect("JSON");
        assert_eq!(header["host"], "host");
        assert_eq!(header["run"], "00000000-0000-4000-8000-000000000000");
        assert_eq!(header["boot_id"], "00000000-0000-4000-8000-000000000001");
    }
}
