//! Dead padding near a call: room for the long jump that the two bytes of a `syscall` instruction have none for.
//!
//! Compilers and linkers fill the bytes between a `ret` or `jmp` and the next aligned function or loop with no-ops or traps. Nobody
//! executes them. But instructions have no marks: where one begins is known at the call itself and after it, as far as the code goes
//! straight on. Before it, it has to be proved. No instruction is longer than 15 bytes, so among 15 addresses in a row one begins an
//! instruction: what is reached from every one of them is reached from the true one.

use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction, Mnemonic, Register};

/// What a jump to anywhere within 2 GiB takes, in bytes.
pub const LONG_JUMP: usize = 5;

/// What a `syscall` instruction has, in bytes, and a jump to within 127 bytes takes.
pub const SHORT_JUMP: usize = 2;

/// How far to either side of a call the code is looked at, in bytes: as far as a short jump reaches, then what it takes to find out
/// where instructions begin there, and whether something jumps to the padding.
pub const SIGHT: u64 = 300;

/// The longest instruction, in bytes (Intel SDM 2.3.11).
const LONGEST: usize = 15;

/// Decoding from a wrong address falls in with the right one after a few instructions. It is given so many bytes before an end to do so.
const LEAD: usize = 48;

/// Functions and most loops begin at multiples of this many bytes.
const ALIGNMENT: u64 = 16;

const PAGE: u64 = crate::tracer::places::PAGE;

const CACHE_LINE: u64 = 64;

/// The address of [`LONG_JUMP`] dead bytes that a two-byte jump at `site` reaches, and of which `taken` does not say that they are in
/// use (the bytes from an address on, any of them). `code` begins at `base` and is what can be read of the [`SIGHT`] around `site`,
/// where the call instruction stands.
///
/// `code` has to be as the program brought it: where a jump of ours stands in place of a call, what follows would look dead.
pub fn find(code: &[u8], base: u64, site: u64, taken: impl Fn(u64) -> bool) -> Option<u64> {
    let view = View::around(code, base, site)?;
    view.runs()
        .into_iter()
        .flat_map(|run| {
            let places = run.start..(run.end + 1).saturating_sub(LONG_JUMP as u64);
            places.map(move |place| (place, place - run.start))
        })
        .filter(|(place, _)| short_jump(site, *place).is_some() && !taken(*place))
        .min_by_key(|(place, into)| {
            // Two jumps share ten bytes if all begin at multiples of five.
            (
                place % PAGE > PAGE - LONG_JUMP as u64,
                into % LONG_JUMP as u64,
                place.abs_diff(site),
            )
        })
        .map(|(place, _)| place)
}

/// The bytes that make the call at `site` a jump to `padding`. None where that is out of reach, or the jump itself would be overwritten.
pub fn short_jump(site: u64, padding: u64) -> Option<[u8; SHORT_JUMP]> {
    let after = site.checked_add(SHORT_JUMP as u64)?;
    if padding < after && padding.checked_add(LONG_JUMP as u64)? > site {
        return None;
    }
    let distance = i8::try_from(padding.wrapping_sub(after).cast_signed()).ok()?;
    Some([0xeb, distance.cast_unsigned()])
}

/// The bytes that make `padding` a jump to `target`. None if that is more than 2 GiB away.
pub fn long_jump(padding: u64, target: u64) -> Option<[u8; LONG_JUMP]> {
    let after = padding.checked_add(LONG_JUMP as u64)?;
    let distance = i32::try_from(target.wrapping_sub(after).cast_signed()).ok()?;
    let [a, b, c, d] = distance.to_le_bytes();
    Some([0xe9, a, b, c, d])
}

/// Whether an instruction begins at `site`, as far as what stands before it tells: decoding from almost anywhere soon comes by where
/// instructions really begin.
pub fn is_instruction(code: &[u8], base: u64, site: u64) -> bool {
    /// How far before the site decoding begins, and from how many places.
    const BEFORE: u64 = 64;
    const STARTS: u64 = 16;
    let Some(first) = site.checked_sub(BEFORE).filter(|first| *first >= base) else {
        return true;
    };
    let comes_by = |start: &u64| {
        let bytes = code.get((start - base) as usize..).unwrap_or(&[]);
        let mut decoder = Decoder::with_ip(64, bytes, *start, DecoderOptions::NONE);
        while decoder.ip() < site && decoder.can_decode() {
            let _instruction = decoder.decode();
        }
        decoder.ip() == site
    };
    (first..first + STARTS).filter(comes_by).count() as u64 > STARTS / 2
}

/// Whether the two bytes at `site` change at once for all processors: they lie in one cache line.
pub fn is_atomic(site: u64) -> bool {
    site % CACHE_LINE != CACHE_LINE - 1
}

/// What is decoded at one address, whether or not an instruction begins there.
#[derive(Clone, Copy)]
struct Step {
    /// Where the next one begins, as an index.
    next: usize,
    /// Nothing runs on from here: a return, a jump, an instruction that always faults.
    ends: bool,
    filler: Option<Filler>,
    /// What it names in the code: where it jumps, what it reads.
    target: Option<u64>,
}

/// What assemblers and linkers fill gaps with. (Zeros are none: behind a return they are constants.)
#[derive(Clone, Copy)]
enum Filler {
    /// A no-op of so many bytes.
    Nop(usize),
    Trap,
}

impl Filler {
    fn of(instruction: &Instruction, bytes: &[u8]) -> Option<Self> {
        // Prefixes that make a no-op longer. A trap has none.
        let prefixes = bytes.iter().take_while(|byte| [0x66, 0x2e].contains(byte));
        match (instruction.code(), &bytes[prefixes.count()..]) {
            (Code::Int3, [0xcc]) if bytes.len() == 1 => Some(Self::Trap),
            (Code::Nopw | Code::Nopd, [0x90]) => Some(Self::Nop(bytes.len())),
            // They read nothing, but a register or displacement other than these is a mark that somebody looks for (XRay has one).
            (Code::Nop_rm16 | Code::Nop_rm32, [0x0f, 0x1f, ..])
                if instruction.memory_base() == Register::RAX
                    && instruction.memory_displacement64() == 0 =>
            {
                Some(Self::Nop(bytes.len()))
            }
            _ => None,
        }
    }

    /// Assemblers take the longest no-ops first. A short one before a long one may be something else: a place for a probe, which
    /// something jumps to and which runs on into the padding.
    fn may_follow(self, before: Self) -> bool {
        match (before, self) {
            (Self::Nop(before), Self::Nop(length)) => length <= before,
            (Self::Nop(_), Self::Trap) => false,
            (Self::Trap, _) => true,
        }
    }
}

/// The code around a call.
struct View {
    /// The address of the first step.
    base: u64,
    /// The index of the call.
    site: usize,
    /// What each byte would begin; None if that is no instruction or leads out of sight.
    steps: Vec<Option<Step>>,
    /// The first bytes of instructions that lead to the call, by their index, and the call.
    leads: Vec<bool>,
}

impl View {
    fn around(code: &[u8], base: u64, site: u64) -> Option<Self> {
        let site = usize::try_from(site.checked_sub(base)?).ok()?;
        base.checked_add(code.len() as u64)?;
        let sight = site.saturating_sub(SIGHT as usize)
            ..code.len().min(site.saturating_add(SIGHT as usize));
        let code = code.get(sight.clone())?;
        let base = base + sight.start as u64;
        let site = site - sight.start;
        let steps: Vec<_> = (0..code.len())
            .map(|at| Step::decode(code, base, at))
            .collect();
        let mut leads = vec![false; steps.len()];
        *leads.get_mut(site)? = true;
        for at in (0..site).rev() {
            leads[at] = steps[at].is_some_and(|step| step.next <= site && leads[step.next]);
        }
        Some(Self {
            base,
            site,
            steps,
            leads,
        })
    }

    /// Padding that is certainly dead, from address to address.
    fn runs(&self) -> Vec<Range<u64>> {
        let after: Vec<usize> = self.chain(self.site).collect();
        let mut before: Vec<usize> = (0..self.site.min(LONGEST))
            .filter(|start| self.leads[*start])
            .flat_map(|start| self.chain(start).take_while(|at| *at < self.site))
            .collect();
        before.sort_unstable();
        before.dedup();
        let targets: Vec<u64> = before
            .iter()
            .chain(&after)
            .filter_map(|at| self.steps[*at]?.target)
            .collect();
        let run = |end| self.padding_after(end, &targets);
        let certain = |end: &usize| self.is_certain(*end);
        before
            .iter()
            .filter_map(|end| run(*end).filter(|_| certain(end)))
            .chain(after.iter().filter_map(|end| run(*end)))
            .collect()
    }

    /// From an instruction to the next, in the order of their addresses.
    fn chain(&self, start: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(start), |at| Some(self.step(*at)?.next))
            .take_while(|at| self.step(*at).is_some())
    }

    /// Whether an instruction begins here, before the call: from wherever one may begin some way before it, decoding comes by here.
    fn is_certain(&self, end: usize) -> bool {
        let Some(last) = end.checked_sub(LEAD) else {
            return false;
        };
        let starts = last.saturating_sub(LEAD)..last;
        // What does not lead to the call is not the way that the processor takes. (What comes by here began before them: there is one.)
        starts.len() >= LONGEST
            && self.leads[end]
            && starts
                .filter(|start| self.leads[*start])
                .all(|start| self.chain(start).find(|at| *at >= end) == Some(end))
    }

    /// The filler directly behind an unconditional end, up to where something aligned begins.
    fn padding_after(&self, end: usize, targets: &[u64]) -> Option<Range<u64>> {
        let step = self.step(end)?;
        if !step.ends || self.is_detour(end, &step) {
            return None;
        }
        let start = step.next;
        let run = self.base + start as u64..self.base + self.filled(start)? as u64;
        // A jump over the next bytes leaves them as room for somebody else's code.
        let skips = step.target == Some(run.end);
        (!skips && !targets.iter().any(|target| run.contains(target))).then_some(run)
    }

    /// How far padding reaches that starts here.
    fn filled(&self, start: usize) -> Option<usize> {
        let mut end = None;
        let mut at = start;
        let mut before = Filler::Trap;
        loop {
            let step = self.step(at);
            let filler = step
                .and_then(|step| Some((step.next, step.filler?)))
                .filter(|(_, filler)| filler.may_follow(before));
            let is_aligned = |to: u64| (self.base + at as u64).is_multiple_of(to);
            match filler {
                // A function may begin with no-ops, for others to patch. None begins with a trap.
                Some((_, Filler::Nop(_))) if is_aligned(ALIGNMENT) => return Some(at),
                Some((next, filler)) => {
                    if is_aligned(ALIGNMENT) {
                        end = Some(at);
                    }
                    (at, before) = (next, filler);
                }
                None if is_aligned(ALIGNMENT) => return Some(at),
                // A loop may begin here, too, if it takes but one no-op.
                None if is_aligned(ALIGNMENT / 2)
                    && self.step(start)?.next == at
                    && step?.filler.is_none() =>
                {
                    return Some(at);
                }
                // Without an aligned address, this is no padding, or not all of it can be seen.
                None => return end,
            }
        }
    }

    /// Whether this may be a jump of ours in place of a call, which runs on behind it: a short one to a long one.
    fn is_detour(&self, at: usize, step: &Step) -> bool {
        let long = || {
            let target = usize::try_from(step.target?.checked_sub(self.base)?).ok()?;
            let step = self.step(target)?;
            Some(step.ends && step.target.is_some() && step.next - target == LONG_JUMP)
        };
        step.next - at == SHORT_JUMP && long() == Some(true)
    }

    fn step(&self, at: usize) -> Option<Step> {
        *self.steps.get(at)?
    }
}

impl Step {
    fn decode(code: &[u8], base: u64, at: usize) -> Option<Self> {
        let ip = base + at as u64;
        let instruction = Decoder::with_ip(64, &code[at..], ip, DecoderOptions::NONE).decode();
        if instruction.is_invalid() {
            return None;
        }
        let target = if instruction.is_ip_rel_memory_operand() {
            Some(instruction.ip_rel_memory_address())
        } else {
            Some(instruction.near_branch_target()).filter(|target| *target != 0)
        };
        let next = at + instruction.len();
        Some(Self {
            next,
            ends: is_end(&instruction),
            filler: Filler::of(&instruction, &code[at..next]),
            target,
        })
    }
}

/// Whether nothing ever runs on from here. What follows a call may: not all that do not return are known.
fn is_end(instruction: &Instruction) -> bool {
    matches!(
        instruction.mnemonic(),
        Mnemonic::Ret | Mnemonic::Jmp | Mnemonic::Ud2 | Mnemonic::Hlt
    )
}

#[cfg(test)]
mod survey;

#[cfg(test)]
mod tests;
