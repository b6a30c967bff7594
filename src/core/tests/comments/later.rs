//! Stories of what comes after the first writing: files, names, edits,
//! deletions, joined and merged tickets.

#![expect(clippy::too_many_lines, reason = "tables")]

use super::{HELLO, HERE, Steps, check};

#[test]
fn files_travel_with_their_messages() {
    let rows: &[(&str, &str, Steps)] = &[
        ("a file", "files", &[("see a: 1 hello +x.pdf:10", "b says hello +x.pdf")]),
        ("of unknown size", "files", &[("see a: 1 hello +x.pdf:?", "b says hello +x.pdf")]),
        ("on a note", "files", &[("see a: 1 psst note +x.pdf:10", "b notes psst +x.pdf")]),
        (
            "too big",
            "files",
            &[(
                "see a: 1 hello +x.pdf:1000001 +y:1",
                "b says hello||[attachment not copied: x.pdf (1000001 bytes, at most 1000000)] +y",
            )],
        ),
        (
            "too many",
            "files",
            &[(
                "see a: 1 hello +x:1 +y:1 +z:1",
                "b says hello||[attachment not copied: z (more than 2 files in one message)] +x +y",
            )],
        ),
        (
            "none at all",
            "",
            &[(
                "see a: 1 hello +x:1",
                "b says hello||[attachment not copied: x (this helpdesk takes no files)]",
            )],
        ),
        ("without a word", "files", &[("see a: 1 - +x:1", "b says [attachment: x] +x")]),
        (
            "without a word, and it does not travel",
            "",
            &[("see a: 1 - +x:1", "b says [attachment not copied: x (this helpdesk takes no files)]")],
        ),
        (
            "lost, and there after all",
            "",
            &[
                (
                    "see a: 1 hello +x:1",
                    "b says hello||[attachment not copied: x (this helpdesk takes no files)]",
                ),
                ("settle b -> lost", "parked 0 b"),
                (
                    "see b: 7 hello_[attachment_not_copied:_x_(this_helpdesk_takes_no_files)]",
                    "arrived 0 b/1#7",
                ),
            ],
        ),
        (
            "lost without a word, and there after all",
            "files",
            &[
                ("see a: 1 - +x:1", "b says [attachment: x] +x"),
                ("settle b -> lost", "parked 0 b"),
                ("see b: 7 [attachment:_x] +x:1", "arrived 0 b/1#7"),
            ],
        ),
        (
            "on the opening of a mirror",
            "route files",
            &[("see a: 1 one customer +x:1", "create b with one +x")],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn who_wrote_a_note() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "an agent whom the helpdesk does not know",
            "strangers",
            &[("see a: 1 psst note", "b notes Bo (agent):|psst")],
        ),
        ("one whom it knows", "", &[("see a: 1 psst note", "b notes psst")]),
        ("a customer", "strangers", &[("see a: 1 psst note customer", "b notes psst")]),
        ("never in public", "strangers", &[("see a: 1 hello", "b says hello")]),
        (
            "lost, and there after all",
            "strangers",
            &[
                ("see a: 1 psst note", "b notes Bo (agent):|psst"),
                ("settle b -> lost", "parked 0 b"),
                ("see b: 7 Bo_(agent):_psst note", "arrived 0 b/1#7"),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn a_change_that_is_not_shown_is_looked_for() {
    let rows: &[(&str, &str, Steps)] = &[(
        "where nothing changed that is shown, one may be hidden, redacted or edited",
        "hides",
        &[
            HELLO,
            HERE,
            ("see a: 1 hello", ""),
            ("count a 1 moved", ""),
            ("count a 1", "look a"),
            ("again", "look a"),
            ("see a: 1 hello note", "b hides 7: hello; hidden 0 a/1#1"),
        ],
    )];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn what_is_deleted_goes_everywhere() {
    const MANY: &str = "see a: 1 one, 2 two, 3 three, 4 four";
    let rows: &[(&str, &str, Steps)] = &[
        (
            "missing for long: deleted",
            "loses redacts",
            &[
                HELLO,
                HERE,
                ("see a:", "requeue"),
                ("soon a:", "requeue"),
                ("late a:", "b redacts 7; deleted 0 a/1#1"),
                ("settle b -> here 7", ""),
                ("late a:", ""),
            ],
        ),
        (
            "missing for a moment, twice: a list that moved",
            "loses redacts",
            &[
                HELLO,
                HERE,
                ("see a:", "requeue"),
                ("late a: 1 hello", ""),
                ("late a:", "requeue"),
                ("late a: 1 hello", ""),
            ],
        ),
        (
            "a note",
            "loses redacts",
            &[
                ("see a: 1 psst note, 2 hello", "b notes psst; b says hello"),
                ("settle b -> here 7", ""),
                ("settle b -> here 8", ""),
                ("see a: 2 hello", "requeue"),
                ("late a: 2 hello", "b redacts 7; deleted 0 a/1#1"),
            ],
        ),
        (
            "where nobody can take it out: an alarm, once",
            "loses",
            &[
                HELLO,
                HERE,
                ("see a:", "requeue"),
                ("late a:", "alarm redact 0 b; deleted 0 a/1#1"),
                ("late a:", ""),
            ],
        ),
        (
            "a helpdesk that gives the newest alone, or from which nothing is deleted",
            "redacts",
            &[HELLO, HERE, ("see a:", ""), ("late a:", "")],
        ),
        (
            "missing where it was mirrored: nobody else is concerned",
            "loses redacts",
            &[HELLO, HERE, ("see b:", ""), ("late b:", ""), ("see a: 1 hello", "")],
        ),
        (
            "so many at once that the list may be cut short",
            "loses redacts",
            &[
                (MANY, "b says four; b says one; b says three; b says two"),
                ("settle b -> here 6", ""),
                ("settle b -> here 7", ""),
                ("settle b -> here 8", ""),
                ("settle b -> here 9", ""),
                ("see a:", "requeue"),
                ("late a:", "alarm redact 0 b; alarm redact 1 b; alarm redact 2 b; alarm redact 3 b"),
                ("late a:", ""),
            ],
        ),
        (
            "redacted first, then deleted",
            "loses redacts",
            &[
                HELLO,
                HERE,
                ("see a: 1 [redacted] redacted", "b redacts 7; redacted 0 a/1#1"),
                ("settle b -> here 7", ""),
                ("see a:", "requeue"),
                ("late a:", "deleted 0 a/1#1"),
            ],
        ),
        (
            "deleted before it could be hidden",
            "loses redacts hides",
            &[
                HELLO,
                ("see a: 1 hello note", "hidden 0 a/1#1"),
                ("see a:", "requeue"),
                ("late a:", "deleted 0 a/1#1"),
                HERE,
                ("late a:", "b redacts 7"),
            ],
        ),
        (
            "deleted while its mirror is made",
            "route loses redacts",
            &[
                ("see a: 1 hello", "create b with hello"),
                ("see a:", "requeue"),
                ("late a:", "deleted 0 a/1#1"),
                ("settle b -> here 7", "created b/1"),
                ("late a:", "b redacts 7"),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn what_becomes_of_a_comment_becomes_of_its_copies() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "hidden",
            "hides",
            &[
                HELLO,
                HERE,
                ("see a: 1 hello note", "b hides 7: hello; hidden 0 a/1#1"),
                ("see b: 9 hello note", "requeue"),
                ("settle b -> here 9", ""),
                ("see b: 9 hello note", ""),
                ("see a: 1 hello note", ""),
            ],
        ),
        (
            "hidden while it is on its way",
            "hides",
            &[
                HELLO,
                ("see a: 1 hello note", "hidden 0 a/1#1"),
                HERE,
                ("see a: 1 hello note", "b hides 7: hello"),
            ],
        ),
        (
            "hidden after it was lost, and there after all",
            "",
            &[
                HELLO,
                ("settle b -> lost", "parked 0 b"),
                ("see a: 1 hello note", "hidden 0 a/1#1"),
                ("see b: 7 hello", "alarm hide 0 b; arrived 0 b/1#7"),
            ],
        ),
        (
            "not applied: again",
            "hides",
            &[
                HELLO,
                HERE,
                ("see a: 1 hello note", "b hides 7: hello; hidden 0 a/1#1"),
                ("settle b -> not_applied", ""),
                ("see a: 1 hello note", "b hides 7: hello"),
            ],
        ),
        (
            "the text is not at hand",
            "hides",
            &[
                HELLO,
                HERE,
                ("see a: 1 hello note", "b hides 7: hello; hidden 0 a/1#1"),
                ("settle b -> lost", ""),
                ("again", "look a"),
                ("see b: 9 hello note", "look a"),
                ("see a: 1 hello note", "b hides 9: hello"),
            ],
        ),
        (
            "hidden while its mirror is made",
            "route hides",
            &[
                ("see a: 1 hello", "create b with hello"),
                ("see a: 1 hello note", "hidden 0 a/1#1"),
                ("settle b -> here 7", "created b/1"),
                ("see a: 1 hello note", "b hides 7: hello"),
            ],
        ),
        (
            "edited while its mirror is made, where nobody can",
            "route",
            &[
                ("see a: 1 hello", "create b with hello"),
                ("see a: 1 hi", "edited 0 a/1#1"),
                ("settle b -> here 7", "alarm rewrite 0 b; created b/1"),
                ("see a: 1 hi", ""),
            ],
        ),
        (
            "refused: an alarm, once",
            "hides",
            &[
                HELLO,
                HERE,
                ("see a: 1 hello note", "b hides 7: hello; hidden 0 a/1#1"),
                ("settle b -> refused", "alarm hide 0 b"),
                ("see a: 1 hello note", ""),
            ],
        ),
        (
            "hidden on a mirror: nobody else is concerned",
            "hides",
            &[HELLO, HERE, ("see b: 7 hello note", "hidden 0 b/1#7"), ("see a: 1 hello", "")],
        ),
        (
            "redacted",
            "redacts",
            &[
                HELLO,
                HERE,
                ("see a: 1 xxx redacted", "b redacts 7; redacted 0 a/1#1"),
                ("settle b -> here", ""),
                ("see b: 7 xxx redacted", ""),
                ("see a: 1 xxx redacted", ""),
            ],
        ),
        (
            "redacted where nobody can",
            "",
            &[
                HELLO,
                HERE,
                ("see a: 1 xxx redacted", "alarm redact 0 b; redacted 0 a/1#1"),
                ("see a: 1 xxx redacted", ""),
            ],
        ),
        (
            "edited",
            "rewrites",
            &[
                HELLO,
                HERE,
                ("see a: 1 hi", "b rewrites 7: says hi; edited 0 a/1#1"),
                ("settle b -> here", ""),
                ("see b: 7 hi", ""),
                ("see a: 1 hi", ""),
            ],
        ),
        (
            "edited again meanwhile",
            "rewrites",
            &[
                HELLO,
                HERE,
                ("see a: 1 hi", "b rewrites 7: says hi; edited 0 a/1#1"),
                ("see a: 1 hey", "edited 0 a/1#1"),
                ("settle b -> here", ""),
                ("see a: 1 hey", "b rewrites 7: says hey"),
            ],
        ),
        (
            "white space is no edit",
            "rewrites",
            &[("see a: 1 hello_you", "b says hello you"), HERE, ("see a: 1 hello__you", "")],
        ),
        (
            "edited where nobody can: an alarm for each edit",
            "",
            &[
                HELLO,
                HERE,
                ("see a: 1 hi", "alarm rewrite 0 b; edited 0 a/1#1"),
                ("see a: 1 hi", ""),
                ("see a: 1 hey", "alarm rewrite 0 b; edited 0 a/1#1"),
            ],
        ),
        (
            "an edited mirror is left alone",
            "rewrites",
            &[
                HELLO,
                HERE,
                ("see b: 7 hello", ""),
                ("see b: 7 hi", "edited 0 b/1#7 copy"),
                ("see b: 7 hi", ""),
            ],
        ),
        (
            "edited before it travelled",
            "",
            &[HELLO, ("settle b -> not_applied", ""), ("see a: 1 hi", "b says hi; edited 0 a/1#1")],
        ),
        (
            "messages first",
            "rewrites",
            &[HELLO, HERE, ("see a: 1 hi, 2 two", "b rewrites 7: says hi; b says two; edited 0 a/1#1")],
        ),
        (
            "what is withdrawn is due still",
            "rewrites",
            &[
                HELLO,
                HERE,
                ("see a: 1 hi, 2 two", "b rewrites 7: says hi; b says two; edited 0 a/1#1"),
                ("settle b -> not_applied", "withdrawn"),
                ("see a: 1 hi, 2 two", "b rewrites 7: says hi; b says two"),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn comments_of_joined_tickets_are_united() {
    let joined: Steps =
        &[("leave b", ""), ("see a: 1 hello at:50, 2 ok at:60, 3 ok at:70", ""), ("join b", "")];
    let end = |name: &str, steps: Steps| check(name, "facing b rewrites", &[joined, steps].concat());
    end(
        "the same words are one comment",
        &[
            ("again", "look b"),
            ("see a: 1 hello at:50, 2 ok at:60, 3 ok at:70", "look b"),
            (
                "see b: 1 hello at:55, 2 ok at:66, 3 hi unmailed",
                "a says hi; look a; took subject b=Hi; united 0 b/1#1; united 2 b/1#2",
            ),
            ("see a: 1 hello at:50, 2 ok at:60, 3 ok at:70", "b says ok"),
        ],
    );
    end("too late is another one", &[("see b: 1 hello at:3700", "a says hello; look a; took subject b=Hi")]);
    end(
        "by another is another one",
        &[("see b: 1 hello customer at:50", "a says hello; look a; took subject b=Hi")],
    );
    end(
        "what people wrote there is not rewritten",
        &[
            (
                "see b: 1 hello at:50, 2 ok at:60, 3 ok at:70",
                "took subject b=Hi; united 0 b/1#1; united 1 b/1#2; united 2 b/1#3",
            ),
            ("see a: 1 hullo at:50, 2 ok at:60, 3 ok at:70", "alarm rewrite 0 b; edited 0 a/1#1"),
        ],
    );
}

#[test]
fn a_merge_says_nothing_twice() {
    check(
        "what the survivor holds too is one comment",
        "",
        &[
            HELLO,
            HERE,
            ("move b", ""),
            ("see b2: 1 hello, 2 merged note", "a notes merged; took subject b=Hi; united 0 b/2#1"),
            ("settle a -> here 9", ""),
            ("see a: 1 hello, 9 merged note, 2 more", "b says more"),
        ],
    );
    check(
        "later the same words are new",
        "",
        &[HELLO, HERE, ("move b", ""), ("see b2: 1 hello at:700", "a says hello; took subject b=Hi")],
    );
}
