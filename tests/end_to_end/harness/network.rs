//! Networks of a test's own: what runs there sees loopback, interfaces, ports and a resolver's files that nobody else sees.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::programs::script;
use super::{Outcome, Trace, command, installed, is_root, run, scratch, sockstrace, text};

/// What a shell does before and after: it is root there. Servers that `serve` has started say by a line that they are ready.
const SHELL: &str = r#"
servers=
serve() { mkfifo ready; "$@" >ready & servers="$servers $!"; read -r _ <ready; rm ready; }
etc() { cat >"$1"; mount --bind "$1" "/etc/$1"; }
trap 'kill $servers 2>/dev/null || true' EXIT
ip link set lo up
"#;

/// A network that exists as long as a command runs in it, and the folder where that happens.
pub struct Network {
    folder: TempDir,
    setup: String,
}

impl Network {
    /// One that these lines of shell set up; without any it has loopback only.
    pub fn new(setup: &str) -> Self {
        Self {
            folder: scratch(),
            setup: setup.to_owned(),
        }
    }

    /// One whose resolver reads this resolv.conf, and asks nothing but that and a hosts file with localhost alone.
    pub fn with_resolver(resolv_conf: &str, setup: &str) -> Self {
        Self::new(&format!(
            "etc resolv.conf <<'END'\n{resolv_conf}\nEND\n\
             echo 'hosts: files dns' | etc nsswitch.conf\n\
             echo '127.0.0.1 localhost' | etc hosts\n{setup}"
        ))
    }

    /// A file of this network's folder.
    pub fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that is to run there.
    pub fn inside<S: AsRef<OsStr>>(&self, program: &[S]) -> Command {
        let [ip, mount, shell] = ["ip", "mount", "sh"].map(installed);
        let mut path = std::env::var_os("PATH").unwrap_or_default();
        for tool in [ip, mount] {
            path.push(":");
            path.push(tool.parent().unwrap_or(Path::new("/sbin")));
        }
        let mut unshare = command(installed("unshare"));
        unshare.args(["--net", "--mount"]);
        if !is_root() {
            unshare.args(["--user", "--map-root-user"]);
        }
        let script = format!("{SHELL}{}\n\"$@\"", self.setup);
        unshare
            .args(["--", text(&shell), "-ec", &script, "sh"])
            .args(program)
            .env("PATH", path)
            .current_dir(self.folder.path());
        unshare
    }

    /// `sockstrace OPTIONS -o FILE PROGRAM`, run there.
    #[track_caller]
    pub fn traced<S: AsRef<OsStr>>(&self, options: &[&str], program: &[S]) -> (Outcome, Trace) {
        self.traced_by::<&str, S>(&[], options, program)
    }

    /// The same, begun by another command that runs its last arguments.
    #[track_caller]
    pub fn traced_by<B: AsRef<OsStr>, S: AsRef<OsStr>>(
        &self,
        by: &[B],
        options: &[&str],
        program: &[S],
    ) -> (Outcome, Trace) {
        let file = self.at("trace");
        let mut all = vec!["-o", text(&file)];
        all.extend(options);
        let tracing = sockstrace(&all, program);
        let line: Vec<_> = by
            .iter()
            .map(AsRef::as_ref)
            .chain([tracing.get_program()])
            .chain(tracing.get_args())
            .collect();
        let outcome = run(self.inside(&line));
        let trace = Trace::read(&file)
            .unwrap_or_else(|error| panic!("no trace ({error}) beside {outcome:#?}"));
        (outcome, trace)
    }
}

/// Lines of a network's setup: addresses that are somewhere, but belong to nobody, so that nothing comes back from them, not even that
/// nobody is there: 192.0.2.66 and 2001:db8::66. After two SYNs, 3 s, connecting there fails. 192.0.2.7 is this host itself.
pub const HOLE: &str = "
echo 1 >/proc/sys/net/ipv4/tcp_syn_retries
[ ! -e /proc/sys/net/ipv4/tcp_syn_linear_timeouts ] || echo 0 >/proc/sys/net/ipv4/tcp_syn_linear_timeouts
ip link add hole type veth peer name other
ip link set hole up && ip link set other up
ip address add 192.0.2.1/24 dev hole && ip address add 2001:db8::1/64 dev hole nodad
for gone in 192.0.2.66 2001:db8::66; do ip neighbour add $gone lladdr 02:00:00:00:00:66 nud permanent dev hole; done
ip address add 192.0.2.7/32 dev lo
";

/// A line of a network's setup: a web server there, at port 80 of this address, for the files in the network's folder.
pub fn web_server(address: &str) -> String {
    let python = installed("python3");
    format!(
        "serve {} -u -m http.server --bind {address} 80\n",
        text(&python)
    )
}

/// A line of a network's setup: a name server there, at this address, with the names that it knows.
pub fn name_server(address: &str, names: &[&str]) -> String {
    let [python, script] = [installed("python3"), script("names.py")];
    format!(
        "serve {} {} {address} {}\n",
        text(&python),
        text(&script),
        names.join(" ")
    )
}
