//! Each vendor's chat: text, tools over two turns, streams, errors, and its schema where there is one.

use crate::client::{Answer, Standin};
use crate::schema::check;
use serde_json::{Value, json};

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// One vendor's form of the same requests.
struct Vendor {
    path: &'static str,
    stream: &'static str,
    ask: fn(&str) -> Value,
    /// Adds the call and its result.
    result: fn(&mut Value, &Value),
    text: fn(&Value) -> Value,
    /// Each event of a stream.
    events: fn(&Answer) -> Vec<Value>,
    delta: &'static str,
    /// Of a request, an answer and an event; empty: there is none.
    schemas: [&'static str; 3],
    /// A member that the vendor would refuse, and what it says then.
    refused: &'static str,
    message: &'static str,
    failed: &'static str,
}

fn payloads(answer: &Answer) -> Vec<Value> {
    answer.frames().into_iter().map(|(name, payload)| json!({name: payload})).collect()
}

fn lines(answer: &Answer) -> Vec<Value> {
    answer.body.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn push(body: &mut Value, list: &str, items: Value) {
    body[list].as_array_mut().unwrap().extend(items.as_array().unwrap().clone());
}

fn gemini(text: &str) -> Value {
    let tool = json!({"name": "weather", "parametersJsonSchema": schema()});
    json!({"contents": [{"role": "user", "parts": [{"text": text}]}], "tools": [{"functionDeclarations": [tool]}]})
}

fn gemini_result(body: &mut Value, answer: &Value) {
    let response = json!({"functionResponse": {"name": "weather", "response": {"result": "It is sunny."}}});
    push(body, "contents", json!([answer["candidates"][0]["content"], {"role": "user", "parts": [response]}]));
}

const GEMINI: Vendor = Vendor {
    path: "/v1beta/models/gemini-2.5-flash:generateContent",
    stream: "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
    ask: gemini,
    result: gemini_result,
    text: |answer| answer["candidates"][0]["content"]["parts"][0]["text"].clone(),
    events: Answer::events,
    delta: "/candidates/0/content/parts/0/text",
    schemas: ["", "gemini.generateContent.response", "gemini.generateContent.response"],
    refused: "unknown",
    message: "/error/message",
    failed: "RESOURCE_EXHAUSTED",
};

const VENDORS: &[Vendor] = &[
    GEMINI,
    Vendor {
        path: "/v1/projects/p/locations/l/publishers/google/models/m:generateContent",
        stream: "/v1/projects/p/locations/l/publishers/google/models/m:streamGenerateContent",
        events: |answer| answer.json().as_array().unwrap().clone(),
        schemas: ["vertex.v1beta1.generateContent.request", "", ""],
        ..GEMINI
    },
    Vendor {
        path: "/model/amazon.nova-lite-v1%3A0/converse",
        stream: "/model/amazon.nova-lite-v1%3A0/converse-stream",
        ask: |text| {
            let tool = json!({"toolSpec": {"name": "weather", "inputSchema": {"json": schema()}}});
            json!({"messages": [{"role": "user", "content": [{"text": text}]}], "toolConfig": {"tools": [tool]}})
        },
        result: |body, answer| {
            let message = &answer["output"]["message"];
            let id = &message["content"][0]["toolUse"]["toolUseId"];
            let result = json!({"toolResult": {"toolUseId": id, "content": [{"text": "It is sunny."}]}});
            push(body, "messages", json!([message, {"role": "user", "content": [result]}]));
        },
        text: |answer| answer["output"]["message"]["content"][0]["text"].clone(),
        events: payloads,
        delta: "/contentBlockDelta/delta/text",
        schemas: ["bedrock.converse.request", "bedrock.converse.response", ""],
        refused: "unknown",
        message: "/message",
        failed: "",
    },
    Vendor {
        path: "/v2/chat",
        stream: "/v2/chat",
        ask: |text| {
            let function = json!({"name": "weather", "parameters": schema()});
            json!({"model": "command-a", "messages": [{"role": "user", "content": text}], "tools": [{"type": "function", "function": function}]})
        },
        result: |body, answer| {
            let calls = &answer["message"]["tool_calls"];
            let result = json!({"role": "tool", "tool_call_id": calls[0]["id"], "content": "It is sunny."});
            push(body, "messages", json!([{"role": "assistant", "tool_calls": calls}, result]));
        },
        text: |answer| answer["message"]["content"][0]["text"].clone(),
        events: Answer::events,
        delta: "/delta/message/content/text",
        schemas: [""; 3],
        refused: "unknown",
        message: "/message",
        failed: "",
    },
    Vendor {
        path: "/api/chat",
        stream: "/api/chat",
        ask: |text| {
            let function = json!({"name": "weather", "parameters": schema()});
            json!({"model": "llama3.2", "stream": false, "messages": [{"role": "user", "content": text}], "tools": [{"type": "function", "function": function}]})
        },
        result: |body, answer| {
            let result = json!({"role": "tool", "tool_name": "weather", "content": "It is sunny."});
            push(body, "messages", json!([answer["message"], result]));
        },
        text: |answer| answer["message"]["content"].clone(),
        events: lines,
        delta: "/message/content",
        schemas: [""; 3],
        refused: "unknown",
        message: "/error",
        failed: "",
    },
    Vendor {
        path: "/v1/responses",
        stream: "/v1/responses",
        ask: |text| {
            let tool = json!({"type": "function", "name": "weather", "parameters": schema(), "strict": false});
            json!({"model": "gpt-5", "input": [{"role": "user", "content": text}], "tools": [tool]})
        },
        result: |body, answer| {
            let call = &answer["output"][0];
            push(
                body,
                "input",
                json!([call, {"type": "function_call_output", "call_id": call["call_id"], "output": "It is sunny."}]),
            );
        },
        text: |answer| answer["output"][0]["content"][0]["text"].clone(),
        events: Answer::events,
        delta: "/delta",
        schemas: ["openai.responses.request", "openai.responses.response.lenient", "openai.responses.event.lenient"],
        refused: "unknown",
        message: "/error/message",
        failed: "rate_limit_exceeded",
    },
];

/// Asks as the vendor's clients do; `faults` by header.
fn send(standin: &Standin, path: &str, body: &Value, faults: &str) -> Answer {
    standin.send("POST", path, &[("content-type", "application/json"), ("x-standin", faults)], &body.to_string())
}

fn streamed(vendor: &Vendor, mut body: Value) -> Value {
    if vendor.path == vendor.stream {
        body["stream"] = json!(true);
    }
    body
}

#[test]
fn a_stream_says_what_the_whole_answer_says() {
    let standin = Standin::start(&[]);
    for vendor in VENDORS {
        let ask = (vendor.ask)("one two three");
        check(vendor.schemas[0], &ask).unwrap();
        let whole = send(&standin, vendor.path, &ask, "");
        assert_eq!(whole.status, 200, "{whole:?}");
        check(vendor.schemas[1], &whole.json()).unwrap();
        assert_eq!((vendor.text)(&whole.json()), "Stand-in answer to: one two three", "{}", vendor.path);
        let stream = send(&standin, vendor.stream, &streamed(vendor, ask), "");
        let events = (vendor.events)(&stream);
        events.iter().for_each(|event| check(vendor.schemas[2], event).unwrap());
        let said: String = events.iter().filter_map(|event| event.pointer(vendor.delta)?.as_str()).collect();
        assert_eq!(said, "Stand-in answer to: one two three", "{}", vendor.stream);
        assert!(stream.whole);
    }
}

#[test]
fn a_tool_is_called_and_its_result_is_quoted() {
    let standin = Standin::start(&[]);
    for vendor in VENDORS {
        let mut ask = (vendor.ask)("what is the weather");
        let called = send(&standin, vendor.path, &ask, "");
        check(vendor.schemas[1], &called.json()).unwrap();
        assert!(called.body.contains("sample city") && called.body.contains("weather"), "{called:?}");
        let stream = send(&standin, vendor.stream, &streamed(vendor, ask.clone()), "");
        (vendor.events)(&stream).iter().for_each(|event| check(vendor.schemas[2], event).unwrap());
        assert!(stream.body.contains("weather"), "{stream:?}");
        (vendor.result)(&mut ask, &called.json());
        let told = send(&standin, vendor.path, &ask, "");
        assert_eq!(told.status, 200, "{told:?}");
        assert_eq!((vendor.text)(&told.json()), "The tool returned: It is sunny.", "{}", vendor.path);
    }
}

#[test]
fn what_the_vendor_would_refuse_is_refused_in_its_words() {
    let standin = Standin::start(&[]);
    for vendor in VENDORS {
        let mut ask = (vendor.ask)("hi");
        ask[vendor.refused] = json!(1);
        let refused = send(&standin, vendor.path, &ask, "");
        assert_eq!(refused.status, 400, "{}: {refused:?}", vendor.path);
        let message = refused.json().pointer(vendor.message).unwrap_or_else(|| panic!("{refused:?}")).to_string();
        assert!(message.contains("unknown"), "{message}");
        assert_eq!(send(&standin, vendor.path, &ask, "lenient").status, 200, "{}", vendor.path);
    }
}

#[test]
fn errors_and_faults_are_the_same_for_every_vendor() {
    let standin = Standin::start(&[]);
    for vendor in VENDORS {
        let ask = (vendor.ask)("one two three four five six");
        let limited = send(&standin, vendor.path, &ask, "status=429,retry_after=7,message=slow down");
        assert_eq!((limited.status, limited.header("retry-after")), (429, Some("7")), "{limited:?}");
        assert_eq!(limited.json().pointer(vendor.message), Some(&json!("slow down")), "{limited:?}");
        assert!(send(&standin, vendor.path, &ask, "status=429").body.contains(vendor.failed));
        let ask = streamed(vendor, ask);
        let failed = send(&standin, vendor.stream, &ask, "error_event=2,message=it broke");
        assert_eq!(failed.status, 200);
        assert!(failed.body.contains("it broke"), "{failed:?}");
        let full = send(&standin, vendor.stream, &ask, "");
        let cut = send(&standin, vendor.stream, &ask, "cut=2");
        assert!(cut.whole && !cut.bytes.is_empty() && full.bytes.starts_with(&cut.bytes), "{cut:?}");
        let reset = send(&standin, vendor.stream, &ask, "reset=2");
        assert!(!reset.whole && full.bytes.starts_with(&reset.bytes), "{reset:?}");
        let split = send(&standin, vendor.stream, &ask, "split=7");
        assert_eq!(split.bytes, full.bytes);
        let malformed = send(&standin, vendor.stream, &ask, "malformed=2");
        assert_ne!(malformed.bytes, full.bytes);
    }
}

#[test]
fn amazon_names_an_error_in_a_header_and_an_exception_in_a_stream() {
    let standin = Standin::start(&[]);
    let ask = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    let limited = send(&standin, "/model/m/converse", &ask, "status=429");
    assert_eq!(limited.header("x-amzn-errortype"), Some("throttlingexception"));
    let failed = send(&standin, "/model/m/converse-stream", &ask, "status=429,error_event=1");
    assert_eq!(failed.status, 429);
    let failed = send(&standin, "/model/m/converse-stream", &ask, "code=overloaded_error,error_event=1");
    let names: Vec<String> = failed.frames().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["messageStart", "serviceUnavailableException"]);
}

#[test]
fn anthropics_models_are_at_both_clouds() {
    let standin = Standin::start(&[]);
    let ask = |version: &str| json!({"anthropic_version": version, "max_tokens": 99, "messages": [{"role": "user", "content": "hi"}]});
    let (vertex, bedrock) = (ask("vertex-2023-10-16"), ask("bedrock-2023-05-31"));
    let google = "/v1/projects/p/locations/l/publishers/anthropic/models/claude@1";
    let amazon = "/model/anthropic.claude-v1%3A0";
    for (path, body) in [(format!("{google}:rawPredict"), &vertex), (format!("{amazon}/invoke"), &bedrock)] {
        let whole = standin.post(&path, body).json();
        check("anthropic.messages.response", &whole).unwrap();
        assert_eq!(whole["content"][0]["text"], "Stand-in answer to: hi");
    }
    let mut streamed = vertex.clone();
    streamed["stream"] = json!(true);
    let events = standin.post(&format!("{google}:streamRawPredict"), &streamed);
    assert_eq!(events.streamed_text(), "Stand-in answer to: hi");
    let frames = standin.post(&format!("{amazon}/invoke-with-response-stream"), &bedrock).frames();
    assert!(frames.len() > 5 && frames.iter().all(|(name, payload)| name == "chunk" && payload["bytes"].is_string()));
    let wrong = [(format!("{google}:rawPredict"), &bedrock), (format!("{amazon}/invoke"), &vertex)];
    assert!(wrong.iter().all(|(path, body)| standin.post(path, body).status == 400));
}
