//! Long text goes to a file before the commit that names it, and comes back before it is sent.

use bytes::Bytes;
use handoffd_core::{Body, intent::Intent};

use super::{Fault, Inner};
use crate::store::blobs::{BlobError, BlobHash};

impl Inner {
    /// The same write with long text put aside, durably.
    pub(super) async fn put_aside(&self, mut intent: Intent) -> Result<Intent, Fault> {
        for body in intent.bodies_mut() {
            *body = self.body_aside(body.clone()).await?;
        }
        Ok(intent)
    }

    /// The same write with its text at hand.
    pub(super) async fn fetch_back(&self, mut intent: Intent) -> Result<Intent, Fault> {
        for body in intent.bodies_mut() {
            *body = self.body_at_hand(body.clone()).await?;
        }
        Ok(intent)
    }

    /// A body with long text put aside, durably.
    pub(super) async fn body_aside(&self, body: Body) -> Result<Body, Fault> {
        let longest = self.parts.config.inline_body_bytes_max;
        match body {
            Body::Inline(text) if text.len() > longest => {
                let (hash, len) = self.text_aside(text).await?;
                Ok(Body::Blob { hash, len })
            }
            Body::Rich { text, html } if text.len() + html.len() > longest => {
                let (hash, len) = self.text_aside(text).await?;
                let (html_hash, html_len) = self.text_aside(html).await?;
                Ok(Body::RichBlob { hash, len, html_hash, html_len })
            }
            body => Ok(body),
        }
    }

    async fn text_aside(&self, text: String) -> Result<(String, u64), Fault> {
        let len = u64::try_from(text.len()).unwrap_or(u64::MAX);
        let stored = self.parts.blobs.put(Bytes::from(text), self.now()).await;
        let hash = stored.map_err(|error| Fault::Store { why: error.to_string() })?;
        Ok((hash.as_str().to_owned(), len))
    }

    /// A body with its text at hand.
    pub(super) async fn body_at_hand(&self, body: Body) -> Result<Body, Fault> {
        match body {
            Body::Blob { hash, .. } => self.text_at_hand(&hash).await.map(Body::Inline),
            Body::RichBlob { hash, html_hash, .. } => {
                let text = self.text_at_hand(&hash).await?;
                Ok(Body::Rich { text, html: self.text_at_hand(&html_hash).await? })
            }
            body => Ok(body),
        }
    }

    async fn text_at_hand(&self, hash: &str) -> Result<String, Fault> {
        let damaged = |why: String| Fault::Park { why: format!("the text {hash:.12} cannot be had: {why}") };
        let name = BlobHash::try_from(hash.to_owned()).map_err(|why| damaged(why.to_string()))?;
        let bytes = self.parts.blobs.get(&name).await.map_err(|why| match why {
            BlobError::Unavailable { .. } => Fault::Store { why: why.to_string() },
            why => damaged(why.to_string()),
        })?;
        String::from_utf8(bytes.into()).map_err(|_| damaged("it is no text".to_owned()))
    }
}
