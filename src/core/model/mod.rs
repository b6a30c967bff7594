//! The words of the domain, as types.

pub mod captured;
pub mod comment;
pub mod fact;
pub mod handoff;
pub mod ids;
pub mod package;
pub mod person;
pub mod ticket;
pub mod time;
pub mod turn;
