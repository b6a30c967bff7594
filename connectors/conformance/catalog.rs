//! What an account has that mapping may name, and making what is missing.

use handoffd_core::{Field, FieldKind, Fields, RemoteId, Status, Value};

use super::{
    bench::{Bench, Terms, account, custom, custom_key, update},
    custom::{kinds, name_of, options},
};
use crate::{
    contract::{Catalog, Error, Provision},
    sim::{HumanAct, Who},
};

async fn catalog(bench: &Bench) -> Catalog {
    bench.desk.catalog(bench.call()).await.unwrap()
}

/// Fields with kinds and options, statuses, agents, teams; and nothing is changed by looking.
pub async fn the_catalog_names_what_mapping_may_name(terms: &'static Terms) {
    let mut bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    bench.say(&ticket, Who::Agent("Bo".to_owned()), "Words", true);
    let mut made = Vec::new();
    for (kind, ..) in kinds() {
        let act = HumanAct::MakeField { title: name_of(kind).to_owned(), kind, options: options(kind) };
        if let Ok(native) = bench.world.human(&account(), act) {
            made.push((native, kind));
        }
    }
    let status = bench.make_status("Waiting for parts", Status::Pending).await.ok();
    let before = bench.sim(|sim| sim.tickets());
    let found = catalog(&bench).await;
    assert_eq!(bench.sim(|sim| sim.tickets()), before);
    for (native, kind) in &made {
        let field = found.fields.iter().find(|field| field.native == native.as_str());
        let field = field.unwrap_or_else(|| panic!("{native} is not listed"));
        assert_eq!((field.kind, field.title.as_str()), (Some(*kind), name_of(*kind)));
        let mut listed = field.options.clone();
        let mut expected = options(*kind);
        listed.sort();
        expected.sort();
        assert_eq!(listed, expected, "{kind:?}");
    }
    for status in [Status::Open, Status::Pending, Status::Solved] {
        let defaults = found.statuses.iter().filter(|one| one.status == status && one.default).count();
        assert_eq!(defaults, 1, "{status:?} in {:?}", found.statuses);
    }
    let own = found.statuses.iter().find(|one| one.label == "Waiting for parts");
    assert_eq!(
        own.map(|one| (one.native.as_str(), one.status, one.default)),
        status.as_ref().map(|id| (id.as_str(), Status::Pending, false))
    );
    assert!(found.agents.iter().any(|agent| agent.name.contains("Bo")), "{:?}", found.agents);
    let with_mail =
        |agent: &crate::contract::CatalogOwner| agent.email.as_ref().is_some_and(|at| at.contains('@'));
    assert!(found.agents.iter().any(with_mail));
    let (_, bot_teams) = bench.sim(|sim| sim.bot_marks());
    assert!(!found.teams.is_empty());
    let lists = |id: &RemoteId| found.teams.iter().any(|team| team.id == *id);
    assert!(bot_teams.iter().all(lists), "{:?}", found.teams);
    let has_types = bench.desk.capabilities().fields.contains(&Field::Type);
    assert_eq!(found.types.is_empty(), !has_types, "{:?}", found.types);
}

/// Fields and statuses; what the vendor's API cannot make is refused, and nothing is made.
pub async fn what_is_missing_is_made(terms: &'static Terms) {
    let mut bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let mut made = Vec::new();
    for (kind, value, _) in kinds() {
        let before = catalog(&bench).await;
        let item =
            Provision::Field { native: format!("made_{}", name_of(kind)), kind, options: options(kind) };
        match bench.desk.provision(bench.call(), &item).await {
            Ok(native) => {
                let after = catalog(&bench).await;
                let field = after.fields.iter().find(|field| field.native == native).expect("it is listed");
                assert_eq!(field.kind, Some(kind));
                assert_eq!(after.fields.len(), before.fields.len() + 1);
                made.push((RemoteId(native), kind, value));
            }
            Err(Error::Refused { why }) => {
                assert!(!why.is_empty());
                assert_eq!(catalog(&bench).await, before);
            }
            Err(other) => panic!("{kind:?}: {other}"),
        }
    }
    let fields = made.iter().map(|(native, kind, _)| custom(name_of(*kind), native, *kind)).collect();
    bench.reopen_with(fields).await;
    for (at, (_, kind, value)) in made.into_iter().enumerate() {
        bench.wait(2).await;
        let set = Fields::from([(custom_key(name_of(kind)), Value::Typed(Some(value)))]);
        bench.apply(&update(&ticket, set.clone(), None, &format!("l0-{at}")), None).await;
        let seen = bench.get(&ticket).await;
        assert_eq!(seen.fields.get(&custom_key(name_of(kind))), set.values().next(), "{kind:?}");
    }
    let before = catalog(&bench).await;
    let item = Provision::Status { label: "Made by us".to_owned(), status: Status::Pending };
    match bench.desk.provision(bench.call(), &item).await {
        Ok(native) => {
            bench.wait(2).await;
            let detail = Value::StatusDetail { status: Status::Pending, detail: native };
            let set = Fields::from([(Field::Status, detail.clone())]);
            bench.apply(&update(&ticket, set, None, "l0-s"), None).await;
            assert_eq!(bench.get(&ticket).await.fields.get(&Field::Status), Some(&detail));
        }
        Err(Error::Refused { .. }) => assert_eq!(catalog(&bench).await, before),
        Err(other) => panic!("{other}"),
    }
    let strange = Provision::Field { native: String::new(), kind: FieldKind::Text, options: Vec::new() };
    let done = bench.desk.provision(bench.call(), &strange).await;
    assert!(matches!(done, Err(Error::Refused { .. })), "{done:?}");
}
