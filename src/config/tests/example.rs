//! `config/example.toml` is what it says it is: every option, with its default.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::BoxFuture;
use handoffd_connectors::{
    client::{ClientParts, Outgoing, SeededJitter, StaticAuthorizer, SystemClock, Transport, TransportError},
    connector,
    contract::{AccountSetup, Secret},
};
use handoffd_core::AccountId;
use toml::{Table, Value};

use super::*;

const EXAMPLE: &str = include_str!("../../../config/example.toml");
/// No key is anything like it.
const UNKNOWN: &str = "qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqq";

fn example() -> Table {
    EXAMPLE.parse().expect("the example is TOML")
}

/// The table at a path, of which a number is a place in an array.
fn at<'a>(table: &'a mut Table, path: &[&str]) -> &'a mut Table {
    path.iter().fold(table, |table, part| {
        let (name, index) = part.split_once('/').unwrap_or((part, ""));
        let value = table.get_mut(name).unwrap_or_else(|| panic!("the example has {path:?}"));
        let value = match value {
            Value::Array(items) => &mut items[index.parse::<usize>().expect("a number")],
            value => value,
        };
        value.as_table_mut().expect("a table")
    })
}

/// The names between back quotes.
fn quoted(words: &str) -> BTreeSet<String> {
    words.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Every key that the configuration knows at a path: what it says when it is given one that it does not.
fn known_at(path: &[&str]) -> BTreeSet<String> {
    let mut table = example();
    at(&mut table, path).insert(UNKNOWN.to_owned(), Value::Boolean(true));
    let text = toml::to_string(&table).expect("a table is TOML");
    let error = load_text("example.toml", &text, &[]).expect_err("nobody knows that key");
    let names = error.why.strip_prefix("there is no such key; known here: ");
    let names = names.unwrap_or_else(|| panic!("{path:?}: {error}"));
    names.split(", ").map(str::to_owned).collect()
}

fn keys_at(paths: &[&[&str]]) -> BTreeSet<String> {
    let mut table = example();
    paths.iter().flat_map(|path| at(&mut table, path).keys().cloned().collect::<Vec<_>>()).collect()
}

#[test]
fn the_example_loads() {
    let config = load_text("example.toml", EXAMPLE, &[]).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.accounts.len(), config.groups.len(), config.agents.len()), (4, 1, 1));
    assert_eq!(config.groups["support"].field_rules(&|_, _| false).len(), 8, "tags are kept out of step");
}

#[test]
fn the_other_ways_to_sign_in_load_too() {
    let lines: Vec<&str> = EXAMPLE.lines().collect();
    let live = lines.iter().position(|line| line.starts_with("auth = ")).expect("a way to sign in");
    let others: Vec<&str> = lines.iter().filter_map(|line| line.strip_prefix("# ")).collect();
    let others: Vec<&str> = others.into_iter().filter(|line| line.starts_with("auth = ")).collect();
    assert_eq!(others.len(), 3);
    for other in others {
        let mut lines = lines.clone();
        lines[live] = other;
        load_text("example.toml", &lines.join("\n"), &[]).unwrap_or_else(|error| panic!("{error}: {other}"));
    }
}

#[test]
fn the_example_shows_every_option() {
    let (zendesk, freshdesk, stripe) =
        (["accounts", "zendesk-main"], ["accounts", "freshdesk-eu"], ["accounts", "stripe"]);
    let group = ["groups", "support"];
    let auth = |account: [&'static str; 2]| [account[0], account[1], "auth"];
    let field = |name: &'static str| ["groups", "support", "fields", name];
    // The paths of one struct; the first of them is asked.
    let structs: &[&[&[&str]]] = &[
        &[&[]],
        &[&["server"]],
        &[&["store"]],
        &[&["vault"]],
        &[&["engine"]],
        &[&["engine", "poll"]],
        &[&["handoff"]],
        &[&["model"]],
        &[&["telemetry"]],
        &[&zendesk, &freshdesk, &stripe],
        &[&["accounts", "zendesk-main", "bots"]],
        &[&group],
        &[&["groups", "support", "join"]],
        &[&["groups", "support", "routes/0"]],
        &[&["groups", "support", "routes/0", "when"]],
        &[&field("status"), &field("priority"), &field("type"), &field("subject")],
        &[&["groups", "support", "fields", "subject", "transform", "freshdesk-eu"]],
        &[&["groups", "support", "custom", "plan"], &["groups", "support", "custom", "order_number"]],
        &[&["agents", "shop-assistant"]],
        &[&["agents", "shop-assistant", "webhook"]],
    ];
    for paths in structs {
        assert_eq!(keys_at(paths), known_at(paths[0]), "{:?}", paths[0]);
    }
    let shown = keys_at(&[&auth(zendesk), &auth(freshdesk), &auth(stripe)]);
    let other_ways: String = EXAMPLE.lines().filter(|line| line.starts_with("# auth = ")).collect();
    for name in known_at(&auth(zendesk)) {
        assert!(shown.contains(&name) || other_ways.contains(&format!(" {name} = ")), "auth.{name}");
    }
}

#[test]
fn the_example_shows_the_defaults() {
    let (example, defaults): (Table, Table) = (example(), DEFAULTS.parse().expect("the defaults are TOML"));
    for (section, defaults) in defaults {
        for (key, default) in defaults.as_table().expect("a section") {
            assert_eq!(example[&section].get(key), Some(default), "{section}.{key}");
        }
    }
}

/// Nothing may be sent to open an account.
struct NoNet;

impl Transport for NoNet {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, TransportError>> {
        panic!("opening an account sends nothing")
    }
}

/// Opens an account of the example with these settings; what is wrong with them, if anything.
fn open(name: &str, account: &AccountConfig, settings: &Table) -> Result<(), String> {
    let setup = AccountSetup {
        id: AccountId::new(name),
        base_url: account.base_url.clone(),
        webhook_secret: None,
        settings: serde_json::to_value(settings).expect("a table is JSON"),
        custom: Vec::new(),
    };
    let parts = ClientParts {
        transport: Arc::new(NoNet),
        clock: Arc::new(SystemClock),
        jitter: Arc::new(SeededJitter::new(1)),
        authorizer: Arc::new(StaticAuthorizer(Secret::new("none"))),
    };
    let connector = connector(&account.connector).expect("the example's connectors exist");
    connector.open(setup, parts).map(drop).map_err(|error| error.to_string())
}

#[test]
fn every_connector_is_shown_with_all_of_its_settings() {
    let config = load_text("example.toml", EXAMPLE, &[]).expect("the example loads");
    let mut shown = BTreeSet::new();
    for (name, account) in &config.accounts {
        open(name, account, &account.settings).unwrap_or_else(|error| panic!("{error}"));
        let mut asking = account.settings.clone();
        asking.insert(UNKNOWN.to_owned(), Value::Boolean(true));
        let error = open(name, account, &asking).expect_err("nobody knows that key");
        let mut known = quoted(&error);
        assert!(known.remove(UNKNOWN), "{error}");
        assert_eq!(
            account.settings.keys().cloned().collect::<BTreeSet<_>>(),
            known,
            "accounts.{name}.settings"
        );
        shown.insert(account.connector.as_str());
    }
    let connectors: BTreeSet<&str> = handoffd_connectors::REGISTRY.iter().map(|one| one.name()).collect();
    assert_eq!(shown, connectors);
}

#[test]
fn settings_that_are_not_examples_are_the_defaults() {
    let table = |account: &str, without: &[&str]| {
        let mut settings = example()["accounts"][account]["settings"].as_table().expect("a table").clone();
        without.iter().for_each(|key| drop(settings.remove(*key)));
        Value::Table(settings)
    };
    let zendesk: handoffd_connectors::zendesk::Settings =
        table("zendesk-main", &["webhook_tolerance_secs"]).try_into().expect("they load");
    assert_eq!(zendesk, Default::default());
    let stripe: handoffd_connectors::stripe::Settings =
        table("stripe", &["connected_account"]).try_into().expect("they load");
    assert_eq!(stripe, Default::default());
}
