//! Freshdesk: its API version 2 behind the helpdesk's role.
//!
//! What it cannot do shapes this folder: no signature on webhooks, no
//! idempotency key, no conditional write, no change log. Facts about the
//! vendor stand where they are used.

mod amend;
mod api;
mod auth;
mod catalog;
mod desk;
mod errors;
mod feed;
mod fields;
mod find;
mod form;
mod history;
mod map;
mod messages;
mod probe;
mod ratings;
mod settings;
pub mod sim;
mod staff;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;
mod words;
mod write;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    Attachment, Comment, Fetched, Field, Fields, Person, RemoteId, Timestamp,
    intent::{Applied, Intent},
};

use self::{desk::Desk, map::Mapping, settings::Settings};
use crate::{
    client::{Client, ClientParts, Quota},
    contract::{
        AccountSetup, Attempted, AuthSpec, BadSettings, Call, Capabilities, Catalog, Changes, Connector,
        Delivery, Error, Feed, FeedStart, Helpdesk, History, MarkerField, Opened, Probe, Provision, Result,
        Sink, Supply, WebhookError,
    },
    sim::{SimSetup, VendorSim},
};

/// Freshdesk as a connector.
pub struct Freshdesk;

/// The registry's entry.
pub static FRESHDESK: Freshdesk = Freshdesk;

/// The fields that are shown and taken beside custom ones. [`Field::Ccs`] are shown, and
/// taken where the setting `writes_ccs` says so.
const FIELDS: [Field; 10] = [
    Field::Subject,
    Field::Status,
    Field::Priority,
    Field::Tags,
    Field::Assignee,
    Field::Group,
    Field::Type,
    Field::DueAt,
    Field::Ccs,
    Field::Requester,
];

/// The most attachments of one message. Freshdesk names no number; it bounds their bytes together.
const ATTACHMENTS_MAX: usize = 50;

/// The longest file that is read: longer than any that mail brings.
const DOWNLOAD_BYTES_MAX: u64 = 100 * 1024 * 1024;

impl Connector for Freshdesk {
    fn name(&self) -> &'static str {
        "freshdesk"
    }

    fn auth(&self) -> AuthSpec {
        auth::spec()
    }

    fn open(&self, setup: AccountSetup, http: ClientParts) -> Result<Opened, BadSettings> {
        Ok(Opened::Helpdesk(Arc::new(open(setup, http)?)))
    }

    fn marker_field(&self) -> Option<MarkerField> {
        Some(MarkerField { setting: "marker_field", default: settings::MARKER_FIELD })
    }

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}

fn open(setup: AccountSetup, http: ClientParts) -> Result<Desk, BadSettings> {
    let (settings, statuses) = Settings::read(&setup.id, &setup.settings)?;
    let client = Client::new(setup.id.clone(), setup.base_url, errors::profile(&settings), http);
    Ok(Desk::new(
        client,
        Mapping { account: setup.id, settings, statuses, custom: setup.custom },
        setup.webhook_secret,
    ))
}

impl Helpdesk for Desk {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_writes: false,
            edits_private_notes: true,
            creates_as_author: false,
            marks_at_once: true,
            feed_blind_spot: feed::BLIND_SPOT,
            message_bytes_max: self.mapping.settings.message_bytes_max,
            fields: &FIELDS,
            attachment_bytes_max: self.mapping.settings.attachments_bytes_max,
            attachments_max: ATTACHMENTS_MAX,
            hides_messages: true,
            redacts_messages: true,
            rewrites_messages: true,
            notes_by_agents_only: false,
            lists_lack_deleted: true,
            // No documented endpoint makes a ticket with its own times.
            imports_history: false,
            history_has_comments: false,
            follows_up: false,
            deletes: true,
            lookups_max: 3,
            lookup_wait: Duration::from_secs(10),
            // Freshdesk sends again after any failure: in 5, 30 and 60 minutes.
            webhook_again: (503, None),
        }
    }

    fn normalize(&self, fields: &Fields) -> Fields {
        self.mapping.normalize(fields)
    }

    fn feeds(&self) -> &'static [Feed] {
        &[feed::TICKETS, feed::DELETED, ratings::RATINGS]
    }

    fn changes(&self, call: Call, feed: Feed, from: FeedStart) -> BoxFuture<'_, Result<Changes>> {
        Box::pin(self.read_feed(call, feed, from))
    }

    fn fetch_many<'a>(&'a self, call: Call, tickets: &'a [RemoteId]) -> BoxFuture<'a, Result<Vec<Fetched>>> {
        Box::pin(self.fetch(call, tickets))
    }

    fn comments<'a>(&'a self, call: Call, ticket: &'a RemoteId) -> BoxFuture<'a, Result<Vec<Comment>>> {
        Box::pin(self.all_comments(call, ticket))
    }

    fn apply<'a>(
        &'a self,
        call: Call,
        intent: &'a Intent,
        author: Option<&'a RemoteId>,
        files: &'a [Supply],
    ) -> BoxFuture<'a, Result<Applied>> {
        Box::pin(self.write(call, intent, author, files))
    }

    fn download<'a>(
        &'a self,
        call: Call,
        _ticket: &'a RemoteId,
        attachment: &'a Attachment,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            match self.client.download(call, &attachment.at, DOWNLOAD_BYTES_MAX, into).await {
                // Addresses are signed, and expire with 403.
                Err(Error::Forbidden { .. }) => Err(Error::Stale),
                done => done,
            }
        })
    }

    fn history(&self, call: Call, from: FeedStart) -> BoxFuture<'_, Result<History>> {
        Box::pin(self.read_history(call, from))
    }

    fn catalog(&self, call: Call) -> BoxFuture<'_, Result<Catalog>> {
        Box::pin(self.read_catalog(call))
    }

    fn provision<'a>(&'a self, call: Call, item: &'a Provision) -> BoxFuture<'a, Result<String>> {
        Box::pin(self.make(call, item))
    }

    fn quota(&self) -> Quota {
        self.client.quota()
    }

    fn find_applied<'a>(&'a self, call: Call, lost: Attempted<'a>) -> BoxFuture<'a, Result<Option<Applied>>> {
        Box::pin(self.look_for(call, lost))
    }

    fn ensure_person<'a>(&'a self, call: Call, person: &'a Person) -> BoxFuture<'a, Result<RemoteId>> {
        Box::pin(self.contact(call, person))
    }

    fn read_webhook(
        &self,
        request: &http::Request<Bytes>,
        _now: Timestamp,
    ) -> Result<Delivery, WebhookError> {
        webhook::read(request, self.webhook_secret.as_ref(), &self.mapping.settings.webhook_header)
    }

    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>> {
        Box::pin(self.look_around(call))
    }
}
