//! `prices` of the document: what upstream models cost.

use super::check::Reader;
use super::node::{Node, join};
use crate::price::{PER_REQUEST, PriceList, RATES, Tier, Written};

/// Where a price comes from: for who reads the document.
const NOTES: &[&str] = &["source", "date"];

impl<'v> Reader<'v> {
    pub(super) fn prices(&mut self, node: &'v Node) -> PriceList {
        let mut written = Vec::new();
        for (name, price) in self.mapping(node).into_iter().flatten() {
            let rates: Vec<&str> = RATES.iter().copied().chain([PER_REQUEST]).collect();
            let known: Vec<&str> = rates.iter().chain(NOTES).copied().chain(["tiers"]).collect();
            if self.fields(price, &known).is_none() {
                continue;
            }
            let mut tiers = Vec::new();
            for tier in price.get("tiers").map(|tiers| self.list(tiers)).unwrap_or_default() {
                let known: Vec<&str> = RATES.iter().copied().chain(["above"]).collect();
                if self.fields(tier, &known).is_none() {
                    continue;
                }
                self.need(tier, "above");
                let above = self.count_in(tier, "above").unwrap_or(0);
                tiers.push(Tier { above, amounts: self.amounts(tier, RATES) });
            }
            written.push(Written { name: name.clone(), amounts: self.amounts(price, &rates), tiers });
        }
        match PriceList::new(&written) {
            Ok(list) => list,
            // A target whose price has a mistake is not told to have none.
            Err((list, wrong)) => {
                for (path, message) in wrong {
                    self.told(join("prices", &path), message);
                }
                list
            }
        }
    }

    fn amounts(&mut self, node: &'v Node, names: &[&str]) -> Vec<(String, String)> {
        let given = names.iter().filter_map(|name| Some((*name, node.get(name)?)));
        let given: Vec<(&str, &Node)> = given.collect();
        given.into_iter().filter_map(|(name, node)| Some((name.to_owned(), self.decimal(node)?))).collect()
    }

    /// A number of dollars as decimal text, for [`crate::price`] to read exactly.
    pub(super) fn decimal(&mut self, node: &'v Node) -> Option<String> {
        match node {
            Node::Text(_) => self.text(node).map(str::to_owned),
            Node::Number(number) => {
                let text = decimal(*number);
                if text.is_none() {
                    let message =
                        "must be an amount of dollars with at most nine digits after the point; a long one as a string";
                    self.problem(node, format_args!("{message}"));
                }
                text
            }
            _ => {
                self.wrong(node, "an amount of dollars");
                None
            }
        }
    }
}

/// The shortest decimal number that is that double, with at most nine places. Without the library's float printing, which
/// is 12 KB.
fn decimal(number: f64) -> Option<String> {
    /// Whole numbers up to here are exact.
    const MOST: f64 = 4_503_599_627_370_496.0;
    let mut scale = 1_u64;
    for places in 0..=9_usize {
        let units = (number.abs() * scale as f64 + 0.5).floor();
        if units >= MOST {
            return None;
        }
        if units / scale as f64 == number.abs() {
            let units = units as u64;
            let (whole, part) = (units.checked_div(scale)?, units.checked_rem(scale)?);
            let sign = if number < 0.0 { "-" } else { "" };
            let point = if places > 0 { "." } else { "" };
            let part = if places > 0 { part.to_string() } else { String::new() };
            let zeros = "0".repeat(places.saturating_sub(part.len()));
            return Some([sign, &whole.to_string(), point, &zeros, &part].concat());
        }
        scale = scale.saturating_mul(10);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::decimal;

    #[test]
    fn a_double_is_the_decimal_number_that_was_written() {
        for text in [
            "0",
            "1",
            "2.5",
            "0.075",
            "0.1",
            "0.3",
            "500",
            "1.005",
            "0.000000001",
            "1000000.01",
            "4000000.123456789",
            "123456.000000001",
            "-1.5",
            "0.15",
            "3.75",
            "99999.99",
            "9007199.25",
        ] {
            assert_eq!(decimal(text.parse().unwrap()).as_deref(), Some(text), "{text}");
        }
        for cents in 0..20_000_u64 {
            let text = format!("{}.{:02}", cents / 100, cents % 100);
            let trimmed = text.trim_end_matches('0').trim_end_matches('.');
            assert_eq!(decimal(text.parse().unwrap()).as_deref(), Some(trimmed), "{text}");
        }
        for wrong in [0.000_000_000_1, 1e300, f64::NAN, f64::INFINITY, 1.0 / 3.0] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }
}
