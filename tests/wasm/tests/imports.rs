use std::path::Path;

use super::PROGRAM;

/// The list is the proof that the core is pure: a clock, randomness or a file would be a line of it.
#[test]
fn the_module_imports_these_host_functions_and_no_others() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("imports.txt");
    let imports = PROGRAM.imports().join("\n") + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &imports).unwrap();
    }
    let pinned = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(imports, pinned, "rewrite imports.txt with UPDATE=1 if the difference is wanted");
}

#[test]
fn the_module_has_no_clock_and_no_randomness_of_its_own() {
    for name in ["clock_time_get", "random_get", "path_open", "sock_send"] {
        assert!(!PROGRAM.imports().iter().any(|import| import.ends_with(name)), "{name} is imported");
    }
}

#[test]
fn the_module_speaks_abi_0_2_1() {
    assert!(PROGRAM.exports().iter().any(|name| name == "proxy_abi_version_0_2_1"));
}
