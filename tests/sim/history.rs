//! Histories are taken in: each conversation once, whole, silently.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use handoffd::{
    engine::{Engine, backfill::BackfillOrder, dry::DryRun},
    store::{
        Commit, Key, Seq,
        mem::{CrashSide, MemStore},
        tables::{self, BACKFILLS, BackfillPhase, BackfillRow},
    },
};
use handoffd_connectors::{
    contract::{Call, Lane},
    sim::{HumanAct, ShownTicket, SimFile, Who, faults::Faults},
};
use handoffd_core::{AccountId, TicketKey};

use crate::{
    past::{Past, run},
    world::{DESKS, FRESHDESK, ZENDESK},
};

const OLD: usize = 60;

pub(crate) fn agent() -> Who {
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
pub(crate) async fn assert_settled(past: &mut Past) {
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
        assert_eq!(past.tickets(ZENDESK).len(), 0, "the other side may hold it already");
        engine.take_in_history().await.expect("a history");
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
fn an_order_for_one_account_leaves_the_order_for_another_as_it_is() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        for desk in [ZENDESK, FRESHDESK] {
            past.talk(desk, 0, &format!("Of {desk}"), &[(agent(), true)]).await;
        }
        past.sleep(Duration::from_secs(3_600)).await;
        let engine = past.engine(None).await;
        for desk in [ZENDESK, FRESHDESK] {
            let order = BackfillOrder { accounts: vec![AccountId::new(desk)], since: None, restart: false };
            engine.order_backfill(&order).await.expect("an order");
        }
        engine.start_queue();
        engine.take_in_history().await.expect("a history");
        past.drain(&engine).await;
        engine.shutdown(Duration::from_secs(5)).await;
        for desk in [ZENDESK, FRESHDESK] {
            let row = backfill_row(&past, desk).await.expect("a row");
            assert!(row.taken_in && row.looked > 0, "{row:?}");
            assert_eq!(past.tickets(desk).len(), 2, "{desk}");
        }
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

async fn backfill_row(past: &Past, account: &str) -> Option<BackfillRow> {
    let key = Key::of(&[account]);
    let row = tables::read::<BackfillRow>(&*past.store, BACKFILLS, &key).await.expect("it can be read");
    row.map(|row| row.value)
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
        // Until the comments were read and the tickets were not.
        let is_read = |row: &BackfillRow| {
            row.cursor
                .as_ref()
                .is_some_and(|cursor| row.phase == BackfillPhase::Tickets && cursor.0.starts_with("tickets:"))
        };
        for deaths in 0.. {
            assert!(deaths < 20, "it does not get on: {:?}", backfill_row(&past, ZENDESK).await);
            // A page of an index is more than one commit.
            let indexed = match &backfill_row(&past, FRESHDESK).await {
                Some(row) => row.phase != BackfillPhase::Index,
                None => false,
            };
            until_it_dies(&mut past, ZENDESK, if indexed { 1 } else { 3 }).await;
            let row = backfill_row(&past, ZENDESK).await.expect("a row");
            assert_eq!(row.looked, 0, "{row:?}");
            if is_read(&row) {
                break;
            }
        }
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
        while commits == 1 || backfill_row(&past, ZENDESK).await.expect("a row").page_done == 0 {
            until_it_dies(&mut past, ZENDESK, commits).await;
            commits += 20;
        }
        let done = backfill_row(&past, ZENDESK).await.expect("a row").page_done;
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
        let row = backfill_row(&past, ZENDESK).await.expect("a row");
        assert_eq!((row.looked, row.parked), (OLD as u64, 0), "each counts once");
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
