//! Holds: the scenario files on the native core. What they are: `tests/scenarios/README.md`.
//! May use: the core, the scenario runner, `native`.

#![expect(clippy::unwrap_used, clippy::arithmetic_side_effects, reason = "a test may stop at the first surprise")]

mod native;
#[expect(dead_code, reason = "some of it is for a module that calls out and is hit with odd callbacks")]
#[path = "scenario/mod.rs"]
mod scenario;

use std::path::{Path, PathBuf};

use native::Native;
use scenario::envoy::Outcome;
use scenario::model::{Runner, Scenario, load};
use scenario::run::{Cuts, file};

/// `tests/scenarios`, or the folder that `SLUICE_SCENARIOS` names.
fn files() -> Vec<(String, Vec<Scenario>)> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios");
    let files = load(&std::env::var_os("SLUICE_SCENARIOS").map_or_else(own, PathBuf::from)).unwrap();
    assert!(!files.is_empty(), "no scenarios");
    files
}

fn run(calls: &[Scenario], cuts: Cuts) -> Result<Vec<Outcome>, String> {
    file(calls, Runner::Native, cuts, || Ok(Native::default()))
}

#[test]
fn every_scenario_holds() {
    let files = files();
    let mut wrong = Vec::new();
    for (name, calls) in &files {
        if let Err(why) = run(calls, Cuts::default()) {
            wrong.push(format!("== {name}.yaml\n\n{why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n\n{}", wrong.len(), files.len(), wrong.join("\n\n"));
}

/// However the bodies are cut, providers and client get the same bytes and the same is counted.
#[test]
fn every_scenario_holds_for_any_cut_of_the_bodies() {
    let sizes = [(1, 1), (2, 3), (3, 2), (7, 5), (64, 7), (usize::MAX, 1), (1, usize::MAX)];
    let mut wrong = Vec::new();
    for (name, calls) in files() {
        // What has reached a client that hangs up depends on the cuts.
        let calls: Vec<_> = calls.into_iter().filter(|call| call.request.hang_up_after.is_none()).collect();
        let Ok(whole) = run(&calls, Cuts::default()) else { continue };
        for (request, response) in sizes {
            for joined in [false, true] {
                let cuts = Cuts { request: Some(request), response: Some(response), joined };
                let at = format!("{name}.yaml, pieces of {request} and {response}, the last has the end: {joined}");
                match run(&calls, cuts) {
                    Ok(cut) => wrong.extend(difference(&whole, &cut).map(|why| format!("{at}: {why}"))),
                    Err(why) => wrong.push(format!("{at}: {why}")),
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn difference(whole: &[Outcome], cut: &[Outcome]) -> Option<String> {
    for (number, (whole, cut)) in whole.iter().zip(cut).enumerate() {
        if whole.arrived != cut.arrived {
            return Some(format!("call {number}: providers get {:#?}\nnot {:#?}", cut.arrived, whole.arrived));
        }
        if (&whole.headers, &whole.trailers, whole.cut) != (&cut.headers, &cut.trailers, cut.cut) {
            return Some(format!("call {number}: the client gets {:#?}\nnot {:#?}", cut.headers, whole.headers));
        }
        if whole.body != cut.body {
            let (whole, cut) = (String::from_utf8_lossy(&whole.body), String::from_utf8_lossy(&cut.body));
            return Some(format!("call {number}: the client gets\n{cut}\nnot\n{whole}"));
        }
        if whole.counters != cut.counters {
            return Some(format!("call {number}: counted {:#?}\nnot {:#?}", cut.counters, whole.counters));
        }
    }
    None
}
