//! The one refresher of an account's OAuth tokens.
//!
//! A vendor that rotates refresh tokens kills the old pair when it gives the
//! new one. So one refresh runs at a time, in a task of its own that no caller
//! can cancel, and a new pair is stored before anything uses it.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::future::BoxFuture;
use handoffd_connectors::{
    client::{
        Authorizer, Clock, Transport,
        oauth::{Grant, TokenError, Tokens, request_token},
    },
    contract::{Call, Credentials, Error, OAuthClient, OAuthSpec, Result, Secret},
};
use handoffd_core::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use zeroize::{Zeroize as _, Zeroizing};

use super::{OpenError, SEALED, Vault};
use crate::store::{Commit, Key, Store, Write};

/// How long before its end a token is replaced; of short ones, a quarter of their life.
const AHEAD: Duration = Duration::from_secs(60);

/// The wait after a first passing failure. Doubles with each, up to [`HOLD_OFF_MAX`].
const HOLD_OFF: Duration = Duration::from_secs(1);
const HOLD_OFF_MAX: Duration = Duration::from_secs(60);

/// How long a refusal stands before the vendor is asked once more.
const RECHECK: Duration = Duration::from_secs(15 * 60);

/// A token that is refused so soon after it was given will not be helped by another one.
const JUST_GIVEN: Duration = Duration::from_secs(2);

/// What a keeper works with.
#[derive(Clone)]
pub struct KeeperParts {
    /// Where sealed pairs are.
    pub store: Arc<dyn Store>,
    /// What seals them.
    pub vault: Arc<Vault>,
    /// How token requests travel.
    pub transport: Arc<dyn Transport>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

/// Signs an account's requests with an OAuth access token that it keeps fresh.
/// Make one per account; the store must not be shared with another daemon's.
pub struct TokenKeeper(Arc<Keeper>);

impl TokenKeeper {
    /// The keeper for these credentials; `None` when they are no OAuth grant.
    /// Asks nobody yet.
    pub fn new(
        account: &AccountId,
        base_url: url::Url,
        spec: OAuthSpec,
        credentials: &Credentials,
        parts: KeeperParts,
    ) -> Option<Self> {
        let (client, configured) = match credentials {
            Credentials::ClientCredentials(client) => (client, None),
            Credentials::RefreshToken { client, refresh_token } => (client, Some(refresh_token)),
            _ => return None,
        };
        Some(Self(Arc::new(Keeper {
            row: Key::of(&["oauth", account.as_str()]),
            base_url,
            spec,
            client: client.clone(),
            configured: configured.cloned(),
            parts,
            shown: Mutex::default(),
            pair: tokio::sync::Mutex::default(),
        })))
    }

    /// Waits for a refresh, which goes on when the caller stops waiting.
    async fn fly(&self, call: Call, seen: u64) -> Result<()> {
        let keeper = Arc::clone(&self.0);
        let flight = tokio::spawn(async move { keeper.flight(seen).await });
        tokio::select! {
            biased;
            ended = flight => ended.unwrap_or_else(|_| Err(passing("the refresh was cut off"))),
            () = self.0.parts.clock.sleep_until(call.deadline) => {
                Err(passing("the deadline passed while a token was asked for"))
            }
        }
    }

    async fn current(&self, call: Call) -> Result<Secret> {
        let now = self.0.parts.clock.now();
        let (step, seen) = {
            let shown = self.0.shown();
            (shown.step(now), shown.flights)
        };
        match step {
            Step::Use(header) => return Ok(header),
            Step::Fail(error) => return Err(error),
            Step::Refresh => {}
        }
        let flown = self.fly(call, seen).await;
        // A token that is due for its replacement serves until its end.
        match self.0.shown().usable(self.0.parts.clock.now()) {
            Some(held) => Ok(held.header.clone()),
            None => Err(flown.err().unwrap_or_else(|| passing("the token ended while it was waited for"))),
        }
    }

    async fn replace(&self, call: Call, used: &Secret) -> Result<bool> {
        let now = self.0.parts.clock.now();
        let seen = {
            let mut shown = self.0.shown();
            match &shown.current {
                Some(held) if held.header.expose() != used.expose() => return Ok(true),
                Some(held) if held.given_at.is_some_and(|at| now.since(at) < JUST_GIVEN) => return Ok(false),
                _ => shown.current = None,
            }
            if let Step::Fail(error) = shown.step(now) {
                return Err(error);
            }
            shown.flights
        };
        self.fly(call, seen).await.map(|()| true)
    }
}

impl Authorizer for TokenKeeper {
    fn header(&self, call: Call) -> BoxFuture<'_, Result<Secret>> {
        Box::pin(self.current(call))
    }

    fn rejected<'a>(&'a self, call: Call, used: &'a Secret) -> BoxFuture<'a, Result<bool>> {
        Box::pin(self.replace(call, used))
    }
}

impl fmt::Debug for TokenKeeper {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TokenKeeper({:?})", self.0.row)
    }
}

struct Keeper {
    row: Key,
    base_url: url::Url,
    spec: OAuthSpec,
    client: OAuthClient,
    /// The configured refresh token; `None` for client credentials.
    configured: Option<Secret>,
    parts: KeeperParts,
    shown: Mutex<Shown>,
    /// Held by the one refresh that runs.
    pair: tokio::sync::Mutex<Pair>,
}

/// What callers see.
#[derive(Default)]
struct Shown {
    current: Option<Held>,
    failed: Option<Failed>,
    failures: u32,
    /// How many refreshes have ended.
    flights: u64,
}

/// An access token in use.
struct Held {
    header: Secret,
    /// When it should be replaced, and when it ends; `None`: not told.
    due_and_end: Option<(Timestamp, Timestamp)>,
    /// When the vendor gave it; `None` for one that was stored.
    given_at: Option<Timestamp>,
}

/// The last refresh failed; nothing is tried before `until`.
struct Failed {
    error: Error,
    until: Timestamp,
}

enum Step {
    Use(Secret),
    Fail(Error),
    Refresh,
}

impl Shown {
    fn usable(&self, now: Timestamp) -> Option<&Held> {
        self.current.as_ref().filter(|held| held.due_and_end.is_none_or(|(_, end)| now < end))
    }

    fn step(&self, now: Timestamp) -> Step {
        let failed = self.failed.as_ref().filter(|failed| now < failed.until);
        match (self.usable(now), failed) {
            (Some(held), None) if held.due_and_end.is_some_and(|(due, _)| now >= due) => Step::Refresh,
            (Some(held), _) => Step::Use(held.header.clone()),
            (None, Some(failed)) => Step::Fail(failed.error.clone()),
            (None, None) => Step::Refresh,
        }
    }

    fn ended(&mut self, outcome: &Result<()>, now: Timestamp) {
        self.flights += 1;
        let Err(error) = outcome else {
            self.failed = None;
            self.failures = 0;
            return;
        };
        let hold_off = match error {
            Error::Unauthorized { .. } => RECHECK,
            _ => HOLD_OFF.saturating_mul(1 << self.failures.min(6)).min(HOLD_OFF_MAX),
        };
        self.failures = self.failures.saturating_add(1);
        self.failed = Some(Failed { error: error.clone(), until: now.plus(hold_off) });
    }
}

/// What only the running refresh touches.
#[derive(Default)]
struct Pair {
    loaded: bool,
    refresh: Option<Secret>,
    /// Given by the vendor and not stored yet.
    pending: Option<Tokens>,
}

impl Keeper {
    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One refresh, or what came of the one that was waited for.
    async fn flight(&self, seen: u64) -> Result<()> {
        let mut pair = self.pair.lock().await;
        {
            let shown = self.shown();
            if shown.flights > seen {
                return shown.failed.as_ref().map_or(Ok(()), |failed| Err(failed.error.clone()));
            }
        }
        let outcome = self.renew(&mut pair).await;
        self.shown().ended(&outcome, self.parts.clock.now());
        outcome
    }

    async fn renew(&self, pair: &mut Pair) -> Result<()> {
        let Some(configured) = &self.configured else {
            let tokens = self.ask(Grant::ClientCredentials).await?;
            self.show(&tokens, Some(self.parts.clock.now()));
            return Ok(());
        };
        if pair.pending.is_none() {
            if !pair.loaded && self.load(configured, pair).await? {
                return Ok(());
            }
            let refresh = pair.refresh.clone().unwrap_or_else(|| configured.clone());
            let mut tokens = self.ask(Grant::Refresh(refresh.clone())).await?;
            // A vendor that does not rotate gives no new one.
            tokens.refresh.get_or_insert(refresh);
            pair.pending = Some(tokens);
            // The vendor may have killed the old access token with the old refresh token.
            self.shown().current = None;
        }
        if let Some(tokens) = pair.pending.clone() {
            self.store(configured, &tokens).await?;
            self.show(&tokens, Some(self.parts.clock.now()));
            pair.refresh = tokens.refresh;
            pair.pending = None;
        }
        Ok(())
    }

    async fn ask(&self, grant: Grant) -> Result<Tokens> {
        let (transport, clock) = (self.parts.transport.as_ref(), self.parts.clock.as_ref());
        request_token(transport, clock, &self.base_url, &self.spec, &self.client, grant)
            .await
            .map_err(|error| refused_or_passing(&error))
    }

    /// Reads the stored pair, if it is newer than the configured token. Whether
    /// its access token can be used as it is.
    async fn load(&self, configured: &Secret, pair: &mut Pair) -> Result<bool> {
        let read = self.parts.store.get(SEALED, &self.row).await;
        let row = read.map_err(|error| passing(&format!("the stored tokens cannot be read: {error}")))?;
        let digest = self.digest(configured);
        // The admin's new token wins over a pair that came from an old one.
        let sealed = row.as_ref().and_then(|row| row.value.strip_prefix(digest.as_slice()));
        let Some(sealed) = sealed else {
            pair.loaded = true;
            return Ok(false);
        };
        let plain = self.parts.vault.open(SEALED, &self.row, sealed).map_err(|error| unopened(&error))?;
        let stored: Stored = serde_json::from_slice(&plain).map_err(|_| unopened(&OpenError::Damaged))?;
        let tokens = Tokens::from(&stored);
        pair.refresh = tokens.refresh.clone();
        pair.loaded = true;
        let held = held(&tokens, None, self.parts.clock.now());
        let fresh = held.due_and_end.is_none_or(|(due, _)| self.parts.clock.now() < due);
        self.shown().current = Some(held);
        Ok(fresh)
    }

    async fn store(&self, configured: &Secret, tokens: &Tokens) -> Result<()> {
        let value = self.sealed(configured, tokens)?;
        let writes = vec![Write::Put(SEALED, self.row.clone(), value)];
        let committed = self.parts.store.commit(Commit { writes, ..Commit::default() }).await;
        committed.map(drop).map_err(|error| passing(&format!("the new tokens cannot be stored: {error}")))
    }

    fn sealed(&self, configured: &Secret, tokens: &Tokens) -> Result<Vec<u8>> {
        let stored = Stored::from(tokens);
        let plain = serde_json::to_vec(&stored).map(Zeroizing::new);
        let plain = plain.map_err(|_| passing("the new tokens cannot be written as JSON"))?;
        let mut value = self.digest(configured);
        value.extend(self.parts.vault.seal(SEALED, &self.row, &plain));
        Ok(value)
    }

    fn show(&self, tokens: &Tokens, given_at: Option<Timestamp>) {
        self.shown().current = Some(held(tokens, given_at, self.parts.clock.now()));
    }

    /// Tells configured tokens apart without giving them away.
    fn digest(&self, configured: &Secret) -> Vec<u8> {
        Sha256::new()
            .chain_update(b"handoffd configured token\0")
            .chain_update(self.client.client_id.as_bytes())
            .chain_update(b"\0")
            .chain_update(configured.expose().as_bytes())
            .finalize()
            .to_vec()
    }
}

/// A pair as it is sealed. Wiped when dropped.
#[derive(Serialize, Deserialize)]
struct Stored {
    access: String,
    refresh: Option<String>,
    expires_at: Option<Timestamp>,
    refresh_expires_at: Option<Timestamp>,
}

impl Drop for Stored {
    fn drop(&mut self) {
        self.access.zeroize();
        self.refresh.zeroize();
    }
}

impl From<&Tokens> for Stored {
    fn from(tokens: &Tokens) -> Self {
        let copy = |secret: &Secret| secret.expose().to_owned();
        Self {
            access: copy(&tokens.access),
            refresh: tokens.refresh.as_ref().map(copy),
            expires_at: tokens.expires_at,
            refresh_expires_at: tokens.refresh_expires_at,
        }
    }
}

impl From<&Stored> for Tokens {
    fn from(stored: &Stored) -> Self {
        Self {
            access: Secret::new(stored.access.as_str()),
            refresh: stored.refresh.as_deref().map(Secret::new),
            expires_at: stored.expires_at,
            refresh_expires_at: stored.refresh_expires_at,
        }
    }
}

fn held(tokens: &Tokens, given_at: Option<Timestamp>, now: Timestamp) -> Held {
    let due_and_end = tokens.expires_at.map(|end| (end.minus(AHEAD.min(end.since(now) / 4)), end));
    let header = Zeroizing::new(format!("Bearer {}", tokens.access.expose()));
    Held { header: Secret::new(header.as_str()), due_and_end, given_at }
}

fn refused_or_passing(error: &TokenError) -> Error {
    match error {
        TokenError::InvalidGrant => {
            Error::Unauthorized { why: format!("{error}: connect the account again with a new one") }
        }
        TokenError::InvalidClient | TokenError::Refused(_) => Error::Unauthorized { why: error.to_string() },
        TokenError::Transient(_) | TokenError::Malformed(_) => passing(&error.to_string()),
    }
}

fn unopened(error: &OpenError) -> Error {
    let why = format!(
        "the stored tokens cannot be opened: {error}; bring that key back, or connect the account again with \
         a new refresh token"
    );
    Error::Unauthorized { why }
}

fn passing(why: &str) -> Error {
    Error::Transient { why: why.to_owned() }
}

#[cfg(test)]
mod tests;
