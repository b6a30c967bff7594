//! The core's decisions, from the outside.

mod comments;
mod planner_check;
mod reconcile;
mod rows;
