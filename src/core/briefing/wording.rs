//! Our own words in a head, by the template's language.

use crate::model::{
    handoff::HandoffKind,
    package::{Feeling, Package},
    turn::{Outcome, Party},
};

/// Our own words in one language.
#[derive(Debug)]
pub(super) struct Wording {
    pub ai_to_human: &'static str,
    pub human_to_human: &'static str,
    pub human_to_ai: &'static str,
    pub reopened: &'static str,
    pub unknown: &'static str,
    pub not_applicable: &'static str,
    pub worked: &'static str,
    pub failed: &'static str,
    pub unanswered: &'static str,
    pub none: &'static str,
    pub customer: &'static str,
    pub agent: &'static str,
    /// Marks a line that a model put into other words.
    pub reworded: &'static str,
    /// How many more there were before; `{}` is the number.
    pub before: &'static str,
    pub failed_payment: &'static str,
    pub open_invoice: &'static str,
    /// From angry to content.
    pub moods: [&'static str; 4],
    pub falling: &'static str,
    pub rising: &'static str,
}

/// English.
pub(super) const ENGLISH: Wording = Wording {
    ai_to_human: "AI handoff, for agents only",
    human_to_human: "Handoff between people, for agents only",
    human_to_ai: "Back to AI, for agents only",
    reopened: "Reopened handoff, for agents only",
    unknown: "unknown",
    not_applicable: "not applicable",
    worked: "worked",
    failed: "failed",
    unanswered: "unanswered",
    none: "none",
    customer: "customer",
    agent: "agent",
    reworded: "reworded",
    before: "(and {} before)",
    failed_payment: "failed payment",
    open_invoice: "open invoice",
    moods: ["angry", "frustrated", "neutral", "content"],
    falling: "getting worse",
    rising: "getting better",
};

/// German.
const GERMAN: Wording = Wording {
    ai_to_human: "KI-Übergabe, nur für Mitarbeitende",
    human_to_human: "Übergabe unter Mitarbeitenden, nur intern",
    human_to_ai: "Zurück an den KI-Agenten, nur intern",
    reopened: "Wieder geöffnet, nur für Mitarbeitende",
    unknown: "unbekannt",
    not_applicable: "entfällt",
    worked: "erledigt",
    failed: "gescheitert",
    unanswered: "ohne Antwort",
    none: "keine",
    customer: "Kundschaft",
    agent: "Team",
    reworded: "umformuliert",
    before: "(und {} davor)",
    failed_payment: "fehlgeschlagene Zahlung",
    open_invoice: "offene Rechnung",
    moods: ["wütend", "verärgert", "neutral", "zufrieden"],
    falling: "wird schlechter",
    rising: "wird besser",
};

/// Languages in which there are words.
pub(super) const LANGUAGES: [&str; 2] = ["en", "de"];

/// The words of a language; English where there are none.
pub(super) fn wording(language: Option<&str>) -> &'static Wording {
    match language {
        Some("de") => &GERMAN,
        _ => &ENGLISH,
    }
}

impl Wording {
    /// The title of a package's briefing.
    pub(super) fn title(&self, package: &Package) -> &'static str {
        let last = package.lineage.last().map(|hop| hop.kind);
        let came_back =
            last == Some(HandoffKind::HumanToAi) || (last.is_some() && package.handoff.from == Party::Nobody);
        match package.handoff.kind {
            HandoffKind::HumanToAi => self.human_to_ai,
            _ if came_back => self.reopened,
            HandoffKind::AiToHuman => self.ai_to_human,
            HandoffKind::HumanToHuman => self.human_to_human,
        }
    }

    pub(super) fn result(&self, result: Outcome) -> &'static str {
        match result {
            Outcome::Worked => self.worked,
            Outcome::Failed => self.failed,
            Outcome::Unclear => self.unanswered,
        }
    }

    pub(super) fn mood(&self, mood: Feeling) -> &'static str {
        let at = match mood {
            Feeling::Angry => 0,
            Feeling::Frustrated => 1,
            Feeling::Neutral => 2,
            Feeling::Content => 3,
        };
        self.moods[at]
    }
}

/// Whether a note is a briefing of ours, or says what came after one.
pub fn is_briefing(text: &str) -> bool {
    let of = |words: &Wording| [words.ai_to_human, words.human_to_human, words.human_to_ai, words.reopened];
    let mut titles = LANGUAGES.iter().flat_map(|language| of(wording(Some(language))));
    titles.any(|title| text.starts_with(title)) || text.starts_with(super::LATE_TITLE)
}
