use proptest::prelude::*;

use super::*;
use crate::{
    intent::{Applied, Intent, Outcome, Update},
    model::{
        comment::{Body, Mail, Message, PublicComment, PublicMessage, PublicText},
        ids::GroupId,
        person::Person,
        ticket::{ReadBy, Value as FieldValue, Version},
    },
};

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn floor(holder: Holder, token: u64) -> Floor {
    Floor { holder, token, since: NOW }
}

fn owner(from: Holder, to: Holder) -> FloorNews {
    FloorNews::Owner { from, to, bot_elsewhere: false }
}

#[test]
fn the_floor_goes_to_whoever_is_handed_the_conversation_or_speaks() {
    use Holder::{Bot, Human, Nobody};
    let elsewhere = FloorNews::Owner { from: Nobody, to: Human, bot_elsewhere: true };
    let handed = FloorNews::Handoff;
    for (before, news, holder, grows) in [
        (Bot, vec![], Bot, 0),
        (Bot, vec![FloorNews::Spoke], Human, 1),
        (Nobody, vec![FloorNews::Spoke], Human, 1),
        (Human, vec![FloorNews::Spoke], Human, 0),
        (Bot, vec![handed(HandoffKind::AiToHuman)], Human, 1),
        (Bot, vec![handed(HandoffKind::HumanToHuman)], Human, 1),
        (Human, vec![handed(HandoffKind::AiToHuman)], Human, 0),
        (Human, vec![handed(HandoffKind::HumanToAi)], Bot, 1),
        (Human, vec![owner(Human, Bot), handed(HandoffKind::HumanToAi)], Bot, 1),
        (Bot, vec![owner(Bot, Human), handed(HandoffKind::AiToHuman)], Human, 1),
        (Bot, vec![owner(Bot, Nobody)], Human, 1),
        (Nobody, vec![owner(Nobody, Bot)], Bot, 1),
        (Human, vec![owner(Nobody, Bot)], Bot, 1),
        (Nobody, vec![owner(Nobody, Human)], Human, 1),
        (Bot, vec![owner(Nobody, Human)], Human, 1),
        (Bot, vec![elsewhere], Bot, 0),
        (Human, vec![owner(Human, Nobody)], Human, 0),
        (Human, vec![owner(Human, Human)], Human, 0),
        // Given back with a last word, in one look: it is given back.
        (Human, vec![FloorNews::Spoke, owner(Human, Bot)], Bot, 1),
        // Given back, and announced as handed over by whoever got it.
        (Human, vec![owner(Human, Bot), handed(HandoffKind::AiToHuman)], Human, 2),
    ] {
        let after = floor_after(&floor(before, 5), &news, NOW);
        assert_eq!((after.holder, after.token), (holder, 5 + grows), "{before:?} {news:?}");
    }
}

#[test]
fn only_the_newest_token_speaks_and_never_while_people_have_the_floor() {
    for (holder, token, says, may) in [
        (Holder::Bot, 3, 3, true),
        (Holder::Nobody, 3, 3, true),
        (Holder::Bot, 3, 2, false),
        (Holder::Bot, 3, 4, false),
        (Holder::Human, 3, 3, false),
        (Holder::Human, 3, 2, false),
    ] {
        let answer = may_speak(&floor(holder, token), says);
        assert_eq!(answer, if may { Ok(()) } else { Err(FloorTaken { holder, token }) });
    }
}

fn any_holder() -> impl Strategy<Value = Holder> {
    prop_oneof![Just(Holder::Bot), Just(Holder::Human), Just(Holder::Nobody)]
}

fn any_news() -> impl Strategy<Value = FloorNews> {
    let kinds = prop_oneof![
        Just(HandoffKind::AiToHuman),
        Just(HandoffKind::HumanToHuman),
        Just(HandoffKind::HumanToAi)
    ];
    prop_oneof![
        Just(FloorNews::Spoke),
        kinds.prop_map(FloorNews::Handoff),
        (any_holder(), any_holder(), any::<bool>()).prop_map(|(from, to, bot_elsewhere)| FloorNews::Owner {
            from,
            to,
            bot_elsewhere
        }),
    ]
}

proptest! {
    #[test]
    fn tokens_never_go_back_and_no_old_one_speaks_after_people_had_the_floor(
        first in any_holder(),
        steps in prop::collection::vec(prop::collection::vec(any_news(), 0..4), 0..40),
    ) {
        let mut now = floor(first, 0);
        let mut barred: Option<u64> = (first == Holder::Human).then_some(0);
        for (at, news) in steps.iter().enumerate() {
            let at = NOW.plus(Duration::from_secs(at as u64));
            for one in news {
                let before = now;
                now = floor_after(&before, std::slice::from_ref(one), at);
                prop_assert!(now.token >= before.token && now.since >= before.since);
                prop_assert_eq!(now.token > before.token, now.holder != before.holder);
                if now.holder == Holder::Human {
                    barred = Some(now.token);
                }
                for token in 0..=barred.unwrap_or(0) {
                    if barred.is_some() {
                        prop_assert!(may_speak(&now, token).is_err(), "{token} of {now:?}");
                    }
                }
            }
        }
    }
}

fn ticket() -> TicketKey {
    TicketKey::new("zd", "7")
}

fn rules() -> HandoffRules {
    let marks = BotMarks { assignees: [RemoteId::new("bot")].into(), ..BotMarks::default() };
    HandoffRules {
        bots: [(AccountId::new("zd"), marks)].into(),
        enrich_ms: 0,
        late_wait_ms: 0,
        expire_ms: 0,
        between_people: true,
        loop_max: 2,
        loop_ms: 0,
        hold_ms: None,
    }
}

fn owned_by(id: &str) -> Fields {
    [(Field::Assignee, FieldValue::Owner(Some(RemoteId::new(id))))].into()
}

fn said(id: &str, by: &str, role: Role, text: &str, at: Timestamp) -> Comment {
    let author = Person { id: Some(RemoteId::new(by)), name: by.to_owned(), email: None, role };
    Comment::Public(PublicComment {
        id: RemoteId::new(id),
        author,
        text: PublicText::shown_publicly(Body::inline(text)),
        at,
        mailed: true,
        attachments: Vec::new(),
        redacted: false,
    })
}

fn view(fields: Fields, comments: Vec<Comment>) -> BTreeMap<TicketKey, Observed> {
    let view = Observed {
        ticket: ticket(),
        version: Version(NOW.0),
        read_by: ReadBy::Fetch,
        read_at: NOW,
        fields,
        requester: None,
        comments: CommentsSeen::All(comments),
        comment_count: None,
        marker: None,
        created_at: NOW,
        follows: None,
        rating: None,
    };
    [(ticket(), view)].into()
}

fn policy() -> SyncPolicy {
    SyncPolicy {
        group: GroupId::new("support"),
        accounts: BTreeMap::new(),
        customer_facing: AccountId::new("zd"),
        fields: BTreeMap::new(),
        routes: Vec::new(),
        private_notes: false,
        deletions: Default::default(),
        agents: BTreeMap::new(),
        importing: BTreeMap::new(),
        at_once: false,
    }
}

fn link() -> Link {
    let view = view(owned_by("bot"), Vec::new()).remove(&ticket()).expect("one");
    let link = crate::reconcile::start_link(GroupId::new("support"), &view, &policy());
    let floor = first_floor(&link, &rules(), NOW);
    Link { floor, ..link }
}

#[test]
fn who_owns_the_tickets_has_the_floor_at_first() {
    assert_eq!(link().floor, Floor { holder: Holder::Bot, token: 0, since: NOW });
    assert!(!Floor::default().is_known());
}

#[test]
fn people_take_the_floor_by_owning_or_speaking_and_nobody_else_does() {
    let later = NOW.plus(Duration::from_secs(10));
    let spoke = vec![FloorNews::Spoke];
    let human = |id: &str| said(id, "ann", Role::Agent, "I take over", later);
    let voices: Voices = [(AccountId::new("zd"), [RemoteId::new("voice")].into())].into();
    let took = vec![owner(Holder::Bot, Holder::Human)];
    for (what, fields, comments, news) in [
        ("nothing", owned_by("bot"), vec![], vec![]),
        ("a person speaks", owned_by("bot"), vec![human("1")], spoke.clone()),
        ("a person owns it", owned_by("ann"), vec![], took.clone()),
        ("both", owned_by("ann"), vec![human("1")], [spoke.clone(), took].concat()),
        ("the customer", owned_by("bot"), vec![said("1", "c", Role::Customer, "hi", later)], vec![]),
        ("the AI agent", owned_by("bot"), vec![said("1", "bot", Role::Agent, "hi", later)], vec![]),
        ("its voice", owned_by("bot"), vec![said("1", "voice", Role::Agent, "hi", later)], vec![]),
        (
            "words of before",
            owned_by("bot"),
            vec![said("1", "ann", Role::Agent, "hi", NOW.minus(Duration::from_secs(60)))],
            vec![],
        ),
    ] {
        assert_eq!(floor_news(&link(), &view(fields, comments), &rules(), &voices, None), news, "{what}");
    }
}

#[test]
fn words_of_the_ai_agent_are_no_persons_however_they_are_seen() {
    let key = OpKey("w1-say".to_owned());
    let digest = comments::form::digest(&Body::inline("It is on its way."));
    let sending = words_leave(&link(), &ticket(), &key, digest, NOW);
    let ours = || vec![said("9", "us", Role::Agent, "It is on its way.", NOW)];
    let news = |link: &Link, sent: Option<&OpKey>| {
        floor_news(link, &view(owned_by("bot"), ours()), &rules(), &Voices::new(), sent)
    };
    assert_eq!(news(&sending, None), vec![], "sent, and not answered yet");
    assert_eq!(news(&sending, Some(&key)), vec![FloorNews::Spoke], "not sent: a person said the same");
    let settle = |comment: Option<&str>| {
        let author = Person { id: None, name: String::new(), email: None, role: Role::Agent };
        let text = PublicText::shown_publicly(Body::inline("It is on its way."));
        let message = PublicMessage { author, text, mail: Mail::Send, attachments: Vec::new() };
        let update = Update {
            at: ticket(),
            set: Fields::new(),
            message: Some(Message::Public(message)),
            if_version: None,
            key: key.clone(),
        };
        let applied = Applied {
            ticket: ticket(),
            version: None,
            shown: None,
            comment: comment.map(RemoteId::new),
            written_at: None,
            imported: Vec::new(),
            unset: None,
        };
        let outcome = Outcome::Applied(Box::new(applied));
        crate::settle::settle(&sending, &Intent::Update(update), &outcome, &policy(), &Bare).link
    };
    let there = settle(Some("9"));
    assert_eq!(news(&there, None), vec![]);
    let copy = there.copies.values().next().expect("one");
    let origin = Origin::Comment(CommentKey::new(ticket(), RemoteId::new("9")));
    assert_eq!((&copy.origin, copy.by_bot, copy.public), (&origin, true, true));
    assert_eq!(news(&settle(None), None), vec![], "its id is not known yet");
}

#[test]
fn words_that_were_too_late_are_hidden_wherever_they_are() {
    let key = OpKey("w1-say".to_owned());
    let sending = words_leave(&link(), &ticket(), &key, "d".to_owned(), NOW);
    let mut link = sending.clone();
    for copy in link.copies.values_mut() {
        copy.places.insert(ticket(), Place::Here(RemoteId::new("9")));
    }
    let mut policy = policy();
    let decisions = take_back(&mut link, &ticket(), &RemoteId::new("9"), &policy);
    assert_eq!(decisions.len(), 1, "nothing can be hidden there, and people are told");
    let can = crate::policy::Can { hide: true, ..Default::default() };
    let account = crate::policy::AccountPolicy {
        conditional_writes: false,
        writes_armed: true,
        creates_armed: true,
        can,
    };
    policy.accounts.insert(AccountId::new("zd"), account);
    assert_eq!(take_back(&mut link, &ticket(), &RemoteId::new("9"), &policy), vec![]);
    let copy = link.copies.values().next().expect("one");
    assert!(copy.hidden && !copy.public);
    assert!(copy.due[&ticket()].contains_key(&Change::Hide), "{:?}", copy.due);
}

struct Bare;

impl crate::policy::Normalize for Bare {
    fn normalize(&self, _: &AccountId, fields: &Fields) -> Fields {
        fields.clone()
    }
}
