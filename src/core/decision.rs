//! What was decided about a link and why, for the journal.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::{
    link::Change,
    model::{
        ids::{AccountId, CommentKey, OpKey, TicketKey},
        ticket::{Field, Value},
    },
};

/// Who stands for a value in a conflict.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A side, by what it shows.
    Side(TicketKey),
    /// The last agreed value, which had not reached every side yet.
    Base,
}

impl fmt::Display for Who {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Side(ticket) => ticket.fmt(out),
            Self::Base => out.write_str("base (undelivered)"),
        }
    }
}

/// Why a view of a ticket was not taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropReason {
    /// It is older than what is known.
    Older,
    /// The ticket is no side of this link (any more).
    NotASide,
}

fn tags() -> Field {
    Field::Tags
}

/// One thing that was decided. The journal keeps them all, so that an overruled
/// value can be recovered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// One side changed a field: its value is the base.
    Took {
        /// Which field.
        field: Field,
        /// The side that changed it.
        from: TicketKey,
        /// What it shows.
        value: Value,
    },
    /// Several values contended for a field.
    Conflict {
        /// Which field.
        field: Field,
        /// Who won, and with what.
        kept: (Who, Value),
        /// Who lost, and what.
        overruled: Vec<(Who, Value)>,
        /// The rule that decided, in words.
        rule: String,
    },
    /// A side changed a field whose changes do not count there.
    Overruled {
        /// Which field.
        field: Field,
        /// The side that changed it.
        ticket: TicketKey,
        /// What it shows.
        value: Value,
        /// The base, which it will receive again.
        kept: Value,
    },
    /// A helpdesk keeps showing something else than it is sent: it is left so
    /// until somebody changes the field.
    Kept {
        /// Which field.
        field: Field,
        /// The side.
        ticket: TicketKey,
        /// What it shows.
        value: Value,
    },
    /// A side's tags, or another set, changed.
    TagsMerged {
        /// Which field.
        #[serde(default = "tags")]
        field: Field,
        /// The side.
        from: TicketKey,
        /// Members that came, in that side's form.
        added: BTreeSet<String>,
        /// Members that went, in that side's form.
        removed: BTreeSet<String>,
    },
    /// A comment was taken in.
    Comment {
        /// Its number in the link.
        number: u64,
        /// Where it was written.
        comment: CommentKey,
        /// Whether the customer can read it.
        public: bool,
    },
    /// A comment that was written without a certain answer was found on its ticket.
    Arrived {
        /// Its number in the link.
        number: u64,
        /// Where it was found.
        comment: CommentKey,
    },
    /// A public comment was made private. Where it was written, its copies follow:
    /// each is hidden, or [`Decision::NotAmended`] says that an admin must see to it.
    Hidden {
        /// Its number in the link.
        number: u64,
        /// Where it is private.
        comment: CommentKey,
    },
    /// A comment's content was taken out for good where it was written.
    Redacted {
        /// Its number in the link.
        number: u64,
        /// Where it was written.
        comment: CommentKey,
    },
    /// A comment was deleted where it was written: its copies are redacted, or
    /// [`Decision::NotAmended`] says that an admin must see to it.
    Deleted {
        /// Its number in the link.
        number: u64,
        /// Where it was written.
        comment: CommentKey,
    },
    /// A comment says something else than before. Where it was written, its copies
    /// follow as far as they can; an edit of a copy is only noted.
    Edited {
        /// Its number in the link.
        number: u64,
        /// Which one was edited.
        comment: CommentKey,
        /// Whether it is the original.
        original: bool,
    },
    /// A mirrored comment does not follow its original. An admin must see to it.
    NotAmended {
        /// Its number in the link.
        number: u64,
        /// The ticket on which it stands as it was.
        ticket: TicketKey,
        /// What was to become of it.
        change: Change,
        /// Why it was not, in words for an admin.
        reason: String,
    },
    /// Comments of two tickets that were joined are one.
    United {
        /// Its number in the link.
        number: u64,
        /// Where else it was found.
        comment: CommentKey,
    },
    /// A customer rated the help that they got.
    Rated {
        /// On which ticket.
        ticket: TicketKey,
        /// From 0, the worst, to 100, the best.
        percent: u8,
        /// The vendor's own word for it.
        label: String,
    },
    /// A ticket is closed for good and takes no writes.
    Closed {
        /// Which side.
        ticket: TicketKey,
    },
    /// A mirror is to be deleted, because its original is.
    Deleting {
        /// Which side.
        ticket: TicketKey,
    },
    /// A mirror is to be made.
    Create {
        /// Where.
        at: AccountId,
        /// The write that makes it.
        key: OpKey,
    },
    /// A mirror was made.
    Created {
        /// The new ticket.
        ticket: TicketKey,
    },
    /// A view was not taken in.
    Dropped {
        /// Of which ticket.
        ticket: TicketKey,
        /// Why.
        why: DropReason,
    },
    /// A view of a feed contradicts what is known of the same version: the ticket is read by id.
    NeedsFetch {
        /// Which ticket.
        ticket: TicketKey,
    },
    /// Fields are not written to a side until it changes.
    Parked {
        /// Which side.
        ticket: TicketKey,
        /// Why, in words for an admin.
        reason: String,
    },
    /// A comment is not written to a side, for good.
    CommentParked {
        /// Its number in the link.
        number: u64,
        /// Which side.
        ticket: TicketKey,
        /// Why, in words for an admin.
        reason: String,
    },
    /// A mirror is not made.
    CreateParked {
        /// Where.
        at: AccountId,
        /// Why, in words for an admin.
        reason: String,
    },
    /// A side changed, so it is written to again.
    Unparked {
        /// Which side.
        ticket: TicketKey,
    },
    /// A ticket that was gone is there again.
    Back {
        /// Which side.
        ticket: TicketKey,
    },
}
