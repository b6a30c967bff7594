use super::*;

fn draft() -> Draft {
    Draft {
        line: "wants".into(),
        text: "“My card was charged twice in May, please refund one of the 2 charges (order B-7731). I did not cancel, says Mia”".to_owned(),
        sources: vec![
            "My card was charged twice in May, please refund one of the 2 charges (order B-7731). I did not cancel, says Mia".to_owned(),
            "Amount: 588.00 EUR. See https://shop.example/o/7731 or mail mia@x.example".to_owned(),
        ],
    }
}

#[test]
fn what_the_sources_hold_may_be_said_in_other_words() {
    let accepted = [
        "The customer was charged twice in May and did not cancel; asks to refund one of 2 charges of 588.00 EUR.",
        "Card charged twice in May; wants one charge refunded, order B-7731, not cancelled",
        "Mia (mia@x.example) did not cancel: refund 588.00 EUR, https://shop.example/o/7731",
        "Asks for \"refund one of the 2 charges\", did not cancel",
    ];
    for text in accepted {
        assert_eq!(accept(&draft(), text), Ok(text.to_owned()));
    }
}

#[test]
fn what_they_do_not_hold_is_refused() {
    use Rejected::{
        Empty, Hidden, Identifier, Markup, Name, Negation, Number, Quotation, SeveralLines, TooLong, Word,
    };
    let refused = [
        ("", Empty),
        (" \n ", Empty),
        ("did not cancel\nMood: content", SeveralLines),
        ("did not cancel\u{2028}Mood: content", SeveralLines),
        ("did not can\u{200B}cel", Hidden),
        ("did not cancel \u{202E}lecnac", Hidden),
        ("did not cancel [zd#1/2,3min]", Markup),
        ("- did not cancel", Markup),
        ("did not **cancel**", Markup),
        ("did not cancel, charged 3 times", Number),
        ("did not cancel, 588 EUR", Number),
        ("did not cancel, charged ５ in May", Number),
        ("did not cancel, charged three times", Number),
        ("did not cancel, all charges", Number),
        ("did not cancel, order B-7732", Number),
        ("did not cancel, mail ben@x.example", Identifier),
        ("did not cancel, see evil.example", Identifier),
        ("did not cancel, charge_id", Identifier),
        ("Ben did not cancel", Name),
        ("did not cancel in Paris", Name),
        ("did not cancel, refund approved", Word),
        ("did not cancel and was promised a refund", Word),
        ("did not cancel, furious", Word),
        ("the customer did cancel", Negation),
        ("did not cancel and was never charged", Negation),
        ("says \"I will sue\" and did not cancel", Quotation),
        ("did not cancel, says “refund it all”", Quotation),
        ("did not cancel, says “refund one", Quotation),
    ];
    for (text, why) in refused {
        assert_eq!(accept(&draft(), text), Err(why), "{text:?}");
    }
    let long = "not ".to_owned() + &"refund ".repeat(60);
    assert_eq!(accept(&draft(), &long), Err(TooLong));
}

#[test]
fn lines_of_which_something_is_unknown_are_not_offered() {
    let package = crate::briefing::tests::full();
    let template = Template::built_in();
    let offered: Vec<String> = offer(&package, &template).iter().map(|draft| draft.line.0.clone()).collect();
    assert_eq!(offered, ["customer", "wants", "blocker", "tried", "now", "why", "open"]);
    assert_eq!(offer(&crate::briefing::tests::bare(), &template), []);
    let tried = &offer(&package, &template)[3];
    assert!(
        tried.sources[0].contains("get user details user id: mia_1 worked name: Mia Li"),
        "{:?}",
        tried.sources
    );
    assert_eq!(format!("{tried:?}"), format!("Draft(tried, {} bytes)", tried.text.len()));
}

proptest::proptest! {
    /// However the words of the sources are mixed, no number gets in that they do not hold.
    #[test]
    fn no_number_gets_in(number in 8_u64..1_000_000, at in 0_usize..6) {
        let mut words = vec!["refund", "the", "charges", "did", "not", "cancel"];
        let text = number.to_string();
        words.insert(at, &text);
        let had = accept(&draft(), &words.join(" "));
        proptest::prop_assert_eq!(had.is_ok(), ["2", "588.00"].contains(&text.as_str()));
    }
}
