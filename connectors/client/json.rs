//! JSON requests and answers, for the adapters.

use bytes::Bytes;
use http::{Method, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{Answer, Ask, Kind};
use crate::contract::{Error, Result};

/// The longest path into an answer that an error names.
const PATH_CHARS_MAX: usize = 200;

/// A read of `path` (with its query, which the caller has escaped), costing one unit.
pub fn get(path: &str) -> Result<Ask> {
    ask(Method::GET, path, Bytes::new(), Kind::Read, None)
}

/// A request with a JSON body, costing one unit.
pub fn json(method: Method, path: &str, body: &impl Serialize, kind: Kind) -> Result<Ask> {
    let body = serde_json::to_vec(body)
        .map_err(|error| Error::Refused { why: format!("the request body cannot be written: {error}") })?;
    ask(method, path, Bytes::from(body), kind, Some("application/json"))
}

fn ask(method: Method, path: &str, body: Bytes, kind: Kind, media: Option<&'static str>) -> Result<Ask> {
    let mut builder =
        http::Request::builder().method(method).uri(path).header(header::ACCEPT, "application/json");
    if let Some(media) = media {
        builder = builder.header(header::CONTENT_TYPE, media);
    }
    // The path may name a person, so it is not in the words.
    let request = builder
        .body(body)
        .map_err(|_| Error::Refused { why: "the request's path is not a URI".to_owned() })?;
    Ok(Ask { request, kind, buckets: Vec::new(), cost: 1, upload: Vec::new() })
}

/// Reads a JSON answer.
///
/// [`Error::Malformed`] names the place and what was expected there, never a
/// value: values are ticket text.
pub fn read_json<T: DeserializeOwned>(answer: &Answer) -> Result<T> {
    let mut reader = serde_json::Deserializer::from_slice(&answer.body);
    let value = serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Error::Malformed { what: place(&error) })?;
    reader.end().map_err(|_| Error::Malformed { what: "more text behind the JSON".to_owned() })?;
    Ok(value)
}

fn place(error: &serde_path_to_error::Error<serde_json::Error>) -> String {
    let path: String = error.path().to_string().chars().take(PATH_CHARS_MAX).collect();
    let inner = error.inner();
    let expected = without_values(inner);
    format!("{path}: {expected} (line {}, column {})", inner.line(), inner.column())
}

/// The part of serde's message that is ours or serde's own, not the vendor's.
fn without_values(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => return "the JSON ends too early".to_owned(),
        Category::Syntax => return "not JSON".to_owned(),
        Category::Io => return "not readable".to_owned(),
        Category::Data => {}
    }
    let message = error.to_string();
    let message = message.rfind(" at line ").map_or(message.as_str(), |end| &message[..end]);
    let names_a_value = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant "]
        .iter()
        .any(|start| message.starts_with(start));
    if names_a_value {
        // The value stands before the last ", expected", and may hold that text itself.
        return message
            .rsplit_once(", expected ")
            .map_or_else(|| "an unknown value".to_owned(), |(_, kind)| format!("expected {kind}"));
    }
    if message.starts_with("missing field `") {
        return message.to_owned();
    }
    "a value that cannot be used".to_owned()
}

#[cfg(test)]
mod tests {
    use handoffd_core::Timestamp;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Page {
        tickets: Vec<Row>,
    }

    #[derive(Debug, Deserialize)]
    #[allow(dead_code, reason = "only its reading is tested")]
    struct Row {
        id: i64,
        #[serde(default)]
        colour: Colour,
        #[serde(default)]
        even: Even,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Colour {
        #[default]
        Red,
    }

    #[derive(Debug, Default, Deserialize)]
    #[serde(try_from = "i64")]
    struct Even;

    impl TryFrom<i64> for Even {
        type Error = String;
        fn try_from(number: i64) -> Result<Self, String> {
            if number % 2 == 0 { Ok(Self) } else { Err(format!("{number} is odd")) }
        }
    }

    fn answer(body: &str) -> Answer {
        Answer {
            status: http::StatusCode::OK,
            headers: http::HeaderMap::new(),
            body: Bytes::copy_from_slice(body.as_bytes()),
            at: Timestamp(0),
        }
    }

    #[test]
    fn errors_name_the_place_and_never_the_value() {
        let secret = "s3cret, expected at line 9";
        let cases = [
            (
                format!(r#"{{"tickets":[{{"id":1}},{{"id":"{secret}"}}]}}"#),
                "tickets[1].id: expected i64 (line 1, column 55)",
            ),
            (r#"{"tickets":[{"id":1.5}]}"#.to_owned(), "tickets[0].id: expected i64 (line 1, column 21)"),
            (r#"{"tickets":[{}]}"#.to_owned(), "tickets[0]: missing field `id` (line 1, column 14)"),
            (
                r#"{"tickets":[{"id":1,"colour":"s3cret"}]}"#.to_owned(),
                "tickets[0].colour: expected `red` (line 1, column 37)",
            ),
            (
                r#"{"tickets":[{"id":1,"even":41}]}"#.to_owned(),
                "tickets[0].even: a value that cannot be used (line 1, column 30)",
            ),
            (r#"{"tickets":[{"id":1"#.to_owned(), "tickets[0].?: the JSON ends too early"),
            ("<html>s3cret</html>".to_owned(), ".: not JSON (line 1, column 1)"),
        ];
        for (body, expected) in cases {
            let Err(Error::Malformed { what }) = read_json::<Page>(&answer(&body)) else {
                panic!("{body} is read")
            };
            assert!(what.starts_with(expected), "{what:?} for {body}, not {expected:?}");
            assert!(!what.contains("s3cret"), "{what}");
        }
    }

    #[test]
    fn requests_carry_their_media_types() {
        let read = get("/api/v2/tickets/1.json?include=users").unwrap();
        assert_eq!((read.request.method(), read.kind, read.cost), (&Method::GET, Kind::Read, 1));
        assert_eq!(read.request.headers().get(header::CONTENT_TYPE), None);
        let write = json(Method::PUT, "/api/v2/tickets/1", &[1, 2], Kind::Write).unwrap();
        assert_eq!(write.request.body(), "[1,2]");
        assert_eq!(write.request.headers()[header::CONTENT_TYPE], "application/json");
        assert!(get("/a b").is_err());
    }
}
