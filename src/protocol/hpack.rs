//! HPACK (RFC 7541): how HTTP/2 packs the fields of a head. Only the unpacking, of connections whose beginning may be unknown.
//!
//! An entry of the dynamic table that was made before the listener came is reported as unknown; those made since have the same
//! numbers as at the peer's. So no field is ever taken for another one.

use std::collections::VecDeque;
use std::ops::Range;

/// The most that the dynamic table keeps, by the measure of section 4.1, whatever the peers agree on.
const TABLE: usize = 64 * 1024;
/// How large it is where nobody has said otherwise (RFC 9113 section 6.5.2).
const USUAL: usize = 4096;
/// What an entry counts beside its bytes (section 4.1).
const OVERHEAD: usize = 32;
/// The largest integer that is believed (section 5.1 leaves the bound open).
const INTEGER: usize = 1 << 28;

/// The static table (appendix A), from number 1 on.
const STATIC: &[(&[u8], &[u8]); 61] = &[
    (b":authority", b""),
    (b":method", b"GET"),
    (b":method", b"POST"),
    (b":path", b"/"),
    (b":path", b"/index.html"),
    (b":scheme", b"http"),
    (b":scheme", b"https"),
    (b":status", b"200"),
    (b":status", b"204"),
    (b":status", b"206"),
    (b":status", b"304"),
    (b":status", b"400"),
    (b":status", b"404"),
    (b":status", b"500"),
    (b"accept-charset", b""),
    (b"accept-encoding", b"gzip, deflate"),
    (b"accept-language", b""),
    (b"accept-ranges", b""),
    (b"accept", b""),
    (b"access-control-allow-origin", b""),
    (b"age", b""),
    (b"allow", b""),
    (b"authorization", b""),
    (b"cache-control", b""),
    (b"content-disposition", b""),
    (b"content-encoding", b""),
    (b"content-language", b""),
    (b"content-length", b""),
    (b"content-location", b""),
    (b"content-range", b""),
    (b"content-type", b""),
    (b"cookie", b""),
    (b"date", b""),
    (b"etag", b""),
    (b"expect", b""),
    (b"expires", b""),
    (b"from", b""),
    (b"host", b""),
    (b"if-match", b""),
    (b"if-modified-since", b""),
    (b"if-none-match", b""),
    (b"if-range", b""),
    (b"if-unmodified-since", b""),
    (b"last-modified", b""),
    (b"link", b""),
    (b"location", b""),
    (b"max-forwards", b""),
    (b"proxy-authenticate", b""),
    (b"proxy-authorization", b""),
    (b"range", b""),
    (b"referer", b""),
    (b"refresh", b""),
    (b"retry-after", b""),
    (b"server", b""),
    (b"set-cookie", b""),
    (b"strict-transport-security", b""),
    (b"transfer-encoding", b""),
    (b"user-agent", b""),
    (b"vary", b""),
    (b"via", b""),
    (b"www-authenticate", b""),
];

/// How many bits the code of each symbol has (appendix B); the last symbol is EOS. The code is canonical: nothing else is needed.
const LENGTHS: &[u8; 257] = &[
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5,
    5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6,
    6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22,
    23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22,
    21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20,
    22, 22, 22, 23, 22, 22, 23, 26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19,
    21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22,
    22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];
/// The longest code.
const LONGEST: usize = 30;

/// What follows from [`LENGTHS`].
struct Code {
    /// How many codes have so many bits.
    counts: [u32; LONGEST + 1],
    /// The symbols, those with shorter codes first.
    symbols: [u16; LENGTHS.len()],
}

const CODE: Code = {
    let (mut counts, mut symbols) = ([0; LONGEST + 1], [0; LENGTHS.len()]);
    let (mut placed, mut length) = (0, 1);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                symbols[placed] = symbol as u16;
                counts[length] += 1;
                placed += 1;
            }
            symbol += 1;
        }
        length += 1;
    }
    Code { counts, symbols }
};

/// A field of a head.
#[derive(Debug)]
pub struct Field<'a> {
    /// Its name, in lower case; nothing where only the peers know it.
    pub name: Option<&'a [u8]>,
    /// Its value.
    pub value: &'a [u8],
    /// Where the value stands in the block; empty where the block only points to it.
    pub at: Range<usize>,
    /// Whether its sender wants nobody to keep it (section 7.1.3).
    pub guarded: bool,
}

/// The block makes no sense, or ends too early.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

/// What one side's blocks have taught: the dynamic table (section 2.3.2).
#[derive(Debug)]
pub struct Hpack {
    /// The latest entry first.
    entries: VecDeque<(Option<Vec<u8>>, Vec<u8>)>,
    size: usize,
    limit: usize,
    /// Whether these are all that the peers have.
    complete: bool,
}

impl Hpack {
    /// Listens from the first block on.
    pub fn from_start() -> Self {
        Self {
            entries: VecDeque::new(),
            size: 0,
            limit: USUAL,
            complete: true,
        }
    }

    /// Listens to a connection that blocks have passed on already.
    pub fn from_amid() -> Self {
        Self {
            limit: TABLE,
            complete: false,
            ..Self::from_start()
        }
    }

    /// Hands over each field of a block. What came before an error has been handed over.
    pub fn read(&mut self, block: &[u8], mut each: impl FnMut(Field<'_>)) -> Result<(), Broken> {
        let mut at = 0;
        while let Some(first) = block.get(at) {
            match first {
                // An entry (section 6.1).
                0x80.. => {
                    let number = integer(block, &mut at, 7)?;
                    let (name, value) = self.entry(number)?;
                    each(Field {
                        name,
                        value,
                        at: 0..0,
                        guarded: false,
                    });
                }
                // A new size of the table (section 6.3).
                0x20..0x40 => {
                    self.limit = integer(block, &mut at, 5)?;
                    self.evict();
                }
                // A field in full, or with the name of an entry (section 6.2).
                _ => {
                    let kept = first & 0x40 != 0;
                    let guarded = !kept && first & 0x10 != 0;
                    let number = integer(block, &mut at, if kept { 6 } else { 4 })?;
                    let name = match number {
                        0 => Some(string(block, &mut at)?.0),
                        _ => self.entry(number)?.0.map(<[u8]>::to_vec),
                    };
                    let (value, place) = string(block, &mut at)?;
                    each(Field {
                        name: name.as_deref(),
                        value: &value,
                        at: place,
                        guarded,
                    });
                    if kept {
                        self.add(name, value);
                    }
                }
            }
        }
        Ok(())
    }

    /// The entry of that number (section 2.3.3): a nameless one where it was made before anybody listened.
    fn entry(&self, number: usize) -> Result<(Option<&[u8]>, &[u8]), Broken> {
        let index = number.checked_sub(1).ok_or(Broken)?;
        if let Some((name, value)) = STATIC.get(index) {
            return Ok((Some(name), value));
        }
        match self.entries.get(index - STATIC.len()) {
            Some((name, value)) => Ok((name.as_deref(), value)),
            None if self.complete => Err(Broken),
            None => Ok((None, &[])),
        }
    }

    fn add(&mut self, name: Option<Vec<u8>>, value: Vec<u8>) {
        // Of an unknown name the length is unknown too: more is kept than need be, which nobody points to.
        self.size += measure(name.as_deref(), &value);
        self.entries.push_front((name, value));
        self.evict();
    }

    fn evict(&mut self) {
        while self.size > self.limit.min(TABLE) {
            let Some((name, value)) = self.entries.pop_back() else {
                break;
            };
            // The peers may still have what there is no room for here.
            self.complete &= self.size > self.limit;
            self.size -= measure(name.as_deref(), &value);
        }
    }
}

fn measure(name: Option<&[u8]>, value: &[u8]) -> usize {
    name.map_or(0, <[u8]>::len) + value.len() + OVERHEAD
}

/// An integer with a prefix of so many bits (section 5.1).
fn integer(block: &[u8], at: &mut usize, prefix: u8) -> Result<usize, Broken> {
    let mut next = || {
        let byte = block.get(*at).copied().ok_or(Broken)?;
        *at += 1;
        Ok(byte)
    };
    let most = 0xFF_u8 >> (8 - prefix);
    let first = next()? & most;
    let mut value = usize::from(first);
    if first < most {
        return Ok(value);
    }
    for shift in (0..28).step_by(7) {
        let byte = next()?;
        value += usize::from(byte & 0x7F) << shift;
        if byte & 0x80 == 0 {
            return if value <= INTEGER {
                Ok(value)
            } else {
                Err(Broken)
            };
        }
    }
    Err(Broken)
}

/// A string (section 5.2), and where it stands.
fn string(block: &[u8], at: &mut usize) -> Result<(Vec<u8>, Range<usize>), Broken> {
    let packed = block.get(*at).ok_or(Broken)? & 0x80 != 0;
    let length = integer(block, at, 7)?;
    let place = *at..*at + length;
    let bytes = block.get(place.clone()).ok_or(Broken)?;
    *at = place.end;
    let value = match packed {
        true => unpack(bytes)?,
        false => bytes.to_vec(),
    };
    Ok((value, place))
}

/// Undoes the Huffman code.
fn unpack(bytes: &[u8]) -> Result<Vec<u8>, Broken> {
    let mut text = Vec::with_capacity(bytes.len() * 8 / 5);
    // The code so far, its length, and of this length the first code and how many symbols have shorter ones.
    let (mut code, mut length, mut first, mut shorter) = (0_u32, 0, 0_u32, 0_u32);
    for bit in bytes
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1))
    {
        length += 1;
        code = code << 1 | u32::from(bit);
        first <<= 1;
        let count = *CODE.counts.get(length).ok_or(Broken)?;
        if code - first < count {
            let symbol = CODE.symbols[(shorter + code - first) as usize];
            text.push(u8::try_from(symbol).map_err(|_| Broken)?);
            (code, length, first, shorter) = (0, 0, 0, 0);
        } else {
            first += count;
            shorter += count;
        }
    }
    // The rest is padding: fewer bits than a byte, all of them set.
    match length < 8 && code == (1 << length) - 1 {
        true => Ok(text),
        false => Err(Broken),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn fields(hpack: &mut Hpack, block: &[u8]) -> Result<Vec<String>, Broken> {
        let mut fields = Vec::new();
        hpack.read(block, |field| {
            let name = field.name.map_or("?".into(), String::from_utf8_lossy);
            let value = String::from_utf8_lossy(field.value);
            let guarded = if field.guarded { " (guarded)" } else { "" };
            fields.push(format!("{name}: {value}{guarded}"));
        })?;
        Ok(fields)
    }

    // The examples of appendix C.4, and one of C.2.3.
    const FIRST: &[u8] = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
    const SECOND: &[u8] = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
    const THIRD: &[u8] = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";

    #[test]
    fn the_examples_of_the_rfc() {
        let mut hpack = Hpack::from_start();
        let usual = [
            ":method: GET",
            ":scheme: http",
            ":path: /",
            ":authority: www.example.com",
        ];
        assert_eq!(fields(&mut hpack, FIRST).expect("C.4.1"), usual);
        let second = fields(&mut hpack, SECOND).expect("C.4.2");
        assert_eq!(second[3..], [usual[3], "cache-control: no-cache"]);
        let third = fields(&mut hpack, THIRD).expect("C.4.3");
        assert_eq!(
            third[1..],
            [
                ":scheme: https",
                ":path: /index.html",
                usual[3],
                "custom-key: custom-value"
            ]
        );
        assert_eq!(hpack.size, 164);
        let guarded = fields(&mut hpack, b"\x10\x08password\x06secret");
        assert_eq!(guarded.expect("C.2.3"), ["password: secret (guarded)"]);
    }

    #[test]
    fn what_nobody_heard_stays_unknown() {
        let mut hpack = Hpack::from_amid();
        let second = fields(&mut hpack, SECOND).expect("fields");
        assert_eq!(second[2..], [":path: /", "?: ", "cache-control: no-cache"]);
        // What was told since is known by its number.
        assert_eq!(
            fields(&mut hpack, b"\xbe").expect("a field"),
            ["cache-control: no-cache"]
        );
        assert_eq!(
            fields(&mut hpack, b"\x7f\x00\x01x").expect("a field"),
            ["?: x"]
        );
        assert_eq!(fields(&mut Hpack::from_start(), SECOND), Err(Broken));
    }

    #[test]
    fn a_table_larger_than_is_kept_is_no_longer_complete() {
        let mut hpack = Hpack::from_start();
        // A size of 256 KiB, and fields of 40,000 bytes.
        fields(&mut hpack, b"\x3f\xe1\xff\x0f").expect("a size");
        let field = [b"\x40\x01a\x7f\xc1\xb7\x02", &[b'x'; 40_000][..]].concat();
        fields(&mut hpack, &field).expect("a field");
        assert!(hpack.complete);
        fields(&mut hpack, &field).expect("a field");
        assert!(!hpack.complete && hpack.size <= TABLE);
        assert_eq!(fields(&mut hpack, b"\xbf").expect("a field"), ["?: "]);
    }

    proptest! {
        #[test]
        fn anything_is_borne(blocks in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..80), 1..8), start: bool) {
            let mut hpack = if start { Hpack::from_start() } else { Hpack::from_amid() };
            for block in &blocks {
                let _ = hpack.read(block, |field| assert!(field.at.end <= block.len()));
                prop_assert!(hpack.size <= TABLE);
            }
        }
    }
}
