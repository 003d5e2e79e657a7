//! A name server that knows one name (RFC 1035).

use std::net::{Ipv4Addr, UdpSocket};

use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, OPCODE, Packet, PacketFlag, QTYPE, RCODE, ResourceRecord, TYPE};

use super::NAME;

/// How long the answer may be kept, in seconds.
const TTL: u32 = 60;

/// Answers as long as the process lives.
pub(super) fn serve(socket: &UdpSocket) {
    // The longest message that travels by UDP without EDNS (RFC 1035, section 2.3.4).
    let mut message = [0; 512];
    while let Ok((length, asker)) = socket.recv_from(&mut message) {
        if let Some(answer) = answer(&message[..length]) {
            // An asker that is gone needs no answer.
            let _ = socket.send_to(&answer, asker);
        }
    }
}

/// The answer to a query: the address of our one name, NXDOMAIN for any other; none to what is no query.
fn answer(message: &[u8]) -> Option<Vec<u8>> {
    let query = Packet::parse(message).ok()?;
    if query.has_flags(PacketFlag::RESPONSE) {
        return None;
    }
    let mut reply = Packet::new_reply(query.id());
    reply.set_flags(PacketFlag::AUTHORITATIVE_ANSWER);
    if query.has_flags(PacketFlag::RECURSION_DESIRED) {
        reply.set_flags(PacketFlag::RECURSION_DESIRED);
    }
    match query.questions.first() {
        Some(question) if query.opcode() == OPCODE::StandardQuery => {
            reply.questions.push(question.clone());
            if question.qname != Name::new(NAME).ok()? {
                *reply.rcode_mut() = RCODE::NameError;
            } else if matches!(question.qtype, QTYPE::ANY | QTYPE::TYPE(TYPE::A)) {
                let address = RData::A(Ipv4Addr::LOCALHOST.into());
                reply.answers.push(ResourceRecord::new(
                    question.qname.clone(),
                    CLASS::IN,
                    TTL,
                    address,
                ));
            }
        }
        Some(_) => *reply.rcode_mut() = RCODE::NotImplemented,
        None => *reply.rcode_mut() = RCODE::FormatError,
    }
    reply.build_bytes_vec_compressed().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::Question;

    fn ask(name: &str, kind: TYPE) -> Vec<u8> {
        let mut query = Packet::new_query(7);
        query.set_flags(PacketFlag::RECURSION_DESIRED);
        query.questions.push(Question::new(
            Name::new(name).unwrap(),
            kind.into(),
            CLASS::IN.into(),
            false,
        ));
        answer(&query.build_bytes_vec().unwrap()).unwrap()
    }

    #[test]
    fn the_name_is_known_in_any_case() {
        for name in [NAME, "DEMO.SockStrace.example"] {
            let bytes = ask(name, TYPE::A);
            let reply = Packet::parse(&bytes).unwrap();
            assert_eq!(
                (reply.id(), reply.rcode(), reply.answers.len()),
                (7, RCODE::NoError, 1)
            );
            assert_eq!(reply.answers[0].rdata, RData::A(Ipv4Addr::LOCALHOST.into()));
        }
    }

    #[test]
    fn other_names_do_not_exist_and_other_types_are_empty() {
        let bytes = ask("other.example", TYPE::A);
        assert_eq!(Packet::parse(&bytes).unwrap().rcode(), RCODE::NameError);
        let bytes = ask(NAME, TYPE::AAAA);
        let reply = Packet::parse(&bytes).unwrap();
        assert_eq!((reply.rcode(), reply.answers.len()), (RCODE::NoError, 0));
    }

    #[test]
    fn what_is_no_query_is_not_answered() {
        assert_eq!(answer(b""), None);
        assert_eq!(answer(&[0xff; 512]), None);
        assert_eq!(
            answer(&Packet::new_reply(1).build_bytes_vec().unwrap()),
            None
        );
    }
}
