use std::collections::BTreeMap;

use super::*;
use crate::{
    model::{
        comment::{Body, PublicComment, PublicText},
        ids::{GroupId, OpKey},
        person::{Person, Role},
        ticket::{Fields, ReadBy, Version},
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
    JoinRules { reference: Some(Field::Custom(name)), ..JoinRules::default() }
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
        let shared = match_keys(&a, &rules()).intersection(&match_keys(&b, &rules())).count();
        assert!(expected.is_none() || expected == Some(Why::Reference) || shared > 0, "{name}: keys");
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
    assert!(!match_keys(&a, &rules()).is_disjoint(&match_keys(&b, &rules())));
    b.fields.insert(field, Value::text("X-7"));
    assert_eq!(same_conversation(&a, &b, &rules()), None);
    a.fields.insert(field, Value::text("X-7"));
    assert_eq!(same_conversation(&a, &b, &rules()), Some(Why::Reference));
    a.marker = Some(OpKey::from("l1-0"));
    b.marker = a.marker.clone();
    assert_eq!(same_conversation(&a, &b, &rules()), Some(Why::Marker));
}

#[test]
fn two_of_the_same_are_never_guessed() {
    let a = ticket("a/1, ann@x.org, Order 7, -, 0");
    let (one, two) = (ticket("b/1, ann@x.org, Order 7, -, 1"), ticket("b/2, ann@x.org, Order 7, -, 2"));
    let other = ticket("b/3, bob@x.org, Order 7, see a/1, 2");
    assert_eq!(
        find_partner(&a, [&one], &rules()),
        Partner::One(one.ticket.clone(), Why::RequesterAndSubject)
    );
    let both = vec![one.ticket.clone(), two.ticket.clone()];
    assert_eq!(find_partner(&a, [&one, &two], &rules()), Partner::Ambiguous(both, Why::RequesterAndSubject));
    assert_eq!(
        find_partner(&a, [&one, &two, &other], &rules()),
        Partner::One(other.ticket.clone(), Why::Reference)
    );
    assert_eq!(find_partner(&a, [], &rules()), Partner::None);
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
    let folded = fold(&one, &two, &policy(), 1_000).unwrap();
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
    let folded = fold(&one, &two, &policy(), 1_000).unwrap();
    assert_eq!(places(&folded), ["a/1, b/2", "b/2"], "the second time is another message");
    assert!(folded.copies.values().all(|copy| copy.past), "nobody is mailed about the past");
    assert!(folded.copies[&0].theirs.contains(&TicketKey::new("b", "2")));
    assert_eq!(folded.sides[&TicketKey::new("b", "2")].uniting, Some(1_000));
}

#[test]
fn what_is_under_way_is_not_folded() {
    let one = link(&["a/1"], &[]);
    assert_eq!(fold(&one, &one, &policy(), 0), Err(FoldRefused::Same));
    let mut two = link(&["a/2"], &[]);
    two.handoff = Some("h1".into());
    assert_eq!(fold(&one, &two, &policy(), 0), Err(FoldRefused::Handoff));
    two.creating.insert("b".into(), OpKey::from("k"));
    assert_eq!(fold(&one, &two, &policy(), 0), Err(FoldRefused::Busy));
    two.group = GroupId::from("other");
    assert_eq!(fold(&one, &two, &policy(), 0), Err(FoldRefused::OtherGroup));
    let mut long = link(&["a/3"], &[]);
    let copy = link(&["a/3"], &[("x", 0, &["a/3"])]).copies[&0].clone();
    long.copies = (0..=5_000).map(|number| (number, copy.clone())).collect();
    assert_eq!(fold(&one, &long, &policy(), 0), Err(FoldRefused::TooLong));
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
