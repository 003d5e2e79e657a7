//! Where secrets lie in what travels: values of names that stand for passwords, keys and tokens.

use super::said::Said;

/// Fields of an HTTP head whose value is a secret. Of the first ones the word before it, the scheme, is none (RFC 9110 section 11.4).
const FIELDS: &[(&str, bool)] = &[
    ("authorization", true),
    ("proxy-authorization", true),
    ("cookie", false),
    ("set-cookie", false),
    ("api-key", false),
    ("x-api-key", false),
    ("x-auth-token", false),
    ("x-amz-security-token", false),
    ("x-csrf-token", false),
    ("x-goog-api-key", false),
    ("x-vault-token", false),
    ("private-token", false),
    ("sec-websocket-key", false),
];

/// What the name of a parameter in a URL or form contains where its value is a secret.
const PARAMETERS: &[&str] = &[
    "token",
    "passw",
    "passwd",
    "pwd",
    "secret",
    "apikey",
    "api_key",
    "api-key",
    "signature",
    "credential",
    "session",
    "sessid",
    "auth",
    "access_key",
    "private",
];

/// The same of names that are short, as a whole.
const SHORT: &[&str] = &["key", "sig", "pass", "pw", "code", "sid", "jwt"];

/// Hides the value of a field of an HTTP head, which stands at `at`.
pub fn in_field(name: &str, value: &[u8], at: usize, said: &mut Said) {
    let row = FIELDS
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    let Some((_, scheme)) = row else {
        return;
    };
    let skipped = match scheme {
        true => value
            .iter()
            .position(|byte| *byte == b' ')
            .map_or(0, |it| it + 1),
        false => 0,
    };
    said.hide(at + skipped..at + value.len());
}

/// Whether a field of that name holds a secret, whatever its coding.
pub fn is_field(name: &[u8]) -> bool {
    let known = |row: &(&str, bool)| row.0.as_bytes().eq_ignore_ascii_case(name);
    FIELDS.iter().any(known)
}

/// A URL as text, its secrets masked, where what was shown to the sniffer holds it in another coding; and whether it has any.
pub fn url(url: &[u8], said: &Said) -> (String, bool) {
    let mut copy = said.apart();
    in_url(url, 0, &mut copy);
    (copy.text(url, 0), !copy.secrets.is_empty())
}

/// Hides the values of secret parameters, and the user's password, in a URL that stands at `at`.
pub fn in_url(url: &[u8], at: usize, said: &mut Said) {
    if let Some(scheme) = find(url, b"://") {
        let start = scheme + 3;
        let authority = &url[start..];
        let end = authority.iter().position(|byte| b"/?#".contains(byte));
        let authority = &authority[..end.unwrap_or(authority.len())];
        if let Some(user) = authority.iter().rposition(|byte| *byte == b'@') {
            let password = authority[..user].iter().position(|byte| *byte == b':');
            let from = start + password.map_or(0, |it| it + 1);
            said.hide(at + from..at + start + user);
        }
    }
    if let Some(query) = url.iter().position(|byte| *byte == b'?') {
        in_form(&url[query + 1..], at + query + 1, said);
    }
}

/// Hides the values of secret parameters in `a=1&b=2`, which stands at `at`.
pub fn in_form(form: &[u8], at: usize, said: &mut Said) {
    let mut start = 0;
    for parameter in form.split(|byte| b"&;#".contains(byte)) {
        if let Some(equals) = parameter.iter().position(|byte| *byte == b'=')
            && is_secret(&parameter[..equals])
        {
            said.hide(at + start + equals + 1..at + start + parameter.len());
        }
        start += parameter.len() + 1;
    }
}

/// Whether a text has a word that a secret may follow, where nobody can tell where that would lie.
pub fn is_mentioned(text: &[u8]) -> bool {
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    PARAMETERS.iter().any(|part| text.contains(part))
}

/// The same of a part of a form, which may begin in the middle of a secret; whether it ends in the middle of one.
pub fn in_form_part(form: &[u8], in_secret: bool, said: &mut Said) -> bool {
    let ends = |byte: &u8| b"&;".contains(byte);
    let mut start = 0;
    if in_secret {
        start = form.iter().position(ends).unwrap_or(form.len());
        said.hide(0..start);
    }
    in_form(&form[start..], start, said);
    if in_secret && start == form.len() {
        return true;
    }
    let last = form.iter().rposition(ends).map_or(0, |at| at + 1);
    let last = &form[last..];
    match last.iter().position(|byte| *byte == b'=') {
        Some(equals) => is_secret(&last[..equals]),
        // A name that is cut off may be that of a secret.
        None => !last.is_empty(),
    }
}

/// Hides what is secret in a head of HTTP that is not whole yet: its lines, and the last one as far as it is there.
pub fn in_head(head: &[u8], said: &mut Said) {
    let mut at = 0;
    for (number, line) in head.split(|byte| *byte == b'\n').enumerate() {
        let text = line.strip_suffix(b"\r").unwrap_or(line);
        match text.iter().position(|byte| *byte == b':') {
            _ if number == 0 => in_url(text, at, said),
            Some(colon) => {
                let value = &text[colon + 1..];
                let skipped = value.iter().take_while(|byte| **byte == b' ').count();
                let name = String::from_utf8_lossy(&text[..colon]);
                in_field(&name, &value[skipped..], at + colon + 1 + skipped, said);
                if name.eq_ignore_ascii_case("location") {
                    in_url(value, at + colon + 1, said);
                }
            }
            None => {}
        }
        at += line.len() + 1;
    }
}

fn is_secret(name: &[u8]) -> bool {
    let name = String::from_utf8_lossy(name).to_ascii_lowercase();
    SHORT.contains(&&*name) || PARAMETERS.iter().any(|part| name.contains(part))
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
