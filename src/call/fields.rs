//! Filter state: what Envoy's other filters are told of a call, where the configuration wants it.

use super::{Call, Work};
use crate::chat::Usage;
use crate::json::write::digits;
use crate::price::Nanos;

/// Takes a property, without the `wasm.` that Envoy puts before its name.
pub type Put<'p> = &'p dyn Fn(&'static str, &[u8]);

const NANOS_A_MICRODOLLAR: Nanos = 1000;

impl Call {
    /// Before it leaves: who calls, and what for.
    pub fn introduce(&self, put: Put<'_>) {
        if !self.policy.filter_state {
            return;
        }
        let model = match &self.work {
            Work::Chat(chat) => self.model(chat).map(|model| &model.name),
            Work::Pass { .. } => None,
        };
        let caller = self.caller.as_deref();
        for (name, value) in [
            ("sluice.consumer", caller.map(|caller| &caller.name)),
            ("sluice.team", caller.and_then(|caller| caller.team.as_ref())),
            ("sluice.tier", caller.and_then(|caller| caller.tier.as_ref())),
            ("sluice.model", model),
        ] {
            if let Some(value) = value {
                put(name, value.as_bytes());
            }
        }
    }

    /// When it is over: what it is charged for.
    pub(super) fn bill(&self, charged: Option<Usage>, cost: Option<Nanos>) -> Option<Bill> {
        let Usage { input, output, .. } = charged.unwrap_or_default();
        // What other filters count by takes no more than 1,000,000,000.
        let cost = cost.unwrap_or(0).div_ceil(NANOS_A_MICRODOLLAR);
        self.policy.filter_state.then_some(Bill([input, output, input.saturating_add(output), cost]))
    }
}

#[derive(Debug)]
pub struct Bill([u64; 4]);

impl Bill {
    const NAMES: [&str; 4] =
        ["sluice.input_tokens", "sluice.output_tokens", "sluice.tokens", "sluice.cost_microdollars"];

    pub fn tell(&self, put: Put<'_>) {
        let mut text = Vec::new();
        for (name, amount) in Self::NAMES.into_iter().zip(self.0) {
            text.clear();
            digits(&mut text, amount);
            put(name, &text);
        }
    }
}
