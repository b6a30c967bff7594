//! Judged by sample bodies; Freshdesk has no description of its own.

use super::conformance::every;
use crate::specs::requests::all_is_sent;

#[test]
fn every_path_in_the_source_is_sent() {
    all_is_sent("freshdesk", &every());
}
