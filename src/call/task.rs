//! Calls for something else than chat: their bodies, their targets, their answers.

use super::{Chat, Ready};
use crate::api::{Named, Spliced, Written};
use crate::chat::Usage;
use crate::error::{Error, Fault, Kind};
use crate::framing::form;
use crate::json::{Body, Tree, quote};
use crate::provider::{Ask, Provider};
use crate::task::{Format, Shape};
use std::borrow::Cow;
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
}

impl Task {
    pub(super) fn new(format: &'static Format, content_type: String, fields: Option<Vec<Range<usize>>>) -> Self {
        Self { format, content_type, fields }
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

impl Chat {
    /// The request of a call that is no chat, for one provider.
    pub(super) fn task_ready(&self, task: &Task, provider: &Provider, model: &str) -> Result<Ready, Error> {
        if !provider.does(task.format) {
            let what = task.format.operation.name();
            let error = Error::new(Kind::InvalidRequest, Fault::Client, "");
            let message = ["the provider of this model does not offer this: ", what].concat();
            return Err(Error { message, ..error }.with_code("unsupported_operation"));
        }
        if let Some(fields) = &task.fields {
            return Ok(Ready::Other(Written { body: renamed(&self.body, fields, model), ..Written::default() }));
        }
        let parsed = Body::parse(&self.body)?;
        let body = parsed.value();
        let mut edits = Vec::new();
        // A path that names the model has none in the body.
        let named = body.member("model").is_some() || (task.format.path)(model) == (task.format.path)("");
        if named && body.get("model").is_none_or(|given| !given.is(model)) {
            let mut name = Vec::with_capacity(model.len().saturating_add(2));
            quote(&mut name, model);
            edits.push(body.set("model", name));
        }
        if let Some(adapt) = provider.kind.adapt_task {
            edits.extend(adapt(provider, task.format, body));
        }
        Ok(Ready::Same(Spliced { edits, hide_usage: false }))
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
pub(super) fn usage(format: &Format, body: &[u8]) -> Option<Usage> {
    Tree::default().read(body).ok().and_then(|value| (format.usage)(value))
}

/// The path of a task at its provider.
pub(super) fn path(provider: &Provider, ask: &Ask<'_>, format: &Format) -> String {
    provider.full_path(ask, &(format.path)(ask.model))
}
