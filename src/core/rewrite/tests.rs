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
        "Card charged twice in May; wants refund of one charge, order B-7731, did not cancel",
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

fn of(text: &str) -> Draft {
    Draft { line: "wants".into(), text: text.to_owned(), sources: vec![text.to_owned()] }
}

/// What the line says, what a model makes of it, and why that is refused.
const TURNED: &[(&str, &str, Rejected)] = &[
    // Names.
    ("John asks for the invoice", "Johnson asks for the invoice", Rejected::Name),
    ("Martin asks for the invoice", "Martina asks for the invoice", Rejected::Name),
    ("Christian asks for the invoice", "Christine asks for the invoice", Rejected::Name),
    ("John asks for the invoice", "johnson asks for the invoice", Rejected::Word),
    ("John asks for the invoice", "asks for johns invoice", Rejected::Word),
    ("john asks for the invoice", "johnson asks for the invoice", Rejected::Word),
    // Denials.
    ("I couldn’t cancel", "I could cancel", Rejected::Word),
    ("I haven’t cancelled", "I have cancelled", Rejected::Negation),
    ("I hadnʼt cancelled", "I had cancelled", Rejected::Negation),
    ("I did cancel", "I didn´t cancel", Rejected::Negation),
    ("the fee is refundable", "the fee is non-refundable", Rejected::Negation),
    ("the fee is refundable", "the fee is non‑refundable", Rejected::Negation),
    ("the card was charged", "the card was never-charged", Rejected::Negation),
    ("I was not charged, I want to cancel", "I was charged, I do not want to cancel", Rejected::Negation),
    (
        "Ich kündige nicht, bitte Gebühr erstatten",
        "Ich kündige, bitte nicht Gebühr erstatten",
        Rejected::Negation,
    ),
    ("Ich habe keins bestellt", "Ich habe bestellt", Rejected::Negation),
    ("the refund failed", "the refund", Rejected::Negation),
    ("the shop refused the return", "the return", Rejected::Negation),
    ("je n'ai pas reçu le colis", "je ai reçu le colis", Rejected::Word),
    ("I never was charged", "I was not charged", Rejected::Negation),
    // Outcomes, order, amounts.
    ("charged before May for over 100", "charged after May for over 100", Rejected::Word),
    ("charged before May for over 100", "charged before May for under 100", Rejected::Word),
    ("Please refund my order", "order refunded", Rejected::Word),
    ("please cancel my order", "order is cancelled", Rejected::Word),
    ("Bitte das Geld erstatten", "das Geld ist erstattet", Rejected::Word),
    ("charged <50 in May", "charged >50 in May", Rejected::Number),
    ("charged < 50 in May", "charged > 50 in May", Rejected::Number),
    ("charged .5 in May", "charged 5 in May", Rejected::Number),
    ("paid 50 EUR and 20 USD", "paid 20 EUR and 50 USD", Rejected::Number),
    ("paid EUR 50 and USD 20", "paid USD 50 and EUR 20", Rejected::Number),
    ("waits 5 days and 2 hours", "waits 2 days and 5 hours", Rejected::Number),
    ("paid 50 EUR", "paid 50", Rejected::Number),
];

#[test]
fn what_turns_the_meaning_is_refused() {
    let wrong: Vec<_> = TURNED
        .iter()
        .map(|(text, proposal, why)| (text, proposal, accept(&of(text), proposal), why))
        .filter(|(_, _, had, why)| had.as_ref().err() != Some(*why))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_keeps_the_meaning_is_accepted() {
    let kept = [
        ("I couldn’t cancel", "I couldn't cancel"),
        ("I didn’t cancel", "the customer did not cancel"),
        ("John asks for the invoice", "asks for John's invoice"),
        ("the fee is non-refundable", "fee non-refundable"),
        ("paid 50 EUR and 20 USD", "20 USD and 50 EUR paid"),
        ("Ich kündige nicht, bitte Gebühr erstatten", "bitte Gebühr erstatten, Ich kündige nicht"),
        ("charged <50 in May", "in May, charged <50"),
    ];
    for (text, proposal) in kept {
        assert_eq!(accept(&of(text), proposal), Ok(proposal.to_owned()), "{text}");
    }
}

#[test]
fn what_stand_ins_meant_has_to_fit_a_line() {
    let draft = of("x asks for the invoice, says “now”");
    assert_eq!(check_restored(&draft, "x asks for the invoice"), Ok(()));
    assert_eq!(check_restored(&draft, "x [zd#9/9,1s] asks for the invoice"), Err(Rejected::Markup));
    assert_eq!(check_restored(&draft, "x “I will sue” asks"), Err(Rejected::Quotation));
    assert_eq!(check_restored(&draft, "x\nasks"), Err(Rejected::SeveralLines));
}

#[test]
fn only_languages_whose_denials_are_known_are_offered() {
    use crate::model::{package::Stated, turn::Proof};
    let template = Template::built_in();
    let offered = |language: Option<&str>, goal: &str| {
        let mut package = crate::briefing::tests::full();
        let proof = || [Proof::Event { id: "e".to_owned(), at: None }];
        package.conversation.language = match language {
            Some(language) => Stated::known(language.to_owned(), proof()),
            None => Stated::unknown("nobody wrote"),
        };
        package.issue.goal = Stated::known(goal.to_owned(), proof());
        offer(&package, &template).iter().any(|draft| draft.line.0 == "wants")
    };
    let goal = "Please refund one of the charges.";
    for language in ["en", "de", "fr", "es"] {
        assert!(offered(Some(language), goal), "{language}");
    }
    for language in [Some("ru"), Some("el"), Some("sv"), Some("ja"), Some("nl"), None] {
        assert!(!offered(language, goal), "{language:?}");
    }
    assert!(!offered(Some("en"), "Я не отменял заказ"));
    assert!(!offered(
        Some("en"),
        "Jag har inte sagt upp min prenumeration och vill inte betala för den längre"
    ));
}

#[test]
fn lines_of_which_something_is_unknown_are_not_offered() {
    let package = crate::briefing::tests::full();
    let template = Template::built_in();
    let offered: Vec<String> = offer(&package, &template).iter().map(|draft| draft.line.0.clone()).collect();
    assert_eq!(offered, ["customer", "wants", "blocker", "now", "why"]);
    assert_eq!(offer(&crate::briefing::tests::bare(), &template), []);
    let wants = &offer(&package, &template)[1];
    assert!(wants.sources.iter().any(|text| text.contains("please refund one")), "{:?}", wants.sources);
    assert_eq!(format!("{wants:?}"), format!("Draft(wants, {} bytes)", wants.text.len()));
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
