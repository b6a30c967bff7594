//! What a suite sends, for those who judge requests by other means than a simulator.

use std::cell::RefCell;

use bytes::Bytes;
use http::Request;

use super::Check;

thread_local! {
    /// What was sent on this thread since somebody began to listen; `None` while nobody does.
    static SENT: RefCell<Option<Vec<Request<Bytes>>>> = const { RefCell::new(None) };
}

/// A request goes out on this thread.
pub fn saw(request: &Request<Bytes>) {
    SENT.with_borrow_mut(|sent| {
        if let Some(sent) = sent {
            sent.push(request.clone());
        }
    });
}

/// Every request that the checks send, in their order. Each check has a runtime of its own, on this thread.
pub fn sent_by(checks: &[Check]) -> Vec<Request<Bytes>> {
    SENT.set(Some(Vec::new()));
    for check in checks {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on((check.run)());
    }
    SENT.take().unwrap_or_default()
}
