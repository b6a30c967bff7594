//! What a suite sends, for those who judge requests by other means than a simulator.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use http::Request;

use super::Check;
use crate::client::{Content, Outgoing};

thread_local! {
    /// What was sent on this thread since somebody began to listen; `None` while nobody does.
    static SENT: RefCell<Option<Vec<Request<Bytes>>>> = const { RefCell::new(None) };
}

/// A request goes out on this thread, with what is uploaded behind its body.
pub fn saw(outgoing: &Outgoing) {
    SENT.with_borrow_mut(|sent| {
        let Some(sent) = sent else { return };
        let mut body = BytesMut::from(&outgoing.request.body()[..]);
        for part in &outgoing.upload {
            match part {
                Content::Bytes(bytes) => body.extend_from_slice(bytes),
                Content::File { path, .. } => body.extend_from_slice(&std::fs::read(path).expect("a file")),
            }
        }
        sent.push(outgoing.request.clone().map(|_| body.freeze()));
    });
}

/// Every request that the checks send, in their order. Each check has a runtime of its own, on this thread.
pub fn sent_by(checks: &[Check]) -> Vec<Request<Bytes>> {
    SENT.set(Some(Vec::new()));
    for check in checks {
        // Seen when it fails.
        println!("hearing {}", check.name);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on((check.run)());
    }
    SENT.take().unwrap_or_default()
}
