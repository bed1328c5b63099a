use crate::host::{Host, Millis, Shared, Verified};
use crate::telemetry::{Instrument, Name, Sample};
use proxy_wasm::hostcalls;
use proxy_wasm::types::MetricType;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::UNIX_EPOCH;

/// Envoy, as the core sees it.
pub struct Envoy;

impl Shared for Envoy {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        match hostcalls::get_shared_data(key) {
            Ok((Some(value), cas)) => Some((value, cas.unwrap_or(0))),
            _ => None,
        }
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        hostcalls::set_shared_data(key, Some(value), cas).is_ok()
    }
}

impl Verified for Envoy {
    fn claim(&self, path: &[String]) -> Option<String> {
        let place = ["metadata", "filter_metadata", "envoy.filters.http.jwt_authn", JWT_PAYLOAD];
        let path: Vec<&str> = place.into_iter().chain(path.iter().map(String::as_str)).collect();
        text(path)
    }

    fn peer(&self) -> Option<String> {
        text(vec!["connection", "uri_san_peer_certificate"])
    }
}

/// The `payload_in_metadata` of the provider in `jwt_authn`.
const JWT_PAYLOAD: &str = "jwt_payload";

/// A property that is text: numbers come as eight bytes that are none.
fn text(path: Vec<&str>) -> Option<String> {
    let value = hostcalls::get_property(path).ok().flatten()?;
    String::from_utf8(value).ok().filter(|text| !text.is_empty() && !text.contains(char::is_control))
}

/// Since 1970.
pub fn nanos() -> u64 {
    let now = hostcalls::get_current_time().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    now.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

impl Host for Envoy {
    fn now(&self) -> Millis {
        nanos() / 1_000_000
    }

    fn client_left(&self) -> bool {
        let flags = hostcalls::get_property(vec!["response", "flags"]).ok().flatten();
        let flags = flags.and_then(|flags| flags.try_into().ok()).map_or(0, u64::from_le_bytes);
        flags & DOWNSTREAM_CONNECTION_TERMINATION != 0
    }
}

/// Envoy's response flag `DC`, as the attribute `response.flags` has it.
const DOWNSTREAM_CONNECTION_TERMINATION: u64 = 0x4000;

/// Names of metrics that one VM defines at most. They come from the configuration, so only its size leads here.
const MAX_METRICS: usize = 20_000;

thread_local! {
    static METRICS: RefCell<BTreeMap<Name, u32>> = const { RefCell::new(BTreeMap::new()) };
}

pub fn record(samples: Vec<Sample>) {
    METRICS.with_borrow_mut(|metrics| {
        for sample in samples {
            let instrument = sample.name.instrument();
            let id = match metrics.get(&sample.name) {
                Some(id) => *id,
                None if metrics.len() >= MAX_METRICS => continue,
                None => {
                    let kind = match instrument {
                        Instrument::Counter => MetricType::Counter,
                        Instrument::Histogram => MetricType::Histogram,
                    };
                    let Ok(id) = hostcalls::define_metric(kind, &sample.name.to_string()) else { continue };
                    metrics.insert(sample.name, id);
                    id
                }
            };
            let done = match instrument {
                Instrument::Histogram => hostcalls::record_metric(id, sample.value),
                Instrument::Counter => match i64::try_from(sample.value) {
                    Ok(value) if value > 0 => hostcalls::increment_metric(id, value),
                    _ => Ok(()),
                },
            };
            if done.is_err() {
                log::warn!("Envoy did not take a sample");
            }
        }
    });
}
