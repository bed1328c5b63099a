//! `docs/cli.md` as a test: every command in it prints what stands below it.

use std::path::Path;
use std::process::Command;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// The commands of `console` blocks with the lines that they print.
fn examples(page: &str) -> Vec<(String, String)> {
    let (mut found, mut inside): (Vec<(String, String)>, bool) = (Vec::new(), false);
    for line in page.lines() {
        match (inside, line.strip_prefix("```"), line.strip_prefix("$ ")) {
            (_, Some(info), _) => inside = info == "console",
            (true, None, Some(command)) => found.push((command.to_owned(), String::new())),
            (true, None, None) if line.starts_with("> ") => {
                if let Some((command, _)) = found.last_mut() {
                    *command += &format!("\n{}", line.trim_start_matches("> "));
                }
            }
            (true, None, None) => {
                if let Some((_, out)) = found.last_mut() {
                    *out += &format!("{line}\n");
                }
            }
            _ => {}
        }
    }
    found
}

/// Whether they are the same, `…` being any text within a line.
fn fits(written: &str, printed: &str) -> bool {
    let line = |(written, printed): (&str, &str)| {
        let mut rest = Some(printed);
        let mut pieces = written.split('…');
        rest = rest.and_then(|rest| rest.strip_prefix(pieces.next()?));
        for piece in pieces {
            rest = match piece {
                "" => Some(""),
                _ => rest.and_then(|rest| rest.split_once(piece)).map(|(_, rest)| rest),
            };
        }
        rest == Some("")
    };
    written.lines().count() == printed.lines().count() && written.lines().zip(printed.lines()).all(line)
}

#[test]
fn an_ellipsis_stands_for_anything_and_nothing_else_does() {
    for (written, printed, expected) in [
        ("a…c\nd", "abbc\nd", true),
        ("a…", "abc", true),
        ("…:…: x", "12:3: x", true),
        ("a…c", "abd", false),
        ("a…c", "abcd", false),
        ("a", "b", false),
        ("a", "a\nb", false),
        ("ab", "a", false),
    ] {
        assert_eq!(fits(written, printed), expected, "{written} {printed}");
    }
}

#[test]
fn every_command_prints_what_the_page_says() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/cli.md")).unwrap();
    let examples = examples(&page);
    assert!(examples.len() >= 8, "{} commands: they are not found", examples.len());
    let home = Path::new(env!("CARGO_BIN_EXE_sluice")).parent().unwrap().to_str().unwrap();
    for (command, expected) in examples {
        // Both outputs in one, as a terminal shows them.
        let ran = Command::new("bash")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(ROOT)
            .env_clear()
            .env("PATH", format!("{home}:/usr/local/bin:/usr/bin:/bin"))
            .output()
            .unwrap();
        let printed = String::from_utf8(ran.stdout).unwrap();
        assert!(fits(&expected, &printed), "$ {command}\n{printed}\nnot\n{expected}");
    }
}

#[test]
fn every_command_and_option_is_on_the_page() {
    let page = std::fs::read_to_string(Path::new(ROOT).join("docs/cli.md")).unwrap();
    let help = |args: &[&str]| {
        let ran = Command::new(env!("CARGO_BIN_EXE_sluice")).args(args).arg("--help").output().unwrap();
        String::from_utf8(ran.stdout).unwrap()
    };
    let commands = |help: &str| -> Vec<String> {
        let listed = help.split("Commands:\n").nth(1).unwrap_or_default();
        let listed = listed.lines().take_while(|line| !line.is_empty());
        listed
            .filter_map(|line| line.strip_prefix("  ").filter(|line| !line.starts_with(' '))?.split(' ').next())
            .map(str::to_owned)
            .collect()
    };
    let mut all = vec![Vec::new()];
    let mut options = 0;
    while let Some(path) = all.pop() {
        let text = help(&path.iter().map(String::as_str).collect::<Vec<_>>());
        for command in commands(&text) {
            let below: Vec<String> = path.iter().cloned().chain([command]).collect();
            assert!(page.contains(&format!("sluice {}", below.join(" "))), "docs/cli.md lacks {below:?}");
            all.push(below);
        }
        for values in text.split("[possible values: ").skip(1) {
            let values = values.split(']').next().unwrap_or_default();
            for value in values.split([',', '\n']).map(str::trim).filter(|value| !value.is_empty()) {
                assert!(page.contains(&format!("`{value}`")), "docs/cli.md lacks {value}");
            }
        }
        for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').filter(|word| word.starts_with("--")) {
            options += 1;
            assert!(["--help", "--version", "--"].contains(&word) || page.contains(word), "docs/cli.md lacks {word}");
        }
    }
    assert!(options > 10, "{options} options: they are not found");
}
