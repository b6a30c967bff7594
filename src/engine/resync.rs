//! The slow sweep: every linked ticket is looked at again now and then, so that
//! what webhooks and feeds both missed is mended; and old rows are dropped.

use std::{collections::BTreeSet, time::Duration};

use handoffd_connectors::contract::{Disarms, Lane};
use handoffd_core::{Body, Fetched, Handoff, LinkId, RemoteId, TicketKey};

use super::{Desk, Engine, poller::account_prefix};
use crate::store::{
    Commit, Key, ReadError, Write,
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
                tables::HANDOFFS,
                tables::SPEECHES,
                tables::PROMISES,
            ];
            let streamed = [tables::CAPTURES, tables::CONVERSATIONS, tables::TALKS];
            let dated = all.map(|table| (table, keep)).into_iter();
            for (table, keep) in dated.chain(streamed.map(|table| (table, streamed_keep))) {
                if let Err(error) = self.drop_older(table, self.now().minus(keep)).await {
                    tracing::warn!(table = table.0, %error, "Old rows could not be dropped; it is tried again.");
                }
            }
            if let Err(why) = self.sweep_blobs().await {
                tracing::warn!(why, "Texts that nothing names could not be dropped; it is tried again.");
            }
        }
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
            let mut writes = Vec::new();
            for (key, row) in &page.rows {
                if tables::written_at(table, key, &row.value).is_some_and(|at| at < old) {
                    writes.push(Write::Delete(table, key.clone()));
                }
            }
            if !writes.is_empty() {
                let commit = Commit { writes, ..Commit::default() };
                self.parts
                    .store
                    .commit(commit)
                    .await
                    .map_err(|error| ReadError::Unavailable { why: error.to_string() })?;
            }
            if !page.more || self.stop.is_cancelled() {
                return Ok(());
            }
        }
    }
}
