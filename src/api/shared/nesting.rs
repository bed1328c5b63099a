//! Whether a JSON text that comes in pieces is whole.

/// How far a JSON text has come.
#[derive(Debug, Default)]
pub struct Nesting {
    depth: u32,
    in_string: bool,
    escaped: bool,
    whole: bool,
}

impl Nesting {
    /// More of the text.
    pub fn take(&mut self, json: &str) {
        for byte in json.bytes() {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' if self.in_string => self.escaped = true,
                b'"' => self.in_string = !self.in_string,
                _ if self.in_string => {}
                b'{' | b'[' => self.depth = self.depth.saturating_add(1),
                b'}' | b']' => {
                    self.depth = self.depth.saturating_sub(1);
                    self.whole = self.depth == 0;
                }
                _ => {}
            }
        }
    }

    /// An object or array that was begun is closed again. White space may follow.
    pub fn whole(&self) -> bool {
        self.whole
    }
}
