//! Stripe's API v1: requests as values, and what its answers mean.
//!
//! Limits and error forms are those of docs.stripe.com/rate-limits and
//! docs.stripe.com/error-handling.

use std::time::Duration;

use handoffd_core::Timestamp;
use http::{HeaderMap, HeaderValue};
use url::form_urlencoded::Serializer;

use super::{
    settings::Settings,
    wire::{ErrorBody, Problem},
};
use crate::{
    client::{Answer, Ask, Kind, LimitSeen, Profile, Quota, json},
    contract::{Error, Result},
};

/// How many customers of one address are looked at: the most that a page holds.
const CUSTOMERS_MAX: &str = "100";
/// How many subscriptions are looked at, the newest.
const SUBSCRIPTIONS_MAX: &str = "10";
/// How many open invoices are looked at, the newest.
const INVOICES_MAX: &str = "10";
/// How many charges are looked at, the newest.
const CHARGES_MAX: &str = "5";

/// One endpoint serves 25 requests a second.
const ENDPOINT: Quota = Quota { count: 25, per: Duration::from_secs(1) };
/// Searches are served 20 times a second.
const SEARCH: Quota = Quota { count: 20, per: Duration::from_secs(1) };

/// What the client must know of Stripe: 100 requests a second for an account,
/// and no limit headers but the reason of a 429.
pub fn profile() -> Profile {
    Profile {
        quota: Quota { count: 100, per: Duration::from_secs(1) },
        read_limits,
        classify,
        // None is documented; the limits are counted by the second.
        retry_after_default: Duration::from_secs(1),
        body_bytes_max: 4 * 1_024 * 1_024,
        timeout: Duration::from_secs(20),
    }
}

/// A 429 whose reason is the account's rate says that this second is used up.
fn read_limits(headers: &HeaderMap, now: Timestamp) -> Vec<LimitSeen> {
    let reason = headers.get("stripe-rate-limited-reason").and_then(|reason| reason.to_str().ok());
    match reason {
        Some("global-rate") => {
            let resets_at = Some(now.plus(Duration::from_secs(1)));
            vec![LimitSeen { bucket: String::new(), total: None, remaining: 0, resets_at }]
        }
        _ => Vec::new(),
    }
}

/// Builds the requests of one account.
pub struct Requests<'a>(pub &'a Settings);

impl Requests<'_> {
    /// Customers whose address is exactly this one, letter case included.
    pub fn customers_by_email(&self, email: &str) -> Result<Ask> {
        self.get("customers", "/v1/customers", &[("email", email), ("limit", CUSTOMERS_MAX)], ENDPOINT)
    }

    /// Customers whose address is this one in any letter case. The index may be behind.
    pub fn customers_search(&self, email: &str) -> Result<Ask> {
        let escaped = email.replace('\\', "\\\\").replace('\'', "\\'");
        let query = format!("email:'{escaped}'");
        let pairs = [("query", query.as_str()), ("limit", CUSTOMERS_MAX)];
        self.get("customers_search", "/v1/customers/search", &pairs, SEARCH)
    }

    /// One customer.
    pub fn customer(&self, id: &str) -> Result<Ask> {
        self.get("customers_id", &format!("/v1/customers/{}", path_part(id)?), &[], ENDPOINT)
    }

    /// A customer's subscriptions, the ended ones too, the newest first.
    pub fn subscriptions(&self, customer: &str, with_invoice: bool) -> Result<Ask> {
        let mut pairs = vec![("customer", customer), ("status", "all"), ("limit", SUBSCRIPTIONS_MAX)];
        if with_invoice {
            pairs.push(("expand[]", "data.latest_invoice"));
        }
        self.get("subscriptions", "/v1/subscriptions", &pairs, ENDPOINT)
    }

    /// A customer's unpaid invoices, the newest first.
    pub fn open_invoices(&self, customer: &str) -> Result<Ask> {
        let pairs = [("customer", customer), ("status", "open"), ("limit", INVOICES_MAX)];
        self.get("invoices", "/v1/invoices", &pairs, ENDPOINT)
    }

    /// A customer's charges of any status, the newest first: there is no filter for it.
    pub fn charges(&self, customer: &str) -> Result<Ask> {
        self.get("charges", "/v1/charges", &[("customer", customer), ("limit", CHARGES_MAX)], ENDPOINT)
    }

    /// One product, for its name.
    pub fn product(&self, id: &str) -> Result<Ask> {
        self.get("products_id", &format!("/v1/products/{}", path_part(id)?), &[], ENDPOINT)
    }

    /// The first row of a resource, to see whether the key may read it.
    /// `/v1/account` cannot be read with a restricted key.
    pub fn first_of(&self, resource: &'static str) -> Result<Ask> {
        self.get(resource, &format!("/v1/{resource}"), &[("limit", "1")], ENDPOINT)
    }

    fn get(&self, bucket: &str, path: &str, pairs: &[(&str, &str)], quota: Quota) -> Result<Ask> {
        let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
        let mark = if query.is_empty() { "" } else { "?" };
        let mut ask = json::get(&format!("{path}{mark}{query}"))?;
        ask.buckets.push((bucket.to_owned(), quota));
        let headers = ask.request.headers_mut();
        headers.insert("stripe-version", header(&self.0.api_version)?);
        if let Some(account) = &self.0.connected_account {
            headers.insert("stripe-account", header(account)?);
        }
        Ok(ask)
    }
}

fn header(text: &str) -> Result<HeaderValue> {
    HeaderValue::from_str(text)
        .map_err(|_| Error::Refused { why: "a setting that no header can hold".to_owned() })
}

/// An id as a part of a path.
fn path_part(id: &str) -> Result<&str> {
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    plain
        .then_some(id)
        .ok_or_else(|| Error::Refused { why: "a record id that is none of Stripe's".to_owned() })
}

/// What an answer outside 2xx means. Only reads are sent, so whatever may pass
/// is `Transient`; Stripe's own word about a retry goes before its status.
fn classify(answer: &Answer, _: Kind) -> Option<Error> {
    let body: ErrorBody = serde_json::from_slice(&answer.body).unwrap_or_default();
    let problem = body.error.unwrap_or_default();
    let why = words(answer, &problem);
    let retry = answer.headers.get("stripe-should-retry").map(HeaderValue::as_bytes);
    Some(match (answer.status.as_u16(), retry) {
        (401, _) => Error::Unauthorized { why },
        (403, _) => Error::Forbidden { missing: missing_permission(&problem) },
        (404, _) => Error::Gone,
        (429, _) if problem.code.as_deref() == Some("lock_timeout") => Error::Transient { why },
        (429, _) => return None,
        (_, Some(b"true")) => Error::Transient { why },
        (_, Some(b"false")) => Error::Refused { why },
        (409 | 500.., _) => Error::Transient { why },
        (400 | 402, _) => Error::Refused { why },
        _ => return None,
    })
}

/// The status with the problem's codes. Its message stays out: it may hold an
/// address or part of the key.
fn words(answer: &Answer, problem: &Problem) -> String {
    let codes =
        [&problem.kind, &problem.code, &problem.param].map(|code| code.as_deref().and_then(code_text));
    let codes: Vec<String> = codes.into_iter().flatten().collect();
    format!("HTTP {} {}", answer.status.as_u16(), codes.join(" ")).trim_end().to_owned()
}

/// A code as Stripe writes them; anything else is not shown.
fn code_text(code: &str) -> Option<String> {
    let is_code = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_[].".contains(&b);
    (!code.is_empty() && code.len() <= 60 && code.bytes().all(is_code)).then(|| code.to_owned())
}

/// The permission that a restricted key lacks (`rak_…`), which only the message
/// names, beside a masked form of the key.
fn missing_permission(problem: &Problem) -> String {
    let message = problem.message.as_deref().unwrap_or_default();
    let named = message
        .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .find(|word| word.len() > 4 && word.len() <= 60 && word.starts_with("rak_"));
    match (named, problem.code.as_deref().and_then(code_text)) {
        (Some(permission), _) => permission.to_owned(),
        (None, Some(code)) => format!("a permission of the key ({code})"),
        (None, None) => "a permission of the key".to_owned(),
    }
}
