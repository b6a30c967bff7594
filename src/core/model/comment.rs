//! Comments. Public and private are different types from end to end: there is a
//! way from public to private, and none back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    ids::{RemoteId, TicketKey},
    person::Person,
    time::Timestamp,
};

/// The text of a message: plain text, `\n` line ends.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Body {
    /// The text itself.
    Inline(String),
    /// Text with markup: what it says, and how it looks.
    Rich {
        /// The text alone: for digests, briefings and comparing.
        text: String,
        /// Canonical HTML: sanitised, links and lists kept, without images.
        html: String,
    },
    /// Text that was put aside because it is too long for a row.
    Blob {
        /// SHA-256 of the text, lower-case hex.
        hash: String,
        /// Length in bytes.
        len: u64,
    },
    /// Text with markup that was put aside.
    RichBlob {
        /// SHA-256 of the text, lower-case hex.
        hash: String,
        /// Length of the text in bytes.
        len: u64,
        /// SHA-256 of the HTML, lower-case hex.
        html_hash: String,
        /// Length of the HTML in bytes.
        html_len: u64,
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
            Self::Inline(text) | Self::Rich { text, .. } => Some(text),
            Self::Blob { .. } | Self::RichBlob { .. } => None,
        }
    }

    /// The canonical HTML if it has markup and is at hand.
    pub fn html(&self) -> Option<&str> {
        match self {
            Self::Rich { html, .. } => Some(html),
            Self::Inline(_) | Self::Blob { .. } | Self::RichBlob { .. } => None,
        }
    }

    /// Text with canonical HTML beside it; plain if `html` is `None`.
    pub fn rich(text: &str, html: Option<String>) -> Self {
        match (Self::inline(text), html) {
            (Self::Inline(text), Some(html)) => Self::Rich { text, html },
            (body, _) => body,
        }
    }
}

impl fmt::Debug for Body {
    /// Ticket text never reaches a log: only its length does.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Inline(text) => write!(out, "Inline({} bytes)", text.len()),
            Self::Rich { text, html } => {
                write!(out, "Rich({} bytes, {} bytes of HTML)", text.len(), html.len())
            }
            Self::RichBlob { hash, len, .. } => write!(out, "RichBlob({hash:.8}, {len} bytes)"),
            Self::Blob { hash, len } => write!(out, "Blob({hash:.8}, {len} bytes)"),
        }
    }
}

/// The line that stands for a file which cannot go where its message goes.
pub fn not_copied(name: &str, why: &str) -> String {
    let tame = |text: &str| text.replace(['\n', '\r', '[', ']'], " ");
    format!("[attachment not copied: {} ({})]", tame(name).trim(), tame(why).trim())
}

impl Body {
    /// Adds a line of plain text at the end. A body that was put aside stays as it is.
    pub fn append_line(&mut self, line: &str) {
        let add = |text: &mut String| {
            if !text.is_empty() {
                text.push_str("\n\n");
            }
            text.push_str(line);
        };
        match self {
            Self::Inline(text) => add(text),
            Self::Rich { text, html } => {
                add(text);
                let line = line.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
                html.push_str(&format!("<p>{line}</p>"));
            }
            Self::Blob { .. } | Self::RichBlob { .. } => {}
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

    /// Words that an admin wrote into the configuration for customers to read.
    pub fn of_an_admin(words: &str) -> Self {
        Self(Body::inline(words))
    }

    /// Words that an AI agent says to the customer through us.
    pub fn of_an_agent(words: &str) -> Self {
        Self(Body::inline(words))
    }

    /// The body.
    pub fn body(&self) -> &Body {
        &self.0
    }

    /// The body, to be put aside or fetched back.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.0
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

    /// The body, to be put aside or fetched back.
    pub fn body_mut(&mut self) -> &mut Body {
        &mut self.0
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

/// A file on a comment, as its helpdesk shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attachment {
    /// Its id at the helpdesk.
    pub id: RemoteId,
    /// The file's name.
    pub name: String,
    /// The media type that the helpdesk names; `application/octet-stream` when it names none.
    pub content_type: String,
    /// Its size in bytes, if told.
    pub size: Option<u64>,
    /// Whether it stands in the text as an image. It travels as a file all the same.
    pub inline: bool,
    /// Where it is to be had: an address that only the connector reads, and that may expire.
    pub at: String,
}

/// A file that a message takes along: which one, of which ticket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Carried {
    /// The ticket whose comment has it.
    pub from: TicketKey,
    /// The comment that has it.
    pub comment: RemoteId,
    /// The file.
    pub attachment: Attachment,
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
    /// The files on it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Whether its content was taken out for good (redacted).
    #[serde(default)]
    pub redacted: bool,
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
    /// The files on it.
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Whether its content was taken out for good (redacted).
    #[serde(default)]
    pub redacted: bool,
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

    /// The files on it.
    pub fn attachments(&self) -> &[Attachment] {
        match self {
            Self::Public(comment) => &comment.attachments,
            Self::Private(comment) => &comment.attachments,
        }
    }

    /// Whether its content was taken out for good.
    pub fn is_redacted(&self) -> bool {
        match self {
            Self::Public(comment) => comment.redacted,
            Self::Private(comment) => comment.redacted,
        }
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
    /// The files that go with it.
    #[serde(default)]
    pub attachments: Vec<Carried>,
}

/// A private message to be written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PrivateMessage {
    /// Who said it first; `None` for our own words.
    pub author: Option<Person>,
    /// What it says.
    pub text: PrivateText,
    /// The files that go with it.
    #[serde(default)]
    pub attachments: Vec<Carried>,
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

    /// What it says, to be put aside or fetched back.
    pub fn body_mut(&mut self) -> &mut Body {
        match self {
            Self::Public(message) => message.text.body_mut(),
            Self::Private(message) => message.text.body_mut(),
        }
    }

    /// The files that go with it.
    pub fn attachments(&self) -> &[Carried] {
        match self {
            Self::Public(message) => &message.attachments,
            Self::Private(message) => &message.attachments,
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
