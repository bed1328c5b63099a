//! `sluice tokens`: what a text or a request comes to, as the module counts it.

use sluice::api::{APIS, Api, by_name};
use sluice::json::Body;
use sluice::tokens::{Budget, Count, Encoding, Model, prompt};

/// How a count is printed.
#[derive(Clone, Copy)]
pub struct Shown {
    pub json: bool,
    /// Within what one call may take of its worker.
    pub in_module: bool,
}

impl Shown {
    fn budget(self) -> Budget {
        if self.in_module { Budget::CALL } else { Budget::new(u64::MAX) }
    }
}

/// Names that `--request` takes.
pub fn names() -> Vec<&'static str> {
    APIS.iter().map(|api| api.name()).collect()
}

pub fn of_text(text: &str, model: &str, shown: Shown) -> String {
    let named = Model::named(model);
    line(named.text(text, &mut shown.budget()), named, model, shown)
}

/// `model`: absent, the request's own.
pub fn of_request(text: &str, api: &str, model: Option<&str>, shown: Shown) -> Result<String, String> {
    let api: &dyn Api = by_name(api).ok_or_else(|| format!("there is no API \"{api}\": {}", names().join(", ")))?;
    let body = Body::parse(text.as_bytes()).map_err(|error| error.message.clone())?;
    let own = body.value().get("model").and_then(|model| model.text());
    let Some(model) = model.or(own.as_deref()) else {
        return Err("the request names no model: give one with --model".to_owned());
    };
    let request = api.read_request(body.value()).map_err(|error| {
        let field = error.param.as_deref().map(|param| format!("{param}: ")).unwrap_or_default();
        format!("is no request of {}: {field}{}", api.name(), error.message)
    })?;
    let mut named = Model::named(model);
    if api.name() == "openai-responses" {
        named = named.in_responses();
    }
    Ok(line(prompt(&request, named, &mut shown.budget()), named, model, shown))
}

fn line(count: Count, named: Model, model: &str, shown: Shown) -> String {
    let exact = matches!(count, Count::Exact(_));
    let encoding = named.encoding().map(|encoding| match encoding {
        Encoding::O200k => "o200k_base",
        Encoding::Cl100k => "cl100k_base",
    });
    if shown.json {
        let members = serde_json::json!({
            "model": model, "tokens": count.likely(), "at_most": count.upper(), "exact": exact, "encoding": encoding,
        });
        return format!("{members}\n");
    }
    let by = encoding.map(|name| format!(" ({name})")).unwrap_or_default();
    if exact {
        format!("{} exactly{by}\n", count.likely())
    } else {
        format!("about {}, at most {}{by}\n", count.likely(), count.upper())
    }
}
