//! What people did, and nothing else: from this the end is judged.

use std::collections::BTreeMap;

use handoffd_connectors::sim::Who;
use handoffd_core::{Priority, RemoteId, Status, Timestamp};

/// Everything that people did in one life of the world.
#[derive(Default)]
pub struct Oracle {
    /// Conversations by number.
    pub talks: BTreeMap<u32, Talk>,
}

/// One conversation.
pub struct Talk {
    /// The account where it was opened.
    pub home: &'static str,
    /// Its ticket there.
    pub id: RemoteId,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Whether the AI agent owns it at home now.
    pub bot_owns: bool,
    /// Since when it is as it is.
    pub owner_since: Timestamp,
    /// What was said, in the order of saying; the opening first.
    pub said: Vec<Said>,
    /// What was edited, in order.
    pub edits: Vec<Edit>,
    /// Whatever may have moved the status beside edits: words and assignments.
    pub touched: Vec<Timestamp>,
    /// The signs of its handoffs from the AI agent to a person, stretch by stretch.
    pub handoffs: Vec<Handover>,
    /// Where it was deleted, and when.
    pub deleted: Vec<(&'static str, Timestamp)>,
}

/// One handoff from the AI agent to a person.
#[derive(Clone, Debug)]
pub struct Handover {
    /// When its last sign was given.
    pub at: Timestamp,
    /// Whether the AI agent announced it and was answered 202.
    pub announced: bool,
    /// Whether the ticket changed hands.
    pub native: bool,
    /// Whether the AI agent got the conversation back.
    pub over: bool,
}

/// Something said.
#[derive(Clone, Debug)]
pub struct Said {
    /// At which account.
    pub account: &'static str,
    /// By whom.
    pub who: Who,
    /// Whether the customer can read it.
    pub public: bool,
    /// Whether the ticket bore our quiet tag at that moment, so that its helpdesk mailed nobody.
    pub hushed: bool,
    /// Unlike any other text.
    pub text: String,
}

/// Something edited.
#[derive(Clone, Debug)]
pub struct Edit {
    /// When.
    pub at: Timestamp,
    /// At which account.
    pub account: &'static str,
    /// What.
    pub what: What,
}

/// One edit of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The subject.
    Subject(String),
    /// The status.
    Status(Status),
    /// The priority.
    Priority(Priority),
    /// A tag comes.
    Tagged(String),
    /// A tag goes.
    Untagged(String),
}

impl What {
    /// Edits with the same place contend with each other.
    pub fn place(&self) -> String {
        match self {
            Self::Subject(_) => "subject".to_owned(),
            Self::Status(_) => "status".to_owned(),
            Self::Priority(_) => "priority".to_owned(),
            Self::Tagged(tag) | Self::Untagged(tag) => format!("tag {}", folded_tag(tag)),
        }
    }
}

/// A tag by which forms of different vendors are one.
pub fn folded_tag(tag: &str) -> String {
    tag.to_lowercase().replace(' ', "_")
}

impl Talk {
    /// The mark that every subject of this conversation bears.
    pub fn mark(number: u32) -> String {
        format!("[c{number}]")
    }

    /// Whether it was deleted anywhere.
    pub fn is_deleted(&self) -> bool {
        !self.deleted.is_empty()
    }

    /// The last edit of each place, with when another side edited the same before.
    pub fn last_edits(&self) -> BTreeMap<String, (Edit, Option<Timestamp>)> {
        let mut last: BTreeMap<String, Edit> = BTreeMap::new();
        for edit in &self.edits {
            last.insert(edit.what.place(), edit.clone());
        }
        let contender = |place: &str, last: &Edit| {
            let others = self.edits.iter().filter(|edit| edit.what.place() == place);
            others.filter(|edit| edit.account != last.account).map(|edit| edit.at).max()
        };
        last.into_iter()
            .map(|(place, edit)| {
                let other = contender(&place, &edit);
                (place, (edit, other))
            })
            .collect()
    }
}
