//! Comments. Public and private are different types from end to end: there is a
//! way from public to private, and none back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{ids::RemoteId, person::Person, time::Timestamp};

/// The text of a message: plain text, `\n` line ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The text itself.
    Inline(String),
    /// Text that was put aside because it is too long for a row.
    Blob {
        /// SHA-256 of the text, lower-case hex.
        hash: String,
        /// Length in bytes.
        len: u64,
    },
}

impl Body {
    /// Text at hand; `\r\n` becomes `\n`, and white space around it goes.
    pub fn inline(text: &str) -> Self {
        Self::Inline(text.replace("\r\n", "\n").trim().to_owned())
    }

    /// The text if it is at hand.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Inline(text) => Some(text),
            Self::Blob { .. } => None,
        }
    }
}

impl fmt::Debug for Body {
    /// Ticket text never reaches a log: only its length does.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(text) => write!(out, "Inline({} bytes)", text.len()),
            Self::Blob { hash, len } => write!(out, "Blob({hash:.8}, {len} bytes)"),
        }
    }
}

/// Text by which two vendors' forms of one message are compared: white space
/// folded, nothing else.
pub fn fold_text(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text that the customer may read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicText(Body);

impl PublicText {
    /// Text that a helpdesk showed as public. Only a connector's reading of a
    /// public comment may call this.
    pub fn shown_publicly(body: Body) -> Self {
        Self(body)
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The same message with its text put aside or fetched back.
    #[must_use]
    pub fn with_body(&self, body: Body) -> Self {
        Self(body)
    }
}

/// Text that only agents may read.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrivateText(Body);

impl PrivateText {
    /// Any text may be made private.
    pub fn new(body: Body) -> Self {
        Self(body)
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The same message with its text put aside or fetched back.
    #[must_use]
    pub fn with_body(&self, body: Body) -> Self {
        Self(body)
    }
}

impl From<PublicText> for PrivateText {
    fn from(text: PublicText) -> Self {
        Self(text.0)
    }
}

/// A message that the customer can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicComment {
    /// The comment's id at the helpdesk.
    pub id: RemoteId,
    /// Who wrote it.
    pub author: Person,
    /// What it says.
    pub text: PublicText,
    /// When, in the vendor's time.
    pub at: Timestamp,
    /// Whether the helpdesk that shows it has mailed it to the customer itself.
    pub mailed: bool,
}

/// A message that only agents can read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateComment {
    /// The comment's id at the helpdesk.
    pub id: RemoteId,
    /// Who wrote it.
    pub author: Person,
    /// What it says.
    pub text: PrivateText,
    /// When, in the vendor's time.
    pub at: Timestamp,
}

/// One message of a ticket, as its helpdesk shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comment {
    /// The customer can read it.
    Public(PublicComment),
    /// Only agents can.
    Private(PrivateComment),
}

impl Comment {
    /// The comment's id at the helpdesk.
    pub fn id(&self) -> &RemoteId {
        match self {
            Self::Public(comment) => &comment.id,
            Self::Private(comment) => &comment.id,
        }
    }

    /// Who wrote it.
    pub fn author(&self) -> &Person {
        match self {
            Self::Public(comment) => &comment.author,
            Self::Private(comment) => &comment.author,
        }
    }

    /// When, in the vendor's time.
    pub fn at(&self) -> Timestamp {
        match self {
            Self::Public(comment) => comment.at,
            Self::Private(comment) => comment.at,
        }
    }

    /// Whether the customer can read it.
    pub fn is_public(&self) -> bool {
        matches!(self, Self::Public(_))
    }

    /// What it says.
    pub fn body(&self) -> &Body {
        match self {
            Self::Public(comment) => comment.text.body(),
            Self::Private(comment) => comment.text.body(),
        }
    }
}

/// Who mails the customer about a public message that we write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mail {
    /// The helpdesk that receives it mails the customer.
    Send,
    /// Nobody: the customer has it already, or wrote it.
    Silent,
}

/// A public message to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicMessage {
    /// Who said it first.
    pub author: Person,
    /// What it says.
    pub text: PublicText,
    /// Whether the customer is to be mailed.
    pub mail: Mail,
}

/// A private message to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateMessage {
    /// Who said it first; `None` for our own words.
    pub author: Option<Person>,
    /// What it says.
    pub text: PrivateText,
}

/// A message to be written. Two types, so that no code can turn one into the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// For the customer's eyes too.
    Public(PublicMessage),
    /// For agents only.
    Private(PrivateMessage),
}

impl Message {
    /// What it says.
    pub fn body(&self) -> &Body {
        match self {
            Self::Public(message) => message.text.body(),
            Self::Private(message) => message.text.body(),
        }
    }

    /// The same message with its text put aside or fetched back.
    #[must_use]
    pub fn with_body(self, body: Body) -> Self {
        match self {
            Self::Public(message) => {
                let text = message.text.with_body(body);
                Self::Public(PublicMessage { text, ..message })
            }
            Self::Private(message) => {
                let text = message.text.with_body(body);
                Self::Private(PrivateMessage { text, ..message })
            }
        }
    }
}
