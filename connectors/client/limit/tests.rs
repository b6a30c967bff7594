use std::{future::Future, pin::Pin};

use futures_util::{FutureExt as _, poll};

use super::*;
use crate::client::TokioClock;

const START: Timestamp = Timestamp::from_secs(1_000_000);

fn limiter(count: u32) -> (Arc<Limiter>, Arc<TokioClock>) {
    let clock = Arc::new(TokioClock::starting_at(START));
    let quota = Quota { count, per: Duration::from_secs(60) };
    (Limiter::new(quota, Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

fn call(lane: Lane, secs: u64) -> Call {
    Call { lane, deadline: START.plus(Duration::from_secs(secs)) }
}

fn draw(lane: Lane) -> Draw {
    Draw { lane, buckets: Vec::new(), cost: 1, op: "GET /x".to_owned() }
}

type Admitted = Pin<Box<dyn Future<Output = Result<Permit, Timestamp>> + Send>>;

fn ask(limiter: &Arc<Limiter>, call: Call, draw: Draw) -> Admitted {
    let limiter = Arc::clone(limiter);
    Box::pin(async move { limiter.admit(call, draw).await })
}

/// Takes units as if they were sent and answered.
async fn spend(limiter: &Arc<Limiter>, lane: Lane, units: u32) {
    for _ in 0..units {
        let mut permit = ask(limiter, call(lane, 0), draw(lane)).await.unwrap();
        permit.sending();
    }
}

#[tokio::test(start_paused = true)]
async fn waiting_requests_are_served_by_lane_and_then_in_order() {
    // One each minute, so that the order of serving shows.
    let (limiter, _) = limiter(1);
    spend(&limiter, Lane::Handoff, 1).await;
    let served = Arc::new(Mutex::new(Vec::new()));
    let lanes = [Lane::Backfill, Lane::Live, Lane::Refresh, Lane::Handoff, Lane::Live, Lane::Backfill];
    let mut tasks = Vec::new();
    for (number, lane) in lanes.into_iter().enumerate() {
        let (waits, served) = (ask(&limiter, call(lane, 600), draw(lane)), Arc::clone(&served));
        tasks.push(tokio::spawn(async move {
            let mut permit = waits.await.unwrap();
            permit.sending();
            served.lock().unwrap().push((lane, number));
        }));
        tokio::task::yield_now().await;
    }
    assert_eq!(limiter.waiting().values().sum::<usize>(), 6);
    for task in tasks {
        task.await.unwrap();
    }
    let expected = [
        (Lane::Handoff, 3),
        (Lane::Live, 1),
        (Lane::Live, 4),
        (Lane::Refresh, 2),
        (Lane::Backfill, 0),
        (Lane::Backfill, 5),
    ];
    assert_eq!(*served.lock().unwrap(), expected);
}

#[tokio::test(start_paused = true)]
async fn a_handoff_goes_at_once_past_any_backlog() {
    let (limiter, clock) = limiter(100);
    spend(&limiter, Lane::Backfill, 92).await;
    let mut backlog: Vec<Admitted> =
        (0..500).map(|_| ask(&limiter, call(Lane::Backfill, 6_000), draw(Lane::Backfill))).collect();
    for waits in &mut backlog {
        assert!(poll!(waits).is_pending());
    }
    spend(&limiter, Lane::Handoff, 8).await;
    assert_eq!(clock.now(), START);
}

#[tokio::test(start_paused = true)]
async fn a_wait_beyond_the_deadline_is_not_begun() {
    let (limiter, clock) = limiter(5);
    spend(&limiter, Lane::Live, 5).await;
    let refused = ask(&limiter, call(Lane::Live, 59), draw(Lane::Live)).await;
    assert_eq!(refused.err(), Some(START.plus(Duration::from_secs(60))));
    assert_eq!(clock.now(), START);
    assert!(limiter.waiting().is_empty());
    ask(&limiter, call(Lane::Live, 61), draw(Lane::Live)).await.unwrap();
    assert!(clock.now() >= START.plus(Duration::from_secs(60)));
}

#[tokio::test(start_paused = true)]
async fn callers_that_go_away_hold_up_nobody() {
    let (limiter, clock) = limiter(5);
    spend(&limiter, Lane::Live, 4).await;
    // The first wants the whole window, the second the unit that is left: it must not pass by.
    let whole = Draw { cost: 5, ..draw(Lane::Live) };
    let mut first = ask(&limiter, call(Lane::Live, 600), whole);
    let mut second = ask(&limiter, call(Lane::Live, 600), draw(Lane::Live));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    drop(first);
    second.await.unwrap();
    assert_eq!(clock.now(), START);
}

#[tokio::test(start_paused = true)]
async fn a_granted_turn_that_nobody_takes_goes_to_the_next() {
    let (limiter, clock) = limiter(1);
    let permit = ask(&limiter, call(Lane::Live, 0), draw(Lane::Live)).await.unwrap();
    let mut first = ask(&limiter, call(Lane::Live, 600), draw(Lane::Live));
    let mut second = ask(&limiter, call(Lane::Live, 600), draw(Lane::Live));
    assert!(poll!(&mut first).is_pending() && poll!(&mut second).is_pending());
    // Unsent: its unit goes to the first, who leaves before looking.
    drop(permit);
    assert!(limiter.desk().waiting.values().next().is_some_and(|waiting| waiting.granted.is_some()));
    drop(first);
    assert!(second.now_or_never().is_some_and(|granted| granted.is_ok()));
    assert_eq!(clock.now(), START);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_that_is_closed_holds_up_only_its_own() {
    let (limiter, clock) = limiter(100);
    let narrow = |lane| Draw {
        buckets: vec![("update/7".to_owned(), Quota { count: 30, per: Duration::from_secs(600) })],
        ..draw(lane)
    };
    let permit = ask(&limiter, call(Lane::Live, 0), narrow(Lane::Live)).await.unwrap();
    let seen = [LimitSeen { bucket: String::new(), total: None, remaining: 90, resets_at: None }];
    permit.answered(&seen, Some(START.plus(Duration::from_secs(93))), START);
    let mut waits = ask(&limiter, call(Lane::Live, 600), narrow(Lane::Live));
    assert!(poll!(&mut waits).is_pending());
    ask(&limiter, call(Lane::Backfill, 0), draw(Lane::Backfill)).await.unwrap();
    waits.await.unwrap();
    assert_eq!(clock.now().since(START).as_secs(), 93);
}

#[tokio::test(start_paused = true)]
async fn the_queue_is_bounded() {
    let (limiter, _) = limiter(1);
    spend(&limiter, Lane::Live, 1).await;
    let mut queue: Vec<Admitted> =
        (0..WAITING_MAX).map(|_| ask(&limiter, call(Lane::Live, 1_000_000), draw(Lane::Live))).collect();
    for waits in &mut queue {
        assert!(poll!(waits).is_pending());
    }
    let turned_away = ask(&limiter, call(Lane::Live, 1_000_000), draw(Lane::Live)).await;
    assert_eq!(turned_away.err(), Some(START.plus(QUEUE_FULL_WAIT)));
    queue.pop();
    assert!(poll!(ask(&limiter, call(Lane::Live, 1_000_000), draw(Lane::Live))).is_pending());
}

/// A vendor with a fixed window, and how often it was asked too much.
#[derive(Default)]
struct Window {
    number: i64,
    used: u32,
    refused: u32,
    served: u32,
}

impl Window {
    const COUNT: u32 = 20;
    const MS: i64 = 60_000;

    fn ask(&mut self, now: Timestamp) -> LimitSeen {
        let number = now.0 / Self::MS;
        if self.number != number {
            (self.number, self.used) = (number, 0);
        }
        self.used += 1;
        self.served += 1;
        self.refused += u32::from(self.used > Self::COUNT);
        LimitSeen {
            bucket: String::new(),
            total: Some(Self::COUNT),
            remaining: Self::COUNT.saturating_sub(self.used),
            resets_at: Some(Timestamp((number + 1) * Self::MS)),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn many_callers_of_every_lane_stay_within_the_window_and_all_end() {
    use rand::{Rng as _, SeedableRng as _};
    for seed in 0..100 {
        let (limiter, clock) = limiter(Window::COUNT);
        let vendor = Arc::new(Mutex::new(Window::default()));
        let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(seed);
        let mut tasks = Vec::new();
        for _ in 0..150 {
            let lane = [Lane::Handoff, Lane::Live, Lane::Refresh, Lane::Backfill][random.random_range(0..4)];
            let starts = Duration::from_millis(random.random_range(0..120_000));
            let latency = Duration::from_millis(random.random_range(0..400));
            let patience = Duration::from_millis(random.random_range(1..20_000));
            let leaves = random.random_bool(0.3);
            let (limiter, clock, vendor) = (Arc::clone(&limiter), Arc::clone(&clock), Arc::clone(&vendor));
            tasks.push(tokio::spawn(async move {
                tokio::time::sleep(starts).await;
                let turn = ask(&limiter, call(lane, 100_000), draw(lane));
                let permit =
                    if leaves { tokio::time::timeout(patience, turn).await.ok() } else { Some(turn.await) };
                let Some(mut permit) = permit.map(Result::unwrap) else { return };
                permit.sending();
                let seen = vendor.lock().unwrap().ask(clock.now());
                tokio::time::sleep(latency).await;
                permit.answered(&[seen], None, clock.now());
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
        let vendor = vendor.lock().unwrap();
        assert!(vendor.served > 100, "seed {seed}: {}", vendor.served);
        assert_eq!(vendor.refused, 0, "seed {seed}");
        assert!(limiter.waiting().is_empty());
        assert!(clock.now().since(START) < Duration::from_secs(15 * 60), "seed {seed}");
    }
}
