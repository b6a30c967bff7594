use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn quota(count: u32) -> Quota {
    Quota { count, per: MINUTE }
}

fn at(secs: i64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + secs)
}

fn draw(lane: Lane, buckets: &[(&str, u32)]) -> Draw {
    let buckets = buckets.iter().map(|(name, count)| ((*name).to_owned(), quota(*count))).collect();
    Draw { lane, buckets, cost: 1, op: "GET /x".to_owned() }
}

/// How many of `draw` go at `now` before one has to wait.
fn burst(ledger: &mut Ledger, draw: &Draw, now: Timestamp) -> u32 {
    (0..10_000).find(|_| ledger.decide(draw, now) != Verdict::Go).expect("no end")
}

fn told(bucket: &str, total: Option<u32>, remaining: u32, resets_at: Option<Timestamp>) -> LimitSeen {
    LimitSeen { bucket: bucket.to_owned(), total, remaining, resets_at }
}

fn wait(secs: i64, on: &[&str]) -> Verdict {
    Verdict::WaitUntil(at(secs), on.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn each_lane_leaves_room_for_the_more_urgent_ones() {
    let rows = [
        (400, Lane::Handoff, 400),
        (400, Lane::Live, 392),
        (400, Lane::Refresh, 390),
        (400, Lane::Backfill, 388),
        (200, Lane::Live, 194),
        (200, Lane::Backfill, 192),
        (10_000, Lane::Backfill, 9_700),
        (60, Lane::Live, 54),
        (10, Lane::Backfill, 7),
        (9, Lane::Backfill, 9),
        (1, Lane::Backfill, 1),
    ];
    for (count, lane, expected) in rows {
        let mut ledger = Ledger::new(quota(count));
        assert_eq!(burst(&mut ledger, &draw(lane, &[]), at(0)), expected, "{lane:?} of {count}");
        let rest = burst(&mut ledger, &draw(Lane::Handoff, &[]), at(0));
        assert_eq!(rest, count - expected, "left for a handoff after {lane:?} of {count}");
    }
}

#[test]
fn a_backfill_alone_has_95_percent_of_a_window_and_a_handoff_always_has_its_requests() {
    for count in 160..5_000 {
        let backfill = kept_back(Lane::Backfill, count);
        assert!(backfill * 100 <= count * 5, "{backfill} of {count}");
        assert!(kept_back(Lane::Live, count) >= HANDOFF_REQUESTS, "{count}");
    }
}

#[test]
fn a_spent_window_is_whole_again_after_its_period() {
    let mut ledger = Ledger::new(quota(100));
    let handoff = draw(Lane::Handoff, &[]);
    assert_eq!(burst(&mut ledger, &handoff, at(5)), 100);
    assert_eq!(ledger.decide(&handoff, at(6)), wait(65, &[ACCOUNT]));
    assert_eq!(burst(&mut ledger, &handoff, at(65)), 100);
}

#[test]
fn the_pace_spreads_what_comes_after_a_burst_over_the_seam_of_two_windows() {
    let mut ledger = Ledger::new(quota(60));
    let live = draw(Lane::Live, &[]);
    assert_eq!(ledger.decide(&live, at(0)), Verdict::Go);
    assert_eq!(burst(&mut ledger, &live, at(59)), 53);
    // The window turns at 60: a whole new one, but the governor has six units
    // of the burst left and gets one each second.
    let after = burst(&mut ledger, &live, at(60));
    assert!((7..=9).contains(&after), "{after}");
    let Verdict::WaitUntil(until, on) = ledger.decide(&live, at(60)) else { panic!("goes on") };
    assert!(until > at(60) && until <= at(62), "{until:?}");
    assert_eq!(on, [ACCOUNT]);
    // A handoff does not wait for smoothness.
    assert_eq!(ledger.decide(&draw(Lane::Handoff, &[]), at(60)), Verdict::Go);
}

#[test]
fn headers_win_over_counting() {
    let mut ledger = Ledger::new(quota(100));
    let handoff = draw(Lane::Handoff, &[]);
    assert_eq!(ledger.decide(&handoff, at(0)), Verdict::Go);
    let first = ledger.booked(&handoff);
    assert_eq!(ledger.decide(&handoff, at(0)), Verdict::Go);
    ledger.finish(&handoff);
    // One of ours is still in flight and may not be counted by the vendor yet.
    ledger.observe(&[told(ACCOUNT, Some(100), 3, Some(at(20)))], &first, at(1));
    assert_eq!(burst(&mut ledger, &handoff, at(2)), 2);
    assert_eq!(ledger.decide(&handoff, at(2)), wait(20, &[ACCOUNT]));
    assert_eq!(ledger.decide(&handoff, at(20)), Verdict::Go);
}

#[test]
fn an_answer_that_was_overtaken_gives_nothing_back() {
    let mut ledger = Ledger::new(quota(20));
    let handoff = draw(Lane::Handoff, &[]);
    let tell = |ledger: &mut Ledger, remaining, booked: &Booked| {
        ledger.finish(&handoff);
        ledger.observe(&[told(ACCOUNT, Some(20), remaining, Some(at(60)))], booked, at(1));
        ledger.account.left
    };
    let book = |ledger: &mut Ledger| {
        assert_eq!(ledger.decide(&handoff, at(0)), Verdict::Go);
        ledger.booked(&handoff)
    };
    // Counted in the order of booking, answered in the other.
    let (first, second) = (book(&mut ledger), book(&mut ledger));
    assert_eq!(tell(&mut ledger, 18, &second), 18);
    assert_eq!(tell(&mut ledger, 19, &first), 18);
    // Counted in the other order.
    let (third, fourth) = (book(&mut ledger), book(&mut ledger));
    tell(&mut ledger, 16, &third);
    assert_eq!(tell(&mut ledger, 17, &fourth), 16);
}

#[test]
fn requests_on_their_way_are_not_counted_twice_and_others_use_is_seen() {
    let mut ledger = Ledger::new(quota(100));
    let handoff = draw(Lane::Handoff, &[]);
    assert_eq!(burst(&mut ledger, &handoff, at(0)), 100);
    ledger.refund(&Draw { cost: 50, ..handoff.clone() });
    let booked = ledger.booked(&handoff);
    ledger.finish(&handoff);
    // 49 are on their way, and all 50 were counted.
    ledger.observe(&[told(ACCOUNT, None, 50, Some(at(60)))], &booked, at(1));
    assert_eq!(ledger.account.left, 50);
    ledger.finish(&handoff);
    ledger.observe(&[told(ACCOUNT, None, 30, Some(at(60)))], &booked, at(1));
    assert_eq!(ledger.account.left, 30);
}

#[test]
fn another_total_makes_another_window_and_another_pace() {
    let mut ledger = Ledger::new(quota(10));
    let handoff = draw(Lane::Handoff, &[]);
    assert_eq!(ledger.decide(&handoff, at(0)), Verdict::Go);
    ledger.finish(&handoff);
    ledger.observe(&[told(ACCOUNT, Some(700), 699, Some(at(60)))], &Booked::default(), at(0));
    assert_eq!(burst(&mut ledger, &draw(Lane::Live, &[]), at(1)), 685);
    assert_eq!(burst(&mut ledger, &handoff, at(1)), 14);
}

#[test]
fn a_remaining_without_a_reset_counts_from_the_window_that_we_saw_begin() {
    let mut ledger = Ledger::new(quota(200));
    let handoff = draw(Lane::Handoff, &[]);
    let tell = |ledger: &mut Ledger, remaining, now| {
        assert_eq!(ledger.decide(&handoff, now), Verdict::Go, "{remaining}");
        ledger.finish(&handoff);
        ledger.observe(&[told(ACCOUNT, Some(200), remaining, None)], &Booked::default(), now);
    };
    tell(&mut ledger, 50, at(0));
    tell(&mut ledger, 1, at(10));
    // It jumps: another window has begun since.
    tell(&mut ledger, 199, at(30));
    tell(&mut ledger, 0, at(40));
    assert_eq!(ledger.decide(&draw(Lane::Handoff, &[]), at(41)), wait(90, &[ACCOUNT]));
}

#[test]
fn an_endpoint_that_is_used_up_takes_nothing_from_the_account() {
    let mut ledger = Ledger::new(quota(100));
    let narrow = draw(Lane::Live, &[("tickets-update/7", 5)]);
    assert_eq!(burst(&mut ledger, &narrow, at(0)), 5);
    for _ in 0..50 {
        assert_eq!(ledger.decide(&narrow, at(0)), wait(60, &["tickets-update/7"]));
    }
    assert_eq!(ledger.decide(&draw(Lane::Live, &[("tickets-update/8", 5)]), at(0)), Verdict::Go);
    assert_eq!(burst(&mut ledger, &draw(Lane::Handoff, &[]), at(0)), 94);
}

#[test]
fn a_request_that_was_not_sent_gives_its_units_back() {
    let mut ledger = Ledger::new(quota(5));
    let one = draw(Lane::Handoff, &[("b", 5)]);
    assert_eq!(burst(&mut ledger, &one, at(0)), 5);
    ledger.refund(&one);
    assert_eq!(burst(&mut ledger, &one, at(0)), 1);
}

#[test]
fn what_costs_more_than_a_window_goes_when_the_window_is_whole() {
    let mut ledger = Ledger::new(quota(100));
    let huge = Draw { cost: 500, ..draw(Lane::Backfill, &[]) };
    assert_eq!(ledger.decide(&draw(Lane::Live, &[]), at(0)), Verdict::Go);
    assert_eq!(ledger.decide(&huge, at(1)), wait(60, &[ACCOUNT]));
    assert_eq!(ledger.decide(&huge, at(60)), Verdict::Go);
    assert!(matches!(ledger.decide(&huge, at(61)), Verdict::WaitUntil(..)));
}

#[test]
fn a_429_closes_the_narrowest_limit_that_the_headers_leave() {
    let asked = draw(Lane::Live, &[("update", 100), ("update/7", 30)]);
    let plain = draw(Lane::Live, &[]);
    let (none, full) = (told(ACCOUNT, None, 0, None), told(ACCOUNT, None, 90, None));
    let update_full = told("update", None, 80, None);
    let update_empty = told("update", None, 0, None);
    let rows: [(&str, &Draw, Vec<LimitSeen>, &[&str]); 7] = [
        ("no header", &asked, vec![], &[ACCOUNT]),
        ("account empty", &asked, vec![none], &[ACCOUNT]),
        ("account has room", &asked, vec![full.clone()], &["update", "update/7"]),
        ("one is cleared", &asked, vec![full.clone(), update_full.clone()], &["update/7"]),
        ("one is empty", &asked, vec![full.clone(), update_empty], &["update"]),
        ("a limit without a name", &plain, vec![full.clone()], &["GET /x"]),
        (
            "empty too",
            &Draw { buckets: asked.buckets[..1].to_vec(), ..asked.clone() },
            vec![full, update_full],
            &["GET /x"],
        ),
    ];
    for (name, draw, seen, closed) in rows {
        let mut ledger = Ledger::new(quota(100));
        ledger.throttled(draw, &seen, at(93), at(0));
        assert_eq!(ledger.decide(draw, at(92)), wait(93, closed), "{name}");
        let other = Draw { op: "GET /y".to_owned(), ..self::draw(Lane::Backfill, &[]) };
        let goes = ledger.decide(&other, at(1)) == Verdict::Go;
        assert_eq!(goes, closed != [ACCOUNT], "another operation after {name}");
        assert_eq!(ledger.decide(draw, at(93)), Verdict::Go, "{name}");
    }
}

#[test]
fn a_closure_is_never_shortened() {
    let mut ledger = Ledger::new(quota(100));
    let one = draw(Lane::Live, &[]);
    ledger.throttled(&one, &[], at(90), at(0));
    ledger.throttled(&one, &[], at(10), at(1));
    assert_eq!(ledger.decide(&one, at(50)), wait(90, &[ACCOUNT]));
}

#[test]
fn endpoint_buckets_are_bounded_and_the_oldest_goes_first() {
    let mut ledger = Ledger::new(quota(1_000_000));
    for ticket in 0..ENDPOINTS_MAX + 10 {
        let name = format!("update/{ticket:05}");
        let one = draw(Lane::Live, &[(&name, 1)]);
        assert_eq!(ledger.decide(&one, Timestamp(at(0).0 + ticket as i64)), Verdict::Go);
        ledger.finish(&one);
    }
    assert_eq!(ledger.endpoints.len(), ENDPOINTS_MAX);
    assert_eq!(ledger.endpoints.keys().next().map(String::as_str), Some("update/00010"));
    // A minute on all of them are whole, and room is made in one sweep.
    assert_eq!(ledger.decide(&draw(Lane::Live, &[("one more", 1)]), at(100)), Verdict::Go);
    assert_eq!(ledger.endpoints.len(), 1);
}

#[test]
fn the_same_questions_have_the_same_answers() {
    let run = || {
        let mut ledger = Ledger::new(quota(50));
        (0..300)
            .map(|step| {
                let lane = [Lane::Handoff, Lane::Live, Lane::Refresh, Lane::Backfill][step % 4];
                let name = format!("b{}", step % 7);
                let one = draw(lane, &[(&name, 9)]);
                let verdict = ledger.decide(&one, Timestamp(at(0).0 + step as i64 * 333));
                if verdict == Verdict::Go && step % 3 == 0 {
                    ledger.finish(&one);
                }
                verdict
            })
            .collect::<Vec<_>>()
    };
    let first = run();
    assert_eq!(first, run());
    assert!(first.contains(&Verdict::Go) && first.iter().any(|verdict| *verdict != Verdict::Go));
}

#[test]
fn a_pace_that_refuses_one_bucket_takes_nothing_from_another() {
    let mut ledger = Ledger::new(quota(100));
    let narrow = draw(Lane::Live, &[("list", 10)]);
    assert_eq!(ledger.decide(&narrow, at(0)), Verdict::Go);
    assert_eq!(burst(&mut ledger, &narrow, at(59)), 8);
    // Both windows turn at 60; the endpoint's pace has two units.
    assert_eq!(burst(&mut ledger, &narrow, at(60)), 2);
    for _ in 0..500 {
        let Verdict::WaitUntil(_, on) = ledger.decide(&narrow, at(60)) else { panic!("goes on") };
        assert_eq!(on, ["list"]);
    }
    assert!(burst(&mut ledger, &draw(Lane::Live, &[]), at(60)) > 80);
}

#[test]
fn a_rebuilt_pace_knows_what_is_spent() {
    let mut ledger = Ledger::new(quota(10));
    ledger.observe(&[told(ACCOUNT, Some(100), 10, Some(at(1)))], &Booked::default(), at(0));
    let live = draw(Lane::Live, &[]);
    assert_eq!(burst(&mut ledger, &live, at(0)), 4);
    let after = burst(&mut ledger, &live, at(1));
    assert!((6..=9).contains(&after), "{after}");
}

#[test]
fn headers_about_a_window_that_is_over_tell_nothing() {
    let mut ledger = Ledger::new(quota(100));
    let handoff = draw(Lane::Handoff, &[]);
    assert_eq!(burst(&mut ledger, &handoff, at(0)), 100);
    ledger.observe(&[told(ACCOUNT, Some(100), 70, Some(at(10)))], &Booked::default(), at(10));
    assert_eq!(ledger.decide(&handoff, at(11)), wait(60, &[ACCOUNT]));
}
