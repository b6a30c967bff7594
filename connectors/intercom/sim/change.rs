//! The changes that both the API and people make, and what follows from them.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{RemoteId, Timestamp};

use super::{
    html,
    world::{
        Author, Card, Detail, Head, Part, Rating, Source, State, Stats, Tagged, Thread, World, next, uuid,
    },
};
use crate::sim::MailSent;

/// A conversation or ticket that is about to be opened.
pub(super) struct Opening {
    pub is_conversation: bool,
    pub kind: &'static str,
    pub delivered_as: &'static str,
    /// HTML, or empty.
    pub subject: String,
    /// HTML.
    pub body: String,
    pub author: Author,
    pub contacts: Vec<String>,
    pub files: Vec<i64>,
    pub admin: Option<i64>,
    pub team: Option<i64>,
    pub card: Option<Card>,
    pub created_at: i64,
}

/// A part that is about to be made.
pub(super) struct Draft {
    pub kind: &'static str,
    /// HTML.
    pub body: Option<String>,
    pub author: Author,
    pub created_at: i64,
    pub files: Vec<i64>,
    pub by_app: bool,
    pub detail: Detail,
    /// Whether the customer is not to be told.
    pub silent: bool,
}

impl Draft {
    /// A part of this kind without a body.
    pub fn plain(kind: &'static str, author: Author, by_app: bool, now: i64) -> Self {
        Self {
            kind,
            body: None,
            author,
            created_at: now,
            files: Vec::new(),
            by_app,
            detail: Detail::None,
            silent: false,
        }
    }
}

impl World {
    /// Opens a thread. Nobody is mailed here.
    pub fn open(&mut self, opening: Opening, now: i64) -> i64 {
        let id = next(&mut self.ids.thread);
        let by_contact = matches!(opening.author, Author::Contact(_));
        let source = Source {
            kind: opening.kind,
            id: next(&mut self.ids.message),
            delivered_as: opening.delivered_as,
            subject: opening.subject,
            body: opening.body,
            author: opening.author,
            files: opening.files,
            redacted: false,
        };
        let head = Head {
            title: None,
            state: State::Open,
            read: false,
            priority: false,
            waiting_since: by_contact.then_some(opening.created_at),
            snoozed_until: None,
            admin: opening.admin,
            team: opening.team,
            contacts: opening.contacts,
            tags: Vec::new(),
            custom: BTreeMap::new(),
            teammates: BTreeSet::new(),
            linked: BTreeSet::new(),
            stats: Stats::default(),
            rating: None,
            ai_participated: opening.admin == Some(self.bot),
            updated_at: now,
            card: opening.card,
        };
        let is_conversation = opening.is_conversation;
        let (parts, indexed) = (Vec::new(), Vec::new());
        let created_at = opening.created_at;
        self.threads.insert(
            id,
            Thread { id, is_conversation, source, created_at, head, parts, deleted: false, indexed },
        );
        self.touch(id, now);
        id
    }

    /// The thread changed: its time moves and the index will hear of it.
    pub fn touch(&mut self, id: i64, now: i64) {
        let lag = self.options.index_lag_secs;
        let Some(thread) = self.threads.get_mut(&id) else { return };
        thread.head.updated_at = now;
        let row = (!thread.deleted).then(|| thread.head.clone());
        let seen = thread.indexed.iter().rposition(|(at, _)| now.saturating_sub(*at) >= lag).unwrap_or(0);
        thread.indexed.drain(..seen);
        match thread.indexed.last_mut() {
            // Of one second only the end is ever seen.
            Some((at, last)) if *at == now => *last = row,
            _ => thread.indexed.push((now, row)),
        }
    }

    /// Adds a part with all that follows: counts, mails, notifications.
    pub fn add(&mut self, id: i64, draft: Draft, now: i64) -> Option<i64> {
        let was = self.live(id)?.head.state;
        self.add_after(id, draft, was, now)
    }

    /// The same, when the state was already changed from `was`.
    fn add_after(&mut self, id: i64, draft: Draft, was: State, now: i64) -> Option<i64> {
        let part_id = next(&mut self.ids.part);
        let is_bot = matches!(draft.author, Author::Admin(id) if id == self.bot);
        let thread = self.threads.get_mut(&id).filter(|thread| !thread.deleted)?;
        let part = Part {
            id: part_id,
            kind: draft.kind,
            body: draft.body,
            author: draft.author,
            created_at: draft.created_at,
            updated_at: now,
            files: draft.files,
            redacted: false,
            state: thread.head.state,
            tags: Vec::new(),
            by_app: draft.by_app,
            detail: draft.detail,
        };
        note(&mut thread.head, &part, is_bot);
        let mailed = part.is_public() && matches!(part.author, Author::Admin(_)) && !draft.silent;
        thread.parts.push(part.clone());
        self.touch(id, now);
        if mailed && self.mails_customers(id, is_bot) {
            self.mail(id, Some(part_id), now);
        }
        self.told(id, &part, was, now);
        Some(part_id)
    }

    /// Whether a public message of this thread goes to the customers by mail.
    ///
    /// The Messenger is open at nobody's, so it always does, but for answers
    /// of the AI agent to mails and for tickets that customers do not see.
    fn mails_customers(&self, id: i64, is_bot: bool) -> bool {
        let Some(thread) = self.threads.get(&id) else { return false };
        let hidden = thread.head.card.as_ref().is_some_and(|card| !card.shared) && !thread.is_conversation;
        !(hidden || is_bot && thread.source.kind == "email")
    }

    /// Mails every customer of a thread.
    pub fn mail(&mut self, id: i64, part: Option<i64>, now: i64) {
        let contacts = self.threads.get(&id).map(|thread| thread.head.contacts.clone()).unwrap_or_default();
        let ticket = self.named(id);
        for contact in contacts {
            let Some(contact) = self.contacts.get_mut(&contact) else { continue };
            contact.last_contacted_at = Some(now);
            let Some(to) = contact.email.clone() else { continue };
            let (ticket, comment) = (ticket.clone(), part.map(RemoteId::from));
            self.mails.push(MailSent { to, ticket, comment, at: Timestamp::from_secs(now) });
        }
    }

    /// Notifies of a part.
    fn told(&mut self, id: i64, part: &Part, was: State, now: i64) {
        if !self.hooks.listening() {
            return;
        }
        let Some(thread) = self.threads.get(&id) else { return };
        let by_contact = matches!(part.author, Author::Contact(_));
        let is_bot = matches!(part.author, Author::Admin(id) if id == self.bot);
        let conversation = thread.is_conversation.then(|| conversation_topics(part, by_contact, is_bot, was));
        let ticket = thread.head.card.is_some().then(|| ticket_topic(part, by_contact)).flatten();
        for topic in conversation.unwrap_or_default() {
            self.notify(id, topic, Some(part.id), now);
        }
        if let Some(topic) = ticket {
            self.notify(id, topic, Some(part.id), now);
        }
    }

    /// Notifies of something about a thread.
    pub fn notify(&mut self, id: i64, topic: &'static str, part: Option<i64>, now: i64) {
        if !self.hooks.listening() {
            return;
        }
        let Some(item) = self.item(id, topic, part, now) else { return };
        self.notify_with(topic, item, now);
    }

    /// Notifies with an item made by the caller.
    pub fn notify_with(&mut self, topic: &str, item: serde_json::Value, now: i64) {
        self.ids.notification += 1;
        let id = uuid(self.seed, &format!("notification {}", self.ids.notification));
        self.hooks.fire(topic, item, &id, Timestamp::from_secs(now));
    }

    /// Puts a customer's message on a thread. It opens one that is closed or snoozed.
    pub fn customer_says(&mut self, id: i64, draft: Draft, now: i64) -> Option<i64> {
        let was = self.live(id)?.head.state;
        let Author::Contact(contact) = &draft.author else { return None };
        if let Some(contact) = self.contacts.get_mut(contact) {
            contact.last_replied_at = Some(now);
        }
        let kind = if was == State::Open { "comment" } else { "open" };
        self.set(id, State::Open, None);
        self.add_after(id, Draft { kind, ..draft }, was, now)
    }

    fn set(&mut self, id: i64, state: State, until: Option<i64>) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        thread.head.state = state;
        thread.head.snoozed_until = until;
        if let Some(until) = until {
            self.wake_at = self.wake_at.min(until);
        }
    }

    /// Changes the state. The part is made even if the state is the same.
    pub fn set_state(
        &mut self,
        id: i64,
        state: State,
        until: Option<i64>,
        draft: Draft,
        now: i64,
    ) -> Option<i64> {
        let was = self.live(id)?.head.state;
        self.set(id, state, until);
        self.add_after(id, draft, was, now)
    }

    /// Gives a thread to an admin or a team, or to nobody. A closed conversation opens.
    pub fn assign(
        &mut self,
        id: i64,
        kind: &'static str,
        to: Option<i64>,
        draft: Draft,
        now: i64,
    ) -> Option<i64> {
        let was = self.live(id)?.head.state;
        let thread = self.threads.get_mut(&id)?;
        let place = if kind == "team" { &mut thread.head.team } else { &mut thread.head.admin };
        *place = to;
        if was == State::Closed && to.is_some() && thread.is_conversation {
            thread.head.state = State::Open;
        }
        let reopened = thread.head.state != was;
        let kind_of_part = if reopened { "assign_and_reopen" } else { "assignment" };
        let detail = Detail::Assigned { kind, id: to };
        self.add_after(id, Draft { kind: kind_of_part, detail, ..draft }, was, now)
    }

    /// Tags a thread.
    pub fn tag(&mut self, id: i64, tag: i64, by: i64, now: i64) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        if thread.head.tags.iter().any(|tagged| tagged.tag == tag) {
            return;
        }
        thread.head.tags.push(Tagged { tag, at: now, by });
        let part = thread.parts.last_mut().map(|part| {
            part.tags.push(tag);
            part.id
        });
        let is_conversation = thread.is_conversation;
        self.touch(id, now);
        // There is no such topic of tickets.
        if is_conversation {
            self.notify(id, "conversation_part.tag.created", part, now);
        }
    }

    /// Takes a tag off. There is no topic for that.
    pub fn untag(&mut self, id: i64, tag: i64, now: i64) {
        let Some(thread) = self.threads.get_mut(&id) else { return };
        let before = thread.head.tags.len();
        thread.head.tags.retain(|tagged| tagged.tag != tag);
        if thread.head.tags.len() != before {
            self.touch(id, now);
        }
    }

    /// Deletes a thread for ever.
    pub fn delete(&mut self, id: i64, now: i64) {
        let Some(thread) = self.threads.get_mut(&id).filter(|thread| !thread.deleted) else { return };
        thread.deleted = true;
        let is_conversation = thread.is_conversation;
        self.touch(id, now);
        if is_conversation {
            self.notify(id, "conversation.deleted", None, now);
        }
    }

    /// The customer rates a conversation.
    pub fn rate(&mut self, id: i64, rating: u8, remark: &str, now: i64) -> bool {
        let Some(thread) = self.threads.get_mut(&id).filter(|thread| !thread.deleted) else { return false };
        let Some(contact) = thread.head.contacts.first().cloned() else { return false };
        let (remark, teammate) = (remark.to_owned(), thread.head.admin);
        thread.head.rating = Some(Rating { rating: rating.clamp(1, 5), remark, contact, teammate, at: now });
        let topic =
            if thread.is_conversation { "conversation.rating.added" } else { "ticket.rating.provided" };
        self.touch(id, now);
        self.notify(id, topic, None, now);
        true
    }

    /// Hides a part's body, or the first message's.
    pub fn redact(&mut self, id: i64, part: Option<i64>, now: i64) {
        const GONE: &str = "<p><i>This message was deleted</i></p>";
        let Some(thread) = self.threads.get_mut(&id) else { return };
        match part {
            None => {
                thread.source.body = GONE.to_owned();
                thread.source.redacted = true;
                thread.source.files.clear();
            }
            Some(part) => {
                for found in thread.parts.iter_mut().filter(|found| found.id == part) {
                    found.body = Some(GONE.to_owned());
                    found.redacted = true;
                    found.files.clear();
                    found.updated_at = now;
                }
            }
        }
        self.touch(id, now);
        self.notify(id, "conversation_part.redacted", part, now);
    }

    /// Lets happen what happens by itself up to now.
    pub fn wake(&mut self, now: i64) {
        if now < self.wake_at {
            return;
        }
        let over =
            |thread: &&Thread| !thread.deleted && thread.head.snoozed_until.is_some_and(|at| at <= now);
        let woken: Vec<(i64, i64)> = self
            .threads
            .values()
            .filter(over)
            .map(|thread| (thread.head.snoozed_until.unwrap_or(now), thread.id))
            .collect();
        for (at, id) in woken {
            let draft = Draft::plain("timer_unsnooze", Author::Admin(self.bot), false, at);
            self.set_state(id, State::Open, None, draft, at);
        }
        self.finish_jobs(now);
        let live = self.threads.values().filter(|thread| !thread.deleted);
        let snoozes = live.filter_map(|thread| thread.head.snoozed_until);
        let jobs = self.jobs.values().filter(|job| job.call.is_some()).map(|job| job.due);
        self.wake_at = snoozes.chain(jobs).min().unwrap_or(i64::MAX);
    }

    /// The title of a thread in words.
    pub fn subject(&self, thread: &Thread) -> String {
        let ticket_title = thread.head.card.as_ref().filter(|_| !thread.is_conversation).map(|card| {
            card.attributes.get(super::catalog::TITLE).and_then(|title| title.as_str()).unwrap_or_default()
        });
        match (ticket_title, &thread.head.title) {
            (Some(title), _) => title.to_owned(),
            (None, Some(title)) => title.clone(),
            (None, None) => html::to_text(&thread.source.subject),
        }
    }
}

/// What a new part does to the counts and times.
fn note(head: &mut Head, part: &Part, is_bot: bool) {
    let (stats, at) = (&mut head.stats, part.created_at);
    stats.parts += 1;
    match &part.author {
        Author::Contact(_) if part.body.is_some() => {
            stats.first_contact_reply_at.get_or_insert(at);
            stats.last_contact_reply_at = Some(at);
            head.waiting_since.get_or_insert(at);
            head.read = false;
        }
        Author::Admin(admin) => {
            if part.is_public() {
                stats.first_admin_reply_at.get_or_insert(at);
                stats.last_admin_reply_at = Some(at);
                head.waiting_since = None;
            }
            if part.body.is_some() && !is_bot {
                head.teammates.insert(*admin);
            }
            head.ai_participated |= is_bot && part.is_public();
        }
        Author::Contact(_) => {}
    }
    match part.kind {
        "close" => {
            stats.first_close_at.get_or_insert(at);
            stats.last_close_at = Some(at);
            stats.last_closed_by = match part.author {
                Author::Admin(admin) => Some(admin),
                Author::Contact(_) => None,
            };
        }
        "open" | "assign_and_reopen" | "timer_unsnooze" => stats.reopens += 1,
        _ => {}
    }
    if matches!(part.kind, "assignment" | "assign_and_reopen") {
        stats.assignments += 1;
        stats.first_assignment_at.get_or_insert(at);
        stats.last_assignment_at = Some(at);
    }
}

/// The topics of a conversation's part. A bot's message has two.
fn conversation_topics(part: &Part, by_contact: bool, is_bot: bool, was: State) -> Vec<&'static str> {
    match part.kind {
        "comment" | "quick_reply" | "open" if by_contact => vec!["conversation.user.replied"],
        "comment" | "quick_reply" if is_bot => {
            vec!["conversation.admin.replied", "conversation.operator.replied"]
        }
        "comment" | "quick_reply" => vec!["conversation.admin.replied"],
        "note" => vec!["conversation.admin.noted"],
        "close" => vec!["conversation.admin.closed"],
        "open" if was == State::Snoozed => vec!["conversation.admin.unsnoozed"],
        "open" => vec!["conversation.admin.opened"],
        "timer_unsnooze" => vec!["conversation.admin.unsnoozed"],
        "snoozed" => vec!["conversation.admin.snoozed"],
        "assignment" => vec!["conversation.admin.assigned"],
        "assign_and_reopen" => vec!["conversation.admin.open.assigned"],
        _ => Vec::new(),
    }
}

/// The topic of a ticket's part.
fn ticket_topic(part: &Part, by_contact: bool) -> Option<&'static str> {
    Some(match part.kind {
        "comment" | "quick_reply" | "open" if by_contact => "ticket.contact.replied",
        "comment" | "quick_reply" => "ticket.admin.replied",
        "note" => "ticket.note.created",
        "close" => "ticket.closed",
        "assignment" | "assign_and_reopen" => match part.detail {
            Detail::Assigned { kind: "team", .. } => "ticket.team.assigned",
            _ => "ticket.admin.assigned",
        },
        "ticket_state_updated_by_admin" => "ticket.state.updated",
        "ticket_attribute_updated_by_admin" => "ticket.attribute.updated",
        _ => return None,
    })
}
