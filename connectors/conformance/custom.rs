//! Everything a ticket has beside its plain fields: custom fields, type, due
//! time, copies, requester, and statuses of the account's own making.

use std::collections::BTreeSet;

use handoffd_core::{Field, FieldKind, Fields, RemoteId, Status, Timestamp, Typed, Value};

use super::bench::{Bench, NOW, Terms, custom, custom_key, update};
use crate::{contract::CustomField, sim::HumanAct};

/// Every kind, with two values.
pub fn kinds() -> Vec<(FieldKind, Typed, Typed)> {
    let set = |names: &[&str]| Typed::Choices(names.iter().map(|name| (*name).to_owned()).collect());
    let text = |text: &str| text.to_owned();
    vec![
        (FieldKind::Text, Typed::Text(text("An \"order\" <7>")), Typed::Text(text("B-8"))),
        (FieldKind::Number, Typed::Number(text("12")), Typed::Number(text("0"))),
        (FieldKind::Boolean, Typed::Boolean(true), Typed::Boolean(false)),
        (FieldKind::Date, Typed::Date(text("2026-12-24")), Typed::Date(text("2027-01-31"))),
        (FieldKind::Choice, Typed::Choice(text("red_one")), Typed::Choice(text("blue"))),
        (FieldKind::Choices, set(&["red_one", "blue"]), set(&["green"])),
    ]
}

/// The options of choices.
pub fn options(kind: FieldKind) -> Vec<String> {
    let has = matches!(kind, FieldKind::Choice | FieldKind::Choices);
    let names = if has { &["red_one", "blue", "green"][..] } else { &[] };
    names.iter().map(|name| (*name).to_owned()).collect()
}

/// The name that a kind's field has here.
pub fn name_of(kind: FieldKind) -> &'static str {
    match kind {
        FieldKind::Text => "a_text",
        FieldKind::Number => "a_number",
        FieldKind::Boolean => "a_flag",
        FieldKind::Date => "a_day",
        FieldKind::Choice => "a_choice",
        FieldKind::Choices => "some_choices",
    }
}

/// A bench whose account has a field of each kind that the vendor has.
async fn furnished(terms: &'static Terms) -> (Bench, Vec<(RemoteId, FieldKind, Typed, Typed)>) {
    let mut bench = Bench::open(terms).await;
    let mut made = Vec::new();
    for (kind, one, other) in kinds() {
        let act = HumanAct::MakeField { title: name_of(kind).to_owned(), kind, options: options(kind) };
        match bench.world.human(&super::bench::account(), act) {
            Ok(native) => made.push((native, kind, one, other)),
            // Days and several options are not everywhere; the others are.
            Err(why) => assert!(matches!(kind, FieldKind::Date | FieldKind::Choices), "{kind:?}: {why}"),
        }
    }
    let fields: Vec<CustomField> =
        made.iter().map(|(native, kind, ..)| custom(name_of(*kind), native, *kind)).collect();
    bench.reopen_with(fields).await;
    (bench, made)
}

/// Whatever an agent fills in, and empty before.
pub async fn custom_fields_are_shown_typed(terms: &'static Terms) {
    let (bench, fields) = furnished(terms).await;
    let ticket = bench.ticket("Hello");
    for (native, kind, one, other) in fields {
        let key = custom_key(name_of(kind));
        for value in [Some(one), Some(other), None] {
            bench.wait(2).await;
            let native = native.to_string();
            bench.human(HumanAct::SetCustom { ticket: ticket.clone(), native, value: value.clone() });
            let seen = bench.get(&ticket).await;
            let shown = match seen.fields.get(&key) {
                // An empty flag is "no" at some vendors.
                Some(Value::Typed(Some(Typed::Boolean(false)))) if value.is_none() => continue,
                shown => shown,
            };
            assert_eq!(shown, Some(&Value::Typed(value)), "{kind:?}");
        }
    }
}

/// By updates and with a creation.
pub async fn custom_fields_are_written_and_emptied(terms: &'static Terms) {
    let (bench, fields) = furnished(terms).await;
    let ticket = bench.ticket("Hello");
    for (at, (native, kind, one, other)) in fields.into_iter().enumerate() {
        let key = custom_key(name_of(kind));
        for (with, value) in [Some(one), Some(other), None].into_iter().enumerate() {
            bench.wait(2).await;
            let before = bench.get(&ticket).await.fields;
            let set = Fields::from([(key, Value::Typed(value.clone()))]);
            let set = bench.desk.normalize(&set);
            assert_eq!(bench.desk.normalize(&set), set, "{kind:?}");
            let applied =
                bench.apply(&update(&ticket, set.clone(), None, &format!("l{at}-{with}")), None).await;
            let after = bench.get(&ticket).await;
            assert_eq!(after.fields.get(&key), set.get(&key), "{kind:?} {value:?}");
            assert_eq!(applied.version.unwrap_or(after.version), after.version);
            let others = |fields: &Fields| {
                fields
                    .iter()
                    .filter(|(field, _)| **field != key)
                    .map(|(f, v)| (*f, v.clone()))
                    .collect::<Fields>()
            };
            assert_eq!(others(&after.fields), others(&before), "nothing else moves with {kind:?} {value:?}");
            let is_filled = bench.shown(&ticket).custom.contains_key(native.as_str());
            let says_no = matches!(value, Some(Typed::Boolean(false)) | None) && kind == FieldKind::Boolean;
            assert!(says_no || is_filled == value.is_some(), "{kind:?} {value:?}");
        }
    }
}

/// A field that is not among the account's is nobody's business.
pub async fn custom_fields_nobody_named_are_not_shown(terms: &'static Terms) {
    let (mut bench, fields) = furnished(terms).await;
    let ticket = bench.ticket("Hello");
    for (native, _, one, _) in fields {
        let native = native.to_string();
        bench.human(HumanAct::SetCustom { ticket: ticket.clone(), native, value: Some(one) });
    }
    let custom = |fields: &Fields| fields.keys().filter(|field| matches!(field, Field::Custom(_))).count();
    assert!(custom(&bench.get(&ticket).await.fields) >= 4);
    bench.reopen_with(Vec::new()).await;
    assert_eq!(custom(&bench.get(&ticket).await.fields), 0);
    let stranger = Fields::from([(custom_key("stranger"), Value::text("x"))]);
    assert_eq!(bench.desk.normalize(&stranger), Fields::new());
}

/// Some vendors keep options as tags too: they travel once.
pub async fn options_are_no_tags(terms: &'static Terms) {
    let (bench, fields) = furnished(terms).await;
    let ticket = bench.ticket("Hello");
    let shown = |value: Value| terms.shows(Field::Tags).then_some(value);
    let tags =
        |names: &[&str]| Value::Tags(names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>());
    bench.human(HumanAct::Tag { ticket: ticket.clone(), add: vec!["vip".to_owned()], remove: Vec::new() });
    for (native, kind, one, _) in &fields {
        if options(*kind).is_empty() {
            continue;
        }
        bench.wait(2).await;
        let (native, value) = (native.to_string(), Some(one.clone()));
        bench.human(HumanAct::SetCustom { ticket: ticket.clone(), native, value });
        let seen = bench.get(&ticket).await;
        assert_eq!(seen.fields.get(&Field::Tags), shown(tags(&["vip"])).as_ref(), "{kind:?}");
    }
    // Writing tags takes no option away, and writing an option no tag.
    bench.wait(2).await;
    let set = Fields::from([(Field::Tags, tags(&["ours"]))]);
    bench.apply(&update(&ticket, set, None, "l0-1"), None).await;
    let seen = bench.get(&ticket).await;
    assert_eq!(seen.fields.get(&Field::Tags), shown(tags(&["ours"])).as_ref());
    for (_, kind, one, _) in &fields {
        if !options(*kind).is_empty() {
            let shown = seen.fields.get(&custom_key(name_of(*kind)));
            assert_eq!(shown, Some(&Value::Typed(Some(one.clone()))), "{kind:?}");
        }
    }
    bench.wait(2).await;
    let silent = super::bench::public("Silent", handoffd_core::Mail::Silent);
    let set = Fields::from([(custom_key("a_choice"), Value::Typed(Some(Typed::Choice("blue".to_owned()))))]);
    bench.apply(&update(&ticket, set.clone(), Some(silent), "l0-2"), None).await;
    let seen = bench.get(&ticket).await;
    assert_eq!(seen.fields.get(&Field::Tags), shown(tags(&["ours"])).as_ref());
    assert_eq!(seen.fields.get(&custom_key("a_choice")), set.get(&custom_key("a_choice")));
}

/// Values of the fields that are not everywhere, by what the account has.
async fn values(bench: &Bench) -> Vec<(Field, Vec<Value>)> {
    let types = bench.desk.catalog(bench.call()).await.unwrap().types;
    let day = |days: i64| Value::Time(Some(Timestamp::from_secs(NOW.as_secs() + days * 86_400)));
    let ccs = |names: &[&str]| Value::Tags(names.iter().map(|name| format!("{name}@example.test")).collect());
    let choice = |word: &str| Value::Choice(Some(word.to_owned()));
    // A due time may belong to tasks alone, so that type comes last.
    let mut words: Vec<&String> =
        types.iter().filter(|word| !word.eq_ignore_ascii_case("task")).take(2).collect();
    words.extend(types.iter().filter(|word| word.eq_ignore_ascii_case("task")));
    vec![
        (Field::Type, words.into_iter().map(|word| choice(word)).collect()),
        (Field::DueAt, vec![day(3), day(9)]),
        (Field::Ccs, vec![ccs(&["cc1", "cc2"]), ccs(&["cc2", "cc3"]), ccs(&[])]),
        (Field::Requester, vec![choice("new.person@example.test"), choice("ann@example.test")]),
    ]
}

/// What people set is read, and what is written is shown.
pub async fn every_field_of_the_vendor_goes_both_ways(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let (theirs, ours) = (bench.ticket("Theirs"), bench.ticket("Ours"));
    for (at, (field, values)) in values(&bench).await.into_iter().enumerate() {
        let has_it = bench.desk.capabilities().fields.contains(&field);
        assert!(!has_it || !values.is_empty(), "the catalog names no value of {field}");
        for (with, value) in values.into_iter().enumerate().filter(|_| has_it) {
            bench.wait(2).await;
            bench.human(HumanAct::SetField { ticket: theirs.clone(), field, value: value.clone() });
            assert_eq!(bench.get(&theirs).await.fields.get(&field), Some(&value), "{field} of a person");
            let set = bench.desk.normalize(&Fields::from([(field, value.clone())]));
            assert_eq!(bench.desk.normalize(&set), set);
            if set.is_empty() {
                continue; // Shown, and not taken.
            }
            let before = bench.shown(&ours);
            bench.apply(&update(&ours, set.clone(), None, &format!("l{at}-{with}")), None).await;
            let after = bench.get(&ours).await;
            assert_eq!(after.fields.get(&field), set.get(&field), "{field} {value}");
            let shown = bench.shown(&ours);
            assert_eq!((shown.subject, shown.tags), (before.subject, before.tags), "{field} {value}");
            if field == Field::Requester {
                let email = after.requester.and_then(|person| person.email_folded());
                assert_eq!(value, Value::Choice(email));
            }
        }
    }
    assert_eq!(bench.mails(), 0);
}

/// They are neither promised nor shown.
pub async fn fields_that_the_vendor_lacks_are_left_out(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let seen = bench.get(&ticket).await.fields;
    let has = bench.desk.capabilities().fields;
    for field in Field::BUILT_IN {
        assert!(has.contains(&field) || !seen.contains_key(&field), "{field} is shown");
    }
    for (field, values) in values(&bench).await {
        for value in values {
            let kept = bench.desk.normalize(&Fields::from([(field, value)]));
            assert!(!kept.contains_key(&field) || has.contains(&field), "{field}");
        }
    }
}

/// Where the account may have some: with the vendor's own id, beside the category.
pub async fn statuses_of_the_accounts_own(terms: &'static Terms) {
    let mut bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let made = bench.make_status("Waiting for parts", Status::Pending).await.ok();
    let set = |native: &RemoteId| {
        let (ticket, native) = (ticket.clone(), native.to_string());
        bench.world.human(&super::bench::account(), HumanAct::SetStatusDetail { ticket, native }).is_ok()
    };
    bench.wait(2).await;
    // Some vendors have them on other records than those that customers open.
    let Some(native) = made.filter(set) else {
        // Without such statuses, only the category is kept.
        let asked = Value::StatusDetail { status: Status::Pending, detail: "77".to_owned() };
        let kept = bench.desk.normalize(&Fields::from([(Field::Status, asked)]));
        assert!(matches!(kept.get(&Field::Status), Some(Value::Status(_))), "{kept:?}");
        return;
    };
    let detail = Value::StatusDetail { status: Status::Pending, detail: native.to_string() };
    assert_eq!(bench.get(&ticket).await.fields.get(&Field::Status), Some(&detail), "it was not known before");
    let rows = [Value::Status(Status::Open), detail.clone(), Value::Status(Status::Pending), detail];
    for (at, value) in rows.into_iter().enumerate() {
        bench.wait(2).await;
        let set = bench.desk.normalize(&Fields::from([(Field::Status, value.clone())]));
        bench.apply(&update(&ticket, set.clone(), None, &format!("l0-{at}")), None).await;
        assert_eq!(bench.get(&ticket).await.fields.get(&Field::Status), set.get(&Field::Status), "{value}");
        let shown = bench.shown(&ticket);
        let expected = matches!(value, Value::StatusDetail { .. }).then(|| native.to_string());
        assert_eq!((Some(shown.status), shown.status_detail), (value.as_status(), expected), "{value}");
    }
}
