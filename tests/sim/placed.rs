//! What is written beside a briefing, after it, and to the customer while it is made.

use std::{collections::BTreeMap, time::Duration};

use handoffd::config::{Config, PlacingConfig};
use handoffd_connectors::{
    contract::Catalog,
    sim::{HumanAct, ShownTicket, faults::Faults, world::World},
};
use handoffd_core::{
    AccountId, FieldKind, Handoff, HandoffKind, HandoffState, Priority, RemoteId, TicketKey,
    briefing::is_briefing,
};
use serde_json::json;

use crate::{
    shapes::{Act, MARA, Marks, TOM, announce_to, begin_as, opened, perform, records, rest},
    world::{FRESHDESK, INTERCOM, Life, ZENDESK},
};

pub const DESKS: [&str; 3] = [ZENDESK, FRESHDESK, INTERCOM];
pub const HOLDING: &str = "A colleague is reading up on your request.";

fn make_field(world: &World, desk: &str, title: &str, kind: FieldKind) -> String {
    let field = HumanAct::MakeField { title: title.to_owned(), kind, options: Vec::new() };
    world.human(&AccountId::new(desk), field).expect("a field").as_str().to_owned()
}

/// The people's group at a helpdesk.
pub fn people(config: &Config, desk: &str, catalogs: &BTreeMap<&'static str, Catalog>) -> String {
    let bots = &config.accounts[desk].bots;
    let of_people = |team: &&handoffd_connectors::contract::CatalogOwner| {
        !bots.groups.contains(team.id.as_str()) && !team.name.to_lowercase().contains("ai")
    };
    catalogs[desk].teams.iter().find(of_people).expect("a group of people").id.as_str().to_owned()
}

pub fn mara(catalog: &Catalog) -> String {
    let is_she = |agent: &&handoffd_connectors::contract::CatalogOwner| agent.name.starts_with("Mara");
    catalog.agents.iter().find(is_she).expect("a colleague").id.as_str().to_owned()
}

/// Tags, priority, a group and two custom fields.
pub fn all_beside(
    world: &World,
    catalogs: &BTreeMap<&'static str, Catalog>,
    config: &mut Config,
    desk: &str,
) {
    let reason = make_field(world, desk, "Why", FieldKind::Text);
    let hop = make_field(world, desk, "Hop", FieldKind::Text);
    let group = people(config, desk, catalogs);
    config.accounts.get_mut(desk).expect("an account").handoff = PlacingConfig {
        tags: ["ai_handoff".to_owned()].into(),
        priority: Some("high".to_owned()),
        group: Some(group),
        queues: BTreeMap::new(),
        fields: [("reason".to_owned(), reason), ("hop".to_owned(), hop)].into(),
    };
}

/// A ticket as its helpdesk shows it.
pub fn shown(life: &Life, desk: &str, id: &RemoteId) -> ShownTicket {
    life.tickets(desk).into_iter().find(|ticket| ticket.id == *id).expect("the ticket")
}

pub fn briefings(ticket: &ShownTicket) -> usize {
    ticket.comments.iter().filter(|comment| !comment.public && is_briefing(&comment.text)).count()
}

pub fn only(found: Vec<Handoff>) -> Handoff {
    assert_eq!(found.len(), 1, "{:?}", found.iter().map(|one| (one.kind, one.state)).collect::<Vec<_>>());
    found.into_iter().next().expect("a record")
}

#[test]
fn what_goes_beside_a_briefing_is_there_and_is_nobodys_handoff() {
    for desk in DESKS {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |world, catalogs, config| {
                all_beside(world, catalogs, config, desk);
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce_to(&life, desk, &id, "k1", &json!({})).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!(
                (record.kind, record.state),
                (HandoffKind::AiToHuman, HandoffState::Delivered),
                "{desk}"
            );
            assert_eq!(record.bare, None, "{desk}");
            assert_eq!(briefings(&ticket), 1, "{desk}");
            assert!(ticket.tags.contains(&"ai_handoff".to_owned()), "{desk}: {:?}", ticket.tags);
            match desk {
                // Its own mark says less than four words.
                INTERCOM => {
                    assert!(ticket.custom.values().any(|value| value == "high"), "{:?}", ticket.custom)
                }
                _ => assert_eq!(ticket.priority, Some(Priority::High), "{desk}"),
            }
            let values: Vec<&String> = ticket.custom.values().collect();
            assert!(values.contains(&&"a person must decide".to_owned()), "{desk}: {:?}", ticket.custom);
            assert!(values.contains(&&"1".to_owned()), "{desk}: {:?}", ticket.custom);
            assert_ne!(ticket.assignee.as_deref(), Some("bot"), "{desk}: the AI agent lets go");
        });
    }
}

#[test]
fn what_goes_beside_a_briefing_spreads_like_a_persons_edit() {
    crate::past::run(async {
        let desks = [ZENDESK, FRESHDESK];
        let mut life = begin_as(&desks, Marks::Assignee, Faults::none(), |world, catalogs, config| {
            all_beside(world, catalogs, config, ZENDESK);
        })
        .await;
        let id = opened(&mut life, ZENDESK, Marks::Assignee).await;
        announce_to(&life, ZENDESK, &id, "k1", &json!({ "priority": "urgent" })).await;
        rest(&mut life).await;
        only(records(&life).await);
        let is_mirror = |ticket: &ShownTicket| !ticket.deleted && ticket.subject == "late order";
        let mirror = life.tickets(FRESHDESK).into_iter().find(is_mirror).expect("a mirror");
        assert_eq!(shown(&life, ZENDESK, &id).priority, Some(Priority::Urgent), "the AI agent's own word");
        assert_eq!(mirror.priority, Some(Priority::Urgent));
        assert!(mirror.tags.contains(&"ai_handoff".to_owned()), "{:?}", mirror.tags);
        assert_eq!(briefings(&mirror), 0, "the briefing is the next owner's alone");
    });
}

/// What the helpdesk refuses beside a briefing must not keep the briefing away.
#[test]
fn a_briefing_whose_fields_are_refused_goes_without_them() {
    for desk in DESKS {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, _, config| {
                let placing = &mut config.accounts.get_mut(desk).expect("an account").handoff;
                placing.group = Some("99999999".to_owned());
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce_to(&life, desk, &id, "k1", &json!({})).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
            assert!(record.bare.is_some(), "{desk}: an admin is told why");
        });
    }
}

#[test]
fn the_next_owner_is_named_after_the_briefing_was_read_back() {
    for desk in DESKS {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, catalogs, config| {
                let id = mara(&catalogs[desk]);
                let group = config.groups.get_mut("support").expect("a link group");
                group.agents.insert("mara".to_owned(), [(desk.to_owned(), id)].into());
            })
            .await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            announce_to(&life, desk, &id, "k1", &json!({ "agent": "Mara" })).await;
            rest(&mut life).await;
            let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
            assert_eq!(ticket.assignee.as_deref(), Some("Mara"), "{desk}");
            assert_eq!((record.state, briefings(&ticket)), (HandoffState::Delivered, 1), "{desk}");
            assert!(record.visible.is_some() && record.assign_key.is_some(), "{desk}");
        });
    }
}

/// The customer is told to hold once if packaging takes long, with a mail, and not at all if not.
#[test]
fn the_customer_is_told_to_hold_once_and_only_while_it_takes_long() {
    for (slow, told) in [(false, 0), (true, 1)] {
        for desk in DESKS {
            crate::past::run(async {
                let faults = Faults { answer_slow: 1_000, answer_slow_ms: 60_000..=60_000, ..Faults::none() };
                let source = if slow { faults } else { Faults::none() };
                let mut life = begin_as(&[desk], Marks::Assignee, source, |_, _, config| {
                    let group = config.groups.get_mut("support").expect("a link group");
                    group.holding_message = Some(HOLDING.to_owned());
                })
                .await;
                let id = opened(&mut life, desk, Marks::Assignee).await;
                announce_to(&life, desk, &id, "k1", &json!({})).await;
                for _ in 0..40 {
                    life.pass(Duration::from_millis(250)).await;
                }
                let (record, ticket) = (only(records(&life).await), shown(&life, desk, &id));
                assert_eq!(briefings(&ticket), 1, "{desk}: bounded, {:?}", record.state);
                rest(&mut life).await;
                let ticket = shown(&life, desk, &id);
                let held: Vec<_> =
                    ticket.comments.iter().filter(|comment| comment.text.contains(HOLDING)).collect();
                assert_eq!(held.len(), told, "{desk}");
                assert!(held.iter().all(|comment| comment.public && !comment.by_customer), "{desk}");
                let mails = life.mails(desk);
                let mailed = |one: &&&handoffd_connectors::sim::ShownComment| {
                    mails.iter().filter(|mail| mail.comment.as_ref() == Some(&one.id)).count() == 1
                };
                assert_eq!(held.iter().filter(mailed).count(), told, "{desk}: mailed once");
                assert_eq!(record.first_reply, None, "{desk}: our own words are nobody's reply");
                perform(&mut life, desk, &id, Act::Reply("Mara")).await;
            });
        }
    }
}

/// People answer on the partner ticket: the next owner reads who it was, not that it was us, and
/// the proof of the first reply names the ticket on which it stands.
#[test]
fn words_of_the_partner_are_told_by_the_name_of_who_wrote_them() {
    crate::past::run(async {
        let desks = [ZENDESK, FRESHDESK];
        let mut life = begin_as(&desks, Marks::Assignee, Faults::none(), |_, _, _| ()).await;
        let id = opened(&mut life, ZENDESK, Marks::Assignee).await;
        perform(&mut life, ZENDESK, &id, MARA).await;
        rest(&mut life).await;
        let is_mirror = |ticket: &ShownTicket| !ticket.deleted && ticket.subject == "late order";
        let mirror = life.tickets(FRESHDESK).into_iter().find(is_mirror).expect("a mirror").id;
        perform(&mut life, FRESHDESK, &mirror, Act::Reply("Mara")).await;
        rest(&mut life).await;
        perform(&mut life, ZENDESK, &id, TOM).await;
        rest(&mut life).await;
        let records = records(&life).await;
        assert_eq!(records.len(), 2);
        let reply = records[0].first_reply.as_ref().expect("a reply");
        let partner = shown(&life, FRESHDESK, &mirror);
        assert_eq!(reply.ticket, TicketKey::new(FRESHDESK, mirror.as_str()));
        assert!(partner.comments.iter().any(|comment| comment.id == reply.id && comment.author == "Mara"));
        let ticket = shown(&life, ZENDESK, &id);
        let note = ticket.comments.iter().rfind(|comment| is_briefing(&comment.text)).expect("a briefing");
        assert!(note.text.contains("agent “Mara”: “I have reset your parcel.”"), "{}", note.text);
        assert!(!note.text.contains("“handoffd”"), "{}", note.text);
    });
}

/// A person answered while the AI agent had the ticket: what the AI agent streamed is not all that
/// was said.
#[test]
fn what_people_said_while_the_ai_agent_had_it_is_in_its_briefing() {
    for desk in DESKS {
        crate::past::run(async {
            let mut life = begin_as(&[desk], Marks::Assignee, Faults::none(), |_, _, _| ()).await;
            let id = opened(&mut life, desk, Marks::Assignee).await;
            perform(&mut life, desk, &id, Act::Reply("Mara")).await;
            rest(&mut life).await;
            announce_to(&life, desk, &id, "k1", &json!({})).await;
            rest(&mut life).await;
            let ticket = shown(&life, desk, &id);
            let note = ticket.comments.iter().find(|comment| is_briefing(&comment.text)).expect("a briefing");
            assert!(note.text.contains("agent “Mara”: “I have reset your parcel.”"), "{desk}: {}", note.text);
            // What the AI agent streamed stands on the ticket as well.
            let times = note.text.matches("Said to the AI agent and not seen").count();
            assert_eq!(times, 0, "{desk}: {}", note.text);
        });
    }
}
