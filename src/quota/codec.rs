//! A counter as bytes: words of eight, little end first, and leases in LEB128, of which most numbers are small.

use super::counter::{Cell, Counter, Held};
use super::lease::{Lease, Pending};

pub fn put(out: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        out.push(u8::try_from(number & 0x7f).unwrap_or(0) | 0x80);
        number >>= 7;
    }
    out.push(u8::try_from(number).unwrap_or(0));
}

/// Puts the length of what is written before it: always as two bytes, for a counter is at most 1.5 KB.
pub fn put_sized(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let at = out.len();
    out.extend_from_slice(&[0, 0]);
    let start = out.len();
    write(out);
    let len = out.len().saturating_sub(start);
    let low = u8::try_from(len & 0x7f).unwrap_or(0) | 0x80;
    let high = u8::try_from(len >> 7).unwrap_or(0);
    if let Some(place) = out.get_mut(at..start) {
        place.copy_from_slice(&[low, high]);
    }
}

/// Reads what [`put`] wrote; `None`: that is no number, or there are no bytes.
pub fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let bits = u64::from(byte & 0x7f);
        if shift == 63 && bits > 1 {
            return None;
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

pub fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Option<&'a [u8]> {
    let (head, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(head)
}

/// Bit 0: a lease; bit 1: the one before it.
const LEASE: u8 = 1;
const PAST: u8 = 2;

/// A counter's first bytes: flags, thresholds that were crossed, how many cells, how many amounts are held; then the latest time.
pub const HEAD: usize = 4;
pub const WORD: usize = 8;

pub fn has_lease(body: &[u8]) -> bool {
    body.first().is_some_and(|flags| *flags != 0)
}

/// What changes often has a place of a fixed size, so that [`super::quick`] can change it there.
pub fn encode(counter: &Counter, out: &mut Vec<u8>) {
    let flag = |set: bool, bit| if set { bit } else { 0 };
    let flags = flag(counter.lease.is_some(), LEASE) | flag(counter.past.is_some(), PAST);
    out.extend_from_slice(&[flags, counter.crossed, size(counter.cells.all()), size(counter.held.all())]);
    put_word(out, counter.seen);
    for cell in counter.cells.all() {
        put_word(out, cell.start);
        put_word(out, cell.used);
    }
    for held in counter.held.all() {
        put_word(out, held.cell);
        put_word(out, held.due);
        put_word(out, held.amount);
    }
    for lease in counter.lease.iter().chain(&counter.past) {
        encode_lease(lease, out);
    }
}

fn size<T>(list: &[T]) -> u8 {
    u8::try_from(list.len()).unwrap_or(0)
}

pub fn decode(mut bytes: &[u8]) -> Option<Box<Counter>> {
    let bytes = &mut bytes;
    let &[flags, crossed, cells, held] = head(bytes)?;
    let mut counter = Box::<Counter>::default();
    counter.seen = word(bytes)?;
    counter.crossed = crossed;
    for _ in 0..cells {
        let cell = Cell { start: word(bytes)?, used: word(bytes)? };
        counter.cells.push(cell).then_some(())?;
    }
    for _ in 0..held {
        let held = Held { cell: word(bytes)?, due: word(bytes)?, amount: word(bytes)? };
        // Given back where it lay.
        if held.amount > 0 {
            counter.held.push(held).then_some(())?;
        }
    }
    if flags & LEASE != 0 {
        counter.lease = Some(decode_lease(bytes)?);
    }
    if flags & PAST != 0 {
        counter.past = Some(decode_lease(bytes)?);
    }
    (flags <= LEASE | PAST && bytes.is_empty()).then_some(counter)
}

fn head<'b, const N: usize>(bytes: &mut &'b [u8]) -> Option<&'b [u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(head)
}

#[inline(never)]
pub fn put_word(out: &mut Vec<u8>, word: u64) {
    out.extend_from_slice(&word.to_le_bytes());
}

/// The next eight bytes.
pub fn word(bytes: &mut &[u8]) -> Option<u64> {
    head(bytes).copied().map(u64::from_le_bytes)
}

fn encode_lease(lease: &Lease, out: &mut Vec<u8>) {
    let Lease { start, end, limit, total, acked, ceil, born, seq, until, synced, size, free, .. } = *lease;
    for field in [start, end, limit, total, acked, ceil, born, seq, until, synced, size, free] {
        put(out, field);
    }
    let Lease { dry, used, marks, stays, busy, pending, .. } = *lease;
    for field in [dry, used, marks, stays, u64::from(busy)] {
        put(out, field);
    }
    put(out, u64::from(pending.is_some()));
    if let Some(Pending { first, sent, total, acked, born, have, need, want }) = pending {
        for field in [first, sent, total, acked, born, have, need, want] {
            put(out, field);
        }
    }
}

fn decode_lease(bytes: &mut &[u8]) -> Option<Lease> {
    let mut next = || number(bytes);
    let mut lease = Lease {
        start: next()?,
        end: next()?,
        limit: next()?,
        total: next()?,
        acked: next()?,
        ceil: next()?,
        born: next()?,
        seq: next()?,
        until: next()?,
        synced: next()?,
        size: next()?,
        free: next()?,
        dry: next()?,
        used: next()?,
        marks: next()?,
        stays: next()?,
        busy: next()? != 0,
        pending: None,
    };
    if next()? != 0 {
        lease.pending = Some(Pending {
            first: next()?,
            sent: next()?,
            total: next()?,
            acked: next()?,
            born: next()?,
            have: next()?,
            need: next()?,
            want: next()?,
        });
    }
    Some(lease)
}
