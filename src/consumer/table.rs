//! Keys by their digest.

use crate::host::Millis;
use crate::secret::Digest;

/// What a key stands for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) digest: Digest,
    /// Index of the consumer.
    pub(super) consumer: usize,
    /// The last moment at which the key is good.
    pub(super) not_after: Option<Millis>,
}

/// Rows in order of their digests.
#[derive(Debug, Default)]
pub(super) struct Table(Vec<Row>);

impl Table {
    /// `false`: that digest is there already.
    pub(super) fn insert(&mut self, row: Row) -> bool {
        let at = self.0.partition_point(|known| known.digest.is_below(&row.digest));
        let free = self.0.get(at).is_none_or(|known| !known.digest.is(&row.digest));
        if free {
            self.0.insert(at, row);
        }
        free
    }

    /// How many steps it takes depends on the number of keys alone, and each compares whole digests.
    pub(super) fn find(&self, digest: &Digest) -> Option<&Row> {
        let (mut at, mut left) = (0_usize, self.0.len());
        while left > 1 {
            let half = left / 2;
            let middle = at.saturating_add(half);
            let below = self.0.get(middle).is_none_or(|row| digest.is_below(&row.digest));
            at = if below { at } else { middle };
            left = left.saturating_sub(half);
        }
        self.0.get(at).filter(|row| row.digest.is(digest))
    }
}
