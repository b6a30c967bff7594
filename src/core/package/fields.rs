//! The fields of a package, each from its best source: what the helpdesk shows, what context sources
//! know, what the AI agent stated, what the conversation says.

use super::{Material, PackageRules, words};
use crate::{
    briefing::{one_line, shortened},
    model::{
        captured::PageSeen,
        handoff::{Evidence, HandoffKind, Owner},
        ids::{RemoteId, TicketKey},
        package::{Package, Stated, Tried},
        ticket::Status,
        turn::{Outcome, Party, Proof, Turn},
    },
    thread::Findings,
};

/// The longest text of a field, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 300;

/// The longest summary, in characters.
const SUMMARY_CHARS_MAX: usize = 1_200;

/// The reason where nobody gave one and the customer asked for a person.
pub(super) const ASKED_FOR_PERSON: &str = "the customer asked for a person";

/// The longest name of a group or team, in characters.
const TEAM_CHARS_MAX: usize = 80;

/// How many tickets are named.
const TICKETS_MAX: usize = 8;

/// How many turns of the customer tell of a category.
const TURNS_READ_MAX: usize = 200;

/// What is known, when the fields are filled.
pub(super) struct Known<'a> {
    pub(super) material: &'a Material<'a>,
    pub(super) rules: &'a PackageRules,
    pub(super) turns: &'a [Turn],
    pub(super) found: &'a Findings,
}

/// Text on one line; empty text is unknown.
pub(super) fn text_or(
    text: Option<&str>,
    proofs: impl IntoIterator<Item = Proof>,
    why_not: &str,
) -> Stated<String> {
    text_within(text, TEXT_CHARS_MAX, proofs, why_not)
}

fn text_within(
    text: Option<&str>,
    chars_max: usize,
    proofs: impl IntoIterator<Item = Proof>,
    why_not: &str,
) -> Stated<String> {
    let text = text.map(|text| shortened(&one_line(text), chars_max)).filter(|text| !text.is_empty());
    match text {
        Some(text) => Stated::known(text, proofs),
        None => Stated::unknown(why_not),
    }
}

/// Who owned it and who is to own it.
pub(super) fn owners(material: &Material<'_>) -> (Party, Party) {
    let kind = material.record.kind;
    let from = match (&material.record.from, kind) {
        (Some(owner), _) => party(owner, material),
        (None, HandoffKind::AiToHuman) => party(&Owner::Bot, material),
        (None, _) => Party::Human { name: None, id: None },
    };
    let to = match (&material.record.to, kind) {
        (Some(owner), _) => party(owner, material),
        (None, HandoffKind::HumanToAi) => party(&Owner::Bot, material),
        (None, _) => Party::Human { name: None, id: None },
    };
    (from, to)
}

/// The group that has it; until somebody has it, the one that the AI agent asks for.
pub(super) fn team(material: &Material<'_>) -> Option<String> {
    let group = match &material.record.to {
        Some(Owner::Human { group, .. }) => group.as_ref().map(|id| id.as_str()),
        _ => material.record.wanted.queue.as_deref(),
    }?;
    let name = material.names.get(&RemoteId::new(group)).map_or(group, String::as_str);
    Some(shortened(&one_line(name), TEAM_CHARS_MAX)).filter(|name| !name.is_empty())
}

fn party(owner: &Owner, material: &Material<'_>) -> Party {
    match owner {
        Owner::Bot => Party::Bot { name: agent_name(material) },
        Owner::Nobody => Party::Nobody,
        Owner::Human { assignee, group } => {
            let id = assignee.as_ref().or(group.as_ref()).cloned();
            super::turns::named(&Party::Human { name: None, id }, material.names)
        }
    }
}

/// The AI agent's name in the configuration, where one spoke to us.
pub(super) fn agent_name(material: &Material<'_>) -> Option<String> {
    let announced = material.record.evidence.iter().find_map(|sign| match sign {
        Evidence::Api { agent, .. } => Some(agent.clone()),
        Evidence::Native { .. } => None,
    });
    announced.or_else(|| {
        material.captured?.turns.iter().find_map(|turn| match &turn.by {
            Party::Bot { name } => name.clone(),
            _ => None,
        })
    })
}

impl Known<'_> {
    /// What the AI agent states under a name.
    pub(super) fn stated(&self, name: &str) -> Stated<String> {
        let stated = self.material.captured.and_then(|captured| captured.stated.get(name));
        let proof = stated.map(|stated| stated.proof.clone());
        text_or(stated.map(|stated| stated.value.as_str()), proof, "")
    }

    /// What the AI agent told when it handed over, under a path.
    pub(super) fn told(&self, path: &str, words: Option<&str>) -> Stated<String> {
        let agent = agent_name(self.material).unwrap_or_else(|| "AI agent".to_owned());
        text_or(words, [Proof::Told { agent, path: path.to_owned() }], "")
    }

    /// What the package before knew.
    pub(super) fn before(&self, field: impl Fn(&Package) -> &Stated<String>) -> Stated<String> {
        match self.material.previous.map(field) {
            Some(known @ Stated::Known(_)) => known.clone(),
            _ => Stated::unknown(""),
        }
    }

    pub(super) fn tickets(&self) -> Vec<TicketKey> {
        let mut tickets = self.material.tickets.clone();
        if tickets.is_empty() {
            tickets.push(self.material.record.ticket.clone());
        }
        tickets.truncate(TICKETS_MAX);
        tickets
    }

    pub(super) fn subject(&self) -> Stated<String> {
        let shown = self.material.ticket.subject.as_deref();
        self.ticket_field("subject", shown, "the ticket shows no subject")
            .or(self.before(|package| &package.conversation.subject))
    }

    pub(super) fn channel(&self) -> Stated<String> {
        Stated::unknown("neither the AI agent nor the ticket names the channel")
            .or(self.stated("channel"))
            .or(self.before(|package| &package.conversation.channel))
    }

    pub(super) fn language(&self) -> Stated<String> {
        let found = match &self.found.language {
            Stated::Known(_) => self.found.language.clone(),
            _ => Stated::unknown("too little text of the customer"),
        };
        found.or(self.stated("language")).or(self.before(|package| &package.conversation.language))
    }

    /// Why the customer's words say nothing of attempts, promises and moods, where their language has no
    /// table: there silence proves nothing.
    pub(super) fn unread(&self) -> Option<String> {
        let language = self.language();
        let code = language.value()?.to_lowercase();
        let code = code.split(['-', '_']).next().filter(|code| matches!(code.len(), 2 | 3))?;
        (!crate::thread::reads_language(code)).then(|| format!("handoffd does not read {code}"))
    }

    pub(super) fn announced(&self) -> bool {
        self.material.record.evidence.iter().any(|sign| matches!(sign, Evidence::Api { .. }))
    }

    pub(super) fn has_words_of(&self, fits: impl Fn(&Party) -> bool) -> bool {
        self.turns.iter().any(|turn| fits(&turn.by) && !turn.text.is_empty())
    }

    /// Why nothing was found in the conversation.
    pub(super) fn why_not_found(&self, what: &str) -> String {
        match self.turns.len() {
            0 => format!("no messages were read, so nothing says {what}"),
            1 => format!("the one message that was read does not say {what}"),
            turns => format!("none of the {turns} messages that were read says {what}"),
        }
    }

    pub(super) fn reason(&self) -> Stated<String> {
        let told = &self.material.record.told;
        let asked = match &self.found.asked_for_human {
            Some(proof) if self.material.record.kind == HandoffKind::AiToHuman => {
                Stated::known(ASKED_FOR_PERSON.to_owned(), [proof.clone()])
            }
            _ => Stated::unknown(""),
        };
        let why = match (self.announced(), self.material.record.kind) {
            (true, _) => "the AI agent gave no reason",
            (false, HandoffKind::AiToHuman) => "the owner changed, and the AI agent said nothing",
            (false, _) => "the owner changed, and nobody left a note",
        };
        Stated::unknown(why)
            .or(self.told("reason", told.reason.as_deref()))
            .or(self.only_ai(self.stated("reason")))
            .or(self.solved())
            .or(self.note())
            .or(asked)
            .or(self.told("summary", told.summary.as_deref()))
            .or(self.only_ai(self.stated("summary")))
    }

    /// What an AI agent states of the moment holds for its own handoff only.
    fn only_ai(&self, stated: Stated<String>) -> Stated<String> {
        match self.material.record.kind {
            HandoffKind::AiToHuman => stated,
            HandoffKind::HumanToHuman | HandoffKind::HumanToAi => Stated::unknown(""),
        }
    }

    fn solved(&self) -> Stated<String> {
        let status =
            self.material.ticket.status.filter(|_| self.material.record.kind == HandoffKind::HumanToAi);
        match status {
            Some(Status::Solved | Status::Closed) => {
                self.ticket_field("status", Some("the ticket was solved"), "")
            }
            _ => Stated::unknown(""),
        }
    }

    /// The last note that a person left for other agents.
    fn note(&self) -> Stated<String> {
        let is_note =
            |turn: &&Turn| !turn.public && matches!(turn.by, Party::Human { .. }) && turn.call.is_none();
        // A note from before the AI agent spoke last is of the handoff before.
        let by_ai = self.material.record.kind == HandoffKind::AiToHuman;
        let newer = |turn: &&Turn| !(by_ai && matches!(turn.by, Party::Bot { .. }));
        let note = self.material.turns.iter().rev().take_while(newer).find(is_note);
        text_or(note.map(|turn| turn.text.as_str()), note.map(|turn| turn.proof.clone()), "")
    }

    pub(super) fn category(&self, attempts: &[Tried]) -> Stated<String> {
        let said: Vec<&Turn> = self.customer_turns();
        let names = || {
            self.rules
                .categories
                .iter()
                .map(|(name, words)| (name.as_str(), words.iter().map(String::as_str).collect::<Vec<_>>()))
        };
        let by_words = words::most_heard(names(), &said);
        let tools: Vec<Turn> = attempts.iter().filter_map(as_turn).collect();
        let by_tools = words::most_heard(names(), &tools.iter().collect::<Vec<_>>());
        Stated::unknown(self.why_not_found("what kind of concern it is"))
            .or(self.stated("category"))
            .or(by_words.unwrap_or_else(|| Stated::unknown("")))
            .or(self.before(|package| &package.issue.category))
            .or(by_tools.unwrap_or_else(|| Stated::unknown("")))
    }

    fn customer_turns(&self) -> Vec<&Turn> {
        let said = self.turns.iter().filter(|turn| turn.by == Party::Customer);
        said.take(TURNS_READ_MAX).collect()
    }

    pub(super) fn goal(&self) -> Stated<String> {
        let told = &self.material.record.told;
        Stated::unknown(self.why_not_found("what the customer wants"))
            .or(self.stated_since("goal"))
            .or(self.new_wish())
            .or(self.only_ai(self.stated("goal")))
            .or(self.before(|package| &package.issue.goal))
            .or(self.stated("goal"))
            .or(self.found.goal.clone())
            .or(self.told("summary", told.summary.as_deref()))
            .or(self.told("transcript", told.customer_wants.as_deref()))
            .or(self.stated("summary"))
            .or(self.ticket_field("subject", self.material.ticket.subject.as_deref(), ""))
    }

    /// What the AI agent states, unless it is as old as the handoff before.
    fn stated_since(&self, name: &str) -> Stated<String> {
        let stated = self.only_ai(self.stated(name));
        let Some(previous) = self.material.previous else { return stated };
        match stated.proofs() {
            [Proof::Event { at: Some(at), .. }, ..] if *at > previous.handoff.detected_at => stated,
            _ => Stated::unknown(""),
        }
    }

    /// What the customer wishes since the handoff before, where it is another wish than that one's goal.
    fn new_wish(&self) -> Stated<String> {
        let Some(previous) = self.material.previous else { return Stated::unknown("") };
        let Some(goal) = previous.issue.goal.value() else { return Stated::unknown("") };
        let last = previous.conversation.until.unwrap_or(previous.handoff.detected_at);
        let since: Vec<Turn> =
            self.turns.iter().filter(|turn| turn.at.is_some_and(|at| at > last)).cloned().collect();
        let wish = crate::thread::new_wish(&since, goal, &self.rules.thread);
        wish.unwrap_or_else(|| Stated::unknown(""))
    }

    /// What an AI agent says of it all; another's of before goes on.
    pub(super) fn summary(&self) -> Stated<String> {
        let agent = agent_name(self.material).unwrap_or_else(|| "AI agent".to_owned());
        let told = self.material.record.told.summary.as_deref();
        let told =
            text_within(told, SUMMARY_CHARS_MAX, [Proof::Told { agent, path: "summary".to_owned() }], "");
        let state = self.material.captured.and_then(|captured| captured.stated.get("summary"));
        let proof = state.map(|state| state.proof.clone());
        // What was streamed after the handoff was announced is newer than what was told with it.
        let is_newer =
            matches!(proof, Some(Proof::Event { at: Some(at), .. }) if at > self.material.record.detected_at);
        let state = text_within(state.map(|state| state.value.as_str()), SUMMARY_CHARS_MAX, proof, "");
        let state = self.only_ai(state);
        let (first, second) = if is_newer { (state, told) } else { (told, state) };
        let known = first.or(second).or(self.before(|package| &package.issue.summary));
        if known.value().is_some() { known } else { self.no_summary() }
    }

    /// Only an AI agent that speaks to us can give one.
    fn no_summary(&self) -> Stated<String> {
        match self.announced() || self.material.captured.is_some() {
            true => Stated::unknown("the AI agent gave no summary"),
            false => Stated::not_applicable("no AI agent that speaks to handoffd handed it over"),
        }
    }

    /// How many texts that were told outright are kept in part only.
    pub(super) fn cut_texts(&self) -> u64 {
        let told = &self.material.record.told;
        let is_long = |text: &str, max: usize| one_line(text).chars().nth(max).is_some();
        let told = [(told.reason.as_deref(), TEXT_CHARS_MAX), (told.summary.as_deref(), SUMMARY_CHARS_MAX)];
        let told = told.iter().filter(|(text, max)| text.is_some_and(|text| is_long(text, *max))).count();
        let stated = self.material.captured.into_iter().flat_map(|captured| &captured.stated);
        let stated = stated
            .filter(|(name, stated)| match name.as_str() {
                "summary" => is_long(&stated.value, SUMMARY_CHARS_MAX),
                _ => is_long(&stated.value, TEXT_CHARS_MAX),
            })
            .count();
        (told + stated) as u64
    }

    pub(super) fn blocker(&self, attempts: &[Tried]) -> Stated<String> {
        let told = &self.material.record.told;
        Stated::unknown(self.why_not_found("what stands in their way"))
            .or(self.only_ai(self.stated("blocker")))
            .or(self.found.blocker.clone())
            .or(last_failed(attempts))
            .or(self.shown_error())
            .or(self.before(|package| &package.issue.blocker))
            .or(self.stated("blocker"))
            .or(self.told("summary", told.summary.as_deref().and_then(hindrance)))
            .or(self.told("reason", told.reason.as_deref().and_then(hindrance)))
            .or(self.repeated_failure())
    }

    fn last_page(&self) -> Option<&PageSeen> {
        self.material.captured?.pages.last()
    }

    fn shown_error(&self) -> Stated<String> {
        let page = self
            .material
            .captured
            .and_then(|captured| captured.pages.iter().rev().find(|page| page.error.is_some()));
        text_or(page.and_then(|page| page.error.as_deref()), page.map(|page| page.proof.clone()), "")
    }

    /// The action or error code that failed most.
    fn repeated_failure(&self) -> Stated<String> {
        let Some(behaviour) = self.material.captured.map(|captured| &captured.behaviour) else {
            return Stated::unknown("");
        };
        let most = behaviour.failed.iter().chain(&behaviour.errors).max_by_key(|(_, (times, _))| *times);
        let words = most.map(|(name, (times, _))| format!("{name} failed {times} times"));
        text_or(words.as_deref(), most.map(|(_, (_, proof))| proof.clone()), "")
    }

    pub(super) fn product_area(&self) -> Stated<String> {
        let page = self.last_page();
        let area = page.and_then(|page| {
            page.area.clone().or_else(|| crate::capture::area_of(&page.page, &self.rules.areas))
        });
        let from_page = text_or(area.as_deref(), page.map(|page| page.proof.clone()), "");
        let mut areas: Vec<&str> = self.rules.areas.iter().map(|(_, area)| area.as_str()).collect();
        areas.sort_unstable();
        areas.dedup();
        let said = self.customer_turns();
        let heard = words::most_heard(areas.into_iter().map(|area| (area, vec![area])), &said);
        let why = match self.material.captured {
            Some(_) => "the AI agent named none, and no page or product event came",
            None => "no page was seen, and nobody named one",
        };
        Stated::unknown(why)
            .or(self.stated("product_area"))
            .or(self.stated("area"))
            .or(from_page)
            .or(self.longest_stay())
            .or(heard.unwrap_or_else(|| Stated::unknown("")))
            .or(self.before(|package| &package.issue.product_area))
    }

    /// Where in the product they were longest; its proof is the stream's last event.
    fn longest_stay(&self) -> Stated<String> {
        let Some(captured) = self.material.captured else { return Stated::unknown("") };
        let longest = captured.behaviour.dwell_secs.iter().max_by_key(|(_, secs)| **secs);
        let id = format!("{} product events", captured.behaviour.events);
        let at = Some(captured.at).filter(|at| at.0 > 0);
        text_or(longest.map(|(area, _)| area.as_str()), [Proof::Event { id, at }], "")
    }

    pub(super) fn page(&self) -> Stated<String> {
        let page = self.last_page();
        let none = match (self.material.captured, self.material.record.kind) {
            (None, HandoffKind::HumanToHuman | HandoffKind::HumanToAi) => {
                Stated::not_applicable("no widget reports pages in this conversation")
            }
            (None, HandoffKind::AiToHuman) => Stated::unknown("nothing came from the AI agent's stream"),
            (Some(_), _) => Stated::unknown("no page view came"),
        };
        let seen = text_or(page.map(|page| page.page.as_str()), page.map(|page| page.proof.clone()), "");
        let known = Stated::unknown("")
            .or(seen)
            .or(self.stated("page"))
            .or(self.before(|package| &package.issue.page));
        if known.value().is_some() { known } else { none }
    }

    pub(super) fn open_question(&self) -> Stated<String> {
        let found = match (&self.found.open_question, self.has_words_of(|by| *by == Party::Customer)) {
            (known @ Stated::Known(_), _) => known.clone(),
            (_, false) => {
                // Nothing new from the customer: what was open before is open unless a person answered.
                let answered =
                    self.turns.iter().any(|turn| turn.public && matches!(turn.by, Party::Human { .. }));
                let before = self.before(|package| &package.open_question);
                return match (answered, before.value()) {
                    (false, Some(_)) => before,
                    (true, Some(_)) => Stated::not_applicable("a person answered since it was asked"),
                    _ => Stated::unknown(self.why_not_found("what the customer asks"))
                        .or(self.stated("open_question")),
                };
            }
            (Stated::NotApplicable { why }, true) => Stated::not_applicable(why.clone()),
            (_, true) => Stated::not_applicable("the customer asked nothing that is unanswered"),
        };
        match self.only_ai(self.stated("open_question")) {
            stated @ Stated::Known(_) => stated,
            _ => found,
        }
    }

    /// Why there are no attempts.
    pub(super) fn no_attempts(&self) -> Stated<Vec<Tried>> {
        if let Some(why) = self.unread() {
            return Stated::unknown(why);
        }
        let turns = self.turns.len();
        let steps_came = self
            .material
            .captured
            .is_some_and(|captured| captured.turns.iter().any(|turn| matches!(turn.by, Party::Bot { .. })));
        let people_spoke = self.has_words_of(|by| matches!(by, Party::Human { .. }));
        match (self.material.record.kind, steps_came || people_spoke) {
            (_, true) => {
                Stated::not_applicable(format!("nobody took a step in the {turns} messages that were read"))
            }
            (HandoffKind::AiToHuman, false) => Stated::unknown("no transcript came from the AI agent"),
            (_, false) => Stated::unknown("no message of the last owner was read"),
        }
    }
}

/// An attempt's words as a turn, to be searched for words.
fn as_turn(tried: &Tried) -> Option<Turn> {
    let proof = tried.proofs.first()?.clone();
    Some(Turn {
        proof,
        by: tried.by.clone(),
        at: tried.at,
        public: false,
        text: tried.action.clone(),
        call: None,
    })
}

fn last_failed(attempts: &[Tried]) -> Stated<String> {
    let failed = attempts.iter().rev().find(|tried| tried.result == Outcome::Failed);
    let words = failed.map(|tried| match tried.outcome.is_empty() {
        true => format!("{} failed", tried.action),
        false => format!("{}: {}", tried.action, tried.outcome),
    });
    text_or(words.as_deref(), failed.map(|tried| tried.proofs.clone()).unwrap_or_default(), "")
}

/// Words that tell of something in the way.
const HINDERS: [&str; 24] = [
    "but ",
    "however",
    "cannot",
    "can't",
    "can not",
    "could not",
    "couldn't",
    "unable",
    "not able",
    "not allowed",
    "not eligible",
    "does not allow",
    "doesn't",
    "did not",
    "didn't",
    "not possible",
    "failed",
    "fails",
    "error",
    "refused",
    "denied",
    "declined",
    "missing",
    "not available",
];

/// The first sentence that tells of something in the way.
fn hindrance(words: &str) -> Option<&str> {
    let sentences = words.split_inclusive(['.', '!', '?', '\n', ';']).map(str::trim);
    sentences.into_iter().find(|sentence| {
        let sentence = sentence.to_lowercase();
        HINDERS.iter().any(|hinders| sentence.contains(hinders))
    })
}
