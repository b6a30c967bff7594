//! The slow sweep: every linked ticket is looked at again now and then, so that
//! what webhooks and feeds both missed is mended; and old rows are dropped.

use std::{collections::BTreeSet, time::Duration};

use handoffd_connectors::contract::{Disarms, Lane};
use handoffd_core::{
    Body, Evidence, Fetched, Handoff, LinkId, RemoteId, TicketKey, Timestamp,
    handoff::{handoff_id_from_api, is_open},
};

use super::{Desk, Engine, outbox::EVENT, poller::account_prefix};
use crate::store::{
    Commit, CommitError, Guard, Key, ReadError, Rev, Write,
    blobs::BlobHash,
    tables::{self, TICKETS, Wake},
};

/// How often old rows are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(3_600);
/// How old a text is before it may be dropped.
const BLOB_GRACE: Duration = Duration::from_secs(86_400);
/// How many old rows are dropped in one commit.
const SWEEP_ROWS: u32 = 80;

impl Engine {
    pub(super) async fn run_resync(&self, desk: &Desk) {
        loop {
            let next = self.now().plus(self.jittered(desk.resync));
            if !self.rest_until(next).await {
                return;
            }
            if let Err(error) = self.resync(desk).await {
                tracing::warn!(account = %desk.id, %error, "The resync stopped; it goes on at its next time.");
            }
        }
    }

    /// Waits; `false` when the engine stops.
    pub(super) async fn rest_until(&self, at: handoffd_core::Timestamp) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            () = self.parts.clock.sleep_until(at) => true,
        }
    }

    /// Wakes every linked ticket of an account, a batch at a time.
    pub async fn resync(&self, desk: &Desk) -> Result<(), ReadError> {
        let prefix = account_prefix(desk);
        let mut after: Option<Key> = None;
        loop {
            let limit = self.parts.config.resync_batch.clamp(1, 90);
            let page = self.parts.store.page(TICKETS, &prefix, after.as_ref(), limit).await?;
            after = page.rows.last().map(|(key, _)| key.clone());
            let mut commit = Commit::default();
            let mut tickets = Vec::new();
            for (key, row) in &page.rows {
                let link: LinkId = tables::record(TICKETS, key, &row.value)?;
                let Some(id) = key.parts().get(1).cloned() else { continue };
                tickets.push(RemoteId::new(id.as_str()));
                let wake = Wake::Ticket {
                    ticket: TicketKey::new(desk.id.clone(), id.as_str()),
                    cause: "resync".to_owned(),
                };
                commit.jobs.push(wake.job(link.as_str(), self.now()));
            }
            self.read_ahead(desk, &tickets).await;
            if !commit.jobs.is_empty() {
                self.parts
                    .store
                    .commit(commit)
                    .await
                    .map_err(|error| ReadError::Unavailable { why: error.to_string() })?;
            }
            if !page.more || !self.rest_until(self.now().plus(self.parts.config.resync_pause.0)).await {
                return Ok(());
            }
        }
    }

    /// Reads a batch in as few requests as the vendor allows. What cannot be read
    /// now is read when its ticket is looked at.
    async fn read_ahead(&self, desk: &Desk, tickets: &[RemoteId]) {
        if desk.is_paused() || tickets.is_empty() {
            return;
        }
        match desk.helpdesk.fetch_many(self.call(Lane::Refresh), tickets).await {
            Ok(views) => {
                for view in views {
                    let ticket = match &view {
                        Fetched::Shown(observed) => observed.ticket.clone(),
                        Fetched::Gone(ticket) | Fetched::MovedTo { from: ticket, .. } => ticket.clone(),
                    };
                    self.views.keep(ticket, view);
                }
            }
            Err(error) => self.learn(desk, &error, Disarms::Reads).await,
        }
    }

    pub(super) async fn run_sweeps(&self) {
        while self.rest_until(self.now().plus(SWEEP_EVERY)).await {
            let keep = self.parts.config.journal_keep.0;
            let streamed_keep = self.parts.handoff.captured_keep.0;
            let all = [
                tables::JOURNAL,
                tables::DELIVERIES,
                tables::ANSWERS,
                tables::SPEECHES,
                tables::PROMISES,
                // An AI agent knows its conversation by its own name also after people had it long.
                tables::CONVERSATIONS,
                tables::TALKS,
            ];
            let streamed = [tables::CAPTURES];
            let dated = all.map(|table| (table, keep)).into_iter();
            for (table, keep) in dated.chain(streamed.map(|table| (table, streamed_keep))) {
                if let Err(error) = self.drop_older(table, self.now().minus(keep)).await {
                    tracing::warn!(table = table.0, %error, "Old rows could not be dropped; it is tried again.");
                }
            }
            self.sweep_handoffs(self.now().minus(keep), self.now().minus(streamed_keep)).await;
            if let Err(error) = self.drop_parked_events(self.now().minus(keep)).await {
                tracing::warn!(%error, "Old events could not be dropped; it is tried again.");
            }
            if let Err(why) = self.sweep_blobs().await {
                tracing::warn!(why, "Texts that nothing names could not be dropped; it is tried again.");
            }
        }
    }

    /// Drops old handoffs with all that is kept of them, and fails what was announced too long ago.
    async fn sweep_handoffs(&self, old: Timestamp, announced: Timestamp) {
        if let Err(fault) = self.fail_old_intakes(announced).await {
            tracing::warn!(?fault, "Old announcements could not be dropped; it is tried again.");
        }
        if let Err(error) = self.drop_handoffs(old).await {
            tracing::warn!(%error, "Old handoffs could not be dropped; it is tried again.");
        }
    }

    /// A handoff goes with its package, what its AI agent was told, and the names under which it is
    /// known. One that is still open goes when nobody can be at it any more.
    async fn drop_handoffs(&self, old: Timestamp) -> Result<(), ReadError> {
        let expire = self.parts.handoff.expire_after.0;
        let (all, mut after) = (Key(Vec::new()), None::<Key>);
        // As long again as it was kept, and was waited for.
        let abandoned = old.minus(self.now().since(old)).minus(expire * 2);
        loop {
            let page = self.parts.store.page(tables::HANDOFFS, &all, after.as_ref(), SWEEP_ROWS).await?;
            after = page.rows.last().map(|(key, _)| key.clone());
            for (key, row) in page.rows {
                let record: Handoff = tables::record(tables::HANDOFFS, &key, &row.value)?;
                let before = if is_open(&record) { abandoned } else { old };
                if record.detected_at < before {
                    self.drop_handoff(key, row.rev, &record).await?;
                }
            }
            if !page.more || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }

    async fn drop_handoff(&self, key: Key, rev: Rev, record: &Handoff) -> Result<(), ReadError> {
        let id = record.id.as_str();
        let named = record.evidence.iter().filter_map(|sign| match sign {
            Evidence::Api { agent, key } => Some(handoff_id_from_api(agent, key)),
            Evidence::Native { .. } => None,
        });
        let names = named.map(|name| Write::Delete(tables::HANDOFF_NAMES, Key::of(&[name.as_str()])));
        let mut writes = vec![
            Write::Delete(tables::HANDOFFS, key.clone()),
            Write::Delete(tables::PACKAGES, Key::of(&[id])),
            Write::Delete(tables::PACKAGES, Key::of(&[id, "resolution"])),
        ];
        writes.extend(names);
        let guards = vec![Guard::Rev(tables::HANDOFFS, key, rev)];
        match self.parts.store.commit(Commit { guards, writes, ..Commit::default() }).await {
            // It changed in this moment.
            Ok(_) | Err(CommitError::Conflict { .. }) => Ok(()),
            Err(error) => Err(ReadError::Unavailable { why: error.to_string() }),
        }
    }

    /// Events that were given up and that no admin has asked for.
    async fn drop_parked_events(&self, old: Timestamp) -> Result<(), ReadError> {
        let all = Key(Vec::new());
        let rows =
            tables::read_all::<tables::OutboxRow>(&*self.parts.store, tables::OUTBOX, &all, usize::MAX);
        for (key, row) in rows.await?.into_iter().filter(|(_, row)| row.value.at < old) {
            let writes = vec![
                Write::Delete(tables::OUTBOX, key.clone()),
                Write::Delete(tables::PARKED, Key::of(&[EVENT, &row.value.id])),
            ];
            let guards = vec![Guard::Rev(tables::OUTBOX, key, row.rev)];
            match self.parts.store.commit(Commit { guards, writes, ..Commit::default() }).await {
                Ok(_) | Err(CommitError::Conflict { .. }) => {}
                Err(error) => return Err(ReadError::Unavailable { why: error.to_string() }),
            }
        }
        Ok(())
    }

    /// Drops long texts that no write and no handoff names any more.
    async fn sweep_blobs(&self) -> Result<(), String> {
        let store = &*self.parts.store;
        let all = Key(Vec::new());
        let mut keep = BTreeSet::new();
        let mut named = |body: Option<&Body>| match body {
            Some(Body::Blob { hash, .. }) => keep.extend(BlobHash::try_from(hash.clone())),
            Some(Body::RichBlob { hash, html_hash, .. }) => {
                keep.extend(
                    [hash, html_hash].map(|hash| BlobHash::try_from(hash.clone())).into_iter().flatten(),
                );
            }
            Some(Body::Inline(_) | Body::Rich { .. }) | None => {}
        };
        let intents = tables::read_all::<tables::IntentRow>(store, tables::INTENTS, &all, usize::MAX).await;
        for (_, mut row) in intents.map_err(|error| error.to_string())? {
            for body in row.value.intent.bodies_mut() {
                named(Some(body));
            }
        }
        let handoffs = tables::read_all::<Handoff>(store, tables::HANDOFFS, &all, usize::MAX).await;
        for (_, row) in handoffs.map_err(|error| error.to_string())? {
            named(row.value.briefing.as_ref());
        }
        let words = tables::read_all::<tables::SpeechRow>(store, tables::SPEECHES, &all, usize::MAX).await;
        for (_, row) in words.map_err(|error| error.to_string())? {
            named(row.value.text.as_ref());
        }
        let events = tables::read_all::<tables::OutboxRow>(store, tables::OUTBOX, &all, usize::MAX).await;
        for (_, row) in events.map_err(|error| error.to_string())? {
            named(Some(&row.value.body));
        }
        // A text is stored before the commit that names it: young ones may be about to be named.
        let older_than = self.now().minus(BLOB_GRACE);
        self.parts.blobs.sweep(keep, older_than).await.map(|_| ()).map_err(|error| error.to_string())
    }

    async fn drop_older(
        &self,
        table: crate::store::Table,
        old: handoffd_core::Timestamp,
    ) -> Result<(), ReadError> {
        let all = Key(Vec::new());
        let mut after: Option<Key> = None;
        loop {
            let page = self.parts.store.page(table, &all, after.as_ref(), SWEEP_ROWS).await?;
            after = page.rows.last().map(|(key, _)| key.clone());
            let (mut guards, mut writes) = (Vec::new(), Vec::new());
            for (key, row) in &page.rows {
                if tables::written_at(table, key, &row.value).is_some_and(|at| at < old) {
                    guards.push(Guard::Rev(table, key.clone(), row.rev));
                    writes.push(Write::Delete(table, key.clone()));
                }
            }
            if !writes.is_empty() {
                match self.parts.store.commit(Commit { guards, writes, ..Commit::default() }).await {
                    // One of them was written in this moment: they wait for the next sweep.
                    Ok(_) | Err(CommitError::Conflict { .. }) => {}
                    Err(error) => return Err(ReadError::Unavailable { why: error.to_string() }),
                }
            }
            if !page.more || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }
}
