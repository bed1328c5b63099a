/// `; did you mean "…"?` with the known name that is nearest to what was written, or nothing if none is near.
pub fn suggest(written: &str, known: &mut dyn Iterator<Item = &str>) -> String {
    let most = written.chars().count().div_ceil(3).min(3);
    let nearest = known.map(|name| (distance(written, name), name)).min();
    match nearest {
        Some((steps, name)) if steps <= most => format!("; did you mean \"{name}\"?"),
        _ => String::new(),
    }
}

/// Longest names compared.
const MAX_CHARS: usize = 64;

/// Insertions, deletions, replacements and swaps of neighbours from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(MAX_CHARS).collect();
    let b: Vec<char> = b.chars().take(MAX_CHARS).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, ca) in a.iter().enumerate() {
        let mut row = vec![i.saturating_add(1)];
        let mut left_b = None;
        for (j, cb) in b.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX);
            let after = j.saturating_add(1);
            let replaced = at(&last, j).saturating_add(usize::from(ca != cb));
            let removed = at(&last, after).saturating_add(1);
            let added = at(&row, j).saturating_add(1);
            let mut best = replaced.min(removed).min(added);
            if previous == Some(cb) && left_b == Some(ca) {
                best = best.min(at(&before_last, j.saturating_sub(1)).saturating_add(1));
            }
            row.push(best);
            left_b = Some(cb);
        }
        before_last = std::mem::replace(&mut last, row);
        previous = Some(ca);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::suggest;

    #[test]
    fn a_near_name_is_suggested_and_a_far_one_is_not() {
        let known = ["openai", "anthropic", "azure-openai"];
        for (written, expected) in [
            ("opnai", "; did you mean \"openai\"?"),
            ("opeani", "; did you mean \"openai\"?"),
            ("Anthropic", "; did you mean \"anthropic\"?"),
            ("gemini", ""),
            ("", ""),
        ] {
            assert_eq!(suggest(written, &mut known.iter().copied()), expected, "{written}");
        }
    }
}
