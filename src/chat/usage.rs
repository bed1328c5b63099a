/// Tokens as the provider reported them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// All of the prompt: what was read from and written to the provider's cache included.
    pub input: u64,
    /// Part of `input`: read from the cache.
    pub cached_input: u64,
    /// Part of `input`: written to the cache.
    pub cache_write: u64,
    /// All that was generated: reasoning included.
    pub output: u64,
    /// Part of `output`.
    pub reasoning: u64,
    /// Part of `input`: audio.
    pub audio_input: u64,
    /// Part of `output`: audio.
    pub audio_output: u64,
    /// Part of `input`: images.
    pub image_input: u64,
    /// Part of `output`: images.
    pub image_output: u64,
}

impl Usage {
    pub fn total(&self) -> u64 {
        self.input.saturating_add(self.output)
    }
}
