//! Answers in one form: `{"error":{"message":…,"paths":[…]}}` for whatever went wrong.

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

/// An error with words that say what to do.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}

/// An error that names places in the request's body.
pub(super) fn error_at(status: StatusCode, message: &str, paths: &[String]) -> Response {
    (status, Json(json!({ "error": { "message": message, "paths": paths } }))).into_response()
}

/// 401 that makes a browser ask for a password.
pub(super) fn unauthorized(realm: &'static str, message: &str) -> Response {
    let mut response = error(StatusCode::UNAUTHORIZED, message);
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(realm));
    response
}

/// A body that is too long, or that did not come whole.
pub(super) fn unread(rejection: &BytesRejection) -> Response {
    let message = match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is longer than server.body_bytes_max allows",
        _ => "the body did not come whole",
    };
    error(rejection.status(), message)
}

pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing here")
}
