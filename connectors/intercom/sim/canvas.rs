//! What Canvas Kit posts to an app that sits beside a conversation.
//!
//! Signed otherwise than webhooks: `X-Body-Signature` is HMAC-SHA256 of the
//! raw body in hex, without a prefix.

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;

use super::{conversations::style, http::Call, people, world::World};

/// What a teammate did in the app.
#[derive(Clone, Debug, PartialEq)]
pub enum CanvasAct {
    /// Opened a conversation beside which the app sits.
    Initialize,
    /// Pressed a component, with what was typed.
    Submit {
        /// The component's id.
        component: String,
        /// The inputs by id.
        inputs: Value,
        /// The canvas that was shown, with its stored data.
        canvas: Value,
    },
}

/// The request, if there is such a conversation. `by` is the admin who looks.
pub(super) fn request(
    world: &World,
    url: &str,
    conversation: i64,
    by: i64,
    act: &CanvasAct,
    now: i64,
) -> Option<http::Request<Bytes>> {
    let thread = world.conversation(conversation)?;
    let admin = world.admins.get(&by)?;
    let blank = http::Request::new(Bytes::new());
    let call = Call::read(&blank, now);
    let contact = thread.head.contacts.first().and_then(|id| world.contacts.get(id));
    let mut body = json!({
        "workspace_id": world.app, "workspace_region": "US",
        "admin": {"type": "admin", "id": by.to_string(), "name": admin.name, "email": admin.email},
        "card_creation_options": {}, "context": {"conversation_id": conversation.to_string(), "location": "conversation"},
        "conversation": world.conversation_json(thread, &style(&call)),
        "contact": contact.map(|contact| people::contact_json(world, contact)),
    });
    if let CanvasAct::Submit { component, inputs, canvas } = act {
        body["component_id"] = json!(component);
        body["input_values"] = inputs.clone();
        body["current_canvas"] = canvas.clone();
    }
    let body = Bytes::from(body.to_string());
    http::Request::post(url)
        .header("content-type", "application/json; charset=utf-8")
        .header("x-body-signature", signature(&world.client_secret, &body))
        .body(body)
        .ok()
}

/// `X-Body-Signature`.
pub(super) fn signature(secret: &str, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return String::new() };
    mac.update(body);
    hex::encode(mac.finalize().into_bytes())
}
