//! The schema against the reader: it accepts what the reader takes, refuses what a schema can, and has the same fields at every
//! place.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test may stop at the first surprise"
)]

use jsonschema::Validator;
use serde_json::{Value, json};
use sluice::provider::PROVIDERS;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn schema() -> Value {
    let ran = Command::new(env!("CARGO_BIN_EXE_sluice")).arg("schema").output().unwrap();
    serde_json::from_slice(&ran.stdout).unwrap()
}

fn validator() -> Validator {
    jsonschema::draft7::new(&schema()).unwrap()
}

fn wrong(validator: &Validator, document: &Value) -> Vec<String> {
    validator.iter_errors(document).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

fn problems(document: &Value) -> Vec<String> {
    let key = |name: &str| match name {
        "SLUICE_SEAL_KEY" => Some("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f".to_owned()),
        _ => Some("key".to_owned()),
    };
    match sluice::config::load(document.to_string().as_bytes(), &key) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

/// A document with every field at every place.
fn full() -> Value {
    let mut document: Value = serde_yaml_ng::from_str(include_str!("full.yaml")).unwrap();
    for kind in PROVIDERS {
        let mut provider = json!({"api": kind.name, "host": "h.example"});
        for setting in kind.settings {
            provider[setting.name] = json!("x1");
        }
        document["providers"][format!("kind-{}", kind.name)] = provider;
    }
    document
}

/// All documents that the project itself has: of scenarios, pages, Envoy's configurations.
fn documents() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    let mut files = Vec::new();
    for (dir, end) in
        [("tests/scenarios", ".yaml"), ("docs", ".md"), ("", ".md"), ("envoy", ".yaml"), ("examples", ".yaml")]
    {
        collect(&root().join(dir), end, !dir.is_empty(), &mut files);
    }
    for file in files {
        let name = file.display().to_string();
        if name.contains("scenarios") {
            found.extend(scenarios(&file).into_iter().map(|document| (name.clone(), document)));
            continue;
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let read = |text: &str| serde_yaml_ng::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        if name.ends_with(".md") {
            let blocks = text.split("```yaml sluice\n").skip(1).filter_map(|rest| rest.split("\n```").next());
            found.extend(blocks.map(|block| (name.clone(), whole(read(block)))));
        } else {
            for document in text.split("\n---\n") {
                roles(&read(document), &mut |document| found.push((name.clone(), document.clone())));
            }
        }
    }
    found
}

fn collect(dir: &Path, end: &str, deep: bool, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && deep {
            collect(&path, end, deep, files);
        } else if path.to_str().unwrap().ends_with(end) {
            files.push(path);
        }
    }
}

/// The configurations of a file of scenarios, whose anchors hold for all of it: read as one list.
fn scenarios(file: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    let mut list = String::new();
    for document in text.split("\n---\n") {
        list.push_str("-\n");
        list.extend(document.lines().map(|line| format!("  {line}\n")));
    }
    let all: Vec<Value> = serde_yaml_ng::from_str(&list).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let configs = all.into_iter().filter_map(|call| call.get("config").cloned());
    configs
        .map(|mut config| {
            config["role"] = json!("gateway");
            config
        })
        .collect()
}

fn roles(value: &Value, found: &mut impl FnMut(&Value)) {
    match value {
        Value::Object(map) if map.get("role").is_some_and(Value::is_string) => found(value),
        Value::Object(map) => map.values().for_each(|value| roles(value, found)),
        Value::Array(items) => items.iter().for_each(|value| roles(value, found)),
        _ => {}
    }
}

/// With what a fragment on a page leaves out.
fn whole(mut document: Value) -> Value {
    let fields = document.as_object_mut().unwrap();
    fields.entry("role").or_insert(json!("gateway"));
    if fields["role"] == "gateway" {
        fields.entry("providers").or_insert(json!({"openai": {"api": "openai"}, "anthropic": {"api": "anthropic"}}));
        fields.entry("models").or_insert(json!([{"name": "*", "targets": [{"provider": "openai"}]}]));
    }
    document
}

#[test]
fn what_the_reader_takes_the_schema_accepts() {
    let validator = validator();
    assert_eq!(problems(&full()), Vec::<String>::new());
    assert_eq!(wrong(&validator, &full()), Vec::<String>::new());
    let documents = documents();
    assert!(documents.len() > 150, "{} documents: they are not found", documents.len());
    for (name, document) in documents {
        assert_eq!(wrong(&validator, &document), Vec::<String>::new(), "{name}: {document}");
    }
}

type Change = fn(&mut Value);

#[test]
fn what_a_schema_can_say_it_refuses_as_the_reader_does() {
    let cases: &[Change] = &[
        |d| d["role"] = json!("gatway"),
        |d| drop(d.as_object_mut().unwrap().remove("role")),
        |d| drop(d.as_object_mut().unwrap().remove("models")),
        |d| drop(d.as_object_mut().unwrap().remove("providers")),
        |d| d["provders"] = json!({}),
        |d| d["providers"] = json!({}),
        |d| d["providers"]["a b"] = json!({"api": "openai"}),
        |d| d["providers"]["openai"]["api"] = json!("opnai"),
        |d| drop(d["providers"]["openai"].as_object_mut().unwrap().remove("api")),
        |d| d["providers"]["openai"]["apis"] = json!(["opnai"]),
        |d| d["providers"]["openai"]["apis"] = json!([]),
        |d| d["providers"]["openai"]["region"] = json!("us-east-1"),
        |d| drop(d["providers"]["kind-bedrock"].as_object_mut().unwrap().remove("region")),
        |d| d["providers"]["kind-bedrock"]["region"] = json!("a/b"),
        |d| drop(d["providers"]["kind-azure-openai"].as_object_mut().unwrap().remove("host")),
        |d| d["providers"]["openai"]["host"] = json!("https://x/y"),
        |d| d["providers"]["openai"]["base_path"] = json!("v1"),
        |d| d["providers"]["openai"]["base_path"] = json!("/v1?x"),
        |d| d["providers"]["openai"]["headers"] = json!({"a b": "1"}),
        |d| d["providers"]["openai"]["headers"] = json!({"Content-Length": "1"}),
        |d| d["providers"]["openai"]["headers"] = json!({"X-Sluice-a": "1"}),
        |d| d["providers"]["openai"]["headers"] = json!({"a": "1\r\nb: 2"}),
        |d| d["providers"]["openai"]["headers"] = json!({"a": 1}),
        |d| d["providers"]["openai"]["echo_reasoning"] = json!("yes"),
        |d| d["providers"]["openai"]["unsupported"] = json!("ignore"),
        |d| d["providers"]["openai"]["auth"] = json!({}),
        |d| d["providers"]["openai"]["auth"] = json!({"env": "A", "value": "b"}),
        |d| d["providers"]["openai"]["auth"] = json!({"value": "a b"}),
        |d| d["providers"]["openai"]["auth"] = json!({"value": ""}),
        |d| d["providers"]["openai"]["auth"] = json!({"client": false}),
        |d| d["providers"]["openai"]["auth"] = json!({"sealed": "sk-1"}),
        |d| d["providers"]["openai"]["auth"] = json!({"sealed": "v1.AAAA"}),
        |d| d["seal_key"] = json!("KEY"),
        |d| d["seal_key"] = json!({}),
        |d| d["models"] = json!([]),
        |d| d["models"][0]["name"] = json!("a*b"),
        |d| d["models"][0]["name"] = json!("a**"),
        |d| d["models"][0]["name"] = json!(""),
        |d| drop(d["models"][0].as_object_mut().unwrap().remove("name")),
        |d| drop(d["models"][0].as_object_mut().unwrap().remove("targets")),
        |d| d["models"][1]["targets"] = json!([{"provider": "openai"}]),
        |d| d["models"][0]["targets"] = json!([]),
        |d| d["models"][0]["targets"][0] = json!({"cluster": "c"}),
        |d| d["models"][0]["strategy"] = json!("fast"),
        |d| d["models"][0]["stratgy"] = json!("ordered"),
        |d| d["models"][0]["retry_on"] = json!(["rate"]),
        |d| d["first_byte_timeout"] = json!("30"),
        |d| d["first_byte_timeout"] = json!(30),
        |d| d["max_tokens"] = json!(0),
        |d| d["max_tokens"] = json!(0.5),
        |d| d["answer_model"] = json!("both"),
        |d| d["on_loss"] = json!("drp"),
        |d| d["other_paths"] = json!({}),
        |d| d["authentication"]["sources"] = json!([]),
        |d| d["authentication"]["sources"] = json!(["keys"]),
        |d| d["authentication"]["sources"] = json!([{"key": "x-key"}]),
        |d| d["authentication"]["sources"] = json!([{"key": "x-api-key", "header": "x"}]),
        |d| d["authentication"]["sources"] = json!([{"jwt": {"sub": "x"}}]),
        |d| d["authentication"]["anonymous"] = json!({}),
        |d| d["consumers"][0]["key_sha256"] = json!("9f86"),
        |d| d["consumers"][0]["key_sha256"] = json!("z".repeat(64)),
        |d| d["consumers"][0]["keys"] = json!([{}]),
        |d| d["consumers"][0]["not_after"] = json!("tomorrow"),
        |d| d["consumers"][0]["models"] = json!([]),
        |d| d["consumers"][0]["models"] = json!(["a*b"]),
        |d| d["consumers"][0]["name"] = json!("x".repeat(129)),
        |d| d["consumers"][0]["limits"][0]["by"] = json!(["team"]),
        |d| d["limits"][0]["name"] = json!("a b"),
        |d| d["limits"][0]["by"] = json!(["teams"]),
        |d| d["limits"][0]["by"] = json!(["label:"]),
        |d| d["limits"][0]["by"] = json!(["team", "team"]),
        |d| d["limits"][0]["unit"] = json!("dollars"),
        |d| d["limits"][0]["amount"] = json!(-1),
        |d| d["limits"][0]["amount"] = json!("much"),
        |d| d["limits"][1]["amount"] = json!(0.5),
        |d| d["limits"][1]["amount"] = json!("five"),
        |d| d["limits"][0]["window"] = json!("1w"),
        |d| d["limits"][1]["window"] = json!("1d"),
        |d| d["limits"][1]["sliding"] = json!("1mo"),
        |d| d["limits"][2]["window"] = json!("1d"),
        |d| d["limits"][0]["when"] = json!({"models": ["x"]}),
        |d| d["limits"][0]["exceeded"] = json!("queue"),
        |d| d["limits"][0]["exceeded"] = json!({}),
        |d| d["limits"][1]["store"] = json!("redis"),
        |d| d["limits"][1]["store"] = json!("remote"),
        |d| d["limits"][0]["thresholds"] = json!([0]),
        |d| d["limits"][0]["thresholds"] = json!([50, 50]),
        |d| d["prices"]["*"] = json!({"input": 1}),
        |d| d["prices"]["*"]["inptu"] = json!(1),
        |d| d["prices"]["*"]["input"] = json!(-1),
        |d| d["prices"]["*"]["tiers"] = json!([{"input": 1}]),
        |d| d["store"] = json!({}),
        |d| d["store"]["redis"] = json!({"cluster": "redis", "down": "open"}),
        |d| d["store"]["redis"]["auth"] = json!({"client": true}),
        |d| d["store"]["redis"]["prefix"] = json!("{a}"),
        |d| drop(d["store"]["redis"].as_object_mut().unwrap().remove("auth")),
        |d| d["store"]["redis"]["down"] = json!({"local": 101}),
        |d| d["prices"]["a*b"] = json!({"input": 1, "output": 1}),
        |d| d["authentication"]["sources"] = json!([{"header": "a b"}]),
        |d| d["authentication"]["sources"] = json!([{"header": "X-Sluice-A"}]),
        |d| d["authentication"]["sources"] = json!([{"header": "Authorization"}]),
        |d| d["authentication"]["sources"] = json!([{"jwt": {"consumer": "a..b"}}]),
        |d| d["authentication"]["sources"] = json!([{"jwt": {"consumer": "a.b.c.d.e.f.g.h.i"}}]),
        |d| d["consumers"][0]["name"] = json!(" a"),
        |d| d["consumers"][0]["team"] = json!("a "),
        |d| d["consumers"][0]["labels"] = json!({"": "a"}),
        |d| d["consumers"][0]["labels"] = json!({"a": " "}),
        |d| d["consumers"][0]["models"] = json!([" a"]),
        |d| d["consumers"][0]["models"] = json!(["x".repeat(129)]),
        |d| d["consumers"][0]["regions"] = json!(vec!["x"; 101]),
        |d| d["consumers"][0]["peers"] = json!(["spiffe://a/b*"]),
        |d| d["consumers"][0]["peers"] = json!(["spiffe://*"]),
        |d| d["consumers"][0]["peers"] = json!(["a"]),
        |d| d["limits"][0]["by"] = json!(["header:a b"]),
        |d| d["limits"][0]["by"] = json!(["header:Authorization"]),
        |d| d["limits"][0]["amount"] = json!(0),
        |d| d["limits"][0]["amount"] = json!("0.00"),
        |d| d["limits"][0]["amount"] = json!(10_000_000),
        |d| d["limits"][0]["window"] = json!("0s"),
        |d| d["limits"][1]["sliding"] = json!("100001s"),
        |d| d["limits"][0]["when"] = json!({"model": ["gpt-**"]}),
        |d| d["prices"]["*"]["input"] = json!(1e10),
        |d| d["store"]["redis"]["prefix"] = json!(""),
        |d| d["store"]["redis"]["prefix"] = json!("a\n"),
        |d| d["store"]["redis"]["username"] = json!(""),
        |d| d["store"]["redis"]["timeout"] = json!("9ms"),
        |d| d["store"]["redis"]["timeout"] = json!("11s"),
    ];
    let validator = validator();
    for (number, change) in cases.iter().enumerate() {
        let mut document = full();
        change(&mut document);
        assert_ne!(problems(&document), Vec::<String>::new(), "case {number} is taken");
        assert_ne!(wrong(&validator, &document), Vec::<String>::new(), "case {number}: {:?}", problems(&document));
    }
}

/// Every word in the reader's code that may be a field, and the names that come from the core's own lists.
fn names() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("src/config")).unwrap() {
        let path = entry.unwrap().path();
        if path.ends_with("tests.rs") {
            continue;
        }
        let text = std::fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
        let is_word = |text: &&str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
        };
        names.extend(code.split('"').filter(is_word).map(str::to_owned));
    }
    names.extend(PROVIDERS.iter().flat_map(|kind| kind.settings).map(|setting| setting.name.to_owned()));
    names.extend(sluice::price::RATES.iter().map(|name| (*name).to_owned()));
    names.insert(sluice::price::PER_REQUEST.to_owned());
    names
}

struct Walk {
    root: Value,
}

impl Walk {
    /// The schemas that hold for this value, conditions decided.
    fn at<'s>(&'s self, schema: &'s Value, value: &Value, found: &mut Vec<&'s Value>) {
        if let Some(name) = schema.get("$ref").and_then(Value::as_str) {
            self.at(self.root.pointer(name.trim_start_matches('#')).unwrap(), value, found);
            return;
        }
        found.push(schema);
        for every in ["allOf", "anyOf"] {
            for part in schema.get(every).and_then(Value::as_array).into_iter().flatten() {
                self.at(part, value, found);
            }
        }
        if let Some(condition) = schema.get("if") {
            let mut alone = condition.clone();
            alone["definitions"] = self.root["definitions"].clone();
            let holds = jsonschema::draft7::new(&alone).unwrap().is_valid(value);
            if let Some(branch) = schema.get(if holds { "then" } else { "else" }) {
                self.at(branch, value, found);
            }
        }
    }

    /// Every mapping with fields of its own: its path, and the schemas that hold for it.
    fn mappings<'s>(
        &'s self,
        schemas: &[&'s Value],
        value: &Value,
        path: &str,
        found: &mut Vec<(String, Vec<&'s Value>)>,
    ) {
        let has_fields = schemas.iter().any(|schema| schema.get("additionalProperties") == Some(&json!(false)));
        if value.is_object() && has_fields {
            found.push((path.to_owned(), schemas.to_vec()));
        }
        let mut below = |value: &Value, path: String, schema: &mut dyn FnMut(&'s Value) -> Option<&'s Value>| {
            let mut inner = Vec::new();
            schemas.iter().filter_map(|outer| schema(outer)).for_each(|schema| self.at(schema, value, &mut inner));
            self.mappings(&inner, value, &path, found);
        };
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    below(member, format!("{path}/{}", name.replace('/', "~1")), &mut |outer| {
                        let other = || outer.get("additionalProperties").filter(|schema| schema.is_object());
                        outer.get("properties").and_then(|all| all.get(name)).or_else(other)
                    });
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    below(item, format!("{path}/{index}"), &mut |outer| outer.get("items"));
                }
            }
            _ => {}
        }
    }
}

fn allowed(schemas: &[&Value], name: &str) -> bool {
    let of = |schema: &&Value| schema.get("properties").and_then(|all| all.get(name)).cloned();
    let all: Vec<Value> = schemas.iter().filter_map(of).collect();
    !all.is_empty() && !all.contains(&json!(false))
}

/// Whether the reader knows a field of that name there.
fn known(document: &Value, pointer: &str, name: &str) -> bool {
    let mut document = document.clone();
    document.pointer_mut(pointer).unwrap()[name] = Value::Null;
    let Err(problems) = sluice::config::load(document.to_string().as_bytes(), &|_| Some("key".to_owned())) else {
        return true;
    };
    let end = if pointer.is_empty() { name.to_owned() } else { format!(".{name}") };
    !problems.iter().any(|problem| problem.path.ends_with(&end) && problem.message.starts_with("no such field"))
}

#[test]
fn reader_and_schema_have_the_same_fields_at_every_place() {
    let walk = Walk { root: schema() };
    let names = names();
    assert!(names.len() > 80, "{} names: they are not found", names.len());
    let mut places = 0;
    for document in [full(), json!({"role": "provider", "provider": "p"})] {
        let (mut top, mut found) = (Vec::new(), Vec::new());
        walk.at(&walk.root, &document, &mut top);
        walk.mappings(&top, &document, "", &mut found);
        for (pointer, schemas) in found {
            places += 1;
            let there = document.pointer(&pointer).unwrap();
            let listed = schemas.iter().filter_map(|schema| schema.get("properties")?.as_object());
            for name in listed.flat_map(|properties| properties.keys()) {
                assert!(names.contains(name), "{pointer}: the schema has {name}, the reader's lists do not");
            }
            for name in names.iter().filter(|name| there.get(name.as_str()).is_none()) {
                let (reader, schema) = (known(&document, &pointer, name), allowed(&schemas, name));
                assert_eq!(reader, schema, "{pointer}: is {name} known to the reader, to the schema?");
            }
            for name in there.as_object().unwrap().keys() {
                assert!(allowed(&schemas, name), "{pointer}: the schema lacks {name}");
            }
        }
    }
    assert!(places > 50, "{places} mappings: they are not found");
}

#[test]
fn every_field_has_a_description_or_a_type_that_says_it() {
    let schema = schema();
    for (name, definition) in schema["definitions"].as_object().unwrap() {
        for (field, inner) in definition.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let plain = inner.get("$ref").is_some() || inner.get("const").is_some() || inner.get("items").is_some();
            assert!(inner.get("description").is_some() || plain, "{name}.{field}");
        }
    }
}
