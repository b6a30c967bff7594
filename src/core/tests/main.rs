//! The core's decisions, from the outside.

mod comments;
mod paper;
mod planner_check;
mod reconcile;
mod rows;
