//! Decimal numbers, exactly.

/// Digits after the point.
const PLACES: i32 = 9;

/// A billion dollars: what is written is a mistake.
const MOST: u64 = 1_000_000_000_000_000_000;

/// Writes billionths as dollars: a JSON number, exactly.
pub fn dollars(out: &mut Vec<u8>, amount: u64) {
    let (whole, part) = (amount / 1_000_000_000, amount % 1_000_000_000);
    out.extend_from_slice(whole.to_string().as_bytes());
    if part > 0 {
        let digits = part.to_string();
        out.push(b'.');
        out.extend((digits.len()..9).map(|_| b'0'));
        out.extend_from_slice(digits.trim_end_matches('0').as_bytes());
    }
}

/// Reads an amount of dollars as billionths: `2.5`, `0.075`, `1e-7`, also as a JSON number prints. No float on the way:
/// what cannot be said exactly is refused, with the reason.
pub fn billionths(text: &str) -> Result<u64, &'static str> {
    const NO_AMOUNT: &str = "must be an amount of dollars as a decimal number: 2.50";
    const FINE: &str = "has more than nine digits after the point";
    const LARGE: &str = "is too large an amount";
    if text.starts_with('-') {
        return Err("must not be negative");
    }
    let (number, exponent) = match text.split_once(['e', 'E']) {
        Some((number, exponent)) => (number, exponent.parse::<i32>().map_err(|_| NO_AMOUNT)?),
        None => (text, 0),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(part) || exponent.unsigned_abs() > 30 || number.len() > 40 {
        return Err(NO_AMOUNT);
    }
    let part = part.trim_end_matches('0');
    let mut amount: u64 = 0;
    for digit in whole.bytes().chain(part.bytes()) {
        let digit = u64::from(digit.saturating_sub(b'0'));
        amount = amount.checked_mul(10).and_then(|amount| amount.checked_add(digit)).ok_or(LARGE)?;
    }
    // Places that are still free, or too many used.
    let free = PLACES.saturating_add(exponent).saturating_sub(i32::try_from(part.len()).unwrap_or(i32::MAX));
    for _ in 0..free.unsigned_abs() {
        if free > 0 {
            amount = amount.checked_mul(10).ok_or(LARGE)?;
        } else if amount.is_multiple_of(10) {
            amount /= 10;
        } else {
            return Err(FINE);
        }
    }
    if amount > MOST { Err(LARGE) } else { Ok(amount) }
}
