//! Long conversations that their vendor merges, with a process that dies in between.

use std::{collections::BTreeMap, time::Duration};

use handoffd::store::{
    Key, Seq,
    mem::CrashSide,
    tables::{self, COPIES, LINKS},
};
use handoffd_connectors::sim::{HumanAct, Who};
use handoffd_core::{
    RemoteId, TicketKey,
    link::{CommentCopy, Link},
};

use crate::{
    past::{Past, run},
    world::{FRESHDESK, ZENDESK},
};

/// How many messages the conversation has that ends.
const LONG: usize = 300;

/// How often each text stands on a ticket.
fn texts(past: &Past, desk: &str, ticket: &RemoteId) -> BTreeMap<String, usize> {
    let shown = past.tickets(desk).into_iter().find(|one| one.id == *ticket).expect("the ticket");
    let mut counts = BTreeMap::new();
    for comment in shown.comments {
        *counts.entry(comment.text.trim().to_owned()).or_insert(0) += 1;
    }
    counts
}

fn mirror(past: &Past, subject: &str) -> RemoteId {
    let found = past.tickets(FRESHDESK).into_iter().find(|one| one.subject == subject);
    found.expect("a mirror").id
}

async fn rows<T: serde::de::DeserializeOwned>(past: &Past, table: handoffd::store::Table) -> Vec<Key> {
    let all = Key(Vec::new());
    let rows = tables::read_all::<T>(&*past.store, table, &all, usize::MAX).await.expect("rows");
    rows.into_iter().map(|(key, _)| key).collect()
}

#[test]
fn long_conversations_are_folded_whole_whenever_the_process_dies() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], Some(ZENDESK), 20);
        let said = vec![(Who::Agent("Mara".to_owned()), true); LONG];
        let ends = past.talk(ZENDESK, 0, "It ends", &said).await;
        let stays = past.talk(ZENDESK, 0, "It stays", &said[..120]).await;
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(1_800)).await;
        assert_eq!(engine.parked().await.expect("rows"), []);
        engine.shutdown(Duration::from_secs(5)).await;
        let (left, kept) = (mirror(&past, "It ends"), mirror(&past, "It stays"));
        assert_eq!(texts(&past, FRESHDESK, &left).len(), LONG + 1, "all is mirrored before");
        let before = texts(&past, FRESHDESK, &kept);
        past.act(ZENDESK, HumanAct::Merge { ticket: ends.clone(), into: stays.clone() });
        // It dies after its first commit, after its second, and so on until it gets through.
        for commits in 1..=24 {
            let engine = past.engine(None).await;
            let Seq(seq) = past.store.seq();
            let side = if commits % 2 == 0 { CrashSide::After } else { CrashSide::Before };
            past.store.crash_at(Seq(seq + commits), side);
            engine.start();
            past.sleep(Duration::from_secs(120)).await;
        }
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(3 * 3_600)).await;
        assert_eq!(engine.parked().await.expect("rows"), []);
        engine.shutdown(Duration::from_secs(5)).await;
        let links = rows::<Link>(&past, LINKS).await;
        assert_eq!(links.len(), 1, "two conversations are one");
        let of = |ticket: &RemoteId| TicketKey::new(ZENDESK, ticket.clone());
        let link = tables::link_of(&*past.store, &of(&stays)).await.expect("rows").expect("a link");
        assert_eq!(tables::link_of(&*past.store, &of(&ends)).await.expect("rows"), Some(link.clone()));
        let copies = rows::<CommentCopy>(&past, COPIES).await;
        assert!(copies.iter().all(|key| key.parts()[0] == link.as_str()), "nothing of the other is left");
        let after = texts(&past, FRESHDESK, &kept);
        let twice: Vec<_> = after.iter().filter(|(_, count)| **count > 1).collect();
        assert!(twice.is_empty(), "{twice:?}");
        let new = after.keys().filter(|text| !before.contains_key(*text)).count();
        assert!(new <= 3, "what stood on the other mirror is not written here again: {new}");
        for (desk, ticket) in [(ZENDESK, &stays), (ZENDESK, &ends), (FRESHDESK, &left)] {
            assert!(texts(&past, desk, ticket).values().all(|count| *count == 1), "{desk} {ticket}");
        }
    });
}
