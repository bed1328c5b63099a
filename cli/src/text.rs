//! Files in, lines out.

use crate::check::Report;
use std::io::Read;

/// Largest file read.
const MAX_BYTES: u64 = 64 << 20;

/// A file's text; of standard input if it is named `-`.
pub fn read(file: &str) -> Result<String, String> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().take(MAX_BYTES).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(MAX_BYTES).read_to_string(&mut text))
    };
    let file = if file == "-" { "stdin" } else { file };
    match read {
        Ok(bytes) if bytes as u64 == MAX_BYTES => Err(format!("{file}: is larger than {MAX_BYTES} bytes")),
        Ok(_) => Ok(text),
        Err(error) => Err(format!("{file}: {error}")),
    }
}

/// The lines on one file; whether it fails the check.
pub fn report(file: &str, report: &Report, quiet: bool, strict: bool, out: &mut String) -> bool {
    for finding in &report.findings {
        out.push_str(&format!("{file}:{finding}\n"));
    }
    let problems = report.findings.iter().filter(|finding| finding.is_problem).count();
    let warnings = report.findings.len().saturating_sub(problems);
    if !quiet || problems > 0 {
        let found = [
            counted(report.gateways, "gateway"),
            counted(report.providers, "filter with the provider role")
                .replace("filter with the provider roles", "filters with the provider role"),
        ];
        let found: Vec<&str> = found.iter().filter(|text| !text.starts_with("no ")).map(String::as_str).collect();
        let found = if found.is_empty() { "no gateway".to_owned() } else { found.join(", ") };
        out.push_str(&format!("{file}: {found}: {}, {}\n", counted(problems, "problem"), counted(warnings, "warning")));
    }
    problems > 0 || (strict && warnings > 0)
}

fn counted(number: usize, what: &str) -> String {
    match number {
        0 => format!("no {what}s"),
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
}
