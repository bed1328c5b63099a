//! Counters in shared data: a fixed number of keys, each a page of a few counters.
//!
//! A counter's key is its name's hash, so it is found again after a VM reload and a change of the configuration. It can
//! only stand in one page, so two workers cannot create it twice. A page that is full sends further keys of that window
//! to one counter that all of them share, which is enforced like any other.

use super::codec;
use super::counter::{Counter, MAX_TTL, Moment};
use super::hash::Hasher;
use super::pages::Pages;
use super::{Rule, Slot, Unit};
use crate::host::{Millis, Shared};

/// Counters in a page, those whose keys clients choose among them, and in one of those that hold the shared counters: one for each limit at most.
pub const WAYS: usize = 16;
const OPEN_WAYS: usize = 8;
const SHARED_WAYS: usize = 64;
const SHARED_PAGES: u32 = 16;

/// Keys that are made at most: a page is 1 KB when it is full.
const MAX_PAGES: u32 = 1 << 14;
pub const DEFAULT_PAGES: u32 = 1 << 10;

const VERSION: u8 = 2;
pub(super) const EMPTY: &[u8] = &[VERSION, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const PAGES: Pages = Pages { name: b"sluice.quota.2.000000", size: "sluice.quota.2.size", empty: EMPTY };
/// What the store knows this Envoy as.
const WHO: &str = "sluice.quota.2.envoy";

/// Tries to change a page while other workers change it. Each failure is another's success.
pub const ATTEMPTS: usize = 100;

/// This Envoy's name: another after each start of it, for its counters begin again. `seed`: what no other Envoy has, nor this one
/// at another time.
pub fn who(shared: &dyn Shared, seed: &dyn Fn() -> Vec<u8>) -> String {
    let known = || shared.load(WHO).and_then(|(name, _)| String::from_utf8(name).ok());
    let made = || {
        let mut hasher = Hasher::default();
        hasher.part(&seed());
        let name = format!("{:032x}", hasher.finish());
        shared.store(WHO, name.as_bytes(), None);
        name
    };
    known().unwrap_or_else(made)
}

#[derive(Clone, Copy)]
pub struct Table<'a> {
    shared: &'a dyn Shared,
    pages: u32,
}

/// Why a key has no counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closed {
    /// The page could not be read: what was counted is unknown, until the window that it was counted in is over.
    Broken,
    /// There is no room: in the shared counters' page, or for a key of the fleet's.
    Full,
    /// Other workers were always first.
    Busy,
}

/// A counter, out of its page to be changed.
pub struct Seat {
    page: Page,
    pub slot: Slot,
    /// Shared with other keys that found no room.
    pub crowded: bool,
    /// Large, and passed on a few times.
    pub counter: Box<Counter>,
    pub moment: Moment,
}

impl<'a> Table<'a> {
    /// Makes the pages. Their number stays what it was first, so that no counter is lost.
    pub fn prepare(shared: &'a dyn Shared, pages: u32) -> Self {
        PAGES.prepare(shared, pages.clamp(1, MAX_PAGES).next_power_of_two(), SHARED_PAGES);
        Self::open(shared)
    }

    /// As it was prepared.
    pub fn open(shared: &'a dyn Shared) -> Self {
        let size = PAGES.count(shared).unwrap_or(0);
        let pages = if (1..=MAX_PAGES).contains(&size) { size } else { DEFAULT_PAGES };
        Self { shared, pages }
    }

    /// Without a look at the store; `pages` is what [`Self::pages`] said.
    pub fn of(shared: &'a dyn Shared, pages: u32) -> Self {
        Self { shared, pages: pages.clamp(1, MAX_PAGES) }
    }

    pub fn pages(&self) -> u32 {
        self.pages
    }

    /// All pages, the shared ones included.
    pub fn all(&self) -> u32 {
        self.pages.saturating_add(SHARED_PAGES)
    }

    fn index(&self, slot: Slot, crowded: bool) -> u32 {
        let low = u32::try_from(slot.0 & 0xffff_ffff).unwrap_or(0);
        let within = if crowded { SHARED_PAGES } else { self.pages };
        let index = low.checked_rem(within).unwrap_or(0);
        if crowded { self.pages.saturating_add(index) } else { index }
    }

    fn load(&self, index: u32) -> Page {
        let (bytes, cas) = PAGES.load(self.shared, index);
        Page::of(index, bytes, cas)
    }

    /// The page of a key.
    pub(super) fn page(&self, slot: Slot) -> Page {
        self.load(self.index(slot, false))
    }

    /// The counter of a key, brought to now; a new one if there is none. `crowded`: straight to the shared one.
    pub fn seat(&self, rule: &Rule, slot: Slot, crowded: bool, now: Millis) -> Result<Seat, Closed> {
        self.seat_in(None, rule, slot, crowded, now)
    }

    /// The same, of a page that may be there already.
    pub(super) fn seat_in(
        &self,
        mut page: Option<Page>,
        rule: &Rule,
        slot: Slot,
        crowded: bool,
        now: Millis,
    ) -> Result<Seat, Closed> {
        for _ in 0..ATTEMPTS {
            let slot = if crowded { rule.crowd() } else { slot };
            let page = page.take().unwrap_or_else(|| self.load(self.index(slot, crowded)));
            let mut page = page.read();
            let opened = rule.opened(now);
            let found = page.body(slot).map(codec::decode);
            if page.ok && !matches!(found, Some(None)) {
                let known = found.flatten();
                if known.is_none() && page.broken_at >= opened && page.broken_at > 0 {
                    return Err(Closed::Broken);
                }
                let full_at = if slot.is_open() { page.open_full_at } else { page.full_at };
                let closed = full_at >= opened && full_at > 0;
                let closed = closed && rule.fleet().is_none();
                if known.is_some() || (!closed && page.has_room(slot, crowded, now)) {
                    let mut counter = known.unwrap_or_default();
                    let moment = counter.roll(rule.window, now);
                    return Ok(Seat { page, slot, crowded, counter, moment });
                }
                // What other Envoys count for this key alone cannot be counted here for many.
                if crowded || rule.fleet().is_some() {
                    return Err(Closed::Full);
                }
                let mark = if slot.is_open() { &mut page.open_full_at } else { &mut page.full_at };
                *mark = now.max(full_at);
                if closed || self.put(&page, &page.rewritten(None, now)) {
                    return self.seat(rule, slot, true, now);
                }
            } else {
                let broken = Page { broken_at: now.max(1), ok: true, bytes: Vec::new(), ..page };
                self.put(&broken, &broken.rewritten(None, now));
            }
        }
        Err(Closed::Busy)
    }

    /// `false`: another worker was first; nothing was changed.
    pub fn keep(&self, rule: &Rule, seat: &Seat) -> bool {
        let ends = seat.counter.leased().unwrap_or_else(|| seat.counter.over(rule.window, &seat.moment.piece));
        let kept = (!seat.counter.is_empty()).then_some(ends);
        self.put(&seat.page, &seat.page.rewritten(Some((seat.slot, kept, &seat.counter)), seat.moment.now))
    }

    /// A page that was changed where it lies. `false`: another worker was first; nothing was changed.
    pub(super) fn keep_page(&self, page: &Page) -> bool {
        self.put(page, &page.bytes)
    }

    fn put(&self, page: &Page, bytes: &[u8]) -> bool {
        PAGES.store(self.shared, page.index, bytes, page.cas)
    }

    /// Changes a counter that there is, whatever its rule: `change` says whether to keep it.
    pub fn change(&self, slot: Slot, now: Millis, change: &mut dyn FnMut(&mut Counter) -> bool) -> bool {
        let pages = [self.index(slot, false), self.index(slot, true)];
        pages.into_iter().any(|index| {
            for _ in 0..ATTEMPTS {
                let page = self.load(index).read();
                let Some((ends, mut counter)) = page.entry(slot) else { return false };
                counter.lapse(now);
                let changed = change(&mut counter);
                let ends = counter.leased().unwrap_or(ends);
                if !changed || self.put(&page, &page.rewritten(Some((slot, Some(ends), &counter)), now)) {
                    return true;
                }
            }
            false
        })
    }

    /// A look at a counter, brought to now, which changes nothing; `None`: nothing is counted there.
    pub fn peek(&self, rule: &Rule, slot: Slot, now: Millis) -> Option<Seat> {
        let page = self.page(slot).read();
        let (_, mut counter) = page.entry(slot)?;
        let moment = counter.roll(rule.window, now);
        Some(Seat { page, slot, crowded: false, counter, moment })
    }

    /// The keys in a page whose counters have a lease.
    pub fn leased(&self, index: u32) -> Vec<Slot> {
        let page = self.load(index).read();
        page.entries().filter(|entry| codec::has_lease(entry.body)).map(|entry| entry.slot).collect()
    }
}

/// Version, `full_at`, `open_full_at`, `broken_at`, then the entries: slot, when it is over, length, counter.
pub(super) struct Page {
    index: u32,
    bytes: Vec<u8>,
    cas: u32,
    ok: bool,
    /// When a key last found no room: whoever may have been counted elsewhere since is not given a counter here.
    full_at: Millis,
    /// The same for keys that clients choose.
    open_full_at: Millis,
    /// When it could not be read.
    broken_at: Millis,
}

struct Entry<'p> {
    slot: Slot,
    ends: Millis,
    /// With its slot, end and length; and the counter alone.
    whole: &'p [u8],
    body: &'p [u8],
}

impl Page {
    fn of(index: u32, bytes: Vec<u8>, cas: u32) -> Self {
        let (full_at, open_full_at, broken_at) = (0, 0, 0);
        Self { index, bytes, cas, ok: true, full_at, open_full_at, broken_at }
    }

    fn read(mut self) -> Self {
        self.ok = self.head().is_some_and(|[full_at, open_full_at, broken_at]| {
            (self.full_at, self.open_full_at, self.broken_at) = (full_at, open_full_at, broken_at);
            self.entries().fold(EMPTY.len(), |size, entry| size.saturating_add(entry.whole.len())) == self.bytes.len()
        });
        self
    }

    fn head(&self) -> Option<[Millis; 3]> {
        let rest = &mut self.bytes.strip_prefix(&[VERSION])?;
        Some([codec::word(rest)?, codec::word(rest)?, codec::word(rest)?])
    }

    fn entries(&self) -> impl Iterator<Item = Entry<'_>> {
        let mut rest = self.bytes.get(EMPTY.len()..).unwrap_or_default();
        std::iter::from_fn(move || {
            let all = rest;
            let slot = Slot(codec::take(&mut rest, 16)?.try_into().map(u128::from_le_bytes).ok()?);
            let ends = codec::word(&mut rest)?;
            let len = usize::try_from(codec::number(&mut rest)?).ok()?;
            let body = codec::take(&mut rest, len)?;
            let whole = all.get(..all.len().saturating_sub(rest.len()))?;
            Some(Entry { slot, ends, whole, body })
        })
    }

    /// When a counter is over, and the counter where it lies, in a page that can be read.
    pub(super) fn body_mut(&mut self, slot: Slot) -> Option<(Millis, &mut [u8])> {
        let (mut size, mut found) = (EMPTY.len(), None);
        for entry in self.entries() {
            size = size.saturating_add(entry.whole.len());
            if entry.slot == slot {
                found = Some((entry.ends, size.saturating_sub(entry.body.len())..size));
            }
        }
        let (ends, body) = found.filter(|_| size == self.bytes.len() && self.bytes.first() == Some(&VERSION))?;
        Some((ends, self.bytes.get_mut(body)?))
    }

    fn body(&self, slot: Slot) -> Option<&[u8]> {
        self.entries().find(|entry| entry.slot == slot).map(|entry| entry.body)
    }

    fn entry(&self, slot: Slot) -> Option<(Millis, Box<Counter>)> {
        let entry = self.entries().find(|entry| entry.slot == slot).filter(|_| self.ok)?;
        Some((entry.ends, codec::decode(entry.body)?))
    }

    fn has_room(&self, slot: Slot, crowded: bool, now: Millis) -> bool {
        let counts = |entry: &Entry<'_>| !slot.is_open() || entry.slot.is_open();
        let ways = match (crowded, slot.is_open()) {
            (true, _) => SHARED_WAYS,
            (false, true) => OPEN_WAYS,
            (false, false) => WAYS,
        };
        let mut all = self.entries().filter(counts);
        self.entries().filter(counts).count() < ways || all.any(|entry| entry.ends <= now)
    }

    /// The page's bytes with one counter changed, or taken out if it has no end. Counters that are over make room only
    /// where it is needed: a clock that is wrong for a moment loses none.
    fn rewritten(&self, changed: Option<(Slot, Option<Millis>, &Counter)>, now: Millis) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes.len().saturating_add(128));
        out.push(VERSION);
        for mark in [self.full_at, self.open_full_at, self.broken_at] {
            codec::put_word(&mut out, mark);
        }
        let tight = self.entries().count() >= OPEN_WAYS;
        for entry in self.entries() {
            let same = changed.as_ref().is_some_and(|(slot, ..)| *slot == entry.slot);
            let over = tight && entry.ends <= now;
            if !(same || over) {
                out.extend_from_slice(entry.whole);
            }
        }
        if let Some((slot, Some(ends), counter)) = changed {
            out.extend_from_slice(&slot.0.to_le_bytes());
            codec::put_word(&mut out, ends);
            codec::put_sized(&mut out, |out| codec::encode(counter, out));
        }
        out
    }
}

impl Rule {
    /// The earliest moment at which something that counts now may have been counted.
    pub(super) fn opened(&self, now: Millis) -> Millis {
        // Concurrency has no window, but what was in flight is over after the longest deadline and a few extensions.
        if self.unit == Unit::Concurrent { now.saturating_sub(4 * MAX_TTL) } else { self.window.opened(now) }
    }
}

#[cfg(test)]
mod tests;
