//! How accounts stand: probes at the start and while something is wrong, and
//! what calls teach in between.

use std::sync::PoisonError;

use handoffd_connectors::contract::{Disarms, Error, Lane};
use handoffd_core::{AccountId, Timestamp};

use super::{Desk, Engine, Fault, Inner, SourceStanding, accounts};
use crate::store::{Commit, Key, tables};

impl Engine {
    /// Probes an account at the start, and again while something is wrong there.
    pub(super) async fn run_probes(&self, desk: &Desk) {
        loop {
            self.probe(desk).await;
            loop {
                let wait = self.now().plus(desk.recheck_wait(self.parts.config.paused_recheck.0));
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return,
                    () = self.parts.clock.sleep_until(wait) => {}
                }
                if self.needs_probe(desk) {
                    break;
                }
            }
        }
    }

    fn needs_probe(&self, desk: &Desk) -> bool {
        let standing = desk.standing();
        standing.paused.is_some() || !standing.disarmed.is_empty() || standing.identity.is_none()
    }

    /// Signs in once and takes in what is missing. A passing failure changes nothing.
    pub async fn probe(&self, desk: &Desk) {
        match desk.helpdesk.probe(self.call(Lane::Refresh)).await {
            Ok(probe) => {
                let was_paused = desk.is_paused() | desk.take_left_paused();
                let before = desk.standing();
                if desk.change_standing(|standing| accounts::take_probe(standing, &probe)) {
                    self.store_standing(desk).await;
                    for (capability, why) in &desk.standing().disarmed {
                        if before.disarmed.get(capability) != Some(why) {
                            tracing::warn!(account = %desk.id, capability, why, "Switched off until it is mended.");
                        }
                    }
                }
                if was_paused {
                    tracing::info!(account = %desk.id, "The account works again.");
                }
                let mended = before.disarmed.keys().any(|what| !desk.standing().disarmed.contains_key(what));
                if was_paused || mended {
                    self.catch_up(desk);
                }
            }
            Err(error) => self.learn(desk, &error, Disarms::Reads).await,
        }
    }
}

impl Engine {
    /// Probes a context source at the start, and again while something is wrong there.
    pub(super) async fn run_source_probes(&self, account: &AccountId) {
        loop {
            if self.source_standing(account).is_none_or(|standing| !standing.problems.is_empty()) {
                self.probe_source(account).await;
            }
            let wait = self.now().plus(self.parts.config.paused_recheck.0);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.parts.clock.sleep_until(wait) => {}
            }
        }
    }

    /// Signs in to a context source once, and remembers what is missing there.
    pub async fn probe_source(&self, account: &AccountId) {
        let Some(source) = self.parts.sources.get(account) else { return };
        let standing = match source.probe(self.call(Lane::Refresh)).await {
            Ok(probe) => SourceStanding {
                identity: Some(probe.identity),
                problems: probe
                    .problems
                    .into_iter()
                    .map(|problem| format!("{} {}", problem.what, problem.remedy))
                    .collect(),
            },
            Err(error) => SourceStanding { identity: None, problems: vec![error.to_string()] },
        };
        self.note_source(account, standing);
    }

    /// How a context source stands, once it was asked.
    pub fn source_standing(&self, account: &AccountId) -> Option<SourceStanding> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(account).cloned()
    }

    /// What is wrong at a source is said once, and again when it changes.
    pub(super) fn note_source(&self, account: &AccountId, standing: SourceStanding) {
        let problems = standing.problems.clone();
        let before =
            self.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(account.clone(), standing);
        if !problems.is_empty() && before.is_none_or(|before| before.problems != problems) {
            tracing::warn!(%account, why = problems.join("; "), "A context source does not work as it should.");
        }
    }

    /// What was left undone while an account did not work is looked for at once.
    fn catch_up(&self, mended: &Desk) {
        let group = self.parts.desks.values().filter(|desk| desk.group == mended.group);
        for desk in group.filter(|desk| desk.begin_catching_up()) {
            let (engine, desk) = (self.clone(), desk.clone());
            self.tasks.spawn(async move {
                if let Err(error) = engine.resync(&desk).await {
                    tracing::warn!(account = %desk.id, %error, "What was left undone is looked for at the next resync.");
                }
                desk.end_catching_up();
            });
        }
    }
}

impl Inner {
    /// Takes in what a failed call says about its account: a refused credential
    /// pauses it, a missing permission switches off what needed it. Said once.
    pub(super) async fn learn(&self, desk: &Desk, error: &Error, capability: Disarms) {
        let Some(change) = accounts::change_for(error, capability) else { return };
        let now = self.now();
        if desk.change_standing(|standing| accounts::take_change(standing, &change, now)) {
            match &change {
                accounts::StandingChange::Paused(why) => {
                    tracing::warn!(account = %desk.id, why, "The account is paused: its credential is refused.");
                }
                accounts::StandingChange::Disarmed(_, why) => {
                    desk.refused();
                    tracing::warn!(account = %desk.id, why, "A permission is missing; what needs it is switched off.");
                }
            }
            self.store_standing(desk).await;
        }
    }

    pub(super) async fn store_standing(&self, desk: &Desk) {
        let row = tables::put(tables::ACCOUNTS, Key::of(&[desk.id.as_str()]), &desk.standing());
        let commit = Commit { writes: vec![row], ..Commit::default() };
        if let Err(error) = self.parts.store.commit(commit).await {
            // It is learnt again from the next call.
            tracing::warn!(account = %desk.id, %error, "The account's standing could not be stored.");
        }
    }

    /// What a failed read means for the work at hand.
    pub(super) async fn put_off(&self, account: &AccountId, error: &Error) -> Fault {
        if let Some(desk) = self.parts.desks.get(account) {
            self.learn(desk, error, Disarms::Reads).await;
        }
        if let (Some(desk), Error::Transient { .. } | Error::Unknown { .. }) =
            (self.parts.desks.get(account), error)
        {
            desk.failed(self.now(), self.parts.config.retry_first.0, self.parts.config.retry_max.0);
        }
        match error {
            Error::Throttled { retry_at } => Fault::Later { at: *retry_at, why: error.to_string() },
            Error::Malformed { .. } | Error::Refused { .. } => Fault::Park { why: error.to_string() },
            _ => Fault::Later { at: self.retry_time(account), why: error.to_string() },
        }
    }

    pub(super) fn retry_time(&self, account: &AccountId) -> Timestamp {
        let paused = self.parts.desks.get(account).is_some_and(|desk| desk.is_paused());
        let config = &self.parts.config;
        let wait = if paused { config.paused_recheck.0 } else { config.retry_first.0 * 4 };
        self.now().plus(wait + config.retry_first.0.mul_f64(self.parts.jitter.fraction()))
    }
}
