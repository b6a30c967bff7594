//! `handoffd brief preview`: what a template makes of past handoffs, beside what was sent.

use std::path::PathBuf;

use handoffd_core::{
    HandoffId,
    briefing::{Extras, NoteLimits, Template, Templates, compose, head_of, without_evidence},
};
use serde::Serialize;

use super::{ConfigArg, Failure, handoffs, load};
use crate::{
    app::StartError,
    config::{Config, read_template},
    engine::records::HandoffDetail,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum BriefCommand {
    /// Render past handoffs with a template, beside what was sent. Writes nothing.
    #[command(
        after_help = "Examples:\n  handoffd brief preview -c handoffd.toml --last 20          with the templates of the configuration\n  handoffd brief preview --template mine.toml --last 20      with this one\n  handoffd brief preview --template mine.toml --handoff h0123456789abcdef0123 --json\n\nA template is a copy of config/templates/default.toml, changed; what is wrong in it is named\nwith its line."
    )]
    Preview {
        #[command(flatten)]
        config: ConfigArg,
        /// The template; left out: those of the configuration.
        #[arg(long, value_name = "FILE")]
        template: Option<PathBuf>,
        /// One handoff, by its id.
        #[arg(long, value_name = "ID", conflicts_with = "last")]
        handoff: Option<String>,
        /// So many of the newest.
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=200))]
        last: u16,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

/// A handoff's head as a template makes it, beside what was sent.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Preview {
    handoff: HandoffId,
    /// Name and version.
    template: String,
    /// The words of the head, evidence counted.
    words: usize,
    head: Vec<String>,
    /// The head that was sent; empty when none was.
    sent: Vec<String>,
    /// Lines that say something else than what was sent, evidence left out.
    changed: Vec<Change>,
    /// Why the template gave way to the built-in one.
    template_failed: Option<String>,
}

/// A line of a head that is not as it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Change {
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    is: Option<String>,
}

pub(super) async fn run(command: BriefCommand) -> Result<(), Failure> {
    let BriefCommand::Preview { config, template, handoff, last, json } = command;
    let config = load(&config)?;
    let own = template.map(|file| read_template(&file)).transpose();
    let own = own.map_err(|error| Failure::Start(StartError::from(error)))?;
    let templates = config.handoff.templates().map_err(StartError::from)?;
    let ids = match handoff {
        Some(id) => vec![HandoffId::new(id)],
        None => {
            let lines = handoffs::lines(&config, false).await?;
            lines.into_iter().take(usize::from(last)).map(|line| line.id).collect()
        }
    };
    let details = handoffs::details(&config, &ids).await?;
    let previews: Vec<Preview> =
        details.iter().filter_map(|detail| preview(detail, own.as_ref(), &templates, &config)).collect();
    if json {
        println!("{}", serde_json::to_string_pretty(&previews)?);
        return Ok(());
    }
    for preview in &previews {
        print!("{}", text(preview));
    }
    println!(
        "{} handoffs, {} with a head that is not as it was sent, {} without a package that is kept",
        details.len(),
        previews.iter().filter(|preview| !preview.changed.is_empty()).count(),
        details.len() - previews.len()
    );
    Ok(())
}

/// `None` when no package is kept of it.
fn preview(
    detail: &HandoffDetail,
    own: Option<&Template>,
    templates: &Templates,
    config: &Config,
) -> Option<Preview> {
    let package = detail.package.as_ref()?;
    let template = own.unwrap_or_else(|| templates.pick(package));
    let limits = NoteLimits { bytes_max: config.handoff.note_bytes_max };
    // As old as it was then.
    let then = detail.record.delivered_at.unwrap_or(detail.record.deadline);
    let briefing = compose(package, &Extras::none(), template, limits, then);
    let text = briefing.text.body().text().unwrap_or_default();
    let lines = |text: &str| -> Vec<String> { head_of(text).into_iter().map(str::to_owned).collect() };
    let (head, sent) = (lines(text), lines(detail.sent.as_deref().unwrap_or_default()));
    Some(Preview {
        handoff: detail.record.id.clone(),
        template: format!("{} {}", template.name(), template.version()),
        words: head.iter().map(|line| line.split_whitespace().count()).sum(),
        changed: changes(&sent, &head),
        head,
        sent,
        template_failed: briefing.template_failed,
    })
}

/// Lines that are in one of them only: what went, then what came.
fn changes(was: &[String], is: &[String]) -> Vec<Change> {
    let holds = |lines: &[String], line: &str| {
        lines.iter().any(|other| without_evidence(other) == without_evidence(line))
    };
    let gone = was.iter().filter(|line| !holds(is, line));
    let new = is.iter().filter(|line| !holds(was, line));
    gone.map(|line| Change { was: Some(line.clone()), is: None })
        .chain(new.map(|line| Change { was: None, is: Some(line.clone()) }))
        .collect()
}

fn text(preview: &Preview) -> String {
    let mut text = format!("{} with {}, {} words\n", preview.handoff, preview.template, preview.words);
    for line in &preview.head {
        text += &format!("    {line}\n");
    }
    if let Some(why) = &preview.template_failed {
        text += &format!("  the template cannot be rendered: {why}\n");
    }
    match (preview.sent.is_empty(), preview.changed.is_empty()) {
        (true, _) => text += "  no briefing was sent\n",
        (false, true) => text += "  it says what was sent\n",
        (false, false) => text += "  beside what was sent:\n",
    }
    for change in preview.changed.iter().filter(|_| !preview.sent.is_empty()) {
        text += &change.was.as_deref().map(|line| format!("  - {line}\n")).unwrap_or_default();
        text += &change.is.as_deref().map(|line| format!("  + {line}\n")).unwrap_or_default();
    }
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_told_without_regard_to_age() {
        let lines = |lines: &[&str]| -> Vec<String> { lines.iter().map(|line| (*line).to_owned()).collect() };
        let was = lines(&["Wants: “a” [zd#1/2,3min]", "Mood: angry [zd#1/2,3min]"]);
        let is = lines(&["Wants: “a” [zd#1/2,4min]", "Why: “b” [ada:reason,1s]"]);
        let changed = changes(&was, &is);
        assert_eq!(
            changed,
            [Change { was: Some(was[1].clone()), is: None }, Change { was: None, is: Some(is[1].clone()) },]
        );
        assert_eq!(changes(&was, &was), []);
    }
}
