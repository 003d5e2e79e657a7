//! What is wrong with a command line, in one line.

use std::fmt;

use clap::error::{ContextKind, ContextValue, ErrorKind};

/// Why the command line cannot be carried out: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(String);

impl Refusal {
    /// A mistake, which the help may mend.
    pub(super) fn new(what: impl fmt::Display) -> Self {
        Self::final_word(format!("{what}; try 'sockstrace --help'"))
    }

    /// What needs no further reading.
    pub(super) fn final_word(what: impl Into<String>) -> Self {
        // What the user wrote is quoted in it: no argument may move the cursor.
        let mut line = String::new();
        for character in what.into().chars() {
            match character.is_control() {
                true => line.extend(character.escape_default()),
                false => line.push(character),
            }
        }
        Self(line)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refusal {}

impl From<clap::Error> for Refusal {
    /// clap's error as one line.
    fn from(error: clap::Error) -> Self {
        let context = |kind| match error.get(kind) {
            Some(ContextValue::String(text)) => Some(text.clone()),
            Some(ContextValue::Strings(texts)) => texts.first().cloned(),
            _ => None,
        };
        // clap names an option with its value: "--string-limit <BYTES>".
        let bare = |option: String| {
            option
                .split(['=', ' ', '[', '.'])
                .next()
                .map(str::to_owned)
                .unwrap_or_default()
        };
        let option = context(ContextKind::InvalidArg)
            .map(bare)
            .unwrap_or_default();
        let value = context(ContextKind::InvalidValue).unwrap_or_default();
        let why = match (
            std::error::Error::source(&error),
            error.get(ContextKind::ValidValue),
        ) {
            (Some(source), _) => format!(": {source}"),
            (None, Some(ContextValue::Strings(valid))) => {
                format!(": it is one of {}", valid.join(", "))
            }
            _ => String::new(),
        };
        Self::new(match error.kind() {
            ErrorKind::UnknownArgument => match context(ContextKind::SuggestedArg) {
                Some(suggested) => format!("unknown option '{option}', is '{suggested}' meant?"),
                None => format!("unknown option '{option}'"),
            },
            ErrorKind::InvalidValue if value.is_empty() => format!("{option} needs a value"),
            ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
                format!("{option} cannot be '{value}'{why}")
            }
            ErrorKind::TooManyValues => format!("{option} takes no value, but was given '{value}'"),
            ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
                format!("{option} needs more values")
            }
            ErrorKind::NoEquals => format!("{option} takes its value after '='"),
            ErrorKind::ArgumentConflict => match context(ContextKind::PriorArg).map(bare) {
                Some(prior) => format!("{option} and {prior} cannot be had together"),
                None => format!("{option} cannot be had with the others"),
            },
            ErrorKind::InvalidUtf8 => "an option's value is no UTF-8".into(),
            _ => {
                let text = error.to_string();
                text.lines()
                    .next()
                    .unwrap_or_default()
                    .trim_start_matches("error: ")
                    .to_owned()
            }
        })
    }
}
