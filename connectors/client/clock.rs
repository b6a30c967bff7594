//! The real and the simulated time, and the real and the seeded randomness.
//! The one place where the machine's clocks are read.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use handoffd_core::Timestamp;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{Clock, Jitter};

/// How long a sleep lasts at most before the wall clock is looked at again,
/// so that a stepped clock is noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The wall clock, for the daemon.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now(&self) -> Timestamp {
        Timestamp(jiff::Timestamp::now().as_millisecond())
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            loop {
                let wait = at.since(self.now());
                if wait.is_zero() {
                    return;
                }
                tokio::time::sleep(wait.min(LOOK_AGAIN)).await;
            }
        })
    }
}

/// A clock that starts where it is told and runs with the runtime's timer:
/// virtual when that is paused. For simulations and tests.
#[derive(Clone, Copy, Debug)]
pub struct TokioClock {
    start: Timestamp,
    origin: tokio::time::Instant,
}

impl TokioClock {
    /// A clock that shows `start` now.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    pub fn starting_at(start: Timestamp) -> Self {
        Self { start, origin: tokio::time::Instant::now() }
    }
}

impl Clock for TokioClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everybody else is handed")]
    fn now(&self) -> Timestamp {
        self.start.plus(tokio::time::Instant::now().duration_since(self.origin))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        Box::pin(tokio::time::sleep_until(self.origin + at.since(self.start)))
    }
}

/// Jitter from a generator: seeded for tests, by the operating system in the daemon.
pub struct SeededJitter(Mutex<ChaCha8Rng>);

impl SeededJitter {
    /// The same seed gives the same fractions.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(ChaCha8Rng::seed_from_u64(seed)))
    }

    /// Seeded by the operating system.
    pub fn from_system() -> Self {
        Self(Mutex::new(ChaCha8Rng::from_os_rng()))
    }
}

impl Jitter for SeededJitter {
    fn fraction(&self) -> f64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).random()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_simulated_clock_moves_only_by_sleeping() {
        let clock = TokioClock::starting_at(Timestamp(1_000));
        assert_eq!(clock.now(), Timestamp(1_000));
        clock.sleep_until(Timestamp(61_000)).await;
        assert_eq!(clock.now(), Timestamp(61_000));
        clock.sleep_until(Timestamp(5)).await;
        assert_eq!(clock.now(), Timestamp(61_000));
    }

    #[test]
    fn a_seed_fixes_the_fractions() {
        let draw = |seed| {
            let jitter = SeededJitter::new(seed);
            [jitter.fraction(), jitter.fraction(), jitter.fraction()]
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(draw(7).iter().all(|fraction| (0.0..1.0).contains(fraction)));
    }
}
