//! What the next owner reads: a head of at most eight lines and 120 words, and the whole
//! package folded below it.
//!
//! Every statement ends with where it can be checked and how old it is. What is not known
//! says so and why. What somebody else wrote stands in quotation marks on one line, so that
//! it can neither add a line nor pass for a line of ours.

mod detail;
mod evidence;
mod fields;
mod lines;
mod template;
#[cfg(test)]
pub(crate) mod tests;
pub mod text;
mod wording;

use std::{collections::BTreeMap, fmt};

pub use template::{LineId, Selector, Template, TemplateError, TemplateLine, Templates};
pub use text::{day_text, money_text, one_line, shortened};
pub use wording::is_briefing;

pub(crate) use lines::{DraftLine, draft_lines};

use crate::model::{
    comment::{Body, PrivateText},
    package::Package,
    person::Person,
    ticket::Status,
    time::Timestamp,
    turn::Turn,
};

/// How the briefing of a handoff from an AI agent to a human begins.
pub const TITLE: &str = wording::ENGLISH.ai_to_human;

/// How the note begins that says what came after the briefing.
pub const LATE_TITLE: &str = "Came after the handoff briefing above:";

/// The most lines of a briefing's head.
pub const HEAD_LINES_MAX: usize = 8;

/// The most words of a briefing's head, its evidence counted.
pub const HEAD_WORDS_MAX: usize = 120;

/// What stands between the head and the rest.
const SEPARATOR: &str = "----------------------------------------";

/// What a briefing says of the ticket itself.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct TicketFacts {
    /// The subject; `None` when it is not known.
    pub subject: Option<String>,
    /// Who asked; `None` when it is not known.
    pub requester: Option<Person>,
    /// Where it stands; `None` when it is not known.
    pub status: Option<Status>,
}

impl fmt::Debug for TicketFacts {
    /// Ticket text never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TicketFacts({:?})", self.status)
    }
}

/// The bounds of a note.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoteLimits {
    /// The longest note in bytes. The head is never cut for it.
    pub bytes_max: usize,
}

/// A note for the next owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Briefing {
    /// What it says.
    pub text: PrivateText,
    /// Something did not fit and was left out, with a notice.
    pub cut: bool,
    /// Why the template could not be used and the built-in one was, in words for an admin.
    pub template_failed: Option<String>,
    /// The name and version of the template that made it.
    pub template: String,
}

/// What a briefing holds beside its package.
#[derive(Clone, Copy)]
pub struct Extras<'a> {
    /// What was said and done before and stands on no ticket, oldest first.
    pub transcript: &'a [Turn],
    /// Lines of the head in better words, by line. They were accepted against the package.
    pub rewritten: &'a BTreeMap<LineId, String>,
}

impl Extras<'static> {
    /// Nothing.
    pub fn none() -> Self {
        static NOTHING: BTreeMap<LineId, String> = BTreeMap::new();
        Self { transcript: &[], rewritten: &NOTHING }
    }
}

impl fmt::Debug for Extras<'_> {
    /// What was said never reaches a log.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Extras({} turns, {} lines)", self.transcript.len(), self.rewritten.len())
    }
}

/// One line of the rest.
struct Item {
    /// The line up to where it changes with time: by this it is known again.
    stem: String,
    /// The remainder, for instance the age.
    tail: String,
    is_heading: bool,
}

impl Item {
    fn new(stem: impl Into<String>) -> Self {
        Self { stem: stem.into(), tail: String::new(), is_heading: false }
    }

    fn heading(stem: impl Into<String>) -> Self {
        Self { is_heading: true, ..Self::new(stem) }
    }

    /// Whether a line that was sent is this one, whatever its age was then.
    fn is_line(&self, line: &str) -> bool {
        let Some(tail) = line.strip_prefix(&self.stem) else { return false };
        match self.tail.is_empty() {
            true => tail.is_empty(),
            false => tail == "]" || tail.starts_with(", ") && tail.ends_with(" old]"),
        }
    }

    fn line(&self) -> String {
        format!("{}{}", self.stem, self.tail)
    }
}

/// The briefing of a handoff.
///
/// Composed anew after more became known it is the whole text of the rewritten note. A template
/// that cannot be rendered gives way to the built-in one.
pub fn compose(
    package: &Package,
    extras: &Extras<'_>,
    template: &Template,
    limits: NoteLimits,
    now: Timestamp,
) -> Briefing {
    let (head, failed) = lines::head(package, extras, template, now);
    let head: Vec<String> = head.iter().map(lines::HeadLine::text).collect();
    let rest: Vec<String> = detail::items(package, extras.transcript, now).iter().map(Item::line).collect();
    Briefing { template: used(template, failed.is_some()), ..note(&head, &rest, package, limits, failed) }
}

/// A follow-up with what the briefing that was sent did not say yet, for
/// helpdesks that cannot rewrite a note. `None` when there is nothing.
///
/// `sent` is the text of that briefing; an empty one has said nothing.
pub fn compose_late(
    package: &Package,
    sent: &str,
    extras: &Extras<'_>,
    template: &Template,
    limits: NoteLimits,
    now: Timestamp,
) -> Option<Briefing> {
    let (head, failed) = lines::head(package, extras, template, now);
    let new = head.iter().skip(1).filter(|line| !line.is_known(sent));
    let mut head: Vec<String> = new.map(lines::HeadLine::text).collect();
    let known = |item: &Item| sent.lines().any(|line| item.is_line(line));
    let rest = new_lines(&detail::items(package, extras.transcript, now), known);
    if head.is_empty() && rest.is_empty() {
        return None;
    }
    head.insert(0, LATE_TITLE.to_owned());
    let template = used(template, failed.is_some());
    Some(Briefing { template, ..note(&head, &rest, package, limits, failed) })
}

/// The name and version of the template that was used.
fn used(template: &Template, failed: bool) -> String {
    let named = |template: &Template| format!("{} {}", template.name(), template.version());
    if failed { named(&Template::built_in()) } else { named(template) }
}

/// The head of a briefing's text: its lines above the folded part.
pub fn head_of(text: &str) -> Vec<&str> {
    text.lines().take_while(|line| *line != SEPARATOR).collect()
}

/// A line of a head without its evidence.
pub fn without_evidence(line: &str) -> &str {
    match line.rfind(" [") {
        Some(at) if line.ends_with(']') => &line[..at],
        _ => line,
    }
}

/// The items that are not known, under their headings.
fn new_lines(items: &[Item], known: impl Fn(&Item) -> bool) -> Vec<String> {
    let mut lines = Vec::new();
    let mut heading = None;
    for item in items {
        if item.is_heading {
            heading = Some(item.line());
        } else if !known(item) {
            lines.extend(heading.take());
            lines.push(item.line());
        }
    }
    lines
}

/// The note's text: the head whole, then as many lines of the rest as fit.
fn note(
    head: &[String],
    rest: &[String],
    package: &Package,
    limits: NoteLimits,
    template_failed: Option<String>,
) -> Briefing {
    let mut text = head.join("\n");
    let whole = rest.iter().map(|line| line.len() + 1).sum::<usize>() + SEPARATOR.len() + 1;
    let cut = text.len() + whole > limits.bytes_max;
    let id = &package.handoff.id;
    let notice = format!("[Cut here: the rest does not fit into a note. Handoff {id} keeps all of it.]");
    let room = if cut { limits.bytes_max.saturating_sub(notice.len() + 1) } else { limits.bytes_max };
    for line in std::iter::once(SEPARATOR).chain(rest.iter().map(String::as_str)) {
        if text.len() + 1 + line.len() > room {
            break;
        }
        text.push('\n');
        text.push_str(line);
    }
    if cut {
        text.push('\n');
        text.push_str(&notice);
    }
    Briefing { text: PrivateText::new(Body::inline(&text)), cut, template_failed, template: String::new() }
}
