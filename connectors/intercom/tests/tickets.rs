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
    cannot: &[Cannot::TellDeletions, Cannot::CreateWithFiles],
    requests: Requests {
        feed_of_50: 1,
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
        create: 4,
        find_reply: 1,
        find_create: 1,
        known_person: 2,
        new_person: 2,
        note_with_2_files: 1,
        download: 1,
        hide: 0,
        redact: 0,
        import: 0,
        history_of_50: 2,
        catalog: 4,
    },
};

crate::conformance::helpdesk!(super::TICKETS);
