//! In what form a comment is written to another helpdesk: with which files, with
//! whose name above it, mailed or not; and how that form is recognised again.

use std::collections::BTreeSet;

use crate::{
    link::{CommentCopy, Writer, text_digest},
    model::{
        comment::{
            Attachment, Body, Carried, Comment, Mail, Message, PrivateMessage, PublicMessage, fold_text,
            not_copied,
        },
        ids::{AccountId, TicketKey},
        person::{Person, Role},
    },
    policy::{Can, SyncPolicy},
};

/// How the line begins that says that a file does not travel.
pub const NOT_COPIED: &str = "[attachment not copied: ";

/// How the line begins that stands in a message without any text for each of its files.
pub const ATTACHED: &str = "[attachment: ";

/// How the first line of an agent's note ends where the helpdesk does not know the agent.
pub const BYLINE: &str = " (agent):";

/// How the first line of a note ends that carries a customer's words where only agents write notes.
pub const CUSTOMERS: &str = " (customer):";

/// The longest name in a byline or of a file in a message, in characters.
const NAME_CHARS_MAX: usize = 80;

/// A comment as it is to be written, and where it stands.
#[derive(Clone, Copy)]
pub(crate) struct Original<'a> {
    pub ticket: &'a TicketKey,
    pub comment: &'a Comment,
}

/// The message that carries a comment to `account`. Private once it was ever private.
pub(crate) fn message(
    copy: &CommentCopy,
    original: Original<'_>,
    account: &AccountId,
    policy: &SyncPolicy,
) -> Message {
    match original.comment {
        Comment::Public(public) if copy.public => {
            let unheard = !public.mailed && public.author.role != Role::Customer;
            let is_facing = *account == policy.customer_facing;
            let mail = if unheard && is_facing && !copy.past { Mail::Send } else { Mail::Silent };
            let (body, attachments) = carry(original, public.text.body(), policy.can(account));
            let text = public.text.with_body(body);
            Message::Public(PublicMessage { author: public.author.clone(), text, mail, attachments })
        }
        Comment::Public(_) | Comment::Private(_) => Message::Private(private(original, account, policy)),
    }
}

/// The note that carries a comment to `account`.
pub(crate) fn private(original: Original<'_>, account: &AccountId, policy: &SyncPolicy) -> PrivateMessage {
    let text = match original.comment {
        Comment::Public(public) => public.text.clone().into(),
        Comment::Private(note) => note.text.clone(),
    };
    let author = original.comment.author();
    let (mut body, attachments) = carry(original, text.body(), policy.can(account));
    let is_strange = match author.role {
        Role::Customer => policy.can(account).notes_by_agents_only,
        Role::Agent => !policy.knows_author(&original.ticket.account, author, account),
    };
    if is_strange {
        body = with_first_line(body, &byline(author));
    }
    PrivateMessage { author: Some(author.clone()), text: text.with_body(body), attachments }
}

/// The opening message of a mirror: silent, as the making of a mirror always is.
pub(crate) fn opening(
    original: Original<'_>,
    account: &AccountId,
    policy: &SyncPolicy,
) -> Option<PublicMessage> {
    let Comment::Public(public) = original.comment else { return None };
    let (body, attachments) = carry(original, public.text.body(), policy.can(account));
    let (author, text) = (public.author.clone(), public.text.with_body(body));
    Some(PublicMessage { author, text, mail: Mail::Silent, attachments })
}

/// The first line of a note by somebody who does not write notes at the receiving helpdesk.
pub fn byline(author: &Person) -> String {
    let named = [Some(author.name.as_str()), author.email.as_deref()];
    let name = named.into_iter().flatten().map(one_line).find(|name| !name.is_empty());
    let by_id =
        || author.id.as_ref().map_or_else(|| "Unnamed".to_owned(), |id| one_line(&format!("No. {id}")));
    let name = name.unwrap_or_else(by_id);
    let is_who = match author.role {
        Role::Agent => BYLINE,
        Role::Customer => CUSTOMERS,
    };
    format!("{name}{is_who}")
}

/// An agent as they are remembered with their words; `None` for a customer.
pub(crate) fn writer(author: &Person) -> Option<Writer> {
    let is_agent = author.role == Role::Agent;
    is_agent.then(|| Writer { id: author.id.clone(), name: one_line(&author.name) })
}

/// The line that says that a file does not travel.
pub fn not_copied_line(name: &str, reason: &str) -> String {
    not_copied(&one_line(name), reason)
}

fn one_line(text: &str) -> String {
    fold_text(text).chars().take(NAME_CHARS_MAX).collect()
}

/// The text with what is to be said of its files, and the files that go with it.
fn carry(original: Original<'_>, body: &Body, can: Can) -> (Body, Vec<Carried>) {
    let (mut carried, mut lines) = (Vec::new(), Vec::new());
    for attachment in original.comment.attachments() {
        match obstacle(attachment, carried.len(), can) {
            Some(reason) => lines.push(not_copied_line(&attachment.name, &reason)),
            None => carried.push(Carried {
                from: original.ticket.clone(),
                comment: original.comment.id().clone(),
                attachment: attachment.clone(),
            }),
        }
    }
    // No helpdesk takes a message without a word.
    if body.text().is_some_and(|text| text.trim().is_empty()) {
        let names = carried.iter().map(|one| format!("{ATTACHED}{}]", one_line(&one.attachment.name)));
        lines = names.chain(lines).collect();
    }
    (with_last_lines(body.clone(), &lines), carried)
}

/// Why a file cannot travel; `None` if it can.
fn obstacle(attachment: &Attachment, before: usize, can: Can) -> Option<String> {
    let bytes_max = can.attachment_bytes_max;
    if bytes_max == 0 || can.attachments_max == 0 {
        return Some("this helpdesk takes no files".to_owned());
    }
    if let Some(size) = attachment.size.filter(|size| *size > bytes_max) {
        return Some(format!("{size} bytes, at most {bytes_max}"));
    }
    let is_full = before >= can.attachments_max;
    is_full.then(|| format!("more than {} files in one message", can.attachments_max))
}

/// The body with lines of ours at its end.
pub fn with_last_lines(body: Body, lines: &[String]) -> Body {
    if lines.is_empty() {
        return body;
    }
    let added = lines.join("\n");
    match body {
        Body::Inline(text) if text.trim().is_empty() => Body::Inline(added),
        Body::Inline(text) => Body::Inline(format!("{text}\n\n{added}")),
        Body::Rich { text, html } => {
            let html = format!("{html}{}", paragraphs(lines));
            let text = if text.trim().is_empty() { added } else { format!("{text}\n\n{added}") };
            Body::Rich { text, html }
        }
        body @ (Body::Blob { .. } | Body::RichBlob { .. }) => body,
    }
}

/// The body with a line of ours above it.
fn with_first_line(body: Body, line: &str) -> Body {
    match body {
        Body::Inline(text) => Body::Inline(format!("{line}\n{text}")),
        Body::Rich { text, html } => Body::Rich {
            text: format!("{line}\n{text}"),
            html: format!("{}{html}", paragraphs(&[line.to_owned()])),
        },
        body @ (Body::Blob { .. } | Body::RichBlob { .. }) => body,
    }
}

fn paragraphs(lines: &[String]) -> String {
    lines.iter().map(|line| format!("<p>{}</p>", escaped(line))).collect()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// The digest under which a body is remembered.
pub(crate) fn digest(body: &Body) -> String {
    match body {
        Body::Inline(text) | Body::Rich { text, .. } => text_digest(text),
        Body::Blob { hash, .. } | Body::RichBlob { hash, .. } => hash.clone(),
    }
}

/// The digests that a message may have been remembered under that is shown as
/// `body`: as it is, and without the lines that were put around it.
pub(crate) fn digests(body: &Body) -> BTreeSet<String> {
    let Some(text) = body.text() else { return BTreeSet::from([digest(body)]) };
    let folded = fold_text(text);
    let without_end = without_last_lines(&folded);
    let unsigned = |text: &'_ str| without_byline(text).to_owned();
    let forms = [unsigned(&folded), unsigned(without_end), without_end.to_owned(), folded.clone()];
    forms.iter().map(|form| text_digest(form)).collect()
}

fn without_last_lines(mut folded: &str) -> &str {
    while folded.ends_with(']') {
        let at = [NOT_COPIED, ATTACHED].iter().filter_map(|start| folded.rfind(start)).max();
        let Some(at) = at else { return folded };
        folded = folded[..at].trim_end();
    }
    folded
}

/// A text without the line that names its writer.
pub fn without_byline(folded: &str) -> &str {
    let signed = |line| folded.split_once(line).filter(|(name, _)| name.chars().count() <= NAME_CHARS_MAX);
    [BYLINE, CUSTOMERS].into_iter().find_map(signed).map_or(folded, |(_, rest)| rest.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remembered(text: &str) -> String {
        text_digest(text)
    }

    #[test]
    fn a_message_is_recognised_with_the_lines_around_it() {
        let lines = [not_copied_line("a [1].pdf", "200 bytes, at most 100"), not_copied_line("b", "gone")];
        for text in ["Please see this.\n\nThanks", "", "it ends with [this]"] {
            let body = with_last_lines(Body::inline(text), &lines);
            assert!(digests(&body).contains(&remembered(text)), "{text}");
            let signed = with_first_line(body.clone(), "Ann Lee (agent):");
            assert!(digests(&signed).contains(&remembered(text)), "signed {text}");
            assert!(!digests(&signed).contains(&remembered("other")));
            assert!(body.text().unwrap().ends_with("\n[attachment not copied: b (gone)]"));
        }
    }

    #[test]
    fn markup_is_escaped_in_what_is_added() {
        let body = Body::rich("hi", Some("<p>hi</p>".to_owned()));
        let added = with_last_lines(body, &[not_copied_line("<b>&\"x\".pdf", "no")]);
        let html = "<p>hi</p><p>[attachment not copied: &lt;b&gt;&amp;&quot;x&quot;.pdf (no)]</p>";
        assert_eq!(added.html(), Some(html));
        assert_eq!(added.text(), Some("hi\n\n[attachment not copied: <b>&\"x\".pdf (no)]"));
    }

    #[test]
    fn a_byline_is_one_short_line() {
        let mut author = Person { role: Role::Agent, ..Person::customer("Ann\nLee ", "a@example.org") };
        assert_eq!(byline(&author), "Ann Lee (agent):");
        assert_eq!(byline(&Person { role: Role::Customer, ..author.clone() }), "Ann Lee (customer):");
        assert_eq!(without_byline("Ann Lee (customer): My words"), "My words");
        author.name = "x".repeat(500);
        assert!(byline(&author).chars().count() < 100);
        author.name = " ".to_owned();
        assert_eq!(byline(&author), "a@example.org (agent):");
        author.email = None;
        assert_eq!(byline(&author), "Unnamed (agent):");
        author.id = Some("77".into());
        assert_eq!(byline(&author), "No. 77 (agent):");
    }
}
