//! Programs in the languages that people write: Python, JavaScript, Go, and C without a dynamic loader.

use crate::clients::{BODY, fetches, tells};
use crate::harness::programs::{go_program, static_program};
use crate::harness::{installed, servers, text, unharmed};

#[test]
fn python_urllib() {
    let address = servers::http(BODY).to_string();
    let code = format!(
        "import urllib.request as r; print(r.urlopen('http://{address}/').read().decode(), end='')"
    );
    fetches(&[text(&installed("python3")), "-c", &code], &address);
}

#[test]
fn python_socket() {
    let address = servers::echo("welcome\n");
    let code = format!(
        "import socket; s = socket.create_connection(('127.0.0.1', {})); f = s.makefile('rw')
print(f.readline(), end=''); f.write('my own words\\n'); f.flush(); print(f.readline(), end=''); f.close(); s.close()",
        address.port()
    );
    let (outcome, traces) = unharmed(&[], &[text(&installed("python3")), "-c", &code]);
    assert_eq!(outcome.exited(0).stdout.text(), "welcome\nmy own words\n");
    for trace in traces {
        tells(&trace, &address.to_string());
        trace.has("\"welcome\\n\"").has("\"my own words\\n\"");
    }
}

#[test]
fn python_asyncio() {
    let address = servers::echo("welcome\n");
    let code = format!(
        "import asyncio
async def one(n):
    r, w = await asyncio.open_connection('127.0.0.1', {})
    await r.readline(); w.write(b'from task %d\\n' % n); line = await r.readline(); w.close(); await w.wait_closed()
    return line.decode().strip()
async def main(): print(*[await one(n) for n in range(3)])
asyncio.run(main())",
        address.port()
    );
    let (outcome, traces) = unharmed(&[], &[text(&installed("python3")), "-c", &code]);
    assert_eq!(
        outcome.exited(0).stdout.text(),
        "from task 0 from task 1 from task 2\n"
    );
    for trace in traces {
        tells(&trace, &address.to_string());
        trace.has("\"from task 2\\n\"");
        // Non-blocking sockets: EINPROGRESS is told for what it is.
        assert_eq!(
            trace.find("connect", &address.to_string()).result,
            "-1 EINPROGRESS",
            "{trace}"
        );
    }
}

#[test]
fn node_http() {
    let address = servers::http(BODY).to_string();
    let code = format!("require('http').get('http://{address}/', r => r.pipe(process.stdout))");
    fetches(&[text(&installed("node")), "-e", &code], &address);
}

#[test]
fn node_net() {
    let address = servers::echo("");
    let code = format!(
        "const s = require('net').connect({}, '127.0.0.1', () => s.end('out of node'))
s.on('data', d => console.log(String(d)))",
        address.port()
    );
    let (outcome, traces) = unharmed(&[], &[text(&installed("node")), "-e", &code]);
    assert_eq!(outcome.exited(0).stdout.text(), "out of node\n");
    for trace in traces {
        tells(&trace, &address.to_string());
        trace.has("\"out of node\"");
        trace.find("shutdown", "SHUT_WR");
    }
}

#[test]
fn static_program_is_traced() {
    let program = static_program("fork_in_thread");
    let (outcome, traces) = unharmed(&["-v"], &[&program]);
    outcome.exited(0);
    for trace in traces {
        trace.find("write", "\"from the child\", 14");
    }
}

#[test]
fn go_program_is_traced() {
    let address = servers::http(BODY).to_string();
    fetches(&[text(&go_program("fetch")), &address, "/"], &address);
}
