use super::*;
use crate::quota::codec;

const NOW: Millis = 1_795_248_000_000;

/// A small generator: the same numbers on every run.
fn random(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}

/// Whatever is joined for want of room: for each deadline, at least what is open then is held until then.
#[test]
fn nothing_open_comes_free_before_its_deadline() {
    for mut seed in 1..200_u64 {
        let windows = [Window::Sliding(3_600_000), Window::Total, Window::Calendar(1, super::super::Span::Day)];
        let window = windows[(seed % 3) as usize];
        let mut counter = Counter::default();
        let mut open: Vec<(Millis, u64, u64)> = Vec::new();
        let mut now = NOW;
        for _ in 0..400 {
            now += random(&mut seed) % 20_000;
            let moment = counter.roll(window, now);
            open.retain(|(cell, due, _)| *due > now / STEP && window.counts(*cell, now, &window.piece(now)));
            if random(&mut seed) & 3 > 0 || open.is_empty() {
                let due = due(now, random(&mut seed) % 1_000_000);
                let amount = 1 + random(&mut seed) % 100;
                counter.hold(moment.piece.start, due, amount);
                open.push((moment.piece.start, due, amount));
            } else {
                let at = random(&mut seed) as usize % open.len();
                let (cell, due, amount) = open.swap_remove(at);
                counter.take(cell, due, amount);
            }
            for later in 0..40 {
                let step = now / STEP + later;
                let held: u64 = counter.held.all().iter().filter(|h| h.due > step).map(|h| h.amount).sum();
                let need: u64 = open.iter().filter(|(_, due, _)| *due > step).map(|(.., amount)| amount).sum();
                assert!(held >= need, "{window:?} after {later} steps: {held} of {need}");
            }
            assert!(counter.held.all().iter().all(|held| held.due <= due(now, MAX_TTL)));
            let mut bytes = Vec::new();
            codec::encode(&counter, &mut bytes);
            let again = codec::decode(&bytes).expect("what was written is read");
            assert_eq!(
                (again.seen, again.held.all(), again.cells.all()),
                (now, counter.held.all(), counter.cells.all())
            );
        }
        counter.roll(window, now + MAX_TTL + STEP);
        assert_eq!(counter.held(), 0, "all lapses in the end");
    }
}

#[test]
fn bytes_that_are_no_counter_are_not_read() {
    let mut counter = Counter::default();
    let moment = counter.roll(Window::Sliding(60_000), NOW);
    counter.hold(moment.piece.start, due(NOW, 1000), 300);
    counter.charge(moment.piece.start, u64::MAX);
    counter.lease = Some(Lease::new(moment.piece, 5, 5));
    let mut bytes = Vec::new();
    codec::encode(&counter, &mut bytes);
    assert!(codec::decode(&bytes).is_some());
    for len in 0..bytes.len() {
        assert!(codec::decode(&bytes[..len]).is_none(), "{len}");
    }
    bytes.push(0);
    assert!(codec::decode(&bytes).is_none());
    for seed in 1..5000_u64 {
        let mut seed = seed;
        let noise: Vec<u8> = (0..random(&mut seed) % 80).map(|_| random(&mut seed).to_le_bytes()[3]).collect();
        if let Some(mut counter) = codec::decode(&noise) {
            counter.roll(Window::Sliding(60_000), NOW);
            counter.hold(NOW, due(NOW, 1), 1);
            counter.charge(NOW, 1);
            counter.take(NOW, due(NOW, 1), 1);
        }
    }
}

#[test]
fn a_usual_counter_is_small() {
    let mut counter = Counter::default();
    let moment = counter.roll(Window::Calendar(1, super::super::Span::Month), NOW);
    counter.hold(moment.piece.start, due(NOW, 300_000), 4_000_000_000);
    counter.charge(moment.piece.start, 400_000_000_000);
    let mut bytes = Vec::new();
    codec::encode(&counter, &mut bytes);
    assert!(bytes.len() <= 52, "{}", bytes.len());
}
