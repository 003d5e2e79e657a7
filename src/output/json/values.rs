//! Arguments, data and meanings as values of JSON.

use std::borrow::Cow;

use serde_json::{Map, Value as Json, json};

use crate::record::Address;
use crate::story::{Meaning, Told};
use crate::syscall::{Arg, Value};

pub fn importance(told: &Told) -> &'static str {
    match told.importance {
        crate::story::Importance::Ordinary => "ordinary",
        crate::story::Importance::Expected => "expected",
        crate::story::Importance::Error => "error",
    }
}

/// The first bytes of all data of a call.
pub fn payload_of(payload: &[&crate::syscall::Data], most: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for piece in payload {
        let room = most.saturating_sub(bytes.len());
        bytes.extend_from_slice(&piece.bytes[..piece.bytes.len().min(room)]);
        if piece.len > piece.bytes.len() as u64 {
            break;
        }
    }
    // A character that the cut goes through is left out, so that text stays text.
    if let Err(error) = std::str::from_utf8(&bytes)
        && error.error_len().is_none()
        && bytes.len() == most
    {
        bytes.truncate(error.valid_up_to());
    }
    bytes
}

/// The arguments by their names.
pub fn arguments(args: &[Arg]) -> Json {
    let args = args.iter();
    Json::Object(
        args.map(|arg| (arg.name.to_owned(), value(&arg.value)))
            .collect(),
    )
}

/// A value: numbers as numbers, constants and flags by their names, addresses of memory in base 16.
pub fn value(value_of: &Value) -> Json {
    match value_of {
        Value::Fd(fd) => json!(fd),
        Value::Int(number) => json!(number),
        Value::Unsigned(number) => json!(number),
        Value::Hex(number) | Value::Pointer(number) => json!(format!("{number:#x}")),
        Value::Octal(number) => json!(format!("{number:#o}")),
        Value::Const(names, number) => match names.get(*number) {
            Some(name) => json!(name),
            None => json!(number.to_string()),
        },
        Value::Flags(names, bits) => {
            let (known, rest) = names.flags(*bits);
            let rest = (rest != 0 || known.is_empty()).then(|| format!("{rest:#x}"));
            let mut text = known.join("|");
            if let Some(rest) = rest {
                if !text.is_empty() {
                    text.push('|');
                }
                text.push_str(&rest);
            }
            json!(text)
        }
        Value::Address(address) => {
            serde_json::to_value(Address::from(&**address)).unwrap_or_default()
        }
        // The bytes stand in `data`.
        Value::Data(data) => json!({ "length": data.len }),
        Value::Text(data) => json!(String::from_utf8_lossy(&data.bytes)),
        Value::List { items, .. } => items.iter().map(value).collect(),
        Value::Struct(fields) => fields
            .iter()
            .map(|(name, field)| ((*name).to_owned(), value(field)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Changed(before, after) => json!({ "before": value(before), "after": value(after) }),
        Value::Wrapped(_, inner) => value(inner),
    }
}

/// What something means, in a word; what has gone wrong, in words.
pub fn meaning(meaning: &Meaning) -> Cow<'static, str> {
    Cow::Borrowed(match meaning {
        Meaning::Trouble(words) => words,
        Meaning::PassedOn(..) => "passed-on",
        Meaning::Agreed(_) => "agreed",
        Meaning::Verified(..) => "verified",
        Meaning::Resumed => "resumed",
        Meaning::StaysClosed => "stays-closed",
        Meaning::SetsPeer => "sets-peer",
        Meaning::ForgetsPeer => "forgets-peer",
        Meaning::EveryAddress => "every-address",
        Meaning::ThisMachine => "this-machine",
        Meaning::KernelPicksPort => "kernel-picks-port",
        Meaning::WaitingForPeers => "waiting-for-peers",
        Meaning::Accepted { .. } => "accepted",
        Meaning::Joined(..) => "joined",
        Meaning::Part { .. } => "part",
        Meaning::Cut { .. } => "cut",
        Meaning::Peeked => "peeked",
        Meaning::PeerEnded => "peer-ended",
        Meaning::ShutSend => "shut-send",
        Meaning::ShutReceive => "shut-receive",
        Meaning::ShutBoth => "shut-both",
        Meaning::Connection { .. } => "connection",
        Meaning::Farewell(_) => "farewell",
        Meaning::OpenElsewhere => "open-elsewhere",
        Meaning::HandedOn => "handed-on",
        Meaning::SeveralEnded(_) => "several-ended",
        Meaning::WaitsFor(_) => "waits",
        Meaning::StillWaiting { .. } => "still-waiting",
        Meaning::TimedOut(_) => "timed-out",
        Meaning::Interrupted => "interrupted",
        Meaning::GivenUp => "given-up",
    })
}
