//! Writes the tables that `src/tokens` counts with.
//!
//! `o200k_base` and `cl100k_base` are OpenAI's, published with <https://github.com/openai/tiktoken> under the MIT license
//! (Copyright (c) 2022 OpenAI, Shantanu Jain) and taken here from the crate `tiktoken-rs` (MIT). Character classes are
//! those of the Unicode Character Database in `regex-syntax`, which the reference tokenizer matches with too.
//!
//! - `places.bin`: for each bucket of the hash its displacement, u16.
//! - `slots.bin`: for each slot u64: bits 0..20 where the token's bytes are, 20..27 their number less one, 27..45 the rank in
//!   `o200k_base`, 45..62 the rank in `cl100k_base`, all ones where it has none.
//! - `bytes.bin`: the bytes of all tokens; one may lie in another. Eight bytes are spare at the end.
//! - `twos.bin`: tokens of two bytes once more. For each first byte and quarter of the second bytes u64 of bits, then u64 of
//!   how many tokens stand before; then for each token its ranks, u64, as in `slots.bin`.
//! - `classes.bin`: for each 128 code points the number of their block, u8; then the blocks, 64 bytes each, four bits a
//!   code point.

#[path = "../../../src/tokens/hash.rs"]
mod hash;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

const NO_O200K: u64 = (1 << 18) - 1;
const NO_CL100K: u64 = (1 << 17) - 1;

fn main() {
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../src/tokens");
    let o200k = tokens(&tiktoken_rs::o200k_base().unwrap(), 199_998);
    let cl100k = tokens(&tiktoken_rs::cl100k_base().unwrap(), 100_256);
    let mut ranks: BTreeMap<Vec<u8>, (u64, u64)> = BTreeMap::new();
    for (rank, token) in o200k.into_iter().enumerate() {
        ranks.insert(token, (rank as u64, NO_CL100K));
    }
    for (rank, token) in cl100k.into_iter().enumerate() {
        ranks.entry(token).or_insert((NO_O200K, 0)).1 = rank as u64;
    }
    let keys: Vec<&[u8]> = ranks.keys().map(Vec::as_slice).collect();
    let bytes = superstring(&keys);
    let (places, slots) = place(&keys);
    let mut table = Vec::new();
    for key in slots {
        // An empty slot is never equal: the empty slot's length is 128, and its bytes are none of that length.
        let entry = key.map_or(u64::MAX, |key| {
            let key = keys[key];
            let at = memchr::memmem::find(&bytes, key).unwrap() as u64;
            let (o200k, cl100k) = ranks[key];
            assert!(at < 1 << 20 && key.len() <= hash::LONGEST);
            at | (key.len() as u64 - 1) << 20 | o200k << 27 | cl100k << 45
        });
        table.extend_from_slice(&entry.to_le_bytes());
    }
    let twos = twos(&ranks);
    let classes = classes();
    let places: Vec<u8> = places.into_iter().flat_map(u16::to_le_bytes).collect();
    for (name, data) in [("places", &places), ("slots", &table), ("bytes", &bytes), ("twos", &twos), ("classes", &classes)] {
        println!("{name}.bin: {} bytes", data.len());
        std::fs::write(out.join(format!("{name}.bin")), data).unwrap();
    }
}

fn tokens(bpe: &tiktoken_rs::CoreBPE, count: u32) -> Vec<Vec<u8>> {
    (0..count).map(|rank| bpe.decode_bytes(&[rank]).unwrap()).collect()
}

/// One text that all keys occur in: those that no other holds, joined where the end of one is the start of another.
fn superstring(keys: &[&[u8]]) -> Vec<u8> {
    let all: HashSet<&[u8]> = keys.iter().copied().collect();
    let mut inside: HashSet<&[u8]> = HashSet::new();
    for key in keys {
        for from in 0..key.len() {
            for to in from + 1..=key.len() {
                if to - from < key.len() && all.contains(&key[from..to]) {
                    inside.insert(&key[from..to]);
                }
            }
        }
    }
    let own: Vec<&[u8]> = keys.iter().copied().filter(|key| !inside.contains(key)).collect();
    // For each its successor with the bytes they share; chains never close: the end of a chain knows its start.
    let mut next: Vec<Option<(usize, usize)>> = vec![None; own.len()];
    let mut taken = vec![false; own.len()];
    let mut start_of: Vec<usize> = (0..own.len()).collect();
    let mut end_of: Vec<usize> = (0..own.len()).collect();
    for shared in (1..=24).rev() {
        let mut starting: HashMap<&[u8], Vec<usize>> = HashMap::new();
        for (n, key) in own.iter().enumerate() {
            if !taken[n] && key.len() > shared {
                starting.entry(&key[..shared]).or_default().push(n);
            }
        }
        for (n, key) in own.iter().enumerate() {
            if next[n].is_some() || key.len() <= shared {
                continue;
            }
            let Some(found) = starting.get_mut(&key[key.len() - shared..]) else { continue };
            let Some(at) = found.iter().rposition(|other| start_of[n] != *other) else { continue };
            let other = found.remove(at);
            next[n] = Some((other, shared));
            taken[other] = true;
            let (start, end) = (start_of[n], end_of[other]);
            start_of[end] = start;
            end_of[start] = end;
        }
    }
    let mut text = Vec::new();
    for first in (0..own.len()).filter(|n| !taken[*n]) {
        let (mut n, mut shared) = (first, 0);
        loop {
            text.extend_from_slice(&own[n][shared..]);
            match next[n] {
                Some(step) => (n, shared) = step,
                None => break,
            }
        }
    }
    text.extend_from_slice(&[0; 8]);
    text
}

/// Displacements of the buckets, largest bucket first, so that no two keys share a slot.
fn place(keys: &[&[u8]]) -> (Vec<u16>, Vec<Option<usize>>) {
    let buckets = 1 << 16;
    let slots = keys.len() * 100 / 98;
    let hashes: Vec<u64> = keys
        .iter()
        .map(|key| match key.len() {
            0..=8 => hash::short(hash::word(key, 0, key.len()), key.len()),
            len => hash::long(key, 0, len),
        })
        .collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); buckets];
    for (key, hash) in hashes.iter().enumerate() {
        members[hash::bucket(*hash)].push(key);
    }
    let mut order: Vec<usize> = (0..buckets).collect();
    order.sort_by_key(|bucket| std::cmp::Reverse(members[*bucket].len()));
    let mut places = vec![0; buckets];
    let mut table: Vec<Option<usize>> = vec![None; slots];
    for bucket in order {
        let found = (0..=u16::MAX).find(|displaced| {
            let mut at: Vec<usize> =
                members[bucket].iter().map(|key| hash::slot(hashes[*key], *displaced, slots)).collect();
            at.sort_unstable();
            at.windows(2).all(|pair| pair[0] != pair[1]) && at.iter().all(|slot| table[*slot].is_none())
        });
        places[bucket] = found.expect("a displacement; with fewer keys a slot there is one");
        for key in &members[bucket] {
            table[hash::slot(hashes[*key], places[bucket], slots)] = Some(*key);
        }
    }
    (places, table)
}

/// For each first byte: four words of bits, one for each second byte, and how many tokens are before each word.
fn twos(ranks: &BTreeMap<Vec<u8>, (u64, u64)>) -> Vec<u8> {
    let mut rows = Vec::new();
    let mut entries = Vec::new();
    for first in 0..=255_u8 {
        for quarter in 0..4_u8 {
            let mut bits = 0_u64;
            let before = entries.len() as u64;
            for bit in 0..64 {
                if let Some((o200k, cl100k)) = ranks.get(&[first, quarter * 64 + bit][..]) {
                    bits |= 1 << bit;
                    entries.push(o200k << 27 | cl100k << 45);
                }
            }
            rows.extend([bits, before]);
        }
    }
    rows.into_iter().chain(entries).flat_map(u64::to_le_bytes).collect()
}

/// As `src/tokens/class.rs` numbers them.
fn classes() -> Vec<u8> {
    let mut class = vec![0_u8; 0x11_0000];
    for (pattern, number) in [
        (r"[\p{Lu}\p{Lt}]", 1),
        (r"\p{Ll}", 2),
        (r"[\p{Lm}\p{Lo}]", 3),
        (r"\p{M}", 4),
        (r"\p{N}", 5),
        (r"\s", 6),
        (r"[\r\n]", 7),
    ] {
        let hir = regex_syntax::parse(pattern).unwrap();
        let regex_syntax::hir::HirKind::Class(regex_syntax::hir::Class::Unicode(ranges)) = hir.kind() else {
            panic!("{pattern} is no class");
        };
        for range in ranges.ranges() {
            class[range.start() as usize..=range.end() as usize].fill(number);
        }
    }
    let mut blocks: Vec<Vec<u8>> = Vec::new();
    let mut index = Vec::new();
    for points in class.chunks(128) {
        let block: Vec<u8> = points.chunks(2).map(|two| two[0] | two[1] << 4).collect();
        let number = blocks.iter().position(|other| *other == block).unwrap_or_else(|| {
            blocks.push(block);
            blocks.len() - 1
        });
        index.push(u8::try_from(number).unwrap());
    }
    index.into_iter().chain(blocks.concat()).collect()
}
