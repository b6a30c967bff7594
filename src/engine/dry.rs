//! A dry run: the real engine decides, and its writes are counted instead of sent.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use handoffd_core::{
    AccountId, Fields, Mail, Message, Timestamp,
    intent::{Amendment, Intent},
    link::Link,
    reconcile::{self, Decision, Follower},
};
use serde::Serialize;

use super::{Fault, Inner, look::Look};
use crate::store::{
    Commit, Key,
    tables::{self, INTENTS, IntentRow, JournalRow, LinkRow, Row},
};

/// When a write is due that was counted: never.
const COUNTED: Timestamp = Timestamp(i64::MAX);

/// The most samples of one kind.
const SAMPLES_MAX: usize = 5;
/// The longest value in a sample, in characters.
const VALUE_CHARS_MAX: usize = 80;

/// What would be written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// By account.
    pub accounts: BTreeMap<AccountId, PlannedWrites>,
    /// What was decided by which rule, counted.
    pub rules: BTreeMap<String, u64>,
    /// Examples of writes, in words, by kind.
    pub samples: BTreeMap<String, Vec<String>>,
    /// Things that would be parked.
    pub parked: u64,
    /// Conversations that were looked at.
    pub conversations: u64,
}

/// What would be written at one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct PlannedWrites {
    /// Tickets made.
    pub creates: u64,
    /// Tickets changed.
    pub updates: u64,
    /// Tickets deleted.
    pub deletes: u64,
    /// Public messages added.
    pub public_comments: u64,
    /// Private notes added.
    pub private_notes: u64,
    /// Messages hidden, redacted or rewritten.
    pub amendments: u64,
    /// Files carried.
    pub attachments: u64,
    /// E-mails that customers would get.
    pub emails: u64,
    /// How often each field would be set.
    pub fields: BTreeMap<String, u64>,
}

impl Planned {
    /// Whether anything would be written.
    pub fn would_write(&self) -> bool {
        !self.accounts.is_empty()
    }
}

/// Counts what the engine would send.
#[derive(Debug, Default)]
pub struct DryRun {
    planned: Mutex<Planned>,
}

impl DryRun {
    /// What was counted so far.
    pub fn planned(&self) -> Planned {
        self.planned.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts a write. `followers` are messages that would follow a creation in writes of their own.
    fn note(&self, intent: &Intent, followers: &[Follower]) {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        let account = intent.account().clone();
        let writes = planned.accounts.entry(account.clone()).or_default();
        writes.attachments += intent.attachments().len() as u64;
        let (kind, sample) = match intent {
            Intent::Create(create) => {
                writes.creates += 1;
                let past = create.ticket.import.iter().flat_map(|import| &import.messages);
                let past = past.map(|one| matches!(one.message, Message::Public(_)));
                let opening = create.ticket.opening.iter().map(|_| true);
                for one in followers {
                    writes.attachments += one.attachments as u64;
                    writes.emails += u64::from(one.mailed);
                }
                for public in opening.chain(past).chain(followers.iter().map(|one| one.public)) {
                    *(if public { &mut writes.public_comments } else { &mut writes.private_notes }) += 1;
                }
                count_fields(writes, &create.ticket.fields);
                ("create", format!("{account}: a ticket, {}", words(&create.ticket.fields)))
            }
            Intent::Update(update) => {
                writes.updates += u64::from(!update.set.is_empty());
                count_fields(writes, &update.set);
                let message = match &update.message {
                    Some(Message::Public(message)) => {
                        writes.public_comments += 1;
                        let sends = message.mail == Mail::Send;
                        writes.emails += u64::from(sends);
                        if sends {
                            "a public message, mailed to the customer"
                        } else {
                            "a public message, mailed to nobody"
                        }
                    }
                    Some(Message::Private(_)) => {
                        writes.private_notes += 1;
                        "a private note"
                    }
                    None => "",
                };
                let kind = if update.set.is_empty() { "message" } else { "update" };
                let parts: Vec<String> = [words(&update.set), message.to_owned()]
                    .into_iter()
                    .filter(|part| !part.is_empty())
                    .collect();
                (kind, format!("{}: {}", update.at, parts.join(", ")))
            }
            Intent::EditNote(edit) => {
                writes.amendments += 1;
                ("amendment", format!("{}: a note of handoffd's own is rewritten", edit.at))
            }
            Intent::Amend(amend) => {
                writes.amendments += 1;
                let what = match amend.change {
                    Amendment::Hide(_) => "hidden from the customer",
                    Amendment::Redact => "redacted",
                    Amendment::Rewrite(_) => "rewritten",
                };
                ("amendment", format!("{}: comment {} is {what}", amend.at, amend.comment))
            }
            Intent::Delete(delete) => {
                writes.deletes += 1;
                ("delete", format!("{} is deleted", delete.at))
            }
        };
        let samples = planned.samples.entry(kind.to_owned()).or_default();
        if samples.len() < SAMPLES_MAX {
            samples.push(sample);
        }
    }

    /// Counts what was decided, by the rule that decided it.
    pub(super) fn decided(&self, journal: &[JournalRow]) {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        for row in journal {
            let JournalRow::Decided { decision, .. } = row else { continue };
            if let Some(rule) = rule_of(decision) {
                *planned.rules.entry(rule).or_insert(0) += 1;
            }
        }
    }

    /// Notes how many conversations were looked at and how many things would be parked.
    pub fn finish(&self, conversations: u64, parked: u64) {
        let mut planned = self.planned.lock().unwrap_or_else(PoisonError::into_inner);
        (planned.conversations, planned.parked) = (conversations, parked);
    }
}

impl Inner {
    /// Counts what was decided instead of storing it: the link says that it is on its way, so
    /// that it is not decided again.
    pub(super) fn count_plan(&self, dry: &DryRun, look: &Look, link: &Link, intents: &[Intent]) {
        let Some(policy) = self.policy(&link.group) else { return };
        for intent in intents {
            let followers = match intent {
                Intent::Create(create) => reconcile::followers(link, create, &look.observed, &policy),
                _ => Vec::new(),
            };
            dry.note(intent, &followers);
        }
    }

    /// Counts stored writes of a conversation instead of sending them, each once.
    pub(super) async fn count_stored(
        &self,
        dry: &DryRun,
        look: &Look,
        row: &LinkRow,
        intents: Vec<(Key, Row<IntentRow>)>,
    ) -> Result<(), Fault> {
        for (key, intent) in intents.into_iter().filter(|(_, intent)| intent.value.due != COUNTED) {
            let counted = tables::put(INTENTS, key, &IntentRow { due: COUNTED, ..intent.value.clone() });
            self.parts.store.commit(Commit { writes: vec![counted], ..Commit::default() }).await?;
            self.count_plan(dry, look, &row.link, &[intent.value.intent]);
        }
        Ok(())
    }
}

/// The rule by which something was decided, in words; `None` where no rule was asked.
pub fn rule_of(decision: &Decision) -> Option<String> {
    let rule = match decision {
        Decision::Took { field, from, .. } => {
            format!("{field}: a change at {} is taken over", from.account)
        }
        Decision::Conflict { field, rule, .. } => format!("{field}: several changed it; {rule}"),
        Decision::Overruled { field, ticket, .. } => {
            format!("{field}: a change at {} does not count and is set back", ticket.account)
        }
        Decision::TagsMerged { from, .. } => format!("tags: changes at {} are merged", from.account),
        Decision::Create { at, .. } => format!("a route mirrors tickets at {at}"),
        Decision::CreateParked { at, .. } => format!("a mirror at {at} cannot be made"),
        _ => return None,
    };
    Some(rule)
}

fn count_fields(writes: &mut PlannedWrites, fields: &Fields) {
    for field in fields.keys() {
        *writes.fields.entry(field.to_string()).or_insert(0) += 1;
    }
}

fn words(fields: &Fields) -> String {
    let words = fields.iter().map(|(field, value)| {
        let value: String = value.to_string().chars().take(VALUE_CHARS_MAX).collect();
        format!("{field} = {value}")
    });
    words.collect::<Vec<_>>().join(", ")
}
