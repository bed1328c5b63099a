//! The one pass over JSON text: checks grammar, moves forward, builds nothing.

use super::MAX_DEPTH;
use super::block::{bits, ends, equal, escaped, last, letters, marks, quiet};

/// What is wrong, and the byte it was seen at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bad {
    pub what: &'static str,
    pub at: usize,
}

pub(super) const NO_NAME: &str = "expected a member's name in double quotes";

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

    /// A member's name. `true`: it has an escape.
    pub fn name(&mut self) -> Result<bool, Bad> {
        if self.peek() != Some(b'"') {
            return self.bad(NO_NAME);
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
    pub fn string(&mut self) -> Result<bool, Bad> {
        self.quoted()
    }

    /// As above, for where it is done most.
    #[inline(always)]
    pub fn quoted(&mut self) -> Result<bool, Bad> {
        self.step();
        // Names and words end within the first, and most strings without an escape close by.
        for block in self.rest().as_chunks::<16>().0.iter().take(4) {
            let ends = marks(block);
            let end = ends.trailing_zeros() as usize;
            if ends == 0 {
                self.at = self.at.wrapping_add(16);
            } else if block.get(end) == Some(&b'"') {
                self.at = self.at.wrapping_add(end).wrapping_add(1);
                return Ok(false);
            } else {
                break;
            }
        }
        self.long()
    }

    /// A string's inside and its closing quote.
    #[inline(never)]
    fn long(&mut self) -> Result<bool, Bad> {
        let mut any = false;
        // The first byte of a block is escaped by the last of the block before.
        let mut carry = 0_u64;
        loop {
            let mut rest = self.rest();
            if carry == 0 {
                let quiet = rest.as_chunks().0.iter().take_while(|block| quiet(block)).count().wrapping_mul(64);
                self.at = self.at.wrapping_add(quiet);
                rest = rest.get(quiet..).unwrap_or_default();
            }
            let padded;
            let block = match rest.first_chunk() {
                Some(block) => block,
                None => {
                    padded = last(rest);
                    &padded
                }
            };
            let slashes = bits(block, |part| equal(part, b'\\'));
            let mut ends = bits(block, ends);
            if slashes | carry != 0 {
                any = true;
                let escaped = escaped(slashes, &mut carry);
                ends &= !escaped;
                let wrong = escaped & !bits(block, letters) & ends.wrapping_sub(1) & !ends;
                if wrong != 0 {
                    // One at the block's start began before it.
                    self.at = self.at.wrapping_add(wrong.trailing_zeros() as usize).wrapping_sub(1);
                    self.escape()?;
                    // Where there is one there are more: no block is looked at for each.
                    while let Some(run) = self.before_unit() {
                        self.at = self.at.wrapping_add(run);
                        self.escape()?;
                    }
                    carry = 0;
                    continue;
                }
            }
            self.at = self.at.wrapping_add((ends.trailing_zeros() as usize).min(block.len()));
            if ends != 0 {
                if !self.take(b'"') {
                    return self.bad("a control character in a string");
                }
                return Ok(any);
            }
        }
    }

    /// How many bytes stand for themselves before a `\u`, if there is one close by.
    fn before_unit(&self) -> Option<usize> {
        let block = self.rest().first_chunk::<16>()?;
        let run = marks(block).trailing_zeros() as usize;
        block.get(run..)?.starts_with(b"\\u").then_some(run)
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
