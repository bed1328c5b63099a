use super::Anthropic;
use crate::api::{Api, Asked, Target};
use crate::chat::Event;
use crate::json::Object;

#[test]
fn a_stream_read_is_the_stream_written() {
    let stream = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,\"output_tokens\":1}}}\n\n",
        "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
        "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Hi\"}}\n\n",
        "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":2,\"output_tokens\":5}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    let mut reader = Anthropic.reader();
    let mut writer = Anthropic.writer(Asked::default());
    let mut out = Vec::new();
    reader.read(stream.as_bytes(), &mut |event: Event<'_>| writer.write(&event, &mut out));
    reader.close(&mut |event| writer.write(&event, &mut out));
    assert_eq!(String::from_utf8(out).unwrap(), stream);
}

#[test]
fn a_request_read_is_the_request_written() {
    let body = r#"{"model":"m","max_tokens":9,"system":"S","messages":[{"role":"user","content":"U"}]}"#;
    let request = Anthropic.read_request(&Object::parse(body.as_bytes()).unwrap()).unwrap();
    let target = Target { model: "m", max_tokens: 5, stream_usage: true, echo_reasoning: false };
    assert_eq!(String::from_utf8(Anthropic.write_request(&request, &target).body).unwrap(), body);
}
