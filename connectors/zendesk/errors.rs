//! What Zendesk's refusals mean.
//!
//! Errors come in four envelopes, and as plain text or nothing at all. Only the
//! error's own words are taken from them: quoted values and addresses are not.

use serde_json::Value;

use crate::{
    client::{Answer, Kind},
    contract::Error,
};

/// The words of a 504 to a read, by which the export knows that its page is too large.
pub const TOO_SLOW: &str = "HTTP 504: Zendesk did not finish in time";

const WORDS_CHARS_MAX: usize = 200;
const OAUTH: &[&str] =
    &["invalid_grant", "invalid_client", "invalid_token", "unauthorized_client", "invalid_scope"];

/// Names what an answer outside 2xx means; `None` where the client's defaults are right.
pub fn classify(answer: &Answer, kind: Kind) -> Option<Error> {
    let said = Said::read(&answer.body);
    let words = said.words(answer.status.as_u16());
    if OAUTH.contains(&said.code.as_str()) && answer.status.is_client_error() {
        return Some(Error::Unauthorized { why: words });
    }
    match (answer.status.as_u16(), kind) {
        // The key was used with other bytes: the first use may have made the ticket.
        (400, Kind::IdempotentWrite) if said.code == "IdempotentRequestError" => {
            Some(Error::Unknown { why: words })
        }
        (401, _) => Some(Error::Unauthorized { why: words }),
        (403, _) => Some(Error::Forbidden { missing: words }),
        (404, _) if said.code == "InvalidEndpoint" => {
            Some(Error::Forbidden { missing: "an endpoint that this account does not have".to_owned() })
        }
        // Writers collide without a condition too; only then a read can see it.
        (409, Kind::Read) => Some(Error::Transient { why: words }),
        // Another request with the same key is under way.
        (409, Kind::IdempotentWrite) => Some(Error::Unknown { why: words }),
        (422, _) if said.is_closed() => Some(Error::Closed),
        (422, _) if said.is_full() => Some(Error::Refused { why: FULL.to_owned() }),
        (400 | 422, _) => Some(Error::Refused { why: words }),
        (504, Kind::Read) => Some(Error::Transient { why: TOO_SLOW.to_owned() }),
        _ => None,
    }
}

const FULL: &str = "the ticket has as many comments as Zendesk allows (5000): go on in a new ticket";

/// What an error's body says, whatever its envelope.
#[derive(Debug, Default, PartialEq, Eq)]
struct Said {
    code: String,
    details: Vec<(String, String)>,
    description: String,
}

impl Said {
    fn read(body: &[u8]) -> Self {
        let Ok(Value::Object(body)) = serde_json::from_slice(body) else { return Self::default() };
        let mut said = Self::default();
        match body.get("error") {
            Some(Value::Object(error)) => {
                said.code = text(error.get("title"));
                said.description = text(error.get("message"));
            }
            other => said.code = text(other),
        }
        if let Some(Value::Object(first)) = body.get("errors").and_then(|errors| errors.get(0)) {
            said.code = text(first.get("code"));
            said.description = text(first.get("title"));
        }
        for key in ["description", "error_description"] {
            if said.description.is_empty() {
                said.description = text(body.get(key));
            }
        }
        if let Some(Value::Object(details)) = body.get("details") {
            for (field, notes) in details {
                let notes = notes.as_array().map_or(&[][..], Vec::as_slice);
                said.details.extend(notes.iter().map(|note| (field.clone(), text(note.get("description")))));
            }
        }
        said
    }

    fn is_closed(&self) -> bool {
        self.details.iter().any(|(_, note)| note.to_lowercase().contains("closed prevents ticket update"))
    }

    /// The wording of the comment limit is not documented.
    fn is_full(&self) -> bool {
        let notes = self.details.iter().map(|(_, note)| note).chain([&self.description]);
        notes.map(|note| note.to_lowercase()).any(|note| {
            note.contains("comment")
                && ["5000", "5,000", "limit", "too many"].iter().any(|w| note.contains(w))
        })
    }

    fn words(&self, status: u16) -> String {
        let mut words = format!("HTTP {status}");
        let details = self.details.iter().map(|(field, note)| format!("{field}: {note}"));
        for part in [self.code.clone(), self.description.clone()].into_iter().chain(details) {
            let part = without_values(&part);
            if !part.is_empty() {
                words.push_str(if words.contains(':') { "; " } else { ": " });
                words.push_str(&part);
            }
        }
        words.chars().take(WORDS_CHARS_MAX).collect()
    }
}

fn text(value: Option<&Value>) -> String {
    value.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The words without what they quote: that may be a customer's.
fn without_values(text: &str) -> String {
    let outside: Vec<&str> = text.split('"').step_by(2).collect();
    let words = outside.join("…");
    let words = words.split_whitespace().map(|word| if word.contains('@') { "…" } else { word });
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use handoffd_core::Timestamp;

    use super::*;

    fn meaning(status: u16, kind: Kind, body: &str) -> Option<Error> {
        let answer = Answer {
            status: http::StatusCode::from_u16(status).unwrap(),
            headers: http::HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: Timestamp(0),
        };
        classify(&answer, kind)
    }

    #[test]
    fn four_envelopes_give_words() {
        let closed = r#"{"error":"RecordInvalid","description":"Record validation errors",
            "details":{"status":[{"description":"closed prevents ticket update"}]}}"#;
        let invalid = r#"{"error":"RecordInvalid","description":"Record validation errors",
            "details":{"base":[{"description":"Requester: Email: zoe@acme.test is \"so bad\" here"}],
            "priority":[{"description":"is not a valid priority"}],"group":null}}"#;
        let full =
            r#"{"error":"RecordInvalid","details":{"comment":[{"description":"Comment limit reached"}]}}"#;
        let unauthorized = |why: &str| Error::Unauthorized { why: why.to_owned() };
        let forbidden = |missing: &str| Error::Forbidden { missing: missing.to_owned() };
        let refused = |why: &str| Error::Refused { why: why.to_owned() };
        let rows = [
            (
                401,
                r#"{"error":"Couldn't authenticate you"}"#,
                unauthorized("HTTP 401: Couldn't authenticate you"),
            ),
            (
                401,
                r#"{"error":"invalid_token","error_description":"The access token is expired"}"#,
                unauthorized("HTTP 401: invalid_token; The access token is expired"),
            ),
            (401, "", unauthorized("HTTP 401")),
            (400, r#"{"error":"invalid_grant"}"#, unauthorized("HTTP 400: invalid_grant")),
            (
                403,
                r#"{"error":{"title":"Forbidden","message":"Ask the account owner"}}"#,
                forbidden("HTTP 403: Forbidden; Ask the account owner"),
            ),
            (403, "<html>no</html>", forbidden("HTTP 403")),
            (
                404,
                r#"{"error":"InvalidEndpoint","description":"Not found"}"#,
                forbidden("an endpoint that this account does not have"),
            ),
            (
                400,
                r#"{"errors":[{"code":"InvalidPaginationDepth","title":"Too deep","detail":"x"}]}"#,
                refused("HTTP 400: InvalidPaginationDepth; Too deep"),
            ),
            (422, closed, Error::Closed),
            (422, full, refused(FULL)),
            (
                422,
                invalid,
                refused(
                    "HTTP 422: RecordInvalid; Record validation errors; \
                     base: Requester: Email: … is … here; priority: is not a valid priority",
                ),
            ),
            (422, "[]", refused("HTTP 422")),
        ];
        for (status, body, expected) in rows {
            assert_eq!(meaning(status, Kind::Write, body), Some(expected), "{status} {body}");
        }
    }

    #[test]
    fn the_kind_of_request_decides_what_may_have_happened() {
        let key = r#"{"error":"IdempotentRequestError"}"#;
        assert!(matches!(meaning(400, Kind::IdempotentWrite, key), Some(Error::Unknown { .. })));
        assert!(matches!(meaning(409, Kind::IdempotentWrite, ""), Some(Error::Unknown { .. })));
        assert!(matches!(meaning(409, Kind::Read, ""), Some(Error::Transient { .. })));
        assert!(matches!(meaning(504, Kind::Read, ""), Some(Error::Transient { .. })));
        let defaults =
            [(404, r#"{"error":"RecordNotFound"}"#), (409, ""), (429, "Number of"), (500, ""), (504, "")];
        for (status, body) in defaults {
            assert_eq!(meaning(status, Kind::Write, body), None, "{status}");
        }
    }
}
