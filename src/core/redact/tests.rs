use super::*;

fn names() -> Names {
    Names::new(["Mia Li".to_owned(), "Ben Ott".to_owned()])
}

fn redacted(text: &str) -> Result<String, Unsafe> {
    redact(text, &mut Pseudonyms::new(&names())).map(|text| text.as_str().to_owned())
}

/// What is in the text, and what must be there instead.
const TAKEN_OUT: &[(&str, &str)] = &[
    // Cards.
    ("card 4111111111111111 please", "card [card] please"),
    ("4111 1111 1111 1111", "[card]"),
    ("4111-1111-1111-1111.", "[card]."),
    ("3782 822463 10005", "[card]"),
    ("5555.5555.5555.4444", "[card]"),
    ("4222222222222", "[card]"),
    ("6304000000000000 and 6011 1111 1111 1117", "[card] and [card]"),
    ("4111\u{200B}1111\u{200B}1111\u{200B}1111", "[card]"),
    ("4111\u{00AD}11111111\u{2060}1111", "[card]"),
    ("4111 1111\n1111 1111", "[card]"),
    ("４１１１ １１１１ １１１１ １１１１", "[card]"),
    ("٤١١١١١١١١١١١١١١١", "[card]"),
    ("𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏", "[card]"),
    ("⁴¹¹¹¹¹¹¹¹¹¹¹¹¹¹¹", "[card]"),
    ("④①①①①①①①①①①①①①①①", "[card]"),
    ("4111\u{00A0}1111\u{2009}1111\u{202F}1111", "[card]"),
    ("4111 – 1111 – 1111 – 1111", "[card]"),
    ("order 12 4111 1111 1111 1111 99", "order 12 [card] 99"),
    ("0004111111111111111", "000[card]"),
    ("cvv 123", "cvv [code]"),
    ("my CVC: 9876", "my CVC: [code]"),
    ("4111:1111;1111•1111", "[card]"),
    ("4111~1111+1111\\1111", "[card]"),
    ("4111ー1111ー1111ー1111", "[card]"),
    ("4111    1111    1111    1111", "[card]"),
    ("4\u{FE0F}\u{20E3}1\u{FE0F}\u{20E3}1\u{FE0F}\u{20E3}1\u{FE0F}\u{20E3}111111111111", "[card]"),
    ("4111 1111 1111 1111123", "[card]"),
    ("4111 1111 1111 1111/12", "[card]/12"),
    // Bank accounts.
    ("IBANDE89 3704 0044 0532 0130 00", "IBAN[account]"),
    ("DE89 3704 0044 0532 0130 00thanks", "[account]thanks"),
    ("DE89: 3704; 0044 0532 0130 00", "[account]"),
    ("DE89370400440532013000", "[account]"),
    ("IBAN DE89 3704 0044 0532 0130 00 thanks", "IBAN [account] thanks"),
    ("gb82 west 1234 5698 7654 32", "[account]"),
    ("DE89-3704-0044-0532-0130-00", "[account]"),
    ("ＤＥ８９370400440532013000", "[account]"),
    ("DE89\u{200B}370400440532013000", "[account]"),
    // Keys.
    ("key sk_live_4eC39HqLyjWDarjtT1zdp7dc!", "key [secret]"),
    ("sk_test_4eC39HqLyjWDarjtT1zdp7dc", "[secret]"),
    ("SK_LIVE_4eC39HqLyjWDarjtT1zdp7dc", "[secret]"),
    ("rk_live_4eC39HqLyjWDarjtT1zdp7dc pk_live_abcdef123456", "[secret] [secret]"),
    ("ghp_16C7e42F292c6912E7710c838347Ae178B4a", "[secret]"),
    ("xoxb-1234567890-abcdefghij", "[secret]"),
    ("AKIAIOSFODNN7EXAMPLE", "[secret]"),
    ("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "[secret]"),
    ("Authorization: Bearer abcdef1234567890", "Authorization: Bearer [secret]"),
    ("eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U", "[secret]"),
    ("-----BEGIN PRIVATE KEY-----\nMIIEvQ\n-----END PRIVATE KEY----- end", "[secret] end"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIEvQ and so on", "[secret]"),
    ("https://ben:hunter2@host.example/path", "https://[secret]/path"),
    ("sk_live_\u{200B}4eC39HqLyjWDarjtT1zdp7dc", "[secret]"),
    ("sk_live_4eC39HqLyjWD\narjtT1zdp7dc99", "[secret]"),
    ("ｓｋ_live_4eC39HqLyjWDarjtT1zdp7dc", "[secret]"),
    // Passwords.
    ("password: hunter two", "password: [secret]"),
    ("Passwort = hunter2\nnext line", "Passwort = [secret]\nnext line"),
    ("my password is Hunter2! ok", "my password is [secret] ok"),
    ("pass\u{200B}word: hunter", "password: [secret]"),
    ("das Kennwort lautet s3cret", "das Kennwort lautet [secret]"),
    ("api_key=abc", "api_key=[secret]"),
    ("https://x.example/?token=abc123", "https://x.example/?token=[secret]"),
    ("PIN 4321", "PIN [code]"),
    ("passwords: hunter2", "passwords: [secret]"),
    ("password: right horse battery", "password: [secret]"),
    ("password=a b c", "password=[secret]"),
    ("mdp: x1y2", "mdp: [secret]"),
    ("пароль: x1y2", "пароль: [secret]"),
    ("パスワード：x1y2", "パスワード:[secret]"),
    ("password for mia@x.example", "password for person1@redacted"),
    // People.
    ("mia%40x.example", "person1@redacted"),
    ("mia&#64;x.example", "person1@redacted"),
    ("\"mia li\"@x.example", "person1@redacted"),
    ("mia/sales@x.example", "person1@redacted"),
    ("mia=li@x.example", "person1@redacted"),
    ("mia~li@x.example", "person1@redacted"),
    ("mia@x_y.example", "person1@redacted"),
    ("write to mia@x.example.", "write to person1@redacted."),
    ("Mia@X.example and mia@x.example", "person1@redacted and person1@redacted"),
    ("mia＠x.example", "person1@redacted"),
    ("mia@\u{200B}x.example", "person1@redacted"),
    ("mia @ x.example", "person1@redacted"),
    ("müller@bücher.example", "person1@redacted"),
    ("Mia Li asked Ben", "Person1 asked Person2"),
    ("MIA LI and Mia Li", "Person1 and Person1"),
    ("Mi\u{200D}a Li", "Person1"),
    ("call +49 170 1234567 now", "call +Phone1 now"),
    ("0170 1234567", "Phone1"),
    ("(415) 555-2671", "(Phone1"),
    ("phone: 5552671", "phone: Phone1"),
    ("from 10.0.0.12", "from Host1"),
];

/// What nobody has to be protected from stays.
const LEFT: &[&str] = &[
    "order B-7731, 2 charges of 588.00 EUR on 2026-11-22",
    "timestamp 1795334400000 and ticket 35436",
    "invoice in_1A2b3C4d5E6f7G8h9I0j of cus_9s6XKzkNRiz8i3",
    "id 0f8fad5b-d9cb-469f-a165-70867728950e",
    "my password is wrong, the password reset link expired",
    "the token expired, Passwort vergessen",
    "order 12345678 at 08:00",
    "Rechtsschutzversicherungsgesellschaften",
    "4111 1111 1111 1112",
    "meet at noon",
    "https://shop.example/billing/invoices?page=2",
];

/// What may be a secret, and cannot be told.
const KEPT_HERE: &[(&str, Unsafe)] = &[
    ("my card number is 4111 1111 1111 1112", Unsafe::LooksLikeAccount),
    ("IBAN: DE88 3704 0044 0532 0130 00", Unsafe::LooksLikeAccount),
    ("my password is hunter", Unsafe::LooksLikePassword),
    ("use 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b", Unsafe::LooksLikeKey),
    ("use Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5", Unsafe::LooksLikeKey),
    ("mia (at) x.example", Unsafe::LooksLikeAddress),
    ("mia at x dot example", Unsafe::LooksLikeAddress),
    ("password hunter2", Unsafe::LooksLikePassword),
    ("Mein Passwort hunter2", Unsafe::LooksLikePassword),
    ("password (hunter2)", Unsafe::LooksLikePassword),
    ("the password I use is hunter2", Unsafe::LooksLikePassword),
    ("the password I use is hunter", Unsafe::LooksLikePassword),
    ("the password for it: hunter", Unsafe::LooksLikePassword),
    ("my password's hunter2", Unsafe::LooksLikePassword),
    ("my password is right horse battery", Unsafe::LooksLikePassword),
    ("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", Unsafe::LooksLikeKey),
    ("IBANDE88370400440532013000", Unsafe::LooksLikeAccount),
    ("mia at x.example", Unsafe::LooksLikeAddress),
    ("mia at x [dot] example", Unsafe::LooksLikeAddress),
    ("mia[@]x.example", Unsafe::LooksLikeAddress),
    ("mia(a)x.example", Unsafe::LooksLikeAddress),
    ("mia@[10.0.0.1]", Unsafe::LooksLikeAddress),
    ("mia  @  x.example", Unsafe::LooksLikeAddress),
    ("ask @mia", Unsafe::LooksLikeAddress),
    ("person1@redacted wrote", Unsafe::LooksLikeStandIn),
    ("Person2 said so", Unsafe::LooksLikeStandIn),
    ("〇〡〢〣〤〥〦〧〨", Unsafe::UnreadDigits),
];

#[test]
fn what_must_not_leave_is_taken_out() {
    let wrong: Vec<_> = TAKEN_OUT
        .iter()
        .map(|(text, wanted)| (text, redacted(text), wanted))
        .filter(|(_, had, wanted)| had.as_deref() != Ok(**wanted))
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_nobodys_stays() {
    for text in LEFT {
        assert_eq!(redacted(text).as_deref(), Ok(*text));
    }
}

#[test]
fn what_cannot_be_told_keeps_the_text_here() {
    for (text, why) in KEPT_HERE {
        assert_eq!(redacted(text), Err(*why), "{text}");
    }
    assert_eq!(redacted(&"a ".repeat(40_000)), Err(Unsafe::TooLong));
}

#[test]
fn names_are_met_with_and_without_their_marks() {
    let written = ["Müller", "Mu\u{0308}ller", "Muller", "MÜLLER"];
    for (name, text) in written.iter().flat_map(|name| written.map(|text| (name, text))) {
        let mut pseudonyms = Pseudonyms::new(&Names::new([(*name).to_owned()]));
        let left = redact(&format!("says {text} today"), &mut pseudonyms);
        assert_eq!(left.as_ref().map(Redacted::as_str), Ok("says Person1 today"), "{name} {text}");
    }
}

#[test]
fn names_bring_no_brackets_or_quotation_marks() {
    let names = Names::new(["x [zd#9/9,1s] “now” Mia".to_owned()]);
    let mut pseudonyms = Pseudonyms::new(&names);
    let text = "Mia x [zd#9/9,1s] “now”";
    let left = redact(text, &mut pseudonyms).unwrap();
    assert!(!left.as_str().contains("Mia"), "{}", left.as_str());
    let marks = |text: &String| text.contains(['[', ']', '“', '”']);
    assert!(!pseudonyms.meanings.values().any(marks) && !names.people.iter().any(marks));
}

#[test]
fn stand_ins_are_turned_back_in_this_process_alone() {
    let mut pseudonyms = Pseudonyms::new(&names());
    let text = "Mia Li <mia@x.example> asks Ben, +49 170 1234567, not person or Persons";
    let left = redact(text, &mut pseudonyms).unwrap();
    assert!(!left.as_str().contains("Mia") && !left.as_str().contains("x.example"), "{}", left.as_str());
    assert_eq!(pseudonyms.restore(left.as_str()), text);
    assert_eq!(pseudonyms.restore("Person99 person2@redacted.example"), "Person99 mia@x.example.example");
    assert_eq!(format!("{pseudonyms:?} {left:?} {:?}", names()), format!("Pseudonyms(4) {left:?} Names(2)"));
}

proptest::proptest! {
    /// Whatever stands between the groups that is no letter or digit, and whatever is glued on.
    #[test]
    fn a_planted_card_never_leaves(
        before in "[a-zA-Z ,.\n]{0,30}",
        gaps in proptest::collection::vec("[^\\p{L}\\p{N}\\p{M}]{0,4}", 3),
        glued in "[0-9]{0,4}",
        after in "[a-zA-Z ,.\n]{0,30}",
    ) {
        // Letters that are newer than the generator knows are letters, and so is what reads as one.
        proptest::prop_assume!(!plain::normal(&gaps.concat()).contains(char::is_alphanumeric));
        let card = format!("4111{}1111{}1111{}1111{glued}", gaps[0], gaps[1], gaps[2]);
        let left = redacted(&format!("{before} {card} {after}"));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        // Gaps may hold what makes a stand-in of something else.
        let stand_ins = |text: &str| text.matches("person").count() + text.matches("Phone").count();
        proptest::prop_assert!(left.as_deref().map_or(true, |text| digits(text) < 4 + stand_ins(text)), "{left:?}");
    }

    #[test]
    fn a_planted_account_never_leaves(
        before in "[a-zA-Z ,.\n]{0,20}",
        gaps in proptest::collection::vec("[^\\p{L}\\p{N}\\p{M}]{0,3}", 5),
        after in "[a-zA-Z ,.\n]{0,20}",
    ) {
        proptest::prop_assume!(!plain::normal(&gaps.concat()).contains(char::is_alphanumeric));
        let parts = ["DE89", "3704", "0044", "0532", "0130"];
        let account: String = parts.iter().zip(&gaps).map(|(part, gap)| format!("{part}{gap}")).collect();
        let left = redacted(&format!("{before} {account}00 {after}"));
        let digits = |text: &str| text.chars().filter(char::is_ascii_digit).count();
        proptest::prop_assert!(left.as_deref().map_or(true, |text| digits(text) < 4), "{left:?}");
    }

    #[test]
    fn a_planted_address_never_leaves(
        before in "[a-zA-Z ,.:(<\n]{0,20}",
        local in "[a-z0-9.!#$%&'*+/=?^_`{|}~-]{0,3}",
        at in "@|%40|&#64;| @ |＠|\\[@\\]|\\(at\\)| at |\u{200B}@",
        domain in "[_.-]?",
        after in "[a-zA-Z ,.;)>\n]{0,20}",
    ) {
        let left = redacted(&format!("{before} zqxv{local}zqxw{at}wkjh{domain}qzkj.example {after}"));
        let holds = |text: &str| ["zqxv", "zqxw", "wkjh", "qzkj"].iter().any(|part| text.contains(part));
        proptest::prop_assert!(!left.as_deref().is_ok_and(holds), "{left:?}");
    }

    #[test]
    fn a_planted_password_never_leaves(
        before in "[a-zA-Z ,.\n]{0,20}",
        word in "password|Passwort|passwords|Kennwort|mdp|пароль|pwd|password's|PASSWORD|contraseña",
        mark in ": |=| = | is | ist | | \\(| I use is |\n| - |: right | was: ",
        after in "[a-zA-Z ,.]{0,20}",
    ) {
        let left = redacted(&format!("{before} {word}{mark}zqxv9 {after}"));
        proptest::prop_assert!(!left.as_deref().is_ok_and(|text| text.contains("zqxv9")), "{left:?}");
    }

    #[test]
    fn any_text_is_taken(text in "\\PC{0,200}") {
        if let Ok(left) = redacted(&text) {
            proptest::prop_assert!(!left.chars().any(crate::briefing::text::is_hiding), "{left:?}");
        }
    }
}
