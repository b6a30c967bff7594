//! Stories of tickets that are made: mirrors, with or without their past, and follow-ups.

#![expect(clippy::too_many_lines, reason = "tables")]

use handoffd_core::Body;

use super::{HELLO, HERE, Steps, Story, check};

#[test]
fn a_mirror_opens_with_the_first_message() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "the first, the others follow",
            "route",
            &[
                ("newer a", "look a"),
                ("see a: 1 one customer, 2 two", "create b with one"),
                ("settle b -> here 1", "created b/1"),
                ("see a: 1 one customer, 2 two", "b says two"),
            ],
        ),
        (
            "no opening where the first is private",
            "route",
            &[
                ("see a: 1 psst note, 2 hello", "create b"),
                ("settle b -> here", "created b/1"),
                ("see a: 1 psst note, 2 hello", "b notes psst; b says hello"),
            ],
        ),
        ("no comment at all", "route", &[("see a:", "create b")]),
        (
            "not applied: made again",
            "route",
            &[
                ("see a: 1 one", "create b with one"),
                ("settle b -> not_applied", ""),
                ("see a: 1 one", "create b with one"),
            ],
        ),
        (
            "lost: never again",
            "route",
            &[
                ("see a: 1 one", "create b with one"),
                ("settle b -> lost", "create parked b"),
                ("see a: 1 one", ""),
            ],
        ),
        (
            "refused: parked",
            "route",
            &[
                ("see a: 1 one", "create b with one"),
                ("settle b -> refused", "create parked b"),
                ("see a: 1 one", ""),
            ],
        ),
        ("one at a time", "route", &[("see a: 1 one", "create b with one"), ("see a: 1 one, 2 two", "")]),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn a_closed_ticket_is_followed_up() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "by what is to be said",
            "follows",
            &[
                HELLO,
                HERE,
                ("see a: 1 hello, 2 two customer, 3 three", "b says three; b says two"),
                ("settle b -> closed", "closed b; withdrawn"),
                ("see a: 1 hello, 2 two customer, 3 three", "create b with two after 1"),
                ("see a: 1 hello, 2 two customer, 3 three", ""),
                ("settle b -> here 20", "created b/2"),
                ("see b2: 20 two", "look a"),
                ("see a: 1 hello, 2 two customer, 3 three", "b says three"),
                ("settle b -> here 21", ""),
                ("see b2: 20 two, 21 three, 22 thanks", "a says thanks"),
            ],
        ),
        (
            "an agent's words follow by themselves: a first message is shown as the customer's",
            "follows",
            &[
                HELLO,
                ("settle b -> closed", "closed b"),
                ("see a: 1 hello", "create b after 1"),
                ("settle b -> here 20", "created b/2"),
                ("see a: 1 hello", "b says hello"),
            ],
        ),
        (
            "one that is to be mailed follows by itself",
            "follows facing b",
            &[
                ("see a: 1 hello unmailed", "b says hello mailed"),
                ("settle b -> closed", "closed b"),
                ("see a: 1 hello unmailed", "create b after 1"),
                ("settle b -> here 20", "created b/2"),
                ("see a: 1 hello unmailed", "b says hello mailed"),
            ],
        ),
        (
            "not for a note",
            "follows",
            &[
                ("see a: 1 psst note", "b notes psst"),
                ("settle b -> closed", "closed b"),
                ("see a: 1 psst note", ""),
                ("see a: 1 psst note, 2 two", "create b after 1"),
            ],
        ),
        (
            "not where there are none: parked",
            "",
            &[
                HELLO,
                ("settle b -> closed", "closed b"),
                ("see a: 1 hello", "parked 0 b"),
                ("see a: 1 hello, 2 two", "parked 1 b"),
            ],
        ),
        (
            "not for what two joined tickets held",
            "follows facing b",
            &[
                ("leave b", ""),
                ("see a: 1 hello at:50, 2 old unmailed at:60", ""),
                ("join b", ""),
                ("again", "look b"),
                (
                    "see b: 1 hello at:50, 3 theirs at:70",
                    "a says theirs; look a; took subject b=Hi; united 0 b/1#1",
                ),
                ("settle a -> here 9", ""),
                ("see a: 1 hello at:50, 2 old unmailed at:60, 9 theirs", "b says old"),
                ("settle b -> closed", "closed b"),
                ("see a: 1 hello at:50, 2 old unmailed at:60, 9 theirs", "parked 1 b"),
                (
                    "see a: 1 hello at:50, 2 old unmailed at:60, 9 theirs, 10 new at:80 customer",
                    "create b with new after 1",
                ),
                ("settle b -> here 20", "created b/2"),
                ("see b2: 20 new", ""),
            ],
        ),
        (
            "not made: never again",
            "follows",
            &[
                ("see a: 1 hello customer", "b says hello"),
                ("settle b -> closed", "closed b"),
                ("see a: 1 hello customer", "create b with hello after 1"),
                ("settle b -> refused", "create parked b"),
                ("see a: 1 hello customer", ""),
            ],
        ),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

#[test]
fn a_mirror_of_a_deleted_ticket() {
    let made: Steps =
        &[("see a: 1 one", "create b with one"), ("settle b -> here 7", "created b/1"), ("gone a", "")];
    let end = |options: &str, steps: Steps| check(options, options, &[made, steps].concat());
    end(
        "route deletes propagate",
        &[("see b: 7 one", "delete b/1; deleting b"), ("settle b -> refused", "parked b"), ("again", "")],
    );
    end(
        "route deletes propagate ",
        &[
            ("again", "delete b/1; deleting b"),
            ("settle b -> not_applied", ""),
            ("again", "delete b/1; deleting b"),
            ("settle b -> here", ""),
            ("again", ""),
        ],
    );
    end("route deletes", &[("see b: 7 one", "")]);
    end("route propagate", &[("see b: 7 one", "")]);
    check(
        "what people made stays",
        "deletes propagate",
        &[HELLO, HERE, ("gone a", ""), ("see b: 7 hello", "")],
    );
}

#[test]
fn a_mirror_is_made_with_its_past() {
    let rows: &[(&str, &str, Steps)] = &[
        (
            "where the helpdesk can",
            "route importing imports",
            &[
                (
                    "see a: 1 one customer, 2 psst note, 3 two unmailed",
                    "create b with one then notes psst then says two",
                ),
                ("settle b -> here 7 8 9", "created b/1"),
                ("see b: 7 one, 8 psst note, 9 two", ""),
                ("see a: 1 one customer, 2 psst note, 3 two unmailed, 4 new", "b says new"),
            ],
        ),
        (
            "the answer does not say which is which",
            "route importing imports",
            &[
                ("see a: 1 one, 2 two", "create b with one then says two"),
                ("settle b -> here 7", "created b/1"),
                ("again", "look b"),
                ("see b: 7 one, 8 two", "arrived 1 b/1#8"),
                ("see a: 1 one, 2 two", ""),
            ],
        ),
        (
            "where it cannot: one by one, and nobody is mailed",
            "route importing facing b",
            &[
                ("see a: 1 one, 2 two unmailed", "create b with one"),
                ("settle b -> here 7", "created b/1"),
                ("see a: 1 one, 2 two unmailed", "b says two"),
            ],
        ),
        (
            "every message has its files",
            "route importing imports files",
            &[
                (
                    "see a: 1 one, 2 two, 3 doc +x.pdf:10, 4 four",
                    "create b with one then says two then says doc +x.pdf then says four",
                ),
                ("settle b -> here 7 8 9 10", "created b/1"),
                ("see a: 1 one, 2 two, 3 doc +x.pdf:10, 4 four", ""),
            ],
        ),
        (
            "what was said since it was ordered is no history",
            "route importing imports facing b since 50",
            &[
                (
                    "see a: 1 one, 2 two unmailed at:49, 3 three unmailed at:50, 4 four",
                    "create b with one then says two",
                ),
                ("settle b -> here 7 8", "created b/1"),
                (
                    "see a: 1 one, 2 two unmailed at:49, 3 three unmailed at:50, 4 four",
                    "b says four; b says three mailed",
                ),
            ],
        ),
        (
            "what is old is not mailed, whatever asked for the look",
            "route facing b days later",
            &[
                ("see a: 1 one, 2 two unmailed, 3 three unmailed at:259000", "create b with one"),
                ("settle b -> here 7", "created b/1"),
                (
                    "see a: 1 one, 2 two unmailed, 3 three unmailed at:259000",
                    "b says three mailed; b says two",
                ),
            ],
        ),
        ("not for what is new", "route imports", &[("see a: 1 one, 2 two", "create b with one")]),
    ];
    rows.iter().for_each(|(name, options, steps)| check(name, options, steps));
}

/// All files of a creation are at hand at once.
#[test]
fn a_past_with_many_files_is_cut() {
    let mut story = Story::new("route importing imports files");
    let many: Vec<_> = (1..=60).map(|number| format!("{number} m{number} +f{number}.pdf:10")).collect();
    let found = story.step(&format!("see a: {}", many.join(", ")));
    // The opening's file counts by itself.
    assert_eq!(found.matches(" then ").count(), 50, "{found}");
    assert!(found.contains("m51 +f51.pdf") && !found.contains("m52"), "{found}");
    let ids: Vec<String> = (1..=51).map(|id| id.to_string()).collect();
    story.step(&format!("settle b -> here {}", ids.join(" ")));
    let found = story.step(&format!("see a: {}", many.join(", ")));
    assert!(found.contains("b says m52 +f52.pdf") && !found.contains("m51 "), "{found}");
}

#[test]
fn a_long_past_is_cut() {
    let mut story = Story::new("route importing imports");
    let many: Vec<_> = (1..=500).map(|number| format!("{number} m{number}")).collect();
    let found = story.step(&format!("see a: {}", many.join(", ")));
    let imported = found.matches(" then ").count();
    assert!((60..400).contains(&imported), "{imported}: what a row holds, and not all");
    story.step("settle b -> here 1");
    let found = story.step(&format!("see b: {}", many[..=imported].join(", ")));
    assert_eq!(found.matches("arrived").count(), imported, "{found}");
    let found = story.step(&format!("see a: {}", many.join(", ")));
    let (last, next) = (format!("m{}", imported + 1), format!("b says m{}", imported + 2));
    assert!(found.contains(&next) && !found.contains(&last), "{found}");
}

#[test]
fn an_import_fits_into_a_row_once_its_texts_are_put_aside() {
    for words in [2, 300, 8_000] {
        let mut story = Story::new("route importing imports");
        let text = "x".repeat(words);
        let many: Vec<_> = (1..=500).map(|number| format!("{number} {text}")).collect();
        story.step(&format!("see a: {}", many.join(", ")));
        let mut create = story.queue.pop().expect("a creation");
        let blob = Body::RichBlob {
            hash: "0".repeat(64),
            len: 100_000,
            html_hash: "0".repeat(64),
            html_len: 100_000,
        };
        for body in create.bodies_mut() {
            if body.text().is_some_and(|text| text.len() > 256) {
                *body = blob.clone();
            }
        }
        let bytes = serde_json::to_vec(&create).expect("JSON").len();
        assert!((12 * 1024..24 * 1024).contains(&bytes), "{words}: {bytes} bytes");
    }
}
