//! `handoffd provision`: lists the custom fields and statuses that the mapping needs and the
//! accounts do not have, and makes them.

use std::{collections::BTreeMap, time::Duration};

use handoffd_connectors::{
    connector,
    contract::{Call, Lane, MarkerField, Opened, Provision},
};
use handoffd_core::{AccountId, FieldKind};
use serde::Serialize;

use super::{Failure, check::store_for, mapping, outside};
use crate::{
    app::{OpenAccount, Outside, open_accounts, vault},
    config::{AccountConfig, Config},
    mapping::live,
};

/// The longest that making one thing may take.
const MAKE_WAIT: Duration = Duration::from_secs(60);

#[derive(Serialize)]
struct Report {
    applied: bool,
    items: Vec<Item>,
    /// Accounts of which it cannot be told what they have.
    failed: BTreeMap<String, String>,
}

/// One thing that is missing.
#[derive(Serialize)]
struct Item {
    account: String,
    /// The key in the configuration; its value is the id that the vendor gives.
    key: String,
    make: Provision,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failed: Option<String>,
}

pub(super) async fn run(config: Config, apply: bool, json: bool) -> Result<(), Failure> {
    let outside = outside()?;
    let store = store_for(&config, &outside)?;
    let vault = vault(&config)?;
    // What is to be made has no id yet, and an account is not opened with fields that it lacks.
    let mut bare = config.clone();
    bare.groups.values_mut().for_each(|group| group.custom.clear());
    bare.accounts.values_mut().for_each(|account| account.handoff.fields.clear());
    let accounts = open_accounts(&bare, &store, vault.as_ref(), &outside)?;
    let (catalogs, failed) = mapping::catalogs(&config, &accounts, &outside).await;
    let mut items = markers(&config, &accounts, &outside).await;
    for (name, group) in &config.groups {
        for finding in live::compare(group, &catalogs) {
            let Some(make) = finding.make else { continue };
            let key = format!("groups.{name}.{}", finding.key);
            items.push(Item { account: finding.account, key, make, id: None, failed: None });
        }
    }
    for (name, account) in &config.accounts {
        let Some(catalog) = catalogs.get(&AccountId::new(name)) else { continue };
        for finding in live::compare_placing(name, &account.handoff, catalog) {
            let Some(make) = finding.make else { continue };
            let key = format!("accounts.{name}.handoff.{}", finding.key);
            items.push(Item { account: finding.account, key, make, id: None, failed: None });
        }
    }
    if apply {
        for item in &mut items {
            make(item, &accounts, &outside).await;
        }
    }
    let failed = failed.into_iter().map(|(id, why)| (id.to_string(), why)).collect();
    let report = Report { applied: apply, items, failed };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", text(&report)),
    }
    outcome(&report)
}

fn outcome(report: &Report) -> Result<(), Failure> {
    if !report.failed.is_empty() || report.items.iter().any(|item| item.failed.is_some()) {
        return Err(Failure::Other(anyhow::anyhow!("not everything could be made or looked at; see above")));
    }
    match report.applied || report.items.is_empty() {
        true => Ok(()),
        false => Err(Failure::WouldMake(report.items.len())),
    }
}

/// The field of our marker, where an account keeps it in a field of its own and has none.
async fn markers(
    config: &Config,
    accounts: &BTreeMap<AccountId, OpenAccount>,
    outside: &Outside,
) -> Vec<Item> {
    let mut items = Vec::new();
    for (name, account) in &config.accounts {
        let Some((setting, native)) = marker_field(account) else { continue };
        let Some(Opened::Helpdesk(helpdesk)) = accounts.get(&AccountId::new(name)).map(|one| &one.opened)
        else {
            continue;
        };
        let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(MAKE_WAIT) };
        // What the probe does not find missing is there; a probe that fails is told by the catalog.
        let Ok(probe) = helpdesk.probe(call).await else { continue };
        if probe.problems.iter().any(|problem| problem.what.contains(&native)) {
            let make = Provision::Field { native, kind: FieldKind::Text, options: Vec::new() };
            let key = format!("accounts.{name}.settings.{setting}");
            items.push(Item { account: name.clone(), key, make, id: None, failed: None });
        }
    }
    items
}

/// The settings' key for the field that holds our marker, and the field's name.
fn marker_field(account: &AccountConfig) -> Option<(&'static str, String)> {
    let MarkerField { setting, default } = connector(&account.connector)?.marker_field()?;
    let set = account.settings.get(setting).and_then(toml::Value::as_str);
    Some((setting, set.unwrap_or(default).to_owned()))
}

async fn make(item: &mut Item, accounts: &BTreeMap<AccountId, OpenAccount>, outside: &Outside) {
    let Some(Opened::Helpdesk(helpdesk)) =
        accounts.get(&AccountId::new(&item.account)).map(|one| &one.opened)
    else {
        return;
    };
    let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(MAKE_WAIT) };
    match helpdesk.provision(call, &item.make).await {
        Ok(id) => item.id = Some(id),
        Err(error) => item.failed = Some(error.to_string()),
    }
}

fn text(report: &Report) -> String {
    let mut out = String::new();
    for (account, why) in &report.failed {
        out += &format!("{account}: what it has cannot be read: {why}\n");
    }
    for item in &report.items {
        let what = match &item.make {
            Provision::Field { native, kind, options } if options.is_empty() => {
                format!("the field {native:?} ({})", format!("{kind:?}").to_lowercase())
            }
            Provision::Field { native, options, .. } => {
                format!("the field {native:?} with the options {}", options.join(", "))
            }
            Provision::Status { label, status } => format!("the status {label:?} ({})", status.name()),
        };
        out += &match (&item.id, &item.failed) {
            (Some(id), _) => {
                format!("{}: made {what}; in the configuration: {} = {id:?}\n", item.account, item.key)
            }
            (None, Some(why)) => format!("{}: could not make {what}: {why}\n", item.account),
            (None, None) => format!("{}: would make {what}, for {}\n", item.account, item.key),
        };
    }
    if report.items.is_empty() && report.failed.is_empty() {
        out += "nothing is missing\n";
    }
    out
}
