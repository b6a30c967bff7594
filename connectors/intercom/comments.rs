//! Messages: the first one, and the parts that say something.

use std::collections::BTreeSet;

use handoffd_core::{
    Attachment, Body, Comment, Person, PrivateComment, PrivateText, PublicComment, PublicText, RemoteId,
    Role, Timestamp, fold_text,
};

use super::{
    map::{DESCRIPTION, is_bot, is_customer, person},
    quiet,
    settings::Category,
    wire,
};
use crate::html::{self, Image};

/// What stands as the first message of a mirror whose conversation has no
/// public message yet. It is never read as a comment.
pub const NO_OPENING: &str = "This conversation began with internal notes only.";

/// The comment id of a ticket's description, which has none at Intercom.
pub const DESCRIPTION_ID: &str = "description";

/// The id of the note that stands for messages that Intercom keeps to itself.
pub const HIDDEN_ID: &str = "older-messages";

/// What it says. It does not count them: the number grows, and a note is not rewritten.
const HIDDEN: &str = "Intercom gives only the newest 500 parts of a conversation, and this one has more. \
    Older messages that do not stand here can be read in Intercom alone.";

/// Hosts where Intercom keeps files that stand in a text.
const FILE_HOSTS: [&str; 4] =
    ["intercomcdn.com", "intercomcdn.eu", "intercomusercontent.com", "intercom-attachments.com"];

/// What a record's messages are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Messages {
    /// Those that Intercom gives, oldest first.
    pub comments: Vec<Comment>,
    /// How many parts it keeps to itself: it gives the newest 500.
    pub hidden: u64,
}

/// Every message of a conversation. `from_mail` conversations' bots are not mailed.
/// A message that cannot be read spoils the whole: "all comments" must be all.
pub fn of_conversation(conversation: &wire::Conversation) -> Result<Messages, String> {
    let parts = conversation.conversation_parts.as_ref().ok_or("conversation_parts: missing")?;
    let by_mail = conversation.source.kind.text().as_deref() == Some("email");
    let mut all: Vec<Comment> = source(conversation, by_mail)?.into_iter().collect();
    let hidden = hidden(parts);
    add_hidden(&mut all, hidden, conversation.created_at.moment());
    add_parts(&mut all, parts, by_mail, true)?;
    Ok(Messages { hidden, comments: all })
}

/// Every message of a ticket. Of a ticket that customers do not see all are private.
pub fn of_ticket(ticket: &wire::Ticket, requester: Option<&Person>) -> Result<Messages, String> {
    let parts = ticket.ticket_parts.as_ref().ok_or("ticket_parts: missing")?;
    let shared = is_shared(ticket);
    let mut all: Vec<Comment> = description(ticket, requester, shared)?.into_iter().collect();
    let hidden = hidden(parts);
    add_hidden(&mut all, hidden, ticket.created_at.moment());
    add_parts(&mut all, parts, false, shared)?;
    Ok(Messages { hidden, comments: all })
}

/// Says in a private note, which travels like any other, that messages are missing:
/// behind the first message, where they would stand.
fn add_hidden(all: &mut Vec<Comment>, hidden: u64, created_at: Option<Timestamp>) {
    let Some(at) = created_at.filter(|_| hidden > 0) else { return };
    let author = Person { id: None, name: "Intercom".to_owned(), email: None, role: Role::Agent };
    all.push(Comment::Private(PrivateComment {
        id: RemoteId::from(HIDDEN_ID),
        author,
        text: PrivateText::new(Body::inline(HIDDEN)),
        at,
        attachments: Vec::new(),
        redacted: false,
    }));
}

/// Whether the customer sees a ticket: as it says, or as its category does.
pub fn is_shared(ticket: &wire::Ticket) -> bool {
    let customers = ticket.category.text().as_deref().and_then(Category::shown) == Some(Category::Customer);
    ticket.is_shared.flag().unwrap_or(customers)
}

fn hidden(parts: &wire::Parts) -> u64 {
    let given = u64::try_from(parts.conversation_parts.len()).unwrap_or(u64::MAX);
    parts.total_count.count().map_or(0, |total| total.saturating_sub(given))
}

fn add_parts(all: &mut Vec<Comment>, parts: &wire::Parts, by_mail: bool, shared: bool) -> Result<(), String> {
    let mut seen: BTreeSet<RemoteId> = all.iter().map(|comment| comment.id().clone()).collect();
    for (at, part) in parts.conversation_parts.iter().enumerate() {
        let comment = part_comment(part, by_mail, shared).map_err(|why| format!("parts[{at}].{why}"))?;
        all.extend(comment.filter(|comment| seen.insert(comment.id().clone())));
    }
    all.sort_by_key(Comment::at);
    Ok(())
}

/// A part that says something; the others tell what was done.
fn part_comment(part: &wire::Part, by_mail: bool, shared: bool) -> Result<Option<Comment>, String> {
    let html = part.body.text();
    if html.is_none() && part.attachments.is_empty() {
        return Ok(None);
    }
    let id = part.id.name_id().ok_or("id: not an id")?;
    let at = part.created_at.moment().ok_or("created_at: not a time")?;
    let html = html.unwrap_or_default();
    let by_app = part.app_package_code.text().is_some();
    let message = Message {
        author: person(&part.author),
        redacted: part.redacted.flag() == Some(true),
        files: &part.attachments,
        id,
        at,
    };
    let kind = part.part_type.text().unwrap_or_default();
    if !is_private(&kind, &part.author) && shared {
        let mailed = message.author.role == Role::Agent && !(is_bot(&part.author) && by_mail);
        return Ok(Some(message.public(&html, mailed)));
    }
    Ok(Some(match quiet::split(&html).filter(|_| by_app) {
        // Our own note in which public words stand that nobody was to be mailed about.
        Some(words) => message.public(words, false),
        None => message.private(&html),
    }))
}

/// Whether only colleagues see a part. What a contact wrote never is; of an
/// admin's parts the kinds that are known to be shown to customers are not.
fn is_private(kind: &str, author: &wire::Author) -> bool {
    !is_customer(author) && !matches!(kind, "comment" | "quick_reply" | "close" | "open")
}

/// What the two forms of a comment have in common.
struct Message<'a> {
    id: RemoteId,
    author: Person,
    at: Timestamp,
    files: &'a [wire::File],
    redacted: bool,
}

impl Message<'_> {
    fn public(self, html: &str, mailed: bool) -> Comment {
        let (body, attachments) = read_body(html, &self.id, self.files);
        Comment::Public(PublicComment {
            id: self.id,
            author: self.author,
            text: PublicText::shown_publicly(body),
            at: self.at,
            mailed,
            attachments,
            redacted: self.redacted,
        })
    }

    fn private(self, html: &str) -> Comment {
        let (body, attachments) = read_body(html, &self.id, self.files);
        Comment::Private(PrivateComment {
            id: self.id,
            author: self.author,
            text: PrivateText::new(body),
            at: self.at,
            attachments,
            redacted: self.redacted,
        })
    }
}

/// The first message; `None` where it is our own filler.
fn source(conversation: &wire::Conversation, by_mail: bool) -> Result<Option<Comment>, String> {
    let source = &conversation.source;
    let html = source.body.text();
    if html.is_none() && source.attachments.is_empty() {
        return Ok(None);
    }
    let html = html.unwrap_or_default();
    if is_filler(&html) {
        return Ok(None);
    }
    let message = Message {
        id: source.id.name_id().unwrap_or_else(|| RemoteId::from("source")),
        author: person(&source.author),
        at: conversation.created_at.moment().ok_or("created_at: not a time")?,
        files: &source.attachments,
        redacted: source.redacted.flag() == Some(true),
    };
    let mailed = message.author.role == Role::Agent && !(is_bot(&source.author) && by_mail);
    Ok(Some(message.public(&html, mailed)))
}

/// Whether a first message is the one that stands for none.
pub fn is_filler(html: &str) -> bool {
    fold_text(&html::to_text(html)) == NO_OPENING
}

/// A ticket's description, in plain text, by whoever asked.
fn description(
    ticket: &wire::Ticket,
    requester: Option<&Person>,
    shared: bool,
) -> Result<Option<Comment>, String> {
    let text = ticket.ticket_attributes.get(DESCRIPTION).and_then(|text| text.text());
    let Some(text) = text.filter(|text| fold_text(text) != NO_OPENING) else { return Ok(None) };
    let nobody = || Person { id: None, name: String::new(), email: None, role: Role::Customer };
    let (author, id) = (requester.cloned().unwrap_or_else(nobody), RemoteId::from(DESCRIPTION_ID));
    let at = ticket.created_at.moment().ok_or("created_at: not a time")?;
    let body = Body::inline(&text);
    Ok(Some(if shared {
        let text = PublicText::shown_publicly(body);
        Comment::Public(PublicComment {
            id,
            author,
            text,
            at,
            mailed: false,
            attachments: Vec::new(),
            redacted: false,
        })
    } else {
        let text = PrivateText::new(body);
        Comment::Private(PrivateComment { id, author, text, at, attachments: Vec::new(), redacted: false })
    }))
}

/// What a message says, and the files on it: those that are listed, and the
/// images in the text that Intercom keeps.
fn read_body(html: &str, message: &RemoteId, files: &[wire::File]) -> (Body, Vec<Attachment>) {
    let reading = html::read(html, &|image| match file_name(image.src, files) {
        Some(name) => Image::Attachment { name },
        None => Image::Foreign,
    });
    let mut attachments: Vec<Attachment> = files
        .iter()
        .enumerate()
        .filter_map(|(at, file)| {
            Some(Attachment {
                id: RemoteId::new(format!("{message}-{at}")),
                name: file.name.text().unwrap_or_else(|| "unnamed".to_owned()),
                content_type: media_type(file.content_type.text()),
                size: file.filesize.count().filter(|size| *size > 0),
                inline: false,
                at: file.url.text()?,
            })
        })
        .collect();
    for image in &reading.images {
        match attachments.iter_mut().find(|file| same_place(&file.at, &image.src)) {
            Some(file) => file.inline = true,
            None => attachments.push(Attachment {
                id: RemoteId::new(format!("{message}-i{}", attachments.len())),
                name: image.name.clone(),
                content_type: media_type(None),
                size: None,
                inline: true,
                at: image.src.clone(),
            }),
        }
    }
    (Body::rich(&reading.text, reading.html), attachments)
}

fn media_type(told: Option<String>) -> String {
    told.unwrap_or_else(|| "application/octet-stream".to_owned())
}

/// The name of an image that is a file of Intercom's; `None` for any other.
fn file_name(src: &str, files: &[wire::File]) -> Option<String> {
    let listed = files.iter().find(|file| file.url.text().is_some_and(|url| same_place(&url, src)));
    if let Some(file) = listed {
        return file.name.text().or_else(|| Some("unnamed".to_owned()));
    }
    let url = url::Url::parse(src).ok()?;
    let host = url.host_str()?;
    let is_theirs = FILE_HOSTS
        .iter()
        .any(|known| host == *known || host.strip_suffix(known).is_some_and(|before| before.ends_with('.')));
    let name = url.path_segments().and_then(|mut parts| parts.next_back()).unwrap_or_default();
    is_theirs.then(|| if name.is_empty() { "image".to_owned() } else { name.to_owned() })
}

/// Whether two addresses are of one file: what is behind `?` is a signature that changes.
fn same_place(one: &str, other: &str) -> bool {
    let place = |at: &str| at.split(['?', '#']).next().unwrap_or_default().to_owned();
    place(one) == place(other)
}
