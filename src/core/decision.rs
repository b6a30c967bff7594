//! What was decided about a link and why, for the journal.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use crate::model::{
    ids::{AccountId, CommentKey, OpKey, TicketKey},
    ticket::{Field, Value},
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
    /// A side's tags changed.
    TagsMerged {
        /// The side.
        from: TicketKey,
        /// Tags that came, in that side's form.
        added: BTreeSet<String>,
        /// Tags that went, in that side's form.
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
    /// A public comment was made private where it was written. An admin must see
    /// to its copies: no helpdesk lets us hide them.
    Hidden {
        /// Its number in the link.
        number: u64,
        /// Where it is private.
        comment: CommentKey,
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
