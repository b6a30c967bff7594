//! The JSON that is written to Zendesk.

use serde::Serialize;
use serde_json::Value;

/// The body of a write of a ticket.
#[derive(Debug, Serialize)]
pub struct TicketBody {
    /// The ticket.
    pub ticket: TicketWrite,
}

/// What a write sets. What is absent is left alone.
#[derive(Debug, Default, Serialize)]
pub struct TicketWrite {
    /// One line of text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// A message to add.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<CommentWrite>,
    /// Who asks, by address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester: Option<RequesterWrite>,
    /// Who asks, by id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub requester_id: Option<Value>,
    /// Who becomes the author of the first comment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submitter_id: Option<Value>,
    /// The status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// The priority; `Some(None)` takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub priority: Option<Option<&'static str>>,
    /// The whole set of tags.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tags: Option<Vec<String>>,
    /// The agent; `Some(Null)` for nobody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub assignee_id: Option<Value>,
    /// The group; `Some(Null)` for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group_id: Option<Value>,
    /// Our marker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// Goes into the audit's `metadata.custom`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<MetadataWrite>,
    /// Only if the ticket still has `updated_stamp`. `false` means `true` to Zendesk.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub safe_update: Option<bool>,
    /// The `updated_at` that was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub updated_stamp: Option<String>,
}

/// A message to be written.
#[derive(Debug, Serialize)]
pub struct CommentWrite {
    /// Plain text.
    pub body: String,
    /// Always sent: Zendesk would take it from the ticket and might mail a customer.
    pub public: bool,
    /// Who wrote it; absent for our own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<Value>,
}

/// Who asks, found or made by address.
#[derive(Debug, Serialize)]
pub struct RequesterWrite {
    /// The display name.
    pub name: String,
    /// The address.
    pub email: String,
}

/// Our marker in an audit.
#[derive(Debug, Serialize)]
pub struct MetadataWrite {
    /// The write's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoffd_op: Option<String>,
    /// The write whose quiet tag is taken off again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub handoffd_quiet_off: Option<String>,
}

/// The body of a write of a person.
#[derive(Debug, Serialize)]
pub struct UserBody {
    /// The person.
    pub user: UserWrite,
}

/// A person to be made. No role: it is `end-user` for a new person, and an
/// existing agent must not be made an end user.
#[derive(Debug, Serialize)]
pub struct UserWrite {
    /// The display name.
    pub name: String,
    /// The address.
    pub email: String,
    /// Keeps Zendesk from mailing the person a welcome.
    pub skip_verify_email: bool,
}
