//! Plain text to the HTML that Zendesk shows, and back.

use std::fmt::Write as _;

/// The text with the five signs of markup written as entities.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

/// Line ends as `\n`, no white space around the whole.
pub(super) fn tidy(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n").trim().to_owned()
}

/// What Zendesk makes of a comment that was given as `body`, with Markdown switched on: of that, the
/// links and the pictures.
pub(super) fn html_of(text: &str) -> String {
    let mut out = String::from("<div class=\"zd-comment\" dir=\"auto\">");
    for paragraph in text.split("\n\n") {
        let lines: Vec<String> = paragraph.split('\n').map(|line| linked(&escape(line))).collect();
        // Writing to a String cannot fail.
        let _ = write!(out, "<p dir=\"auto\">{}</p>", lines.join("<br>"));
    }
    out.push_str("</div>");
    out
}

/// `[words](address)` as a link, `![words](address)` as a picture.
fn linked(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some((before, words, address, after)) = next_link(rest) {
        let (before, picture) = match before.strip_suffix('!') {
            Some(before) => (before, true),
            None => (before, false),
        };
        out.push_str(before);
        // Writing to a String cannot fail.
        let _ = match picture {
            true => write!(out, "<img src=\"{address}\" alt=\"{words}\">"),
            false => write!(out, "<a href=\"{address}\">{words}</a>"),
        };
        rest = after;
    }
    out.push_str(rest);
    out
}

fn next_link(line: &str) -> Option<(&str, &str, &str, &str)> {
    let middle = line.find("](")?;
    let open = line[..middle].rfind('[')?;
    let close = line[middle..].find(')')? + middle;
    Some((&line[..open], &line[open + 1..middle], &line[middle + 2..close], &line[close + 1..]))
}

/// What Zendesk makes of a comment that was given as `html_body`.
pub(super) fn wrapped(html: &str) -> String {
    let inner = super::html::sanitised(html);
    let inner = inner.replace("<p>", "<p dir=\"auto\">").replace("<ul>", "<ul dir=\"auto\">");
    format!("<div class=\"zd-comment\" dir=\"auto\">{}</div>", inner.trim())
}

fn without_scripts(html: &str) -> String {
    let mut out = html.to_owned();
    for name in ["script", "style"] {
        while let Some(start) = find_ignoring_case(&out, &format!("<{name}")) {
            let close = format!("</{name}>");
            let end =
                find_ignoring_case(&out[start..], &close).map_or(out.len(), |at| start + at + close.len());
            out.replace_range(start..end, "");
        }
    }
    out
}

// Only ASCII letters change case, so that byte places stay the same.
fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.to_ascii_lowercase().find(wanted)
}

/// The text of some HTML: block ends and `<br>` are line ends, entities are read.
pub(super) fn plain_of(html: &str) -> String {
    let html = without_scripts(html);
    let mut out = String::new();
    let mut rest = html.as_str();
    while let Some(open) = rest.find('<') {
        out.push_str(&unescape(&rest[..open]));
        let Some(close) = rest[open..].find('>') else {
            out.push_str(&unescape(&rest[open..]));
            return trimmed_lines(&out);
        };
        push_break(&mut out, &rest[open + 1..open + close]);
        rest = &rest[open + close + 1..];
    }
    out.push_str(&unescape(rest));
    trimmed_lines(&out)
}

fn push_break(out: &mut String, tag: &str) {
    let name: String = tag
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || *c == '/')
        .collect::<String>()
        .to_ascii_lowercase();
    match name.as_str() {
        "br" | "br/" => out.push('\n'),
        "/p" => out.push_str("\n\n"),
        "/div" | "/li" | "/tr" | "/h1" | "/h2" | "/h3" | "/blockquote" => out.push('\n'),
        _ => {}
    }
}

fn unescape(text: &str) -> String {
    text.replace("&nbsp;", " ")
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn trimmed_lines(text: &str) -> String {
    let mut out = text.trim().to_owned();
    while out.contains("\n\n\n") {
        out = out.replace("\n\n\n", "\n\n");
    }
    out
}
