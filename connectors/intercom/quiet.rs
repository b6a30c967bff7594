//! Public words that nobody is to be mailed about.
//!
//! Until version 2.15 Intercom tells the customer of every public message of an
//! admin on a conversation: it shows it in the Messenger, and mails it to whoever
//! is away. Words that the customer has already, from the helpdesk where they
//! were written, go in as a note whose first line says what it is.

use crate::html;

const START: &str = "[Public reply by ";
const END: &str = ", sent from another helpdesk]";

/// The first line of such a note.
pub fn line(author: &str) -> String {
    let name: String =
        author.chars().filter(|c| !c.is_control() && !matches!(c, '[' | ']')).take(100).collect();
    let name = name.trim();
    format!("{START}{}{END}", if name.is_empty() { "a colleague" } else { name })
}

/// Whether a text begins as such a note does.
pub fn begins(text: &str) -> bool {
    is_line(text.trim_start().lines().next().unwrap_or_default())
}

fn is_line(line: &str) -> bool {
    let line = line.trim();
    line.starts_with(START) && line.ends_with(END) && line.len() > START.len() + END.len()
}

/// The words themselves, of a note's HTML; `None` if it is another note.
pub fn split(html: &str) -> Option<&str> {
    let ends = ["</p>", "<br>", "<br/>", "<br />"];
    let (at, end) = ends.iter().filter_map(|end| Some((html.find(end)?, *end))).min()?;
    is_line(&html::to_text(&html[..at])).then(|| &html[at + end.len()..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn such_a_note_is_told_from_others() {
        let note = format!("{}{}", html::from_text(&line("Bo [x]")), html::from_text("Hello\n\nthere"));
        assert_eq!(
            html::to_text(&note).lines().next(),
            Some("[Public reply by Bo x, sent from another helpdesk]")
        );
        assert_eq!(split(&note).map(html::to_text).as_deref(), Some("Hello\n\nthere"));
        assert!(begins(&html::to_text(&note)));
        for other in
            ["<p>Hello</p>", "Hello", "<p>[Public reply by Bo]</p><p>x</p>", "", "<p>x</p><p>[Public"]
        {
            assert_eq!(split(other), None, "{other}");
        }
        assert!(line("").contains("a colleague"));
    }
}
