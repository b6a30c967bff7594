//! Long text goes to a file before the commit that names it, and comes back before it is sent.

use handoffd_core::{
    Body, Message, PrivateMessage, PublicMessage,
    intent::{Create, EditNote, Intent, NewTicket, Update},
};

use super::{Fault, Inner};

impl Inner {
    /// The same write with long text put aside, durably.
    pub(super) async fn put_aside(&self, intent: Intent) -> Result<Intent, Fault> {
        let Some(Body::Inline(text)) = body_of(&intent) else { return Ok(intent) };
        if text.len() <= self.parts.config.inline_body_bytes_max {
            return Ok(intent);
        }
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let stored = self.parts.blobs.put(text.clone().into_bytes()).await;
        let hash = stored.map_err(|error| Fault::Store { why: error.to_string() })?;
        Ok(with_body(intent, Body::Blob { hash, len }))
    }

    /// The same write with its text at hand.
    pub(super) async fn fetch_back(&self, intent: Intent) -> Result<Intent, Fault> {
        let Some(Body::Blob { hash, .. }) = body_of(&intent) else { return Ok(intent) };
        let bytes = self.parts.blobs.get(&hash.clone()).await;
        let bytes = bytes.map_err(|error| Fault::Park { why: error.to_string() })?;
        let text = String::from_utf8(bytes).map_err(|_| Fault::Park { why: format!("the blob {hash} is no text") })?;
        Ok(with_body(intent, Body::Inline(text)))
    }

    /// A body with long text put aside, durably.
    pub(super) async fn body_aside(&self, body: Body) -> Result<Body, Fault> {
        match body {
            Body::Inline(text) if text.len() > self.parts.config.inline_body_bytes_max => {
                let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
                let stored = self.parts.blobs.put(text.into_bytes()).await;
                let hash = stored.map_err(|error| Fault::Store { why: error.to_string() })?;
                Ok(Body::Blob { hash, len })
            }
            body => Ok(body),
        }
    }
}

/// The text that a write carries.
fn body_of(intent: &Intent) -> Option<&Body> {
    match intent {
        Intent::Create(create) => create.ticket.opening.as_ref().map(|opening| opening.text.body()),
        Intent::Update(update) => update.message.as_ref().map(Message::body),
        Intent::EditNote(edit) => Some(edit.message.text.body()),
    }
}

fn with_body(intent: Intent, body: Body) -> Intent {
    match intent {
        Intent::Create(create) => {
            let opening = create.ticket.opening.map(|opening| {
                let text = opening.text.with_body(body);
                PublicMessage { text, ..opening }
            });
            Intent::Create(Create { ticket: NewTicket { opening, ..create.ticket }, ..create })
        }
        Intent::Update(update) => {
            let message = update.message.map(|message| message.with_body(body));
            Intent::Update(Update { message, ..update })
        }
        Intent::EditNote(edit) => {
            let text = edit.message.text.with_body(body);
            Intent::EditNote(EditNote { message: PrivateMessage { text, ..edit.message }, ..edit })
        }
    }
}
