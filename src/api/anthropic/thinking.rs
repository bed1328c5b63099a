//! How much to think, how to sample, and how many tokens that takes: each model has its own rules.

use super::shared::claude::{Abilities, Thinks, signed};
use super::tools;
use crate::api::Target;
use crate::chat::{Effort, Losses, Request};
use crate::json::write::{number, raw, text};

/// The least budget that is accepted.
const LEAST_BUDGET: u64 = 1024;

/// `top_p` below this is refused while thinking.
const LEAST_TOP_P_THINKING: f64 = 0.95;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As the model is by itself.
    Unsaid,
    Off,
    Budget(u64),
    Adaptive,
}

/// What is decided about thinking.
pub(super) struct Plan {
    mode: Mode,
    pub(super) effort: Option<&'static str>,
    max_tokens: u64,
}

/// `forced`: a tool must be called, for the schema's sake too.
pub(super) fn plan(request: &Request, target: &Target<'_>, can: &Abilities, forced: bool, losses: &mut Losses) -> Plan {
    let max_tokens = request.max_tokens.unwrap_or(target.max_tokens).max(1);
    let mut plan = Plan { mode: Mode::Unsaid, effort: None, max_tokens };
    let off = if can.thinks_unasked && !can.always_thinks { Mode::Off } else { Mode::Unsaid };
    let Some(reasoning) = &request.reasoning else { return plan };
    if reasoning.effort == Some(Effort::None) {
        plan.mode = off;
        if can.always_thinks {
            losses.hint("reasoning", "the model cannot be told not to think");
        }
        return plan;
    }
    let asked = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    if can.effort {
        plan.effort = asked.map(|effort| word(effort, can, losses));
    }
    match can.thinks {
        Thinks::Never => losses.hint("reasoning", "the model does not think"),
        Thinks::Adaptive => plan.mode = Mode::Adaptive,
        Thinks::Budget => {
            if forced {
                losses.hint("reasoning", "the model does not think when a tool is forced");
                return plan;
            }
            if !signed(request) {
                losses.hint("reasoning", "the thinking that led to the last tool call is not at hand");
                return plan;
            }
            let wanted = reasoning.budget.or_else(|| asked.map(Effort::budget)).unwrap_or(Effort::Medium.budget());
            budget(&mut plan, wanted.max(LEAST_BUDGET), request.max_tokens.is_none(), can, losses);
        }
    }
    plan
}

/// Fits a budget below `max_tokens`. What the client set as its limit is not raised: it pays for all of it.
fn budget(plan: &mut Plan, wanted: u64, free: bool, can: &Abilities, losses: &mut Losses) {
    if free {
        plan.max_tokens = plan.max_tokens.saturating_add(wanted).min(can.most_output.max(plan.max_tokens));
    }
    // A quarter is left for the answer itself.
    let most = plan.max_tokens.saturating_sub(plan.max_tokens / 4).max(LEAST_BUDGET);
    if most >= plan.max_tokens {
        losses.hint("reasoning", "max_tokens leaves no room to think");
        return;
    }
    plan.mode = Mode::Budget(wanted.min(most));
}

fn word(effort: Effort, can: &Abilities, losses: &mut Losses) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::XHigh if can.effort_xhigh => "xhigh",
        Effort::Max if can.effort_max => "max",
        Effort::High => "high",
        Effort::XHigh | Effort::Max => {
            losses.hint("reasoning_effort", "the model has no such effort: it gets its highest");
            "high"
        }
    }
}

impl Plan {
    fn thinks(&self) -> bool {
        matches!(self.mode, Mode::Budget(_) | Mode::Adaptive)
    }

    pub(super) fn write(&self, out: &mut Vec<u8>, request: &Request, can: &Abilities, losses: &mut Losses) {
        number(out, "max_tokens", self.max_tokens);
        self.sampling(out, request, can, losses);
        if self.mode == Mode::Unsaid {
            return;
        }
        raw(out, "thinking", "{");
        match self.mode {
            Mode::Budget(tokens) => {
                text(out, "type", "enabled");
                number(out, "budget_tokens", tokens);
            }
            Mode::Adaptive => text(out, "type", "adaptive"),
            Mode::Off | Mode::Unsaid => text(out, "type", "disabled"),
        }
        if self.thinks() {
            let display = request.reasoning.as_ref().and_then(|r| r.display.as_deref());
            match display {
                Some(word @ ("summarized" | "omitted")) => text(out, "display", word),
                // The newer models hide it unless told; the older show it.
                _ if !can.samples => text(out, "display", "summarized"),
                _ => {}
            }
        }
        out.push(b'}');
    }

    fn sampling(&self, out: &mut Vec<u8>, request: &Request, can: &Abilities, losses: &mut Losses) {
        // 1 is the default of both: to leave it out changes nothing.
        let mut temperature = request.temperature.as_ref().filter(|n| n.as_f64() != Some(1.0));
        let mut top_p = request.top_p.as_ref().filter(|n| n.as_f64() != Some(1.0));
        let mut top_k = request.top_k.as_ref();
        let why = if self.thinks() { "not while the model thinks" } else { "the model does not take it" };
        if !can.samples || self.thinks() {
            if temperature.take().is_some() {
                losses.hint("temperature", why);
            }
            if top_k.take().is_some() {
                losses.hint("top_k", why);
            }
            let close = can.samples && top_p.and_then(|p| p.as_f64()).is_some_and(|p| p >= LEAST_TOP_P_THINKING);
            if !close && top_p.take().is_some() {
                losses.hint("top_p", why);
            }
        }
        if can.one_sampler && temperature.is_some() && top_p.take().is_some() {
            losses.hint("top_p", "the model takes temperature or top_p, not both");
        }
        if let Some(given) = temperature {
            if given.as_f64().is_some_and(|t| t > 1.0) {
                losses.hint("temperature", "above 1: 1 is the highest");
                raw(out, "temperature", "1");
            } else {
                raw(out, "temperature", &given.to_string());
            }
        }
        if let Some(given) = top_p {
            raw(out, "top_p", &given.to_string());
        }
        if let Some(given) = top_k {
            raw(out, "top_k", &given.to_string());
        }
    }
}

/// A tool must be called.
pub(super) fn forced(request: &Request, stand_in: bool) -> bool {
    stand_in || tools::forced(request)
}
