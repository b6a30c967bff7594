//! Message bodies: the HTML that Intercom keeps and the plain text of it.

/// Elements whose start and end break the line.
const BLOCKS: &[&str] =
    &["div", "p", "li", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "table", "tr"];

/// The scheme of an image's source that stands for a kept file's address, before its number.
pub(super) const FILE: &str = "intercom-file";

/// What is stored of HTML that an admin sent. Text without any paragraph is put into one.
pub(super) fn sanitise(html: &str) -> String {
    let clean = ammonia::Builder::default()
        .link_rel(None)
        .add_tag_attributes("img", &["src"])
        .add_url_schemes(["cid", FILE])
        .clean(html);
    let clean = clean.to_string();
    if clean.trim_start().starts_with('<') {
        return clean;
    }
    format!("<p>{}</p>", clean.trim_end().replace('\n', "<br>"))
}

/// HTML for plain words: what a contact wrote, or a person typed.
pub(super) fn from_plain(text: &str) -> String {
    let mut out = String::from("<p>");
    for (at, line) in text.split('\n').enumerate() {
        if at > 0 {
            out.push_str("<br>");
        }
        for letter in line.trim_end_matches('\r').chars() {
            match letter {
                '&' => out.push_str("&amp;"),
                '<' => out.push_str("&lt;"),
                '>' => out.push_str("&gt;"),
                other => out.push(other),
            }
        }
    }
    out.push_str("</p>");
    out
}

/// The text of stored HTML as a reader sees it: paragraphs apart by an empty
/// line, other blocks by a line break.
pub(super) fn to_text(html: &str) -> String {
    let mut out = Text::default();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        out.words(&rest[..at]);
        rest = &rest[at..];
        let Some(end) = rest.find('>').filter(|_| is_tag(rest)) else {
            out.words("<");
            rest = &rest[1..];
            continue;
        };
        let name = tag_name(&rest[1..end]);
        match name.as_str() {
            "br" => out.breaks(1, true),
            "p" => out.breaks(2, false),
            other if BLOCKS.contains(&other) => out.breaks(1, false),
            _ => {}
        }
        rest = &rest[end + 1..];
    }
    out.words(rest);
    out.text
}

fn is_tag(text: &str) -> bool {
    let mut letters = text.chars().skip(1);
    let first = letters.next();
    let named = if first == Some('/') { letters.next() } else { first };
    named.is_some_and(|letter| letter.is_ascii_alphabetic())
}

fn tag_name(inner: &str) -> String {
    let named = inner.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric);
    named.collect::<String>().to_ascii_lowercase()
}

/// Text that grows; line breaks wait until words follow them.
#[derive(Default)]
struct Text {
    text: String,
    waiting: usize,
}

impl Text {
    /// Breaks the line: `add` adds to the breaks that wait, else as many are wanted at least.
    fn breaks(&mut self, count: usize, add: bool) {
        self.waiting = if add { self.waiting + count } else { self.waiting.max(count) };
    }

    fn words(&mut self, raw: &str) {
        let words = unescape(raw).replace(['\r', '\n'], " ");
        if words.trim().is_empty() && (self.waiting > 0 || self.text.is_empty()) {
            return;
        }
        if !self.text.is_empty() {
            self.text.extend(std::iter::repeat_n('\n', self.waiting));
        }
        self.waiting = 0;
        self.text.push_str(&words);
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.char_indices().take(12).find(|(_, letter)| *letter == ';').map(|(end, _)| end);
        match end.and_then(|end| entity(&rest[1..end]).map(|letter| (end, letter))) {
            Some((end, letter)) => {
                out.push(letter);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        other => {
            let number = other.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}
