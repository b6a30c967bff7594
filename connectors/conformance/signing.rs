//! Signing in, settings, and probes.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::bench::{Bench, NOW, Net, Terms, account, connector, parts};
use crate::{
    client::{
        TokioClock,
        oauth::{Grant, request_token},
    },
    contract::{
        AccountSetup, AuthMethod, AuthSpec, Connector, Credentials, Error, Helpdesk, OAuthClient, Opened,
        Secret,
    },
    sim::{SimSetup, faults::Faults, world::World},
};

/// The credentials of a method among those that a simulator names; `None` where it lacks them.
pub fn credentials(method: AuthMethod, named: &Json) -> Option<Credentials> {
    let text = |name: &str| named.get(name).and_then(Json::as_str).map(str::to_owned);
    let secret = |name: &str| text(name).map(Secret::new);
    let client = || {
        let (client_id, client_secret) = (text("client_id")?, secret("client_secret")?);
        Some(OAuthClient { client_id, client_secret, scopes: vec!["read".to_owned(), "write".to_owned()] })
    };
    Some(match method {
        AuthMethod::ApiToken => Credentials::ApiToken { email: text("email")?, token: secret("api_token")? },
        AuthMethod::ApiKey => Credentials::ApiKey { key: secret("api_key")? },
        AuthMethod::Bearer => {
            Credentials::Bearer { token: secret("access_token").or_else(|| secret("api_key"))? }
        }
        AuthMethod::ClientCredentials => Credentials::ClientCredentials(client()?),
        AuthMethod::RefreshToken => {
            Credentials::RefreshToken { client: client()?, refresh_token: secret("refresh_token")? }
        }
    })
}

/// The `Authorization` value that a method gives, by way of the token endpoint where it needs one.
pub async fn header(
    spec: &AuthSpec,
    method: AuthMethod,
    world: &World,
    net: &Net,
    clock: &TokioClock,
) -> Secret {
    let named = world.with(&account(), |sim, _| sim.credentials()).unwrap();
    let given = credentials(method, &named)
        .unwrap_or_else(|| panic!("the simulator has no credentials for {method:?}"));
    let (client, grant) = match &given {
        Credentials::ClientCredentials(client) => (client, Grant::ClientCredentials),
        Credentials::RefreshToken { client, refresh_token } => {
            (client, Grant::Refresh(refresh_token.clone()))
        }
        _ => return (spec.header)(&given).unwrap_or_else(|| panic!("no header for {method:?}")),
    };
    let oauth = spec.oauth.expect("who has OAuth methods has a token endpoint");
    let base_url = world.base_url(&account()).unwrap();
    let tokens = request_token(net, clock, &base_url, &oauth, client, grant).await.unwrap();
    (spec.header)(&Credentials::Bearer { token: tokens.access }).expect("a token is borne")
}

/// The `Authorization` value of a credential that does not run out.
pub async fn any_header(name: &str, world: &World, net: &Net, clock: &TokioClock) -> Secret {
    let spec = connector(name).auth();
    let lasting = [AuthMethod::ApiKey, AuthMethod::Bearer, AuthMethod::ApiToken];
    let method = lasting.into_iter().find(|method| spec.methods.contains(method));
    header(&spec, method.unwrap_or(spec.methods[0]), world, net, clock).await
}

async fn signs_in(desk: &dyn Helpdesk, bench: &Bench) -> Result<String, Error> {
    desk.probe(bench.call_of(30)).await.map(|probe| probe.identity)
}

/// Each method of the vendor's.
pub async fn every_way_of_signing_in_opens_the_account(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let spec = connector(terms.name).auth();
    assert!(!spec.methods.is_empty());
    let mut identities = Vec::new();
    for method in spec.methods {
        let header = header(&spec, *method, &bench.world, &bench.net, &bench.clock).await;
        let identity = signs_in(&*bench.with_header(header, None), &bench).await;
        identities.push(identity.unwrap_or_else(|why| panic!("{method:?}: {why}")));
    }
    assert!(identities.iter().all(|identity| *identity == identities[0]), "{identities:?}");
}

/// A credential that is not ours.
pub async fn a_wrong_credential_is_refused(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let ticket = bench.ticket("Hello");
    let spec = connector(terms.name).auth();
    for header in wrong_headers(&spec, &bench.sim(|sim| sim.credentials())) {
        let desk = bench.with_header(header, None);
        let probed = signs_in(&*desk, &bench).await;
        assert!(matches!(probed, Err(Error::Unauthorized { .. })), "{probed:?}");
        let fetched = desk.fetch_many(bench.call_of(30), std::slice::from_ref(&ticket)).await;
        assert!(matches!(fetched, Err(Error::Unauthorized { .. })), "{fetched:?}");
        let said = probed.unwrap_err().to_string();
        assert!(!said.contains("wr0ng-s3cret"), "{said}");
    }
}

/// A header of each method that needs no token endpoint, with a wrong secret.
fn wrong_headers(spec: &AuthSpec, named: &Json) -> Vec<Secret> {
    let mut named = named.as_object().cloned().unwrap_or_default();
    for (name, value) in &mut named {
        if name != "email" {
            *value = Json::from("wr0ng-s3cret-0000");
        }
    }
    let named = Json::Object(named);
    let given = spec.methods.iter().filter_map(|method| credentials(*method, &named));
    given.filter_map(|given| (spec.header)(&given)).collect()
}

/// A credential that ends while it is in use; a new one does.
pub async fn an_expired_credential_is_refused(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let spec = connector(terms.name).auth();
    let mut refused = 0;
    for method in spec.methods {
        let sign = || header(&spec, *method, &bench.world, &bench.net, &bench.clock);
        let desk = bench.with_header(sign().await, None);
        signs_in(&*desk, &bench).await.unwrap();
        bench.sim(|sim| sim.expire_tokens());
        match signs_in(&*desk, &bench).await {
            // What has no end does not expire.
            Ok(_) => {}
            Err(Error::Unauthorized { .. }) => refused += 1,
            Err(other) => panic!("{method:?}: {other}"),
        }
        signs_in(&*bench.with_header(sign().await, None), &bench).await.unwrap();
    }
    assert!(refused > 0, "no credential of {} expires", terms.name);
}

/// The suggested settings fit the simulated account.
pub async fn a_probe_names_us_and_writes_nothing(terms: &'static Terms) {
    let bench = Bench::open(terms).await;
    let before = bench.sim(|sim| (sim.requests_served(), sim.tickets()));
    let probe = bench.desk.probe(bench.call()).await.unwrap();
    assert!(!probe.identity.trim().is_empty());
    assert_eq!(probe.problems, []);
    let after = bench.sim(|sim| (sim.requests_served(), sim.tickets()));
    assert_eq!(before.1, after.1);
    let fresh: BTreeMap<_, _> =
        after.0.iter().filter(|(what, count)| before.0.get(*what) != Some(count)).collect();
    // A search is a read, though some vendors take it by POST.
    let reads = |what: &String| what.starts_with("GET ") || what.ends_with("/search");
    assert!(!fresh.is_empty() && fresh.keys().all(|what| reads(what)), "{fresh:?}");
}

/// An account that lacks what the settings want.
pub async fn a_probe_finds_what_is_missing(terms: &'static Terms) {
    let bench = Bench::open_with(terms, terms.lacking).await;
    let probe = bench.desk.probe(bench.call()).await.unwrap();
    assert!(!probe.problems.is_empty(), "it lacks {}", terms.lacking);
    for problem in probe.problems {
        assert!(!problem.what.trim().is_empty() && !problem.remedy.trim().is_empty(), "{problem:?}");
    }
}

/// A typing error in the settings is told by its place.
pub async fn unknown_settings_are_named(terms: &'static Terms) {
    let clock = TokioClock::starting_at(NOW);
    let world = World::new(1, std::sync::Arc::new(clock));
    let setup = SimSetup { seed: 1, plan: "unlimited".to_owned(), now: NOW };
    world.add(account(), terms.start(setup), Faults::none());
    let net = Net::of(&world);
    let error =
        open_with_settings(connector(terms.name), &net, &clock, serde_json::json!({"no_such_key": 1}));
    assert!(error.contains("accounts.desk.settings.no_such_key"), "{error}");
    let error = open_with_settings(connector(terms.name), &net, &clock, serde_json::json!("text"));
    assert!(error.contains("accounts.desk.settings"), "{error}");
}

fn open_with_settings(
    connector: &dyn Connector,
    net: &std::sync::Arc<Net>,
    clock: &TokioClock,
    settings: Json,
) -> String {
    let base_url = "https://desk.sim".parse().unwrap();
    let setup = AccountSetup { id: account(), base_url, webhook_secret: None, settings, custom: Vec::new() };
    match connector.open(setup, parts(net, clock, Secret::new("x"))) {
        Ok(Opened::Helpdesk(_) | Opened::ContextSource(_)) => panic!("it opens"),
        Err(bad) => bad.to_string(),
    }
}
