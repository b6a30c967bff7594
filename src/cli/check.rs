//! `handoffd check`: validates, signs in, says what would be synced. Writes nothing.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use handoffd_connectors::contract::{AuthMethod, Call, Disarms, Lane, Opened, Probe};
use handoffd_core::AccountId;
use serde::Serialize;

use super::{Failure, outside};
use crate::{
    app::{Outside, engine_parts, open_account, vault},
    config::Config,
    store::{
        Store,
        mem::MemStore,
        sled::{Options, SledStore},
    },
};

/// The longest a probe may take.
const PROBE_WAIT: Duration = Duration::from_secs(20);

#[derive(Serialize)]
struct CheckReport {
    ok: bool,
    accounts: BTreeMap<String, AccountCheck>,
    groups: BTreeMap<String, GroupCheck>,
}

#[derive(Serialize)]
struct AccountCheck {
    connector: String,
    role: &'static str,
    #[serde(flatten)]
    probe: Option<Probe>,
    failed: Option<String>,
    webhook: Option<String>,
}

#[derive(Serialize)]
struct GroupCheck {
    customer_facing: String,
    fields: Vec<String>,
    routes: Vec<String>,
    private_notes: bool,
}

pub(super) async fn run(config: Config, json: bool) -> Result<(), Failure> {
    let outside = outside()?;
    let store = store_for(&config, &outside)?;
    // Everything that the daemon would refuse at its start is refused here.
    engine_parts(&config, store.clone(), crate::store::blobs::Blobs::memory(), &outside).await?;
    let mut accounts = BTreeMap::new();
    for (name, account) in &config.accounts {
        if !json {
            eprintln!("checking {name} …");
        }
        accounts.insert(name.clone(), check_account(&config, name, account, &store, &outside).await?);
    }
    let groups = config.groups.iter().map(|(name, group)| (name.clone(), group_check(group))).collect();
    let ok = accounts.values().all(AccountCheck::works);
    let report = CheckReport { ok, accounts, groups };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    match ok {
        true => Ok(()),
        false => Err(Failure::Problems("an account does not work as configured; see above".to_owned())),
    }
}

/// Accounts with rotating tokens need the real store: a new pair must be kept before it is used.
fn store_for(config: &Config, outside: &Outside) -> Result<Arc<dyn Store>, Failure> {
    let rotates = config.accounts.values().any(|account| account.auth.method == AuthMethod::RefreshToken);
    if !rotates {
        return Ok(Arc::new(MemStore::new(outside.clock.clone())));
    }
    let options = Options::new(config.store.data_dir.join("store"), "handoffd");
    let store = SledStore::open(options, outside.clock.clone()).map_err(crate::app::StartError::from)?;
    Ok(Arc::new(store))
}

async fn check_account(
    config: &Config,
    name: &str,
    account: &crate::config::AccountConfig,
    store: &Arc<dyn Store>,
    outside: &Outside,
) -> Result<AccountCheck, Failure> {
    let vault = vault(config)?;
    let opened = open_account(&AccountId::new(name), account, Vec::new(), store, vault.as_ref(), outside)?;
    let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(PROBE_WAIT) };
    let (role, probed) = match &opened {
        Opened::Helpdesk(helpdesk) => ("helpdesk", helpdesk.probe(call).await),
        Opened::ContextSource(source) => ("context source", source.probe(call).await),
    };
    let (probe, failed) = match probed {
        Ok(probe) => (Some(probe), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let public = config.server.public_url.as_ref().filter(|_| role == "helpdesk");
    let webhook = public.map(|url| format!("{}/webhooks/{name}", url.as_str().trim_end_matches('/')));
    Ok(AccountCheck { connector: account.connector.clone(), role, probe, failed, webhook })
}

impl AccountCheck {
    fn works(&self) -> bool {
        let disarmed =
            |probe: &Probe| probe.problems.iter().any(|problem| problem.disarms != Disarms::Nothing);
        self.failed.is_none() && !self.probe.as_ref().is_some_and(disarmed)
    }
}

fn group_check(group: &crate::config::GroupConfig) -> GroupCheck {
    let fields =
        group.field_rules().into_iter().map(|(field, rule)| format!("{field}: {}", rule.conflict.describe()));
    let routes = group.routes.iter().map(|route| {
        let tags: Vec<&str> = route.with_tags.iter().map(String::as_str).collect();
        let only =
            if tags.is_empty() { String::new() } else { format!(" (only with tags {})", tags.join(", ")) };
        format!("{} -> {}{only}", route.from, route.to)
    });
    GroupCheck {
        customer_facing: group.customer_facing().to_string(),
        fields: fields.collect(),
        routes: routes.collect(),
        private_notes: group.private_notes,
    }
}

fn text(report: &CheckReport) -> String {
    let mut out = String::new();
    for (name, account) in &report.accounts {
        match (&account.failed, &account.probe) {
            (Some(why), _) => out += &format!("{name} ({}): does not work: {why}\n", account.connector),
            (None, Some(probe)) => {
                out += &format!(
                    "{name} ({}, {}): signed in as {}\n",
                    account.connector, account.role, probe.identity
                );
                for problem in &probe.problems {
                    let word = match problem.disarms {
                        Disarms::Nothing => "note",
                        Disarms::Creates => "no tickets are made here",
                        Disarms::Writes => "nothing is written here",
                        Disarms::Reads => "its feed is not read",
                    };
                    out += &format!("  {word}: {}\n    {}\n", problem.what, problem.remedy);
                }
            }
            (None, None) => {}
        }
        if let Some(webhook) = &account.webhook {
            out += &format!("  webhooks go to {webhook}\n");
        }
    }
    for (name, group) in &report.groups {
        out += &format!("group {name}: {} mails the customer when nobody has yet\n", group.customer_facing);
        for route in &group.routes {
            out += &format!("  new tickets: {route}\n");
        }
        out += &format!("  kept in step: {}\n", group.fields.join("; "));
        out += &format!(
            "  public replies both ways; private notes {}\n",
            if group.private_notes { "both ways, private" } else { "stay where they are" }
        );
    }
    out
}
