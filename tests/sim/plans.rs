//! A plan says what is then written: the same history is planned first and then carried out, and
//! both are counted, the plan by itself and the work by what the helpdesks show.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use handoffd::{
    engine::{
        Engine,
        dry::{DryRun, Planned, PlannedWrites, rule_of},
    },
    store::{
        Key,
        mem::MemStore,
        tables::{self, JOURNAL, JournalRow},
    },
};
use handoffd_connectors::sim::{HumanAct, ShownTicket, Who};
use handoffd_core::{AccountId, Priority, RemoteId, Status};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    past::{Past, run},
    world::{DESKS, FRESHDESK, ZENDESK},
};

fn agent() -> Who {
    Who::Agent("Mara".to_owned())
}

/// Freshdesk mails the customers, and what is said at Zendesk nobody has mailed.
fn freshdesk_mails() -> Past {
    let mut past = Past::new(["unlimited", "unlimited"], None, 20);
    past.config.groups.get_mut("support").expect("the group").customer_facing = Some(FRESHDESK.to_owned());
    let zendesk = past.config.accounts.get_mut(ZENDESK).expect("an account");
    zendesk.settings.insert("mails_public_replies".to_owned(), toml::Value::Boolean(false));
    past
}

/// Takes in every change there is, and does or counts what follows from it.
async fn carry(past: &mut Past, dry: Option<Arc<DryRun>>) {
    let engine = past.engine(dry).await;
    engine.start_queue();
    // A ticket that was just written to is hidden in a feed's blind spot, with what people did to it.
    for _ in 0..2 {
        past.sleep(Duration::from_secs(400)).await;
        for desk in engine.parts().desks.values() {
            engine.probe(desk).await;
            for feed in desk.helpdesk.feeds() {
                while engine.read_feed(desk, *feed).await.expect("a page").more {}
            }
        }
        past.drain(&engine).await;
    }
    assert_eq!(engine.parked().await.expect("rows"), []);
    engine.shutdown(Duration::from_secs(5)).await;
}

/// What a plan says of the history as it stands.
async fn plan(past: &mut Past) -> Planned {
    let before = past.store.snapshot();
    let dry = Arc::new(DryRun::default());
    carry(past, Some(dry.clone())).await;
    past.store = Arc::new(MemStore::open(before, past.clock.clone()));
    dry.planned()
}

/// What helpdesks show, to be compared.
struct Shows {
    tickets: BTreeMap<&'static str, BTreeMap<RemoteId, ShownTicket>>,
    mails: BTreeMap<&'static str, usize>,
}

fn shows(past: &Past) -> Shows {
    let tickets = |desk: &str| past.tickets(desk).into_iter().map(|one| (one.id.clone(), one)).collect();
    // An account that is said to mail nobody does so, or it is wrongly configured.
    let silent = |desk: &str| past.config.accounts[desk].settings.get("mails_public_replies").is_some();
    let mails = |desk: &str| {
        let sent = past.world.with(&AccountId::new(desk), |sim, _| sim.mails_sent().len());
        if silent(desk) { Some(0) } else { sent }
    };
    Shows {
        tickets: DESKS.into_iter().map(|desk| (desk, tickets(desk))).collect(),
        mails: DESKS.into_iter().map(|desk| (desk, mails(desk).expect("a vendor"))).collect(),
    }
}

/// What was written between the two. A new ticket is made with all four fields, and with the
/// addresses in copy where its origin shows them: Freshdesk does.
fn written(before: &Shows, after: &Shows) -> BTreeMap<AccountId, PlannedWrites> {
    let mut all = BTreeMap::new();
    for desk in DESKS {
        let mut writes = PlannedWrites::default();
        for (id, now) in &after.tickets[desk] {
            let was = before.tickets[desk].get(id);
            let mut fields = Vec::new();
            match was {
                None => {
                    writes.creates += 1;
                    fields.extend(["subject", "status", "priority", "tags"]);
                    fields.extend((desk == ZENDESK).then_some("ccs"));
                }
                Some(was) => {
                    let differ = [
                        ("subject", was.subject != now.subject),
                        ("status", was.status != now.status),
                        ("priority", was.priority != now.priority),
                        ("tags", was.tags != now.tags),
                    ];
                    fields.extend(differ.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name));
                    writes.updates += u64::from(!fields.is_empty());
                }
            }
            for field in fields {
                *writes.fields.entry(field.to_owned()).or_insert(0) += 1;
            }
            for comment in now.comments.iter().skip(was.map_or(0, |was| was.comments.len())) {
                *(if comment.public { &mut writes.public_comments } else { &mut writes.private_notes }) += 1;
                writes.attachments += comment.files.len() as u64;
            }
        }
        writes.emails = (after.mails[desk] - before.mails[desk]) as u64;
        if writes != PlannedWrites::default() {
            all.insert(AccountId::new(desk), writes);
        }
    }
    all
}

/// What was decided since, by rule.
async fn decided(engine: &Engine, before: usize) -> BTreeMap<String, u64> {
    let all = Key(Vec::new());
    let rows = tables::read_all::<JournalRow>(&*engine.parts().store, JOURNAL, &all, 100_000);
    let mut rows = rows.await.expect("rows");
    rows.sort_by(|(a, _), (b, _)| a.parts()[1].cmp(&b.parts()[1]));
    let mut rules = BTreeMap::new();
    for (_, row) in rows.into_iter().skip(before) {
        if let JournalRow::Decided { decision, .. } = row.value
            && let Some(rule) = rule_of(&decision)
        {
            *rules.entry(rule).or_insert(0) += 1;
        }
    }
    rules
}

async fn journal_len(past: &mut Past) -> usize {
    let (engine, all) = (past.engine(None).await, Key(Vec::new()));
    let rows = tables::read_all::<JournalRow>(&*engine.parts().store, JOURNAL, &all, 100_000);
    rows.await.expect("rows").len()
}

/// Plans, carries out, and compares. Answers with the plan.
async fn assert_foreseen(past: &mut Past, what: &str) -> Planned {
    let journal = journal_len(past).await;
    let (before, mark) = (shows(past), past.world.log().len());
    let planned = plan(past).await;
    assert_eq!(written(&before, &shows(past)), BTreeMap::new(), "{what}: the plan wrote");
    carry(past, None).await;
    let sent: Vec<String> = past.world.log()[mark..]
        .iter()
        .filter(|line| line.method != "GET")
        .map(ToString::to_string)
        .collect();
    let shown = written(&before, &shows(past));
    assert_eq!(planned.accounts, shown, "{what}: {:#?} {sent:#?}", planned.samples);
    let engine = past.engine(None).await;
    assert_eq!(planned.rules, decided(&engine, journal).await, "{what}");
    planned
}

#[test]
fn five_new_replies_are_five_messages_and_four_mails() {
    run(async {
        let mut past = freshdesk_mails();
        let ticket = past.talk(ZENDESK, 0, "Five replies", &[]).await;
        carry(&mut past, None).await;
        for (at, who) in [agent(), agent(), Who::Customer, agent(), agent()].into_iter().enumerate() {
            let text = format!("Reply {at}, which is new.");
            past.act(ZENDESK, HumanAct::Say { ticket: ticket.clone(), who, text, public: true });
            past.sleep(Duration::from_secs(3)).await;
        }
        let act = HumanAct::SetPriority { ticket: ticket.clone(), priority: Some(Priority::Urgent) };
        past.act(ZENDESK, act);
        let planned = assert_foreseen(&mut past, "five replies").await;
        let writes = &planned.accounts[&AccountId::new(FRESHDESK)];
        assert_eq!((writes.public_comments, writes.emails, writes.updates), (5, 4, 1));
        assert_eq!(writes.fields, BTreeMap::from([("priority".to_owned(), 1)]));
        assert_eq!(planned.rules["priority: a change at zendesk is taken over"], 1);
    });
}

#[test]
fn more_messages_than_one_plan_holds_are_all_counted() {
    run(async {
        let mut past = freshdesk_mails();
        let ticket = past.talk(ZENDESK, 0, "Many notes", &[]).await;
        carry(&mut past, None).await;
        for at in 0..47 {
            let text = format!("Note {at}, which is new.");
            past.act(
                ZENDESK,
                HumanAct::Say { ticket: ticket.clone(), who: agent(), text, public: at % 2 == 0 },
            );
            past.sleep(Duration::from_secs(3)).await;
        }
        let planned = assert_foreseen(&mut past, "many").await;
        let writes = &planned.accounts[&AccountId::new(FRESHDESK)];
        assert_eq!((writes.public_comments, writes.private_notes, writes.emails), (24, 23, 24));
    });
}

#[test]
fn what_follows_a_creation_is_counted_with_its_mails() {
    run(async {
        let mut past = freshdesk_mails();
        past.talk(ZENDESK, 0, "New", &[(agent(), true), (agent(), false), (agent(), true)]).await;
        let planned = assert_foreseen(&mut past, "new").await;
        let writes = &planned.accounts[&AccountId::new(FRESHDESK)];
        assert_eq!((writes.creates, writes.public_comments, writes.private_notes), (1, 3, 1));
        assert_eq!(writes.emails, 2);
    });
}

/// One more thing that people did, at either helpdesk.
async fn draw(past: &Past, rng: &mut ChaCha8Rng, number: usize) {
    let desk = DESKS[rng.random_range(0..2)];
    let open: Vec<RemoteId> = past.tickets(desk).into_iter().map(|ticket| ticket.id).collect();
    let kind = rng.random_range(0..8);
    if open.is_empty() || kind == 0 {
        let said = [(agent(), true), (agent(), false), (Who::Customer, true)];
        past.talk(desk, number, &format!("Drawn {number}"), &said[..rng.random_range(0..4)]).await;
        return;
    }
    let ticket = open[rng.random_range(0..open.len())].clone();
    let text = format!("Something new, number {number}.");
    let act = match kind {
        1 => HumanAct::SetSubject { ticket, subject: format!("Renamed {number}") },
        2 => HumanAct::SetPriority { ticket, priority: Some(Priority::ALL[number % Priority::ALL.len()]) },
        3 => HumanAct::Tag { ticket, add: vec![format!("tag{number}")], remove: Vec::new() },
        4 => HumanAct::SetStatus { ticket, status: [Status::Pending, Status::Open][number % 2] },
        5 => HumanAct::Say { ticket, who: agent(), text, public: false },
        _ => HumanAct::Say { ticket, who: agent(), text, public: true },
    };
    past.act(desk, act);
    past.sleep(Duration::from_secs(3)).await;
}

#[test]
fn drawn_histories_are_written_as_they_were_planned() {
    run(async {
        for seed in 0..12 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let mut past = if seed % 2 == 0 {
                freshdesk_mails()
            } else {
                Past::new(["unlimited", "unlimited"], None, 20)
            };
            for step in 0..3 {
                for number in 0..rng.random_range(1..12) {
                    draw(&past, &mut rng, step * 100 + number).await;
                }
                assert_foreseen(&mut past, &format!("seed {seed}, step {step}")).await;
            }
        }
    });
}
