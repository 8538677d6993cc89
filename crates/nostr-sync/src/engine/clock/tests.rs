//! Timers and gaps, in time that stands still until everything waits.

use std::time::Duration;

use tokio::time::{advance, timeout};

use super::*;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// The next timer, and how long it took.
async fn next(timers: &Timers) -> (f64, Duration) {
    let start = Instant::now();
    (timers.due().await, start.elapsed())
}

fn is_empty(timers: &Timers) -> bool {
    let state = timers.0.borrow();
    state.due.is_empty() && state.by_id.is_empty()
}

/// Whether nothing is due in a day.
async fn is_quiet(timers: &Timers) -> bool {
    timeout(Duration::from_secs(86_400), timers.due()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn timers_are_due_in_the_order_of_their_times_and_not_before() {
    let timers = Timers::default();
    for (id, delay) in [(1.0, 300.0), (2.0, 100.0), (3.0, 200.0)] {
        timers.set(id, delay);
    }
    assert_eq!(next(&timers).await, (2.0, ms(100)));
    assert_eq!(next(&timers).await, (3.0, ms(100)));
    assert_eq!(next(&timers).await, (1.0, ms(100)));
    assert!(is_empty(&timers));
}

#[tokio::test(start_paused = true)]
async fn timers_of_one_moment_are_due_as_they_were_set() {
    let timers = Timers::default();
    for id in [1.0, 2.0, 3.0] {
        timers.set(id, 50.0);
    }
    assert_eq!(next(&timers).await, (1.0, ms(50)));
    assert_eq!(next(&timers).await, (2.0, ms(0)));
    assert_eq!(next(&timers).await, (3.0, ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_was_cleared_is_never_due() {
    let timers = Timers::default();
    timers.set(1.0, 10.0);
    timers.set(2.0, 20.0);
    timers.clear(1.0);
    // Of one that is over, and of one that never was: nothing.
    assert_eq!(next(&timers).await, (2.0, ms(20)));
    timers.clear(2.0);
    timers.clear(7.0);
    assert!(is_quiet(&timers).await);
    assert!(is_empty(&timers));
}

#[tokio::test(start_paused = true)]
async fn a_timer_that_is_set_again_is_due_once_at_its_new_time() {
    let timers = Timers::default();
    timers.set(1.0, 10.0);
    timers.set(1.0, 500.0);
    assert_eq!(next(&timers).await, (1.0, ms(500)));
    assert!(is_quiet(&timers).await);
}

#[tokio::test(start_paused = true)]
async fn what_is_past_negative_or_no_number_is_due_at_once() {
    let timers = Timers::default();
    for (id, delay) in [(1.0, 0.0), (2.0, -1_000.0), (3.0, f64::NAN), (4.0, f64::NEG_INFINITY)] {
        timers.set(id, delay);
        assert_eq!(next(&timers).await, (id, ms(0)));
    }
    // The process was late.
    timers.set(5.0, 10.0);
    timers.set(6.0, 20.0);
    timers.set(7.0, 5_000.0);
    advance(Duration::from_secs(1)).await;
    assert_eq!(next(&timers).await, (5.0, ms(0)));
    assert_eq!(next(&timers).await, (6.0, ms(0)));
    assert_eq!(next(&timers).await, (7.0, ms(4_000)));
}

#[tokio::test(start_paused = true)]
async fn a_delay_is_bounded() {
    let timers = Timers::default();
    timers.set(1.0, f64::INFINITY);
    timers.set(2.0, 1e300);
    assert_eq!(next(&timers).await, (1.0, ms(2_147_483_647)));
    assert_eq!(next(&timers).await, (2.0, ms(0)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_that_is_dropped_takes_no_timer_with_it_and_sees_the_new_ones() {
    let timers = Timers::default();
    timers.set(1.0, 1_000.0);
    assert!(timeout(ms(400), timers.due()).await.is_err());
    timers.set(2.0, 100.0);
    assert_eq!(next(&timers).await, (2.0, ms(100)));
    assert_eq!(next(&timers).await, (1.0, ms(500)));
    // Without any it waits, and does not end.
    assert!(is_quiet(&timers).await);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_timers_are_due_in_order_without_those_that_were_cleared() {
    let timers = Timers::default();
    let start = Instant::now();
    // Times in no order, some of them the same.
    let delay_of = |id: u32| f64::from(id.wrapping_mul(2_654_435_761) % 5_000);
    for id in 1..=10_000 {
        timers.set(id.into(), delay_of(id));
    }
    let is_cleared = |id: u32| id.is_multiple_of(3);
    for id in (1..=10_000).filter(|id| is_cleared(*id)) {
        timers.clear(id.into());
    }
    let mut expected: Vec<_> = (1..=10_000).filter(|id| !is_cleared(*id)).collect();
    expected.sort_by_key(|id| (delay_of(*id) as u64, *id));
    for id in expected {
        let (due, _) = next(&timers).await;
        assert_eq!((due, start.elapsed()), (id.into(), ms(delay_of(id) as u64)));
    }
    assert!(is_empty(&timers));
}

/// Whether a gap is found within that time.
async fn is_found(gap: &mut Gap, within: Duration) -> bool {
    timeout(within, gap.found()).await.is_ok()
}

/// Both clocks of this are of the same moment.
fn gap_with_wall(back: Duration) -> Gap {
    Gap { tick: Instant::now(), wall: SystemTime::now() - back }
}

#[tokio::test(start_paused = true)]
async fn while_nothing_sleeps_no_gap_is_found() {
    assert!(!is_found(&mut Gap::default(), Duration::from_secs(3_600)).await);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_stood_still_is_a_gap_once() {
    let mut gap = Gap::default();
    advance(TICK + GAP + ms(1)).await;
    assert!(is_found(&mut gap, ms(10)).await);
    assert!(!is_found(&mut gap, Duration::from_secs(3_600)).await);
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_a_little_late_is_none() {
    let mut gap = Gap::default();
    for _ in 0..10 {
        advance(TICK + GAP).await;
        assert!(!is_found(&mut gap, ms(0)).await);
    }
}

#[tokio::test(start_paused = true)]
async fn a_machine_whose_steady_clock_slept_with_it_is_a_gap_once() {
    // The wall says more than the steady clock, which says one tick.
    let mut gap = gap_with_wall(TICK + GAP + Duration::from_secs(1));
    assert!(is_found(&mut gap, TICK + ms(1)).await);
    assert!(!is_found(&mut gap, Duration::from_secs(3_600)).await);
}

#[tokio::test(start_paused = true)]
async fn a_wall_clock_that_is_set_a_little_or_back_is_none() {
    let mut ahead = gap_with_wall(TICK + GAP - Duration::from_secs(2));
    assert!(!is_found(&mut ahead, Duration::from_secs(60)).await);
    let mut back = Gap { tick: Instant::now(), wall: SystemTime::now() + Duration::from_secs(3_600) };
    assert!(!is_found(&mut back, Duration::from_secs(60)).await);
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_dropped_and_taken_again_misses_no_gap() {
    let mut gap = Gap::default();
    for _ in 0..20 {
        assert!(!is_found(&mut gap, ms(900)).await);
    }
    gap.wall -= Duration::from_secs(60);
    let mut turns = 0;
    while !is_found(&mut gap, ms(900)).await {
        turns += 1;
        assert!(turns < 10);
    }
}
