//! The description of the public API, and the form of a package: both served as they are embedded.

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// The description of the public API, OpenAPI 3.1.
pub const DESCRIPTION: &str = include_str!("../../config/openapi.json");

/// The form of a package, as JSON Schema: the description refers to it.
pub const PACKAGE: &str = include_str!("../../config/package.schema.json");

/// `GET /v1/openapi.json`.
pub(super) async fn description() -> Response {
    json(DESCRIPTION)
}

/// `GET /v1/package.schema.json`, to which the description refers.
pub(super) async fn package() -> Response {
    json(PACKAGE)
}

fn json(text: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
