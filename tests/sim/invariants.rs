//! What must hold at the end, whatever happened on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd::store::{
    Key,
    tables::{self, HANDOFFS, INTENTS, IntentRow, LINKS, PARKED, ParkedRow},
};
use handoffd_connectors::sim::{ShownComment, ShownTicket, SimFile, Who};
use handoffd_core::{
    AccountId, Field, Fields, Handoff, HandoffKind, RemoteId, Status, TicketKey,
    briefing::{TITLE, is_briefing},
    fold_text,
    link::Link,
};

use crate::{
    oracle::{Edit, Fate, Said, Talk, What},
    setup::{AGENTS, CUSTOM, HIRING},
    shown::{LATE, custom_words, fields, is_of_a_merge, is_ours, stands, texts_of, type_of, words_of},
    world::{CUSTOMERS, FRESHDESK, INTERCOM, Life, ZENDESK},
};

/// How long before the end nothing may be written any more: every ticket is read again in it.
const STILL: Duration = Duration::from_secs(2 * 3_600);

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
    links: Vec<Link>,
    handoffs: Vec<Handoff>,
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
        tickets: life.profile.desks.iter().map(|desk| (*desk, life.tickets(desk))).collect(),
        links: links.iter().map(|(_, row)| row.value.clone()).collect(),
        parked: parked.into_iter().map(|(_, row)| row.value).collect(),
        handoffs: handoffs.iter().map(|(_, row)| row.value.clone()).collect(),
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
        let was_closed = |talk: &Talk| !talk.closed.is_empty();
        let is_over = row.value.failure.as_ref().is_some_and(|why| why.contains("is closed"))
            && life.oracle.talks.values().any(was_closed);
        if is_over {
            judge.excuse("a briefing for a ticket that was closed for good as it changed hands");
        } else if row.value.failure.is_some() {
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
            let mut said = self.life.oracle.talks.values().flat_map(|talk| &talk.said);
            let hidden = said.any(|said| said.fate == Fate::Hidden);
            let deleted = self.life.oracle.talks.values().any(Talk::is_deleted);
            if row.reason.is_empty() {
                self.breaks(format!("{} {} is parked without a reason", row.kind, row.name));
            } else if row.kind == "write" && row.reason.starts_with("sent, not answered and not found") {
                self.excuse("a write whose answer was lost and that was not found");
            } else if hidden && row.reason.contains("first message of a Freshdesk ticket cannot be hidden") {
                self.excuse("a first message that Freshdesk cannot hide, which an admin is told");
            } else if deleted && row.reason.contains("gone") {
                self.excuse("a write to a deleted ticket");
            } else {
                self.breaks(format!("{} {} is parked: {}", row.kind, row.name, row.reason));
            }
        }
    }

    /// The conversation's ticket at a helpdesk. Where one follows up another they are shown as one.
    fn ticket_at(&mut self, number: u32, talk: &Talk, account: &'static str) -> Option<ShownTicket> {
        let mark = Talk::mark(number);
        let of_talk = |ticket: &&ShownTicket| match account == talk.home && talk.closed.is_empty() {
            true => ticket.id == talk.id,
            false => ticket.subject.contains(&mark) || (account == talk.home && ticket.id == talk.id),
        };
        let found: Vec<ShownTicket> = self.tickets[account].iter().filter(of_talk).cloned().collect();
        let gone_early = talk.is_deleted();
        let most = 1 + if account == ZENDESK { talk.closed.len() } else { 0 };
        let is_chain = found.windows(2).all(|two| two[1].follows.as_ref() == Some(&two[0].id));
        if !is_chain || found.len() > most || (found.is_empty() && !gone_early) {
            self.breaks(format!("{mark} has {} tickets at {account}", found.len()));
        }
        let earlier = found.split_last().map(|(_, earlier)| earlier).unwrap_or_default();
        let before: Vec<ShownComment> = earlier.iter().flat_map(|one| one.comments.clone()).collect();
        let last = found.last().cloned()?;
        Some(ShownTicket { comments: [before, last.comments.clone()].concat(), ..last })
    }

    /// Whether Zendesk's ticket of a conversation is closed for good and nothing followed it.
    fn is_closed(&self, desk: &str, ticket: &ShownTicket) -> bool {
        desk == ZENDESK && ticket.status == Status::Closed
    }

    fn talk(&mut self, number: u32, talk: &Talk) {
        let mark = Talk::mark(number);
        let mut sides: Vec<(&'static str, ShownTicket)> = Vec::new();
        for desk in self.life.profile.desks.clone() {
            sides.extend(self.ticket_at(number, talk, desk).map(|ticket| (desk, ticket)));
        }
        let merged = self.merged_into(number);
        for (desk, ticket) in &sides {
            if talk.merged.is_none() {
                self.messages(&mark, talk, &merged, desk, ticket);
            }
            self.briefings(&mark, talk, desk, ticket);
            if ticket.tags.iter().any(|tag| tag == "handoffd_quiet") && !ticket.deleted {
                self.breaks(format!("{mark} at {desk} still bears the quiet tag"));
            }
            if ticket.deleted && talk.deleted.iter().all(|(at, _)| at != desk) {
                self.breaks(format!("{mark} was deleted at {desk}, where nobody deleted it"));
            }
        }
        if !talk.is_live() {
            return;
        }
        self.ratings(&mark, talk, &sides);
        sides.retain(|(desk, ticket)| !self.is_closed(desk, ticket));
        self.agreement(&mark, &sides);
        self.more_agreement(&mark, talk, &sides);
        self.last_edits(&mark, talk, &sides);
    }

    /// The conversations that were merged into this one, directly or not.
    fn merged_into(&self, number: u32) -> Vec<u32> {
        let mut all = vec![number];
        loop {
            let more = self.life.oracle.talks.iter().find(|(other, talk)| {
                talk.merged.is_some_and(|into| all.contains(&into)) && !all.contains(other)
            });
            match more {
                Some((other, _)) => all.push(*other),
                None => return all.split_off(1),
            }
        }
    }

    /// Each message exactly once on each side, as public as it was, in the order of its origin,
    /// with each of its files once. `merged`: the conversations that were merged into this one, of
    /// which each message is once on their tickets or on this one.
    fn messages(
        &mut self,
        mark: &str,
        talk: &Talk,
        merged: &[u32],
        desk: &'static str,
        ticket: &ShownTicket,
    ) {
        let mut comments = ticket.comments.clone();
        let mut said: Vec<(bool, Said)> = talk.said.iter().map(|said| (false, said.clone())).collect();
        for number in merged {
            let other = &self.life.oracle.talks[number];
            said.extend(other.said.iter().map(|said| (true, said.clone())));
            comments
                .extend(self.ticket_at(*number, other, desk).into_iter().flat_map(|ticket| ticket.comments));
        }
        let mut at: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let (mut lost, mut redacted) = (0, 0);
        let parked = self.parked_of(talk)
            + merged.iter().map(|one| self.parked_of(&self.life.oracle.talks[one])).sum::<usize>();
        let unfollowed = self.is_closed(desk, ticket);
        for (is_of_other, said) in &said {
            let texts = texts_of(said, desk);
            let is_it = |place: &usize| texts.contains(&words_of(&comments[*place]));
            let places: Vec<usize> = (0..comments.len()).filter(is_it).collect();
            redacted += usize::from(matches!(said.fate, Fate::Redacted | Fate::Removed));
            let excused = (talk.is_deleted() && said.account != desk)
                || (unfollowed && said.account != desk && !(said.public && said.fate == Fate::Stands));
            let gone = match said.fate {
                Fate::Redacted => talk.closed.is_empty(),
                Fate::Removed => said.account == desk,
                Fate::Stands | Fate::Hidden | Fate::Edited(_) => false,
            };
            match places[..] {
                [_, ..] if gone && !talk.is_deleted() => {
                    self.breaks(format!(
                        "{mark} at {desk}: {:.12?} was taken out and stands there",
                        said.text
                    ));
                }
                [place] => {
                    let shown = &comments[place];
                    self.one_message(mark, desk, said, shown);
                    // What is hidden by writing it anew stands at another place.
                    if !is_of_other && said.fate != Fate::Hidden {
                        at.entry(said.account).or_default().push(place);
                    }
                }
                [] if excused || gone || matches!(said.fate, Fate::Redacted | Fate::Removed) => {}
                [] if lost < parked => {
                    lost += 1;
                    self.excuse("a message that was sent, not answered and not found");
                }
                _ => {
                    let (who, from) = (&said.who, said.account);
                    let count = places.len();
                    self.breaks(format!(
                        "{mark} at {desk}: {:.12?} of {who:?} from {from} (public: {}, {:?}) is there {count} times",
                        said.text, said.public, said.fate
                    ));
                }
            }
        }
        self.in_order(mark, desk, at);
        self.strangers(mark, desk, &comments, &said, redacted);
    }

    /// What was said at one helpdesk stands in the order of saying.
    fn in_order(&mut self, mark: &str, desk: &str, at: BTreeMap<&str, Vec<usize>>) {
        for (origin, places) in at {
            if !places.is_sorted() {
                self.breaks(format!(
                    "{mark} at {desk}: what was said at {origin} is out of order: {places:?}"
                ));
            }
        }
    }

    /// Nothing stands there that nobody said, but for our own words and the vendors'.
    fn strangers(
        &mut self,
        mark: &str,
        desk: &str,
        comments: &[ShownComment],
        said: &[(bool, Said)],
        redacted: usize,
    ) {
        let all: BTreeSet<String> = said.iter().flat_map(|(_, said)| texts_of(said, desk)).collect();
        let strange =
            comments.iter().filter(|comment| !all.contains(&words_of(comment)) && !is_ours(&comment.text));
        let strange: Vec<String> = strange.map(|comment| format!("{:.60}", words_of(comment))).collect();
        let (of_merges, others): (Vec<_>, Vec<_>) = strange.into_iter().partition(|text| is_of_a_merge(text));
        if of_merges.iter().collect::<BTreeSet<_>>().len() != of_merges.len() {
            self.breaks(format!("{mark} at {desk} shows a vendor's words twice: {of_merges:?}"));
        }
        let has_words = |text: &String| text.contains(": word ") || text.contains(": with markup");
        if others.len() > redacted || others.iter().any(has_words) {
            self.breaks(format!("{mark} at {desk} shows what nobody said: {others:?}"));
        }
    }

    /// Who can read it, whose it is, its link and its files.
    fn one_message(&mut self, mark: &str, desk: &str, said: &Said, shown: &ShownComment) {
        let what = format!("{mark} at {desk}: {:.12?}", said.text);
        let by_customer = said.who == Who::Customer;
        // Intercom would mail it once more, so it stands in a note that says what it is.
        let is_noted = desk == INTERCOM && said.account != desk && !by_customer;
        let wanted = said.public && !is_noted && said.fate != Fate::Hidden;
        // The first message of a Freshdesk ticket, and those of Intercom, cannot be hidden.
        let stays = said.fate == Fate::Hidden
            && said.account != desk
            && (desk == INTERCOM || shown.id.as_str() == "description");
        if shown.public != wanted && !stays {
            self.breaks(format!("{what} changed who can read it"));
        }
        if shown.public && shown.by_customer != by_customer {
            self.breaks(format!("{what} is shown as somebody else's"));
        }
        let link = said.link.as_ref().filter(|_| said.fate == Fate::Stands);
        let has =
            |link: &String| shown.html.contains(link) || shown.html.contains(&link.replace('&', "&amp;"));
        if link.is_some_and(|link| !has(link)) {
            self.breaks(format!("{what} lost its link: {:?}", shown.html));
        }
        if said.fate != Fate::Stands && said.fate != Fate::Hidden {
            return;
        }
        for file in &said.files {
            let same = |other: &&SimFile| other.name == file.name && other.bytes == file.bytes;
            let count = shown.files.iter().filter(same).count();
            let told = shown.text.contains(&format!("[attachment not copied: {}", file.name));
            if count != usize::from(!told) {
                let there: Vec<_> = shown.files.iter().map(|one| (&one.name, one.bytes.len())).collect();
                self.breaks(format!(
                    "{what}: {} ({} bytes) is there {count} times, named: {told}; there: {there:?}",
                    file.name,
                    file.bytes.len()
                ));
            }
        }
        if shown.files.len() > said.files.len() {
            self.breaks(format!("{what} has {} files instead of {}", shown.files.len(), said.files.len()));
        }
    }

    /// How many writes of this conversation are parked.
    fn parked_of(&self, talk: &Talk) -> usize {
        let link = Link::id_for(&TicketKey::new(talk.home, talk.id.clone()));
        self.parked.iter().filter(|row| row.kind == "write" && row.link.as_ref() == Some(&link)).count()
    }

    fn briefings(&mut self, mark: &str, talk: &Talk, desk: &str, ticket: &ShownTicket) {
        // What the AI agent got back and hands over once more bears another title.
        let is_of_bot = |comment: &&ShownComment| {
            let by_bot = |one: &&Handoff| one.kind == HandoffKind::AiToHuman;
            comment.text.starts_with(TITLE)
                || (is_briefing(&comment.text)
                    && !comment.text.starts_with(LATE)
                    && self.own_record(comment).filter(by_bot).is_some())
        };
        let notes: Vec<_> = ticket.comments.iter().filter(is_of_bot).collect();
        let wanted = if desk == talk.home { talk.handoffs.len() } else { 0 };
        if notes.iter().any(|note| note.public) {
            self.breaks(format!("{mark} at {desk}: a briefing is public"));
        }
        self.between_people(mark, desk, ticket);
        // People are briefed by people too.
        let briefed = ticket.comments.iter().filter(|comment| is_briefing(&comment.text));
        let (late, briefed): (Vec<_>, Vec<_>) = briefed.partition(|comment| comment.text.starts_with(LATE));
        if late.len() > briefed.len() || late.iter().any(|note| note.public) {
            let briefed = briefed.len();
            self.breaks(format!("{mark} at {desk} has {} follow-ups to {briefed} briefings", late.len()));
        }
        // Who has a ticket on which the AI agent spoke before it was seen first has it from that one.
        let by_bot = |said: &Said| said.public && said.who == Who::Bot && said.account == talk.home;
        if desk == talk.home && notes.len() == wanted + 1 && talk.said.iter().any(by_bot) {
            return self.excuse("a person had a ticket on which the AI agent had spoken before it was seen");
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

    /// The handoff of a briefing: it begins with its own and names those before below.
    fn own_record(&self, note: &ShownComment) -> Option<&Handoff> {
        let place = |record: &&Handoff| note.text.find(record.id.as_str());
        self.handoffs.iter().filter(|one| place(one).is_some()).min_by_key(|one| place(one))
    }

    /// What people passed on among themselves has one briefing, private, on the ticket of its record.
    fn between_people(&mut self, mark: &str, desk: &str, ticket: &ShownTicket) {
        let is_one = |comment: &&ShownComment| {
            is_briefing(&comment.text) && ![TITLE, LATE].iter().any(|title| comment.text.starts_with(title))
        };
        let notes: Vec<&ShownComment> = ticket.comments.iter().filter(is_one).collect();
        let mut told = BTreeSet::new();
        for note in notes {
            // Tickets of which one follows up another are shown as one: each note stands on its own.
            let bears = |one: &&ShownTicket| one.comments.iter().any(|comment| comment.id == note.id);
            let key = self.tickets[desk].iter().find(bears);
            let key = key.map(|one| TicketKey::new(AccountId::new(desk), one.id.clone()));
            // It begins with its own handoff and names those before below.
            let place = |record: &&Handoff| note.text.find(record.id.as_str());
            let record = self.handoffs.iter().filter(|one| place(one).is_some()).min_by_key(|one| place(one));
            let record = record.map(|record| (record.id.clone(), Some(&record.ticket) == key.as_ref()));
            match record {
                Some((id, true)) if !note.public && told.insert(id.clone()) => {}
                Some((id, true)) => {
                    self.breaks(format!("{mark} at {desk}: a second or public briefing of {id}"))
                }
                other => self.breaks(format!("{mark} at {desk}: a briefing of another handoff: {other:?}")),
            }
        }
    }

    /// There is one value that every side shows in its own form.
    fn agreement(&mut self, mark: &str, sides: &[(&'static str, ShownTicket)]) {
        let shown: Vec<(&str, Fields)> =
            sides.iter().map(|(desk, ticket)| (*desk, fields(self.life, desk, ticket))).collect();
        for field in Field::SYNCED {
            let only = |of: &Fields| Fields::from([(field, of[&field].clone())]);
            let is_base = |(_, base): &(&str, Fields)| {
                shown.iter().all(|(desk, own)| self.normalize(desk, &only(base)) == only(own))
            };
            if !shown.is_empty() && !shown.iter().any(is_base) {
                let values: Vec<_> =
                    shown.iter().map(|(desk, own)| format!("{:?} at {desk}", own[&field])).collect();
                self.breaks(format!("{mark}: {field} is {}", values.join(", ")));
            }
        }
    }

    /// Types, owners and custom fields, in the words that people see.
    fn more_agreement(&mut self, mark: &str, talk: &Talk, sides: &[(&'static str, ShownTicket)]) {
        if !self.life.profile.rich {
            return;
        }
        let mut same = |what: &str, values: Vec<(&str, String)>| {
            if values.iter().any(|(_, value)| *value != values[0].1) {
                self.verdict.broken.push(format!("{mark}: {what} is {values:?}"));
            }
        };
        let typed = sides.iter().filter(|(desk, _)| *desk != INTERCOM);
        same("the type", typed.map(|(desk, ticket)| (*desk, type_of(ticket))).collect());
        for (name, _, kind) in CUSTOM {
            let value = |(desk, ticket): &(&'static str, ShownTicket)| {
                let native = &self.life.made.custom[name][desk];
                (*desk, custom_words(kind, ticket.custom.get(native)))
            };
            same(name, sides.iter().map(value).collect());
        }
        // Only people are mapped: what the AI agent owns is left as it is elsewhere.
        if !talk.bot_owns && talk.closed.is_empty() {
            let owner = |ticket: &ShownTicket| ticket.assignee.clone().unwrap_or_default();
            let owned = sides.iter().map(|(desk, ticket)| (*desk, owner(ticket)));
            let owned: Vec<_> = owned.collect();
            if owned.iter().any(|(desk, owner)| *desk == talk.home && AGENTS.contains(&owner.as_str())) {
                same("the owner", owned);
            }
        }
    }

    /// What the customer thought is known.
    fn ratings(&mut self, mark: &str, talk: &Talk, sides: &[(&'static str, ShownTicket)]) {
        for desk in talk.rated.keys().filter(|_| talk.closed.is_empty()) {
            let Some((_, ticket)) = sides.iter().find(|(one, _)| one == desk) else { continue };
            let key = TicketKey::new(*desk, ticket.id.clone());
            let known =
                self.links.iter().find_map(|link| link.sides.get(&key)).map(|side| side.rating.is_some());
            if known != Some(true) {
                self.breaks(format!("{mark} at {desk}: the rating is not known: {known:?}"));
            }
        }
    }

    fn normalize(&self, account: &str, fields: &Fields) -> Fields {
        let desks = &self.life.engine().parts().desks;
        desks[&AccountId::new(account)].helpdesk.normalize(fields)
    }

    /// The last edit of a field stands, unless the other side edited it shortly before.
    fn last_edits(&mut self, mark: &str, talk: &Talk, sides: &[(&'static str, ShownTicket)]) {
        let settled = self.life.profile.intake_within;
        for (place, (edit, other)) in talk.last_edits() {
            let contested = other.is_some_and(|other| edit.at.since(other) < settled)
                || edit.at.since(talk.opened_at) < settled;
            let touched = matches!(edit.what, What::Status(_) | What::Waiting)
                && talk.touched.iter().any(|at| at.plus(settled) > edit.at);
            // What was edited about when the ticket was closed for good may be on it alone.
            let closed = talk.closed.iter().any(|at| at.plus(settled) > edit.at);
            let ticket = sides.iter().find(|(desk, _)| *desk == edit.account).map(|(_, ticket)| ticket);
            let Some(ticket) = ticket.filter(|_| !contested && !touched && !closed) else { continue };
            if stands(self.life, &edit, ticket) {
                continue;
            }
            if self.was_unseen(&edit, ticket) {
                self.excuse("a change of a set that the vendor let us write over a moment later");
            } else {
                self.breaks(format!(
                    "{mark}: the last edit of the {place} at {} is lost: {:?}",
                    edit.account, edit.what
                ));
            }
        }
    }

    /// Whether a write of ours followed so soon that no vendor could tell us of the edit. Sets are
    /// written whole: Zendesk, where options are tags, tells versions to the second only, and
    /// Freshdesk does not compare them at all.
    fn was_unseen(&self, edit: &Edit, ticket: &ShownTicket) -> bool {
        let is_set = matches!(edit.what, What::Tagged(_) | What::Untagged(_) | What::Set(Field::Ccs, _));
        let (path, within, is_set) = match edit.account {
            ZENDESK => {
                let is_option = matches!(edit.what, What::Custom(..));
                (format!("/api/v2/tickets/{}.json", ticket.id), Duration::from_secs(1), is_set || is_option)
            }
            FRESHDESK => (format!("/api/v2/tickets/{}", ticket.id), Duration::from_secs(2), is_set),
            _ => return false,
        };
        let log = self.life.world.log();
        let mut ours = log.iter().filter(|line| line.method == "PUT" && line.path == path);
        is_set
            && ours.any(|line| {
                line.account.as_str() == edit.account && line.at >= edit.at && line.at.since(edit.at) < within
            })
    }

    fn tickets_nobody_opened(&mut self) {
        let marks: Vec<String> = self.life.oracle.talks.keys().map(|number| Talk::mark(*number)).collect();
        for (desk, tickets) in self.tickets.clone() {
            for ticket in tickets {
                let is_hiring = ticket.subject == HIRING && ticket.deleted;
                if !is_hiring && !marks.iter().any(|mark| ticket.subject.contains(mark)) {
                    self.breaks(format!("{desk} has a ticket that nobody opened: {:?}", ticket.subject));
                }
            }
        }
    }

    /// One mail per public reply of an agent, none of anything else.
    fn mails(&mut self) {
        let mut mailed: BTreeMap<String, Vec<(&str, String)>> = BTreeMap::new();
        for desk in self.life.profile.desks.clone() {
            for mail in self.life.mails(desk) {
                let ticket = self.tickets[desk].iter().find(|ticket| ticket.id == mail.ticket).cloned();
                let Some(ticket) = ticket.filter(|ticket| ticket.subject != HIRING) else { continue };
                match &mail.comment {
                    None => self.receipt(desk, &ticket),
                    Some(id) => {
                        let text = self.text_of(desk, &ticket, id);
                        mailed.entry(text).or_default().push((desk, mail.to.clone()));
                    }
                }
            }
        }
        for (number, talk) in &self.life.oracle.talks {
            for said in &talk.said {
                let mut mails = mailed.remove(&fold_text(&said.text)).unwrap_or_default();
                self.mails_of(*number, talk, said, &mut mails);
            }
        }
        let redacted = self.life.oracle.talks.values().flat_map(|talk| &talk.said);
        let mut redacted = redacted.filter(|said| said.public && said.fate == Fate::Redacted).count();
        for (text, mails) in mailed {
            // Zendesk blacks out what was mailed before it was taken out elsewhere.
            if redacted > 0 && text.chars().all(|c| c == '▇' || c.is_whitespace()) {
                redacted -= 1;
                continue;
            }
            self.breaks(format!("mailed what nobody said: {text:.60?} {mails:?}"));
        }
    }

    /// What a comment says, or said before people changed it.
    fn text_of(&self, desk: &str, ticket: &ShownTicket, id: &RemoteId) -> String {
        let changed = self.life.oracle.talks.values().flat_map(|talk| &talk.said);
        let changed = changed.filter(|said| said.account == desk && said.id.as_ref() == Some(id));
        let comment = ticket.comments.iter().find(|comment| comment.id == *id);
        let shown = || comment.map_or_else(String::new, words_of);
        changed.map(|said| fold_text(&said.text)).next().unwrap_or_else(shown)
    }

    fn mails_of(&mut self, number: u32, talk: &Talk, said: &Said, mails: &mut Vec<(&str, String)>) {
        let requester = CUSTOMERS[talk.customer].1;
        let all = format!("{mails:?}");
        mails.retain(|(_, to)| to == requester || !talk.ccs.contains(to));
        let by_bot = said.account == INTERCOM && talk.home == INTERCOM && said.who == Who::Bot;
        // Intercom mails nobody what its AI agent says in answer to an e-mail.
        let unmailed = by_bot && self.life.profile.facing == INTERCOM;
        let wanted = usize::from(said.public && said.who != Who::Customer && !unmailed);
        if mails.is_empty() && wanted == 1 && said.hushed {
            self.excuse("an agent's reply in the moment when the quiet tag was on");
        } else if mails.is_empty()
            && by_bot
            && (!talk.is_live() || said.fate != Fate::Stands || self.parked_of(talk) > 0)
        {
            self.excuse(
                "an AI agent's reply that was to be mailed by another helpdesk, and was taken out or lost",
            );
        } else if mails.len() != wanted {
            self.breaks(format!(
                "[c{number}] {:.12?} of {:?} from {} (public: {}) was mailed {} times: {all}",
                said.text,
                said.who,
                said.account,
                said.public,
                mails.len()
            ));
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
            .flat_map(|said| texts_of(said, ""))
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
                && !matches!(line.method.as_str(), "GET" | "HEAD" | "WEBHOOK")
                && !line.path.contains("oauth")
                // Intercom's feeds are searches.
                && !line.path.ends_with("/search")
        });
        let writes: Vec<String> = writes.map(ToString::to_string).collect();
        if !writes.is_empty() {
            self.breaks(format!("{} writes long after all was done, such as {}", writes.len(), writes[0]));
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
