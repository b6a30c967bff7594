use super::*;
use crate::briefing::tests::full;
use crate::model::package::Stated;

/// A template of one line whose text nobody checked.
pub(crate) fn unchecked(text: &str) -> Template {
    Template {
        name: "mine".to_owned(),
        version: "1".to_owned(),
        selector: Selector::default(),
        wording: "en".to_owned(),
        lines: vec![TemplateLine {
            id: "wants".into(),
            label: "Wants".to_owned(),
            fields: vec!["goal".to_owned()],
            text: text.to_owned(),
            words: 20,
        }],
    }
}

const ONE: &str = r#"[template]
name = "mine"
version = "3"

[[line]]
id = "wants"
label = "Wants"
fields = ["goal"]
text = "{{ goal }}"
words = 20
"#;

fn refused(text: &str) -> (usize, String, String) {
    let error = Template::parse("t.toml", text).expect_err(text);
    assert_eq!(error.file, "t.toml");
    (error.line, error.key, error.why)
}

#[test]
fn the_templates_that_come_along_are_right() {
    assert_eq!(Template::built_in().name(), "default");
    let german =
        Template::parse("german.toml", include_str!("../../../../config/templates/german.toml")).unwrap();
    assert_eq!(german.selector().language.as_deref(), Some("de"));
    let now = crate::briefing::tests::NOW;
    let limits = crate::briefing::NoteLimits { bytes_max: 60_000 };
    let briefing = crate::briefing::compose(&full(), &crate::briefing::Extras::none(), &german, limits, now);
    let text = briefing.text.body().text().unwrap();
    crate::briefing::tests::check_head(text);
    assert!(text.starts_with("KI-Übergabe, nur für Mitarbeitende ["), "{text}");
    assert!(
        text.contains("\nStimmung: verärgert, wird schlechter; Bereich Billing, Seite /billing/invoices ["),
        "{text}"
    );
    assert!(crate::briefing::is_briefing(text));
}

#[test]
fn what_cannot_be_is_named_with_its_line_and_key() {
    let more = |count: usize, words: usize| {
        let line = |number: usize| {
            ONE.split("\n\n")
                .nth(1)
                .unwrap()
                .replace("\"wants\"", &format!("\"w{number}\""))
                .replace("20", &words.to_string())
        };
        format!("{ONE}{}", (0..count).map(line).collect::<String>())
    };
    let cases = [
        (ONE.replace("[\"goal\"]", "[]"), 8, "line.fields", "at least one field"),
        (ONE.replace("[\"goal\"]", "[\"aim\"]"), 8, "line.fields", "there is no field \"aim\""),
        (ONE.replace("[\"goal\"]", "[\"goal\", \"goal\"]"), 8, "line.fields", "twice"),
        (ONE.replace("{{ goal }}", "{{ mood }}"), 9, "line.text", "uses \"mood\""),
        (ONE.replace("{{ goal }}", "a refund"), 9, "line.text", "does not show \"goal\""),
        (ONE.replace("{{ goal }}", "{{ goal"), 9, "line.text", ""),
        (ONE.replace("{{ goal }}", "{{ goal | upper }}"), 9, "line.text", "filter"),
        (ONE.replace("{{ goal }}", "{{ goal }}{{ range(9) }}"), 9, "line.text", "range"),
        (ONE.replace("{{ goal }}", "{{ goal * 99 }}"), 9, "line.text", "has a *"),
        (
            ONE.replace("{{ goal }}", "{% for c in goal %}{{ c }}{% endfor %}"),
            9,
            "line.text",
            "\"for\" is no statement",
        ),
        (ONE.replace("{{ goal }}", "{%- set x = goal %}{{ x }}"), 9, "line.text", "\"set\" is no statement"),
        (
            ONE.replace("{{ goal }}", "{% include 'x' %}{{ goal }}"),
            9,
            "line.text",
            "\"include\" is no statement",
        ),
        (ONE.replace("{{ goal }}", &"{{ goal }}".repeat(180)), 9, "line.text", "fuel"),
        (ONE.replace("{{ goal }}", &"{{ goal }}".repeat(300)), 9, "line.text", "longer than"),
        (ONE.replace("words = 20", "words = 3"), 10, "line.words", "at least 4"),
        (ONE.replace("words = 20", "words = 113"), 10, "line.words", "at most 112"),
        (more(5, 19), 40, "line.words", "at most 112"),
        (more(7, 10), 47, "line", "at most 7 lines"),
        (format!("{ONE}{}", ONE.split("\n\n").nth(1).unwrap()), 12, "line.id", "two lines"),
        (ONE.replace("label = \"Wants\"", "label = \"[x]\""), 7, "line.label", "letters"),
        (
            ONE.replace("version = \"3\"", "version = \"3\"\nwording = \"xx\""),
            4,
            "template.wording",
            "en, de",
        ),
        (ONE.replace("name = \"mine\"", "name = \"A b\""), 2, "template.name", "lower-case"),
        (ONE.replace("version = \"3\"", "versio = \"3\""), 3, "versio", "unknown field"),
        (ONE.replace("label = \"Wants\"\n", ""), 5, "", "missing field `label`"),
        ("[template\n".to_owned(), 1, "", ""),
        ("x".repeat(70_000), 1, "", "longer than"),
    ];
    for (text, line, key, why) in cases {
        let had = refused(&text);
        assert_eq!((had.0, had.1.as_str()), (line, key), "{}\n{text:.600}", had.2);
        assert!(had.2.contains(why), "{}: {why}", had.2);
    }
    let shown = Template::parse("t.toml", &ONE.replace("[\"goal\"]", "[]")).unwrap_err().to_string();
    assert!(shown.starts_with("t.toml:8: line.fields: "), "{shown}");
}

#[test]
fn the_template_that_names_a_package_most_exactly_is_picked() {
    let of = |name: &str, selector: &str| {
        let text = ONE.replace("\"mine\"", &format!("\"{name}\"\nfor = {{ {selector} }}"));
        Template::parse(name, &text).unwrap()
    };
    let templates = Templates::new(vec![
        of("kind", "kind = \"ai_to_human\""),
        of("english", "language = \"en\""),
        of("category", "category = \"Billing\""),
        of("both", "category = \"billing\", language = \"en\""),
        of("team", "team = \"billing\", language = \"fr\""),
        of("other", "category = \"billing\", language = \"en\""),
    ]);
    let mut package = full();
    assert_eq!(templates.pick(&package).name(), "both");
    package.conversation.language = Stated::unknown("too short");
    assert_eq!(templates.pick(&package).name(), "category");
    package.issue.category = Stated::unknown("nobody said it");
    assert_eq!(templates.pick(&package).name(), "kind");
    package.handoff.kind = HandoffKind::HumanToHuman;
    assert_eq!(templates.pick(&package).name(), "default");
    package.conversation.language = full().conversation.language;
    assert_eq!(templates.pick(&package).name(), "english");
    package.conversation.language =
        Stated::known("fr".to_owned(), full().conversation.language.proofs().to_vec());
    package.handoff.to = Party::Human { name: Some("Billing".to_owned()), id: None };
    assert_eq!(templates.pick(&package).name(), "team");
    // A person has it, in that team.
    package.handoff.to = Party::Human { name: Some("Mara".to_owned()), id: None };
    assert_eq!(templates.pick(&package).name(), "default");
    package.handoff.team = Some("Billing".to_owned());
    assert_eq!(templates.pick(&package).name(), "team");
    assert_eq!(templates.own().len(), 6);
}
