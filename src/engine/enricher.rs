//! Asks context sources about a customer, side by side, each within the deadline.

use std::{collections::BTreeSet, sync::PoisonError, time::Duration};

use handoffd_connectors::contract::{Call, ContextSource, Error, Lane};
use handoffd_core::{AccountId, HandoffId, LinkId, Resolved, SourceAnswer, Subject};

use super::{Engine, SourceStanding};
use crate::store::{Commit, tables::Wake};

/// How long an answer waits in memory to be taken in.
const ANSWERS_KEPT: Duration = Duration::from_secs(600);

impl Engine {
    /// Asks the sources of a handoff. Each answer wakes the link; one that comes
    /// after the deadline is still taken in as late.
    pub(super) fn ask_sources(
        &self,
        handoff: &HandoffId,
        link: &LinkId,
        sources: BTreeSet<AccountId>,
        subject: Subject,
    ) {
        let first = self.asking.lock().unwrap_or_else(PoisonError::into_inner).insert(handoff.clone());
        if !first {
            return;
        }
        let (engine, handoff, link) = (self.clone(), handoff.clone(), link.clone());
        self.tasks.spawn(async move {
            let asks = sources.into_iter().map(|account| engine.ask_one(&handoff, &link, account, &subject));
            futures_util::future::join_all(asks).await;
            engine.asking.lock().unwrap_or_else(PoisonError::into_inner).remove(&handoff);
            // Answers that nobody takes in belong to a handoff that is over.
            let forgotten_at = engine.now().plus(ANSWERS_KEPT);
            tokio::select! {
                biased;
                () = engine.stop.cancelled() => {}
                () = engine.parts.clock.sleep_until(forgotten_at) => {}
            }
            engine.answers.lock().unwrap_or_else(PoisonError::into_inner).remove(&handoff);
        });
    }

    async fn ask_one(&self, handoff: &HandoffId, link: &LinkId, account: AccountId, subject: &Subject) {
        let Some(source) = self.parts.sources.get(&account) else { return };
        let wait = self.parts.handoff.enrich_deadline.0 + self.parts.handoff.late_wait.0;
        let call = Call { lane: Lane::Handoff, deadline: self.now().plus(wait) };
        let answer = tokio::select! {
            biased;
            () = self.stop.cancelled() => return,
            answer = ask(&**source, call, subject) => answer,
            () = self.parts.clock.sleep_until(call.deadline) => SourceAnswer::Failed("it did not answer in time".to_owned()),
        };
        if let SourceAnswer::Failed(why) = &answer {
            tracing::warn!(%account, %handoff, why, "A context source could not answer for a handoff.");
            let identity = self.source_standing(&account).and_then(|standing| standing.identity);
            self.note_source(&account, SourceStanding { identity, problems: vec![why.clone()] });
        }
        self.keep_answer(handoff, account, answer);
        let job = Wake::Link { link: link.clone() }.job(link.as_str(), self.now());
        if let Err(error) = self.parts.store.commit(Commit { jobs: vec![job], ..Commit::default() }).await {
            // The handoff's own deadline wakes it anyway.
            tracing::warn!(%handoff, %error, "An answer could not wake its handoff at once.");
        }
    }

    fn keep_answer(&self, handoff: &HandoffId, account: AccountId, answer: SourceAnswer) {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.entry(handoff.clone()).or_default().push((account, answer));
    }

    /// Whether the sources of a handoff are being asked in this run.
    pub(super) fn is_asking(&self, handoff: &HandoffId) -> bool {
        self.asking.lock().unwrap_or_else(PoisonError::into_inner).contains(handoff)
    }
}

async fn ask(source: &dyn ContextSource, call: Call, subject: &Subject) -> SourceAnswer {
    let found = match source.resolve(call, subject).await {
        Ok(Resolved::None) => return SourceAnswer::Nobody,
        Ok(Resolved::Ambiguous(matches)) => return SourceAnswer::Ambiguous(matches),
        Ok(Resolved::One(found)) => found,
        Err(error) => return SourceAnswer::Failed(words(&error)),
    };
    match source.fetch(call, &found).await {
        Ok(facts) => SourceAnswer::Facts(facts),
        Err(error) => SourceAnswer::Failed(words(&error)),
    }
}

/// Words for the next owner: what is wrong, not how.
fn words(error: &Error) -> String {
    match error {
        Error::Unauthorized { .. } => "its credential is refused".to_owned(),
        Error::Forbidden { missing } => format!("a permission is missing: {missing}"),
        Error::Throttled { .. } => "its rate limit is used up".to_owned(),
        Error::Malformed { .. } => "its answer cannot be read".to_owned(),
        _ => "it did not answer".to_owned(),
    }
}
