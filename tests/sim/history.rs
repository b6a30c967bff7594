//! Histories are taken in: each conversation once, whole, silently.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use handoffd::{
    engine::{
        Engine,
        backfill::BackfillOrder,
        dry::DryRun,
        parked::{Order, OrderError, ParkedOrder, ParkedThing},
    },
    store::{
        Commit, Key, Seq,
        mem::{CrashSide, MemStore},
        tables::{self, BACKFILLS, BackfillRow, JOURNAL, JournalRow, LINKS},
    },
};
use handoffd_connectors::{
    contract::{Call, Lane},
    sim::{HumanAct, ShownTicket, SimFile, Who, faults::Faults},
};
use handoffd_core::{AccountId, Priority, TicketKey, link::Link};

use crate::{
    past::{Past, run},
    world::{DESKS, FRESHDESK, ZENDESK},
};

const OLD: usize = 60;

fn agent() -> Who {
    Who::Agent("Mara".to_owned())
}

async fn old_tickets(past: &Past, desk: &str) {
    for number in 0..OLD {
        let said = [(agent(), true), (Who::Customer, true), (agent(), false)];
        past.talk(desk, number, &format!("Old {number}"), &said[..number % 4]).await;
    }
    past.sleep(Duration::from_secs(30 * 86_400)).await;
}

/// Each ticket has one mirror, with every message once and in order.
fn assert_mirrored(past: &Past, from: &str, to: &str) {
    let mut mirrors: BTreeMap<String, Vec<ShownTicket>> = BTreeMap::new();
    for ticket in past.tickets(to) {
        mirrors.entry(ticket.subject.clone()).or_default().push(ticket);
    }
    for ticket in past.tickets(from) {
        let of = mirrors.get(&ticket.subject).map(Vec::as_slice).unwrap_or_default();
        let [mirror] = of else { panic!("{}: {} mirrors", ticket.subject, of.len()) };
        let texts = |ticket: &ShownTicket| -> Vec<String> {
            ticket.comments.iter().map(|one| one.text.trim().to_owned()).collect()
        };
        let (there, here) = (texts(&ticket), texts(mirror));
        let same = there.len() == here.len() && there.iter().zip(&here).all(|(a, b)| b.contains(a.as_str()));
        assert!(same, "{}: {there:?} became {here:?}", ticket.subject);
    }
    assert_eq!(past.tickets(from).len(), past.tickets(to).len());
}

fn writes(served: &BTreeMap<String, u64>) -> u64 {
    let is_write = |pattern: &&String| !pattern.contains(" GET ") && !pattern.contains("oauth");
    served.iter().filter(|(pattern, _)| is_write(pattern)).map(|(_, count)| count).sum()
}

/// What was asked since, by endpoint, and how much that is a ticket.
fn print_cost(past: &Past, before: &BTreeMap<String, u64>, what: &str) {
    let mut all = [0_u64; 2];
    println!("backfill, {what}, {OLD} tickets:");
    for (pattern, count) in past.served() {
        let count = count - before.get(&pattern).copied().unwrap_or(0);
        if count > 0 {
            println!("  {count} x {pattern}");
            all[usize::from(!pattern.contains(" GET "))] += count;
        }
    }
    let each = |count: u64| count as f64 / OLD as f64;
    println!(
        "  {} reads ({:.2} a ticket), {} writes ({:.2} a ticket)",
        all[0],
        each(all[0]),
        all[1],
        each(all[1])
    );
}

/// A second backfill and a plan find nothing to do.
async fn assert_settled(past: &mut Past) {
    let (before, mails) = (writes(&past.served()), past.mails());
    let engine = past.engine(None).await;
    engine.start_queue();
    past.backfill(&engine, true).await;
    engine.shutdown(Duration::from_secs(5)).await;
    assert_eq!(writes(&past.served()), before, "the second backfill wrote");
    let dry = Arc::new(DryRun::default());
    let engine = past.engine(Some(dry.clone())).await;
    engine.start_queue();
    past.backfill(&engine, true).await;
    engine.shutdown(Duration::from_secs(5)).await;
    assert!(!dry.planned().would_write(), "{:?}", dry.planned());
    assert_eq!((writes(&past.served()), past.mails()), (before, mails));
}

async fn taken_in(from: &'static str, to: &'static str) -> Past {
    let mut past = Past::new(["unlimited", "unlimited"], Some(from), 20);
    old_tickets(&past, from).await;
    let (mails, before) = (past.mails(), past.served());
    let engine = past.engine(None).await;
    engine.start_queue();
    past.backfill(&engine, false).await;
    print_cost(&past, &before, &format!("{from} to {to}"));
    assert_eq!(engine.parked().await.expect("rows"), []);
    engine.shutdown(Duration::from_secs(5)).await;
    assert_mirrored(&past, from, to);
    assert_eq!(past.mails(), mails, "somebody had mail");
    assert_settled(&mut past).await;
    past
}

#[test]
fn zendesks_history_is_mirrored_once() {
    run(async {
        taken_in(ZENDESK, FRESHDESK).await;
    });
}

#[test]
fn freshdesks_history_is_imported_with_its_times() {
    run(async {
        let past = taken_in(FRESHDESK, ZENDESK).await;
        assert_imported(&past);
    });
}

/// Every mirror bears the time of its original: it was imported.
fn assert_imported(past: &Past) {
    let made: BTreeMap<String, _> =
        past.tickets(FRESHDESK).into_iter().map(|ticket| (ticket.subject, ticket.created_at)).collect();
    let mirrors = past.tickets(ZENDESK);
    assert_eq!(mirrors.len(), made.len());
    for mirror in mirrors {
        assert_eq!(mirror.created_at.as_secs(), made[&mirror.subject].as_secs(), "{}", mirror.subject);
    }
}

#[test]
fn what_is_put_off_is_imported_all_the_same() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(FRESHDESK), 20);
        old_tickets(&past, FRESHDESK).await;
        let mails = past.mails();
        let engine = past.engine(None).await;
        engine.start_queue();
        let faults = Faults { throttled: 350, error_before: 250, retry_after_secs: 1..=30, ..Faults::none() };
        past.world.set_faults(&AccountId::new(FRESHDESK), faults);
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        engine.take_in_history().await.expect("a history");
        past.world.calm();
        past.drain(&engine).await;
        engine.shutdown(Duration::from_secs(5)).await;
        assert_mirrored(&past, FRESHDESK, ZENDESK);
        assert_imported(&past);
        assert_eq!(past.mails(), mails);
        assert_settled(&mut past).await;
    });
}

#[test]
fn an_old_ticket_that_changes_before_its_turn_is_imported_too() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(FRESHDESK), 20);
        let ticket = past.talk(FRESHDESK, 0, "Old one", &[(agent(), true), (Who::Customer, true)]).await;
        past.sleep(Duration::from_secs(30 * 86_400)).await;
        let engine = past.engine(None).await;
        let order = BackfillOrder { accounts: vec![AccountId::new(FRESHDESK)], since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        past.sleep(Duration::from_secs(60)).await;
        let ticket = TicketKey::new(AccountId::new(FRESHDESK), ticket);
        engine.wake_ticket(&ticket, "webhook", Commit::default()).await.expect("a job");
        engine.start_queue();
        past.drain(&engine).await;
        assert_imported(&past);
        engine.shutdown(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_new_ticket_does_not_wait_for_an_index() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(FRESHDESK), 20);
        let old = past.talk(FRESHDESK, 0, "Old one", &[]).await;
        past.sleep(Duration::from_secs(60)).await;
        let engine = past.engine(None).await;
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        past.sleep(Duration::from_secs(60)).await;
        let new = past.talk(FRESHDESK, 1, "New one", &[]).await;
        for ticket in [old, new] {
            let ticket = TicketKey::new(AccountId::new(FRESHDESK), ticket);
            engine.wake_ticket(&ticket, "webhook", Commit::default()).await.expect("a job");
        }
        engine.start_queue();
        past.drain(&engine).await;
        let mirrors = |past: &Past| -> Vec<String> {
            past.tickets(ZENDESK).into_iter().map(|ticket| ticket.subject).collect()
        };
        assert_eq!(mirrors(&past), ["New one"], "the old one may be there already");
        engine.take_in_history().await.expect("a history");
        past.drain(&engine).await;
        assert_eq!(mirrors(&past), ["New one", "Old one"]);
        engine.shutdown(Duration::from_secs(5)).await;
    });
}

#[test]
fn a_backfill_that_dies_goes_on_and_makes_nothing_twice() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(ZENDESK), 20);
        old_tickets(&past, ZENDESK).await;
        let mails = past.mails();
        for deaths in 1..=3 {
            let engine = past.engine(None).await;
            engine.start_queue();
            let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
            engine.order_backfill(&order).await.expect("an order");
            let work = tokio::spawn({
                let engine = engine.clone();
                async move { engine.take_in_history().await }
            });
            while past.tickets(FRESHDESK).len() < deaths * 13 {
                past.sleep(Duration::from_millis(7)).await;
            }
            let Seq(seq) = past.store.seq();
            past.store.crash_at(Seq(seq + 1), CrashSide::After);
            past.sleep(Duration::from_secs(1)).await;
            work.abort();
        }
        assert!(past.tickets(FRESHDESK).len() < OLD, "it was over before it died");
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.shutdown(Duration::from_secs(5)).await;
        assert_mirrored(&past, ZENDESK, FRESHDESK);
        assert_eq!(past.mails(), mails);
        assert_settled(&mut past).await;
    });
}

/// Takes in what is stored until the store dies, `commits` commits from now.
async fn until_it_dies(past: &mut Past, account: &str, commits: u64) {
    let engine = past.engine(None).await;
    let order = BackfillOrder { accounts: vec![AccountId::new(account)], since: None, restart: false };
    engine.order_backfill(&order).await.expect("an order");
    let Seq(seq) = past.store.seq();
    past.store.crash_at(Seq(seq + commits), CrashSide::After);
    let work = tokio::spawn(async move { engine.take_in_history().await });
    past.store.crashed().await;
    work.abort();
    // A store that died answers nobody: what is left of it does.
    past.store = Arc::new(MemStore::open(past.store.snapshot(), past.clock.clone()));
}

async fn backfill_row(past: &Past, account: &str) -> BackfillRow {
    let key = Key::of(&[account]);
    let row = tables::read::<BackfillRow>(&*past.store, BACKFILLS, &key).await.expect("it can be read");
    row.expect("a row").value
}

#[test]
fn what_was_hidden_or_redacted_after_it_was_read_in_bulk_stays_so() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(ZENDESK), 20);
        let said = [(agent(), true), (agent(), true)];
        let mut ids = Vec::new();
        for subject in ["Hidden", "Redacted", "As it was"] {
            ids.push(past.talk(ZENDESK, 0, subject, &said).await);
        }
        past.sleep(Duration::from_secs(30 * 86_400)).await;
        let at_fault = |number: usize| {
            let ticket = past.tickets(ZENDESK).into_iter().find(|ticket| ticket.id == ids[number]);
            ticket.expect("a ticket").comments[1].id.clone()
        };
        let (hidden, redacted) = (at_fault(0), at_fault(1));
        until_it_dies(&mut past, ZENDESK, 1).await;
        let cursor = backfill_row(&past, ZENDESK).await.cursor.expect("a resume point");
        assert!(cursor.0.starts_with("tickets:"), "the comments were read, the tickets were not: {cursor:?}");
        past.act(ZENDESK, HumanAct::Hide { ticket: ids[0].clone(), comment: hidden });
        past.act(ZENDESK, HumanAct::Redact { ticket: ids[1].clone(), comment: redacted });
        past.sleep(Duration::from_secs(600)).await;
        let before = past.served();
        let engine = past.engine(None).await;
        engine.start_queue();
        engine.take_in_history().await.expect("a history");
        past.drain(&engine).await;
        engine.shutdown(Duration::from_secs(5)).await;
        let mirror = |subject: &str| {
            past.tickets(FRESHDESK).into_iter().find(|ticket| ticket.subject == subject).expect("a mirror")
        };
        let comment = |subject: &str| {
            let mirror = mirror(subject);
            assert_eq!(mirror.comments.len(), 3, "{mirror:?}");
            mirror.comments[1].clone()
        };
        assert!(comment("As it was").public);
        assert!(!comment("Hidden").public, "what was hidden is public again");
        assert!(!comment("Redacted").text.contains("Message 0"), "what was redacted is there again");
        let listed = |served: &BTreeMap<String, u64>| -> u64 {
            let lists = served
                .iter()
                .filter(|(pattern, _)| pattern.starts_with("zendesk GET") && pattern.contains("comments"));
            lists.map(|(_, count)| count).sum()
        };
        let lists = listed(&past.served()) - listed(&before);
        assert_eq!(lists, 2, "what did not change is taken from what was read in bulk");
        assert_settled(&mut past).await;
    });
}

#[test]
fn a_long_past_of_long_messages_is_taken_in() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(FRESHDESK), 20);
        let many: Vec<(Who, bool)> = (0..400).map(|number| (agent(), number % 3 > 0)).collect();
        past.talk(FRESHDESK, 0, "Many", &many).await;
        let ticket = past.talk(FRESHDESK, 1, "Long", &[]).await;
        for number in 0..8 {
            let html = format!("<p><b>Part {number}</b> {}</p>", "of a long story, ".repeat(230));
            let (ticket, files) = (ticket.clone(), Vec::new());
            past.act(FRESHDESK, HumanAct::SayRich { ticket, who: agent(), html, public: true, files });
            past.sleep(Duration::from_secs(2)).await;
        }
        past.sleep(Duration::from_secs(30 * 86_400)).await;
        let mails = past.mails();
        let engine = past.engine(None).await;
        engine.start_queue();
        let order = BackfillOrder { accounts: Vec::new(), since: None, restart: false };
        engine.order_backfill(&order).await.expect("an order");
        engine.take_in_history().await.expect("a history");
        // Zendesk takes thirty updates of a ticket in ten minutes.
        past.sleep(Duration::from_secs(4 * 3_600)).await;
        past.drain(&engine).await;
        assert_eq!(engine.parked().await.expect("rows"), []);
        engine.shutdown(Duration::from_secs(5)).await;
        assert_mirrored(&past, FRESHDESK, ZENDESK);
        assert_imported(&past);
        assert_eq!(past.mails(), mails);
    });
}

#[test]
fn a_page_that_shifts_while_the_daemon_is_down_loses_no_ticket() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(ZENDESK), 20);
        old_tickets(&past, ZENDESK).await;
        let mut commits = 1;
        while commits == 1 || backfill_row(&past, ZENDESK).await.page_done == 0 {
            until_it_dies(&mut past, ZENDESK, commits).await;
            commits += 20;
        }
        let done = backfill_row(&past, ZENDESK).await.page_done;
        assert!(done > 0 && past.tickets(FRESHDESK).len() < OLD, "it died within the page");
        // The export goes by change: these come last now, and the others take their places.
        let mut all = past.tickets(ZENDESK);
        all.sort_by_key(|ticket| ticket.created_at);
        for ticket in &all[..usize::try_from(done).expect("few") - 1] {
            let act =
                HumanAct::Tag { ticket: ticket.id.clone(), add: vec!["late".to_owned()], remove: vec![] };
            past.act(ZENDESK, act);
        }
        past.sleep(Duration::from_secs(600)).await;
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.shutdown(Duration::from_secs(5)).await;
        assert_mirrored(&past, ZENDESK, FRESHDESK);
        let row = backfill_row(&past, ZENDESK).await;
        assert_eq!((row.looked, row.parked), (OLD as u64, 0), "each counts once");
    });
}

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
        assert_eq!(ids(parked_doubts(&engine).await), [of_f2.clone()]);
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

/// The id of an agent at a helpdesk.
async fn agent_at(engine: &Engine, desk: &str, name: &str) -> String {
    let helpdesk = engine.parts().desks[&handoffd_core::AccountId::new(desk)].helpdesk.clone();
    let deadline = engine.parts().clock.now().plus(Duration::from_secs(60));
    let catalog = helpdesk.catalog(Call { lane: Lane::Live, deadline }).await.expect("a catalog");
    let agent = catalog.agents.iter().find(|agent| agent.name == name);
    agent.unwrap_or_else(|| panic!("{name} is not among {:?}", catalog.agents)).id.to_string()
}

/// Whose name stands on each message of the ticket with this subject.
fn names(past: &Past, desk: &str, subject: &str) -> Vec<String> {
    let ticket = past.tickets(desk).into_iter().find(|one| one.subject == subject).expect("a ticket");
    ticket.comments.into_iter().map(|one| one.author).collect()
}

#[test]
fn agents_are_who_they_are_in_what_is_imported_and_in_what_is_written() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        for desk in DESKS {
            let said = [(agent(), true), (Who::Customer, true), (agent(), false)];
            past.talk(desk, 0, &format!("From {desk}"), &said).await;
        }
        past.sleep(Duration::from_secs(86_400)).await;
        let asker = past.engine(None).await;
        let mut places = BTreeMap::new();
        for desk in DESKS {
            places.insert(desk.to_owned(), agent_at(&asker, desk, "Mara").await);
        }
        past.config.groups.get_mut("support").expect("the group").agents =
            BTreeMap::from([("mara".to_owned(), places)]);
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.shutdown(Duration::from_secs(5)).await;
        for (from, to) in [(ZENDESK, FRESHDESK), (FRESHDESK, ZENDESK)] {
            let subject = format!("From {from}");
            assert_eq!(names(&past, to, &subject), names(&past, from, &subject), "{from}");
            let mirror = past.tickets(to).into_iter().find(|one| one.subject == subject).expect("a mirror");
            let last = mirror.comments.last().expect("a note");
            assert!(!last.text.contains("(agent)"), "who is known needs no byline: {}", last.text);
        }
        assert_settled(&mut past).await;
    });
}

#[test]
fn a_past_with_files_is_imported_whole() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(FRESHDESK), 20);
        past.config.engine.attachment_bytes_max = 1_000;
        let ticket = past.talk(FRESHDESK, 0, "With files", &[]).await;
        for number in 0..4_u8 {
            past.sleep(Duration::from_secs(60)).await;
            let len = if number == 2 { 1_001 } else { 100 };
            let bytes = vec![number; len];
            let name = format!("file {number}.bin");
            let files = vec![SimFile { name, content_type: "application/octet-stream".to_owned(), bytes }];
            let (ticket, html) = (ticket.clone(), format!("<p>Message {number}</p>"));
            past.act(FRESHDESK, HumanAct::SayRich { ticket, who: agent(), html, public: number != 1, files });
        }
        past.sleep(Duration::from_secs(86_400)).await;
        let (before, mails) = (past.served(), past.mails());
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.shutdown(Duration::from_secs(5)).await;
        let original = past.tickets(FRESHDESK).into_iter().next().expect("the original");
        let mirror = past.tickets(ZENDESK).into_iter().next().expect("the mirror");
        assert_eq!(mirror.comments.len(), 5);
        for (mine, theirs) in mirror.comments.iter().zip(&original.comments) {
            assert_eq!((mine.at.as_secs(), mine.public), (theirs.at.as_secs(), theirs.public));
            let bytes = |one: &handoffd_connectors::sim::ShownComment| {
                one.files.iter().map(|file| file.bytes.clone()).collect::<Vec<_>>()
            };
            if mine.text.contains("Message 2") {
                assert!(mine.files.is_empty() && mine.text.contains("attachment not copied: file 2.bin"));
            } else {
                assert_eq!(bytes(mine), bytes(theirs), "{}", mine.text);
            }
        }
        let wrote = |pattern: &str| {
            let count = |all: &BTreeMap<String, u64>| {
                all.iter().filter(|(name, _)| name.contains(pattern)).map(|(_, count)| count).sum::<u64>()
            };
            count(&past.served()) - count(&before)
        };
        assert_eq!(wrote("zendesk POST /imports/tickets"), 1, "{:?}", past.served());
        assert_eq!(wrote("zendesk PUT /tickets"), 0, "nothing follows: {:?}", past.served());
        assert_eq!(past.mails(), mails);
        assert_settled(&mut past).await;
    });
}

#[test]
fn files_arrive_whole_and_what_is_too_large_is_named() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        past.config.engine.attachment_bytes_max = 1_000;
        let mut ids = Vec::new();
        for desk in DESKS {
            ids.push(past.talk(desk, 0, &format!("Files from {desk}"), &[]).await);
        }
        let engine = past.engine(None).await;
        engine.start_queue();
        past.backfill(&engine, false).await;
        engine.start();
        let file = |name: &str, count: u16| SimFile {
            name: name.to_owned(),
            content_type: "application/pdf".to_owned(),
            bytes: (0..count).map(|byte| byte as u8).collect(),
        };
        for (desk, ticket) in DESKS.iter().zip(ids) {
            let files = vec![file("small.pdf", 900), file("large.pdf", 1_100)];
            let html = "<p>See the <b>files</b>.</p>".to_owned();
            past.act(desk, HumanAct::SayRich { ticket, who: agent(), html, public: true, files });
        }
        past.sleep(Duration::from_secs(400)).await;
        for (from, to) in [(ZENDESK, FRESHDESK), (FRESHDESK, ZENDESK)] {
            let subject = format!("Files from {from}");
            let mirror = past.tickets(to).into_iter().find(|one| one.subject == subject).expect("a mirror");
            let said = mirror.comments.last().expect("the message");
            assert!(said.text.contains("See the files."), "{from}: {said:?}");
            assert_eq!(said.files.len(), 1, "{from}: {}", said.text);
            assert_eq!(said.files[0].name, "small.pdf");
            assert_eq!(said.files[0].bytes, file("small.pdf", 900).bytes, "{from}");
            assert!(said.text.contains("attachment not copied: large.pdf"), "{from}: {}", said.text);
        }
        engine.shutdown(Duration::from_secs(5)).await;
    });
}
