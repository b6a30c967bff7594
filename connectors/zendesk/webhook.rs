//! Webhook requests: the signature, and which tickets they are about. Pure.
//!
//! Two shapes arrive: events that were subscribed to, and whatever body an
//! admin gave to a trigger, of which `{"ticket_id": …}` is read. The headers
//! beside the signature are not signed, so nothing is taken from them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use hmac::{Hmac, KeyInit, Mac};
use serde::Deserialize;
use sha2::Sha256;

use super::{api, lenient};
use crate::contract::{Delivery, Secret, WebhookError};

const SIGNATURE: &str = "x-zendesk-webhook-signature";
const SIGNED_AT: &str = "x-zendesk-webhook-signature-timestamp";

/// Checks and reads a webhook request. `tolerance_secs`: how far the signed
/// timestamp may be from `now`; `None` for any distance.
pub fn read(
    request: &http::Request<Bytes>,
    secret: Option<&Secret>,
    tolerance_secs: Option<u32>,
    now: Timestamp,
) -> Result<Delivery, WebhookError> {
    let secret = secret.ok_or(WebhookError::NoSecret)?;
    let signed_at = check(request, secret).ok_or(WebhookError::BadSignature)?;
    if let Some(secs) = tolerance_secs {
        fresh(signed_at, secs, now).ok_or(WebhookError::BadSignature)?;
    }
    let body: Body = serde_json::from_slice(request.body()).map_err(|error| {
        let at = format!("line {}, column {}", error.line(), error.column());
        malformed(format!("not a JSON object ({at})"))
    })?;
    body.delivery()
}

/// The signed timestamp, if the signature over it and the body is right.
fn check<'a>(request: &'a http::Request<Bytes>, secret: &Secret) -> Option<&'a str> {
    let header = |name: &str| request.headers().get(name)?.to_str().ok();
    let signed_at = header(SIGNED_AT)?;
    let signature = STANDARD.decode(header(SIGNATURE)?).ok()?;
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes()).ok()?;
    mac.update(signed_at.as_bytes());
    mac.update(request.body());
    // Compares in constant time.
    mac.verify_slice(&signature).ok().map(|()| signed_at)
}

fn fresh(signed_at: &str, secs: u32, now: Timestamp) -> Option<()> {
    let signed_at = Timestamp::parse(signed_at).ok()?;
    (signed_at.0.abs_diff(now.0) <= u64::from(secs) * 1_000).then_some(())
}

fn malformed(what: impl Into<String>) -> WebhookError {
    WebhookError::Malformed { what: what.into() }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Body {
    #[serde(deserialize_with = "lenient::text")]
    id: Option<String>,
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    kind: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    subject: Option<String>,
    #[serde(deserialize_with = "lenient::id")]
    ticket_id: Option<RemoteId>,
    detail: Option<Detail>,
    event: Option<Event>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Detail {
    #[serde(deserialize_with = "lenient::id")]
    id: Option<RemoteId>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Event {
    #[serde(deserialize_with = "lenient::id")]
    target_ticket_id: Option<RemoteId>,
}

impl Body {
    fn delivery(self) -> Result<Delivery, WebhookError> {
        match self.kind.as_deref().and_then(|kind| kind.strip_prefix("zen:event-type:")) {
            Some(kind) if kind.starts_with("ticket.") => self.event_delivery(),
            // An event about something else: nothing to look at.
            Some(_) => Ok(Delivery { id: self.id, tickets: Vec::new() }),
            None => {
                let ticket = numbered(self.ticket_id).ok_or_else(|| malformed("ticket_id: no ticket id"))?;
                Ok(Delivery { id: None, tickets: vec![ticket] })
            }
        }
    }

    fn event_delivery(self) -> Result<Delivery, WebhookError> {
        let subject = self.subject.as_deref().and_then(|subject| subject.strip_prefix("zen:ticket:"));
        let detail = self.detail.and_then(|detail| numbered(detail.id));
        let ticket = detail.or_else(|| numbered(subject.map(RemoteId::from)));
        let mut tickets = vec![ticket.ok_or_else(|| malformed("detail.id: no ticket id"))?];
        // A merge: the other ticket has the conversation from now on.
        tickets.extend(self.event.and_then(|event| numbered(event.target_ticket_id)));
        tickets.dedup();
        Ok(Delivery { id: self.id.filter(|id| !id.is_empty()), tickets })
    }
}

fn numbered(id: Option<RemoteId>) -> Option<RemoteId> {
    id.filter(api::is_number)
}
