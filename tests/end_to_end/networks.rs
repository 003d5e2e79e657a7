//! Networks with delay, loss and holes: what the trace says of them is what the kernel itself measures there.

use crate::harness::network::{HOLE, Network};
use crate::harness::programs::program;
use crate::harness::{Trace, installed, text};

/// Takes everything in, and says how much it was each time that a dot comes last.
const SINK: &str = "import socket
listener = socket.create_server(('192.0.2.2', 80)); print('ready', flush=True)
peer, _ = listener.accept(); size = 0
while got := peer.recv(65536):
    size += len(got)
    if got.endswith(b'.'): peer.sendall(b'%d' % size)";

/// Sends 100 kB over a way of 40 ms there and back, and asks ss for what the kernel knows of that.
const SEND: &str = "import socket, subprocess
s = socket.create_connection(('192.0.2.2', 80)); s.sendall(b'x' * 99999 + b'.'); assert s.recv(9) == b'100000'
print(subprocess.run(['ss', '-tinH', 'dport', '=', ':80'], capture_output=True, text=True).stdout)
s.close()";

/// A time as the trace shows it, in milliseconds.
fn milliseconds(text: &str) -> Option<f64> {
    let units = [("µs", 0.001), ("ms", 1.0), ("s", 1000.0)];
    let (number, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((text.trim().strip_suffix(name)?, unit)))?;
    Some(number.parse::<f64>().ok()? * unit)
}

/// What follows these words, up to the next comma or space.
#[track_caller]
fn after<'a>(line: &'a str, words: &str) -> &'a str {
    let rest = line.split_once(words);
    let rest = rest.unwrap_or_else(|| panic!("no {words:?} in {line}")).1;
    rest.split([' ', ',']).next().unwrap_or_default()
}

/// The line with the kernel's view below the first line that has these words.
#[track_caller]
fn view<'a>(trace: &'a Trace, words: &str) -> &'a str {
    let mut lines = trace.text.lines().skip_while(|line| !line.contains(words));
    let view = lines.nth(1).filter(|line| line.contains("ESTABLISHED"));
    view.unwrap_or_else(|| panic!("no view of the kernel below {words:?}:{trace}"))
}

#[test]
#[ignore = "needs root, or a user namespace, and /dev/net/tun"]
fn a_long_way_is_measured_and_what_it_loses_is_counted() {
    let [python, long_way, _ss] = [installed("python3"), program("long_way"), installed("ss")];
    for every in ["0", "10"] {
        let way = [
            text(&long_way),
            "20",
            every,
            text(&python),
            "-c",
            SINK,
            "--",
        ];
        let options = ["--kernel", "--overview"];
        let (outcome, trace) =
            Network::new("").traced_by(&way, &options, &[text(&python), "-c", SEND]);
        let ss = outcome.exited(0).stdout.text();

        let connect = trace.find("connect", "192.0.2.2:80");
        let took = milliseconds(&connect.meaning);
        assert!(
            took.is_some_and(|took| (40.0..200.0).contains(&took)),
            "one round trip: {}",
            connect.line
        );
        let mut closed = trace.named("close");
        let close = closed.find(|call| call.number == connect.number);
        let close = &close.expect("its end").line;
        let rtt = milliseconds(after(close, ", rtt "));
        assert!(
            rtt.is_some_and(|rtt| (40.0..200.0).contains(&rtt)),
            "{close}"
        );

        // Nothing travels any more when ss asks, so that all three say the same.
        let told = [view(&trace, "recvfrom(3, \"100000\""), view(&trace, close)];
        let rtt: f64 = after(&ss, " rtt:")
            .split('/')
            .next()
            .and_then(|it| it.parse().ok())
            .expect("ss tells it");
        for view in told {
            assert_eq!(after(view, "window "), after(&ss, " cwnd:"), "{view}\n{ss}");
            let told = milliseconds(after(view, "rtt ")).expect("a time");
            assert!((told - rtt).abs() < 0.06, "{view}\n{ss}");
        }
        if every == "0" {
            trace.lacks("sent again");
            assert!(!ss.contains("retrans:"), "{ss}");
        } else {
            let (_, lost) = after(&ss, " retrans:").split_once('/').expect("of all");
            assert!(lost.parse().is_ok_and(|lost: u32| lost >= 7), "{ss}");
            assert!(
                close.contains(&format!(", {lost} segments sent again")),
                "{lost}: {close}"
            );
            for view in told {
                assert_eq!(after(view, "sent again "), lost, "{view}");
            }
        }
    }
}

#[test]
#[ignore = "needs root, or a user namespace"]
fn syns_that_vanish_are_waited_for_and_counted() {
    let python = installed("python3");
    let code = "import socket
s = socket.socket()
try: s.connect(('192.0.2.66', 80))
except TimeoutError as error: print(error)
s = socket.socket(); s.settimeout(1.5)
try: s.connect(('192.0.2.66', 80))
except TimeoutError as error: print(error)";
    let network = Network::new(HOLE);
    let (outcome, trace) = network.traced(&["--overview"], &[text(&python), "-c", code]);
    assert_eq!(
        outcome.exited(0).stdout.text(),
        "[Errno 110] Connection timed out\ntimed out\n"
    );
    trace.has("waits for an answer");
    trace.has("still waiting for 192.0.2.66:80");
    let connect = trace.find("connect", "192.0.2.66:80");
    assert_eq!(connect.result, "-1 ETIMEDOUT", "{trace}");
    assert!(connect.meaning.contains("no answer at all"), "{trace}");
    let took = connect.meaning.rsplit(' ').next().and_then(milliseconds);
    assert!(took.is_some_and(|took| took >= 2900.0), "{}", connect.line);
    trace.has("nothing for 1s, SYN sent twice");
    trace
        .has("never connected, lived 3.")
        .has(", SYN sent twice");
    // Both tries are one finding, which says what is known in the end.
    trace.has("  finding  connect-no-answer  192.0.2.66:80 answers nothing at all, for 1.");
    trace.has("connect-no-answer  192.0.2.66:80 answered nothing at all, for 3.");
    let time = trace.text.lines().find(|line| line.contains(" in all "));
    assert!(
        time.is_some_and(|line| line.contains("connect 4.")),
        "{trace}"
    );
    let rows = trace.text.lines().filter(|line| {
        line.contains("→ 192.0.2.66:80") && line.trim_end().ends_with("never connected")
    });
    assert!(rows.count() >= 1, "{trace}");
}
