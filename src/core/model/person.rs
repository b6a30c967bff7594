//! People, as far as a ticket names them.

use serde::{Deserialize, Serialize};

use super::ids::RemoteId;

/// Who somebody is on the ticket at hand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The person who asked, or another end user.
    Customer,
    /// Somebody who works in the helpdesk: a human, an AI agent, an integration.
    Agent,
}

/// A person as one helpdesk knows them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Person {
    /// The id at the helpdesk that showed the person; `None` when only an address is known.
    pub id: Option<RemoteId>,
    /// The display name; empty when unknown.
    pub name: String,
    /// The e-mail address as written there; `None` when the vendor shows none.
    pub email: Option<String>,
    /// Customer or agent.
    pub role: Role,
}

impl Person {
    /// A customer known by e-mail alone.
    pub fn customer(name: impl Into<String>, email: impl Into<String>) -> Self {
        Self { id: None, name: name.into(), email: Some(email.into()), role: Role::Customer }
    }

    /// The e-mail for comparison: trimmed, lower case.
    pub fn email_folded(&self) -> Option<String> {
        self.email.as_deref().map(|email| email.trim().to_lowercase()).filter(|email| !email.is_empty())
    }
}
