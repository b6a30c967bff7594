//! What `check` and `provision` say of a link group's mapping.

use std::{collections::BTreeMap, path::Path, time::Duration};

use handoffd_connectors::contract::{Call, Lane, Opened};
use handoffd_core::AccountId;
use serde::Serialize;

use crate::{
    app::{OpenAccount, Outside},
    config::{Config, GroupConfig, place_of_key},
    mapping::{
        live::{self, Catalogs, Finding, FindingKind, Suggestions},
        proof,
    },
};

/// The longest that reading what an account has may take.
const CATALOG_WAIT: Duration = Duration::from_secs(60);

/// What was found of a group's mapping.
#[derive(Serialize)]
pub(super) struct MappingCheck {
    /// Whether every value comes to rest.
    pub stable: bool,
    /// How many values were carried round.
    pub values: usize,
    /// Maps that never come to rest.
    pub flaws: Vec<FlawShown>,
    /// What would be lost.
    pub lost: Vec<String>,
    /// What the accounts do not have as the configuration says.
    pub findings: Vec<Finding>,
    /// Lines for the configuration.
    pub suggestions: Suggestions,
}

/// A map that never comes to rest.
#[derive(Serialize)]
pub(super) struct FlawShown {
    /// Where the key stands: file and line.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub place: String,
    /// The key within the group.
    pub key: String,
    /// Where a value goes.
    pub path: Vec<String>,
    /// The same for people.
    pub what: String,
}

impl MappingCheck {
    /// Whether the mapping works as configured.
    pub fn works(&self) -> bool {
        self.stable && !self.findings.iter().any(|finding| finding.kind.is_wrong())
    }

    /// Says where in the file the flaws of the group `name` are.
    pub fn place(&mut self, file: &Path, name: &str) {
        for flaw in &mut self.flaws {
            flaw.place = place_of_key(file, &format!("groups.{name}.{}", flaw.key));
        }
    }

    /// The lines for people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        match self.stable {
            true => out += &format!("  mapping: {} values come to rest, no flapping\n", self.values),
            false => out += "  mapping: refused, it never comes to rest\n",
        }
        for flaw in &self.flaws {
            let place = if flaw.place.is_empty() { String::new() } else { format!("{}: ", flaw.place) };
            out += &format!("  refused: {place}{}: {}\n", flaw.key, flaw.what);
        }
        for finding in &self.findings {
            let word = match finding.kind {
                FindingKind::PrivateToPublic => "refused",
                kind if kind.is_wrong() => "missing",
                _ => "note",
            };
            out += &format!("  {word}: {} ({}): {}\n", finding.key, finding.account, finding.what);
        }
        for lost in &self.lost {
            out += &format!("  would be lost: {lost}\n");
        }
        for (table, lines) in [("agents", &self.suggestions.agents), ("teams", &self.suggestions.teams)] {
            if !lines.is_empty() {
                out += &format!("  seem to be the same {table}; paste what is right under {table}:\n");
            }
            for line in lines {
                out += &format!("    {line}\n");
            }
        }
        out
    }
}

/// Proves a group's maps and compares them with what its accounts have.
pub(super) fn check(
    group: &GroupConfig,
    accounts: &BTreeMap<AccountId, OpenAccount>,
    catalogs: &Catalogs,
) -> MappingCheck {
    let proof = proof::prove_known(group, accounts, &live::known_values(group, catalogs));
    let flaw = |flaw: &proof::Flaw| FlawShown {
        place: String::new(),
        key: flaw.key(),
        path: flaw.path.clone(),
        what: flaw.to_string(),
    };
    MappingCheck {
        stable: proof.flaws.is_empty(),
        values: proof.values,
        flaws: proof.flaws.iter().map(flaw).collect(),
        lost: proof.losses.iter().map(ToString::to_string).collect(),
        findings: live::compare(group, catalogs),
        suggestions: live::suggest(group, catalogs),
    }
}

/// What the accounts of link groups have; why it cannot be told, by account.
pub(super) async fn catalogs(
    config: &Config,
    accounts: &BTreeMap<AccountId, OpenAccount>,
    outside: &Outside,
) -> (Catalogs, BTreeMap<AccountId, String>) {
    let (mut found, mut failed) = (Catalogs::new(), BTreeMap::new());
    for (id, account) in accounts {
        let is_grouped = config.groups.values().any(|group| group.accounts.contains(id.as_str()));
        let Opened::Helpdesk(helpdesk) = &account.opened else { continue };
        if !is_grouped {
            continue;
        }
        let call = Call { lane: Lane::Refresh, deadline: outside.clock.now().plus(CATALOG_WAIT) };
        match helpdesk.catalog(call).await {
            Ok(catalog) => drop(found.insert(id.clone(), catalog)),
            Err(error) => drop(failed.insert(id.clone(), error.to_string())),
        }
    }
    (found, failed)
}
