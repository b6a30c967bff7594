//! Work that is put off is left over, and said.

use std::time::Duration;

use handoffd::store::{Commit, Store, tables::Wake};
use handoffd_connectors::sim::{HumanAct, Who};
use handoffd_core::{TicketKey, Timestamp};

use crate::{
    past::{Past, run},
    world::ZENDESK,
};

#[test]
fn what_is_put_off_is_left_and_what_is_done_is_not() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        let ticket = past.talk(ZENDESK, 0, "Left", &[(Who::Agent("Mara".to_owned()), true)]).await;
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(400)).await;
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = past.engine(None).await;
        assert_eq!(engine.left().await.expect("rows"), [], "at rest");
        let later = past.clock.now().plus(Duration::from_secs(900));
        let key = TicketKey::new(ZENDESK, ticket);
        let job = Wake::Ticket { ticket: key.clone(), cause: "poll".to_owned() }.job("x", later);
        past.store.commit(Commit { jobs: vec![job], ..Commit::default() }).await.expect("stored");
        let left = engine.left().await.expect("rows");
        assert_eq!(left.len(), 1);
        assert_eq!((left[0].what.clone(), left[0].due), (key.to_string(), later));
    });
}

#[test]
fn a_conversation_that_waits_for_its_handoffs_own_time_is_at_rest() {
    run(async {
        let mut past = Past::new(["unlimited", "unlimited"], None, 20);
        let open = HumanAct::Open {
            name: "Dana Reyes".to_owned(),
            email: "dana@example.com".to_owned(),
            subject: "Handed over".to_owned(),
            text: "Please help me with this.".to_owned(),
            to_bot: true,
        };
        let ticket = past.act(ZENDESK, open);
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(400)).await;
        past.act(ZENDESK, HumanAct::Assign { ticket, to: Some(Who::Agent("Mara".to_owned())) });
        past.sleep(Duration::from_secs(400)).await;
        engine.shutdown(Duration::from_secs(5)).await;
        let engine = past.engine(None).await;
        let due = engine.next_due().await.unwrap_or(Timestamp(0));
        assert!(due > past.clock.now(), "the handoff expires by itself: {due}");
        assert_eq!(engine.left().await.expect("rows"), []);
    });
}
