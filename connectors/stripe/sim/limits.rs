//! Requests per second: the account's, each endpoint's, and search's.
//!
//! Source: the vendor's page on rate limits. The concurrency limits are not
//! simulated: requests are answered one at a time.

use std::collections::BTreeMap;

/// The counts of the current second.
pub(super) struct Limits {
    /// Requests of the whole account in a second; `None` switches every limit off.
    total: Option<u32>,
    second: i64,
    used: u32,
    endpoints: BTreeMap<String, u32>,
}

impl Limits {
    /// The limits of `live` or `test` (also `sandbox`); any other plan has none.
    pub fn new(plan: &str) -> Self {
        let total = match plan {
            "live" => Some(100),
            "test" | "sandbox" => Some(25),
            _ => None,
        };
        Self { total, second: i64::MIN, used: 0, endpoints: BTreeMap::new() }
    }

    /// Counts a request, or names the limit that it is over.
    pub fn take(&mut self, endpoint: &str, now: i64) -> Result<(), &'static str> {
        if now != self.second {
            self.second = now;
            self.used = 0;
            self.endpoints.clear();
        }
        let Some(total) = self.total else { return Ok(()) };
        if self.used >= total {
            return Err("global-rate");
        }
        let most = if endpoint.ends_with("/search") { 20 } else { 25 };
        let used = self.endpoints.entry(endpoint.to_owned()).or_default();
        if *used >= most {
            return Err("endpoint-rate");
        }
        *used += 1;
        self.used += 1;
        Ok(())
    }
}
