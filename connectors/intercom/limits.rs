//! Intercom's limits: so many requests in slices of ten seconds.
//!
//! Source: the vendor's page on rate limiting: 10,000 requests a minute of an
//! app and 25,000 of a workspace are spread over windows of ten seconds.

use std::time::Duration;

use handoffd_core::Timestamp;
use http::HeaderMap;

use super::{errors, settings::Settings};
use crate::client::{LimitSeen, Profile};

/// The length of a slice.
pub const SLICE: Duration = Duration::from_secs(10);

/// The longest answer that is read: 500 parts with mail histories.
const BODY_BYTES_MAX: usize = 32 * 1024 * 1024;

/// A `X-RateLimit-Reset` further away than this is not believed.
const RESET_MAX: Duration = Duration::from_secs(10 * 60);

/// What the client must know of Intercom.
pub fn profile(settings: &Settings) -> Profile {
    Profile {
        quota: settings.plan.quota(),
        read_limits,
        classify: errors::classify,
        retry_after_default: SLICE,
        body_bytes_max: BODY_BYTES_MAX,
        timeout: Duration::from_secs(60),
    }
}

fn read_limits(headers: &HeaderMap, now: Timestamp) -> Vec<LimitSeen> {
    let Some(remaining) = number(headers, "x-ratelimit-remaining") else { return Vec::new() };
    let total = number(headers, "x-ratelimit-limit");
    vec![LimitSeen { bucket: String::new(), total, remaining, resets_at: resets_at(headers, now) }]
}

/// When the slice ends, if the answer says so.
pub fn resets_at(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get("x-ratelimit-reset")?.to_str().ok()?;
    let at = Timestamp::from_secs(text.trim().parse().ok()?);
    (at >= now.minus(SLICE) && at <= now.plus(RESET_MAX)).then(|| at.max(now))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(rows: &[(&'static str, &str)]) -> HeaderMap {
        rows.iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn limits_are_read() {
        let now = Timestamp::from_secs(1_795_334_404);
        let told = headers(&[
            ("x-ratelimit-limit", "1666"),
            ("x-ratelimit-remaining", "7"),
            ("x-ratelimit-reset", "1795334410"),
        ]);
        let resets_at = Some(Timestamp::from_secs(1_795_334_410));
        let seen = LimitSeen { bucket: String::new(), total: Some(1_666), remaining: 7, resets_at };
        assert_eq!(read_limits(&told, now), [seen]);
        assert_eq!(read_limits(&headers(&[("x-ratelimit-remaining", "many")]), now), []);
        for wrong in ["soon", "0", "99999999999", "-1"] {
            assert_eq!(super::resets_at(&headers(&[("x-ratelimit-reset", wrong)]), now), None, "{wrong}");
        }
        let past = headers(&[("x-ratelimit-reset", "1795334400")]);
        assert_eq!(super::resets_at(&past, now), Some(now), "it is over");
    }
}
