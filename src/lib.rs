//! The daemon: wires store, vault, engine and HTTP.

pub mod store;
pub mod vault;
