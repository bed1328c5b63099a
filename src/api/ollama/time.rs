//! Seconds since the Unix epoch as RFC 3339 has them, and back.

use crate::json::write::digits;

const DAY: u64 = 86_400;

/// Days from the first of March of the year 0 to the first of January of 1970.
const EPOCH: u64 = 719_468;

/// `2024-05-24T21:01:59Z`
#[expect(clippy::arithmetic_side_effects, reason = "parts of a u64 by constants; nothing is near its bounds")]
pub(super) fn write(out: &mut Vec<u8>, seconds: u64) {
    // Above this the year has five digits.
    let seconds = seconds.min(253_402_300_799);
    let days = seconds / DAY + EPOCH;
    // Years begin in March here, so that the leap day is a year's last.
    let of_era = days % 146_097;
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + days / 146_097 * 400 + u64::from(month <= 2);
    digits(out, year);
    let time = seconds % DAY;
    for (before, part) in [(b'-', month), (b'-', day), (b'T', time / 3_600), (b':', time / 60 % 60), (b':', time % 60)]
    {
        out.push(before);
        if part < 10 {
            out.push(b'0');
        }
        digits(out, part);
    }
    out.push(b'Z');
}

/// `None`: it is no such time, or one before 1970. Fractions of a second are cut.
pub(super) fn read(text: &str) -> Option<u64> {
    let number = |from: usize, to: usize| {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<i64>().ok()).flatten()
    };
    let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
    let zone = text.get(19..)?.trim_start_matches(|c: char| c == '.' || c.is_ascii_digit());
    let offset = match zone.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), ..] => {
            let part = |from: usize, to: usize| zone.get(from..to)?.parse::<i64>().ok().filter(|part| *part < 60);
            let seconds = part(1, 3)?.checked_mul(3_600)?.checked_add(part(4, 6)?.checked_mul(60)?)?;
            if *sign == b'+' { seconds } else { seconds.checked_neg()? }
        }
        _ => return None,
    };
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let (year, month) =
        if month > 2 { (year, month.checked_sub(3)?) } else { (year.checked_sub(1)?, month.checked_add(9)?) };
    let leaps = year.checked_div(4)?.checked_sub(year.checked_div(100)?)?.checked_add(year.checked_div(400)?)?;
    let of_year = month.checked_mul(153)?.checked_add(2)?.checked_div(5)?.checked_add(day)?.checked_sub(1)?;
    let days = year.checked_mul(365)?.checked_add(leaps)?.checked_add(of_year)?.checked_sub(EPOCH as i64)?;
    let clock = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    u64::try_from(days.checked_mul(86_400)?.checked_add(clock)?.checked_sub(offset)?).ok()
}
