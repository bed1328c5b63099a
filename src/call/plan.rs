//! Which targets a call tries, and its body in the API of each.

use super::measure::bounded;
use super::{Call, Chat, Planned, Ready, Terms, Work};
use crate::api::{self, Api, Spliced};
use crate::chat::{Losses, Request};
use crate::config::{OnLoss, Policy};
use crate::consumer::Consumer;
use crate::error::{Error, Fault, Kind};
use crate::host::{Millis, Shared};
use crate::http::Headers;
use crate::json::{Body, Edit, Value, splice};
use crate::provider::{Ask, Provider, Unsupported};
use crate::route::{self, Cooldowns, Model, Target};
use std::rc::Rc;

/// The targets to try for the model `asked`, best first.
pub fn targets(policy: &Policy, asked: &str, now: Millis, shared: &dyn Shared) -> Result<(usize, Vec<Planned>), Error> {
    let unknown = || {
        let shown: String = asked.chars().take(100).collect();
        Error::new(Kind::ModelNotFound, Fault::Client, format!("there is no model \"{shown}\" here"))
            .with_param("model")
            .with_code("model_not_found")
    };
    let model = route::find(&policy.models, asked).ok_or_else(unknown)?;
    let index = policy.models.iter().position(|other| std::ptr::eq(other, model)).ok_or_else(unknown)?;
    if model.direct {
        return direct(policy, model, asked).map(|planned| (index, vec![planned])).ok_or_else(unknown);
    }
    let (order, cooling) = route::order(model, &Cooldowns(shared), now);
    let plan = order.into_iter().enumerate().filter_map(|(place, target)| {
        let named = model.targets.get(target)?.model.clone();
        Some(Planned::new(target, named.unwrap_or_else(|| Rc::from(asked)), place > 0 || cooling))
    });
    Ok((index, plan.collect()))
}

/// Takes out of the plan what may not serve that consumer.
pub fn allowed(policy: &Policy, model: usize, plan: &mut Vec<Planned>, consumer: &Consumer) {
    let targets = policy.models.get(model).map(|model| model.targets.as_slice()).unwrap_or_default();
    plan.retain(|planned| {
        let region = targets.get(planned.target).and_then(|target| target.region.as_deref());
        consumer.may_reach(&planned.model, region)
    });
}

/// `provider/model`, the provider being one that the entry allows.
fn direct(policy: &Policy, model: &Model, asked: &str) -> Option<Planned> {
    let (provider, name) = asked.split_once('/').filter(|(_, name)| !name.is_empty())?;
    let target = model.targets.iter().position(|target| {
        policy.providers.get(target.provider).is_some_and(|configured| *configured.name == *provider)
    })?;
    Some(Planned::new(target, Rc::from(name), false))
}

impl Call {
    /// Makes the request for one target of the plan ready, or says why that target cannot serve this call.
    pub(super) fn make_ready(&mut self, planned: usize) -> Result<(), Error> {
        let Work::Chat(chat) = &mut self.work else { return Ok(()) };
        let policy = Rc::clone(&self.policy);
        let Some((entry, target, provider)) = parts(&policy, chat, planned) else {
            return Err(Error::new(Kind::Internal, Fault::Gateway, "the plan has no such target"));
        };
        if entry.ready.is_some() {
            return Ok(());
        }
        let wanted = wanted(entry, target, provider);
        let api = provider.spoken(chat.dialect).api;
        let mut output = 0;
        let ready = if let Some(task) = &chat.task {
            let ready = chat.task_ready(task, provider, &entry.model)?;
            if let Ready::Other(written) = &ready {
                accept(&written.losses, policy.on_loss)?;
                self.losses.extend(written.losses.iter().map(|loss| (target.provider, loss.what)));
            }
            ready
        } else if same(api, chat.dialect) {
            let body = Body::parse(&chat.body)?;
            let (mut spliced, losses) = spliced(provider, api, &wanted, chat, &self.client, body.value());
            if let Some(most) = chat.most {
                let (tokens, edit) = bounded(api, body.value(), &entry.model, target.max_tokens, most);
                output = tokens;
                spliced.edits.extend(edit);
            }
            accept_adapted(&losses, provider, policy.on_loss)?;
            self.losses.extend(losses.iter().map(|loss| (target.provider, loss.what)));
            Ready::Same(spliced)
        } else {
            let request = chat.request.get_or_init(|| Body::parse(&chat.body).and_then(|body| chat.read(body.value())));
            let request = request.clone()?;
            let mut written = api.write_request(&request, &wanted);
            written.losses.extend(request.losses.clone());
            let headers = std::mem::take(&mut written.headers);
            let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone());
            let ask = Ask { api, model: &entry.model, stream: chat.stream, written: true, header: &header };
            if let Some(adapt) = provider.adapter(&ask) {
                let adapted = adapt(provider, Body::parse(&written.body)?.value(), &ask);
                accept_adapted(&adapted.losses, provider, policy.on_loss)?;
                written.body = splice(&written.body, &adapted.edits);
                written.losses.extend(adapted.losses);
            }
            if let Some(most) = chat.most {
                let body = Body::parse(&written.body)?;
                let (tokens, edit) = bounded(api, body.value(), &entry.model, target.max_tokens, most);
                output = tokens;
                if let Some(edit) = edit {
                    written.body = splice(&written.body, &[edit]);
                }
            }
            // A header that the provider does not know has found its place in the body.
            written.headers = headers.into_iter().filter(|(name, _)| provider.kind.carried.contains(name)).collect();
            accept(&written.losses, policy.on_loss)?;
            let left_out = written.losses.iter().map(|loss| (target.provider, loss.what));
            self.losses.extend(left_out);
            Ready::Other(written)
        };
        keep(chat, planned, ready, output);
        Ok(())
    }
}

impl Chat {
    /// The request, with what its path says of it.
    fn read(&self, body: Value<'_>) -> Result<Rc<Request>, Error> {
        let mut request = self.dialect.read_request(body)?;
        request.model.clone_from(&self.asked_model);
        request.stream = self.stream;
        Ok(Rc::new(request))
    }

    /// Whether a provider's answer in that API is the client's as it is.
    pub(super) fn passes(&self, api: &dyn Api, provider: &Provider) -> bool {
        same(api, self.dialect) && (!self.stream || provider.answers_as(self.asked.form))
    }
}

/// A body of the client's for a provider that speaks the same API.
fn spliced(
    provider: &Provider,
    api: &'static dyn Api,
    wanted: &api::Target<'_>,
    chat: &Chat,
    client: &Headers,
    body: Value<'_>,
) -> (Spliced, Losses) {
    let mut spliced = api.splice(body, wanted);
    if !provider.answers_as(chat.asked.form) {
        spliced.edits.extend(api.reform(body, chat.asked.form));
    }
    let mut losses = std::mem::take(&mut spliced.losses);
    if ours(provider, body, chat.most.is_some(), &mut spliced.edits) {
        losses.hint("extra", "which models serve, and how much they write, is the gateway's to say");
    }
    let header = |name: &str| client.text(name).map(str::to_owned);
    let ask = Ask { api, model: wanted.model, stream: chat.stream, written: false, header: &header };
    let Some(adapt) = provider.adapter(&ask) else { return (spliced, losses) };
    let adapted = adapt(provider, body, &ask);
    spliced.edits.extend(adapted.edits);
    losses.extend(adapted.losses);
    (spliced, losses)
}

/// Takes out of a client's body what would have another model serve, or more come back, than the gateway knows of; whether there is any.
#[inline(never)]
pub(super) fn ours(provider: &Provider, body: Value<'_>, bounded: bool, edits: &mut Vec<Edit>) -> bool {
    let before = edits.len();
    let mut remove = |name: &str| edits.extend(body.remove(name));
    // OpenRouter and Anthropic go on to these by themselves.
    if provider.unsupported != Some(Unsupported::Pass) {
        remove("models");
        remove("fallbacks");
    }
    // llama.cpp goes by it, not by `max_tokens`.
    if bounded {
        remove("n_predict");
    }
    if provider.kind.any_case {
        for (name, _) in body.members() {
            let name = name.text();
            if name.bytes().any(|byte| !byte.is_ascii() || byte.is_ascii_uppercase()) {
                remove(&name);
            }
        }
    }
    edits.len() > before
}

/// Bytes of a request that is not read to bound what it comes to.
const MAX_PLAIN: usize = 128 << 10;

/// The first half of [`Call::make_ready`] for the plan's first target, from a body that is parsed already.
pub(super) fn prepare(policy: &Policy, chat: &mut Chat, client: &Headers, body: Value<'_>) {
    let Some((entry, target, provider)) = parts(policy, chat, 0) else { return };
    let api = provider.spoken(chat.dialect).api;
    if !same(api, chat.dialect) {
        chat.request.get_or_init(|| chat.read(body));
        return;
    }
    let wanted = wanted(entry, target, provider);
    let (mut spliced, losses) = spliced(provider, api, &wanted, chat, client, body);
    let mut output = 0;
    if let Some(most) = chat.most {
        let (tokens, edit) = bounded(api, body, &entry.model, target.max_tokens, most);
        output = tokens;
        spliced.edits.extend(edit);
        // A long one would have to be parsed again if it is counted after all.
        let short = Some(body).filter(|body| body.whole_text().len() <= MAX_PLAIN);
        let turns = short.and_then(|body| api.plain_turns(body));
        chat.plain = turns.map(|turns| (turns, api.bounds(body)));
        if chat.plain.is_none() {
            let dialect = chat.dialect;
            // What the prompt comes to is counted from it.
            chat.request.get_or_init(|| dialect.read_request(body).map(Rc::new));
        }
    }
    // What is lost is decided on where the target is made ready.
    if losses.iter().next().is_none() {
        keep(chat, 0, Ready::Same(spliced), output);
    }
}

fn wanted<'t>(entry: &'t Planned, target: &Target, provider: &Provider) -> api::Target<'t> {
    api::Target {
        model: &entry.model,
        max_tokens: target.max_tokens,
        stream_usage: provider.asks_usage(),
        echo_reasoning: provider.echo_reasoning,
    }
}

fn keep(chat: &mut Chat, planned: usize, ready: Ready, output: u64) {
    let stream_usage = matches!(chat.request.get(), Some(Ok(request)) if request.stream_usage);
    if let Some(entry) = chat.plan.get_mut(planned) {
        entry.terms = match &ready {
            Ready::Same(spliced) => Terms { hide_usage: spliced.hide_usage, ..Terms::default() },
            Ready::Other(written) => Terms { schema_tool: written.schema_tool, stream_usage, hide_usage: false },
        };
        entry.ready = Some(ready);
        entry.output = output;
    }
}

fn parts<'c>(policy: &'c Policy, chat: &'c Chat, planned: usize) -> Option<(&'c Planned, &'c Target, &'c Provider)> {
    let entry = chat.plan.get(planned)?;
    let target = policy.models.get(chat.model)?.targets.get(entry.target)?;
    Some((entry, target, policy.providers.get(target.provider)?))
}

pub(super) fn same(a: &dyn Api, b: &dyn Api) -> bool {
    a.name() == b.name()
}

fn accept(losses: &Losses, policy: OnLoss) -> Result<(), Error> {
    match (losses.worst(), policy) {
        (Some(loss), OnLoss::Refuse) => {
            let message = format!("`{}` cannot be served by this model's provider: {}", loss.what, loss.reason);
            Err(Error::field(loss.what, message).with_code("unsupported_parameter"))
        }
        _ => Ok(()),
    }
}

/// What a provider's kind left out: its own setting has the word.
fn accept_adapted(losses: &Losses, provider: &Provider, policy: OnLoss) -> Result<(), Error> {
    accept(losses, if provider.unsupported == Some(Unsupported::Refuse) { OnLoss::Refuse } else { policy })
}
