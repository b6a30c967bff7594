//! The rate limits, which come in slices of ten seconds.
//!
//! Source: Intercom's page on rate limiting: 10,000 requests a minute of an app
//! are spread over windows of ten seconds (1666 each). `83` was met in the wild.

use handoffd_core::Timestamp;

/// The length of a window in seconds.
const WINDOW_SECS: i64 = 10;

/// The count of the current window.
pub(super) struct Limits {
    total: Option<u32>,
    window: i64,
    used: u32,
}

/// Header names and values.
pub(super) type Headers = Vec<(&'static str, String)>;

impl Limits {
    /// The limits of `plan`: `standard`, `small`; any other has none.
    pub fn new(plan: &str) -> Self {
        let total = match plan {
            "standard" => Some(1_666),
            "small" => Some(83),
            _ => None,
        };
        Self { total, window: i64::MIN, used: 0 }
    }

    /// Requests allowed in a window.
    pub fn total(&self) -> u32 {
        self.total.unwrap_or_default()
    }

    /// Counts one request; `Err` is over the limit. Both carry the headers.
    pub fn take(&mut self, now: Timestamp) -> Result<Headers, Headers> {
        let Some(total) = self.total else { return Ok(Vec::new()) };
        let window = now.as_secs().div_euclid(WINDOW_SECS);
        if window != self.window {
            self.window = window;
            self.used = 0;
        }
        let over = self.used >= total;
        if !over {
            self.used += 1;
        }
        let reset = window.saturating_add(1).saturating_mul(WINDOW_SECS);
        let headers = vec![
            ("x-ratelimit-limit", total.to_string()),
            ("x-ratelimit-remaining", (total - self.used).to_string()),
            ("x-ratelimit-reset", reset.to_string()),
        ];
        if over { Err(headers) } else { Ok(headers) }
    }
}
