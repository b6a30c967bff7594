//! What an answer means, where the vendor says nothing of its own.

use std::time::Duration;

use handoffd_core::Timestamp;
use http::{HeaderMap, StatusCode, header};

use super::{Answer, Kind, Profile, TransportError};
use crate::contract::Error;

/// The longest `Retry-After` that is believed: a day.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// What an answer outside 2xx means: the vendor's own word first, then the defaults.
pub fn classify(answer: &Answer, kind: Kind, profile: &Profile) -> Error {
    if let Some(error) = (profile.classify)(answer, kind) {
        return error;
    }
    let status = answer.status;
    match status {
        StatusCode::UNAUTHORIZED => Error::Unauthorized { why: words(status) },
        StatusCode::FORBIDDEN => Error::Forbidden { missing: words(status) },
        StatusCode::NOT_FOUND | StatusCode::GONE => Error::Gone,
        StatusCode::CONFLICT if kind != Kind::Read => Error::Stale,
        StatusCode::TOO_MANY_REQUESTS => Error::Throttled { retry_at: throttled_until(answer, profile) },
        StatusCode::REQUEST_TIMEOUT => interrupted(kind, words(status)),
        _ if status.is_server_error() => interrupted(kind, words(status)),
        _ if status.is_client_error() => Error::Refused { why: words(status) },
        _ => Error::Refused { why: format!("{}: is base_url the origin of the API?", words(status)) },
    }
}

/// What it means that no answer came.
///
/// An answer over the cap to a write says that the write arrived, so that it
/// must be looked for; to a read it says that the answer cannot be used.
pub fn no_answer(error: &TransportError, kind: Kind) -> Error {
    match error {
        TransportError::NotSent(why) => Error::Transient { why: why.clone() },
        TransportError::NoAnswer(why) => interrupted(kind, why.clone()),
        TransportError::TooLong { .. } if kind != Kind::Read => Error::Unknown { why: error.to_string() },
        TransportError::SinkRefused(why) => Error::Refused { why: why.clone() },
        TransportError::TooLong { .. } => Error::Malformed { what: error.to_string() },
    }
}

/// When the vendor asks to be left alone until: `Retry-After` in seconds or as an HTTP date.
pub fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let until = match text.parse::<f64>() {
        // Freshdesk writes other numbers as "100.0" too; a fraction rounds up.
        Ok(secs) if secs.is_finite() && secs >= 0.0 => {
            now.plus(Duration::from_secs_f64(secs.min(RETRY_AFTER_MAX.as_secs_f64()).ceil()))
        }
        Ok(_) => return None,
        Err(_) => http_date(text)?,
    };
    Some(until.clamp(now, now.plus(RETRY_AFTER_MAX)))
}

/// The name of an operation: its method and its path with `{id}` for what is no word.
pub fn op(method: &http::Method, path: &str) -> String {
    let parts: Vec<&str> = path.split('/').map(|part| if is_word(part) { part } else { "{id}" }).collect();
    format!("{method} {}", parts.join("/"))
}

/// Lower-case words with at most two digits, as in `v2`: anything else may name a person or a ticket.
fn is_word(part: &str) -> bool {
    let digits = part.bytes().filter(u8::is_ascii_digit).count();
    let starts_well = part.is_empty() || part.starts_with(|first: char| first.is_ascii_lowercase());
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.".contains(&byte);
    starts_well && digits <= 2 && part.len() <= 32 && part.bytes().all(plain)
}

fn throttled_until(answer: &Answer, profile: &Profile) -> Timestamp {
    retry_after(&answer.headers, answer.at).unwrap_or_else(|| answer.at.plus(profile.retry_after_default))
}

fn http_date(text: &str) -> Option<Timestamp> {
    let moment = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Timestamp(moment.as_millisecond()))
}

fn interrupted(kind: Kind, why: String) -> Error {
    match kind {
        Kind::Read => Error::Transient { why },
        Kind::Write | Kind::IdempotentWrite => Error::Unknown { why },
    }
}

fn words(status: StatusCode) -> String {
    format!("HTTP {status}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::{Bytes, Quota};

    const NOW: Timestamp = Timestamp::from_secs(1_445_412_400);

    fn profile() -> Profile {
        Profile {
            quota: Quota { count: 100, per: Duration::from_secs(60) },
            read_limits: |_, _| Vec::new(),
            classify: |answer, _| (answer.status == 422).then_some(Error::Stale),
            retry_after_default: Duration::from_secs(60),
            body_bytes_max: 1_000,
            timeout: Duration::from_secs(10),
        }
    }

    fn headers(retry_after: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if !retry_after.is_empty() {
            headers.insert(header::RETRY_AFTER, retry_after.parse().unwrap());
        }
        headers
    }

    #[test]
    fn statuses_have_meanings() {
        let meaning = |status: u16, kind| {
            let answer = Answer {
                status: StatusCode::from_u16(status).unwrap(),
                headers: headers("7"),
                body: Bytes::new(),
                at: NOW,
            };
            let error = classify(&answer, kind, &profile());
            format!("{error:?}").split([' ', '{']).next().unwrap().to_owned()
        };
        let rows = [
            (301, "Refused", "Refused", "Refused"),
            (400, "Refused", "Refused", "Refused"),
            (401, "Unauthorized", "Unauthorized", "Unauthorized"),
            (403, "Forbidden", "Forbidden", "Forbidden"),
            (404, "Gone", "Gone", "Gone"),
            (408, "Transient", "Unknown", "Unknown"),
            (409, "Refused", "Stale", "Stale"),
            (410, "Gone", "Gone", "Gone"),
            (422, "Stale", "Stale", "Stale"),
            (429, "Throttled", "Throttled", "Throttled"),
            (500, "Transient", "Unknown", "Unknown"),
            (503, "Transient", "Unknown", "Unknown"),
        ];
        for (status, read, write, idempotent) in rows {
            assert_eq!(meaning(status, Kind::Read), read, "{status} to a read");
            assert_eq!(meaning(status, Kind::Write), write, "{status} to a write");
            assert_eq!(meaning(status, Kind::IdempotentWrite), idempotent, "{status} to an idempotent write");
        }
    }

    #[test]
    fn operations_are_named_without_ids() {
        let rows = [
            ("/api/v2/tickets/12345.json", "GET /api/v2/tickets/{id}"),
            ("/api/v2/incremental/tickets/cursor.json", "GET /api/v2/incremental/tickets/cursor.json"),
            ("/api/v2/users/create_or_update", "GET /api/v2/users/create_or_update"),
            ("/v1/customers/cus_9s6XKzkNRiz8i3/x%40y.de", "GET /v1/customers/{id}/{id}"),
            ("/", "GET /"),
        ];
        for (path, expected) in rows {
            assert_eq!(op(&http::Method::GET, path), expected);
        }
    }

    #[test]
    fn retry_after_is_read_in_both_forms() {
        let rows = [
            ("", None),
            ("93", Some(93)),
            ("0", Some(0)),
            ("1.2", Some(2)),
            ("-5", None),
            ("NaN", None),
            ("soon", None),
            ("99999999999", Some(86_400)),
            ("Wed, 21 Oct 2015 07:28:00 GMT", Some(80)),
            ("Wed, 21 Oct 2015 07:00:00 GMT", Some(0)),
        ];
        for (text, secs) in rows {
            let expected = secs.map(|secs| NOW.plus(Duration::from_secs(secs)));
            assert_eq!(retry_after(&headers(text), NOW), expected, "{text:?}");
        }
    }

    #[test]
    fn no_answer_depends_on_whether_it_was_sent() {
        let lost = TransportError::NoAnswer("reset".to_owned());
        assert!(matches!(no_answer(&lost, Kind::Read), Error::Transient { .. }));
        assert!(matches!(no_answer(&lost, Kind::Write), Error::Unknown { .. }));
        let unsent = TransportError::NotSent("refused".to_owned());
        assert!(matches!(no_answer(&unsent, Kind::Write), Error::Transient { .. }));
        let long = TransportError::TooLong { limit: 5 };
        assert!(matches!(no_answer(&long, Kind::Read), Error::Malformed { .. }));
        assert!(matches!(no_answer(&long, Kind::Write), Error::Unknown { .. }));
    }
}
