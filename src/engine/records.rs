//! Handoffs as an admin sees them: which there were, which were late, what their next owner got.

use handoffd_core::{Handoff, HandoffId, HandoffKind, HandoffState, Timestamp, model::package::Package};
use serde::{Deserialize, Serialize};

use super::Engine;
use crate::store::{
    Key, ReadError,
    tables::{self, HANDOFFS, PACKAGES},
};

/// The most handoffs of a list.
pub const LISTED_MAX: usize = 1_000;

/// A handoff in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HandoffLine {
    /// Its id.
    pub id: HandoffId,
    /// The ticket that bears the briefing.
    pub ticket: String,
    /// Between whom.
    pub kind: HandoffKind,
    /// Where it stands.
    pub state: HandoffState,
    /// When it was first known.
    pub detected_at: Timestamp,
    /// When its briefing was seen on the ticket.
    pub delivered_at: Option<Timestamp>,
    /// When the next owner's first public message was seen.
    pub accepted_at: Option<Timestamp>,
    /// Why the next owner had no context in time; `None` when they had, or may still get it.
    pub breach: Option<String>,
}

/// A handoff with all that is kept of it.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandoffDetail {
    /// In short.
    pub line: HandoffLine,
    /// The record.
    pub record: Handoff,
    /// What was known when its briefing was composed last.
    pub package: Option<Package>,
    /// The briefing as it was sent.
    pub sent: Option<String>,
}

/// Why the next owner had no context in time.
pub fn breach(record: &Handoff) -> Option<String> {
    let found = handoffd_core::handoff::breach(record)?;
    Some(match found.late_ms {
        Some(ms) => format!("{}; {ms} ms late", found.cause),
        None => found.cause,
    })
}

fn line(record: &Handoff) -> HandoffLine {
    HandoffLine {
        id: record.id.clone(),
        ticket: record.ticket.to_string(),
        kind: record.kind,
        state: record.state,
        detected_at: record.detected_at,
        delivered_at: record.delivered_at,
        accepted_at: record.accepted_at,
        breach: breach(record),
    }
}

impl Engine {
    /// The newest handoffs, newest first; only those without context in time, if so asked.
    pub async fn handoff_lines(&self, breached: bool) -> Result<Vec<HandoffLine>, ReadError> {
        let all = Key::of(&[]);
        let mut lines: Vec<HandoffLine> = Vec::new();
        let mut after: Option<Key> = None;
        loop {
            let page = self.parts.store.page(HANDOFFS, &all, after.as_ref(), 500).await?;
            after = page.rows.last().map(|(key, _)| key.clone());
            for (key, row) in &page.rows {
                let line = line(&tables::record(HANDOFFS, key, &row.value)?);
                lines.extend((!breached || line.breach.is_some()).then_some(line));
            }
            lines.sort_by(|a, b| b.detected_at.cmp(&a.detected_at).then_with(|| a.id.cmp(&b.id)));
            lines.truncate(LISTED_MAX);
            if !page.more {
                return Ok(lines);
            }
        }
    }

    /// One handoff with its package and the briefing that was sent; `None` when there is none of
    /// that id.
    pub async fn handoff_detail(&self, id: &HandoffId) -> Result<Option<HandoffDetail>, ReadError> {
        let Some(record) = self.handoff(id).await? else { return Ok(None) };
        let key = Key::of(&[record.id.as_str()]);
        let package = tables::read::<Package>(&*self.parts.store, PACKAGES, &key).await?;
        let sent = match record.briefing.clone() {
            Some(body) => self.body_at_hand(body).await.ok(),
            None => None,
        };
        let sent = sent.as_ref().and_then(handoffd_core::Body::text).map(str::to_owned);
        Ok(Some(HandoffDetail { line: line(&record), record, package: package.map(|row| row.value), sent }))
    }
}
