//! What holds of any text.

use super::{Budget, Counter, Encoding, Model, count, count_within};

/// Counting never fails; bounds hold; a count within a budget is the count, or says that it is none; a stream counts alike.
pub fn fuzz_tokens(text: &str) {
    for (encoding, model) in [(Encoding::O200k, "gpt-4o"), (Encoding::Cl100k, "gpt-4")] {
        let whole = count(encoding, text);
        assert!(whole <= text.len() as u64 && (whole > 0) != text.is_empty());
        for budget in [0, 100, 10_000, 1_000_000, u64::MAX] {
            let mut left = Budget::new(budget);
            let within = count_within(encoding, text, &mut left);
            assert!(left.left() <= budget);
            match within {
                super::Count::Exact(count) => assert_eq!(count, whole),
                super::Count::Estimate { likely, upper } => {
                    assert!(likely <= upper && whole <= upper, "{whole} {upper}")
                }
            }
        }
        let mut counter = Counter::new(Model::named(model));
        let mut rest = text;
        while !rest.is_empty() {
            let (part, after) = rest.split_at(step(rest));
            counter.feed(part);
            rest = after;
        }
        let streamed = counter.count();
        let cuts = (text.len() as u64 / 4096).saturating_mul(3);
        assert!(streamed.upper().abs_diff(whole) <= cuts, "{streamed:?} {whole}");
    }
    for name in ["claude-sonnet-4-5", "gemini-2.5-pro", "unheard-of"] {
        let estimate = Model::named(name).text(text, &mut Budget::CALL.clone());
        let most = (text.len() as u64).saturating_mul(9).div_ceil(8);
        assert!(estimate.likely() <= estimate.upper() && estimate.upper() <= most);
    }
}

/// About seven bytes.
fn step(text: &str) -> usize {
    text.char_indices().map(|(at, _)| at).find(|at| *at >= 7).unwrap_or(text.len())
}
