//! What others could read, and what TLS complains of.

use std::net::IpAddr;

use super::{Found, Kind, Severity};
use crate::story::{Told, What, peer_ip};

const CLEAR: Kind = Kind {
    name: "credentials-in-clear",
    severity: Severity::Warning,
    advice: "Whoever sits on the way can read it. Use TLS, or a tunnel.",
};
const ALERT: Kind = Kind {
    name: "tls-alert",
    severity: Severity::Error,
    advice: "TLS ends here. Of certificates: openssl s_client -connect HOST:PORT -servername HOST shows what the server sends.",
};

/// All of that.
pub const KINDS: &[&Kind] = &[&CLEAR, &ALERT];

/// Remembers nothing.
#[derive(Debug, Default)]
pub struct Safety;

impl Safety {
    /// Takes in what is told.
    pub fn see(&mut self, told: &Told, found: &mut Found) {
        let (What::Call(_), Some(conversation)) = (&told.what, &told.conversation) else {
            return;
        };
        for message in &told.messages {
            if message.protocol == "TLS" && message.failed {
                let text = message.text.trim_start_matches("alert: ");
                found.add(&ALERT, super::peer(told), told, || {
                    format!("TLS with {} fails: {text}.", super::peer(told))
                });
            }
        }
        let away = peer_ip(conversation).is_some_and(|ip: IpAddr| !ip.is_loopback());
        if told.secret && away {
            found.add(&CLEAR, super::peer(told), told, || {
                format!(
                    "A password, key or token went to {} unencrypted.",
                    super::peer(told)
                )
            });
        }
    }
}
