//! Whatever is written, reading it ends, soon, with excerpts that are bounded.

use proptest::prelude::*;

use super::*;

fn hostile() -> impl Strategy<Value = String> {
    let words = prop_oneof![
        Just("I'll refund you"),
        Just("I have reset"),
        Just("still not"),
        Just("ich habe"),
        Just("j'ai"),
        Just("he"),
        Just("?"),
        Just("…"),
        Just("\u{202E}"),
        Just("\n> "),
        Just("**"),
        Just("a@b.c"),
        Just("4242424242424242"),
        Just("can't"),
        Just("\u{0130}"),
        Just("ß"),
        Just("e\u{301}"),
        Just("I'll transfer you to an agent"),
    ];
    prop_oneof![
        any::<String>(),
        prop::collection::vec(prop_oneof![words.prop_map(str::to_owned), any::<String>()], 0..12)
            .prop_map(|parts| parts.join(" ")),
    ]
}

fn bounded(found: &Findings, chars_max: usize) {
    let mut texts: Vec<&str> = Vec::new();
    texts.extend(
        [&found.goal, &found.blocker, &found.open_question]
            .iter()
            .filter_map(|f| f.value())
            .map(String::as_str),
    );
    texts.extend(
        found.attempts.iter().flat_map(|tried| [tried.action.as_str(), &tried.inputs, &tried.outcome]),
    );
    texts.extend(found.promises.iter().map(|promise| promise.text.as_str()));
    texts.extend(found.given.iter().map(|given| given.value.as_str()));
    for text in texts {
        assert!(text.chars().count() <= chars_max, "{text}");
        assert!(!text.contains(['\n', '\r', '\u{202E}']), "{text:?} is one line");
    }
    assert!(found.attempts.iter().all(|tried| !tried.proofs.is_empty()));
    assert!(found.promises.iter().all(|promise| !promise.proofs.is_empty()));
    assert!(found.given.iter().all(|given| !given.proofs.is_empty()));
}

proptest! {
    #[test]
    fn any_text_is_read(texts in prop::collection::vec((0..5_usize, hostile()), 0..8), chars_max in 1..120_usize) {
        const WHO: [&str; 5] = ["customer", "human", "bot", "nobody", "customer"];
        let turns: Vec<Turn> =
            texts.iter().enumerate().map(|(at, (who, text))| turn(at, WHO[*who], text)).collect();
        let rules = ThreadRules { excerpt_chars_max: chars_max, ..rules() };
        let found = read_thread(&turns, &rules);
        bounded(&found, chars_max);
        prop_assert_eq!(found, read_thread(&turns, &rules));
        for (_, text) in &texts {
            promises_transfer(text);
        }
    }
}

/// Work is counted by how much longer twice the text takes, with room for a busy machine.
#[test]
fn time_grows_with_the_text() {
    #[allow(clippy::disallowed_methods, reason = "a test of time needs the time")]
    let measure = |text: &str| {
        let turns: Vec<Turn> =
            ["customer", "human", "customer"].iter().map(|who| turn(1, who, text)).collect();
        let once = || {
            let from = std::time::Instant::now();
            bounded(&read_thread(&turns, &rules()), 200);
            from.elapsed()
        };
        once()
    };
    let samples = [
        "I'll call you about the refund and I have reset it, still not working! ",
        "i'll call you and i have not reset what can't be reset ",
        "a",
        "\u{301}",
        "1 ",
        "On it. ",
        "> q\n",
        "?! ",
    ];
    for sample in samples {
        let text = |bytes: usize| sample.repeat(bytes / sample.len());
        let (small, large) = (measure(&text(50_000)), measure(&text(200_000)));
        let limit = small.max(std::time::Duration::from_millis(20)) * 10;
        let large = if large < limit { large } else { measure(&text(200_000)) };
        assert!(large < limit, "{sample:?}: {small:?} for 50 KB, {large:?} for 200 KB");
    }
}
