//! Bounds of a listener: how many requests at once, and how long each may take.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::Response,
};
use tokio::sync::Semaphore;

use super::reply;
use crate::config::Server;

#[derive(Clone)]
pub(super) struct Limits {
    places: Arc<Semaphore>,
    timeout: Duration,
}

impl Limits {
    pub(super) fn new(server: &Server) -> Self {
        Self {
            places: Arc::new(Semaphore::new(server.requests_at_once_max)),
            timeout: server.request_timeout.0,
        }
    }
}

pub(super) async fn bound(State(limits): State<Limits>, request: Request, next: Next) -> Response {
    let Ok(_place) = limits.places.try_acquire() else {
        let mut response =
            reply::error(StatusCode::TOO_MANY_REQUESTS, "too many requests at once; try again");
        response.headers_mut().insert("retry-after", http::HeaderValue::from_static("2"));
        return response;
    };
    match tokio::time::timeout(limits.timeout, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            // 429, not 5xx: a vendor that is answered so sends its webhook again.
            let mut response =
                reply::error(StatusCode::TOO_MANY_REQUESTS, "the request took too long; try again");
            response.headers_mut().insert("retry-after", http::HeaderValue::from_static("5"));
            response
        }
    }
}
