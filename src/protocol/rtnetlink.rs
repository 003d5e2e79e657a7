//! rtnetlink (rtnetlink(7)): the kernel's own tables of links, addresses, routes and neighbours, by the names of its messages.

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// A message's header (netlink(7)).
const HEADER: usize = 16;

// Messages of every netlink protocol (include/uapi/linux/netlink.h).
const ERROR: u16 = 2;
const DONE: u16 = 3;
/// NLM_F_MULTI, and NLM_F_DUMP of a request.
const MULTI: u16 = 2;
const DUMP: u16 = 0x300;

/// What is spoken of, by type (include/uapi/linux/rtnetlink.h): each has NEW, DEL, GET and SET in a row.
const OBJECTS: &[(u16, &str)] = &[
    (16, "LINK"),
    (20, "ADDR"),
    (24, "ROUTE"),
    (28, "NEIGH"),
    (32, "RULE"),
    (36, "QDISC"),
    (40, "TCLASS"),
    (44, "TFILTER"),
    (48, "ACTION"),
    (52, "PREFIX"),
    (64, "NEIGHTBL"),
    (72, "ADDRLABEL"),
    (80, "NETCONF"),
    (84, "MDB"),
    (88, "NSID"),
    (92, "STATS"),
    (104, "NEXTHOP"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Rtnetlink;

/// A message's length, type, flags and number.
fn header(bytes: &[u8]) -> Option<(u32, u16, u16, u32)> {
    let header = bytes.first_chunk::<HEADER>()?;
    let [a, b, c, d, e, f, g, h, i, j, k, l, ..] = *header;
    let length = u32::from_ne_bytes([a, b, c, d]);
    let number = u32::from_ne_bytes([i, j, k, l]);
    (length as usize >= HEADER).then_some((
        length,
        u16::from_ne_bytes([e, f]),
        u16::from_ne_bytes([g, h]),
        number,
    ))
}

/// Whether a datagram is a message: nothing else travels there.
pub fn guess(bytes: &[u8]) -> Guess {
    match header(bytes) {
        Some(_) => Guess::Either,
        None => Guess::No,
    }
}

impl Sniffer for Rtnetlink {
    fn read(&mut self, from: Side, bytes: &[u8], _whole: bool, said: &mut Said) -> Step {
        let mut at = 0;
        let mut objects = 0u64;
        let mut last = None;
        // One datagram may hold many messages, each at a multiple of 4.
        while let Some((length, kind, flags, number)) = bytes.get(at..).and_then(header) {
            let number = u64::from(number);
            match (kind, from) {
                (ERROR, _) => {
                    let code = bytes
                        .get(at + HEADER..at + HEADER + 4)
                        .map_or(0, |it| i32::from_ne_bytes([it[0], it[1], it[2], it[3]]));
                    match code {
                        0 => said.say(Kind::Answer(number), "acknowledged"),
                        code => said.fail(
                            Kind::Answer(number),
                            format!("error {}", code.unsigned_abs()),
                        ),
                    }
                }
                (DONE, _) => said.say(Kind::Note, "end of the list"),
                (kind, Side::Client) => {
                    let all = if flags & DUMP == DUMP { ", all" } else { "" };
                    said.say(Kind::Request(number), format!("{}{all}", name(kind)));
                }
                (kind, Side::Server) => {
                    objects += 1;
                    last = Some((kind, flags & MULTI != 0, number));
                }
            }
            at += (length as usize).next_multiple_of(4);
        }
        match last {
            Some((kind, false, number)) if objects == 1 => {
                said.say(Kind::Answer(number), name(kind))
            }
            Some((kind, _, number)) => {
                said.say(Kind::Answer(number), format!("{} × {objects}", name(kind)))
            }
            None => {}
        }
        Step::Took(bytes.len() as u64)
    }
}

fn name(kind: u16) -> String {
    let verbs = ["NEW", "DEL", "GET", "SET"];
    let object = OBJECTS.iter().find(|(first, _)| kind & !3 == *first);
    match object {
        Some((_, object)) => format!("RTM_{}{object}", verbs[usize::from(kind & 3)]),
        None => format!("message {kind}"),
    }
}

#[cfg(test)]
mod tests {
    use crate::protocol::Carrier;
    use crate::protocol::tests::{back, hear_by, out};

    fn message(kind: u16, flags: u16, number: u32, content: &[u8]) -> Vec<u8> {
        let length = (super::HEADER + content.len()) as u32;
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(number.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(content);
        bytes
    }

    #[test]
    fn tables_are_read_and_changed() {
        let heard = hear_by(
            Carrier::Netlink,
            &[
                out(message(18, 0x301, 7, &[0; 16])),
                back([message(16, 2, 7, &[0; 16]), message(16, 2, 7, &[0; 16])].concat()),
                back(message(3, 2, 7, &[0; 4])),
                out(message(24, 5, 8, &[0; 12])),
                back(message(2, 0, 8, &(-1i32).to_ne_bytes())),
            ],
        );
        assert_eq!(
            heard,
            [
                "? rtnetlink RTM_GETLINK, all",
                "= rtnetlink RTM_NEWLINK × 2",
                ". rtnetlink end of the list",
                "? rtnetlink RTM_NEWROUTE",
                "=! rtnetlink error 1",
            ]
        );
    }
}
