//! The commands as a user runs them: what they print, and how they end.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::Write;
use std::process::{Command, Stdio};

const SEAL_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

struct Ran {
    status: i32,
    out: String,
    err: String,
}

fn sluice(args: &[&str], input: &str, env: &[(&str, &str)]) -> Ran {
    let mut child = Command::new(env!("CARGO_BIN_EXE_sluice"))
        .args(args)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .env_clear()
        .envs(env.iter().copied())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A command that reads nothing may be gone by now.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Ran { status: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

#[test]
fn a_key_is_new_each_time_and_fits_the_configuration() {
    let (first, second) = (sluice(&["key", "new"], "", &[]), sluice(&["key", "new"], "", &[]));
    assert_ne!(first.out, second.out);
    let args = ["key", "new", "--consumer", "it's: \"x\"", "--team", "1", "--tier", "yes", "--not-after", "2027-01-31"];
    let ran = sluice(&args, "", &[]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""));
    let (key, entry) = ran.out.split_once("\n\n").unwrap();
    assert!(key.len() == 53 && key.starts_with("slu_") && !entry.contains(key));
    let hashed = sluice(&["key", "hash"], &format!("{key}\n"), &[]);
    assert!(entry.contains(hashed.out.trim()), "{entry}\n{}", hashed.out);
    let document = format!(
        "role: gateway\nproviders: {{openai: {{api: openai}}}}\nmodels: [{{name: m, targets: [{{provider: openai}}]}}]\n{entry}"
    );
    let checked = sluice(&["check", "-"], &document, &[]);
    assert_eq!((checked.status, checked.out.as_str()), (0, "stdin: 1 gateway: no problems, no warnings\n"));
}

#[test]
fn a_key_is_made_for_no_consumer_that_the_module_would_refuse() {
    for (args, expected) in [
        (["--consumer", ""], "name must have 1 to 128 bytes"),
        (["--team", "a\nb"], "team must have 1 to 128 bytes"),
        (["--not-after", "2027-13-01"], "not_after must be a day"),
    ] {
        let ran = sluice(&["key", "new", args[0], args[1]], "", &[]);
        assert!(ran.status == 1 && ran.out.is_empty() && ran.err.contains(expected), "{args:?}: {}", ran.err);
    }
    // A number or a day to some reader of YAML.
    for text in ["1.0", "1e3", ".5", "2027-01-31"] {
        let ran = sluice(&["key", "new", "--tier", text], "", &[]);
        assert!(ran.out.contains(&format!("tier: \"{text}\"")), "{}", ran.out);
    }
}

#[test]
fn a_key_is_hashed_without_its_line_break_and_a_broken_one_is_told() {
    let word = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\n";
    for input in ["test", "test\n", "test\r\n"] {
        assert_eq!(sluice(&["key", "hash"], input, &[]).out, word);
    }
    for (input, expected) in [("", "is empty"), ("\n", "is empty"), ("a\nb", "line break"), ("slu_abc", "checksum")] {
        let ran = sluice(&["key", "hash"], input, &[]);
        assert!(ran.status == 1 && ran.out.is_empty() && ran.err.contains(expected), "{input:?}: {}", ran.err);
        assert!(input.len() < 4 || !ran.err.contains(input), "{}", ran.err);
    }
}

#[test]
fn what_is_sealed_is_opened_by_the_module_for_that_provider_alone() {
    let env = [("SLUICE_SEAL_KEY", SEAL_KEY)];
    let sealed = sluice(&["seal", "--provider", "openai"], "sk-1\n", &env);
    assert_eq!((sealed.status, sealed.err.as_str()), (0, ""));
    assert_ne!(sealed.out, sluice(&["seal", "--provider", "openai"], "sk-1", &env).out, "a nonce was used twice");
    let document = |name: &str| {
        let sealed = sealed.out.trim();
        format!(
            "role: gateway\nproviders: {{{name}: {{api: openai, auth: {{sealed: {sealed}}}}}}}\nmodels: [{{name: m, targets: [{{provider: {name}}}]}}]\n"
        )
    };
    assert_eq!(sluice(&["check", "--env", "-"], &document("openai"), &env).status, 0);
    let moved = sluice(&["check", "--env", "-"], &document("azure"), &env);
    assert!(moved.status == 1 && moved.out.contains("providers.azure.auth.sealed: cannot be opened"), "{}", moved.out);
    let other = [("OTHER", SEAL_KEY)];
    let named = sluice(&["seal", "--provider", "openai", "--key-env", "OTHER"], "sk-1", &other);
    assert_eq!(named.status, 0);
}

#[test]
fn a_new_key_seals() {
    let made = sluice(&["seal", "--new-key"], "", &[]);
    assert_eq!((made.status, made.out.trim().len()), (0, 64));
    let env = [("SLUICE_SEAL_KEY", made.out.as_str())];
    assert_eq!(sluice(&["seal", "--provider", "openai"], "sk-1", &env).status, 0);
}

#[test]
fn nothing_of_a_secret_is_in_an_error() {
    for (args, input, env, expected) in [
        (&["seal", "--provider", "openai"][..], "sk-1", &[][..], "SLUICE_SEAL_KEY is not set"),
        (&["seal", "--provider", "openai"], "sk-1", &[("SLUICE_SEAL_KEY", "sk-short")], "must be 32 bytes"),
        (&["seal", "--provider", "openai"], "sk-1", &[("SLUICE_SEAL_KEY", "")], "is empty"),
        (&["seal", "--provider", "openai"], "sk 1", &[("SLUICE_SEAL_KEY", SEAL_KEY)], "has a character"),
        (&["seal", "--provider", "openai"], "", &[("SLUICE_SEAL_KEY", SEAL_KEY)], "is empty"),
        (&["seal", "--provider", "a/b"], "sk-1", &[("SLUICE_SEAL_KEY", SEAL_KEY)], "only letters"),
    ] {
        let ran = sluice(args, input, env);
        assert!(ran.status == 1 && ran.out.is_empty() && ran.err.contains(expected), "{expected}: {}", ran.err);
        assert!(!ran.err.contains("sk-") && !ran.err.contains("sk 1") && !ran.err.contains(SEAL_KEY), "{}", ran.err);
    }
    assert_eq!(sluice(&["seal"], "sk-1", &[]).status, 2);
    // A key in the place of a variable's name.
    let text = "role: gateway\nproviders: {openai: {api: openai, auth: {env: sk-1}}}\nmodels: [{name: m, targets: [{provider: openai}]}]\n";
    for (option, status) in [("--env", 1), ("--quiet", 0)] {
        let ran = sluice(&["check", option, "-"], text, &[]);
        let told =
            ran.out.contains("providers.openai.auth.env: the environment variable that is named here is not set");
        assert!(ran.status == status && told && !ran.out.contains("sk-1"), "{}", ran.out);
    }
}

#[test]
fn a_check_ends_with_1_for_problems_and_with_strict_for_warnings() {
    let warned = sluice(&["check", "envoy/envoy.yaml"], "", &[]);
    assert!(warned.status == 0 && warned.out.contains("no problems, 2 warnings"), "{}", warned.out);
    assert_eq!(sluice(&["check", "--strict", "envoy/envoy.yaml"], "", &[]).status, 1);
    let quiet = sluice(&["check", "-q", "--no-env", "--strict", "envoy/envoy.yaml"], "", &[]);
    assert_eq!((quiet.status, quiet.out.as_str()), (0, ""));
    let unset = sluice(&["check", "--env", "envoy/envoy.yaml"], "", &[("OPENAI_API_KEY", "sk-1")]);
    assert!(unset.status == 1 && unset.out.contains("ANTHROPIC_API_KEY is not set"), "{}", unset.out);
    assert!(!unset.out.contains("providers.openai"), "{}", unset.out);
    let set = [("OPENAI_API_KEY", "sk-1"), ("ANTHROPIC_API_KEY", "sk-2")];
    assert_eq!(sluice(&["check", "--strict", "envoy/envoy.yaml"], "", &set).status, 0);
    let admin = sluice(&["check", "-"], "role: admin", &[]);
    assert_eq!((admin.status, admin.out.as_str()), (0, "stdin: no gateway: no problems, no warnings\n"));
    let two = sluice(&["check", "--no-env", "envoy/envoy.yaml", "Cargo.toml", "nothing.yaml"], "", &[]);
    assert!(two.status == 1 && two.err.contains("nothing.yaml: "), "{}{}", two.out, two.err);
    for files in [["nothing.yaml", "envoy/envoy.yaml", "src"], ["envoy/envoy.yaml", "src", "nothing.yaml"]] {
        let ran = sluice(&[&["check", "--no-env"][..], &files].concat(), "", &[]);
        let told = ran.err.contains("nothing.yaml: ") && ran.err.contains("src: ");
        assert!(ran.status == 1 && told, "{}", ran.err);
        assert!(ran.out.contains("envoy/envoy.yaml: 1 gateway"), "the others are checked: {}", ran.out);
    }
}

#[test]
fn tokens_are_counted_as_the_module_counts_them() {
    let json = |args: &[&str], input: &str| -> serde_json::Value {
        let ran = sluice(&[&["tokens", "--json"], args].concat(), input, &[]);
        assert_eq!(ran.status, 0, "{}", ran.err);
        serde_json::from_str(&ran.out).unwrap()
    };
    let texts = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/tokens/texts.jsonl");
    for line in std::fs::read_to_string(texts).unwrap().lines().take(5) {
        let known: serde_json::Value = serde_json::from_str(line).unwrap();
        for (model, encoding) in [("gpt-4o", "o200k_base"), ("gpt-4", "cl100k_base")] {
            let counted = json(&["--model", model], known["text"].as_str().unwrap());
            assert_eq!((&counted["tokens"], &counted["exact"]), (&known[encoding], &true.into()), "{line}");
            assert_eq!(counted["encoding"], encoding);
        }
    }
    // OpenAI charged 8 for this one: the text, the role and what stands around them.
    let body = r#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "Hello"}]}"#;
    assert_eq!(json(&["--request", "openai"], body)["tokens"], 8);
    let claude = json(&["--request", "openai", "--model", "claude-sonnet-4-5"], body);
    assert!(claude["exact"] == false && claude["at_most"].as_u64() >= claude["tokens"].as_u64(), "{claude}");
    let gemini = r#"{"contents": [{"role": "user", "parts": [{"text": "Hello"}]}]}"#;
    assert!(json(&["--request", "gemini", "--model", "gemini-2.5-flash"], gemini)["tokens"].as_u64() > Some(0));
    let long = "a b ".repeat(2 << 20);
    assert_eq!(json(&["--model", "gpt-4o"], &long)["exact"], true);
    assert_eq!(json(&["--model", "gpt-4o", "--in-module"], &long)["exact"], false);
    for (args, input, status, expected) in [
        (&["tokens"][..], "x", 2, "--model"),
        (&["tokens", "--request", "gemini"], gemini, 1, "names no model"),
        (&["tokens", "--request", "openai"], "{\"model\": \"m\"}", 1, "is no request of openai: messages"),
        (&["tokens", "--request", "openai"], "{\"a\":}", 1, "at byte"),
        (&["tokens", "--request", "other"], "{}", 2, "openai-responses"),
    ] {
        let ran = sluice(args, input, &[]);
        assert!(ran.status == status && ran.err.contains(expected), "{expected}: {}", ran.err);
    }
}
