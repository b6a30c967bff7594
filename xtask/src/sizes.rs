//! `cargo xtask sizes`: how much of what there is, for reports.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result};

/// How many of the longest files are shown.
const LONGEST: usize = 15;

/// The time, for measuring steps.
#[expect(clippy::disallowed_methods, reason = "the steps of a build are measured; nothing is decided by it")]
pub fn now() -> Instant {
    Instant::now()
}

/// What is counted of a package or a module.
#[derive(Default)]
struct Count {
    files: usize,
    lines: usize,
    test_lines: usize,
    tests: usize,
}

impl Count {
    fn add(&mut self, file: &File) {
        self.files += 1;
        self.lines += file.lines;
        self.test_lines += file.test_lines;
        self.tests += file.tests;
    }
}

struct File {
    path: String,
    lines: usize,
    test_lines: usize,
    tests: usize,
}

/// Prints lines by package, the longest files, and tests by module.
pub fn print(root: &Path) -> Result<()> {
    let mut files = Vec::new();
    for top in ["src", "connectors", "xtask", "tests"] {
        collect(root, &root.join(top), &mut files)?;
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    table("lines by package", &files, package);
    table("tests by module", &files, module);
    files.sort_by_key(|file| std::cmp::Reverse(file.lines));
    println!("\nlongest files");
    for file in files.iter().take(LONGEST) {
        println!("{:>7}  {}", file.lines, file.path);
    }
    Ok(())
}

fn table(title: &str, files: &[File], group: fn(&str) -> String) {
    let mut counts: BTreeMap<String, Count> = BTreeMap::new();
    let mut all = Count::default();
    for file in files {
        counts.entry(group(&file.path)).or_default().add(file);
        all.add(file);
    }
    println!("\n{title}\n  files    lines  of tests    tests");
    for (name, count) in counts.iter().chain([(&"in all".to_owned(), &all)]) {
        println!(
            "{:>7}  {:>7}  {:>8}  {:>7}  {name}",
            count.files, count.lines, count.test_lines, count.tests
        );
    }
}

fn package(path: &str) -> String {
    let package = match path.split('/').collect::<Vec<_>>()[..] {
        ["src", "core", ..] => "handoffd-core",
        ["connectors", ..] => "handoffd-connectors",
        ["xtask", ..] => "xtask",
        _ => "handoffd",
    };
    package.to_owned()
}

/// The folder that a layer of tests belongs to: `src/store`, `connectors/zendesk/sim`, `tests/layout`.
fn module(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').collect();
    let depth = if parts.get(2) == Some(&"sim") || parts[..2] == ["src", "core"] { 3 } else { 2 };
    let folders = &parts[..parts.len() - 1];
    let name =
        folders.iter().take(depth).filter(|part| **part != "tests" || folders[0] == "tests" || depth == 3);
    name.copied().collect::<Vec<_>>().join("/")
}

fn collect(root: &Path, dir: &Path, files: &mut Vec<File>) -> Result<()> {
    let Ok(entries) = fs::read_dir(dir) else { return Ok(()) };
    for entry in entries {
        let path = entry?.path();
        if path.is_dir() {
            collect(root, &path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(read(root, path)?);
        }
    }
    Ok(())
}

fn read(root: &Path, path: PathBuf) -> Result<File> {
    let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let path = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
    let lines = text.lines().count();
    let test_file =
        path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "conformance.rs");
    let before = text.lines().take_while(|line| line.trim() != "#[cfg(test)]").count();
    let test_lines = if test_file { lines } else { lines - before };
    let is_test = |line: &&str| {
        let line = line.trim();
        line == "#[test]" || line.starts_with("#[tokio::test") || line.starts_with("#[test_")
    };
    let tests = text.lines().filter(is_test).count();
    Ok(File { path, lines, test_lines, tests })
}
