//! The daemon: wires store, vault, engine and HTTP.

pub mod app;
pub mod cli;
pub mod config;
pub mod demo;
pub mod engine;
pub mod http;
pub mod mapping;
pub mod pull;
pub mod rewriter;
pub mod sandbox;
pub mod status;
pub mod store;
pub mod telemetry;
pub mod vault;
