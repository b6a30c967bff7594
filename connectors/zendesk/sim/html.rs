//! HTML as Zendesk keeps it, and its redaction.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    sync::LazyLock,
};

static SANITISER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let tags = [
        "a",
        "b",
        "blockquote",
        "br",
        "code",
        "del",
        "div",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "hr",
        "i",
        "img",
        "ins",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "span",
        "strong",
        "sub",
        "sup",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "u",
        "ul",
    ];
    let mut sanitiser = ammonia::Builder::empty();
    sanitiser
        .tags(HashSet::from(tags))
        .clean_content_tags(["script", "style"].into())
        .generic_attributes(["dir"].into())
        .tag_attributes(HashMap::from([
            ("a", ["href", "title"].into()),
            ("img", ["src", "alt", "width", "height"].into()),
        ]))
        .url_schemes(["http", "https", "mailto", "tel", "zd-file"].into())
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener noreferrer"))
        .strip_comments(true);
    sanitiser
});

/// What Zendesk keeps of HTML that somebody sends.
pub(super) fn sanitised(html: &str) -> String {
    SANITISER.clean(html).to_string()
}

/// What a redaction makes of a comment's HTML.
pub(super) struct Redacted {
    /// The HTML without the marks: what the comment was.
    pub(super) before: String,
    /// With blocks in the place of what was marked.
    pub(super) after: String,
    /// Where the images that went had been.
    pub(super) images: BTreeSet<String>,
}

/// Reads the marks.
pub(super) fn redacted(marked: &str, block: char) -> Redacted {
    let mut out = Redacted { before: String::new(), after: String::new(), images: BTreeSet::new() };
    let mut inside = false;
    let mut gone_links = 0_u32;
    for (is_tag, part) in parts(marked) {
        match (is_tag, part) {
            (true, "<redact>") => inside = true,
            (true, "</redact>") => inside = false,
            (true, tag) if tag.ends_with(" redact>") => {
                let plain = format!("{}>", tag.strip_suffix(" redact>").unwrap_or(tag));
                if let Some(src) = plain.split("src=\"").nth(1).and_then(|rest| rest.split('"').next()) {
                    out.images.insert(src.replace("&amp;", "&").replace("&quot;", "\""));
                }
                gone_links += u32::from(plain.starts_with("<a "));
                out.before.push_str(&plain);
            }
            (true, tag) => {
                out.before.push_str(tag);
                if tag == "</a>" && gone_links > 0 {
                    gone_links -= 1;
                } else {
                    out.after.push_str(tag);
                }
            }
            (false, text) => {
                out.before.push_str(text);
                if inside {
                    let shown = text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
                    out.after.extend(shown.chars().map(|_| block));
                } else {
                    out.after.push_str(text);
                }
            }
        }
    }
    out
}

/// Tags and what lies between them.
fn parts(html: &str) -> Vec<(bool, &str)> {
    let mut out = Vec::new();
    let mut rest = html;
    while let Some(open) = rest.find('<') {
        if open > 0 {
            out.push((false, &rest[..open]));
        }
        let close = rest[open..].find('>').map_or(rest.len(), |close| open + close + 1);
        out.push((true, &rest[open..close]));
        rest = &rest[close..];
    }
    if !rest.is_empty() {
        out.push((false, rest));
    }
    out
}
