//! The paths that stand in an adapter's source.

use std::{fmt, fs, path::Path};

/// A path as a text in the source spells it, `{…}` for what is filled in.
#[derive(Debug, PartialEq, Eq)]
pub struct Spelled {
    file: String,
    path: Vec<String>,
    /// Names of the query that are always there.
    query: Vec<String>,
}

impl fmt::Display for Spelled {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {} ?{}", self.file, self.path.join("/"), self.query.join("&"))
    }
}

impl Spelled {
    fn read(file: &str, text: &str) -> Option<Self> {
        let (path, query) = text.split_once('?').unwrap_or((text, ""));
        let below = path.strip_prefix(|c| c == '/').or_else(|| path.starts_with('{').then_some(path))?;
        let begins = below.starts_with(|c: char| c.is_ascii_lowercase() || c == '{');
        let plain = path.chars().all(|c| c.is_ascii_alphanumeric() || "/{}_-.".contains(c));
        // A path has a second part, or it is no more than a word with a slash.
        let whole = below.contains('/') || !query.is_empty();
        let names = query.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, _)| name.to_owned());
        let names = names.filter(|name| !name.contains('{')).collect();
        let parts = path.trim_start_matches('/').split('/').map(str::to_owned).collect();
        (begins && plain && whole).then(|| Self { file: file.to_owned(), path: parts, query: names })
    }

    /// Whether this request is one of those that it spells.
    pub fn is_sent_by(&self, uri: &http::Uri) -> bool {
        let sent: Vec<&str> = uri.path().trim_start_matches('/').split('/').collect();
        let has = |name: &String| {
            let pairs = uri.query().unwrap_or_default().split('&');
            pairs.filter_map(|pair| pair.split_once('=')).any(|(sent, _)| sent == name)
        };
        // What begins with a hole may have any beginning.
        let begins_open = self.path.first().is_some_and(|part| is_hole(part)) && self.path.len() > 1;
        let fits = match begins_open {
            true => {
                sent.len() >= self.path.len()
                    && same(&self.path[1..], &sent[sent.len() + 1 - self.path.len()..])
            }
            false => same(&self.path, &sent),
        };
        fits && self.query.iter().all(has)
    }
}

fn is_hole(part: &str) -> bool {
    part.starts_with('{') && part.ends_with('}')
}

fn same(spelled: &[String], sent: &[&str]) -> bool {
    let fits = |spelled: &str, sent: &str| match (spelled.find('{'), spelled.rfind('}')) {
        (Some(begin), Some(end)) => {
            sent.len() > begin + spelled.len() - end - 1
                && sent.starts_with(&spelled[..begin])
                && sent.ends_with(&spelled[end + 1..])
        }
        _ => spelled == sent,
    };
    spelled.len() == sent.len() && spelled.iter().zip(sent).all(|(spelled, sent)| fits(spelled, sent))
}

/// The paths in the source of a vendor's adapter, its simulator and its tests left out.
pub fn paths(vendor: &str) -> Vec<Spelled> {
    let mut found = Vec::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join(vendor), vendor, &mut found);
    found
}

fn collect(folder: &Path, name: &str, found: &mut Vec<Spelled>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|why| panic!("{}: {why}", folder.display()));
    for path in entries.map(|entry| entry.expect("a readable folder").path()) {
        let own = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && !matches!(own.as_str(), "sim" | "tests" | "fixtures") {
            collect(&path, &format!("{name}/{own}"), found);
        } else if own.ends_with(".rs") && own != "tests.rs" {
            let text = fs::read_to_string(&path).expect("a source is text");
            found
                .extend(texts(&text).iter().filter_map(|text| Spelled::read(&format!("{name}/{own}"), text)));
        }
    }
}

/// What stands in quotation marks before the file's tests, comments left out.
fn texts(source: &str) -> Vec<String> {
    let code = source.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    let code = code.filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    let (mut texts, mut rest) = (Vec::new(), code.replace("'\"'", "' '"));
    while let Some(begin) = rest.find('"') {
        let (text, end) = text_from(&rest[begin + 1..]);
        texts.push(text);
        rest = rest.split_off((begin + 2 + end).min(rest.len()));
    }
    texts
}

/// The text up to its closing mark, and where that stands.
fn text_from(source: &str) -> (String, usize) {
    let (mut text, mut escaped, mut folding) = (String::new(), false, false);
    for (at, c) in source.char_indices() {
        match c {
            '"' if !escaped => return (text, at),
            _ if folding && c.is_whitespace() => {}
            '\n' if escaped => (escaped, folding) = (false, true),
            '\\' if !escaped => escaped = true,
            _ => {
                text.push(c);
                (escaped, folding) = (false, false);
            }
        }
    }
    (text, source.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_found_in_source_and_known_when_sent() {
        let source = "// \"/no/comment\"\nget(\"/v1/a/{}.json?x={y}{more}&z=1\"); let s = \"no path\"; f('\"');\n\
            format!(\"{path}/reply\"); g(\"/long/{id}?\\\n    &w=2\"); \"application/json\"; \"/\"\n\
            #[cfg(test)]\n\"/in/tests\"";
        let spelled: Vec<Spelled> =
            texts(source).iter().filter_map(|text| Spelled::read("f", text)).collect();
        let told: Vec<String> = spelled.iter().map(ToString::to_string).collect();
        assert_eq!(told, ["f: v1/a/{}.json ?x&z", "f: {path}/reply ?", "f: long/{id} ?w"]);
        let sent = |at: usize, uri: &str| spelled[at].is_sent_by(&uri.parse().unwrap());
        assert!(sent(0, "http://h/v1/a/7.json?x=1&q=1&z=2"));
        assert!(!sent(0, "http://h/v1/a/7.json?x=1") && !sent(0, "http://h/v1/a/.json?x=1&z=1"));
        assert!(sent(1, "http://h/a/b/reply") && !sent(1, "http://h/a/b/note") && !sent(1, "http://h/reply"));
        assert!(sent(2, "http://h/long/7?w=") && !sent(2, "http://h/long/7/8?w="));
    }
}
