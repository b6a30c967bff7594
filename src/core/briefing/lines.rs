//! The head: a title of ours and a template's lines, within their words by construction.
//!
//! A line's text sees only the fields that it names, and all their evidence stands behind it; so
//! whatever a template says, no value is shown without where it can be checked.

use std::collections::BTreeMap;

use minijinja::{Environment, UndefinedBehavior};

use super::{
    Extras, HEAD_WORDS_MAX, LineId, Template, TemplateLine,
    evidence::marks,
    fields::{Shown, field},
    template::TITLE_WORDS,
    text::{clipped, one_line},
    wording::Wording,
};
use crate::model::{package::Package, time::Timestamp, turn::Proof};

/// The longest line without its evidence, in characters, for words without spaces.
const LINE_CHARS_MAX: usize = 260;

/// The most words of a line that is offered for a rewrite.
const DRAFT_WORDS_MAX: usize = 60;

/// The steps that rendering a line may take.
const FUEL: u64 = 300;

/// What a line's text sees: values by the fields' names.
pub(super) type Scope<'a> = BTreeMap<&'a str, String>;

/// A line of the head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HeadLine {
    label: String,
    /// The line up to its evidence, label included.
    body: String,
    evidence: String,
    cut: bool,
}

/// A line as it may be put into better words.
pub(crate) struct DraftLine {
    /// Which line.
    pub id: LineId,
    /// What it says.
    pub text: String,
    /// What it says it from.
    pub sources: Vec<String>,
}

impl HeadLine {
    /// The whole line.
    pub(super) fn text(&self) -> String {
        match self.evidence.is_empty() {
            true => self.body.clone(),
            false => format!("{} {}", self.body, self.evidence),
        }
    }

    fn words(&self) -> usize {
        self.body.split_whitespace().count() + usize::from(!self.evidence.is_empty())
    }

    /// Whether a note that was sent says this already: its line of this label has these words,
    /// or was cut and the words stand in the rest.
    pub(super) fn is_known(&self, sent: &str) -> bool {
        let starts = [format!("{}:", self.label), format!("{} (", self.label)];
        let of_label = |line: &&str| starts.iter().any(|start| line.starts_with(start));
        let Some(line) = sent.lines().find(of_label) else { return false };
        let holds = |text: &str| {
            let words: Vec<&str> = text.split_whitespace().map(bare).collect();
            self.body.split_whitespace().map(bare).all(|word| words.contains(&word))
        };
        holds(line) || (line.contains('…') && holds(sent))
    }
}

/// A word without the marks that cutting puts around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| matches!(c, '…' | '“' | '”' | ',' | ';' | '.' | '(' | ')'))
}

/// The head's lines, the title first. With words why the template was not used, if it was not.
pub(super) fn head(
    package: &Package,
    extras: &Extras<'_>,
    template: &Template,
    now: Timestamp,
) -> (Vec<HeadLine>, Option<String>) {
    match below_title(package, extras, template, now) {
        Ok(lines) => (titled(package, template, lines, now), None),
        Err(why) => {
            let built_in = Template::built_in();
            let lines = below_title(package, extras, &built_in, now).unwrap_or_default();
            (titled(package, &built_in, lines, now), Some(format!("{}: {why}", template.name())))
        }
    }
}

fn titled(package: &Package, template: &Template, lines: Vec<HeadLine>, now: Timestamp) -> Vec<HeadLine> {
    let title = template.wording().title(package);
    let age = super::text::age_text(now, package.handoff.detected_at).replace(' ', "");
    let title = HeadLine {
        label: title.to_owned(),
        body: clipped(title, TITLE_WORDS - 1, LINE_CHARS_MAX),
        evidence: format!("[{},{age}]", package.handoff.id),
        cut: false,
    };
    std::iter::once(title).chain(lines).collect()
}

/// The lines with their shares; what is left then goes to lines that were cut, the attempts first.
fn below_title(
    package: &Package,
    extras: &Extras<'_>,
    template: &Template,
    now: Timestamp,
) -> Result<Vec<HeadLine>, String> {
    let write = |line: &TemplateLine, words| head_line(line, words, package, extras, template.wording(), now);
    let mut lines =
        template.lines().iter().map(|line| write(line, line.words)).collect::<Result<Vec<_>, _>>()?;
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|at| !template.lines()[*at].fields.iter().any(|name| name == "attempts"));
    for at in order.into_iter().filter(|at| template.lines()[*at].words > 0) {
        let taken: usize = lines.iter().map(HeadLine::words).sum();
        let left = (HEAD_WORDS_MAX - TITLE_WORDS).saturating_sub(taken);
        if lines[at].cut && left > 0 {
            lines[at] = write(&template.lines()[at], lines[at].words() + left)?;
        }
    }
    Ok(lines)
}

/// One line in at most `words_max` words, its label and its evidence counted.
fn head_line(
    line: &TemplateLine,
    words_max: usize,
    package: &Package,
    extras: &Extras<'_>,
    wording: &Wording,
    now: Timestamp,
) -> Result<HeadLine, String> {
    let shown = shown(line, package, wording);
    let proofs: Vec<&Proof> = spread(&shown);
    let evidence = marks(&proofs, package, now);
    let rewritten = extras.rewritten.get(&line.id).filter(|_| may_rewrite(&shown));
    let label = match rewritten {
        Some(_) => format!("{} ({}):", line.label, wording.reworded),
        None => format!("{}:", line.label),
    };
    let room =
        words_max.saturating_sub(label.split_whitespace().count() + usize::from(!evidence.is_empty())).max(1);
    let body = match rewritten {
        Some(text) => one_line(text),
        None if evidence.is_empty() => missing(line, &shown, room, wording),
        None => within(line, &shown, room, wording)?,
    };
    // A value of nothing but white space, in a template without words of its own.
    let body = if one_line(&body).is_empty() { wording.none.to_owned() } else { body };
    let (fitted, cut) = closed(&body, room, LINE_CHARS_MAX - label.chars().count() - 1);
    let cut = cut || fitted.contains('…');
    Ok(HeadLine { body: format!("{label} {fitted}"), label: line.label.clone(), evidence, cut })
}

fn shown(line: &TemplateLine, package: &Package, wording: &Wording) -> Vec<Shown> {
    line.fields.iter().filter_map(|name| field(name, package, wording)).collect()
}

/// The first proof of each field, then the others' turn.
fn spread(shown: &[Shown]) -> Vec<&Proof> {
    let firsts = shown.iter().filter_map(|one| one.proofs.first());
    let others = shown.iter().flat_map(|one| one.proofs.iter().skip(1));
    firsts.chain(others).collect()
}

/// A line of which nothing is known says so in our words.
fn missing(line: &TemplateLine, shown: &[Shown], room: usize, wording: &Wording) -> String {
    let missing: Vec<(&String, &Shown)> =
        line.fields.iter().zip(shown).filter(|(_, one)| one.is_missing()).collect();
    let each = room / missing.len().max(1);
    // What the label says already is not said again.
    let text = |(name, one): &(&String, &Shown)| match missing.len() {
        1 => one.text(each, wording),
        _ if line.label.eq_ignore_ascii_case(name) => one.text(each, wording),
        _ => format!("{} {}", name.replace('_', "-"), one.text(each.saturating_sub(1), wording)),
    };
    match missing.is_empty() {
        true => wording.none.to_owned(),
        false => missing.iter().map(text).collect::<Vec<_>>().join("; "),
    }
}

/// The line's text with its values cut so that it fits.
fn within(line: &TemplateLine, shown: &[Shown], room: usize, wording: &Wording) -> Result<String, String> {
    let full: Vec<usize> = shown.iter().map(|one| words_of(&one.text(usize::MAX, wording))).collect();
    let stand_in = |words: &usize| if *words == 0 { String::new() } else { "x".to_owned() };
    let scope: Scope<'_> = line.fields.iter().map(String::as_str).zip(full.iter().map(stand_in)).collect();
    let known = full.iter().filter(|words| **words > 0).count();
    let fixed = words_of(&rendered(&line.text, &scope)?).saturating_sub(known);
    let shares = shares(&full, room.saturating_sub(fixed));
    let texts = shown.iter().zip(shares).map(|(one, words)| one.text(words, wording));
    let scope: Scope<'_> = line.fields.iter().map(String::as_str).zip(texts).collect();
    rendered(&line.text, &scope)
}

fn words_of(text: &str) -> usize {
    text.split_whitespace().count()
}

/// So many words to each that nobody gets more than it needs while another lacks some.
fn shares(needs: &[usize], room: usize) -> Vec<usize> {
    let mut shares = vec![0; needs.len()];
    let mut left = room;
    let mut order: Vec<usize> = (0..needs.len()).filter(|at| needs[*at] > 0).collect();
    order.sort_by_key(|at| needs[*at]);
    for (done, at) in order.iter().enumerate() {
        shares[*at] = needs[*at].min(left / (order.len() - done));
        left -= shares[*at];
    }
    shares
}

/// At most so many words and characters, with no quotation left open; and whether it was cut.
fn closed(text: &str, words_max: usize, chars_max: usize) -> (String, bool) {
    let mut fitted = clipped(text, words_max, chars_max);
    let cut = fitted != text;
    if fitted.matches('“').count() > fitted.matches('”').count() {
        fitted.push('”');
    }
    (fitted, cut)
}

/// Lines of which everything is known may be put into better words.
fn may_rewrite(shown: &[Shown]) -> bool {
    shown.iter().any(Shown::is_known) && !shown.iter().any(Shown::is_missing)
}

/// The lines that may be put into better words.
pub(crate) fn draft_lines(package: &Package, template: &Template) -> Vec<DraftLine> {
    let wording = template.wording();
    let draft = |line: &TemplateLine| {
        let shown = shown(line, package, wording);
        may_rewrite(&shown).then_some(())?;
        let text = within(line, &shown, DRAFT_WORDS_MAX, wording).ok()?;
        let mut sources: Vec<String> = shown.iter().map(|one| one.source(wording)).collect();
        sources.push(text.clone());
        Some(DraftLine { id: line.id.clone(), text, sources })
    };
    template.lines().iter().filter_map(draft).collect()
}

/// Nothing but `if` and output: no filters, functions, loops or other files.
pub(super) fn environment<'a>() -> Environment<'a> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment
}

/// A line's text on one line, in bounded time.
pub(super) fn rendered(text: &str, scope: &Scope<'_>) -> Result<String, String> {
    let environment = environment();
    let words = |error: minijinja::Error| error.kind().to_string();
    let template = environment.template_from_str(text).map_err(words)?;
    template.render(scope).map(|text| one_line(&text)).map_err(words)
}
