//! The package: everything that is known when a conversation changes hands, in one versioned
//! form for all three kinds. What is stated names where it can be checked; what is not known
//! says why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    fact::Fact,
    handoff::HandoffKind,
    ids::{AccountId, HandoffId, TicketKey},
    time::Timestamp,
    turn::{Outcome, Party, Proof},
};

/// The version of the package's form. Its first number changes when a reader of the last one
/// would misread it.
pub const PACKAGE_VERSION: &str = "1.0";

/// A required field: a value with where it can be checked, unknown with the reason, or not
/// applicable. It is never silently empty: a value without proof cannot be made or read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", try_from = "Unchecked<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub enum Stated<T> {
    /// What is known, with at least one proof.
    Known(Supported<T>),
    /// It is not known, and why.
    Unknown {
        /// Why, in a few words for the next owner.
        why: String,
    },
    /// There can be none here, and why.
    NotApplicable {
        /// Why, in a few words for the next owner.
        why: String,
    },
}

/// A value with where it can be checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Supported<T> {
    value: T,
    #[schemars(length(min = 1))]
    proofs: Vec<Proof>,
}

impl<T> Supported<T> {
    /// The value.
    pub fn value(&self) -> &T {
        &self.value
    }

    /// Where it can be checked: at least one place.
    pub fn proofs(&self) -> &[Proof] {
        &self.proofs
    }
}

/// A field as it was read, before it is known whether its value has a proof.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Stated_{T}")]
enum Unchecked<T> {
    /// What is known, with where it can be checked.
    Known {
        /// The value.
        value: T,
        /// At least one place.
        #[schemars(length(min = 1))]
        proofs: Vec<Proof>,
    },
    /// It is not known.
    Unknown {
        /// Why.
        why: String,
    },
    /// There can be none here.
    NotApplicable {
        /// Why.
        why: String,
    },
}

impl<T> TryFrom<Unchecked<T>> for Stated<T> {
    type Error = &'static str;

    fn try_from(read: Unchecked<T>) -> Result<Self, Self::Error> {
        Ok(match read {
            Unchecked::Known { proofs, .. } if proofs.is_empty() => {
                return Err("a value needs at least one proof");
            }
            Unchecked::Known { value, proofs } => Self::Known(Supported { value, proofs }),
            Unchecked::Unknown { why } => Self::Unknown { why },
            Unchecked::NotApplicable { why } => Self::NotApplicable { why },
        })
    }
}

impl<T> Stated<T> {
    /// A value with where it can be checked; without any such place it is not known.
    pub fn known(value: T, proofs: impl IntoIterator<Item = Proof>) -> Self {
        let proofs: Vec<Proof> = proofs.into_iter().collect();
        match proofs.is_empty() {
            true => Self::unknown("nothing supports it"),
            false => Self::Known(Supported { value, proofs }),
        }
    }

    /// It is not known, and why.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown { why: why.into() }
    }

    /// There can be none here, and why.
    pub fn not_applicable(why: impl Into<String>) -> Self {
        Self::NotApplicable { why: why.into() }
    }

    /// The value, where there is one.
    pub fn value(&self) -> Option<&T> {
        match self {
            Self::Known(known) => Some(known.value()),
            Self::Unknown { .. } | Self::NotApplicable { .. } => None,
        }
    }

    /// Where the value can be checked; empty where there is none.
    pub fn proofs(&self) -> &[Proof] {
        match self {
            Self::Known(known) => known.proofs(),
            Self::Unknown { .. } | Self::NotApplicable { .. } => &[],
        }
    }

    /// This if it is known or cannot be, else the other.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        match (&self, &other) {
            (Self::Unknown { .. }, Self::Known(_) | Self::NotApplicable { .. }) => other,
            _ => self,
        }
    }
}

/// Everything that is known about a handoff.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// [`PACKAGE_VERSION`] of the daemon that made it.
    pub version: String,
    /// The handoff.
    pub handoff: About,
    /// The conversation.
    pub conversation: Conversation,
    /// The customer.
    pub customer: Customer,
    /// What it is about.
    pub issue: Issue,
    /// What was tried so far by whoever owned it, oldest first, over all hops.
    pub attempts: Stated<Vec<Tried>>,
    /// The customer's mood when it was handed over.
    pub mood: Stated<Mood>,
    /// What was promised to the customer and is not known to be done, oldest first.
    pub promises: Stated<Vec<Promise>>,
    /// The question that the next owner has to answer first.
    pub open_question: Stated<String>,
    /// What the customer said already, and nobody should ask again.
    pub given: Vec<Given>,
    /// What connected systems say of the customer.
    pub facts: Vec<Fact>,
    /// Context sources that say nothing, and why.
    pub silent: BTreeMap<AccountId, String>,
    /// The handoffs of this conversation before, oldest first.
    pub lineage: Vec<Hop>,
    /// What was too much and was left out, in words.
    pub left_out: Vec<String>,
}

/// The handoff of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct About {
    /// Its id.
    pub id: HandoffId,
    /// Between whom.
    pub kind: HandoffKind,
    /// Which hop of the conversation it is, from 1.
    pub hop: u32,
    /// Who owned it.
    pub from: Party,
    /// Who is to own it.
    pub to: Party,
    /// The group or team that it is with, by name where that is known.
    #[serde(default)]
    pub team: Option<String>,
    /// Until when somebody should have taken it, as the AI agent asks.
    #[serde(default)]
    pub take_by: Option<Timestamp>,
    /// Why it was handed over.
    pub reason: Stated<String>,
    /// When it was first known.
    pub detected_at: Timestamp,
}

/// The conversation of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Conversation {
    /// Its tickets; the first is the one that bears the briefing.
    pub tickets: Vec<TicketKey>,
    /// The ticket's subject.
    pub subject: Stated<String>,
    /// Where the customer writes, for instance `email` or `web chat`.
    pub channel: Stated<String>,
    /// The language that the customer writes, ISO 639-1.
    pub language: Stated<String>,
    /// How many turns were read.
    pub turns: u32,
    /// When the first of them was, where that is known.
    pub from: Option<Timestamp>,
    /// When the last of them was, where that is known.
    pub until: Option<Timestamp>,
}

/// The customer of a package.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Customer {
    /// The name.
    pub name: Stated<String>,
    /// The e-mail address.
    pub email: Stated<String>,
    /// What they pay for: the plan or tier.
    pub tier: Stated<String>,
}

/// What a conversation is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// The kind of concern, for instance `billing`.
    pub category: Stated<String>,
    /// It in the words of whoever handed it over, unchecked.
    pub summary: Stated<String>,
    /// What the customer wants.
    pub goal: Stated<String>,
    /// What stands in their way.
    pub blocker: Stated<String>,
    /// The part of the product.
    pub product_area: Stated<String>,
    /// The page or screen on which they were, without secrets.
    pub page: Stated<String>,
}

/// Something that was tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tried {
    /// What, in a few words.
    pub action: String,
    /// With what, shortened; empty when nothing is known of it.
    pub inputs: String,
    /// What came of it, shortened; empty when nothing says so.
    pub outcome: String,
    /// Whether it worked.
    pub result: Outcome,
    /// Who tried it.
    pub by: Party,
    /// When, where that is known.
    pub at: Option<Timestamp>,
    /// In which hop it was tried, from 1.
    pub hop: u32,
    /// Where it can be checked.
    #[schemars(length(min = 1))]
    pub proofs: Vec<Proof>,
}

/// How the customer feels.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Mood {
    /// At the handoff.
    pub now: Feeling,
    /// Over the conversation, oldest first: from -100 (furious) to 100 (delighted), one a
    /// customer's turn, the newest 20.
    pub course: Vec<i8>,
}

/// A feeling, from bad to good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Feeling {
    /// Angry.
    Angry,
    /// Frustrated.
    Frustrated,
    /// Neither.
    Neutral,
    /// Content.
    Content,
}

/// Something that was promised to the customer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Promise {
    /// What, in the promiser's words, shortened.
    pub text: String,
    /// Who promised.
    pub by: Party,
    /// When, where that is known.
    pub at: Option<Timestamp>,
    /// Where it can be checked.
    #[schemars(length(min = 1))]
    pub proofs: Vec<Proof>,
}

/// Something that the customer said already.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Given {
    /// What it is, for instance `order number`.
    pub topic: String,
    /// The value, shortened.
    pub value: String,
    /// Where it can be checked.
    #[schemars(length(min = 1))]
    pub proofs: Vec<Proof>,
}

/// An earlier handoff of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// Its id.
    pub id: HandoffId,
    /// Between whom.
    pub kind: HandoffKind,
    /// Who owned it before.
    pub from: Party,
    /// Who owned it then.
    pub to: Party,
    /// When.
    pub at: Timestamp,
    /// Why, where it was known.
    pub reason: Option<String>,
}

/// What an AI agent is told when it gets a conversation back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resolution {
    /// Where the conversation stands.
    pub package: Package,
    /// What was wrong.
    pub problem: Stated<String>,
    /// What people did about it, oldest first.
    pub done: Stated<Vec<Tried>>,
    /// What people promised, oldest first.
    pub promised: Stated<Vec<Promise>>,
    /// What not to ask or offer again, in words.
    pub do_not: Vec<String>,
    /// When the human stretch began, where that is known.
    pub stretch_from: Option<Timestamp>,
    /// When it ended.
    pub stretch_until: Timestamp,
    /// Whether the AI agent may follow up or ask for a rating now: nothing is open.
    pub may_follow_up: bool,
}
