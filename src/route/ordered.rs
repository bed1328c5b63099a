use super::Strategy;

/// As listed.
pub struct Ordered;

impl Strategy for Ordered {
    fn name(&self) -> &'static str {
        "ordered"
    }

    fn order(&self, _order: &mut [usize]) {}
}
