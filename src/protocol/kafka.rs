//! Kafka's protocol (kafka.apache.org/protocol): requests by API, version and client, and their responses by number.

use std::collections::VecDeque;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest request that is believed: the server's default bound (socket.request.max.bytes).
const REQUEST: u32 = 100 << 20;
/// The longest response that is believed.
const RESPONSE: u32 = 1 << 30;
/// The header up to the client's id: size, API, version, number and the id's length.
const HEADER: usize = 14;
/// The longest client id that is believed.
const CLIENT: usize = 255;
/// How much of a message is read, beyond the header.
const READ: usize = 512;
/// How many requests may wait for their responses.
const WAITING: usize = 256;

// APIs of which more is known than their names.
const PRODUCE: usize = 0;
const METADATA: usize = 3;
const SASL_HANDSHAKE: usize = 17;
const API_VERSIONS: usize = 18;
const SASL_AUTHENTICATE: usize = 36;
/// These carry tokens or what proves a password.
const SECRET: &[usize] = &[SASL_AUTHENTICATE, 38, 39, 40, 41, 51];

/// The APIs by their key: name and latest version (Kafka 4.1).
const APIS: &[(&str, u16)] = &[
    ("Produce", 13),
    ("Fetch", 18),
    ("ListOffsets", 11),
    ("Metadata", 13),
    ("LeaderAndIsr", 7),
    ("StopReplica", 4),
    ("UpdateMetadata", 8),
    ("ControlledShutdown", 3),
    ("OffsetCommit", 10),
    ("OffsetFetch", 10),
    ("FindCoordinator", 6),
    ("JoinGroup", 9),
    ("Heartbeat", 4),
    ("LeaveGroup", 5),
    ("SyncGroup", 5),
    ("DescribeGroups", 6),
    ("ListGroups", 5),
    ("SaslHandshake", 1),
    ("ApiVersions", 4),
    ("CreateTopics", 7),
    ("DeleteTopics", 6),
    ("DeleteRecords", 2),
    ("InitProducerId", 6),
    ("OffsetForLeaderEpoch", 4),
    ("AddPartitionsToTxn", 5),
    ("AddOffsetsToTxn", 4),
    ("EndTxn", 5),
    ("WriteTxnMarkers", 2),
    ("TxnOffsetCommit", 5),
    ("DescribeAcls", 3),
    ("CreateAcls", 3),
    ("DeleteAcls", 3),
    ("DescribeConfigs", 4),
    ("AlterConfigs", 2),
    ("AlterReplicaLogDirs", 2),
    ("DescribeLogDirs", 4),
    ("SaslAuthenticate", 2),
    ("CreatePartitions", 3),
    ("CreateDelegationToken", 3),
    ("RenewDelegationToken", 2),
    ("ExpireDelegationToken", 2),
    ("DescribeDelegationToken", 3),
    ("DeleteGroups", 2),
    ("ElectLeaders", 2),
    ("IncrementalAlterConfigs", 1),
    ("AlterPartitionReassignments", 1),
    ("ListPartitionReassignments", 0),
    ("OffsetDelete", 0),
    ("DescribeClientQuotas", 1),
    ("AlterClientQuotas", 1),
    ("DescribeUserScramCredentials", 0),
    ("AlterUserScramCredentials", 0),
    ("Vote", 2),
    ("BeginQuorumEpoch", 1),
    ("EndQuorumEpoch", 1),
    ("DescribeQuorum", 2),
    ("AlterPartition", 3),
    ("UpdateFeatures", 2),
    ("Envelope", 0),
    ("FetchSnapshot", 1),
    ("DescribeCluster", 2),
    ("DescribeProducers", 0),
    ("BrokerRegistration", 4),
    ("BrokerHeartbeat", 1),
    ("UnregisterBroker", 0),
    ("DescribeTransactions", 0),
    ("ListTransactions", 2),
    ("AllocateProducerIds", 0),
    ("ConsumerGroupHeartbeat", 1),
    ("ConsumerGroupDescribe", 1),
    ("ControllerRegistration", 0),
    ("GetTelemetrySubscriptions", 0),
    ("PushTelemetry", 0),
    ("AssignReplicasToDirs", 0),
    ("ListConfigResources", 1),
    ("DescribeTopicPartitions", 0),
    ("ShareGroupHeartbeat", 1),
    ("ShareGroupDescribe", 1),
    ("ShareFetch", 2),
    ("ShareAcknowledge", 1),
    ("AddRaftVoter", 1),
    ("RemoveRaftVoter", 0),
    ("UpdateRaftVoter", 0),
];

/// Errors of the responses that begin with one, by their number.
const ERRORS: &[(u16, &str)] = &[
    (33, "UNSUPPORTED_SASL_MECHANISM"),
    (34, "ILLEGAL_SASL_STATE"),
    (35, "UNSUPPORTED_VERSION"),
    (42, "INVALID_REQUEST"),
    (58, "SASL_AUTHENTICATION_FAILED"),
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Kafka {
    /// What was asked and not answered: number and API.
    waiting: VecDeque<(u32, usize)>,
    /// Whether proofs follow that have a size and nothing else (SaslHandshake version 0).
    bare: bool,
    /// How much is left of a message that is secret, of the client and the server.
    secret: [u64; 2],
    /// Whether the server has answered something that was asked.
    answered: bool,
}

/// A request's header.
struct Header<'a> {
    size: u32,
    api: usize,
    version: u16,
    number: u32,
    client: &'a [u8],
    /// What follows the header, in bytes from the beginning.
    body: usize,
}

/// What the bytes of a request's beginning are.
enum Begins<'a> {
    With(Header<'a>),
    Cut,
    Otherwise,
}

/// Reads a request's header, as far as what is there can be one.
fn header(bytes: &[u8]) -> Begins<'_> {
    let word = |at: usize| Some(u16::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    let long = |at: usize| Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?));
    // Each field is looked at once it is there.
    let api = word(4).map(usize::from);
    let length = word(12).map(|length| {
        if length == u16::MAX {
            0
        } else {
            usize::from(length)
        }
    });
    let text = bytes.get(HEADER..).unwrap_or_default();
    let client = &text[..text.len().min(length.unwrap_or(0))];
    let fits = bytes.first().is_none_or(|byte| u32::from(*byte) <= REQUEST >> 24)
        && long(0).is_none_or(|size| (10..=REQUEST).contains(&size))
        && api.is_none_or(|api| api < APIS.len())
        && api.zip(word(6)).is_none_or(|(api, version)| version <= APIS[api].1)
        && bytes.get(8).is_none_or(|byte| *byte < 0x80)
        && length.is_none_or(|length| length <= CLIENT)
        && client.iter().all(|byte| (b' '..=b'~').contains(byte))
        // An id of a character or two may be anything; none at all have only those who begin.
        && api.zip(length).is_none_or(|(api, length)| {
            length > 2 || length == 0 && [METADATA, SASL_HANDSHAKE, API_VERSIONS].contains(&api)
        })
        && long(0).zip(length).is_none_or(|(size, length)| length + 10 <= size as usize);
    match (long(0), api, word(6), long(8), length) {
        _ if !fits => Begins::Otherwise,
        (Some(size), Some(api), Some(version), Some(number), Some(length))
            if client.len() == length =>
        {
            Begins::With(Header {
                size,
                api,
                version,
                number,
                client,
                body: HEADER + length,
            })
        }
        _ => Begins::Cut,
    }
}

/// Whether it begins as a request does.
pub fn guess(bytes: &[u8]) -> Guess {
    match header(bytes) {
        Begins::Otherwise => Guess::No,
        Begins::Cut => Guess::Perhaps,
        // The first version says nothing more (ApiVersionsRequest).
        Begins::With(it) if (it.api, it.version) == (API_VERSIONS, 0) => {
            match it.size as usize + 4 == it.body {
                true => Guess::Client,
                false => Guess::No,
            }
        }
        Begins::With(_) => Guess::Client,
    }
}

impl Sniffer for Kafka {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let left = self.secret[from as usize];
        if left > 0 {
            let there = left.min(bytes.len() as u64);
            said.hide(0..usize::try_from(there).unwrap_or(bytes.len()));
            self.secret[from as usize] = left - there;
            return Step::Took(there);
        }
        match from {
            Side::Client => self.request(bytes, whole, said),
            Side::Server => self.response(bytes, whole, said),
        }
    }
}

impl Kafka {
    fn request(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let header = match header(bytes) {
            Begins::With(header) => header,
            Begins::Cut => return Step::More,
            Begins::Otherwise => return self.proof(Side::Client, bytes, whole, said),
        };
        let total = u64::from(header.size) + 4;
        let there = usize::try_from(total)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        let read = there.min(header.body + READ);
        let enough = read as u64 == total.min((header.body + READ) as u64);
        if header.api == PRODUCE && whole && !enough {
            return Step::More;
        }
        let (name, _) = APIS[header.api];
        let mut text = format!("{name} v{}", header.version);
        if !header.client.is_empty() {
            text.push_str(" from ");
            text.push_str(&said.text(header.client, HEADER));
        }
        self.bare &= header.api == SASL_HANDSHAKE;
        let body = &bytes[header.body..read];
        if header.api == PRODUCE && wants_none(header.version, body) {
            said.say(Kind::Note, text);
        } else if self.waiting.len() < WAITING {
            if header.api == SASL_HANDSHAKE {
                self.bare = header.version == 0;
            }
            self.waiting.push_back((header.number, header.api));
            said.say(Kind::Request(header.number.into()), text);
        }
        match SECRET.contains(&header.api) {
            true => self.hide(Side::Client, header.body, total, whole, bytes, said),
            false => Step::Took(total),
        }
    }

    fn response(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let Some((size, rest)) = bytes.split_first_chunk() else {
            return Step::More;
        };
        let size = u32::from_be_bytes(*size);
        let Some((number, body)) = rest.split_first_chunk() else {
            return match self.bare && (whole || rest.len() >= size as usize) {
                true if rest.len() >= size as usize => self.proof(Side::Server, bytes, whole, said),
                _ => Step::More,
            };
        };
        let number = u32::from_be_bytes(*number);
        let found = self.waiting.iter().position(|it| it.0 == number);
        let Some((_, api)) = found.and_then(|at| self.waiting.remove(at)) else {
            return self.proof(Side::Server, bytes, whole, said);
        };
        if !(4..=RESPONSE).contains(&size) {
            return self.lost();
        }
        let errs = [SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE].contains(&api);
        let code = body.first_chunk().map(|code| u16::from_be_bytes(*code));
        // It is looked for again once the rest has come.
        if errs && code.is_none() && whole && size >= 6 {
            self.waiting.push_front((number, api));
            return Step::More;
        }
        self.answered = true;
        let kind = Kind::Answer(number.into());
        let total = u64::from(size) + 4;
        match code.filter(|code| errs && size >= 6 && *code != 0) {
            Some(code) => {
                let known = ERRORS.iter().find(|(known, _)| *known == code);
                let text = match known {
                    Some((_, word)) => (*word).to_owned(),
                    None => format!("error {code}"),
                };
                said.fail(kind, text);
                self.bare &= api != SASL_HANDSHAKE;
            }
            None => said.say(kind, format!("{total} B")),
        }
        match SECRET.contains(&api) {
            // Its error stays to be seen.
            true => self.hide(Side::Server, 10, total, whole, bytes, said),
            false => Step::Took(total),
        }
    }

    /// What has no header: a proof that follows the handshake of version 0, or nothing that makes sense.
    fn proof(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let size = bytes.first_chunk().map(|size| u32::from_be_bytes(*size));
        match size {
            Some(size) if self.bare && size <= RESPONSE >> 10 => {
                said.say(Kind::Note, "proof of who it is");
                self.hide(from, 4, u64::from(size) + 4, whole, bytes, said)
            }
            None if self.bare => Step::More,
            _ => self.lost(),
        }
    }

    fn lost(&self) -> Step {
        match self.answered {
            true => Step::Lost,
            false => Step::Wrong,
        }
    }

    /// Hides a message of `total` bytes from its byte `start` on, now and where the rest of it comes.
    fn hide(
        &mut self,
        from: Side,
        start: usize,
        total: u64,
        whole: bool,
        bytes: &[u8],
        said: &mut Said,
    ) -> Step {
        let there = usize::try_from(total)
            .unwrap_or(usize::MAX)
            .min(bytes.len());
        said.hide(start.min(there)..there);
        match whole {
            true => {
                self.secret[from as usize] = total - there as u64;
                Step::Took(there as u64)
            }
            // How much of it is not there, only the total tells.
            false => Step::Took(total),
        }
    }
}

/// Whether a Produce wants no response (acks = 0).
fn wants_none(version: u16, body: &[u8]) -> bool {
    let acks = match version {
        0..=2 => Some(body),
        // The transaction's id stands before it.
        3..=8 => match body {
            [0xFF, 0xFF, rest @ ..] => Some(rest),
            [a, b, rest @ ..] => rest.get(usize::from(u16::from_be_bytes([*a, *b]))..),
            _ => None,
        },
        // No tagged fields in the header, and the id's length and one in a byte.
        _ => match body {
            [0, 0, rest @ ..] => Some(rest),
            [0, length @ 1..0x80, rest @ ..] => rest.get(usize::from(*length) - 1..),
            _ => None,
        },
    };
    acks.is_some_and(|acks| acks.starts_with(&[0, 0]))
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    fn request(api: u16, version: u16, number: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = [&api.to_be_bytes()[..], &version.to_be_bytes()].concat();
        bytes.extend(number.to_be_bytes());
        bytes.extend(b"\0\x07rdkafka");
        bytes.extend(body);
        sized(&bytes)
    }

    fn sized(bytes: &[u8]) -> Vec<u8> {
        [&(bytes.len() as u32).to_be_bytes()[..], bytes].concat()
    }

    /// What librdkafka and a broker say to each other.
    pub fn dialogue() -> Dialogue {
        let none = [&b"\xFF\xFF\0\0\0\0\x75\x30"[..], &[1; 600]].concat();
        let all = b"\0\0\xFF\xFF\0\0\x75\x30\x01\0";
        vec![
            out(request(18, 3, 1, b"\0\x0Blibrdkafka\x062.3.0\0")),
            back(sized(b"\0\0\0\x01\0\0\x01\0")),
            out(request(17, 1, 2, b"\0\x05PLAIN")),
            back(sized(b"\0\0\0\x02\0\0\0\0\0\x01\0\x05PLAIN")),
            out(request(36, 1, 3, b"\0\0\0\x0E\0alice\0hunter2")),
            back(sized(b"\0\0\0\x03\0\x3A\0\x05nope!\0\0\0\0")),
            out([
                request(3, 12, 4, b"\0\x02\0"),
                request(1, 11, 5, &[0; 40]),
                request(0, 7, 6, &none),
                request(0, 9, 7, all),
            ]
            .concat()),
            back(
                [
                    sized(b"\0\0\0\x05abcd"),
                    sized(b"\0\0\0\x04ab"),
                    sized(b"\0\0\0\x07"),
                ]
                .concat(),
            ),
        ]
    }

    #[test]
    fn responses_find_their_requests() {
        assert_eq!(
            hear(&dialogue()),
            [
                "? Kafka ApiVersions v3 from rdkafka",
                "= Kafka 12 B",
                "? Kafka SaslHandshake v1 from rdkafka",
                "= Kafka 21 B",
                "? Kafka SaslAuthenticate v1 from rdkafka",
                "=! Kafka SASL_AUTHENTICATION_FAILED",
                "? Kafka Metadata v12 from rdkafka",
                "? Kafka Fetch v11 from rdkafka",
                ". Kafka Produce v7 from rdkafka",
                "? Kafka Produce v9 from rdkafka",
                "= Kafka 12 B",
                "= Kafka 10 B",
                "= Kafka 8 B",
            ]
        );
        assert!(!shown(&dialogue()).contains("hunter2"));
    }

    #[test]
    fn proofs_are_hidden_bare_and_in_pieces() {
        let mut whole = request(36, 1, 3, b"\0\0\0\x0E\0alice\0hunter2");
        let rest = whole.split_off(whole.len() - 3);
        let shown_pieces = shown(&[out(whole), out(rest)]);
        assert!(
            shown_pieces.ends_with("rdkafka******************"),
            "{shown_pieces}"
        );
        let bare = [
            out(request(17, 0, 1, b"\0\x05PLAIN")),
            back(sized(b"\0\0\0\x01\0\0\0\0\0\x01\0\x05PLAIN")),
            out(sized(b"\0alice\0hunter2")),
            back(sized(b"")),
            out(request(3, 1, 2, b"\0\0\0\0")),
            back(sized(b"\0\0\0\x02abc")),
        ];
        assert_eq!(
            hear(&bare)[2..],
            [
                ". Kafka proof of who it is",
                ". Kafka proof of who it is",
                "? Kafka Metadata v1 from rdkafka",
                "= Kafka 11 B",
            ]
        );
        assert!(!shown(&bare).contains("hunter2"));
    }

    #[test]
    fn a_server_that_answers_otherwise_is_something_else() {
        let heard = hear(&[
            out(request(3, 1, 2, b"\0\0\0\0")),
            back(sized(b"\0\0\0\x09abc")),
            out(request(3, 1, 3, b"\0\0\0\0")),
        ]);
        assert_eq!(heard, ["? Kafka Metadata v1 from rdkafka"]);
    }

    #[test]
    fn other_headers_are_not_its() {
        let good = request(18, 3, 1, b"\0\x0Blibrdkafka\x062.3.0\0");
        assert_eq!(guess(&good), Guess::Client);
        for end in 0..21 {
            assert_eq!(guess(&good[..end]), Guess::Perhaps, "{end}");
        }
        for (at, byte) in [
            (0, 7),    // The size.
            (4, 1),    // The API.
            (5, 83),   // The same.
            (7, 5),    // The version.
            (8, 0x80), // The number.
            (12, 1),   // The client's length.
            (13, 1),
            (14, 0), // The client.
        ] {
            let mut bytes = good.clone();
            bytes[at] = byte;
            assert_eq!(guess(&bytes), Guess::No, "{at}");
        }
        // The first one that has no client; the same in another API; with more than its version has.
        assert_eq!(
            guess(b"\0\0\0\x0A\0\x12\0\0\0\0\0\x01\xFF\xFF"),
            Guess::Client
        );
        assert_eq!(guess(b"\0\0\0\x0A\0\x01\0\0\0\0\0\x01\xFF\xFF"), Guess::No);
        assert_eq!(
            guess(b"\0\0\0\x0B\0\x12\0\0\0\0\0\x01\xFF\xFF\0"),
            Guess::No
        );
    }
}
