//! The words of messages that we write, as HTML.

use handoffd_core::{Body, Message, OpKey, PrivateMessage};

use crate::{
    contract::{Error, Result, Supply},
    html,
};

/// What stands as the first message of a mirror whose conversation has no
/// public message yet. It is never read as a comment.
pub const NO_OPENING: &str = "This conversation began with internal notes only.";

/// What stands where a message's content was taken out for good.
pub const REDACTED: &str = "[redacted]";

/// What stands for a message without a word: Freshdesk wants one.
const NO_WORDS: &str = "(no text)";

/// How the lines about files that did not travel begin.
const NOT_COPIED: &str = "[attachment not copied: ";

/// The line by which a note in our own words is found again.
pub fn reference(key: &OpKey) -> String {
    format!("[ref {key}]")
}

/// A message's text with lines of ours behind it. It is at hand: the executor fetches what was put aside.
fn with_lines(body: &Body, lines: &[String]) -> Result<String> {
    let text =
        body.text().ok_or_else(|| Error::Refused { why: "the message's text is not at hand".to_owned() })?;
    let behind = lines.join("\n");
    if let Some(html) = body.html() {
        let behind = if behind.is_empty() { String::new() } else { html::from_text(&behind) };
        return Ok(format!("{}{behind}", html::clean(html)));
    }
    let text = match (text.trim().is_empty(), behind.is_empty()) {
        (true, true) => NO_WORDS.to_owned(),
        (true, false) => behind,
        (false, true) => text.to_owned(),
        (false, false) => format!("{text}\n\n{behind}"),
    };
    Ok(html::from_text(&text))
}

/// A private note as it is written. One in our own words bears its reference.
pub fn note_html(message: &PrivateMessage, key: &OpKey, lines: &[String]) -> Result<String> {
    let own = message.author.is_none().then(|| reference(key));
    let lines: Vec<String> = lines.iter().cloned().chain(own).collect();
    with_lines(message.text.body(), &lines)
}

/// A message as it is written, with lines about files that do not travel.
pub fn message_html(message: &Message, key: &OpKey, lines: &[String]) -> Result<String> {
    match message {
        Message::Public(message) => with_lines(message.text.body(), lines),
        Message::Private(message) => note_html(message, key, lines),
    }
}

/// The opening of a new ticket; `None` stands for a conversation without a public message.
pub fn opening_html(body: Option<&Body>, lines: &[String]) -> Result<String> {
    body.map_or_else(|| Ok(html::from_text(NO_OPENING)), |body| with_lines(body, lines))
}

/// The line that says that a file is left behind, and why.
pub fn not_copied(name: &str, why: &str) -> String {
    let name: String = name.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{NOT_COPIED}{name} ({why})]")
}

/// Whether a text that is shown is this one, with or without lines about files behind it.
pub fn says(shown: &str, sought: &str) -> bool {
    shown
        .strip_prefix(sought)
        .is_some_and(|rest| rest.is_empty() || rest.trim_start().starts_with(NOT_COPIED))
}

/// The files that fit into one message together, in their order, and lines about the others.
pub fn fitting(files: &[Supply], bytes_max: u64) -> (Vec<&Supply>, Vec<String>) {
    let mut room = bytes_max;
    let (mut kept, mut lines) = (Vec::new(), Vec::new());
    for file in files {
        match room.checked_sub(file.content.len()) {
            Some(rest) => {
                room = rest;
                kept.push(file);
            }
            None => {
                let why = format!("Freshdesk takes {} MB of files with a message", bytes_max / (1024 * 1024));
                lines.push(not_copied(&file.name, &why));
            }
        }
    }
    (kept, lines)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::client::Content;

    #[test]
    fn markup_is_written_as_it_is_and_text_is_escaped() {
        let plain = Body::inline("a <b>\nc");
        assert_eq!(html::to_text(&with_lines(&plain, &[]).unwrap()), "a <b>\nc");
        let rich = Body::rich("bold", Some("<p><strong>bold</strong></p>".to_owned()));
        let written = with_lines(&rich, &["[ref k-1]".to_owned()]).unwrap();
        assert!(written.starts_with("<p><strong>bold</strong></p>"), "{written}");
        assert_eq!(html::to_text(&written), "bold\n\n[ref k-1]");
        let empty = with_lines(&Body::inline(" "), &[]).unwrap();
        assert_eq!(html::to_text(&empty), NO_WORDS, "Freshdesk wants a word");
        let hostile = Body::Rich { text: "x".to_owned(), html: "<p>x<script>y()</script></p>".to_owned() };
        assert!(!with_lines(&hostile, &[]).unwrap().contains("script"));
    }

    #[test]
    fn files_fill_the_room_and_the_rest_is_said() {
        let file = |name: &str, len: usize| Supply {
            name: name.to_owned(),
            content_type: "text/plain".to_owned(),
            content: Content::Bytes(Bytes::from(vec![0; len])),
        };
        let files = [file("a", 600), file("b\nc", 500), file("d", 424)];
        let (kept, lines) = fitting(&files, 1_024);
        assert_eq!(kept.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a", "d"]);
        assert_eq!(lines, ["[attachment not copied: b c (Freshdesk takes 0 MB of files with a message)]"]);
        assert!(says("Hi [attachment not copied: b c (x)]", "Hi") && says("Hi", "Hi"));
        assert!(!says("Hi there", "Hi") && !says("Ho", "Hi"));
    }
}
