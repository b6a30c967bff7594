//! Newtypes for every id, so that one cannot be passed for another.

use std::{cmp::Ordering, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub String);

        impl $name {
            /// Wraps the text as it is.
            pub fn new(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.to_owned())
            }
        }
    };
}

text_id! {
    /// One authorised tenant of a vendor: its key under `[accounts]` in the configuration.
    AccountId
}
text_id! {
    /// A link group of the configuration: accounts whose tickets are kept in step.
    GroupId
}
text_id! {
    /// The tickets kept in step as one conversation.
    LinkId
}
text_id! {
    /// One change of owner of a conversation.
    HandoffId
}
text_id! {
    /// One write, named once and for ever: the marker by which it is found again at a vendor.
    ///
    /// Lower-case letters, digits and `-` only, at most 80 characters, so that
    /// it fits every vendor's marker.
    OpKey
}

/// An id as its vendor writes it.
///
/// Orders numerically where both sides are numbers, so that vendor order holds.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RemoteId(pub String);

impl RemoteId {
    /// Wraps the text as it is.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RemoteId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl From<&str> for RemoteId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<i64> for RemoteId {
    fn from(id: i64) -> Self {
        Self(id.to_string())
    }
}

impl Ord for RemoteId {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self.0.parse::<u64>(), other.0.parse::<u64>()) {
            (Ok(mine), Ok(theirs)) => mine.cmp(&theirs).then_with(|| self.0.cmp(&other.0)),
            (Ok(_), Err(_)) => Ordering::Less,
            (Err(_), Ok(_)) => Ordering::Greater,
            (Err(_), Err(_)) => self.0.cmp(&other.0),
        }
    }
}

impl PartialOrd for RemoteId {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// One ticket of one account. Shown as `account/id`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
pub struct TicketKey {
    /// The account that holds the ticket.
    pub account: AccountId,
    /// The ticket's id there.
    pub id: RemoteId,
}

impl TicketKey {
    /// The ticket `id` of `account`.
    pub fn new(account: impl Into<AccountId>, id: impl Into<RemoteId>) -> Self {
        Self { account: account.into(), id: id.into() }
    }
}

impl fmt::Display for TicketKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}/{}", self.account, self.id)
    }
}

impl From<TicketKey> for String {
    fn from(key: TicketKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for TicketKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (account, id) = text.split_once('/').ok_or_else(|| format!("{text:?} is not account/id"))?;
        Ok(Self::new(account, id))
    }
}

/// One comment of one ticket. Shown as `account/ticket#comment`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
pub struct CommentKey {
    /// The ticket.
    pub ticket: TicketKey,
    /// The comment's id there.
    pub id: RemoteId,
}

impl CommentKey {
    /// The comment `id` of `ticket`.
    pub fn new(ticket: TicketKey, id: impl Into<RemoteId>) -> Self {
        Self { ticket, id: id.into() }
    }
}

impl fmt::Display for CommentKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}#{}", self.ticket, self.id)
    }
}

impl From<CommentKey> for String {
    fn from(key: CommentKey) -> Self {
        key.to_string()
    }
}

impl TryFrom<String> for CommentKey {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let (ticket, id) =
            text.rsplit_once('#').ok_or_else(|| format!("{text:?} is not account/ticket#comment"))?;
        Ok(Self::new(TicketKey::try_from(ticket.to_owned())?, id))
    }
}
