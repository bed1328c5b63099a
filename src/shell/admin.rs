use super::host::Envoy;
use super::{read_headers, root, send, store};
use crate::admin;
use proxy_wasm::types::{Action, MapType};

/// Answers a request by itself. `context`: its stream.
pub fn request_headers(context: u32) -> Action {
    store::look(context);
    let headers = read_headers(MapType::HttpRequestHeaders);
    let (method, target) = (headers.text(":method"), headers.text(":path"));
    let (method, target) = (method.unwrap_or_default(), target.unwrap_or_default());
    send(&admin::answer(method, target, &root::gateways(), &Envoy));
    Action::Pause
}
