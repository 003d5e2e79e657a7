//! The trace as data: what was recorded tells the same again, what is written holds, and what goes wrong harms neither.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::harness::data::{base64, data, lines, of_type, parse, unpacked};
use crate::harness::programs::{program, script};
use crate::harness::{
    Job, Outcome, RECORDERS, binary, command, installed, run, scratch, servers, sockstrace, text,
    untraced,
};

/// `sockstrace OPTIONS --replay FILE`.
fn replay<O: AsRef<std::ffi::OsStr>>(options: &[O], file: &Path) -> Command {
    let mut command = command(binary());
    command.args(options).arg("--replay").arg(file);
    command
}

/// A file's content.
#[track_caller]
fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Runs a program with its trace as text, as a record and as JSON, and holds the three against each other.
#[track_caller]
fn tells_the_same_again(options: &[&str], program: &[&str]) {
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let [live, record, json, again] = ["live", "record", "json", "again"].map(at);
    let [recording, as_json] = [("record", &record), ("json", &json)]
        .map(|(name, file)| format!("--{name}={}", text(file)));
    let all = [options, &["-o", text(&live), &recording, &as_json]].concat();
    run(sockstrace(&all, program)).exited(0);
    let live = read(&live);
    assert!(!live.is_empty(), "{program:?} has nothing to show");
    // The engine is the run's own business.
    let engine = options.iter().position(|option| *option == "--engine");
    let mut showing = options.to_vec();
    engine.map(|at| showing.drain(at..at + 2));
    showing.extend(["-o", text(&again)]);
    for trace in [&record, &json] {
        run(replay(&showing, trace)).exited(0);
        assert_eq!(
            read(&again),
            live,
            "{} of {options:?} {program:?}",
            trace.display()
        );
        lines(trace);
    }
}

#[test]
fn clients_are_told_again() {
    let address = servers::http("a short page\n");
    let url = format!("http://localhost:{}/", address.port());
    for engine in RECORDERS {
        for options in [&[][..], &["-v", "-tt"], &["-s", "500", "-r", "-T", "-xx"]] {
            let options = [&["--engine", engine][..], options].concat();
            tells_the_same_again(&options, &[text(&installed("curl")), "-s", &url]);
        }
    }
    for client in ["python3", "node"] {
        let script = script(if client == "node" { "web.js" } else { "web.py" });
        tells_the_same_again(&[], &[text(&installed(client)), text(&script), &url]);
    }
    tells_the_same_again(
        &["--hex", "--full-data"],
        &[text(&installed("wget")), "-qO-", &url],
    );
    let server = servers::dns("example.test");
    let port = server.port().to_string();
    let dig = text(&installed("dig")).to_owned();
    tells_the_same_again(
        &["-v"],
        &[&dig, "@127.0.0.1", "-p", &port, "+tries=1", "example.test"],
    );
}

#[test]
fn programs_of_every_kind_are_told_again() {
    for name in [
        "call_shapes",
        "iovecs",
        "pass_rights",
        "vfork_exec",
        "exec_from_thread",
        "threads",
        "use_after_close",
        "sockaddr_lengths",
        "bad_pointers",
        "bad_lengths",
    ] {
        let program = program(name);
        for options in [&["--engine", "stop", "-v"][..], &["--engine", "record"]] {
            let folder = scratch();
            let at = |name: &str| folder.path().join(name);
            let [live, record, again] = ["live", "record", "again"].map(at);
            let recording = format!("--record={}", text(&record));
            let all = [options, &["-o", text(&live), &recording]].concat();
            let outcome = run(sockstrace(&all, &[text(&program)]));
            let mut showing = options[2..].to_vec();
            showing.extend(["-o", text(&again)]);
            run(replay(&showing, &record)).exited(0);
            assert_eq!(read(&again), read(&live), "{name} {options:?} {outcome:?}");
            lines(&record);
        }
    }
}

#[test]
fn calls_by_name_files_and_waiting_are_told_again() {
    let python = installed("python3");
    let code = "import socket, subprocess, threading, time
a, b = socket.socketpair()
threading.Timer(0.5, lambda: b.send(b'at last')).start()
a.recv(10)
subprocess.run(['true'])";
    for options in [
        &["-e", "trace=execve,clone,clone3,vfork,recvfrom,sendto"][..],
        &["--all-descriptors", "-e", "trace=!poll"],
        &["-e", "trace=/.*"],
    ] {
        let folder = scratch();
        let at = |name: &str| folder.path().join(name);
        let [live, record, again] = ["live", "record", "again"].map(at);
        let recording = format!("--record={}", text(&record));
        let all = [options, &["-o", text(&live), &recording]].concat();
        run(sockstrace(&all, &[text(&python), "-c", code])).exited(0);
        run(replay(&[options, &["-o", text(&again)]].concat(), &record)).exited(0);
        let live = read(&live);
        assert_eq!(read(&again), live, "{options:?}");
        assert!(live.contains("⤷"), "nobody waited: {live}");
    }
}

#[test]
fn a_replay_shows_what_it_is_asked_for() {
    let address = servers::http("a short page\n");
    let url = format!("http://{address}/");
    let curl = [text(&installed("curl")), "-s", &url].map(str::to_owned);
    let folder = scratch();
    let record = folder.path().join("record");
    let recording = format!("--record={}", text(&record));
    // What is recorded does not depend on what is shown.
    run(sockstrace(
        &[recording.as_str(), "-e", "trace=close"],
        &curl,
    ))
    .exited(0);
    let all = run(replay(&["-v"], &record)).exited(0).stderr.text();
    for (options, has, has_not) in [
        (&["-e", "trace=connect"][..], "connect(", "sendto("),
        (&["-Z"], "EINPROGRESS", "= 0 "),
        (&["-z"], "sendto(", "EINPROGRESS"),
        (&["-s", "5"], "\"GET /\"…", "HTTP/1.1"),
        (&["-s", "2000", "-e", "trace=sendto"], "User-Agent: ", "…"),
        (&["-c"], "calls", "connect("),
        (&["--color", "always"], "\u{1b}[", "setsockopt"),
    ] {
        let shown = run(replay(options, &record)).exited(0).stderr.text();
        assert!(shown.contains(has), "no {has:?} by {options:?}: {shown}");
        assert!(
            !shown.contains(has_not),
            "{has_not:?} by {options:?}: {shown}"
        );
    }
    assert!(all.contains("setsockopt"), "{all}");
    // A trace as data can be made of it later, and that is read like any other.
    let json = folder.path().join("trace.ndjson.gz");
    run(replay(&[&format!("--json={}", text(&json))], &record)).exited(0);
    let again = run(replay(&["-v"], &json)).exited(0).stderr.text();
    assert_eq!(again, all);
    let header = &lines(&json)[0];
    assert_eq!(header["command"][2], Value::from(url));
}

/// All that the program sent, as a trace of it says.
fn sent(lines: &[Value]) -> Vec<u8> {
    let calls = of_type(lines, "call").into_iter();
    calls
        .filter(|call| call["stage"] == "send" && call["result"].is_number())
        .flat_map(|call| {
            let data = data(call);
            // What was offered and not taken is shown by the next call.
            assert_eq!(
                data.len() as u64,
                call["bytes"].as_u64().expect("bytes"),
                "{call}"
            );
            data
        })
        .collect()
}

#[test]
fn every_byte_is_kept() {
    let python = installed("python3");
    let script = script("data.py");
    let expected = [text(&python), text(&script), "300000"];
    let untraced = untraced(&expected);
    for engine in RECORDERS {
        let folder = scratch();
        let at = |name: &str| folder.path().join(name);
        let [record, json, later] = ["record", "json", "later"].map(at);
        let options = [
            format!("--engine={engine}"),
            format!("--record={}", text(&record)),
            format!("--json={}", text(&json)),
            "--full-data".into(),
        ];
        let outcome = run(sockstrace(&options, &expected)).exited(0);
        assert_eq!(outcome.stdout, untraced.stdout);
        let data = sent(&lines(&json));
        let hash = hash(&folder.path().join("data"), &data);
        assert_eq!(format!("{} {hash}\n", data.len()), untraced.stdout.text());
        let from_record = [format!("--json={}", text(&later)), "--full-data".into()];
        run(replay(&from_record, &record)).exited(0);
        assert_eq!(sent(&lines(&later)), data);
        for call in of_type(&lines(&later), "call") {
            if let Some(text) = call["data"].as_str() {
                assert_eq!(call["data_length"], Value::from(text.len()));
            }
        }
    }
}

#[test]
fn a_body_of_100_mb_is_kept() {
    let python = installed("python3");
    let script = script("data.py");
    let body = [text(&python), text(&script), "100000000"];
    let folder = scratch();
    let record = folder.path().join("record");
    let recording = format!("--record={}", text(&record));
    let outcome = run(sockstrace(&[recording], &body)).exited(0);
    // What the sends point to, as the record has it: one of them is nearly all.
    let mut sent = Vec::new();
    for line in unpacked(&record).lines() {
        let call: Value = serde_json::from_str(line).expect("JSON");
        if call["type"] == "call" && call["nr"] == libc::SYS_sendto {
            for piece in call["captured"]["memory"].as_array().into_iter().flatten() {
                sent.extend(base64(&piece["bytes"]));
            }
        }
    }
    let hash = hash(&folder.path().join("sent"), &sent);
    assert_eq!(format!("{} {hash}\n", sent.len()), outcome.stdout.text());
}

/// The SHA-256 of data, by another program.
fn hash(file: &Path, data: &[u8]) -> String {
    std::fs::write(file, data).expect("room");
    let sum = run({
        let mut sum = command(installed("sha256sum"));
        sum.arg(file);
        sum
    });
    sum.exited(0).stdout.text()[..64].to_owned()
}

#[test]
fn without_data_only_sizes_remain() {
    let secret = "a very secret word";
    let code = format!(
        "import socket; a, b = socket.socketpair(); a.send(b'{secret}'); b.recv(100); a.sendmsg([b'{secret}'] * 2)"
    );
    let folder = scratch();
    let at = |name: &str| folder.path().join(name);
    let [record, json, live] = ["record", "json", "live"].map(at);
    let options = [
        "--no-data".to_owned(),
        "-v".to_owned(),
        "--hex".to_owned(),
        format!("--record={}", text(&record)),
        format!("--json={}", text(&json)),
        "-o".to_owned(),
        text(&live).to_owned(),
    ];
    // The command line is no data that was sent.
    let script = folder.path().join("script.py");
    std::fs::write(&script, code).expect("room");
    let outcome = run(sockstrace(
        &options,
        &[text(&installed("python3")), text(&script)],
    ))
    .exited(0);
    // "a very secret w" in base64.
    let encoded = "YSB2ZXJ5IHNlY3JldCB3";
    for file in [&record, &json, &live] {
        let text = unpacked(file);
        assert!(
            !text.contains("secret") && !text.contains(encoded),
            "{text}"
        );
    }
    assert!(
        outcome.stderr.text().contains("holds no data"),
        "{outcome:?}"
    );
    let json = lines(&json);
    let sizes = of_type(&json, "call");
    let sizes: Vec<_> = sizes
        .iter()
        .filter(|call| call["stage"] == "send")
        .collect();
    assert_eq!(sizes[0]["data_length"], Value::from(secret.len()));
    assert_eq!(sizes[1]["bytes"], Value::from(secret.len() * 2));
    assert!(read(&live).contains("= 18"));
}

#[test]
fn the_header_says_what_the_trace_is_of() {
    let folder = scratch();
    let pattern = format!("--json={}/%h-%p-%t-%%.ndjson.zst", text(folder.path()));
    let options = [
        pattern.as_str(),
        "--label=team=net",
        "--label",
        "run=7=8",
        "-e",
        "trace=connect",
        "-Z",
        "--json-types=call,process",
    ];
    let code = "import os, socket
print(os.getpid(), flush=True)
s = socket.socket(); s.connect_ex(('127.0.0.1', 1)); s.close()";
    let outcome = run(sockstrace(
        &options,
        &[text(&installed("python3")), "-c", code],
    ))
    .exited(0);
    let pid = outcome.stdout.text().trim().to_owned();
    let host = read(Path::new("/proc/sys/kernel/hostname"))
        .trim()
        .to_owned();
    let files: Vec<_> = std::fs::read_dir(folder.path())
        .expect("a folder")
        .flatten()
        .collect();
    let name = files[0].file_name().into_string().expect("UTF-8");
    assert!(
        name.starts_with(&format!("{host}-{pid}-20")) && name.ends_with("Z-%.ndjson.zst"),
        "{name}"
    );
    let mode = files[0].metadata().expect("a file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let lines = lines(&files[0].path());
    let header = &lines[0];
    assert_eq!(
        header["labels"],
        serde_json::json!({"team": "net", "run": "7=8"})
    );
    assert_eq!(
        header["filters"],
        serde_json::json!(["-e trace=connect", "-Z"])
    );
    assert_eq!(header["host"], Value::from(host));
    assert_eq!(header["pid"].to_string(), pid);
    let boot = read(Path::new("/proc/sys/kernel/random/boot_id"));
    assert_eq!(header["boot_id"], Value::from(boot.trim()));
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("after 1970");
    let age = now.as_secs() as i64 - header["unix_seconds"].as_i64().expect("seconds");
    assert!((0..300).contains(&age), "{age}");
    let calls = of_type(&lines, "call");
    assert_eq!(calls.len(), 1);
    let call = calls[0];
    assert_eq!(
        [
            &call["call"],
            &call["error"],
            &call["ip"],
            &call["port"],
            &call["family"],
            &call["number"]
        ],
        [
            &"connect".into(),
            &"ECONNREFUSED".into(),
            &"127.0.0.1".into(),
            &1.into(),
            &"AF_INET".into(),
            &1.into()
        ] as [&Value; 6]
    );
    for line in &lines[1..] {
        assert!(
            ["call", "process", "exit"]
                .iter()
                .any(|kind| line["type"] == *kind),
            "{line}"
        );
        assert_eq!(line["run"], header["run"]);
    }
    assert_eq!(lines.last().expect("lines")["exit_status"], Value::from(0));
}

#[test]
fn json_takes_the_place_of_the_text_and_holds_every_call() {
    let address = servers::http("a short page\n");
    let url = format!("http://{address}/");
    let curl = [text(&installed("curl")), "-s", &url].map(str::to_owned);
    let outcome = run(sockstrace(&["--json"], &curl)).exited(0);
    let lines = parse(&outcome.stderr.text());
    let calls = of_type(&lines, "call");
    for (number, call) in calls.iter().enumerate() {
        assert_eq!(call["number"], Value::from(number + 1));
    }
    let conversations = of_type(&lines, "conversation");
    let conversation = conversations
        .iter()
        .find(|line| line["peer_port"] == address.port())
        .expect("the connection");
    assert_eq!(conversation["peer_ip"], "127.0.0.1");
    assert_eq!(conversation["part"], "connector");
    assert_eq!(conversation["ended"], "closed");
    let of_it: Vec<_> = calls
        .iter()
        .filter(|call| call["conversation"] == conversation["conversation"])
        .collect();
    let sum = |stage: &str| -> u64 {
        let calls = of_it.iter().filter(|call| call["stage"] == stage);
        calls.filter_map(|call| call["bytes"].as_u64()).sum()
    };
    assert_eq!(conversation["sent"], sum("send"));
    assert_eq!(conversation["received"], sum("receive"));
    assert!(of_it.iter().any(|call| call["folded"] == true), "{of_it:?}");
    assert!(
        of_it
            .iter()
            .all(|call| call["peer_port"].is_null() || call["peer_port"] == address.port())
    );
}

#[test]
fn files_follow_each_other() {
    let folder = scratch();
    let json = format!("--json={}/trace.ndjson", text(folder.path()));
    let code = "import socket
a, b = socket.socketpair()
for n in range(200): a.send(b'x' * 100); b.recv(100)";
    let python = [text(&installed("python3")), "-c", code].map(str::to_owned);
    let outcome = run(sockstrace(&[json.as_str(), "--rotate=20K"], &python)).exited(0);
    let said = outcome.stderr.text();
    let mut all = String::new();
    let parts = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert!(parts > 2, "{parts}");
    for part in 0..parts {
        let name = match part {
            0 => "trace.ndjson".to_owned(),
            part => format!("trace.{part}.ndjson"),
        };
        assert!(said.contains(&name), "{said}");
        let file = folder.path().join(name);
        let size = std::fs::metadata(&file).expect("a part").len();
        assert!(
            part == parts - 1 || (20_000..60_000).contains(&size),
            "{size}"
        );
        let lines = lines(&file);
        assert_eq!(lines[0]["type"], "header");
        assert_eq!(lines[0]["part"].as_u64().unwrap_or(0), part as u64);
        all.push_str(&read(&file));
    }
    // One behind the other, they are the whole trace.
    let whole = folder.path().join("whole");
    std::fs::write(&whole, all).expect("room");
    run(replay(&["-c"], &whole)).exited(0);
}

#[test]
fn a_trace_of_a_run_that_is_killed_is_read_up_to_its_last_moment() {
    let code = "import socket, time
a, b = socket.socketpair()
for n in range(50): a.send(b'%d' % n)
print('all sent', flush=True)
a.recv(1)";
    for name in ["record", "json", "json.zst", "json.gz"] {
        let folder = scratch();
        let file = folder.path().join(name);
        let option = match name {
            "record" => format!("--record={}", text(&file)),
            _ => format!("--json={}", text(&file)),
        };
        let job = Job::start(sockstrace(
            &[option],
            &[text(&installed("python3")), "-c", code],
        ));
        job.until_stdout("all sent");
        // The output is idle by then, and has written what it had.
        job.until("the last line", || {
            let shown = run(replay(&["-e", "trace=sendto"], &file)).stderr.text();
            shown.contains("\"49\"").then_some(())
        });
        job.signal(Signal::SIGKILL);
        job.finish().killed_by(9);
        let outcome = run(replay(&["-e", "trace=sendto"], &file)).exited(125);
        let shown = outcome.stderr.text();
        let last = shown.lines().last().expect("a line");
        assert!(
            last.starts_with("sockstrace: cannot replay") && last.contains("line "),
            "{last}"
        );
        assert_eq!(shown.matches("sendto(").count(), 50, "{shown}");
    }
}

#[test]
fn what_cannot_be_replayed_is_said_with_its_line() {
    let folder = scratch();
    let record = folder.path().join("record");
    let program = program("call_shapes");
    let recording = format!("--record={}", text(&record));
    run(sockstrace(&[recording], &[text(&program)]));
    let whole = unpacked(&record);
    let lines: Vec<&str> = whole.lines().collect();
    let damaged = |content: &str, words: &[&str]| {
        let file = folder.path().join("damaged");
        std::fs::write(&file, content).expect("room");
        let outcome = run(replay(&["-v"], &file)).exited(125);
        let shown = outcome.stderr.text();
        let last = shown.lines().last().expect("a line").to_owned();
        assert!(last.starts_with("sockstrace: cannot replay"), "{shown}");
        for word in words {
            assert!(last.contains(word), "no {word:?} in {last:?}");
        }
        shown.lines().count()
    };
    assert_eq!(damaged("", &["line 1", "empty"]), 1);
    assert_eq!(damaged("\u{7f}ELF", &["line 1"]), 1);
    let newer = whole.replacen("\"version\":1", "\"version\":99", 1);
    assert_eq!(damaged(&newer, &["line 1", "version 99", "version 1"]), 1);
    let half = lines.len() / 2;
    let cut = lines[..half].join("\n") + "\n";
    assert!(damaged(&cut, &[&format!("line {half} ")]) > 5);
    let mut torn = lines.clone();
    torn[half] = "{\"type\":\"call\",\"pid\":";
    assert!(
        damaged(
            &torn.join("\n"),
            &[&format!("line {}: ", half + 1), "no JSON"]
        ) > 5
    );
    // In the middle of what is compressed.
    let bytes = std::fs::read(&record).expect("a record");
    let file = folder.path().join("cut");
    std::fs::write(&file, &bytes[..bytes.len() - 10]).expect("room");
    let outcome = run(replay::<&str>(&[], &file)).exited(125);
    assert!(
        outcome
            .stderr
            .text()
            .contains("middle of its compressed data"),
        "{outcome:?}"
    );
    for (name, words) in [("none", "No such file"), (".", "directory")] {
        let outcome = run(replay::<&str>(&[], &folder.path().join(name))).exited(125);
        assert!(outcome.stderr.text().contains(words), "{outcome:?}");
    }
}

#[test]
fn a_replay_does_not_overwrite_what_it_reads() {
    let folder = scratch();
    let file = folder.path().join("trace");
    let option = format!("--json={}", text(&file));
    let program = program("call_shapes");
    run(sockstrace(&[option.as_str()], &[text(&program)]));
    let before = read(&file);
    for options in [
        &[option.as_str()][..],
        &["-o", text(&file)],
        &["-A", "-o", text(&file)],
    ] {
        let outcome = run(replay(options, &file)).exited(125);
        let said = outcome.stderr.text();
        assert!(
            said.contains("it is the trace that is being read"),
            "{said}"
        );
        assert_eq!(read(&file), before);
    }
    // Not even where it has the name of a process's own file.
    let pid = lines(&file)[0]["pid"].to_string();
    let own = folder.path().join(format!("o.{pid}"));
    std::fs::rename(&file, &own).expect("a file of ours");
    let outcome = run(replay(&["-ff", "-o", text(&folder.path().join("o"))], &own)).exited(125);
    assert!(
        outcome.stderr.text().contains("is being read"),
        "{outcome:?}"
    );
    assert_eq!(read(&own), before);
}

/// The lines of ours that say that something is missing.
fn complaints(outcome: &Outcome) -> Vec<String> {
    let said = outcome.stderr.text();
    let lines = said.lines().filter(|line| line.starts_with("sockstrace: "));
    lines
        .filter(|line| !line.starts_with("sockstrace: wrote"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn one_place_that_fails_ends_neither_the_program_nor_the_others() {
    let folder = scratch();
    let good = folder.path().join("good");
    let script = script("data.py");
    let python = [text(&installed("python3")), text(&script), "100000"].map(str::to_owned);
    let failing = [
        python[0].clone(),
        "-c".into(),
        format!("exec(open({:?}).read()); exit(9)", text(&script)),
    ];
    let expected = untraced(&python);
    let text_to = |name: &str| format!("{name}={}", text(&good));
    for (broken, other) in [
        ("--record=/dev/full", text_to("--json")),
        ("--json=/dev/full", text_to("--record")),
        ("--json=/dev/full", text_to("--output")),
        ("--output=/dev/full", text_to("--json")),
    ] {
        let options = [broken, other.as_str()];
        let outcome = run(sockstrace(&options, &python)).exited(125);
        assert_eq!(outcome.stdout, expected.stdout);
        let said = complaints(&outcome);
        assert_eq!(said.len(), 1, "{broken}: {said:?}");
        assert!(said[0].contains("is not complete"), "{said:?}");
        // That the program failed matters more.
        let outcome = run(sockstrace(&options, &failing)).exited(9);
        assert_eq!(complaints(&outcome).len(), 1, "{outcome:?}");
        if !other.contains("output") {
            run(replay(&["-c"], &good)).exited(0);
        }
        assert!(!unpacked(&good).is_empty());
    }
    // A reader that has seen enough is no failure.
    for option in [
        "--json=|head -n1 >/dev/null",
        "--record=|head -c1 >/dev/null",
    ] {
        let outcome = run(sockstrace(&[option], &python)).exited(0);
        assert_eq!(outcome.stdout, expected.stdout);
        assert!(complaints(&outcome).is_empty(), "{outcome:?}");
    }
    // What cannot be begun keeps the program from running.
    for option in ["--json=/no/such/folder/t", "--record=/no/such/folder/t"] {
        let outcome = run(sockstrace(&[option], &python)).exited(125);
        assert!(outcome.stdout.0.is_empty());
        let said = complaints(&outcome);
        assert!(
            said.len() == 1 && said[0].contains("/no/such/folder/t: No such file"),
            "{said:?}"
        );
    }
}

#[test]
fn commands_get_all_of_it() {
    let folder = scratch();
    let copy = folder.path().join("copy");
    let program = program("iovecs");
    let option = format!("--json=|cat >{}", text(&copy));
    let outcome = run(sockstrace(&[option], &[text(&program)]));
    assert!(
        lines(&copy).last().expect("lines")["type"] == "exit",
        "{outcome:?}"
    );
}

#[test]
fn engines_record_the_same_calls() {
    let python = installed("python3");
    let [iovecs, sizes] = [program("iovecs"), script("sizes.py")];
    for program in [&[text(&iovecs)][..], &[text(&python), text(&sizes)]] {
        let [stopped, recorded] = ["stop", "record"].map(|engine| {
            let folder = scratch();
            let [record, json] = ["record", "json"].map(|name| folder.path().join(name));
            let recording = format!("--record={}", text(&record));
            let options = [recording.as_str(), "-d", "--engine", engine];
            let outcome = run(sockstrace(&options, program)).exited(0);
            // Each of the other program's calls stands alone, and stops once.
            let said = outcome.stderr.text();
            let recorded = engine == "record" && program.len() > 1;
            assert_eq!(said.contains(" recorded)"), recorded, "{said}");
            let options = [format!("--json={}", text(&json)), "--full-data".into()];
            run(replay(&options, &record)).exited(0);
            let lines = lines(&json);
            let calls = of_type(&lines, "call").into_iter();
            let told = calls.map(|call| {
                let fields = [
                    "call",
                    "conversation",
                    "stage",
                    "fd",
                    "result",
                    "error",
                    "bytes",
                ];
                let data = data(call);
                let whole = call["bytes"]
                    .as_u64()
                    .is_none_or(|len| len == data.len() as u64);
                assert!(whole || call["meaning"] == "part", "{call}");
                (fields.map(|field| call[field].to_string()).join(" "), data)
            });
            told.collect::<Vec<_>>()
        });
        assert!(stopped.len() > 3);
        for (stopped, recorded) in stopped.iter().zip(&recorded) {
            assert_eq!(stopped.0, recorded.0);
            assert!(stopped.1 == recorded.1, "other data by {}", stopped.0);
        }
        assert_eq!(stopped.len(), recorded.len());
    }
}

#[test]
fn options_that_make_no_sense_are_refused() {
    for (options, words) in [
        (&["--json=", "true"][..], "type"),
        (
            &["--json=-", "true"],
            "--json=-: standard output is the program's",
        ),
        (&["--record=|", "true"], "needs a command"),
        (&["--json=x", "--record=x", "true"], "one and the same file"),
        (&["--replay", "x", "true"], "runs no program"),
        (&["--replay", "x", "--record=y"], "nothing to record"),
        (&["--replay", "x", "--demo"], "runs no program"),
        (&["--json", "-c", "true"], "takes the text's place"),
        (&["--json=x", "--json-types=weather", "true"], "weather"),
        (&["--rotate=0", "true"], "100M"),
        (&["--label=x", "true"], "KEY=VALUE"),
    ] {
        let mut ours = command(binary());
        ours.args(options);
        let outcome = run(ours);
        let said = outcome.stderr.text();
        if words == "type" {
            // Without a name it takes the text's place.
            assert!(said.contains("\"type\":\"header\""), "{said}");
            continue;
        }
        assert_eq!(outcome.status.code(), Some(125), "{options:?} {said}");
        assert!(
            said.lines().count() == 1 && said.contains(words),
            "{options:?}: {said}"
        );
    }
}
