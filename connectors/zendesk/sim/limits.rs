//! Zendesk's layered rate limits.

use std::collections::BTreeMap;

use handoffd_core::Timestamp;

use super::answer::{Call, Reply};

/// One allowance: so many in so long.
#[derive(Clone, Debug)]
pub(super) struct Bucket {
    /// The name in `zendesk-ratelimit-{name}`; `None` for the account's own.
    name: Option<&'static str>,
    /// Whose allowance.
    key: String,
    total: i64,
    span_ms: i64,
}

/// What is left of an allowance.
#[derive(Clone, Copy, Debug)]
struct Left {
    total: i64,
    remaining: i64,
    /// Whole seconds, at least 1.
    resets: i64,
}

#[derive(Clone, Copy, Debug)]
struct Window {
    started_ms: i64,
    span_ms: i64,
    used: i64,
}

/// The counters.
#[derive(Debug)]
pub(super) struct Limits {
    /// `None`: no limits.
    per_minute: Option<i64>,
    windows: BTreeMap<String, Window>,
}

const MINUTE_MS: i64 = 60_000;
/// Shown where there is no limit.
const ENDLESS: i64 = 1_000_000;
/// From this many windows on, those that are over are thrown away.
const WINDOWS_KEPT: usize = 1_000;

impl Limits {
    /// By the plan's name; an unknown name has the smallest plan's limits.
    pub(super) fn new(plan: &str) -> Self {
        let per_minute = match plan {
            "unlimited" => None,
            "growth" | "professional" => Some(400),
            "enterprise" => Some(700),
            "enterprise_plus" => Some(2_500),
            _ => Some(200),
        };
        Self { per_minute, windows: BTreeMap::new() }
    }

    /// Counts one request. Gives the headers to add, or the 429.
    pub(super) fn admit(&mut self, call: &Call) -> Result<Vec<(&'static str, String)>, Reply> {
        let Some(per_minute) = self.per_minute else {
            let left = Left { total: ENDLESS, remaining: ENDLESS, resets: 60 };
            return Ok(account_headers(left));
        };
        let account = Bucket { name: None, key: "account".to_owned(), total: per_minute, span_ms: MINUTE_MS };
        let mut headers = Vec::new();
        for bucket in std::iter::once(account).chain(buckets(call)) {
            let (admitted, left) = self.take(&bucket, call.now);
            match bucket.name {
                None => headers.extend(account_headers(left)),
                Some(name) => headers.push((
                    name,
                    format!("total={}; remaining={}; resets={}", left.total, left.remaining, left.resets),
                )),
            }
            if !admitted {
                headers.push(("retry-after", left.resets.to_string()));
                let refused = Reply::text(429, "Number of allowed API requests per minute exceeded");
                return Err(Reply { headers, ..refused });
            }
        }
        Ok(headers)
    }

    /// Counts an edit made on the screen, which uses the same allowance and is never refused.
    pub(super) fn edited_by_hand(&mut self, now: Timestamp) {
        if self.per_minute.is_some() {
            self.take(&update_bucket(), now);
        }
    }

    fn take(&mut self, bucket: &Bucket, now: Timestamp) -> (bool, Left) {
        if self.windows.len() > WINDOWS_KEPT {
            self.windows.retain(|_, window| now.0 < window.started_ms + window.span_ms);
        }
        let fresh = Window { started_ms: now.0, span_ms: bucket.span_ms, used: 0 };
        let window = self.windows.entry(bucket.key.clone()).or_insert(fresh);
        if now.0 >= window.started_ms + window.span_ms || now.0 < window.started_ms {
            *window = fresh;
        }
        let admitted = window.used < bucket.total;
        if admitted {
            window.used += 1;
        }
        let resets = (window.started_ms + window.span_ms - now.0 + 999) / 1_000;
        (admitted, Left { total: bucket.total, remaining: bucket.total - window.used, resets: resets.max(1) })
    }
}

fn account_headers(left: Left) -> Vec<(&'static str, String)> {
    vec![
        ("x-rate-limit", left.total.to_string()),
        ("x-rate-limit-remaining", left.remaining.to_string()),
        ("ratelimit-limit", left.total.to_string()),
        ("ratelimit-remaining", left.remaining.to_string()),
        ("ratelimit-reset", left.resets.to_string()),
    ]
}

fn bucket(name: &'static str, key: String, total: i64, span_ms: i64) -> Bucket {
    Bucket { name: Some(name), key, total, span_ms }
}

fn update_bucket() -> Bucket {
    bucket("zendesk-ratelimit-tickets-update", "update".to_owned(), 100, MINUTE_MS)
}

/// The endpoint's own allowances.
fn buckets(call: &Call) -> Vec<Bucket> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    let per_user_and_second = |key: &str| {
        vec![
            bucket("zendesk-ratelimit-users-update", format!("user/{key}"), 5, MINUTE_MS),
            bucket("zendesk-ratelimit-users-create-or-update", "users".to_owned(), 1, 1_000),
        ]
    };
    match (call.method.as_str(), path.as_slice()) {
        ("GET", ["incremental", ..]) => {
            vec![bucket("zendesk-ratelimit-incremental-exports", "incremental".to_owned(), 10, MINUTE_MS)]
        }
        ("PUT", ["tickets", "update_many"]) => vec![update_bucket()],
        ("PUT", ["tickets", id, ..]) => vec![
            update_bucket(),
            bucket(
                "zendesk-ratelimit-tickets-update-per-user",
                format!("update/{}/{id}", call.user),
                30,
                10 * MINUTE_MS,
            ),
        ],
        ("DELETE", ["tickets", _]) => {
            vec![bucket("zendesk-ratelimit-tickets-delete", "delete".to_owned(), 400, MINUTE_MS)]
        }
        ("GET", ["tickets"]) => index_buckets(call),
        ("GET", ["tickets", _, "audits"]) => {
            vec![bucket("zendesk-ratelimit-ticket-audits-index", "audits".to_owned(), 500, MINUTE_MS)]
        }
        ("GET", ["deleted_tickets"]) => {
            vec![bucket("zendesk-ratelimit-deleted-tickets-index", "deleted".to_owned(), 10, MINUTE_MS)]
        }
        ("POST", ["users", "create_or_update"]) => per_user_and_second(&upserted(call)),
        ("PUT", ["users", id]) => per_user_and_second(id),
        _ => Vec::new(),
    }
}

/// A live tenant showed 20,000 here; pages beyond 500 have 50 a minute.
fn index_buckets(call: &Call) -> Vec<Bucket> {
    let mut all = vec![bucket("zendesk-ratelimit-tickets-index", "index".to_owned(), 20_000, MINUTE_MS)];
    if call.param("page").and_then(|page| page.parse::<i64>().ok()).is_some_and(|page| page > 500) {
        all.push(bucket("zendesk-ratelimit-tickets-index-deep-pagination", "deep".to_owned(), 50, MINUTE_MS));
    }
    all
}

/// Whom a create-or-update is about.
fn upserted(call: &Call) -> String {
    let user = call.object("user").unwrap_or_default();
    ["email", "external_id"]
        .iter()
        .find_map(|key| user.get(*key).and_then(serde_json::Value::as_str))
        .unwrap_or_default()
        .to_lowercase()
}
