//! The functions that are probed: one row each.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

/// A function of a shared object.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its symbol, without a version.
    pub name: &'static str,
    /// Whose it is.
    pub family: Family,
    /// What it does.
    pub does: Does,
}

/// Whose a function is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// The C library's resolver.
    Resolver,
    /// c-ares, a resolver of its own.
    Cares,
    /// OpenSSL and its kin (BoringSSL, LibreSSL), wolfSSL and Mbed TLS, whose functions take the same arguments.
    OpenSsl,
    /// GnuTLS.
    GnuTls,
    /// NSS, by NSPR's functions.
    Nss,
    /// The C library's socket functions (`--library`).
    Sockets,
}

impl Family {
    /// Whether its functions carry TLS.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::OpenSsl | Self::GnuTls | Self::Nss)
    }
}

/// What a function does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Does {
    /// getaddrinfo(3).
    AddressInfo,
    /// getaddrinfo_a(3).
    AddressInfoLater,
    /// getnameinfo(3).
    NameInfo,
    /// gethostbyname(3).
    HostByName,
    /// gethostbyname2(3): with a family.
    HostByName2,
    /// gethostbyname_r(3).
    HostByNameR,
    /// gethostbyname2_r(3).
    HostByName2R,
    /// gethostbyaddr(3).
    HostByAddress,
    /// gethostbyaddr_r(3).
    HostByAddressR,
    /// res_query(3), res_search(3): name, class, type.
    Query,
    /// res_nquery(3), res_nsearch(3): the same behind a state.
    QueryN,
    /// ares_getaddrinfo(3): channel, name, service, hints.
    CaresAddressInfo,
    /// ares_gethostbyname(3): channel, name, family.
    CaresHostByName,
    /// ares_query(3), ares_search(3): channel, name, class, type.
    CaresQuery,
    /// SSL_write(3): session, buffer, length; returns how much.
    Write,
    /// SSL_write_ex(3), SSL_write_early_data(3): the same with a place for how much.
    WriteEx,
    /// gnutls_record_send2(3): with padding in between.
    WritePadded,
    /// SSL_read(3).
    Read,
    /// SSL_read_ex(3), SSL_read_early_data(3).
    ReadEx,
    /// SSL_peek(3), SSL_peek_ex(3): what is read again later.
    Peek,
    /// SSL_do_handshake(3), SSL_connect(3), SSL_accept(3).
    Handshake,
    /// SSL_shutdown(3), gnutls_bye(3).
    Shutdown,
    /// SSL_get0_alpn_selected(3): session, place for the name, place for its length.
    AgreedProtocol,
    /// SSL_get_verify_result(3).
    Verified,
    /// SSL_session_reused(3), gnutls_session_is_resumed(3).
    Resumed,
    /// SSL_free(3), gnutls_deinit(3), PR_Close.
    Free,
    /// SSL_ImportFD of NSS: the descriptor that it returns carries TLS.
    Import,
    /// A socket function that makes the system call of its name.
    Socket,
}

impl Does {
    /// Whether it hands clear text over.
    pub fn writes(self) -> bool {
        matches!(self, Self::Write | Self::WriteEx | Self::WritePadded)
    }

    /// Whether its beginning says all that matters of it.
    pub fn says_all_at_entry(self) -> bool {
        matches!(self, Self::Free)
    }

    /// Whether it gives clear text that was not given before.
    pub fn reads(self) -> bool {
        matches!(self, Self::Read | Self::ReadEx)
    }
}

const fn row(name: &'static str, family: Family, does: Does) -> Function {
    Function { name, family, does }
}

/// All of them.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// The function of that symbol.
pub fn function(name: &[u8]) -> Option<&'static Function> {
    static BY_NAME: OnceLock<FxHashMap<&[u8], &Function>> = OnceLock::new();
    let by_name = BY_NAME.get_or_init(|| {
        let rows = FUNCTIONS.iter();
        rows.map(|row| (row.name.as_bytes(), row)).collect()
    });
    by_name.get(name).copied()
}

use Does::*;
use Family::*;

static FUNCTIONS: &[Function] = &[
    row("getaddrinfo", Resolver, AddressInfo),
    row("getaddrinfo_a", Resolver, AddressInfoLater),
    row("getnameinfo", Resolver, NameInfo),
    row("gethostbyname", Resolver, HostByName),
    row("gethostbyname2", Resolver, HostByName2),
    row("gethostbyname_r", Resolver, HostByNameR),
    row("gethostbyname2_r", Resolver, HostByName2R),
    row("gethostbyaddr", Resolver, HostByAddress),
    row("gethostbyaddr_r", Resolver, HostByAddressR),
    row("res_query", Resolver, Query),
    row("__res_query", Resolver, Query),
    row("res_search", Resolver, Query),
    row("__res_search", Resolver, Query),
    row("res_nquery", Resolver, QueryN),
    row("__res_nquery", Resolver, QueryN),
    row("res_nsearch", Resolver, QueryN),
    row("__res_nsearch", Resolver, QueryN),
    row("ares_getaddrinfo", Cares, CaresAddressInfo),
    row("ares_gethostbyname", Cares, CaresHostByName),
    row("ares_query", Cares, CaresQuery),
    row("ares_search", Cares, CaresQuery),
    row("SSL_write", OpenSsl, Write),
    row("SSL_write_ex", OpenSsl, WriteEx),
    row("SSL_write_ex2", OpenSsl, WriteEx),
    row("SSL_write_early_data", OpenSsl, WriteEx),
    row("SSL_read", OpenSsl, Read),
    row("SSL_read_ex", OpenSsl, ReadEx),
    row("SSL_read_early_data", OpenSsl, ReadEx),
    row("SSL_peek", OpenSsl, Peek),
    row("SSL_peek_ex", OpenSsl, Peek),
    row("SSL_do_handshake", OpenSsl, Handshake),
    row("SSL_connect", OpenSsl, Handshake),
    row("SSL_accept", OpenSsl, Handshake),
    row("SSL_shutdown", OpenSsl, Shutdown),
    row("SSL_get0_alpn_selected", OpenSsl, AgreedProtocol),
    row("SSL_get_verify_result", OpenSsl, Verified),
    row("SSL_session_reused", OpenSsl, Resumed),
    row("SSL_free", OpenSsl, Free),
    row("wolfSSL_write", OpenSsl, Write),
    row("wolfSSL_read", OpenSsl, Read),
    row("wolfSSL_connect", OpenSsl, Handshake),
    row("wolfSSL_accept", OpenSsl, Handshake),
    row("wolfSSL_shutdown", OpenSsl, Shutdown),
    row("wolfSSL_free", OpenSsl, Free),
    row("mbedtls_ssl_write", OpenSsl, Write),
    row("mbedtls_ssl_read", OpenSsl, Read),
    row("mbedtls_ssl_handshake", OpenSsl, Handshake),
    row("mbedtls_ssl_close_notify", OpenSsl, Shutdown),
    row("mbedtls_ssl_free", OpenSsl, Free),
    row("gnutls_record_send", GnuTls, Write),
    row("gnutls_record_send2", GnuTls, WritePadded),
    row("gnutls_record_recv", GnuTls, Read),
    row("gnutls_handshake", GnuTls, Handshake),
    row("gnutls_bye", GnuTls, Shutdown),
    row("gnutls_session_is_resumed", GnuTls, Resumed),
    row("gnutls_deinit", GnuTls, Free),
    row("SSL_ImportFD", Nss, Import),
    row("PR_Write", Nss, Write),
    row("PR_Read", Nss, Read),
    row("PR_Send", Nss, Write),
    row("PR_Recv", Nss, Read),
    row("SSL_ForceHandshake", Nss, Handshake),
    row("PR_Close", Nss, Free),
    row("socket", Sockets, Socket),
    row("socketpair", Sockets, Socket),
    row("bind", Sockets, Socket),
    row("listen", Sockets, Socket),
    row("accept", Sockets, Socket),
    row("accept4", Sockets, Socket),
    row("connect", Sockets, Socket),
    row("shutdown", Sockets, Socket),
    row("getsockname", Sockets, Socket),
    row("getpeername", Sockets, Socket),
    row("getsockopt", Sockets, Socket),
    row("setsockopt", Sockets, Socket),
    row("send", Sockets, Socket),
    row("sendto", Sockets, Socket),
    row("sendmsg", Sockets, Socket),
    row("sendmmsg", Sockets, Socket),
    row("recv", Sockets, Socket),
    row("recvfrom", Sockets, Socket),
    row("recvmsg", Sockets, Socket),
    row("recvmmsg", Sockets, Socket),
    row("read", Sockets, Socket),
    row("write", Sockets, Socket),
    row("readv", Sockets, Socket),
    row("writev", Sockets, Socket),
    row("close", Sockets, Socket),
    row("poll", Sockets, Socket),
    row("select", Sockets, Socket),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_symbol_has_one_row() {
        for one in functions() {
            assert!(std::ptr::eq(function(one.name.as_bytes()).unwrap(), one));
        }
        assert_eq!(function(b"printf"), None);
    }
}
