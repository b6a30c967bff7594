//! An account whose records are tickets: the standard suite once more, and what only tickets have.

use crate::{
    conformance::{Cannot, Requests, Terms},
    intercom::sim::{Options, start_with},
    sim::{SimSetup, VendorSim},
};

/// A workspace where customers submit tickets.
fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(setup, Options { opens_tickets: true, ..Options::default() })
}

const TICKETS: Terms = Terms {
    name: "intercom",
    simulator: Some(start),
    small_pages: r#"{"search_page_rows": 10}"#,
    page_rows: 10,
    lacking: r#"{"marker_attribute": "no_such_key"}"#,
    creates_once: false,
    tells_merges: false,
    cannot: &[Cannot::TellDeletions, Cannot::ShowTags, Cannot::SetPriority, Cannot::TellRatings],
    requests: Requests {
        // One search; the states and the customer, once.
        feed_of_50: 3,
        feed_of_none: 1,
        fetch_1: 1,
        fetch_50: 50,
        comments_3: 1,
        comments_120: 1,
        fields: 3,
        fields_and_reply: 4,
        fields_and_silent: 4,
        customers_words: 1,
        note: 1,
        // The ticket; the state; two tags, made and put on.
        create: 6,
        find_reply: 1,
        // It is remembered; what is not shown of it, and its state, are set once more.
        find_create: 3,
        known_person: 1,
        new_person: 2,
        note_with_2_files: 0,
        download: 0,
        hide: 0,
        redact: 0,
        import: 0,
        history_of_50: 2,
        // Ticket types, admins, teams; the states are known.
        catalog: 3,
    },
};

crate::conformance::helpdesk!(super::TICKETS);
pub use conformance::every;
