//! The rest of a briefing: everything that the package holds, with where it can be checked.

use super::{
    Item,
    evidence::places,
    fields::{action_text, fact_text, tried_text},
    text::{age_text, quoted, shortened, unquoted},
};
use crate::model::{
    fact::{Fact, FactKey, Sensitivity},
    handoff::HandoffKind,
    package::{Hop, Package, Stated, Tried},
    time::Timestamp,
    turn::{Outcome, Party, Proof, Turn},
};

/// The most turns that are shown; of more, the newest.
const TURNS_MAX: usize = 60;

/// The longest turn in characters.
const TURN_CHARS_MAX: usize = 600;

/// The longest summary in characters.
const SUMMARY_CHARS_MAX: usize = 1_200;

/// The longest value in characters.
const VALUE_CHARS_MAX: usize = 400;

/// Writes items of one package.
struct Writer<'a> {
    package: &'a Package,
    now: Timestamp,
    items: Vec<Item>,
}

/// The lines of the rest.
pub(super) fn items(package: &Package, transcript: &[Turn], now: Timestamp) -> Vec<Item> {
    let mut writer = Writer { package, now, items: Vec::new() };
    writer.issue();
    writer.tried();
    writer.promised();
    writer.given();
    writer.customer();
    writer.facts();
    writer.silent();
    writer.lineage();
    writer.handoff();
    writer.left_out();
    writer.transcript(transcript);
    writer.items
}

impl Writer<'_> {
    fn heading(&mut self, text: &str) {
        self.items.push(Item::heading(text));
    }

    fn line(&mut self, text: String) {
        self.items.push(Item::new(text));
    }

    /// A statement with its evidence; the age is what changes with time.
    fn proved(&mut self, statement: &str, proofs: &[Proof]) {
        let (places, at) = places(proofs, self.package);
        let tail = match at {
            Some(at) => format!(", {} old]", age_text(self.now, at)),
            None => "]".to_owned(),
        };
        self.items.push(Item { stem: format!("- {statement} [{places}"), tail, is_heading: false });
    }

    fn stated(&mut self, name: &str, stated: &Stated<String>) {
        self.stated_within(name, stated, VALUE_CHARS_MAX);
    }

    fn stated_within(&mut self, name: &str, stated: &Stated<String>, chars_max: usize) {
        match stated {
            Stated::Known(known) => {
                let value = quoted(&shortened(&unquoted(known.value()), chars_max));
                self.proved(&format!("{name}: {value}"), known.proofs());
            }
            Stated::Unknown { why } => self.line(format!("- {name}: unknown ({})", unquoted(why))),
            Stated::NotApplicable { why } => {
                self.line(format!("- {name}: not applicable ({})", unquoted(why)));
            }
        }
    }

    /// Why a list is not there.
    fn missing<T>(&mut self, stated: &Stated<T>) {
        match stated {
            Stated::Known(_) => {}
            Stated::Unknown { why } => self.line(format!("- unknown ({})", unquoted(why))),
            Stated::NotApplicable { why } => self.line(format!("- not applicable ({})", unquoted(why))),
        }
    }

    fn issue(&mut self) {
        let package = self.package;
        self.heading("What it is about:");
        let fields = [
            ("wants", &package.issue.goal),
            ("blocked by", &package.issue.blocker),
            ("open question", &package.open_question),
            ("category", &package.issue.category),
            ("product area", &package.issue.product_area),
            ("page", &package.issue.page),
            ("subject", &package.conversation.subject),
            ("channel", &package.conversation.channel),
            ("language", &package.conversation.language),
        ];
        self.stated_within("summary, not checked", &package.issue.summary, SUMMARY_CHARS_MAX);
        for (name, stated) in fields {
            self.stated(name, stated);
        }
        if let Stated::Known(mood) = &package.mood {
            let course: Vec<String> = mood.value().course.iter().map(i8::to_string).collect();
            let feeling = super::wording::ENGLISH.mood(mood.value().now);
            let text = format!("mood: {feeling}, by message from -100 to 100: {}", course.join(" "));
            self.proved(&text, mood.proofs());
        } else if let Stated::Unknown { why } | Stated::NotApplicable { why } = &package.mood {
            self.line(format!("- mood: unknown ({})", unquoted(why)));
        }
    }

    fn tried(&mut self) {
        let package = self.package;
        self.heading("Tried, oldest first:");
        self.missing(&package.attempts);
        let tries = package.attempts.value().map_or(&[][..], Vec::as_slice);
        if tries.is_empty() && package.attempts.value().is_some() {
            self.line("- nothing".to_owned());
        }
        for one in tries {
            self.proved(&try_text(one), &one.proofs);
        }
    }

    fn promised(&mut self) {
        let package = self.package;
        self.heading("Promised, and not known to be done:");
        self.missing(&package.promises);
        let promises = package.promises.value().map_or(&[][..], Vec::as_slice);
        if promises.is_empty() && package.promises.value().is_some() {
            self.line("- nothing".to_owned());
        }
        for one in promises {
            self.proved(&format!("{}: {}", party(&one.by), quote(&one.text)), &one.proofs);
        }
    }

    fn given(&mut self) {
        if self.package.given.is_empty() {
            return;
        }
        self.heading("Given already, do not ask again:");
        for one in &self.package.given {
            let topic = shortened(&unquoted(&one.topic), 40);
            self.proved(&format!("{topic}: {}", quote(&one.value)), &one.proofs);
        }
    }

    fn customer(&mut self) {
        self.heading("Customer:");
        let who = &self.package.customer;
        for (name, stated) in [("name", &who.name), ("e-mail", &who.email), ("tier", &who.tier)] {
            self.stated(name, stated);
        }
    }

    fn facts(&mut self) {
        let mut facts: Vec<&Fact> = self.package.facts.iter().collect();
        facts.sort_by(|a, b| (&a.source, a.key).cmp(&(&b.source, b.key)));
        for of_source in facts.chunk_by(|a, b| a.source == b.source) {
            self.heading(&format!("From {}:", of_source[0].source));
            let (shown, hidden): (Vec<&Fact>, Vec<&Fact>) =
                of_source.iter().partition(|fact| fact.sensitivity == Sensitivity::Agents);
            for fact in shown {
                let at = fact.fetched_at;
                let proof = Proof::Fact { source: fact.source.clone(), record: fact.record.clone(), at };
                self.proved(&format!("{}: {}", fact_name(fact.key), fact_text(fact)), &[proof]);
            }
            if !hidden.is_empty() {
                self.line(format!("- restricted, not shown here: {}", hidden.len()));
            }
        }
    }

    fn silent(&mut self) {
        if self.package.silent.is_empty() {
            return;
        }
        self.heading("Sources that say nothing:");
        for (account, why) in &self.package.silent {
            self.line(format!("- {account}: unknown ({})", unquoted(why)));
        }
    }

    fn lineage(&mut self) {
        if self.package.lineage.is_empty() {
            return;
        }
        self.heading("Handed over before, oldest first:");
        for hop in &self.package.lineage {
            self.proved(&hop_text(hop), &[Proof::Handoff { id: hop.id.clone() }]);
        }
    }

    fn handoff(&mut self) {
        let package = self.package;
        let about = &package.handoff;
        self.heading("This handoff:");
        let (kind, from, to) = (kind_text(about.kind), party(&about.from), party(&about.to));
        let is_said = matches!(&about.to, Party::Human { name, .. } if *name == about.team);
        let team = about.team.as_ref().filter(|_| !is_said);
        let team = team.map(|team| format!(", team {}", quote(team))).unwrap_or_default();
        self.line(format!("- hop {}, {kind}: from {from} to {to}{team} at {}", about.hop, about.detected_at));
        if let Some(by) = about.take_by {
            self.line(format!("- the AI agent asks that somebody take it by {by}"));
        }
        self.stated("reason", &about.reason);
        let tickets: Vec<String> = package.conversation.tickets.iter().map(ToString::to_string).collect();
        self.line(format!(
            "- handoff {}; tickets: {}; {} messages read",
            about.id,
            tickets.join(", "),
            package.conversation.turns
        ));
    }

    fn left_out(&mut self) {
        if self.package.left_out.is_empty() {
            return;
        }
        self.heading("Left out:");
        for what in &self.package.left_out {
            self.line(format!("- {}", shortened(&unquoted(what), VALUE_CHARS_MAX)));
        }
    }

    /// What stands on no ticket, each line by whoever said it.
    fn transcript(&mut self, turns: &[Turn]) {
        if turns.is_empty() {
            return;
        }
        self.heading("Said to the AI agent and not seen on a ticket, oldest first:");
        let left_out = turns.len().saturating_sub(TURNS_MAX);
        if left_out > 0 {
            self.line(format!("- {left_out} older messages are left out"));
        }
        for turn in &turns[left_out..] {
            self.proved(&turn_text(turn), std::slice::from_ref(&turn.proof));
        }
    }
}

fn quote(text: &str) -> String {
    quoted(&shortened(&unquoted(text), VALUE_CHARS_MAX))
}

/// Who, in our words; their name is theirs.
fn party(party: &Party) -> String {
    let named = |what: &str, name: &Option<String>| match name {
        Some(name) => format!("{what} {}", quoted(&shortened(&unquoted(name), 60))),
        None => what.to_owned(),
    };
    match party {
        Party::Customer => "customer".to_owned(),
        Party::Bot { name } => named("AI agent", name),
        Party::Human { name: None, id: Some(id) } => format!("agent {}", super::evidence::word(id.as_str())),
        Party::Human { name, .. } => named("agent", name),
        Party::Nobody => "nobody".to_owned(),
    }
}

fn result_text(result: Outcome) -> &'static str {
    match result {
        Outcome::Worked => "worked",
        Outcome::Failed => "failed",
        Outcome::Unclear => "no answer is known",
    }
}

fn try_text(one: &Tried) -> String {
    let inputs = match one.inputs.is_empty() {
        true => String::new(),
        false => format!(", with {}", quote(&one.inputs)),
    };
    let outcome = match one.outcome.is_empty() {
        true => String::new(),
        false => format!(", {}", quote(&one.outcome)),
    };
    let action = tried_text(one, usize::MAX);
    format!("hop {}, {}: {action}{inputs}: {}{outcome}", one.hop, party(&one.by), result_text(one.result))
}

fn hop_text(hop: &Hop) -> String {
    let reason = hop.reason.as_deref().map(|why| format!(": {}", quote(why))).unwrap_or_default();
    format!("{}: from {} to {}{reason}", kind_text(hop.kind), party(&hop.from), party(&hop.to))
}

fn kind_text(kind: HandoffKind) -> &'static str {
    match kind {
        HandoffKind::AiToHuman => "from AI to people",
        HandoffKind::HumanToHuman => "between people",
        HandoffKind::HumanToAi => "back to AI",
    }
}

fn fact_name(key: FactKey) -> &'static str {
    match key {
        FactKey::Customer => "customer",
        FactKey::Plan => "plan",
        FactKey::OpenInvoice => "open invoice",
        FactKey::FailedPayment => "failed payment",
        FactKey::CustomerSince => "customer since",
    }
}

fn turn_text(turn: &Turn) -> String {
    let who = party(&turn.by);
    let said = match &turn.call {
        None => quoted(&shortened(&unquoted(&turn.text), TURN_CHARS_MAX)),
        Some(call) => {
            let name = action_text(&call.name, usize::MAX);
            let with =
                if call.inputs.is_empty() { String::new() } else { format!(" with {}", quote(&call.inputs)) };
            let outcome =
                if call.outcome.is_empty() { String::new() } else { format!(", {}", quote(&call.outcome)) };
            format!("called {name}{with}: {}{outcome}", result_text(call.result))
        }
    };
    let hidden = if turn.public { "" } else { " (the customer did not see it)" };
    format!("{who}: {said}{hidden}")
}
