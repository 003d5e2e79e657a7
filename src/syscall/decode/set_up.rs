//! Arguments of setsockopt(2), getsockopt(2), fcntl(2) and ioctl(2), which depend on an option, a command or a request.

use super::Decoder;
use crate::syscall::command::{Argument, Commands};
use crate::syscall::shape::Shape;
use crate::syscall::{Value, option};

/// How much of an option's value is read: the longest that have a meaning to us (socket filters aside, of which only the header is
/// read) are security labels and lists of groups.
const LONGEST_OPTION: i64 = 1024;

impl Decoder<'_> {
    /// The value of a socket option, that long.
    pub fn option(&self, address: u64, len: i64) -> Value {
        let (len, shape) = (option_len(len), self.option_shape());
        if address == 0 || len == 0 {
            return Value::Pointer(address);
        }
        self.at(address, &shape, len)
    }

    /// What the option holds.
    pub fn option_shape(&self) -> Shape {
        option::level(self.int(1))
            .and_then(|level| level.shape(self.int(2)))
            .unwrap_or(Shape::Opaque)
    }

    /// The value that getsockopt gave back.
    pub fn option_taken(&self, address: u64) -> Value {
        match self.length_back(4) {
            Some(len) => self.option(address, len),
            None => Value::Pointer(address),
        }
    }

    /// What a command of fcntl, or a request of ioctl, takes or gives.
    pub fn command_argument(&self, commands: &Commands) -> Option<Value> {
        let raw = self.raw(2);
        Some(match commands.argument(self.raw(1) as u32) {
            Some(Argument::None) => return None,
            Some(Argument::Register(shape)) => shape.decode(&raw.to_le_bytes(), self.limits)?,
            argument => match self.behind_command(argument) {
                Some(shape) => self.at(raw, &shape, shape.size()),
                None => Value::Pointer(raw),
            },
        })
    }

    /// What the argument of a command points to, by now.
    pub fn behind_command(&self, argument: Option<Argument>) -> Option<Shape> {
        match argument? {
            Argument::Takes(shape) => Some(shape),
            Argument::Gives(shape) => self.succeeded().then_some(shape),
            Argument::Asks(_, answer) if self.succeeded() => Some(answer),
            Argument::Asks(question, _) => Some(question),
            Argument::None | Argument::Register(_) => None,
        }
    }
}

/// How much is read of an option's value of that length.
pub fn option_len(len: i64) -> usize {
    len.clamp(0, LONGEST_OPTION) as usize
}
