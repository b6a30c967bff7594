//! Answers in one form: `{"error":{"message":…,"paths":[…]}}` for whatever went wrong.

use axum::{
    Json,
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

pub(super) async fn not_found() -> Response {
    error(StatusCode::NOT_FOUND, "there is nothing here")
}
