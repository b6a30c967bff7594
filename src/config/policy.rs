//! What the configuration says, as the values that decisions take; and what it
//! says that cannot be.

use std::collections::BTreeMap;

use handoffd_connectors::{
    connector,
    contract::{AuthMethod, Credentials, OAuthClient},
};
use handoffd_core::{
    AccountId, Priority, RemoteId,
    policy::{BotMarks, HandoffRules},
};

use super::{AccountConfig, AuthConfig, Config, PLACED_VALUES, SecretError, SecretRef, WebhookConfig};

/// A key and what is wrong with it.
pub(super) type Wrong = (String, String);

impl Config {
    /// Finds what no single key can tell: names that lead nowhere, keys that miss their partner.
    pub fn validate(&self) -> Result<(), Wrong> {
        for (name, account) in &self.accounts {
            check_account(name, account)?;
        }
        self.check_bounds()?;
        self.model.check()?;
        let mut grouped = BTreeMap::new();
        for (name, group) in &self.groups {
            self.check_group(name, group)?;
            for account in &group.accounts {
                if let Some(other) = grouped.insert(account.clone(), name.clone()) {
                    return Err((
                        format!("groups.{name}.accounts"),
                        format!("{account} is in group {other} already; an account is in one group"),
                    ));
                }
            }
        }
        for (name, agent) in &self.agents {
            if agent.token.is_none() && agent.signing_secret.is_none() {
                return Err((format!("agents.{name}"), "needs a token or a signing_secret".to_owned()));
            }
            self.known_accounts(&format!("agents.{name}.accounts"), agent.accounts.iter().flatten())?;
            self.known_accounts(&format!("agents.{name}.speaks_as"), agent.speaks_as.keys())?;
            check_webhook(&format!("agents.{name}.webhook"), agent.webhook.as_ref())?;
        }
        Ok(())
    }

    /// Bounds below which nothing would be done, or the same thing for ever.
    fn check_bounds(&self) -> Result<(), Wrong> {
        let (server, engine) = (&self.server, &self.engine);
        let at_least = |count: u64, key: &str| (key.to_owned(), count == 0, "is at least 1");
        let lasts =
            |span: super::Span, key: &str| (key.to_owned(), span.0.is_zero(), "is longer than nothing");
        let bounds = [
            at_least(server.requests_at_once_max as u64, "server.requests_at_once_max"),
            at_least(server.body_bytes_max as u64, "server.body_bytes_max"),
            lasts(server.request_timeout, "server.request_timeout"),
            at_least(engine.workers_max as u64, "engine.workers_max"),
            at_least(u64::from(engine.feed_pages_max), "engine.feed_pages_max"),
            at_least(u64::from(engine.rounds_max), "engine.rounds_max"),
            at_least(u64::from(engine.resync_batch), "engine.resync_batch"),
            lasts(engine.poll.every, "engine.poll.every"),
            lasts(engine.resync.every, "engine.resync.every"),
            lasts(engine.call_deadline, "engine.call_deadline"),
            lasts(engine.retry_first, "engine.retry_first"),
            lasts(engine.paused_recheck, "engine.paused_recheck"),
            lasts(self.handoff.promise_wait, "handoff.promise_wait"),
        ];
        match bounds.into_iter().find(|(_, broken, _)| *broken) {
            Some((key, _, why)) => Err((key, why.to_owned())),
            None => Ok(()),
        }
    }

    pub(super) fn known_accounts<'a>(
        &self,
        key: &str,
        names: impl Iterator<Item = &'a String>,
    ) -> Result<(), Wrong> {
        for name in names {
            if !self.accounts.contains_key(name) {
                let known = self.accounts.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
                return Err((key.to_owned(), format!("there is no account {name}; accounts: {known}")));
            }
        }
        Ok(())
    }

    /// By what AI agents are recognised, and how long handoffs may take.
    pub fn handoff_rules(&self) -> HandoffRules {
        let bots = self.accounts.iter().map(|(name, account)| {
            let marks = BotMarks {
                assignees: account.bots.assignees.iter().map(RemoteId::new).collect(),
                groups: account.bots.groups.iter().map(RemoteId::new).collect(),
                tags: account.bots.tags.clone(),
                statuses: account.bots.statuses.clone(),
            };
            (AccountId::new(name), marks)
        });
        HandoffRules {
            bots: bots.collect(),
            enrich_ms: self.handoff.enrich_deadline.as_millis(),
            late_wait_ms: self.handoff.late_wait.as_millis(),
            expire_ms: self.handoff.expire_after.as_millis(),
            between_people: self.handoff.between_people,
            loop_max: self.handoff.loop_max,
            loop_ms: self.handoff.loop_window.as_millis(),
            hold_ms: None,
        }
    }
}

fn check_account(name: &str, account: &AccountConfig) -> Result<(), Wrong> {
    let key = format!("accounts.{name}");
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if name.is_empty() || name.len() > 40 || !name.chars().all(plain) {
        let why = "an account's name has lower-case letters, digits, - and _, at most 40";
        return Err((key, why.to_owned()));
    }
    let Some(connector) = connector(&account.connector) else {
        let known: Vec<_> = handoffd_connectors::REGISTRY.iter().map(|connector| connector.name()).collect();
        let why = format!("there is no connector {:?}; connectors: {}", account.connector, known.join(", "));
        return Err((format!("{key}.connector"), why));
    };
    if !matches!(account.base_url.scheme(), "http" | "https") || account.base_url.host().is_none() {
        return Err((format!("{key}.base_url"), "is an address that begins with https://".to_owned()));
    }
    if !matches!(account.base_url.path(), "" | "/") {
        let why = "is the origin alone, without a path, for instance https://acme.example";
        return Err((format!("{key}.base_url"), why.to_owned()));
    }
    let methods = connector.auth().methods;
    if !methods.contains(&account.auth.method) {
        let known: Vec<_> = methods.iter().map(|method| format!("{method:?}")).collect();
        let why = format!("{} cannot sign in that way; it knows {}", account.connector, known.join(", "));
        return Err((format!("{key}.auth.method"), why));
    }
    check_placing(&format!("{key}.handoff"), account)?;
    check_auth(&format!("{key}.auth"), &account.auth)
}

/// What is written beside a briefing.
fn check_placing(key: &str, account: &AccountConfig) -> Result<(), Wrong> {
    let placing = &account.handoff;
    let known = |word: &String| Priority::ALL.into_iter().any(|priority| priority.name() == word);
    if placing.priority.as_ref().is_some_and(|word| !known(word)) {
        return Err((format!("{key}.priority"), "is low, normal, high or urgent".to_owned()));
    }
    if let Some(tag) = placing.tags.intersection(&account.bots.tags).next() {
        return Err((format!("{key}.tags"), format!("{tag} says that an AI agent has the ticket")));
    }
    let is_bots = |group: &&String| account.bots.groups.contains(*group);
    if let Some(group) = placing.group.iter().chain(placing.queues.values()).find(is_bots) {
        return Err((key.to_owned(), format!("group {group} belongs to an AI agent")));
    }
    match placing.fields.keys().find(|value| !PLACED_VALUES.contains(&value.as_str())) {
        Some(value) => {
            Err((format!("{key}.fields.{value}"), format!("a field may get {}", PLACED_VALUES.join(", "))))
        }
        None => Ok(()),
    }
}

/// Events hold what customers said: they travel encrypted, or not at all beyond this machine.
fn check_webhook(key: &str, webhook: Option<&WebhookConfig>) -> Result<(), Wrong> {
    let Some(webhook) = webhook else { return Ok(()) };
    let is_here = match webhook.url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    let is_right = match webhook.url.scheme() {
        "https" => webhook.url.has_host(),
        "http" => is_here,
        _ => false,
    };
    if !is_right {
        let why = "is an address that begins with https://; plain http goes to this machine alone";
        return Err((format!("{key}.url"), why.to_owned()));
    }
    if !webhook.url.username().is_empty() || webhook.url.password().is_some() {
        return Err((format!("{key}.url"), "holds no name and no password: events are signed".to_owned()));
    }
    match webhook.events.as_ref().is_some_and(|events| events.is_empty()) {
        true => Err((format!("{key}.events"), "names no event; left out, it is all of them".to_owned())),
        false => Ok(()),
    }
}

fn check_auth(key: &str, auth: &AuthConfig) -> Result<(), Wrong> {
    let given = [
        ("email", auth.email.is_some()),
        ("token", auth.token.is_some()),
        ("key", auth.key.is_some()),
        ("client_id", auth.client_id.is_some()),
        ("client_secret", auth.client_secret.is_some()),
        ("refresh_token", auth.refresh_token.is_some()),
    ];
    let needed: &[&str] = match auth.method {
        AuthMethod::ApiToken => &["email", "token"],
        AuthMethod::ApiKey => &["key"],
        AuthMethod::Bearer => &["token"],
        AuthMethod::ClientCredentials => &["client_id", "client_secret"],
        AuthMethod::RefreshToken => &["client_id", "client_secret", "refresh_token"],
    };
    for (name, given) in given {
        match (given, needed.contains(&name)) {
            (false, true) => return Err((format!("{key}.{name}"), "is needed for this method".to_owned())),
            (true, false) => {
                return Err((format!("{key}.{name}"), "has no meaning for this method".to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

impl AuthConfig {
    /// Fetches the secrets. The error names the key within `auth`.
    pub fn credentials(&self) -> Result<Credentials, (&'static str, SecretError)> {
        let secret = |key: &'static str, at: &Option<SecretRef>| match at {
            Some(at) => at.resolve().map_err(|why| (key, why)),
            None => Err((key, SecretError::NoVariable(key.to_owned()))),
        };
        let client = || {
            Ok(OAuthClient {
                client_id: self.client_id.clone().unwrap_or_default(),
                client_secret: secret("client_secret", &self.client_secret)?,
                scopes: self.scopes.clone(),
            })
        };
        Ok(match self.method {
            AuthMethod::ApiToken => Credentials::ApiToken {
                email: self.email.clone().unwrap_or_default(),
                token: secret("token", &self.token)?,
            },
            AuthMethod::ApiKey => Credentials::ApiKey { key: secret("key", &self.key)? },
            AuthMethod::Bearer => Credentials::Bearer { token: secret("token", &self.token)? },
            AuthMethod::ClientCredentials => Credentials::ClientCredentials(client()?),
            AuthMethod::RefreshToken => Credentials::RefreshToken {
                client: client()?,
                refresh_token: secret("refresh_token", &self.refresh_token)?,
            },
        })
    }
}
