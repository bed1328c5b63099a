use wasmtime::{Linker, Result, bail};

use crate::guest::{Guest, State, bytes, give, packed, status, text, unpacked, write, write_u32};
use crate::scenario::headers::Headers;
use crate::scenario::host::{LocalReply, Map, Metric, Refusal, Way};

const LEVELS: [&str; 6] = ["trace", "debug", "info", "warn", "error", "critical"];

/// `proxy_get_log_level`: the default of Envoy's loggers.
const LEVEL: u32 = 2;

/// A module that logs more than this in one run is only kept from filling memory.
const MAX_LOGS: usize = 10_000;

/// Buffers and maps by their numbers in the ABI.
enum Buffer {
    Body(Way),
    Configuration,
    Empty,
}

fn buffer(number: u32) -> Buffer {
    match number {
        0 => Buffer::Body(Way::Request),
        1 => Buffer::Body(Way::Response),
        7 => Buffer::Configuration,
        _ => Buffer::Empty,
    }
}

fn map(number: u32) -> Option<Map> {
    match number {
        0 => Some(Map::RequestHeaders),
        1 => Some(Map::RequestTrailers),
        2 => Some(Map::ResponseHeaders),
        3 => Some(Map::ResponseTrailers),
        _ => None,
    }
}

fn way(number: u32) -> Option<Way> {
    match number {
        0 => Some(Way::Request),
        1 => Some(Way::Response),
        _ => None,
    }
}

pub fn link(linker: &mut Linker<State>) -> Result<()> {
    process(linker)?;
    bodies(linker)?;
    maps(linker)?;
    properties(linker)?;
    shared_data(linker)?;
    metrics(linker)?;
    streams(linker)
}

fn process(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap("env", "proxy_log", |mut guest: Guest, level: u32, at: u32, size: u32| -> Result<u32> {
        let level = usize::try_from(level).ok().and_then(|l| LEVELS.get(l)).copied().unwrap_or("?");
        let line = format!("{level}: {}", text(&mut guest, at, size)?);
        let logs = &mut guest.data_mut().host.logs;
        if logs.len() < MAX_LOGS {
            logs.push(line);
        }
        Ok(0)
    })?;
    linker.func_wrap("env", "proxy_get_log_level", |mut guest: Guest, at: u32| -> Result<u32> {
        write_u32(&mut guest, at, LEVEL)?;
        Ok(0)
    })?;
    linker.func_wrap("env", "proxy_get_current_time_nanoseconds", |mut guest: Guest, at: u32| -> Result<u32> {
        let now = guest.data().host.now_ns;
        write(&mut guest, at, &now.to_le_bytes())?;
        Ok(0)
    })?;
    linker.func_wrap("env", "proxy_set_tick_period_milliseconds", |mut guest: Guest, period: u32| -> u32 {
        guest.data_mut().host.tick_ms = period;
        0
    })?;
    linker.func_wrap("env", "proxy_set_effective_context", |mut guest: Guest, id: u32| -> u32 {
        status(guest.data_mut().host.set_effective_context(id))
    })?;
    linker.func_wrap("env", "proxy_done", |_: Guest| -> u32 { 0 })?;
    linker.func_wrap(
        "env",
        "proxy_call_foreign_function",
        |_: Guest, _: u32, _: u32, _: u32, _: u32, _: u32, _: u32| -> u32 { Refusal::NotFound as u32 },
    )?;
    Ok(())
}

fn bodies(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_buffer_bytes",
        |mut guest: Guest, kind: u32, start: u32, most: u32, data_at: u32, size_at: u32| -> Result<u32> {
            let host = &mut guest.data_mut().host;
            let found = match buffer(kind) {
                Buffer::Body(way) => host.body(way).unwrap_or_default(),
                Buffer::Configuration => host.configurations.get(&host.current).map(Vec::as_slice).unwrap_or_default(),
                Buffer::Empty => return Ok(Refusal::NotFound as u32),
            };
            // Envoy adds start and size in 32 bits, and refuses when that wraps.
            let Some(end) = start.checked_add(most) else { return Ok(Refusal::BadArgument as u32) };
            let end = usize::try_from(end)?.min(found.len());
            let Some(part) = found.get(usize::try_from(start)?..end) else { return Ok(Refusal::BadArgument as u32) };
            let part = part.to_vec();
            if !part.is_empty() {
                give(&mut guest, &part, data_at, size_at)?;
            }
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_buffer_bytes",
        |mut guest: Guest, kind: u32, start: u32, length: u32, at: u32, size: u32| -> Result<u32> {
            let data = bytes(&mut guest, at, size)?;
            let Buffer::Body(way) = buffer(kind) else { return Ok(Refusal::BadArgument as u32) };
            let (start, length) = (usize::try_from(start)?, usize::try_from(length)?);
            Ok(status(guest.data_mut().host.set_body(way, start, length, &data)))
        },
    )?;
    Ok(())
}

fn maps(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_header_map_pairs",
        |mut guest: Guest, kind: u32, data_at: u32, size_at: u32| -> Result<u32> {
            let found = map(kind).and_then(|map| guest.data_mut().host.map(map)).filter(|h| !h.is_empty());
            let packed = found.map(|headers| packed(headers)).unwrap_or_default();
            give(&mut guest, &packed, data_at, size_at)?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_header_map_pairs",
        |mut guest: Guest, kind: u32, at: u32, size: u32| -> Result<u32> {
            let Some(headers) = unpacked(&bytes(&mut guest, at, size)?) else { bail!("a header map that is cut") };
            Ok(status(change(&mut guest, kind, |map| *map = headers)))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_get_header_map_value",
        |mut guest: Guest, kind: u32, name_at: u32, name_size: u32, data_at: u32, size_at: u32| -> Result<u32> {
            let name = text(&mut guest, name_at, name_size)?;
            let Some(map) = map(kind) else { return Ok(Refusal::BadArgument as u32) };
            match guest.data_mut().host.header(map, &name) {
                Ok(value) => {
                    give(&mut guest, &value, data_at, size_at)?;
                    Ok(0)
                }
                Err(refusal) => Ok(refusal as u32),
            }
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_replace_header_map_value",
        |mut guest: Guest, kind: u32, name_at: u32, name_size: u32, at: u32, size: u32| -> Result<u32> {
            let (name, value) = (text(&mut guest, name_at, name_size)?, bytes(&mut guest, at, size)?);
            Ok(status(change(&mut guest, kind, |map| map.set(&name, &value))))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_add_header_map_value",
        |mut guest: Guest, kind: u32, name_at: u32, name_size: u32, at: u32, size: u32| -> Result<u32> {
            let (name, value) = (text(&mut guest, name_at, name_size)?, bytes(&mut guest, at, size)?);
            Ok(status(change(&mut guest, kind, |map| map.add(&name, &value))))
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_remove_header_map_value",
        |mut guest: Guest, kind: u32, name_at: u32, name_size: u32| -> Result<u32> {
            let name = text(&mut guest, name_at, name_size)?;
            Ok(status(change(&mut guest, kind, |map| drop(map.remove(&name)))))
        },
    )?;
    Ok(())
}

fn change(guest: &mut Guest, kind: u32, edit: impl FnOnce(&mut Headers)) -> Result<(), Refusal> {
    let map = map(kind).ok_or(Refusal::BadArgument)?;
    guest.data_mut().host.map_mut(map).map(edit)
}

fn properties(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_property",
        |mut guest: Guest, path_at: u32, path_size: u32, data_at: u32, size_at: u32| -> Result<u32> {
            let path = text(&mut guest, path_at, path_size)?;
            let Some(value) = guest.data_mut().host.property(&path) else { return Ok(Refusal::NotFound as u32) };
            give(&mut guest, &value, data_at, size_at)?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_property",
        |mut guest: Guest, path_at: u32, path_size: u32, at: u32, size: u32| -> Result<u32> {
            let (path, value) = (text(&mut guest, path_at, path_size)?, bytes(&mut guest, at, size)?);
            Ok(status(guest.data_mut().host.set_property(&path, &value)))
        },
    )?;
    Ok(())
}

fn shared_data(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_get_shared_data",
        |mut guest: Guest, key_at: u32, key_size: u32, data_at: u32, size_at: u32, cas_at: u32| -> Result<u32> {
            let key = bytes(&mut guest, key_at, key_size)?;
            let Some((value, cas)) = guest.data().host.shared_data(&key) else { return Ok(Refusal::NotFound as u32) };
            give(&mut guest, &value, data_at, size_at)?;
            write_u32(&mut guest, cas_at, cas)?;
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_set_shared_data",
        |mut guest: Guest, key_at: u32, key_size: u32, at: u32, size: u32, cas: u32| -> Result<u32> {
            let (key, value) = (bytes(&mut guest, key_at, key_size)?, bytes(&mut guest, at, size)?);
            Ok(status(guest.data_mut().host.set_shared_data(&key, &value, cas)))
        },
    )?;
    Ok(())
}

fn metrics(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(
        "env",
        "proxy_define_metric",
        |mut guest: Guest, kind: u32, name_at: u32, name_size: u32, id_at: u32| -> Result<u32> {
            let kind = match kind {
                0 => Metric::Counter,
                1 => Metric::Gauge,
                2 => Metric::Histogram,
                _ => return Ok(Refusal::BadArgument as u32),
            };
            let name = text(&mut guest, name_at, name_size)?;
            let id = guest.data_mut().host.define_metric(kind, &name);
            write_u32(&mut guest, id_at, id)?;
            Ok(0)
        },
    )?;
    linker.func_wrap("env", "proxy_increment_metric", |mut guest: Guest, id: u32, by: i64| -> u32 {
        status(guest.data_mut().host.increment_metric(id, by))
    })?;
    linker.func_wrap("env", "proxy_record_metric", |mut guest: Guest, id: u32, value: u64| -> u32 {
        status(guest.data_mut().host.record_metric(id, value))
    })?;
    linker.func_wrap("env", "proxy_get_metric", |mut guest: Guest, id: u32, at: u32| -> Result<u32> {
        match guest.data().host.metric(id) {
            Ok(value) => {
                write(&mut guest, at, &value.to_le_bytes())?;
                Ok(0)
            }
            Err(refusal) => Ok(refusal as u32),
        }
    })?;
    Ok(())
}

fn streams(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap("env", "proxy_continue_stream", |mut guest: Guest, kind: u32| -> u32 {
        let Some(way) = way(kind) else { return Refusal::BadArgument as u32 };
        guest.data_mut().host.continue_stream(way);
        0
    })?;
    linker.func_wrap("env", "proxy_close_stream", |mut guest: Guest, kind: u32| -> u32 {
        if way(kind).is_none() {
            return Refusal::BadArgument as u32;
        }
        guest.data_mut().host.close_stream();
        0
    })?;
    linker.func_wrap(
        "env",
        "proxy_send_local_response",
        |mut guest: Guest,
         code: u32,
         details_at: u32,
         details_size: u32,
         body_at: u32,
         body_size: u32,
         headers_at: u32,
         headers_size: u32,
         _grpc: i32|
         -> Result<u32> {
            let Some(headers) = unpacked(&bytes(&mut guest, headers_at, headers_size)?) else {
                bail!("a local reply's header map is cut")
            };
            let reply = LocalReply {
                status: code,
                details: text(&mut guest, details_at, details_size)?,
                headers,
                body: bytes(&mut guest, body_at, body_size)?,
            };
            guest.data_mut().host.send_local_reply(reply);
            Ok(0)
        },
    )?;
    linker.func_wrap(
        "env",
        "proxy_http_call",
        |mut guest: Guest,
         cluster_at: u32,
         cluster_size: u32,
         headers_at: u32,
         headers_size: u32,
         body_at: u32,
         body_size: u32,
         _trailers_at: u32,
         _trailers_size: u32,
         _timeout: u32,
         token_at: u32|
         -> Result<u32> {
            let cluster = text(&mut guest, cluster_at, cluster_size)?;
            let Some(headers) = unpacked(&bytes(&mut guest, headers_at, headers_size)?) else {
                bail!("a call out's header map is cut")
            };
            let body = bytes(&mut guest, body_at, body_size)?;
            match guest.data_mut().host.call_out(&cluster, headers, &body) {
                Ok(token) => {
                    write_u32(&mut guest, token_at, token)?;
                    Ok(0)
                }
                Err(refusal) => Ok(refusal as u32),
            }
        },
    )?;
    Ok(())
}
