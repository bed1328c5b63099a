//! Anthropic's count of tokens: <https://docs.anthropic.com/en/api/messages-count-tokens>.

use super::{Format, Operation};
use crate::api::{Line, Named};
use std::borrow::Cow;

pub static COUNT_TOKENS: Format = Format {
    name: "anthropic-count-tokens",
    operation: Operation::CountTokens,
    dialect: "anthropic",
    takes: |line: &Line<'_>| (line.method == "POST" && line.path == "/v1/messages/count_tokens").then(Named::default),
    path: |_| Cow::Borrowed("/messages/count_tokens"),
    ..Format::BASE
};
