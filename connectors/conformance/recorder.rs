//! What a suite sends, for those who judge requests by other means than a simulator.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, Response, StatusCode, Uri};

use super::Check;
use crate::client::{Content, Outgoing};

thread_local! {
    /// What was sent on this thread since somebody began to listen; `None` while nobody does.
    static SENT: RefCell<Option<Vec<Request<Bytes>>>> = const { RefCell::new(None) };
    /// What was answered on this thread meanwhile.
    static ANSWERED: RefCell<Option<Vec<Exchange>>> = const { RefCell::new(None) };
}

/// A request and its answer.
pub struct Exchange {
    /// How it was asked.
    pub method: Method,
    /// What was asked for.
    pub uri: Uri,
    /// The answer's status.
    pub status: StatusCode,
    /// The answer's body.
    pub body: Bytes,
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

/// A simulator answers on this thread.
pub fn heard(method: &Method, uri: &Uri, answer: &Response<Bytes>) {
    ANSWERED.with_borrow_mut(|all| {
        let Some(all) = all else { return };
        let (method, uri) = (method.clone(), uri.clone());
        all.push(Exchange { method, uri, status: answer.status(), body: answer.body().clone() });
    });
}

/// What the checks send and what is answered, in their order.
pub fn exchanged_by(checks: &[Check]) -> Vec<Exchange> {
    ANSWERED.set(Some(Vec::new()));
    run(checks);
    ANSWERED.take().unwrap_or_default()
}

/// Every request that the checks send, in their order. Each check has a runtime of its own, on this thread.
pub fn sent_by(checks: &[Check]) -> Vec<Request<Bytes>> {
    SENT.set(Some(Vec::new()));
    run(checks);
    SENT.take().unwrap_or_default()
}

fn run(checks: &[Check]) {
    for check in checks {
        // Seen when it fails.
        println!("hearing {}", check.name);
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().start_paused(true).build().expect("a runtime");
        runtime.block_on((check.run)());
    }
}
