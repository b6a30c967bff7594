//! Health, metrics and status, for admins and their machines.

use axum::{
    Json,
    extract::{Path, State, rejection::JsonRejection},
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{Html, IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use handoffd_core::HandoffId;
use subtle::ConstantTimeEq;

use super::{Site, reply};
use crate::{
    engine::{
        backfill::BackfillOrder,
        parked::{OrderError, ParkedOrder},
    },
    status,
};

/// The process runs.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The process can take work.
pub(super) async fn readyz(State(site): State<Site>) -> Response {
    match site.readiness.not_ready() {
        None => (StatusCode::OK, "ready\n").into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")).into_response(),
    }
}

pub(super) async fn metrics(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    let text = site.engine.parts().metrics.render();
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

pub(super) async fn status(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    match status::collect(&site.engine).await {
        Ok(report) => safe(Html(status::page(&report)).into_response()),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn status_json(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    match status::collect(&site.engine).await {
        Ok(report) => Json(report).into_response(),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn parked(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    match site.engine.parked().await {
        Ok(parked) => Json(parked).into_response(),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn parked_detail(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    match site.engine.parked_detail(&id).await {
        Ok(detail) => Json(detail).into_response(),
        Err(error) => order_failed(&error),
    }
}

pub(super) async fn parked_order(
    State(site): State<Site>,
    headers: HeaderMap,
    body: Result<Json<ParkedOrder>, JsonRejection>,
) -> Response {
    if let Some(refused) = refuse(&site, &headers).or_else(|| refuse_browser(&headers)) {
        return refused;
    }
    let order = match body {
        Ok(Json(order)) => order,
        Err(error) => return reply::error(error.status(), &error.body_text()),
    };
    match site.engine.parked_order(&order).await {
        Ok(done) => Json(serde_json::json!({ "done": done })).into_response(),
        Err(error) => order_failed(&error),
    }
}

/// The newest handoffs; with `?breached=true` only those without context in time.
pub(super) async fn handoffs(State(site): State<Site>, uri: Uri, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    let breached = uri.query() == Some("breached=true");
    match site.engine.handoff_lines(breached).await {
        Ok(lines) => Json(lines).into_response(),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn handoff_detail(
    State(site): State<Site>,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    match site.engine.handoff_detail(&HandoffId::new(id)).await {
        Ok(Some(detail)) => Json(detail).into_response(),
        Ok(None) => reply::error(StatusCode::NOT_FOUND, "there is no handoff of that id"),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn backfills(State(site): State<Site>, headers: HeaderMap) -> Response {
    if let Some(refused) = refuse(&site, &headers) {
        return refused;
    }
    told_backfills(&site).await
}

async fn told_backfills(site: &Site) -> Response {
    match site.engine.backfills().await {
        Ok(rows) => Json(rows).into_response(),
        Err(error) => reply::error(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

pub(super) async fn order_backfill(
    State(site): State<Site>,
    headers: HeaderMap,
    body: Result<Json<BackfillOrder>, JsonRejection>,
) -> Response {
    if let Some(refused) = refuse(&site, &headers).or_else(|| refuse_browser(&headers)) {
        return refused;
    }
    let order = match body {
        Ok(Json(order)) => order,
        Err(error) => return reply::error(error.status(), &error.body_text()),
    };
    match site.engine.order_backfill(&order).await {
        Ok(_) => told_backfills(&site).await,
        Err(error) => order_failed(&error),
    }
}

/// An order takes the token as a bearer token only: a browser that remembers the password
/// must not be led into giving one.
fn refuse_browser(headers: &HeaderMap) -> Option<Response> {
    let bearer = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let is_bearer = bearer.is_some_and(|value| value.starts_with("Bearer "));
    (!is_bearer)
        .then(|| reply::error(StatusCode::FORBIDDEN, "an order needs the admin token as a bearer token"))
}

fn order_failed(error: &OrderError) -> Response {
    let status = match error {
        OrderError::NotThere(_) | OrderError::NoSuchAccount(_) => StatusCode::NOT_FOUND,
        OrderError::MayBeThere(..)
        | OrderError::Busy(_)
        | OrderError::NoDoubt(_)
        | OrderError::Over(..)
        | OrderError::CannotJoin(..) => StatusCode::CONFLICT,
        OrderError::Store(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    reply::error(status, &error.to_string())
}

/// A page that loads nothing, runs nothing and is framed by nobody.
fn safe(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// The token, as a bearer token or as the password that a browser asks for.
fn refuse(site: &Site, headers: &HeaderMap) -> Option<Response> {
    let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(token_of);
    let right =
        given.is_some_and(|given| bool::from(given.as_bytes().ct_eq(site.admin_token.expose().as_bytes())));
    (!right).then(|| {
        reply::unauthorized(
            "Basic realm=\"handoffd\"",
            "the admin token is needed, as a bearer token or as the password",
        )
    })
}

fn token_of(value: &str) -> Option<String> {
    if let Some(token) = value.strip_prefix("Bearer ") {
        return Some(token.trim().to_owned());
    }
    let decoded = STANDARD.decode(value.strip_prefix("Basic ")?.trim()).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    text.split_once(':').map(|(_, password)| password.to_owned())
}
