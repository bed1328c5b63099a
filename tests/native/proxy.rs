use std::cell::RefCell;

use sluice::host::{Host as Clock, Millis, Shared, Verified};
use sluice::telemetry::{Instrument, Sample};

use super::Worker;
use crate::scenario::host::{Host, Metric};
use crate::scenario::module::Crash;

/// The test's host, as the core sees it.
pub struct Proxy<'h>(RefCell<&'h mut Host>);

impl<'h> Proxy<'h> {
    pub fn new(host: &'h mut Host) -> Proxy<'h> {
        Proxy(RefCell::new(host))
    }
}

impl Shared for Proxy<'_> {
    fn load(&self, key: &str) -> Option<(Vec<u8>, u32)> {
        self.0.borrow().shared_data(key.as_bytes())
    }

    fn store(&self, key: &str, value: &[u8], cas: Option<u32>) -> bool {
        self.0.borrow_mut().set_shared_data(key.as_bytes(), value, cas.unwrap_or(0)).is_ok()
    }
}

impl Verified for Proxy<'_> {
    fn claim(&self, path: &[String]) -> Option<String> {
        let path =
            ["metadata\0filter_metadata\0envoy.filters.http.jwt_authn\0jwt_payload\0", &path.join("\0")].concat();
        self.0.borrow_mut().property(&path).and_then(|text| String::from_utf8(text).ok())
    }

    fn peer(&self) -> Option<String> {
        let uri = self.0.borrow_mut().property("connection\0uri_san_peer_certificate");
        uri.and_then(|text| String::from_utf8(text).ok())
    }
}

impl Clock for Proxy<'_> {
    fn now(&self) -> Millis {
        self.0.borrow().now_ns / 1_000_000
    }

    fn client_left(&self) -> bool {
        let flags = self.0.borrow_mut().property("response.flags");
        flags.and_then(|flags| flags.try_into().ok()).map_or(0, u64::from_le_bytes) & 0x4000 != 0
    }
}

pub fn record(host: &mut Host, worker: &Worker, samples: Vec<Sample>) -> Result<(), Crash> {
    let mut metrics = worker.metrics.borrow_mut();
    for sample in samples {
        let (name, instrument, value) = (sample.name.to_string(), sample.name.instrument(), sample.value);
        let kind = match instrument {
            Instrument::Counter => Metric::Counter,
            Instrument::Histogram => Metric::Histogram,
        };
        let id = *metrics.entry(name.clone()).or_insert_with(|| host.define_metric(kind, &name));
        let done = match instrument {
            Instrument::Counter => host.increment_metric(id, i64::try_from(value).unwrap()),
            Instrument::Histogram => host.record_metric(id, value),
        };
        done.map_err(|refusal| format!("the host did not take {value} for {name}: {refusal:?}"))?;
    }
    Ok(())
}
