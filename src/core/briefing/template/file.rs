//! A template's file: TOML, with errors that name the line and the key.

use serde::Deserialize;
use toml::Spanned;

use super::{LINES_MAX, LineId, Selector, Template, TemplateError, TemplateLine, WORDS_MAX, check};
use crate::briefing::wording::LANGUAGES;

/// The longest file in bytes.
const FILE_BYTES_MAX: usize = 64 * 1024;

/// The longest label in characters.
const LABEL_CHARS_MAX: usize = 30;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    template: Spanned<Head>,
    line: Spanned<Vec<Spanned<Line>>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    name: Spanned<String>,
    version: String,
    #[serde(default, rename = "for")]
    selector: Selector,
    wording: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    id: Spanned<String>,
    label: Spanned<String>,
    fields: Spanned<Vec<String>>,
    text: Spanned<String>,
    words: Spanned<usize>,
}

/// Where errors stand.
struct Source<'a> {
    file: &'a str,
    text: &'a str,
}

impl Source<'_> {
    fn wrong(&self, at: usize, key: &str, why: impl Into<String>) -> TemplateError {
        let line = 1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
        TemplateError { file: self.file.to_owned(), line, key: key.to_owned(), why: why.into() }
    }
}

/// Reads and checks.
pub(super) fn read(file: &str, text: &str) -> Result<Template, TemplateError> {
    let source = Source { file, text };
    if text.len() > FILE_BYTES_MAX {
        return Err(source.wrong(0, "", format!("is longer than {FILE_BYTES_MAX} bytes")));
    }
    let read: File = toml::from_str(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        source.wrong(at, key_at(text, at), error.message())
    })?;
    let head = read.template.into_inner();
    let wording = match &head.wording {
        None => LANGUAGES[0].to_owned(),
        Some(named) if LANGUAGES.contains(&named.get_ref().as_str()) => named.get_ref().clone(),
        Some(named) => {
            let why = format!("there are words in {}", LANGUAGES.join(", "));
            return Err(source.wrong(named.span().start, "template.wording", why));
        }
    };
    plain_name(&source, "template.name", &head.name)?;
    let lines = lines(&source, &read.line)?;
    let name = head.name.into_inner();
    Ok(Template { name, version: head.version, selector: head.selector, wording, lines })
}

/// The key on whose line an error is, for errors that name none.
fn key_at(text: &str, at: usize) -> &str {
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    let line = text[start..].lines().next().unwrap_or_default();
    line.split_once('=').map_or("", |(key, _)| key.trim())
}

fn lines(
    source: &Source<'_>,
    read: &Spanned<Vec<Spanned<Line>>>,
) -> Result<Vec<TemplateLine>, TemplateError> {
    let mut lines: Vec<TemplateLine> = Vec::new();
    let mut words = 0_usize;
    for one in read.get_ref() {
        let place = one.span().start;
        if lines.len() == LINES_MAX {
            let why = format!("a head has the title and at most {LINES_MAX} lines more");
            return Err(source.wrong(place, "line", why));
        }
        let line = line(source, one.get_ref())?;
        words = words.saturating_add(line.words);
        if words > WORDS_MAX {
            let why = format!("with this line the shares are {words} words; at most {WORDS_MAX}");
            return Err(source.wrong(one.get_ref().words.span().start, "line.words", why));
        }
        if lines.iter().any(|other| other.id == line.id) {
            return Err(source.wrong(one.get_ref().id.span().start, "line.id", "is the id of two lines"));
        }
        lines.push(line);
    }
    match lines.is_empty() {
        true => Err(source.wrong(read.span().start, "line", "a template has at least one line")),
        false => Ok(lines),
    }
}

fn line(source: &Source<'_>, read: &Line) -> Result<TemplateLine, TemplateError> {
    plain_name(source, "line.id", &read.id)?;
    let label = read.label.get_ref();
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '/' | '\'' | '&');
    if label.trim().is_empty() || label.chars().count() > LABEL_CHARS_MAX || !label.chars().all(plain) {
        let why = format!("is 1 to {LABEL_CHARS_MAX} letters, digits and spaces");
        return Err(source.wrong(read.label.span().start, "line.label", why));
    }
    let line = TemplateLine {
        id: LineId(read.id.get_ref().clone()),
        label: label.trim().to_owned(),
        fields: read.fields.get_ref().clone(),
        text: read.text.get_ref().clone(),
        words: *read.words.get_ref(),
    };
    check::fields(&line).map_err(|why| source.wrong(read.fields.span().start, "line.fields", why))?;
    check::words(&line).map_err(|why| source.wrong(read.words.span().start, "line.words", why))?;
    check::text(&line).map_err(|why| source.wrong(read.text.span().start, "line.text", why))?;
    Ok(line)
}

fn plain_name(source: &Source<'_>, key: &str, name: &Spanned<String>) -> Result<(), TemplateError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let text = name.get_ref();
    match !text.is_empty() && text.len() <= 40 && text.chars().all(plain) {
        true => Ok(()),
        false => {
            let why = "has lower-case letters, digits, - and _, at most 40";
            Err(source.wrong(name.span().start, key, why))
        }
    }
}
