//! What Intercom's answers outside 2xx mean. One envelope serves all:
//! `{"type":"error.list","errors":[{"code","message"}]}`. Messages may quote
//! values, so only codes are repeated.

use handoffd_core::RemoteId;
use http::StatusCode;

use super::{lenient::is_plain, limits, wire};
use crate::{
    client::{Answer, Kind},
    contract::Error,
};

/// The words of a 408 or 504 to a read, by which a search knows that its page is too large.
pub const TOO_SLOW: &str = "Intercom did not finish in time";

/// The words before the id of the contact that a new one collides with.
const DUPLICATE_OF: &str = "it exists already with the id ";

/// Names what an answer outside 2xx means; `None` leaves it to the client.
pub fn classify(answer: &Answer, kind: Kind) -> Option<Error> {
    let flaws = flaws(&answer.body);
    let why = || words(answer.status, &flaws);
    match answer.status {
        StatusCode::UNAUTHORIZED => Some(Error::Unauthorized { why: why() }),
        StatusCode::FORBIDDEN => Some(Error::Forbidden { missing: missing(&flaws, why()) }),
        StatusCode::NOT_FOUND => Some(not_found(&flaws, why())),
        StatusCode::CONFLICT => Some(conflict(&flaws, why())),
        StatusCode::TOO_MANY_REQUESTS => throttled(answer),
        StatusCode::REQUEST_TIMEOUT | StatusCode::GATEWAY_TIMEOUT if kind == Kind::Read => {
            Some(Error::Transient { why: TOO_SLOW.to_owned() })
        }
        // Left to the client, which asks whether it was a write.
        StatusCode::REQUEST_TIMEOUT | StatusCode::GONE => None,
        status if status.is_client_error() => Some(Error::Refused { why: why() }),
        _ => None,
    }
}

fn flaws(body: &[u8]) -> Vec<wire::Flaw> {
    serde_json::from_slice::<wire::Problem>(body).unwrap_or_default().errors
}

/// The words for an admin: the status and the codes, never values.
fn words(status: StatusCode, flaws: &[wire::Flaw]) -> String {
    let codes: Vec<String> = flaws.iter().take(10).filter_map(code).collect();
    match codes.as_slice() {
        [] => format!("HTTP {}", status.as_u16()),
        codes => format!("HTTP {}: {}", status.as_u16(), codes.join(", ")),
    }
}

/// The code if it is a name, which cannot be ticket text.
fn code(flaw: &wire::Flaw) -> Option<String> {
    let plain = |text: &String| {
        text.len() <= 80 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    flaw.code.text().filter(plain)
}

/// A plan that does not include the API, or a permission of the app.
fn missing(flaws: &[wire::Flaw], why: String) -> String {
    match flaws.first().and_then(code).as_deref() {
        Some("api_plan_restricted") => "an active Intercom subscription".to_owned(),
        _ => format!("a permission of the app in Intercom's Developer Hub ({why})"),
    }
}

/// What a 404 misses: the ticket itself is gone only if the answer does not
/// name something else. A contact, an admin or a tag that is not there says
/// nothing about the ticket.
fn not_found(flaws: &[wire::Flaw], why: String) -> Error {
    let Some(flaw) = flaws.first() else { return Error::Gone };
    let says = |words: &str| {
        flaw.message.text().is_some_and(|text| text.trim().trim_end_matches('.').eq_ignore_ascii_case(words))
    };
    match code(flaw).as_deref() {
        Some("not_found") if says("User Not Found") || says("Contact Not Found") => {
            Error::Refused { why: format!("{why}: the contact is not there (any more)") }
        }
        Some("not_found" | "ticket_not_found" | "conversation_not_found") | None => Error::Gone,
        Some(_) => Error::Refused { why },
    }
}

/// A contact that is there already is refused with its id.
fn conflict(flaws: &[wire::Flaw], why: String) -> Error {
    let id = flaws.iter().find_map(|flaw| {
        let text = flaw.message.text()?;
        let (_, id) = text.rsplit_once("id=")?;
        let id: String = id.chars().take_while(char::is_ascii_alphanumeric).collect();
        is_plain(&id).then_some(id)
    });
    match id {
        Some(id) => Error::Refused { why: format!("{why}: {DUPLICATE_OF}{id}") },
        None => Error::Refused { why },
    }
}

/// The id that a refused creation collides with.
pub fn duplicate_of(error: &Error) -> Option<RemoteId> {
    let Error::Refused { why } = error else { return None };
    let (_, id) = why.rsplit_once(DUPLICATE_OF)?;
    is_plain(id).then(|| RemoteId::new(id))
}

/// There is no documented `Retry-After`: a slice of ten seconds ends at
/// `X-RateLimit-Reset`. A `Retry-After` that is there all the same is the client's.
fn throttled(answer: &Answer) -> Option<Error> {
    if answer.headers.contains_key(http::header::RETRY_AFTER) {
        return None;
    }
    let reset = limits::resets_at(&answer.headers, answer.at);
    let retry_at = reset.filter(|at| *at > answer.at).unwrap_or_else(|| answer.at.plus(limits::SLICE));
    Some(Error::Throttled { retry_at })
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use handoffd_core::Timestamp;
    use http::HeaderMap;
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_secs(1_795_334_404);

    fn answer(status: u16, body: &str) -> Answer {
        Answer {
            status: StatusCode::from_u16(status).unwrap(),
            headers: HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: NOW,
        }
    }

    fn error(code: &str, message: &str) -> String {
        let errors = json!([{"code": code, "message": message}]);
        json!({"type": "error.list", "request_id": null, "errors": errors}).to_string()
    }

    /// The name of what an answer means.
    fn named(status: u16, body: &str, kind: Kind) -> String {
        match classify(&answer(status, body), kind) {
            None => "client".to_owned(),
            Some(error) => format!("{error:?}").split([' ', '{']).next().unwrap().to_owned(),
        }
    }

    #[test]
    fn answers_are_named_by_what_may_be_done() {
        let rows = [
            (401, error("unauthorized", "Access Token Invalid"), "Unauthorized"),
            (401, error("token_revoked", "x"), "Unauthorized"),
            (403, error("api_plan_restricted", "Active subscription needed."), "Forbidden"),
            (403, "<html>".to_owned(), "Forbidden"),
            (404, error("not_found", "Resource Not Found"), "Gone"),
            (404, error("not_found", "Conversation not found"), "Gone"),
            (404, error("ticket_not_found", "Ticket not found"), "Gone"),
            (404, error("not_found", "User Not Found"), "Refused"),
            (404, error("assignee_not_found", "Assignee not found"), "Refused"),
            (404, error("tag_not_found", "Tag not found"), "Refused"),
            (404, error("admin_not_found", "Admin not found"), "Refused"),
            (404, String::new(), "Gone"),
            (400, error("parameter_invalid", "x"), "Refused"),
            (406, error("media_type_not_acceptable", "x"), "Refused"),
            (409, error("conflict", "x"), "Refused"),
            (422, r#"{"errors":{"base":"x"}}"#.to_owned(), "Refused"),
            (408, error("request_timeout", "x"), "client"),
            (429, error("rate_limit_exceeded", "Exceeded rate limit of 83 in 10_seconds"), "Throttled"),
            (500, error("server_error", "x"), "client"),
            (504, String::new(), "client"),
        ];
        for (status, body, expected) in rows {
            assert_eq!(named(status, &body, Kind::Write), expected, "{status} {body}");
        }
        for status in [408, 504] {
            let meant = classify(&answer(status, ""), Kind::Read);
            assert_eq!(meant, Some(Error::Transient { why: TOO_SLOW.to_owned() }));
        }
    }

    /// Every example of an error in the vendor's own description has a meaning.
    #[test]
    fn the_vendors_examples_are_known() {
        #[derive(Deserialize)]
        struct Example {
            path: String,
            status: String,
            body: serde_json::Value,
        }
        let path = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../../shared/specs/intercom/official-error-examples.2.14.json"
        );
        let Ok(text) = std::fs::read_to_string(path) else { return };
        let examples: Vec<Example> = serde_json::from_str(&text).unwrap();
        assert!(examples.len() > 200, "{}", examples.len());
        for example in examples {
            let (status, body) = (example.status.parse().unwrap(), example.body.to_string());
            let code = example.body["errors"][0]["code"].as_str().unwrap_or_default();
            let about_ticket = matches!(code, "not_found" | "ticket_not_found")
                && example.body["errors"][0]["message"] != "User Not Found";
            let expected = match status {
                401 => "Unauthorized",
                403 => "Forbidden",
                404 if about_ticket => "Gone",
                400 | 404 | 409 | 422 => "Refused",
                429 => "Throttled",
                other => panic!("{other} of {}", example.path),
            };
            assert_eq!(named(status, &body, Kind::Write), expected, "{} {status} {code}", example.path);
        }
    }

    #[test]
    fn errors_never_quote_values() {
        let body = error("parameter_invalid", "my secret is too long");
        let told = format!("{:?}", classify(&answer(400, &body), Kind::Write));
        assert!(told.contains("parameter_invalid") && !told.contains("secret"), "{told}");
        let odd = error("my secret", "x");
        let told = format!("{:?}", classify(&answer(400, &odd), Kind::Write));
        assert!(!told.contains("secret"), "{told}");
    }

    #[test]
    fn a_duplicate_gives_its_id() {
        let id = "6762f1261bb69f9f2193bba7";
        let body =
            error("conflict", &format!("A contact matching those details already exists with id={id}"));
        let error_of = |body: &str| classify(&answer(409, body), Kind::Write).unwrap();
        assert_eq!(duplicate_of(&error_of(&body)), Some(RemoteId::from(id)));
        assert_eq!(duplicate_of(&error_of(&error("conflict", "no"))), None);
        assert_eq!(duplicate_of(&Error::Gone), None);
    }

    #[test]
    fn a_throttled_call_waits_for_the_next_slice() {
        let mut throttled = answer(429, "");
        let at = |answer: &Answer| classify(answer, Kind::Read);
        assert_eq!(at(&throttled), Some(Error::Throttled { retry_at: NOW.plus(limits::SLICE) }));
        throttled.headers.insert("x-ratelimit-reset", "1795334410".parse().unwrap());
        let retry_at = Timestamp::from_secs(1_795_334_410);
        assert_eq!(at(&throttled), Some(Error::Throttled { retry_at }));
        throttled.headers.insert("retry-after", "30".parse().unwrap());
        assert_eq!(at(&throttled), None, "the client reads it");
    }
}
