//! When a committed write is tried again, looked for, or given up.

use std::time::Duration;

use crate::model::time::Timestamp;

/// Why a call failed, by what may be done about it: the connectors' errors
/// without their words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The vendor's limit is used up.
    Throttled {
        /// When a retry may work.
        retry_at: Timestamp,
    },
    /// It certainly did not happen, for a passing reason.
    Transient,
    /// It was sent and not answered.
    Unknown,
    /// The ticket changed since it was read.
    Stale,
    /// The ticket is not there.
    Gone,
    /// The credential is refused.
    Unauthorized,
    /// A permission is missing.
    Forbidden,
    /// The answer cannot be read. Of a write it may have happened all the same.
    Malformed,
    /// The vendor refuses it for good.
    Refused,
}

/// What to do with the write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Send it again.
    At {
        /// When.
        when: Timestamp,
        /// Whether the failure counts as an attempt.
        counts: bool,
    },
    /// Look for it at the vendor; only if it is certainly not there may it be sent again.
    Look {
        /// When.
        when: Timestamp,
    },
    /// Stop, with words for an admin. For a write that was looked for in vain
    /// this is [`crate::intent::Outcome::Lost`], else a refusal.
    Park {
        /// Why.
        reason: String,
    },
    /// Drop it, read the ticket, and decide again.
    Replan,
}

/// The bounds of retrying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryRules {
    /// The wait before the second attempt; doubles with each.
    pub wait_first: Duration,
    /// The longest wait.
    pub wait_max: Duration,
    /// After how many attempts a passing failure is no longer taken for one.
    pub attempts_max: u32,
    /// The wait before a look for a lost write; doubles with each look.
    pub lookup_wait: Duration,
    /// After how many looks a lost write is given up.
    pub lookups_max: u32,
    /// The wait while an account's credential or permission is refused.
    pub paused_wait: Duration,
}

impl Default for RetryRules {
    fn default() -> Self {
        Self {
            wait_first: Duration::from_secs(2),
            wait_max: Duration::from_secs(15 * 60),
            attempts_max: 12,
            lookup_wait: Duration::from_secs(5),
            lookups_max: 4,
            paused_wait: Duration::from_secs(5 * 60),
        }
    }
}

/// What to do after a failure.
///
/// `attempt` counts the failed attempts, this one included (1 after the first);
/// `lookups` the looks that were made already. `fraction` in `[0, 1)` spreads
/// the waits: each lies between its whole and half as much again.
pub fn decide(
    failure: Failure,
    attempt: u32,
    lookups: u32,
    now: Timestamp,
    fraction: f64,
    rules: &RetryRules,
) -> Next {
    match failure {
        Failure::Throttled { retry_at } => {
            let spread = spread(rules.wait_first, fraction).saturating_sub(rules.wait_first);
            let soonest = now.plus(Duration::from_millis(1));
            Next::At { when: retry_at.max(soonest).plus(spread), counts: false }
        }
        Failure::Transient if attempt >= rules.attempts_max => {
            Next::Park { reason: format!("it failed {attempt} times, the last time for a passing reason") }
        }
        Failure::Transient => {
            let wait = doubled(rules.wait_first, attempt.saturating_sub(1), rules.wait_max);
            Next::At { when: now.plus(spread(wait, fraction)), counts: true }
        }
        Failure::Unknown | Failure::Malformed if lookups >= rules.lookups_max => Next::Park {
            reason: format!("it was sent and not answered, and {lookups} looks did not find it"),
        },
        Failure::Unknown | Failure::Malformed => {
            let wait = doubled(rules.lookup_wait, lookups, rules.wait_max);
            Next::Look { when: now.plus(spread(wait, fraction)) }
        }
        Failure::Stale | Failure::Gone => Next::Replan,
        Failure::Unauthorized | Failure::Forbidden => {
            Next::At { when: now.plus(spread(rules.paused_wait, fraction)), counts: false }
        }
        Failure::Refused => Next::Park { reason: "the vendor refuses it".to_owned() },
    }
}

/// What a look is worth for a write of another run, which may or may not have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnsureRules {
    /// How long the vendor may still have the write in hand.
    pub settle: Duration,
    /// The wait between looks in which the vendor comes to show what is there.
    pub lookup_wait: Duration,
    /// After how many looks the vendor would have shown it.
    pub lookups_max: u32,
}

/// What to do about a write that may have been sent and that `lookups` looks in `time`, the
/// last one included, did not find. A new ticket is found by search alone, which may be minutes
/// behind: it is made again only after all the looks that its vendor wants. `None`: send it.
pub fn look_again(lookups: u32, time: Duration, creates: bool, rules: &UnsureRules) -> Option<Duration> {
    let (least, wait, rest) = match creates {
        true => {
            let wait = rules.settle.max(rules.lookup_wait);
            (rules.lookups_max.max(2), wait, rules.lookup_wait.saturating_mul(rules.lookups_max))
        }
        false => (2, rules.settle, rules.settle),
    };
    let is_sure = lookups >= least && time >= rest.max(rules.settle);
    (!is_sure).then_some(wait)
}

/// `first` doubled `times` times, at most `most`.
fn doubled(first: Duration, times: u32, most: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(times.min(31))).min(most)
}

/// A wait and up to half of it more.
fn spread(wait: Duration, fraction: f64) -> Duration {
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    wait.saturating_add(wait.mul_f64(fraction / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn next(failure: Failure, attempt: u32, lookups: u32) -> Next {
        decide(failure, attempt, lookups, NOW, 0.0, &RetryRules::default())
    }

    fn at(secs: i64, counts: bool) -> Next {
        Next::At { when: Timestamp::from_secs(1_000 + secs), counts }
    }

    fn look(secs: i64) -> Next {
        Next::Look { when: Timestamp::from_secs(1_000 + secs) }
    }

    #[test]
    fn each_failure_has_its_next_step() {
        let rows = [
            ("transient, first", Failure::Transient, 1, 0, at(2, true)),
            ("transient, second", Failure::Transient, 2, 0, at(4, true)),
            ("transient, waits are bounded", Failure::Transient, 11, 0, at(900, true)),
            ("throttled", Failure::Throttled { retry_at: Timestamp::from_secs(1_060) }, 40, 0, at(60, false)),
            ("unknown, first look", Failure::Unknown, 1, 0, look(5)),
            ("unknown, third look", Failure::Unknown, 1, 2, look(20)),
            ("unreadable answer", Failure::Malformed, 1, 0, look(5)),
            ("stale", Failure::Stale, 1, 0, Next::Replan),
            ("gone", Failure::Gone, 1, 0, Next::Replan),
            ("unauthorized", Failure::Unauthorized, 99, 0, at(300, false)),
            ("forbidden", Failure::Forbidden, 99, 0, at(300, false)),
        ];
        for (name, failure, attempt, lookups, expected) in rows {
            assert_eq!(next(failure, attempt, lookups), expected, "{name}");
        }
    }

    #[test]
    fn what_does_not_pass_is_parked() {
        for (failure, attempt, lookups) in [
            (Failure::Transient, 12, 0),
            (Failure::Unknown, 1, 4),
            (Failure::Malformed, 1, 4),
            (Failure::Refused, 1, 0),
        ] {
            assert!(matches!(next(failure, attempt, lookups), Next::Park { .. }), "{failure:?}");
        }
    }

    #[test]
    fn a_throttled_retry_is_never_in_the_past() {
        let past = Failure::Throttled { retry_at: Timestamp::from_secs(10) };
        let Next::At { when, .. } = next(past, 1, 0) else { panic!("not retried") };
        assert!(when > NOW);
    }

    #[test]
    fn what_another_run_may_have_sent_is_looked_for_long_enough() {
        let secs = Duration::from_secs;
        let slow = UnsureRules { settle: secs(20), lookup_wait: secs(60), lookups_max: 5 };
        let quick = UnsureRules { settle: secs(20), lookup_wait: secs(10), lookups_max: 3 };
        let rows = [
            ("a message, first look", 1, 0, false, slow, Some(20)),
            ("a message, too soon", 2, 19, false, slow, Some(20)),
            ("a message, rested", 2, 20, false, slow, None),
            ("a ticket, rested, where search is slow", 2, 60, true, slow, Some(60)),
            ("a ticket, one look short", 4, 400, true, slow, Some(60)),
            ("a ticket, too soon", 5, 240, true, slow, Some(60)),
            ("a ticket, all looks", 5, 300, true, slow, None),
            ("a ticket, the longer wait counts", 2, 40, true, quick, Some(20)),
            ("a ticket, where search is quick", 3, 40, true, quick, None),
        ];
        for (name, lookups, time, creates, rules, expected) in rows {
            let wait = look_again(lookups, secs(time), creates, &rules);
            assert_eq!(wait, expected.map(secs), "{name}");
        }
        let once = UnsureRules { settle: secs(0), lookup_wait: secs(0), lookups_max: 0 };
        assert_eq!(look_again(1, secs(9), true, &once), Some(secs(0)), "one look is never enough");
    }

    #[test]
    fn waits_are_spread_within_bounds_for_any_fraction() {
        let when = |fraction| match decide(Failure::Transient, 1, 0, NOW, fraction, &RetryRules::default()) {
            Next::At { when, .. } => when.since(NOW).as_millis(),
            other => panic!("{other:?}"),
        };
        assert_eq!((when(0.5), when(1.0)), (2_500, 3_000));
        for strange in [f64::NAN, f64::INFINITY, -1.0] {
            assert!((2_000..=3_000).contains(&when(strange)), "{strange}");
        }
        let far = decide(
            Failure::Unknown,
            1,
            u32::MAX - 1,
            NOW,
            0.0,
            &RetryRules { lookups_max: u32::MAX, ..RetryRules::default() },
        );
        assert_eq!(far, look(900));
    }
}
