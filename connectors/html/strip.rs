//! The text of markup that is too much to be read as browsers do.

/// The text between tags, in lines, without scripts and styles. Entities are
/// resolved as far as our own writing uses them.
pub fn strip(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '/' | '!' | '?'));
        match rest.find('>') {
            Some(end) if is_tag => {
                let tag = &rest[1..end];
                rest = after_code(tag, &rest[end + 1..]);
                text.push_str(if parts_lines(tag) { "\n" } else { "" });
            }
            Some(_) => {
                text.push('<');
                rest = &rest[1..];
            }
            None => break,
        }
    }
    text.push_str(rest);
    tidy(&text)
}

fn parts_lines(tag: &str) -> bool {
    let name: String =
        tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).take(12).collect();
    matches!(name.to_ascii_lowercase().as_str(), "br" | "p" | "div" | "li" | "tr" | "blockquote" | "pre")
}

/// Skips what stands in a script or style, which is never text.
fn after_code<'a>(tag: &str, rest: &'a str) -> &'a str {
    let starts = |name: &str| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    let end = if starts("script") {
        "</script"
    } else if starts("style") {
        "</style"
    } else {
        return rest;
    };
    let ends_at = |at: &usize| {
        rest.as_bytes()[*at..].get(..end.len()).is_some_and(|text| text.eq_ignore_ascii_case(end.as_bytes()))
    };
    rest.match_indices("</").map(|(at, _)| at).find(ends_at).map_or("", |at| &rest[at..])
}

fn tidy(text: &str) -> String {
    let plain = text.replace("&nbsp;", " ").replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"");
    let plain = plain.replace("&#39;", "'").replace("&amp;", "&").replace(['\u{a0}', '\t'], " ");
    let kept: String = plain.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    let mut lines: Vec<&str> = kept.split('\n').map(str::trim).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n").trim_matches('\n').to_owned()
}
