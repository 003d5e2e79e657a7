//! Bytes of the tracee made safe to print: no control characters, none that turn or hide text, nothing that isn't UTF-8.

use std::fmt::Write;

/// Which strings are written in base 16.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hex {
    /// None.
    #[default]
    No,
    /// What is not printable ASCII in them: `--strings-in-hex=non-ascii-chars`.
    Characters,
    /// Those that have anything but printable ASCII and white space, as a whole: `-x`.
    Strings,
    /// All: `-xx`.
    All,
}

/// How bytes are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Escape {
    /// Whether text beyond ASCII may stay as it is, where it is valid UTF-8 and printable.
    pub unicode: bool,
    /// What is written in base 16.
    pub hex: Hex,
}

impl Escape {
    /// Adds a string in quotes, as strace writes it; `cut` if more bytes follow, so that half a character at the end is left out.
    pub fn quoted(self, out: &mut String, bytes: &[u8], cut: bool) {
        out.push('"');
        self.write(out, bytes, cut, b'"');
        out.push('"');
    }

    /// Adds a name without quotes: comm, paths in sentences.
    pub fn bare(self, out: &mut String, bytes: &[u8]) {
        let hex = Hex::No;
        Self { hex, ..self }.write(out, bytes, false, b'\\');
    }

    /// The same by itself.
    pub fn name(self, bytes: &[u8]) -> String {
        let mut out = String::with_capacity(bytes.len());
        self.bare(&mut out, bytes);
        out
    }

    fn write(self, out: &mut String, bytes: &[u8], cut: bool, quote: u8) {
        let whole = match self.hex {
            Hex::All => true,
            Hex::Strings => !bytes
                .iter()
                .all(|byte| matches!(byte, b' '..=b'~' | b'\t'..=b'\r')),
            Hex::No | Hex::Characters => false,
        };
        if whole {
            bytes.iter().for_each(|byte| hex(out, *byte));
            return;
        }
        let unicode = self.unicode && self.hex == Hex::No;
        let text = unicode.then(|| text(bytes, cut)).flatten();
        let bytes = text.map_or(bytes, str::as_bytes);
        let plain = |byte: u8| matches!(byte, b' '..=b'~') & (byte != b'\\') & (byte != quote);
        let as_it_is = |from: usize, to: usize| match text {
            Some(text) => &text[from..to],
            None => std::str::from_utf8(&bytes[from..to]).unwrap_or_default(),
        };
        // Without a branch for each byte, since often all of them are plain.
        if bytes.iter().fold(true, |all, byte| all & plain(*byte)) {
            out.push_str(as_it_is(0, bytes.len()));
            return;
        }
        let mut at = 0;
        loop {
            let run = bytes[at..].iter().take_while(|byte| plain(**byte)).count();
            if run > 0 {
                out.push_str(as_it_is(at, at + run));
                at += run;
            }
            let Some(byte) = bytes.get(at) else { break };
            let shown = text.and_then(|text| text.get(at..)?.chars().next());
            match shown.filter(|c| !c.is_ascii() && is_printable(*c)) {
                Some(c) => {
                    out.push(c);
                    at += c.len_utf8();
                }
                None => {
                    at += 1;
                    self.byte(out, *byte, bytes.get(at).copied(), quote);
                }
            }
        }
    }

    fn byte(self, out: &mut String, byte: u8, next: Option<u8>, quote: u8) {
        match byte {
            b'\n' => out.push_str("\\n"),
            b'\r' => out.push_str("\\r"),
            b'\t' => out.push_str("\\t"),
            b'\x0b' => out.push_str("\\v"),
            b'\x0c' => out.push_str("\\f"),
            b'\\' => out.push_str("\\\\"),
            b' '..=b'~' => {
                if byte == quote {
                    out.push('\\');
                }
                out.push(byte as char);
            }
            _ if self.hex == Hex::Characters => hex(out, byte),
            // Octal as short as the next character allows, as strace has it.
            _ => {
                out.push('\\');
                let long = matches!(next, Some(b'0'..=b'7'));
                for (shift, least) in [(6, 0o100), (3, 0o10), (0, 0)] {
                    if long || byte >= least {
                        out.push(char::from(b'0' + (byte >> shift & 7)));
                    }
                }
            }
        }
    }
}

fn hex(out: &mut String, byte: u8) {
    write!(out, "\\x{byte:02x}").expect("a String takes all");
}

/// The bytes as text where all of them are; up to three bytes of a last character that was cut are left out.
fn text(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

/// Whether a character has a shape and a place of its own: neither control nor format character (bidi marks among them), not
/// unassigned, nothing that changes the one before it. The standard library's debug escaping knows.
fn is_printable(c: char) -> bool {
    c.escape_debug().len() == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Escape = Escape {
        unicode: false,
        hex: Hex::No,
    };
    const UNICODE: Escape = Escape {
        unicode: true,
        hex: Hex::No,
    };

    impl Escape {
        fn quotes(self, bytes: &[u8], cut: bool) -> String {
            let mut out = String::new();
            self.quoted(&mut out, bytes, cut);
            out
        }
    }

    #[test]
    fn writes_as_strace_does() {
        let bytes = b"ab\xc3\xa9c\x017\0\x1bx\"\\\t";
        assert_eq!(
            PLAIN.quotes(bytes, false),
            r#""ab\303\251c\0017\0\33x\"\\\t""#
        );
        let characters = Escape {
            hex: Hex::Characters,
            ..UNICODE
        };
        assert_eq!(
            characters.quotes(b"ab\xc3\xa9c\x017", false),
            r#""ab\xc3\xa9c\x017""#
        );
        let strings = Escape {
            hex: Hex::Strings,
            ..UNICODE
        };
        assert_eq!(strings.quotes(b"a\n", false), r#""a\n""#);
        assert_eq!(strings.quotes(b"a\x01", false), r#""\x61\x01""#);
        assert_eq!(
            Escape {
                hex: Hex::All,
                ..UNICODE
            }
            .quotes(b"a", false),
            r#""\x61""#
        );
    }

    #[test]
    fn text_stays_text_and_nothing_moves_the_cursor() {
        assert_eq!(UNICODE.quotes("연결 é".as_bytes(), false), "\"연결 é\"");
        assert_eq!(UNICODE.quotes(&"연결".as_bytes()[..5], true), "\"연\"");
        assert_eq!(
            UNICODE.quotes(&"연결".as_bytes()[..5], false),
            r#""\354\227\260\352\262""#
        );
        // C1, DEL, right-to-left override, zero-width space, byte order mark, a combining accent.
        assert_eq!(
            UNICODE.quotes(
                "a\u{9b}\u{7f}\u{202e}\u{200b}\u{feff}e\u{301}".as_bytes(),
                false
            ),
            r#""a\302\233\177\342\200\256\342\200\213\357\273\277e\314\201""#
        );
        assert_eq!(
            UNICODE.name("a\u{1b}]0;x\u{7}b c".as_bytes()),
            "a\\33]0;x\\7b c"
        );
    }

    proptest! {
        #[test]
        fn no_byte_controls_the_terminal(bytes: Vec<u8>, unicode: bool, cut: bool, hex in 0usize..4) {
            let escape = Escape { unicode, hex: [Hex::No, Hex::Characters, Hex::Strings, Hex::All][hex] };
            for written in [escape.quotes(&bytes, cut), escape.name(&bytes)] {
                prop_assert!(written.chars().all(|c| !c.is_control() && (unicode || c.is_ascii()) && is_printable_or_quote(c)));
            }
        }

        /// What is written in octal can be read back: nothing is lost, nothing is ambiguous.
        #[test]
        fn octal_reads_back(bytes: Vec<u8>) {
            prop_assert_eq!(unquote(&PLAIN.quotes(&bytes, false)), bytes);
        }
    }

    fn is_printable_or_quote(c: char) -> bool {
        c.is_ascii_graphic() || c == ' ' || is_printable(c)
    }

    fn unquote(text: &str) -> Vec<u8> {
        let mut rest = &text.as_bytes()[1..text.len() - 1];
        let mut bytes = Vec::new();
        while let [first, tail @ ..] = rest {
            rest = tail;
            if *first != b'\\' {
                bytes.push(*first);
                continue;
            }
            let digits = rest
                .iter()
                .take(3)
                .take_while(|digit| matches!(digit, b'0'..=b'7'))
                .count();
            if digits > 0 {
                bytes.push(
                    u8::from_str_radix(std::str::from_utf8(&rest[..digits]).unwrap(), 8).unwrap(),
                );
                rest = &rest[digits..];
            } else {
                let plain = match rest[0] {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    b't' => b'\t',
                    b'v' => b'\x0b',
                    b'f' => b'\x0c',
                    other => other,
                };
                bytes.push(plain);
                rest = &rest[1..];
            }
        }
        bytes
    }
}
