//! The store's language: RESP, as far as scripts need it.

use super::lease::{Answer, MAX_AMOUNT, Message};

/// What Redis runs. Its arguments and replies are told in the file.
pub const SCRIPT: &str = include_str!("lease.lua");

/// The name that Redis knows it by. A test on Redis fails with a name that is not its own.
pub const SCRIPT_SHA1: &str = "44d9aaaca1ae67561efbe8e8d5d63412728d9360";

/// Bytes of one reply that are read at most: a number, or an error's line.
const MAX_LINE: usize = 512;

/// A reply of the store's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Answer(Answer),
    /// A list of strings.
    Words(Vec<Vec<u8>>),
    /// The store does not know the script: send it again whole.
    NoScript,
    /// What it says.
    Error(String),
    /// The end of what was asked, or an answer to something else.
    Other,
}

impl Reply {
    /// Of one that is not what was asked for.
    pub fn why(self) -> String {
        match self {
            Self::Error(why) => why,
            Self::NoScript => "NOSCRIPT".to_owned(),
            _ => "no answer".to_owned(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// More has to come.
    Short,
    /// Not what this store may say.
    Wrong,
}

/// What a script is run by, before its arguments, of which there are so many. `sha`: its name, if the store may know it.
pub fn run(out: &mut Vec<u8>, script: &str, sha: Option<&str>, keys: &[Vec<u8>], arguments: usize) {
    head(out, b'*', arguments.saturating_add(keys.len()).saturating_add(3));
    match sha {
        Some(sha) => [b"EVALSHA", sha.as_bytes()],
        None => [&b"EVAL"[..], script.as_bytes()],
    }
    .into_iter()
    .for_each(|part| word(out, part));
    digits(out, u64::try_from(keys.len()).unwrap_or(0));
    keys.iter().for_each(|key| word(out, key));
}

fn head(out: &mut Vec<u8>, kind: u8, number: usize) {
    out.push(kind);
    decimal(out, u64::try_from(number).unwrap_or(0));
    out.extend_from_slice(b"\r\n");
}

/// Adds a number as an argument.
pub fn digits(out: &mut Vec<u8>, number: u64) {
    let mut text = Vec::with_capacity(20);
    decimal(&mut text, number.min(MAX_AMOUNT));
    word(out, &text);
}

pub fn word(out: &mut Vec<u8>, word: &[u8]) {
    head(out, b'$', word.len());
    out.extend_from_slice(word);
    out.extend_from_slice(b"\r\n");
}

pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    let start = out.len();
    loop {
        let digit = u8::try_from(number.checked_rem(10).unwrap_or(0)).unwrap_or(0);
        out.push(digit.saturating_add(b'0'));
        number = number.checked_div(10).unwrap_or(0);
        if number == 0 {
            break;
        }
    }
    if let Some(digits) = out.get_mut(start..) {
        digits.reverse();
    }
}

/// Adds a message as one command. `sha`: of the script, if the store may know it. `prefix` keeps gateways apart that share
/// a store.
pub fn command(out: &mut Vec<u8>, message: &Message, prefix: &str, envoy: &str, sha: Option<&str>) {
    let mut key = Vec::with_capacity(64);
    key.extend_from_slice(prefix.as_bytes());
    // A hash tag: all windows of a counter live on one node of a cluster.
    key.push(b'{');
    for byte in message.slot.0.to_be_bytes() {
        for digit in [byte >> 4, byte & 15] {
            key.push(if digit < 10 { digit | b'0' } else { digit.saturating_add(b'a' - 10) });
        }
    }
    key.extend_from_slice(b"}:");
    decimal(&mut key, message.start);
    run(out, SCRIPT, sha, &[key], 11);
    word(out, envoy.as_bytes());
    let Message { seq, born, total, acked, have, need, want, limit, lease_ms, keep_ms, .. } = *message;
    for number in [seq, born, total, acked, have, need, want, limit, lease_ms, keep_ms] {
        digits(out, number);
    }
}

/// Adds what says who is calling. Redis before 6, and any without users, takes the password alone.
pub fn login(out: &mut Vec<u8>, user: &str, password: &str) {
    head(out, b'*', if user.is_empty() { 2 } else { 3 });
    word(out, b"AUTH");
    if !user.is_empty() {
        word(out, user.as_bytes());
    }
    word(out, password.as_bytes());
}

/// Asks what time it is: seconds and what is beyond them, as a list.
pub fn time(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*1\r\n$4\r\nTIME\r\n");
}

/// The end: Redis closes the connection after it.
pub fn quit(out: &mut Vec<u8>) {
    out.extend_from_slice(b"*1\r\n$4\r\nQUIT\r\n");
}

/// Takes one reply off the front.
pub fn reply(bytes: &mut &[u8]) -> Result<Reply, Broken> {
    let mut rest = *bytes;
    let reply = match line(&mut rest)? {
        (b'*', b"7") => {
            let mut next = || match line(&mut rest)? {
                (b':', digits) => number(digits),
                _ => Err(Broken::Wrong),
            };
            Reply::Answer(Answer {
                born: next()?,
                seq: next()?,
                lease: next()?,
                free: next()?,
                share: next()?,
                before: next()?,
                used: next()?,
            })
        }
        (b'*', count) => {
            let words = (0..number(count)?).map(|_| match line(&mut rest)? {
                (b'$', len) => {
                    let len = usize::try_from(number(len)?).map_err(|_| Broken::Wrong)?;
                    let (word, after) = rest.split_at_checked(len).ok_or(Broken::Short)?;
                    rest = match after {
                        [b'\r', b'\n', after @ ..] => after,
                        [] | [b'\r'] => return Err(Broken::Short),
                        _ => return Err(Broken::Wrong),
                    };
                    Ok(word.to_vec())
                }
                _ => Err(Broken::Wrong),
            });
            Reply::Words(words.collect::<Result<_, _>>()?)
        }
        (b'-', text) if text.starts_with(b"NOSCRIPT") => Reply::NoScript,
        (b'-', text) => Reply::Error(String::from_utf8_lossy(text).into_owned()),
        (b'+', _) => Reply::Other,
        _ => return Err(Broken::Wrong),
    };
    *bytes = rest;
    Ok(reply)
}

fn line<'a>(bytes: &mut &'a [u8]) -> Result<(u8, &'a [u8]), Broken> {
    let (kind, rest) = bytes.split_first().ok_or(Broken::Short)?;
    let seen = rest.get(..MAX_LINE).unwrap_or(rest);
    let short = if rest.len() >= MAX_LINE { Broken::Wrong } else { Broken::Short };
    let end = memchr::memchr(b'\r', seen).ok_or(short)?;
    let (text, rest) = rest.split_at_checked(end).ok_or(Broken::Wrong)?;
    *bytes = match rest {
        [b'\r', b'\n', rest @ ..] => rest,
        [b'\r'] => return Err(Broken::Short),
        _ => return Err(Broken::Wrong),
    };
    Ok((*kind, text))
}

fn number(digits: &[u8]) -> Result<u64, Broken> {
    let text = std::str::from_utf8(digits).map_err(|_| Broken::Wrong)?;
    // What cannot be negative is, if someone else has written to the counter.
    if text.starts_with('-') {
        return Ok(0);
    }
    text.parse().map_err(|_| Broken::Wrong)
}

#[cfg(test)]
mod tests;
