//! Mapping: each account's own values to its link group's and back.
//!
//! [`Mapped`] stands between the engine and a connector's [`Helpdesk`]: what goes up is in
//! the link group's values, what goes down in the account's. The core and the connectors
//! know nothing of it.

mod build;

pub mod live;
pub mod ops;
pub mod proof;
mod samples;

#[cfg(test)]
mod tests;
mod translate;
mod values;

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_connectors::{
    client::Quota,
    contract::{
        Attempted, Call, Capabilities, Catalog, Changes, Delivery, Error, Feed, FeedRow, FeedStart, Helpdesk,
        History, Probe, Provision, Result, Sink, Supply, WebhookError,
    },
};
use handoffd_core::{
    Attachment, Comment, Fetched, Field, Fields, Observed, Person, Priority, RemoteId, Timestamp,
    intent::{Applied, Intent},
};

pub use translate::{CustomPlace, FieldMap, Owners, Translator};
pub use values::{ValueMap, status_named};

/// Whether a word names a priority, or that there is none.
pub fn is_priority(word: &str) -> bool {
    word == "none" || Priority::ALL.into_iter().any(|priority| priority.name() == word)
}

/// A helpdesk in its link group's values.
pub struct Mapped {
    inner: Arc<dyn Helpdesk>,
    translator: Translator,
}

impl Mapped {
    /// Puts the translation around a connector's helpdesk.
    pub fn new(inner: Arc<dyn Helpdesk>, translator: Translator) -> Self {
        Self { inner, translator }
    }

    fn up(&self, mut view: Observed) -> Observed {
        let own_tags = self.translator.own_tags(&view.fields);
        view.fields = self.translator.to_canonical(&view.fields);
        view.fields.extend(own_tags.map(|tags| (Field::OwnTags, tags)));
        view
    }

    fn row_up(&self, row: FeedRow) -> FeedRow {
        match row {
            FeedRow::Changed(view) => FeedRow::Changed(Box::new(self.up(*view))),
            row => row,
        }
    }

    fn applied_up(&self, mut applied: Applied) -> Applied {
        applied.shown = applied.shown.map(|view| self.up(view));
        applied
    }

    /// The write in the account's values. An update of a set that is translated looks at the
    /// ticket first, at the price of one more read: what does not travel must stay.
    async fn down(&self, call: Call, intent: &Intent) -> Result<Intent> {
        let mut intent = intent.clone();
        match &mut intent {
            Intent::Create(create) => {
                create.ticket.fields = self.translator.to_native_new(&create.ticket.fields)
            }
            Intent::Update(update) if self.translator.needs_look(&update.set) => {
                let there = self.look(call, &update.at.id).await?;
                update.set = self.translator.to_native_over(&update.set, &there);
            }
            Intent::Update(update) => update.set = self.translator.to_native(&update.set),
            Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => {}
        }
        Ok(intent)
    }

    /// The fields of a ticket as the account shows them. Nothing was written when it fails.
    async fn look(&self, call: Call, ticket: &RemoteId) -> Result<Fields> {
        let found = self.inner.fetch_many(call, std::slice::from_ref(ticket)).await?;
        match found.into_iter().next() {
            Some(Fetched::Shown(view)) => Ok(view.fields),
            Some(Fetched::Gone(_) | Fetched::MovedTo { .. }) | None => Err(Error::Gone),
        }
    }
}

impl Helpdesk for Mapped {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn normalize(&self, fields: &Fields) -> Fields {
        self.translator.normalize(fields, &|native| self.inner.normalize(native))
    }

    fn feeds(&self) -> &'static [Feed] {
        self.inner.feeds()
    }

    fn changes(&self, call: Call, feed: Feed, from: FeedStart) -> BoxFuture<'_, Result<Changes>> {
        Box::pin(async move {
            let mut changes = self.inner.changes(call, feed, from).await?;
            changes.rows = changes.rows.into_iter().map(|row| self.row_up(row)).collect();
            Ok(changes)
        })
    }

    fn fetch_many<'a>(&'a self, call: Call, tickets: &'a [RemoteId]) -> BoxFuture<'a, Result<Vec<Fetched>>> {
        Box::pin(async move {
            let found = self.inner.fetch_many(call, tickets).await?;
            let up = |one| match one {
                Fetched::Shown(view) => Fetched::Shown(Box::new(self.up(*view))),
                other => other,
            };
            Ok(found.into_iter().map(up).collect())
        })
    }

    fn comments<'a>(&'a self, call: Call, ticket: &'a RemoteId) -> BoxFuture<'a, Result<Vec<Comment>>> {
        self.inner.comments(call, ticket)
    }

    fn apply<'a>(
        &'a self,
        call: Call,
        intent: &'a Intent,
        author: Option<&'a RemoteId>,
        files: &'a [Supply],
    ) -> BoxFuture<'a, Result<Applied>> {
        Box::pin(async move {
            let native = self.down(call, intent).await?;
            Ok(self.applied_up(self.inner.apply(call, &native, author, files).await?))
        })
    }

    fn download<'a>(
        &'a self,
        call: Call,
        ticket: &'a RemoteId,
        attachment: &'a Attachment,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<()>> {
        self.inner.download(call, ticket, attachment, into)
    }

    fn history(&self, call: Call, from: FeedStart) -> BoxFuture<'_, Result<History>> {
        Box::pin(async move {
            let mut page = self.inner.history(call, from).await?;
            page.rows = page.rows.into_iter().map(|row| self.row_up(row)).collect();
            Ok(page)
        })
    }

    fn catalog(&self, call: Call) -> BoxFuture<'_, Result<Catalog>> {
        self.inner.catalog(call)
    }

    fn provision<'a>(&'a self, call: Call, item: &'a Provision) -> BoxFuture<'a, Result<String>> {
        self.inner.provision(call, item)
    }

    fn quota(&self) -> Quota {
        self.inner.quota()
    }

    fn find_applied<'a>(&'a self, call: Call, lost: Attempted<'a>) -> BoxFuture<'a, Result<Option<Applied>>> {
        Box::pin(async move {
            let native = self.down(call, lost.intent).await?;
            let found = self.inner.find_applied(call, Attempted { intent: &native, ..lost }).await?;
            Ok(found.map(|applied| self.applied_up(applied)))
        })
    }

    fn ensure_person<'a>(&'a self, call: Call, person: &'a Person) -> BoxFuture<'a, Result<RemoteId>> {
        self.inner.ensure_person(call, person)
    }

    fn read_webhook(&self, request: &http::Request<Bytes>, now: Timestamp) -> Result<Delivery, WebhookError> {
        self.inner.read_webhook(request, now)
    }

    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>> {
        self.inner.probe(call)
    }
}
