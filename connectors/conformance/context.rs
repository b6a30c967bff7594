//! The checks of context sources.

use std::{collections::BTreeSet, time::Duration};

use handoffd_core::{FactKey, FactValue, Resolved, Subject};

use super::{
    bench::{Hits, account, connector},
    shop::{Goods, Shop, about, subject, unknown},
    signing,
};
use crate::{
    client::Clock as _,
    contract::{Error, Secret},
    sim::faults::Faults,
};

const MIA: &str = "mia@example.test";

/// Nobody has the address, or there is none.
pub async fn nobody_is_found(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.customer, "somebody@example.test").await;
    assert_eq!(shop.resolve(MIA).await.unwrap(), Resolved::None);
    for email in [None, Some(String::new()), Some("  ".to_owned()), Some("' OR email:'somebody".to_owned())] {
        let nobody = Subject { email: email.clone(), name: Some("Mia".to_owned()) };
        let found = shop.source.resolve(shop.call_of(60), &nobody).await;
        assert!(matches!(found, Ok(Resolved::None) | Err(Error::Refused { .. })), "{email:?}: {found:?}");
    }
}

/// By the address.
pub async fn one_is_found(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.customer, "somebody@example.test").await;
    let id = shop.fill(goods.customer, MIA).await;
    let found = shop.one(MIA).await;
    assert_eq!(found.id, id);
    assert!(!found.label.trim().is_empty() && !found.rule.trim().is_empty(), "{found:?}");
    assert_eq!(shop.one("  mia@example.test ").await.id, id);
}

/// Neither of the asked nor of the stored address.
pub async fn letter_case_does_not_matter(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    let lower = shop.fill(goods.customer, MIA).await;
    let mixed = shop.fill(goods.customer, "Max@Example.Test").await;
    shop.clock.sleep_until(shop.clock.now().plus(Duration::from_secs(120))).await;
    assert_eq!(shop.one("MIA@EXAMPLE.TEST").await.id, lower);
    assert_eq!(shop.one("max@example.test").await.id, mixed);
}

/// A tie is shown.
pub async fn several_are_told_and_none_is_guessed(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    let ids = BTreeSet::from([shop.fill(goods.customer, MIA).await, shop.fill(goods.debtor, MIA).await]);
    let Resolved::Ambiguous(tie) = shop.resolve(MIA).await.unwrap() else { panic!("two tie") };
    assert_eq!(tie.into_iter().map(|found| found.id).collect::<BTreeSet<_>>(), ids);
}

/// A deleted one is not found, and neither makes a tie nor has facts.
pub async fn deleted_customers_do_not_count(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    let gone = shop.fill(goods.customer, MIA).await;
    let found = shop.one(MIA).await;
    shop.fill(&[goods.delete], &gone).await;
    assert_eq!(shop.resolve(MIA).await.unwrap(), Resolved::None);
    assert_eq!(shop.facts(&found).await.unwrap_err(), Error::Gone);
    let stays = shop.fill(goods.customer, MIA).await;
    assert_eq!(shop.one(MIA).await.id, stays);
}

/// The plan, the open invoice and the failed payment, in each shape of the API.
pub async fn facts_tell_what_is_paid_and_owed(goods: &'static Goods) {
    assert!(!goods.shapes.is_empty());
    for shape in goods.shapes {
        let shop = Shop::open_with(goods, shape).await;
        shop.fill(goods.debtor, MIA).await;
        let facts = shop.facts(&shop.one(MIA).await).await.unwrap();
        assert!(facts.iter().all(|fact| fact.source == account() && !fact.record.is_empty()), "{shape}");
        assert!(facts.iter().all(|fact| fact.fetched_at <= shop.clock.now() && unknown(fact).is_none()));
        let plans = about(&facts, FactKey::Plan);
        assert!(
            matches!(&plans[..], [plan] if matches!(&plan.value, FactValue::Text(t) if t.contains(goods.plan)))
        );
        let owed = FactValue::Money { minor: goods.owed.0, currency: goods.owed.1.to_owned() };
        for key in [FactKey::OpenInvoice, FactKey::FailedPayment] {
            let told = about(&facts, key);
            assert!(matches!(&told[..], [fact] if fact.value == owed), "{shape}: {key:?}: {told:?}");
        }
        assert_eq!(about(&facts, FactKey::Customer).len(), 1, "{shape}");
    }
}

/// Nothing is said that nobody knows.
pub async fn facts_of_a_quiet_customer_claim_nothing(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.debtor, "somebody@example.test").await;
    shop.fill(goods.customer, MIA).await;
    let facts = shop.facts(&shop.one(MIA).await).await.unwrap();
    assert_eq!(about(&facts, FactKey::Customer).len(), 1);
    for fact in facts {
        assert!(!matches!(fact.value, FactValue::Money { .. }), "somebody else's: {fact:?}");
    }
}

/// What the credential may not is named, and the rest is told.
pub async fn a_missing_permission_is_named(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.debtor, MIA).await;
    let (name, lacks) = goods.restricted;
    let key = shop.sim(|sim| sim.credentials()[name].as_str().expect("the simulator has it").to_owned());
    let named = serde_json::json!({"api_key": key});
    let spec = connector(goods.name).auth();
    let given = spec.methods.iter().find_map(|method| signing::credentials(*method, &named)).unwrap();
    let source = shop.with_header((spec.header)(&given).unwrap());
    let Resolved::One(found) = source.resolve(shop.call_of(60), &subject(MIA)).await.unwrap() else {
        panic!("one is found")
    };
    let facts = source.fetch(shop.call_of(60), &found).await.unwrap();
    assert_eq!(about(&facts, FactKey::Plan).len(), 1, "what it may is told: {facts:?}");
    let reasons: Vec<&str> = facts.iter().filter_map(unknown).collect();
    assert!(reasons.iter().any(|why| why.contains(lacks)), "{facts:?}");
    let problems = source.probe(shop.call_of(60)).await.unwrap().problems;
    assert!(problems.iter().any(|problem| problem.what.contains(lacks)), "{problems:?}");
    assert!(!format!("{facts:?} {problems:?}").contains(&key), "the key is not told");
}

/// A handoff does not wait for longer than it may.
pub async fn a_throttled_call_says_when(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.customer, MIA).await;
    let found = shop.one(MIA).await;
    let throttled = Faults { throttled: 1_000, retry_after_secs: 30..=30, ..Faults::none() };
    shop.net.trouble(Some((Hits::Every, throttled.clone())));
    let started = shop.clock.now();
    for failed in [
        shop.source.resolve(shop.call_of(4), &subject(MIA)).await.map(|_| ()),
        shop.source.fetch(shop.call_of(4), &found).await.map(|_| ()),
    ] {
        let Err(Error::Throttled { retry_at }) = failed else { panic!("{failed:?}") };
        assert!(retry_at >= started.plus(Duration::from_secs(30)), "{retry_at}");
    }
    assert!(shop.clock.now() <= started.plus(Duration::from_secs(8)));
    shop.clock.sleep_until(shop.clock.now().plus(Duration::from_secs(120))).await;
    shop.net.trouble(Some((Hits::Next, throttled)));
    assert_eq!(shop.one(MIA).await, found, "who has time gets it");
}

/// Once is forgiven; always is a passing failure.
pub async fn a_failing_vendor_is_asked_again(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.debtor, MIA).await;
    let found = shop.one(MIA).await;
    let whole = shop.facts(&found).await.unwrap();
    let faults = [
        Faults { error_before: 1_000, ..Faults::none() },
        Faults { lost: 1_000, ..Faults::none() },
        Faults { refused: 1_000, ..Faults::none() },
    ];
    for faults in faults {
        shop.net.trouble(Some((Hits::Next, faults.clone())));
        assert_eq!(shop.one(MIA).await, found);
        shop.net.trouble(Some((Hits::Next, faults.clone())));
        let facts = shop.facts(&found).await.unwrap();
        assert_eq!(
            facts.iter().map(|fact| &fact.value).collect::<Vec<_>>(),
            whole.iter().map(|fact| &fact.value).collect::<Vec<_>>()
        );
        shop.net.trouble(Some((Hits::Every, faults)));
        let failed = shop.resolve(MIA).await;
        assert!(matches!(failed, Err(Error::Transient { .. })), "{failed:?}");
        let failed = shop.facts(&found).await;
        assert!(matches!(failed, Err(Error::Transient { .. })), "{failed:?}");
        shop.net.trouble(None);
    }
}

/// An answer that is none.
pub async fn garbage_is_malformed(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.debtor, MIA).await;
    let found = shop.one(MIA).await;
    for body in ["", "<html>hello</html>", "7", "\"text\"", "[[[[", "{\"data\": 7, \"id\": {}}"] {
        shop.net.garble(Some(body));
        let resolved = shop.resolve(MIA).await;
        assert!(matches!(resolved, Err(Error::Malformed { .. })), "{body:?}: {resolved:?}");
        let facts = shop.facts(&found).await;
        assert!(matches!(facts, Err(Error::Malformed { .. })), "{body:?}: {facts:?}");
        shop.net.garble(None);
    }
}

/// A newer API says more.
pub async fn fields_nobody_knows_do_no_harm(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.debtor, MIA).await;
    let found = shop.one(MIA).await;
    let known = shop.facts(&found).await.unwrap();
    shop.net.add_fields(true);
    assert_eq!(shop.one(MIA).await, found);
    assert_eq!(shop.facts(&found).await.unwrap(), known);
}

/// Not ours, and not any more.
pub async fn a_wrong_key_is_refused(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.customer, MIA).await;
    let found = shop.one(MIA).await;
    let wrong = shop.with_header(Secret::new("Bearer wr0ng-s3cret-0000"));
    let failed = wrong.resolve(shop.call_of(60), &subject(MIA)).await;
    assert!(matches!(failed, Err(Error::Unauthorized { .. })), "{failed:?}");
    shop.sim(|sim| sim.expire_tokens());
    for failed in [
        shop.resolve(MIA).await.map(|_| ()),
        shop.facts(&found).await.map(|_| ()),
        shop.source.probe(shop.call_of(60)).await.map(|_| ()),
    ] {
        assert!(matches!(failed, Err(Error::Unauthorized { .. })), "{failed:?}");
    }
}

/// Each method of the vendor's.
pub async fn every_way_of_signing_in_opens_the_account(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    let id = shop.fill(goods.customer, MIA).await;
    let spec = connector(goods.name).auth();
    for method in spec.methods {
        let header = signing::header(&spec, *method, &shop.world, &shop.net, &shop.clock).await;
        let source = shop.with_header(header);
        let found = source.resolve(shop.call_of(60), &subject(MIA)).await.unwrap();
        assert!(matches!(&found, Resolved::One(found) if found.id == id), "{method:?}: {found:?}");
    }
}

/// The suggested settings fit the simulated account.
pub async fn a_probe_names_us_and_writes_nothing(goods: &'static Goods) {
    let shop = Shop::open(goods).await;
    shop.fill(goods.customer, MIA).await;
    let before = shop.sim(|sim| sim.requests_served());
    let probe = shop.source.probe(shop.call_of(60)).await.unwrap();
    assert!(!probe.identity.trim().is_empty());
    assert_eq!(probe.problems, []);
    let after = shop.sim(|sim| sim.requests_served());
    let fresh: Vec<_> = after.iter().filter(|(what, count)| before.get(*what) != Some(count)).collect();
    assert!(!fresh.is_empty() && fresh.iter().all(|(what, _)| what.starts_with("GET ")), "{fresh:?}");
}
