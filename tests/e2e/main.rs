//! The real binary over loopback: its commands, its listeners, its end.
//!
//! Each test has a sandbox in a process of its own, so that a killed daemon
//! leaves the vendors as they were.

#![allow(clippy::disallowed_methods, reason = "these tests wait in real time")]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod check;
mod commands;
mod demo;
mod floor;
mod handoff_latency;
mod handoffs;
mod history;
mod kill;
mod latency;
mod process;
mod pull;
mod rest;
mod run;
mod sandbox;
mod store;
mod sync;
mod webhooks;
mod world;
mod wrong;
