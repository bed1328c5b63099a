use wasmtime::{Caller, Extern, Memory, Result, StoreLimits, bail, error::Context as _};

use crate::scenario::headers::Headers;
use crate::scenario::host::{Host, Refusal};

/// What the host functions see: the host's answers, and what WASI gives.
pub struct State {
    pub host: Host,
    pub limits: StoreLimits,
    /// `NAME=value`, each ended by NUL.
    pub environment: Vec<Vec<u8>>,
    pub random: u64,
}

pub type Guest<'a> = Caller<'a, State>;

/// The number of a host call's result.
pub fn status(result: Result<(), Refusal>) -> u32 {
    match result {
        Ok(()) => 0,
        Err(refusal) => refusal as u32,
    }
}

pub fn memory(guest: &mut Guest) -> Result<Memory> {
    guest.get_export("memory").and_then(Extern::into_memory).context("the module exports no memory")
}

/// A range outside the memory is the module's fault, so it ends the run.
pub fn bytes(guest: &mut Guest, at: u32, length: u32) -> Result<Vec<u8>> {
    let memory = memory(guest)?;
    let (at, length) = (usize::try_from(at)?, usize::try_from(length)?);
    let end = at.checked_add(length).context("a range over the end of memory")?;
    Ok(memory.data(&guest).get(at..end).context("a range over the end of memory")?.to_vec())
}

pub fn text(guest: &mut Guest, at: u32, length: u32) -> Result<String> {
    Ok(String::from_utf8_lossy(&bytes(guest, at, length)?).into_owned())
}

pub fn write(guest: &mut Guest, at: u32, data: &[u8]) -> Result<()> {
    Ok(memory(guest)?.write(guest, usize::try_from(at)?, data)?)
}

pub fn write_u32(guest: &mut Guest, at: u32, value: u32) -> Result<()> {
    write(guest, at, &value.to_le_bytes())
}

/// Hands bytes over in memory that the module allocates.
pub fn give(guest: &mut Guest, data: &[u8], data_at: u32, size_at: u32) -> Result<()> {
    let size = u32::try_from(data.len())?;
    let at = if size == 0 {
        0
    } else {
        let allocate = guest.get_export("proxy_on_memory_allocate").or_else(|| guest.get_export("malloc"));
        let allocate = allocate.and_then(Extern::into_func).context("the module exports no allocator")?;
        let at = allocate.typed::<u32, u32>(&guest)?.call(&mut *guest, size)?;
        if at == 0 {
            bail!("the module has no memory for {size} bytes");
        }
        write(guest, at, data)?;
        at
    };
    write_u32(guest, data_at, at)?;
    write_u32(guest, size_at, size)
}

/// The ABI's form of a map: the number of pairs, all lengths, then names and values, each ended by NUL.
pub fn packed(headers: &Headers) -> Vec<u8> {
    let size = |length: usize| u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes();
    let mut bytes = size(headers.len()).to_vec();
    for (name, value) in headers.iter() {
        bytes.extend(size(name.len()));
        bytes.extend(size(value.len()));
    }
    for (name, value) in headers.iter() {
        for part in [name.as_bytes(), value] {
            bytes.extend_from_slice(part);
            bytes.push(0);
        }
    }
    bytes
}

pub fn unpacked(bytes: &[u8]) -> Option<Headers> {
    if bytes.is_empty() {
        return Some(Headers::default());
    }
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(u32::from_le_bytes(*count)).ok()?;
    let (lengths, mut rest) = rest.split_at_checked(count.checked_mul(8)?)?;
    let mut parts = Vec::new();
    for length in lengths.chunks_exact(4) {
        let length = usize::try_from(u32::from_le_bytes(*length.first_chunk()?)).ok()?;
        let (part, after) = rest.split_at_checked(length)?;
        parts.push(part);
        rest = after.strip_prefix(&[0])?;
    }
    let mut headers = Headers::default();
    for pair in parts.chunks_exact(2) {
        if let [name, value] = pair {
            headers.add(&String::from_utf8_lossy(name), value);
        }
    }
    rest.is_empty().then_some(headers)
}
