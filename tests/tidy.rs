//! The rules of the house, as a test: who may use whom, how large a file is, that every file belongs to a module.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines that are neither blank nor comment, tests left out.
const MAX_LINES: usize = 400;

/// Rooms whose entries must not know each other: each is one line in a slice.
const ROOMS_OF_SIBLINGS: &[&str] = &["api", "provider", "route"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&src(), &mut found);
    found.sort();
    found.into_iter().map(|path| (path.clone(), fs::read_to_string(path).unwrap())).collect()
}

/// The first part of the path below `src`, without `.rs`: the room.
fn room(path: &Path) -> String {
    let below = path.strip_prefix(src()).unwrap();
    below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs").to_owned()
}

fn is_test(path: &Path) -> bool {
    let below = path.strip_prefix(src()).unwrap().to_str().unwrap();
    below.split('/').any(|part| part.starts_with("tests") || part.ends_with("_tests.rs"))
}

/// The file up to its own tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

/// What a room's door card allows.
fn cards() -> BTreeMap<String, BTreeSet<String>> {
    let mut cards = BTreeMap::new();
    for (path, text) in sources() {
        let below = path.strip_prefix(src()).unwrap();
        let depth = below.components().count();
        let door = depth == 1 && below != Path::new("lib.rs") || depth == 2 && below.ends_with("mod.rs");
        if !door || below.starts_with("bin") {
            continue;
        }
        let card: String = text
            .lines()
            .take_while(|l| l.starts_with("//!"))
            .map(|l| format!("{}\n", l.trim_start_matches("//!").trim()))
            .collect();
        let rest =
            card.split("May use:").nth(1).unwrap_or_else(|| panic!("{below:?} has no door card with `May use:`"));
        let list = rest.split('.').next().unwrap();
        let allowed = list.split(',').map(|r| r.trim().to_owned()).filter(|r| r != "nothing").collect();
        cards.insert(room(&path), allowed);
    }
    cards
}

/// The rooms that a line of code names, as `crate::room` or in `use crate::{room, …}`.
fn used(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for line in code.lines().filter(|l| !l.trim_start().starts_with("//")) {
        for after in line.split("crate::").skip(1) {
            let after = after.trim_start_matches('{');
            let name: String = after.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
            rooms.insert(name);
        }
    }
    rooms
}

#[test]
fn every_room_uses_only_what_its_card_allows() {
    let cards = cards();
    let mut wrong = Vec::new();
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let room = room(path);
        let Some(allowed) = cards.get(&room) else { continue };
        for used in used(code(text)) {
            if used != room && cards.contains_key(&used) && !allowed.contains(&used) {
                wrong.push(format!("{} uses {used}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "not on the room's card: {wrong:#?}");
}

#[test]
fn cards_name_rooms_that_exist_and_make_no_cycle() {
    let cards = cards();
    for (room, allowed) in &cards {
        for other in allowed {
            assert!(cards.contains_key(other), "{room}: there is no room {other}");
        }
    }
    // A room is settled once all that it uses are.
    let mut settled: BTreeSet<&String> = BTreeSet::new();
    loop {
        let more: Vec<_> = cards
            .iter()
            .filter(|(room, allowed)| !settled.contains(room) && allowed.iter().all(|other| settled.contains(other)))
            .map(|(room, _)| room)
            .collect();
        if more.is_empty() {
            break;
        }
        settled.extend(more);
    }
    let left: Vec<_> = cards.keys().filter(|room| !settled.contains(room)).collect();
    assert!(left.is_empty(), "in or behind a cycle: {left:?}");
}

#[test]
fn only_the_shell_names_the_sdk() {
    for (path, text) in sources() {
        assert!(room(&path) == "shell" || !text.contains("proxy_wasm::"), "{}", path.display());
    }
}

#[test]
fn siblings_do_not_know_each_other() {
    let all = sources();
    for room_name in ROOMS_OF_SIBLINGS {
        let dir = src().join(room_name);
        let entries: BTreeSet<String> = fs::read_dir(&dir)
            .unwrap()
            .map(|e| e.unwrap().file_name().to_str().unwrap().trim_end_matches(".rs").to_owned())
            .filter(|name| !name.starts_with("tests") && name != "mod")
            .collect();
        for (path, text) in all.iter().filter(|(path, _)| path.starts_with(&dir) && !is_test(path)) {
            let below = path.strip_prefix(&dir).unwrap();
            let own = below.components().next().unwrap().as_os_str().to_str().unwrap().trim_end_matches(".rs");
            if own == "mod" {
                continue;
            }
            for other in entries.iter().filter(|other| *other != own) {
                for named in [format!("{room_name}::{other}::"), format!("super::super::{other}")] {
                    assert!(!code(text).contains(&named), "{} knows its sibling {other}", path.display());
                }
            }
        }
    }
}

#[test]
fn no_file_is_too_long() {
    for (path, text) in sources().iter().filter(|(path, _)| !is_test(path)) {
        let lines = code(text).lines().map(str::trim).filter(|l| !l.is_empty() && !l.starts_with("//")).count();
        assert!(lines <= MAX_LINES, "{} has {lines} lines of code: {MAX_LINES} at most", path.display());
    }
}

#[test]
fn every_file_is_named_by_a_mod() {
    for (path, _) in sources() {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        let dir = path.parent().unwrap();
        if stem == "lib" || stem == "main" || dir.ends_with("bin") {
            continue;
        }
        let (name, home) = match stem {
            "mod" => (dir.file_name().unwrap().to_str().unwrap(), dir.parent().unwrap()),
            _ => (stem, dir),
        };
        let beside = home.with_extension("rs");
        let parents = [home.join("mod.rs"), home.join("lib.rs"), home.join("main.rs"), beside];
        let named = parents.iter().filter_map(|p| fs::read_to_string(p).ok()).any(|text| {
            text.lines().any(|l| {
                let l = l
                    .trim()
                    .trim_start_matches("pub(crate) ")
                    .trim_start_matches("pub(super) ")
                    .trim_start_matches("pub ");
                l.strip_prefix("mod ").is_some_and(|rest| rest.trim_end_matches(';').trim() == name)
            })
        });
        assert!(named, "{} belongs to no module", path.display());
    }
}

#[test]
fn the_architecture_page_stays_short() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("ARCHITECTURE.md")).unwrap();
    assert!(page.lines().count() <= 150);
    for room in cards().keys() {
        assert!(page.contains(&format!("`{room}")), "ARCHITECTURE.md does not name `{room}`");
    }
}

#[test]
fn every_fuzz_function_has_a_target_and_runs_on_seeds_in_a_test() {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
    let bins = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    let mut found = Vec::new();
    files(&fuzz.join("fuzz_targets"), &mut found);
    let targets: Vec<String> = found.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let sources = sources();
    let fuzzed = |text: &str| {
        text.split("pub fn fuzz_").skip(1).map(|rest| rest.split('(').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Of a file that is no test, what stands below its own tests.
    let tests: Vec<&str> = sources
        .iter()
        .filter_map(|(path, text)| {
            if is_test(path) {
                Some(text.as_str())
            } else {
                text.split_once("#[cfg(test)]\nmod tests {").map(|(_, tests)| tests)
            }
        })
        .collect();
    for (path, target) in found.iter().zip(&targets) {
        let name = path.file_stem().unwrap().to_str().unwrap();
        assert!(bins.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is no [[bin]]");
        let call = target.split("| sluice::").nth(1).unwrap().split('(').next().unwrap();
        let function = call.rsplit("::").next().unwrap();
        let runs = [format!("{function}("), format!("{function} as fn")];
        let tested = tests.iter().any(|text| runs.iter().any(|run| text.contains(run)));
        assert!(tested, "{name}: no test runs {function} on its seeds");
    }
    for (path, text) in &sources {
        for function in fuzzed(text) {
            let call = format!("::fuzz_{function}(");
            assert!(targets.iter().any(|target| target.contains(&call)), "{}: {call} has no target", path.display());
        }
        for api in text.split("impl Api for ").skip(1).filter(|_| path.ends_with("mod.rs")) {
            let named = format!("&{},", api.split_whitespace().next().unwrap());
            assert!(targets.iter().any(|target| target.contains(&named)), "{} has no target", path.display());
        }
    }
}
