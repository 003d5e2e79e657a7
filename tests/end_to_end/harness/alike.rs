//! Makes traces of two runs comparable: thread by thread, without what the kernel chooses anew each time.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::fmt::Debug;
use std::net::SocketAddr;

use super::trace::Call;
use super::{ENGINES, Outcome, Trace, unharmed_under};

/// How much of each call is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detail {
    /// All but times: the meaning too, which says what a close has ended. For programs of one thread, or whose processes take turns.
    Meanings,
    /// Arguments and results. For processes that run side by side, each with descriptors of its own.
    Calls,
    /// Names and whether they failed, and how. For threads whose descriptors come to them as the scheduler pleases.
    Names,
}

/// What threads or connections did, each in its order, as texts to compare.
pub type Sequences = Vec<Vec<String>>;

/// What each thread did, in its order. The threads are in no order: their numbers are the kernel's choice.
pub fn threads(trace: &Trace, detail: Detail) -> Sequences {
    let mut threads: BTreeMap<Option<i32>, Vec<String>> = BTreeMap::new();
    let mut numbers: HashMap<(Option<i32>, u32), usize> = HashMap::new();
    let mut met: HashMap<Option<i32>, usize> = HashMap::new();
    for call in &trace.calls {
        if is_made_again(call) {
            continue;
        }
        let thread = call.thread;
        // Conversations by the order in which the thread meets them.
        let mut number = |number: u32| {
            *numbers.entry((thread, number)).or_insert_with(|| {
                let count = met.entry(thread).or_default();
                *count += 1;
                *count
            })
        };
        let line = match detail {
            Detail::Names => name(call),
            Detail::Calls => whole(call, &mut number, ""),
            Detail::Meanings => whole(call, &mut number, &call.meaning),
        };
        threads.entry(thread).or_default().push(line);
    }
    let mut threads: Vec<_> = threads.into_values().collect();
    threads.sort();
    threads
}

/// Whether a signal comes while a call waits is chance, and the kernel makes the call again after it.
fn is_made_again(call: &Call) -> bool {
    call.result.starts_with("? ERESTART")
}

/// What a program asks until the other side is ready: how often is chance.
pub fn asks_again(call: &Call) -> bool {
    let waits = [
        "poll",
        "ppoll",
        "select",
        "pselect6",
        "epoll_wait",
        "epoll_pwait",
        "epoll_pwait2",
    ];
    waits.contains(&call.name.as_str()) || call.result == "-1 EAGAIN"
}

/// How a call moves bytes, if it does.
fn direction(call: &Call) -> Option<&'static str> {
    match call.name.as_str() {
        "read" | "readv" | "recvfrom" | "recvmsg" => Some("receive"),
        "write" | "writev" | "sendto" | "sendmsg" | "sendfile" | "sendfile64" => Some("send"),
        _ => None,
    }
}

/// Whether a connection's calls are compared in the order of their lines.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Where one thread of a process makes them all.
    Kept,
    /// Where they come from several threads, whose lines stand in no order; all of a connection's bytes each way are one sum then.
    Any,
}

/// What each process did with each of its connections and listeners, from the first call to the last: names, errors and how many bytes
/// went in one direction before some went in the other. In how many pieces they come is chance, as is which descriptors there are and
/// in which order connections begin.
pub fn connections(order: Order, trace: &Trace) -> Sequences {
    type Steps = Vec<(String, i64)>;
    let mut connections: BTreeMap<(u32, Option<i32>), Steps> = BTreeMap::new();
    for call in &trace.calls {
        let Some(number) = call.number else { continue };
        // When an epoll set is told of a descriptor has to do with when it is ready.
        if is_made_again(call) || asks_again(call) || call.name == "epoll_ctl" {
            continue;
        }
        let steps = connections.entry((number, call.pid)).or_default();
        let same_as = |steps: &mut Steps, name: &str| match order {
            Order::Kept => steps.len().checked_sub(1).filter(|&at| steps[at].0 == name),
            Order::Any => steps.iter().position(|(other, _)| other == name),
        };
        let (step, bytes) = match (direction(call), call.value()) {
            (Some(direction), Some(bytes @ 1..)) => (direction.to_owned(), bytes),
            // How often a program asks once there is no more is chance, too.
            (Some(direction), Some(0)) => (format!("{direction}: nothing"), 0),
            _ => {
                steps.push((name(call), 0));
                continue;
            }
        };
        match same_as(steps, &step) {
            Some(at) => steps[at].1 += bytes,
            None => steps.push((step, bytes)),
        }
    }
    if order == Order::Any {
        connections.values_mut().for_each(|steps| steps.sort());
    }
    // What one process has accepted, another one may serve.
    let begins = ["connect", "accept", "listen"];
    let is_connection: HashSet<u32> = connections
        .iter()
        .filter(|(_, steps)| {
            let mut names = steps.iter().map(|(name, _)| name);
            names.any(|name| begins.iter().any(|begin| name.starts_with(begin)))
        })
        .map(|((number, _), _)| *number)
        .collect();
    let told = |(name, bytes): (String, i64)| match bytes {
        0 => name,
        bytes => format!("{name} {bytes} B"),
    };
    let mut connections: Sequences = connections
        .into_iter()
        .filter(|((number, _), _)| is_connection.contains(number))
        .map(|(_, steps)| steps.into_iter().map(told).collect())
        .collect();
    connections.sort();
    connections
}

fn name(call: &Call) -> String {
    let result = match call.result.split_once(' ') {
        Some((_, error)) => error,
        None if call.result == "?" => "?",
        None => "ok",
    };
    format!("{} {result}", call.name)
}

/// Writes times, ports, addresses in memory, process numbers and the numbers of conversations alike in all texts.
fn alike(text: &str, number: &mut impl FnMut(u32) -> usize) -> String {
    let mut out = String::with_capacity(text.len());
    for piece in text.split_inclusive([' ', ',', '(', ')', '{', '}', '"']) {
        let word = piece.trim_end_matches([' ', ',', '(', ')', '{', '}', '"']);
        let value = word.rfind('=').map_or(0, |at| at + 1);
        let (name, value) = word.split_at(value);
        out += name;
        if let Some(known) = value.strip_prefix('#').and_then(|known| known.parse().ok()) {
            out += &format!("#{}", number(known));
        } else if let Ok(address) = value.parse::<SocketAddr>() {
            let port = if address.port() == 0 { "0" } else { "port" };
            out += &format!("{}:{port}", address.ip());
        } else if value.starts_with("0x") && value.len() > 10 {
            out += "pointer";
        } else if ["pid=", "si_pid="].contains(&name) {
            out += "pid";
        } else if is_time(value) {
            out += "time";
        } else {
            out += value;
        }
        out += &piece[word.len()..];
    }
    out
}

/// `90µs`, `2.5ms`, `3.0s`, `11min`, `2.0h`.
fn is_time(word: &str) -> bool {
    let number = word.trim_end_matches(|c: char| c.is_alphabetic());
    ["µs", "ms", "s", "min", "h"].contains(&&word[number.len()..]) && number.parse::<f64>().is_ok()
}

fn whole(call: &Call, number: &mut impl FnMut(u32) -> usize, meaning: &str) -> String {
    let mut chosen = |text: &str| alike(text, number);
    let head = call
        .number
        .map_or(String::new(), |number| chosen(&format!("#{number} ")));
    let call = format!("{}({}) = {}", call.name, call.arguments, call.result);
    // How long a call took is a remark of its own, where it is worth one.
    let remarks: Vec<String> = meaning
        .split("  ")
        .map(|remark| chosen(remark.trim()))
        .filter(|remark| !["", "time", "after time"].contains(&remark.as_str()))
        .collect();
    format!("{head}{}  {}", chosen(&call), remarks.join("  "))
        .trim_end()
        .to_owned()
}

/// Fails the test at the first thread, and its first call, in which two traces differ.
#[track_caller]
pub fn assert_alike(detail: Detail, left: (&str, &Trace), right: (&str, &Trace)) {
    assert_same(
        "threads",
        (left.0, threads(left.1, detail), left.1),
        (right.0, threads(right.1, detail)),
    );
}

/// Fails the test at the first connection, and its first step, in which two traces differ.
#[track_caller]
pub fn assert_same_connections(order: Order, left: (&str, &Trace), right: (&str, &Trace)) {
    let (ours, theirs) = (connections(order, left.1), connections(order, right.1));
    assert!(!ours.is_empty(), "no connections{}", left.1);
    assert_same("connections", (left.0, ours, left.1), (right.0, theirs));
}

/// Fails the test unless both have the same sequences, in any order.
#[track_caller]
fn assert_same(what: &str, left: (&str, Sequences, &Trace), right: (&str, Sequences)) {
    let (mut ours, mut theirs) = (left.1, right.1);
    // What both have is not worth a look.
    ours.retain(
        |thread| match theirs.iter().position(|other| other == thread) {
            Some(at) => {
                theirs.remove(at);
                false
            }
            None => true,
        },
    );
    if ours.is_empty() && theirs.is_empty() {
        return;
    }
    let none = Vec::new();
    let (one, other) = (
        ours.first().unwrap_or(&none),
        theirs.first().unwrap_or(&none),
    );
    let at = one.iter().zip(other).take_while(|(a, b)| a == b).count();
    let around = |thread: &[String]| {
        let shown = thread.iter().enumerate();
        let shown = shown.skip(at.saturating_sub(5)).take(10);
        shown
            .map(|(place, call)| format!("{}{call:.400}\n", if place == at { "> " } else { "  " }))
            .collect::<String>()
    };
    panic!(
        "{what} told differently: {} under {} and {} under {}; the first of them, at its call {at}:\n{1}:\n{}{3}:\n{}\nthe trace under {1}:{}",
        ours.len(),
        left.0,
        theirs.len(),
        right.0,
        around(one),
        around(other),
        left.2
    );
}

/// What makes traces comparable: every call, whose it is, no lines that depend on how long something took, and nothing of the kernel's
/// view, which only calls that stop can have.
pub const WHOLE: [&str; 5] = [
    "-v",
    "--always-show-pid",
    "--kernel=never",
    "-e",
    "status=successful,failed",
];

/// Runs a program alone and under every engine: its output must not differ, nor the engines' traces from one another.
#[track_caller]
pub fn agree<P: AsRef<OsStr> + Debug>(detail: Detail, program: &[P]) -> (Outcome, Trace) {
    agree_under(&ENGINES, detail, program)
}

/// The same under some engines only.
#[track_caller]
pub fn agree_under<P: AsRef<OsStr> + Debug>(
    engines: &[&str],
    detail: Detail,
    program: &[P],
) -> (Outcome, Trace) {
    agree_with(engines, &[], detail, program)
}

/// The same with further options.
#[track_caller]
pub fn agree_with<P: AsRef<OsStr> + Debug>(
    engines: &[&str],
    options: &[&str],
    detail: Detail,
    program: &[P],
) -> (Outcome, Trace) {
    let options = [&WHOLE, options].concat();
    let (outcome, traces) = unharmed_under(engines, &options, program);
    let mut traces = engines.iter().zip(traces);
    let (first, one) = traces.next().expect("an engine");
    assert!(!one.calls.is_empty(), "{program:?} makes calls{one}");
    for (engine, other) in traces {
        assert_alike(detail, (first, &one), (engine, &other));
    }
    (outcome, one)
}

#[test]
fn what_the_kernel_chooses_is_left_out() {
    let one = Trace::parse(
        "   2.6ms  a[7]     #3 accept   accept4(3, 127.0.0.1:45440, [16], SOCK_NONBLOCK) = 5      127.0.0.1:43201 ← 127.0.0.1:45440\n\
            2.7ms  a[7:9]   #4 receive  read(5, 0x7ffdeb3c40c0, 64) = -1 EAGAIN (Resource temporarily unavailable)  nothing there yet; would block\n\
            2.8ms  a[7]     #3 close    close(5) = 0       22 B out, closed by us, lived 2.6ms\n",
    );
    let other = Trace::parse(
        "   1.1s   b[17:19] #9 receive  read(5, 0x7ffdeb3c40d0, 64) = -1 EAGAIN (Resource temporarily unavailable)  nothing there yet; would block\n\
            2.6ms  b[17]    #1 accept   accept4(3, 127.0.0.1:5440, [16], SOCK_NONBLOCK) = 5      127.0.0.1:3201 ← 127.0.0.1:5440\n\
            2.8ms  b[17]    #1 close    close(5) = 0       22 B out, closed by us, lived 12s   30ms\n",
    );
    assert_alike(Detail::Meanings, ("one", &one), ("other", &other));
    let closes_more = Trace::parse(&other.text.replace("22 B", "23 B"));
    assert_ne!(
        threads(&one, Detail::Meanings),
        threads(&closes_more, Detail::Meanings)
    );
    assert_eq!(
        threads(&one, Detail::Names),
        [vec!["accept4 ok", "close ok"], vec!["read EAGAIN"]]
    );
}
