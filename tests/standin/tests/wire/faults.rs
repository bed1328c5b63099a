//! Each fault, as a client sees it on the wire.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::{Answer, Standin};
use serde_json::{Value, json};

/// The same faults for the same question in each API.
fn both(standin: &Standin, faults: &str, stream: bool) -> [Answer; 2] {
    [
        standin.openai(json!({"model": format!("m+{faults}"), "stream": stream})),
        standin.anthropic(json!({"model": format!("m+{faults}"), "stream": stream})),
    ]
}

#[test]
fn a_status_comes_with_the_vendors_own_error() {
    let standin = Standin::start(&[]);
    for (faults, status, kinds) in [
        ("status=500", 500, ["server_error", "api_error"]),
        ("status=429+retry_after=7", 429, ["requests", "rate_limit_error"]),
        ("status=529", 529, ["server_error", "overloaded_error"]),
        ("code=context_length_exceeded", 400, ["invalid_request_error", "invalid_request_error"]),
        ("status=418+type=teapot", 418, ["teapot", "teapot"]),
        ("error_body", 200, ["server_error", "overloaded_error"]),
    ] {
        for stream in [false, true] {
            for (answer, kind) in both(&standin, faults, stream).iter().zip(kinds) {
                assert_eq!(answer.status, status, "{faults}");
                assert_eq!(answer.json()["error"]["type"], kind, "{faults}");
                assert_eq!(answer.header("retry-after"), faults.contains("retry_after").then_some("7"));
            }
        }
    }
    let page = &both(&standin, "status=502+body=html", false)[0];
    assert_eq!((page.status, page.header("content-type")), (502, Some("text/html")));
    let [openai, anthropic] = both(&standin, "split=1", false);
    assert_eq!(openai.header("x-ratelimit-remaining-requests"), Some("9999"));
    assert_eq!(anthropic.header("anthropic-ratelimit-requests-remaining"), Some("3999"));
}

#[test]
fn a_reset_is_a_tcp_reset_and_what_came_before_is_read() {
    let standin = Standin::start(&[]);
    for stream in [false, true] {
        for answer in both(&standin, "reset=0", stream) {
            assert!(answer.reset && answer.status == 0, "{answer:?}");
        }
    }
    for answer in both(&standin, "reset=3", true) {
        assert!(answer.reset && !answer.whole && answer.status == 200, "{answer:?}");
        assert_eq!(answer.events().len(), 3);
    }
    for answer in both(&standin, "reset=1", false) {
        assert!(answer.reset && !answer.whole && !answer.body.is_empty(), "{answer:?}");
    }
}

#[test]
fn a_cut_stream_ends_well_for_http_only() {
    let standin = Standin::start(&[]);
    for answer in both(&standin, "cut=3", true) {
        assert!(answer.whole && !answer.reset, "{answer:?}");
        assert_eq!(answer.events().len(), 3);
        assert!(!answer.body.contains("[DONE]") && !answer.body.contains("message_stop"));
    }
    for answer in both(&standin, "cut=1", false) {
        assert!(answer.whole && serde_json::from_str::<Value>(&answer.body).is_err());
    }
}

#[test]
fn an_error_event_ends_the_stream() {
    let standin = Standin::start(&[]);
    for before in [0, 2] {
        for answer in both(&standin, &format!("error_event={before}"), true) {
            let events = answer.events();
            assert_eq!(events.len(), before + 1);
            assert!(events[before]["error"]["message"].is_string(), "{events:?}");
            assert!(answer.whole);
        }
    }
    let [openai, anthropic] = both(&standin, "error_event=0+type=rate_limit_error+message=slow", true);
    assert_eq!(openai.events()[0]["error"]["message"], "slow");
    assert_eq!(anthropic.events()[0]["error"], json!({"type": "rate_limit_error", "message": "slow"}));
    assert!(anthropic.body.starts_with("event: error\n"));
}

#[test]
fn one_event_is_broken_and_the_others_are_not() {
    let standin = Standin::start(&[]);
    for answer in both(&standin, "malformed=3", true) {
        let broken: Vec<_> = answer.events().iter().map(|event| event.is_string() && event != "[DONE]").collect();
        assert_eq!(broken.iter().position(|broken| *broken), Some(2));
        assert_eq!(broken.iter().filter(|broken| **broken).count(), 1);
    }
}

#[test]
fn framing_changes_bytes_but_not_events() {
    let standin = Standin::start(&[]);
    let plain = both(&standin, "events=6", true);
    for (faults, seen) in
        [("crlf", "\r\n\r\n"), ("comments", ": stand-in\n\n"), ("crlf+comments+split=7", ": stand-in\r\n\r\n")]
    {
        for (answer, plain) in both(&standin, &format!("events=6+{faults}"), true).iter().zip(&plain) {
            assert!(answer.body.contains(seen));
            assert_eq!(answer.streamed_text(), plain.streamed_text());
            assert_eq!(answer.events().len(), plain.events().len());
        }
    }
    for answer in both(&standin, "split=7", true) {
        assert!(
            answer.chunks.iter().all(|chunk| chunk.len() <= 7) && answer.chunks.len() > 50,
            "{:?}",
            answer.chunks.len()
        );
    }
}

#[test]
fn size_is_as_asked() {
    let standin = Standin::start(&[]);
    for answer in both(&standin, "events=200", true) {
        assert_eq!(answer.streamed_text().split_whitespace().count(), 200);
    }
    for answer in both(&standin, "bytes=5000", true) {
        assert_eq!(answer.streamed_text().len(), 5000);
    }
    assert_eq!(both(&standin, "bytes=5000", false)[1].json()["content"][0]["text"].as_str().map(str::len), Some(5000));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test of waiting, outside the module")]
fn delays_are_waited_for() {
    let standin = Standin::start(&[]);
    for (faults, least) in [("delay_headers=150", 150), ("delay_first=150", 150), ("events=3+delay=30", 100)] {
        let start = Instant::now();
        both(&standin, faults, true);
        assert!(start.elapsed() >= Duration::from_millis(2 * least), "{faults}: {:?}", start.elapsed());
    }
}

#[test]
fn the_header_asks_too_and_a_mistake_is_told() {
    let standin = Standin::start(&[]);
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "x"}]}).to_string();
    let ask = |faults: &str| {
        standin.send(
            "POST",
            "/v1/chat/completions",
            &[("content-type", "application/json"), ("x-standin", faults)],
            &body,
        )
    };
    assert_eq!(ask("status=504, retry_after=2").status, 504);
    let mistake = ask("stauts=504");
    assert_eq!(
        (mistake.status, mistake.json()["error"]["message"].clone()),
        (400, json!("stand-in: there is no fault `stauts=504`"))
    );
}

#[test]
fn standing_faults_last_until_they_are_taken_away() {
    let standin = Standin::start(&[]);
    let rule = json!({"model": "m*", "api": "openai", "faults": "fail_times=2:503"}).to_string();
    let told = standin.send("POST", "/standin/faults", &[], &rule);
    assert_eq!((told.status, told.json()[0]["model"].clone()), (200, json!("m*")));
    let status = |model: &str| standin.openai(json!({"model": model})).status;
    assert_eq!([status("m1"), status("m1"), status("m1"), status("gpt")], [503, 503, 200, 200]);
    assert_eq!(standin.anthropic(json!({"model": "m1"})).status, 200);
    standin.send("DELETE", "/standin/faults", &[], "");
    standin.send("POST", "/standin/faults", &[], &json!({"faults": "status=500"}).to_string());
    assert_eq!([status("m1"), status("gpt")], [500, 500]);
    standin.send("DELETE", "/standin/faults", &[], "");
    assert_eq!(status("gpt"), 200);
}

#[test]
fn the_record_tells_what_came_and_whether_it_was_answered() {
    let standin = Standin::start(&[]);
    let usage = standin.openai(json!({})).json()["usage"].clone();
    standin.anthropic(json!({"model": "m+reset=2", "stream": true}));
    standin.openai(json!({"model": "m+status=429"}));
    let record = standin.send("GET", "/standin/record", &[], "").json();
    let told = |at: usize| (record[at]["status"].clone(), record[at]["completed"].clone(), record[at]["model"].clone());
    assert_eq!(told(0), (json!(200), json!(true), json!("gpt-4o")));
    assert_eq!(told(1), (json!(200), json!(false), json!("m+reset=2")));
    assert_eq!(told(2), (json!(429), json!(true), json!("m+status=429")));
    assert_eq!(record[0]["usage"], usage);
    assert_eq!(record[0]["headers"], json!(["host", "connection", "content-length", "content-type"]));
    standin.send("DELETE", "/standin/record", &[], "");
    assert_eq!(standin.send("GET", "/standin/record", &[], "").json(), json!([]));
}

#[test]
fn recorded_cases_are_replayed() {
    let folder = std::env::temp_dir().join(format!("standin-replay-{}", std::process::id()));
    std::fs::create_dir_all(folder.join("deep")).unwrap();
    let stream = "data: {\"a\":1}\r\n\r\ndata: {\"a\":2}\r\n\r\n";
    let cases = [
        json!({"id": "x/1", "response": {"status": 200, "headers": {"x-seen": "yes"}, "sse_text": stream}}),
        json!({"id": "x/2", "response": {"status": 422, "headers": {}, "body": {"detail": "no"}}}),
    ];
    for (at, case) in cases.iter().enumerate() {
        std::fs::write(folder.join("deep").join(format!("{at}.json")), case.to_string()).unwrap();
    }
    let standin = Standin::start(&["--replay", folder.to_str().unwrap()]);
    std::fs::remove_dir_all(&folder).unwrap();
    let first = standin.openai(json!({"model": "m+replay=x/1"}));
    assert_eq!((first.body.as_str(), first.header("x-seen")), (stream, Some("yes")));
    assert_eq!(standin.openai(json!({"model": "m+replay=1+cut=1"})).events(), [json!({"a": 1})]);
    let second = standin.openai(json!({"model": "m+replay=2+split=2"}));
    assert_eq!((second.status, second.json()), (422, json!({"detail": "no"})));
    assert_eq!(standin.openai(json!({"model": "m+replay=3"})).status, 404);
}

#[test]
fn a_signal_ends_it_cleanly() {
    for signal in ["-INT", "-TERM"] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_sluice-standin"))
            .args(["--all", "0"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 9];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn help_is_printed_and_mistakes_are_refused() {
    let run = |args: &[&str]| Command::new(env!("CARGO_BIN_EXE_sluice-standin")).args(args).output().unwrap();
    let help = run(&["--help"]);
    assert!(help.status.success() && String::from_utf8_lossy(&help.stdout).contains("--require-key"));
    assert_eq!(run(&["--nope"]).status.code(), Some(2));
    assert_eq!(run(&["--openai", "256.1.1.1:1"]).status.code(), Some(1));
}
