//! What a call comes to at most, before it is made.

use super::plan::same;
use super::{Call, Chat, Outcome, Planned, Work};
use crate::api::Api;
use crate::chat::{Effort, Part, Request};
use crate::error::Error;
use crate::json::{Body, Edit, Value};
use crate::provider::Provider;
use crate::quota::Amounts;
use crate::route::Target;
use crate::task::{Operation, Shape};
use crate::tokens::{self, Budget, Count, Model, Prompt};
use std::rc::Rc;

/// Bytes of audio or of an image for each token it comes to at least: audio of 16 kbit/s, the least that is in use, has 2,000
/// bytes a second and some ten tokens.
const BYTES_A_TOKEN: u64 = 64;

/// The most that vendors make at once: a form's number is not read, nor one that is no number.
const MOST_IMAGES: u64 = 10;

/// Tokens of an image that is made: more than any vendor's largest.
const IMAGE: u64 = 16_384;

/// What a target's answer may have at most, and the edit that makes it so. `most`: in all answers.
pub(super) fn bounded(api: &dyn Api, body: Value<'_>, model: &str, cap: u64, most: u64) -> (u64, Option<Edit>) {
    let bounds = api.bounds(body);
    let share = most.checked_div(bounds.answers).unwrap_or(most);
    // To some servers 0 is no bound.
    let tokens = bounds.tokens.unwrap_or(cap).min(share).max(1);
    let edit = (bounds.tokens != Some(tokens)).then(|| api.bound(body, model, tokens));
    (tokens.saturating_mul(bounds.answers), edit)
}

/// How well a prompt is to be known.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// Too much rather than too little, from its size alone: enough where limits have plenty of room.
    Bound,
    /// Counted, as far as a budget of work goes.
    Count,
}

impl Care {
    fn budget(self) -> Budget {
        match self {
            Self::Bound => Budget::NONE,
            Self::Count => Budget::CALL,
        }
    }
}

/// Bytes of a prompt that is kept while its answer is streamed, to be counted only if the provider does not say what was used. A
/// longer one is counted when the stream begins.
const MAX_KEPT: usize = 16 << 10;

impl Call {
    /// The most that the call can use at any target of its plan. The plan keeps each target's part.
    pub(super) fn measure(&mut self, care: Care) -> Result<Amounts, Error> {
        let mut upper = Amounts { requests: 1, concurrent: 1, ..Amounts::default() };
        let policy = Rc::clone(&self.policy);
        let Work::Chat(chat) = &mut self.work else { return Ok(upper) };
        if chat.most.is_none() {
            return Ok(upper);
        }
        let plain = chat.plain.filter(|_| care == Care::Bound && chat.request.get().is_none());
        let request = if plain.is_some() { None } else { chat.read_again()? };
        let media = plain.is_none() && request.as_ref().is_none_or(|request| has_media(request));
        let targets = policy.models.get(chat.model).map(|model| model.targets.as_slice()).unwrap_or_default();
        let mut plan = std::mem::take(&mut chat.plan);
        // The first target's model is counted as well as it can be; all others within as much again.
        let (mut first, mut rest) = (care.budget(), care.budget());
        let mut counted: Vec<(Model, Count)> = Vec::new();
        let several = plan.len() > 1 && care == Care::Count;
        let mut prompt =
            request.as_deref().map(|request| if several { Prompt::shared(request) } else { Prompt::new(request) });
        for planned in &mut plan {
            let Some(target) = targets.get(planned.target) else { continue };
            let Some(provider) = policy.providers.get(target.provider) else { continue };
            let model = counting(target, provider, chat.dialect, &planned.model);
            let known = counted.iter().find(|(other, _)| *other == model).map(|(_, count)| *count);
            planned.input = known.unwrap_or_else(|| {
                let budget = if counted.is_empty() { &mut first } else { &mut rest };
                let count = match (&mut prompt, plain) {
                    (Some(prompt), _) => prompt.count(model, budget),
                    (None, Some((turns, _))) => tokens::plain(model, turns, chat.body.len()),
                    (None, None) => chat.task_input(model, budget),
                };
                counted.push((model, count));
                count
            });
            if planned.ready.is_none() || chat.task.is_some() {
                let spoken = provider.spoken(chat.dialect).api;
                let (cap, same) = (target.max_tokens, same(spoken, chat.dialect));
                planned.output = match (&request, plain) {
                    (Some(request), _) => output(request.max_tokens, request.n, thinking(request), cap, same),
                    (None, Some((_, bounds))) => output(bounds.tokens, Some(bounds.answers), 0, cap, same),
                    (None, None) => chat.task_output(cap),
                };
            }
            let (input, output) = (planned.input.upper(), planned.output);
            upper.input_tokens = upper.input_tokens.max(input);
            upper.output_tokens = upper.output_tokens.max(output);
            // Without a price nothing says what it costs: a limit in money has no room for it.
            let price = policy.prices.find(&provider.name, &planned.model);
            upper.usd = upper.usd.max(price.map_or(u64::MAX, |price| price.upper(input, output, media)));
        }
        chat.plan = plan;
        chat.counted = care == Care::Count;
        chat.most = Some(upper.output_tokens);
        Ok(upper)
    }

    /// Whether the prompt could be counted better than it is.
    pub(super) fn is_bounded(&self) -> bool {
        matches!(&self.work, Work::Chat(chat) if chat.most.is_some() && !chat.counted)
    }

    /// What the prompt likely comes to at a target.
    pub(super) fn input(&self, chat: &Chat, planned: &Planned) -> u64 {
        let counted = || {
            let target = self.target(chat, planned)?;
            let model = counting(target, self.provider(target.provider)?, chat.dialect, &planned.model);
            let mut budget = Budget::CALL;
            Some(match chat.read_again().ok()? {
                Some(request) => Prompt::new(&request).count(model, &mut budget),
                None => chat.task_input(model, &mut budget),
            })
        };
        let known = Some(planned.input).filter(|_| chat.counted);
        known.or_else(counted).unwrap_or(planned.input).likely()
    }

    /// The answer begins, and the request is dropped: what it comes to may still be asked. Whether it stays after all.
    pub(super) fn keeps_request(&mut self) -> bool {
        let Work::Chat(chat) = &self.work else { return false };
        let answered = self.attempts.last().filter(|last| last.outcome == Outcome::Answered);
        let told = self.usage.is_some_and(|usage| usage.input > 0);
        let Some(index) = answered.filter(|_| self.counts() && !chat.counted && !told).map(|last| last.planned) else {
            return false;
        };
        if chat.stream && chat.task.is_none() && chat.body.len() <= MAX_KEPT {
            return true;
        }
        let input = chat.plan.get(index).map(|planned| self.input(chat, planned));
        if let (Work::Chat(chat), Some(input)) = (&mut self.work, input) {
            if let Some(planned) = chat.plan.get_mut(index) {
                planned.input = Count::estimate(input, input);
            }
            chat.counted = true;
        }
        false
    }
}

/// The model that a provider's target is counted as.
fn counting(target: &Target, provider: &Provider, dialect: &dyn Api, name: &str) -> Model {
    let model = target.counted_as.unwrap_or_else(|| Model::at(provider.kind.name, name));
    if provider.spoken(dialect).api.name() == "openai-responses" { model.in_responses() } else { model }
}

impl Chat {
    /// The request, if it is a chat's.
    fn read_again(&self) -> Result<Option<Rc<Request>>, Error> {
        if self.task.is_some() {
            return Ok(None);
        }
        let read = || Body::parse(&self.body).and_then(|body| self.dialect.read_request(body.value())).map(Rc::new);
        self.request.get_or_init(read).clone().map(Some)
    }
}

impl Chat {
    fn task_input(&self, model: Model, budget: &mut Budget) -> Count {
        // Nobody charges for it.
        if self.task.as_ref().is_some_and(|task| task.format.operation == Operation::CountTokens) {
            return Count::Exact(0);
        }
        let form = self.task.as_ref().is_some_and(|task| task.format.body == Shape::Form);
        let bytes = self.body.len() as u64;
        match std::str::from_utf8(&self.body) {
            // The text that a body has is counted with what stands around it.
            Ok(text) if !form => {
                let upper = model.text(text, budget).upper();
                Count::estimate(upper, upper)
            }
            _ => Count::estimate(bytes.div_ceil(BYTES_A_TOKEN), bytes.div_ceil(BYTES_A_TOKEN)),
        }
    }

    fn task_output(&self, cap: u64) -> u64 {
        let Some(task) = &self.task else { return 0 };
        match task.format.operation {
            Operation::Embed | Operation::Rerank | Operation::Moderate | Operation::CountTokens => 0,
            Operation::Image => {
                let parsed = if task.is_form() { None } else { Body::parse(&self.body).ok() };
                let said = |body: Body| body.value().get("n").map_or(1, |n| n.count().unwrap_or(MOST_IMAGES));
                parsed.map_or(MOST_IMAGES, said).max(1).saturating_mul(IMAGE)
            }
            Operation::Speech | Operation::Transcribe => cap.max(self.body.len() as u64),
        }
    }
}

/// OpenAI's Responses takes no smaller bound.
const LEAST_BOUND: u64 = 16;

/// The most that a target's answer may have of which the request is not written yet.
fn output(most: Option<u64>, answers: Option<u64>, thinking: u64, cap: u64, same_api: bool) -> u64 {
    let one = match most {
        Some(most) if same_api => most.max(1),
        Some(most) => most.max(LEAST_BOUND),
        None if same_api => cap,
        None => cap.saturating_add(thinking),
    };
    one.saturating_mul(answers.unwrap_or(1).max(1))
}

/// What an API that counts thinking apart may add.
fn thinking(request: &Request) -> u64 {
    let Some(reasoning) = &request.reasoning else { return 0 };
    let asked = reasoning.budget.or_else(|| reasoning.effort.map(Effort::budget));
    asked.unwrap_or_else(|| Effort::Medium.budget()).max(Effort::Minimal.budget())
}

/// Whether something but text may go in or come out.
fn has_media(request: &Request) -> bool {
    let media = |part: &Part| match part {
        Part::Image { .. } | Part::Audio { .. } => true,
        Part::ToolResult { parts, .. } => parts.iter().any(|part| matches!(part, Part::Image { .. })),
        _ => false,
    };
    let parts = request.turns.iter().flat_map(|turn| &turn.parts);
    parts.into_iter().any(media) || request.extra.iter().any(|(name, _)| name == "modalities" || name == "audio")
}
