//! Resolvers that ask name servers of the tests' own, and programs that race for a connection to what they were told.

use std::collections::BTreeSet;

use crate::harness::data::{lines, of_type};
use crate::harness::network::{HOLE, Network, name_server, web_server};
use crate::harness::{Outcome, Trace, installed, text};

const SHOP: [&str; 2] = ["shop.example=192.0.2.7", "shop.example=2001:db8::7"];

/// A line of a network's setup: a name server at 127.0.0.2 that gets every question and answers none.
fn silent_server() -> String {
    let python = installed("python3");
    let code = "import signal, socket; s = socket.socket(type=socket.SOCK_DGRAM); s.bind((\"127.0.0.2\", 53))
print(\"ready\", flush=True); signal.pause()";
    format!("serve {} -c '{code}'\n", text(&python))
}

/// The lines that tell of names, but for those that tell of waiting for one.
fn resolved(trace: &Trace) -> Vec<&str> {
    let lines = trace.text.lines();
    lines
        .filter(|line| line.contains(" resolve  ") && !line.contains("⤷"))
        .collect()
}

/// The only line that tells of a name has all of these words.
#[track_caller]
fn one_line(trace: &Trace, words: &[&str]) {
    let [line] = resolved(trace)[..] else {
        panic!("not one line that tells of a name:{trace}")
    };
    for word in words {
        assert!(line.contains(word), "no {word:?} in {line}");
    }
}

/// What was found: on the way, where it is an error, and at the end.
fn found(trace: &Trace) -> BTreeSet<&str> {
    let (_, summary) = trace.text.split_once("\n  findings  ").unwrap_or_default();
    let at_end = ["error ", "warning ", "note "].map(|severity| {
        let lines = summary.lines();
        lines.filter_map(move |line| line.trim_start().strip_prefix(severity))
    });
    let lines = trace.text.lines();
    let on_the_way = lines.filter_map(|line| line.strip_prefix("  finding  "));
    let found = at_end.into_iter().flatten().chain(on_the_way);
    found
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

fn getent(network: &Network, name: &str) -> (Outcome, Trace) {
    let getent = installed("getent");
    network.traced(&["--findings=all"], &[text(&getent), "ahosts", name])
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn a_first_name_server_that_is_not_there_costs_nothing_but_is_told() {
    let servers = "nameserver 127.0.0.2\nnameserver 127.0.0.1";
    let network = Network::with_resolver(servers, &name_server("127.0.0.1", &SHOP));
    let (outcome, trace) = getent(&network, "shop.example");
    assert!(outcome.exited(0).stdout.text().contains("192.0.2.7"));
    one_line(
        &trace,
        &[
            "getaddrinfo(\"shop.example\", ",
            "→ 2001:db8::7, 192.0.2.7",
            "asked 127.0.0.2 in vain, 127.0.0.1 by UDP",
        ],
    );
    assert_eq!(
        found(&trace),
        BTreeSet::from(["second-name-server"]),
        "{trace}"
    );
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn a_first_name_server_that_is_silent_is_what_the_look_up_waited_for() {
    let options = "options timeout:1 attempts:2";
    let servers = format!("nameserver 127.0.0.2\nnameserver 127.0.0.1\n{options}");
    let both = silent_server() + &name_server("127.0.0.1", &SHOP);
    let network = Network::with_resolver(&servers, &both);
    let (outcome, trace) = getent(&network, "shop.example");
    assert!(outcome.exited(0).stdout.text().contains("192.0.2.7"));
    let line = "asked 127.0.0.2 in vain, 127.0.0.1 by UDP   1.";
    one_line(&trace, &[line]);
    assert_eq!(
        found(&trace),
        BTreeSet::from(["second-name-server"]),
        "{trace}"
    );
    trace.has("127.0.0.2:53 did not answer; another server did, and shop.example took 1.");

    // dig does not ask by the C library.
    let dig = [
        text(&installed("dig")),
        "+time=1",
        "+tries=1",
        "shop.example",
    ]
    .map(str::to_owned);
    let (outcome, trace) = network.traced(&["--findings=all"], &dig);
    outcome.exited(0);
    one_line(&trace, &["shop.example A → 192.0.2.7", line]);
    assert_eq!(
        found(&trace),
        BTreeSet::from(["second-name-server"]),
        "{trace}"
    );

    // Where it is the only one, nobody answers.
    let servers = format!("nameserver 127.0.0.2\n{options}");
    let network = Network::with_resolver(&servers, &silent_server());
    let (outcome, trace) = getent(&network, "shop.example");
    outcome.exited(2);
    one_line(
        &trace,
        &[
            "→ EAI_AGAIN, no answer",
            "asked 127.0.0.2 twice by UDP   2.",
        ],
    );
    assert_eq!(
        found(&trace),
        BTreeSet::from(["name-server-silent"]),
        "{trace}"
    );
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn search_domains_are_tried_for_one_name() {
    let conf = "nameserver 127.0.0.1\nsearch a.example b.example\noptions ndots:5";
    let known = ["shop.example=192.0.2.7", "db.b.example=192.0.2.8"];
    let network = Network::with_resolver(conf, &name_server("127.0.0.1", &known));
    // Whether it is found as it stands, in the second domain, or nowhere.
    for (name, told, tried, finding) in [
        (
            "shop.example",
            ["getaddrinfo(\"shop.example\", ", "→ 192.0.2.7 "],
            "tried shop.example.a.example, shop.example.b.example too",
            "search-domains",
        ),
        (
            "db",
            ["getaddrinfo(\"db\", ", "→ 192.0.2.8  it is db.b.example; "],
            "tried db.a.example too",
            "search-domains",
        ),
        (
            "no.example",
            [
                "getaddrinfo(\"no.example\", ",
                "→ EAI_NONAME, no such name (NXDOMAIN)",
            ],
            "tried no.example.a.example, no.example.b.example too",
            "name-not-found",
        ),
    ] {
        let (outcome, trace) = getent(&network, name);
        outcome.exited(if finding == "name-not-found" { 2 } else { 0 });
        one_line(&trace, &[told[0], told[1], tried]);
        assert_eq!(found(&trace), BTreeSet::from([finding]), "{trace}");
    }
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn a_name_that_does_not_exist_ends_a_program_before_it_connects() {
    let network = Network::with_resolver("nameserver 127.0.0.1", &name_server("127.0.0.1", &SHOP));
    let json = network.at("json");
    let option = format!("--json={}", text(&json));
    let curl = installed("curl");
    let program = [text(&curl), "-sS", "http://shpo.example/"];
    let (outcome, trace) = network.traced(&[&option], &program);
    // 6: could not resolve.
    outcome.exited(6);
    one_line(
        &trace,
        &[
            "getaddrinfo(\"shpo.example\", ",
            "→ EAI_NONAME, no such name (NXDOMAIN)",
            "asked 127.0.0.1 by UDP",
        ],
    );
    trace.has("  finding  name-not-found  127.0.0.1 says that shpo.example does not exist.");
    trace.lacks(" connect ");
    let all = lines(&json);
    let [resolution] = of_type(&all, "name")[..] else {
        panic!("not one name in {all:#?}")
    };
    assert_eq!(resolution["name"], "shpo.example");
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn races_between_both_families_name_the_winner_and_what_the_loser_cost() {
    let known = ["shop.example=2001:db8::66", "shop.example=192.0.2.7"];
    let setup = [
        HOLE,
        &name_server("127.0.0.1", &known),
        &web_server("192.0.2.7"),
    ];
    let network = Network::with_resolver("nameserver 127.0.0.1", &setup.concat());
    let python = "import asyncio
async def main():
    reader, writer = await asyncio.open_connection('shop.example', 80, happy_eyeballs_delay=0.15)
    writer.write(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(await reader.read()); writer.close()
asyncio.run(main())";
    let node = "const socket = require('net').connect(
    {host: 'shop.example', port: 80, autoSelectFamily: true, autoSelectFamilyAttemptTimeout: 150});
socket.on('connect', () => socket.write('GET / HTTP/1.0\\r\\n\\r\\n')); socket.on('data', data => console.log(String(data)));";
    // The one after the other: a race that takes as long as the kernel has patience.
    let in_turn = "import socket
s = socket.create_connection(('shop.example', 80)); s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n'); print(s.recv(999))";
    let [py, js, curl] = ["python3", "node", "curl"].map(installed);
    let programs: [(&[&str], &str, &str); 4] = [
        (&[text(&py), "-c", python], "given up: #2 was faster", ""),
        (
            &[text(&curl), "-si", "http://shop.example/"],
            "given up: #2 was faster",
            "",
        ),
        // It closes the first before it begins the second.
        (&[text(&js), "-e", node], "never connected", ""),
        (
            &[text(&py), "-c", in_turn],
            "never connected",
            " (ETIMEDOUT)",
        ),
    ];
    for (program, end, why) in programs {
        let (outcome, trace) = network.traced(&["--findings=all"], program);
        let page = outcome.exited(0).stdout.text();
        assert!(page.contains("200 OK"), "{page}{trace}");
        one_line(&trace, &["getaddrinfo(\"shop.example\", ", "2001:db8::66"]);
        let won = format!("won against [2001:db8::66]:80{why}, begun ");
        let line = trace.text.lines().find(|line| line.contains(&won));
        let line = line.unwrap_or_else(|| panic!("no {won:?} in this trace:{trace}"));
        assert!(line.contains("192.0.2.7:80 shop.example"), "{line}");
        let lost = trace.text.lines().find(|line| line.contains(" #1 close "));
        assert!(lost.is_some_and(|line| line.contains(end)), "{trace}");
        assert!(found(&trace).contains("ipv6-first"), "{trace}");
    }
}
