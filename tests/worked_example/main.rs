//! The worked example of CONTRIBUTING.md is the file that is compiled here.

/// As the file finds it in `src/provider`.
mod provider {
    pub use sluice::provider::{Credential, Kind};

    pub mod vendor;
}

use provider::vendor::KIND;
use sluice::{api, task};
use std::fs;
use std::path::Path;

const FILE: &str = include_str!("provider/vendor.rs");

#[test]
fn the_worked_example_is_a_kind_of_provider() {
    assert_eq!((KIND.name, KIND.host), ("vendor", "api.vendor.example"));
    assert!(KIND.apis.iter().all(|(name, _)| api::by_name(name).is_some()));
    assert!(KIND.tasks.iter().all(|name| task::by_name(name).is_some()));
}

#[test]
fn the_worked_example_is_shown_as_it_is_and_is_short() {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("CONTRIBUTING.md")).unwrap();
    assert!(
        page.contains(&format!("```rust\n{FILE}```")),
        "CONTRIBUTING.md does not show tests/worked_example/provider/vendor.rs"
    );
    assert!(FILE.lines().count() < 30);
}
