//! What an admin writes: TOML, over embedded defaults, under `HANDOFFD_*` variables.

mod group;
mod group_check;
mod join;
mod load;
mod model;
mod policy;
pub mod secret_ref;
mod span;
mod templates;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use handoffd_connectors::contract::{AuthMethod, CustomField};
use handoffd_core::{FieldKind, FieldName};
use serde::Deserialize;

pub use crate::engine::outbox::EventKind;
pub use group::{
    CustomConfig, FieldConfig, FilterConfig, GroupConfig, RouteConfig, StatusConfig, TransformConfig,
    ValueEntry, ValueTable,
};
pub use join::{JoinConfig, JoinKey};
pub use load::{ConfigError, DEFAULTS, load_file, load_text, place_of_key};
pub use model::{Egress, ModelConfig, ModelKind, TokenParam};
pub use secret_ref::{SecretError, SecretRef};
pub use span::Span;
pub use templates::{TemplatesError, read_template};

/// The whole configuration.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The listeners.
    pub server: Server,
    /// Where state is kept.
    pub store: StoreConfig,
    /// How credentials are sealed.
    pub vault: VaultConfig,
    /// The engine's bounds and rhythms.
    pub engine: EngineConfig,
    /// How handoffs are served.
    pub handoff: HandoffConfig,
    /// The language model, if there is one.
    pub model: ModelConfig,
    /// Logs.
    pub telemetry: Telemetry,
    /// Authorised tenants of vendors, by name.
    #[serde(default)]
    pub accounts: BTreeMap<String, AccountConfig>,
    /// Link groups: accounts whose tickets are kept in step, by name.
    #[serde(default)]
    pub groups: BTreeMap<String, GroupConfig>,
    /// AI agents that may call the API, by name.
    #[serde(default)]
    pub agents: BTreeMap<String, AgentConfig>,
}

/// The listeners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Webhooks and the API for AI agents.
    pub public_listen: SocketAddr,
    /// Health, metrics and status: loopback only, unless you know better.
    pub admin_listen: SocketAddr,
    /// The address under which vendors reach the public listener, for the hints of `check`.
    pub public_url: Option<url::Url>,
    /// Reverse proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: BTreeSet<IpAddr>,
    /// The longest request body, in bytes.
    pub body_bytes_max: usize,
    /// How long a request may take to arrive and be answered.
    pub request_timeout: Span,
    /// The most requests in hand at once on each listener.
    pub requests_at_once_max: usize,
}

/// Where state is kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoreConfig {
    /// The directory of the store, the blobs and the admin token.
    pub data_dir: PathBuf,
    /// sled's page cache, in MiB. Real memory use is up to ten times that.
    pub cache_mib: u64,
}

/// How credentials are sealed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VaultConfig {
    /// The key: 32 bytes as 64 hex digits or as Base64. Needed for accounts that sign in by refresh token.
    pub key: Option<SecretRef>,
}

/// An interval with jitter: each wait is `every` plus a random part of `jitter`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rhythm {
    /// The interval.
    pub every: Span,
    /// The most that is added to it.
    pub jitter: Span,
}

/// The engine's bounds and rhythms.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineConfig {
    /// How often an account's feeds are read, unless the account says otherwise.
    pub poll: Rhythm,
    /// How often every linked ticket of an account is read again, unless the account says otherwise.
    pub resync: Rhythm,
    /// How many tickets a resync wakes at a time.
    pub resync_batch: u32,
    /// The pause between two batches of a resync.
    pub resync_pause: Span,
    /// How far back the first read of a feed goes.
    pub look_back: Span,
    /// How long a burst of triggers for one ticket is gathered before it is looked at.
    pub debounce: Span,
    /// How many conversations are worked on at once.
    pub workers_max: usize,
    /// The longest a call to a vendor may take, pacing and retries of reads included.
    pub call_deadline: Span,
    /// How many pages of a feed are read in one go.
    pub feed_pages_max: u32,
    /// How many tickets seen in feeds are kept in memory until they are looked at.
    pub feed_views_max: usize,
    /// How many rounds of read, decide and write one wake may take.
    pub rounds_max: u32,
    /// The longest comment text that is kept in a row, in bytes; longer text goes to a file.
    pub inline_body_bytes_max: usize,
    /// The longest attachment that is carried, in bytes, where the helpdesk that receives it takes that much.
    pub attachment_bytes_max: u64,
    /// How many writes may fetch their attachments at once.
    pub transfers_max: usize,
    /// How many tickets of a history are looked at at once.
    pub backfill_at_once: usize,
    /// How long a write that certainly did not happen is tried again before it is parked.
    pub give_up_after: Span,
    /// The first wait between two tries; doubles each time.
    pub retry_first: Span,
    /// The longest wait between two tries.
    pub retry_max: Span,
    /// How long after a crash a write that may have been sent is looked for before it is sent.
    pub lost_settle: Span,
    /// How long a paused account rests before its credential is tried again.
    pub paused_recheck: Span,
    /// How long a stop waits for work in hand.
    pub shutdown_grace: Span,
    /// How long journal rows are kept.
    pub journal_keep: Span,
}

/// How handoffs are served.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandoffConfig {
    /// How long the context sources may take before the briefing leaves without the late ones.
    pub enrich_deadline: Span,
    /// After how long a handoff that nobody accepted expires.
    pub expire_after: Span,
    /// How long an answer that came late is still waited for.
    pub late_wait: Span,
    /// Whether people who pass a conversation on among themselves hand it over.
    pub between_people: bool,
    /// How many times in a row an AI agent may hand a conversation over while the customer says nothing.
    pub loop_max: u32,
    /// Within how long they count as in a row.
    pub loop_window: Span,
    /// How long packaging may take before the customer is told to hold, in groups that tell them.
    pub hold_after: Span,
    /// The longest briefing, in bytes.
    pub note_bytes_max: usize,
    /// The most attempts that are kept of a transcript.
    pub attempts_max: usize,
    /// Tools whose call is the handoff itself, by the start of their name.
    pub transfer_tools: Vec<String>,
    /// Tools that try nothing and are left out, by name.
    pub ignored_tools: Vec<String>,
    /// Parts of the product by what begins a page's route: `/billing` is `Billing`.
    pub areas: BTreeMap<String, String>,
    /// How long what an AI agent streamed of a conversation is kept after the last of it.
    pub captured_keep: Span,
    /// How long an AI agent that promises a person may take to hand the conversation over.
    pub promise_wait: Span,
    /// How long an event that its receiver does not take is posted again before it is parked.
    pub events_give_up_after: Span,
    /// The directory of the briefings' templates; left out: the built-in one.
    pub templates: Option<PathBuf>,
}

/// Logs.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telemetry {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A filter, for instance `info` or `handoffd=debug`. `RUST_LOG` overrules it.
    pub filter: String,
}

/// The form of log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// One authorised tenant of a vendor.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountConfig {
    /// The vendor.
    pub connector: String,
    /// The origin of its API.
    pub base_url: url::Url,
    /// How it is signed in to.
    pub auth: AuthConfig,
    /// The signing secret (or shared secret) of its webhooks.
    pub webhook_secret: Option<SecretRef>,
    /// How often its feeds are read.
    pub poll: Option<Rhythm>,
    /// How often its linked tickets are read again.
    pub resync: Option<Rhythm>,
    /// The connector's own options.
    #[serde(default = "empty_table")]
    pub settings: toml::Table,
    /// By what AI agents are recognised there.
    #[serde(default)]
    pub bots: BotsConfig,
    /// What is written beside the briefing.
    #[serde(default)]
    pub handoff: PlacingConfig,
}

/// What is written on a ticket beside the briefing, in the same write where the helpdesk can.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PlacingConfig {
    /// Tags that are added.
    pub tags: BTreeSet<String>,
    /// The priority that is set, unless the AI agent asks for another.
    pub priority: Option<String>,
    /// The group or team that gets it, unless the AI agent asks for another or somebody has it.
    pub group: Option<String>,
    /// Groups or teams by the names under which AI agents ask for them.
    pub queues: BTreeMap<String, String>,
    /// Custom text fields by what they get, see [`PLACED_VALUES`].
    pub fields: BTreeMap<String, String>,
}

/// What a custom field may get of a package.
pub const PLACED_VALUES: [&str; 16] = [
    "summary",
    "tier",
    "category",
    "goal",
    "blocker",
    "attempts",
    "mood",
    "product_area",
    "page",
    "reason",
    "open_question",
    "promises",
    "hop",
    "kind",
    "handoff",
    "completeness",
];

impl PlacingConfig {
    /// The custom fields, by the names that no link group gives to its own.
    pub fn custom_fields(&self) -> impl Iterator<Item = CustomField> {
        self.fields.iter().filter_map(|(value, native)| {
            Some(CustomField { name: placed_field(value)?, native: native.clone(), kind: FieldKind::Text })
        })
    }
}

/// The name of the custom field that gets a value of a package.
pub fn placed_field(value: &str) -> Option<FieldName> {
    FieldName::new(&format!("handoffd_{value}")).ok()
}

fn empty_table() -> toml::Table {
    toml::Table::new()
}

/// By what AI agents are recognised at a helpdesk.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BotsConfig {
    /// Agent ids.
    pub assignees: BTreeSet<String>,
    /// Group ids.
    pub groups: BTreeSet<String>,
    /// Tags.
    pub tags: BTreeSet<String>,
    /// Statuses: by name, or the helpdesk's id of a custom one.
    pub statuses: BTreeSet<String>,
}

/// How an account is signed in to. Which keys are needed depends on `method`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuthConfig {
    /// The way.
    pub method: AuthMethod,
    /// For `api_token`: the agent's e-mail.
    pub email: Option<String>,
    /// For `api_token` and `bearer`.
    pub token: Option<SecretRef>,
    /// For `api_key`.
    pub key: Option<SecretRef>,
    /// For the OAuth ways.
    pub client_id: Option<String>,
    /// For the OAuth ways.
    pub client_secret: Option<SecretRef>,
    /// For `refresh_token`: the first one. Later ones are kept sealed in the store.
    pub refresh_token: Option<SecretRef>,
    /// For the OAuth ways: the scopes to ask for.
    #[serde(default)]
    pub scopes: Vec<String>,
}

/// An AI agent that may call the API. Needs a token, a signing secret, or both.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// The bearer token that it sends.
    pub token: Option<SecretRef>,
    /// The secret with which it signs, as Standard Webhooks has it (`whsec_…`).
    pub signing_secret: Option<SecretRef>,
    /// The helpdesk accounts whose tickets it may hand over; all when absent.
    pub accounts: Option<BTreeSet<String>>,
    /// The agent as whom its messages are written, by account; without one our own user.
    #[serde(default)]
    pub speaks_as: BTreeMap<String, String>,
    /// Where it is told what happens.
    pub webhook: Option<WebhookConfig>,
}

/// Where an AI agent is told what happens.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Its address: https, or plain http on this machine.
    pub url: url::Url,
    /// The secret with which events are signed, as Standard Webhooks has it (`whsec_…`).
    pub secret: SecretRef,
    /// What it is told; everything when absent.
    pub events: Option<BTreeSet<EventKind>>,
}
