//! HTML as Freshdesk keeps it, and the plain text beside it.

/// Elements whose start and end break the line.
const BLOCKS: &[&str] =
    &["div", "p", "li", "ul", "ol", "blockquote", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "table", "tr"];
/// Elements that have no end.
const VOID: &[&str] = &["br", "hr", "img", "input", "meta", "link", "wbr"];

/// What is stored of HTML that somebody sent: scripts, comments and hidden elements are gone.
///
/// Plain text is wrapped in a `<div>`. That hidden marks do not survive is
/// likely, not verified; the simulator takes the worse case.
pub(super) fn sanitise(html: &str) -> String {
    let seen = drop_hidden(html);
    let clean = ammonia::Builder::default()
        .link_rel(None)
        .add_tag_attributes("img", &["src"])
        .clean(&seen)
        .to_string();
    if clean.trim_start().starts_with('<') { clean } else { format!("<div>{clean}</div>") }
}

/// HTML for words typed by a person into the vendor's editor.
pub(super) fn from_plain(text: &str) -> String {
    let mut out = String::from("<div>");
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
    out.push_str("</div>");
    out
}

/// The text of stored HTML as a reader sees it: tags gone, lines where the markup breaks them.
pub(super) fn to_text(html: &str) -> String {
    let mut out = String::new();
    for piece in Pieces::of(html) {
        match piece {
            Piece::Text(text) => push_text(&mut out, text),
            Piece::Tag(tag) if tag.name == "br" => out.push('\n'),
            Piece::Tag(tag) if tag.name == "p" && !tag.closes && !out.is_empty() => {
                out.truncate(out.trim_end_matches('\n').len());
                out.push_str("\n\n");
            }
            Piece::Tag(tag) if BLOCKS.contains(&tag.name.as_str()) => {
                if !out.is_empty() && !out.ends_with('\n') {
                    out.push('\n');
                }
            }
            Piece::Tag(_) | Piece::Comment => {}
        }
    }
    out.trim_end().to_owned()
}

fn push_text(out: &mut String, text: &str) {
    let unescaped = unescape(text);
    // A raw line break in HTML is only a space.
    for (at, line) in unescaped.split('\n').enumerate() {
        if at > 0 && !out.is_empty() && !out.ends_with(['\n', ' ']) {
            out.push(' ');
        }
        out.push_str(line.trim_end_matches('\r'));
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

/// Leaves out elements that no reader would see.
fn drop_hidden(html: &str) -> String {
    let mut out = String::new();
    let mut hidden: Option<(String, usize)> = None;
    for piece in Pieces::of(html) {
        match (&mut hidden, piece) {
            (Some((name, depth)), Piece::Tag(tag)) if tag.name == *name => {
                *depth = if tag.closes { depth.saturating_sub(1) } else { *depth + 1 };
                if *depth == 0 {
                    hidden = None;
                }
            }
            (Some(_), _) | (None, Piece::Comment) => {}
            (None, Piece::Tag(tag)) if tag.hides() => hidden = Some((tag.name, 1)),
            (None, Piece::Tag(tag)) => out.push_str(tag.source),
            (None, Piece::Text(text)) => out.push_str(text),
        }
    }
    out
}

enum Piece<'a> {
    Text(&'a str),
    Tag(Tag<'a>),
    Comment,
}

struct Tag<'a> {
    name: String,
    closes: bool,
    source: &'a str,
}

impl Tag<'_> {
    fn hides(&self) -> bool {
        if self.closes || VOID.contains(&self.name.as_str()) || self.source.ends_with("/>") {
            return false;
        }
        let squeezed: String =
            self.source.to_ascii_lowercase().chars().filter(|letter| !letter.is_whitespace()).collect();
        let bare = self.source.to_ascii_lowercase();
        matches!(self.name.as_str(), "script" | "style")
            || squeezed.contains("display:none")
            || squeezed.contains("visibility:hidden")
            || bare.split(|letter: char| letter.is_whitespace() || letter == '>').any(|word| word == "hidden")
    }
}

/// A scan of HTML: enough for markup that people and programs write, and never wrong about ends of text.
struct Pieces<'a> {
    rest: &'a str,
}

impl<'a> Pieces<'a> {
    fn of(html: &'a str) -> Self {
        Self { rest: html }
    }

    fn cut(&mut self, at: usize) -> &'a str {
        let (head, tail) = self.rest.split_at(at);
        self.rest = tail;
        head
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Piece<'a>;

    fn next(&mut self) -> Option<Piece<'a>> {
        if self.rest.is_empty() {
            return None;
        }
        if self.rest.starts_with("<!--") {
            let end = self.rest.find("-->").map_or(self.rest.len(), |at| at + 3);
            self.cut(end);
            return Some(Piece::Comment);
        }
        let begins = |text: &str| {
            let mut letters = text.chars().skip(1);
            let first = letters.next();
            let named = if first == Some('/') { letters.next() } else { first };
            named.is_some_and(|letter| letter.is_ascii_alphabetic())
        };
        if self.rest.starts_with('<') && begins(self.rest) {
            let end = self.rest.find('>').map_or(self.rest.len(), |at| at + 1);
            let source = self.cut(end);
            let inner = source.trim_start_matches('<');
            let closes = inner.starts_with('/');
            let name = inner
                .trim_start_matches('/')
                .chars()
                .take_while(char::is_ascii_alphanumeric)
                .collect::<String>()
                .to_ascii_lowercase();
            return Some(Piece::Tag(Tag { name, closes, source }));
        }
        // The first letter is text even when it is a lone `<`.
        let first = self.rest.chars().next().map_or(0, char::len_utf8);
        let end = self.rest[first..].find('<').map_or(self.rest.len(), |at| at + first);
        Some(Piece::Text(self.cut(end)))
    }
}
