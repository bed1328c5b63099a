//! Values in shared data of which there is a fixed number, each changed by compare-and-set.

use crate::host::Shared;

/// One kind of page, with names of its own.
pub struct Pages {
    /// Ends in six digits. It changes when the bytes of a page do: another version has other keys.
    pub name: &'static [u8; 21],
    /// The key of how many there are.
    pub size: &'static str,
    /// What a new one holds.
    pub empty: &'static [u8],
}

impl Pages {
    /// Makes the keys, once for each start of Envoy: the first write of a key that does not exist could be lost between
    /// workers. Their number stays what it was first, so that nothing is lost; beside them are `more`.
    pub fn prepare(&self, shared: &dyn Shared, count: u32, more: u32) {
        if shared.load(self.size).is_none() {
            for index in 0..count.saturating_add(more) {
                let name = self.named(index);
                if shared.load(text(&name)).is_none() {
                    shared.store(text(&name), self.empty, None);
                }
            }
            shared.store(self.size, &count.to_le_bytes(), None);
        }
    }

    /// How many there are, if they were prepared.
    pub fn count(&self, shared: &dyn Shared) -> Option<u32> {
        let (value, _) = shared.load(self.size)?;
        value.try_into().ok().map(u32::from_le_bytes)
    }

    /// What a page holds, and the token to change it by.
    pub fn load(&self, shared: &dyn Shared, index: u32) -> (Vec<u8>, u32) {
        let name = self.named(index);
        shared.load(text(&name)).unwrap_or_else(|| {
            // Not prepared, as it should have been.
            shared.store(text(&name), self.empty, None);
            shared.load(text(&name)).unwrap_or_default()
        })
    }

    /// `false`: another worker was first; nothing was changed.
    pub fn store(&self, shared: &dyn Shared, index: u32, bytes: &[u8], cas: u32) -> bool {
        shared.store(text(&self.named(index)), bytes, Some(cas))
    }

    /// The name of a page, without a heap.
    fn named(&self, index: u32) -> [u8; 21] {
        let mut name = *self.name;
        let mut rest = index;
        for place in name.iter_mut().rev().take(6) {
            *place = match u8::try_from(rest & 15).unwrap_or(0) {
                digit @ 0..=9 => digit | b'0',
                digit => digit.saturating_add(b'a' - 10),
            };
            rest >>= 4;
        }
        name
    }
}

fn text(name: &[u8; 21]) -> &str {
    std::str::from_utf8(name).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_length_and_different() {
        let pages = Pages { name: b"sluice.quota.1.000000", size: "", empty: &[] };
        let all: std::collections::BTreeSet<_> = (0..5000).map(|index| pages.named(index)).collect();
        assert_eq!(all.len(), 5000);
        assert_eq!(text(&pages.named(0xabc)), "sluice.quota.1.000abc");
    }
}
