//! How accounts stand: probes at the start and while something is wrong, and
//! what calls teach in between.

use handoffd_connectors::contract::{Disarms, Error, Lane};

use super::{Desk, Engine, Inner, accounts};
use crate::store::{Commit, Key, tables};

impl Engine {
    /// Probes an account at the start, and again while something is wrong there.
    pub(super) async fn run_probes(&self, desk: &Desk) {
        loop {
            self.probe(desk).await;
            let wait = self.now().plus(self.parts.config.paused_recheck.0);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.parts.clock.sleep_until(wait) => {}
            }
            while !self.needs_probe(desk) {
                let wait = self.now().plus(self.parts.config.paused_recheck.0);
                tokio::select! {
                    biased;
                    () = self.stop.cancelled() => return,
                    () = self.parts.clock.sleep_until(wait) => {}
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
                let was_paused = desk.is_paused();
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
    /// What was left undone while an account did not work is looked for at once.
    fn catch_up(&self, mended: &Desk) {
        for desk in self.parts.desks.values().filter(|desk| desk.group == mended.group) {
            let (engine, desk) = (self.clone(), desk.clone());
            self.tasks.spawn(async move {
                if let Err(error) = engine.resync(&desk).await {
                    tracing::warn!(account = %desk.id, %error, "What was left undone is looked for at the next resync.");
                }
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
}
