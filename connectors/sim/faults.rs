//! Injected failures: how often what goes wrong, and what goes wrong this time.

use std::ops::RangeInclusive;

use rand::Rng;
use serde::{Deserialize, Serialize};

/// How often what goes wrong between us and one vendor. Rates are per mille; of
/// the failures of one request, at most one happens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Faults {
    /// The connection fails before anything is sent: we know that it did not happen.
    pub refused: u32,
    /// The request is lost on its way: no answer, and it did not happen.
    pub lost: u32,
    /// The answer is lost: no answer, and it did happen.
    pub answer_lost: u32,
    /// A 5xx, and it did not happen.
    pub error_before: u32,
    /// A 5xx, and it did happen.
    pub error_after: u32,
    /// A 429 with a `Retry-After`, and it did not happen.
    pub throttled: u32,
    /// The `Retry-After` of such a 429, in seconds.
    pub retry_after_secs: RangeInclusive<u32>,
    /// How long a request and how long its answer are on their way, in milliseconds.
    pub latency_ms: RangeInclusive<u64>,
    /// Answers that take longer, so that what they show is old when it arrives.
    pub answer_slow: u32,
    /// How much longer, in milliseconds.
    pub answer_slow_ms: RangeInclusive<u64>,
    /// A webhook that the vendor takes for delivered and that never arrives.
    pub webhook_lost: u32,
    /// A webhook that does not arrive, which the vendor sees.
    pub webhook_unanswered: u32,
    /// A webhook that arrives and whose answer comes too late for the vendor.
    pub webhook_answered_late: u32,
    /// A webhook that arrives a second time, later.
    pub webhook_doubled: u32,
    /// A webhook that arrives late, behind others.
    pub webhook_delayed: u32,
    /// How late, in milliseconds; of second arrivals too.
    pub webhook_delay_ms: RangeInclusive<u64>,
}

impl Default for Faults {
    fn default() -> Self {
        Self::none()
    }
}

/// What becomes of one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RequestFault {
    /// See [`Faults::refused`].
    Refused,
    /// See [`Faults::lost`].
    Lost,
    /// See [`Faults::answer_lost`].
    AnswerLost,
    /// See [`Faults::error_before`], with the status.
    ErrorBefore(u16),
    /// See [`Faults::error_after`], with the status.
    ErrorAfter(u16),
    /// See [`Faults::throttled`], with the seconds.
    Throttled(u32),
}

/// One request's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestFate {
    /// What goes wrong, if anything.
    pub fault: Option<RequestFault>,
    /// How long the request travels, in milliseconds.
    pub there_ms: u64,
    /// How long the answer travels, in milliseconds.
    pub back_ms: u64,
}

/// What becomes of one webhook.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum WebhookFate {
    /// It arrives and the vendor hears the answer.
    Delivered,
    /// See [`Faults::webhook_lost`].
    Lost,
    /// See [`Faults::webhook_unanswered`].
    Unanswered,
    /// See [`Faults::webhook_answered_late`].
    AnsweredLate,
    /// See [`Faults::webhook_doubled`], with the wait before the second arrival in milliseconds.
    Doubled(u64),
    /// See [`Faults::webhook_delayed`], with the wait in milliseconds.
    Delayed(u64),
}

impl Faults {
    /// A perfect net without latency.
    pub const fn none() -> Self {
        Self {
            refused: 0,
            lost: 0,
            answer_lost: 0,
            error_before: 0,
            error_after: 0,
            throttled: 0,
            retry_after_secs: 1..=1,
            latency_ms: 0..=0,
            answer_slow: 0,
            answer_slow_ms: 0..=0,
            webhook_lost: 0,
            webhook_unanswered: 0,
            webhook_answered_late: 0,
            webhook_doubled: 0,
            webhook_delayed: 0,
            webhook_delay_ms: 0..=0,
        }
    }

    /// Far more of everything than a bad day brings, and little enough that work gets done.
    pub const fn some() -> Self {
        Self {
            refused: 20,
            lost: 20,
            answer_lost: 30,
            error_before: 20,
            error_after: 20,
            throttled: 20,
            retry_after_secs: 1..=30,
            latency_ms: 5..=400,
            answer_slow: 50,
            answer_slow_ms: 500..=5_000,
            webhook_lost: 150,
            webhook_unanswered: 50,
            webhook_answered_late: 50,
            webhook_doubled: 150,
            webhook_delayed: 200,
            webhook_delay_ms: 100..=20_000,
        }
    }

    /// Draws the way of one request.
    pub fn draw_request(&self, random: &mut impl Rng) -> RequestFate {
        let statuses = [500, 502, 503, 504];
        let status = statuses[random.random_range(0..statuses.len())];
        let kinds = [
            (self.refused, RequestFault::Refused),
            (self.lost, RequestFault::Lost),
            (self.answer_lost, RequestFault::AnswerLost),
            (self.error_before, RequestFault::ErrorBefore(status)),
            (self.error_after, RequestFault::ErrorAfter(status)),
            (self.throttled, RequestFault::Throttled(random.random_range(self.retry_after_secs.clone()))),
        ];
        let fault = pick(&kinds, random);
        let there_ms = random.random_range(self.latency_ms.clone());
        let slow_ms = random.random_range(self.answer_slow_ms.clone());
        let slow = random.random_range(0..1_000) < self.answer_slow;
        let back_ms = random.random_range(self.latency_ms.clone()) + if slow { slow_ms } else { 0 };
        RequestFate { fault, there_ms, back_ms }
    }

    /// Draws what becomes of one webhook.
    pub fn draw_webhook(&self, random: &mut impl Rng) -> WebhookFate {
        let delay_ms = random.random_range(self.webhook_delay_ms.clone());
        let kinds = [
            (self.webhook_lost, WebhookFate::Lost),
            (self.webhook_unanswered, WebhookFate::Unanswered),
            (self.webhook_answered_late, WebhookFate::AnsweredLate),
            (self.webhook_doubled, WebhookFate::Doubled(delay_ms)),
            (self.webhook_delayed, WebhookFate::Delayed(delay_ms)),
        ];
        pick(&kinds, random).unwrap_or(WebhookFate::Delivered)
    }
}

/// At most one of these, each at its rate; rates that sum up to more than 1000 leave nothing whole.
fn pick<T: Copy>(kinds: &[(u32, T)], random: &mut impl Rng) -> Option<T> {
    let mut left: u32 = random.random_range(0..1_000);
    for (rate, kind) in kinds {
        match left.checked_sub(*rate) {
            Some(rest) => left = rest,
            None => return Some(*kind),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    #[test]
    fn a_perfect_net_does_nothing() {
        let mut random = ChaCha8Rng::seed_from_u64(1);
        for _ in 0..1_000 {
            let whole = RequestFate { fault: None, there_ms: 0, back_ms: 0 };
            assert_eq!(Faults::none().draw_request(&mut random), whole);
            assert_eq!(Faults::none().draw_webhook(&mut random), WebhookFate::Delivered);
        }
    }

    #[test]
    fn faults_come_at_their_rates() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        let (mut requests, mut webhooks) = (BTreeMap::new(), BTreeMap::new());
        let faults = Faults { retry_after_secs: 7..=7, webhook_delay_ms: 9..=9, ..Faults::some() };
        for _ in 0..100_000 {
            let fate = faults.draw_request(&mut random);
            assert!((5..=400).contains(&fate.there_ms) && (5..=5_400).contains(&fate.back_ms));
            let kind = fate.fault.map(|fault| match fault {
                RequestFault::ErrorBefore(_) => RequestFault::ErrorBefore(0),
                RequestFault::ErrorAfter(_) => RequestFault::ErrorAfter(0),
                other => other,
            });
            *requests.entry(kind).or_insert(0_u32) += 1;
            *webhooks.entry(faults.draw_webhook(&mut random)).or_insert(0_u32) += 1;
        }
        let near = |seen: Option<&u32>, rate: u32| {
            seen.is_some_and(|seen| seen.abs_diff(rate * 100) < rate * 10 + 50)
        };
        for (fault, rate) in [
            (RequestFault::Refused, faults.refused),
            (RequestFault::Lost, faults.lost),
            (RequestFault::AnswerLost, faults.answer_lost),
            (RequestFault::ErrorBefore(0), faults.error_before),
            (RequestFault::ErrorAfter(0), faults.error_after),
            (RequestFault::Throttled(7), faults.throttled),
        ] {
            assert!(near(requests.get(&Some(fault)), rate), "{fault:?} {requests:?}");
        }
        for (fate, rate) in [
            (WebhookFate::Lost, faults.webhook_lost),
            (WebhookFate::Unanswered, faults.webhook_unanswered),
            (WebhookFate::AnsweredLate, faults.webhook_answered_late),
            (WebhookFate::Doubled(9), faults.webhook_doubled),
            (WebhookFate::Delayed(9), faults.webhook_delayed),
        ] {
            assert!(near(webhooks.get(&fate), rate), "{fate:?} {webhooks:?}");
        }
    }
}
