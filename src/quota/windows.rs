//! When a limit's count begins again.

use crate::host::Millis;
use std::fmt;

/// A sliding window is counted in this many parts, and one more: what is counted spans up to a twelfth more than the
/// window, never less.
pub const PARTS: u64 = 12;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Window {
    /// So many of the unit, counted from 1970 in UTC.
    Calendar(u32, Span),
    /// The last so many milliseconds.
    Sliding(Millis),
    /// For ever: a prepaid total. Concurrency has this one too.
    Total,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Span {
    Second,
    Minute,
    Hour,
    Day,
    Month,
}

const DAY: Millis = 86_400_000;

impl Span {
    /// A month has no fixed length.
    fn millis(self) -> Option<Millis> {
        match self {
            Self::Second => Some(1000),
            Self::Minute => Some(60_000),
            Self::Hour => Some(3_600_000),
            Self::Day => Some(DAY),
            Self::Month => None,
        }
    }
}

/// As in the configuration; of a sliding one, its length.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, unit) = match *self {
            Self::Total => return f.write_str("none"),
            Self::Sliding(len) => (len.checked_div(1000).unwrap_or(0), "s"),
            Self::Calendar(count, span) => {
                let unit = match span {
                    Span::Second => "s",
                    Span::Minute => "m",
                    Span::Hour => "h",
                    Span::Day => "d",
                    Span::Month => "mo",
                };
                (count.into(), unit)
            }
        };
        write!(f, "{count}{unit}")
    }
}

/// A piece of time that is counted as one: a calendar window, or a part of a sliding one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    pub start: Millis,
    /// The first moment after it; `u64::MAX`: never.
    pub end: Millis,
}

impl Window {
    /// `1s`, `30m`, `1h`, `1d`, `1mo`, `none`.
    pub fn calendar(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self::Total);
        }
        let (count, span) = measure(text)?;
        Some(Self::Calendar(count, span))
    }

    /// As [`Self::calendar`], without months.
    pub fn sliding(text: &str) -> Option<Self> {
        let (count, span) = measure(text)?;
        Some(Self::Sliding(span.millis()?.checked_mul(u64::from(count))?))
    }

    /// What tells this window from others in a counter's key.
    pub fn tag(self) -> [u8; 9] {
        let (kind, number) = match self {
            Self::Calendar(count, span) => (span as u8, u64::from(count)),
            Self::Sliding(len) => (16, len),
            Self::Total => (17, 0),
        };
        let mut tag = [kind; 9];
        if let Some(rest) = tag.get_mut(1..) {
            rest.copy_from_slice(&number.to_le_bytes());
        }
        tag
    }

    pub fn piece(self, now: Millis) -> Piece {
        match self {
            Self::Total => Piece { start: 0, end: Millis::MAX },
            Self::Sliding(len) => grid(now, part(len)),
            Self::Calendar(count, span) => match span.millis() {
                Some(one) => grid(now, one.saturating_mul(u64::from(count))),
                None => months(now, count),
            },
        }
    }

    /// Whether what was counted in the piece that began at `start` counts still. `piece`: that of now.
    pub fn counts(self, start: Millis, now: Millis, piece: &Piece) -> bool {
        match self {
            Self::Total => true,
            Self::Sliding(_) => start <= now && self.over(start, piece) > now,
            Self::Calendar(..) => piece.start == start,
        }
    }

    /// When what was counted in the piece that began at `start` counts no longer. `known`: a piece, which saves finding it.
    pub fn over(self, start: Millis, known: &Piece) -> Millis {
        match self {
            Self::Calendar(..) if known.start == start => known.end,
            Self::Total => Millis::MAX,
            Self::Sliding(len) => start.saturating_add(part(len)).saturating_add(len),
            Self::Calendar(..) => self.piece(start).end,
        }
    }

    /// The earliest moment at which something that counts now may have been counted.
    pub fn opened(self, now: Millis) -> Millis {
        match self {
            Self::Sliding(len) => now.saturating_sub(len).saturating_sub(part(len)),
            Self::Total | Self::Calendar(..) => self.piece(now).start,
        }
    }
}

fn part(len: Millis) -> Millis {
    len.div_ceil(PARTS).max(1)
}

fn grid(now: Millis, len: Millis) -> Piece {
    let start = now.saturating_sub(now.checked_rem(len).unwrap_or(0));
    Piece { start, end: start.saturating_add(len) }
}

fn measure(text: &str) -> Option<(u32, Span)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (count, span) = text.split_at_checked(digits)?;
    let span = match span {
        "s" => Span::Second,
        "m" => Span::Minute,
        "h" => Span::Hour,
        "d" => Span::Day,
        "mo" => Span::Month,
        _ => return None,
    };
    count.parse().ok().filter(|count| (1..=100_000).contains(count)).map(|count| (count, span))
}

/// Counted from 0000-03, so that the leap day is a year's last.
fn months(now: Millis, count: u32) -> Piece {
    // Far enough for any clock, and small enough for the arithmetic below.
    let day = now.checked_div(DAY).unwrap_or(0).min(1 << 32);
    let month = month_of(day);
    let count = u64::from(count.max(1));
    // From 1970-01 on, so that quarters and years begin with January.
    let since = month.saturating_sub(EPOCH_MONTH);
    let first = since.saturating_sub(since.checked_rem(count).unwrap_or(0)).saturating_add(EPOCH_MONTH);
    let at = |month| day_of(month).saturating_mul(DAY);
    Piece { start: at(first), end: at(first.saturating_add(count)) }
}

/// 1970-01, counted from 0000-03.
const EPOCH_MONTH: u64 = 1969 * 12 + 10;
/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAY: u64 = 719_468;

/// The first day of a month, since the epoch.
fn day_of(month: u64) -> u64 {
    let div = |a: u64, b: u64| a.checked_div(b).unwrap_or(0);
    let (year, month) = (div(month, 12), month.checked_rem(12).unwrap_or(0));
    let leap = div(year, 4).saturating_sub(div(year, 100)).saturating_add(div(year, 400));
    // March to July and August to December have 153 days each; January begins on day 306.
    let within = div(month.saturating_mul(153).saturating_add(2), 5);
    year.saturating_mul(365).saturating_add(leap).saturating_add(within).saturating_sub(EPOCH_DAY)
}

/// A day since the epoch: `2026-11-21`.
pub fn date(day: u64) -> String {
    let day = day.min(1 << 32);
    let month = month_of(day);
    let from_january = month.saturating_add(2);
    let (year, of_year) = (from_january / 12, from_january % 12);
    let of_month = day.saturating_sub(day_of(month));
    format!("{year:04}-{:02}-{:02}", of_year.saturating_add(1), of_month.saturating_add(1))
}

/// The month of a day since the epoch: a guess from below, then the months after it.
fn month_of(day: u64) -> u64 {
    let since = day.saturating_add(EPOCH_DAY);
    let mut month = since.saturating_mul(4800).checked_div(146_097).unwrap_or(0).saturating_sub(1);
    while day_of(month.saturating_add(1)) <= day {
        month = month.saturating_add(1);
    }
    month
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Millis = 12 * 3_600_000;

    #[test]
    fn days_are_dates() {
        let days =
            [(0, "1970-01-01"), (58, "1970-02-28"), (59, "1970-03-01"), (11_016, "2000-02-29"), (20_778, "2026-11-21")];
        for (day, text) in days {
            assert_eq!(date(day), text);
        }
    }

    #[test]
    fn windows_read_as_they_are_written() {
        for text in ["1s", "30m", "1h", "7d", "1mo", "none"] {
            assert_eq!(Window::calendar(text).unwrap().to_string(), text);
        }
        assert_eq!(Window::sliding("5m").unwrap().to_string(), "300s");
    }

    #[test]
    fn months_begin_on_their_first() {
        let check = |now: Millis, count, start_day: u64, end_day: u64| {
            let piece = Window::Calendar(count, Span::Month).piece(now);
            assert_eq!((piece.start / DAY, piece.end / DAY), (start_day, end_day), "{now} {count}");
        };
        check(0, 1, 0, 31);
        check(30 * DAY + NOON, 1, 0, 31);
        check(31 * DAY, 1, 31, 59);
        // 2024-02-29 and 2024-03-01: days 19,782 and 19,783.
        check(19_782 * DAY + DAY - 1, 1, 19_754, 19_783);
        check(19_783 * DAY, 1, 19_783, 19_814);
        // 2025-12-31, 2100-02-28 (no leap year), 2000-02-29.
        check(20_453 * DAY + NOON, 1, 20_423, 20_454);
        check(47_540 * DAY + NOON, 1, 47_513, 47_541);
        check(11_016 * DAY + NOON, 1, 10_988, 11_017);
        // Quarters and years begin with January.
        check(19_782 * DAY, 3, 19_723, 19_814);
        check(19_782 * DAY, 12, 19_723, 20_089);
        let all = (0..40_000).map(|day| Window::Calendar(1, Span::Month).piece(day * DAY));
        let mut last = Piece { start: 0, end: 31 * DAY };
        for piece in all {
            assert!(piece == last || piece.start == last.end, "{piece:?} after {last:?}");
            assert!((28..=31).contains(&((piece.end - piece.start) / DAY)), "{piece:?}");
            last = piece;
        }
    }

    #[test]
    fn texts_are_windows() {
        let check = |text, expected| assert_eq!(Window::calendar(text), expected, "{text}");
        check("1s", Some(Window::Calendar(1, Span::Second)));
        check("30m", Some(Window::Calendar(30, Span::Minute)));
        check("1mo", Some(Window::Calendar(1, Span::Month)));
        check("none", Some(Window::Total));
        for wrong in ["", "s", "0s", "1", "1w", "-1s", "1 s", "99999999999s", "1.5h"] {
            check(wrong, None);
        }
        assert_eq!(Window::sliding("60s"), Some(Window::Sliding(60_000)));
        assert_eq!(Window::sliding("1mo"), None);
    }

    #[test]
    fn a_sliding_window_counts_all_of_its_length_and_at_most_a_part_more() {
        for len in [1, 7, 1000, 60_000, 3_600_000, 86_400_000] {
            let window = Window::Sliding(len);
            for now in (0..200).map(|i| 1_700_000_000_000 + i * (len / 50 + 1)) {
                let start = window.piece(now).start;
                let piece = window.piece(now);
                let over = window.over(start, &piece);
                assert!(over >= now + len, "{len} {now}");
                assert!(over <= now + len + 2 * part(len), "{len} {now}");
                let counts = |now: Millis| window.counts(start, now, &window.piece(now));
                assert!(counts(now + len - 1) && !counts(over), "{len} {now}");
                assert!(window.opened(now) <= start);
            }
        }
    }

    #[test]
    fn any_clock_is_taken() {
        for now in [0, 1, u64::MAX, u64::MAX - 1, 1 << 62] {
            for text in ["1s", "7m", "1h", "3d", "1mo", "12mo", "none"] {
                let window = Window::calendar(text).unwrap();
                let piece = window.piece(now);
                assert!(piece.end >= piece.start, "{text} {now}");
                window.over(piece.start, &piece);
            }
            Window::Sliding(60_000).piece(now);
        }
    }
}
