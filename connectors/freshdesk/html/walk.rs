//! From markup to lines.

use super::{BLOCKS, PARAGRAPHS, VOID, hides};

/// The longest `href` that is shown.
const HREF_CHARS_MAX: usize = 2_000;

/// The walk over markup, as the lines that came out so far.
#[derive(Default)]
pub struct Walk {
    lines: Vec<String>,
    line: String,
    /// What the line begins with once something is on it: a list's mark.
    lead: String,
    space_due: bool,
    /// An empty line is due, at this depth of quotes.
    gap_due: Option<usize>,
    quotes: usize,
    pre: usize,
    /// Open lists: `None` for marks, else the last number.
    lists: Vec<Option<u32>>,
    /// The open link's target, and what was shown of it.
    link: Option<(String, String)>,
    /// How many elements deep inside something hidden.
    hidden: usize,
}

impl Walk {
    /// Takes in markup. `well_formed` markup has all its elements closed, so
    /// that what hides can be followed to its end.
    pub fn read(&mut self, html: &str, well_formed: bool) {
        let mut rest = html;
        while let Some(at) = rest.find('<') {
            self.text(&rest[..at]);
            rest = &rest[at..];
            if let Some(comment) = rest.strip_prefix("<!--") {
                rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
                continue;
            }
            let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!');
            // Without any `>` there is no tag in what is left.
            let Some(end) = rest.find('>') else { break };
            if !is_tag {
                self.text("<");
                rest = &rest[1..];
                continue;
            }
            let tag = &rest[1..end];
            rest = &rest[end + 1..];
            self.tag(tag, well_formed);
            rest = after_code(tag, rest);
        }
        self.text(rest);
    }

    fn tag(&mut self, tag: &str, well_formed: bool) {
        let closes = tag.starts_with('/');
        let body = tag.trim_start_matches('/');
        let name_end = body.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(body.len());
        let name = body[..name_end].to_ascii_lowercase();
        let attributes = &body[name_end..];
        if self.hidden > 0 || (well_formed && !closes && is_hidden(attributes)) {
            if !VOID.contains(&name.as_str()) {
                self.hidden = if closes { self.hidden - 1 } else { self.hidden + 1 };
            }
        } else if closes {
            self.close(&name);
        } else {
            self.open(&name, attributes);
        }
    }

    fn open(&mut self, name: &str, attributes: &str) {
        match name {
            "br" => self.end_line(),
            "hr" => {
                self.break_line();
                self.push_str("---");
                self.break_line();
            }
            "img" => {
                let alt = attribute(attributes, "alt").unwrap_or_default();
                if !alt.trim().is_empty() {
                    self.push_str(&format!("[image: {}]", alt.trim()));
                }
            }
            "a" => self.link = attribute(attributes, "href").map(|href| (href, String::new())),
            "td" | "th" if !self.line.trim().is_empty() => {
                self.push_str(" |");
                self.space_due = true;
            }
            "ul" => self.list(None),
            "ol" => self.list(Some(0)),
            "li" => self.item(),
            "blockquote" => {
                self.part();
                self.quotes += 1;
            }
            "pre" => {
                self.part();
                self.pre += 1;
            }
            name if PARAGRAPHS.contains(&name) => self.part(),
            name if BLOCKS.contains(&name) => self.break_line(),
            _ => {}
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "a" => self.end_link(),
            "ul" | "ol" => {
                self.break_line();
                self.lists.pop();
                if self.lists.is_empty() {
                    self.part();
                }
            }
            "blockquote" => {
                self.break_line();
                self.quotes = self.quotes.saturating_sub(1);
                self.part();
            }
            "pre" => {
                self.part();
                self.pre = self.pre.saturating_sub(1);
            }
            name if PARAGRAPHS.contains(&name) => self.part(),
            name if BLOCKS.contains(&name) => self.break_line(),
            _ => {}
        }
    }

    fn list(&mut self, number: Option<u32>) {
        if self.lists.is_empty() {
            self.part();
        } else {
            self.break_line();
        }
        self.lists.push(number);
    }

    fn item(&mut self) {
        self.break_line();
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(20));
        self.lead = match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{indent}{number}. ")
            }
            _ => format!("{indent}- "),
        };
    }

    /// Shows where a link leads, unless its words say so already.
    fn end_link(&mut self) {
        let Some((href, shown)) = self.link.take() else { return };
        let shown = shown.trim();
        let bare = |text: &str| {
            let text = ["https://", "http://", "mailto:", "tel:"]
                .iter()
                .find_map(|scheme| text.strip_prefix(scheme))
                .unwrap_or(text);
            text.trim_end_matches('/').to_lowercase()
        };
        if !shown.is_empty() && bare(shown) != bare(&href) && href.chars().count() <= HREF_CHARS_MAX {
            self.push_str(&format!(" ({href})"));
        }
    }

    fn text(&mut self, raw: &str) {
        if self.hidden > 0 || raw.is_empty() {
            return;
        }
        for c in decode(raw).chars() {
            match c {
                '\n' if self.pre > 0 => self.end_line(),
                ' ' | '\t' if self.pre > 0 => self.push(' '),
                ' ' | '\t' | '\n' | '\r' | '\u{c}' => self.space_due |= !self.line.is_empty(),
                '\u{a0}' => self.push(' '),
                c => self.push(c),
            }
        }
    }

    fn push_str(&mut self, text: &str) {
        text.chars().for_each(|c| self.push(c));
    }

    fn push(&mut self, c: char) {
        self.fill_gap();
        if self.line.is_empty() {
            self.line.push_str(&std::mem::take(&mut self.lead));
        } else if self.space_due {
            self.line.push(' ');
            if let Some((_, shown)) = &mut self.link {
                shown.push(' ');
            }
        }
        self.space_due = false;
        self.line.push(c);
        if let Some((_, shown)) = &mut self.link {
            shown.push(c);
        }
    }

    fn fill_gap(&mut self) {
        let Some(depth) = self.gap_due.take() else { return };
        if self.lines.last().is_some_and(|last| !last.trim_matches(['>', ' ']).is_empty()) {
            self.lines.push(">".repeat(depth.min(self.quotes)));
        }
    }

    /// Ends the line, empty or not.
    fn end_line(&mut self) {
        self.fill_gap();
        let line = std::mem::take(&mut self.line);
        let mark = "> ".repeat(self.quotes.min(20));
        self.lines.push(format!("{mark}{line}").trim_end_matches(' ').to_owned());
        self.space_due = false;
    }

    /// Ends the line if something is on it.
    fn break_line(&mut self) {
        self.space_due = false;
        if !self.line.is_empty() {
            self.end_line();
        }
    }

    /// Ends the line, and asks for an empty one before what follows.
    fn part(&mut self) {
        self.break_line();
        let depth = self.gap_due.unwrap_or(usize::MAX).min(self.quotes);
        self.gap_due = Some(depth);
    }

    /// The lines that came out.
    pub fn finish(mut self) -> String {
        self.break_line();
        self.lines.join("\n")
    }
}

/// Skips what stands in a script or style, which is never text.
fn after_code<'a>(tag: &str, rest: &'a str) -> &'a str {
    let lower = tag.get(..6.min(tag.len())).unwrap_or_default().to_ascii_lowercase();
    let end = match lower.as_str() {
        "script" => "</script",
        name if name.starts_with("style") => "</style",
        _ => return rest,
    };
    let ends_at = |at: &usize| {
        rest.as_bytes()[*at..].get(..end.len()).is_some_and(|text| text.eq_ignore_ascii_case(end.as_bytes()))
    };
    rest.match_indices("</").map(|(at, _)| at).find(ends_at).map_or("", |at| &rest[at..])
}

fn is_hidden(attributes: &str) -> bool {
    attribute(attributes, "hidden").is_some()
        || attribute(attributes, "style").is_some_and(|style| hides(&style))
}

/// The value of an attribute in double quotes.
fn attribute(attributes: &str, name: &str) -> Option<String> {
    let start = format!(" {name}=\"");
    let (_, value) = attributes.split_once(&start)?;
    let (value, _) = value.split_once('"')?;
    Some(decode(value))
}

/// Resolves the entities that markup is written with; others stay as they are.
fn decode(raw: &str) -> String {
    let mut text = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        text.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let entity = rest.char_indices().take(10).find(|(_, c)| *c == ';').map(|(end, _)| &rest[..end]);
        match entity.and_then(|name| Some((name, character(name)?))) {
            Some((name, c)) => {
                text.push(c);
                rest = &rest[name.len() + 1..];
            }
            None => text.push('&'),
        }
    }
    text.push_str(rest);
    text
}

fn character(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        "nbsp" => Some('\u{a0}'),
        _ => {
            let digits = name.strip_prefix('#')?;
            let code = match digits.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => digits.parse().ok()?,
            };
            char::from_u32(code).filter(|c| !c.is_control() || *c == '\n')
        }
    }
}
