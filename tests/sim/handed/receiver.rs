//! Where the AI agent is told things: the other end of outgoing webhooks.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_connectors::client::{
    Clock,
    transport::{Outgoing, Transport, TransportError},
};
use handoffd_core::Timestamp;
use http::Response;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// The host behind which the AI agent listens.
pub const HOST: &str = "agent.example";

/// Something that the AI agent was told.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Timestamp,
    /// The `webhook-id` header.
    pub id: String,
    pub signature: String,
    pub body: Value,
}

/// The net with the AI agent's listener in it.
pub struct Receiver {
    inner: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    told: Mutex<Vec<Told>>,
    /// Of a hundred calls so many fail, half of them after they were taken in.
    fails: u32,
    random: Mutex<ChaCha8Rng>,
}

impl Receiver {
    /// A listener that has heard nothing yet.
    pub fn over(inner: Arc<dyn Transport>, clock: Arc<dyn Clock>, seed: u64, fails: u32) -> Arc<Self> {
        let random = Mutex::new(ChaCha8Rng::seed_from_u64(seed ^ 0xa6e_17));
        Arc::new(Self { inner, clock, told: Mutex::default(), fails, random })
    }

    /// Everything that was taken in, repeats included.
    pub fn told(&self) -> Vec<Told> {
        self.told.lock().expect("a lock").clone()
    }

    fn hear(&self, outgoing: &Outgoing) -> Result<Response<Bytes>, TransportError> {
        let roll = self.random.lock().expect("a lock").random_range(0..200);
        if roll < self.fails {
            return Err(TransportError::NoAnswer("timed out".to_owned()));
        }
        let header = |name: &str| {
            let value = outgoing.request.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        self.told.lock().expect("a lock").push(Told {
            at: self.clock.now(),
            id: header("webhook-id"),
            signature: header("webhook-signature"),
            body: serde_json::from_slice(outgoing.request.body()).unwrap_or_default(),
        });
        let mut answer = Response::new(Bytes::new());
        if roll < 2 * self.fails {
            *answer.status_mut() = http::StatusCode::BAD_GATEWAY;
        }
        Ok(answer)
    }
}

impl Transport for Receiver {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Response<Bytes>, TransportError>> {
        match outgoing.request.uri().host() == Some(HOST) {
            true => Box::pin(async move { self.hear(&outgoing) }),
            false => self.inner.send(outgoing),
        }
    }
}
