//! What must hold for any bytes: nothing panics, what is written for one format can be read by it.

use super::{FORMATS, Request};
use crate::api::Asked;
use crate::chat::Losses;
use crate::json::{Body, Tree, splice};
use serde_json::Value;

/// Models that formats are for, each by its name.
pub(super) const MODELS: [&str; 3] = ["m", "cohere.embed-v4:0", "eu.amazon.titan-embed-image-v1"];

/// A request's body, and after a line's end an answer's.
pub fn fuzz_task(data: &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    let (request, answer) = data.split_at(end);
    let Ok(body) = Body::parse(request) else { return };
    for format in FORMATS {
        for model in MODELS {
            let named = splice(request, &(format.rename)(body.value(), model));
            assert!(Body::parse(&named).is_ok(), "{}: {}", format.name, String::from_utf8_lossy(&named));
        }
        match format.read(body.value()) {
            Ok(read) => translated(format, &read, answer),
            Err(error) => assert!(format.codec.is_none() || error.status == 400),
        }
    }
}

fn translated(client: &super::Format, request: &Request, answer: &[u8]) {
    let asked = Asked { id: "made".to_owned(), model: "m".to_owned(), ..Asked::default() };
    for format in FORMATS.iter().filter(|f| f.codec.is_some() && f.operation == client.operation) {
        for model in MODELS.iter().filter(|model| (format.fits)(model)) {
            let Ok(written) = format.write(request, model, &mut Losses::default()) else { continue };
            let shown = String::from_utf8_lossy(&written);
            let again = Body::parse(&written).and_then(|body| format.read(body.value()));
            assert!(again.is_ok(), "{}: {shown}: {again:?}", format.name);
        }
        let mut tree = Tree::default();
        let Ok(body) = tree.read(answer) else { continue };
        match format.read_answer(body, request) {
            Ok(answer) => {
                if let Ok(written) = client.write_answer(&answer, request, &asked) {
                    let valid = serde_json::from_slice::<Value>(&written).is_ok();
                    assert!(valid, "{}: {}", client.name, String::from_utf8_lossy(&written));
                }
            }
            Err(error) => assert!(error.status >= 400),
        }
    }
}
