//! A link: the tickets that are one conversation, and what is known of each side.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::floor::Floor;
use crate::model::{
    ids::{AccountId, CommentKey, GroupId, HandoffId, LinkId, OpKey, RemoteId, TicketKey},
    person::{Person, Role},
    ticket::{Field, Fields, Rating, Value, Version},
    time::Timestamp,
};

/// Tickets kept in step as one conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id, derived from the first ticket.
    pub id: LinkId,
    /// The link group that it belongs to.
    pub group: GroupId,
    /// What the sides agreed on last: the merge base. Synced fields only.
    pub base: Fields,
    /// One entry per ticket.
    pub sides: BTreeMap<TicketKey, Side>,
    /// Tickets that once were sides: merged into another.
    pub former: Vec<TicketKey>,
    /// Accounts where a mirror is being made, with the write that makes it.
    pub creating: BTreeMap<AccountId, OpKey>,
    /// Accounts where a mirror could not be made, with the reason.
    pub create_parked: BTreeMap<AccountId, String>,
    /// Accounts where it is not certain which ticket is this conversation, with all tickets of
    /// which it is not certain which belong together.
    #[serde(default)]
    pub doubts: BTreeMap<AccountId, BTreeSet<TicketKey>>,
    /// Accounts about which an admin has said which ticket is this conversation, or that none is.
    #[serde(default)]
    pub by_hand: BTreeSet<AccountId>,
    /// The copy that opens each mirror that is being made, by the write that makes it.
    #[serde(default)]
    pub openings: BTreeMap<OpKey, u64>,
    /// Who asked.
    pub requester: Option<Person>,
    /// The handoff that is open on this conversation.
    pub handoff: Option<HandoffId>,
    /// Who may speak to the customer.
    #[serde(default)]
    pub floor: Floor,
    /// The number of the next write.
    pub next_op: u64,
    /// The number of the next comment.
    pub next_copy: u64,
    /// Every comment of the conversation. Stored as rows of their own.
    #[serde(skip)]
    pub copies: Copies,
}

/// One ticket of a link.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What the helpdesk showed when it was last in step, in its own form.
    /// Holds owner, group and status even where they are not synced.
    pub shadow: Fields,
    /// The newest version that was taken in.
    pub seen: Version,
    /// When the newest view that was taken in was read, in our time: orders views of one version.
    #[serde(default)]
    pub read_at: Timestamp,
    /// Fields whose base value this side has yet to receive.
    pub behind: BTreeSet<Field>,
    /// Values sent and not confirmed, oldest first: each counts as ours when it shows up.
    pub in_flight: BTreeMap<Field, Vec<Value>>,
    /// Fields that a person changed here while a value of ours was in flight: the
    /// answer to that write does not move the shadow unless it is newer.
    #[serde(default)]
    pub overtaken: BTreeSet<Field>,
    /// How often in a row this helpdesk showed something else than it was sent,
    /// with no person's edit elsewhere in between. Bounds what could go round for ever.
    #[serde(default)]
    pub rewritten: BTreeMap<Field, u32>,
    /// Writes that are committed and not settled.
    pub outstanding: BTreeSet<OpKey>,
    /// How many comments the ticket had at the last full look; `None` before the
    /// first, and when there may be comments that were not taken in.
    pub comments_seen: Option<u64>,
    /// The version up to which all comments are known.
    #[serde(default)]
    pub comments_at: Version,
    /// Whether the ticket is still there.
    pub standing: Standing,
    /// Why nothing is written to this side, until it changes at the vendor.
    pub parked: Option<String>,
    /// What the customer thought of the help they got there.
    #[serde(default)]
    pub rating: Option<Rating>,
    /// The owners who let the ticket go, while nobody has it.
    #[serde(default)]
    pub let_go: Fields,
    /// Whether we made the ticket: a mirror. Only mirrors follow a deletion.
    #[serde(default)]
    pub made: bool,
    /// The ticket was joined and not all comments of the link have been listed
    /// since: comments at most this far apart, in milliseconds, that say the same
    /// are one. Nothing is written to any side until then.
    #[serde(default)]
    pub uniting: Option<u64>,
}

/// Whether a side's ticket is still there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is.
    #[default]
    Live,
    /// Deleted or spam at the vendor.
    Gone,
    /// Closed for good: it takes no writes. Its follow-up, if there is one, is another side.
    Closed,
}

/// Every comment of a conversation, by number, in the order in which they were taken in.
pub type Copies = BTreeMap<u64, CommentCopy>;

/// One comment and where it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentCopy {
    /// Where it was written first.
    pub origin: Origin,
    /// Whether the customer can read it.
    pub public: bool,
    /// SHA-256 of the folded text, lower-case hex: as it was taken in.
    pub digest: String,
    /// When it was written, in its vendor's time.
    pub at: Timestamp,
    /// Where it stands on each side, the origin included.
    pub places: BTreeMap<TicketKey, Place>,
    /// Who wrote it: a customer or an agent; `None` where it was not kept.
    #[serde(default)]
    pub by: Option<Role>,
    /// Which agent wrote it, where it was written: a mirror shows the words of somebody whom its
    /// helpdesk does not know as ours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writer: Option<Writer>,
    /// Whether the AI agent said it through us.
    #[serde(default)]
    pub by_bot: bool,
    /// What each ticket showed of it last, as far as it was looked at.
    #[serde(default)]
    pub shown: BTreeMap<TicketKey, Shown>,
    /// What is to become of it on other tickets, because it became so where it was
    /// written: with the write that is to do it, once there is one.
    #[serde(default)]
    pub due: BTreeMap<TicketKey, BTreeMap<Change, Option<OpKey>>>,
    /// What became of it since a ticket is being made that may carry it as it was:
    /// due there as soon as the ticket is known.
    #[serde(default)]
    pub due_where_made: BTreeSet<Change>,
    /// Tickets on which people wrote it themselves, beside its origin.
    #[serde(default)]
    pub theirs: BTreeSet<TicketKey>,
    /// Whether it is past: written nowhere with a mail to the customer.
    #[serde(default)]
    pub past: bool,
    /// Whether it was public once and was made private.
    #[serde(default)]
    pub hidden: bool,
    /// Whether it is missing where it was written.
    #[serde(default)]
    pub missing: Option<Missing>,
}

/// A comment that is not among all comments of the ticket on which it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// It was not there when they were listed at this moment, in our time. Lists
    /// move under their reader: it is looked for again.
    Since(Timestamp),
    /// It was still not there later: it is deleted.
    Deleted,
}

impl CommentCopy {
    /// A comment that stands in one place, or is on its way there.
    pub fn new(origin: Origin, public: bool, digest: String, at: Timestamp) -> Self {
        Self {
            origin,
            public,
            digest,
            at,
            places: BTreeMap::new(),
            by: None,
            writer: None,
            by_bot: false,
            shown: BTreeMap::new(),
            due: BTreeMap::new(),
            due_where_made: BTreeSet::new(),
            theirs: BTreeSet::new(),
            past: false,
            hidden: false,
            missing: None,
        }
    }

    /// The same comment with one more place.
    #[must_use]
    pub fn at(mut self, ticket: TicketKey, place: Place) -> Self {
        self.places.insert(ticket, place);
        self
    }
}

/// An agent as the author of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Writer {
    /// Their id at the helpdesk where they wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<RemoteId>,
    /// Their name there, in one line; empty where the helpdesk shows none.
    pub name: String,
}

/// What a ticket showed of a comment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// The digest of its text; empty when the next look is to be believed as it is.
    pub digest: String,
    /// Whether the customer could read it. What was private once stays so.
    pub public: bool,
    /// Whether its content was taken out for good.
    pub redacted: bool,
}

/// What may become of a comment where it was written, and then of its copies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It was made private.
    Hide,
    /// Its content was taken out for good.
    Redact,
    /// It says something else.
    Rewrite,
}

/// Where a comment comes from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Somebody wrote it at a helpdesk.
    Comment(CommentKey),
    /// Our own words, by the write that carried them: a briefing. Never mirrored.
    Ours(OpKey),
}

/// Where a comment stands on one side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// It is there, under this id.
    Here(RemoteId),
    /// A write that carries it is outstanding.
    Sending(OpKey),
    /// It could not be written, or nobody knows whether it was; never tried again.
    Parked(String),
    /// It stands on an earlier ticket of the same helpdesk, from which this one
    /// goes on: merged into it, or followed up by it. Not written here again.
    Before(TicketKey),
}

impl Link {
    /// The id that a link started by `ticket` has: the same on every run.
    pub fn id_for(ticket: &TicketKey) -> LinkId {
        let digest = hex::encode(Sha256::digest(ticket.to_string().as_bytes()));
        LinkId(format!("l{}", &digest[..20]))
    }

    /// Takes the next write's name.
    pub fn take_op(&mut self) -> OpKey {
        let key = OpKey(format!("{}-{}", self.id, self.next_op));
        self.next_op += 1;
        key
    }

    /// The live side at `account`, if there is one.
    pub fn side_at(&self, account: &AccountId) -> Option<(&TicketKey, &Side)> {
        self.sides.iter().find(|(ticket, side)| ticket.account == *account && side.standing == Standing::Live)
    }
}

/// The digest under which a comment's text is remembered.
pub fn text_digest(text: &str) -> String {
    hex::encode(Sha256::digest(crate::model::comment::fold_text(text).as_bytes()))
}
