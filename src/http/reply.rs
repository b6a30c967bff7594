//! Answers in one form: `{"error":{"message":…,"paths":[…]}}` for whatever went wrong.

use axum::{
    Json,
    extract::rejection::BytesRejection,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;

use super::form::Wrong;

/// An error with words that say what to do.
pub(super) fn error(status: StatusCode, message: &str) -> Response {
    (status, Json(json!({ "error": { "message": message } }))).into_response()
}

/// An error that names places in the request's body.
pub(super) fn error_at(status: StatusCode, message: &str, paths: &[String]) -> Response {
    (status, Json(json!({ "error": { "message": message, "paths": paths } }))).into_response()
}

/// 422 that names everything that is missing or wrong, each with its path.
pub(super) fn wrongs(wrongs: &[Wrong]) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, Json(wrongs_body(wrongs))).into_response()
}

/// The body of such an answer.
pub(super) fn wrongs_body(wrongs: &[Wrong]) -> serde_json::Value {
    let paths: Vec<&str> = wrongs.iter().map(|wrong| wrong.path.as_str()).collect();
    let message = match wrongs {
        [one] => one.message.clone(),
        many => format!("{} fields are missing or wrong", many.len()),
    };
    json!({ "error": { "message": message, "paths": paths, "fields": wrongs } })
}

/// 503: nothing was stored, and the same may be sent again.
pub(super) fn unavailable() -> Response {
    let mut response = error(StatusCode::SERVICE_UNAVAILABLE, "not stored; send it again with the same key");
    response.headers_mut().insert("retry-after", HeaderValue::from_static("5"));
    response
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
