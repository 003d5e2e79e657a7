//! Several outputs of one run: where one fails, the others go on.

use std::io;

use super::Output;
use crate::story::Told;
use crate::tracer::event::Nanos;

/// Shows everything in each of them, in their order.
#[derive(Default)]
pub struct Several {
    outputs: Vec<(String, Box<dyn Output>)>,
    failures: Vec<(String, io::Error)>,
}

impl Several {
    /// Adds an output, by the name of the place that it writes to.
    pub fn add(&mut self, name: impl Into<String>, output: impl Output + 'static) {
        self.outputs.push((name.into(), Box::new(output)));
    }

    /// Whether anything is still shown.
    pub fn shows(&self) -> bool {
        !self.outputs.is_empty()
    }

    /// Shows what was told in each of them.
    pub fn show(&mut self, told: &Told) {
        self.each(|output| output.show(told));
    }

    /// Writes out what is buffered.
    pub fn flush(&mut self) {
        self.each(|output| output.flush());
    }

    /// The trace is over, so many ns after it began. Gives those that are not complete, each with the name of its place and the reason.
    /// One whose reader has seen enough is as complete as it was to be.
    pub fn finish(mut self, end: Nanos) -> Vec<(String, io::Error)> {
        self.each(|output| output.finish(end));
        self.failures
    }

    fn each(&mut self, mut act: impl FnMut(&mut dyn Output) -> io::Result<()>) {
        let failures = &mut self.failures;
        self.outputs
            .retain_mut(|(name, output)| match act(&mut **output) {
                Ok(()) => true,
                Err(error) => {
                    if error.kind() != io::ErrorKind::BrokenPipe {
                        failures.push((std::mem::take(name), error));
                    }
                    false
                }
            });
    }
}
