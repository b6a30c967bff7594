//! The daemon: wires store, vault, engine and HTTP.

pub mod config;
pub mod store;
pub mod vault;
