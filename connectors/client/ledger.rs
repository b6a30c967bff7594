//! What may be sent now: windows as the vendor's headers tell them, a pace
//! within them, what is kept back for urgent lanes, and closures after a 429.
//! Values in, values out; the time is an argument.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use governor::{
    RateLimiter,
    clock::Clock as GovernorClock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use handoffd_core::Timestamp;

use super::{LimitSeen, Quota};
use crate::contract::Lane;

/// The name of the account's own bucket, as in [`LimitSeen::bucket`].
pub const ACCOUNT: &str = "";

/// How many endpoint buckets are kept; the one idle for longest goes first.
const ENDPOINTS_MAX: usize = 2_048;

/// The furthest reset that a header is believed.
const RESET_MAX: Duration = Duration::from_secs(60 * 60);

/// What one request draws.
#[derive(Clone, Debug)]
pub struct Draw {
    /// How urgent it is.
    pub lane: Lane,
    /// The endpoint buckets it draws from, with their documented size.
    pub buckets: Vec<(String, Quota)>,
    /// How many units it costs.
    pub cost: u32,
    /// Its method and path pattern: closed alone when a limit without a name is hit.
    pub op: String,
}

impl Draw {
    /// Every name under which it can be held up.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        [ACCOUNT, self.op.as_str()].into_iter().chain(self.buckets.iter().map(|(name, _)| name.as_str()))
    }
}

/// Whether a request may be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes: it is booked.
    Go,
    /// Not before this moment, because of these names. Nothing is booked.
    WaitUntil(Timestamp, Vec<String>),
}

/// Where a request stands among all that were booked, by limit: its answer
/// tells nothing certain of those that were on their way beside it.
#[derive(Clone, Debug, Default)]
pub struct Booked(BTreeMap<String, Beside>);

#[derive(Clone, Copy, Debug)]
struct Beside {
    /// All that was ever spent, the request included.
    spent: u64,
    /// What was on its way already.
    in_flight: u32,
}

/// What is known of the limits of one account.
pub struct Ledger {
    account: Bucket,
    endpoints: BTreeMap<String, Bucket>,
    closed: BTreeMap<String, Timestamp>,
    hand: Hand,
}

impl Ledger {
    /// The account's quota as it is known now.
    pub fn quota(&self) -> Quota {
        self.account.quota
    }

    /// All that is known at the start: the account's documented quota.
    pub fn new(quota: Quota) -> Self {
        let hand = Hand::default();
        let account = Bucket::new(quota, &hand);
        Self { account, endpoints: BTreeMap::new(), closed: BTreeMap::new(), hand }
    }

    /// Whether `draw` may be sent now; books it if so.
    pub fn decide(&mut self, draw: &Draw, now: Timestamp) -> Verdict {
        self.hand.set(now);
        self.make_room(draw, now);
        let mut wait = Wait { until: now, on: Vec::new() };
        for name in draw.names() {
            wait.add(name, self.closed.get(name).copied().unwrap_or(now), now);
        }
        self.each(draw, |name, bucket| wait.add(name, bucket.room_at(draw, now), now));
        if wait.on.is_empty() {
            self.each(draw, |name, bucket| wait.add(name, bucket.pace_at(draw, now), now));
        }
        if !wait.on.is_empty() {
            return Verdict::WaitUntil(wait.until, wait.on);
        }
        self.each(draw, |_, bucket| bucket.spend(draw.cost, now));
        Verdict::Go
    }

    /// The place of a request just booked among all that were.
    pub fn booked(&mut self, draw: &Draw) -> Booked {
        let mut booked = Booked::default();
        self.each(draw, |name, bucket| {
            let in_flight = bucket.in_flight.saturating_sub(draw.cost);
            booked.0.insert(name.to_owned(), Beside { spent: bucket.spent, in_flight });
        });
        booked
    }

    /// A booked request has ended, answered or not.
    pub fn finish(&mut self, draw: &Draw) {
        self.each(draw, |_, bucket| bucket.in_flight = bucket.in_flight.saturating_sub(draw.cost));
    }

    /// A booked request was never sent.
    pub fn refund(&mut self, draw: &Draw) {
        self.each(draw, |_, bucket| bucket.refund(draw.cost));
    }

    /// What the headers of an answer to a request `booked` tell. Call it after
    /// [`Ledger::finish`] of that request.
    pub fn observe(&mut self, seen: &[LimitSeen], booked: &Booked, now: Timestamp) {
        self.hand.set(now);
        for limit in seen {
            let bucket = match limit.bucket.as_str() {
                ACCOUNT => Some(&mut self.account),
                name => self.endpoints.get_mut(name),
            };
            if let Some(bucket) = bucket {
                bucket.observe(limit, booked.0.get(&limit.bucket).copied(), &self.hand, now);
            }
        }
    }

    /// The vendor refused `draw` with its limit used up until `retry_at`.
    ///
    /// Closes the account, or only what a header does not clear: when the
    /// account has units left, the limit that was hit is a narrower one.
    pub fn throttled(&mut self, draw: &Draw, seen: &[LimitSeen], retry_at: Timestamp, now: Timestamp) {
        self.closed.retain(|_, until| *until > now);
        for name in narrowest(draw, seen) {
            let until = self.closed.entry(name).or_insert(retry_at);
            *until = retry_at.max(*until);
        }
    }

    fn each(&mut self, draw: &Draw, mut visit: impl FnMut(&str, &mut Bucket)) {
        visit(ACCOUNT, &mut self.account);
        for (name, _) in &draw.buckets {
            if let Some(bucket) = self.endpoints.get_mut(name) {
                visit(name, bucket);
            }
        }
    }

    fn make_room(&mut self, draw: &Draw, now: Timestamp) {
        for (name, quota) in &draw.buckets {
            if self.endpoints.contains_key(name) {
                continue;
            }
            if self.endpoints.len() >= ENDPOINTS_MAX {
                self.endpoints.retain(|_, bucket| !bucket.is_whole(now));
            }
            if self.endpoints.len() >= ENDPOINTS_MAX {
                self.evict_oldest();
            }
            self.endpoints.insert(name.clone(), Bucket::new(*quota, &self.hand));
        }
    }

    fn evict_oldest(&mut self) {
        let idle = self.endpoints.iter().filter(|(_, bucket)| bucket.in_flight == 0);
        let oldest = idle.min_by_key(|(_, bucket)| bucket.used_at).map(|(name, _)| name.clone());
        if let Some(name) = oldest {
            self.endpoints.remove(&name);
        }
    }
}

/// Which names a 429 is about.
fn narrowest(draw: &Draw, seen: &[LimitSeen]) -> Vec<String> {
    let left_of = |name: &str| seen.iter().find(|limit| limit.bucket == name).map(|limit| limit.remaining);
    if left_of(ACCOUNT).is_none_or(|left| left == 0) {
        return vec![ACCOUNT.to_owned()];
    }
    let names = || draw.buckets.iter().map(|(name, _)| name);
    let empty: Vec<String> = names().filter(|name| left_of(name) == Some(0)).cloned().collect();
    if !empty.is_empty() {
        return empty;
    }
    let untold: Vec<String> = names().filter(|name| left_of(name).is_none()).cloned().collect();
    if untold.is_empty() { vec![draw.op.clone()] } else { untold }
}

struct Wait {
    until: Timestamp,
    on: Vec<String>,
}

impl Wait {
    fn add(&mut self, name: &str, at: Timestamp, now: Timestamp) {
        if at > now {
            self.until = self.until.max(at);
            self.on.push(name.to_owned());
        }
    }
}

/// The most requests that one handoff takes at one vendor.
const HANDOFF_REQUESTS: u32 = 6;

/// How much of a window is kept back from a lane, so that a more urgent one
/// finds room: one handoff's requests or 2 % of the window, whichever is more,
/// and half a per cent again for each lane between. That leaves a backfill
/// alone at least 95 % of a window of 160 units or more; of a smaller one no
/// lane keeps back more than a tenth.
pub fn kept_back(lane: Lane, count: u32) -> u32 {
    let tenth = count / 10;
    let handoff = HANDOFF_REQUESTS.max(count / 50).min(tenth);
    let between = (count / 200).max(1).min(tenth);
    match lane {
        Lane::Handoff => 0,
        Lane::Live => handoff,
        Lane::Refresh => handoff + between,
        Lane::Backfill => handoff + 2 * between,
    }
}

/// One limit: a window that is spent and becomes whole again.
struct Bucket {
    quota: Quota,
    left: u32,
    /// When the window is whole again; `None` while nothing of it is spent.
    resets_at: Option<Timestamp>,
    in_flight: u32,
    /// All that was ever booked.
    spent: u64,
    used_at: Timestamp,
    pace: Pace,
}

impl Bucket {
    fn new(quota: Quota, hand: &Hand) -> Self {
        let quota = Quota { count: quota.count.max(1), per: quota.per.max(Duration::from_millis(1)) };
        Self {
            quota,
            left: quota.count,
            resets_at: None,
            in_flight: 0,
            spent: 0,
            used_at: Timestamp(i64::MIN),
            pace: Pace::new(quota, hand),
        }
    }

    fn is_whole(&self, now: Timestamp) -> bool {
        self.in_flight == 0 && self.resets_at.is_none_or(|at| at <= now)
    }

    fn roll(&mut self, now: Timestamp) {
        if self.resets_at.is_some_and(|at| at <= now) {
            self.left = self.quota.count;
            self.resets_at = None;
        }
    }

    /// When the window has room for it; `now` if it has.
    fn room_at(&mut self, draw: &Draw, now: Timestamp) -> Timestamp {
        self.roll(now);
        let kept_back = kept_back(draw.lane, self.quota.count);
        // What costs more than the window ever holds goes when the window is whole.
        let need = draw.cost.min(self.quota.count - kept_back);
        if self.left >= need + kept_back {
            return now;
        }
        self.resets_at.unwrap_or_else(|| now.plus(self.quota.per))
    }

    /// When the pace allows it. A handoff is not slowed for smoothness.
    fn pace_at(&mut self, draw: &Draw, now: Timestamp) -> Timestamp {
        match self.pace.ready(draw.cost) {
            Err(wait) if draw.lane != Lane::Handoff => now.plus(wait),
            _ => now,
        }
    }

    fn spend(&mut self, cost: u32, now: Timestamp) {
        self.left = self.left.saturating_sub(cost);
        self.resets_at.get_or_insert(now.plus(self.quota.per));
        self.in_flight = self.in_flight.saturating_add(cost);
        self.spent = self.spent.saturating_add(cost.into());
        self.used_at = now;
        self.pace.spend(cost);
    }

    fn refund(&mut self, cost: u32) {
        self.in_flight = self.in_flight.saturating_sub(cost);
        self.spent = self.spent.saturating_sub(cost.into());
        self.left = self.left.saturating_add(cost).min(self.quota.count);
        self.pace.refund(cost);
    }

    /// Answers overtake each other, so what one tells is a range.
    fn observe(&mut self, seen: &LimitSeen, beside: Option<Beside>, hand: &Hand, now: Timestamp) {
        self.roll(now);
        if seen.resets_at.is_some_and(|told| told <= now) {
            // It speaks of a window that is over.
            return;
        }
        let beside = beside.unwrap_or(Beside { spent: self.spent, in_flight: 0 });
        let after = u32::try_from(self.spent.saturating_sub(beside.spent)).unwrap_or(u32::MAX);
        let most = seen.remaining.saturating_sub(after);
        // Those that were on their way before it may have been counted after it.
        let least = most.saturating_sub(beside.in_flight);
        // Much more left than we counted, and no word of the reset: another
        // window has begun, which ends at most one period from now.
        let new_window = least > self.left.saturating_add(self.quota.count / 10);
        let latest = now.plus(self.quota.per.max(RESET_MAX));
        self.resets_at = match seen.resets_at {
            Some(told) => Some(told.min(latest)),
            None if new_window => Some(now.plus(self.quota.per)),
            None => Some(self.resets_at.unwrap_or_else(|| now.plus(self.quota.per))),
        };
        self.left = if new_window { most } else { self.left.clamp(least, most) };
        let total = seen.total.filter(|total| *total > 0 && *total != self.quota.count);
        if let Some(total) = total {
            self.quota.count = total;
            self.pace = Pace::new(self.quota, hand);
            self.pace.skip(total.saturating_sub(self.left));
        }
    }
}

type Governor = RateLimiter<NotKeyed, InMemoryState, Hand, NoOpMiddleware<Duration>>;

/// The pace within a window: bursts up to its size, then an even flow, so that
/// the seam of two windows does not carry twice the quota.
struct Pace {
    governor: Governor,
    burst: u32,
    /// Units that the governor gave and that no request has used yet.
    in_hand: u32,
}

impl Pace {
    fn new(quota: Quota, hand: &Hand) -> Self {
        let burst = NonZeroU32::new(quota.count).unwrap_or(NonZeroU32::MIN);
        let each = (quota.per / burst.get()).max(Duration::from_nanos(1));
        let pace = governor::Quota::with_period(each).unwrap_or(governor::Quota::per_second(burst));
        let governor = RateLimiter::direct_with_clock(pace.allow_burst(burst), hand.clone());
        Self { governor, burst: burst.get(), in_hand: 0 }
    }

    /// Takes what `cost` needs into the hand, or says how long to wait.
    fn ready(&mut self, cost: u32) -> Result<(), Duration> {
        let missing = cost.min(self.burst).saturating_sub(self.in_hand);
        let Some(missing) = NonZeroU32::new(missing) else { return Ok(()) };
        match self.governor.check_n(missing) {
            Ok(Ok(())) => self.in_hand += missing.get(),
            Ok(Err(not_until)) => {
                let wait = not_until.wait_time_from(self.governor.clock().now());
                return Err(Duration::from_millis(wait.as_millis() as u64 + 1));
            }
            // Never: `missing` is at most the burst.
            Err(_) => {}
        }
        Ok(())
    }

    fn spend(&mut self, cost: u32) {
        self.in_hand = self.in_hand.saturating_sub(cost);
    }

    fn refund(&mut self, cost: u32) {
        self.in_hand = self.in_hand.saturating_add(cost).min(self.burst);
    }

    /// Gives up units that were spent before this pace began.
    fn skip(&mut self, units: u32) {
        if self.ready(units).is_ok() {
            self.in_hand = 0;
        }
    }
}

/// The hand of the governor's clock: set before each question, so that the
/// governor knows no time but the one it is asked about. It never goes back.
#[derive(Clone, Debug, Default)]
struct Hand(Arc<AtomicU64>);

impl Hand {
    fn set(&self, now: Timestamp) {
        self.0.fetch_max(u64::try_from(now.0).unwrap_or(0), Ordering::Relaxed);
    }
}

impl GovernorClock for Hand {
    type Instant = Duration;

    fn now(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests;
