use crate::host::{Millis, Shared};

/// Tries to store a cool-down while other workers store theirs.
const ATTEMPTS: usize = 4;

/// Until when each failed target is left out, shared by all workers.
pub struct Cooldowns<'a>(pub &'a dyn Shared);

impl Cooldowns<'_> {
    /// Creates the key: the first write of a key that does not exist could be lost between workers.
    pub fn prepare(&self, key: &str) {
        if self.0.load(key).is_none() {
            self.0.store(key, &0_u64.to_le_bytes(), None);
        }
    }

    /// 0: not cooling down.
    pub fn until(&self, key: &str) -> Millis {
        self.0.load(key).map_or(0, |(value, _)| decode(&value))
    }

    /// Leaves the target out until then; an earlier end never replaces a later one.
    pub fn cool(&self, key: &str, until: Millis) {
        for _ in 0..ATTEMPTS {
            let (known, cas) = self.0.load(key).map_or((0, None), |(value, cas)| (decode(&value), Some(cas)));
            if known >= until || self.0.store(key, &until.to_le_bytes(), cas) {
                return;
            }
        }
    }

    /// It has answered: it is not left out any longer.
    pub fn clear(&self, key: &str) {
        self.0.store(key, &0_u64.to_le_bytes(), None);
    }
}

fn decode(value: &[u8]) -> Millis {
    value.try_into().map_or(0, u64::from_le_bytes)
}
