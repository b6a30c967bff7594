//! Time as an argument.

use std::{fmt, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A moment in milliseconds since the Unix epoch, UTC.
///
/// Compare moments of one vendor only: vendors' clocks differ.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

/// A text that is not a moment in RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a time as RFC 3339 writes it")]
pub struct NotATime(pub String);

impl Timestamp {
    /// From whole seconds since the Unix epoch.
    pub const fn from_secs(secs: i64) -> Self {
        Self(secs.saturating_mul(1_000))
    }

    /// Whole seconds since the Unix epoch, rounded down.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Reads RFC 3339 with any offset and any number of fractional digits.
    pub fn parse(text: &str) -> Result<Self, NotATime> {
        text.parse::<jiff::Timestamp>()
            .map(|moment| Self(moment.as_millisecond()))
            .map_err(|_| NotATime(text.to_owned()))
    }

    /// `2026-11-22T08:00:00Z`: whole seconds, as Zendesk and Freshdesk write time.
    pub fn to_rfc3339_secs(self) -> String {
        jiff::Timestamp::from_second(self.as_secs())
            .map(|moment| moment.to_string())
            .unwrap_or_else(|_| self.0.to_string())
    }

    /// The later moment, or the far end of time.
    pub fn plus(self, wait: Duration) -> Self {
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(wait_ms))
    }

    /// The earlier moment, or the far start of time.
    pub fn minus(self, span: Duration) -> Self {
        let span_ms = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_sub(span_ms))
    }

    /// How long ago `earlier` was; zero when it lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_rfc3339_secs())
    }
}
