//! Conversations as comments: who may read them, who wrote them, their text,
//! markup and files.

use std::collections::BTreeSet;

use handoffd_core::{
    Attachment, Body, Comment, Person, PrivateComment, PrivateText, PublicComment, PublicText, RemoteId,
    Role, fold_text,
};

use super::{
    map::requester,
    staff::People,
    wire,
    words::{NO_OPENING, REDACTED},
};
use crate::html::{self, Image, ImgTag};

/// The comment id of a ticket's first message, which has none at Freshdesk.
pub const DESCRIPTION: &str = "description";

/// A ticket that an agent began by writing an e-mail.
const SOURCE_OUTBOUND: i64 = 10;

/// A note among conversations.
const CONVERSATION_NOTE: i64 = 2;

/// A forward to a third party, and its answers: never the customer's to see.
const CONVERSATION_FORWARD: i64 = 8;

/// The part of an address by which Freshdesk's own images in a text are known. They are
/// not among the attachments (not verified).
const INLINE_IMAGE: &str = "inline/attachment";

/// What a message says, and its files.
struct Read {
    body: Body,
    files: Vec<Attachment>,
}

/// A message's text alone; `None` where there is none.
pub fn words(html: &wire::Scalar, plain: &wire::Scalar) -> Option<String> {
    let from_html = html.text().map(|html| html::to_text(&html));
    from_html.filter(|text| !text.trim().is_empty()).or_else(|| plain.text())
}

/// Its HTML read, else its text, else the names of its files; `None` for nothing at all.
fn read(html: &wire::Scalar, plain: &wire::Scalar, files: Option<&[wire::Attachment]>) -> Option<Read> {
    let mut files: Vec<Attachment> =
        files.unwrap_or_default().iter().enumerate().filter_map(|(at, file)| attachment(file, at)).collect();
    let reading = html::read(&html.text().unwrap_or_default(), &|img| image(img, &files));
    for shown in &reading.images {
        match files.iter_mut().find(|file| file.at == shown.src) {
            Some(file) => file.inline = true,
            None => {
                let number = files.iter().filter(|file| file.inline).count() + 1;
                files.push(inline(&shown.name, &shown.src, number));
            }
        }
    }
    let body = if reading.text.trim().is_empty() {
        Body::inline(&plain.text().or_else(|| names(&files))?)
    } else {
        Body::rich(&reading.text, reading.html)
    };
    Some(Read { body, files })
}

fn names(files: &[Attachment]) -> Option<String> {
    let names: Vec<String> = files.iter().map(|file| format!("[attachment: {}]", file.name)).collect();
    (!names.is_empty()).then(|| names.join("\n"))
}

fn image(img: &ImgTag<'_>, files: &[Attachment]) -> Image {
    if let Some(file) = files.iter().find(|file| file.at == img.src) {
        return Image::Attachment { name: file.name.clone() };
    }
    if img.src.contains(INLINE_IMAGE) {
        let name = if img.alt.is_empty() { "image" } else { img.alt };
        return Image::Attachment { name: name.to_owned() };
    }
    Image::Foreign
}

/// A file without an address cannot be had, and one without an id cannot be named.
fn attachment(file: &wire::Attachment, at: usize) -> Option<Attachment> {
    Some(Attachment {
        id: file.id.id()?,
        name: file.name.text().unwrap_or_else(|| format!("file {}", at + 1)),
        content_type: file.content_type.text().unwrap_or_else(|| "application/octet-stream".to_owned()),
        size: file.size.whole().or(file.file_size.whole()).and_then(|size| u64::try_from(size).ok()),
        inline: false,
        at: file.attachment_url.text()?,
    })
}

/// An image that only the text names. Its number in the message stands for the id that it lacks.
fn inline(name: &str, src: &str, number: usize) -> Attachment {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    let content_type = match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        _ => "application/octet-stream",
    };
    Attachment {
        id: RemoteId::new(format!("inline-{number}")),
        name: name.to_owned(),
        content_type: content_type.to_owned(),
        size: None,
        inline: true,
        at: src.to_owned(),
    }
}

/// The first message; `None` where there is none, or where it is our own filler.
pub fn description(ticket: &wire::Ticket) -> Result<Option<Comment>, String> {
    let read = read(&ticket.description, &ticket.description_text, ticket.attachments.as_deref());
    let is_filler = |read: &Read| read.body.text().map(fold_text).as_deref() == Some(NO_OPENING);
    let Some(read) = read.filter(|read| !is_filler(read)) else { return Ok(None) };
    Ok(Some(Comment::Public(PublicComment {
        id: RemoteId::from(DESCRIPTION),
        author: requester(ticket),
        redacted: is_redacted(&read.body),
        text: PublicText::shown_publicly(read.body),
        at: ticket.created_at.moment().ok_or("created_at: not a time")?,
        mailed: ticket.source.whole() == Some(SOURCE_OUTBOUND),
        attachments: read.files,
    })))
}

/// Freshdesk has no redaction: what we take out says so in its place.
fn is_redacted(body: &Body) -> bool {
    body.text().is_some_and(|text| text.trim() == REDACTED)
}

/// A reply, a note or a message that came in.
pub fn comment(
    ticket: &wire::Ticket,
    conversation: &wire::Conversation,
    people: &People,
) -> Result<Comment, String> {
    let id = conversation.id.id().ok_or("id: not a number")?;
    let at = conversation.created_at.moment().ok_or("created_at: not a time")?;
    let read = read(&conversation.body, &conversation.body_text, conversation.attachments.as_deref());
    let Read { body, files } = read.unwrap_or_else(|| Read { body: Body::inline(""), files: Vec::new() });
    let redacted = is_redacted(&body);
    let author = author(ticket, conversation, people);
    let source = conversation.source.whole();
    if conversation.private.flag() || source == Some(CONVERSATION_FORWARD) {
        let text = PrivateText::new(body);
        return Ok(Comment::Private(PrivateComment { id, author, text, at, attachments: files, redacted }));
    }
    let mailed = author.role == Role::Agent && delivered(conversation, source);
    let text = PublicText::shown_publicly(body);
    Ok(Comment::Public(PublicComment { id, author, text, at, mailed, attachments: files, redacted }))
}

/// Whether Freshdesk has brought an agent's public words to the customer: it
/// mails replies, and hands messages of other channels to those. A public note
/// it only shows.
fn delivered(conversation: &wire::Conversation, source: Option<i64>) -> bool {
    match source {
        Some(source) => source != CONVERSATION_NOTE,
        None => conversation.to_emails.as_ref().is_some_and(|to| !to.is_empty()),
    }
}

/// The customer's words are those of the requester, and whatever came in.
fn author(ticket: &wire::Ticket, conversation: &wire::Conversation, people: &People) -> Person {
    let user = conversation.user_id.id();
    let asked = requester(ticket);
    if user.is_some() && user == asked.id {
        return asked;
    }
    let known = user.as_ref().and_then(|id| people.get(id)).cloned();
    if !conversation.incoming.flag() {
        let nameless = Person { id: user, name: String::new(), email: None, role: Role::Agent };
        return known.map_or(nameless, |person| Person { role: Role::Agent, ..person });
    }
    let (name, email) = conversation.from_email.text().map_or((String::new(), None), |from| mailbox(&from));
    let known = known.filter(|_| email.is_none());
    let told = Person { id: user, name, email, role: Role::Customer };
    known.map_or(told, |person| Person { role: Role::Customer, ..person })
}

/// The writers beside the requester who are only a number: those of words that `came_in`
/// without an address, or else those of ours.
pub fn writers(
    ticket: &wire::Ticket,
    conversations: &[wire::Conversation],
    came_in: bool,
) -> BTreeSet<RemoteId> {
    let asked = requester(ticket).id;
    let is_one = |said: &&wire::Conversation| {
        let is_named = came_in && said.from_email.text().is_some_and(|from| mailbox(&from).1.is_some());
        said.incoming.flag() == came_in && !is_named
    };
    let ids = conversations.iter().filter(is_one).filter_map(|said| said.user_id.id());
    ids.filter(|id| Some(id) != asked.as_ref()).collect()
}

/// `Name <address>`, or an address alone.
fn mailbox(from: &str) -> (String, Option<String>) {
    let (name, address) = match from.rsplit_once('<') {
        Some((name, address)) => (name.trim().trim_matches('"'), address.trim_end().trim_end_matches('>')),
        None => ("", from.trim()),
    };
    (name.to_owned(), address.contains('@').then(|| address.trim().to_owned()))
}

/// Whether a web chat's first conversation is its description again.
pub fn says_the_same(opening: &Comment, first: &Comment) -> bool {
    let folded = |comment: &Comment| comment.body().text().map(fold_text);
    first.is_public() && first.author().role == Role::Customer && folded(opening) == folded(first)
}
