//! The core's decisions, from the outside.

#![cfg(test)]

mod comments;
mod paper;
mod planner_check;
// A row a case, wide rather than long.
#[rustfmt::skip]
mod reconcile;
mod rows;
