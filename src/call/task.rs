//! Calls for something else than chat: their bodies, their targets, their answers.

use super::plan::ours;
use super::{Chat, Ready};
use crate::api::{Api, Named, Spliced, Written};
use crate::chat::{Losses, Usage};
use crate::error::{Error, Fault, Kind};
use crate::framing::form;
use crate::http::Headers;
use crate::json::{Body, Tree, splice};
use crate::provider::{Ask, Provider};
use crate::task::{Format, Request, Shape};
use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::Range;

/// What a body says of where it is to go.
pub(super) struct Read {
    pub(super) model: String,
    pub(super) stream: bool,
    /// Where a form says it: once or several times.
    pub(super) fields: Option<Vec<Range<usize>>>,
}

/// The request of a call that is no chat.
#[derive(Debug)]
pub struct Task {
    pub(super) format: &'static Format,
    /// As the client has it: a form's has its boundary.
    pub(super) content_type: String,
    fields: Option<Vec<Range<usize>>>,
    /// The body read, once a target of another format needed it.
    request: OnceCell<Result<Request, Error>>,
}

impl Task {
    pub(super) fn is_form(&self) -> bool {
        self.fields.is_some()
    }

    pub(super) fn new(format: &'static Format, content_type: String, fields: Option<Vec<Range<usize>>>) -> Self {
        Self { format, content_type, fields, request: OnceCell::new() }
    }

    fn request(&self, body: &[u8]) -> Result<&Request, Error> {
        let read = || Body::parse(body).and_then(|body| self.format.read(body.value()));
        self.request.get_or_init(read).as_ref().map_err(Error::clone)
    }

    /// The call is being answered.
    pub(super) fn forget(&mut self) {
        self.request = OnceCell::new();
    }
}

pub(super) fn read(format: &Format, named: Named, content_type: &str, body: &[u8]) -> Result<Read, Error> {
    let boundary = form::boundary(content_type).filter(|_| format.body == Shape::Form);
    let (model, stream, fields) = match boundary {
        Some(boundary) => {
            let fields = form::fields(body, boundary, "model");
            let text = |at: &Range<usize>| body.get(at.clone()).and_then(|value| std::str::from_utf8(value).ok());
            let model =
                fields.first().map(|at| text(at).ok_or_else(|| Error::field("model", "must be UTF-8"))).transpose()?;
            if fields.iter().any(|at| text(at) != model) {
                return Err(Error::field("model", "stands twice in the form"));
            }
            let stream = form::fields(body, boundary, "stream");
            let stream = stream.last().and_then(text) == Some("true");
            (model.map(str::to_owned), stream, Some(fields))
        }
        None => {
            let parsed = Body::parse(body)?;
            let model = parsed.value().string("model")?.map(Cow::into_owned);
            (model, parsed.value().boolean("stream")?.unwrap_or(false), None)
        }
    };
    let model = named.model.or(model).or_else(|| format.model.map(str::to_owned)).filter(|model| !model.is_empty());
    let missing = || Error::field("model", "`model` must be given").with_code("missing_required_parameter");
    Ok(Read { model: model.ok_or_else(missing)?, stream: named.stream.unwrap_or(stream), fields })
}

/// How a provider serves a call.
pub(super) struct Served {
    pub(super) api: &'static dyn Api,
    /// The provider's format, if the call is no chat.
    pub(super) format: Option<&'static Format>,
    /// The client's bytes go to it, and its own to the client.
    pub(super) same: bool,
}

impl Chat {
    /// `None`: the provider does not do what is asked.
    pub(super) fn served(&self, provider: &Provider, model: &str) -> Option<Served> {
        let Some(task) = &self.task else {
            let api = provider.spoken(self.dialect).api;
            return Some(Served { api, format: None, same: self.passes(api, provider) });
        };
        let format = task.format.served_by(provider.kind.tasks, model)?;
        let api = provider.spoken(crate::api::by_name(format.dialect)?).api;
        let form = task.format.codec.is_none() || provider.answers_as(self.asked.form);
        Some(Served { api, format: Some(format), same: form && format.name == task.format.name })
    }

    /// The request of a call that is no chat, for one provider.
    pub(super) fn task_ready(&self, task: &Task, provider: &Provider, model: &str) -> Result<Ready, Error> {
        let Some(Served { format: Some(format), same, .. }) = self.served(provider, model) else {
            let what = task.format.operation.name();
            let message = ["the provider of this model does not offer this: ", what].concat();
            return Err(Error::invalid(message).with_code("unsupported_operation"));
        };
        if let Some(fields) = &task.fields {
            return Ok(Ready::Other(Written { body: renamed(&self.body, fields, model), ..Written::default() }));
        }
        if !same {
            let request = task.request(&self.body)?;
            let mut losses = Losses::default();
            let mut body = format.write(request, model, &mut losses)?;
            if let Some(adapt) = provider.kind.adapt_task {
                let edits = adapt(provider, format, Body::parse(&body)?.value());
                body = splice(&body, &edits);
            }
            return Ok(Ready::Other(Written { body, losses, ..Written::default() }));
        }
        let parsed = Body::parse(&self.body)?;
        let mut edits = (format.rename)(parsed.value(), model);
        ours(provider, parsed.value(), false, &mut edits);
        if let Some(adapt) = provider.kind.adapt_task {
            edits.extend(adapt(provider, format, parsed.value()));
        }
        Ok(Ready::Same(Spliced { edits, ..Spliced::default() }))
    }

    /// A provider's answer as the client has it, and what it says was used.
    pub(super) fn task_answer(
        &self,
        format: &Format,
        headers: &Headers,
        body: &[u8],
    ) -> Result<(Vec<u8>, Option<Usage>), Error> {
        let lost = || Error::new(Kind::Internal, Fault::Gateway, "the request is gone");
        let task = self.task.as_ref().ok_or_else(lost)?;
        let request = task.request(&self.body)?;
        let mut tree = Tree::default();
        let unread = |_| Error::provider(Kind::BadAnswer, "the provider's answer is not JSON");
        let mut answer = format.read_answer(tree.read(body).map_err(unread)?, request)?;
        answer.usage = answer.usage.or_else(|| counted(format, headers));
        let written = task.format.write_answer(&answer, request, &self.asked)?;
        Ok((written, answer.usage))
    }
}

/// A form with another value in these places.
fn renamed(body: &[u8], fields: &[Range<usize>], value: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(body.len().saturating_add(value.len()));
    let mut done = 0_usize;
    for at in fields {
        out.extend_from_slice(body.get(done..at.start).unwrap_or_default());
        out.extend_from_slice(value.as_bytes());
        done = at.end;
    }
    out.extend_from_slice(body.get(done..).unwrap_or_default());
    out
}

/// What a whole answer says was used; one of another type says nothing.
pub(super) fn usage(format: &Format, headers: &Headers, body: &[u8]) -> Option<Usage> {
    let said = Tree::default().read(body).ok().and_then(|value| (format.usage)(value));
    said.or_else(|| counted(format, headers))
}

fn counted(format: &Format, headers: &Headers) -> Option<Usage> {
    let input = headers.text(format.counted).filter(|_| !format.counted.is_empty())?.parse().ok()?;
    Some(Usage { input, ..Usage::default() })
}

/// The path of a task at its provider.
pub(super) fn path(provider: &Provider, ask: &Ask<'_>, format: &Format) -> String {
    provider.full_path(ask, &(format.path)(ask.model))
}
