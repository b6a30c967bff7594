//! The listeners: a public one for webhooks and the API of AI agents, and an
//! admin one for health, metrics and status. TLS is a reverse proxy's work.

mod admin;
mod agents;
mod answers;
mod conversations;
mod dialects;
mod envelope;
mod form;
mod handoffs;
mod limits;
mod messages;
pub mod openapi;
mod reply;
mod routes;
mod streams;
#[cfg(test)]
mod tests;
mod webhooks;

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::DefaultBodyLimit, routing::get};
use handoffd_connectors::contract::Secret;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{config::Server, engine::Engine, status::Readiness};

pub(crate) use agents::signing_key;
pub use agents::{Agent, AgentError};

/// What the listeners serve.
#[derive(Clone)]
pub struct Site {
    inner: Arc<SiteParts>,
}

/// What a [`Site`] is made of.
pub struct SiteParts {
    /// The engine that is told what came in.
    pub engine: Engine,
    /// Bounds of the listeners.
    pub server: Server,
    /// AI agents that may call, by name.
    pub agents: Vec<Agent>,
    /// The admin listener's token.
    pub admin_token: Secret,
    /// Whether the daemon can take work.
    pub readiness: Arc<dyn Readiness>,
}

impl Site {
    /// A site over its parts.
    pub fn new(parts: SiteParts) -> Self {
        Self { inner: Arc::new(parts) }
    }
}

impl std::ops::Deref for Site {
    type Target = SiteParts;

    fn deref(&self) -> &SiteParts {
        &self.inner
    }
}

/// The public listener's routes.
pub fn public_router(site: Site) -> Router {
    bounded(routes::router(), &site).with_state(site)
}

/// The admin listener's routes.
pub fn admin_router(site: Site) -> Router {
    let router = Router::new()
        .route("/healthz", get(admin::healthz))
        .route("/readyz", get(admin::readyz))
        .route("/metrics", get(admin::metrics))
        .route("/status", get(admin::status))
        .route("/status.json", get(admin::status_json))
        .route("/parked.json", get(admin::parked).post(admin::parked_order))
        .route("/handoffs.json", get(admin::handoffs))
        .route("/handoffs/{id}", get(admin::handoff_detail))
        .route("/backfill.json", get(admin::backfills).post(admin::order_backfill))
        .route("/parked/{*id}", get(admin::parked_detail))
        .fallback(reply::not_found);
    bounded(router, &site).with_state(site)
}

fn bounded(router: Router<Site>, site: &Site) -> Router<Site> {
    router
        .layer(DefaultBodyLimit::max(site.server.body_bytes_max))
        .layer(axum::middleware::from_fn_with_state(limits::Limits::new(&site.server), limits::bound))
}

/// Serves a router until `stop`; requests in hand are finished.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) -> std::io::Result<()> {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).with_graceful_shutdown(async move { stop.cancelled().await }).await
}
