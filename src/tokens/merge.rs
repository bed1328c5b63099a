//! Into how many tokens a piece falls: neighbours whose whole has the lowest rank are merged first, the leftmost of equals.

use super::Encoding;
use super::vocabulary::{NONE, rank, rank_of_two};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Longest piece of which the starts of tokens, and its end, are bits of one number.
const SHORT: usize = 63;

/// Longest piece merged in arrays of fixed size; longer ones, which no ordinary text has, are merged with a heap.
const MIDDLE: usize = 1024;

/// Pairs whose least is kept.
const BLOCK: usize = 16;

/// What [`tokens`] costs, in the units of [`Budget`](super::Budget).
pub fn cost(len: usize) -> u64 {
    (len as u64).saturating_mul(if len <= MIDDLE { 60 } else { 150 })
}

/// The tokens of `len` bytes.
pub fn tokens(encoding: Encoding, text: &[u8], from: usize, len: usize) -> u64 {
    match len {
        0..16 => short::<16>(encoding, text, from, len),
        16..=SHORT => short::<64>(encoding, text, from, len),
        _ if len <= MIDDLE => middle(encoding, text, from, len),
        _ => long(encoding, text, from, len),
    }
}

/// A pair as a number: by rank, then by place. 18 bits of rank and 10 of place.
#[inline(always)]
fn key(rank: u32, at: usize) -> u32 {
    if rank == NONE { NONE } else { (rank << 10) | (at as u32 & 1023) }
}

/// Fewer than `N` bytes, a power of two up to 64.
#[inline(always)]
fn short<const N: usize>(encoding: Encoding, text: &[u8], from: usize, len: usize) -> u64 {
    let mask = N.wrapping_sub(1);
    // By the byte a token starts at, its pair with the next.
    let mut pairs = [NONE; N];
    let put = |pairs: &mut [u32; N], at: u32, pair: u32| {
        if let Some(place) = pairs.get_mut(at as usize & mask) {
            *place = pair;
        }
    };
    let bytes = text.get(from..from.wrapping_add(len)).unwrap_or_default();
    for ((at, first), second) in (0..).zip(bytes).zip(bytes.iter().skip(1)) {
        put(&mut pairs, at, key(rank_of_two(encoding, *first, *second), at as usize));
    }
    let together = |at: u32, end: u32| {
        let (at, end) = (at as usize, end as usize);
        key(rank(encoding, text, from.wrapping_add(at), end.wrapping_sub(at)), at)
    };
    // Where tokens start, and the end.
    let mut starts = u64::MAX >> (SHORT & !len);
    loop {
        let least = pairs.iter().fold(NONE, |least, pair| least.min(*pair));
        if least == NONE {
            return u64::from(starts.count_ones().wrapping_sub(1));
        }
        let at = least & 63;
        let later = starts & (!1 << at);
        put(&mut pairs, later.trailing_zeros(), NONE);
        let later = later & later.wrapping_sub(1);
        let after = later.trailing_zeros();
        let earlier = starts & !(u64::MAX << at);
        starts = earlier | (1 << at) | later;
        let beyond = later & later.wrapping_sub(1);
        put(&mut pairs, at, if beyond == 0 { NONE } else { together(at, beyond.trailing_zeros()) });
        if earlier != 0 {
            let before = 63 ^ earlier.leading_zeros();
            put(&mut pairs, before, together(before, after));
        }
    }
}

/// At most [`MIDDLE`] bytes.
fn middle(encoding: Encoding, text: &[u8], from: usize, len: usize) -> u64 {
    const N: usize = MIDDLE;
    // By the byte a token starts at: its pair with the next token, and where its neighbours start.
    let mut pairs = [NONE; N];
    let mut nexts = [0_u16; N];
    let mut befores = [0_u16; N];
    // Of each block of pairs the least.
    let mut least = [NONE; MIDDLE / BLOCK];
    let blocks = len.div_ceil(BLOCK);
    let mask = N.wrapping_sub(1);
    let put = |pairs: &mut [u32; N], at: usize, pair: u32| {
        if let Some(place) = pairs.get_mut(at & mask) {
            *place = pair;
        }
    };
    let together = |at: usize, end: usize| key(rank(encoding, text, from.wrapping_add(at), end.wrapping_sub(at)), at);
    for (at, (next, before)) in nexts.iter_mut().zip(befores.iter_mut()).enumerate().take(len) {
        (*next, *before) = (at.wrapping_add(1) as u16, at.wrapping_sub(1) as u16);
    }
    let bytes = text.get(from..from.wrapping_add(len)).unwrap_or_default();
    for ((at, first), second) in bytes.iter().enumerate().zip(bytes.iter().skip(1)) {
        put(&mut pairs, at, key(rank_of_two(encoding, *first, *second), at));
    }
    let look = |pairs: &[u32; N], least: &mut [u32; MIDDLE / BLOCK], block: usize| {
        if let (Some(place), Some(pairs)) = (least.get_mut(block), pairs.as_chunks::<BLOCK>().0.get(block)) {
            *place = pairs.iter().fold(NONE, |least, pair| least.min(*pair));
        }
    };
    (0..blocks).for_each(|block| look(&pairs, &mut least, block));
    let mut count = len as u64;
    loop {
        let first = least.iter().take(blocks).fold(NONE, |least, pair| least.min(*pair));
        if first == NONE {
            break;
        }
        let at = (first & 1023) as usize;
        let step = |places: &[u16; N], at: usize| usize::from(places.get(at & mask).copied().unwrap_or_default());
        let next = step(&nexts, at);
        let after = step(&nexts, next);
        count = count.wrapping_sub(1);
        put(&mut pairs, next, NONE);
        if let Some(place) = nexts.get_mut(at & mask) {
            *place = after as u16;
        }
        let mut pair = NONE;
        if after < len {
            if let Some(place) = befores.get_mut(after & mask) {
                *place = at as u16;
            }
            pair = together(at, step(&nexts, after));
        }
        put(&mut pairs, at, pair);
        let block = at / BLOCK;
        if at > 0 {
            let before = step(&befores, at);
            put(&mut pairs, before, together(before, after));
            if before / BLOCK != block {
                look(&pairs, &mut least, before / BLOCK);
            }
        }
        if next / BLOCK != block {
            look(&pairs, &mut least, next / BLOCK);
        }
        look(&pairs, &mut least, block);
    }
    count
}

/// A token of a longer piece, by the byte it starts at. One that was merged into the token before has length 0.
#[derive(Clone, Copy)]
struct Part {
    /// The token before starts here.
    before: u32,
    len: u32,
    /// Of it and the next together.
    rank: u32,
}

fn long(encoding: Encoding, text: &[u8], from: usize, len: usize) -> u64 {
    let Ok(end) = u32::try_from(len) else { return len as u64 };
    let together = |at: u32, len: u32| rank(encoding, text, from.saturating_add(at as usize), len as usize);
    let bytes = text.get(from..from.saturating_add(len)).unwrap_or_default();
    let seconds = bytes.iter().skip(1).map(Some).chain([None]);
    let mut parts: Vec<Part> = (0..end)
        .zip(bytes.iter().zip(seconds))
        .map(|(at, (first, second))| {
            let rank = second.map_or(NONE, |second| rank_of_two(encoding, *first, *second));
            Part { before: at.saturating_sub(1), len: 1, rank }
        })
        .collect();
    // Rank and start. What has changed since is left in and passed over.
    let mut heap: BinaryHeap<Reverse<u64>> = parts
        .iter()
        .zip(0_u64..)
        .filter(|(part, _)| part.rank != NONE)
        .map(|(part, at)| Reverse((u64::from(part.rank) << 32) | at))
        .collect();
    let mut count = len as u64;
    while let Some(Reverse(entry)) = heap.pop() {
        let (least, at) = ((entry >> 32) as u32, entry as u32);
        let Some(part) = parts.get(at as usize).copied() else { break };
        if part.rank != least || part.len == 0 {
            continue;
        }
        let next = at.saturating_add(part.len);
        let Some(merged) = parts.get_mut(next as usize) else { break };
        let len = part.len.saturating_add(std::mem::take(&mut merged.len));
        merged.rank = NONE;
        count = count.saturating_sub(1);
        let after = at.saturating_add(len);
        let mut rank = NONE;
        if let Some(third) = parts.get_mut(after as usize) {
            third.before = at;
            rank = together(at, len.saturating_add(third.len));
        }
        if let Some(part) = parts.get_mut(at as usize) {
            (part.len, part.rank) = (len, rank);
        }
        if rank != NONE {
            heap.push(Reverse((u64::from(rank) << 32) | u64::from(at)));
        }
        if at > 0 {
            let rank = together(part.before, at.saturating_sub(part.before).saturating_add(len));
            if let Some(before) = parts.get_mut(part.before as usize) {
                before.rank = rank;
            }
            if rank != NONE {
                heap.push(Reverse((u64::from(rank) << 32) | u64::from(part.before)));
            }
        }
    }
    count
}
