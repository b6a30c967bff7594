//! Webhooks: notifications of the topics that are ticked in the Developer Hub,
//! signed with the app's client secret. There is no timestamp in the signature,
//! and a notification may be lost, doubled or late, so it says one thing only:
//! look at this record. Shapes differ from topic to topic.

use bytes::Bytes;
use handoffd_core::RemoteId;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use serde::Deserialize;
use sha1::Sha1;

use super::{
    lenient::{Loose, or_nothing},
    record::record_id,
    settings::{RecordKind, Settings},
};
use crate::contract::{Delivery, Secret, WebhookError};

/// `sha1=` and the HMAC-SHA1 of the raw body in hex.
const SIGNATURE: &str = "x-hub-signature";

/// A notification.
#[derive(Debug, Deserialize)]
struct Notification {
    /// Null for a ping.
    #[serde(default)]
    id: Loose,
    topic: String,
    #[serde(default, deserialize_with = "or_nothing")]
    data: Data,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Data {
    #[serde(deserialize_with = "or_nothing")]
    item: Item,
}

/// What a notification is about: a conversation, a ticket, or something on one.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Item {
    #[serde(rename = "type")]
    kind: Loose,
    id: Loose,
    conversation_id: Loose,
    #[serde(deserialize_with = "or_nothing")]
    conversation: Whose,
    #[serde(deserialize_with = "or_nothing")]
    ticket: Whose,
    #[serde(deserialize_with = "or_nothing")]
    conversation_part: Whose,
}

/// The record that a part names.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Whose {
    id: Loose,
    conversation_id: Loose,
}

impl Item {
    /// The conversation that it is about.
    fn conversation(&self) -> Option<RemoteId> {
        let own = if self.kind.text().as_deref() == Some("conversation") { self.id.id() } else { None };
        own.or_else(|| self.conversation_id.id())
            .or_else(|| self.conversation.id.id())
            .or_else(|| self.conversation_part.conversation_id.id())
    }

    /// The ticket that it is about, by its long id. `ticket_id` beside it is the number in the inbox.
    fn ticket(&self) -> Option<RemoteId> {
        let own = if self.kind.text().as_deref() == Some("ticket") { self.id.id() } else { None };
        own.or_else(|| self.ticket.id.id())
    }
}

/// Checks and reads a webhook request.
pub fn read(
    request: &Request<Bytes>,
    secret: Option<&Secret>,
    settings: &Settings,
) -> Result<Delivery, WebhookError> {
    let secret = secret.ok_or(WebhookError::NoSecret)?;
    if !is_signed(request, secret) {
        return Err(WebhookError::BadSignature);
    }
    let notification: Notification = serde_json::from_slice(request.body()).map_err(|_| {
        WebhookError::Malformed { what: "it is no notification: no JSON with a topic".to_owned() }
    })?;
    let id = notification.id.text();
    let found = about(&notification.topic, &notification.data.item)?;
    let kept = found.filter(|(kind, _)| settings.syncs(*kind));
    let tickets = kept.map(|(kind, number)| record_id(kind, number.as_str())).into_iter().collect();
    Ok(Delivery { id, tickets })
}

/// What a notification is about; nothing for topics of other things.
fn about(topic: &str, item: &Item) -> Result<Option<(RecordKind, RemoteId)>, WebhookError> {
    let (kind, number) = match topic.split('.').next().unwrap_or_default() {
        "conversation" | "conversation_part" => (RecordKind::Conversation, item.conversation()),
        "ticket" | "ticket_part" => (RecordKind::Ticket, item.ticket()),
        _ => return Ok(None),
    };
    match number {
        Some(number) => Ok(Some((kind, number))),
        None => {
            let named =
                topic.len() <= 80 && topic.bytes().all(|b| b.is_ascii_lowercase() || b"._".contains(&b));
            let topic = if named { topic } else { "an unknown topic" };
            Err(WebhookError::Malformed { what: format!("data.item of {topic} names no record") })
        }
    }
}

/// Compares in constant time.
fn is_signed(request: &Request<Bytes>, secret: &Secret) -> bool {
    let header = request.headers().get(SIGNATURE).and_then(|value| value.to_str().ok());
    let Some(told) = header.and_then(|text| text.strip_prefix("sha1=")) else { return false };
    let Ok(told) = hex::decode(told) else { return false };
    if secret.expose().is_empty() {
        return false;
    }
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()) else { return false };
    mac.update(request.body());
    mac.verify_slice(&told).is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    const SECRET: &str = "secret";

    fn signed(body: &str) -> Request<Bytes> {
        let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = format!("sha1={}", hex::encode(mac.finalize().into_bytes()));
        let request = Request::post("/hook").header(SIGNATURE, signature);
        request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap()
    }

    fn told(topic: &str, item: Json) -> Result<Delivery, WebhookError> {
        let body = json!({"type": "notification_event", "id": "notif_1", "topic": topic,
            "data": {"type": "notification_event_data", "item": item}});
        read(&signed(&body.to_string()), Some(&Secret::new(SECRET)), &Settings::default())
    }

    #[test]
    fn the_published_vector_is_signed() {
        let body = r#"{"type":"notification_event","topic":"ping"}"#;
        let signature = "sha1=e8e5e2592043c6f21a6550288b4b285ba7d35f24";
        let request = |signature: &str| {
            Request::post("/hook").header(SIGNATURE, signature).body(Bytes::from(body)).unwrap()
        };
        let read = |request: &Request<Bytes>| read(request, Some(&Secret::new(SECRET)), &Settings::default());
        assert_eq!(read(&request(signature)), Ok(Delivery { id: None, tickets: Vec::new() }));
        for wrong in ["", "sha1=", "e8e5e2592043c6f21a6550288b4b285ba7d35f24", "sha1=zz", &signature[..44]] {
            assert_eq!(read(&request(wrong)), Err(WebhookError::BadSignature), "{wrong}");
        }
        assert_eq!(super::read(&request(signature), None, &Settings::default()), Err(WebhookError::NoSecret));
    }

    #[test]
    fn each_topic_names_its_record() {
        let conversation = json!({"type": "conversation", "id": "215", "conversation_parts": {}});
        let part = json!({"type": "conversation_part", "id": "9", "conversation_id": "215"});
        let tag = json!({"type": "conversation_part_tag", "conversation_part": {"id": "9", "conversation_id": 215}});
        let ticket = json!({"type": "ticket", "id": "215", "ticket_id": "22"});
        let on_ticket =
            json!({"type": "ticket_part", "ticket": {"id": 215, "ticket_id": "22"}, "ticket_part": {}});
        let rows = [
            ("conversation.user.replied", conversation.clone(), Some("215")),
            ("conversation.deleted", conversation, Some("215")),
            ("conversation_part.redacted", part, Some("215")),
            ("conversation_part.tag.created", tag, Some("215")),
            ("ticket.created", ticket, Some("t215")),
            ("ticket.admin.replied", on_ticket, Some("t215")),
            ("contact.merged", json!({"type": "contact", "id": "6762f1261bb69f9f2193bba7"}), None),
            ("ping", json!({"type": "ping", "message": "x"}), None),
            ("something.new", json!(null), None),
        ];
        for (topic, item, expected) in rows {
            let tickets: Vec<RemoteId> = expected.into_iter().map(RemoteId::from).collect();
            assert_eq!(
                told(topic, item),
                Ok(Delivery { id: Some("notif_1".to_owned()), tickets }),
                "{topic}"
            );
        }
    }

    #[test]
    fn a_record_that_is_not_named_is_an_error() {
        for (topic, item) in [
            ("conversation.user.replied", json!({"type": "conversation"})),
            ("ticket.created", json!({"type": "ticket", "ticket_id": "22"})),
            ("ticket.created", json!(7)),
        ] {
            assert!(matches!(told(topic, item), Err(WebhookError::Malformed { .. })), "{topic}");
        }
        let read = |body: &str| read(&signed(body), Some(&Secret::new(SECRET)), &Settings::default());
        assert!(matches!(read("[]"), Err(WebhookError::Malformed { .. })));
        assert!(matches!(read("{}"), Err(WebhookError::Malformed { .. })));
    }

    #[test]
    fn records_that_are_not_kept_in_step_ring_nobody() {
        let settings = Settings { records: vec![RecordKind::Conversation], ..Settings::default() };
        let body =
            json!({"id": "n", "topic": "ticket.created", "data": {"item": {"type": "ticket", "id": "5"}}});
        let delivery = read(&signed(&body.to_string()), Some(&Secret::new(SECRET)), &settings).unwrap();
        assert_eq!(delivery.tickets, []);
    }
}
