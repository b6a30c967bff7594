//! What Freshdesk's answers outside 2xx mean, and what its headers say about limits.

use std::time::Duration;

use handoffd_core::{RemoteId, Timestamp};
use http::{HeaderMap, StatusCode};

use super::{settings::Settings, wire};
use crate::{
    client::{Answer, Kind, LimitSeen, Profile},
    contract::Error,
};

/// The longest answer that is read: 100 tickets with long custom fields, or
/// 100 conversations with mail histories.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The words before the id of the record that a duplicate collides with.
const DUPLICATE_OF: &str = "it exists already with the id ";

/// What the client must know of Freshdesk.
pub fn profile(settings: &Settings) -> Profile {
    Profile {
        quota: settings.quota(),
        read_limits,
        classify,
        retry_after_default: Duration::from_secs(60),
        body_bytes_max: BODY_BYTES_MAX,
        timeout: Duration::from_secs(30),
    }
}

/// The account's limit. The endpoints' own limits have no header: a 429 with
/// something remaining is one of theirs. Numbers may be written `100.0`.
fn read_limits(headers: &HeaderMap, _now: Timestamp) -> Vec<LimitSeen> {
    let Some(remaining) = number(headers, "x-ratelimit-remaining") else { return Vec::new() };
    let total = number(headers, "x-ratelimit-total");
    vec![LimitSeen { bucket: String::new(), total, remaining, resets_at: None }]
}

/// How many units of the quota the request cost, as the answer says.
pub fn cost_seen(headers: &HeaderMap) -> Option<u32> {
    number(headers, "x-ratelimit-used-currentrequest").filter(|cost| (1..=20).contains(cost))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u32> {
    let value: f64 = headers.get(name)?.to_str().ok()?.trim().parse().ok()?;
    if !value.is_finite() || value < 0.0 || value > f64::from(u32::MAX) {
        return None;
    }
    format!("{:.0}", value.floor()).parse().ok()
}

/// Names what an answer outside 2xx means; `None` leaves 429, 5xx and redirects to the client.
fn classify(answer: &Answer, _kind: Kind) -> Option<Error> {
    let told = wire::Problem::read(&answer.body);
    let why = || told.describe().unwrap_or_else(|| format!("HTTP {}", answer.status.as_u16()));
    match answer.status {
        StatusCode::UNAUTHORIZED => Some(Error::Unauthorized { why: why() }),
        StatusCode::FORBIDDEN => Some(Error::Forbidden { missing: missing(&answer.body, why) }),
        StatusCode::NOT_FOUND => Some(Error::Gone),
        StatusCode::METHOD_NOT_ALLOWED => Some(Error::Refused {
            why: "HTTP 405: the record is deleted or spam, or this cannot be done to it".to_owned(),
        }),
        StatusCode::CONFLICT => Some(conflict(&told, why())),
        StatusCode::BAD_REQUEST
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNSUPPORTED_MEDIA_TYPE
        | StatusCode::UNPROCESSABLE_ENTITY => Some(Error::Refused { why: why() }),
        _ => None,
    }
}

/// A duplicate is refused, with the id that it collides with; any other 409 did not happen and may pass.
fn conflict(told: &wire::Problem, why: String) -> Error {
    match told.duplicate_of() {
        Some(id) => Error::Refused { why: format!("{why}: {DUPLICATE_OF}{id}") },
        None if told.errors.is_empty() => Error::Transient { why },
        None => Error::Refused { why },
    }
}

/// The id that a refused creation collides with.
pub fn duplicate_of(error: &Error) -> Option<RemoteId> {
    let Error::Refused { why } = error else { return None };
    let (_, id) = why.rsplit_once(DUPLICATE_OF)?;
    (!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit())).then(|| RemoteId::new(id))
}

/// `The Surveys feature(s) is/are not supported in your plan` names a plan
/// feature; anything else is the agent's own permission.
fn missing(body: &[u8], why: impl Fn() -> String) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(2_000)]);
    let feature = text
        .split_once(" feature(s)")
        .map(|(before, _)| before.rsplit(['"', '{', '.']).next().unwrap_or(before).trim())
        .map(|before| before.strip_prefix("The ").unwrap_or(before).to_owned())
        .filter(|name| !name.is_empty() && name.len() <= 100);
    match feature {
        Some(name) => format!("the plan feature {name}"),
        None => format!("a permission of the agent whose key it is ({})", why()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: Timestamp(0),
        }
    }

    #[test]
    fn answers_are_named_by_what_may_be_done() {
        let refused = |why: &str| Some(Error::Refused { why: why.to_owned() });
        let missing = include_str!("fixtures/error_validation.json");
        let wall = r#"{"description":"Validation failed","errors":[{"field":"page","message":"You cannot access tickets beyond the 300th page.","code":"invalid_value"}]}"#;
        let duplicate = include_str!("fixtures/error_duplicate_contact.json");
        let rows = [
            (
                400,
                missing,
                refused("Validation failed: status missing_field, custom_fields.cf_x invalid_value"),
            ),
            (400, wall, refused("Validation failed: page invalid_value")),
            (400, r#"{"code":"invalid_json","message":"…"}"#, refused("invalid_json")),
            (400, "<html>", refused("HTTP 400")),
            (
                422,
                missing,
                refused("Validation failed: status missing_field, custom_fields.cf_x invalid_value"),
            ),
            (
                401,
                r#"{"code":"invalid_credentials","message":"You have to be logged in."}"#,
                Some(Error::Unauthorized { why: "invalid_credentials".to_owned() }),
            ),
            (
                403,
                "The Surveys feature(s) is/are not supported in your plan. Please upgrade.",
                Some(Error::Forbidden { missing: "the plan feature Surveys".to_owned() }),
            ),
            (
                403,
                r#"{"code":"require_feature","message":"The Custom Ticket Views feature(s) is/are not supported in your plan."}"#,
                Some(Error::Forbidden { missing: "the plan feature Custom Ticket Views".to_owned() }),
            ),
            (
                403,
                r#"{"code":"access_denied","message":"You are not authorized to perform this action."}"#,
                Some(Error::Forbidden {
                    missing: "a permission of the agent whose key it is (access_denied)".to_owned(),
                }),
            ),
            (404, "", Some(Error::Gone)),
            (
                405,
                r#"{"message":"PUT method is not allowed."}"#,
                refused("HTTP 405: the record is deleted or spam, or this cannot be done to it"),
            ),
            (
                409,
                duplicate,
                refused("Validation failed: email duplicate_value: it exists already with the id 123"),
            ),
            (409, "", Some(Error::Transient { why: "HTTP 409".to_owned() })),
            (415, "", refused("HTTP 415")),
            (429, r#"{"message":"You have exceeded the limit of requests per hour"}"#, None),
            (500, "", None),
            (302, "", None),
        ];
        for (status, body, expected) in rows {
            assert_eq!(classify(&answer(status, body), Kind::Write), expected, "{status} {body}");
        }
    }

    #[test]
    fn errors_never_quote_values() {
        let body = r#"{"description":"Validation failed","errors":[{"field":"subject: my secret","message":"my secret is too long","code":"my secret"}]}"#;
        let Some(Error::Refused { why }) = classify(&answer(400, body), Kind::Write) else { panic!() };
        assert!(!why.contains("secret"), "{why}");
    }

    #[test]
    fn a_duplicate_gives_its_id() {
        let duplicate =
            classify(&answer(409, include_str!("fixtures/error_duplicate_contact.json")), Kind::Write);
        assert_eq!(duplicate_of(&duplicate.unwrap()), Some(RemoteId::from("123")));
        assert_eq!(duplicate_of(&Error::Gone), None);
        assert_eq!(duplicate_of(&Error::Refused { why: format!("{DUPLICATE_OF}x") }), None);
    }

    #[test]
    fn limits_are_read_as_numbers_of_any_form() {
        let headers = |rows: &[(&'static str, &str)]| {
            rows.iter()
                .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap()))
                .collect()
        };
        let told: HeaderMap = headers(&[
            ("x-ratelimit-total", "200.0"),
            ("x-ratelimit-remaining", "57.0"),
            ("x-ratelimit-used-currentrequest", "3"),
        ]);
        let seen = LimitSeen { bucket: String::new(), total: Some(200), remaining: 57, resets_at: None };
        assert_eq!(read_limits(&told, Timestamp(0)), [seen]);
        assert_eq!(cost_seen(&told), Some(3));
        for wrong in ["", "-1", "NaN", "many", "1e99"] {
            assert_eq!(
                read_limits(&headers(&[("x-ratelimit-remaining", wrong)]), Timestamp(0)),
                [],
                "{wrong}"
            );
        }
        assert_eq!(cost_seen(&headers(&[("x-ratelimit-used-currentrequest", "0")])), None);
    }
}
