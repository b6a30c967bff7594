//! Plain text to Freshdesk's HTML and back.
//!
//! Reading goes through `ammonia`, which parses as browsers do and hands back
//! well-formed markup of known tags, and then through a walk that keeps what a
//! person reads: lines, lists, quotes, link targets.

mod walk;

use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

use walk::Walk;

/// Deeper markup than any mail has: reading it as browsers do takes time that
/// grows with the square of the depth, so it is read by the walk alone.
const DEPTH_MAX: usize = 2_000;

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
