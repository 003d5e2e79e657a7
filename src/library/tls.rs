//! What is asked of a TLS session, and what comes of it: ssl(7), gnutls's manual, NSPR's. Their arguments are alike.

use super::decode::Source;
use super::functions::Does;
use super::{Fact, Said, Tls};
use crate::syscall::Data;

/// The longest name that is read.
const LONGEST_NAME: usize = 256;

/// What is wrong with a peer's certificate, by its number (X509_V_ERR_* of openssl/x509_vfy.h).
const VERDICTS: &[(i64, &str)] = &[
    (2, "its issuer's certificate is not there"),
    (7, "its signature is wrong"),
    (9, "it is not valid yet"),
    (10, "it has expired"),
    (18, "it is signed by itself, and nobody trusts it"),
    (
        19,
        "one in its chain is signed by itself, and nobody trusts it",
    ),
    (20, "its issuer is not known here"),
    (21, "nobody here knows its issuer"),
    (23, "it was revoked"),
    (24, "its issuer may not issue certificates"),
    (26, "it is not meant for this purpose"),
    (27, "it is not trusted"),
    (28, "it is rejected"),
    (62, "it is for another name"),
    (64, "it is for another address"),
];

/// What is asked.
pub(super) fn ask(does: Does, source: Source<'_>) -> Said {
    let raw = &source.raw;
    let mut tls = Tls {
        session: raw[0],
        does,
        text: None,
        fact: None,
    };
    if does == Does::Free {
        tls.fact = Some(Fact::Freed);
    }
    Said::Tls(Box::new(tls))
}

/// What came of it.
pub(super) fn answer(does: Does, source: Source<'_>, value: i64, tls: &mut Tls) {
    let raw = &source.raw;
    let len = match does {
        Does::Write | Does::WritePadded | Does::Read | Does::Peek => u64::try_from(value).ok(),
        Does::WriteEx | Does::ReadEx if value > 0 => source.memory.word(raw[3]),
        _ => None,
    };
    // It gives and takes no more than there is room for; a record that is sent again has no buffer.
    let len = len.filter(|len| *len > 0 && (*len <= raw[2] || raw[1] == 0));
    if let Some(len) = len.filter(|_| does != Does::Peek) {
        let most = usize::try_from(len).unwrap_or(usize::MAX).min(source.limit);
        let bytes = source.memory.bytes(raw[1], most).into_owned();
        tls.text = Some(Data { bytes, len });
    }
    match does {
        Does::AgreedProtocol => {
            let len = source
                .memory
                .word(raw[2])
                .map_or(0, |it| it as u32 as usize);
            let place = source.memory.word(raw[1]).unwrap_or(0);
            let bytes = source
                .memory
                .bytes(place, len.min(LONGEST_NAME))
                .into_owned();
            if !bytes.is_empty() {
                let len = bytes.len() as u64;
                tls.fact = Some(Fact::Protocol(Data { bytes, len }));
            }
        }
        Does::Verified => {
            let words = VERDICTS.iter().find(|(number, _)| *number == value);
            tls.fact = Some(Fact::Verified(value, words.map(|(_, words)| *words)));
        }
        Does::Resumed => tls.fact = Some(Fact::Resumed(value != 0)),
        Does::Import => tls.session = value as u64,
        _ => {}
    }
}
