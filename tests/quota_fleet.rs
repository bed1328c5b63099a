//! A fleet of Envoys on one store, in simulated time: the limit is never passed, and what was settled is what the store
//! knows, whatever is lost on the way.

#![expect(clippy::indexing_slicing, clippy::arithmetic_side_effects, reason = "numbers of a test are small")]

mod quota_model;

use quota_model::{Figures, Fleet, Plan};
use sluice::quota::Down;

fn run(plan: Plan) -> Figures {
    Fleet::run(plan).figures
}

#[test]
fn a_fleet_never_passes_a_limit_and_the_store_knows_the_truth() {
    for seed in 1..=2 {
        let figures = run(Plan::new(20, 50, seed));
        assert_eq!((figures.overshoot, figures.untrue), (0, 0), "{figures:?}");
        assert!(figures.refused > 0 && figures.admitted > 0, "{figures:?}");
    }
}

#[test]
fn budgets_of_calls_are_used_up_to_the_last_one() {
    for seed in 1..=2 {
        let figures = run(Plan { largest: 1, consumers: 20, budget_permille: 500, ..Plan::new(10, 20, seed) });
        assert_eq!((figures.overshoot, figures.untrue, figures.unused), (0, 0, 0), "{figures:?}");
        assert_eq!(figures.exhausted, 20);
    }
}

#[test]
fn messages_that_are_lost_late_or_doubled_change_nothing() {
    for seed in 1..=2 {
        let plan = Plan { lost: 100, twice: 100, late: 3000, ..Plan::new(10, 30, seed) };
        let figures = run(plan);
        assert_eq!((figures.overshoot, figures.untrue), (0, 0), "{figures:?}");
    }
}

#[test]
fn envoys_that_die_cost_their_lease_and_no_more() {
    for seed in 1..=2 {
        let figures = run(Plan { crashes: 40, lost: 20, ..Plan::new(10, 30, seed) });
        assert_eq!(figures.overshoot, 0, "{figures:?}");
        assert!(figures.admitted > figures.calls / 4, "{figures:?}");
    }
}

#[test]
fn a_store_that_was_away_is_told_all() {
    for (down, least) in [(Down::Deny, 2), (Down::Allow, 3), (Down::Local(50), 2)] {
        let plan = Plan { down, away: Some((60_000, 180_000)), ..Plan::new(10, 30, 5) };
        let figures = run(plan);
        assert_eq!(figures.untrue, 0, "{down:?} {figures:?}");
        assert!(figures.admitted > figures.calls * least / 10, "{down:?} {figures:?}");
        // 10 Envoys with a twentieth each stay within the limit as long as the store had lent less than half of it.
        let bound = if down == Down::Deny { 0 } else { u64::MAX };
        assert!(figures.overshoot <= bound, "{down:?} {figures:?}");
    }
}

/// For so long that the store would take any lease back that it may: what was used and not told must not be lent again.
#[test]
fn envoys_that_are_cut_off_come_back_without_a_limit_passed() {
    let figures = run(Plan {
        length: 1_500_000,
        calls_per_second: 20,
        away: Some((100_000, 1_250_000)),
        half: true,
        budget_permille: 400,
        ..Plan::new(4, 5, 1)
    });
    assert_eq!((figures.overshoot, figures.untrue), (0, 0), "{figures:?}");
    assert!(figures.refused > 0, "{figures:?}");
}

#[test]
fn a_store_that_forgot_is_told_again() {
    for seed in 1..=2 {
        let figures = run(Plan { flush: Some(150_000), ..Plan::new(10, 30, seed) });
        assert_eq!(figures.untrue, 0, "{figures:?}");
    }
}

/// `cargo test --release --test quota_fleet -- --ignored --nocapture`
#[test]
#[ignore = "some minutes: prints the figures of a large fleet"]
fn a_thousand_envoys_and_ten_thousand_consumers() {
    // Keys that are seldom seen at any one Envoy, with little and with plenty; and a few that are seen all the time.
    for (consumers, permille, length) in [(10_000, 700, 600_000), (10_000, 3000, 600_000), (100, 3000, 300_000)] {
        let plan = Plan {
            length,
            calls_per_second: 5000,
            budget_permille: permille,
            pages: 256,
            ..Plan::new(1000, consumers, 1)
        };
        let figures = run(plan);
        println!("{consumers} consumers, budgets of {permille} thousandths of what is asked for: {figures:#?}");
        println!("store operations a second: {} on average", figures.messages / figures.seconds);
        assert_eq!((figures.overshoot, figures.untrue), (0, 0));
    }
}
