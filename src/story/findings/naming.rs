//! Names that are not found, or cost more than they should.

use rustc_hash::FxHashMap;

use super::{Found, Kind, Severity, place, span};
use crate::story::{By, Resolution, Server, Told, Upshot as Outcome, What};
use crate::tracer::event::Nanos;

const NOT_FOUND: Kind = Kind {
    name: "name-not-found",
    severity: Severity::Error,
    advice: "The server answered, so the resolver works: check the spelling, and whether the name is known where this machine asks.",
};
const NO_SERVER: Kind = Kind {
    name: "name-server-silent",
    severity: Severity::Error,
    advice: "No name server answers: is the address in /etc/resolv.conf right, and does a firewall let port 53 pass?",
};
const REFUSED: Kind = Kind {
    name: "name-server-refuses",
    severity: Severity::Error,
    advice: "The server is there but would or could not answer; another one may, or the zone behind it is broken.",
};
const CUT: Kind = Kind {
    name: "answer-too-long",
    severity: Severity::Error,
    advice: "The whole answer is to be had by TCP only: let port 53 pass by TCP too, or use a resolver that asks by it (musl does from 1.2.4 on).",
};
const SLOW: Kind = Kind {
    name: "resolver-slow",
    severity: Severity::Warning,
    advice: "Every connection by name waits as long. Look at the first server in /etc/resolv.conf; a cache on this machine helps.",
};
const SECOND_SERVER: Kind = Kind {
    name: "second-name-server",
    severity: Severity::Warning,
    advice: "The first name server does not answer, and each look-up waits for it in vain. Take it out of /etc/resolv.conf or mend it.",
};
const SEARCHED: Kind = Kind {
    name: "search-domains",
    severity: Severity::Note,
    advice: "Names that end in a dot, or another ndots in resolv.conf(5), save the questions in vain.",
};
const AGAIN: Kind = Kind {
    name: "same-name-again",
    severity: Severity::Warning,
    advice: "Nothing remembers the answer: a connection that stays open, or a cache on this machine, saves these questions.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[
    &NOT_FOUND,
    &NO_SERVER,
    &REFUSED,
    &CUT,
    &SLOW,
    &SECOND_SERVER,
    &SEARCHED,
    &AGAIN,
];

/// From when on a look-up is slow: 0.5 s.
const PATIENCE: Nanos = 500_000_000;
/// How often a name may be asked for.
const OFTEN: u32 = 5;
/// How many names are counted.
const NAMES: usize = 1024;

/// Counts names.
#[derive(Debug, Default)]
pub struct Naming {
    asked: FxHashMap<(i32, String), u32>,
}

impl Naming {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        let What::Resolved(resolution) = &told.what else {
            return;
        };
        let name = &resolution.name;
        let took = resolution.end.saturating_sub(resolution.start);
        let server = server(resolution);
        match resolution.upshot {
            Outcome::NoSuchName => found.add(&NOT_FOUND, &**name, told, || {
                format!(
                    "{server} says that {name} does not exist. It answered in {}.",
                    span(took)
                )
            }),
            Outcome::NoAnswer => found.add(&NO_SERVER, &*server, told, || {
                format!(
                    "{server} did not answer when asked for {name}, for {}.",
                    span(took)
                )
            }),
            Outcome::Refused(code) => found.add(&REFUSED, &*server, told, || {
                format!("{server} answers {code} when asked for {name}.")
            }),
            Outcome::Cut if resolution.failed() => found.add(&CUT, &**name, told, || {
                format!(
                    "What {server} has for {name} is too long for UDP, and nobody got it by TCP."
                )
            }),
            Outcome::Found | Outcome::Cut | Outcome::Nothing => {
                let in_vain = |it: &&Server| resolution.waited_in_vain(it);
                let silent = resolution.servers.iter().find(in_vain);
                if let Some(silent) = silent {
                    let silent = silent
                        .address
                        .as_ref()
                        .map_or_else(|| "a server".into(), place);
                    found.add(&SECOND_SERVER, &*silent, told, || {
                        format!(
                            "{silent} did not answer; another server did, and {name} took {}.",
                            span(took)
                        )
                    });
                } else if took >= PATIENCE {
                    found.add(&SLOW, &*server, told, || {
                        format!("{name} took {} to be found.", span(took))
                    });
                }
            }
        }
        if resolution.upshot == Outcome::Found && !resolution.tried.is_empty() {
            found.add(&SEARCHED, &**name, told, || {
                let were = match resolution.tried.len() {
                    1 => "was",
                    _ => "were",
                };
                let tried = resolution.tried.join(", ");
                format!("{tried} {were} asked for in vain beside {name}.")
            });
        }
        if self.asked.len() < NAMES || self.asked.contains_key(&(resolution.pid, name.clone())) {
            let count = self
                .asked
                .entry((resolution.pid, name.clone()))
                .or_default();
            *count += 1;
            if *count >= OFTEN {
                let seen = format!("{name} was asked for {count} times by the same process.");
                found.revise(&AGAIN, &**name, told, seen);
            }
        }
    }
}

/// Who answered, or was asked first.
fn server(resolution: &Resolution) -> String {
    let answered = resolution.servers.iter().find(|it| it.answered);
    let server = answered.or(resolution.servers.first());
    match server.map(|it| it.by) {
        Some(By::Nscd) => return "nscd".into(),
        Some(By::Resolved) => return "systemd-resolved".into(),
        _ => {}
    }
    let address = server.and_then(|it| it.address.as_ref());
    address.map_or_else(
        || "The name server".into(),
        |it| {
            let place = place(it);
            place
                .strip_suffix(":53")
                .map_or(place.clone(), str::to_owned)
        },
    )
}
