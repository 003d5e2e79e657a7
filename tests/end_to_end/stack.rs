//! What only the kernel knows: between calls, of programs whose threads run on, of listeners and their queues, of the other end.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::harness::data::{lines, of_type};
use crate::harness::{
    installed, is_root, live_and_again, run, scratch, servers, sockstrace, text, traced,
};

/// A program in python: what it printed, and what its trace says.
fn told(options: &[&str], code: &str) -> (String, String) {
    let python = installed("python3");
    let (outcome, trace) = traced(options, &[text(&python), "-c", code]);
    (outcome.exited(0).stdout.text(), trace.text)
}

/// The lines of that type in the trace of a program in python, as data.
fn data(kind: &str, options: &[&str], code: &str) -> Vec<Value> {
    let folder = scratch();
    let file = folder.path().join("trace");
    let json = format!("--json={}", text(&file));
    let mut options = options.to_vec();
    options.push(&json);
    run(sockstrace(
        &options,
        &[text(&installed("python3")), "-c", code],
    ))
    .exited(0);
    let all = lines(&file);
    of_type(&all, kind).into_iter().cloned().collect()
}

#[track_caller]
fn says(trace: &str, words: &[&str]) {
    for words in words {
        assert!(trace.contains(words), "no {words}: {trace}");
    }
}

/// Whoever has more guests waiting than it wants lets further ones knock in vain.
const CROWD: &str = "import socket, time
full = socket.socket(); full.bind(('127.0.0.1', 0)); full.listen(0)
guests = [socket.socket() for _ in range(4)]
for guest in guests:
    guest.setblocking(False); guest.connect_ex(full.getsockname())
late = socket.socket(); late.settimeout(2.6)
try: late.connect(full.getsockname())
except OSError: pass
late.close(); full.close()";

#[test]
fn a_peer_that_answers_nothing_is_said_to_while_it_is_waited_for() {
    let (_, trace) = told(&["--overview", "--engine", "stop"], CROWD);
    says(
        &trace,
        &[
            "still waiting for 127.0.0.1:",
            "nothing for 1s, SYN sent twice",
            "finding  connect-no-answer  ",
            "warning  accept-queue-full  ",
            "segments of peers were dropped",
            "never connected, lived ",
        ],
    );
    let time = trace.lines().find(|line| line.contains(" in all "));
    assert!(
        time.is_some_and(|line| line.contains("connect 2.")),
        "{trace}"
    );
    let gave_up =
        |line: &str| line.contains("never connected, lived") && line.contains("SYN sent ");
    assert!(trace.lines().any(gave_up), "{trace}");
}

#[test]
fn of_a_queue_the_kernel_and_ss_say_the_same() {
    let code = "import socket, subprocess, time
server = socket.create_server(('127.0.0.1', 0), backlog=7)
clients = [socket.create_connection(server.getsockname()) for _ in range(3)]
time.sleep(1)
port = ':%d' % server.getsockname()[1]
print(subprocess.run(['ss', '-tlnH', 'sport', '=', port], capture_output=True, text=True).stdout)";
    let (ss, trace) = told(&["--kernel"], code);
    let mut columns = ss.split_whitespace().skip(1);
    let [waiting, room] = [(); 2].map(|()| columns.next().unwrap_or_default());
    assert_eq!((waiting, room), ("3", "7"), "{ss}");
    says(
        &trace,
        &[&format!(
            "LISTEN, {waiting} of {room} waiting to be accepted"
        )],
    );
}

#[test]
fn a_handshake_is_over_when_the_kernel_says_so() {
    // The queue is full until the server takes somebody out, while nobody polls the socket: nor is anything sent or asked.
    let code = "import socket, time
full = socket.socket(); full.bind(('127.0.0.1', 0)); full.listen(0)
first = socket.create_connection(full.getsockname())
late = socket.socket(); late.setblocking(False); late.connect_ex(full.getsockname())
full.accept()
time.sleep(2.5)
print(late.getsockname()[1])";
    let (port, trace) = told(&[], code);
    let connected = format!("⤷ connected 127.0.0.1:{} → 127.0.0.1:", port.trim());
    says(&trace, &[&connected]);
}

#[test]
fn states_change_while_the_program_sleeps() {
    let code = "import socket, time
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
accepted, _ = server.accept()
accepted.send(b'bye'); accepted.close()
time.sleep(1)
client.recv(9)";
    let (_, trace) = told(&["--kernel"], code);
    says(
        &trace,
        &["⤷ ESTABLISHED → CLOSE_WAIT, rtt ", "3 B to be read"],
    );
    let kernel = data("kernel", &["--kernel"], code);
    let waits = kernel
        .iter()
        .find(|it| it["kernel"]["state"] == "CLOSE_WAIT");
    assert_eq!(
        waits.map(|it| &it["kernel"]["unread"]),
        Some(&Value::from(3)),
        "{kernel:?}"
    );
}

/// A client and a server in one process: threads run on all the time.
const THREADS: &str = "import socket, threading, time
server = socket.create_server(('127.0.0.1', 0))
def serve():
    for _ in range(3):
        peer, _ = server.accept(); peer.recv(9); peer.sendall(b'pong'); peer.recv(9); peer.close()
threading.Thread(target=serve).start()
for _ in range(3):
    client = socket.socket(); client.connect(server.getsockname())
    client.sendall(b'ping'); client.recv(9)
    time.sleep(.3); client.close()";

#[test]
fn programs_with_threads_are_asked_about_too() {
    let all = data("conversation", &["--engine", "stop"], THREADS);
    let of = |part| all.iter().filter(move |it| it["part"] == part);
    let ends = |part, near: &'static str, far: &'static str| {
        let ends = of(part).map(|it| (it[near].as_u64(), it[far].as_u64()));
        ends.collect::<BTreeSet<_>>()
    };
    let clients = ends("connector", "local_port", "peer_port");
    assert_eq!(clients, ends("accepted", "peer_port", "local_port"));
    assert_eq!(clients.len(), 3);
    for it in of("connector").chain(of("accepted")) {
        assert!(it["rtt_us"].as_u64() > Some(0), "{it}");
        assert!(it["other_end"].is_number(), "{it}");
    }
}

#[test]
fn the_owner_of_an_address_is_named_and_time_wait_told_apart() {
    let code = "import os, socket
server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
client = socket.create_connection(server.getsockname())
peer, _ = server.accept(); peer.close(); client.recv(1); client.close()
def bind():
    with socket.socket() as other:
        try: other.bind(('0.0.0.0', port))
        except OSError: pass
bind(); server.close(); bind(); print(os.getpid())";
    let (pid, trace) = told(&["--overview"], code);
    let owner = format!("[{}] listens there", pid.trim());
    says(
        &trace,
        &[
            &owner,
            "a connection of before is in TIME_WAIT there",
            "address-in-use  0.0.0.0:",
            "address-in-time-wait  0.0.0.0:",
        ],
    );
}

#[test]
fn datagrams_without_room_are_counted_as_the_kernel_does() {
    let code = "import socket
target = socket.socket(type=socket.SOCK_DGRAM); target.bind(('127.0.0.1', 0))
target.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
others = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
for other in others:
    for _ in range(20): other.sendto(b'x' * 500, target.getsockname())
target.recvfrom(500)
port = '%04X' % target.getsockname()[1]
print([line.split()[-1] for line in open('/proc/net/udp') if port in line.split()[1]][0])
target.close()";
    let (drops, trace) = told(&["--overview"], code);
    let words = format!(", {} datagrams dropped", drops.trim());
    says(&trace, &[&words, "warning  datagrams-dropped  "]);
}

#[test]
fn whom_a_datagram_socket_talked_to_and_for_how_long_peers_waited() {
    let code = "import socket, time
sinks = [socket.socket(type=socket.SOCK_DGRAM) for _ in range(2)]
for sink in sinks: sink.bind(('127.0.0.1', 0))
source = socket.socket(type=socket.SOCK_DGRAM)
for step, sink in enumerate(sinks): source.sendto(b'x' * (step + 1), sink.getsockname())
source.close()
server = socket.create_server(('127.0.0.1', 0), backlog=9)
client = socket.create_connection(server.getsockname())
time.sleep(.4); server.accept()";
    let all = data("conversation", &[], code);
    let source = all
        .iter()
        .find(|it| it["peers"].is_array())
        .expect("it has peers");
    let sent: Vec<_> = source["peers"].as_array().into_iter().flatten().collect();
    assert_eq!([&sent[0]["sent"], &sent[1]["sent"]], [1, 2], "{source}");
    assert_ne!(sent[0]["port"], sent[1]["port"]);
    let listener = all
        .iter()
        .find(|it| it["part"] == "listener")
        .expect("a listener");
    let accepted = all
        .iter()
        .find(|it| it["part"] == "accepted")
        .expect("a peer");
    assert_eq!(listener["backlog"], 9);
    assert_eq!(accepted["listener"], listener["conversation"]);
    let queued = accepted["queued_ns"].as_u64().unwrap_or(0);
    assert!((390_000_000..2_000_000_000).contains(&queued), "{accepted}");
}

#[test]
fn unix_sockets_find_their_other_end() {
    let folder = scratch();
    let code = format!(
        "import os, socket
path = {:?}
server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()
if os.fork() == 0:
    client = socket.socket(socket.AF_UNIX); client.connect(path); client.sendall(b'hello'); client.recv(1); os._exit(0)
peer, _ = server.accept(); peer.recv(9); peer.close(); os.wait()",
        text(&folder.path().join("at"))
    );
    let all = data("conversation", &[], &code);
    let accepted = all
        .iter()
        .find(|it| it["part"] == "accepted")
        .expect("a peer");
    let client = all
        .iter()
        .find(|it| it["part"] == "connector")
        .expect("a client");
    assert_eq!(accepted["other_end"], client["conversation"]);
    assert_eq!(client["other_end"], accepted["conversation"]);
    assert_ne!(client["processes"], accepted["processes"]);
}

#[test]
fn a_socket_that_goes_to_a_stranger_is_handed_on() {
    // The receiver is there before the trace, and no part of it.
    let folder = scratch();
    let path = folder.path().join("at");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    let code = format!(
        "import socket
there = socket.socket(socket.AF_UNIX); there.connect({:?})
server = socket.create_server(('127.0.0.1', 0))
socket.send_fds(there, [b'x'], [server.fileno()]); server.close()",
        text(&path)
    );
    let stranger = std::thread::spawn(move || listener.accept().expect("the program"));
    let (_, trace) = told(&["--overview"], &code);
    says(
        &trace,
        &[
            "close(4) = 0",
            "handed on to another process",
            "handed on\n",
        ],
    );
    drop(stranger.join());
}

#[test]
fn what_the_kernel_said_between_calls_is_told_again() {
    let python = installed("python3");
    let program = [text(&python), "-c", CROWD];
    let [live, again] = live_and_again(&["--kernel", "--overview"], &program);
    says(&live, &["⤷ SYN_SENT, SYN sent twice", "SYN sent twice"]);
    assert_eq!(live, again);
}

/// The program, started in namespaces of its own of those kinds (unshare(1)).
fn unshared(kinds: &str, program: &[&str]) -> Vec<String> {
    let root = if is_root() { "" } else { "Ur" };
    let options = format!("-{root}{kinds}");
    let unshare = installed("unshare");
    let mut all = vec![text(&unshare), &options];
    all.extend(program);
    all.into_iter().map(str::to_owned).collect()
}

#[test]
fn a_process_in_a_namespace_of_its_own_has_two_numbers() {
    let python = installed("python3");
    let code = "import socket, os; socket.socket(); print(os.getpid())";
    let program = unshared("pf", &[text(&python), "-c", code]);
    let (outcome, trace) = traced(&[] as &[&str], &program);
    assert_eq!(outcome.exited(0).stdout.text(), "1\n");
    says(&trace.text, &["], process 1 to itself"]);
}

#[test]
#[ignore = "needs root"]
fn the_kernel_is_asked_in_the_network_of_the_program() {
    assert!(is_root(), "this test needs root");
    let python = installed("python3");
    let code = format!("import os; os.system('ip link set lo up')\n{THREADS}");
    let program = unshared("n", &[text(&python), "-c", &code]);
    let folder = scratch();
    let file = folder.path().join("trace");
    let json = format!("--json={}", text(&file));
    run(sockstrace(&["--engine", "stop", &json], &program)).exited(0);
    let all = lines(&file);
    let ended = of_type(&all, "conversation");
    let clients: Vec<_> = ended
        .iter()
        .filter(|it| it["part"] == "connector")
        .collect();
    assert_eq!(clients.len(), 3);
    for it in clients {
        assert!(
            it["local_port"].is_number() && it["rtt_us"].is_number(),
            "{it}"
        );
    }
}

#[test]
fn the_hosts_file_names_whom_the_arguments_mention() {
    let server = servers::http("hello");
    let curl = installed("curl");
    let name = |host: &str| {
        let url = format!("http://{host}:{}/", server.port());
        let folder = scratch();
        let file = folder.path().join("trace");
        let json = format!("--json={}", text(&file));
        run(sockstrace(&[&json], &[text(&curl), "-s4", &url])).exited(0);
        let all = lines(&file);
        let ended = of_type(&all, "conversation");
        let found = ended.iter().find(|it| it["peer_port"] == server.port());
        let found = found.expect("a conversation with the server");
        (
            found["peer_name"].clone(),
            found["peer_name_source"].clone(),
        )
    };
    // It has that name on every machine.
    assert_eq!(name("localhost"), ("localhost".into(), "hosts".into()));
    assert_eq!(name("127.0.0.1"), (Value::Null, Value::Null));
}

#[test]
#[ignore = "needs root"]
fn a_hosts_file_that_is_a_pipe_is_not_waited_for() {
    assert!(is_root(), "this test needs root");
    let [unshare, shell, python] = ["unshare", "sh", "python3"].map(installed);
    let script = "mkfifo p && mount --bind p /etc/hosts && exec \"$@\"";
    let code = "import socket; print(socket.socket().connect_ex(('127.0.0.1', 1)))";
    let folder = scratch();
    let mut traced = sockstrace(
        &["-o", "/dev/null"],
        &[
            text(&unshare),
            "-m",
            text(&shell),
            "-c",
            script,
            "sh",
            text(&python),
            "-c",
            code,
        ],
    );
    traced.current_dir(folder.path());
    assert_eq!(run(traced).exited(0).stdout.text(), "111\n");
}

#[test]
#[ignore = "needs root"]
fn a_network_is_gone_with_its_programs() {
    assert!(is_root(), "this test needs root");
    let code = format!(
        "import os, subprocess, time
for _ in range(5):
    subprocess.run(['unshare', '-n', 'python3', '-c', {THREADS:?}.replace('import ', 'import os; os.system(\"ip link set lo up\"); import ', 1)], check=True)
print(len(os.listdir('/proc/%d/fd' % os.getppid())))"
    );
    let python = installed("python3");
    let (outcome, _) = traced(&["--engine", "stop"], &[text(&python), "-c", &code]);
    let open: u32 = outcome
        .exited(0)
        .stdout
        .text()
        .trim()
        .parse()
        .expect("a number");
    assert!(open < 25, "{open} descriptors of ours are open");
}

#[test]
fn an_orphan_that_keeps_an_address_is_told_as_such() {
    // The server has closed first, and its client has not: the connection waits in FIN_WAIT1 or 2, and nobody has it.
    let code = "import socket, time
server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
client = socket.create_connection(('127.0.0.1', port)); peer, _ = server.accept()
peer.close(); server.close()
other = socket.socket()
try: other.bind(('127.0.0.1', port))
except OSError: print('taken')";
    let (printed, trace) = told(&["--overview"], code);
    assert_eq!(printed, "taken\n");
    says(
        &trace,
        &[
            "a connection of before is in FIN_WAIT",
            "address-in-time-wait",
        ],
    );
}
