//! Every member of every golden request and answer, given a value of another type: a client that is wrong is told where, and a
//! provider that is wrong is an answer or an error.

use super::{APIS, Api, Asked, Seen, tests_golden};
use crate::error::{Error, Fault, Kind};
use crate::json::Body;
use serde_json::{Value, json};
use std::mem::discriminant;

/// Golden cases of the API.
fn cases(api: &dyn Api) -> Vec<Value> {
    let folder = format!("{}/tests/golden/{}", env!("CARGO_MANIFEST_DIR"), api.name());
    let mut files: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().map(|file| file.unwrap().path()).collect();
    files.sort();
    files.iter().map(|path| serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()).collect()
}

/// Bodies that the API reads.
fn requests(api: &dyn Api) -> Vec<Value> {
    let mut bodies: Vec<Value> = cases(api).iter().map(|case| case["request"].clone()).collect();
    bodies.push(json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "max_tokens": 5}));
    bodies.push(json!({"model": "m", "prompt": ["Hi"], "max_tokens": 5, "temperature": 0.5, "n": 1, "stop": ["x"],
        "logprobs": 2, "logit_bias": {"5": 1}, "user": "u", "stream": true, "stream_options": {"include_usage": true},
        "suffix": "", "echo": false, "best_of": 1}));
    bodies.retain(|body| body.is_object() && read(api, body).is_ok());
    bodies
}

/// The request as it was understood.
fn read(api: &dyn Api, body: &Value) -> Result<String, Error> {
    let text = body.to_string();
    let parsed = Body::parse(text.as_bytes())?;
    api.read_request(parsed.value()).map(|request| format!("{request:?}"))
}

/// Every place in it but the top: as a pointer, and as errors name it.
fn places(value: &Value, at: &str, named: &str, all: &mut Vec<(String, String)>) {
    let within: Vec<(String, String, &Value)> = match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let dot = if named.is_empty() { "" } else { "." };
                (format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), format!("{named}{dot}{name}"), value)
            })
            .collect(),
        Value::Array(items) => {
            items.iter().enumerate().map(|(i, value)| (format!("{at}/{i}"), format!("{named}[{i}]"), value)).collect()
        }
        _ => Vec::new(),
    };
    for (path, named, value) in within {
        places(value, &path, &named, all);
        all.push((path, named));
    }
}

fn without(body: &Value, path: &str) -> Value {
    let mut body = body.clone();
    let (parent, last) = path.rsplit_once('/').unwrap();
    match body.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(&last.replace("~1", "/").replace("~0", "~"))),
        Value::Array(items) => drop(items.remove(last.parse().unwrap())),
        _ => unreachable!(),
    }
    body
}

/// Places whose value may be of any type, with what becomes of it.
const FREE: &[(&str, &str)] = &[
    // Where a statement of the history came from is left out of what is sent on, and counted.
    ("anthropic", "messages[1].content[1].citations[0].cited_text"),
    ("anthropic", "messages[1].content[1].citations[0].document_title"),
    // One tool or a list of them.
    ("gemini", "tools"),
];

/// Whether one place lies in another, as errors name them.
fn within(place: &str, around: &str) -> bool {
    around.is_empty()
        || !place.is_empty()
            && place.starts_with(around)
            && matches!(place.as_bytes().get(around.len()), None | Some(b'.' | b'['))
}

/// One value of each type.
fn others() -> [Value; 8] {
    [
        Value::Null,
        json!(-1.5),
        json!(7),
        json!("text"),
        json!(true),
        json!([7]),
        json!({"type": "strange"}),
        json!([{}]),
    ]
}

#[test]
fn a_member_of_another_type_is_taken_or_refused_by_its_name() {
    let mut wrongs = std::collections::BTreeSet::new();
    for api in APIS {
        let (mut refused, mut taken) = (0, 0);
        for body in requests(*api) {
            let whole = read(*api, &body).unwrap();
            let mut all = Vec::new();
            places(&body, "", "", &mut all);
            for (path, named) in all {
                let removed = read(*api, &without(&body, &path)).ok();
                for other in &others() {
                    let mut wrong = body.clone();
                    *wrong.pointer_mut(&path).unwrap() = other.clone();
                    let alike = other.is_null() || discriminant(other) == discriminant(body.pointer(&path).unwrap());
                    let here = format!("{}: {named} is {other}", api.name());
                    match read(*api, &wrong) {
                        Ok(understood) => {
                            taken += 1;
                            // It is read, and what it says was dropped without a word.
                            let free = FREE.contains(&(api.name(), &named));
                            if !alike && !free && removed.as_ref() == Some(&understood) && understood != whole {
                                wrongs.insert(format!("{here}: as if it were not there"));
                            }
                        }
                        Err(error) => {
                            refused += 1;
                            assert_eq!((error.status, error.kind), (400, Kind::InvalidRequest), "{here}");
                            let param = error.param.clone().unwrap_or_default();
                            // The member itself or one in it; what should stand around or beside it, if it is a kind or absent.
                            let around = named.rsplit_once(['.', '[']).map_or("", |(around, _)| around);
                            if !(within(&param, &named) || within(&named, &param) || alike && within(&param, around)) {
                                wrongs.insert(format!("{here}: {param:?} {}", error.message));
                            }
                        }
                    }
                }
            }
        }
        assert!(refused > 40 && taken > 10, "{}: {refused} refused, {taken} taken", api.name());
    }
    assert!(wrongs.is_empty(), "{} of\n{}", wrongs.len(), wrongs.into_iter().collect::<Vec<_>>().join("\n"));
}

/// The value with one of another type in one place, for each type and each place that `is_new` picks.
fn spoilt(value: &Value, mut is_new: impl FnMut(&str) -> bool) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    places(value, "", "", &mut all);
    all.retain(|(path, _)| is_new(path));
    let spoil = |(path, named): (String, String)| {
        others().map(|other| {
            let mut wrong = value.clone();
            let here = format!("{named} is {other}");
            *wrong.pointer_mut(&path).unwrap() = other;
            (here, wrong)
        })
    };
    all.into_iter().flat_map(spoil).collect()
}

fn asked() -> Asked {
    Asked { model: "m".to_owned(), id: "made".to_owned(), stream_usage: true, ..Asked::default() }
}

#[test]
fn an_answer_with_a_member_of_another_type_is_an_answer_or_an_error() {
    for api in APIS {
        let (mut answers, mut errors) = (0, 0);
        for answer in cases(*api).iter().map(|case| &case["answer"]).filter(|answer| answer.is_object()) {
            for (here, wrong) in spoilt(answer, |_| true) {
                let body = wrong.to_string().into_bytes();
                api.watch_answer(&body, &mut Seen::default());
                match api.read_answer(&body) {
                    Ok(answer) => {
                        answers += 1;
                        for client in APIS {
                            let written = client.write_answer(&answer, &asked());
                            let valid = serde_json::from_slice::<Value>(&written).is_ok();
                            assert!(valid, "{}: {here}: {}", api.name(), String::from_utf8_lossy(&written));
                        }
                    }
                    Err(error) => {
                        errors += 1;
                        assert!(
                            error.status >= 400 && error.kind != Kind::Internal,
                            "{}: {here}: {error:?}",
                            api.name()
                        );
                    }
                }
            }
        }
        assert!(answers > 40 || !api.converses(), "{}: {answers} answers, {errors} errors", api.name());
    }
}

#[test]
fn an_error_with_a_member_of_another_type_is_an_error_all_the_same() {
    for api in APIS {
        let sample = Error::new(Kind::RateLimit, Fault::Provider, "slow down");
        let (status, body) = api.write_error(&sample);
        for (here, wrong) in spoilt(&serde_json::from_slice(&body).unwrap(), |_| true) {
            let error = api.read_error(status, wrong.to_string().as_bytes());
            assert!((400..600).contains(&error.status), "{}: {here}: {error:?}", api.name());
            for client in APIS {
                let (status, written) = client.write_error(&error);
                assert!((400..600).contains(&status) && serde_json::from_slice::<Value>(&written).is_ok(), "{here}");
            }
        }
    }
}

/// The golden streams of the API, each with one event spoilt. A place is spoilt in the first event of its kind.
fn spoilt_streams(api: &dyn Api, check: &mut dyn FnMut(&str, &[u8])) {
    let mut known = std::collections::BTreeSet::new();
    let mut spoilt = |event: &Value| {
        let kind = ["type", "event", "object"].map(|name| event[name].as_str().unwrap_or_default().to_owned());
        spoilt(event, |path| known.insert((kind.clone(), path.to_owned())))
    };
    for case in cases(api) {
        for (at, frame) in case["frames"].as_array().into_iter().flatten().enumerate() {
            for (here, wrong) in spoilt(&frame[1]) {
                let mut case = case.clone();
                case["frames"][at][1] = wrong;
                check(&here, &tests_golden::frames(&case));
            }
        }
        let lines = case["stream"].as_array().into_iter().flatten().map(|line| line.as_str().unwrap());
        let lines: Vec<&str> = lines.collect();
        for (at, line) in lines.iter().enumerate() {
            let (name, data) = line.split_at(line.find('{').unwrap_or(line.len()));
            let Ok(event) = serde_json::from_str::<Value>(data) else { continue };
            for (here, wrong) in spoilt(&event) {
                let wrong = format!("{name}{wrong}");
                let mut lines = lines.clone();
                lines[at] = &wrong;
                check(&here, lines.join("\n").as_bytes());
            }
        }
    }
}

#[test]
fn a_stream_with_a_member_of_another_type_has_one_ending() {
    for (i, api) in APIS.iter().enumerate() {
        let mut streams = 0;
        spoilt_streams(*api, &mut |here, stream| {
            streams += 1;
            // Clients of the same API and, in turn, of every other.
            let mut writers = [i, i + streams].map(|client| APIS[client % APIS.len()].writer(asked()));
            let mut outs = [Vec::new(), Vec::new()];
            let mut endings = 0;
            let mut reader = api.reader();
            let mut sink = |event: crate::chat::Event<'_>| {
                assert!(endings == 0, "{}: {here}: {event:?} after the ending", api.name());
                endings += usize::from(matches!(event, crate::chat::Event::End | crate::chat::Event::Error(_)));
                for (writer, out) in writers.iter_mut().zip(&mut outs) {
                    writer.write(&event, out);
                }
            };
            reader.read(stream, &mut sink);
            reader.close(&mut sink);
            assert_eq!(endings, 1, "{}: {here}", api.name());
            let mut seen = Seen::default();
            api.decoder().feed(stream, &mut |frame| {
                if let Some(data) = frame.data {
                    api.watch_event(frame.name, data, true, &mut seen);
                }
            });
        });
        assert!(streams > 200 || !api.converses(), "{}: {streams} streams", api.name());
    }
}
