//! What the rules of a link group keep at home.

use std::time::Duration;

use handoffd_connectors::sim::HumanAct;
use handoffd_core::Field;

use crate::{
    past::{Past, run},
    world::{DESKS, FRESHDESK, ZENDESK},
};

/// Tickets that bear `internal` stay where they are; the tag itself travels nowhere.
fn with_internal_tickets() -> Past {
    let mut past = Past::new(["unlimited", "unlimited"], None, 20);
    let group = past.config.groups.get_mut("support").expect("the group");
    let tags = "[transform.zendesk]\nread = [\"without:internal\"]\n\
        [transform.freshdesk]\nread = [\"only:vip,travels\"]\n";
    group.fields.insert(Field::Tags, toml::from_str(tags).expect("a field"));
    for route in &mut group.routes {
        route.when.tags_none.insert("internal".to_owned());
    }
    past
}

#[test]
fn a_tag_that_a_transform_holds_back_keeps_its_ticket_back_all_the_same() {
    run(async {
        let mut past = with_internal_tickets();
        for (number, desk) in DESKS.into_iter().enumerate() {
            for subject in ["Internal", "Open to all"] {
                let ticket = past.talk(desk, number, &format!("{subject} at {desk}"), &[]).await;
                if subject == "Internal" {
                    let add = vec!["internal".to_owned(), "travels".to_owned()];
                    past.act(desk, HumanAct::Tag { ticket, add, remove: Vec::new() });
                }
            }
        }
        let engine = past.engine(None).await;
        engine.start();
        past.sleep(Duration::from_secs(3_600)).await;
        engine.shutdown(Duration::from_secs(5)).await;
        for (desk, other) in [(ZENDESK, FRESHDESK), (FRESHDESK, ZENDESK)] {
            let mut shown: Vec<String> = past.tickets(desk).into_iter().map(|one| one.subject).collect();
            shown.sort();
            let expected = [
                format!("Internal at {desk}"),
                format!("Open to all at {desk}"),
                format!("Open to all at {other}"),
            ];
            let mut expected = expected.to_vec();
            expected.sort();
            assert_eq!(shown, expected, "{desk}");
        }
    });
}
