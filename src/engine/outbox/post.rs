//! Posting events until their receiver takes them.

use std::{collections::BTreeSet, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use handoffd_connectors::{client::transport::Outgoing, contract::Sink};
use handoffd_core::{
    AccountId, Timestamp,
    retry::{self, Failure, Next, RetryRules},
};
use hmac::{Hmac, KeyInit, Mac};
use http::{Request, Response, StatusCode, header};
use sha2::Sha256;

use super::Hook;
use crate::{
    engine::{Engine, Fault, parked::OrderError},
    store::{
        Commit, CommitError, Guard, Key, ReadError, Write,
        tables::{self, OUTBOX, OutboxRow, PARKED, ParkedRow, Row},
    },
};

/// What is parked when an event is given up.
pub(in crate::engine) const EVENT: &str = "event";
/// What is parked when a receiver wants no more events.
pub(in crate::engine) const WEBHOOK: &str = "webhook";

/// The wait before the second try; doubles with each.
const WAIT_FIRST: Duration = Duration::from_secs(5);
/// The longest wait between two tries.
const WAIT_MAX: Duration = Duration::from_secs(3_600);
/// How long a receiver may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// The longest answer of a refusal that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How many events are posted at once, each of another conversation.
const AT_ONCE: usize = 8;
/// How long the outbox rests at most.
const REST: Duration = Duration::from_secs(60);

/// The value of `webhook-signature`, as Standard Webhooks 1.0.0 has it.
pub fn signature(key: &[u8], id: &str, secs: i64, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("a key of any length");
    mac.update(format!("{id}.{secs}.").as_bytes());
    mac.update(body);
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

/// What a receiver answered.
enum Answer {
    Taken,
    /// It wants no more events.
    Gone,
    /// It is tried again, not before the moment that it named.
    Again {
        why: String,
        not_before: Option<Timestamp>,
    },
}

/// Takes an answer's bytes and keeps none.
struct Nowhere;

impl Sink for Nowhere {
    fn take(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}

impl Engine {
    /// Posts events for as long as the engine runs.
    pub(in crate::engine) async fn run_outbox(&self) {
        loop {
            let next = match self.post_due().await {
                Ok(next) => next,
                Err(error) => {
                    tracing::warn!(%error, "Events could not be looked at; it is tried again.");
                    Some(self.now().plus(WAIT_FIRST))
                }
            };
            let longest = self.now().plus(REST);
            let at = next.unwrap_or(longest).min(longest);
            tokio::select! {
                biased;
                () = self.stop.cancelled() => return,
                () = self.events_now.notified() => {}
                () = self.parts.clock.sleep_until(at) => {}
            }
        }
    }

    /// Posts what is due, and what becomes due by that; says when the next one is.
    async fn post_due(&self) -> Result<Option<Timestamp>, ReadError> {
        loop {
            let (due, next) = self.first_of_each().await?;
            if due.is_empty() || self.stop.is_cancelled() {
                return Ok(next);
            }
            let posts = due.into_iter().map(|(key, row)| self.post(key, row));
            let done: Vec<bool> = stream::iter(posts).buffer_unordered(AT_ONCE).collect().await;
            if !done.into_iter().any(|stored| stored) {
                return Ok(Some(self.now().plus(WAIT_FIRST)));
            }
        }
    }

    /// The first event of each conversation that waits: those that are due, and when the next is.
    async fn first_of_each(&self) -> Result<(Vec<(Key, Row<OutboxRow>)>, Option<Timestamp>), ReadError> {
        let store = &*self.parts.store;
        let (mut due, mut next) = (Vec::new(), None::<Timestamp>);
        let mut seen = BTreeSet::new();
        for (key, row) in tables::read_all::<OutboxRow>(store, OUTBOX, &Key(Vec::new()), usize::MAX).await? {
            let parts = key.parts();
            let conversation = (parts.first().cloned(), parts.get(1).cloned());
            if row.value.parked || !seen.insert(conversation) {
                continue;
            }
            if store.get(PARKED, &Key::of(&[WEBHOOK, &row.value.agent])).await?.is_some() {
                continue;
            }
            match row.value.due <= self.now() {
                true => due.push((key, row)),
                false => next = Some(next.map_or(row.value.due, |next| next.min(row.value.due))),
            }
        }
        Ok((due, next))
    }

    /// One try of one event; whether what came of it is stored.
    async fn post(&self, key: Key, row: Row<OutboxRow>) -> bool {
        let Row { value: row, rev } = row;
        let hook = self.parts.voices.get(&row.agent).and_then(|voice| voice.hook.as_ref());
        let writes = match hook {
            None => {
                tracing::warn!(
                    event = row.id,
                    agent = row.agent,
                    kind = row.kind,
                    "An event has no receiver any more and is dropped."
                );
                self.parts.metrics.told("dropped");
                vec![Write::Delete(OUTBOX, key.clone())]
            }
            Some(hook) => match self.try_post(hook, &row).await {
                Ok(answer) => self.after_answer(&key, row, answer),
                Err(fault) => {
                    let why = format!("its body cannot be had: {fault:?}");
                    self.after_answer(&key, row, Answer::Again { why, not_before: None })
                }
            },
        };
        let guards = vec![Guard::Rev(OUTBOX, key, rev)];
        match self.parts.store.commit(Commit { guards, writes, ..Commit::default() }).await {
            Ok(_) | Err(CommitError::Conflict { .. }) => true,
            Err(error) => {
                tracing::warn!(%error, "What came of an event could not be stored; it is posted once more.");
                false
            }
        }
    }

    async fn try_post(&self, hook: &Hook, row: &OutboxRow) -> Result<Answer, Fault> {
        let body = self.body_at_hand(row.body.clone()).await?;
        let body = Bytes::from(body.text().unwrap_or_default().to_owned());
        let secs = self.now().as_secs();
        let request = Request::post(hook.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", &row.id)
            .header("webhook-timestamp", secs)
            .header("webhook-signature", signature(&hook.key, &row.id, secs, &body))
            .body(body);
        let request = match request {
            Ok(request) => request,
            Err(error) => return Ok(Answer::Again { why: error.to_string(), not_before: None }),
        };
        let outgoing =
            Outgoing { request, upload: Vec::new(), timeout: TIMEOUT, body_bytes_max: ANSWER_BYTES_MAX };
        let mut nowhere = Nowhere;
        let sent = tokio::select! {
            biased;
            () = self.stop.cancelled() => return Ok(Answer::Again { why: "the daemon stops".to_owned(), not_before: None }),
            sent = self.parts.transport.fetch(outgoing, &mut nowhere) => sent,
        };
        Ok(match sent {
            Ok(answer) => self.read_answer(&answer),
            Err(error) => Answer::Again { why: error.to_string(), not_before: None },
        })
    }

    fn read_answer(&self, answer: &Response<Bytes>) -> Answer {
        match answer.status() {
            status if status.is_success() => Answer::Taken,
            StatusCode::GONE => Answer::Gone,
            status => {
                let wait = answer.headers().get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let wait = wait.and_then(|secs| secs.trim().parse().ok()).map(Duration::from_secs);
                let not_before = wait.map(|wait| self.now().plus(wait.min(WAIT_MAX)));
                Answer::Again { why: format!("it answered {status}"), not_before }
            }
        }
    }

    /// What becomes of an event after a try.
    fn after_answer(&self, key: &Key, row: OutboxRow, answer: Answer) -> Vec<Write> {
        let (why, not_before) = match answer {
            Answer::Taken => {
                self.parts.metrics.told("taken");
                return vec![Write::Delete(OUTBOX, key.clone())];
            }
            Answer::Gone => return self.switched_off(&row),
            Answer::Again { why, not_before } => (why, not_before),
        };
        self.parts.metrics.told("failed");
        let now = self.now();
        let give_up = now.since(row.at) > self.parts.handoff.events_give_up_after.0;
        let row = OutboxRow { attempts: row.attempts.saturating_add(1), last_error: Some(why), ..row };
        if give_up {
            return self.given_up(key, row);
        }
        let rules = RetryRules {
            wait_first: WAIT_FIRST,
            wait_max: WAIT_MAX,
            attempts_max: u32::MAX,
            ..RetryRules::default()
        };
        let fraction = self.parts.jitter.fraction();
        let due = match retry::decide(Failure::Transient, row.attempts, 0, now, fraction, &rules) {
            Next::At { when, .. } | Next::Look { when } => when,
            Next::Park { .. } | Next::Replan => now.plus(WAIT_MAX),
        };
        let row = OutboxRow { due: not_before.map_or(due, |at| at.max(due)), ..row };
        let why = row.last_error.as_deref().unwrap_or_default();
        tracing::warn!(event = row.id, agent = row.agent, why, due = %row.due, "An event was not taken; it is posted again.");
        vec![tables::put(OUTBOX, key.clone(), &row)]
    }

    fn given_up(&self, key: &Key, row: OutboxRow) -> Vec<Write> {
        let why = row.last_error.clone().unwrap_or_default();
        tracing::error!(
            event = row.id,
            agent = row.agent,
            why,
            "An event is parked: its receiver did not take it for too long."
        );
        self.parts.metrics.parked(EVENT);
        let reason = format!("{} for {} was not taken in {} tries: {why}", row.kind, row.agent, row.attempts);
        let parked = self.parked_as(EVENT, row.id.clone(), reason);
        let row = OutboxRow { parked: true, ..row };
        vec![
            tables::put(PARKED, tables::parked_key(&parked), &parked),
            tables::put(OUTBOX, key.clone(), &row),
        ]
    }

    /// 410: the receiver wants no more events. They are kept until an admin has looked.
    fn switched_off(&self, row: &OutboxRow) -> Vec<Write> {
        tracing::error!(
            agent = row.agent,
            "The receiver of an agent's events answered 410: none are posted until an admin looks."
        );
        self.parts.metrics.parked(WEBHOOK);
        self.parts.metrics.told("gone");
        let reason = format!("the receiver of {} answered 410 Gone: it wants no more events", row.agent);
        let parked = self.parked_as(WEBHOOK, row.agent.clone(), reason);
        vec![tables::put(PARKED, tables::parked_key(&parked), &parked)]
    }

    fn parked_as(&self, kind: &str, name: String, reason: String) -> ParkedRow {
        let since = self.now();
        let (kind, account) = (kind.to_owned(), AccountId::new(""));
        ParkedRow { kind, name, account, link: None, reason, since, causes: None }
    }

    /// An admin's word about parked events: posted again from now on, or dropped.
    pub(in crate::engine) async fn events_ordered(
        &self,
        parked: &ParkedRow,
        again: bool,
    ) -> Result<Vec<Write>, OrderError> {
        if !matches!(parked.kind.as_str(), EVENT | WEBHOOK) {
            return Ok(Vec::new());
        }
        let all = Key(Vec::new());
        let rows = tables::read_all::<OutboxRow>(&*self.parts.store, OUTBOX, &all, usize::MAX).await?;
        let is_meant = |row: &OutboxRow| match parked.kind.as_str() {
            EVENT => row.id == parked.name,
            _ => row.agent == parked.name && !row.parked,
        };
        let meant = rows.into_iter().filter(|(_, row)| is_meant(&row.value));
        let now = self.now();
        let write = |(key, row): (Key, Row<OutboxRow>)| match again {
            true => {
                let row = OutboxRow { parked: false, at: now, due: now, attempts: 0, ..row.value };
                tables::put(OUTBOX, key, &row)
            }
            false => Write::Delete(OUTBOX, key),
        };
        Ok(meant.map(write).collect())
    }
}
