//! Numbers in base 10, without the detour through std::fmt: every line has a few of them.

/// Adds a number.
pub fn decimal(out: &mut String, number: u64) {
    match number {
        // Most are descriptors, or few bytes.
        0..10 => out.push(digit(number)),
        10..100 => {
            out.push(digit(number / 10));
            out.push(digit(number % 10));
        }
        _ => padded(out, number, 0, b' '),
    }
}

/// A digit below 10.
fn digit(digit: u64) -> char {
    char::from(b'0' + digit as u8)
}

/// Adds a number that may be negative.
pub fn signed(out: &mut String, number: i64) {
    if number < 0 {
        out.push('-');
    }
    decimal(out, number.unsigned_abs());
}

/// Adds a number at the right of a column of at most 20 characters, filled up with `fill` (ASCII).
pub fn padded(out: &mut String, number: u64, columns: usize, fill: u8) {
    // As many digits as u64::MAX has.
    let mut digits = [fill; 20];
    let (mut at, mut rest) = (digits.len(), number);
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    let from = at.min(digits.len().saturating_sub(columns));
    out.push_str(std::str::from_utf8(&digits[from..]).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_std_does() {
        for number in [0, 7, 10, 99, 100, 12_345, u64::MAX] {
            let mut out = String::new();
            decimal(&mut out, number);
            padded(&mut out, number, 4, b' ');
            padded(&mut out, number, 9, b'0');
            assert_eq!(out, format!("{number}{number:>4}{number:09}"));
        }
        for number in [0, -1, 42, i64::MIN, i64::MAX] {
            let mut out = String::new();
            signed(&mut out, number);
            assert_eq!(out, number.to_string());
        }
    }
}
