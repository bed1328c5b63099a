use std::path::{Path, PathBuf};

use sluice_wasm::scenario::envoy::Outcome;
use sluice_wasm::scenario::model::{Runner, Scenario, load};
use sluice_wasm::scenario::run::{Cuts, file};

use super::PROGRAM;

/// `tests/scenarios`, or the folder that `SLUICE_SCENARIOS` names.
pub fn files() -> Vec<(String, Vec<Scenario>)> {
    let own = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios");
    load(&std::env::var_os("SLUICE_SCENARIOS").map_or_else(own, PathBuf::from)).unwrap()
}

fn run(calls: &[Scenario], cuts: Cuts) -> Result<Vec<Outcome>, String> {
    file(calls, Runner::Wasm, cuts, || PROGRAM.vm())
}

#[test]
fn every_scenario_holds() {
    let files = files();
    assert!(!files.is_empty(), "no scenarios");
    let mut wrong = Vec::new();
    for (name, calls) in &files {
        if let Err(why) = run(calls, Cuts::default()) {
            wrong.push(format!("== {name}.yaml\n\n{why}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {} files:\n\n{}", wrong.len(), files.len(), wrong.join("\n\n"));
}

/// However the bodies are cut, the providers and the client get the same bytes.
#[test]
fn every_scenario_holds_for_any_cut_of_the_bodies() {
    let mut wrong = Vec::new();
    for (name, calls) in files() {
        // What has reached a client that hangs up depends on the cuts.
        if calls.iter().any(|call| call.request.hang_up_after.is_some()) {
            continue;
        }
        let Ok(whole) = run(&calls, Cuts::default()) else { continue };
        let sizes = [(None, None), (Some(1), None), (Some(2), Some(3)), (Some(7), Some(2)), (None, Some(1))];
        for (number, (request, response)) in sizes.into_iter().enumerate() {
            match run(&calls, Cuts { request, response, joined: number % 2 == 0 }) {
                Ok(cut) => wrong
                    .extend(differences(&whole, &cut).map(|why| format!("{name}, {request:?} {response:?}: {why}"))),
                Err(why) => wrong.push(format!("{name}.yaml, cut {request:?} {response:?}: {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

fn differences(whole: &[Outcome], cut: &[Outcome]) -> Option<String> {
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
    }
    None
}
