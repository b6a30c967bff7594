//! What a world begins with: vendors, what admins made there, and the configuration.

use std::collections::BTreeMap;

use bytes::Bytes;
use handoffd::{
    app::{self, Outside},
    config::{self, Config, SecretRef},
    store::{blobs::Blobs, mem::MemStore},
};
use handoffd_connectors::{
    contract::{Call, Catalog, Lane, Secret},
    sim::{HumanAct, Who, world::World},
};
use handoffd_core::{AccountId, FieldKind, Status};
use http::Request;

use crate::world::{DESKS, FRESHDESK, INTERCOM, STRIPE, WEBHOOK_SECRET, ZENDESK};

/// A plan for one customer, two customers under one address.
pub fn fill_stripe(world: &World) {
    let stripe = AccountId::new(STRIPE);
    let key = world.with(&stripe, |sim, _| sim.credentials()).expect("an account");
    let key = key["api_key"].as_str().expect("a key").to_owned();
    let post = |path: &str, form: &str| {
        let request = Request::post(format!("https://stripe.sim/v1/{path}"))
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .expect("a request");
        let answer = world.with(&stripe, |sim, now| sim.handle(request, now)).expect("an account");
        assert!(answer.status().is_success(), "{path}: {:?}", answer.body());
        let body: serde_json::Value = serde_json::from_slice(answer.body()).expect("JSON");
        body["id"].as_str().expect("an id").to_owned()
    };
    let dana = post("customers", "email=dana%40example.com&name=Dana+Reyes");
    for _ in 0..2 {
        post("customers", "email=sam%40example.com&name=Sam");
    }
    let product = post("products", "name=Team+plan");
    let price = format!("product={product}&currency=eur&unit_amount=4900&recurring%5Binterval%5D=month");
    let price = post("prices", &price);
    let plan = "collection_method=send_invoice&days_until_due=14";
    post("subscriptions", &format!("customer={dana}&items%5B0%5D%5Bprice%5D={price}&{plan}"));
}

/// Zendesk and Freshdesk with the fields that are kept in step unless something else is said.
pub fn configure(world: &World) -> Config {
    load(world, &DESKS, ZENDESK, "")
}

/// The configuration of these helpdesks, with what stands in `more`.
pub fn load(world: &World, desks: &[&str], facing: &str, more: &str) -> Config {
    let mut text = format!("{HEAD}{STRIPE_ACCOUNT}");
    for desk in desks {
        text.push_str(match *desk {
            ZENDESK => ZENDESK_ACCOUNT,
            FRESHDESK => FRESHDESK_ACCOUNT,
            _ => INTERCOM_ACCOUNT,
        });
    }
    text.push_str(&group(desks, facing));
    text.push_str(more);
    for vendor in desks.iter().chain([&STRIPE]) {
        let url = world.base_url(&AccountId::new(*vendor)).expect("an account");
        text = text.replace(&format!("@{vendor}@"), url.as_str());
    }
    let mut config = config::load_text("the simulation's configuration", &text, &[]).expect("it loads");
    for (name, account) in &mut config.accounts {
        let id = AccountId::new(name);
        let all = world.with(&id, |sim, _| sim.credentials()).expect("an account");
        let value = |key: &str| all[key].as_str().expect("a credential").to_owned();
        let made = |key: &str| Some(SecretRef::Made(Secret::new(value(key))));
        match name.as_str() {
            ZENDESK => {
                account.auth.client_id = Some(value("client_id"));
                account.auth.client_secret = made("client_secret");
            }
            INTERCOM => account.auth.token = made("access_token"),
            _ => account.auth.key = made("api_key"),
        }
        if name != STRIPE {
            account.webhook_secret = Some(SecretRef::Made(Secret::new(WEBHOOK_SECRET)));
            let (assignees, groups) = world.with(&id, |sim, _| sim.bot_marks()).expect("an account");
            account.bots.assignees = assignees.into_iter().map(|id| id.0).collect();
            account.bots.groups = groups.into_iter().map(|id| id.0).collect();
        }
        let settings = world.with(&id, |sim, _| sim.suggested_settings()).expect("an account");
        let mut settings: serde_json::Map<String, serde_json::Value> =
            serde_json::from_value(settings).expect("settings");
        if name == INTERCOM {
            settings.insert("priority_attribute".to_owned(), PRIORITY.into());
        }
        account.settings = serde_json::from_value(settings.into()).expect("settings");
    }
    config
}

/// What admins made at the helpdesks, by desk: the vendors' names or ids of it.
#[derive(Clone, Debug, Default)]
pub struct Made {
    /// Custom fields by the link group's name.
    pub custom: BTreeMap<&'static str, BTreeMap<&'static str, String>>,
    /// The custom status that says that something is waited for.
    pub waiting: BTreeMap<&'static str, String>,
}

/// The custom fields, by the link group's name: title and kind.
pub const CUSTOM: [(&str, &str, FieldKind); 5] = [
    ("order", "Shop order", FieldKind::Text),
    ("plan", "Shop plan", FieldKind::Choice),
    ("seats", "Shop seats", FieldKind::Number),
    ("paid", "Shop paid", FieldKind::Boolean),
    ("due_day", "Shop day", FieldKind::Date),
];

/// The subject of the tickets for which people were hired.
pub const HIRING: &str = "Hiring";

/// The people who answer.
pub const AGENTS: [&str; 2] = ["Mara", "Tom"];

/// Fields, statuses and people at each helpdesk.
pub fn furnish(world: &World, desks: &[&'static str]) -> Made {
    let mut made = Made::default();
    for desk in desks {
        let account = AccountId::new(*desk);
        let act = |act| world.human(&account, act).map(|id| id.as_str().to_owned());
        for (name, title, kind) in CUSTOM {
            let options = match kind {
                FieldKind::Choice => vec!["free".to_owned(), "pro".to_owned()],
                _ => Vec::new(),
            };
            let native = act(HumanAct::MakeField { title: title.to_owned(), kind, options });
            made.custom.entry(name).or_default().insert(desk, native.expect("a field"));
        }
        if *desk == INTERCOM {
            let title = PRIORITY.to_owned();
            act(HumanAct::MakeField { title, kind: FieldKind::Text, options: Vec::new() }).expect("a field");
        } else {
            let label = "Waiting for parts".to_owned();
            let id = act(HumanAct::MakeStatus { label, status: Status::Pending });
            made.waiting.insert(desk, id.expect("a status"));
        }
        hire(world, &account);
    }
    made
}

/// The people who answer start to work.
pub fn hire(world: &World, account: &AccountId) {
    let open = HumanAct::Open {
        name: "Nobody".to_owned(),
        email: "nobody@example.com".to_owned(),
        subject: HIRING.to_owned(),
        text: "They start today.".to_owned(),
        to_bot: false,
    };
    let ticket = world.human(account, open).expect("a ticket");
    for name in AGENTS {
        let to = Some(Who::Agent(name.to_owned()));
        world.human(account, HumanAct::Assign { ticket: ticket.clone(), to }).expect("a new colleague");
    }
    world.human(account, HumanAct::Delete { ticket }).expect("the ticket can go");
}

/// The configuration of a world in which everything that a ticket is travels.
pub async fn configure_all(
    world: &World,
    desks: &[&'static str],
    facing: &str,
    made: &Made,
    outside: &Outside,
) -> Config {
    let bare = load(world, desks, facing, "");
    let store = std::sync::Arc::new(MemStore::new(outside.clock.clone()));
    let parts = app::engine_parts(&bare, store, Blobs::memory(), outside).await.expect("a configuration");
    let mut catalogs = BTreeMap::new();
    for desk in desks {
        let call =
            Call { lane: Lane::Live, deadline: outside.clock.now().plus(std::time::Duration::from_secs(60)) };
        let helpdesk = &parts.desks[&AccountId::new(*desk)].helpdesk;
        catalogs.insert(*desk, helpdesk.catalog(call).await.expect("a catalog"));
    }
    load(world, desks, facing, &mapping(desks, made, &catalogs))
}

/// The tables that map fields, people and statuses.
fn mapping(desks: &[&'static str], made: &Made, catalogs: &BTreeMap<&'static str, Catalog>) -> String {
    let at = |ids: Vec<(&str, String)>| -> String {
        let ids: Vec<String> = ids.iter().map(|(desk, id)| format!("{desk} = \"{id}\"")).collect();
        ids.join(", ")
    };
    let mut text = "\n[groups.support.agents]\n".to_owned();
    for name in AGENTS {
        let of = |catalog: &Catalog| {
            let found = catalog.agents.iter().find(|agent| agent.name.split(' ').next() == Some(name));
            found.map(|agent| agent.id.as_str().to_owned()).expect("a colleague")
        };
        let ids = catalogs.iter().map(|(desk, catalog)| (*desk, of(catalog))).collect();
        text.push_str(&format!("{} = {{ {} }}\n", name.to_lowercase(), at(ids)));
    }
    text.push_str("\n[groups.support.fields]\nagent = { sync = true }\n");
    let with_types: Vec<&str> = desks.iter().copied().filter(|desk| *desk != INTERCOM).collect();
    if with_types.len() == 2 {
        text.push_str(TYPES);
    }
    if made.waiting.len() == 2 {
        let ids = made.waiting.iter().map(|(desk, id)| (*desk, id.clone())).collect();
        text.push_str(&format!(
            "\n[groups.support.statuses]\nwaiting = {{ is = \"pending\", {} }}\n",
            at(ids)
        ));
    }
    for (name, _, kind) in CUSTOM {
        let ids = made.custom[name].iter().map(|(desk, id)| (*desk, id.clone())).collect();
        let kind = serde_json::to_value(kind).expect("a kind");
        text.push_str(&format!("\n[groups.support.custom.{name}]\nkind = {kind}\nat = {{ {} }}\n", at(ids)));
    }
    text
}

fn group(desks: &[&str], facing: &str) -> String {
    let mut routes = String::new();
    for from in desks {
        for to in desks.iter().filter(|to| *to != from) {
            routes.push_str(&format!("  {{ from = \"{from}\", to = \"{to}\" }},\n"));
        }
    }
    format!(
        "\n[groups.support]\naccounts = {desks:?}\ncustomer_facing = \"{facing}\"\nroutes = [\n{routes}]\n"
    )
}

/// Intercom's attribute that holds the priority.
pub const PRIORITY: &str = "Priority";

/// The canonical types are Zendesk's words.
const TYPES: &str = r#"
type = { from = ["zendesk", "freshdesk"], to = ["zendesk", "freshdesk"], values = { freshdesk = { Incident = "incident", Question = "question", Problem = "problem", "Feature Request" = "task" } } }
"#;

const HEAD: &str = r#"
[engine]
poll = { every = "60s", jitter = "10s" }
resync = { every = "90m", jitter = "10m" }

[agents.assistant]
token = "env:MADE"
"#;

const ZENDESK_ACCOUNT: &str = r#"
[accounts.zendesk]
connector = "zendesk"
base_url = "@zendesk@"
auth = { method = "client_credentials", client_id = "made", client_secret = "env:MADE" }
webhook_secret = "env:MADE"
"#;

const FRESHDESK_ACCOUNT: &str = r#"
[accounts.freshdesk]
connector = "freshdesk"
base_url = "@freshdesk@"
auth = { method = "api_key", key = "env:MADE" }
webhook_secret = "env:MADE"
"#;

const INTERCOM_ACCOUNT: &str = r#"
[accounts.intercom]
connector = "intercom"
base_url = "@intercom@"
auth = { method = "bearer", token = "env:MADE" }
webhook_secret = "env:MADE"
"#;

const STRIPE_ACCOUNT: &str = r#"
[accounts.stripe]
connector = "stripe"
base_url = "@stripe@"
auth = { method = "api_key", key = "env:MADE" }
"#;
