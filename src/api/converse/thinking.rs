//! How much to think, how to sample, and what else goes to the model as it is: each family has its own words.

use super::family::Family;
use super::shared::claude::{Abilities, Thinks, signed};
use super::tools;
use crate::chat::{Effort, Losses, Number, Reasoning, Request};
use crate::error::Error;
use crate::json::write::{comma, field, number, raw, text};
use crate::json::{self, Value, quote};
use std::borrow::Cow;

const ADDITIONAL: &str = "additionalModelRequestFields";

/// The least budget that Claude accepts.
const LEAST_BUDGET: u64 = 1024;

/// Claude refuses a `topP` below this while it thinks.
const LEAST_TOP_P_THINKING: f64 = 0.95;

/// Reads what is said of thinking and of the model's own parameters. What has no field is kept.
pub(super) fn read(body: Value<'_>, request: &mut Request) -> Result<(), Error> {
    let mut said = Reasoning::default();
    let config = body.object("outputConfig")?;
    if let Some(word) = config.map_or(Ok(None), |config| config.string("effort"))? {
        said.effort = effort(&word);
    }
    let mut rest = vec![b'{'];
    for (name, value) in body.object(ADDITIONAL)?.iter().flat_map(Value::members) {
        let name = name.text();
        if !known(&name, value, &mut said, request) {
            comma(&mut rest);
            quote(&mut rest, &name);
            rest.push(b':');
            rest.extend_from_slice(value.raw().as_bytes());
        }
    }
    rest.push(b'}');
    if rest.len() > 2 {
        let rest = String::from_utf8_lossy(&rest).into_owned();
        request.extra.push((ADDITIONAL.to_owned(), json::raw(rest)));
    }
    request.reasoning = (said != Reasoning::default()).then_some(said);
    Ok(())
}

/// Whether a field stands for it.
fn known(name: &str, value: Value<'_>, said: &mut Reasoning, request: &mut Request) -> bool {
    let word = |value: Value<'_>| value.text().and_then(|word| effort(&word));
    let only =
        |names: &[&str]| value.is_object() && value.members().all(|(n, _)| names.iter().any(|known| n.is(known)));
    let counted = |name: &str| value.get(name).is_none_or(|n| n.count().is_some());
    let said_in = |name: &str| value.get(name).is_none_or(|word| word.is_text());
    let kind = value.get("type").and_then(|kind| kind.text());
    match (name, kind.as_deref()) {
        ("top_k" | "k", _) if value.count().is_some() => request.top_k = value.count().map(Number::from),
        ("inferenceConfig", _) if only(&["topK"]) && counted("topK") => {
            request.top_k = value.get("topK").and_then(|k| k.count()).map(Number::from);
        }
        ("reasoning_effort" | "reasoning_config", _) if word(value).is_some() => said.effort = word(value),
        ("output_config", _) if only(&["effort"]) && value.get("effort").and_then(word).is_some() => {
            said.effort = value.get("effort").and_then(word);
        }
        ("thinking" | "reasoning_config", Some("enabled"))
            if only(&["type", "budget_tokens", "display"]) && counted("budget_tokens") && said_in("display") =>
        {
            said.budget = value.get("budget_tokens").and_then(|n| n.count());
            said.display = value.get("display").and_then(|word| word.text()).map(Cow::into_owned);
        }
        ("thinking", Some("adaptive")) if only(&["type", "display"]) && said_in("display") => {
            said.adaptive = true;
            said.display = value.get("display").and_then(|word| word.text()).map(Cow::into_owned);
        }
        ("thinking" | "reasoning_config" | "reasoningConfig", Some("disabled")) => said.effort = Some(Effort::None),
        ("reasoningConfig", Some("enabled"))
            if only(&["type", "maxReasoningEffort"]) && said_in("maxReasoningEffort") =>
        {
            said.effort = value.get("maxReasoningEffort").and_then(word).or(Some(Effort::Medium));
        }
        ("tool_choice", Some("auto" | "any"))
            if only(&["type", "disable_parallel_tool_use"])
                && value.get("disable_parallel_tool_use").is_none_or(|single| single.truth().is_some()) =>
        {
            let single = value.get("disable_parallel_tool_use").and_then(|single| single.truth());
            request.parallel_tools = single.map(|single| !single);
        }
        ("tool_choice", Some("none")) => request.tool_choice = Some(crate::chat::ToolChoice::None),
        _ => return false,
    }
    true
}

fn effort(word: &str) -> Option<Effort> {
    Some(match word {
        "none" => Effort::None,
        "minimal" => Effort::Minimal,
        "low" => Effort::Low,
        "medium" => Effort::Medium,
        "high" => Effort::High,
        "xhigh" => Effort::XHigh,
        "max" => Effort::Max,
        _ => return None,
    })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    /// As the model is by itself.
    Unsaid,
    Off,
    Budget(u64),
    Adaptive,
    /// In the words of that family.
    Nova(&'static str),
    GptOss(&'static str),
    Qwen(&'static str),
}

/// What is decided about thinking.
pub(super) struct Plan {
    mode: Mode,
    /// For `outputConfig`.
    pub(super) effort: Option<&'static str>,
}

/// `forced`: a tool must be called, for the schema's sake too.
pub(super) fn plan(request: &Request, family: &Family, forced: bool, losses: &mut Losses) -> Plan {
    let mut plan = Plan { mode: Mode::Unsaid, effort: None };
    let Some(reasoning) = &request.reasoning else { return plan };
    let asked = reasoning.effort.or_else(|| reasoning.budget.map(Effort::of_budget));
    let level = asked.unwrap_or(Effort::Medium);
    match family {
        Family::Claude(can) => claude(&mut plan, request, reasoning, asked, can, forced, losses),
        Family::GptOss => plan.mode = Mode::GptOss(three(level)),
        Family::Qwen if level > Effort::None => {
            plan.mode = Mode::Qwen(if level <= Effort::Low { "low" } else { "high" });
        }
        Family::Nova { thinks: true } if level > Effort::None => {
            let mut word = three(level);
            if word == "high" && request.max_tokens.is_some() {
                losses.hint("reasoning_effort", "the model takes no max_tokens with its highest effort: it gets less");
                word = "medium";
            }
            plan.mode = Mode::Nova(word);
        }
        _ if level == Effort::None => {}
        _ => losses.hint("reasoning", "the model does not think, or is not known to be told to"),
    }
    plan
}

fn three(effort: Effort) -> &'static str {
    match effort {
        Effort::None | Effort::Minimal | Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High | Effort::XHigh | Effort::Max => "high",
    }
}

fn claude(
    plan: &mut Plan,
    request: &Request,
    reasoning: &Reasoning,
    asked: Option<Effort>,
    can: &Abilities,
    forced: bool,
    losses: &mut Losses,
) {
    if reasoning.effort == Some(Effort::None) {
        if can.always_thinks {
            losses.hint("reasoning", "the model cannot be told not to think");
        } else if can.thinks_unasked {
            plan.mode = Mode::Off;
        }
        return;
    }
    if can.effort {
        plan.effort = asked.map(|effort| match effort {
            Effort::XHigh if can.effort_xhigh => "xhigh",
            Effort::Max if can.effort_max => "max",
            Effort::XHigh | Effort::Max => {
                losses.hint("reasoning_effort", "the model has no such effort: it gets its highest");
                "high"
            }
            other => three(other),
        });
    }
    match can.thinks {
        Thinks::Never => losses.hint("reasoning", "the model does not think"),
        Thinks::Adaptive => plan.mode = Mode::Adaptive,
        Thinks::Budget if forced => losses.hint("reasoning", "the model does not think when a tool is forced"),
        Thinks::Budget if !signed(request) => {
            losses.hint("reasoning", "the thinking that led to the last tool call is not at hand");
        }
        Thinks::Budget => {
            let wanted = reasoning.budget.or_else(|| asked.map(Effort::budget)).unwrap_or(Effort::Medium.budget());
            let wanted = wanted.max(LEAST_BUDGET);
            // A quarter is left for the answer itself. What the client set as its limit is not raised.
            let most = request.max_tokens.unwrap_or(can.most_output);
            let room = most.saturating_sub(most / 4).max(LEAST_BUDGET);
            if room >= most {
                losses.hint("reasoning", "max_tokens leaves no room to think");
            } else {
                plan.mode = Mode::Budget(wanted.min(room));
            }
        }
    }
}

impl Plan {
    /// Claude refuses some parameters while it thinks.
    fn claude_thinks(&self) -> bool {
        matches!(self.mode, Mode::Budget(_) | Mode::Adaptive)
    }

    /// Writes `inferenceConfig`.
    pub(super) fn write(&self, out: &mut Vec<u8>, request: &Request, family: &Family, losses: &mut Losses) {
        let can = family.claude();
        let samples = can.is_none_or(|can| can.samples) && self.mode != Mode::Nova("high");
        let thinks = self.claude_thinks();
        let why = if thinks { "not while the model thinks" } else { "the model does not take it" };
        // 1 is the default of both: to leave it out changes nothing.
        let mut temperature = request.temperature.as_ref().filter(|n| n.as_f64() != Some(1.0));
        let mut top_p = request.top_p.as_ref().filter(|n| n.as_f64() != Some(1.0));
        if !samples || thinks {
            if temperature.take().is_some() {
                losses.hint("temperature", why);
            }
            let close = samples && top_p.and_then(|p| p.as_f64()).is_some_and(|p| p >= LEAST_TOP_P_THINKING);
            if !close && top_p.take().is_some() {
                losses.hint("top_p", why);
            }
        }
        if can.is_some_and(|can| can.one_sampler) && temperature.is_some() && top_p.take().is_some() {
            losses.hint("top_p", "the model takes temperature or top_p, not both");
        }
        let (stops, blank): (Vec<&String>, Vec<&String>) = request.stop.iter().partition(|s| !s.trim().is_empty());
        if !blank.is_empty() {
            losses.meaning("stop", "a stop sequence of white space alone is not accepted");
        }
        if request.max_tokens.is_none() && temperature.is_none() && top_p.is_none() && stops.is_empty() {
            return;
        }
        raw(out, "inferenceConfig", "{");
        if let Some(most) = request.max_tokens {
            number(out, "maxTokens", most.max(1));
        }
        if let Some(given) = temperature {
            if given.as_f64().is_some_and(|t| t > 1.0) {
                losses.hint("temperature", "above 1: 1 is the highest");
                raw(out, "temperature", "1");
            } else {
                raw(out, "temperature", given.get());
            }
        }
        if let Some(given) = top_p {
            raw(out, "topP", given.get());
        }
        if !stops.is_empty() {
            raw(out, "stopSequences", "[");
            for stop in stops {
                comma(out);
                quote(out, stop);
            }
            out.push(b']');
        }
        out.push(b'}');
    }

    /// Writes the fields that go to the model as they are.
    pub(super) fn write_additional(&self, out: &mut Vec<u8>, request: &Request, family: &Family, losses: &mut Losses) {
        let mut own = vec![b'{'];
        self.thinking(&mut own, request, family);
        if let Some(k) = &request.top_k {
            match family {
                Family::Claude(can) if can.samples && !self.claude_thinks() => raw(&mut own, "top_k", k.get()),
                Family::Nova { .. } => {
                    raw(&mut own, "inferenceConfig", "{");
                    raw(&mut own, "topK", k.get());
                    own.push(b'}');
                }
                Family::Mistral => raw(&mut own, "top_k", k.get()),
                _ => losses.hint("top_k", "the model does not take it, or is not known to"),
            }
        }
        if family.claude().is_some() && tools::must_bar(request) {
            raw(&mut own, "tool_choice", "{\"type\":\"none\"}");
        } else if tools::must_bar(request) {
            losses.hint("tool_choice", "the model cannot be told not to call a tool");
        } else if request.parallel_tools == Some(false) && !request.tools.is_empty() {
            // Elsewhere the choice is in `toolConfig`, which would contradict it.
            if family.claude().is_some() && !tools::forced(request) {
                raw(&mut own, "tool_choice", "{\"type\":\"auto\",\"disable_parallel_tool_use\":true}");
            } else {
                losses.hint("parallel_tool_calls", "the model cannot be told to call one tool at a time");
            }
        }
        for (_, kept) in request.extra.iter().filter(|(name, _)| name == ADDITIONAL) {
            let inside = kept.get().strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or_default();
            if !inside.is_empty() {
                comma(&mut own);
                own.extend_from_slice(inside.as_bytes());
            }
        }
        own.push(b'}');
        if own.len() > 2 {
            field(out, ADDITIONAL);
            out.extend_from_slice(&own);
        }
    }

    fn thinking(&self, own: &mut Vec<u8>, request: &Request, family: &Family) {
        match self.mode {
            Mode::Unsaid => return,
            Mode::GptOss(word) => return text(own, "reasoning_effort", word),
            Mode::Qwen(word) => return text(own, "reasoning_config", word),
            Mode::Nova(word) => {
                raw(own, "reasoningConfig", "{\"type\":\"enabled\"");
                text(own, "maxReasoningEffort", word);
            }
            Mode::Off => raw(own, "thinking", "{\"type\":\"disabled\""),
            Mode::Budget(tokens) => {
                raw(own, "thinking", "{\"type\":\"enabled\"");
                number(own, "budget_tokens", tokens);
            }
            Mode::Adaptive => raw(own, "thinking", "{\"type\":\"adaptive\""),
        }
        if self.claude_thinks() {
            let display = request.reasoning.as_ref().and_then(|r| r.display.as_deref());
            match display {
                Some(word @ ("summarized" | "omitted")) => text(own, "display", word),
                // The newer models hide it unless told; the older show it.
                _ if family.claude().is_some_and(|can| !can.samples) => text(own, "display", "summarized"),
                _ => {}
            }
        }
        own.push(b'}');
    }
}

/// What `extra` has for [`Plan::write_additional`].
pub(super) fn is_additional(name: &str) -> bool {
    name == ADDITIONAL
}
