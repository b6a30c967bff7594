//! `/webhooks/{account}`: a delivery is checked, remembered and turned into a
//! wake in one commit. Nothing is fetched and nothing is done here.

use std::net::SocketAddr;

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Path, State, rejection::BytesRejection},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use handoffd_connectors::contract::{Delivery, WebhookError};
use handoffd_core::{AccountId, TicketKey, Timestamp};
use serde::Serialize;

use super::{Site, agents::client_of, reply};
use crate::{
    engine::Desk,
    store::{Commit, CommitError, Guard, Key, tables},
};

/// A delivery that was taken.
#[derive(Serialize)]
struct Taken {
    at: Timestamp,
}

pub(super) async fn receive(
    State(site): State<Site>,
    Path(account): Path<String>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Response {
    let body = match body {
        Ok(body) => body,
        Err(rejection) => return reply::unread(&rejection),
    };
    let id = AccountId::new(account.as_str());
    let Some(desk) = site.engine.parts().desks.get(&id).cloned() else {
        return reply::error(StatusCode::NOT_FOUND, "there is no such account");
    };
    if method == Method::HEAD || method == Method::GET {
        // Vendors look whether the address is there before they use it.
        return StatusCode::OK.into_response();
    }
    if method != Method::POST {
        return reply::error(StatusCode::METHOD_NOT_ALLOWED, "webhooks are sent by POST");
    }
    let client = client_of(&site.server, peer, &headers);
    let mut request = http::Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    let now = site.engine.parts().clock.now();
    match desk.helpdesk.read_webhook(&request, now) {
        Ok(delivery) => take(&site, &desk, delivery, now).await,
        Err(error) => {
            tracing::warn!(account = %id, %client, %error, "A webhook request is refused.");
            site.engine.parts().metrics.webhook(id.as_str(), "refused");
            let status = match error {
                WebhookError::BadSignature | WebhookError::NoSecret => StatusCode::UNAUTHORIZED,
                WebhookError::Malformed { .. } => StatusCode::BAD_REQUEST,
            };
            reply::error(status, &error.to_string())
        }
    }
}

async fn take(site: &Site, desk: &Desk, delivery: Delivery, now: Timestamp) -> Response {
    let mut commit = Commit::default();
    if let Some(id) = &delivery.id {
        let key = Key::of(&[desk.id.as_str(), id]);
        commit.guards.push(Guard::Absent(tables::DELIVERIES, key.clone()));
        commit.writes.push(tables::put(tables::DELIVERIES, key, &Taken { at: now }));
    }
    let due = now.plus(site.engine.parts().config.debounce.0);
    for ticket in &delivery.tickets {
        let ticket = TicketKey::new(desk.id.clone(), ticket.clone());
        commit.jobs.push(site.engine.ticket_job(&ticket, "webhook", due).await);
    }
    let metrics = &site.engine.parts().metrics;
    match site.engine.parts().store.commit(commit).await {
        Ok(_) => {
            metrics.webhook(desk.id.as_str(), "taken");
            StatusCode::OK.into_response()
        }
        Err(CommitError::Conflict { .. }) => {
            metrics.webhook(desk.id.as_str(), "repeated");
            StatusCode::OK.into_response()
        }
        Err(error) => {
            tracing::warn!(account = %desk.id, %error, "A webhook could not be stored; its vendor is asked to send it again.");
            metrics.webhook(desk.id.as_str(), "asked_again");
            again(desk)
        }
    }
}

/// The answer that makes this vendor send the delivery again.
fn again(desk: &Desk) -> Response {
    let (status, retry_after) = desk.capabilities.webhook_again;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let mut response = reply::error(status, "not stored; send it again");
    if let Some(secs) = retry_after {
        response.headers_mut().insert("retry-after", HeaderValue::from(secs));
    }
    response
}
