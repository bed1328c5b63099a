//! Moments as a configuration writes them.

use crate::host::Millis;

const DAY: u64 = 86_400_000;

/// The last millisecond of what is written: of a day, `2026-12-31`, in UTC, or of a second, `2026-12-31T17:00:00Z`.
pub fn end_of(text: &str) -> Option<Millis> {
    let like = |pattern: &str| {
        let fits = |(byte, like): (u8, u8)| if like == b'0' { byte.is_ascii_digit() } else { byte == like };
        text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
    };
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<u64>().ok();
    let whole_day = like("0000-00-00");
    if !whole_day && !like("0000-00-00T00:00:00Z") {
        return None;
    }
    let start = days(number(0, 4)?, number(5, 7)?, number(8, 10)?)?.checked_mul(DAY)?;
    if whole_day {
        return start.checked_add(DAY.saturating_sub(1));
    }
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let seconds = hour.checked_mul(60)?.checked_add(minute)?.checked_mul(60)?.checked_add(second)?;
    start.checked_add(seconds.checked_mul(1000)?)?.checked_add(999)
}

/// Days since 1970 of a day in the Gregorian calendar.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let before = usize::try_from(month.checked_sub(1)?).ok()?;
    if day == 0 || day > *lengths.get(before)? {
        return None;
    }
    // Leap years before a year, counted from the year 0.
    let leaps = |year: u64| year.div_ceil(4).saturating_sub(year.div_ceil(100)).saturating_add(year.div_ceil(400));
    let years = year.checked_sub(1970)?.checked_mul(365)?.checked_add(leaps(year).checked_sub(leaps(1970))?)?;
    years.checked_add(lengths.iter().take(before).sum::<u64>())?.checked_add(day.checked_sub(1)?)
}
