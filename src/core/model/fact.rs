//! Facts: typed statements about a customer, each with its source and age.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ids::AccountId, time::Timestamp};

/// Whom a context source is asked about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// The customer's e-mail as written.
    pub email: Option<String>,
    /// The customer's name, for display only: nobody is found by name.
    pub name: Option<String>,
}

/// One record at a source that may be the subject.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Match {
    /// The record's id at the source.
    pub id: String,
    /// What a person would recognise it by.
    pub label: String,
    /// Which rule found it, for instance `email`.
    pub rule: String,
}

/// What a source knows under the subject's keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resolved {
    /// Nobody.
    None,
    /// Exactly one record.
    One(Match),
    /// Several records tie: shown as ambiguous, never guessed.
    Ambiguous(Vec<Match>),
}

/// Who may see a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sensitivity {
    /// Any agent may read it in a private note.
    Agents,
    /// Only where the configuration says so.
    Restricted,
}

/// The value of a fact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactValue {
    /// Words.
    Text(String),
    /// How many.
    Count(u64),
    /// An amount in the currency's minor unit (cents; yen for JPY).
    Money {
        /// Minor units.
        minor: i64,
        /// ISO 4217, upper case.
        currency: String,
    },
    /// A moment.
    Time(Timestamp),
}

/// What a fact is about. One line of a briefing each, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FactKey {
    /// Who the customer is at the source.
    Customer,
    /// The plan the customer pays for, with its state.
    Plan,
    /// One invoice that is open.
    OpenInvoice,
    /// A payment that failed.
    FailedPayment,
    /// Since when the customer is one.
    CustomerSince,
}

/// One statement with where it comes from and how old it is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fact {
    /// What it is about.
    pub key: FactKey,
    /// What it says.
    pub value: FactValue,
    /// Words that make the value readable, for instance `past due` or `F00-0012`.
    pub detail: Option<String>,
    /// The account that said so.
    pub source: AccountId,
    /// The record at the source, for instance `in_7`.
    pub record: String,
    /// When it was asked.
    pub fetched_at: Timestamp,
    /// Who may see it.
    pub sensitivity: Sensitivity,
}
