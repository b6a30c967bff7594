//! Zendesk Support, API v2.

mod amend;
mod api;
mod auth;
mod body;
mod catalog;
mod errors;
mod fields;
mod files;
mod history;
mod lenient;
mod limits;
mod made;
mod map;
mod memory;
mod probe;
mod read;
mod settings;
pub mod sim;
mod statuses;
mod webhook;
mod wire;
mod write;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    Attachment, Comment, Fetched, Field, Fields, Person, RemoteId, Timestamp,
    intent::{Applied, Intent},
};

use crate::{
    client::{Client, ClientParts, Quota},
    contract::{
        AccountSetup, Attempted, AuthSpec, BadSettings, Call, Capabilities, Catalog, Changes, Connector,
        CustomField, Delivery, Error, Feed, FeedStart, Helpdesk, History, Opened, Probe, Provision, Result,
        Secret, Sink, Supply, WebhookError,
    },
    sim::{SimSetup, VendorSim},
};
pub use settings::{Plan, Settings};

/// Zendesk as a connector.
pub struct Zendesk;

/// The registry's entry.
pub static ZENDESK: Zendesk = Zendesk;

/// The one feed: tickets that changed, by the cursor export.
pub const TICKETS: Feed = Feed("tickets");

/// A body holds about 64 KiB; the rest is room for what Zendesk adds.
const MESSAGE_BYTES_MAX: usize = 60 * 1_024;

/// The fields that are shown and taken beside custom ones.
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

impl Connector for Zendesk {
    fn name(&self) -> &'static str {
        "zendesk"
    }

    fn auth(&self) -> AuthSpec {
        auth::spec()
    }

    fn open(&self, setup: AccountSetup, http: ClientParts) -> Result<Opened, BadSettings> {
        Ok(Opened::Helpdesk(Arc::new(Adapter::open(setup, http)?)))
    }

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}

/// One account of Zendesk.
struct Adapter {
    http: Client,
    settings: Settings,
    custom: Vec<CustomField>,
    webhook_secret: Option<Secret>,
    memory: memory::Memory,
    made: tokio::sync::Mutex<made::Made>,
}

impl Adapter {
    fn open(setup: AccountSetup, parts: ClientParts) -> Result<Self, BadSettings> {
        let settings = Settings::read(&setup.id, &setup.settings)?;
        settings::check_custom(&setup.id, &setup.custom)?;
        let http = Client::new(setup.id, setup.base_url, limits::profile(settings.plan), parts);
        let memory = memory::Memory::new(&settings);
        let (custom, webhook_secret) = (setup.custom, setup.webhook_secret);
        let made = tokio::sync::Mutex::default();
        Ok(Self { http, settings, custom, webhook_secret, memory, made })
    }
}

impl Helpdesk for Adapter {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_writes: true,
            edits_private_notes: false,
            creates_as_author: true,
            marks_at_once: true,
            feed_blind_spot: Duration::from_secs(60),
            message_bytes_max: MESSAGE_BYTES_MAX,
            fields: &FIELDS,
            attachment_bytes_max: files::FILE_BYTES_MAX,
            attachments_max: files::FILES_MAX,
            hides_messages: true,
            redacts_messages: true,
            rewrites_messages: false,
            notes_by_agents_only: false,
            // Nobody can delete a comment; redacted ones stay.
            lists_lack_deleted: false,
            imports_history: true,
            history_has_comments: true,
            follows_up: true,
            deletes: true,
            lookups_max: 5,
            lookup_wait: Duration::from_secs(15),
            // 409 is sent again up to three times; a 500 loses the event.
            webhook_again: (409, None),
        }
    }

    fn normalize(&self, fields: &Fields) -> Fields {
        map::normalize(fields, &self.settings, &self.custom)
    }

    fn feeds(&self) -> &'static [Feed] {
        &[TICKETS]
    }

    fn changes(&self, call: Call, _feed: Feed, from: FeedStart) -> BoxFuture<'_, Result<Changes>> {
        Box::pin(self.read_changes(call, from))
    }

    fn fetch_many<'a>(&'a self, call: Call, tickets: &'a [RemoteId]) -> BoxFuture<'a, Result<Vec<Fetched>>> {
        Box::pin(self.read_many(call, tickets))
    }

    fn comments<'a>(&'a self, call: Call, ticket: &'a RemoteId) -> BoxFuture<'a, Result<Vec<Comment>>> {
        Box::pin(self.read_comments(call, ticket))
    }

    fn apply<'a>(
        &'a self,
        call: Call,
        intent: &'a Intent,
        author: Option<&'a RemoteId>,
        files: &'a [Supply],
    ) -> BoxFuture<'a, Result<Applied>> {
        Box::pin(self.write(call, intent, write::From { author, files }))
    }

    fn download<'a>(
        &'a self,
        call: Call,
        _ticket: &'a RemoteId,
        attachment: &'a Attachment,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move {
            if attachment.at.is_empty() {
                return Err(Error::Stale);
            }
            self.http.download(call, &attachment.at, files::FILE_BYTES_MAX, into).await
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
        self.http.quota()
    }

    fn find_applied<'a>(&'a self, call: Call, lost: Attempted<'a>) -> BoxFuture<'a, Result<Option<Applied>>> {
        Box::pin(async move { self.look_for(call, &lost).await })
    }

    fn ensure_person<'a>(&'a self, call: Call, person: &'a Person) -> BoxFuture<'a, Result<RemoteId>> {
        Box::pin(self.find_or_make(call, person))
    }

    fn read_webhook(&self, request: &http::Request<Bytes>, now: Timestamp) -> Result<Delivery, WebhookError> {
        webhook::read(request, self.webhook_secret.as_ref(), self.settings.webhook_tolerance_secs, now)
    }

    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>> {
        Box::pin(self.look_around(call))
    }
}
