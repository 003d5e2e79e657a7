//! Sniffers fed with what real programs say, whole, in pieces, with parts that were not copied, and with anything at all.

use proptest::prelude::*;

use super::*;
use crate::syscall::Data;

/// What is said one after the other: which way, and the bytes.
pub(super) type Dialogue = Vec<(Way, Vec<u8>)>;

/// Bytes that went out.
pub(super) fn out(bytes: impl AsRef<[u8]>) -> (Way, Vec<u8>) {
    (Way::Out, bytes.as_ref().to_vec())
}

/// Bytes that came in.
pub(super) fn back(bytes: impl AsRef<[u8]>) -> (Way, Vec<u8>) {
    (Way::In, bytes.as_ref().to_vec())
}

/// What one call said, and its data with the secrets masked. `copied` is how much of it was there.
fn call(talk: &mut Talk, way: Way, bytes: &[u8], copied: usize) -> (Said, Vec<u8>) {
    let data = Data {
        bytes: bytes[..bytes.len().min(copied)].to_vec(),
        len: bytes.len() as u64,
    };
    let mut said = Said::default();
    talk.take(way, &[&data], data.len, LOOKED_AT, &mut said);
    let mut shown = data.bytes;
    for secret in &said.secrets {
        mask(&mut shown, 0, secret);
    }
    (said, shown)
}

/// The messages as a screen has them, each with its place in the dialogue.
pub(super) fn hear_by(carrier: Carrier, dialogue: &[(Way, Vec<u8>)]) -> Vec<String> {
    let mut talk = Talk::new(carrier, Some(Side::Client));
    let mut heard = Vec::new();
    for (way, bytes) in dialogue {
        for message in call(&mut talk, *way, bytes, usize::MAX).0.messages {
            let sign = match message.kind {
                Kind::Request(_) => '?',
                Kind::Answer(_) => '=',
                Kind::Note => '.',
            };
            let failed = if message.failed { "!" } else { "" };
            heard.push(format!(
                "{sign}{failed} {} {}",
                message.protocol, message.text
            ));
        }
    }
    heard
}

pub(super) fn hear(dialogue: &[(Way, Vec<u8>)]) -> Vec<String> {
    hear_by(Carrier::Stream, dialogue)
}

/// What is shown of the data, secrets masked.
pub(super) fn shown(dialogue: &[(Way, Vec<u8>)]) -> String {
    let mut talk = Talk::new(Carrier::Stream, Some(Side::Client));
    let mut all = Vec::new();
    for (way, bytes) in dialogue {
        all.extend(call(&mut talk, *way, bytes, usize::MAX).1);
    }
    String::from_utf8_lossy(&all).into_owned()
}

fn http() -> Dialogue {
    vec![
        out(
            "GET /a HTTP/1.1\r\nHost: Example.com:8080\r\n\r\nHEAD /b HTTP/1.1\r\nHost: example.com\r\n\r\n",
        ),
        back(
            "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n",
        ),
        back("5\r\nHTTP/\r\n3;x=y\r\n\r\n\r\r\n0\r\nTrailer: yes\r\n\r\n"),
        back("HTTP/1.1 404 Not Found\r\nContent-Length: 500\r\n\r\n"),
        out(
            "POST /login?token=abc&x=1 HTTP/1.1\r\nHost: example.com\r\nAuthorization: Basic c2VjcmV0\r\nCookie: id=7\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 21\r\n\r\nuser=me&password=hush",
        ),
        back(
            "HTTP/1.1 302 Found\r\nLocation: /home?sid=9\r\nSet-Cookie: id=8\r\nContent-Length: 0\r\n\r\n",
        ),
        out("CONNECT db:5432 HTTP/1.1\r\nHost: db:5432\r\n\r\n"),
        back("HTTP/1.1 200 Connection established\r\n\r\n"),
        out([0, 0, 0, 8, 4, 210, 22, 47]),
        back("N"),
    ]
}

fn redis() -> Dialogue {
    vec![
        out("*3\r\n$4\r\nAUTH\r\n$3\r\nbob\r\n$6\r\nsecret\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"),
        back("+OK\r\n$5\r\nhello\r\n"),
        out("*1\r\n$4\r\nKEYS\r\n*2\r\n$4\r\nLLEN\r\n$1\r\nk\r\n"),
        back("*2\r\n$1\r\na\r\n*2\r\n:1\r\n$-1\r\n-WRONGTYPE Operation against a key\r\n"),
    ]
}

fn postgres() -> Dialogue {
    let mut startup = b"\0\0\0\x1f\0\x03\0\0user\0me\0database\0shop\0".to_vec();
    startup.push(0);
    startup[3] = startup.len() as u8;
    let message = |kind: u8, content: &[u8]| {
        let mut bytes = vec![kind];
        bytes.extend((content.len() as u32 + 4).to_be_bytes());
        bytes.extend(content);
        bytes
    };
    vec![
        out(startup),
        back(message(b'R', &[0, 0, 0, 3])),
        out(message(b'p', b"hunter2\0")),
        back([message(b'R', &[0; 4]), message(b'Z', b"I")].concat()),
        out(message(b'Q', b"select\n  1\0")),
        back(
            [
                message(b'T', &[0; 30]),
                message(b'C', b"SELECT 1\0"),
                message(b'Z', b"I"),
            ]
            .concat(),
        ),
        out([
            message(b'P', b"\0insert into t values ($1)\0\0\0"),
            message(b'E', b"\0\0\0\0\0"),
            message(b'S', b""),
        ]
        .concat()),
        back(message(
            b'E',
            b"SERROR\0C42P01\0Mrelation \"t\" does not exist\0\0",
        )),
        out(message(b'X', b"")),
    ]
}

fn ssh() -> Dialogue {
    let mut packet = vec![0, 0, 0, 0, 4, 20];
    packet.extend([7; 16]);
    for names in ["curve25519-sha256,ecdh", "ssh-ed25519", "aes256-ctr,aes128"] {
        packet.extend((names.len() as u32).to_be_bytes());
        packet.extend(names.as_bytes());
    }
    packet[3] = packet.len() as u8 - 4;
    vec![
        back("SSH-2.0-Server 1\r\n"),
        out("SSH-2.0-Client 2\r\n"),
        out(packet),
        back([0, 0, 0, 12, 10, 21, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9, 9, 9]),
    ]
}

fn dialogues() -> Vec<Dialogue> {
    vec![
        http(),
        redis(),
        postgres(),
        ssh(),
        http2::tests::dialogue(),
        resolved::tests::dialogue(),
        nscd::tests::dialogue(),
        smtp::tests::dialogue(),
        memcached::tests::dialogue(),
        kafka::tests::dialogue(),
        mongodb::tests::dialogue(),
        mqtt::tests::dialogue(),
        dbus::tests::dialogue(),
        syslog::tests::dialogue(),
    ]
}

#[test]
fn http_in_all_its_framings() {
    assert_eq!(
        hear(&http()),
        [
            "? HTTP GET /a",
            "? HTTP HEAD /b",
            "= HTTP 200 OK text/html",
            "=! HTTP 404 Not Found",
            "? HTTP POST /login?token=***&x=1",
            "= HTTP 302 Found → /home?sid=*",
            "? HTTP CONNECT db:5432",
            "= HTTP 200 Connection established",
            "? PostgreSQL may we use TLS?",
            "= PostgreSQL no encryption",
        ]
    );
}

#[test]
fn secrets_are_masked_where_they_stand() {
    let http = shown(&http());
    for secret in ["abc", "c2VjcmV0", "id=7", "hush", "sid=9", "id=8"] {
        assert!(!http.contains(secret), "{secret} in {http}");
    }
    for rest in [
        "token=***&x=1",
        "Authorization: Basic ********\r\n",
        "user=me&password=****",
    ] {
        assert!(http.contains(rest), "no {rest} in {http}");
    }
    assert!(!shown(&redis()).contains("secret"));
    let postgres = shown(&postgres());
    assert!(!postgres.contains("hunter2"), "{postgres}");
}

#[test]
fn redis_replies_hold_others() {
    assert_eq!(
        hear(&redis()),
        [
            "? Redis AUTH ***",
            "? Redis GET k",
            "= Redis OK",
            "= Redis 5 B",
            "? Redis KEYS",
            "? Redis LLEN k",
            "= Redis 2 elements",
            "=! Redis WRONGTYPE Operation against a key",
        ]
    );
}

#[test]
fn postgres_queries_of_both_kinds() {
    assert_eq!(
        hear(&postgres()),
        [
            "? PostgreSQL startup user=me database=shop",
            ". PostgreSQL wants a password, in clear",
            ". PostgreSQL password or proof of one",
            "= PostgreSQL accepted",
            "? PostgreSQL select 1",
            "= PostgreSQL SELECT 1",
            "? PostgreSQL insert into t values ($1)",
            "=! PostgreSQL ERROR 42P01: relation \"t\" does not exist",
            ". PostgreSQL goodbye",
        ]
    );
}

#[test]
fn ssh_until_it_is_encrypted() {
    assert_eq!(
        hear(&ssh()),
        [
            "= SSH 2.0-Server 1",
            "? SSH 2.0-Client 2",
            ". SSH prefers curve25519-sha256, ssh-ed25519, aes256-ctr",
            ". SSH from here on encrypted",
        ]
    );
}

#[test]
fn what_was_not_copied_loses_no_later_message() {
    let body = vec![b'x'; 100_000];
    let mut talk = Talk::new(Carrier::Stream, None);
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n";
    let answer = [
        &head[..],
        &body,
        b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n",
    ]
    .concat();
    let messages = |said: (Said, Vec<u8>)| said.0.messages.len();
    assert_eq!(messages(call(&mut talk, Way::In, &answer, 2048)), 1);
    assert_eq!(
        messages(call(&mut talk, Way::In, b"HTTP/1.1 204 Fine\r\n\r\n", 2048)),
        1
    );
    // A head that is cut tells what is there.
    let long = [&head[..17], b"X: ", &body, b"\r\n\r\n"].concat();
    assert_eq!(messages(call(&mut talk, Way::In, &long, 2048)), 1);
    assert_eq!(messages(call(&mut talk, Way::In, &head[..], 2048)), 1);
}

#[test]
fn unknown_bytes_stay_unknown() {
    for bytes in [
        &b"hello there\n"[..],
        b"GETTING on\n",
        b"*abc\r\n",
        b"\x16\x09\x09",
        b"\0\x01\x02\x03\x04\x05\x06\x07\x08",
    ] {
        let mut talk = Talk::new(Carrier::Stream, None);
        for _ in 0..100 {
            assert!(call(&mut talk, Way::Out, bytes, 2048).0.messages.is_empty());
        }
        assert!(talk.is_unknown() && talk.layers().is_empty(), "{bytes:?}");
    }
}

/// The same dialogue, each call's bytes in pieces.
fn cut(dialogue: &Dialogue, sizes: &[usize]) -> Dialogue {
    let mut sizes = sizes.iter().cycle();
    let mut pieces = Vec::new();
    for (way, bytes) in dialogue {
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let size = (*sizes.next().expect("a size")).min(rest.len());
            pieces.push((*way, rest[..size].to_vec()));
            rest = &rest[size..];
        }
    }
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_say_what_the_whole_says(which in 0..dialogues().len(), sizes in prop::collection::vec(1..60usize, 1..20)) {
        let dialogue = &dialogues()[which];
        prop_assert_eq!(hear(&cut(dialogue, &sizes)), hear(dialogue));
    }

    #[test]
    fn anything_may_follow(which in 0..dialogues().len(), keep in 0..20usize, calls in prop::collection::vec((any::<bool>(), prop::collection::vec(any::<u8>(), 0..200), 0..250usize), 0..20)) {
        let mut talk = Talk::new(Carrier::Stream, None);
        for (way, bytes) in dialogues()[which].iter().take(keep) {
            call(&mut talk, *way, bytes, usize::MAX);
        }
        for (way, bytes, copied) in &calls {
            let way = if *way { Way::Out } else { Way::In };
            let (said, _) = call(&mut talk, way, bytes, *copied);
            prop_assert!(said.secrets.iter().all(|secret| secret.end <= bytes.len().min(*copied)));
        }
    }

    #[test]
    fn any_damage_is_borne(which in 0..dialogues().len(), at in 0..1000usize, byte: u8, copied in 0..300usize) {
        let mut talk = Talk::new(Carrier::Stream, None);
        let mut passed = 0;
        for (way, bytes) in dialogues()[which].iter() {
            let mut bytes = bytes.clone();
            if let Some(place) = at.checked_sub(passed).and_then(|at| bytes.get_mut(at)) {
                *place = byte;
            }
            passed += bytes.len();
            call(&mut talk, *way, &bytes, copied);
        }
    }

    #[test]
    fn any_datagram_is_borne(bytes in prop::collection::vec(any::<u8>(), 0..300), first in 0..4usize) {
        let mut talk = Talk::new(Carrier::Datagram, None);
        let question = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x07example\x03com\0\0\x01\0\x01";
        let time = [b"\x1B", &[0; 47][..]].concat();
        match first {
            0 => call(&mut talk, Way::Out, question, usize::MAX),
            1 => call(&mut talk, Way::Out, &time, usize::MAX),
            2 => call(&mut talk, Way::Out, b"<13>hello", usize::MAX),
            _ => Default::default(),
        };
        call(&mut talk, Way::In, &bytes, usize::MAX);
        call(&mut talk, Way::Out, &bytes, usize::MAX);
    }

    /// A secret that comes in pieces: once its name has come whole, none of it is shown.
    #[test]
    fn no_piece_shows_a_secret(which in 0..dialogues().len(), sizes in prop::collection::vec(1..60usize, 1..20)) {
        let dialogue = &dialogues()[which];
        let shown = shown(&cut(dialogue, &sizes));
        for secret in ["c2VjcmV0", "hush", "hunter2", "secret", "id=7"] {
            prop_assert!(!shown.contains(secret), "{secret} in {shown:?}");
        }
    }
}
