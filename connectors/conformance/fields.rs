//! Writing fields.

use handoffd_core::{Field, Fields, Mail, Priority, RemoteId, Status, Value, intent::Intent};

use super::bench::{Bench, Cannot, Terms, public, update};
use crate::{
    contract::Error,
    sim::{HumanAct, Who},
};

fn tags(names: &[&str]) -> Value {
    Value::Tags(names.iter().map(|name| (*name).to_owned()).collect())
}

fn one(field: Field, value: Value) -> Fields {
    Fields::from([(field, value)])
}

/// Values that a helpdesk may rewrite.
fn values() -> Vec<(Field, Value)> {
    let subjects = [
        "Plain",
        "Ünïcödé ✓ 漢字 🎫",
        "<b>not bold</b> & \"quoted\" &amp; 'more'",
        "  spaces around  ",
        "a\ttab and a\nline",
        "{{ticket.id}} %s \\n",
        &"long ".repeat(120),
        &"🎫".repeat(300),
    ];
    let mut rows: Vec<(Field, Value)> =
        subjects.iter().map(|text| (Field::Subject, Value::subject(text))).collect();
    // `New` is of creations only: no helpdesk lets a ticket become new again.
    let later = [Status::Open, Status::Pending, Status::OnHold, Status::Solved];
    rows.extend(later.map(|status| (Field::Status, Value::Status(status))));
    rows.extend(Priority::ALL.map(|priority| (Field::Priority, Value::Priority(Some(priority)))));
    rows.push((Field::Priority, Value::Priority(None)));
    let sets: [&[&str]; 9] = [
        &["one"],
        &["one", "Two", "THREE"],
        &["two words", " around ", "a  b"],
        &["ünï", "日本語", "ДА"],
        &["a,b", "c;d", "e/f", "g:h", "i+j.k"],
        &["<b>", "\"quoted\"", "it's"],
        &["a-tag-that-is-longer-than-thirty-two-characters"],
        &["🎫", "x"],
        &[],
    ];
    rows.extend(sets.map(|names| (Field::Tags, tags(names))));
    rows
}

/// What is sent is what `normalize` promised.
pub async fn what_is_written_is_shown_as_normalized(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let held = bench.desk.capabilities().fields;
    let values = values().into_iter().filter(|(field, _)| held.contains(field) && terms.shows(*field));
    for (at, (field, value)) in values.enumerate() {
        bench.wait(2).await;
        let set = bench.desk.normalize(&one(field, value.clone()));
        let before = bench.get(&ticket).await;
        let applied = bench.apply(&update(&ticket, set.clone(), None, &format!("l0-{at}")), None).await;
        let after = bench.get(&ticket).await;
        assert_eq!(after.fields.get(&field), set.get(&field), "{field} {value}");
        for (other, kept) in before.fields.iter().filter(|(other, _)| **other != field) {
            assert_eq!(after.fields.get(other), Some(kept), "{other} beside {field} {value}");
        }
        assert_eq!(applied.version.unwrap_or(after.version), after.version, "{field} {value}");
        // An answer may tell less than a read, but nothing else.
        for (field, told) in applied.shown.iter().flat_map(|shown| &shown.fields) {
            assert_eq!(after.fields.get(field), Some(told), "the answer to {field} {value}");
        }
    }
    // The last, because at some vendors nothing follows it.
    let set = bench.desk.normalize(&one(Field::Status, Value::Status(Status::Closed)));
    bench.apply(&update(&ticket, set.clone(), None, "l0-closed"), None).await;
    assert_eq!(bench.get(&ticket).await.fields.get(&Field::Status), set.get(&Field::Status));
}

/// Canonical words have one form per vendor.
pub async fn normalizing_twice_changes_nothing(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let held = bench.desk.capabilities().fields;
    let mut rows = values();
    rows.retain(|(field, _)| held.contains(field));
    rows.extend(Status::ALL.map(|status| (Field::Status, Value::Status(status))));
    for owner in [None, Some(RemoteId::from("77"))] {
        rows.push((Field::Assignee, Value::Owner(owner.clone())));
        rows.push((Field::Group, Value::Owner(owner)));
    }
    rows.push((Field::Subject, Value::subject("")));
    for (field, value) in rows {
        let once = bench.desk.normalize(&one(field, value.clone()));
        assert_eq!(once.keys().collect::<Vec<_>>(), [&field], "{value}");
        assert_eq!(bench.desk.normalize(&once), once, "{field} {value}");
    }
    assert_eq!(bench.desk.normalize(&Fields::new()), Fields::new());
}

/// What a person changes meanwhile stays.
pub async fn an_update_touches_only_what_it_names(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.get(&ticket).await;
    bench.wait(2).await;
    if terms.can(Cannot::SetPriority) {
        bench.human(HumanAct::SetPriority { ticket: ticket.clone(), priority: Some(Priority::High) });
    }
    bench.human(HumanAct::Tag { ticket: ticket.clone(), add: vec!["vip".to_owned()], remove: Vec::new() });
    bench.human(HumanAct::Assign { ticket: ticket.clone(), to: Some(Who::Agent("Bo".to_owned())) });
    bench.human(HumanAct::SetStatus { ticket: ticket.clone(), status: Status::Pending });
    bench.wait(2).await;
    let before = bench.shown(&ticket);
    bench.apply(&update(&ticket, one(Field::Subject, Value::subject("Other")), None, "l0-1"), None).await;
    let after = bench.shown(&ticket);
    assert_eq!(after.subject, "Other");
    assert_eq!(crate::sim::ShownTicket { subject: before.subject.clone(), ..after }, before);
    bench.wait(2).await;
    bench.human(HumanAct::SetSubject { ticket: ticket.clone(), subject: "Theirs".to_owned() });
    bench.apply(&update(&ticket, one(Field::Tags, tags(&["ours"])), None, "l0-2"), None).await;
    let after = bench.shown(&ticket);
    let kept = (!terms.can(Cannot::ShowTags)).then(|| "vip".to_owned());
    let tags: Vec<String> = std::iter::once("ours".to_owned()).chain(kept).collect();
    assert_eq!((after.subject.as_str(), after.tags), ("Theirs", tags));
    assert_eq!((after.priority, after.status), (before.priority, before.status));
}

/// However a vendor keeps a message quiet, it leaves nothing behind.
pub async fn a_silent_message_leaves_tags_alone(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.get(&ticket).await;
    bench.wait(2).await;
    bench.human(HumanAct::Tag { ticket: ticket.clone(), add: vec!["vip".to_owned()], remove: Vec::new() });
    let before = bench.shown(&ticket);
    bench.wait(2).await;
    let silent = update(&ticket, Fields::new(), Some(public("From elsewhere", Mail::Silent)), "l0-1");
    let applied = bench.apply(&silent, None).await;
    let after = bench.shown(&ticket);
    assert_eq!((after.tags, after.subject, after.status), (before.tags, before.subject, before.status));
    assert_eq!(after.comments.len(), 2);
    if let Some(version) = applied.version {
        assert_eq!(version, bench.get(&ticket).await.version, "the version after all of the write");
    }
    bench.wait(2).await;
    let set = Fields::from([
        (Field::Tags, tags(&["vip", "ours"])),
        (Field::Priority, Value::Priority(Some(Priority::Urgent))),
    ]);
    bench.apply(&update(&ticket, set, Some(public("Again", Mail::Silent)), "l0-2"), None).await;
    let after = bench.shown(&ticket);
    assert_eq!(after.tags, ["ours", "vip"]);
    assert_eq!(after.comments.len(), 3);
    if bench.desk.capabilities().fields.contains(&Field::Priority) {
        assert_eq!(after.priority, Some(Priority::Urgent));
    }
}

/// Where the vendor can, an update is tied to what was read.
pub async fn a_write_on_an_old_version_is_stale(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    for (at, message) in [None, Some(public("Tied", Mail::Silent))].into_iter().enumerate() {
        let ticket = bench.ticket("Hello");
        let read = bench.get(&ticket).await.version;
        bench.wait(3).await;
        bench.human(HumanAct::SetSubject { ticket: ticket.clone(), subject: "Theirs".to_owned() });
        bench.wait(3).await;
        let set = one(Field::Subject, Value::subject("Ours"));
        let tied = |version, op: &str| {
            let Intent::Update(mut update) = update(&ticket, set.clone(), message.clone(), op) else {
                panic!()
            };
            update.if_version = Some(version);
            Intent::Update(update)
        };
        let old = bench.desk.apply(bench.call(), &tied(read, &format!("l{at}-1")), None, &[]).await;
        let shown = bench.shown(&ticket);
        if bench.desk.capabilities().conditional_writes {
            assert_eq!(old.unwrap_err(), Error::Stale);
            assert_eq!((shown.subject.as_str(), shown.comments.len()), ("Theirs", 1));
            let now = bench.get(&ticket).await.version;
            bench.apply(&tied(now, &format!("l{at}-2")), None).await;
        } else {
            old.unwrap();
        }
        let shown = bench.shown(&ticket);
        let comments = 1 + usize::from(message.is_some());
        assert_eq!((shown.subject.as_str(), shown.comments.len()), ("Ours", comments));
    }
}

/// Nothing is said to a ticket that is not there.
pub async fn a_write_on_a_deleted_ticket_fails(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.human(HumanAct::Delete { ticket: ticket.clone() });
    let before = bench.shown(&ticket);
    let writes = [
        update(&ticket, one(Field::Subject, Value::subject("Ours")), None, "l0-1"),
        update(&ticket, Fields::new(), Some(public("Words", Mail::Silent)), "l0-2"),
        update(&ticket, Fields::new(), Some(public("Words", Mail::Send)), "l0-3"),
    ];
    for write in writes {
        let done = bench.desk.apply(bench.call(), &write, None, &[]).await;
        assert!(matches!(done, Err(Error::Gone)), "{done:?}");
    }
    assert_eq!(bench.shown(&ticket), before);
    assert_eq!(bench.mails(), 0);
}
