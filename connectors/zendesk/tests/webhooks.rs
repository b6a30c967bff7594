//! Webhook requests.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::*;
use crate::{
    contract::{Delivery, WebhookError},
    zendesk::webhook,
};

/// Zendesk's published test secret, used as the text it is.
const PUBLISHED: &str = "dGhpc19zZWNyZXRfaXNfZm9yX3Rlc3Rpbmdfb25seQ==";
const AT: &str = "2026-11-22T08:00:00Z";

fn request(body: &str, headers: &[(&str, &str)]) -> http::Request<Bytes> {
    let mut request = http::Request::post("/webhooks/zd");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
}

fn signed(body: &str, at: &str, signature: &str) -> http::Request<Bytes> {
    let names = ["x-zendesk-webhook-signature", "X-Zendesk-Webhook-Signature-Timestamp"];
    request(body, &[(names[0], signature), (names[1], at)])
}

fn sign(body: &str, at: &str) -> http::Request<Bytes> {
    let mut mac = Hmac::<Sha256>::new_from_slice(b"hush").unwrap();
    mac.update(format!("{at}{body}").as_bytes());
    signed(body, at, &STANDARD.encode(mac.finalize().into_bytes()))
}

fn read(request: &http::Request<Bytes>, secret: &str) -> Result<Delivery, WebhookError> {
    webhook::read(request, Some(&Secret::new(secret)), None, NOW)
}

#[test]
fn known_signatures_are_right() {
    let vectors = [
        (r#"{"a":1}"#, "2026-11-22T08:30:00Z", "nRuddZlbmKX4+9CSe44HJHGSH1JkeKbhGlvbnqYMghw="),
        (
            r#"{"event":"ticket.updated","id":123}"#,
            "2021-03-25T05:09:27Z",
            "S/RDdU2ERmj7LHDDoWJ2onPYH+t7/f2+LTM4dL7UiLM=",
        ),
    ];
    for (body, at, signature) in vectors {
        let right = read(&signed(body, at, signature), PUBLISHED);
        assert!(matches!(right, Err(WebhookError::Malformed { .. })), "signed, and no ticket: {right:?}");
        let wrong = [
            signed(&format!("{body} "), at, signature),
            signed(body, "2026-11-22T08:30:01Z", signature),
            signed(body, at, &signature.replacen(&signature[..1], "A", 1)),
            signed(body, at, ""),
            signed(body, at, "not base64!"),
            request(body, &[("x-zendesk-webhook-signature", signature)]),
            request(body, &[]),
        ];
        for request in wrong {
            assert_eq!(read(&request, PUBLISHED), Err(WebhookError::BadSignature), "{request:?}");
        }
        assert_eq!(read(&signed(body, at, signature), "other"), Err(WebhookError::BadSignature));
        assert_eq!(webhook::read(&signed(body, at, signature), None, None, NOW), Err(WebhookError::NoSecret));
    }
}

#[test]
fn both_shapes_name_their_tickets() {
    let status_changed = include_str!("../fixtures/event_status_changed.json");
    let merged = include_str!("../fixtures/event_merged.json");
    let by_subject =
        r#"{"type":"zen:event-type:ticket.created","id":"e1","subject":"zen:ticket:9","detail":null}"#;
    let user = r#"{"type":"zen:event-type:user.created","id":"u1","detail":{"id":"8"}}"#;
    let rows: [(&str, Option<&str>, &[&str]); 7] = [
        (status_changed, Some("cbe4028c-7239-495d-b020-f22348516046"), &["5158"]),
        (merged, Some("9b1d"), &["5158", "5001"]),
        (by_subject, Some("e1"), &["9"]),
        (user, Some("u1"), &[]),
        (r#"{"ticket_id": 155}"#, None, &["155"]),
        (r#"{"ticket_id": "155", "id": "unsigned by nobody", "x": null}"#, None, &["155"]),
        (r#"{"ticket_id": 9007199254740993}"#, None, &["9007199254740993"]),
    ];
    for (body, id, tickets) in rows {
        let delivery = read(&sign(body, AT), "hush").unwrap();
        let tickets = tickets.iter().map(|id| RemoteId::from(*id)).collect();
        assert_eq!(delivery, Delivery { id: id.map(str::to_owned), tickets }, "{body}");
    }
}

#[test]
fn signed_nonsense_is_malformed_and_not_quoted() {
    let bodies = [
        r#"{"ticket_id": "1/../2"}"#,
        r#"{"ticket_id": ""}"#,
        r#"{"ticket_id": null}"#,
        "{}",
        "[]",
        "",
        r#"{"ticket_id": 1, "subject": "s3cret "quoted""}"#,
        r#"{"type":"zen:event-type:ticket.created","detail":{"id":null}}"#,
    ];
    for body in bodies {
        let Err(WebhookError::Malformed { what }) = read(&sign(body, AT), "hush") else { panic!("{body}") };
        assert!(!what.contains("s3cret"), "{what}");
    }
}

#[test]
fn freshness_is_checked_where_it_is_configured() {
    let body = r#"{"ticket_id": 155}"#;
    let at = |request: &http::Request<Bytes>, tolerance| {
        webhook::read(request, Some(&Secret::new("hush")), tolerance, NOW).is_ok()
    };
    assert!(at(&sign(body, "2020-01-01T00:00:00Z"), None));
    assert!(!at(&sign(body, "2020-01-01T00:00:00Z"), Some(300)));
    assert!(at(&sign(body, "2026-11-22T08:05:00Z"), Some(300)));
    assert!(!at(&sign(body, "2026-11-22T08:05:01Z"), Some(300)));
    assert!(!at(&sign(body, "soon"), Some(300)));
}
