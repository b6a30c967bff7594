//! Conversations that both helpdesks hold already, and what is in doubt.

use std::{collections::BTreeMap, time::Duration};

use handoffd::{
    engine::{
        Engine,
        backfill::BackfillOrder,
        parked::{Order, OrderError, ParkedOrder, ParkedThing},
    },
    store::{
        Key,
        tables::{self, JOURNAL, JournalRow, LINKS},
    },
};
use handoffd_connectors::sim::{HumanAct, ShownTicket};
use handoffd_core::{Priority, TicketKey, link::Link};

use crate::{
    past::{Past, run},
    world::{DESKS, FRESHDESK, ZENDESK},
};

use crate::history::{agent, assert_settled};

/// Twenty conversations that both helpdesks hold, every fourth with another priority, and three
/// of each one's own.
async fn held_by_both(past: &Past) {
    for number in 0..20 {
        let subject = format!("Both {number}");
        let mut ids = Vec::new();
        for desk in DESKS {
            ids.push(past.talk(desk, number, &subject, &[(agent(), true)]).await);
        }
        if number % 4 == 0 {
            let act = HumanAct::SetPriority { ticket: ids[0].clone(), priority: Some(Priority::Urgent) };
            past.act(ZENDESK, act);
        }
    }
    for number in 0..3 {
        for desk in DESKS {
            past.talk(desk, number, &format!("Only at {desk} {number}"), &[]).await;
        }
    }
    past.sleep(Duration::from_secs(10 * 86_400)).await;
}

#[test]
fn conversations_that_both_helpdesks_hold_are_joined() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        held_by_both(&past).await;
        let mails = past.mails();
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.shutdown(Duration::from_secs(5)).await;
        for desk in DESKS {
            let all = past.tickets(desk);
            assert_eq!(all.len(), 26, "{desk}: 20 that both hold, 3 of each one's own");
            for ticket in all.iter().filter(|ticket| ticket.subject.starts_with("Both")) {
                assert_eq!(ticket.comments.len(), 2, "{desk}: {ticket:?}");
                let twins = all.iter().filter(|other| other.subject == ticket.subject).count();
                assert_eq!(twins, 1, "{desk}: {}", ticket.subject);
            }
        }
        let priorities = |desk: &str| -> BTreeMap<String, Option<Priority>> {
            let both = past.tickets(desk).into_iter().filter(|ticket| ticket.subject.starts_with("Both"));
            both.map(|ticket| (ticket.subject, ticket.priority)).collect()
        };
        assert_eq!(priorities(ZENDESK), priorities(FRESHDESK));
        let all = Key(Vec::new());
        let links = tables::read_all::<Link>(&*past.store, LINKS, &all, 1_000).await.expect("links");
        assert_eq!(links.len(), 26);
        assert!(links.iter().all(|(_, link)| link.value.sides.len() == 2), "each conversation is one link");
        let journal = tables::read_all::<JournalRow>(&*past.store, JOURNAL, &all, 100_000).await;
        let journal = journal.expect("a journal").into_iter();
        let decided = journal.filter(|(_, row)| format!("{:?}", row.value).contains("Priority")).count();
        assert!(decided >= 5, "{decided} decisions on priorities");
        assert_eq!(past.mails(), mails);
        assert_settled(&mut past).await;
    });
}

/// Everything that is parked: its id, and what may be the same conversation.
async fn parked_doubts(engine: &Engine) -> BTreeMap<String, Vec<String>> {
    let things = engine.parked().await.expect("rows");
    let told = |thing: ParkedThing| {
        assert!(thing.row.reason.contains("not certain which of them are one"), "{thing:?}");
        assert!(thing.remedy.contains(&format!("parked retry {} --join ", thing.id)), "{thing:?}");
        assert!(thing.remedy.contains("--alone"), "{thing:?}");
        (thing.id, thing.candidates.iter().map(ToString::to_string).collect())
    };
    things.into_iter().map(told).collect()
}

/// Conversations, each of `(tickets at Zendesk, tickets at Freshdesk)`; looked at in an order
/// that the seed shuffles, because it shuffles in which order they were made.
async fn doubtful(past: &Past, seed: u64) {
    let counts = [(1, 2), (2, 1), (2, 2), (1, 1), (1, 0), (0, 1)];
    let mut opens: Vec<(usize, &str)> = Vec::new();
    for (number, (zendesk, freshdesk)) in counts.into_iter().enumerate() {
        opens.extend(std::iter::repeat_n((number, ZENDESK), zendesk));
        opens.extend(std::iter::repeat_n((number, FRESHDESK), freshdesk));
    }
    let mut state = seed;
    for at in (1..opens.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        opens.swap(at, usize::try_from(state >> 33).expect("small") % (at + 1));
    }
    for (number, desk) in opens {
        past.talk(desk, number, &format!("Talk {number}"), &[(agent(), true)]).await;
    }
    past.sleep(Duration::from_secs(10 * 86_400)).await;
}

fn counted(past: &Past, number: usize) -> (usize, usize) {
    let subject = format!("Talk {number}");
    let at = |desk| past.tickets(desk).iter().filter(|one| one.subject == subject).count();
    (at(ZENDESK), at(FRESHDESK))
}

#[test]
fn a_conversation_with_two_partners_is_joined_with_neither() {
    for seed in 0..12 {
        run(async {
            let mut past = Past::new(["unlimited", "unlimited"], None, 20);
            past.config.engine.backfill_at_once = 1 + usize::try_from(seed % 4).expect("small");
            doubtful(&past, seed).await;
            let before = past.mails();
            let engine = past.engine(None).await;
            if seed % 3 == 0 {
                // People and webhooks look as well, whenever they like.
                engine.start();
            } else {
                engine.start_queue();
            }
            past.backfill(&engine, false).await;
            let parked = parked_doubts(&engine).await;
            // Each of a doubtful conversation's tickets, and nothing else.
            assert_eq!(parked.len(), 3 + 3 + 4, "seed {seed}: {parked:?}");
            for (id, candidates) in &parked {
                let other = if id.contains("join/zendesk/") { FRESHDESK } else { ZENDESK };
                assert!(id.ends_with(&format!(":{other}")), "{id}");
                assert!(!candidates.is_empty(), "{id}");
                assert!(candidates.iter().all(|one| one.starts_with(&format!("{other}/"))), "{candidates:?}");
            }
            let now: Vec<_> = (0..6).map(|number| counted(&past, number)).collect();
            assert_eq!(now, [(1, 2), (2, 1), (2, 2), (1, 1), (1, 1), (1, 1)], "seed {seed}");
            let links = tables::read_all::<Link>(&*past.store, LINKS, &Key(Vec::new()), 1_000).await;
            let links = links.expect("links");
            let pairs = links.iter().filter(|(_, link)| link.value.sides.len() == 2).count();
            assert_eq!((links.len(), pairs), (3 + 3 + 4 + 3, 3), "seed {seed}");
            // Nothing comes of it later either.
            past.backfill(&engine, true).await;
            assert_eq!(parked_doubts(&engine).await, parked, "seed {seed}");
            assert_eq!(past.mails(), before);
            engine.shutdown(Duration::from_secs(5)).await;
        });
    }
}

#[test]
fn an_admin_decides_what_is_in_doubt() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        let z = past.talk(ZENDESK, 0, "Talk 0", &[(agent(), true)]).await;
        let f1 = past.talk(FRESHDESK, 0, "Talk 0", &[(agent(), true)]).await;
        let f2 = past.talk(FRESHDESK, 0, "Talk 0", &[]).await;
        past.sleep(Duration::from_secs(10 * 86_400)).await;
        let mails = past.mails();
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        let id = |desk: &str, ticket: &handoffd_core::RemoteId, other: &str| {
            format!("join/{desk}/{ticket}:{other}")
        };
        let of_z = id(ZENDESK, &z, FRESHDESK);
        let order = |id: &str| ParkedOrder {
            id: id.to_owned(),
            order: Order::Retry,
            send_again: false,
            join: None,
            alone: false,
        };
        let ids = |parked: BTreeMap<String, Vec<String>>| parked.into_keys().collect::<Vec<_>>();
        let (of_f1, of_f2) = (id(FRESHDESK, &f1, ZENDESK), id(FRESHDESK, &f2, ZENDESK));
        assert_eq!(ids(parked_doubts(&engine).await), [of_f1.clone(), of_f2.clone(), of_z.clone()]);
        // Decided again it is in doubt again, although the index is gone.
        engine.parked_order(&order(&of_z)).await.expect("an order");
        past.drain(&engine).await;
        assert_eq!(ids(parked_doubts(&engine).await), [of_f1.clone(), of_f2.clone(), of_z.clone()]);
        assert_eq!(counted(&past, 0), (1, 2));
        for wrong in [TicketKey::new(ZENDESK, z.clone()), TicketKey::new(FRESHDESK, "999999")] {
            let asked = ParkedOrder { join: Some(wrong), ..order(&of_z) };
            let refused = engine.parked_order(&asked).await;
            assert!(matches!(refused, Err(OrderError::CannotJoin(..))), "{refused:?}");
        }
        let with = Some(TicketKey::new(FRESHDESK, f1.clone()));
        engine.parked_order(&ParkedOrder { join: with.clone(), ..order(&of_z) }).await.expect("an order");
        past.drain(&engine).await;
        assert_eq!(ids(parked_doubts(&engine).await), std::slice::from_ref(&of_f2));
        assert_eq!(counted(&past, 0), (1, 2), "joining makes nothing");
        engine.parked_order(&ParkedOrder { alone: true, ..order(&of_f2) }).await.expect("an order");
        past.drain(&engine).await;
        assert_eq!(parked_doubts(&engine).await, BTreeMap::new());
        assert_eq!(counted(&past, 0), (2, 2), "it is mirrored now");
        let refused = engine.parked_order(&ParkedOrder { join: with, ..order(&of_z) }).await;
        assert!(matches!(refused, Err(OrderError::NotThere(_))), "{refused:?}");
        assert_eq!(past.mails(), mails);
        // What they say is the same on both sides from now on.
        past.act(
            ZENDESK,
            HumanAct::Say { ticket: z.clone(), who: agent(), text: "Joined.".to_owned(), public: false },
        );
        engine.start();
        past.sleep(Duration::from_secs(400)).await;
        let says = |ticket: &ShownTicket| ticket.comments.iter().any(|one| one.text.contains("Joined."));
        let heard: Vec<_> = past.tickets(FRESHDESK).into_iter().filter(says).map(|one| one.id).collect();
        assert_eq!(heard, [f1]);
        engine.shutdown(Duration::from_secs(5)).await;
        assert_settled(&mut past).await;
    });
}

#[test]
fn what_joined_tickets_show_unequally_is_decided_as_the_group_says() {
    for (unequal, expected) in [("zendesk", Priority::Urgent), ("freshdesk", Priority::Low)] {
        run(async {
            let mut past = Past::new(["unlimited", "unlimited"], None, 20);
            past.config.groups.get_mut("support").expect("the group").join.unequal = unequal.to_owned();
            // Of a pair, once the one and once the other changed last.
            for (number, desks) in [[ZENDESK, FRESHDESK], [FRESHDESK, ZENDESK]].into_iter().enumerate() {
                for desk in desks {
                    let ticket = past.talk(desk, number, &format!("Talk {number}"), &[]).await;
                    let priority = if desk == ZENDESK { Priority::Urgent } else { Priority::Low };
                    past.act(desk, HumanAct::SetPriority { ticket, priority: Some(priority) });
                }
            }
            past.sleep(Duration::from_secs(86_400)).await;
            let engine = past.engine(None).await;
            engine.start_queue();
            past.backfill(&engine, false).await;
            engine.shutdown(Duration::from_secs(5)).await;
            for ticket in DESKS.iter().flat_map(|desk| past.tickets(desk)) {
                assert_eq!(ticket.priority, Some(expected), "{unequal}: {}", ticket.subject);
            }
            assert_eq!((counted(&past, 0), counted(&past, 1)), ((1, 1), (1, 1)));
        });
    }
}

#[test]
fn the_keys_of_the_group_say_what_is_joined() {
    use handoffd::config::{JoinConfig, JoinKey, Span};
    let day = Span(Duration::from_secs(86_400));
    let rows = [
        ("nothing joins", JoinConfig { keys: [].into(), ..JoinConfig::default() }, (2, 2)),
        (
            "too far apart",
            JoinConfig { window: Span(Duration::from_secs(1)), ..JoinConfig::default() },
            (2, 2),
        ),
        ("who asked, and about what", JoinConfig { window: day, ..JoinConfig::default() }, (1, 1)),
        (
            "the first message",
            JoinConfig { keys: [JoinKey::FirstMessage].into(), ..JoinConfig::default() },
            (1, 1),
        ),
    ];
    for (name, join, expected) in rows {
        run(async {
            let mut past = Past::new(["unlimited", "unlimited"], None, 20);
            past.config.groups.get_mut("support").expect("the group").join = join;
            for desk in DESKS {
                past.talk(desk, 0, "Talk 0", &[(agent(), true)]).await;
            }
            past.sleep(Duration::from_secs(86_400)).await;
            let engine = past.engine(None).await;
            engine.start_queue();
            past.backfill(&engine, false).await;
            engine.shutdown(Duration::from_secs(5)).await;
            assert_eq!(counted(&past, 0), expected, "{name}");
        });
    }
}

#[test]
fn one_accounts_history_is_matched_with_what_the_others_hold() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        for number in 0..5 {
            for desk in DESKS {
                past.talk(desk, number, &format!("Talk {number}"), &[]).await;
            }
        }
        past.talk(FRESHDESK, 5, "Talk 5", &[]).await;
        past.sleep(Duration::from_secs(86_400)).await;
        let engine = past.engine(None).await;
        engine.start_queue();
        let accounts = vec![handoffd_core::AccountId::new(ZENDESK)];
        let order = BackfillOrder { accounts, since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        engine.take_in_history().await.expect("a history");
        past.drain(&engine).await;
        for number in 0..5 {
            assert_eq!(counted(&past, number), (1, 1), "{number}");
        }
        assert_eq!(counted(&past, 5), (0, 1), "Freshdesk's own history was not asked for");
        // What comes up later is matched with what was taken in before.
        for desk in DESKS {
            past.talk(desk, 6, "Talk 6", &[]).await;
        }
        past.sleep(Duration::from_secs(120)).await;
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        engine.take_in_history().await.expect("a history");
        past.drain(&engine).await;
        let now = [0, 5, 6].map(|number| counted(&past, number));
        assert_eq!(now, [(1, 1), (1, 1), (1, 1)]);
        let rows = engine.backfills().await.expect("rows");
        assert!(rows.iter().all(|status| status.row.finished_at.is_some()), "{rows:?}");
        engine.shutdown(Duration::from_secs(5)).await;
    });
}
