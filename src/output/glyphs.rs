//! The few characters of our own beyond ASCII, and what stands for them where the locale is not UTF-8.

/// One way to draw them.
#[derive(Debug, PartialEq, Eq)]
pub struct Glyphs {
    /// From us to the peer.
    pub to: &'static str,
    /// From the peer to us.
    pub from: &'static str,
    /// Something was cut off here.
    pub cut: &'static str,
    /// This goes on from an earlier line.
    pub hook: &'static str,
    /// A sentence that explains, between lines of the trace.
    pub bar: &'static str,
    /// Microseconds.
    pub micro: &'static str,
}

/// For UTF-8.
pub const UNICODE: Glyphs = Glyphs {
    to: "→",
    from: "←",
    cut: "…",
    hook: "⤷",
    bar: "│",
    micro: "µs",
};

/// For everything else.
pub const ASCII: Glyphs = Glyphs {
    to: "->",
    from: "<-",
    cut: "...",
    hook: "`-",
    bar: "|",
    micro: "us",
};
