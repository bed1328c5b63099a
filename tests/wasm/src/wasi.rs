use wasmtime::{Linker, Result, bail};

use crate::guest::{Guest, State, bytes, write, write_u32};

const MODULE: &str = "wasi_snapshot_preview1";
const BAD_DESCRIPTOR: u32 = 8;

/// The part of WASI that Envoy gives: clock, randomness, environment, and standard output as log lines.
pub fn link(linker: &mut Linker<State>) -> Result<()> {
    linker.func_wrap(MODULE, "environ_sizes_get", |mut guest: Guest, count_at: u32, size_at: u32| -> Result<u32> {
        let (count, size) = sizes(&guest)?;
        write_u32(&mut guest, count_at, count)?;
        write_u32(&mut guest, size_at, size)?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "environ_get", |mut guest: Guest, list_at: u32, text_at: u32| -> Result<u32> {
        let (mut list_at, mut text_at) = (list_at, text_at);
        for entry in guest.data().environment.clone() {
            write_u32(&mut guest, list_at, text_at)?;
            write(&mut guest, text_at, &entry)?;
            list_at = list_at.saturating_add(4);
            text_at = text_at.saturating_add(u32::try_from(entry.len())?);
        }
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "args_sizes_get", |mut guest: Guest, count_at: u32, size_at: u32| -> Result<u32> {
        write_u32(&mut guest, count_at, 0)?;
        write_u32(&mut guest, size_at, 0)?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "args_get", |_: Guest, _: u32, _: u32| -> u32 { 0 })?;
    linker.func_wrap(
        MODULE,
        "fd_write",
        |mut guest: Guest, descriptor: u32, list_at: u32, count: u32, written_at: u32| -> Result<u32> {
            if descriptor != 1 && descriptor != 2 {
                return Ok(BAD_DESCRIPTOR);
            }
            let mut line = Vec::new();
            for entry in bytes(&mut guest, list_at, count.saturating_mul(8))?.chunks_exact(8) {
                if let Some(([at, size], _)) = words(entry) {
                    line.extend(bytes(&mut guest, at, size)?);
                }
            }
            write_u32(&mut guest, written_at, u32::try_from(line.len())?)?;
            guest.data_mut().host.logs.push(String::from_utf8_lossy(&line).trim_end().to_string());
            Ok(0)
        },
    )?;
    linker.func_wrap(MODULE, "proc_exit", |code: u32| -> Result<()> { bail!("the module exits with {code}") })?;
    linker.func_wrap(MODULE, "clock_time_get", |mut guest: Guest, _: u32, _: u64, at: u32| -> Result<u32> {
        let now = guest.data().host.now_ns;
        write(&mut guest, at, &now.to_le_bytes())?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "random_get", |mut guest: Guest, at: u32, size: u32| -> Result<u32> {
        let mut data = Vec::new();
        for _ in 0..size {
            let state = &mut guest.data_mut().random;
            *state ^= *state << 13;
            *state ^= *state >> 7;
            *state ^= *state << 17;
            data.extend(state.to_le_bytes().first());
        }
        write(&mut guest, at, &data)?;
        Ok(0)
    })?;
    linker.func_wrap(MODULE, "sched_yield", || -> u32 { 0 })?;
    Ok(())
}

fn words(entry: &[u8]) -> Option<([u32; 2], &[u8])> {
    let (at, rest) = entry.split_first_chunk::<4>()?;
    let (size, rest) = rest.split_first_chunk::<4>()?;
    Some(([u32::from_le_bytes(*at), u32::from_le_bytes(*size)], rest))
}

fn sizes(guest: &Guest) -> Result<(u32, u32)> {
    let entries = &guest.data().environment;
    Ok((u32::try_from(entries.len())?, u32::try_from(entries.iter().map(Vec::len).sum::<usize>())?))
}
