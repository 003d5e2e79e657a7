//! An output for each process, made when the process first has something to tell (`-ff`).

use std::io;

use rustc_hash::{FxHashMap, FxHashSet};

use super::Output;
use crate::story::{Told, What};
use crate::tracer::event::{Change, Nanos};

/// Divides what is told among outputs by process. What is nobody's goes to the one made last.
pub struct PerProcess<F> {
    open: F,
    outputs: FxHashMap<i32, Box<dyn Output>>,
    /// Those that have had one.
    known: FxHashSet<i32>,
    last: i32,
}

impl<F: FnMut(i32, bool) -> io::Result<Box<dyn Output>>> PerProcess<F> {
    /// `open` makes the output of a process, and is told whether it has made one for that number before.
    pub fn new(open: F) -> Self {
        Self {
            open,
            outputs: FxHashMap::default(),
            known: FxHashSet::default(),
            last: 0,
        }
    }
}

impl<F: FnMut(i32, bool) -> io::Result<Box<dyn Output>>> Output for PerProcess<F> {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        // What was found is of the run, and has a place of its own.
        if matches!(told.what, What::Found(_) | What::AllFound(_)) {
            return Ok(());
        }
        let pid = told.who.as_ref().map_or(self.last, |who| who.pid);
        if !self.outputs.contains_key(&pid) {
            let again = !self.known.insert(pid);
            self.outputs.insert(pid, (self.open)(pid, again)?);
            self.last = pid;
        }
        if let Some(output) = self.outputs.get_mut(&pid) {
            output.show(told)?;
        }
        // A number may come again for another process, whose file it then is too; an open file for each that ever was would run out.
        if let What::Process(event) = &told.what
            && matches!(event.change, Change::Ended { process: true, .. })
            && let Some(mut output) = self.outputs.remove(&pid)
        {
            output.finish(told.time)?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.outputs
            .values_mut()
            .try_for_each(|output| output.flush())
    }

    fn finish(&mut self, end: Nanos) -> io::Result<()> {
        self.outputs
            .values_mut()
            .try_for_each(|output| output.finish(end))
    }
}
