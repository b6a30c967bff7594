//! Pacing: one queue by lanes per account, before the ledger of its limits.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use handoffd_core::Timestamp;
use tokio::sync::Notify;

use super::{
    Clock, LimitSeen, Quota,
    ledger::{Booked, Draw, Ledger, Verdict},
};
use crate::contract::{Call, Lane};

/// How many requests of one account may wait. More are turned away at once.
const WAITING_MAX: usize = 1_024;

/// The wait that a request is told that finds the queue full.
const QUEUE_FULL_WAIT: Duration = Duration::from_secs(5);

/// The limiter of one account, shared by all its requests.
pub struct Limiter {
    clock: Arc<dyn Clock>,
    desk: Mutex<Desk>,
}

/// The ledger and who waits for it, in the order of serving.
struct Desk {
    ledger: Ledger,
    waiting: BTreeMap<Place, Waiting>,
    next: u64,
}

/// Earlier lanes first, first come first served within a lane.
type Place = (Lane, u64);

struct Waiting {
    draw: Draw,
    until: Timestamp,
    granted: Option<Booked>,
    changed: Arc<Notify>,
}

impl Limiter {
    /// The account's quota as it is known now.
    pub fn quota(&self) -> Quota {
        self.desk().ledger.quota()
    }

    /// A limiter that knows the documented quota.
    pub fn new(quota: Quota, clock: Arc<dyn Clock>) -> Arc<Self> {
        let desk = Desk { ledger: Ledger::new(quota), waiting: BTreeMap::new(), next: 0 };
        Arc::new(Self { clock, desk: Mutex::new(desk) })
    }

    /// Waits for its turn. `Err`: the turn would not come within the call's
    /// deadline; the moment from which a retry may work. Nothing was waited
    /// for when that is known at once.
    pub async fn admit(self: &Arc<Self>, call: Call, draw: Draw) -> Result<Permit, Timestamp> {
        let place = self.join(draw)?;
        let changed = self.changed(&place.at);
        loop {
            let now = self.clock.now();
            match self.look(&place.at, now) {
                Seen::Granted(draw, booked) => return Ok(place.into_permit(draw, booked)),
                Seen::Until(at) if at > call.deadline => return Err(at),
                Seen::Until(at) => {
                    tokio::select! {
                        biased;
                        () = changed.notified() => {}
                        () = self.clock.sleep_until(at) => {}
                    }
                }
            }
        }
    }

    /// How many requests wait, by lane, for metrics.
    pub fn waiting(&self) -> BTreeMap<Lane, usize> {
        let mut counts = BTreeMap::new();
        for (lane, _) in self.desk().waiting.keys() {
            *counts.entry(*lane).or_insert(0) += 1;
        }
        counts
    }

    fn join(self: &Arc<Self>, draw: Draw) -> Result<InQueue, Timestamp> {
        let now = self.clock.now();
        let mut desk = self.desk();
        if desk.waiting.len() >= WAITING_MAX {
            return Err(now.plus(QUEUE_FULL_WAIT));
        }
        let at = (draw.lane, desk.next);
        desk.next += 1;
        let waiting = Waiting { draw, until: now, granted: None, changed: Arc::default() };
        desk.waiting.insert(at, waiting);
        drop(desk);
        Ok(InQueue { limiter: Arc::clone(self), at, left: false })
    }

    fn changed(&self, at: &Place) -> Arc<Notify> {
        self.desk().waiting.get(at).map(|waiting| Arc::clone(&waiting.changed)).unwrap_or_default()
    }

    fn look(&self, at: &Place, now: Timestamp) -> Seen {
        let mut desk = self.desk();
        desk.serve(now);
        match desk.waiting.get(at) {
            Some(Waiting { draw, granted: Some(booked), .. }) => Seen::Granted(draw.clone(), booked.clone()),
            Some(waiting) => Seen::Until(waiting.until),
            None => Seen::Until(now),
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Seen {
    Granted(Draw, Booked),
    Until(Timestamp),
}

impl Desk {
    /// Grants whatever may go now. Nobody passes by someone who was there
    /// earlier and waits for the same name.
    fn serve(&mut self, now: Timestamp) {
        let mut held: BTreeMap<String, Timestamp> = BTreeMap::new();
        for waiting in self.waiting.values_mut().filter(|waiting| waiting.granted.is_none()) {
            let behind = waiting.draw.names().filter_map(|name| held.get(name)).max();
            let until = match behind {
                Some(until) => *until,
                None => match self.ledger.decide(&waiting.draw, now) {
                    Verdict::Go => {
                        waiting.granted = Some(self.ledger.booked(&waiting.draw));
                        waiting.changed.notify_one();
                        continue;
                    }
                    Verdict::WaitUntil(until, on) => {
                        held.extend(on.into_iter().map(|name| (name, until)));
                        until
                    }
                },
            };
            if until < waiting.until {
                waiting.changed.notify_one();
            }
            waiting.until = until;
        }
    }
}

/// A place in the queue, given up when its caller goes away.
struct InQueue {
    limiter: Arc<Limiter>,
    at: Place,
    left: bool,
}

impl InQueue {
    fn into_permit(mut self, draw: Draw, booked: Booked) -> Permit {
        self.left = true;
        self.limiter.desk().waiting.remove(&self.at);
        Permit { limiter: Arc::clone(&self.limiter), draw, booked, sent: false, ended: false }
    }
}

impl Drop for InQueue {
    fn drop(&mut self) {
        if self.left {
            return;
        }
        let now = self.limiter.clock.now();
        let mut desk = self.limiter.desk();
        if let Some(waiting) = desk.waiting.remove(&self.at)
            && waiting.granted.is_some()
        {
            desk.ledger.refund(&waiting.draw);
        }
        desk.serve(now);
    }
}

/// Leave to send one request. Dropped unsent, its units go back.
pub struct Permit {
    limiter: Arc<Limiter>,
    draw: Draw,
    booked: Booked,
    sent: bool,
    ended: bool,
}

impl Permit {
    /// From here on bytes may have left.
    pub fn sending(&mut self) {
        self.sent = true;
    }

    /// It certainly was not sent after all.
    pub fn not_sent(&mut self) {
        self.sent = false;
    }

    /// An answer came, with what its headers tell, and until when it says that
    /// the limit is used up.
    pub fn answered(mut self, seen: &[LimitSeen], throttled: Option<Timestamp>, now: Timestamp) {
        self.ended = true;
        let mut desk = self.limiter.desk();
        desk.ledger.finish(&self.draw);
        desk.ledger.observe(seen, &self.booked, now);
        if let Some(retry_at) = throttled {
            desk.ledger.throttled(&self.draw, seen, retry_at, now);
        }
        desk.serve(now);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        let now = self.limiter.clock.now();
        let mut desk = self.limiter.desk();
        if self.sent {
            desk.ledger.finish(&self.draw);
        } else {
            desk.ledger.refund(&self.draw);
        }
        desk.serve(now);
    }
}

#[cfg(test)]
mod tests;
