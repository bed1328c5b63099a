//! A list of at most `N`, without a heap.

#[derive(Clone, Copy, Debug)]
pub struct List<T, const N: usize> {
    items: [T; N],
    len: usize,
}

impl<T: Copy + Default, const N: usize> Default for List<T, N> {
    fn default() -> Self {
        Self { items: [T::default(); N], len: 0 }
    }
}

impl<T: Copy, const N: usize> List<T, N> {
    pub fn all(&self) -> &[T] {
        self.items.get(..self.len).unwrap_or_default()
    }

    pub fn all_mut(&mut self) -> &mut [T] {
        self.items.get_mut(..self.len).unwrap_or_default()
    }

    pub fn is_full(&self) -> bool {
        self.len >= N
    }

    /// `false`: there is no room.
    pub fn push(&mut self, item: T) -> bool {
        let Some(place) = self.items.get_mut(self.len) else { return false };
        *place = item;
        self.len = self.len.saturating_add(1);
        true
    }

    pub fn retain(&mut self, mut keep: impl FnMut(&T) -> bool) {
        let mut kept = 0_usize;
        for at in 0..self.len {
            let Some(item) = self.items.get(at).copied() else { break };
            if keep(&item)
                && let Some(place) = self.items.get_mut(kept)
            {
                *place = item;
                kept = kept.saturating_add(1);
            }
        }
        self.len = kept;
    }
}
