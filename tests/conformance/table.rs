//! What passed, by provider and kind.

use crate::Checked;
use crate::corpus::Exchange;
use std::collections::BTreeMap;
use std::fmt;

pub const KINDS: [&str; 4] = ["request", "answer", "stream", "error"];
const WAYS: [&str; 2] = ["same", "across"];

pub struct Outcome {
    id: String,
    provider: String,
    format: String,
    kind: &'static str,
    way: &'static str,
    checked: Checked,
    /// What a request is refused for by default.
    pub refused: Vec<&'static str>,
}

impl Outcome {
    pub fn new(exchange: &Exchange, kind: &'static str, way: &'static str, checked: Checked) -> Self {
        let Exchange { id, provider, format, .. } = exchange;
        Self {
            id: id.clone(),
            provider: provider.clone(),
            format: format.clone(),
            kind,
            way,
            checked,
            refused: Vec::new(),
        }
    }

    fn check(&self) -> String {
        format!("{}/{}", self.kind, self.way)
    }
}

#[derive(Clone, Copy, Default)]
struct Cell {
    passed: usize,
    odd: usize,
    total: usize,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self { total: 0, .. } => "-".to_owned(),
            Self { passed, odd: 0, total } => format!("{passed}/{total}"),
            Self { passed, odd, total } => format!("{passed}+{odd}/{total}"),
        };
        f.pad(&text)
    }
}

/// By kind and way.
type Row = BTreeMap<(&'static str, &'static str), Cell>;

pub struct Table {
    outcomes: Vec<Outcome>,
    odd: BTreeMap<(String, String), String>,
}

impl Table {
    pub fn new(outcomes: Vec<Outcome>, odd: BTreeMap<(String, String), String>) -> Self {
        Self { outcomes, odd }
    }

    fn explained(&self, outcome: &Outcome) -> bool {
        self.odd.contains_key(&(outcome.id.clone(), outcome.check()))
    }

    /// What fails without an explanation, and explanations of what does not fail.
    pub fn failures(&self) -> Vec<String> {
        let unexplained = self.outcomes.iter().filter(|o| !self.explained(o)).filter_map(|outcome| {
            let why = outcome.checked.as_ref().err()?;
            Some(format!("{} {}: {why}", outcome.id, outcome.check()))
        });
        let needless = self.odd.keys().filter(|(id, check)| {
            !self.outcomes.iter().any(|o| o.id == *id && o.check() == *check && o.checked.is_err())
        });
        let needless = needless.map(|(id, check)| format!("{id} {check}: odd.json explains what does not fail"));
        unexplained.chain(needless).collect()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows: BTreeMap<(&str, &str), Row> = BTreeMap::new();
        for outcome in &self.outcomes {
            for row in [(outcome.format.as_str(), outcome.provider.as_str()), ("total", "")] {
                let cell = rows.entry(row).or_default().entry((outcome.kind, outcome.way)).or_default();
                cell.total += 1;
                match (&outcome.checked, self.explained(outcome)) {
                    (Ok(()), _) => cell.passed += 1,
                    (Err(_), true) => cell.odd += 1,
                    (Err(_), false) => {}
                }
            }
        }
        write!(f, "{:<37}", "passed + odd / recorded")?;
        for (kind, way) in KINDS.iter().flat_map(|kind| WAYS.map(|way| (kind, way))) {
            write!(f, "{:>15}", format!("{kind} {way}"))?;
        }
        for ((format, provider), cells) in &rows {
            write!(f, "\n{format:<19}{provider:<18}")?;
            for (kind, way) in KINDS.iter().flat_map(|kind| WAYS.map(|way| (*kind, way))) {
                write!(f, "{:>15}", cells.get(&(kind, way)).copied().unwrap_or_default())?;
            }
        }
        let mut refused: BTreeMap<(&str, &str), usize> = BTreeMap::new();
        for outcome in &self.outcomes {
            outcome.refused.iter().for_each(|what| *refused.entry((&outcome.format, what)).or_default() += 1);
        }
        for ((format, what), count) in refused {
            write!(f, "\nrefused across unless the policy says otherwise: {count} of {format} for {what}")?;
        }
        for ((id, check), why) in &self.odd {
            write!(f, "\nodd: {id} {check}: {why}")?;
        }
        Ok(())
    }
}
