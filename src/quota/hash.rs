//! SipHash-2-4 with 128 bits. A fixed key: all Envoys of a fleet, and each build of the module, must agree. What it
//! keeps apart are counters, and whoever may choose a header's value may as well send another's.

const KEY: (u64, u64) = (0x736c_7569_6365_2071, 0x756f_7461_2073_6c6f);

#[derive(Clone, Debug)]
pub struct Hasher {
    v: (u64, u64, u64, u64),
    tail: u64,
    /// Bytes so far; the low three bits are how many are in the tail.
    len: u64,
}

impl Default for Hasher {
    fn default() -> Self {
        Self::keyed(KEY.0, KEY.1)
    }
}

impl Hasher {
    fn keyed(k0: u64, k1: u64) -> Self {
        let v = (
            k0 ^ 0x736f_6d65_7073_6575,
            k1 ^ 0x646f_7261_6e64_6f6d ^ 0xee,
            k0 ^ 0x6c79_6765_6e65_7261,
            k1 ^ 0x7465_6462_7974_6573,
        );
        Self { v, tail: 0, len: 0 }
    }

    fn rounds(&mut self, count: u32) {
        let (mut a, mut b, mut c, mut d) = self.v;
        for _ in 0..count {
            a = a.wrapping_add(b);
            b = b.rotate_left(13) ^ a;
            a = a.rotate_left(32);
            c = c.wrapping_add(d);
            d = d.rotate_left(16) ^ c;
            a = a.wrapping_add(d);
            d = d.rotate_left(21) ^ a;
            c = c.wrapping_add(b);
            b = b.rotate_left(17) ^ c;
            c = c.rotate_left(32);
        }
        self.v = (a, b, c, d);
    }

    fn word(&mut self, word: u64) {
        self.v.3 ^= word;
        self.rounds(2);
        self.v.0 ^= word;
    }

    pub fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            let shift = (self.len & 7).wrapping_mul(8);
            self.tail |= u64::from(*byte) << shift;
            self.len = self.len.wrapping_add(1);
            if shift == 56 {
                self.word(self.tail);
                self.tail = 0;
            }
        }
    }

    /// A part with its length: parts that read alike when joined stay apart.
    pub fn part(&mut self, part: &[u8]) {
        self.bytes(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_le_bytes());
        self.bytes(part);
    }

    pub fn finish(mut self) -> u128 {
        self.word(self.tail | (self.len << 56));
        self.v.2 ^= 0xee;
        self.rounds(4);
        let low = self.v.0 ^ self.v.1 ^ self.v.2 ^ self.v.3;
        self.v.1 ^= 0xdd;
        self.rounds(4);
        let high = self.v.0 ^ self.v.1 ^ self.v.2 ^ self.v.3;
        u128::from(high) << 64 | u128::from(low)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the reference implementation: key 00..0f, messages of 0, 1 and 8 bytes 00 01 02…
    #[test]
    fn it_is_siphash() {
        let check = |len: u8, expected: [u8; 16]| {
            let mut hasher = Hasher::keyed(0x0706_0504_0302_0100, 0x0f0e_0d0c_0b0a_0908);
            hasher.bytes(&(0..len).collect::<Vec<_>>());
            assert_eq!(hasher.finish().to_le_bytes(), expected, "{len}");
        };
        check(0, [0xa3, 0x81, 0x7f, 0x04, 0xba, 0x25, 0xa8, 0xe6, 0x6d, 0xf6, 0x72, 0x14, 0xc7, 0x55, 0x02, 0x93]);
        check(1, [0xda, 0x87, 0xc1, 0xd8, 0x6b, 0x99, 0xaf, 0x44, 0x34, 0x76, 0x59, 0x11, 0x9b, 0x22, 0xfc, 0x45]);
    }
}
