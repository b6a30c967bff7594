//! One account of a vendor that sells, and what a customer owes there.
//!
//! The simulators of context sources are filled over their own REST API, which
//! is the one thing that a vendor must say: who owes what, by which requests.

use std::sync::Arc;

use bytes::Bytes;
use handoffd_core::{Fact, FactKey, FactValue, Match, Resolved, Subject};
use serde_json::Value as Json;

use super::{
    bench::{NOW, Net, account, connector, parts},
    signing,
};
use crate::{
    client::{Clock as _, TokioClock},
    contract::{AccountSetup, Call, ContextSource, Error, Lane, Opened, Result, Secret},
    sim::{SimSetup, VendorSim, faults::Faults, world::World},
};

/// A request that fills the account: method, path, body. `{0}`, `{1}` … stand
/// for the ids that the requests before gave.
pub type Filling = (&'static str, &'static str, &'static str);

/// What the suite must be told of a vendor.
pub struct Goods {
    /// The connector's name.
    pub name: &'static str,
    /// The media type of the requests that fill it.
    pub media: &'static str,
    /// Makes the customer `{email}` who owes nothing.
    pub customer: &'static [Filling],
    /// Makes the customer `{email}` who pays for a plan, with a payment that failed.
    pub debtor: &'static [Filling],
    /// Deletes the customer `{id}`.
    pub delete: Filling,
    /// Settings for each shape of the vendor's API, as JSON.
    pub shapes: &'static [&'static str],
    /// The name of a credential that may not read everything, and what it lacks.
    pub restricted: (&'static str, &'static str),
    /// The name of the plan.
    pub plan: &'static str,
    /// What is owed, in minor units, and the currency.
    pub owed: (i64, &'static str),
}

/// One account that is open.
pub struct Shop {
    /// How it was opened.
    pub goods: &'static Goods,
    /// The adapter.
    pub source: Arc<dyn ContextSource>,
    /// The simulator behind the net.
    pub world: World,
    /// The net.
    pub net: Arc<Net>,
    /// The time.
    pub clock: TokioClock,
    settings: Json,
}

impl Shop {
    /// With the settings that the simulator suggests.
    pub async fn open(goods: &'static Goods) -> Self {
        Self::open_with(goods, "{}").await
    }

    /// With these settings beside the suggested ones.
    pub async fn open_with(goods: &'static Goods, more: &str) -> Self {
        let clock = TokioClock::starting_at(NOW);
        let sim =
            connector(goods.name).simulator(SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW });
        let mut settings = sim.suggested_settings();
        let more: serde_json::Map<String, Json> = serde_json::from_str(more).unwrap();
        settings.as_object_mut().expect("settings are a table").extend(more);
        let world = World::new(7, Arc::new(clock));
        world.add(account(), sim, Faults::none());
        let net = Net::of(&world);
        let header = signing::any_header(goods.name, &world, &net, &clock).await;
        let source = open_source(goods.name, &net, &world, &clock, &settings, header);
        Self { goods, source, world, net, clock, settings }
    }

    /// Another client of the same account.
    pub fn with_header(&self, header: Secret) -> Arc<dyn ContextSource> {
        open_source(self.goods.name, &self.net, &self.world, &self.clock, &self.settings, header)
    }

    /// Looks at the simulator.
    pub fn sim<T>(&self, look: impl FnOnce(&mut dyn VendorSim) -> T) -> T {
        self.world.with(&account(), |sim, _| look(sim)).unwrap()
    }

    /// Does the requests, and gives the first id that was made.
    pub async fn fill(&self, filling: &[Filling], email: &str) -> String {
        let header = signing::any_header(self.goods.name, &self.world, &self.net, &self.clock).await;
        let mut ids: Vec<String> = Vec::new();
        for (method, path, body) in filling {
            let fitted = |text: &str| {
                let mut text = text.replace("{email}", email).replace("{id}", email);
                for (at, id) in ids.iter().enumerate() {
                    text = text.replace(&format!("{{{at}}}"), id);
                }
                text
            };
            let request = http::Request::builder()
                .method(*method)
                .uri(format!("https://desk.sim{}", fitted(path)))
                .header("authorization", header.expose())
                .header("content-type", self.goods.media)
                .body(Bytes::from(fitted(body)))
                .unwrap();
            let now = self.clock.now();
            let answer = self.sim(|sim| sim.handle(request, now));
            let body: Json = serde_json::from_slice(answer.body()).unwrap();
            assert!(answer.status().is_success(), "{method} {path}: {body}");
            ids.push(body["id"].as_str().expect("what is made has an id").to_owned());
        }
        ids.into_iter().next().expect("something was made")
    }

    /// A call with a deadline so many seconds from now.
    pub fn call_of(&self, secs: u64) -> Call {
        Call { lane: Lane::Handoff, deadline: self.clock.now().plus(std::time::Duration::from_secs(secs)) }
    }

    /// Who has this address.
    pub async fn resolve(&self, email: &str) -> Result<Resolved> {
        self.source.resolve(self.call_of(60), &subject(email)).await
    }

    /// The one who has this address.
    pub async fn one(&self, email: &str) -> Match {
        match self.resolve(email).await.unwrap() {
            Resolved::One(found) => found,
            other => panic!("{other:?}"),
        }
    }

    /// What is known of a record.
    pub async fn facts(&self, found: &Match) -> Result<Vec<Fact>, Error> {
        self.source.fetch(self.call_of(60), found).await
    }
}

fn open_source(
    name: &str,
    net: &Arc<Net>,
    world: &World,
    clock: &TokioClock,
    settings: &Json,
    header: Secret,
) -> Arc<dyn ContextSource> {
    let base_url = world.base_url(&account()).unwrap();
    let setup = AccountSetup {
        id: account(),
        base_url,
        webhook_secret: None,
        settings: settings.clone(),
        custom: Vec::new(),
    };
    match connector(name).open(setup, parts(net, clock, header)) {
        Ok(Opened::ContextSource(source)) => source,
        Ok(Opened::Helpdesk(_)) => panic!("{name} is no context source"),
        Err(bad) => panic!("{bad}"),
    }
}

/// Somebody by address.
pub fn subject(email: &str) -> Subject {
    Subject { email: Some(email.to_owned()), name: Some("Mia".to_owned()) }
}

/// The facts about one thing.
pub fn about(facts: &[Fact], key: FactKey) -> Vec<&Fact> {
    facts.iter().filter(|fact| fact.key == key).collect()
}

/// Whether a fact says that something is not known, and why.
pub fn unknown(fact: &Fact) -> Option<&str> {
    let is_unknown = matches!(&fact.value, FactValue::Text(text) if text == "unknown");
    is_unknown.then(|| fact.detail.as_deref().unwrap_or_default())
}
