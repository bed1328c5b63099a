//! The one pass over JSON text: checks grammar, moves forward, builds nothing.

use super::MAX_DEPTH;

/// What is wrong, and the byte it was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub what: &'static str,
    pub at: usize,
}

/// A place in JSON text. Never splits a character: it stops only before and after ASCII.
#[derive(Clone)]
pub(super) struct Scan<'a> {
    bytes: &'a [u8],
    pub at: usize,
    /// Half a surrogate pair is let by, as some servers cut one in two.
    pub lenient: bool,
}

impl<'a> Scan<'a> {
    pub fn new(text: &'a str) -> Self {
        Self { bytes: text.as_bytes(), at: 0, lenient: false }
    }

    #[inline(always)]
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    #[inline(always)]
    pub fn step(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    #[inline(always)]
    fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    pub fn bad<T>(&self, what: &'static str) -> Result<T, Bad> {
        let what = if self.at < self.bytes.len() { what } else { "the text ends too early" };
        Err(Bad { what, at: self.at })
    }

    /// Takes `byte` if it is next.
    #[inline(always)]
    pub fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.step();
        }
        found
    }

    #[inline(always)]
    pub fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = self.peek() {
            self.step();
        }
    }

    /// A member's name and the colon, up to where its value starts. `true`: the name has an escape.
    #[inline]
    pub fn name(&mut self) -> Result<bool, Bad> {
        if self.peek() != Some(b'"') {
            return self.bad("expected a member's name in double quotes");
        }
        self.string()
    }

    #[inline]
    pub fn colon(&mut self) -> Result<(), Bad> {
        self.space();
        if !self.take(b':') {
            return self.bad("expected `:` after a member's name");
        }
        self.space();
        Ok(())
    }

    /// One whole value. `outside` is how many objects and arrays it already stands in.
    pub fn value(&mut self, outside: usize) -> Result<(), Bad> {
        let room = MAX_DEPTH.saturating_sub(outside);
        let mut depth = 0_usize;
        // One bit for each open container, the innermost lowest: 1 for an object.
        let mut objects = 0_u64;
        loop {
            match self.peek() {
                Some(b'"') => {
                    self.string()?;
                }
                Some(open @ (b'{' | b'[')) => {
                    if depth >= room {
                        return self.bad("nested too deeply");
                    }
                    self.step();
                    self.space();
                    let object = open == b'{';
                    if !self.take(if object { b'}' } else { b']' }) {
                        depth = depth.wrapping_add(1);
                        objects = (objects << 1) | u64::from(object);
                        if object {
                            self.name()?;
                            self.colon()?;
                        }
                        continue;
                    }
                }
                _ => self.plain()?,
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                self.space();
                let object = objects & 1 == 1;
                if self.take(b',') {
                    self.space();
                    if object {
                        self.name()?;
                        self.colon()?;
                    }
                    break;
                }
                if !self.take(if object { b'}' } else { b']' }) {
                    return self.bad(if object { "expected `,` or `}`" } else { "expected `,` or `]`" });
                }
                depth = depth.wrapping_sub(1);
                objects >>= 1;
            }
        }
    }

    /// A number, `true`, `false` or `null`.
    #[inline]
    pub fn plain(&mut self) -> Result<(), Bad> {
        match self.peek() {
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            _ => self.bad("expected a value"),
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), Bad> {
        if !self.rest().starts_with(word) {
            return self.bad("expected a value");
        }
        self.at = self.at.wrapping_add(word.len());
        Ok(())
    }

    fn digits(&mut self) -> Result<(), Bad> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return self.bad("expected a digit");
        }
        while let Some(b'0'..=b'9') = self.peek() {
            self.step();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), Bad> {
        let start = self.at;
        self.take(b'-');
        if self.take(b'0') {
            if let Some(b'0'..=b'9') = self.peek() {
                return self.bad("a number must not start with 0");
            }
        } else {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        let mut exponent = false;
        if let Some(b'e' | b'E') = self.peek() {
            exponent = true;
            self.step();
            if let Some(b'+' | b'-') = self.peek() {
                self.step();
            }
            self.digits()?;
        }
        // Only these can be beyond the greatest double, 1.8e308.
        if exponent || self.at.wrapping_sub(start) > 300 {
            let text = self.bytes.get(start..self.at).and_then(|t| std::str::from_utf8(t).ok());
            if !text.and_then(|t| t.parse::<f64>().ok()).is_some_and(f64::is_finite) {
                return Err(Bad { what: "a number out of range", at: start });
            }
        }
        Ok(())
    }

    /// A string, from its opening quote to past its closing one. `true`: it has an escape.
    #[inline]
    pub fn string(&mut self) -> Result<bool, Bad> {
        self.step();
        let mut escaped = false;
        loop {
            self.at = self.at.wrapping_add(plain(self.rest()));
            match self.peek() {
                Some(b'"') => {
                    self.step();
                    return Ok(escaped);
                }
                Some(b'\\') => {
                    escaped = true;
                    self.escape()?;
                }
                _ => return self.bad("a control character in a string"),
            }
        }
    }

    fn escape(&mut self) -> Result<(), Bad> {
        let start = self.at;
        self.step();
        match self.peek() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.step();
                Ok(())
            }
            Some(b'u') => {
                let lone = if self.lenient { Ok(()) } else { Err(Bad { what: "half of a surrogate pair", at: start }) };
                match self.unit()? {
                    0xD800..=0xDBFF => {
                        if !self.rest().starts_with(b"\\u") {
                            return lone;
                        }
                        let first = self.at;
                        self.step();
                        if matches!(self.unit()?, 0xDC00..=0xDFFF) {
                            return Ok(());
                        }
                        self.at = first;
                        lone
                    }
                    0xDC00..=0xDFFF => lone,
                    _ => Ok(()),
                }
            }
            _ => self.bad("an unknown escape in a string"),
        }
    }

    /// `u` and four hexadecimal digits.
    fn unit(&mut self) -> Result<u32, Bad> {
        self.step();
        let mut unit = 0_u32;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|b| char::from(b).to_digit(16)) else {
                return self.bad("`\\u` needs four hexadecimal digits");
            };
            unit = (unit << 4) | digit;
            self.step();
        }
        Ok(unit)
    }
}

/// How many leading bytes stand for themselves in a JSON string.
#[inline(always)]
pub(super) fn plain(bytes: &[u8]) -> usize {
    let mut count = 0_usize;
    let (blocks, tail) = bytes.as_chunks::<16>();
    for block in blocks {
        let ends = marks(block);
        if ends != 0 {
            return count.wrapping_add(ends.trailing_zeros() as usize);
        }
        count = count.wrapping_add(16);
    }
    count.wrapping_add(tail.iter().position(special).unwrap_or(tail.len()))
}

/// Whether it does not stand for itself in a JSON string.
#[inline]
fn special(byte: &u8) -> bool {
    matches!(*byte, b'"' | b'\\' | 0..0x20)
}

/// Where `byte` stands, in order: for bytes that come often, each of which would be a search of its own.
pub fn places(byte: u8, bytes: &[u8]) -> Places<'_> {
    let (blocks, tail) = bytes.as_chunks::<16>();
    Places { byte, blocks: blocks.iter(), tail, at: 0, next: 0, marks: 0 }
}

/// See [`places`].
pub struct Places<'a> {
    byte: u8,
    blocks: std::slice::Iter<'a, [u8; 16]>,
    tail: &'a [u8],
    /// Where the block of the marks starts, and the one after it.
    at: usize,
    next: usize,
    /// A bit for each place in the block that is not given yet.
    marks: u32,
}

impl Iterator for Places<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.marks == 0 {
            self.at = self.next;
            self.marks = match self.blocks.next() {
                Some(block) => equal(block, self.byte),
                None if self.tail.is_empty() => return None,
                None => {
                    let mut block = [!self.byte; 16];
                    block.iter_mut().zip(std::mem::take(&mut self.tail)).for_each(|(to, from)| *to = *from);
                    equal(&block, self.byte)
                }
            };
            self.next = self.at.wrapping_add(16);
        }
        let first = self.marks.trailing_zeros() as usize;
        self.marks &= self.marks.wrapping_sub(1);
        Some(self.at.wrapping_add(first))
    }
}

/// A bit for each byte that is this one, the first byte's lowest.
#[cfg(target_arch = "wasm32")]
#[inline]
fn equal(block: &[u8; 16], byte: u8) -> u32 {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_splat, u64x2};
    let [low, high] = halves(block);
    u32::from(u8x16_bitmask(u8x16_eq(u64x2(low, high), u8x16_splat(byte))))
}

#[cfg(not(target_arch = "wasm32"))]
fn equal(block: &[u8; 16], byte: u8) -> u32 {
    block.iter().rev().fold(0, |marks, other| (marks << 1) | u32::from(*other == byte))
}

/// A bit for each byte that ends a plain run, the first byte's lowest: `"`, `\` and controls.
#[cfg(target_arch = "wasm32")]
#[inline(always)]
fn marks(block: &[u8; 16]) -> u32 {
    use core::arch::wasm32::{u8x16_bitmask, u8x16_eq, u8x16_lt, u8x16_splat, u64x2, v128_or};
    let [low, high] = halves(block);
    let block = u64x2(low, high);
    let quoted = v128_or(u8x16_eq(block, u8x16_splat(b'"')), u8x16_eq(block, u8x16_splat(b'\\')));
    u32::from(u8x16_bitmask(v128_or(quoted, u8x16_lt(block, u8x16_splat(0x20)))))
}

/// As above, except that only the lowest bit is exact, and that it is the byte's place.
#[cfg(not(target_arch = "wasm32"))]
#[inline(always)]
fn marks(block: &[u8; 16]) -> u32 {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    let first = |word: u64| {
        // `"` and the controls, and no others, are below 0x21 once their second bit is flipped.
        let low = (word ^ (ONES << 1)).wrapping_sub(ONES.wrapping_mul(0x21));
        let slash = (word ^ ONES.wrapping_mul(b'\\' as u64)).wrapping_sub(ONES);
        ((low | slash) & !word & HIGHS).trailing_zeros() >> 3
    };
    let [low, high] = halves(block);
    let at = match first(low) {
        8 => first(high).wrapping_add(8),
        at => at,
    };
    if at < 16 { 1 << at } else { 0 }
}

#[inline(always)]
fn halves(block: &[u8; 16]) -> [u64; 2] {
    let (words, _) = block.as_chunks::<8>();
    [words.first().copied().map_or(0, u64::from_le_bytes), words.get(1).copied().map_or(0, u64::from_le_bytes)]
}
