//! Which tickets a route takes: a predicate over what a ticket shows.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{
    person::Person,
    ticket::{Field, FieldName, Fields, Typed, Value},
    time::Timestamp,
};

/// What is asked of a ticket. Every part that is not empty must hold; a part asks for
/// one of its values. A value that is not known fits nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// It bears at least one of these tags, by whichever word: see [`Field::OwnTags`].
    pub tags_any: BTreeSet<String>,
    /// It bears none of these tags.
    pub tags_none: BTreeSet<String>,
    /// Its status, by category or by the link group's word.
    pub status: BTreeSet<String>,
    /// Its priority; `none` where nobody said.
    pub priority: BTreeSet<String>,
    /// What kind of request it is.
    pub kind: BTreeSet<String>,
    /// The team that owns it, by the link group's name.
    pub team: BTreeSet<String>,
    /// What follows the `@` of who asked, in lower case.
    pub requester_domain: BTreeSet<String>,
    /// It was made at this moment or later, in its vendor's time.
    pub created_after: Option<Timestamp>,
    /// Values of custom fields.
    pub custom: BTreeMap<FieldName, BTreeSet<String>>,
    /// Its subject contains this text, letter case aside.
    pub subject_contains: Option<String>,
}

/// A ticket, as far as filters look at it.
#[derive(Clone, Copy, Debug)]
pub struct Candidate<'a> {
    /// Its fields, in canonical values.
    pub fields: &'a Fields,
    /// Who asked.
    pub requester: Option<&'a Person>,
    /// When it was made, if that is at hand.
    pub created_at: Option<Timestamp>,
}

impl Filter {
    /// Whether the ticket has all that is asked.
    pub fn takes(&self, ticket: Candidate<'_>) -> bool {
        self.takes_tags(ticket)
            && one_of(&self.status, || status_words(ticket.fields))
            && one_of(&self.priority, || words_of(ticket.fields, Field::Priority))
            && one_of(&self.kind, || words_of(ticket.fields, Field::Type))
            && one_of(&self.team, || words_of(ticket.fields, Field::Team))
            && one_of(&self.requester_domain, || domain(ticket.requester).into_iter().collect())
            && self.created_after.is_none_or(|after| ticket.created_at.is_some_and(|at| at >= after))
            && self
                .custom
                .iter()
                .all(|(name, wanted)| one_of(wanted, || words_of(ticket.fields, Field::Custom(*name))))
            && self.takes_subject(ticket.fields)
    }

    fn takes_tags(&self, ticket: Candidate<'_>) -> bool {
        let bears = |tag: &String| bears(ticket.fields, tag);
        (self.tags_any.is_empty() || self.tags_any.iter().any(bears)) && !self.tags_none.iter().any(bears)
    }

    fn takes_subject(&self, fields: &Fields) -> bool {
        let Some(wanted) = &self.subject_contains else { return true };
        match fields.get(&Field::Subject) {
            Some(Value::Text(subject)) => subject.to_lowercase().contains(&wanted.to_lowercase()),
            _ => false,
        }
    }
}

/// Whether a ticket bears a tag: by the link group's word, by its account's own, or as one
/// that its account keeps to itself.
pub(crate) fn bears(fields: &Fields, tag: &str) -> bool {
    let holds = |field| fields.get(&field).and_then(Value::as_tags).is_some_and(|tags| tags.contains(tag));
    holds(Field::Tags) || holds(Field::OwnTags)
}

fn one_of(wanted: &BTreeSet<String>, shown: impl FnOnce() -> Vec<String>) -> bool {
    wanted.is_empty() || shown().iter().any(|word| wanted.contains(word))
}

/// The category, and the word of a status of the group's own.
fn status_words(fields: &Fields) -> Vec<String> {
    match fields.get(&Field::Status) {
        Some(Value::Status(status)) => vec![status.name().to_owned()],
        Some(Value::StatusDetail { status, detail }) => vec![status.name().to_owned(), detail.clone()],
        _ => Vec::new(),
    }
}

fn words_of(fields: &Fields, field: Field) -> Vec<String> {
    match fields.get(&field) {
        Some(Value::Priority(priority)) => vec![priority.map_or("none", |one| one.name()).to_owned()],
        Some(Value::Choice(choice)) => choice.iter().cloned().collect(),
        Some(Value::Typed(Some(Typed::Text(text)))) => vec![text.clone()],
        Some(Value::Typed(Some(Typed::Choices(all)))) => all.iter().cloned().collect(),
        Some(Value::Typed(Some(typed))) => vec![typed.to_string()],
        _ => Vec::new(),
    }
}

fn domain(requester: Option<&Person>) -> Option<String> {
    let email = requester?.email_folded()?;
    email.rsplit_once('@').map(|(_, domain)| domain.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ticket::{Priority, Status};

    fn words(all: &[&str]) -> BTreeSet<String> {
        all.iter().map(|word| (*word).to_owned()).collect()
    }

    fn plan() -> FieldName {
        FieldName::new("plan").expect("a name")
    }

    fn fields() -> Fields {
        Fields::from([
            (Field::Subject, Value::subject("Printer on FIRE")),
            (
                Field::Status,
                Value::StatusDetail { status: Status::Pending, detail: "waiting_on_parts".to_owned() },
            ),
            (Field::Priority, Value::Priority(Some(Priority::High))),
            (Field::Tags, Value::Tags(words(&["emea", "vip"]))),
            (Field::Type, Value::Choice(Some("incident".to_owned()))),
            (Field::Team, Value::Choice(Some("billing".to_owned()))),
            (Field::Custom(plan()), Value::Typed(Some(Typed::Choice("pro".to_owned())))),
        ])
    }

    fn takes(filter: &Filter) -> bool {
        let requester = Person::customer("Ann", "Ann@Shop.Example");
        let created_at = Some(Timestamp(1_000));
        filter.takes(Candidate { fields: &fields(), requester: Some(&requester), created_at })
    }

    #[test]
    fn every_part_takes_and_refuses() {
        let part = |set: fn(&mut Filter, BTreeSet<String>), words: BTreeSet<String>| {
            let mut filter = Filter::default();
            set(&mut filter, words);
            filter
        };
        type Set = fn(&mut Filter, BTreeSet<String>);
        let rows: [(Set, &[&str], &[&str]); 9] = [
            (|f, w| f.tags_any = w, &["vip", "x"], &["x"]),
            (|f, w| f.tags_none = w, &["x"], &["vip", "x"]),
            (|f, w| f.status = w, &["waiting_on_parts"], &["open", "waiting"]),
            (|f, w| f.status = w, &["pending"], &["solved"]),
            (|f, w| f.priority = w, &["high"], &["none", "low"]),
            (|f, w| f.kind = w, &["incident"], &["question"]),
            (|f, w| f.team = w, &["billing"], &["sales"]),
            (|f, w| f.requester_domain = w, &["shop.example"], &["example"]),
            (|f, w| drop(f.custom.insert(plan(), w)), &["pro"], &["free"]),
        ];
        for (at, (set, yes, no)) in rows.into_iter().enumerate() {
            assert!(takes(&part(set, words(yes))), "row {at} takes {yes:?}");
            assert!(!takes(&part(set, words(no))), "row {at} refuses {no:?}");
        }
        assert!(takes(&Filter::default()));
    }

    #[test]
    fn subject_and_age_are_looked_at() {
        let subject = |text: &str| Filter { subject_contains: Some(text.to_owned()), ..Filter::default() };
        assert!(takes(&subject("on fire")) && !takes(&subject("flood")));
        let after = |at| Filter { created_after: Some(Timestamp(at)), ..Filter::default() };
        assert!(takes(&after(1_000)) && !takes(&after(1_001)));
    }

    #[test]
    fn what_is_not_known_fits_nothing() {
        let nothing = Candidate { fields: &Fields::new(), requester: None, created_at: None };
        let asks = [
            Filter { status: words(&["open"]), ..Filter::default() },
            Filter { priority: words(&["none"]), ..Filter::default() },
            Filter { requester_domain: words(&["shop.example"]), ..Filter::default() },
            Filter { created_after: Some(Timestamp(0)), ..Filter::default() },
            Filter { subject_contains: Some(String::new()), ..Filter::default() },
            Filter { custom: BTreeMap::from([(plan(), words(&["pro"]))]), ..Filter::default() },
        ];
        assert!(asks.iter().all(|filter| !filter.takes(nothing)));
        assert!(Filter { tags_none: words(&["vip"]), ..Filter::default() }.takes(nothing));
    }

    #[test]
    fn tags_that_do_not_travel_are_seen() {
        let fields = Fields::from([
            (Field::Tags, Value::Tags(words(&["vip"]))),
            (Field::OwnTags, Value::Tags(words(&["internal"]))),
        ]);
        let shown = Candidate { fields: &fields, requester: None, created_at: None };
        for tag in ["internal", "vip"] {
            assert!(!Filter { tags_none: words(&[tag]), ..Filter::default() }.takes(shown), "{tag}");
            assert!(Filter { tags_any: words(&[tag]), ..Filter::default() }.takes(shown), "{tag}");
        }
        assert!(Filter { tags_none: words(&["spam"]), ..Filter::default() }.takes(shown));
    }

    #[test]
    fn all_parts_must_hold() {
        let filter = Filter { priority: words(&["high"]), team: words(&["sales"]), ..Filter::default() };
        assert!(!takes(&filter));
    }
}
