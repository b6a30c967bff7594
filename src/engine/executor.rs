//! Carries out stored writes. A write that may have been sent is looked for at
//! the vendor before anything else is done with it.

use std::{collections::BTreeSet, sync::PoisonError};

use handoffd_connectors::contract::{Attempted, Call, Disarms, Error, Lane};
use handoffd_core::{
    AccountId, Message, OpKey, Person, RemoteId, Role, Timestamp,
    intent::{Applied, Create, Intent, NewTicket, Outcome, Update},
    link::{Link, Origin, Place},
    retry::{self, Failure, Next, RetryRules, UnsureRules},
};

use super::{
    Desk, Fault, Inner,
    transfer::{self, Lacks, Supplies},
};
use crate::store::{
    Commit, Key,
    tables::{self, IntentRow, PEOPLE},
};

/// How often a ticket whose marker shows that it was not made is sent again.
const MARKED_TRIES_MAX: u32 = 4;

/// What one try came to.
#[derive(Debug)]
pub(super) enum Step {
    /// The write is settled.
    Settle(Outcome),
    /// The ticket is gone; the write did not happen.
    Gone,
    /// The ticket changed since it was read: read it and decide again.
    Stale,
    /// Not settled: the row as it is to be stored, due later.
    Keep(Box<IntentRow>),
}

impl Inner {
    /// One try of a stored write.
    pub(super) async fn execute(&self, link: &Link, row: &IntentRow, lane: Lane) -> Result<Step, Fault> {
        let now = self.now();
        let Some(desk) = self.parts.desks.get(row.intent.account()) else {
            let why = format!("the account {} is not configured", row.intent.account());
            return Ok(put_off(row, now.plus(self.parts.config.paused_recheck.0), why));
        };
        if desk.is_paused() {
            let why = format!("{} is paused", desk.id);
            return Ok(put_off(row, now.plus(self.parts.config.paused_recheck.0), why));
        }
        let lane = match (&row.handoff, lane) {
            (Some(_), _) => Lane::Handoff,
            (None, Lane::Backfill) => Lane::Backfill,
            (None, _) => Lane::Live,
        };
        let call = self.call(lane);
        let intent = self.fetch_back(row.intent.clone()).await?;
        let (intent, author) = match self.authors_at(desk, call, link, intent).await? {
            Ok(known) => known,
            Err(error) => return Ok(self.after_error(desk, row, harmless(error), false).await),
        };
        // A write whose answer could not be stored was sent all the same.
        let sent_at = row.sent_at.or(self.sent_at(intent.key()));
        if sent_at.is_some() || row.run != self.parts.run {
            let row = IntentRow { sent_at, ..row.clone() };
            return self.look_for(desk, call, link, &row, &intent, author.as_ref()).await;
        }
        self.send(desk, call, row, &intent, author.as_ref()).await
    }

    /// The helpdesk that has a file does not answer now: the write waits for it, and goes without
    /// it at last.
    async fn without_file(
        &self,
        desk: &Desk,
        row: &IntentRow,
        intent: &Intent,
        lacks: Lacks,
    ) -> Result<Step, Fault> {
        let now = self.now();
        let Lacks { file, error } = lacks;
        if let Some(origin) = self.parts.desks.get(&file.from.account) {
            self.learn(origin, &error, Disarms::Reads).await;
        }
        let (fraction, rules) = (self.parts.jitter.fraction(), self.rules(desk, row));
        match retry::decide(failure_of(&error), row.attempts + 1, row.lookups, now, fraction, &rules) {
            Next::At { when, counts } => {
                let row = IntentRow { attempts: row.attempts + u32::from(counts), ..row.clone() };
                let why = format!("a file of it cannot be fetched from {} now: {error}", file.from.account);
                Ok(put_off(&row, when, why))
            }
            Next::Look { .. } | Next::Replan | Next::Park { .. } => {
                let amended = transfer::without(intent, &file, "it could not be fetched for too long");
                let intent = self.put_aside(amended).await?;
                Ok(Step::Keep(Box::new(IntentRow { intent, due: now, ..row.clone() })))
            }
        }
    }

    fn sent_at(&self, key: &OpKey) -> Option<Timestamp> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied()
    }

    /// Whether a write may be at the vendor already: it was sent, or another run had it in hand.
    pub(super) fn may_be_there(&self, row: &IntentRow) -> bool {
        row.sent_at.or(self.sent_at(row.intent.key())).is_some() || row.run != self.parts.run
    }

    fn note_sent(&self, key: &OpKey, at: Timestamp) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).entry(key.clone()).or_insert(at);
    }

    /// What came of a write is in the store, or it certainly did not happen.
    pub(super) fn note_settled(&self, key: &OpKey) {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    async fn send(
        &self,
        desk: &Desk,
        call: Call,
        row: &IntentRow,
        intent: &Intent,
        author: Option<&RemoteId>,
    ) -> Result<Step, Fault> {
        // The files are there until the write is answered.
        let (files, _fetched) = match self.supplies(desk, intent, call.lane).await? {
            Supplies::Ready(files, fetched) => {
                self.note_files(intent.key(), &fetched);
                (files, fetched)
            }
            Supplies::Amended(amended) => {
                let intent = self.put_aside(*amended).await?;
                return Ok(Step::Keep(Box::new(IntentRow { intent, due: self.now(), ..row.clone() })));
            }
            Supplies::Later(lacks) => return self.without_file(desk, row, intent, lacks).await,
        };
        // Files may have taken long: the write itself has all of its time.
        let call = if files.is_empty() { call } else { self.call(call.lane) };
        let sent_at = self.now();
        self.note_sent(intent.key(), sent_at);
        match desk.helpdesk.apply(call, intent, author, &files).await {
            Ok(applied) => {
                self.parts.metrics.wrote(&desk.id, "applied");
                Ok(Step::Settle(Outcome::Applied(Box::new(applied))))
            }
            Err(error) => {
                let row = IntentRow { sent_at: row.sent_at.or(Some(sent_at)), ..row.clone() };
                Ok(self.after_error(desk, &row, error, false).await)
            }
        }
    }

    async fn look_for(
        &self,
        desk: &Desk,
        call: Call,
        link: &Link,
        row: &IntentRow,
        intent: &Intent,
        author: Option<&RemoteId>,
    ) -> Result<Step, Fault> {
        let claimed = claimed_at(link, intent);
        let lost =
            Attempted { intent, sent_at: row.sent_at.unwrap_or(row.made_at), claimed: &claimed, author };
        match desk.helpdesk.find_applied(call, lost).await {
            Ok(Some(applied)) => {
                tracing::info!(account = %desk.id, key = %intent.key(), "A write without an answer was found at the vendor.");
                self.parts.metrics.wrote(&desk.id, "found");
                Ok(Step::Settle(Outcome::Applied(Box::new(applied))))
            }
            Ok(None) => self.after_fruitless_look(desk, call, row, intent, author).await,
            Err(error) => Ok(self.after_error(desk, row, error, true).await),
        }
    }

    /// Not found. Another run of the daemon may have stopped before it sent
    /// anything: once the vendor had time to finish what it might have had in
    /// hand, the write is sent. A write that was sent is given up instead, unless
    /// its marker shows for certain that it is not there.
    async fn after_fruitless_look(
        &self,
        desk: &Desk,
        call: Call,
        row: &IntentRow,
        intent: &Intent,
        author: Option<&RemoteId>,
    ) -> Result<Step, Fault> {
        let lookups = row.lookups + 1;
        let looked = self.now().since(row.found_at.unwrap_or(self.now()));
        let rules = UnsureRules {
            settle: self.parts.config.lost_settle.0,
            lookup_wait: desk.capabilities.lookup_wait,
            lookups_max: desk.capabilities.lookups_max,
        };
        let creates = matches!(intent, Intent::Create(_));
        let wait = match row.sent_at {
            Some(_) => desk.capabilities.lookup_wait,
            None => match retry::look_again(lookups, looked, creates, &rules) {
                Some(wait) => wait,
                None => {
                    // It is this run's from now on, before it is sent: the next one looks anew.
                    let (run, due) = (self.parts.run.clone(), self.now());
                    let row = IntentRow { run, due, lookups: 0, found_at: None, ..row.clone() };
                    return Ok(Step::Keep(Box::new(row)));
                }
            },
        };
        if row.sent_at.is_some() && lookups >= desk.capabilities.lookups_max {
            let again = IntentRow { lookups: 0, attempts: row.attempts + 1, ..row.clone() };
            if marked(intent) && again.attempts < MARKED_TRIES_MAX {
                return self.send(desk, call, &again, intent, author).await;
            }
            self.parts.metrics.wrote(&desk.id, "lost");
            let outcome = if repeatable(intent) { Outcome::NotApplied } else { Outcome::Lost };
            return Ok(Step::Settle(outcome));
        }
        let why = "sent and not answered; it is being looked for".to_owned();
        let found_at = row.found_at.or(Some(self.now()));
        Ok(put_off(&IntentRow { lookups, found_at, ..row.clone() }, self.now().plus(wait), why))
    }

    pub(super) async fn after_error(
        &self,
        desk: &Desk,
        row: &IntentRow,
        error: Error,
        looking: bool,
    ) -> Step {
        let capability = match row.intent {
            Intent::Create(_) => Disarms::Creates,
            Intent::Update(_) | Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => Disarms::Writes,
        };
        self.learn(desk, &error, capability).await;
        self.parts.metrics.wrote(&desk.id, outcome_word(&error));
        let words = error.to_string();
        let failure = failure_of(&error);
        // Only an answer that is missing leaves it open whether the write happened.
        let sent_at = match (&error, looking) {
            (Error::Unknown { .. } | Error::Malformed { .. }, _) | (_, true) => row.sent_at,
            _ => None,
        };
        if sent_at.is_none() {
            self.note_settled(row.intent.key());
        }
        let row = IntentRow { sent_at, ..row.clone() };
        if !looking {
            match error {
                Error::Gone if matches!(row.intent, Intent::Create(_)) => {
                    return Step::Settle(Outcome::Refused(format!("it cannot be made there: {words}")));
                }
                Error::Gone => return Step::Gone,
                Error::Stale => return Step::Stale,
                Error::Closed => return Step::Settle(Outcome::Closed),
                _ => {}
            }
        }
        let (fraction, rules) = (self.parts.jitter.fraction(), self.rules(desk, &row));
        match retry::decide(failure, row.attempts + 1, row.lookups, self.now(), fraction, &rules) {
            Next::At { when, counts } => {
                put_off(&IntentRow { attempts: row.attempts + u32::from(counts), ..row }, when, words)
            }
            Next::Look { when } => {
                put_off(&IntentRow { lookups: row.lookups + u32::from(looking), ..row }, when, words)
            }
            Next::Replan => Step::Settle(Outcome::NotApplied),
            Next::Park { .. } if row.sent_at.is_some() && !repeatable(&row.intent) => {
                Step::Settle(Outcome::Lost)
            }
            Next::Park { .. } if row.sent_at.is_some() => Step::Settle(Outcome::NotApplied),
            Next::Park { reason } => Step::Settle(Outcome::Refused(format!("{reason}: {words}"))),
        }
    }

    /// A failure that passes is waited out for as long as the configuration says, however often it is met.
    fn rules(&self, desk: &Desk, row: &IntentRow) -> RetryRules {
        let config = &self.parts.config;
        RetryRules {
            attempts_max: if self.now().since(row.made_at) > config.give_up_after.0 { 0 } else { u32::MAX },
            lookups_max: desk.capabilities.lookups_max,
            wait_first: config.retry_first.0,
            wait_max: config.retry_max.0,
            lookup_wait: desk.capabilities.lookup_wait,
            paused_wait: config.paused_recheck.0,
        }
    }

    /// Who wrote the message, by their id at this helpdesk; those of a past stand in the write.
    async fn authors_at(
        &self,
        desk: &Desk,
        call: Call,
        link: &Link,
        mut intent: Intent,
    ) -> Result<Result<(Intent, Option<RemoteId>), Error>, Fault> {
        let policy = self.policy(&link.group);
        let at_origin = |number: Option<u64>, person: &Person| {
            let Origin::Comment(origin) = &link.copies.get(&number?)?.origin else { return None };
            policy.as_ref()?.author_at(&origin.ticket.account, person, &desk.id)
        };
        if let Intent::Create(Create { ticket: NewTicket { import: Some(import), .. }, .. }) = &mut intent {
            for said in &mut import.messages {
                let Some(person) = writer_of(&said.message) else { continue };
                said.author = match person.role {
                    Role::Customer => match self.customer_at(desk, call, person).await? {
                        Ok(id) => id,
                        Err(error) => return Ok(Err(error)),
                    },
                    Role::Agent => at_origin(Some(said.number), person),
                };
            }
        }
        let Some(person) = who_speaks(desk, &intent) else { return Ok(Ok((intent, None))) };
        let author = match person.role {
            Role::Customer => self.customer_at(desk, call, person).await?,
            Role::Agent if is_bots(link, &intent) => Ok(person.id.clone()),
            Role::Agent => Ok(at_origin(number_of(link, &intent), person)),
        };
        Ok(author.map(|author| (intent, author)))
    }

    /// The id of a customer at this helpdesk.
    async fn customer_at(
        &self,
        desk: &Desk,
        call: Call,
        author: &Person,
    ) -> Result<Result<Option<RemoteId>, Error>, Fault> {
        let Some(email) = author.email_folded() else { return Ok(Ok(None)) };
        if let Some(id) = tables::person_at(&*self.parts.store, &desk.id, &email).await? {
            return Ok(Ok(Some(id)));
        }
        match desk.helpdesk.ensure_person(call, author).await {
            Ok(id) => {
                let row = tables::put(PEOPLE, Key::of(&[desk.id.as_str(), &email]), &id);
                self.parts.store.commit(Commit { writes: vec![row], ..Commit::default() }).await?;
                Ok(Ok(Some(id)))
            }
            Err(error) => Ok(Err(error)),
        }
    }
}

/// Finding or making a person is harmless to repeat: no answer means no more than that.
pub(super) fn harmless(error: Error) -> Error {
    match error {
        Error::Unknown { why } => Error::Transient { why },
        Error::Malformed { what } => Error::Refused { why: what },
        Error::Gone | Error::Stale => Error::Transient { why: error.to_string() },
        error => error,
    }
}

/// Whether the same write may be decided again without harm when nobody knows
/// whether it happened: fields take their value twice, words do not.
fn repeatable(intent: &Intent) -> bool {
    match intent {
        Intent::Create(_) => false,
        Intent::Update(update) => update.message.is_none(),
        Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => true,
    }
}

/// Whose words a write carries, where the helpdesk wants their id.
fn who_speaks<'a>(desk: &Desk, intent: &'a Intent) -> Option<&'a Person> {
    match intent {
        Intent::Create(create) if desk.capabilities.creates_as_author => {
            create.ticket.opening.as_ref().map(|opening| &opening.author)
        }
        Intent::Update(update) => update.message.as_ref().and_then(writer_of),
        Intent::Create(_) | Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => None,
    }
}

/// The number of the message that a write carries; of a creation the opening's.
fn number_of(link: &Link, intent: &Intent) -> Option<u64> {
    let carries = |place: &Place| matches!(place, Place::Sending(key) if key == intent.key());
    let copies = || link.copies.iter().find(|(_, copy)| copy.places.values().any(carries));
    link.openings.get(intent.key()).copied().or_else(|| copies().map(|(number, _)| *number))
}

/// Whether a write carries what an AI agent says through us, and is the first to do so.
fn is_bots(link: &Link, intent: &Intent) -> bool {
    let copy = number_of(link, intent).and_then(|number| link.copies.get(&number));
    copy.is_some_and(|copy| copy.by_bot && copy.origin == Origin::Ours(intent.key().clone()))
}

/// Whether a look for the write cannot overlook it: a ticket that we make, and a
/// note in our own words, bear the write's own key. It is sent again under the
/// same key, so that the next look finds the one or the other; and it mails nobody.
fn marked(intent: &Intent) -> bool {
    match intent {
        Intent::Create(_) => true,
        Intent::Update(Update { message: Some(Message::Private(note)), .. }) => note.author.is_none(),
        Intent::Update(_) | Intent::EditNote(_) | Intent::Amend(_) | Intent::Delete(_) => false,
    }
}

fn writer_of(message: &Message) -> Option<&Person> {
    match message {
        Message::Public(message) => Some(&message.author),
        Message::Private(message) => message.author.as_ref(),
    }
}

/// The comments on the written ticket that are accounted for.
fn claimed_at(link: &Link, intent: &Intent) -> BTreeSet<RemoteId> {
    let Some(ticket) = intent.ticket() else { return BTreeSet::new() };
    let places = link.copies.values().filter_map(|copy| copy.places.get(ticket));
    places
        .filter_map(|place| match place {
            Place::Here(id) => Some(id.clone()),
            Place::Sending(_) | Place::Parked(_) | Place::Before(_) => None,
        })
        .collect()
}

fn put_off(row: &IntentRow, due: Timestamp, why: String) -> Step {
    Step::Keep(Box::new(IntentRow { due, last_error: Some(why), ..row.clone() }))
}

fn failure_of(error: &Error) -> Failure {
    match error {
        Error::Throttled { retry_at } => Failure::Throttled { retry_at: *retry_at },
        Error::Transient { .. } => Failure::Transient,
        Error::Unknown { .. } => Failure::Unknown,
        Error::Stale => Failure::Stale,
        Error::Gone => Failure::Gone,
        Error::Unauthorized { .. } => Failure::Unauthorized,
        Error::Forbidden { .. } => Failure::Forbidden,
        Error::Malformed { .. } => Failure::Malformed,
        Error::Refused { .. } | Error::CursorRefused { .. } | Error::Closed => Failure::Refused,
    }
}

fn outcome_word(error: &Error) -> &'static str {
    match error {
        Error::Throttled { .. } => "throttled",
        Error::Transient { .. } => "transient",
        Error::Unknown { .. } => "unknown",
        Error::Stale => "stale",
        Error::Gone => "gone",
        Error::Unauthorized { .. } => "unauthorized",
        Error::Forbidden { .. } => "forbidden",
        Error::Malformed { .. } => "malformed",
        Error::Closed => "closed",
        Error::Refused { .. } | Error::CursorRefused { .. } => "refused",
    }
}

/// The words for what came of a write.
pub(super) fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Applied(applied) => describe_applied(applied),
        Outcome::NotApplied => "not applied; decided again".to_owned(),
        Outcome::Lost => "sent, not answered and not found; never sent again".to_owned(),
        Outcome::Closed => "the ticket is closed".to_owned(),
        Outcome::Refused(why) => format!("refused: {why}"),
    }
}

fn describe_applied(applied: &Applied) -> String {
    match &applied.comment {
        Some(comment) => format!("applied to {} as comment {comment}", applied.ticket),
        None => format!("applied to {}", applied.ticket),
    }
}

/// The account that a write goes to, for journals.
pub(super) fn account_of(intent: &Intent) -> AccountId {
    intent.account().clone()
}
