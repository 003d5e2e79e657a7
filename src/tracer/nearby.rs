//! Memory of ours near the code that it is for, given out in pieces of one size.

/// How near it stands: what five bytes can jump over, less the length of any library between them.
pub const REACH: u64 = 0x7000_0000;

/// Mappings of `LEN` bytes each, in pieces of `PIECE`. None is given back: somebody may be on the way through it.
#[derive(Clone, Debug, Default)]
pub struct Nearby<const LEN: u64, const PIECE: usize> {
    /// Where they begin, and how many pieces of each are taken.
    mappings: Vec<(u64, usize)>,
}

impl<const LEN: u64, const PIECE: usize> Nearby<LEN, PIECE> {
    /// A free piece in reach of an address.
    pub fn room_near(&self, address: u64) -> Option<u64> {
        let mut all = self.mappings.iter();
        let (start, taken) = all.find(|(start, taken)| {
            start.abs_diff(address) < REACH && *taken < LEN as usize / PIECE
        })?;
        Some(start + (taken * PIECE) as u64)
    }

    /// A new mapping is there.
    pub fn add(&mut self, start: u64) {
        self.mappings.push((start, 0));
    }

    /// The piece at an address, which [`Self::room_near`] has named, is taken.
    pub fn take(&mut self, piece: u64) {
        let mut all = self.mappings.iter_mut();
        let of = all.find(|(start, _)| piece.wrapping_sub(*start) < LEN);
        of.into_iter().for_each(|(_, taken)| *taken += 1);
    }

    /// The piece that an address lies in.
    pub fn piece_at(&self, address: u64) -> Option<u64> {
        let mut all = self.mappings.iter();
        let (start, _) = all.find(|(start, _)| address.wrapping_sub(*start) < LEN)?;
        let piece = PIECE as u64;
        Some(start + (address - start) / piece * piece)
    }
}
