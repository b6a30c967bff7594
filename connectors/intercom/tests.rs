//! The adapter as a whole: against the simulator, by the standard suite.

crate::conformance::helpdesk!(crate::conformance::Terms {
    name: "intercom",
    small_pages: r#"{"search_page_rows": 10}"#,
    page_rows: 10,
    lacking: r#"{"marker_attribute": "no_such_key"}"#,
    creates_once: false,
    tells_merges: false,
    cannot: &[
        crate::conformance::Cannot::TellDeletions,
        crate::conformance::Cannot::RingForFields,
        crate::conformance::Cannot::SaySilently,
        crate::conformance::Cannot::CreateWithFiles,
    ],
    requests: crate::conformance::Requests {
        // One search of conversations and one of tickets.
        feed_of_50: 2,
        feed_of_none: 2,
        fetch_1: 1,
        fetch_50: 50,
        comments_3: 1,
        comments_120: 1,
        // The title; the tag, made and put on.
        fields: 3,
        // The reply; the title; the tag, and the other one taken off.
        fields_and_reply: 5,
        fields_and_silent: 5,
        customers_words: 1,
        note: 1,
        // The message, the title and marker, the state, two tags.
        create: 7,
        find_reply: 1,
        find_create: 1,
        // Intercom's index of contacts is minutes behind: the search, and the refusal that names the contact.
        known_person: 2,
        new_person: 2,
        note_with_2_files: 1,
        download: 1,
        hide: 0,
        // The conversation, for whether it is the first message.
        redact: 2,
        import: 0,
        history_of_50: 4,
        // Attributes, ticket types, ticket states, admins, teams.
        catalog: 5,
    },
});
