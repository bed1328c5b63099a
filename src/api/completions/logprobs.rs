//! Probabilities of tokens: chat lists them token by token, this API in a list for each of what is said of tokens.

use crate::json::{Tree, Value, quote, write as put};

/// Writes what chat's `logprobs` say. `offset`: the characters of the text before them.
pub(super) fn write(out: &mut Vec<u8>, raw: &str, mut offset: usize) -> usize {
    let mut tree = Tree::default();
    let Some(list) = tree.read(raw.as_bytes()).ok().and_then(|said| said.get("content")) else {
        out.extend_from_slice(b"null");
        return offset;
    };
    each(out, "{\"tokens\":[", &list, |out, token| {
        quote(out, &token.string("token").ok().flatten().unwrap_or_default())
    });
    each(out, "],\"token_logprobs\":[", &list, |out, token| out.extend_from_slice(likely(token).as_bytes()));
    each(out, "],\"top_logprobs\":[", &list, |out, token| {
        out.push(b'{');
        for other in token.get("top_logprobs").into_iter().flat_map(|others| others.items()) {
            put::comma(out);
            quote(out, &other.string("token").ok().flatten().unwrap_or_default());
            out.push(b':');
            out.extend_from_slice(likely(&other).as_bytes());
        }
        out.push(b'}');
    });
    out.extend_from_slice(b"],\"text_offset\":[");
    for token in list.items() {
        put::comma(out);
        put::digits(out, u64::try_from(offset).unwrap_or_default());
        let text = token.string("token").ok().flatten().unwrap_or_default();
        offset = offset.saturating_add(text.chars().count());
    }
    out.extend_from_slice(b"]}");
    offset
}

fn each(out: &mut Vec<u8>, before: &str, list: &Value<'_>, mut one: impl FnMut(&mut Vec<u8>, &Value<'_>)) {
    out.extend_from_slice(before.as_bytes());
    for token in list.items() {
        put::comma(out);
        one(out, &token);
    }
}

fn likely<'a>(token: &Value<'a>) -> &'a str {
    token.get("logprob").map(|value| value.raw()).filter(|raw| raw.parse::<f64>().is_ok()).unwrap_or("null")
}
