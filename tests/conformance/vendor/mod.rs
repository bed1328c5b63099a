//! What an exchange says, read from its JSON by each vendor's documentation.

mod anthropic;
mod bedrock;
mod cohere;
mod completions;
mod gemini;
mod ollama;
mod openai;
mod responses;

use crate::facts::Facts;
use crate::json::Value;
use crate::request::Asks;

/// What the tests know of an API.
pub struct Vendor {
    pub name: &'static str,
    pub asks: fn(&Value) -> Asks,
    pub answer: fn(&Value) -> Facts,
    pub stream: fn(&str) -> Facts,
    /// The schemas of a request, an answer, an event and an error; empty where the vendor publishes none.
    pub schemas: [&'static str; 4],
    /// Models that differ in what they take.
    pub models: &'static [&'static str],
    /// The request's members that the neutral model has a notion of.
    pub known: &'static [&'static str],
    /// The last event of a stream that is whole, or its type.
    pub last: &'static str,
}

static VENDORS: [Vendor; 8] = [
    anthropic::VENDOR,
    bedrock::VENDOR,
    cohere::VENDOR,
    completions::VENDOR,
    gemini::VENDOR,
    ollama::VENDOR,
    openai::VENDOR,
    responses::VENDOR,
];

/// APIs whose paths say the model and whether the answer is streamed.
pub const BY_PATH: [&str; 2] = ["bedrock", "gemini"];

pub fn of(api: &dyn sluice::api::Api) -> &'static Vendor {
    VENDORS.iter().find(|vendor| vendor.name == api.name()).unwrap()
}
