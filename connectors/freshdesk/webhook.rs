//! Webhooks: actions of automation rules, which an admin writes by hand.
//!
//! Freshdesk signs nothing, so a shared secret travels with the request, and
//! the body is trusted for ticket ids alone. Placeholders are filled in without
//! escaping: a quote or a line break in a subject breaks the JSON around it, so
//! a body that cannot be parsed is searched for the ids.

use std::collections::BTreeSet;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_core::RemoteId;
use http::{HeaderMap, Request, header};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::contract::{Delivery, Secret, WebhookError};

/// The most tickets that one request is believed to name.
const TICKETS_MAX: usize = 20;

/// How far behind its key a value is looked for, in characters.
const GAP_CHARS_MAX: usize = 40;

/// Checks and reads a webhook request.
///
/// The secret is taken from the header that is configured, from HTTP Basic, or
/// from a `token` in the query or the body.
pub fn read(request: &Request<Bytes>, secret: Option<&Secret>, name: &str) -> Result<Delivery, WebhookError> {
    let secret = secret.ok_or(WebhookError::NoSecret)?;
    let body = Said::read(request.headers(), request.body());
    let mut shown: Vec<String> = header_texts(request.headers(), name);
    shown.extend(basic_parts(request.headers()));
    shown.extend(query_tokens(request.uri().query().unwrap_or_default()));
    shown.extend(body.values("token"));
    if !any_is(&shown, secret) {
        return Err(WebhookError::BadSignature);
    }
    let tickets = body.tickets();
    if tickets.is_empty() {
        return Err(WebhookError::Malformed {
            what: "no ticket_id: send {\"ticket_id\": \"{{ticket.id}}\"} as JSON".to_owned(),
        });
    }
    Ok(Delivery { id: None, tickets })
}

/// Compares digests, so that neither the place nor the length of a difference shows in time.
fn any_is(shown: &[String], secret: &Secret) -> bool {
    let wanted = Sha256::digest(secret.expose().as_bytes());
    let mut found = subtle::Choice::from(0);
    for text in shown {
        found |= Sha256::digest(text.as_bytes()).ct_eq(&wanted);
    }
    found.into() && !secret.expose().is_empty()
}

fn header_texts(headers: &HeaderMap, name: &str) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .map(|text| text.trim().to_owned())
        .collect()
}

/// User name and password of HTTP Basic: rules offer the secret as either.
fn basic_parts(headers: &HeaderMap) -> Vec<String> {
    let decode = |text: String| {
        let (scheme, code) = text.split_once(' ')?;
        if !scheme.eq_ignore_ascii_case("basic") {
            return None;
        }
        let pair = String::from_utf8(STANDARD.decode(code.trim()).ok()?).ok()?;
        let (user, password) = pair.split_once(':')?;
        Some([user.to_owned(), password.to_owned()])
    };
    let sent = header_texts(headers, header::AUTHORIZATION.as_str());
    sent.into_iter().filter_map(decode).flatten().collect()
}

fn query_tokens(query: &str) -> Vec<String> {
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(key, _)| key == "token").map(|(_, value)| value.into_owned()).collect()
}

/// What a body says.
enum Said {
    /// JSON that parses.
    Json(Json),
    /// A form: keys, or paths like `freshdesk_webhook[ticket_id]`, and values.
    Form(Vec<(String, String)>),
    /// XML, or JSON that a placeholder broke.
    Text(String),
}

impl Said {
    fn read(headers: &HeaderMap, body: &Bytes) -> Self {
        if let Ok(json @ Json::Object(_)) = serde_json::from_slice(body) {
            return Self::Json(json);
        }
        let media =
            headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if media.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
            return Self::Form(url::form_urlencoded::parse(body).into_owned().collect());
        }
        Self::Text(String::from_utf8_lossy(body).into_owned())
    }

    /// Every value under the key.
    fn values(&self, key: &str) -> Vec<String> {
        match self {
            Self::Json(json) => {
                let places = [json.get(key), json.get("freshdesk_webhook").and_then(|inner| inner.get(key))];
                places.into_iter().flatten().filter_map(scalar).collect()
            }
            Self::Form(pairs) => {
                let inner = format!("freshdesk_webhook[{key}]");
                let named = pairs.iter().filter(|(name, _)| name == key || *name == inner);
                named.map(|(_, value)| value.clone()).collect()
            }
            Self::Text(text) => found_after(text, key),
        }
    }

    /// The tickets to look at, each once.
    fn tickets(&self) -> Vec<RemoteId> {
        let mut values = self.values("ticket_id");
        if let Self::Text(text) = self {
            values.extend(found_after(text, "ticket-id"));
        }
        let number = |value: &String| {
            let digits = value.trim().trim_start_matches('#');
            let is_id = digits.len() <= 18 && digits.parse::<u64>().is_ok_and(|id| id > 0);
            is_id.then(|| RemoteId::new(digits))
        };
        let ids: BTreeSet<RemoteId> = values.iter().filter_map(number).take(TICKETS_MAX).collect();
        ids.into_iter().collect()
    }
}

fn scalar(json: &Json) -> Option<String> {
    match json {
        Json::String(text) => Some(text.clone()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The values that stand behind a key in text that is almost JSON or XML:
/// `"key": "value"`, `<key>value</key>`, `<key type="integer">value</key>`.
fn found_after(text: &str, key: &str) -> Vec<String> {
    let mut values = Vec::new();
    for (at, _) in text.match_indices(key) {
        let before = text[..at].chars().next_back();
        let behind = &text[at + key.len()..];
        let value = match before {
            Some('"') => behind.strip_prefix('"').and_then(json_value),
            Some('<') => xml_value(behind),
            _ => None,
        };
        values.extend(value);
    }
    values
}

fn json_value(behind_key: &str) -> Option<String> {
    let value = behind_key.trim_start().strip_prefix(':')?.trim_start();
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split(['"', '\n']).next()?,
        None => value.split([',', '}', '\n', ' ', '\r']).next()?,
    };
    Some(value.trim().to_owned())
}

fn xml_value(behind_key: &str) -> Option<String> {
    let (attributes, value) = behind_key.split_once('>')?;
    let is_tag = attributes.is_empty() || attributes.starts_with(' ');
    if !is_tag || attributes.chars().count() > GAP_CHARS_MAX {
        return None;
    }
    Some(value.split('<').next()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "s3cret-0123456789";

    fn request(uri: &str, headers: &[(&str, &str)], body: &str) -> Request<Bytes> {
        let mut builder = Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            builder = builder.header(*name, *value);
        }
        builder.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn tickets(request: &Request<Bytes>) -> Result<Vec<String>, WebhookError> {
        let delivery = read(request, Some(&Secret::new(SECRET)), "X-Handoffd-Secret")?;
        assert_eq!(delivery.id, None, "nothing is signed");
        Ok(delivery.tickets.into_iter().map(|id| id.0).collect())
    }

    #[test]
    fn the_secret_may_travel_in_several_places() {
        let form = "application/x-www-form-urlencoded";
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let id = r#"{"ticket_id":"7"}"#;
        type Row<'a> = (&'a str, Vec<(&'a str, String)>, String);
        let rows: [Row; 9] = [
            ("/hook", vec![("x-handoffd-secret", SECRET.into())], id.into()),
            ("/hook", vec![("authorization", basic(&format!("any:{SECRET}")))], id.into()),
            ("/hook", vec![("authorization", basic(&format!("{SECRET}:X")))], id.into()),
            (&format!("/hook?token={SECRET}"), vec![], id.into()),
            ("/hook", vec![], format!(r#"{{"ticket_id":"7","token":"{SECRET}"}}"#)),
            ("/hook", vec![], format!(r#"{{"freshdesk_webhook":{{"ticket_id":7,"token":"{SECRET}"}}}}"#)),
            ("/hook", vec![], format!("{{\"s\":\"a \"b\" c\",\"token\":\"{SECRET}\",\"ticket_id\":\"7\"}}")),
            ("/hook", vec![("content-type", form.into())], format!("ticket_id=7&token={SECRET}")),
            ("/hook", vec![], format!("<r><token>{SECRET}</token><ticket_id>7</ticket_id></r>")),
        ];
        for (uri, headers, body) in rows {
            let headers: Vec<(&str, &str)> =
                headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(tickets(&request(uri, &headers, &body)), Ok(vec!["7".to_owned()]), "{uri} {body}");
            let wrong = body.replace(SECRET, "s3cret-012345678");
            let headers: Vec<(&str, &str)> = headers.iter().map(|(name, _)| (*name, "Basic eDp5")).collect();
            let uri = uri.replace(SECRET, "s3cret-01234567890");
            let headers: &[(&str, &str)] =
                if wrong.contains("ticket_id=") { &[("content-type", form)] } else { &headers };
            assert_eq!(
                tickets(&request(&uri, headers, &wrong)),
                Err(WebhookError::BadSignature),
                "{uri} {wrong}"
            );
        }
    }

    #[test]
    fn nothing_is_trusted_without_a_secret() {
        let signed = request("/hook", &[("x-handoffd-secret", "")], r#"{"ticket_id":"7","token":""}"#);
        assert_eq!(read(&signed, None, "X-Handoffd-Secret"), Err(WebhookError::NoSecret));
        let empty = Secret::new("");
        assert_eq!(read(&signed, Some(&empty), "X-Handoffd-Secret"), Err(WebhookError::BadSignature));
    }

    #[test]
    fn ids_are_found_in_any_body() {
        let json = "application/json";
        let form = "application/x-www-form-urlencoded";
        let xml = "application/xml";
        let simple = include_str!("fixtures/webhook_simple.json");
        let broken = include_str!("fixtures/webhook_broken.txt");
        let rows: [(&str, &str, &[&str]); 14] = [
            (json, r#"{"ticket_id":"2345"}"#, &["2345"]),
            (json, r#"{"ticket_id":2345}"#, &["2345"]),
            (json, simple, &["1228307"]),
            (json, broken, &["2345"]),
            (json, "{\"subject\":\"line\nbreak\",\"ticket_id\": 12}", &["12"]),
            // A subject may name another ticket: it is looked at too, which does no harm.
            (json, r#"{"subject":"x","ticket_id":"1","y":"z","ticket_id":"12"#, &["1", "12"]),
            (form, "ticket_id=9&x=%22", &["9"]),
            (form, "freshdesk_webhook%5Bticket_id%5D=9", &["9"]),
            (xml, "<freshdesk_webhook><ticket_id>31</ticket_id></freshdesk_webhook>", &["31"]),
            (xml, "<ticket-id type=\"integer\">31</ticket-id>", &["31"]),
            (json, r#"{"ticket_id":""}"#, &[]),
            (json, r#"{"ticket_id":"INC-7"}"#, &[]),
            (json, r#"[{"id":7}]"#, &[]),
            (json, "", &[]),
        ];
        for (media, body, expected) in rows {
            let request = request("/hook", &[("x-handoffd-secret", SECRET), ("content-type", media)], body);
            match tickets(&request) {
                Ok(found) => assert_eq!(found, expected, "{body}"),
                Err(error) => {
                    assert!(expected.is_empty(), "{error} for {body}");
                    assert!(matches!(error, WebhookError::Malformed { .. }), "{error}");
                }
            }
        }
    }
}
