//! Where data goes: a file, compressed by its name and rotated by its size, or another program's standard input.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::process::ChildStdin;

use super::codec::{Codec, Encoder, FileIdentity};
use super::command::{self, Consumer};
use super::pattern::{NameFacts, expand, part};
use crate::cli::Target;

/// An open place for data.
pub struct Sink {
    name: String,
    encoder: Option<Encoder<Counted>>,
    /// Who reads it. The encoder, and with it the command's input, has to go first.
    consumer: Option<Consumer>,
    codec: Codec,
    /// The file that it began with, and how long one may get.
    path: Option<PathBuf>,
    rotate: Option<u64>,
    /// What no file of it may be.
    inputs: Vec<FileIdentity>,
    part: u32,
    /// Files that have been written to their ends.
    written: Vec<Written>,
    /// Whether anything was written since the last flush.
    dirty: bool,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The file's path, or `|COMMAND`.
    pub name: String,
    /// How many bytes of a file there are, or were handed to a command.
    pub bytes: u64,
}

/// A file or a command, and how many bytes went there.
struct Counted {
    place: Raw,
    bytes: u64,
}

enum Raw {
    File(BufWriter<File>),
    Command(BufWriter<ChildStdin>),
}

impl Raw {
    /// Whether it is a file that keeps what is written.
    fn is_regular(&self) -> bool {
        match self {
            Self::File(file) => super::is_regular(file.get_ref()),
            Self::Command(_) => false,
        }
    }
}

impl Sink {
    /// Opens it. A file's name says how it is compressed, unless `codec` does; with `rotate` another file follows after so many bytes.
    ///
    /// # Errors
    /// One line that says what could not be opened, and why: it may be one of the `inputs`, which must not be lost.
    pub fn open(
        target: &Target,
        facts: &NameFacts,
        codec: Option<Codec>,
        rotate: Option<u64>,
        inputs: &[FileIdentity],
    ) -> Result<Self, String> {
        let (place, name, path, consumer) = match target {
            Target::File(pattern) => {
                let path = expand(pattern, facts);
                let file = super::new_file(&path, inputs)?;
                let name = path.display().to_string();
                (Raw::File(file), name, Some(path), None)
            }
            Target::Command(command) => {
                let (input, consumer) = command::start(command)?;
                let name = format!("|{}", command.display());
                (Raw::Command(input), name, None, Some(consumer))
            }
        };
        // What is written to a pipe or a device does not stay there: no other file could go on from it.
        let rotate = rotate.filter(|_| place.is_regular());
        let codec = codec.unwrap_or(path.as_deref().map_or(Codec::Plain, Codec::of));
        let encoder = Encoder::new(codec, Counted { place, bytes: 0 })
            .map_err(|error| format!("cannot write the trace to {name}: {error}"))?;
        Ok(Self {
            name,
            encoder: Some(encoder),
            consumer,
            codec,
            path,
            rotate,
            inputs: inputs.to_vec(),
            part: 0,
            written: Vec::new(),
            dirty: false,
        })
    }

    /// The name of the place that it writes to: a path, or `|COMMAND`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Goes on in another file where this one is long enough. Then that needs a beginning of its own.
    ///
    /// # Errors
    /// This file could not be ended, or the other not begun.
    pub fn rotate_if_due(&mut self) -> io::Result<bool> {
        let due = match (&self.encoder, self.rotate) {
            (Some(encoder), Some(most)) => encoder.place().bytes >= most,
            _ => false,
        };
        let Some(first) = self.path.clone().filter(|_| due) else {
            return Ok(false);
        };
        self.end_file()?;
        self.part += 1;
        let path = part(&first, self.part);
        self.name = path.display().to_string();
        let file = super::new_file(&path, &self.inputs).map_err(io::Error::other)?;
        let place = Raw::File(file);
        self.encoder = Some(Encoder::new(self.codec, Counted { place, bytes: 0 })?);
        Ok(true)
    }

    /// Ends it, waits for a command to end, and says what was written.
    ///
    /// # Errors
    /// Not all of it could be.
    pub fn finish(mut self) -> io::Result<Vec<Written>> {
        self.end_file()?;
        Ok(self.written)
    }

    fn end_file(&mut self) -> io::Result<()> {
        let Some(encoder) = self.encoder.take() else {
            return Ok(());
        };
        let Counted { place, bytes } = encoder.finish()?;
        drop(place);
        // It may still have something to write.
        drop(self.consumer.take());
        self.written.push(Written {
            name: self.name.clone(),
            bytes,
        });
        Ok(())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.dirty = true;
        match &mut self.encoder {
            Some(encoder) => encoder.write(bytes),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        }
    }

    /// What was written can be read by others from now on, even if we are killed.
    fn flush(&mut self) -> io::Result<()> {
        match &mut self.encoder {
            // Each flush makes what is compressed longer.
            Some(encoder) if self.dirty => {
                self.dirty = false;
                encoder.flush()
            }
            _ => Ok(()),
        }
    }
}

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.place {
            Raw::File(file) => file.write(bytes)?,
            Raw::Command(input) => input.write(bytes)?,
        };
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.place {
            Raw::File(file) => file.flush(),
            Raw::Command(input) => input.flush(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Read;
    use std::os::unix::fs::PermissionsExt;
    use std::time::UNIX_EPOCH;

    use nix::sys::stat::Mode;
    use nix::unistd::mkfifo;

    use super::super::open_input;
    use super::*;

    fn facts() -> NameFacts {
        NameFacts {
            host: "here".into(),
            pid: 7,
            time: UNIX_EPOCH,
        }
    }

    fn open(path: PathBuf, rotate: Option<u64>) -> Sink {
        Sink::open(&Target::File(path), &facts(), None, rotate, &[]).expect("it can be written")
    }

    fn read(path: &std::path::Path) -> String {
        let mut text = String::new();
        let (mut reader, _) = open_input(path).expect("it is there");
        reader.read_to_string(&mut text).expect("it is whole");
        text
    }

    #[test]
    fn files_are_their_owners_and_end_when_they_are_long_enough() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["t.ndjson", "t.ndjson.zst", "t.ndjson.gz"] {
            let mut sink = open(folder.path().join(name), Some(64));
            let mut parts = vec![String::new()];
            for number in 0..400_u32 {
                if sink.rotate_if_due().expect("another file") {
                    parts.push(String::new());
                }
                let line = format!("{}\n", number.wrapping_mul(2_654_435_761));
                sink.write_all(line.as_bytes()).expect("room");
                sink.flush().expect("room");
                parts.last_mut().expect("one").push_str(&line);
            }
            let written = sink.finish().expect("room");
            assert!(parts.len() > 2, "{name}");
            assert_eq!(written.len(), parts.len(), "{name}");
            for (file, part) in written.iter().zip(&parts) {
                let path = std::path::Path::new(&file.name);
                assert_eq!(read(path), *part);
                let metadata = fs::metadata(path).expect("a file");
                assert_eq!(metadata.len(), file.bytes);
                assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            }
        }
    }

    #[test]
    fn what_is_being_read_is_not_overwritten() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("input");
        fs::write(&path, "what it says").expect("room");
        let (_reader, identity) = open_input(&path).expect("it is there");
        let link = folder.path().join("link");
        fs::hard_link(&path, &link).expect("a link");
        let target = Target::File(link.clone());
        let Err(refusal) = Sink::open(&target, &facts(), None, None, &[identity]) else {
            panic!("it was opened");
        };
        assert!(
            refusal.contains("is the trace that is being read"),
            "{refusal}"
        );
        assert_eq!(read(&path), "what it says");
    }

    #[test]
    fn no_part_overwrites_what_is_being_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("t.1.ndjson");
        fs::write(&path, "what it says").expect("room");
        let (_reader, identity) = open_input(&path).expect("it is there");
        let target = Target::File(folder.path().join("t.ndjson"));
        let mut sink =
            Sink::open(&target, &facts(), None, Some(1), &[identity]).expect("another file");
        sink.write_all(b"words").expect("room");
        sink.flush().expect("room");
        let refusal = sink.rotate_if_due().expect_err("it is being read");
        assert!(
            refusal
                .to_string()
                .contains("is the trace that is being read"),
            "{refusal}"
        );
        assert_eq!(read(&path), "what it says");
    }

    #[test]
    fn what_is_no_file_has_no_parts() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("pipe");
        mkfifo(&path, Mode::S_IRWXU).expect("a pipe");
        // Open for both, it waits for nobody.
        let reader = fs::File::options().read(true).write(true).open(&path);
        let mut reader = reader.expect("a pipe");
        let mut sink = open(path.clone(), Some(1));
        sink.write_all(b"words").expect("a pipe");
        sink.flush().expect("a pipe");
        assert!(!sink.rotate_if_due().expect("nothing to do"));
        assert_eq!(sink.finish().expect("a pipe").len(), 1);
        let mut back = [0; 5];
        reader.read_exact(&mut back).expect("all of it");
        assert_eq!(&back, b"words");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_device_is_not_emptied_and_may_be_full() {
        let mut sink = open("/dev/null".into(), None);
        sink.write_all(b"words").expect("room");
        assert_eq!(sink.finish().expect("room")[0].bytes, 5);
        for codec in [Codec::Plain, Codec::Zstd, Codec::Gzip] {
            let target = Target::File("/dev/full".into());
            let sink = Sink::open(&target, &facts(), Some(codec), None, &[]);
            let mut sink = sink.expect("it can be opened");
            sink.write_all(b"words").expect("they are kept");
            let error = sink.flush().expect_err("it is full");
            assert_eq!(error.kind(), io::ErrorKind::StorageFull, "{codec:?}");
        }
    }

    #[test]
    fn a_folder_that_is_not_there_is_told_in_one_line() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no/t.zst");
        let target = Target::File(path.clone());
        let Err(refusal) = Sink::open(&target, &facts(), None, None, &[]) else {
            panic!("it was opened");
        };
        let expected = format!("cannot write the trace to {}: No such", path.display());
        assert!(refusal.starts_with(&expected), "{refusal}");
    }

    #[test]
    fn what_was_flushed_can_be_read_though_the_end_never_comes() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["t.ndjson", "t.NDJSON.ZST", "t.ndjson.gz"] {
            let path = folder.path().join(name);
            let mut sink = open(path.clone(), None);
            let length = |path| fs::metadata(path).expect("a file").len();
            sink.write_all(b"words").expect("room");
            sink.flush().expect("room");
            let flushed = length(&path);
            sink.flush().expect("nothing to do");
            assert_eq!(length(&path), flushed, "{name}");
            let (mut reader, _) = open_input(&path).expect("it is there");
            let mut back = Vec::new();
            let ended = reader.read_to_end(&mut back);
            assert_eq!(back, b"words", "{name}");
            match sink.codec {
                Codec::Plain => assert!(ended.is_ok()),
                _ => assert_eq!(
                    ended.expect_err("it goes on").kind(),
                    io::ErrorKind::UnexpectedEof,
                    "{name}"
                ),
            }
        }
    }

    #[test]
    fn a_command_gets_all_and_is_waited_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("copy");
        let target = Target::Command(format!("cat >'{}'", path.display()).into());
        let mut sink = Sink::open(&target, &facts(), None, Some(1), &[]).expect("a shell");
        sink.write_all(b"words").expect("a pipe");
        assert!(!sink.rotate_if_due().expect("nothing to do"));
        let written = sink.finish().expect("it ended well");
        assert_eq!(written[0].bytes, 5);
        assert_eq!(read(&path), "words");
    }
}
