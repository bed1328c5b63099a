//! The documents as a test: their configurations load, their links lead somewhere, and nothing that a user can set or read is
//! left out.
//!
//! Fenced blocks: `yaml sluice` is a gateway's configuration, what it leaves out being filled in; `yaml sluice refused` is one
//! that must be refused with exactly the lines of the `text` block after it; any other `yaml` must be YAML.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every page: those at the top, in `docs`, and beside tests.
fn pages() -> Vec<String> {
    let mut pages = Vec::new();
    for dir in [
        "",
        "docs",
        "docs/translation",
        "examples",
        "tests/corpus",
        "tests/standin",
        "tests/scenarios",
        "tests/golden/sse",
    ] {
        for entry in fs::read_dir(root().join(dir)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                pages.push(if dir.is_empty() { name } else { format!("{dir}/{name}") });
            }
        }
    }
    pages.sort();
    pages
}

struct Block {
    place: String,
    info: String,
    text: String,
}

/// The fenced blocks of a page, and the page without them.
fn blocks(page: &str) -> (Vec<Block>, String) {
    let (mut blocks, mut prose, mut open) = (Vec::new(), String::new(), None::<Block>);
    for (number, line) in (1..).zip(read(page).lines()) {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                open = Some(Block { place: format!("{page}:{number}"), info: info.into(), text: String::new() });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(block), None) => block.text += &format!("{line}\n"),
            (None, None) => prose += &format!("{line}\n"),
        }
    }
    assert!(open.is_none(), "{page}: a block is not closed");
    (blocks, prose)
}

fn env(name: &str) -> Option<String> {
    let known =
        ["OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GROQ_API_KEY", "EU_API_KEY", "COHERE_API_KEY", "REDIS_PASSWORD"];
    known.contains(&name).then(|| "key".to_owned())
}

/// The document with what a fragment leaves out.
fn whole(mut document: Value) -> Value {
    let fields = document.as_object_mut().unwrap();
    fields.entry("role").or_insert(json!("gateway"));
    if fields["role"] == "gateway" {
        fields.entry("providers").or_insert(json!({"openai": {"api": "openai"}, "anthropic": {"api": "anthropic"}}));
        let first = fields["providers"].as_object().and_then(|all| all.keys().next()).cloned().unwrap();
        fields.entry("models").or_insert(json!([{"name": "*", "targets": [{"provider": first}]}]));
    }
    document
}

fn problems(document: &Value) -> Vec<String> {
    match sluice::config::load(document.to_string().as_bytes(), &env) {
        Ok(_) => Vec::new(),
        Err(problems) => problems.iter().map(ToString::to_string).collect(),
    }
}

fn yaml(block: &Block) -> Value {
    serde_yaml_ng::from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place))
}

#[test]
fn configurations_in_the_documents_are_taken_or_refused_as_they_say() {
    let (mut taken, mut refused) = (0, 0);
    for page in pages() {
        let (blocks, _) = blocks(&page);
        for (index, block) in blocks.iter().enumerate() {
            match block.info.as_str() {
                "yaml sluice" => {
                    taken += 1;
                    assert_eq!(problems(&whole(yaml(block))), Vec::<String>::new(), "{}", block.place);
                }
                "yaml sluice refused" => {
                    refused += 1;
                    let said = blocks.get(index + 1).filter(|next| next.info == "text");
                    let said = said.unwrap_or_else(|| panic!("{}: no `text` block follows", block.place));
                    let found = problems(&whole(yaml(block)));
                    assert_eq!(found, said.text.lines().collect::<Vec<_>>(), "{}", block.place);
                }
                info if info.starts_with("yaml") => {
                    assert_eq!(info, "yaml", "{}: no such kind of block", block.place);
                    yaml(block);
                }
                "json" => {
                    for line in block.text.lines().filter(|line| line.starts_with('{')) {
                        serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{}: {e}", block.place));
                    }
                }
                _ => {}
            }
        }
    }
    assert!(taken > 8 && refused > 0, "{taken} taken, {refused} refused: the blocks are not found");
}

/// Every mapping with a `role` in a document.
fn roles(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(map) => {
            if map.get("role").is_some_and(Value::is_string) {
                found.push(value.clone());
            }
            map.values().for_each(|value| roles(value, found));
        }
        Value::Array(items) => items.iter().for_each(|value| roles(value, found)),
        _ => {}
    }
}

#[test]
fn the_shipped_configurations_are_taken() {
    for file in ["envoy/envoy.yaml", "envoy/envoy-static-failover.yaml"] {
        let mut found = Vec::new();
        roles(&serde_yaml_ng::from_str(&read(file)).unwrap(), &mut found);
        assert!(found.iter().any(|role| role["role"] == "gateway"), "{file}");
        assert!(found.iter().any(|role| role["role"] == "provider"), "{file}");
        for role in found {
            assert_eq!(problems(&role), Vec::<String>::new(), "{file}");
        }
    }
}

#[test]
fn the_examples_are_taken() {
    let mut files = 0;
    for entry in fs::read_dir(root().join("examples")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".yaml") {
            files += 1;
            let text = read(&format!("examples/{name}"));
            assert!(text.starts_with("# "), "examples/{name} does not say what it is for");
            let document: Value = serde_yaml_ng::from_str(&text).unwrap();
            let named = |_: &str| Some("key".to_owned());
            let problems = sluice::config::load(document.to_string().as_bytes(), &named).err().unwrap_or_default();
            assert!(problems.is_empty(), "examples/{name}: {problems:?}");
        }
    }
    assert!(files >= 8, "{files}");
}

/// A heading's name in a link, as code forges make it.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    kept.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c)).map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn anchors(page: &Path) -> BTreeSet<String> {
    let page = page.canonicalize().unwrap();
    let page = page.strip_prefix(root().canonicalize().unwrap()).unwrap().to_str().unwrap().to_owned();
    let (_, prose) = blocks(&page);
    prose.lines().filter(|line| line.starts_with('#')).map(|line| anchor(line.trim_start_matches('#'))).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut count = 0;
    for page in pages() {
        let here = root().join(&page);
        let (_, prose) = blocks(&page);
        for after in prose.split("](").skip(1) {
            let link = after.split(')').next().unwrap();
            if link.starts_with("http://") || link.starts_with("https://") {
                continue;
            }
            count += 1;
            let (file, name) = link.split_once('#').map_or((link, None), |(file, name)| (file, Some(name)));
            let target = if file.is_empty() { here.clone() } else { here.parent().unwrap().join(file) };
            assert!(target.exists(), "{page}: {link} is not there");
            if let Some(name) = name {
                assert!(anchors(&target).contains(name), "{page}: {link}: no such heading");
            }
        }
    }
    assert!(count > 20, "{count} links: they are not found");
}

#[test]
fn every_document_is_linked_from_another() {
    let pages = pages();
    let linked = |file: &str| pages.iter().any(|page| page != file && links_to(page, file));
    for page in pages.iter().filter(|page| page.starts_with("docs/")) {
        assert!(linked(page), "nothing links to {page}");
    }
}

fn links_to(page: &str, file: &str) -> bool {
    let here = root().join(page).parent().unwrap().to_owned();
    let wanted = root().join(file).canonicalize().unwrap();
    let (_, prose) = blocks(page);
    let links: Vec<&str> = prose.split("](").skip(1).map(|after| after.split([')', '#']).next().unwrap()).collect();
    links.iter().any(|link| here.join(link).canonicalize().is_ok_and(|target| target.is_file() && target == wanted))
}

/// The strings between double quotes.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('"').skip(1).step_by(2)
}

/// The fields that the configuration's reader knows, from its lists of them.
fn fields() -> BTreeSet<String> {
    fields_of(&["reader", "provider", "auth", "model"])
}

fn fields_of(files: &[&str]) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    for file in files {
        let text = read(&format!("src/config/{file}.rs"));
        for list in text.split("&[").skip(1).filter(|list| !list.starts_with('&')) {
            let list = list.split(']').next().unwrap();
            // Lists of pairs are values and their meanings.
            if !list.contains('(') {
                fields.extend(quoted(list).map(str::to_owned));
            }
        }
    }
    fields
}

fn documents(page: &str, words: impl IntoIterator<Item = impl AsRef<str>>) {
    let text = read(page);
    for word in words {
        let word = word.as_ref();
        assert!(text.contains(&format!("`{word}`")), "{page} says nothing of `{word}`");
    }
}

/// The row of one kind of provider in `docs/providers.md`.
fn row(kind: &sluice::provider::Kind) -> String {
    let named = |names: Vec<&str>| names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let host = if kind.host.is_empty() { "must be given".to_owned() } else { format!("`{}`", kind.host) };
    let base = kind.apis.first().map_or("", |(_, base)| *base);
    let apis = named(kind.apis.iter().map(|(api, _)| *api).collect());
    let settings = named(kind.settings.iter().map(|setting| setting.name).collect());
    format!(
        "| `{}` | {apis} | {host} | {} | {settings} |",
        kind.name,
        if base.is_empty() { String::new() } else { format!("`{base}`") }
    )
}

#[test]
fn every_kind_of_provider_is_documented_as_it_is() {
    let page = read("docs/providers.md");
    for kind in sluice::provider::PROVIDERS {
        assert!(page.contains(&row(kind)), "docs/providers.md lacks the row\n{}", row(kind));
    }
}

#[test]
fn every_field_and_value_of_the_configuration_is_documented() {
    let fields = fields();
    for known in
        ["role", "providers", "echo_reasoning", "env", "sealed", "client", "targets", "cluster", "cooldown", "on_loss"]
    {
        assert!(fields.contains(known), "the reader's lists are not found: {known}");
    }
    let page = "docs/configuration.md";
    documents(page, fields);
    documents("docs/consumers.md", fields_of(&["consumer"]));
    documents("docs/limits.md", fields_of(&["limit", "store", "price"]));
    documents("docs/limits.md", sluice::quota::Unit::ALL.iter().map(|unit| unit.name()));
    documents("docs/limits.md", sluice::price::RATES);
    documents(page, sluice::route::STRATEGIES.iter().map(|strategy| strategy.name()));
    documents(page, ["refuse", "drop", "asked", "provider", "gateway"]);
}

#[test]
fn every_format_besides_chat_is_documented() {
    let page = read("docs/tasks.md");
    for format in sluice::task::FORMATS {
        assert!(page.contains(&format!("\n| `{}` | ", format.name)), "docs/tasks.md lacks {}", format.name);
    }
}

#[test]
fn every_kind_of_error_is_documented() {
    documents("docs/failover.md", sluice::config::RETRY_KINDS.iter().map(|kind| kind.name()));
    let text = read("src/error.rs");
    let names = text.split("fn name(").nth(1).and_then(|text| text.split("fn ").next()).unwrap();
    let names: Vec<&str> = quoted(names).collect();
    assert!(names.len() >= sluice::config::RETRY_KINDS.len(), "{names:?}");
    documents("docs/errors.md", names);
}

#[test]
fn everything_that_is_reported_is_documented() {
    let page = "docs/observability.md";
    let telemetry = read("src/telemetry/mod.rs");
    let metrics: BTreeSet<&str> = quoted(&telemetry)
        .map(|text| text.split(';').next().unwrap().trim())
        .filter(|text| text.starts_with("sluice_") || text.starts_with("gen_ai_"))
        .collect();
    assert!(metrics.len() >= 8, "{metrics:?}");
    documents(page, metrics);

    let log = read("src/telemetry/log.rs");
    let members = log.lines().filter_map(|line| line.trim().strip_prefix("pub ")?.split_once(": "));
    let members: BTreeSet<&str> = members.map(|(name, _)| name).filter(|name| !name.contains('(')).collect();
    assert!(members.contains("time_to_first_byte_ms") && members.contains("cache_write"), "{members:?}");
    documents(page, members);

    let answer = read("src/call/answer.rs");
    let headers: BTreeSet<&str> =
        quoted(&answer).filter(|text| text.starts_with("x-sluice-") && text.len() > "x-sluice-".len()).collect();
    assert!(headers.len() >= 3, "{headers:?}");
    documents(page, headers);
}
