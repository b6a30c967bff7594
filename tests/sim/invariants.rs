//! What must hold at the end, whatever happened on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd::store::{
    Key,
    tables::{self, HANDOFFS, INTENTS, IntentRow, LINKS, PARKED, ParkedRow},
};
use handoffd_connectors::sim::{ShownComment, ShownTicket, Who};
use handoffd_core::{
    AccountId, Field, Fields, Handoff, TicketKey, Value, briefing::TITLE, fold_text, link::Link,
};

use crate::{
    oracle::{Edit, Said, Talk, What, folded_tag},
    world::{DESKS, FRESHDESK, Life, ZENDESK},
};

/// How long before the end nothing may be written any more.
const STILL: Duration = Duration::from_secs(3_600);

/// How a follow-up to a briefing begins.
const LATE: &str = "Came after the handoff briefing above:";

/// What was found at the end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// What must not be.
    pub broken: Vec<String>,
    /// What is allowed where an answer was truly lost, by kind.
    pub excused: BTreeMap<String, u32>,
}

/// Judges one world.
struct Judge<'a> {
    life: &'a Life,
    tickets: BTreeMap<&'static str, Vec<ShownTicket>>,
    parked: Vec<ParkedRow>,
    verdict: Verdict,
}

/// Judges the end of a life.
pub async fn judge(life: &Life, log: &str) -> Verdict {
    let store = &*life.engine().parts().store;
    let all = Key(Vec::new());
    let parked = tables::read_all::<ParkedRow>(store, PARKED, &all, 10_000).await.expect("readable rows");
    let intents = tables::read_all::<IntentRow>(store, INTENTS, &all, 10_000).await.expect("readable rows");
    let links = tables::read_all::<Link>(store, LINKS, &all, 10_000).await.expect("readable rows");
    let handoffs = tables::read_all::<Handoff>(store, HANDOFFS, &all, 10_000).await.expect("readable rows");
    let mut judge = Judge {
        life,
        tickets: DESKS.map(|desk| (desk, life.tickets(desk))).into_iter().collect(),
        parked: parked.into_iter().map(|(_, row)| row.value).collect(),
        verdict: Verdict::default(),
    };
    for (key, row) in intents {
        judge.breaks(format!("the write {key:?} is not settled: {:?}", row.value.last_error));
    }
    for (key, row) in links {
        for (ticket, side) in &row.value.sides {
            if let Some(why) = &side.parked {
                judge.breaks(format!("the side {ticket} of {key:?} is parked: {why}"));
            }
        }
    }
    for (key, row) in handoffs {
        if row.value.failure.is_some() {
            judge.breaks(format!("the handoff {key:?} failed: {:?}", row.value.failure));
        }
    }
    judge.parked_rows();
    for (number, talk) in &life.oracle.talks {
        judge.talk(*number, talk);
    }
    judge.tickets_nobody_opened();
    judge.mails();
    judge.private_stays_private();
    judge.stillness();
    judge.secrets(log);
    judge.verdict
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
            let deleted = self.life.oracle.talks.values().any(Talk::is_deleted);
            if row.reason.is_empty() {
                self.breaks(format!("{} {} is parked without a reason", row.kind, row.name));
            } else if row.kind == "write" && row.reason.starts_with("sent, not answered and not found") {
                self.excuse("a write whose answer was lost and that was not found");
            } else if deleted && row.reason.contains("gone") {
                self.excuse("a write to a deleted ticket");
            } else {
                self.breaks(format!("{} {} is parked: {}", row.kind, row.name, row.reason));
            }
        }
    }

    fn ticket_at(&mut self, number: u32, talk: &Talk, account: &'static str) -> Option<ShownTicket> {
        let mark = Talk::mark(number);
        let of_talk = |ticket: &&ShownTicket| match account == talk.home {
            true => ticket.id == talk.id,
            false => ticket.subject.contains(&mark),
        };
        let found: Vec<ShownTicket> = self.tickets[account].iter().filter(of_talk).cloned().collect();
        let gone_early = talk.is_deleted();
        match found.len() {
            1 => {}
            0 if gone_early => {}
            count => self.breaks(format!("{mark} has {count} tickets at {account}")),
        }
        found.into_iter().next()
    }

    fn talk(&mut self, number: u32, talk: &Talk) {
        let mark = Talk::mark(number);
        let sides: Vec<(&str, ShownTicket)> = DESKS
            .into_iter()
            .filter_map(|desk| self.ticket_at(number, talk, desk).map(|ticket| (desk, ticket)))
            .collect();
        for (desk, ticket) in &sides {
            self.messages(&mark, talk, desk, ticket);
            self.briefings(&mark, talk, desk, ticket);
            if ticket.tags.iter().any(|tag| tag == "handoffd_quiet") && !ticket.deleted {
                self.breaks(format!("{mark} at {desk} still bears the quiet tag"));
            }
        }
        if talk.is_deleted() {
            return;
        }
        if let [(_, zendesk), (_, freshdesk)] = &sides[..] {
            self.agreement(&mark, zendesk, freshdesk);
            self.last_edits(&mark, talk, zendesk, freshdesk);
        }
    }

    /// Each message exactly once on each side, as public as it was, in the order of its origin.
    fn messages(&mut self, mark: &str, talk: &Talk, desk: &str, ticket: &ShownTicket) {
        let mut at: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let (mut known, mut lost) = (0, 0);
        for said in &talk.said {
            let text = fold_text(&said.text);
            let places: Vec<usize> = (0..ticket.comments.len())
                .filter(|place| words_of(&ticket.comments[*place]) == text)
                .collect();
            known += places.len();
            let excused = talk.is_deleted() && said.account != desk;
            match places[..] {
                [place] => {
                    let shown = &ticket.comments[place];
                    if shown.public != said.public {
                        self.breaks(format!("{mark} at {desk}: {:.12?} changed who can read it", said.text));
                    }
                    let by_customer = said.who == Who::Customer;
                    if shown.public && shown.by_customer != by_customer {
                        self.breaks(format!(
                            "{mark} at {desk}: {:.12?} is shown as somebody else's",
                            said.text
                        ));
                    }
                    at.entry(said.account).or_default().push(place);
                }
                [] if excused => {}
                [] if lost < self.parked_of(talk) => {
                    lost += 1;
                    self.excuse("a message that was sent, not answered and not found");
                }
                _ => {
                    let (who, from) = (&said.who, said.account);
                    let count = places.len();
                    self.breaks(format!(
                        "{mark} at {desk}: {:.12?} of {who:?} from {from} (public: {}) is there {count} times",
                        said.text, said.public
                    ));
                }
            }
        }
        for (origin, places) in at {
            if !places.is_sorted() {
                self.breaks(format!(
                    "{mark} at {desk}: what was said at {origin} is out of order: {places:?}"
                ));
            }
        }
        let ours = ticket.comments.iter().filter(|comment| is_ours(&comment.text)).count();
        if known + ours != ticket.comments.len() {
            let said: BTreeSet<String> = talk.said.iter().map(|said| fold_text(&said.text)).collect();
            let strange = ticket.comments.iter().map(words_of);
            let strange: Vec<String> = strange
                .filter(|text| !said.contains(text) && !is_ours(text))
                .map(|text| format!("{text:.60}"))
                .collect();
            self.breaks(format!("{mark} at {desk} shows what nobody said: {strange:?}"));
        }
    }

    /// How many writes of this conversation are parked.
    fn parked_of(&self, talk: &Talk) -> usize {
        let link = Link::id_for(&TicketKey::new(talk.home, talk.id.clone()));
        self.parked.iter().filter(|row| row.kind == "write" && row.link.as_ref() == Some(&link)).count()
    }

    fn briefings(&mut self, mark: &str, talk: &Talk, desk: &str, ticket: &ShownTicket) {
        let notes: Vec<_> =
            ticket.comments.iter().filter(|comment| comment.text.starts_with(TITLE)).collect();
        let wanted = if desk == talk.home { talk.handoffs.len() } else { 0 };
        if notes.iter().any(|note| note.public) {
            self.breaks(format!("{mark} at {desk}: a briefing is public"));
        }
        let late: Vec<_> = ticket.comments.iter().filter(|comment| comment.text.starts_with(LATE)).collect();
        if late.len() > wanted || late.iter().any(|note| note.public) {
            self.breaks(format!("{mark} at {desk} has {} follow-ups to {wanted} briefings", late.len()));
        }
        let fewer = notes.len() < wanted && (talk.is_deleted() || self.parked_of(talk) > 0);
        if notes.len() != wanted && !fewer {
            let signs = &talk.handoffs;
            self.breaks(format!(
                "{mark} at {desk} has {} briefings instead of {wanted}: {signs:?}",
                notes.len()
            ));
        }
    }

    fn agreement(&mut self, mark: &str, zendesk: &ShownTicket, freshdesk: &ShownTicket) {
        let (ours, theirs) = (fields(zendesk), fields(freshdesk));
        for field in Field::SYNCED {
            let only = |of: &Fields| Fields::from([(field, of[&field].clone())]);
            let agrees = self.normalize(ZENDESK, &only(&theirs)) == only(&ours)
                || self.normalize(FRESHDESK, &only(&ours)) == only(&theirs);
            if !agrees {
                let (ours, theirs) = (&ours[&field], &theirs[&field]);
                self.breaks(format!("{mark}: {field} is {ours:?} at zendesk and {theirs:?} at freshdesk"));
            }
        }
    }

    fn normalize(&self, account: &str, fields: &Fields) -> Fields {
        let desks = &self.life.engine().parts().desks;
        desks[&AccountId::new(account)].helpdesk.normalize(fields)
    }

    /// The last edit of a field stands, unless the other side edited it shortly before.
    fn last_edits(&mut self, mark: &str, talk: &Talk, zendesk: &ShownTicket, freshdesk: &ShownTicket) {
        let settled = self.life.profile.intake_within;
        for (place, (edit, other)) in talk.last_edits() {
            let contested = other.is_some_and(|other| edit.at.since(other) < settled)
                || edit.at.since(talk.opened_at) < settled;
            let touched = matches!(edit.what, What::Status(_))
                && talk.touched.iter().any(|at| at.plus(settled) > edit.at);
            if contested || touched {
                continue;
            }
            let ticket = if edit.account == ZENDESK { zendesk } else { freshdesk };
            if !stands(&edit, ticket) {
                self.breaks(format!(
                    "{mark}: the last edit of the {place} at {} is lost: {:?}",
                    edit.account, edit.what
                ));
            }
        }
    }

    fn tickets_nobody_opened(&mut self) {
        let marks: Vec<String> = self.life.oracle.talks.keys().map(|number| Talk::mark(*number)).collect();
        for (desk, tickets) in self.tickets.clone() {
            for ticket in tickets {
                if !marks.iter().any(|mark| ticket.subject.contains(mark)) {
                    self.breaks(format!("{desk} has a ticket that nobody opened: {:?}", ticket.subject));
                }
            }
        }
    }

    /// One mail per public reply of an agent, none of anything else.
    fn mails(&mut self) {
        let mut mailed: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for desk in DESKS {
            for mail in self.life.mails(desk) {
                let ticket = self.tickets[desk].iter().find(|ticket| ticket.id == mail.ticket).cloned();
                let Some(ticket) = ticket else { continue };
                match &mail.comment {
                    None => self.receipt(desk, &ticket),
                    Some(id) => {
                        let comment = ticket.comments.iter().find(|comment| comment.id == *id);
                        let text = comment.map_or_else(String::new, |comment| fold_text(&comment.text));
                        mailed.entry(text).or_default().push(format!("{desk} to {}", mail.to));
                    }
                }
            }
        }
        let said: Vec<(u32, Said)> = self
            .life
            .oracle
            .talks
            .iter()
            .flat_map(|(number, talk)| talk.said.iter().map(|said| (*number, said.clone())))
            .collect();
        for (number, said) in said {
            let mails = mailed.remove(&fold_text(&said.text)).unwrap_or_default();
            let wanted = usize::from(said.public && said.who != Who::Customer);
            if mails.is_empty() && wanted == 1 && said.hushed {
                self.excuse("an agent's reply in the moment when the quiet tag was on");
            } else if mails.len() != wanted {
                self.breaks(format!(
                    "[c{number}] {:.12?} of {:?} from {} (public: {}) was mailed {} times: {mails:?}",
                    said.text,
                    said.who,
                    said.account,
                    said.public,
                    mails.len()
                ));
            }
        }
        for (text, mails) in mailed {
            self.breaks(format!("mailed what nobody said: {text:.60?} {mails:?}"));
        }
    }

    /// "We received your request" is for customers who wrote to Zendesk.
    fn receipt(&mut self, desk: &str, ticket: &ShownTicket) {
        let opened_there =
            self.life.oracle.talks.values().any(|talk| talk.home == desk && talk.id == ticket.id);
        if !opened_there {
            self.breaks(format!("the mirror {} at {desk} told the customer that it was received", ticket.id));
        }
    }

    /// No private text in any public comment, anywhere, not even within another text.
    fn private_stays_private(&mut self) {
        let talks = self.life.oracle.talks.values();
        let private: Vec<String> = talks
            .flat_map(|talk| &talk.said)
            .filter(|said| !said.public)
            .map(|said| fold_text(&said.text))
            .chain([TITLE.to_owned()])
            .collect();
        for (desk, tickets) in self.tickets.clone() {
            let comments =
                tickets.iter().flat_map(|ticket| &ticket.comments).filter(|comment| comment.public);
            for comment in comments {
                let text = fold_text(&comment.text);
                if let Some(leak) = private.iter().find(|private| text.contains(*private)) {
                    self.breaks(format!("{desk} shows private text to the customer: {leak:.40?}"));
                }
            }
        }
    }

    fn stillness(&mut self) {
        let since = self.life.now().minus(STILL);
        let log = self.life.world.log();
        let writes = log.iter().filter(|line| {
            line.at > since
                && !matches!(line.method.as_str(), "GET" | "WEBHOOK")
                && !line.path.contains("oauth")
        });
        let writes: Vec<String> = writes.map(ToString::to_string).collect();
        if !writes.is_empty() {
            self.breaks(format!("{} writes in the last hour, such as {}", writes.len(), writes[0]));
        }
    }

    fn secrets(&mut self, log: &str) {
        let metrics = self.life.metrics();
        for secret in self.life.secrets() {
            for (name, text) in [("log", log), ("metrics", &metrics)] {
                if let Some(line) = text.lines().find(|line| line.contains(&secret)) {
                    self.breaks(format!("a secret is in the {name}: {line}"));
                }
            }
        }
        let said = self.life.oracle.talks.values().flat_map(|talk| &talk.said);
        let words: Vec<String> = said.map(|said| said.text.chars().take(10).collect()).collect();
        let leaked = log.lines().find(|line| words.iter().any(|words| line.contains(words.as_str())));
        if let Some(line) = leaked {
            self.breaks(format!("what somebody said is in the log: {line}"));
        }
    }
}

/// What somebody said: a private note of an agent whom the helpdesk does not know begins with
/// a line that names them.
fn words_of(comment: &ShownComment) -> String {
    let text = fold_text(&comment.text);
    match text.split_once(" (agent): ") {
        Some((name, words)) if !comment.public && name.len() < 40 => words.to_owned(),
        _ => text,
    }
}

/// Whether a comment is of our own words.
fn is_ours(text: &str) -> bool {
    text.starts_with(TITLE)
        || text.starts_with(LATE)
        || fold_text(text) == "This conversation began with internal notes only."
}

fn fields(ticket: &ShownTicket) -> Fields {
    Fields::from([
        (Field::Subject, Value::subject(&ticket.subject)),
        (Field::Status, Value::Status(ticket.status)),
        (Field::Priority, Value::Priority(ticket.priority)),
        (Field::Tags, Value::Tags(ticket.tags.iter().cloned().collect())),
    ])
}

fn stands(edit: &Edit, ticket: &ShownTicket) -> bool {
    let has = |tag: &str| ticket.tags.iter().any(|have| folded_tag(have) == folded_tag(tag));
    match &edit.what {
        What::Subject(subject) => ticket.subject == *subject,
        What::Status(status) => ticket.status == *status,
        What::Priority(priority) => ticket.priority == Some(*priority),
        What::Tagged(tag) => has(tag),
        What::Untagged(tag) => !has(tag),
    }
}
