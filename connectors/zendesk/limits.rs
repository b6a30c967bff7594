//! What the client must know of Zendesk: limits and their headers.

use std::time::Duration;

use handoffd_core::Timestamp;
use http::HeaderMap;

use super::{errors, settings::Plan};
use crate::client::{LimitSeen, Profile, Quota};

/// All incremental exports together: 10 a minute. The names are those of the
/// `zendesk-ratelimit-…` headers.
pub const EXPORTS: &str = "incremental-exports";
/// Updates of tickets in the account: 100 a minute.
pub const TICKETS_UPDATE: &str = "tickets-update";
/// Lists of tickets: 100 a minute at least.
pub const TICKETS_INDEX: &str = "tickets-index";
/// Deletions of tickets: 400 a minute.
pub const TICKETS_DELETE: &str = "tickets-delete";
/// Making or updating people: one a second in the account.
pub const PEOPLE_UPSERT: &str = "users-create-or-update";
/// Audits of tickets: about 500 a minute, of which others take 450.
pub const AUDITS: &str = "ticket-audits";

const MINUTE: Duration = Duration::from_secs(60);

/// The documented size of each bucket.
pub fn quota(bucket: &str) -> Quota {
    match bucket {
        EXPORTS => Quota { count: 10, per: MINUTE },
        PEOPLE_UPSERT => Quota { count: 1, per: Duration::from_secs(1) },
        AUDITS => Quota { count: 450, per: MINUTE },
        TICKETS_DELETE => Quota { count: 400, per: MINUTE },
        _ => Quota { count: 100, per: MINUTE },
    }
}

/// Updates of one ticket by one user: 30 in ten minutes.
pub const ONE_TICKET: Quota = Quota { count: 30, per: Duration::from_secs(600) };
/// Updates of one person: 5 a minute.
pub const ONE_PERSON: Quota = Quota { count: 5, per: MINUTE };

/// The profile of an account on `plan`.
pub fn profile(plan: Plan) -> Profile {
    Profile {
        quota: plan.quota(),
        read_limits,
        classify: errors::classify,
        retry_after_default: MINUTE,
        // A page of the export is 1000 tickets, and a description may have 64 KiB.
        body_bytes_max: 80 << 20,
        timeout: MINUTE,
    }
}

/// Reads every form of limit header that Zendesk sends.
pub fn read_limits(headers: &HeaderMap, now: Timestamp) -> Vec<LimitSeen> {
    let mut seen: Vec<LimitSeen> = account(headers, now).into_iter().collect();
    for name in headers.keys() {
        let Some(bucket) = name.as_str().strip_prefix("zendesk-ratelimit-") else { continue };
        let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        seen.extend(endpoint(bucket, text, now));
    }
    seen
}

/// The account's own limit: `ratelimit-*` tells the reset, `x-rate-limit*` does not.
fn account(headers: &HeaderMap, now: Timestamp) -> Option<LimitSeen> {
    let number = |name: &str| headers.get(name)?.to_str().ok().and_then(whole);
    let remaining = number("ratelimit-remaining").or_else(|| number("x-rate-limit-remaining"))?;
    let total = number("ratelimit-limit").or_else(|| number("x-rate-limit"));
    let resets_at = number("ratelimit-reset").map(|secs| after(now, secs));
    Some(LimitSeen { bucket: String::new(), total, remaining, resets_at })
}

/// `total=100; remaining=99; resets=41`, in any order.
fn endpoint(bucket: &str, text: &str, now: Timestamp) -> Option<LimitSeen> {
    let number = |key: &str| {
        let mut pairs = text.split([';', ',']).filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| name.trim() == key).and_then(|(_, value)| whole(value))
    };
    Some(LimitSeen {
        bucket: bucket.to_owned(),
        total: number("total"),
        remaining: number("remaining")?,
        resets_at: number("resets").map(|secs| after(now, secs)),
    })
}

fn whole(text: &str) -> Option<u32> {
    text.trim().parse().ok()
}

fn after(now: Timestamp, secs: u32) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(secs)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_000);

    fn seen(pairs: &[(&str, &str)]) -> Vec<(String, Option<u32>, u32, Option<i64>)> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let name: http::HeaderName = name.parse().unwrap();
            headers.insert(name, value.parse().unwrap());
        }
        let limits = read_limits(&headers, NOW).into_iter();
        limits.map(|l| (l.bucket, l.total, l.remaining, l.resets_at.map(Timestamp::as_secs))).collect()
    }

    #[test]
    fn every_form_of_header_is_read() {
        let own = |total, remaining, reset| vec![(String::new(), total, remaining, reset)];
        let bucket = |name: &str, total, remaining, reset| vec![(name.to_owned(), total, remaining, reset)];
        type Row<'a> = (Vec<(&'a str, &'a str)>, Vec<(String, Option<u32>, u32, Option<i64>)>);
        let rows: Vec<Row<'_>> = vec![
            (vec![], vec![]),
            (vec![("x-rate-limit", "400"), ("x-rate-limit-remaining", "384")], own(Some(400), 384, None)),
            (
                vec![("ratelimit-limit", "400"), ("ratelimit-remaining", "3"), ("ratelimit-reset", "50")],
                own(Some(400), 3, Some(1_050)),
            ),
            (
                vec![("X-Rate-Limit", "700"), ("X-Rate-Limit-Remaining", "9"), ("ratelimit-remaining", "8")],
                own(Some(700), 8, None),
            ),
            (
                vec![("zendesk-ratelimit-tickets-update", "total=100; remaining=99; resets=41")],
                bucket(TICKETS_UPDATE, Some(100), 99, Some(1_041)),
            ),
            (
                vec![("Zendesk-RateLimit-Incremental-Exports", "remaining=0;total=10")],
                bucket(EXPORTS, Some(10), 0, None),
            ),
            (vec![("zendesk-ratelimit-search-index", "total=; remaining=x; resets=2")], vec![]),
            (vec![("x-rate-limit", "400")], vec![]),
        ];
        for (headers, expected) in rows {
            assert_eq!(seen(&headers), expected, "{headers:?}");
        }
    }
}
