//! What must hold of a page of any bytes.

use super::page::{added, entries, totals};
use super::{FIELDS, Totals};

fn sum(page: &[u8]) -> Totals {
    entries(page).fold(Totals::default(), |mut sum, entry| {
        sum.add(&totals(entry.body));
        sum
    })
}

/// Whatever could be read of a page is in it still after a call is added, and the call once.
pub fn fuzz_ledger(data: &[u8]) {
    let Some((day, page)) = data.split_first() else { return };
    let call = Totals([1; FIELDS.len()]);
    let (today, head) = (20_000_u64.saturating_add(u64::from(*day)), [day & 3, 0x80 | day, 7, b'k']);
    let mut want = sum(page);
    want.add(&call);
    let (once, whole) = added(page, &head, &call, today);
    assert_eq!(sum(&once), want);
    want.add(&call);
    let (twice, again) = added(&once, &head, &call, today);
    assert!(again, "what was written can be read");
    assert_eq!(sum(&twice), want);
    assert!(twice.len() <= page.len().saturating_add(2048), "it does not grow without end");
    let read: usize = entries(page).map(|entry| entry.head.len().saturating_add(entry.body.len())).sum();
    assert!(!whole || read <= page.len());
}
