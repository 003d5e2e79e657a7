//! Temporary.
use std::ops::Range;
pub fn find(code: &[u8], base: u64, site: u64, taken: impl Fn(u64) -> bool) -> Option<u64> {
    let at = (site - base) as usize;
    let end = (at + 120).min(code.len().saturating_sub(5));
    for p in at + 2..end {
        let fill: Range<usize> = p..p + 5;
        if code[p - 1] == 0xc3 && [0x0f, 0x66, 0x90, 0xcc].contains(&code[p]) {
            for q in p..p + 10 {
                if (base + q as u64 + 5) / 16 == (base + p as u64) / 16 && !taken(base + q as u64) {
                    let _ = fill;
                    return Some(base + q as u64);
                }
            }
        }
    }
    None
}
pub fn short_jump(site: u64, padding: u64) -> Option<[u8; 2]> {
    let d = padding.wrapping_sub(site + 2) as i64;
    Some([0xeb, i8::try_from(d).ok()? as u8])
}
pub fn long_jump(padding: u64, target: u64) -> Option<[u8; 5]> {
    let d = i32::try_from(target.wrapping_sub(padding + 5) as i64).ok()?;
    let mut b = [0xe9; 5];
    b[1..].copy_from_slice(&d.to_le_bytes());
    Some(b)
}
