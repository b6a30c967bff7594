//! The past of the account: every comment from the export of events, then
//! every ticket from the cursor export.
//!
//! Comments come first, so that a ticket's are there when the ticket comes. The
//! export of events goes by whole seconds and gives the last one's events again
//! on the next page: the cursor holds which they were.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{Comment, RemoteId};

use super::{
    Adapter,
    api::{self, ExportFrom},
    errors,
    map::{self, People},
    wire,
};
use crate::{
    client::json::read_json,
    contract::{Call, Cursor, Error, FeedRow, FeedStart, History, Result},
};

/// Where a read of history stands.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    /// At the events from this second on, but for those that were read.
    Events { since: i64, at: i64, seen: BTreeSet<RemoteId> },
    /// At the tickets.
    Tickets(ExportFrom),
}

impl Place {
    fn cursor(&self) -> Cursor {
        Cursor(match self {
            Self::Events { since, at, seen } => {
                let seen: Vec<&str> = seen.iter().map(RemoteId::as_str).collect();
                format!("events:{since}:{at}:{}", seen.join(","))
            }
            Self::Tickets(ExportFrom::Start(secs)) => format!("tickets:start:{secs}"),
            Self::Tickets(ExportFrom::After(cursor)) => format!("tickets:after:{cursor}"),
        })
    }

    fn resume(cursor: &Cursor) -> Option<Self> {
        if let Some(rest) = cursor.0.strip_prefix("tickets:start:") {
            return rest.parse().ok().map(|secs| Self::Tickets(ExportFrom::Start(secs)));
        }
        if let Some(rest) = cursor.0.strip_prefix("tickets:after:") {
            return Some(Self::Tickets(ExportFrom::After(rest.to_owned())));
        }
        let mut parts = cursor.0.strip_prefix("events:")?.splitn(3, ':');
        let (since, at) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        let seen = parts.next()?.split(',').filter(|id| !id.is_empty()).map(RemoteId::from).collect();
        Some(Self::Events { since, at, seen })
    }
}

/// A comment of a ticket, as the export tells it.
type Told = (RemoteId, wire::Comment);

/// What a page of events tells.
#[derive(Default)]
struct Events {
    comments: Vec<Told>,
    /// Tickets of which a comment became something else.
    amended: BTreeSet<RemoteId>,
    /// What cannot be read.
    rows: Vec<FeedRow>,
}

impl Adapter {
    /// One page.
    pub(super) async fn read_history(&self, call: Call, from: FeedStart) -> Result<History> {
        let is_whole = matches!(&from, FeedStart::Since(since) if since.0 <= 0);
        let place = match from {
            FeedStart::Since(since) => {
                let ExportFrom::Start(secs) = ExportFrom::start(since, self.http.now()) else {
                    return Err(Error::CursorRefused { why: "not a start".to_owned() });
                };
                Place::Events { since: secs, at: secs, seen: BTreeSet::new() }
            }
            FeedStart::After(cursor) => Place::resume(&cursor)
                .ok_or_else(|| Error::CursorRefused { why: "not a cursor of this connector".to_owned() })?,
        };
        match place {
            Place::Events { since, at, seen } => {
                let page = self.past_comments(call, since, at, seen).await?;
                let total = if is_whole { self.count_tickets(call).await } else { None };
                Ok(History { total, ..page })
            }
            Place::Tickets(from) => {
                let page = self.export_page(call, from).await?;
                let next = Place::Tickets(page.next).cursor();
                let (rows, more) = (page.rows, page.more);
                Ok(History { rows, comments: Vec::new(), doubtful: Vec::new(), next, more, total: None })
            }
        }
    }

    /// How many tickets there are, about. An estimate is not worth an error.
    async fn count_tickets(&self, call: Call) -> Option<u64> {
        let answer = self.http.send(call, api::tickets_count().ok()?).await.ok()?;
        let counted: wire::TicketsCount = read_json(&answer).ok()?;
        counted.count.value
    }

    async fn past_comments(
        &self,
        call: Call,
        since: i64,
        at: i64,
        seen: BTreeSet<RemoteId>,
    ) -> Result<History> {
        let page = self.events_page(call, at).await?;
        let is_new = |event: &wire::TicketEvent| event.id.as_ref().is_none_or(|id| !seen.contains(id));
        let last = page.end_time.as_deref().and_then(|secs| secs.parse().ok()).unwrap_or(at).max(at);
        let of_last = |event: &&wire::TicketEvent| {
            event.timestamp.as_deref().and_then(|secs| secs.parse::<i64>().ok()) == Some(last)
        };
        let mut seen_next: BTreeSet<RemoteId> =
            page.ticket_events.iter().filter(of_last).filter_map(|event| event.id.clone()).collect();
        if last == at {
            seen_next.extend(seen.iter().cloned());
        }
        // A page without news would come again for ever.
        let stands_still = last == at && !page.ticket_events.iter().any(is_new);
        let next = if page.end_of_stream == Some(true) || stands_still {
            Place::Tickets(ExportFrom::Start(since))
        } else {
            Place::Events { since, at: last, seen: seen_next }
        };
        let told = self.told(page.ticket_events.into_iter().filter(is_new));
        let (comments, unknown) = self.with_authors(call, told.comments).await?;
        let doubtful = told.amended.into_iter().chain(unknown).collect();
        Ok(History { rows: told.rows, comments, doubtful, next: next.cursor(), more: true, total: None })
    }

    async fn events_page(&self, call: Call, at: i64) -> Result<wire::EventsPage> {
        loop {
            match self.http.send(call, api::events(at, self.memory.page_rows())?).await {
                Ok(answer) => return read_json(&answer),
                Err(Error::Transient { why }) if why == errors::TOO_SLOW => {
                    if !self.memory.shrink_page() || self.http.now() >= call.deadline {
                        return Err(Error::Transient { why });
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// What these events tell. Requesters are remembered.
    fn told(&self, events: impl Iterator<Item = wire::TicketEvent>) -> Events {
        let mut told = Events::default();
        for event in events {
            let Some(ticket) = event.ticket_id else { continue };
            for child in &event.child_events {
                let kind: wire::ChildEvent = serde_json::from_str(child.get()).unwrap_or_default();
                if let Some(requester) = kind.requester_id {
                    self.memory.asked_by(&ticket, requester);
                }
                if kind.event_type.as_deref().is_some_and(amends) {
                    told.amended.insert(ticket.clone());
                }
                if !matches!(kind.event_type.as_deref(), Some("Comment" | "VoiceComment")) {
                    continue;
                }
                match serde_json::from_str(child.get()) {
                    Ok(comment) => told.comments.push((ticket.clone(), comment)),
                    Err(_) => told.rows.push(FeedRow::Unreadable {
                        id: Some(ticket.clone()),
                        what: "ticket_events.child_events: a comment".to_owned(),
                    }),
                }
            }
        }
        told
    }

    /// Canonical comments, their authors looked up, each once; and the tickets of which it
    /// cannot be told who asked.
    async fn with_authors(
        &self,
        call: Call,
        told: Vec<Told>,
    ) -> Result<(Vec<(RemoteId, Comment)>, BTreeSet<RemoteId>)> {
        let authors: BTreeSet<RemoteId> = told.iter().filter_map(|(_, one)| one.author_id.clone()).collect();
        let people = self.people_of(call, authors, People::new()).await?;
        let staff = |comment: &wire::Comment| {
            let user = comment.author_id.as_ref().and_then(|id| people.get(id));
            user.is_none_or(|user| user.role.as_deref() != Some("end-user"))
        };
        // An agent may ask too. Creations mostly told who asked.
        let unknown: BTreeSet<&RemoteId> = told
            .iter()
            .filter(|(ticket, comment)| staff(comment) && self.memory.requester(ticket).is_none())
            .map(|(ticket, _)| ticket)
            .collect();
        let unknown: Vec<&RemoteId> = unknown.into_iter().collect();
        let mut unreadable = BTreeSet::new();
        for ids in unknown.chunks(api::IDS_MAX) {
            match self.read_some(call, ids, &mut BTreeMap::new()).await {
                Ok(()) => {}
                Err(Error::Malformed { .. }) => unreadable.extend(self.unreadable_of(call, ids).await?),
                Err(error) => return Err(error),
            }
        }
        let comment = |(ticket, comment): &Told| {
            let requester = self.memory.requester(ticket);
            let one =
                map::comments(std::slice::from_ref(comment), &people, requester.as_ref(), &self.settings);
            one.into_iter().next().map(|one| (ticket.clone(), one))
        };
        Ok((told.iter().filter_map(comment).collect(), unreadable))
    }

    /// Which of these tickets cannot be read; the others are remembered. Their own turn parks them.
    async fn unreadable_of(&self, call: Call, ids: &[&RemoteId]) -> Result<Vec<RemoteId>> {
        let mut unreadable = Vec::new();
        for id in ids {
            match self.read_some(call, &[*id], &mut BTreeMap::new()).await {
                Ok(()) => {}
                Err(Error::Malformed { .. }) => unreadable.push((*id).clone()),
                Err(error) => return Err(error),
            }
        }
        Ok(unreadable)
    }
}

/// Whether an event tells that a comment or a file of it became something else: audits name them
/// `CommentPrivacyChange`, `CommentRedactionEvent`, `AttachmentRedactionEvent`.
fn amends(kind: &str) -> bool {
    kind.contains("Privacy") || kind.contains("Redaction")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_come_back() {
        let places = [
            Place::Events { since: 0, at: 7, seen: ["1", "2"].map(RemoteId::from).into() },
            Place::Events { since: 5, at: 5, seen: BTreeSet::new() },
            Place::Tickets(ExportFrom::Start(9)),
            Place::Tickets(ExportFrom::After("a:b,c==".to_owned())),
        ];
        for place in places {
            assert_eq!(Place::resume(&place.cursor()), Some(place));
        }
        for text in ["", "events", "events:1:2", "events:x:2:", "after:1"] {
            assert_eq!(Place::resume(&Cursor(text.to_owned())), None, "{text}");
        }
    }
}
