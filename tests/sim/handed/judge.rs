//! What must hold at the end of a life.

use std::{collections::BTreeMap, time::Duration};

use handoffd::store::{
    Key, Store,
    tables::{self, HANDOFFS, INTENTS, IntentRow, JOURNAL, JournalRow, PACKAGES, PARKED, ParkedRow},
};
use handoffd_connectors::sim::{ShownComment, ShownTicket, Who};
use handoffd_core::{
    Handoff, HandoffKind, HandoffState, LinkId, TicketKey, Timestamp,
    briefing::{TITLE, is_briefing},
    fold_text,
    handoff::{breach, is_open},
    link::Link,
    model::{package::Package, turn::Party},
};

use super::{
    oracle::{Change, Hands, Said, Tale},
    play::Stage,
    script::SETTLED,
    stage::{HOLDING, Marks},
};
use crate::shown::{LATE, words_of};

/// Which kinds end in a note on the next owner's ticket.
const BRIEFED: [HandoffKind; 2] = [HandoffKind::AiToHuman, HandoffKind::HumanToHuman];

/// How long the sources may take, and a moment for the look that finds them late.
const HELD_MAX: Duration = Duration::from_millis(5_500);

/// Within what time handing over again and again is a loop.
const LOOP: Duration = Duration::from_secs(3_600);

/// What was found at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What must not be.
    pub broken: Vec<String>,
    /// What is allowed where an answer was truly lost, by kind.
    pub excused: BTreeMap<String, u32>,
}

/// Judges one life.
struct Judge<'a> {
    stage: &'a Stage,
    handoffs: Vec<Handoff>,
    packages: BTreeMap<String, Package>,
    parked: Vec<ParkedRow>,
    /// When each link was known first.
    known: BTreeMap<LinkId, Timestamp>,
    verdict: Verdict,
}

/// Judges the end of a life.
pub async fn judge(stage: &Stage, log: &str) -> Verdict {
    let store = &*stage.life.engine().parts().store;
    let all = Key(Vec::new());
    let parked = tables::read_all::<ParkedRow>(store, PARKED, &all, 10_000).await.expect("readable rows");
    let intents = tables::read_all::<IntentRow>(store, INTENTS, &all, 10_000).await.expect("readable rows");
    let handoffs = tables::read_all::<Handoff>(store, HANDOFFS, &all, 10_000).await.expect("readable rows");
    let packages = packages(store, &handoffs).await;
    let mut judge = Judge {
        stage,
        packages,
        handoffs: handoffs.into_iter().map(|(_, row)| row.value).collect(),
        parked: parked.into_iter().map(|(_, row)| row.value).collect(),
        known: known(store).await,
        verdict: Verdict::default(),
    };
    for (key, row) in intents {
        judge.breaks(format!("the write {key:?} is not settled: {:?}", row.value.last_error));
    }
    for deed in &stage.undone {
        judge.breaks(format!("this could not be done for half an hour: {deed}"));
    }
    judge.parked_rows();
    judge.records();
    judge.holds().await;
    for (number, tale) in &stage.oracle.tales {
        judge.tale(*number, tale);
    }
    judge.private_stays_private();
    judge.log(log);
    judge.verdict
}

/// The package of each handoff that has one; what an AI agent gets back is none.
async fn packages(store: &dyn Store, handoffs: &[(Key, tables::Row<Handoff>)]) -> BTreeMap<String, Package> {
    let mut all = BTreeMap::new();
    for (key, row) in handoffs.iter().filter(|(_, row)| BRIEFED.contains(&row.value.kind)) {
        let package = tables::read::<Package>(store, PACKAGES, key).await.expect("a readable row");
        all.extend(package.map(|package| (row.value.id.to_string(), package.value)));
    }
    all
}

/// When the journal tells of each link first.
async fn known(store: &dyn Store) -> BTreeMap<LinkId, Timestamp> {
    let rows = tables::read_all::<JournalRow>(store, JOURNAL, &Key(Vec::new()), 100_000).await;
    let mut known = BTreeMap::new();
    for (key, _) in rows.expect("readable rows") {
        let at = key.parts()[1].get(..13).and_then(|at| at.parse().ok()).map(Timestamp);
        known.entry(LinkId::from(key.parts()[0].as_str())).or_insert(at.expect("a row begins with its time"));
    }
    known
}

impl Judge<'_> {
    fn breaks(&mut self, what: String) {
        self.verdict.broken.push(what);
    }

    fn excuse(&mut self, kind: &str) {
        *self.verdict.excused.entry(kind.to_owned()).or_default() += 1;
    }

    /// A parked write is excused where its answer was lost; nothing else is.
    fn parked_rows(&mut self) {
        for row in self.parked.clone() {
            match row.kind == "write" && row.reason.starts_with("sent, not answered and not found") {
                true => self.excuse("a write whose answer was lost and that was not found"),
                false => self.breaks(format!("{} {} is parked: {}", row.kind, row.name, row.reason)),
            }
        }
    }

    /// No record waits for anything but its next owner's words or the solution.
    fn records(&mut self) {
        for record in self.handoffs.clone() {
            let stuck = match record.state {
                HandoffState::Detected => BRIEFED.contains(&record.kind),
                HandoffState::Packaging | HandoffState::Delivering | HandoffState::Delivered => true,
                HandoffState::Accepted
                | HandoffState::InProgress
                | HandoffState::Resolved
                | HandoffState::HandedBack
                | HandoffState::Failed
                | HandoffState::Expired
                | HandoffState::PassedOn
                | HandoffState::Suppressed => false,
            };
            let (id, state) = (&record.id, record.state.name());
            if stuck {
                self.breaks(format!("the handoff {id} is stuck in {state}"));
            }
            let lost = record.failure.as_ref().is_some_and(|why| why.contains("not answered"));
            match &record.failure {
                // Looked at with its conversation.
                Some(_) if record.state == HandoffState::Suppressed => {}
                Some(_) if lost && !self.parked.is_empty() => {
                    self.excuse("a briefing whose answer was lost and that was not found");
                }
                Some(why) => self.breaks(format!("the handoff {id} failed: {why}")),
                None => {}
            }
        }
    }

    /// No briefing is held back longer than its sources may take, where nothing else is wrong.
    async fn holds(&mut self) {
        if self.stage.setting.crashes || self.stage.setting.settled > SETTLED {
            return;
        }
        let store = &*self.stage.life.engine().parts().store;
        let all = Key(Vec::new());
        let rows =
            tables::read_all::<JournalRow>(store, JOURNAL, &all, 100_000).await.expect("readable rows");
        let mut since: BTreeMap<String, Timestamp> = BTreeMap::new();
        for (_, row) in rows {
            let JournalRow::Handoff { at, id, state } = row.value else { continue };
            match state.as_str() {
                "packaging" => drop(since.insert(id.to_string(), at)),
                "delivering" => {
                    let held = since.get(id.as_str()).map(|since| at.since(*since)).unwrap_or_default();
                    if held > HELD_MAX {
                        self.breaks(format!("the briefing of {id} was held back for {held:?}"));
                    }
                }
                _ => {}
            }
        }
    }

    fn tale(&mut self, number: u32, tale: &Tale) {
        let mark = Tale::mark(number);
        for desk in self.stage.setting.desks.clone() {
            let Some(ticket) = self.stage.shown(number, desk) else {
                self.breaks(format!("{mark} has no ticket at {desk}"));
                continue;
            };
            self.notes(&mark, tale, desk, &ticket);
        }
    }

    /// Our own words on a ticket: what nobody said.
    fn ours<'t>(&self, ticket: &'t ShownTicket) -> Vec<&'t ShownComment> {
        let all = self.stage.oracle.tales.values().flat_map(|tale| &tale.said);
        let said: Vec<String> = all.map(|said| fold_text(&said.text)).collect();
        ticket.comments.iter().filter(|comment| !said.contains(&words_of(comment))).collect()
    }

    /// Exactly one briefing per handoff, on the next owner's ticket, and nothing else of ours.
    fn notes(&mut self, mark: &str, tale: &Tale, desk: &'static str, ticket: &ShownTicket) {
        let settled = self.stage.setting.settled;
        let (least, most) = if desk == tale.home { tale.handoffs(&BRIEFED, settled) } else { (0, 0) };
        let ours = self.ours(ticket);
        let (holding, ours): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|comment| fold_text(&comment.text) == fold_text(HOLDING));
        let (_, handed) = tale.handoffs(&[HandoffKind::AiToHuman], settled);
        if holding.len() > if self.stage.setting.holds { handed } else { 0 } {
            self.breaks(format!("{mark} at {desk}: told to hold {} times", holding.len()));
        }
        let (late, rest): (Vec<_>, Vec<_>) = ours.into_iter().partition(|note| note.text.starts_with(LATE));
        let (briefings, strange): (Vec<_>, Vec<_>) =
            rest.into_iter().partition(|comment| is_briefing(&comment.text));
        if briefings.iter().chain(&late).any(|note| note.public) {
            self.breaks(format!("{mark} at {desk}: a briefing is public"));
        }
        for comment in strange {
            self.breaks(format!("{mark} at {desk} shows what nobody said: {:.60?}", comment.text));
        }
        if late.len() > briefings.len() {
            self.breaks(format!(
                "{mark} at {desk}: {} follow-ups to {} briefings",
                late.len(),
                briefings.len()
            ));
        }
        let lost = self.failed(tale);
        if briefings.len() > most || briefings.len() + lost < least {
            let changes: Vec<String> =
                tale.changes.iter().map(|one| format!("{:?}>{:?}", one.from, one.to)).collect();
            self.breaks(format!(
                "{mark} at {desk} has {} briefings instead of {least} to {most}: {}",
                briefings.len(),
                changes.join(", ")
            ));
        }
        if desk == tale.home {
            self.proofs(mark, tale, ticket);
            let mut told: Vec<&ShownComment> = briefings.iter().chain(&late).copied().collect();
            told.sort_by_key(|note| note.at);
            self.reasons(mark, tale, &told);
            self.chain(mark, tale, ticket);
            self.before_the_first_reply(mark, tale, &briefings);
        }
    }

    /// What the AI agent was told to be taken is told on.
    fn reasons(&mut self, mark: &str, tale: &Tale, told: &[&ShownComment]) {
        let settled = self.stage.setting.settled;
        for (at, reason) in tale.announced.iter().zip(&tale.reasons) {
            let word = canary_of(reason);
            let is_told = told.iter().any(|note| note.text.contains(&word));
            if is_told || !tale.went_on(*at, settled) || self.failed(tale) > 0 {
                continue;
            }
            let ticket = TicketKey::new(tale.home, tale.id.clone());
            match self.handoffs.iter().any(|record| record.ticket == ticket && record.late_key.is_some()) {
                true => self.excuse("an announcement after the one follow-up had left"),
                false => self.breaks(format!("{mark}: the reason {word} that was taken in is in no note")),
            }
        }
    }

    /// How many records of a conversation failed, or were a loop that was broken.
    fn failed(&self, tale: &Tale) -> usize {
        self.records_of(tale).iter().filter(|record| record.failure.is_some()).count()
    }

    /// The records of a conversation, first to last.
    /// A message whose copy was lost on its way to the ticket of the package.
    fn was_lost(&self, tale: &Tale) -> bool {
        let link = Link::id_for(&TicketKey::new(tale.home, tale.id.clone()));
        self.parked.iter().any(|row| row.kind == "write" && row.link.as_ref() == Some(&link))
    }

    fn records_of(&self, tale: &Tale) -> Vec<Handoff> {
        let ticket = TicketKey::new(tale.home, tale.id.clone());
        let mut all: Vec<Handoff> =
            self.handoffs.iter().filter(|record| record.ticket == ticket).cloned().collect();
        all.sort_by_key(|record| (record.hop, record.detected_at));
        all
    }

    /// The records are one chain, and what the helpdesk shows is what they have as proof.
    fn proofs(&mut self, mark: &str, tale: &Tale, ticket: &ShownTicket) {
        let records = self.records_of(tale);
        for pair in records.windows(2) {
            if pair[1].previous.as_ref() != Some(&pair[0].id) || pair[1].hop != pair[0].hop + 1 {
                self.breaks(format!("{mark}: the handoff {} does not follow {}", pair[1].id, pair[0].id));
            }
        }
        for record in &records {
            let Some(note) = &record.visible else {
                let is_last = records.last().is_some_and(|last| last.id == record.id);
                if record.delivered_at.is_some() && record.failure.is_none() && !is_last && !is_open(record) {
                    self.excuse("a briefing that was found when its handoff was over, and not read back");
                } else if record.delivered_at.is_some() && record.failure.is_none() {
                    self.breaks(format!("{mark}: nobody saw the briefing of {}", record.id));
                }
                continue;
            };
            let is_it = |shown: &&ShownComment| shown.id == note.id && !shown.public;
            match ticket.comments.iter().find(is_it) {
                None => self.breaks(format!("{mark}: the briefing of {} is not {}", record.id, note.id)),
                Some(shown) if shown.at.as_secs() != note.at.as_secs() => {
                    self.breaks(format!("{mark}: the briefing of {} is of another time", record.id));
                }
                Some(_) => {}
            }
        }
        for record in &records {
            self.first_reply(mark, record, ticket);
        }
        let settled = self.stage.setting.settled;
        let (least, most) = tale.handoffs(&[HandoffKind::HumanToAi], settled);
        let back = records.iter().filter(|record| record.kind == HandoffKind::HumanToAi).count();
        if back < least || back > most {
            self.breaks(format!(
                "{mark} went back to the AI agent {back} times instead of {least} to {most}"
            ));
        }
        for record in records.iter().filter(|record| record.state == HandoffState::Suppressed) {
            let lately = record.detected_at.minus(LOOP);
            let heard = tale.said.iter().any(|said| {
                said.who == Who::Customer
                    && said.at > lately
                    && said.at.plus(settled) < record.detected_at
                    && records.iter().any(|other| other.hop + 1 == record.hop && said.at > other.detected_at)
            });
            match heard {
                true => self.breaks(format!("{mark}: {} is no loop, the customer spoke", record.id)),
                false => self.excuse("a loop that was broken"),
            }
        }
    }

    /// The first reply is a public message of a person, not of who passed it on; and it is a breach
    /// just when it was there before the briefing.
    fn first_reply(&mut self, mark: &str, record: &Handoff, ticket: &ShownTicket) {
        let Some(reply) = &record.first_reply else { return };
        let shown = ticket.comments.iter().find(|shown| shown.id == reply.id);
        // What was said on a partner ticket stands on another one than the briefing.
        let is_here = reply.ticket == record.ticket && record.ticket.id == ticket.id;
        if is_here && shown.is_none_or(|shown| !shown.public || shown.by_customer) {
            self.breaks(format!("{mark}: the first reply to {} is {shown:?}", record.id));
        }
        let Some(note) = &record.visible else { return };
        if breach(record).is_some() != (reply.at < note.at) {
            self.breaks(format!("{mark}: {} is a breach or none against its proofs", record.id));
        }
    }

    /// The package is there when the next owner first answers, or it is said that it was not.
    fn before_the_first_reply(&mut self, mark: &str, tale: &Tale, briefings: &[&ShownComment]) {
        let settled = self.stage.setting.settled;
        for cluster in tale.clusters(settled).iter().filter(|cluster| cluster.len() == 1) {
            let change = cluster[0];
            if change.kind().is_none_or(|kind| !BRIEFED.contains(&kind)) {
                continue;
            }
            let next = tale.changes.iter().find(|other| other.at > change.at).map(|other| other.at);
            let then = |at: Timestamp| at >= change.at && next.is_none_or(|next| at < next);
            // Who passes it on may speak and pass it on in one go.
            let passes_on = |said: &Said| {
                let is_from =
                    |name: &String| matches!(change.from, Hands::Person(from) if from == name.as_str());
                said.at == change.at && matches!(&said.who, Who::Agent(name) if is_from(name))
            };
            let is_reply = |said: &&Said| {
                said.public && matches!(said.who, Who::Agent(_)) && then(said.at) && !passes_on(said)
            };
            let Some(reply) = tale.said.iter().find(is_reply) else { continue };
            let before = self.seen_before(tale, &change);
            let announced = tale
                .announced
                .iter()
                .find(|at| **at < change.at && before.is_none_or(|before| **at > before.at));
            let first = Timestamp::from_secs(announced.unwrap_or(&change.at).as_secs());
            let until = Timestamp::from_secs(reply.at.as_secs() + 1);
            if briefings.iter().any(|note| note.at >= first && note.at < until) {
                continue;
            }
            if self.is_before_all(tale, &change, reply.at) {
                self.excuse("an answer to a handoff that nobody could know of");
            } else if reply.account != tale.home && !self.was_known(tale, &change, reply.at) {
                self.excuse("an answer at a partner before the change of hands was seen");
            } else {
                self.late_package(mark, tale, change.at);
            }
        }
    }

    /// The change before this one that could be seen: an AI agent that had the ticket again so soon that
    /// nobody saw it go never let it go, unless a person answered meanwhile and it is known by its user.
    fn seen_before(&self, tale: &Tale, change: &Change) -> Option<Change> {
        let clusters = tale.clusters(self.stage.setting.settled);
        let seen = |cluster: &&Vec<Change>| {
            let (first, last) = (cluster[0], cluster[cluster.len() - 1]);
            let is_known = self.stage.setting.marks == Marks::Assignee;
            let answered = is_known && tale.replies().any(|said| said.at > first.at && said.at < last.at);
            last.at < change.at && (first.from != Hands::Bot || last.to != Hands::Bot || answered)
        };
        clusters.iter().rfind(seen).and_then(|cluster| cluster.last().copied())
    }

    /// Whether a record of this change was there when it was answered.
    fn was_known(&self, tale: &Tale, change: &Change, answered: Timestamp) -> bool {
        let is_it = |record: &Handoff| record.detected_at >= change.at && record.detected_at <= answered;
        self.records_of(tale).iter().any(is_it)
    }

    /// Whether the ticket changed hands before it was known, and nothing on it says that an AI agent
    /// had it: it bears its mark no more, or nobody knows it by its user. Or it was answered before.
    fn is_before_all(&self, tale: &Tale, change: &Change, answered: Timestamp) -> bool {
        let link = Link::id_for(&TicketKey::new(tale.home, tale.id.clone()));
        let unmarked = self.stage.setting.marks != Marks::Assignee;
        let unnamed = unmarked || change.to == Hands::Pool;
        self.known.get(&link).is_none_or(|known| change.at < *known && (unnamed || answered < *known))
    }

    /// An answer without the package is told to an admin, with its cause.
    fn late_package(&mut self, mark: &str, tale: &Tale, at: Timestamp) {
        let near = at.plus(self.stage.setting.settled);
        let is_told = |record: &Handoff| {
            record.detected_at <= near && breach(record).is_some_and(|breach| !breach.cause.is_empty())
        };
        match self.records_of(tale).iter().any(is_told) {
            true => self.excuse("an answer before the package was there, which is told"),
            false => {
                self.breaks(format!("{mark}: an answer before the package was there, and nobody is told"))
            }
        }
    }

    /// The last package and its note have everything that was tried before, by whom, each once.
    fn chain(&mut self, mark: &str, tale: &Tale, ticket: &ShownTicket) {
        let settled = self.stage.setting.settled;
        let records = self.records_of(tale);
        let is_last = |record: &&Handoff| BRIEFED.contains(&record.kind) && record.visible.is_some();
        let Some(last) = records.iter().rfind(is_last) else { return };
        let Some(package) = self.packages.get(last.id.as_str()).cloned() else {
            return self.breaks(format!("{mark}: the handoff {} has no package", last.id));
        };
        let note =
            last.visible.as_ref().and_then(|note| ticket.comments.iter().find(|one| one.id == note.id));
        let known = package.attempts.value().cloned().unwrap_or_default();
        for tried in &tale.tried {
            // What is streamed is known at once, what is said when it is read.
            let wait = if tried.by == Hands::Bot { Duration::ZERO } else { settled };
            if tried.at.plus(wait) >= last.detected_at {
                continue;
            }
            let word = canary_of(&tried.words.replace('_', " "));
            let found: Vec<_> = known.iter().filter(|one| one.action.contains(&word)).collect();
            let is_by_bot = matches!(found.first().map(|one| &one.by), Some(Party::Bot { .. }));
            if found.is_empty() && tried.by != Hands::Bot && self.was_lost(tale) {
                self.excuse("what a person did is not in the package: its copy was lost");
            } else if found.len() != 1 || is_by_bot != (tried.by == Hands::Bot) {
                let whose: Vec<_> =
                    found.iter().map(|one| (&one.by, one.hop, &one.outcome, &one.proofs)).collect();
                self.breaks(format!("{mark}: {word} of {:?} is in the last package by {whose:?}", tried.by));
            } else if note.is_some_and(|note| !note.text.contains(&word)) {
                self.breaks(format!("{mark}: {word} of {:?} is not in the last briefing", tried.by));
            }
        }
    }

    /// No private word in any public comment, anywhere, not even within another text.
    fn private_stays_private(&mut self) {
        let mut private: Vec<String> = ["Team plan", "49.00", TITLE, LATE].map(str::to_owned).to_vec();
        let words = self.stage.oracle.tales.values().flat_map(|tale| &tale.private);
        private.extend(words.map(|text| canary_of(text)));
        for desk in self.stage.setting.desks.clone() {
            for ticket in self.stage.life.tickets(desk) {
                for comment in ticket.comments.iter().filter(|comment| comment.public) {
                    let text = fold_text(&comment.text);
                    if let Some(leak) = private.iter().find(|private| text.contains(private.as_str())) {
                        self.breaks(format!("{desk} shows private text to the customer: {leak:?}"));
                    }
                }
            }
        }
    }

    /// Nothing that anybody said, tried or was told is logged; no secret is.
    fn log(&mut self, log: &str) {
        let tales = self.stage.oracle.tales.values();
        let said = |said: &Said| canary_of(&said.text);
        let mut words: Vec<String> = tales
            .flat_map(|tale| {
                tale.said.iter().map(said).chain(tale.private.iter().map(|text| canary_of(text)))
            })
            .collect();
        words.extend(self.stage.life.secrets());
        words.push("Team plan".to_owned());
        if let Some(line) = log.lines().find(|line| words.iter().any(|word| line.contains(word.as_str()))) {
            self.breaks(format!("what must not be logged is: {line:.200}"));
        }
    }
}

/// The one word of a text that no other text has.
fn canary_of(text: &str) -> String {
    let mut words = text.split(' ');
    words.find(|word| word.chars().any(|c| c.is_ascii_digit())).unwrap_or(text).to_owned()
}
