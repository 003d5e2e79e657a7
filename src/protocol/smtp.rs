//! SMTP (RFC 5321): greeting, commands and replies until the connection is encrypted. What a mail says stays untold.

use std::collections::VecDeque;

use super::said::{Kind, Said};
use super::{Guess, Side, Sniffer, Step};

/// The longest greeting that is looked at (section 4.5.3.1.5).
const GREETING: usize = 512;
/// The longest line: one that authenticates (RFC 4954 section 4).
const LINE: usize = 12_288;
/// How many commands may wait for their replies.
const WAITING: usize = 256;

/// Commands that are told: of section 4.1.1, of extensions, and what mail servers say among themselves.
const COMMANDS: &[&str] = &[
    "EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "VRFY", "EXPN", "HELP", "NOOP", "QUIT", "AUTH",
    "STARTTLS", "BDAT", "ETRN", "TURN", "XCLIENT", "XFORWARD",
];

/// Listens to one conversation.
#[derive(Debug, Default)]
pub struct Smtp {
    sends: Sends,
    /// What was asked and not answered yet, as far as it changes what the reply means.
    waiting: VecDeque<Asked>,
}

/// What the client's next line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Sends {
    #[default]
    Commands,
    /// Who it is, and the proof of it (RFC 4954 section 4).
    Proof,
    /// The mail, up to a line that is a dot.
    Mail {
        told: bool,
        /// Whether a line begins now.
        fresh: bool,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Usual,
    Auth,
    StartTls,
}

/// Whether it begins as a server that says what it speaks (other protocols greet with 220 too), or as a client that no other
/// protocol has.
pub fn guess(bytes: &[u8]) -> Guess {
    // Commands may be written in any case (section 2.4).
    let start = bytes[..bytes.len().min(5)].to_ascii_uppercase();
    let guess = match Guess::starts(&start, b"EHLO ", Guess::Client) {
        Guess::No => Guess::starts(bytes, b"220", Guess::Server),
        guess => guess,
    };
    if matches!(guess, Guess::No | Guess::Perhaps) {
        return guess;
    }
    let Some(line) = line(&bytes[..bytes.len().min(GREETING)]) else {
        let text = bytes.iter().all(|byte| is_text(*byte) || *byte == b'\r');
        return match text && bytes.len() < GREETING {
            true => Guess::Perhaps,
            false => Guess::No,
        };
    };
    let line = line.trim_ascii_end();
    let fits = match guess {
        Guess::Client => line.len() > 5 && line[5..].iter().all(u8::is_ascii_graphic),
        _ => {
            // The first word is the server's name, which proves nothing.
            let mut words = line.get(4..).unwrap_or_default().split(|it| *it == b' ');
            line.iter().all(|byte| is_text(*byte))
                && matches!(line.get(3), Some(b' ' | b'-'))
                && words.next().is_some_and(|host| !host.is_empty())
                && words.any(|word| {
                    let start = word.iter().position(u8::is_ascii_alphanumeric).unwrap_or(0);
                    let end = word.iter().rposition(u8::is_ascii_alphanumeric);
                    let word = &word[start..end.map_or(start, |end| end + 1)];
                    word.eq_ignore_ascii_case(b"SMTP") || word.eq_ignore_ascii_case(b"ESMTP")
                })
        }
    };
    if fits { guess } else { Guess::No }
}

impl Sniffer for Smtp {
    fn read(&mut self, from: Side, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        match (from, self.sends) {
            (Side::Server, _) => self.reply(bytes, whole, said),
            (Side::Client, Sends::Mail { told, fresh }) => {
                if !told {
                    said.say(Kind::Request(0), "the mail");
                }
                self.mail(bytes, fresh, whole)
            }
            (Side::Client, _) => self.line(bytes, whole, said),
        }
    }
}

impl Smtp {
    fn line(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let found = line(bytes);
        let text = found.unwrap_or(bytes).trim_ascii_end();
        // A proof has no words: what has is a command, even where the reply between them was not seen.
        if self.sends == Sends::Proof && !text.contains(&b' ') {
            said.hide(0..text.len());
        } else {
            self.sends = Sends::Commands;
            hide_proof(text, said);
        }
        let Some(found) = found else {
            return match whole && bytes.len() <= LINE {
                true => Step::More,
                false => Step::Lost,
            };
        };
        let step = Step::Took(found.len() as u64);
        if self.sends == Sends::Proof {
            let words = if text == b"*" {
                "gives up"
            } else {
                "credentials"
            };
            self.ask(Asked::Auth, words, said);
            return step;
        }
        let verb = text.split(u8::is_ascii_whitespace).next();
        let verb = verb.unwrap_or_default().to_ascii_uppercase();
        if !COMMANDS.iter().any(|known| known.as_bytes() == verb) {
            // Perhaps a mail whose beginning was not seen.
            return Step::Lost;
        }
        let asked = match &*verb {
            b"AUTH" => Asked::Auth,
            b"STARTTLS" => Asked::StartTls,
            _ => Asked::Usual,
        };
        if asked == Asked::Auth {
            self.sends = Sends::Proof;
        }
        let words = said.text(text, 0);
        self.ask(asked, words, said);
        match &*verb {
            // A part of the mail follows at once (RFC 3030 section 2).
            b"BDAT" => Step::Took((found.len() as u64).saturating_add(part(text))),
            _ => step,
        }
    }

    fn ask(&mut self, asked: Asked, text: impl Into<String>, said: &mut Said) {
        if self.waiting.len() < WAITING {
            self.waiting.push_back(asked);
            said.say(Kind::Request(0), text);
        }
    }

    /// One line of the mail, or a part of one; the lone dot is the last (section 4.1.1.4).
    fn mail(&mut self, bytes: &[u8], fresh: bool, whole: bool) -> Step {
        let mut follow = |fresh| self.sends = Sends::Mail { told: true, fresh };
        match (fresh, bytes) {
            (true, [b'.', b'\r', b'\n', ..]) => {
                self.sends = Sends::Commands;
                return Step::Took(3);
            }
            (true, [b'.'] | [b'.', b'\r']) if whole => {
                follow(true);
                return Step::More;
            }
            _ => {}
        }
        let end = bytes.iter().position(|byte| *byte == b'\n');
        follow(end.is_some());
        Step::Took(end.map_or(bytes.len(), |end| end + 1) as u64)
    }

    /// All lines of one reply (section 4.2.1).
    fn reply(&mut self, bytes: &[u8], whole: bool, said: &mut Said) -> Step {
        let (mut at, mut text, mut code) = (0, String::new(), None);
        let complete = loop {
            let Some(line) = line(&bytes[at..]) else {
                break false;
            };
            let words = line.trim_ascii_end();
            let Some(number) = words.first_chunk::<3>().filter(|code| is_code(code)) else {
                return Step::Lost;
            };
            if code.is_some_and(|code| code != *number) {
                return Step::Lost;
            }
            if code.is_none() {
                text.push_str(&said.text(number, at));
            }
            if let Some(more) = words.get(4..).filter(|_| text.len() < GREETING) {
                text.push_str(if code.is_none() { " " } else { ", " });
                text.push_str(&said.text(more, at + 4));
            }
            code = Some(*number);
            at += line.len();
            match words.get(3) {
                None | Some(b' ') => break true,
                Some(b'-') => {}
                Some(_) => return Step::Lost,
            }
        };
        let Some(code) = code.filter(|_| complete || !whole) else {
            return if whole { Step::More } else { Step::Lost };
        };
        let asked = self.waiting.pop_front();
        let kind = asked.map_or(Kind::Note, |_| Kind::Answer(0));
        match code[0] {
            b'4' | b'5' => said.fail(kind, text),
            _ => said.say(kind, text),
        }
        self.sends = match (&code, asked) {
            (b"334", _) => Sends::Proof,
            (b"354", _) => {
                self.waiting.push_back(Asked::Usual);
                Sends::Mail {
                    told: false,
                    fresh: true,
                }
            }
            (_, Some(Asked::Auth)) => Sends::Commands,
            // Where the mail's end was not seen, the reply to it tells that it is over.
            _ if matches!(self.sends, Sends::Mail { .. }) => Sends::Commands,
            _ => self.sends,
        };
        match asked {
            _ if !complete => Step::Lost,
            Some(Asked::StartTls) if code == *b"220" => Step::Inside(at as u64, Some("TLS")),
            _ => Step::Took(at as u64),
        }
    }
}

/// Hides what follows the mechanism of an AUTH: it is a proof already (RFC 4954 section 4).
fn hide_proof(text: &[u8], said: &mut Said) {
    if text
        .get(..5)
        .is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "))
    {
        let mechanism = text[5..].iter().position(|byte| *byte == b' ');
        if let Some(mechanism) = mechanism {
            said.hide(5 + mechanism + 1..text.len());
        }
    }
}

/// How many bytes follow a BDAT.
fn part(text: &[u8]) -> u64 {
    let mut words = text.split(u8::is_ascii_whitespace).skip(1);
    let size = words.next().and_then(|size| std::str::from_utf8(size).ok());
    size.and_then(|size| size.parse().ok()).unwrap_or(0)
}

/// The first line, with its end.
fn line(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    Some(&bytes[..=end])
}

fn is_code(code: &[u8; 3]) -> bool {
    matches!(code, [b'2'..=b'5', b'0'..=b'5', b'0'..=b'9'])
}

fn is_text(byte: u8) -> bool {
    byte == b'\t' || byte >= b' ' && byte != 0x7F
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::protocol::tests::{Dialogue, back, hear, out, shown};

    /// What swaks and Postfix say to each other.
    pub fn dialogue() -> Dialogue {
        vec![
            back("220 mx-1.example.org ESMTP Postfix (Debian/GNU)\r\n"),
            out("EHLO me.example.org\r\n"),
            back(
                "250-mx.example.org\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250-AUTH PLAIN LOGIN\r\n250 SMTPUTF8\r\n",
            ),
            out("AUTH LOGIN\r\n"),
            back("334 VXNlcm5hbWU6\r\n"),
            out("YWxpY2U=\r\n"),
            back("334 UGFzc3dvcmQ6\r\n"),
            out("aHVudGVyMg==\r\n"),
            back("535 5.7.8 Error: authentication failed\r\n"),
            out("AUTH PLAIN AGFsaWNlAGh1bnRlcjM=\r\n"),
            back("235 2.7.0 Authentication successful\r\n"),
            out(
                "MAIL FROM:<me@example.org> SIZE=20\r\nRCPT TO:<you@example.org>\r\nRCPT TO:<nobody@example.org>\r\nDATA\r\n",
            ),
            back(
                "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n550 5.1.1 <nobody@example.org>: Recipient address rejected\r\n354 End data with <CR><LF>.<CR><LF>\r\n",
            ),
            out("Subject: QUIT\r\n\r\nQUIT\r\n..\r\nRSET\r\n.\r\nQUIT\r\n"),
            back("250 2.0.0 Ok: queued as 4B5C2\r\n221 2.0.0 Bye\r\n"),
        ]
    }

    #[test]
    fn a_mail_is_sent() {
        assert_eq!(
            hear(&dialogue()),
            [
                ". SMTP 220 mx-1.example.org ESMTP Postfix (Debian/GNU)",
                "? SMTP EHLO me.example.org",
                "= SMTP 250 mx.example.org, PIPELINING, SIZE 10240000, AUTH PLAIN LOGIN, SMTPUTF8",
                "? SMTP AUTH LOGIN",
                "= SMTP 334 VXNlcm5hbWU6",
                "? SMTP credentials",
                "= SMTP 334 UGFzc3dvcmQ6",
                "? SMTP credentials",
                "=! SMTP 535 5.7.8 Error: authentication failed",
                "? SMTP AUTH PLAIN ********************",
                "= SMTP 235 2.7.0 Authentication successful",
                "? SMTP MAIL FROM:<me@example.org> SIZE=20",
                "? SMTP RCPT TO:<you@example.org>",
                "? SMTP RCPT TO:<nobody@example.org>",
                "? SMTP DATA",
                "= SMTP 250 2.1.0 Ok",
                "= SMTP 250 2.1.5 Ok",
                "=! SMTP 550 5.1.1 <nobody@example.org>: Recipient address rejected",
                "= SMTP 354 End data with <CR><LF>.<CR><LF>",
                "? SMTP the mail",
                "? SMTP QUIT",
                "= SMTP 250 2.0.0 Ok: queued as 4B5C2",
                "= SMTP 221 2.0.0 Bye",
            ]
        );
        let shown = shown(&dialogue());
        for secret in ["YWxpY2U", "aHVudGVyMg", "AGFsaWNl"] {
            assert!(!shown.contains(secret), "{secret} in {shown}");
        }
    }

    #[test]
    fn proofs_are_hidden_in_pieces() {
        let pieces = [
            back("220 a SMTP\r\n"),
            out("auth plain AGFs"),
            out("aWNl"),
            out("AGh1\r\n"),
        ];
        assert_eq!(shown(&pieces), "220 a SMTP\r\nauth plain ************\r\n");
    }

    #[test]
    fn encryption_begins() {
        let heard = hear(&[
            back("220 a.example SMTP ready\r\n"),
            out("STARTTLS\r\n"),
            back("454 TLS not available\r\n"),
            out("STARTTLS\r\n"),
            back("220 Go ahead\r\n"),
            // An alert in place of a handshake.
            out([21, 3, 1, 0, 2, 2, 40]),
        ]);
        assert_eq!(heard[2], "=! SMTP 454 TLS not available");
        assert_eq!(heard[4], "= SMTP 220 Go ahead");
        assert!(
            heard[5].contains("TLS alert: no common parameters"),
            "{heard:?}"
        );
    }

    #[test]
    fn parts_by_their_length_and_mails_whose_end_was_not_seen() {
        let heard = hear(&[
            back("220 a ESMTP\r\n"),
            out("BDAT 6 LAST\r\nQUIT\r\nRSET\r\n"),
            back("250 a\r\n250 b\r\n"),
            out("DATA\r\n"),
            back("354 go\r\n"),
            out("anything\r\n"),
            back("250 c\r\n"),
            out("QUIT\r\n"),
        ]);
        assert_eq!(
            heard[1..],
            [
                "? SMTP BDAT 6 LAST",
                "? SMTP RSET",
                "= SMTP 250 a",
                "= SMTP 250 b",
                "? SMTP DATA",
                "= SMTP 354 go",
                "? SMTP the mail",
                "= SMTP 250 c",
                "? SMTP QUIT",
            ]
        );
    }

    #[test]
    fn other_greetings_are_not_its() {
        for (bytes, expected) in [
            (&b"220 (vsFTPd 3.0.5)\r\n"[..], Guess::No),
            (b"220 smtp.example.org ready\r\n", Guess::No),
            (b"220 ProFTPD Server ready.\r\n", Guess::No),
            (b"220\r\n", Guess::No),
            (b"2200 a SMTP\r\n", Guess::No),
            (b"220 a SMTP\x01\r\n", Guess::No),
            (b"HELO there\r\n", Guess::No),
            (b"EHLO \r\n", Guess::No),
            (b"EHLO a b\r\n", Guess::No),
            (b"220 a SM", Guess::Perhaps),
            (b"220 a\0", Guess::No),
            (b"220-a ESMTP Exim 4.97 #2\r\n220 b\r\n", Guess::Server),
            (b"EHLO [127.0.0.1]\r\n", Guess::Client),
            (b"ehlo a.example\r\n", Guess::Client),
        ] {
            assert_eq!(guess(bytes), expected, "{}", String::from_utf8_lossy(bytes));
        }
    }
}
