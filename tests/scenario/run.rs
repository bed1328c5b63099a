use std::collections::{BTreeMap, VecDeque};

use serde_yaml_ng::{Mapping, Value};

use super::check;
use super::envoy::{Call, Envoy, Outcome, Script};
use super::headers::Headers;
use super::model::{Answer, Fault, Pairs, Request, Runner, Scenario, bytes, object};
use super::module::Module;
use super::wire::Message;

/// What the configuration's `env` names are set to.
pub const ENVIRONMENT: [(&str, &str); 3] = [
    ("OPENAI_API_KEY", "sk-from-env-openai"),
    ("ANTHROPIC_API_KEY", "sk-from-env-anthropic"),
    ("SLUICE_SEAL_KEY", "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"),
];

/// How the bodies are cut, instead of what the file says.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cuts {
    pub request: Option<usize>,
    pub response: Option<usize>,
    /// The last piece carries the end of the body, as with HTTP/2.
    pub joined: bool,
}

/// The calls of one file, in order; a call without configuration goes to the gateway of the one before. Every difference is
/// a line of the error.
pub fn file<M: Module>(
    calls: &[Scenario],
    runner: Runner,
    cuts: Cuts,
    mut module: impl FnMut() -> Result<M, String>,
) -> Result<Vec<Outcome>, String> {
    let (mut outcomes, mut wrong) = (Vec::new(), Vec::new());
    let mut gateway: Option<(Envoy<M>, Option<Mapping>)> = None;
    for call in calls {
        if call.only.as_ref().is_some_and(|only| !only.contains(&runner)) {
            continue;
        }
        let current = match (gateway.take(), &call.config) {
            (Some(current), None) => Ok(current),
            (_, config) => module().and_then(|module| start(call, module)).map(|envoy| (envoy, config.clone())),
        };
        let (mut envoy, config) = match current {
            Ok(current) => current,
            Err(why) => {
                wrong.push(format!("{}: {why}", call.name));
                continue;
            }
        };
        match one(call, cuts, &mut envoy, config.as_ref()) {
            Ok(outcome) => outcomes.push(outcome),
            Err(why) => wrong.push(format!("{}: {why}\nlog: {}", call.name, envoy.host.logs.join("\n"))),
        }
        gateway = Some((envoy, config));
    }
    if wrong.is_empty() { Ok(outcomes) } else { Err(wrong.join("\n\n")) }
}

fn one<M: Module>(
    call: &Scenario,
    cuts: Cuts,
    envoy: &mut Envoy<M>,
    config: Option<&Mapping>,
) -> Result<Outcome, String> {
    envoy.metadata = if call.metadata { targets(config).into_iter().collect() } else { BTreeMap::new() };
    let outcome = envoy.call(&prepare(call, cuts)?)?;
    let wrong = differences(call, &outcome);
    if wrong.is_empty() { Ok(outcome) } else { Err(wrong.join("\n")) }
}

fn start<M: Module>(call: &Scenario, module: M) -> Result<Envoy<M>, String> {
    let mut config = call.config.clone().ok_or("the first call of a file needs a configuration")?;
    config.entry("role".into()).or_insert("gateway".into());
    let mut clusters: Vec<String> = targets(Some(&config)).into_iter().map(|(cluster, _)| cluster).collect();
    clusters.extend(call.providers.keys().cloned());
    Envoy::start(module, &object(&config)?, clusters)
}

/// Cluster and provider of every target.
fn targets(config: Option<&Mapping>) -> Vec<(String, String)> {
    let Some(config) = config else { return Vec::new() };
    let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_string);
    let list = |value: Option<&Value>| value.and_then(Value::as_sequence).cloned().unwrap_or_default();
    let mut all = Vec::new();
    for provider in config.get("providers").and_then(Value::as_mapping).into_iter().flat_map(Mapping::keys) {
        let name = text(Some(provider)).unwrap_or_default();
        all.push((name.clone(), name));
    }
    for target in list(config.get("models")).iter().flat_map(|model| list(model.get("targets"))) {
        if let Some(provider) = text(target.get("provider")) {
            all.push((text(target.get("cluster")).unwrap_or_else(|| provider.clone()), provider));
        }
    }
    all
}

fn prepare(call: &Scenario, cuts: Cuts) -> Result<Call, String> {
    let mut scripts = BTreeMap::new();
    for (cluster, answers) in &call.providers {
        let answers: Result<VecDeque<_>, _> = answers.iter().map(|answer| script(answer, cuts)).collect();
        scripts.insert(cluster.clone(), answers?);
    }
    Ok(Call {
        request: request(&call.request, cuts)?,
        hang_up_after: call.request.hang_up_after,
        admin: call.request.admin,
        scripts,
    })
}

fn request(request: &Request, cuts: Cuts) -> Result<Message, String> {
    let body = bytes(request.body.as_ref(), request.body_base64.as_deref())?;
    let mut headers = Headers::of(&[
        (":authority", "gateway.test"),
        (":path", &request.path),
        (":method", request.method.as_deref().unwrap_or("POST")),
        (":scheme", "http"),
    ]);
    if body.is_some() {
        headers.set("content-type", b"application/json");
    }
    if request.chunk.is_some() || request.trailers.is_some() {
        headers.set("transfer-encoding", b"chunked");
    } else if let Some(body) = &body {
        headers.set("content-length", body.len().to_string().as_bytes());
    }
    given(&mut headers, &request.headers);
    headers.set("x-forwarded-proto", b"http");
    headers.set("x-request-id", b"0c6f0a35-4f6c-4d3c-9d6e-5a3d6a0f9b11");
    Ok(Message {
        chunk: cuts.request.map(|size| piece(size, body.as_ref())).or(request.chunk),
        headers,
        body,
        trailers: request.trailers.as_ref().map(trailers),
        joined: cuts.joined,
    })
}

fn script(answer: &Answer, cuts: Cuts) -> Result<Script, String> {
    let body = bytes(answer.body.as_ref(), answer.body_base64.as_deref())?;
    let mut headers = Headers::of(&[(":status", &answer.status.unwrap_or(200).to_string())]);
    given(&mut headers, &answer.headers);
    let status = answer.status.unwrap_or(200);
    if answer.chunk.is_some() || answer.trailers.is_some() || answer.fault == Some(Fault::Cut) {
        headers.set("transfer-encoding", b"chunked");
    } else if headers.first("content-length").is_none() && ![204, 304].contains(&status) {
        headers.set("content-length", body.as_ref().map_or(0, Vec::len).to_string().as_bytes());
    }
    let message = Message {
        chunk: cuts.response.map(|size| piece(size, body.as_ref())).or(answer.chunk),
        headers,
        body,
        trailers: answer.trailers.as_ref().map(trailers),
        joined: cuts.joined,
    };
    Ok(Script { answer: message, fault: answer.fault })
}

/// Pieces of `size` bytes, larger when the body is large: a file's body is cut into some thousand pieces at most.
fn piece(size: usize, body: Option<&Vec<u8>>) -> usize {
    body.map_or(0, |body| body.len() >> 12).max(size)
}

/// The file's headers over the ones that are there without it; a repeated one is added.
fn given(headers: &mut Headers, pairs: &Pairs) {
    for (name, _) in &pairs.0 {
        headers.remove(if name.eq_ignore_ascii_case("host") { ":authority" } else { name });
    }
    for (name, value) in &pairs.0 {
        let name = if name.eq_ignore_ascii_case("host") { ":authority" } else { name };
        if let Some(value) = value {
            headers.add(name, value.as_bytes());
        }
    }
}

fn trailers(pairs: &Pairs) -> Headers {
    let mut headers = Headers::default();
    given(&mut headers, pairs);
    headers
}

fn differences(call: &Scenario, outcome: &Outcome) -> Vec<String> {
    let mut wrong = outcome.astray.clone();
    for (cluster, answers) in &call.providers {
        let came = outcome.arrived.iter().filter(|got| got.cluster == *cluster);
        for (number, (answer, got)) in (1..).zip(answers.iter().zip(came)) {
            let at = |line| format!("{cluster}, attempt {number}: {line}");
            wrong.extend(check::attempt(&answer.expect, got).into_iter().map(at));
        }
    }
    let may_be_cut = call.providers.values().flatten().any(|answer| answer.fault == Some(Fault::Cut));
    if outcome.cut && !may_be_cut {
        wrong.push("the client's stream was cut".to_string());
    }
    wrong.extend(check::client(&call.expect, outcome));
    wrong
}
