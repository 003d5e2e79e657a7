//! How a file of data is compressed, by what its name ends in; and how one is read, by what it begins with.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use flate2::Compression;
use flate2::bufread::MultiGzDecoder;
use flate2::write::GzEncoder;
use zstd::stream::{read, write};

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// Not at all.
    Plain,
    /// Zstandard (RFC 8878).
    Zstd,
    /// gzip (RFC 1952).
    Gzip,
}

impl Codec {
    /// By the end of a file's name.
    pub fn of(path: &Path) -> Self {
        let extension = path.extension().map(|end| end.to_ascii_lowercase());
        match extension.as_deref().and_then(|end| end.to_str()) {
            Some("zst" | "zstd") => Self::Zstd,
            Some("gz") => Self::Gzip,
            _ => Self::Plain,
        }
    }
}

/// How hard zstd and gzip try: it has to be quick, since a program may wait for it.
const LEVEL: u8 = 1;

/// Compresses what goes to `W`.
pub enum Encoder<W: Write> {
    /// As it is.
    Plain(W),
    /// Zstandard.
    Zstd(Box<write::Encoder<'static, W>>),
    /// gzip.
    Gzip(Box<GzEncoder<W>>),
}

impl<W: Write> Encoder<W> {
    /// Compresses in that way.
    ///
    /// # Errors
    /// There is no memory for it.
    pub fn new(codec: Codec, out: W) -> io::Result<Self> {
        Ok(match codec {
            Codec::Plain => Self::Plain(out),
            Codec::Zstd => Self::Zstd(Box::new(write::Encoder::new(out, LEVEL.into())?)),
            Codec::Gzip => Self::Gzip(Box::new(GzEncoder::new(
                out,
                Compression::new(LEVEL.into()),
            ))),
        })
    }

    /// Where it goes.
    pub fn place(&self) -> &W {
        match self {
            Self::Plain(out) => out,
            Self::Zstd(encoder) => encoder.get_ref(),
            Self::Gzip(encoder) => encoder.get_ref(),
        }
    }

    /// Ends what is compressed.
    ///
    /// # Errors
    /// Those of its place.
    pub fn finish(self) -> io::Result<W> {
        let mut out = match self {
            Self::Plain(out) => out,
            Self::Zstd(encoder) => encoder.finish()?,
            Self::Gzip(encoder) => encoder.finish()?,
        };
        out.flush()?;
        Ok(out)
    }
}

impl<W: Write> Write for Encoder<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(out) => out.write(bytes),
            Self::Zstd(encoder) => encoder.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(out) => out.flush(),
            Self::Zstd(encoder) => encoder.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// A file by its place in a file system, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    /// That of a file.
    ///
    /// # Errors
    /// The file system does not tell.
    pub fn of(file: &File) -> io::Result<Self> {
        let metadata = file.metadata()?;
        Ok(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
        })
    }
}

/// Opens a trace to be read, compressed or not.
///
/// # Errors
/// One line that says which file, and why.
pub fn open_input(path: &Path) -> Result<(Box<dyn BufRead>, FileIdentity), String> {
    let cannot = |error: io::Error| format!("cannot read the trace {}: {error}", path.display());
    let file = File::open(path).map_err(cannot)?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(cannot(io::ErrorKind::IsADirectory.into()));
    }
    let identity = FileIdentity::of(&file).map_err(cannot)?;
    let reader = decode(BufReader::with_capacity(super::BUFFER, file)).map_err(cannot)?;
    Ok((reader, identity))
}

/// Reads what was compressed by either codec, or by none.
fn decode(mut input: impl BufRead + 'static) -> io::Result<Box<dyn BufRead>> {
    // A pipe may give them one by one.
    let mut first = [0; 4];
    let mut read = 0;
    while read < first.len() {
        match input.read(&mut first[read..])? {
            0 => break,
            more => read += more,
        }
    }
    let whole = io::Cursor::new(first).take(read as u64).chain(input);
    let whole = BufReader::with_capacity(super::BUFFER, whole);
    Ok(match first {
        [0x28, 0xb5, 0x2f, 0xfd] => buffered(read::Decoder::with_buffer(whole)?),
        [0x1f, 0x8b, ..] => buffered(MultiGzDecoder::new(whole)),
        _ => Box::new(whole),
    })
}

fn buffered(reader: impl Read + 'static) -> Box<dyn BufRead> {
    Box::new(BufReader::with_capacity(super::BUFFER, reader))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"{\"type\":\"header\"}\n{\"type\":\"call\"}\n{\"type\":\"exit\"}\n";

    fn encoded(codec: Codec) -> Vec<u8> {
        let mut encoder = Encoder::new(codec, Vec::new()).expect("room");
        encoder.write_all(TEXT).expect("a Vec takes all");
        encoder.finish().expect("a Vec takes all")
    }

    #[test]
    fn what_was_compressed_is_read_back_up_to_where_it_is_cut() {
        for codec in [Codec::Plain, Codec::Zstd, Codec::Gzip] {
            let all = encoded(codec);
            for len in 0..=all.len() {
                let mut back = Vec::new();
                let result = decode(io::Cursor::new(all[..len].to_vec()))
                    .and_then(|mut reader| reader.read_to_end(&mut back));
                assert!(TEXT.starts_with(&back) || len < 4, "{codec:?} cut at {len}");
                if len == all.len() {
                    assert_eq!(back, TEXT);
                } else if codec != Codec::Plain && len >= 4 {
                    let kind = result.expect_err("it is cut off").kind();
                    assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{codec:?} cut at {len}");
                }
            }
        }
    }

    #[test]
    fn all_that_was_flushed_before_the_cut_is_read_back() {
        // Longer than any buffer between, and not the same again and again.
        let numbers = (0..60_000_u32).map(|number| number.wrapping_mul(2_654_435_761));
        let lines: Vec<String> = numbers.map(|number| format!("{number:x}\n")).collect();
        for codec in [Codec::Zstd, Codec::Gzip] {
            let mut encoder = Encoder::new(codec, Vec::new()).expect("room");
            let (mut text, mut flushed) = (Vec::new(), Vec::new());
            for chunk in lines.chunks(10_000) {
                let chunk = chunk.concat().into_bytes();
                encoder.write_all(&chunk).expect("a Vec takes all");
                encoder.flush().expect("a Vec takes all");
                text.extend(chunk);
                flushed.push((encoder.place().len(), text.len()));
            }
            let all = encoder.finish().expect("a Vec takes all");
            for (at, known) in flushed {
                for cut in [at, at + 1, at + 2] {
                    let cut = cut.min(all.len() - 1);
                    let mut back = Vec::new();
                    let ended = decode(io::Cursor::new(all[..cut].to_vec()))
                        .and_then(|mut reader| reader.read_to_end(&mut back));
                    let kind = ended.expect_err("it is cut off").kind();
                    assert_eq!(kind, io::ErrorKind::UnexpectedEof, "{codec:?} cut at {cut}");
                    assert!(text.starts_with(&back), "{codec:?} cut at {cut}");
                    assert!(back.len() >= known, "{codec:?} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn parts_that_follow_each_other_are_one() {
        for codec in [Codec::Zstd, Codec::Gzip] {
            let mut twice = encoded(codec);
            twice.extend(encoded(codec));
            let mut back = Vec::new();
            let mut reader = decode(io::Cursor::new(twice)).expect("it begins");
            reader.read_to_end(&mut back).expect("it is whole");
            assert_eq!(back, [TEXT, TEXT].concat());
        }
    }

    #[test]
    fn what_was_flushed_can_be_read_before_the_end() {
        for codec in [Codec::Plain, Codec::Zstd, Codec::Gzip] {
            let mut encoder = Encoder::new(codec, Vec::new()).expect("room");
            encoder.write_all(TEXT).expect("a Vec takes all");
            encoder.flush().expect("a Vec takes all");
            let mut back = vec![0; TEXT.len()];
            let mut reader = decode(io::Cursor::new(encoder.place().clone())).expect("it begins");
            reader.read_exact(&mut back).expect("all of it is there");
            assert_eq!(back, TEXT);
        }
    }
}
