//! Long text goes to a file before the commit that names it, and comes back before it is sent.

use bytes::Bytes;
use handoffd_core::{
    Body, Message, PrivateMessage, PublicMessage,
    intent::{Create, EditNote, Intent, NewTicket, Update},
};

use super::{Fault, Inner};
use crate::store::blobs::{BlobError, BlobHash};

impl Inner {
    /// The same write with long text put aside, durably.
    pub(super) async fn put_aside(&self, intent: Intent) -> Result<Intent, Fault> {
        match body_of(&intent) {
            Some(body @ Body::Inline(_)) => {
                let body = self.body_aside(body.clone()).await?;
                Ok(with_body(intent, body))
            }
            _ => Ok(intent),
        }
    }

    /// The same write with its text at hand.
    pub(super) async fn fetch_back(&self, intent: Intent) -> Result<Intent, Fault> {
        match body_of(&intent) {
            Some(body @ Body::Blob { .. }) => {
                let body = self.body_at_hand(body.clone()).await?;
                Ok(with_body(intent, body))
            }
            _ => Ok(intent),
        }
    }

    /// A body with long text put aside, durably.
    pub(super) async fn body_aside(&self, body: Body) -> Result<Body, Fault> {
        match body {
            Body::Inline(text) if text.len() > self.parts.config.inline_body_bytes_max => {
                let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
                let stored = self.parts.blobs.put(Bytes::from(text), self.now()).await;
                let hash = stored.map_err(|error| Fault::Store { why: error.to_string() })?;
                Ok(Body::Blob { hash: hash.as_str().to_owned(), len })
            }
            body => Ok(body),
        }
    }

    /// A body with its text at hand.
    pub(super) async fn body_at_hand(&self, body: Body) -> Result<Body, Fault> {
        let Body::Blob { hash, .. } = &body else { return Ok(body) };
        let damaged = |why: String| Fault::Park { why: format!("the text {hash:.12} cannot be had: {why}") };
        let name = BlobHash::try_from(hash.clone()).map_err(|why| damaged(why.to_string()))?;
        let bytes = self.parts.blobs.get(&name).await.map_err(|why| match why {
            BlobError::Unavailable { .. } => Fault::Store { why: why.to_string() },
            why => damaged(why.to_string()),
        })?;
        let text = String::from_utf8(bytes.into()).map_err(|_| damaged("it is no text".to_owned()))?;
        Ok(Body::Inline(text))
    }
}

/// The text that a write carries.
pub(super) fn body_of(intent: &Intent) -> Option<&Body> {
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
