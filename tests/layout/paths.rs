//! The paths that a Rust file names: those of `use` with their groups taken
//! apart, and those that stand in code.

use super::tree::Source;

/// One path.
pub struct Named {
    /// Its parts; the first is empty when it begins with `::`, the last may be `*`.
    pub parts: Vec<String>,
    /// The line on which it begins; for a group the line of the `use`.
    pub line: usize,
    /// Whether it is compiled for tests only.
    pub in_test: bool,
}

/// Every path of a file.
pub fn paths_of(source: &Source) -> Vec<Named> {
    let mut paths = Vec::new();
    let mut lines = source.lines.iter();
    while let Some(line) = lines.next() {
        let (number, in_test) = (line.number, line.in_test);
        let Some(begun) = use_of(&line.code) else {
            paths.extend(in_code(&line.code).into_iter().map(|parts| Named { parts, line: number, in_test }));
            continue;
        };
        let mut tree = begun.to_owned();
        while !tree.contains(';') {
            let Some(more) = lines.next() else { break };
            tree.push_str(&more.code);
        }
        let tree: String = tree.split(';').next().unwrap_or_default().to_owned();
        let flat = flatten(&tree);
        paths.extend(flat.into_iter().map(|parts| Named { parts, line: number, in_test }));
    }
    paths
}

fn use_of(code: &str) -> Option<&str> {
    let code = code.trim_start();
    let code = match code.strip_prefix("pub") {
        Some(rest) if rest.starts_with(' ') => rest.trim_start(),
        Some(rest) if rest.starts_with('(') => rest.split_once(')')?.1.trim_start(),
        _ => code,
    };
    code.strip_prefix("use ")
}

/// `a::{b, c::{d, e as f}}` as `a::b`, `a::c::d`, `a::c::e`.
fn flatten(tree: &str) -> Vec<Vec<String>> {
    let tree = tree.trim();
    let Some((head, group)) = tree.split_once('{') else {
        let path = tree.split(" as ").next().unwrap_or_default();
        return vec![parts(path)];
    };
    let head = parts(head.trim().trim_end_matches("::"));
    let group = group.trim_end();
    let group = group.strip_suffix('}').unwrap_or(group);
    let mut found = Vec::new();
    let (mut depth, mut begun) = (0_i32, String::new());
    for c in group.chars().chain([',']) {
        match c {
            ',' if depth == 0 => {
                let item = std::mem::take(&mut begun);
                if !item.trim().is_empty() {
                    found.extend(flatten(&item));
                }
                continue;
            }
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        begun.push(c);
    }
    found.into_iter().map(|tail| head.iter().cloned().chain(tail).collect()).collect()
}

fn parts(path: &str) -> Vec<String> {
    path.split("::").map(|part| part.trim().to_owned()).collect()
}

/// The paths with `::` on a line of code.
fn in_code(code: &str) -> Vec<Vec<String>> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let candidates = code.split(|c: char| !is_part(c)).filter(|text| text.contains("::"));
    candidates.map(|text| parts(text.trim_end_matches(':'))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_taken_apart() {
        let flat =
            |tree: &str| -> Vec<String> { flatten(tree).into_iter().map(|parts| parts.join("::")).collect() };
        assert_eq!(flat("a::b"), ["a::b"]);
        assert_eq!(flat("a::{b, c::{d, e as f}, g::*}"), ["a::b", "a::c::d", "a::c::e", "a::g::*"]);
        assert_eq!(flat("a::{b, c::{d, e}}"), ["a::b", "a::c::d", "a::c::e"]);
        assert_eq!(flat("::sled::{Db,}"), ["::sled::Db"]);
        assert_eq!(in_code("let x: std::fs::File = a::b();"), [vec!["std", "fs", "File"], vec!["a", "b"]]);
    }
}
