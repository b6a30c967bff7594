//! Durations with units.

use std::{fmt, time::Duration};

use serde::{Deserialize, Deserializer, de::Error as _};

/// A duration as an admin writes it: `250ms`, `30s`, `5m`, `6h`, `7d`, `1h 30m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl Span {
    /// Reads `30s` and the like. Days have 24 hours.
    pub fn parse(text: &str) -> Option<Self> {
        let trimmed = text.trim();
        if let Some(days) = trimmed.strip_suffix('d').and_then(|days| days.trim().parse::<u64>().ok()) {
            return Some(Self(Duration::from_secs(days.checked_mul(86_400)?)));
        }
        let signed: jiff::SignedDuration = trimmed.parse().ok()?;
        Duration::try_from(signed).ok().map(Self)
    }

    /// In whole milliseconds.
    pub fn as_millis(self) -> u64 {
        u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = self.0.as_millis();
        match ms {
            0 => out.write_str("0s"),
            _ if ms.is_multiple_of(3_600_000) => write!(out, "{}h", ms / 3_600_000),
            _ if ms.is_multiple_of(60_000) => write!(out, "{}m", ms / 60_000),
            _ if ms.is_multiple_of(1_000) => write!(out, "{}s", ms / 1_000),
            _ => write!(out, "{ms}ms"),
        }
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no duration: write a number with a unit, such as 30s, 5m or 6h"
            ))
        })
    }
}
