//! Long text goes to a file before the commit that names it, and comes back before it is sent.

use bytes::Bytes;
use handoffd_core::{Body, intent::Intent};

use super::{Fault, Inner};
use crate::store::blobs::{BlobError, BlobHash};

/// The most bytes of a write that is to be stored, so that its row, which holds a little more, fits.
const WRITE_BYTES_MAX: usize = 24 * 1024;
/// What takes the place of a text that is put aside, in bytes.
const BLOB_NAMES_BYTES: usize = 256;

fn row_bytes(intent: &Intent) -> Result<usize, Fault> {
    let bytes = serde_json::to_vec(intent).map_err(|error| Fault::Park { why: error.to_string() })?;
    Ok(bytes.len())
}

/// The length of a body's text in a row; 0 if it is put aside.
fn bytes_at_hand(body: &Body) -> usize {
    match body {
        Body::Inline(text) => text.len(),
        Body::Rich { text, html } => text.len() + html.len(),
        Body::Blob { .. } | Body::RichBlob { .. } => 0,
    }
}

impl Inner {
    /// The same write with long text put aside, durably; the longest first, until all of it
    /// fits into a row.
    pub(super) async fn put_aside(&self, mut intent: Intent) -> Result<Intent, Fault> {
        let longest = self.parts.config.inline_body_bytes_max;
        for body in intent.bodies_mut() {
            *body = self.aside_above(body.clone(), longest).await?;
        }
        let mut spare = row_bytes(&intent)?.saturating_sub(WRITE_BYTES_MAX);
        let mut bodies = intent.bodies_mut();
        bodies.sort_by_key(|body| std::cmp::Reverse(bytes_at_hand(body)));
        for body in bodies {
            let at_hand = bytes_at_hand(body);
            if spare == 0 || at_hand <= BLOB_NAMES_BYTES {
                break;
            }
            *body = self.aside_above(body.clone(), 0).await?;
            spare = spare.saturating_sub(at_hand - BLOB_NAMES_BYTES);
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
        self.aside_above(body, self.parts.config.inline_body_bytes_max).await
    }

    async fn aside_above(&self, body: Body, longest: usize) -> Result<Body, Fault> {
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
