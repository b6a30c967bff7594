//! Plain text to Freshdesk's HTML and back.
//!
//! Reading goes through `ammonia`, which parses as browsers do and hands back
//! well-formed markup of known tags, and then through a walk that keeps what a
//! person reads: lines, lists, quotes, link targets.

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Deeper markup than any mail has: reading it as browsers do takes time that
/// grows with the square of the depth, so it is read by the walk alone.
const DEPTH_MAX: usize = 2_000;

/// The longest `href` that is shown.
const HREF_CHARS_MAX: usize = 2_000;

/// HTML that shows the text: one `<div>`, lines parted by `<br>`.
///
/// Tabs become four spaces, and control characters go: HTML holds neither.
pub fn from_text(text: &str) -> String {
    let lines: Vec<String> = text.replace("\r\n", "\n").split('\n').map(line_html).collect();
    format!("<div>{}</div>", lines.join("<br>"))
}

/// One line, with the spaces kept that HTML would fold.
fn line_html(line: &str) -> String {
    let mut html = String::with_capacity(line.len() + 16);
    let mut after_space = true;
    for c in line.replace('\t', "    ").chars() {
        match c {
            ' ' if after_space => html.push_str("&nbsp;"),
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c if c.is_control() => continue,
            c => html.push(c),
        }
        after_space = c == ' ';
    }
    html
}

/// The text that a person sees, without trailing spaces. Links are followed by
/// their target, quotes are marked with `> `; what is hidden is left out.
pub fn to_text(html: &str) -> String {
    let mut walk = Walk::default();
    if depth_estimate(html) > DEPTH_MAX {
        walk.read(html, false);
    } else {
        walk.read(&CLEANER.clean(html).to_string(), true);
    }
    visible(&walk.finish())
}

/// At most how deep the markup nests.
fn depth_estimate(html: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for (at, _) in html.match_indices('<') {
        match html.as_bytes().get(at + 1) {
            Some(b'/') => depth = depth.saturating_sub(1),
            Some(letter) if letter.is_ascii_alphabetic() => depth += usize::from(!is_void(html, at + 1)),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

fn is_void(html: &str, at: usize) -> bool {
    let name: String = html[at..].chars().take(6).take_while(char::is_ascii_alphanumeric).collect();
    VOID.contains(&name.to_ascii_lowercase().as_str())
}

const VOID: [&str; 8] = ["br", "img", "hr", "input", "meta", "link", "col", "wbr"];

/// Blocks that begin and end a line.
const BLOCKS: [&str; 27] = [
    "address",
    "article",
    "aside",
    "caption",
    "center",
    "dd",
    "details",
    "div",
    "dl",
    "dt",
    "fieldset",
    "figcaption",
    "figure",
    "footer",
    "form",
    "header",
    "li",
    "main",
    "nav",
    "section",
    "summary",
    "tbody",
    "tfoot",
    "thead",
    "tr",
    "legend",
    "hgroup",
];

/// Blocks that stand apart by an empty line.
const PARAGRAPHS: [&str; 12] =
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "pre", "table", "blockquote"];

const INLINE: [&str; 15] =
    ["a", "b", "br", "code", "em", "font", "hr", "i", "img", "small", "span", "strong", "td", "th", "u"];

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let tags: HashSet<&str> = BLOCKS.into_iter().chain(PARAGRAPHS).chain(INLINE).collect();
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(tags)
        .clean_content_tags(
            ["script", "style", "title", "template", "svg", "math", "object", "iframe"].into(),
        )
        .generic_attributes(["style", "hidden"].into())
        .tag_attributes(HashMap::from([("a", ["href"].into()), ("img", ["alt"].into())]))
        .url_schemes(["http", "https", "mailto", "tel"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(None)
        .strip_comments(true)
        .attribute_filter(|_, attribute, value| match attribute {
            "style" => hides(value).then(|| "display:none".into()),
            _ => Some(value.into()),
        });
    cleaner
});

/// Whether a style makes its element invisible.
fn hides(style: &str) -> bool {
    let folded: String = style.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_lowercase();
    folded.split(';').any(|rule| {
        let rule = rule.strip_suffix("!important").unwrap_or(rule);
        matches!(
            rule,
            "display:none"
                | "visibility:hidden"
                | "mso-hide:all"
                | "font-size:0"
                | "font-size:0px"
                | "opacity:0"
        )
    })
}

/// The text without characters that nobody sees. Joiners stay between
/// letters and in emoji, where they mean something.
fn visible(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let joins = || kept.chars().next_back().is_some_and(|before| !before.is_whitespace());
        match c {
            '\u{ad}' | '\u{34f}' | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}' => {}
            '\u{200c}' | '\u{200d}' => {
                let follows = rest.peek().is_some_and(|after| !after.is_whitespace());
                if follows && joins() {
                    kept.push(c);
                }
            }
            c => kept.push(c),
        }
    }
    let lines: Vec<&str> = kept.split('\n').map(|line| line.trim_end_matches(' ')).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}

/// The walk over markup, as the lines that came out so far.
#[derive(Default)]
struct Walk {
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
    fn read(&mut self, html: &str, well_formed: bool) {
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

    fn finish(mut self) -> String {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_becomes_one_div() {
        let rows = [
            ("hello", "<div>hello</div>"),
            ("a < b & \"c\" > d", "<div>a &lt; b &amp; &quot;c&quot; &gt; d</div>"),
            ("one\n\ntwo\r\nthree", "<div>one<br><br>two<br>three</div>"),
            ("  in\n\tdeep  er", "<div>&nbsp;&nbsp;in<br>&nbsp;&nbsp;&nbsp;&nbsp;deep &nbsp;er</div>"),
            ("no\u{0}thing\u{7}", "<div>nothing</div>"),
            ("", "<div></div>"),
        ];
        for (text, html) in rows {
            assert_eq!(from_text(text), html, "{text:?}");
        }
    }

    #[test]
    fn html_becomes_what_a_person_reads() {
        let rows = [
            ("<div>one</div><div>two</div>", "one\ntwo"),
            ("<p>one</p><p>two<br>three</p>", "one\n\ntwo\nthree"),
            ("<div>one<br></div><div><br></div><div>two</div>", "one\n\ntwo"),
            ("  a\n   <b>bold</b>  word ", "a bold word"),
            (
                "<a href=\"https://x.test/a?b=1&amp;c=2\">here</a>, please",
                "here (https://x.test/a?b=1&c=2), please",
            ),
            ("<a href=\"https://x.test/\" rel=\"noreferrer\">https://x.test</a>", "https://x.test"),
            ("<a href=\"mailto:ann@x.test\">Ann@x.test</a>", "Ann@x.test"),
            ("<a href=\"javascript:alert(1)\">click</a>", "click"),
            ("<ul><li>one<ul><li>deep</li></ul></li><li>two</li></ul>end", "- one\n  - deep\n- two\n\nend"),
            ("<ol><li><p>first</p></li><li>second</li></ol>", "1. first\n\n2. second"),
            (
                "<div>Thanks</div><blockquote>she wrote<br>this<blockquote>deep</blockquote></blockquote>",
                "Thanks\n\n> she wrote\n> this\n>\n> > deep",
            ),
            ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"),
            ("<pre>if x:\n    y</pre>", "if x:\n    y"),
            ("a<hr>b", "a\n---\nb"),
            ("<img src=\"https://x.test/p.gif\"><img src=\"x\" alt=\"chart\">", "[image: chart]"),
            ("<style>p{}</style><script>x()</script><!-- no -->seen<title>t</title>", "seen"),
            ("<div style=\"display: none !important\">pre<br>header</div>seen", "seen"),
            ("<span style='font-size:0px;color:#fff'>hidden <b>too</b></span>seen", "seen"),
            ("<p hidden>gone</p>seen", "seen"),
            ("a\u{200b}b\u{feff}c\u{ad}d \u{200c} e", "abcd  e"),
            ("👩\u{200d}💻 می\u{200c}خواهم", "👩\u{200d}💻 می\u{200c}خواهم"),
            ("x &lt;b&gt; &amp;amp; &#65;&#x42; &copy; &bogus;", "x <b> &amp; AB © &bogus;"),
            ("<div>unclosed <b>bold<p>next", "unclosed bold\n\nnext"),
            ("2 < 3 and 5 > 4", "2 < 3 and 5 > 4"),
            ("<o:p>office</o:p>", "office"),
            ("", ""),
        ];
        for (html, text) in rows {
            assert_eq!(to_text(html), text, "{html:?}");
        }
    }

    #[test]
    fn no_line_is_wrapped() {
        let long = "word ".repeat(2_000);
        assert_eq!(to_text(&format!("<p>{long}</p>")), long.trim_end());
    }

    #[test]
    fn markup_of_any_depth_is_read() {
        let deep = 200_000;
        let html = format!("{}core{}", "<div>".repeat(deep), "</div>".repeat(deep));
        assert_eq!(to_text(&html), "core");
        let hostile = format!("{}<style>x</style>seen<!--", "<div style=\"display:none\">".repeat(5_000));
        assert_eq!(to_text(&hostile), "seen");
        assert_eq!(to_text(&"<a".repeat(500_000)).len(), 1_000_000);
        assert_eq!(to_text(&"<b><STYLE>x</Style>".repeat(50_000)), "");
    }

    /// What a round trip may change: trailing spaces, and the kind of a space.
    fn expected(text: &str) -> String {
        let plain = text.replace('\u{a0}', " ").replace('\t', "    ");
        let lines: Vec<&str> = plain.split('\n').map(|line| line.trim_end_matches(' ')).collect();
        lines.join("\n").trim_matches('\n').to_owned()
    }

    proptest! {
        #[test]
        fn a_round_trip_keeps_the_text(
            text in prop_oneof![
                "[ a-c<>&;\"'*_#`~|>\\-\\n\\t(){}\\[\\]0-9.]{0,80}",
                "(\\PC|\\n){0,60}",
                "((> )?[*#-]* ?(<b>|</div>|<br>|&amp;|&nbsp;|&#65;|<!--|-->|é|漢字|🙂)?[a-z ]{0,9}\\n){0,12}",
            ]
        ) {
            prop_assert_eq!(to_text(&from_text(&text)), expected(&text));
        }

        #[test]
        fn any_markup_is_read_without_panic(html in "(<[/a-z!-]{0,6}[ =\"a-z:]{0,12}>?|\\PC|&[#a-z0-9]{0,4};?){0,40}") {
            let _ = to_text(&html);
            let mut raw = Walk::default();
            raw.read(&html, false);
            let _ = raw.finish();
        }
    }
}
