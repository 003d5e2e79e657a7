//! The overview as text.

use std::io::Write;

use super::spent::USES;
use super::table::{self, Cell, Column};
use super::{Overview, Request, Row, SockAddr, Sum};
use crate::output::address;
use crate::output::escape::Escape;
use crate::output::glyphs::Glyphs;
use crate::output::grammar::errno_name;
use crate::output::layout::{Layout, Paint, Spans, columns};
use crate::output::time::{duration, size};
use crate::output::words;
use crate::story::{Conversation, Exchange, Fate, Part, Side};
use crate::tracer::event::Nanos;

/// How many conversations are shown one by one.
const SHOWN: usize = 12;
/// How many peers and processes.
const PEERS: usize = 10;
/// How many that failed, beside sums.
const FAILED: usize = 5;
/// How many peers of one socket for datagrams.
const EXCHANGES: usize = 5;
/// A longer text of a request is cut there.
const REQUEST: usize = 60;
/// The widest bar of a share, in columns.
const BAR: usize = 20;

const CONVERSATIONS: [Column; 10] = [
    ("#", true),
    ("who", false),
    ("conversation", false),
    ("protocol", false),
    ("connect", true),
    ("TLS", true),
    ("wait", true),
    ("out", true),
    ("in", true),
    ("ended", false),
];

const SUMS: [Column; 9] = [
    ("", false),
    ("protocol", false),
    ("n", true),
    ("connect", true),
    ("TLS", true),
    ("wait p50 / p99 / worst", true),
    ("out", true),
    ("in", true),
    ("ended", false),
];

/// The whole overview, newlines included; nothing where nothing was talked about.
pub fn write<W: Write>(overview: &mut Overview<W>, end: Nanos) -> String {
    let mut out = String::new();
    // Under a filter that hides their ends, conversations have none.
    if overview.all.count == 0 && overview.names.count == 0 {
        return out;
    }
    let settings = &overview.settings;
    let layout = Layout::new(settings.colour, settings.width, false);
    let page = Page {
        escape: overview.escape,
        glyphs: overview.glyphs,
        width: settings.width,
        layout,
    };
    out.push('\n');
    overview.closed.sort_by_key(|row| row.number);
    let many = overview.all.count > SHOWN as u64;
    match many {
        true => page.sums(&mut out, overview, end),
        false => page.conversations(&mut out, &overview.closed, overview.processes.len() > 1),
    }
    page.names(&mut out, overview);
    page.requests(&mut out, overview);
    page.calls(&mut out, overview);
    page.time(&mut out, overview, end);
    out
}

struct Page {
    escape: Escape,
    glyphs: &'static Glyphs,
    width: Option<usize>,
    layout: Layout,
}

impl Page {
    fn table(&self, out: &mut String, heading: &[Column], rows: &[Vec<Cell>]) {
        if rows.is_empty() {
            return;
        }
        let narrow = self
            .width
            .filter(|width| table::width(heading, rows) > *width);
        let lines = match narrow {
            Some(room) => table::list(heading, rows, room),
            None => table::lines(heading, rows),
        };
        for line in lines {
            self.layout.painted(out, &line);
        }
    }

    fn conversations(&self, out: &mut String, rows: &[Row], several: bool) {
        let table = |brief| -> Vec<_> {
            let rows = rows.iter().flat_map(|row| self.rows(row, several, brief));
            rows.collect()
        };
        let fits = |cells: &[Vec<Cell>]| {
            let width = table::width(&CONVERSATIONS, cells);
            self.width.is_none_or(|room| width <= room)
        };
        let (full, brief) = (table(false), table(true));
        let cells = match fits(&full) || !fits(&brief) {
            true => full,
            false => brief,
        };
        self.table(out, &CONVERSATIONS, &cells);
    }

    /// The row of a conversation, and below it those of its peers where datagrams went to several.
    fn rows(&self, row: &Row, several: bool, brief: bool) -> Vec<Vec<Cell>> {
        let mut rows: Vec<_> = self.row(row, several, brief).into_iter().collect();
        if let Some(conversation) = row.conversation.as_deref() {
            let exchanges = conversation.exchanges.several();
            let exchanges = exchanges.iter().take(EXCHANGES);
            rows.extend(exchanges.map(|exchange| self.exchange(exchange)));
        }
        rows
    }

    fn exchange(&self, exchange: &Exchange) -> Vec<Cell> {
        let mut ends = format!("  {} ", self.glyphs.to);
        address::write(&mut ends, &exchange.peer, self.escape);
        let mut cells = vec![Cell::default(); CONVERSATIONS.len()];
        cells[2] = Cell::painted(ends, Paint::Dim);
        cells[7] = Cell::new(self.size(exchange.out));
        cells[8] = Cell::new(self.size(exchange.received));
        cells
    }

    fn row(&self, row: &Row, several: bool, brief: bool) -> Option<Vec<Cell>> {
        let (conversation, farewell) = (row.conversation.as_deref()?, row.farewell.as_ref()?);
        let listener = conversation.is_listener();
        let sizes = |bytes| match listener || row.failed() {
            true => String::new(),
            false => self.size(bytes),
        };
        let number = u64::try_from(row.number).unwrap_or(0);
        let paint = match row.failed() {
            true => Paint::Error,
            false => Paint::Dim,
        };
        let waits = if row.waits.count > 0 {
            &row.waits
        } else {
            &row.answers
        };
        Some(vec![
            Cell::painted(row.number.to_string(), Paint::Conversation(number)),
            Cell::new(if several { row.who.as_str() } else { "" }),
            Cell::painted(self.ends(conversation, brief), Paint::Conversation(number)),
            Cell::new(conversation.layers.names().collect::<Vec<_>>().join(" ")),
            Cell::new(
                row.connect
                    .map_or_else(String::new, |took| self.duration(took)),
            ),
            Cell::new(row.tls.map_or_else(String::new, |took| self.duration(took))),
            Cell::new(match waits.count {
                0 => String::new(),
                1 => self.duration(waits.worst),
                count => format!(
                    "{count} {} {}, worst {}",
                    if self.escape.unicode { "×" } else { "x" },
                    self.duration(waits.percentile(50)),
                    self.duration(waits.worst)
                ),
            }),
            Cell::new(sizes(farewell.out)),
            Cell::new(sizes(farewell.received)),
            Cell::painted(self.ended(row), paint),
        ])
    }

    fn sums<W: Write>(&self, out: &mut String, overview: &Overview<W>, end: Nanos) {
        let all = &overview.all;
        let mut text = format!(
            "  {} conversations with {} {} in {}: {} out, {} in",
            all.count,
            overview.peers.len(),
            if overview.peers.len() == 1 {
                "peer"
            } else {
                "peers"
            },
            self.duration(end),
            self.size(all.out),
            self.size(all.received)
        );
        if all.connects.count > 1 {
            text.push_str(&format!(", connected in {}", self.spread(&all.connects)));
        }
        self.layout.plain(out, &text, Paint::Plain);
        let mut peers: Vec<_> = overview.peers.iter().collect();
        peers.sort_by_key(|(_, sum)| {
            std::cmp::Reverse((sum.failed, sum.waits.sum, sum.out + sum.received))
        });
        let mut heading = SUMS;
        heading[0].0 = "peer";
        self.table(out, &heading, &self.sum_rows(&peers));
        self.rest(out, peers.len(), "peers");
        if overview.processes.len() > 1 {
            let mut processes: Vec<_> = overview.processes.iter().collect();
            processes
                .sort_by_key(|(_, sum)| std::cmp::Reverse((sum.count, sum.out + sum.received)));
            heading[0].0 = "process";
            self.table(out, &heading, &self.sum_rows(&processes));
            self.rest(out, processes.len(), "processes");
        }
        let failed: Vec<_> = overview
            .closed
            .iter()
            .filter(|row| row.failed())
            .take(FAILED)
            .cloned()
            .collect();
        self.conversations(out, &failed, overview.processes.len() > 1);
    }

    fn rest(&self, out: &mut String, count: usize, what: &str) {
        if count > PEERS {
            let text = format!("  and {} more {what}", count - PEERS);
            self.layout.plain(out, &text, Paint::Dim);
        }
    }

    fn sum_rows(&self, sums: &[(&String, &Sum)]) -> Vec<Vec<Cell>> {
        let row = |(key, sum): &(&String, &Sum)| {
            let mut name = (*key).clone();
            if let Some(known) = &sum.name {
                name.push(' ');
                name.push_str(&self.escape.name(known.as_bytes()));
            }
            let mut ended = Vec::new();
            if sum.failed > 0 {
                ended.push(format!("{} never connected", sum.failed));
            }
            if sum.open > 0 {
                ended.push(format!("{} left open", sum.open));
            }
            let paint = if sum.failed > 0 {
                Paint::Error
            } else {
                Paint::Dim
            };
            vec![
                Cell::new(name),
                Cell::new(sum.protocol),
                Cell::new(sum.count.to_string()),
                Cell::new(self.median(&sum.connects)),
                Cell::new(self.median(&sum.tls)),
                Cell::new(match sum.waits.count {
                    0 => String::new(),
                    _ => self.spread(&sum.waits),
                }),
                Cell::new(self.size(sum.out)),
                Cell::new(self.size(sum.received)),
                Cell::painted(ended.join(", "), paint),
            ]
        };
        sums.iter().take(PEERS).map(row).collect()
    }

    fn median(&self, spread: &super::Spread) -> String {
        match spread.count {
            0 => String::new(),
            _ => self.duration(spread.percentile(50)),
        }
    }

    fn spread(&self, spread: &super::Spread) -> String {
        let [middle, most] = [50, 99].map(|percent| self.duration(spread.percentile(percent)));
        format!("{middle} / {most} / {}", self.duration(spread.worst))
    }

    fn names<W: Write>(&self, out: &mut String, overview: &Overview<W>) {
        let names = &overview.names;
        if names.count == 0 {
            return;
        }
        let mut text = match names.count {
            1 => "  1 name asked for".to_owned(),
            count => format!("  {count} names asked for"),
        };
        match overview.failed_names {
            0 => {}
            failed if failed == names.count => text.push_str(", in vain"),
            failed => text.push_str(&format!(", {failed} of them in vain")),
        }
        match names.count {
            1 => text.push_str(&format!(", {}", self.duration(names.worst))),
            _ => text.push_str(&format!(
                ", {} in the middle, {} at worst",
                self.duration(names.percentile(50)),
                self.duration(names.worst)
            )),
        }
        let paint = if overview.failed_names > 0 {
            Paint::Error
        } else {
            Paint::Plain
        };
        self.layout.plain(out, &text, paint);
    }

    fn requests<W: Write>(&self, out: &mut String, overview: &Overview<W>) {
        // Of a few requests each stands in its conversation's row.
        if overview.answered < 4 {
            return;
        }
        let heading: [Column; 6] = [
            ("slowest", true),
            ("in the buffer", true),
            ("size", true),
            ("request", false),
            ("answer", false),
            ("by", false),
        ];
        let title = format!("slowest of {}", overview.answered);
        let rows = overview
            .requests
            .iter()
            .map(|request| self.request(request));
        let rows: Vec<_> = rows.collect();
        self.layout
            .plain(out, &format!("  {title} requests"), Paint::Dim);
        self.table(out, &heading, &rows);
    }

    fn request(&self, request: &Request) -> Vec<Cell> {
        let paint = match request.failed {
            true => Paint::Error,
            false => Paint::Plain,
        };
        let number = u64::try_from(request.number).unwrap_or(0);
        let by = if request.ours {
            "us".to_owned()
        } else {
            request.of.clone()
        };
        vec![
            Cell::new(self.duration(request.took)),
            Cell::new(match request.buffered {
                0 => String::new(),
                buffered => self.duration(buffered),
            }),
            Cell::new(self.size(request.size)),
            Cell::new(self.cut(&request.text)),
            Cell::painted(self.cut(&request.answer), paint),
            Cell::painted(format!("#{number} {by}"), Paint::Conversation(number)),
        ]
    }

    fn calls<W: Write>(&self, out: &mut String, overview: &Overview<W>) {
        if overview.calls.is_empty() {
            return;
        }
        let calls = overview.calls.iter().take(3).map(|call| {
            let who = match overview.processes.len() > 1 {
                true => format!(" of {}", call.who),
                false => String::new(),
            };
            format!(
                "{} #{}{who} {}",
                call.name,
                call.number,
                self.duration(call.took)
            )
        });
        let text = format!("  slowest calls: {}", calls.collect::<Vec<_>>().join(", "));
        self.layout.plain(out, &text, Paint::Plain);
    }

    /// `  12ms: resolve 2ms ▏ connect 3ms ▎ …`, each share with a bar as long as it is.
    fn time<W: Write>(&self, out: &mut String, overview: &Overview<W>, end: Nanos) {
        let (shares, rest) = overview.spent.shares(end);
        let uses = USES.iter().map(|(_, word)| *word).zip(shares);
        let all = uses.chain([("the program itself", rest)]);
        let all: Vec<_> = all.filter(|(_, share)| *share * 1000 > end).collect();
        let pieces = |longest: usize| {
            let mut whole = Spans::default();
            whole.add(Paint::Plain, |out| {
                out.push_str("  ");
                duration(out, end, self.glyphs);
                out.push_str(" in all");
            });
            let shares = all.iter().map(|(word, share)| {
                let mut piece = Spans::default();
                piece.add(Paint::Dim, |out| {
                    out.push_str("   ");
                    out.push_str(word);
                    out.push(' ');
                });
                piece.add(Paint::Plain, |out| {
                    duration(out, *share, self.glyphs);
                    out.push(' ');
                    out.push_str(&self.bar(*share, end, longest));
                });
                piece
            });
            [whole].into_iter().chain(shares).collect::<Vec<_>>()
        };
        let columns = |pieces: &[Spans]| pieces.iter().map(Spans::columns).sum::<usize>();
        let room = self.width.unwrap_or(usize::MAX);
        let tried = [BAR, BAR / 2, BAR / 4].map(pieces);
        let [.., shortest] = &tried;
        let pieces = tried.iter().find(|it| columns(it) <= room);
        let mut line = Spans::default();
        for piece in pieces.unwrap_or(shortest) {
            if line.columns() > 0 && line.columns() + piece.columns() > room {
                self.layout.painted(out, &std::mem::take(&mut line));
                line.add(Paint::Plain, |out| out.push_str("  "));
            }
            line.append(piece);
        }
        self.layout.painted(out, &line);
    }

    /// A bar that would be so long for all of the time.
    fn bar(&self, share: Nanos, of: Nanos, longest: usize) -> String {
        let eighths = (u128::from(share) * 8 * longest as u128 / u128::from(of.max(1))) as usize;
        if !self.escape.unicode {
            return "#".repeat((eighths / 8).max(1));
        }
        let parts = ['▏', '▎', '▍', '▌', '▋', '▊', '▉'];
        let mut bar = "█".repeat(eighths / 8);
        match eighths % 8 {
            0 if eighths > 0 => {}
            0 => bar.push('▏'),
            part => bar.push(parts[part - 1]),
        }
        bar
    }

    fn duration(&self, took: Nanos) -> String {
        let mut text = String::new();
        duration(&mut text, took, self.glyphs);
        text
    }

    fn size(&self, bytes: u64) -> String {
        let mut text = String::new();
        size(&mut text, bytes);
        text
    }

    fn cut(&self, text: &str) -> String {
        let mut text = self
            .escape
            .name(text.as_bytes())
            .replace('→', self.glyphs.to);
        if columns(&text) > REQUEST {
            let end = text
                .char_indices()
                .nth(REQUEST - 1)
                .map_or(text.len(), |(at, _)| at);
            text.truncate(end);
            text.push_str(self.glyphs.cut);
        }
        text
    }

    /// `10.0.0.7:41234 → 93.184.216.34:80 example.com`; in brief without our own end.
    fn ends(&self, conversation: &Conversation, brief: bool) -> String {
        let mut text = String::new();
        let Conversation { local, peer, .. } = conversation;
        let local = local.as_ref().filter(|_| !brief || peer.is_none());
        let (escape, glyphs) = (self.escape, self.glyphs);
        match (conversation.part, local, peer) {
            (Part::Listener(_), Some(local), _) => {
                text.push_str("listens at ");
                address::write(&mut text, local, escape);
            }
            (Part::Accepted, Some(local), Some(peer)) => {
                address::local(&mut text, local, escape);
                text.push(' ');
                text.push_str(glyphs.from);
                text.push(' ');
                address::write(&mut text, peer, escape);
            }
            (Part::Accepted, None, Some(peer)) => {
                text.push_str(glyphs.from);
                text.push(' ');
                address::write(&mut text, peer, escape);
            }
            (Part::Pair, ..) => text.push_str("a pair within the program"),
            (_, local, peer) => words::connection(&mut text, local, peer.as_ref(), escape, glyphs),
        }
        if let Some(name) = &conversation.name {
            text.push(' ');
            text.push_str(&escape.name(name.text.as_bytes()));
        }
        if let Some(far) = conversation.far {
            text.push_str(&format!(" = #{far}"));
        }
        if text.is_empty() {
            text.push_str("with nobody known");
        }
        text
    }

    fn ended(&self, row: &Row) -> String {
        let Some(farewell) = &row.farewell else {
            return String::new();
        };
        match (farewell.fate, farewell.first) {
            (Fate::NeverConnected, _) => {
                let mut text = String::from("never connected");
                if let Some(errno) = row.errno {
                    text.push_str(": ");
                    errno_name(&mut text, errno);
                }
                text
            }
            (Fate::Lost(to), _) => format!("given up: #{to} was faster"),
            (Fate::Open, _) => "left open".into(),
            (Fate::HandedOn, _) => "handed on".into(),
            (Fate::Listened(1), _) => "let 1 peer in".into(),
            (Fate::Listened(count), _) => format!("let {count} peers in"),
            (_, Some(Side::Us)) => "closed by us".into(),
            (_, Some(Side::Peer)) => "closed first by the peer".into(),
            (_, Some(Side::PeerByReset)) => "broken off by the peer".into(),
            (_, None) => "closed".into(),
        }
    }
}

/// With whom a conversation is, for sums: the peer's address; of those who come, the listener's.
pub fn peer(conversation: &Conversation, escape: Escape) -> String {
    let mut text = String::new();
    match (conversation.part, &conversation.local, &conversation.peer) {
        (Part::Accepted | Part::Listener(_), Some(local), _) => {
            text.push_str("who came to ");
            address::local(&mut text, local, escape);
        }
        (Part::Pair, ..) => text.push_str("within the program"),
        (_, _, Some(peer)) => address::write(&mut text, peer, escape),
        _ => text.push_str("nobody known"),
    }
    text
}

/// Who answers: by name where there is one.
pub fn server(conversation: &Conversation, escape: Escape) -> String {
    match (&conversation.name, &conversation.peer) {
        (Some(name), Some(SockAddr::Inet { port, .. } | SockAddr::Inet6 { port, .. })) => {
            format!("{}:{port}", escape.name(name.text.as_bytes()))
        }
        (Some(name), _) => escape.name(name.text.as_bytes()),
        _ => peer(conversation, escape),
    }
}
