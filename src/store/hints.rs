//! Lossy wake-ups: several in a row are one.

use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;

/// One item for each time the count moved since the last look; ends with the store.
pub(super) fn stream(count: watch::Receiver<u64>) -> BoxStream<'static, ()> {
    stream::unfold(count, |mut count| async move {
        count.changed().await.ok()?;
        Some(((), count))
    })
    .boxed()
}
