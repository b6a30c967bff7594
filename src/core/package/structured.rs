//! A package as short values, for the custom fields of helpdesks.

use std::collections::BTreeMap;

use super::completeness;
use crate::{
    briefing::shortened,
    model::{
        handoff::HandoffKind,
        package::{Feeling, Package, Stated},
        turn::Outcome,
    },
};

/// The longest value, in characters: what the tightest text field of the three helpdesks takes.
pub const VALUE_CHARS_MAX: usize = 255;

/// Short values for a helpdesk's custom fields, by what they are: `tier`, `category`,
/// `summary`, `goal`, `blocker`, `attempts` (how many, and the last), `mood`, `product_area`, `page`, `reason`,
/// `open_question`, `promises`, `hop`, `kind`, `handoff`, `completeness` (percent). What is not
/// known is `unknown`, what cannot be is `n/a`.
pub fn structured(package: &Package) -> BTreeMap<&'static str, String> {
    let text = |field: &Stated<String>| or_why(field, String::clone);
    let values = [
        ("tier", text(&package.customer.tier)),
        ("category", text(&package.issue.category)),
        ("summary", text(&package.issue.summary)),
        ("goal", text(&package.issue.goal)),
        ("blocker", text(&package.issue.blocker)),
        ("attempts", or_why(&package.attempts, |all| attempts_text(all))),
        ("mood", or_why(&package.mood, |mood| feeling_text(mood.now).to_owned())),
        ("product_area", text(&package.issue.product_area)),
        ("page", text(&package.issue.page)),
        ("reason", text(&package.handoff.reason)),
        ("open_question", text(&package.open_question)),
        (
            "promises",
            or_why(&package.promises, |all| {
                let last = all.last().map(|promise| promise.text.as_str()).unwrap_or_default();
                format!("{}, last: {last}", all.len())
            }),
        ),
        ("hop", package.handoff.hop.to_string()),
        ("kind", kind_text(package.handoff.kind).to_owned()),
        ("handoff", package.handoff.id.to_string()),
        ("completeness", completeness(package).percent().to_string()),
    ];
    values.into_iter().map(|(name, value)| (name, shortened(&value, VALUE_CHARS_MAX))).collect()
}

fn or_why<T>(field: &Stated<T>, text: impl Fn(&T) -> String) -> String {
    match field {
        Stated::Known(known) => text(known.value()),
        Stated::Unknown { .. } => "unknown".to_owned(),
        Stated::NotApplicable { .. } => "n/a".to_owned(),
    }
}

fn attempts_text(all: &[crate::model::package::Tried]) -> String {
    let Some(last) = all.last() else { return "0".to_owned() };
    let result = match last.result {
        Outcome::Worked => "worked",
        Outcome::Failed => "failed",
        Outcome::Unclear => "outcome unclear",
    };
    format!("{}, last: {} ({result})", all.len(), shortened(&last.action, 160))
}

fn feeling_text(feeling: Feeling) -> &'static str {
    match feeling {
        Feeling::Angry => "angry",
        Feeling::Frustrated => "frustrated",
        Feeling::Neutral => "neutral",
        Feeling::Content => "content",
    }
}

fn kind_text(kind: HandoffKind) -> &'static str {
    match kind {
        HandoffKind::AiToHuman => "ai_to_human",
        HandoffKind::HumanToHuman => "human_to_human",
        HandoffKind::HumanToAi => "human_to_ai",
    }
}
