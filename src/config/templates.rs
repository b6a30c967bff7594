//! The templates of briefings that an admin wrote: a directory of files.

use std::{
    io,
    path::{Path, PathBuf},
};

use handoffd_core::briefing::{Template, TemplateError, Templates};

use super::HandoffConfig;

/// The most files of a directory.
const FILES_MAX: usize = 64;

/// The longest file in bytes.
const FILE_BYTES_MAX: u64 = 64 * 1024;

/// Templates that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplatesError {
    /// A file or the directory cannot be read.
    #[error("handoff.templates: {path}: {why}")]
    Unread {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// A template is wrong.
    #[error("handoff.templates: {0}")]
    Wrong(#[from] TemplateError),
    /// Two templates cannot be told apart.
    #[error("handoff.templates: {first} and {second} {what}")]
    Doubled {
        /// A template's name.
        first: String,
        /// Another's.
        second: String,
        /// What they have in common.
        what: &'static str,
    },
    /// There are too many.
    #[error("handoff.templates: {0} holds more than {FILES_MAX} templates")]
    TooMany(PathBuf),
}

impl HandoffConfig {
    /// The templates of the directory `templates`, over the built-in one.
    pub fn templates(&self) -> Result<Templates, TemplatesError> {
        match &self.templates {
            None => Ok(Templates::default()),
            Some(dir) => Ok(Templates::new(read_dir(dir)?)),
        }
    }
}

/// One template's file.
pub fn read_template(path: &Path) -> Result<Template, TemplatesError> {
    let unread = |why| TemplatesError::Unread { path: path.to_owned(), why };
    let size = std::fs::metadata(path).map_err(unread)?.len();
    if size > FILE_BYTES_MAX {
        return Err(unread(io::Error::other(format!("is longer than {FILE_BYTES_MAX} bytes"))));
    }
    let text = std::fs::read_to_string(path).map_err(unread)?;
    Ok(Template::parse(&path.display().to_string(), &text)?)
}

/// Every `*.toml` of a directory, by name.
fn read_dir(dir: &Path) -> Result<Vec<Template>, TemplatesError> {
    let unread = |why| TemplatesError::Unread { path: dir.to_owned(), why };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).map_err(unread)? {
        let path = entry.map_err(unread)?.path();
        if path.extension().is_some_and(|end| end == "toml") {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(TemplatesError::TooMany(dir.to_owned()));
        }
    }
    files.sort();
    let mut templates: Vec<Template> = Vec::new();
    for path in &files {
        let template = read_template(path)?;
        if let Some(what) = templates.iter().find_map(|other| in_common(other, &template)) {
            let (first, second) = (what.0.to_owned(), template.name().to_owned());
            return Err(TemplatesError::Doubled { first, second, what: what.1 });
        }
        templates.push(template);
    }
    Ok(templates)
}

/// What makes one of two templates never be picked, or not to be told from the other.
fn in_common<'a>(one: &'a Template, other: &Template) -> Option<(&'a str, &'static str)> {
    if one.name() == other.name() {
        return Some((one.name(), "have the same name"));
    }
    (one.selector() == other.selector()).then(|| (one.name(), "are for the same handoffs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = include_str!("../../config/templates/german.toml");

    fn read(files: &[(&str, String)]) -> Result<Vec<Template>, TemplatesError> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        read_dir(dir.path())
    }

    #[test]
    fn every_toml_file_of_the_directory_is_a_template() {
        let other =
            EXAMPLE.replace("\"german\"", "\"french\"").replace("language = \"de\"", "language = \"fr\"");
        let files = [("b.toml", EXAMPLE.to_owned()), ("a.toml", other), ("README.md", "words".to_owned())];
        let names: Vec<String> = read(&files).unwrap().iter().map(|one| one.name().to_owned()).collect();
        assert_eq!(names, ["french", "german"]);
    }

    #[test]
    fn templates_that_cannot_be_told_apart_are_refused() {
        let twice = [("a.toml", EXAMPLE.to_owned()), ("b.toml", EXAMPLE.to_owned())];
        assert!(read(&twice).unwrap_err().to_string().contains("german and german have the same name"));
        let renamed = [("a.toml", EXAMPLE.to_owned()), ("b.toml", EXAMPLE.replace("\"german\"", "\"g2\""))];
        assert!(read(&renamed).unwrap_err().to_string().contains("german and g2 are for the same handoffs"));
    }

    #[test]
    fn an_error_names_file_line_and_key() {
        let wrong = EXAMPLE.replace("{{ goal }}", "{{ aim }}");
        let said = read(&[("a.toml", wrong)]).unwrap_err().to_string();
        assert!(said.contains("a.toml:22: line.text: uses \"aim\""), "{said}");
        let missing = HandoffConfig { templates: Some("/nowhere/at/all".into()), ..defaults() };
        assert!(missing.templates().unwrap_err().to_string().contains("/nowhere/at/all"));
        let huge = format!("{EXAMPLE}\n# {}", "x".repeat(70_000));
        assert!(read(&[("a.toml", huge)]).unwrap_err().to_string().contains("longer than"));
    }

    fn defaults() -> HandoffConfig {
        super::super::load_text("c.toml", "", &[]).unwrap().handoff
    }
}
