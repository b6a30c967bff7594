//! The decisions of handoffd, as values in and values out.
//!
//! Nothing here does IO, reads a clock, draws a random number or knows a
//! vendor. Whatever a decision needs (the time, what a helpdesk shows, how a
//! vendor rewrites what it is sent) is an argument.

pub mod briefing;
pub mod capture;
pub mod comments;
pub mod decision;
pub mod filter;
pub mod floor;
pub mod handoff;
pub mod intent;
pub mod join;
pub mod link;
pub mod merge;
pub mod model;
pub mod package;
pub mod policy;
pub mod reask;
pub mod reconcile;
pub mod redact;
pub mod retry;
pub mod rewrite;
pub mod route;
pub mod settle;
pub mod thread;
pub mod transcript;
pub mod unpark;

pub use model::{comment::*, fact::*, handoff::*, ids::*, person::*, ticket::*, time::*};
