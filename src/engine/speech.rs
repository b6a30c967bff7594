//! What AI agents say through us: stored first, written only while they have the floor.
//!
//! Right before the write every ticket of the conversation is read. Where the helpdesk can, the
//! write is tied to that view; where it cannot, the tickets are read once more afterwards.

use std::{collections::BTreeMap, time::Duration};

use handoffd_connectors::contract::{Error, Lane};
use handoffd_core::{
    AccountId, CommentsSeen, Fetched, Mail, Message, Observed, OpKey, Person, PublicMessage, PublicText,
    RemoteId, Role, TicketKey, Timestamp,
    floor::{Floor, FloorNews, Holder, floor_after, floor_news, may_speak, take_back},
    intent::{Applied, Intent, Outcome, Update},
    link::{Link, Standing, text_digest},
    model::handoff::HandoffKind,
};

use super::{Engine, Fault, Inner, executor::Step, look::Look};
use crate::store::{
    Commit, CommitError, Guard, Key, ReadError, Write,
    tables::{self, INTENTS, IntentRow, JournalRow, LinkRow, SPEAKING, SPEECHES, SpeechRow, SpeechState},
};

/// For how long a view's version may also be that of a later change: vendors that count whole
/// seconds, and clocks that differ.
const VERSION_SETTLES: Duration = Duration::from_secs(2);
/// How long a message may wait to be said.
const SAY_WITHIN: Duration = Duration::from_secs(600);
const NOT_IN_TIME: &str = "it could not be said within ten minutes, and is not said any more";
/// The most messages of one ticket that wait.
const WAITING_MAX: usize = 100;
/// How long an answer to a message is waited for before the row is read again.
const READ_AGAIN: Duration = Duration::from_millis(500);

/// What an AI agent asks to say.
pub struct Words<'a> {
    /// The agent's name in the configuration.
    pub agent: &'a str,
    /// The conversation, as the agent calls it.
    pub conversation: &'a str,
    /// The ticket on which it is to be said.
    pub ticket: &'a TicketKey,
    /// The idempotency key.
    pub key: &'a str,
    /// SHA-256 of the request's body.
    pub digest: &'a str,
    /// The words.
    pub text: &'a str,
    /// The token under which the agent has the floor.
    pub token: u64,
    /// Whether the agent's turn ends with it.
    pub ends_turn: bool,
}

/// Why words could not be stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotStored(String);

impl From<ReadError> for NotStored {
    fn from(error: ReadError) -> Self {
        Self(error.to_string())
    }
}

/// People took the floor before, or while, words were written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Taken(pub(super) Floor);

impl Engine {
    /// Stores words to be said, and wakes their conversation. The same request again gives what
    /// became of the first. Words that come too late are refused at once.
    pub async fn say(&self, words: &Words<'_>) -> Result<SpeechRow, NotStored> {
        let id = tables::speech_id(words.agent, words.conversation, words.key);
        if let Some(known) = self.speech(&id).await? {
            return Ok(known);
        }
        let floor = self.floor_of(words.ticket).await?;
        let refused = floor.is_known() && may_speak(&floor, words.token).is_err();
        let text = match refused {
            true => None,
            false => {
                let body = PublicText::of_an_agent(words.text).body().clone();
                Some(self.body_aside(body).await.map_err(|fault| NotStored(format!("{fault:?}")))?)
            }
        };
        let row = SpeechRow {
            id: id.clone(),
            agent: words.agent.to_owned(),
            conversation: words.conversation.to_owned(),
            ticket: words.ticket.clone(),
            digest: words.digest.to_owned(),
            text,
            token: words.token,
            ends_turn: words.ends_turn,
            at: self.now(),
            state: if refused { SpeechState::Refused(floor) } else { SpeechState::Waiting },
        };
        let key = Key::of(&[&id]);
        let mut commit = Commit {
            guards: vec![Guard::Absent(SPEECHES, key.clone())],
            writes: vec![tables::put(SPEECHES, key, &row)],
            ..Commit::default()
        };
        let stored = match refused {
            true => {
                self.parts.metrics.spoken(row.state.name());
                self.parts.store.commit(commit).await
            }
            false => {
                commit.writes.push(tables::put(SPEAKING, tables::speaking_key(&row), &id));
                self.wake_ticket(words.ticket, "api", commit).await
            }
        };
        match stored {
            Ok(_) => Ok(row),
            Err(CommitError::Conflict { .. }) => {
                self.speech(&id).await?.ok_or_else(|| NotStored("it was stored twice at once".to_owned()))
            }
            Err(error) => Err(NotStored(error.to_string())),
        }
    }

    /// A message by its id.
    pub async fn speech(&self, id: &str) -> Result<Option<SpeechRow>, ReadError> {
        let row = tables::read::<SpeechRow>(&*self.parts.store, SPEECHES, &Key::of(&[id])).await?;
        Ok(row.map(|row| row.value))
    }

    /// A message as it is once something came of it, or at `until`.
    pub async fn speech_settled(&self, id: &str, until: Timestamp) -> Result<Option<SpeechRow>, ReadError> {
        loop {
            let settled = self.spoken.notified();
            let row = self.speech(id).await?;
            if row.as_ref().is_none_or(|row| row.state.is_settled()) || self.now() >= until {
                return Ok(row);
            }
            let at = self.now().plus(READ_AGAIN).min(until);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return Ok(row),
                () = settled => {}
                () = self.parts.clock.sleep_until(at) => {}
            }
        }
    }

    /// Stores the write of the first message that waits, if its agent has the floor. `true`:
    /// something was committed.
    pub(super) async fn serve_words(&self, look: &mut Look) -> Result<bool, Fault> {
        if self.parts.dry.is_some() {
            return Ok(false);
        }
        let Some(row) = tables::read_link(&*self.parts.store, &look.link).await? else { return Ok(false) };
        let Some(speech) = self.next_words(&row.link).await? else { return Ok(false) };
        if speech.state != SpeechState::Waiting {
            return Ok(false);
        }
        let is_live = |ticket| row.link.sides.get(ticket).is_some_and(|side| side.standing == Standing::Live);
        if !is_live(&speech.ticket) {
            let why = "the ticket takes no messages any more".to_owned();
            return self.end_words(look, &row, speech, SpeechState::Failed(why)).await;
        }
        if self.is_late(speech.at) {
            return self.end_words(look, &row, speech, SpeechState::Failed(NOT_IN_TIME.to_owned())).await;
        }
        if may_speak(&row.link.floor, speech.token).is_err() {
            let refused = SpeechState::Refused(row.link.floor);
            return self.end_words(look, &row, speech, refused).await;
        }
        let armed = self.policy(&row.link.group);
        let armed = armed.and_then(|policy| policy.accounts.get(&speech.ticket.account).cloned());
        if !armed.is_some_and(|account| account.writes_armed) {
            look.again_by(self.now().plus(self.parts.config.paused_recheck.0));
            return Ok(false);
        }
        self.words_leave(look, &row, speech).await?;
        Ok(true)
    }

    async fn words_leave(&self, look: &mut Look, row: &LinkRow, speech: SpeechRow) -> Result<(), Fault> {
        let (ticket, key) = (speech.ticket.clone(), OpKey(format!("{}-say", speech.id)));
        let body = match &speech.text {
            Some(body) => self.body_at_hand(body.clone()).await?,
            None => return Err(Fault::Park { why: "the words of a message are gone".to_owned() }),
        };
        let text = body.text().unwrap_or_default();
        let link = handoffd_core::floor::words_leave(&row.link, &ticket, &key, text_digest(text), self.now());
        let speaks_as = self.parts.voices.get(&speech.agent).map(|voice| &voice.speaks_as);
        let author = Person {
            id: speaks_as.and_then(|ids| ids.get(&ticket.account)).cloned(),
            name: speech.agent.clone(),
            email: None,
            role: Role::Agent,
        };
        let message = PublicMessage {
            author,
            text: PublicText::of_an_agent(text),
            mail: Mail::Send,
            attachments: Vec::new(),
        };
        let update = Update {
            at: ticket,
            set: BTreeMap::new(),
            message: Some(Message::Public(message)),
            if_version: None,
            key: key.clone(),
        };
        let stored = self.intent_row(Intent::Update(update), None).await?;
        let stored = IntentRow { speech: Some(speech.id.clone()), ..stored };
        let sending = SpeechRow { state: SpeechState::Sending, text: None, ..speech };
        let writes = vec![
            tables::put(INTENTS, tables::intent_key(&link.id, &key), &stored),
            tables::put(SPEECHES, Key::of(&[&sending.id]), &sending),
        ];
        self.store_link(look, Some(row), &link, writes, Vec::new()).await
    }

    /// Nothing more comes of a message that was not written.
    async fn end_words(
        &self,
        look: &Look,
        row: &LinkRow,
        speech: SpeechRow,
        state: SpeechState,
    ) -> Result<bool, Fault> {
        let writes = self.ended(speech, state);
        // Tied to the link, so that the floor is the one by which it was judged.
        self.store_link(look, Some(row), &row.link, writes, Vec::new()).await?;
        self.spoken.notify_waiters();
        Ok(true)
    }

    /// Messages for a ticket that cannot have any.
    pub(super) async fn fail_words(&self, ticket: &TicketKey, why: &str) -> Result<(), Fault> {
        let mut writes = Vec::new();
        for id in self.waiting_on(ticket).await? {
            if let Some(speech) = self.speech(&id).await?.filter(|row| row.state == SpeechState::Waiting) {
                writes.extend(self.ended(speech, SpeechState::Failed(why.to_owned())));
            }
        }
        if !writes.is_empty() {
            self.parts.store.commit(Commit { writes, ..Commit::default() }).await?;
            self.spoken.notify_waiters();
        }
        Ok(())
    }
}

impl Inner {
    fn ended(&self, speech: SpeechRow, state: SpeechState) -> Vec<Write> {
        self.parts.metrics.spoken(state.name());
        let gone = Write::Delete(SPEAKING, tables::speaking_key(&speech));
        let speech = SpeechRow { state, text: None, ..speech };
        vec![gone, tables::put(SPEECHES, Key::of(&[&speech.id]), &speech)]
    }

    async fn waiting_on(&self, ticket: &TicketKey) -> Result<Vec<String>, ReadError> {
        let prefix = Key::of(&[ticket.account.as_str(), ticket.id.as_str(), ""]);
        let rows = tables::read_all::<String>(&*self.parts.store, SPEAKING, &prefix, WAITING_MAX).await?;
        Ok(rows.into_iter().map(|(_, row)| row.value).collect())
    }

    /// The message of the conversation that came first and is not settled.
    async fn next_words(&self, link: &Link) -> Result<Option<SpeechRow>, ReadError> {
        let mut first: Option<SpeechRow> = None;
        for ticket in link.sides.keys().chain(&link.former) {
            let Some(id) = self.waiting_on(ticket).await?.into_iter().next() else { continue };
            let row = tables::read::<SpeechRow>(&*self.parts.store, SPEECHES, &Key::of(&[&id])).await?;
            let Some(row) = row.map(|row| row.value) else { continue };
            let is_first = first.as_ref().is_none_or(|first| {
                // What is on its way goes first: one at a time.
                (row.state == SpeechState::Waiting, row.at) < (first.state == SpeechState::Waiting, first.at)
            });
            first = if is_first { Some(row) } else { first };
        }
        Ok(first)
    }

    /// One try of words of an AI agent: written only if it still has the floor, as all tickets of
    /// the conversation show right now.
    pub(super) async fn speak(
        &self,
        look: &mut Look,
        row: &LinkRow,
        intent: &IntentRow,
        lane: Lane,
    ) -> Result<(Step, Option<Taken>), Fault> {
        if self.may_be_there(intent) {
            return Ok((self.execute(&row.link, intent, lane).await?, None));
        }
        let Some(target) = intent.intent.ticket().cloned() else {
            return Ok((Step::Settle(Outcome::NotApplied), None));
        };
        let speech = self.speech_of(intent).await?;
        if speech.as_ref().is_some_and(|speech| self.is_late(speech.at)) {
            return Ok((Step::Settle(Outcome::Refused(NOT_IN_TIME.to_owned())), None));
        }
        let views = match self.views_now(&row.link, &target, lane).await {
            Ok(views) => views,
            Err(NotRead::Gone(ticket)) if ticket == target => return Ok((Step::Gone, None)),
            Err(NotRead::Gone(ticket)) => {
                look.refetch.insert(ticket);
                return Ok((self.not_now(intent, "a ticket of the conversation is gone or moved"), None));
            }
            Err(NotRead::Failed(account, error)) => {
                // Nothing was sent: it waits as any reading does, within its ten minutes.
                return match self.put_off(&account, &error).await {
                    Fault::Later { at, why } => {
                        let row = IntentRow { due: at, last_error: Some(why), ..intent.clone() };
                        Ok((Step::Keep(Box::new(row)), None))
                    }
                    Fault::Park { why } => Ok((Step::Settle(Outcome::Refused(why)), None)),
                    fault => Err(fault),
                };
            }
        };
        let floor = self.floor_now(&row.link, &views, intent).await?;
        if speech.is_some_and(|speech| may_speak(&floor, speech.token).is_err()) {
            look.observed.extend(views);
            return Ok((Step::Settle(Outcome::NotApplied), Some(Taken(floor))));
        }
        self.write_words(look, row, intent, &target, &views, lane).await
    }

    async fn write_words(
        &self,
        look: &mut Look,
        row: &LinkRow,
        intent: &IntentRow,
        target: &TicketKey,
        views: &BTreeMap<TicketKey, Observed>,
        lane: Lane,
    ) -> Result<(Step, Option<Taken>), Fault> {
        let Some(view) = views.get(target) else { return Ok((Step::Gone, None)) };
        let conditional = self.is_conditional(target);
        let settled = Timestamp(view.version.0).plus(VERSION_SETTLES);
        if conditional && settled > self.now() {
            // A change of this moment would bear the same version: the condition would not tell.
            let row = IntentRow { due: settled, ..intent.clone() };
            return Ok((Step::Keep(Box::new(row)), None));
        }
        let mut sending = intent.clone();
        if let Intent::Update(update) = &mut sending.intent {
            update.if_version = conditional.then_some(view.version);
        }
        let step = self.execute(&row.link, &sending, lane).await?;
        let taken = match &step {
            Step::Stale => return Ok((self.not_now(intent, "the ticket changed meanwhile"), None)),
            Step::Settle(Outcome::Applied(applied)) => {
                self.taken_meanwhile(look, &row.link, intent, applied, conditional, lane).await
            }
            _ => None,
        };
        Ok((step, taken))
    }

    fn is_conditional(&self, ticket: &TicketKey) -> bool {
        self.parts.desks.get(&ticket.account).is_some_and(|desk| desk.capabilities.conditional_writes)
    }

    /// Tried again soon: the tickets are read anew then.
    fn not_now(&self, intent: &IntentRow, why: &str) -> Step {
        let wait = self.parts.config.debounce.0.max(Duration::from_millis(20));
        let due = self.now().plus(wait);
        Step::Keep(Box::new(IntentRow { due, last_error: Some(why.to_owned()), ..intent.clone() }))
    }

    /// The floor as the tickets show it right now.
    async fn floor_now(
        &self,
        link: &Link,
        views: &BTreeMap<TicketKey, Observed>,
        intent: &IntentRow,
    ) -> Result<Floor, Fault> {
        let unsent = Some(intent.intent.key());
        let mut news = floor_news(link, views, &self.parts.rules, &self.voices(), unsent);
        if self.is_announced(link).await? {
            news.push(FloorNews::Handoff(HandoffKind::AiToHuman));
        }
        Ok(floor_after(&link.floor, &news, self.now()))
    }

    async fn speech_of(&self, intent: &IntentRow) -> Result<Option<SpeechRow>, ReadError> {
        let Some(id) = &intent.speech else { return Ok(None) };
        let row = tables::read::<SpeechRow>(&*self.parts.store, SPEECHES, &Key::of(&[id])).await?;
        Ok(row.map(|row| row.value))
    }

    /// Whether words have waited for so long that they may not be right any more.
    fn is_late(&self, asked: Timestamp) -> bool {
        self.now().since(asked) > SAY_WITHIN
    }

    /// Whether people took the floor between the look and the write, where no condition barred
    /// that. What cannot be read now is told by the next look.
    async fn taken_meanwhile(
        &self,
        look: &mut Look,
        link: &Link,
        intent: &IntentRow,
        applied: &Applied,
        conditional: bool,
        lane: Lane,
    ) -> Option<Taken> {
        let target = intent.intent.ticket()?;
        let doubtful = self.asked(link).filter(|ticket| !(conditional && *ticket == target));
        let mut views = BTreeMap::new();
        for ticket in doubtful {
            match self.view_of(ticket, lane).await {
                Ok(view) => drop(views.insert(ticket.clone(), view)),
                Err(_) => drop(look.refetch.insert(ticket.clone())),
            }
        }
        for view in views.values_mut() {
            until(view, target, applied.comment.as_ref());
        }
        let news = floor_news(link, &views, &self.parts.rules, &self.voices(), None);
        let floor = floor_after(&link.floor, &news, self.now());
        (floor.holder == Holder::Human && link.floor.holder != Holder::Human).then_some(Taken(floor))
    }

    /// The tickets that are asked right before words are written. An account that is paused
    /// cannot be.
    fn asked<'a>(&'a self, link: &'a Link) -> impl Iterator<Item = &'a TicketKey> {
        let live = link.sides.iter().filter(|(_, side)| side.standing == Standing::Live);
        live.map(|(ticket, _)| ticket)
            .filter(|ticket| self.parts.desks.get(&ticket.account).is_some_and(|desk| !desk.is_paused()))
    }

    /// All tickets of a conversation as they are now, the one to be written to last.
    async fn views_now(
        &self,
        link: &Link,
        target: &TicketKey,
        lane: Lane,
    ) -> Result<BTreeMap<TicketKey, Observed>, NotRead> {
        let others: Vec<&TicketKey> = self.asked(link).filter(|ticket| *ticket != target).collect();
        let mut views = BTreeMap::new();
        for ticket in others.into_iter().chain([target]) {
            views.insert(ticket.clone(), self.view_of(ticket, lane).await?);
        }
        Ok(views)
    }

    /// The ticket first, then its comments: what is said in between changes its version.
    async fn view_of(&self, ticket: &TicketKey, lane: Lane) -> Result<Observed, NotRead> {
        let failed = |error| NotRead::Failed(ticket.account.clone(), error);
        let Some(desk) = self.parts.desks.get(&ticket.account) else {
            return Err(NotRead::Gone(ticket.clone()));
        };
        let ids = std::slice::from_ref(&ticket.id);
        let fetched = desk.helpdesk.fetch_many(self.call(lane), ids).await.map_err(failed)?;
        let Some(Fetched::Shown(view)) = fetched.into_iter().next() else {
            return Err(NotRead::Gone(ticket.clone()));
        };
        let mut view = *view;
        if view.comments == CommentsSeen::NotLooked {
            let comments = desk.helpdesk.comments(self.call(lane), &ticket.id).await.map_err(failed)?;
            view.comments = CommentsSeen::All(comments);
        }
        Ok(view)
    }

    /// What came of words: their row, the floor, and what is to be done about words that came too
    /// late.
    pub(super) async fn settle_words(
        &self,
        link: &mut Link,
        intent: &IntentRow,
        outcome: &Outcome,
        gone: bool,
        taken: Option<Taken>,
    ) -> Result<(Vec<Write>, Vec<handoffd_core::reconcile::Decision>), Fault> {
        let Some(id) = &intent.speech else { return Ok((Vec::new(), Vec::new())) };
        let stored = tables::read::<SpeechRow>(&*self.parts.store, SPEECHES, &Key::of(&[id])).await?;
        let Some(speech) = stored.map(|row| row.value) else { return Ok((Vec::new(), Vec::new())) };
        if let Some(Taken(floor)) = taken {
            link.floor = floor;
        }
        let mut decisions = Vec::new();
        let mut writes = Vec::new();
        let state = match outcome {
            Outcome::Applied(applied) => {
                if taken.is_some() {
                    decisions = self.take_words_back(link, &speech, applied);
                }
                let body = intent.intent.clone().bodies_mut().first().map(|body| (**body).clone());
                if let (Some(body), None) = (body, taken) {
                    let SpeechRow { agent, conversation, ticket, ends_turn, .. } = &speech;
                    let said = self.promise_said(agent, conversation, ticket, &body, *ends_turn).await?;
                    writes.extend(said);
                }
                SpeechState::Said { comment: applied.comment.clone(), overrun: taken.is_some() }
            }
            Outcome::NotApplied => match taken {
                Some(Taken(floor)) => SpeechState::Refused(floor),
                None if gone => SpeechState::Failed("the ticket is gone".to_owned()),
                // Certainly not there: it is decided again.
                None => {
                    let text = intent.intent.clone().bodies_mut().first().map(|body| (**body).clone());
                    let row = SpeechRow { state: SpeechState::Waiting, text, ..speech };
                    return Ok((vec![tables::put(SPEECHES, Key::of(&[id]), &row)], decisions));
                }
            },
            Outcome::Lost => SpeechState::Lost,
            Outcome::Closed => SpeechState::Failed("the ticket is closed and takes no messages".to_owned()),
            Outcome::Refused(why) => SpeechState::Failed(why.clone()),
        };
        writes.extend(self.ended(speech, state));
        Ok((writes, decisions))
    }

    /// Words stand there although people had taken the floor: counted, raised, and hidden where
    /// the helpdesk can.
    fn take_words_back(
        &self,
        link: &mut Link,
        speech: &SpeechRow,
        applied: &Applied,
    ) -> Vec<handoffd_core::reconcile::Decision> {
        self.parts.metrics.floor_overrun();
        tracing::error!(link = %link.id, ticket = %speech.ticket, agent = speech.agent, message = speech.id, "An AI agent's message was written while a person took the floor.");
        let policy = self.policy(&link.group);
        match (&applied.comment, policy) {
            (Some(comment), Some(policy)) => take_back(link, &speech.ticket, comment, &policy),
            _ => Vec::new(),
        }
    }

    /// A journal row for each decision about words.
    pub(super) fn words_journal(
        &self,
        cause: &str,
        decisions: Vec<handoffd_core::reconcile::Decision>,
    ) -> impl Iterator<Item = JournalRow> {
        let (at, cause) = (self.now(), cause.to_owned());
        decisions.into_iter().map(move |decision| JournalRow::Decided { at, cause: cause.clone(), decision })
    }
}

/// Why a ticket could not be read.
enum NotRead {
    /// It is gone, or another one now.
    Gone(TicketKey),
    /// The account does not answer as it should.
    Failed(AccountId, Error),
}

/// What was said before a message that stands on its own ticket.
fn until(view: &mut Observed, target: &TicketKey, ours: Option<&RemoteId>) {
    if view.ticket != *target {
        return;
    }
    if let (CommentsSeen::All(comments), Some(ours)) = (&mut view.comments, ours)
        && let Some(at) = comments.iter().position(|comment| comment.id() == ours)
    {
        comments.truncate(at);
    }
}
