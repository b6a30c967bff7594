//! The public listener's routes: one list, from which the router is made and against which the
//! description is held.

use axum::{
    Router,
    routing::{MethodRouter, any, get, post},
};

use super::{Site, admin, conversations, handoffs, messages, openapi, reply, webhooks};

/// A route: its path, its methods as the description has them, and who answers.
type Route = (&'static str, &'static [&'static str], MethodRouter<Site>);

/// Every public route.
pub(super) fn all() -> Vec<Route> {
    vec![
        ("/webhooks/{account}", &["post"], any(webhooks::receive)),
        ("/v1/conversations/{id}/events", &["post"], post(conversations::events)),
        ("/v1/conversations/{id}/floor", &["get"], get(messages::floor)),
        ("/v1/conversations/{id}/messages", &["post"], post(messages::say)),
        ("/v1/conversations/{id}/messages/{key}", &["get"], get(messages::show)),
        ("/v1/handoffs", &["post"], post(handoffs::create)),
        ("/v1/handoffs/{id}", &["get"], get(handoffs::show)),
        ("/v1/openapi.json", &["get"], get(openapi::description)),
        ("/v1/package.schema.json", &["get"], get(openapi::package)),
        ("/healthz", &["get"], get(admin::healthz)),
    ]
}

/// A router with all of them.
pub(super) fn router() -> Router<Site> {
    let add = |router: Router<Site>, (path, _, answers): Route| router.route(path, answers);
    all().into_iter().fold(Router::new(), add).fallback(reply::not_found)
}
