//! Reads traces as data, and holds each of their lines against the published schema.

use std::io::Read;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;

/// The published schema.
static SCHEMA: LazyLock<jsonschema::Validator> = LazyLock::new(|| {
    let schema: Value = serde_json::from_str(include_str!("../../../docs/trace.schema.json"))
        .expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is one")
});

/// The lines of a trace, each as the schema says.
#[track_caller]
pub fn lines(file: &Path) -> Vec<Value> {
    parse(&unpacked(file))
}

/// The same of text.
#[track_caller]
pub fn parse(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| {
            let value = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{error} in this line: {line}"));
            if let Err(error) = SCHEMA.validate(&value) {
                panic!("{error} in this line: {line}");
            }
            value
        })
        .collect()
}

/// What a file holds, as zstd or gzip themselves unpack it.
pub fn unpacked(file: &Path) -> String {
    let bytes = std::fs::read(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut text = String::new();
    match bytes[..] {
        [0x28, 0xb5, 0x2f, 0xfd, ..] => {
            zstd::Decoder::new(&bytes[..]).and_then(|mut reader| reader.read_to_string(&mut text))
        }
        [0x1f, 0x8b, ..] => flate2::read::GzDecoder::new(&bytes[..]).read_to_string(&mut text),
        _ => (&bytes[..]).read_to_string(&mut text),
    }
    .unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    text
}

/// The lines of one type.
pub fn of_type<'a>(lines: &'a [Value], kind: &str) -> Vec<&'a Value> {
    lines.iter().filter(|line| line["type"] == kind).collect()
}

/// The data of a call.
pub fn data(call: &Value) -> Vec<u8> {
    match &call["data"] {
        Value::String(text) => text.clone().into_bytes(),
        _ => base64(&call["data_base64"]),
    }
}

/// What stands in base64; nothing where nothing does.
pub fn base64(text: &Value) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD
        .decode(text.as_str().unwrap_or_default())
        .expect("base64")
}
