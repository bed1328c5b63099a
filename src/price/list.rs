//! The prices of a configuration, and which of them a model has.

use super::decimal::billionths;
use super::{KINDS, PER_REQUEST, Price, RATES, Rate, Rates, fallback};

/// Most tiers of a price.
const MAX_TIERS: usize = 16;

/// Where in the list something is wrong, as the rest of a path, and what.
pub type Wrong = (String, String);

/// A price as it is written: field names with decimal text.
#[derive(Clone, Debug, Default)]
pub struct Written {
    /// An upstream model: exact, `claude-*`, or `*`; after `PROVIDER/`, of that provider alone.
    pub name: String,
    /// Names of [`RATES`], or [`PER_REQUEST`].
    pub amounts: Vec<(String, String)>,
    pub tiers: Vec<Tier>,
}

/// What another length of input costs, as it is written.
#[derive(Clone, Debug, Default)]
pub struct Tier {
    /// Counts for calls with more input tokens than this.
    pub above: u64,
    /// Names of [`RATES`].
    pub amounts: Vec<(String, String)>,
}

/// Prices by upstream model.
#[derive(Clone, Debug, Default)]
pub struct PriceList {
    /// In order of the name.
    exact: Vec<(String, Price)>,
    /// Names without their `*`, longest first.
    prefixes: Vec<(String, Price)>,
}

impl PriceList {
    /// Checks all; what is wrong is told all at once, with the list as far as it goes.
    pub fn new(written: &[Written]) -> Result<Self, (Self, Vec<Wrong>)> {
        let mut list = Self::default();
        let mut wrong = Vec::new();
        for entry in written {
            let price = price(entry, &mut wrong);
            let mut bad = |message: &str| wrong.push((entry.name.clone(), message.to_owned()));
            let (prefix, name) = match entry.name.strip_suffix('*') {
                Some(name) => (true, name),
                None => (false, entry.name.as_str()),
            };
            if entry.name.is_empty() || name.contains('*') {
                bad("is no model's name: it may have one \"*\", at its end");
            } else if !list.insert(prefix, name, price) {
                bad("is there already");
            }
        }
        if wrong.is_empty() { Ok(list) } else { Err((list, wrong)) }
    }

    /// `false`: it is there already.
    fn insert(&mut self, prefix: bool, name: &str, price: Price) -> bool {
        let into = if prefix { &mut self.prefixes } else { &mut self.exact };
        if into.iter().any(|(other, _)| other == name) {
            return false;
        }
        let before = |known: &str| if prefix { known.len() >= name.len() } else { known < name };
        let at = into.partition_point(|(known, _)| before(known));
        into.insert(at, (name.to_owned(), price));
        true
    }

    /// The price of an upstream model. Entries for the provider come first, then those for any; in each the exact name,
    /// then the longest prefix.
    pub fn find(&self, provider: &str, model: &str) -> Option<&Price> {
        if self.exact.is_empty() && self.prefixes.is_empty() {
            return None;
        }
        self.best(&[provider, "/", model].concat(), provider.len().saturating_add(1)).or_else(|| self.best(model, 0))
    }

    /// `least`: bytes that a prefix must have.
    fn best(&self, name: &str, least: usize) -> Option<&Price> {
        if let Ok(at) = self.exact.binary_search_by(|(known, _)| known.as_str().cmp(name)) {
            return self.exact.get(at).map(|(_, price)| price);
        }
        let fits = |prefix: &str| prefix.len() >= least && name.starts_with(prefix);
        self.prefixes.iter().find(|(prefix, _)| fits(prefix)).map(|(_, price)| price)
    }
}

fn price(entry: &Written, wrong: &mut Vec<Wrong>) -> Price {
    let mut request = 0;
    let (per_request, rates): (Vec<_>, Vec<_>) =
        entry.amounts.iter().cloned().partition(|(name, _)| name == PER_REQUEST);
    for (_, text) in &per_request {
        let path = [&entry.name, ".", PER_REQUEST].concat();
        request = amount(&path, text, wrong).unwrap_or_default();
    }
    let given = read(&entry.name, &rates, wrong);
    for rate in [Rate::Input, Rate::Output] {
        let name = RATES.get(rate as usize).filter(|known| rates.iter().all(|(name, _)| name != **known));
        // Left out by mistake, it would be free.
        if let Some(name) = name {
            wrong.push(([&entry.name, ".", name].concat(), "must be given: 0 if it costs nothing".to_owned()));
        }
    }
    let base = complete(&given, None);
    let mut tiers: Vec<(u64, Rates)> = Vec::new();
    for (index, tier) in entry.tiers.iter().enumerate() {
        let path = format!("{}.tiers[{index}]", entry.name);
        let given = read(&path, &tier.amounts, wrong);
        if given.iter().all(Option::is_none) {
            wrong.push((path, "must give a rate".to_owned()));
        } else if index >= MAX_TIERS {
            wrong.push((path, format!("is more than the {MAX_TIERS} tiers there may be")));
        } else if tiers.last().is_some_and(|(above, _)| *above >= tier.above) {
            wrong.push((format!("{path}.above"), "must be more than in the tier before".to_owned()));
        } else {
            tiers.push((tier.above, complete(&given, Some(&base))));
        }
    }
    Price { base, tiers, request }
}

fn read(path: &str, amounts: &[(String, String)], wrong: &mut Vec<Wrong>) -> [Option<u64>; KINDS] {
    let mut given = [None; KINDS];
    for (name, text) in amounts {
        let path = [path, ".", name].concat();
        match given.iter_mut().zip(RATES).find(|(_, known)| **known == name.as_str()) {
            Some((place, _)) => *place = amount(&path, text, wrong),
            None => wrong.push((path, "no such rate".to_owned())),
        }
    }
    given
}

fn amount(path: &str, text: &str, wrong: &mut Vec<Wrong>) -> Option<u64> {
    billionths(text).map_err(|message| wrong.push((path.to_owned(), message.to_owned()))).ok()
}

/// Fills what is not given. In a tier, a side whose `input` or `output` is given takes nothing from the base.
fn complete(given: &[Option<u64>; KINDS], base: Option<&Rates>) -> Rates {
    let given = |place: usize| given.get(place).copied().flatten();
    let base = |place: usize| base.and_then(|base| base.0.get(place)).copied().unwrap_or_default();
    Rates(std::array::from_fn(|place| {
        let whole = fallback(place);
        given(place).or_else(|| given(whole)).unwrap_or_else(|| base(place))
    }))
}
