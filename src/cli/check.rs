//! `handoffd check`: validates, signs in, says what would be synced. Writes nothing.

use std::{collections::BTreeMap, path::Path, sync::Arc, time::Duration};

use handoffd_connectors::contract::{AuthMethod, Call, Disarms, Lane, Opened, Probe};
use handoffd_core::AccountId;
use serde::Serialize;

use super::{
    Failure,
    mapping::{self, MappingCheck},
    outside,
};
use crate::{
    app::{OpenAccount, Outside, engine_parts, open_accounts, vault},
    config::{Config, FilterConfig},
    mapping::live::{self, Finding},
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
    /// Why it cannot be told what fields, statuses and people it has.
    catalog_failed: Option<String>,
    /// What it does not have of what is written beside briefings.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    handoff: Vec<Finding>,
}

#[derive(Serialize)]
struct GroupCheck {
    customer_facing: String,
    fields: Vec<String>,
    routes: Vec<String>,
    private_notes: bool,
    /// By what existing tickets are found to be one conversation.
    joined_by: String,
    mapping: MappingCheck,
}

pub(super) async fn run(config: Config, file: &Path, json: bool) -> Result<(), Failure> {
    let outside = outside()?;
    let store = store_for(&config, &outside)?;
    let vault = vault(&config)?;
    let opened = open_accounts(&config, &store, vault.as_ref(), &outside)?;
    let mut accounts = BTreeMap::new();
    for (name, account) in &config.accounts {
        if !json {
            eprintln!("checking {name} …");
        }
        let Some(one) = opened.get(&AccountId::new(name)) else { continue };
        accounts.insert(name.clone(), check_account(&config, name, account, &one.opened, &outside).await);
    }
    let (catalogs, unread) = mapping::catalogs(&config, &opened, &outside).await;
    for (id, why) in unread {
        if let Some(account) = accounts.get_mut(id.as_str()) {
            account.catalog_failed = Some(why);
        }
    }
    for (id, catalog) in &catalogs {
        if let (Some(account), Some(checked)) =
            (config.accounts.get(id.as_str()), accounts.get_mut(id.as_str()))
        {
            checked.handoff = live::compare_placing(id.as_str(), &account.handoff, catalog);
        }
    }
    let mut groups = BTreeMap::new();
    for (name, group) in &config.groups {
        let mut checked = mapping::check(group, &opened, &catalogs);
        checked.place(file, name);
        groups.insert(name.clone(), group_check(group, &opened, checked));
    }
    if groups.values().all(|group: &GroupCheck| group.mapping.stable) {
        // Everything that the daemon would refuse at its start is refused here.
        engine_parts(&config, store.clone(), crate::store::blobs::Blobs::memory(), &outside).await?;
    }
    let ok = accounts.values().all(AccountCheck::works) && groups.values().all(|group| group.mapping.works());
    let report = CheckReport { ok, accounts, groups };
    if json {
        println!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print!("{}", text(&report));
    }
    match ok {
        true => Ok(()),
        false => Err(Failure::Problems(
            "an account or a mapping does not work as configured; see above".to_owned(),
        )),
    }
}

/// Accounts with rotating tokens need the real store: a new pair must be kept before it is used.
pub(super) fn store_for(config: &Config, outside: &Outside) -> Result<Arc<dyn Store>, Failure> {
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
    opened: &Opened,
    outside: &Outside,
) -> AccountCheck {
    let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(PROBE_WAIT) };
    let (role, probed) = match opened {
        Opened::Helpdesk(helpdesk) => ("helpdesk", helpdesk.probe(call).await),
        Opened::ContextSource(source) => ("context source", source.probe(call).await),
    };
    let (probe, failed) = match probed {
        Ok(probe) => (Some(probe), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let public = config.server.public_url.as_ref().filter(|_| role == "helpdesk");
    let webhook = public.map(|url| format!("{}/webhooks/{name}", url.as_str().trim_end_matches('/')));
    let connector = account.connector.clone();
    AccountCheck { connector, role, probe, failed, webhook, catalog_failed: None, handoff: Vec::new() }
}

impl AccountCheck {
    fn works(&self) -> bool {
        let disarmed =
            |probe: &Probe| probe.problems.iter().any(|problem| problem.disarms != Disarms::Nothing);
        let lacks = self.handoff.iter().any(|finding| finding.kind.is_wrong());
        self.failed.is_none() && !lacks && !self.probe.as_ref().is_some_and(disarmed)
    }
}

fn group_check(
    group: &crate::config::GroupConfig,
    accounts: &BTreeMap<AccountId, OpenAccount>,
    mapping: MappingCheck,
) -> GroupCheck {
    let holds = |name: &str, field| match accounts.get(&AccountId::new(name)).map(|one| &one.opened) {
        Some(Opened::Helpdesk(helpdesk)) => helpdesk.capabilities().fields.contains(&field),
        _ => false,
    };
    let rules = group.field_rules(&holds);
    let fields = rules.into_iter().map(|(field, rule)| format!("{field}: {}", rule.conflict.describe()));
    let routes = group.routes.iter().map(|route| {
        let tags: Vec<&str> = route.with_tags.iter().map(String::as_str).collect();
        let tags = (!tags.is_empty()).then(|| format!("with tags {}", tags.join(", ")));
        let when = (route.when != FilterConfig::default()).then(|| "that its filter takes".to_owned());
        let only: Vec<String> = tags.into_iter().chain(when).collect();
        let only = if only.is_empty() { String::new() } else { format!(" (only {})", only.join(", ")) };
        format!("{} -> {}{only}", route.from, route.to)
    });
    GroupCheck {
        customer_facing: group.customer_facing().to_string(),
        fields: fields.collect(),
        routes: routes.collect(),
        private_notes: group.private_notes,
        joined_by: group.join.describe(),
        mapping,
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
        if let Some(why) = &account.catalog_failed {
            out += &format!("  note: its fields and people cannot be listed: {why}\n");
        }
        for finding in &account.handoff {
            out += &format!("  missing: handoff.{}: {}\n", finding.key, finding.what);
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
        out += &format!("  existing tickets are joined by {}\n", group.joined_by);
        out += &group.mapping.text();
    }
    out
}
