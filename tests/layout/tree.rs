//! The tree as text: files, lines, and Rust sources with comments and strings told apart.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Folders that hold nothing that is ours.
const SKIPPED: [&str; 3] = ["target", ".git", "node_modules"];

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file under `dir` (relative to the root), sorted, as paths relative to the root.
pub fn files(dir: &str) -> Vec<String> {
    let mut found = Vec::new();
    walk(&root().join(dir), &mut found);
    found.sort();
    found
}

fn walk(dir: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.map(|entry| entry.expect("a readable folder")) {
        let (path, name) = (entry.path(), entry.file_name());
        if path.is_dir() {
            if !SKIPPED.iter().any(|skipped| name == *skipped) {
                walk(&path, found);
            }
        } else {
            let relative = path.strip_prefix(root()).expect("below the root");
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
}

/// The folders directly under `dir`, by name.
pub fn folders(dir: &str) -> Vec<String> {
    let entries = fs::read_dir(root().join(dir)).expect("the folder is there");
    let dirs = entries.map(|entry| entry.expect("a readable folder")).filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = dirs.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// A file's text; `None` when it is not text.
pub fn text(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// One Rust file.
pub struct Source {
    /// Relative to the root.
    pub path: String,
    /// Its lines.
    pub lines: Vec<Line>,
}

/// One line of Rust.
pub struct Line {
    /// From 1.
    pub number: usize,
    /// As it stands.
    pub raw: String,
    /// Without comments.
    pub spoken: String,
    /// Without comments and without what stands in quotation marks.
    pub code: String,
    /// Compiled for tests only.
    pub in_test: bool,
}

/// Every Rust file under `dir`.
pub fn sources(dir: &str) -> Vec<Source> {
    let paths: Vec<String> = files(dir).into_iter().filter(|path| path.ends_with(".rs")).collect();
    let mut sources: Vec<Source> = paths.into_iter().map(read).collect();
    let test_modules: BTreeSet<String> = sources.iter().flat_map(test_modules).collect();
    for source in &mut sources {
        let is_test = |part: &str| part == "tests" || part == "tests.rs";
        let named = source.path.split('/').any(is_test);
        let declared = test_modules.iter().any(|module| {
            source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
        });
        if named || declared {
            source.lines.iter_mut().for_each(|line| line.in_test = true);
        }
    }
    sources
}

fn read(path: String) -> Source {
    let text = text(&path).expect("a Rust file is text");
    let (spoken, code) = strip(&text);
    let parts = text.lines().zip(spoken.lines()).zip(code.lines()).enumerate();
    let lines = parts.map(|(at, ((raw, spoken), code))| Line {
        number: at + 1,
        raw: raw.to_owned(),
        spoken: spoken.to_owned(),
        code: code.to_owned(),
        in_test: false,
    });
    let mut source = Source { path, lines: lines.collect() };
    mark_inline_tests(&mut source.lines);
    source
}

/// Marks what stands in the braces behind `#[cfg(test)]`.
fn mark_inline_tests(lines: &mut [Line]) {
    let (mut awaiting, mut depth) = (false, 0_usize);
    for line in lines {
        if line.code.trim() == "#[cfg(test)]" {
            awaiting = true;
            continue;
        }
        let opens = line.code.matches('{').count();
        line.in_test = awaiting || depth > 0;
        if depth > 0 || (awaiting && opens > 0) {
            depth = (depth + opens).saturating_sub(line.code.matches('}').count());
        }
        awaiting = awaiting && opens == 0 && !line.code.contains(';');
    }
}

/// The modules that a file declares for tests only, as paths without `.rs`.
fn test_modules(source: &Source) -> Vec<String> {
    let path = PathBuf::from(&source.path);
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let parent = path.parent().map(Path::to_path_buf).unwrap_or_default();
    let home = if matches!(stem.as_str(), "mod" | "lib" | "main") { parent } else { parent.join(&stem) };
    let declared = source.lines.iter().filter(|line| line.in_test).filter_map(|line| {
        let name = line.code.trim().trim_start_matches("pub ").strip_prefix("mod ")?.strip_suffix(';')?;
        Some(home.join(name).to_string_lossy().replace('\\', "/"))
    });
    declared.collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Code,
    LineComment,
    BlockComment(usize),
    Text,
    RawText(usize),
}

/// The text without comments, and the text without comments and strings; the
/// lines stay where they are.
fn strip(text: &str) -> (String, String) {
    let chars: Vec<char> = text.chars().collect();
    let (mut spoken, mut code) = (String::new(), String::new());
    let (mut state, mut at) = (State::Code, 0);
    while at < chars.len() {
        let (step, next) = advance(&chars, at, state);
        for c in &chars[at..at + step] {
            let (says, codes) = match (state, next) {
                _ if *c == '\n' => (true, true),
                (State::Code, State::Code) => (true, true),
                (State::LineComment | State::BlockComment(_), _)
                | (_, State::LineComment | State::BlockComment(_)) => (false, false),
                _ => (true, false),
            };
            spoken.push(if says { *c } else { ' ' });
            code.push(if codes { *c } else { ' ' });
        }
        (state, at) = (next, at + step);
    }
    (spoken, code)
}

/// How many characters belong together at `at`, and the state behind them.
fn advance(chars: &[char], at: usize, state: State) -> (usize, State) {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    match state {
        State::LineComment if is(0, '\n') => (1, State::Code),
        State::LineComment => (1, State::LineComment),
        State::BlockComment(depth) if is(0, '/') && is(1, '*') => (2, State::BlockComment(depth + 1)),
        State::BlockComment(1) if is(0, '*') && is(1, '/') => (2, State::Code),
        State::BlockComment(depth) if is(0, '*') && is(1, '/') => (2, State::BlockComment(depth - 1)),
        State::BlockComment(depth) => (1, State::BlockComment(depth)),
        State::Text if is(0, '\\') => (2.min(chars.len() - at), State::Text),
        State::Text if is(0, '"') => (1, State::Code),
        State::Text => (1, State::Text),
        State::RawText(marks) if is(0, '"') && (1..=marks).all(|mark| is(mark, '#')) => {
            (1 + marks, State::Code)
        }
        State::RawText(marks) => (1, State::RawText(marks)),
        State::Code => in_code(chars, at),
    }
}

fn in_code(chars: &[char], at: usize) -> (usize, State) {
    let is = |offset: usize, c: char| chars.get(at + offset) == Some(&c);
    let after_word = at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_');
    if is(0, '/') && is(1, '/') {
        return (2, State::LineComment);
    }
    if is(0, '/') && is(1, '*') {
        return (2, State::BlockComment(1));
    }
    if is(0, '"') {
        return (1, State::Text);
    }
    // A raw string: r"…", r#"…"#, br"…".
    let prefix = if is(0, 'b') && is(1, 'r') { 2 } else { usize::from(is(0, 'r')) };
    if prefix > 0 && !after_word {
        let marks = chars[at + prefix..].iter().take_while(|c| **c == '#').count();
        if is(prefix + marks, '"') {
            return (prefix + marks + 1, State::RawText(marks));
        }
    }
    // A character, not a lifetime.
    if is(0, '\'') && is(1, '\\') {
        let close = chars[at + 3..].iter().position(|c| *c == '\'').unwrap_or(0);
        return (close + 4, State::Code);
    }
    if is(0, '\'') && is(2, '\'') {
        return (3, State::Code);
    }
    (1, State::Code)
}

/// The words of a line of code.
pub fn words(code: &str) -> impl Iterator<Item = &str> {
    code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_told_apart() {
        let text = "let a = \"x // y\"; // why\nlet b = r#\"z \"q\" /* \"#; /* c\n d */ let e = '\"';\nlet f: &'static str = \"\\\"g\";\n";
        let (spoken, code) = strip(text);
        assert_eq!(spoken.lines().count(), text.lines().count());
        assert!(spoken.contains("x // y") && !spoken.contains("why") && !spoken.contains(" d "));
        assert!(spoken.contains("z \"q\" /* "));
        let squeezed: Vec<String> =
            code.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(squeezed, ["let a = ;", "let b = ;", "let e = '\"';", "let f: &'static str = ;"]);
    }

    #[test]
    fn what_is_compiled_for_tests_only_is_marked() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod d;\nfn e() {}\n";
        let (spoken, code) = strip(text);
        let mut lines: Vec<Line> = (text.lines().zip(spoken.lines()).zip(code.lines()))
            .enumerate()
            .map(|(at, ((raw, spoken), code))| Line {
                number: at + 1,
                raw: raw.to_owned(),
                spoken: spoken.to_owned(),
                code: code.to_owned(),
                in_test: false,
            })
            .collect();
        mark_inline_tests(&mut lines);
        let marked: Vec<usize> = lines.iter().filter(|line| line.in_test).map(|line| line.number).collect();
        assert_eq!(marked, [3, 4, 5, 8]);
        let source = Source { path: "src/x/mod.rs".to_owned(), lines };
        assert_eq!(test_modules(&source), ["src/x/d"]);
    }
}
