//! Intercom: conversations and tickets of its REST API behind the helpdesk's role.
//!
//! What it cannot do shapes this folder: no idempotency key, no conditional
//! write, no change log but a search whose index moves, no mark for a reply
//! that is not to be mailed (until 2.15), and the newest 500 parts at most.
//! Facts about the vendor stand where they are used.

mod api;
mod auth;
mod catalog;
mod comments;
mod create;
mod custom;
mod desk;
mod errors;
mod feed;
mod history;
mod lenient;
mod limits;
mod lookup;
mod map;
mod memory;
mod probe;
mod quiet;
mod record;
mod settings;
pub mod sim;
mod states;
#[cfg(test)]
mod tests;
mod webhook;
mod wire;
mod write;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    Attachment, Comment, Fetched, Field, Fields, Person, RemoteId, Timestamp,
    intent::{Applied, Intent},
};

use self::{
    desk::Desk,
    map::Mapping,
    settings::{RecordKind, Settings},
};
use crate::{
    client::{Client, ClientParts, Quota},
    contract::{
        AccountSetup, Attempted, AuthSpec, BadSettings, Call, Capabilities, Catalog, Changes, Connector,
        Delivery, Feed, FeedStart, Helpdesk, History, MarkerField, Opened, Probe, Provision, Result, Sink,
        Supply, WebhookError,
    },
    sim::{SimSetup, VendorSim},
};

/// Intercom as a connector.
pub struct Intercom;

/// The registry's entry.
pub static INTERCOM: Intercom = Intercom;

/// The fields that are shown and taken beside custom ones. The mark `priority`
/// of a conversation is not among them: the API cannot write it, so that a
/// mirror would always show the wrong one.
const FIELDS: [Field; 5] = [Field::Subject, Field::Status, Field::Tags, Field::Assignee, Field::Group];

/// The same where an attribute holds the priority.
const FIELDS_WITH_PRIORITY: [Field; 6] =
    [Field::Subject, Field::Status, Field::Tags, Field::Assignee, Field::Group, Field::Priority];

impl Connector for Intercom {
    fn name(&self) -> &'static str {
        "intercom"
    }

    fn auth(&self) -> AuthSpec {
        auth::spec()
    }

    fn open(&self, setup: AccountSetup, http: ClientParts) -> Result<Opened, BadSettings> {
        Ok(Opened::Helpdesk(Arc::new(open(setup, http)?)))
    }

    fn marker_field(&self) -> Option<MarkerField> {
        Some(MarkerField { setting: "marker_attribute", default: settings::MARKER_FIELD })
    }

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}

fn open(setup: AccountSetup, http: ClientParts) -> Result<Desk, BadSettings> {
    let settings = Settings::read(&setup.id, &setup.settings)?;
    let region = probe::region_of(&setup.base_url);
    let client = Client::new(setup.id.clone(), setup.base_url, limits::profile(&settings), http);
    let mapping = Mapping { account: setup.id, settings, custom: setup.custom };
    Ok(Desk::new(client, mapping, setup.webhook_secret, region))
}

impl Helpdesk for Desk {
    fn capabilities(&self) -> Capabilities {
        let settings = &self.mapping.settings;
        Capabilities {
            conditional_writes: false,
            edits_private_notes: false,
            creates_as_author: true,
            marks_at_once: settings.create == RecordKind::Ticket,
            feed_blind_spot: Duration::from_secs(settings.overlap_secs),
            message_bytes_max: settings.message_bytes_max,
            fields: self.mapping.fields(),
            attachment_bytes_max: settings.attachment_bytes_max,
            attachments_max: self.mapping.attachments_max(),
            hides_messages: false,
            redacts_messages: !settings.has_tickets_alone(),
            rewrites_messages: false,
            notes_by_agents_only: true,
            // Parts are redacted, not deleted, and only the newest 500 are given.
            lists_lack_deleted: false,
            imports_history: false,
            history_has_comments: false,
            follows_up: false,
            deletes: true,
            // The search's index may be minutes behind a creation.
            lookups_max: 5,
            lookup_wait: Duration::from_secs(60),
            // Intercom sends again once, a minute after any failure; 410 would end the subscription.
            webhook_again: (503, None),
        }
    }

    fn normalize(&self, fields: &Fields) -> Fields {
        self.mapping.normalize(fields)
    }

    fn feeds(&self) -> &'static [Feed] {
        match (
            self.mapping.settings.syncs(RecordKind::Conversation),
            self.mapping.settings.syncs(RecordKind::Ticket),
        ) {
            (true, false) => &[feed::CONVERSATIONS],
            (false, _) => &[feed::TICKETS],
            (true, true) => &[feed::CONVERSATIONS, feed::TICKETS],
        }
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
        Box::pin(self.read_file(call, attachment, into))
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
        let delivery = webhook::read(request, self.webhook_secret.as_ref(), &self.mapping.settings)?;
        self.note_version(request);
        Ok(delivery)
    }

    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>> {
        Box::pin(self.look_around(call))
    }
}
