use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{
        comment::{Body, Comment, PublicComment, PublicText},
        ids::{GroupId, OpKey},
        person::{Person, Role},
        ticket::{CommentsSeen, Field, Fields, ReadBy, Value, Version},
        time::Timestamp,
    },
    reconcile::start_link,
};

const HOUR: i64 = 3_600_000;

/// `account/id, who, subject, first message, hours`; `-` for none.
fn ticket(text: &str) -> Observed {
    let parts: Vec<_> = text.split(", ").collect();
    let [key, who, subject, message, hours] = parts[..] else { panic!("{text}") };
    let mut fields = Fields::new();
    if subject != "-" {
        fields.insert(Field::Subject, Value::subject(subject));
    }
    let said = PublicComment {
        id: "1".into(),
        author: Person::customer("Ann", "ann@example.org"),
        text: PublicText::shown_publicly(Body::inline(message)),
        at: Timestamp(0),
        mailed: true,
        attachments: Vec::new(),
        redacted: false,
    };
    let comments = CommentsSeen::All(vec![Comment::Public(said)]);
    Observed {
        ticket: TicketKey::try_from(key.to_owned()).unwrap(),
        version: Version(1),
        read_by: ReadBy::Fetch,
        read_at: Timestamp(0),
        fields,
        requester: (who != "-").then(|| Person::customer("Ann", who)),
        comments: if message == "-" { CommentsSeen::NotLooked } else { comments },
        comment_count: None,
        marker: None,
        created_at: Timestamp(hours.parse::<i64>().unwrap() * HOUR),
        follows: None,
        rating: None,
    }
}

fn rules() -> JoinRules {
    let name = crate::FieldName::new("ref").unwrap();
    JoinRules { reference: Some(Field::Custom(name)), first_message: true, ..JoinRules::default() }
}

fn same_conversation(a: &Observed, b: &Observed, rules: &JoinRules) -> Option<Why> {
    fits(&Card::of(a, rules), &Card::of(b, rules), rules)
}

/// Whether `a` is found under the keys of `b`.
fn is_found(a: &Observed, b: &Observed, rules: &JoinRules) -> bool {
    let sought: Vec<_> = Card::of(b, rules).keys.iter().flat_map(MatchKey::sought).collect();
    Card::of(a, rules).keys.iter().any(|key| sought.contains(key))
}

#[test]
fn what_two_tickets_have_in_common() {
    let long = "My order never arrived please help";
    let base = format!("a/1, ann@x.org, Order 7, {long}, 0");
    let rows = [
        (
            "the same person and subject",
            "b/9, Ann@x.org , re: FWD: order  7, -, 23",
            Some(Why::RequesterAndSubject),
        ),
        ("too late", "b/9, ann@x.org, Order 7, -, 25", None),
        ("another subject", "b/9, ann@x.org, Order 8, -, 0", None),
        ("another person", "b/9, bob@x.org, Order 7, -, 0", None),
        ("nobody knows who", "b/9, -, Order 7, -, 0", None),
        ("the same account", "a/9, ann@x.org, Order 7, -, 0", None),
        (
            "the same first message",
            &format!("b/9, -, -, {}, 1", long.replace(' ', "  ")),
            Some(Why::FirstMessage),
        ),
        ("of another person", &format!("b/9, bob@x.org, -, {long}, 1"), None),
        ("it is named", "b/9, bob@x.org, -, see (a/1), 900", Some(Why::Reference)),
        ("a longer name is another", "b/9, bob@x.org, -, see a/12, 900", None),
    ];
    for (name, other, expected) in rows {
        let (a, b) = (ticket(&base), ticket(other));
        assert_eq!(same_conversation(&a, &b, &rules()), expected, "{name}");
        assert_eq!(same_conversation(&b, &a, &rules()), expected, "{name}, turned round");
        assert!(expected.is_none() || is_found(&a, &b, &rules()), "{name}: keys");
        assert!(expected.is_none() || is_found(&b, &a, &rules()), "{name}: keys, turned round");
    }
}

#[test]
fn a_short_first_message_says_nothing() {
    let (a, b) = (ticket("a/1, -, -, Hello, 0"), ticket("b/1, -, -, Hello, 0"));
    assert_eq!(same_conversation(&a, &b, &rules()), None);
}

#[test]
fn references_and_markers_count_whenever() {
    let field = rules().reference.unwrap();
    let (mut a, mut b) = (ticket("a/1, ann@x.org, -, -, 0"), ticket("b/9, bob@x.org, -, -, 900"));
    assert_eq!(same_conversation(&a, &b, &rules()), None);
    b.fields.insert(field, Value::text("1"));
    assert_eq!(same_conversation(&a, &b, &rules()), Some(Why::Reference));
    assert!(is_found(&a, &b, &rules()) && is_found(&b, &a, &rules()));
    b.fields.insert(field, Value::text("X-7"));
    assert_eq!(same_conversation(&a, &b, &rules()), None);
    a.fields.insert(field, Value::text("X-7"));
    assert_eq!(same_conversation(&a, &b, &rules()), Some(Why::Reference));
    a.marker = Some(OpKey::from("l1-0"));
    b.marker = a.marker.clone();
    assert_eq!(same_conversation(&a, &b, &rules()), Some(Why::Marker));
}

/// Who is whose partner among tickets, each asked about the other account; in the order given.
fn partners(tickets: &[(&str, Tie)]) -> Vec<String> {
    let views: Vec<_> = tickets.iter().map(|(text, tie)| (ticket(text), *tie)).collect();
    let known: BTreeMap<_, _> = views
        .iter()
        .map(|(view, tie)| (view.ticket.clone(), Known { card: Card::of(view, &rules()), tie: *tie }))
        .collect();
    let told = |(view, _): &(Observed, Tie)| {
        let at = AccountId::new(if view.ticket.account.as_str() == "a" { "b" } else { "a" });
        match partner(&view.ticket, &at, &known, &rules()) {
            Partner::None => "none".to_owned(),
            Partner::One(ticket, _) => ticket.to_string(),
            Partner::Ambiguous(all) => {
                format!("? {}", all.iter().map(TicketKey::to_string).collect::<Vec<_>>().join(" "))
            }
        }
    };
    views.iter().map(told).collect()
}

#[test]
fn two_of_the_same_are_never_guessed() {
    use Tie::{Certain, Free, Joined};
    let order = "ann@x.org, Order 7, -, 0";
    let [a1, a2, a3] = ["a/1", "a/2", "a/3"].map(|key| format!("{key}, {order}"));
    let [b1, b2] = ["b/1", "b/2"].map(|key| format!("{key}, {order}"));
    let named = "b/3, bob@x.org, Order 9, see (a/1), 5";
    type Row<'a> = (&'a str, Vec<(&'a str, Tie)>, &'a [&'a str]);
    let rows: Vec<Row<'_>> = vec![
        ("alone", vec![(&a1, Free)], &["none"]),
        ("a pair", vec![(&a1, Free), (&b1, Free)], &["b/1", "a/1"]),
        (
            "two there: in doubt for all three",
            vec![(&a1, Free), (&b1, Free), (&b2, Free)],
            &["? a/1 b/1 b/2", "? a/1 b/1 b/2", "? a/1 b/1 b/2"],
        ),
        (
            "two here",
            vec![(&a1, Free), (&a2, Free), (&b1, Free)],
            &["? a/1 a/2 b/1", "? a/1 a/2 b/1", "? a/1 a/2 b/1"],
        ),
        (
            "a reference decides, and leaves nothing in doubt",
            vec![(&a1, Free), (named, Free), (&b1, Free)],
            &["b/3", "a/1", "none"],
        ),
        (
            "whom a reference binds is no candidate",
            vec![(&a1, Free), (named, Free), (&a2, Free), (&b1, Free)],
            &["b/3", "a/1", "b/1", "a/2"],
        ),
        ("one was made for another", vec![(&a1, Free), (&b1, Certain)], &["none", "none"]),
        (
            "one was joined by the same guess",
            vec![(&a1, Free), (&a2, Joined), (&b1, Joined)],
            &["? a/1 a/2 b/1", "? a/1 a/2 b/1", "? a/1 a/2 b/1"],
        ),
        (
            "what an admin decided is certain",
            vec![(&a1, Free), (&a2, Certain), (&b1, Certain), (&a3, Free), (&b2, Free)],
            &["? a/1 a/3 b/2", "none", "none", "? a/1 a/3 b/2", "? a/1 a/3 b/2"],
        ),
    ];
    for (name, tickets, expected) in rows {
        assert_eq!(partners(&tickets), expected, "{name}");
    }
}

#[test]
fn what_was_known_of_a_first_message_is_kept() {
    let listed = ticket("a/1, -, -, My order never arrived please help, 0");
    let unlisted = Observed { comments: CommentsSeen::NotLooked, ..listed.clone() };
    let before = Card::of(&listed, &rules());
    let after = Card::of(&unlisted, &rules()).or_as_before(&unlisted, Some(&before));
    assert_eq!(after, before);
    assert_ne!(Card::of(&unlisted, &rules()), before);
}

#[test]
fn subjects_fold() {
    for (subject, folded) in [("Re: AW:re: Hi  There", "hi there"), ("Reply", "reply"), ("re:", "")] {
        assert_eq!(fold_subject(subject), folded, "{subject}");
    }
}

fn policy() -> SyncPolicy {
    SyncPolicy {
        group: GroupId::from("g"),
        accounts: BTreeMap::new(),
        customer_facing: "a".into(),
        fields: BTreeMap::new(),
        routes: Vec::new(),
        private_notes: true,
        deletions: crate::policy::Deletions::Keep,
        agents: BTreeMap::new(),
        importing: std::collections::BTreeMap::new(),
        at_once: false,
    }
}

/// A link of some tickets and of comments: `text at-ms: tickets where it stands, the origin first`.
fn link(tickets: &[&str], comments: &[(&str, i64, &[&str])]) -> Link {
    let views: Vec<_> = tickets.iter().map(|key| ticket(&format!("{key}, ann@x.org, Hi, -, 0"))).collect();
    let mut link = start_link(GroupId::from("g"), &views[0], &policy());
    for view in &views[1..] {
        link.sides.insert(view.ticket.clone(), Side::default());
    }
    for (number, (text, at, places)) in (0..).zip(comments) {
        let keys: Vec<_> = places.iter().map(|key| TicketKey::try_from((*key).to_owned()).unwrap()).collect();
        let origin = Origin::Comment(crate::CommentKey::new(keys[0].clone(), number.to_string().as_str()));
        let mut copy = CommentCopy::new(origin, true, crate::link::text_digest(text), Timestamp(*at));
        copy.by = Some(Role::Customer);
        for key in keys {
            copy = copy.at(key, Place::Here(number.to_string().as_str().into()));
        }
        link.copies.insert(number, copy);
        link.next_copy = number + 1;
    }
    link
}

fn places(link: &Link) -> Vec<String> {
    let show = |(ticket, place): (&TicketKey, &Place)| match place {
        Place::Here(_) => ticket.to_string(),
        Place::Before(earlier) => format!("{ticket} before {earlier}"),
        other => format!("{ticket} {other:?}"),
    };
    link.copies.values().map(|copy| copy.places.iter().map(show).collect::<Vec<_>>().join(", ")).collect()
}

#[test]
fn two_links_of_merged_tickets_become_one() {
    let one = link(&["a/1", "b/1"], &[("hello", 0, &["a/1", "b/1"]), ("twice", 5, &["b/1", "a/1"])]);
    let two = link(&["a/2", "b/2"], &[("more", 0, &["a/2", "b/2"]), ("twice", 9, &["b/2", "a/2"])]);
    let folded = fold(&one, &two, None, &policy(), 1_000).unwrap();
    assert_eq!(folded.sides.keys().map(TicketKey::to_string).collect::<Vec<_>>(), ["a/1", "b/1"]);
    assert_eq!(folded.former, [TicketKey::new("a", "2"), TicketKey::new("b", "2")]);
    let expected = ["a/1, b/1", "a/1, a/2, b/1, b/2", "a/1 before a/2, a/2, b/1 before b/2, b/2"];
    assert_eq!(places(&folded), expected, "nothing is left to be written anywhere");
    assert_eq!(folded.next_copy, 3);
}

#[test]
fn two_lone_links_become_one_of_two_sides() {
    let one = link(&["a/1"], &[("hello", 0, &["a/1"])]);
    let two = link(&["b/2"], &[("hello", 400, &["b/2"]), ("hello", 9_000, &["b/2"])]);
    let folded = fold(&one, &two, None, &policy(), 1_000).unwrap();
    assert_eq!(places(&folded), ["a/1, b/2", "b/2"], "the second time is another message");
    assert!(folded.copies.values().all(|copy| copy.past), "nobody is mailed about the past");
    assert!(folded.copies[&0].theirs.contains(&TicketKey::new("b", "2")));
    assert_eq!(folded.sides[&TicketKey::new("b", "2")].uniting, Some(1_000));
}

#[test]
fn what_is_under_way_is_not_folded() {
    let one = link(&["a/1"], &[]);
    assert_eq!(fold(&one, &one, None, &policy(), 0), Err(FoldRefused::Same));
    let mut two = link(&["a/2"], &[]);
    two.creating.insert("b".into(), OpKey::from("k"));
    assert_eq!(fold(&one, &two, None, &policy(), 0), Err(FoldRefused::Busy));
    two.group = GroupId::from("other");
    assert_eq!(fold(&one, &two, None, &policy(), 0), Err(FoldRefused::OtherGroup));
    let mut long = link(&["a/3"], &[]);
    let copy = link(&["a/3"], &[("x", 0, &["a/3"])]).copies[&0].clone();
    long.copies = (0..=5_000).map(|number| (number, copy.clone())).collect();
    assert_eq!(fold(&one, &long, None, &policy(), 0), Err(FoldRefused::TooLong));
}

#[test]
fn a_customers_follow_up_goes_on_from_the_closed_ticket() {
    let mut link = link(&["a/1", "b/1"], &[("hello", 0, &["a/1", "b/1"])]);
    link.former.push(TicketKey::new("a", "0"));
    let mut next = ticket("a/2, ann@x.org, Hi, -, 0");
    assert!(!follow_up_of(&link, &next));
    for (follows, expected) in [("1", true), ("0", true), ("7", false)] {
        next.follows = Some(follows.into());
        assert_eq!(follow_up_of(&link, &next), expected, "{follows}");
    }
    next.follows = Some("1".into());
    let adopted = adopt(&link, &next);
    assert_eq!(adopted.sides.keys().map(TicketKey::to_string).collect::<Vec<_>>(), ["a/2", "b/1"]);
    assert_eq!(adopted.former, [TicketKey::new("a", "0"), TicketKey::new("a", "1")]);
    assert_eq!(places(&adopted), ["a/1, a/2 before a/1, b/1"]);
    assert!(!follow_up_of(&adopted, &next), "only once");
    assert_eq!(adopt(&adopted, &next), adopted);
}
