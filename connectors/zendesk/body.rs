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
    /// Which status of the account's own; it decides the category.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub custom_status_id: Option<Value>,
    /// What kind of request it is; `Some(None)` takes it away.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<Option<String>>,
    /// When a task is due; `Some(None)` for never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Option<String>>,
    /// Who is put on mails in copy or taken off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email_ccs: Option<Vec<CcWrite>>,
    /// Values of custom fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_fields: Vec<CustomFieldWrite>,
    /// The closed ticket that the new one follows up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub via_followup_source_id: Option<Value>,
    /// Of an import: what was said, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub comments: Vec<CommentWrite>,
    /// Of an import: when the ticket was made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
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

/// A custom field's value to be written.
#[derive(Debug, Serialize)]
pub struct CustomFieldWrite {
    /// The field.
    pub id: Value,
    /// The value; `null` empties it.
    pub value: Value,
}

/// Somebody to be put in copy or taken out.
#[derive(Debug, Serialize)]
pub struct CcWrite {
    /// The address.
    pub user_email: String,
    /// `put` or `delete`.
    pub action: &'static str,
}

/// A message to be written.
#[derive(Debug, Default, Serialize)]
pub struct CommentWrite {
    /// Plain text, where there is no markup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Text with markup.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub html_body: Option<String>,
    /// Always sent: Zendesk would take it from the ticket and might mail a customer.
    pub public: bool,
    /// Who wrote it; absent for our own user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub author_id: Option<Value>,
    /// The tokens of its files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uploads: Vec<String>,
    /// Of an import: when it was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created_at: Option<String>,
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

/// The body of a redaction.
#[derive(Debug, Serialize)]
pub struct RedactionBody {
    /// The ticket.
    pub ticket_id: Value,
    /// The comment's HTML with marks around what goes.
    pub html_body: String,
    /// The addresses of the files that go.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub external_attachment_urls: Vec<String>,
}

/// The body of a new ticket field.
#[derive(Debug, Serialize)]
pub struct FieldBody {
    /// The field.
    pub ticket_field: FieldWrite,
}

/// A ticket field to be made.
#[derive(Debug, Serialize)]
pub struct FieldWrite {
    /// What it holds.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// What people see.
    pub title: String,
    /// Its options.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub custom_field_options: Vec<OptionWrite>,
}

/// An option to be made.
#[derive(Debug, Serialize)]
pub struct OptionWrite {
    /// What people see.
    pub name: String,
    /// The tag.
    pub value: String,
}

/// The body of a new status.
#[derive(Debug, Serialize)]
pub struct StatusBody {
    /// The status.
    pub custom_status: StatusWrite,
}

/// A status to be made.
#[derive(Debug, Serialize)]
pub struct StatusWrite {
    /// Its category.
    pub status_category: &'static str,
    /// What agents see.
    pub agent_label: String,
    /// What customers see.
    pub end_user_label: String,
}
