use super::admin;
use super::gateway::GatewayContext;
use super::provider::ProviderContext;
use proxy_wasm::traits::{Context, HttpContext};
use proxy_wasm::types::Action;

/// One request or attempt, in the role that it came to. One type for all: each has the SDK's 70 callbacks over again, 7 KB.
#[expect(clippy::large_enum_variant, reason = "each stands in a box of its own")]
pub enum Filter {
    Gateway(GatewayContext),
    Provider(ProviderContext),
    Admin(u32),
}

impl Context for Filter {}

impl HttpContext for Filter {
    fn on_http_request_headers(&mut self, _: usize, end: bool) -> Action {
        match self {
            Self::Gateway(gateway) => gateway.request_headers(end),
            Self::Provider(provider) => provider.request_headers(),
            Self::Admin(context) => admin::request_headers(*context),
        }
    }

    fn on_http_request_body(&mut self, size: usize, end: bool) -> Action {
        match self {
            Self::Gateway(gateway) => gateway.request_body(size, end),
            Self::Provider(provider) => provider.request_body(size),
            Self::Admin(_) => Action::Continue,
        }
    }

    fn on_http_request_trailers(&mut self, _: usize) -> Action {
        match self {
            Self::Gateway(gateway) => gateway.request_trailers(),
            Self::Provider(_) | Self::Admin(_) => Action::Continue,
        }
    }

    fn on_http_response_headers(&mut self, _: usize, end: bool) -> Action {
        match self {
            Self::Gateway(gateway) => gateway.response_headers(end),
            Self::Provider(provider) => provider.response_headers(end),
            Self::Admin(_) => Action::Continue,
        }
    }

    fn on_http_response_body(&mut self, size: usize, end: bool) -> Action {
        match self {
            Self::Gateway(gateway) => gateway.response_body(),
            Self::Provider(provider) => provider.response_body(size, end),
            Self::Admin(_) => Action::Continue,
        }
    }

    fn on_http_response_trailers(&mut self, _: usize) -> Action {
        match self {
            Self::Provider(provider) => provider.response_trailers(),
            Self::Gateway(_) | Self::Admin(_) => Action::Continue,
        }
    }

    fn on_log(&mut self) {
        if let Self::Gateway(gateway) = self {
            gateway.log();
        }
    }
}
