//! What the configuration says about a link group, as values.

use std::collections::{BTreeMap, BTreeSet};

use crate::filter::Filter;
use crate::model::{
    ids::{AccountId, GroupId, RemoteId},
    person::{Person, Role},
    ticket::{Field, Fields},
    time::Timestamp,
};

/// The rules of one link group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyncPolicy {
    /// Which link group.
    pub group: GroupId,
    /// The accounts in it.
    pub accounts: BTreeMap<AccountId, AccountPolicy>,
    /// The one account that mails the customer when nobody has yet.
    pub customer_facing: AccountId,
    /// How each synced field travels. A field that is not here is not synced.
    pub fields: BTreeMap<Field, FieldRule>,
    /// Which new tickets are mirrored where.
    pub routes: Vec<Route>,
    /// Whether private notes are mirrored (as private notes).
    pub private_notes: bool,
    /// What becomes of a mirror whose original is deleted.
    pub deletions: Deletions,
    /// The agents of the link group by name, with their ids at its accounts. A
    /// name may be the agent's e-mail address.
    pub agents: Agents,
    /// Accounts whose history is or was taken in, with when that was ordered: mirrors of
    /// tickets that were made before are made with their past, and nobody is mailed about
    /// what was said before. It does not matter what asked for the look.
    pub importing: BTreeMap<AccountId, Timestamp>,
    /// Whether one plan holds everything, however much that is: for a plan that is
    /// counted and not carried out.
    pub at_once: bool,
}

/// Agents by name, with their ids by account.
pub type Agents = BTreeMap<String, BTreeMap<AccountId, RemoteId>>;

impl SyncPolicy {
    /// The id, at `at`, of an agent whom `origin` showed: by their id there, else
    /// by their e-mail address where that is a name of the table. `None` for
    /// customers, and for agents who are not in the table.
    pub fn author_at(&self, origin: &AccountId, person: &Person, at: &AccountId) -> Option<RemoteId> {
        if person.role == Role::Customer {
            return None;
        }
        let has_id = |ids: &&BTreeMap<AccountId, RemoteId>| {
            person.id.is_some() && ids.get(origin) == person.id.as_ref()
        };
        let by_email = || {
            let email = person.email_folded()?;
            let named = self.agents.iter().find(|(name, _)| name.trim().to_lowercase() == email);
            named.map(|(_, ids)| ids)
        };
        self.agents.values().find(has_id).or_else(by_email)?.get(at).cloned()
    }

    /// Whether `at` shows who wrote a note of somebody whom `origin` showed.
    /// Customers are known everywhere: they are found or made by e-mail.
    pub fn knows_author(&self, origin: &AccountId, person: &Person, at: &AccountId) -> bool {
        person.role == Role::Customer || self.author_at(origin, person, at).is_some()
    }

    /// What can be done at an account; nothing at one that is not in the group.
    pub fn can(&self, at: &AccountId) -> Can {
        self.accounts.get(at).map(|account| account.can).unwrap_or_default()
    }
}

/// What becomes of a mirror whose original is deleted or spam.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deletions {
    /// It stays, and is kept in step no more with what is gone.
    #[default]
    Keep,
    /// It is deleted too, where the vendor can.
    Propagate,
}

/// What an account can do, as far as decisions need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountPolicy {
    /// The vendor applies an update only to the version that it names.
    pub conditional_writes: bool,
    /// Updates may be written. False while a needed permission or field is missing.
    pub writes_armed: bool,
    /// Tickets may be made.
    pub creates_armed: bool,
    /// What can be done to messages and tickets there.
    pub can: Can,
}

/// What a helpdesk can do beyond fields and messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Can {
    /// Hide a message from the customer after it was written.
    pub hide: bool,
    /// Take a message's content out for good.
    pub redact: bool,
    /// Rewrite a message of ours.
    pub rewrite: bool,
    /// Notes are always an agent's: what a customer said stands in one under our own name.
    pub notes_by_agents_only: bool,
    /// A message that all of a ticket's messages lack for a while was deleted.
    pub lists_lack_deleted: bool,
    /// Make a ticket with its history.
    pub import: bool,
    /// Follow up a closed ticket by a new one.
    pub follow_up: bool,
    /// Delete a ticket.
    pub delete: bool,
    /// The longest attachment in bytes; 0: none.
    pub attachment_bytes_max: u64,
    /// The most attachments of one message.
    pub attachments_max: usize,
}

/// How one field travels in a link group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldRule {
    /// Accounts whose changes count.
    pub from: BTreeSet<AccountId>,
    /// Accounts that receive changes.
    pub to: BTreeSet<AccountId>,
    /// Who wins when several sides changed it.
    pub conflict: ConflictRule,
}

/// Who wins a conflict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConflictRule {
    /// The newest view, by its vendor's own clock; a tie goes to the customer-facing account.
    Newest,
    /// This account, whenever it is one of the contenders; else the newest.
    Account(AccountId),
}

impl ConflictRule {
    /// The words for logs, the journal and pages.
    pub fn describe(&self) -> String {
        match self {
            Self::Newest => "the newest change wins".to_owned(),
            Self::Account(account) => format!("{account} wins"),
        }
    }
}

/// New tickets of one account are mirrored at another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Where the ticket was made.
    pub from: AccountId,
    /// Where its mirror is made.
    pub to: AccountId,
    /// Only tickets that bear all of these tags.
    pub with_tags: BTreeSet<String>,
    /// Only tickets that this takes. One that enters it later is mirrored then.
    pub when: Filter,
}

/// How each vendor rewrites what it is sent. Implemented over the connectors; pure.
pub trait Normalize {
    /// What `account` will show after it is sent `fields`. Fields that it cannot
    /// hold are left out.
    fn normalize(&self, account: &AccountId, fields: &Fields) -> Fields;
}

/// By what an AI agent is recognised at one helpdesk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BotMarks {
    /// Agents that are AI agents.
    pub assignees: BTreeSet<RemoteId>,
    /// Groups that belong to AI agents.
    pub groups: BTreeSet<RemoteId>,
    /// Tags that say that an AI agent owns the ticket.
    pub tags: BTreeSet<String>,
    /// Statuses that say so: a status's name, or the helpdesk's id of a custom one.
    pub statuses: BTreeSet<String>,
}

/// How handoffs are seen and served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffRules {
    /// By account.
    pub bots: BTreeMap<AccountId, BotMarks>,
    /// How long the context sources may take, in milliseconds.
    pub enrich_ms: u64,
    /// How long after that the one late message waits for sources that have not
    /// answered yet, in milliseconds: there is no second one for them.
    pub late_wait_ms: u64,
    /// After how long a handoff that nobody accepted expires, in milliseconds.
    pub expire_ms: u64,
    /// Whether people who pass a conversation on among themselves hand it over.
    pub between_people: bool,
    /// How many handoffs to humans in a row are served while the customer says nothing.
    pub loop_max: u32,
    /// Within which time they count as in a row, in milliseconds.
    pub loop_ms: u64,
    /// By link group, how long packaging may take before the customer is told to hold, in
    /// milliseconds; none of a group that tells nobody.
    pub hold_ms: Option<u64>,
}
