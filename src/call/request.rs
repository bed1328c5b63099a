//! An attempt's request: which target it is for, its headers and body.

use super::attempt::Place;
use super::plan::same;
use super::{Call, Chat, Ending, Outcome, Planned, Ready, Step, Work};
use crate::error::{Error, Fault, Kind};
use crate::http::{Change, Edits, Reply};
use crate::json;
use crate::provider::Ask;

impl Call {
    /// Which target of the plan stands at `place`: the next one that was not tried, or the first that fits.
    pub(super) fn placed(&self, place: &Place) -> Option<usize> {
        // Never by anything else: another provider must not get this one's key.
        let at = |provider: usize, cluster: &str| match &place.provider {
            Some(name) => self.provider(provider).is_some_and(|provider| *provider.name == **name),
            None => cluster == place.cluster,
        };
        let chat = match &self.work {
            Work::Chat(chat) => chat,
            Work::Pass { provider, cluster } => return at(*provider, cluster).then_some(0),
        };
        let fits =
            |planned: &Planned| self.target(chat, planned).is_some_and(|target| at(target.provider, &target.cluster));
        let fitting = || chat.plan.iter().enumerate().filter(|(_, planned)| fits(planned)).map(|(index, _)| index);
        self.untried(chat).find(|index| fitting().any(|fits| fits == *index)).or_else(|| fitting().next_back())
    }

    /// Targets of the plan that no attempt was for, best first. Where Envoy's own order rules, any may be next.
    pub(super) fn untried<'c>(&'c self, chat: &'c Chat) -> impl Iterator<Item = usize> + 'c {
        (0..chat.plan.len()).filter(|index| self.attempts.iter().all(|attempt| attempt.planned != *index))
    }

    pub(super) fn misplaced(&mut self) -> Step {
        let error =
            Error::new(Kind::Internal, Fault::Gateway, "the request came to a cluster that its model does not name");
        self.ending = Ending::Error(error.kind);
        self.local(&error)
    }

    /// A target to which Envoy went on by itself cannot serve the call after all.
    pub(super) fn impossible(&mut self, index: usize, error: &Error) -> Step {
        self.record(index, Outcome::Failed { kind: error.kind, retry: false });
        self.ending = Ending::Error(error.kind);
        self.local(error)
    }

    pub(super) fn local(&mut self, error: &Error) -> Step {
        let dialect = self.dialect().or_else(|| crate::api::by_name("openai"));
        let Some((status, body)) = dialect.map(|dialect| dialect.write_error(error)) else { return Step::go() };
        self.told = Some(status);
        let mut reply = Reply::json(status, body);
        reply.headers.push("x-sluice-attempts", self.attempts.len().to_string());
        let mut limits = Edits::default();
        self.say_limits(&mut limits);
        reply.headers = reply.headers.with(&limits);
        Step::reply(reply)
    }

    pub(super) fn request(&mut self, planned: usize) -> Result<Step, Error> {
        self.make_ready(planned)?;
        let lost = || Error::new(Kind::Internal, Fault::Gateway, "the plan has no such target");
        let ready = match &mut self.work {
            Work::Pass { provider, .. } => {
                let provider = *provider;
                return self.pass_request(provider).ok_or_else(lost);
            }
            Work::Chat(chat) => chat.plan.get_mut(planned).and_then(|planned| planned.ready.take()).ok_or_else(lost)?,
        };
        self.chat_request(planned, ready).ok_or_else(lost)
    }

    fn chat_request(&self, planned: usize, ready: Ready) -> Option<Step> {
        let Work::Chat(chat) = &self.work else { return None };
        let entry = chat.plan.get(planned)?;
        let provider = self.provider(self.target(chat, entry)?.provider)?;
        let served = chat.served(provider, &entry.model)?;
        let api = served.api;
        let same_api = if served.format.is_some() { served.same } else { same(api, chat.dialect) };
        let ask = Ask { api, model: &entry.model, stream: chat.stream, written: !same_api, header: &|_| None };
        let mut path = match served.format {
            Some(format) => super::task::path(provider, &ask, format),
            None => provider.chat_path(&ask),
        };
        // A client's query is about the API's own path.
        if same_api && provider.kind.path.is_none() && !path.contains('?') {
            path.push_str(&self.query);
        }
        let mut headers = provider.request_headers("POST", &path, &self.client, same_api);
        match &chat.task {
            Some(task) if same_api => headers.push("content-type", task.content_type.as_str()),
            _ => headers.fix("content-type", "application/json"),
        }
        let mut head = None;
        let body = match ready {
            Ready::Same(spliced) if spliced.edits.is_empty() => None,
            Ready::Same(spliced) => {
                let (body, done) = json::head(&chat.body, &spliced.edits);
                head = Some(done);
                Some(body)
            }
            Ready::Other(written) => {
                for (name, value) in written.headers {
                    let known = headers.text(name).map(|known| format!("{known},{value}"));
                    headers.set(name, known.unwrap_or(value));
                }
                Some(written.body)
            }
        };
        let stays =
            if body.is_none() { chat.body.len() } else { head.map_or(0, |head| chat.body.len().saturating_sub(head)) };
        headers.set_body_len(body.as_ref().map_or(0, Vec::len).saturating_add(stays));
        let next = self.untried(chat).next().and_then(|next| chat.plan.get(next));
        let after = next.and_then(|next| self.target(chat, next)).map(|next| next.cluster.clone());
        Some(Step { headers: Change::All(headers), body, head, after, ..Step::go() })
    }

    /// A path that no dialect knows: as the client sent it, with the provider's host, path and credential.
    pub(super) fn pass_request(&self, provider: usize) -> Option<Step> {
        let provider = self.provider(provider)?;
        let below = self.path.strip_prefix("/v1").filter(|rest| rest.starts_with('/')).unwrap_or(&self.path);
        let path = format!("{}{}", provider.path(&provider.main, below), self.query);
        let mut headers = provider.request_headers(&self.method, &path, &self.client, true);
        let hop =
            ["host", "connection", "te", "upgrade", "keep-alive", "proxy-connection", "accept-encoding", "user-agent"];
        for (name, value) in self.client.iter() {
            let internal = name.starts_with(':') || name.starts_with("x-sluice-") || name.starts_with("x-envoy-");
            let forwarded = name.starts_with("x-forwarded-") || name == "x-request-id";
            let secret = crate::provider::CLIENT_CREDENTIALS.contains(&name);
            if !internal && !forwarded && !secret && !hop.contains(&name) && headers.bytes(name).is_none() {
                headers.push(name.to_owned(), value);
            }
        }
        Some(Step { headers: Change::All(headers), ..Step::go() })
    }
}
