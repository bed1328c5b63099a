use super::*;

const NOW: Millis = 1_795_248_000_000;
const SLOT: Slot = Slot(7);
const DAY: Piece = Piece { start: NOW - 1000, end: NOW + 86_400_000 };

fn answer(lease: &Lease, amount: u64, free: u64) -> Answer {
    Answer { born: 5, seq: lease.seq, lease: amount, free, share: free / 4, before: 0, used: 0 }
}

/// A lease of 80 that a second call has asked for.
fn lent(limit: u64) -> Lease {
    let mut lease = Lease::new(DAY, limit, 0);
    lease.ask(SLOT, 0, 10, NOW);
    lease.answered(&answer(&lease, 10, limit.saturating_sub(10)), 0, NOW);
    lease.ask(SLOT, 10, 40, NOW);
    lease.answered(&answer(&lease, 80, limit.saturating_sub(80)), 0, NOW);
    assert_eq!((lease.size, lease.ceil), (80, 80));
    lease
}

#[test]
fn a_first_call_asks_for_itself_and_a_second_for_those_after_it() {
    let mut lease = Lease::new(DAY, 1000, 0);
    assert_eq!(lease.word(0, 10, NOW), Word::Ask);
    let message = lease.ask(SLOT, 0, 10, NOW);
    assert_eq!((message.need, message.want, message.have), (10, 10, 0));
    assert_eq!(lease.ask(SLOT, 0, 10, NOW), message, "the same until it is answered");
    let first = answer(&lease, 10, 990);
    assert!(lease.answered(&first, 0, NOW + 2).is_some());
    assert!(lease.answered(&first, 0, NOW + 3).is_none(), "an answer counts once");
    assert_eq!((lease.word(0, 10, NOW + 2), lease.word(10, 10, NOW + 2)), (Word::Yes, Word::Ask));
    let message = lease.ask(SLOT, 10, 10, NOW + 3);
    assert_eq!((message.need, message.want, message.have), (10, 20, 10));
    lease.answered(&answer(&lease, 30, 970), 10, NOW + 4);
    assert_eq!((lease.word(10, 20, NOW + 4), lease.word(10, 21, NOW + 4)), (Word::Yes, Word::Ask));
    assert_eq!(lease.word(0, 1001, NOW + 4), Word::No);
    assert_eq!(lease.word(0, 10, NOW + 3 + ADMIT), Word::Ask, "an old lease admits nothing");
}

#[test]
fn what_a_rare_call_leaves_is_given_back_soon() {
    let mut lease = Lease::new(DAY, 1000, 0);
    lease.ask(SLOT, 0, 10, NOW);
    lease.answered(&answer(&lease, 10, 990), 0, NOW);
    assert_eq!(lease.touched(SLOT, 10, NOW), None);
    lease.total = 3;
    let told = lease.touched(SLOT, 3, NOW + ADMIT / 8).expect("told");
    assert_eq!((told.total, told.have, told.want), (3, 0, 0));
    lease.answered(&answer(&lease, 0, 997), 3, NOW + ADMIT / 8);
    assert!(lease.is_drained(), "the store knows all");
}

#[test]
fn a_lease_is_renewed_before_it_runs_dry_and_given_back_when_idle() {
    let mut lease = lent(1_000_000);
    assert_eq!(lease.touched(SLOT, 40, NOW + 1), None);
    let message = lease.touched(SLOT, 50, NOW + 2).expect("it runs low");
    assert_eq!((message.need, message.want, message.have), (0, 160, 80), "used up fast: twice as much");
    lease.answered(&answer(&lease, 240, 900_000), 50, NOW + 3);
    lease.total = 50;
    let told = lease.due(SLOT, 50, NOW + 4 + ADMIT / 2).expect("it has to be told what was used");
    assert_eq!((told.total, told.have, told.want), (50, 0, 0), "and what is not used is given back");
    assert_eq!(lease.word(50, 1, NOW + 5 + ADMIT / 2), Word::Ask);
}

#[test]
fn a_threshold_is_told_by_whoever_passes_it() {
    let mut lease = Lease::new(DAY, 1000, 0);
    lease.marks = u64::from_le_bytes([50, 80, 100, 0, 0, 0, 0, 0]);
    let mut told = |before, used| {
        lease.ask(SLOT, 0, 10, NOW);
        let answer = Answer { before, used, ..answer(&lease, 10, 0) };
        lease.answered(&answer, 0, NOW).expect("it is the answer")
    };
    assert_eq!(told(0, 499), [0; 0]);
    assert_eq!(told(499, 500), [50]);
    assert_eq!(told(500, 1000), [80, 100]);
    assert_eq!(told(1000, 1100), [0; 0]);
}

#[test]
fn a_store_without_more_is_believed_for_a_moment() {
    let mut lease = Lease::new(DAY, 1000, 0);
    lease.ask(SLOT, 0, 10, NOW);
    lease.answered(&answer(&lease, 0, 3), 0, NOW);
    assert_eq!(lease.word(0, 10, NOW + 1), Word::No);
    assert_eq!(lease.word(0, 3, NOW + 1), Word::Ask, "this would fit");
    assert_eq!(lease.word(0, 10, NOW + DRY), Word::Ask);
}

#[test]
fn a_store_that_does_not_answer_is_down_and_loses_nothing() {
    let mut lease = Lease::new(DAY, 1000, 0);
    let first = lease.ask(SLOT, 0, 10, NOW);
    assert_eq!(lease.word(0, 10, NOW + DOWN - 1), Word::Ask);
    assert_eq!(lease.word(0, 10, NOW + DOWN), Word::Down);
    lease.total = 70;
    let again = lease.due(SLOT, 70, NOW + RETRY).expect("sent again");
    assert_eq!(again, Message { lease_ms: again.lease_ms, keep_ms: again.keep_ms, ..first }, "as it was");
    assert_eq!(lease.due(SLOT, 70, NOW + RETRY + 1), None);
    lease.answered(&answer(&lease, 80, 920), 70, NOW + 9000);
    let told = lease.due(SLOT, 70, NOW + 9000 + ADMIT).expect("what was settled meanwhile");
    assert_eq!((told.total, told.acked), (70, 0));
}

#[test]
fn what_is_more_than_fair_is_given_back() {
    let mut lease = lent(1000);
    lease.touched(SLOT, 10, NOW + 1);
    lease.due(SLOT, 10, NOW + ADMIT / 2).expect("renewed");
    lease.answered(&answer(&lease, 80, 8), 10, NOW + ADMIT / 2);
    assert_eq!(lease.ceil, 12);
    let back = lease.due(SLOT, 10, NOW + ADMIT / 2 + 1).expect("at once");
    assert_eq!((back.have, back.want), (12, 0));
}

/// The others have used all the rest: of an Envoy that has no calls they get what it has.
#[test]
fn nothing_is_fair_when_nothing_is_left_and_an_idle_envoy_says_so() {
    let mut lease = lent(1000);
    lease.touched(SLOT, 10, NOW + 1);
    lease.total = 10;
    lease.due(SLOT, 10, NOW + ADMIT / 2).expect("renewed");
    lease.answered(&answer(&lease, 70, 0), 10, NOW + ADMIT / 2);
    assert_eq!((lease.ceil, lease.owes()), (10, false));
    assert!(!lease.is_drained(), "the store does not know yet");
    let back = lease.due(SLOT, 10, NOW + ADMIT / 2 + 1).expect("at once");
    assert_eq!((back.have, back.want), (0, 0));
    lease.answered(&answer(&lease, 0, 70), 10, NOW + ADMIT / 2 + 1);
    assert!(lease.is_drained());
    assert_eq!(lease.due(SLOT, 10, NOW + 10 * ADMIT), None, "nothing more to tell");
}

#[test]
fn the_end_of_a_window_is_told_and_nothing_of_it_is_kept() {
    let mut lease = Lease::new(DAY, 1000, 0);
    lease.ask(SLOT, 0, 10, NOW);
    lease.answered(&answer(&lease, 80, 900), 0, NOW);
    lease.total = 30;
    let mut past = lease.over();
    let told = past.due(SLOT, 0, DAY.end).expect("told");
    assert_eq!((told.total, told.have, told.want, told.start), (30, 0, 0, DAY.start));
    past.answered(&answer(&past, 0, 0), 0, DAY.end + 1);
    assert!(!past.owes());
    assert_eq!(past.due(SLOT, 0, DAY.end + ADMIT), None);
}

#[test]
fn a_lease_is_the_envoys_until_its_window_is_over() {
    let mut lease = Lease { stays: RECLAIM_TOTAL, ..Lease::new(DAY, 1000, 0) };
    let message = lease.ask(SLOT, 0, 10, NOW);
    assert!(NOW.saturating_add(message.lease_ms) >= DAY.end && message.keep_ms > message.lease_ms);
    let mut total = Lease { stays: RECLAIM, ..Lease::new(Piece { start: 0, end: Millis::MAX }, 1000, 0) };
    let message = total.ask(SLOT, 0, 10, NOW);
    assert_eq!((message.lease_ms, message.keep_ms), (RECLAIM, 0), "a total has no end");
}
