//! What people did, and nothing else: from this the end is judged.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_connectors::sim::{SimFile, Who};
use handoffd_core::{Field, Priority, RemoteId, Status, Timestamp, Typed, Value};

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
    /// Which customer opened it.
    pub customer: usize,
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
    /// Where it was deleted or taken for spam, and when.
    pub deleted: Vec<(&'static str, Timestamp)>,
    /// When its ticket at Zendesk was closed for good, each time.
    pub closed: Vec<Timestamp>,
    /// The conversation that it was merged into.
    pub merged: Option<u32>,
    /// What the customer thought of the help, where they said so, in percent.
    pub rated: BTreeMap<&'static str, u8>,
    /// Every address that was ever in copy.
    pub ccs: BTreeSet<String>,
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
    /// What is attached.
    pub files: Vec<SimFile>,
    /// Where it links to.
    pub link: Option<String>,
    /// What people made of it afterwards.
    pub fate: Fate,
    /// Its id where it was said, once something became of it.
    pub id: Option<RemoteId>,
}

impl Said {
    /// Words alone, which stand.
    pub fn plain(account: &'static str, who: Who, public: bool, text: String) -> Self {
        let (files, fate) = (Vec::new(), Fate::Stands);
        Self { account, who, public, hushed: false, text, files, link: None, fate, id: None }
    }
}

/// What people made of a message where it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It stands.
    Stands,
    /// The customer was kept from reading it.
    Hidden,
    /// Its words were taken out.
    Redacted,
    /// It was taken away; Freshdesk tells nobody.
    Removed,
    /// It says something else now; this is what it said before.
    Edited(Vec<String>),
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
    /// The type, the due time or the people in copy.
    Set(Field, Value),
    /// A custom field, by the link group's name for it.
    Custom(&'static str, Option<Typed>),
    /// The custom status.
    Waiting,
}

impl What {
    /// Edits with the same place contend with each other.
    pub fn place(&self) -> String {
        match self {
            Self::Subject(_) => "subject".to_owned(),
            Self::Status(_) | Self::Waiting => "status".to_owned(),
            Self::Priority(_) => "priority".to_owned(),
            Self::Tagged(tag) | Self::Untagged(tag) => format!("tag {}", folded_tag(tag)),
            Self::Set(field, _) => field.name().to_owned(),
            Self::Custom(name, _) => format!("custom {name}"),
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

    /// Whether people still work on it.
    pub fn is_live(&self) -> bool {
        !self.is_deleted() && self.merged.is_none()
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
