//! Several outputs of one run.

use std::io;

use super::Output;
use crate::story::Told;

/// Shows everything in each of them, in their order.
pub struct Several(pub Vec<Box<dyn Output>>);

impl Output for Several {
    fn show(&mut self, told: &Told) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|output| output.show(told))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|output| output.flush())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.iter_mut().try_for_each(|output| output.finish())
    }
}
