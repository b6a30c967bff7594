//! When a request is tried again. Decided here, waited for by the client.

use std::time::Duration;

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};
use handoffd_core::Timestamp;

use super::Kind;
use crate::contract::Error;

/// How often one call is sent at most, the first time included.
pub const ATTEMPTS_MAX: u32 = 4;

const FIRST_DELAY: Duration = Duration::from_millis(250);
const LONGEST_DELAY: Duration = Duration::from_secs(8);

/// What follows a failed attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    Again(Timestamp),
    /// Give up with this.
    Stop(Error),
}

/// The attempts of one call.
pub struct Attempts {
    kind: Kind,
    deadline: Timestamp,
    delays: ExponentialBackoff,
    made: u32,
    /// An earlier attempt of this write may have happened.
    maybe_done: bool,
}

impl Attempts {
    /// None made yet.
    pub fn new(kind: Kind, deadline: Timestamp) -> Self {
        let delays = ExponentialBackoffBuilder::new()
            .with_initial_interval(FIRST_DELAY)
            .with_multiplier(2.0)
            .with_randomization_factor(0.0)
            .with_max_interval(LONGEST_DELAY)
            .with_max_elapsed_time(None)
            .build();
        Self { kind, deadline, delays, made: 0, maybe_done: false }
    }

    /// The number of the attempt that is being made, from 1.
    pub fn number(&self) -> u32 {
        self.made + 1
    }

    /// An attempt failed with `error`; the vendor asked not to be called before
    /// `floor`. `fraction` in `[0, 1)` jitters the delay between its half and its whole.
    pub fn failed(&mut self, error: Error, floor: Option<Timestamp>, fraction: f64, now: Timestamp) -> Next {
        self.made += 1;
        let again = match &error {
            Error::Throttled { retry_at } => Some(*retry_at),
            Error::Transient { .. } => Some(self.delayed(floor, fraction, now)),
            Error::Unknown { .. } if self.kind == Kind::IdempotentWrite => {
                self.maybe_done = true;
                Some(self.delayed(floor, fraction, now))
            }
            _ => None,
        };
        match again {
            Some(at) if self.made < ATTEMPTS_MAX && at < self.deadline => Next::Again(at),
            _ => Next::Stop(self.last_word(error)),
        }
    }

    fn delayed(&mut self, floor: Option<Timestamp>, fraction: f64, now: Timestamp) -> Timestamp {
        let delay = self.delays.next_backoff().unwrap_or(LONGEST_DELAY);
        let at = now.plus(delay.mul_f64(0.5 + fraction.clamp(0.0, 1.0) / 2.0));
        floor.map_or(at, |floor| at.max(floor))
    }

    /// Whatever became of the last attempt, an earlier one may have happened.
    fn last_word(&self, error: Error) -> Error {
        match error {
            Error::Unknown { .. } => error,
            _ if self.maybe_done => {
                Error::Unknown { why: format!("an earlier attempt had no answer, the last says: {error}") }
            }
            _ => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEADLINE: Timestamp = Timestamp(60_000);

    fn transient() -> Error {
        Error::Transient { why: "reset".to_owned() }
    }

    fn unknown() -> Error {
        Error::Unknown { why: "reset".to_owned() }
    }

    fn throttled(at: i64) -> Error {
        Error::Throttled { retry_at: Timestamp(at) }
    }

    fn first(kind: Kind, error: Error, floor: Option<i64>, fraction: f64) -> Next {
        Attempts::new(kind, DEADLINE).failed(error, floor.map(Timestamp), fraction, Timestamp(0))
    }

    fn again(at: i64) -> Next {
        Next::Again(Timestamp(at))
    }

    #[test]
    fn what_follows_the_first_failure() {
        use Kind::{IdempotentWrite, Read, Write};
        let rows = [
            (Read, transient(), None, 0.0, again(125)),
            (Read, transient(), None, 0.5, again(187)),
            (Write, transient(), None, 0.0, again(125)),
            (Read, transient(), Some(3_000), 0.9, again(3_000)),
            (Read, transient(), Some(60_000), 0.0, Next::Stop(transient())),
            (Write, unknown(), None, 0.0, Next::Stop(unknown())),
            (IdempotentWrite, unknown(), None, 0.0, again(125)),
            (Read, throttled(9_000), None, 0.0, again(9_000)),
            (Write, throttled(9_000), None, 0.9, again(9_000)),
            (Write, throttled(60_001), None, 0.0, Next::Stop(throttled(60_001))),
            (Read, Error::Gone, None, 0.0, Next::Stop(Error::Gone)),
            (Write, Error::Stale, None, 0.0, Next::Stop(Error::Stale)),
        ];
        for (at, (kind, error, floor, fraction, expected)) in rows.into_iter().enumerate() {
            assert_eq!(first(kind, error, floor, fraction), expected, "row {at}");
        }
    }

    #[test]
    fn delays_double_and_attempts_end() {
        let mut attempts = Attempts::new(Kind::Read, DEADLINE);
        let delays: Vec<Next> =
            (0..4).map(|_| attempts.failed(transient(), None, 0.0, Timestamp(0))).collect();
        assert_eq!(delays, [again(125), again(250), again(500), Next::Stop(transient())]);
    }

    #[test]
    fn a_write_that_may_have_happened_stays_unknown() {
        for last in [transient(), throttled(90_000), Error::Gone, Error::Unauthorized { why: String::new() }]
        {
            let mut attempts = Attempts::new(Kind::IdempotentWrite, DEADLINE);
            assert_eq!(attempts.failed(unknown(), None, 0.0, Timestamp(0)), again(125));
            let floor = Some(DEADLINE);
            let next = attempts.failed(last, floor, 0.0, Timestamp(200));
            assert!(matches!(next, Next::Stop(Error::Unknown { .. })), "{next:?}");
        }
    }
}
