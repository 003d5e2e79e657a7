//! Classic BPF as seccomp filters have it: an assembler with labels, so that what a filter decides can be read from the code that
//! builds it. See seccomp(2) and Documentation/networking/filter.rst.

use libc::{
    BPF_ABS, BPF_ADD, BPF_ALU, BPF_AND, BPF_JA, BPF_JEQ, BPF_JGE, BPF_JGT, BPF_JMP, BPF_JSET,
    BPF_K, BPF_LD, BPF_MISC, BPF_RET, BPF_TAX, BPF_W, BPF_X, sock_filter,
};
use nix::errno::Errno;

/// Words of struct seccomp_data (linux/seccomp.h), by their offsets in bytes.
pub mod word {
    /// The call's number.
    pub const NUMBER: u32 = 0;
    /// AUDIT_ARCH_*.
    pub const ARCH: u32 = 4;
    /// The address of the instruction after the call, its lower half.
    pub const ADDRESS_LOW: u32 = 8;
    /// Its upper half.
    pub const ADDRESS_HIGH: u32 = 12;

    /// The lower half of an argument.
    pub const fn low(argument: usize) -> u32 {
        16 + 8 * argument as u32
    }

    /// Its upper half.
    pub const fn high(argument: usize) -> u32 {
        low(argument) + 4
    }
}

/// A place in a program that is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label(usize);

/// What a conditional jump asks of the accumulator.
#[derive(Clone, Copy, Debug)]
pub enum Test {
    /// It is this value.
    Equal(u32),
    /// It is this value or more.
    AtLeast(u32),
    /// It is more than this value.
    Above(u32),
    /// It has one of these bits.
    AnyBit(u32),
}

#[derive(Clone, Copy, Debug)]
enum Line {
    Plain(sock_filter),
    /// Where the test holds, on to the label; else to the next line.
    Branch(Test, Label),
    Goto(Label),
}

/// A program on its way. Jumps lead forwards only.
#[derive(Debug, Default)]
pub struct Assembler {
    lines: Vec<Line>,
    /// Before which line each label stands.
    labels: Vec<Option<usize>>,
}

/// A filter's instructions.
#[derive(Clone, Debug)]
pub struct Filter {
    code: Vec<sock_filter>,
}

fn instruction(code: u32, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter {
        code: code as u16,
        jt,
        jf,
        k,
    }
}

impl Assembler {
    /// A label that stands nowhere yet.
    pub fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// The label stands here.
    pub fn mark(&mut self, label: Label) {
        self.labels[label.0] = Some(self.lines.len());
    }

    /// Loads a [`word`] into the accumulator.
    pub fn load(&mut self, word: u32) {
        self.plain(BPF_LD | BPF_W | BPF_ABS, word);
    }

    /// Keeps only these bits of the accumulator.
    pub fn and(&mut self, bits: u32) {
        self.plain(BPF_ALU | BPF_AND | BPF_K, bits);
    }

    /// Puts the sum of two words into the accumulator.
    pub fn load_sum(&mut self, one: u32, other: u32) {
        self.load(one);
        self.plain(BPF_MISC | BPF_TAX, 0);
        self.load(other);
        self.plain(BPF_ALU | BPF_ADD | BPF_X, 0);
    }

    /// Goes on at the label where the test holds.
    pub fn branch(&mut self, test: Test, label: Label) {
        self.lines.push(Line::Branch(test, label));
    }

    /// Goes on at the label.
    pub fn goto(&mut self, label: Label) {
        self.lines.push(Line::Goto(label));
    }

    /// Ends with this answer (SECCOMP_RET_*).
    pub fn answer(&mut self, action: u32) {
        self.plain(BPF_RET | BPF_K, action);
    }

    fn plain(&mut self, code: u32, k: u32) {
        self.lines.push(Line::Plain(instruction(code, k, 0, 0)));
    }

    /// The finished program. A conditional jump reaches 255 instructions; one to a label further away goes by way of a plain jump.
    pub fn finish(self) -> Filter {
        let mut sizes = vec![1_usize; self.lines.len()];
        let positions = loop {
            let mut positions = vec![0];
            for size in &sizes {
                positions.push(positions[positions.len() - 1] + size);
            }
            let far = (0..sizes.len()).find(|line| match self.lines[*line] {
                Line::Branch(_, label) if sizes[*line] == 1 => {
                    self.distance(&positions, *line, 1, label) > u8::MAX.into()
                }
                _ => false,
            });
            match far {
                Some(line) => sizes[line] = 2,
                None => break positions,
            }
        };
        let mut code = Vec::with_capacity(positions[sizes.len()]);
        for (at, line) in self.lines.iter().enumerate() {
            let distance = |label| self.distance(&positions, at, sizes[at], label) as u32;
            match *line {
                Line::Plain(one) => code.push(one),
                Line::Goto(label) => {
                    code.push(instruction(BPF_JMP | BPF_JA, distance(label), 0, 0));
                }
                Line::Branch(test, label) => {
                    let (operation, k) = match test {
                        Test::Equal(k) => (BPF_JEQ, k),
                        Test::AtLeast(k) => (BPF_JGE, k),
                        Test::Above(k) => (BPF_JGT, k),
                        Test::AnyBit(k) => (BPF_JSET, k),
                    };
                    let operation = BPF_JMP | operation | BPF_K;
                    if sizes[at] == 1 {
                        code.push(instruction(operation, k, distance(label) as u8, 0));
                    } else {
                        code.push(instruction(operation, k, 0, 1));
                        code.push(instruction(BPF_JMP | BPF_JA, distance(label), 0, 0));
                    }
                }
            }
        }
        Filter { code }
    }

    /// How many instructions lie between the end of a line of that size and a label.
    fn distance(&self, positions: &[usize], line: usize, size: usize, label: Label) -> usize {
        let target = self.labels[label.0].expect("every label is marked before the end");
        positions[target] - positions[line] - size
    }
}

impl Filter {
    /// sizeof(struct sock_fprog), padding included.
    const HEADER: usize = 16;

    /// How many bytes [`Self::image`] takes.
    pub fn image_size(&self) -> usize {
        Self::HEADER + size_of::<sock_filter>() * self.code.len()
    }

    /// struct sock_fprog and the instructions behind it, as they stand at this address.
    pub fn image(&self, address: u64) -> Vec<u8> {
        let mut image = Vec::with_capacity(self.image_size());
        image.extend((self.code.len() as u64).to_ne_bytes());
        image.extend((address + Self::HEADER as u64).to_ne_bytes());
        for one in &self.code {
            image.extend(one.code.to_ne_bytes());
            image.extend([one.jt, one.jf]);
            image.extend(one.k.to_ne_bytes());
        }
        image
    }

    /// Installs the filter in the calling thread, for good. Makes no memory allocation, so a forked child may call it.
    ///
    /// # Errors
    /// As seccomp(2): EACCES without CAP_SYS_ADMIN and no_new_privs, EINVAL or ENOSYS where the kernel has no filters.
    pub fn install(&self) -> Result<(), Errno> {
        let program = libc::sock_fprog {
            len: self.code.len() as u16,
            filter: self.code.as_ptr().cast_mut(),
        };
        // Speculation mitigations are the program's own choice, not ours.
        // SAFETY: program describes self.code, which lives through the call and is only read.
        let result = unsafe {
            libc::syscall(
                libc::SYS_seccomp,
                libc::SECCOMP_SET_MODE_FILTER,
                libc::SECCOMP_FILTER_FLAG_SPEC_ALLOW,
                &raw const program,
            )
        };
        Errno::result(result).map(drop)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// What the kernel would answer: an interpreter of the instructions that the assembler writes, on a struct seccomp_data.
    pub fn run(filter: &Filter, data: &[u32; 16]) -> u32 {
        let (mut accumulator, mut index, mut at) = (0_u32, 0_u32, 0_usize);
        loop {
            let one = filter.code[at];
            at += 1;
            let jump = |yes: bool| usize::from(if yes { one.jt } else { one.jf });
            match u32::from(one.code) {
                code if code == BPF_LD | BPF_W | BPF_ABS => accumulator = data[one.k as usize / 4],
                code if code == BPF_JMP | BPF_JEQ | BPF_K => at += jump(accumulator == one.k),
                code if code == BPF_JMP | BPF_JGE | BPF_K => at += jump(accumulator >= one.k),
                code if code == BPF_JMP | BPF_JGT | BPF_K => at += jump(accumulator > one.k),
                code if code == BPF_JMP | BPF_JSET | BPF_K => at += jump(accumulator & one.k != 0),
                code if code == BPF_JMP | BPF_JA => at += one.k as usize,
                code if code == BPF_ALU | BPF_AND | BPF_K => accumulator &= one.k,
                code if code == BPF_ALU | BPF_ADD | BPF_X => {
                    accumulator = accumulator.wrapping_add(index);
                }
                code if code == BPF_MISC | BPF_TAX => index = accumulator,
                code if code == BPF_RET | BPF_K => return one.k,
                other => panic!("instruction {other:#x}"),
            }
        }
    }

    #[test]
    fn far_jumps_go_by_way_of_plain_ones() {
        let mut assembler = Assembler::default();
        let far = assembler.label();
        assembler.load(word::NUMBER);
        assembler.branch(Test::Equal(7), far);
        for _ in 0..300 {
            assembler.load(word::NUMBER);
        }
        assembler.answer(1);
        assembler.mark(far);
        assembler.answer(2);
        let filter = assembler.finish();
        let data = |number| {
            let mut data = [0; 16];
            data[0] = number;
            data
        };
        assert_eq!(run(&filter, &data(7)), 2);
        assert_eq!(run(&filter, &data(8)), 1);
    }

    #[test]
    fn an_image_is_what_the_kernel_reads() {
        let mut assembler = Assembler::default();
        assembler.load(word::high(0));
        assembler.answer(libc::SECCOMP_RET_ALLOW);
        let image = assembler.finish().image(0x1000);
        assert_eq!(
            image,
            [
                &[2, 0, 0, 0, 0, 0, 0, 0][..],
                &[0x10, 0x10, 0, 0, 0, 0, 0, 0],
                &[0x20, 0, 0, 0, 20, 0, 0, 0],
                &[0x06, 0, 0, 0, 0, 0, 0xff, 0x7f],
            ]
            .concat()
        );
    }
}
