//! Freshdesk: its API version 2 behind the helpdesk's role.
//!
//! What it cannot do shapes this folder: no signature on webhooks, no
//! idempotency key, no conditional write, no change log. Facts about the
//! vendor stand where they are used.

mod api;
mod auth;
mod desk;
mod errors;
mod feed;
mod html;
mod map;
mod probe;
mod settings;
pub mod sim;
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

use self::{desk::Desk, map::Mapping, settings::Settings};
use crate::{
    client::{Client, ClientParts, Quota},
    contract::{
        AccountSetup, Attempted, AuthSpec, BadSettings, Call, Capabilities, Catalog, Changes, Connector,
        Delivery, Error, Feed, FeedStart, Helpdesk, History, Opened, Probe, Provision, Result, Sink, Supply,
        WebhookError,
    },
    sim::{SimSetup, VendorSim},
};

/// Freshdesk as a connector.
pub struct Freshdesk;

/// The registry's entry.
pub static FRESHDESK: Freshdesk = Freshdesk;

/// The fields that are shown and taken beside custom ones.
const FIELDS: [Field; 6] =
    [Field::Subject, Field::Status, Field::Priority, Field::Tags, Field::Assignee, Field::Group];

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

    fn simulator(&self, setup: SimSetup) -> Box<dyn VendorSim> {
        sim::start(setup)
    }
}

fn open(setup: AccountSetup, http: ClientParts) -> Result<Desk, BadSettings> {
    let (settings, statuses) = Settings::read(&setup.id, &setup.settings)?;
    let client = Client::new(setup.id.clone(), setup.base_url, errors::profile(&settings), http);
    Ok(Desk::new(client, Mapping { account: setup.id, settings, statuses }, setup.webhook_secret))
}

impl Helpdesk for Desk {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            conditional_writes: false,
            edits_private_notes: true,
            creates_as_author: false,
            feed_blind_spot: feed::BLIND_SPOT,
            message_bytes_max: self.mapping.settings.message_bytes_max,
            fields: &FIELDS,
            attachment_bytes_max: 0,
            attachments_max: 0,
            hides_messages: false,
            redacts_messages: false,
            rewrites_messages: false,
            imports_history: false,
            follows_up: false,
            deletes: false,
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
        &[feed::TICKETS, feed::DELETED]
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
        _files: &'a [Supply],
    ) -> BoxFuture<'a, Result<Applied>> {
        Box::pin(self.write(call, intent, author))
    }

    fn download<'a>(
        &'a self,
        call: Call,
        _ticket: &'a RemoteId,
        attachment: &'a Attachment,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<()>> {
        Box::pin(async move { self.client.download(call, &attachment.at, 20 * 1024 * 1024, into).await })
    }

    fn history(&self, call: Call, from: FeedStart) -> BoxFuture<'_, Result<History>> {
        Box::pin(async move {
            let page = self.read_feed(call, feed::TICKETS, from).await?;
            Ok(History {
                rows: page.rows,
                comments: Vec::new(),
                next: page.next,
                more: page.more,
                total: None,
            })
        })
    }

    fn catalog(&self, _call: Call) -> BoxFuture<'_, Result<Catalog>> {
        Box::pin(async { Ok(Catalog::default()) })
    }

    fn provision<'a>(&'a self, _call: Call, _item: &'a Provision) -> BoxFuture<'a, Result<String>> {
        Box::pin(async { Err(Error::Refused { why: "it cannot be made by handoffd".to_owned() }) })
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
