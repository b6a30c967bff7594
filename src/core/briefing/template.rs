//! Templates: which lines a head has. A file of its own each, read whole and checked before any
//! handoff needs it.

mod check;
mod file;
#[cfg(test)]
pub(crate) mod tests;

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{HEAD_LINES_MAX, HEAD_WORDS_MAX};
use crate::model::{
    handoff::HandoffKind,
    package::{About, Package},
    turn::Party,
};

/// The template that is used where no other fits.
const BUILT_IN: &str = include_str!("../../../config/templates/default.toml");

/// The words of a head that are the title's.
pub(super) const TITLE_WORDS: usize = 8;

/// The most lines of a template: the title is ours.
pub(super) const LINES_MAX: usize = HEAD_LINES_MAX - 1;

/// The most words that a template's lines may take together.
pub(super) const WORDS_MAX: usize = HEAD_WORDS_MAX - TITLE_WORDS;

/// The name of a line within its template.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LineId(pub String);

impl From<&str> for LineId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl fmt::Display for LineId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// For which handoffs a template is. What is not said fits all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selector {
    /// The package's category.
    pub category: Option<String>,
    /// The name of the team or person that is to own it.
    pub team: Option<String>,
    /// The language that the customer writes, ISO 639-1.
    pub language: Option<String>,
    /// Between whom.
    pub kind: Option<HandoffKind>,
}

/// One line of a head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateLine {
    /// Its name.
    pub id: LineId,
    /// What stands before the colon.
    pub label: String,
    /// The package's fields that its text sees.
    pub fields: Vec<String>,
    /// What stands after the colon: minijinja's `{{ field }}` and `{% if field %}`.
    pub text: String,
    /// Its share of the head's words, the label and the evidence counted.
    pub words: usize,
}

/// The lines of a head below the title. One that exists was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its name.
    name: String,
    /// Its version, as its author counts.
    version: String,
    /// For which handoffs it is.
    selector: Selector,
    /// The language of our own words.
    wording: String,
    /// The lines, from above.
    lines: Vec<TemplateLine>,
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct TemplateError {
    /// The file.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// The key; empty where the text is no TOML.
    pub key: String,
    /// What is wrong and what to write instead.
    pub why: String,
}

impl fmt::Display for TemplateError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: ", self.file, self.line)?;
        if !self.key.is_empty() {
            write!(out, "{}: ", self.key)?;
        }
        out.write_str(&self.why)
    }
}

impl Template {
    /// Reads a template's file and checks it whole: its bounds, its fields, and that each line
    /// can be rendered.
    pub fn parse(file: &str, text: &str) -> Result<Self, TemplateError> {
        file::read(file, text)
    }

    /// The template that is used where no other fits.
    pub fn built_in() -> Self {
        Self::parse("default.toml", BUILT_IN).expect("a test reads the embedded template")
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version, as its author counts.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// For which handoffs it is.
    pub fn selector(&self) -> &Selector {
        &self.selector
    }

    /// The lines below the title, from above.
    pub fn lines(&self) -> &[TemplateLine] {
        &self.lines
    }

    pub(super) fn wording(&self) -> &'static super::wording::Wording {
        super::wording::wording(Some(&self.wording))
    }
}

impl Selector {
    /// How exactly it names this package; `None` when it is not for it. The team weighs most,
    /// then the category, the language and the kind.
    fn fits(&self, package: &Package) -> Option<u8> {
        let category = package.issue.category.value().map(String::as_str);
        let language = package.conversation.language.value().map(String::as_str);
        let mut weight = 0;
        if let Some(team) = &self.team {
            let is_it = |name: &&String| name.to_lowercase() == team.to_lowercase();
            owners(&package.handoff).find(is_it)?;
            weight += 8;
        }
        let asked = [(&self.category, category, 4), (&self.language, language, 2)];
        for (wanted, shown, weighs) in asked {
            let Some(wanted) = wanted else { continue };
            if shown.map(str::to_lowercase) != Some(wanted.to_lowercase()) {
                return None;
            }
            weight += weighs;
        }
        match self.kind {
            Some(kind) if kind != package.handoff.kind => None,
            Some(_) => Some(weight + 1),
            None => Some(weight),
        }
    }
}

/// Who is to own it, by name: the person, and the team that the person works in.
fn owners(handoff: &About) -> impl Iterator<Item = &String> {
    let to = match &handoff.to {
        Party::Human { name, .. } | Party::Bot { name } => name.as_ref(),
        Party::Customer | Party::Nobody => None,
    };
    to.into_iter().chain(&handoff.team)
}

/// The templates of a daemon: the admin's, and the built-in one below them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Templates {
    own: Vec<Template>,
    built_in: Template,
}

impl Default for Templates {
    fn default() -> Self {
        Self { own: Vec::new(), built_in: Template::built_in() }
    }
}

impl Templates {
    /// An admin's templates, in the order of their files.
    pub fn new(own: Vec<Template>) -> Self {
        Self { own, ..Self::default() }
    }

    /// The template that names this package most exactly; of several the first.
    pub fn pick(&self, package: &Package) -> &Template {
        let fitting = self.own.iter().filter_map(|one| Some((one.selector.fits(package)?, one)));
        // The last of the highest is taken, so from behind it is the first.
        let best = fitting.rev().max_by_key(|(weight, _)| *weight);
        best.map_or(&self.built_in, |(_, template)| template)
    }

    /// The admin's templates.
    pub fn own(&self) -> &[Template] {
        &self.own
    }
}
