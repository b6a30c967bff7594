//! What a vendor's folder offers to the engine: two roles, helpdesk and context
//! source, and errors named by what the caller may do.

use std::{collections::BTreeSet, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::{
    AccountId, Attachment, Comment, Fact, Fetched, Field, FieldKind, FieldName, Fields, Match, Observed,
    Person, Rating, RemoteId, Resolved, Status, Subject, TicketKey, Timestamp,
    intent::{Applied, Intent},
};
use serde::{Deserialize, Serialize};

use crate::{
    client::{ClientParts, Content, Quota},
    sim::VendorSim,
};

/// The result of a call to a vendor.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A text that must never be seen: prints as `***`, cannot be serialized, is wiped when dropped.
#[derive(Clone)]
pub struct Secret(secrecy::SecretString);

impl Secret {
    /// Wraps the text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(secrecy::SecretString::from(text.into()))
    }

    /// The text, for the one place that sends or checks it.
    pub fn expose(&self) -> &str {
        secrecy::ExposeSecret::expose_secret(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// How urgent a call is. Earlier lanes are served first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// A briefing on its way to a human.
    Handoff,
    /// Keeping tickets in step.
    Live,
    /// Background refresh: slow resync, probes.
    Refresh,
    /// History.
    Backfill,
}

/// The terms of one call.
#[derive(Clone, Copy, Debug)]
pub struct Call {
    /// How urgent it is.
    pub lane: Lane,
    /// When the caller stops waiting, all retries and pacing included.
    pub deadline: Timestamp,
}

/// Why a call failed, by what the caller may do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The vendor's limit is used up. Try the same again at the time given; it counts as no attempt.
    #[error("the vendor's rate limit is used up until {retry_at}")]
    Throttled {
        /// When a retry may work.
        retry_at: Timestamp,
    },
    /// It certainly did not happen, for a passing reason. Try again later.
    #[error("a passing failure: {why}")]
    Transient {
        /// What was seen, without secrets.
        why: String,
    },
    /// A write was sent and not answered: it may have happened. Look before any second try.
    #[error("no answer to a write that was sent: {why}")]
    Unknown {
        /// What was seen, without secrets.
        why: String,
    },
    /// The ticket changed since it was read. Read it and decide again.
    #[error("the ticket changed since it was read")]
    Stale,
    /// The ticket is not there (any more).
    #[error("the ticket is gone")]
    Gone,
    /// The credential is wrong or expired. Pause the account.
    #[error("the credential is refused: {why}")]
    Unauthorized {
        /// What was seen, without secrets.
        why: String,
    },
    /// The credential lacks a permission. Disarm what needs it and name it.
    #[error("a permission is missing: {missing}")]
    Forbidden {
        /// The permission or plan feature, as far as the vendor names it.
        missing: String,
    },
    /// The vendor's answer cannot be read. Park the item (or pause the feed) and name the place.
    #[error("the vendor's answer cannot be read: {what}")]
    Malformed {
        /// Where and what, without ticket text or secrets.
        what: String,
    },
    /// The feed's cursor is not taken any more. Read the feed from a bounded time back, and say so once.
    #[error("the feed's cursor is refused: {why}")]
    CursorRefused {
        /// The vendor's reason.
        why: String,
    },
    /// The ticket is closed for good and takes no writes. Go on in a follow-up.
    #[error("the ticket is closed and takes no writes")]
    Closed,
    /// The vendor refuses the write for a reason that a retry does not change. Park the item.
    #[error("the vendor refuses it: {why}")]
    Refused {
        /// The vendor's reason, without ticket text or secrets.
        why: String,
    },
}

/// How a connector signs in.
#[derive(Clone, Debug)]
pub enum Credentials {
    /// An e-mail and a token for it (Zendesk, legacy).
    ApiToken {
        /// The agent whom the token impersonates.
        email: String,
        /// The token.
        token: Secret,
    },
    /// A key alone (Freshdesk, Stripe).
    ApiKey {
        /// The key.
        key: Secret,
    },
    /// A bearer token that does not expire, or whose expiry is the admin's own affair.
    Bearer {
        /// The token.
        token: Secret,
    },
    /// OAuth 2 client credentials: no refresh token, a new access token is asked for when needed.
    ClientCredentials(OAuthClient),
    /// OAuth 2 refresh tokens that rotate.
    RefreshToken {
        /// The OAuth client.
        client: OAuthClient,
        /// The first refresh token; later pairs are kept sealed in the vault.
        refresh_token: Secret,
    },
}

/// An OAuth client of the vendor.
#[derive(Clone, Debug)]
pub struct OAuthClient {
    /// Its public id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
    /// The scopes to ask for; empty for the vendor's default.
    pub scopes: Vec<String>,
}

/// The name of a way to sign in, as the configuration writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuthMethod {
    /// [`Credentials::ApiToken`].
    ApiToken,
    /// [`Credentials::ApiKey`].
    ApiKey,
    /// [`Credentials::Bearer`].
    Bearer,
    /// [`Credentials::ClientCredentials`].
    ClientCredentials,
    /// [`Credentials::RefreshToken`].
    RefreshToken,
}

/// How a vendor is signed in to.
pub struct AuthSpec {
    /// The ways that this vendor knows, the recommended one first.
    pub methods: &'static [AuthMethod],
    /// Makes the `Authorization` value from credentials that are no OAuth grant;
    /// `None` for a method that the vendor does not know.
    pub header: fn(&Credentials) -> Option<Secret>,
    /// Where OAuth tokens are had, for vendors that have them.
    pub oauth: Option<OAuthSpec>,
}

/// Where and how OAuth tokens are had.
#[derive(Clone, Copy, Debug)]
pub struct OAuthSpec {
    /// The path of the token endpoint under the account's base URL.
    pub token_path: &'static str,
    /// Whether the endpoint takes JSON instead of a form.
    pub json: bool,
}

/// One account as it is opened.
#[derive(Clone, Debug)]
pub struct AccountSetup {
    /// Its key in the configuration.
    pub id: AccountId,
    /// The origin of the vendor's API, without a path, for instance `https://acme.zendesk.com`.
    pub base_url: url::Url,
    /// The shared or signing secret of its webhooks.
    pub webhook_secret: Option<Secret>,
    /// The connector's own options: the account's `settings` table.
    pub settings: serde_json::Value,
    /// The custom fields of the account that are kept in step.
    pub custom: Vec<CustomField>,
}

/// A custom field of an account that is kept in step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomField {
    /// Its name in the link group: it is shown as [`handoffd_core::Field::Custom`] of it.
    pub name: FieldName,
    /// The vendor's own name or id of it.
    pub native: String,
    /// What it holds.
    pub kind: FieldKind,
}

/// An account's settings that the connector cannot use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("accounts.{account}.settings.{key}: {why}")]
pub struct BadSettings {
    /// Which account.
    pub account: AccountId,
    /// The key within `settings`; empty for the table itself.
    pub key: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

/// One vendor.
pub trait Connector: Send + Sync {
    /// The name in `connector = "…"`, which is the folder's name.
    fn name(&self) -> &'static str;
    /// How it is signed in to.
    fn auth(&self) -> AuthSpec;
    /// Opens an account. Sends nothing.
    fn open(&self, setup: AccountSetup, http: ClientParts) -> Result<Opened, BadSettings>;
    /// The field of a ticket in which an account keeps our marker; `None` where the vendor has
    /// another place for it.
    fn marker_field(&self) -> Option<MarkerField> {
        None
    }
    /// The vendor's simulator, for the sandbox and the tests.
    fn simulator(&self, setup: crate::sim::SimSetup) -> Box<dyn VendorSim>;
}

/// The field of a ticket that holds our marker. It is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MarkerField {
    /// The key in the account's settings that names it.
    pub setting: &'static str,
    /// Its name when the settings do not say.
    pub default: &'static str,
}

/// What an account can be used for.
pub enum Opened {
    /// Its tickets are kept in step.
    Helpdesk(Arc<dyn Helpdesk>),
    /// It is asked about customers.
    ContextSource(Arc<dyn ContextSource>),
}

/// What a helpdesk can do, as far as the engine must know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// An update can be tied to the version that was read.
    pub conditional_writes: bool,
    /// A private note can be rewritten.
    pub edits_private_notes: bool,
    /// A new ticket's opening is shown as the customer's only if their id is named:
    /// `apply` of a creation wants `author`.
    pub creates_as_author: bool,
    /// A new ticket bears its marker from the moment it is there. Else it is seen without
    /// one for a moment, and its creation may fail in between.
    pub marks_at_once: bool,
    /// How long a change stays invisible to the feed after it happened.
    pub feed_blind_spot: Duration,
    /// The longest message in bytes; longer text is cut with a notice.
    pub message_bytes_max: usize,
    /// The fields that are there beside custom ones; what is not among them is neither shown nor taken.
    pub fields: &'static [Field],
    /// The longest attachment in bytes.
    pub attachment_bytes_max: u64,
    /// The most attachments of one message.
    pub attachments_max: usize,
    /// A message can be hidden from the customer after it was written.
    pub hides_messages: bool,
    /// A message's content can be taken out for good.
    pub redacts_messages: bool,
    /// A message of ours can be rewritten.
    pub rewrites_messages: bool,
    /// Notes are always an agent's: one that carries a customer's words is written as by ourselves.
    pub notes_by_agents_only: bool,
    /// People can delete a message, and what [`Helpdesk::comments`] gives is all there is: a
    /// message that is missing there for a while was deleted.
    pub lists_lack_deleted: bool,
    /// A ticket can be made with its history and times, mailing nobody and running no rules.
    pub imports_history: bool,
    /// [`Helpdesk::history`] gives comments in bulk, and where it ends it goes on with what
    /// changes later.
    pub history_has_comments: bool,
    /// A closed ticket takes no writes and is followed up by a new one.
    pub follows_up: bool,
    /// Tickets can be deleted.
    pub deletes: bool,
    /// How often a lost write is looked for before it is given up.
    pub lookups_max: u32,
    /// The wait before each look.
    pub lookup_wait: Duration,
    /// The HTTP status that makes the vendor send a webhook again, and its `Retry-After` in seconds.
    pub webhook_again: (u16, Option<u32>),
}

/// A stream of changed tickets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Feed(pub &'static str);

/// An opaque resume point of a feed. Only the adapter that made it reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// From where a feed is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FeedStart {
    /// Changes since this moment (the first read, or a look-back).
    Since(Timestamp),
    /// After this point.
    After(Cursor),
}

/// One page of a feed.
#[derive(Clone, Debug)]
pub struct Changes {
    /// The rows, each decoded alone.
    pub rows: Vec<FeedRow>,
    /// Where to go on. Saved only after the rows are.
    pub next: Cursor,
    /// Whether another page is ready now.
    pub more: bool,
    /// Every change before this moment (vendor time) is in what was read so far; `None` while paging.
    pub complete_until: Option<Timestamp>,
}

/// One row of a feed.
#[derive(Clone, Debug)]
pub enum FeedRow {
    /// A ticket, with all that the feed carries of it.
    Changed(Box<Observed>),
    /// A ticket that is deleted or spam.
    Gone(TicketKey),
    /// A ticket that was merged into another.
    Moved {
        /// The ticket that is no more.
        from: TicketKey,
        /// The ticket that holds the conversation.
        to: TicketKey,
    },
    /// A rating that came by itself.
    Rated {
        /// Of which ticket.
        ticket: TicketKey,
        /// The rating.
        rating: Rating,
    },
    /// A row that cannot be read; the others can.
    Unreadable {
        /// The ticket, if the row says so much.
        id: Option<RemoteId>,
        /// Where in the row and why, without ticket text.
        what: String,
    },
}

/// One page of an account's history: tickets, and comments where the vendor gives them in bulk.
#[derive(Clone, Debug)]
pub struct History {
    /// Tickets, each decoded alone. Their comments are `NotLooked` unless the page carries them.
    pub rows: Vec<FeedRow>,
    /// Comments of any ticket, also of tickets on later pages, in the vendor's order per ticket.
    pub comments: Vec<(RemoteId, Comment)>,
    /// Tickets of whose comments some were hidden, redacted or could not be told rightly: what
    /// any page tells of their comments is not to be believed, they are to be listed.
    pub doubtful: Vec<RemoteId>,
    /// Where to go on. Saved only after the rows and comments are.
    pub next: Cursor,
    /// Whether another page is ready now.
    pub more: bool,
    /// How many tickets there are in all, if the vendor says so.
    pub total: Option<u64>,
}

/// A file to be sent with a message, in the order of the message's attachments.
#[derive(Clone, Debug)]
pub struct Supply {
    /// Its name.
    pub name: String,
    /// Its media type.
    pub content_type: String,
    /// Its bytes.
    pub content: Content,
}

/// Where a download goes, piece by piece.
pub trait Sink: Send {
    /// Takes the next piece. `Err` ends the download: the words say why, for an admin.
    fn take(&mut self, piece: &[u8]) -> std::result::Result<(), String>;
}

/// What an account has that mapping may name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Catalog {
    /// Its custom ticket fields.
    pub fields: Vec<CatalogField>,
    /// Its statuses, built in and custom.
    pub statuses: Vec<CatalogStatus>,
    /// The values of the type field, where it has a list.
    pub types: Vec<String>,
    /// Its agents.
    pub agents: Vec<CatalogOwner>,
    /// Its groups or teams.
    pub teams: Vec<CatalogOwner>,
}

/// A custom ticket field of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogField {
    /// The vendor's name or id, as the configuration writes it.
    pub native: String,
    /// What people see.
    pub title: String,
    /// What it holds; `None` for a kind that is not kept in step.
    pub kind: Option<FieldKind>,
    /// Its options, as values are written.
    pub options: Vec<String>,
    /// Whether customers can read it; `None` where the vendor does not tell.
    pub customers_see: Option<bool>,
}

/// A status of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogStatus {
    /// The vendor's id, as [`handoffd_core::Value::StatusDetail`] names it.
    pub native: String,
    /// What people see.
    pub label: String,
    /// Its category.
    pub status: Status,
    /// Whether it is what its category means without further detail.
    pub default: bool,
}

/// An agent, group or team of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CatalogOwner {
    /// The vendor's id.
    pub id: RemoteId,
    /// The name.
    pub name: String,
    /// An agent's address.
    pub email: Option<String>,
}

/// Something that can be made at an account so that mapping works.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Provision {
    /// A custom ticket field.
    Field {
        /// The vendor's name for it, where names are chosen; what people see elsewhere.
        native: String,
        /// What it holds.
        kind: FieldKind,
        /// Its options.
        options: Vec<String>,
    },
    /// A custom status.
    Status {
        /// What people see.
        label: String,
        /// Its category.
        status: Status,
    },
}

/// A write whose answer is missing, to be looked for.
#[derive(Clone, Debug)]
pub struct Attempted<'a> {
    /// The write.
    pub intent: &'a Intent,
    /// When it was sent first, in our time.
    pub sent_at: Timestamp,
    /// Comment ids on that ticket that are accounted for already.
    pub claimed: &'a BTreeSet<RemoteId>,
    /// The id at this helpdesk of the customer who wrote the message; `None` for our own user.
    pub author: Option<&'a RemoteId>,
}

/// What one webhook request says: look at these tickets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// A delivery id that the signature covers, if there is one.
    pub id: Option<String>,
    /// The tickets to look at; empty for a ping.
    pub tickets: Vec<RemoteId>,
}

/// A webhook request that is not acted on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookError {
    /// The signature or shared secret is missing or wrong. Answered 401.
    #[error("the signature or secret is missing or wrong")]
    BadSignature,
    /// No secret is configured for this account, so nothing can be trusted. Answered 401.
    #[error("no webhook_secret is configured for this account")]
    NoSecret,
    /// It is signed and cannot be read. Answered 400.
    #[error("the body cannot be read: {what}")]
    Malformed {
        /// Where and why.
        what: String,
    },
}

/// What a probe of an account found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    /// Who we are at the vendor, for people.
    pub identity: String,
    /// What is missing, with what to do about it.
    pub problems: Vec<Problem>,
}

/// Something missing at an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What does not work without it.
    pub disarms: Disarms,
    /// What is missing.
    pub what: String,
    /// What the admin can do.
    pub remedy: String,
}

/// What a problem switches off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Disarms {
    /// Nothing: advice.
    Nothing,
    /// Making tickets there.
    Creates,
    /// Every write there.
    Writes,
    /// Reading its feed.
    Reads,
}

/// A vendor in its role as helpdesk.
pub trait Helpdesk: Send + Sync {
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// What it will show after it is sent these fields. Pure; idempotent.
    fn normalize(&self, fields: &Fields) -> Fields;
    /// Its feeds.
    fn feeds(&self) -> &'static [Feed];
    /// One page of a feed.
    fn changes(&self, call: Call, feed: Feed, from: FeedStart) -> BoxFuture<'_, Result<Changes>>;
    /// Tickets by id, in the order asked, in as few requests as the vendor allows.
    /// Comments are included only where they come at no further request.
    fn fetch_many<'a>(&'a self, call: Call, tickets: &'a [RemoteId]) -> BoxFuture<'a, Result<Vec<Fetched>>>;
    /// Every comment of a ticket, oldest first.
    fn comments<'a>(&'a self, call: Call, ticket: &'a RemoteId) -> BoxFuture<'a, Result<Vec<Comment>>>;
    /// Does the write. `author` is the id here of the person who wrote the message, customer or
    /// agent as [`handoffd_core::Person::role`] says; `None` for our own user; those of a past stand in
    /// it. `files` are the attachments as [`Intent::attachments`] lists them, each at hand.
    fn apply<'a>(
        &'a self,
        call: Call,
        intent: &'a Intent,
        author: Option<&'a RemoteId>,
        files: &'a [Supply],
    ) -> BoxFuture<'a, Result<Applied>>;
    /// Reads a file of a ticket, piece by piece. Credentials go to the vendor's own origin only.
    /// [`Error::Stale`]: its address expired; list the comments again.
    fn download<'a>(
        &'a self,
        call: Call,
        ticket: &'a RemoteId,
        attachment: &'a Attachment,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<()>>;
    /// One page of the account's history, oldest first, in as few requests as the vendor allows.
    fn history(&self, call: Call, from: FeedStart) -> BoxFuture<'_, Result<History>>;
    /// What the account has that mapping may name. Reads only.
    fn catalog(&self, call: Call) -> BoxFuture<'_, Result<Catalog>>;
    /// Makes a missing field or status; answers with the vendor's own name or id of it.
    /// [`Error::Refused`] where the vendor's API cannot.
    fn provision<'a>(&'a self, call: Call, item: &'a Provision) -> BoxFuture<'a, Result<String>>;
    /// The account-wide quota as it is known now.
    fn quota(&self) -> Quota;
    /// Looks for a write whose answer was lost. `None`: not there, as far as can be seen now.
    fn find_applied<'a>(&'a self, call: Call, lost: Attempted<'a>) -> BoxFuture<'a, Result<Option<Applied>>>;
    /// The id of a person here; made by e-mail when unknown.
    fn ensure_person<'a>(&'a self, call: Call, person: &'a Person) -> BoxFuture<'a, Result<RemoteId>>;
    /// Checks and reads a webhook request. Pure.
    fn read_webhook(&self, request: &http::Request<Bytes>, now: Timestamp) -> Result<Delivery, WebhookError>;
    /// Signs in, and finds what is missing. Reads only.
    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>>;
}

/// A vendor in its role as context source.
pub trait ContextSource: Send + Sync {
    /// Who the subject is there.
    fn resolve<'a>(&'a self, call: Call, subject: &'a Subject) -> BoxFuture<'a, Result<Resolved>>;
    /// What it knows about a record.
    fn fetch<'a>(&'a self, call: Call, found: &'a Match) -> BoxFuture<'a, Result<Vec<Fact>>>;
    /// Signs in, and finds what is missing. Reads only.
    fn probe(&self, call: Call) -> BoxFuture<'_, Result<Probe>>;
}
