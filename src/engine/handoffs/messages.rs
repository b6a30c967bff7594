//! What was said on a ticket, and by whom.

use std::{collections::BTreeSet, time::Duration};

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    Comment, CommentsSeen, Handoff, HandoffKind, OpKey, RemoteId, Role, TicketKey, Timestamp,
    briefing::one_line,
    comments::form::without_byline,
    link::{Link, Origin, Place, Writer, text_digest},
    model::turn::{Party, Proof, Turn},
    package::is_same,
};

use super::{
    Fault, Inner, Look,
    packaging::{EARLIER_MAX, Gathered},
};

/// How many messages of a ticket are read, the newest.
const TURNS_MAX: usize = 400;
/// How much of what the handoff before read is read once more.
const READ_AGAIN: Duration = Duration::from_secs(60);

impl Inner {
    /// The ticket's messages since the handoff before: those at hand, else with one listing. Where
    /// they cannot be had, what is known must do.
    pub(super) async fn read_messages(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
        gathered: &mut Gathered,
    ) -> Result<(), Fault> {
        gathered.listed = true;
        let ticket = &record.ticket.clone();
        let seen = look.observed.get(ticket).map(|observed| observed.comments.clone());
        let comments = match seen {
            Some(CommentsSeen::All(comments)) => comments,
            _ => {
                let Some(desk) = self.parts.desks.get(&ticket.account) else { return Ok(()) };
                match desk.helpdesk.comments(self.call(Lane::Handoff), &ticket.id).await {
                    Ok(comments) => comments,
                    Err(error) => {
                        tracing::warn!(handoff = %record.id, %ticket, %error, "A ticket's messages could not be read for a handoff.");
                        record.unread = true;
                        return Ok(());
                    }
                }
            }
        };
        record.unread = false;
        let since = self.read_until(record).await?;
        let skip = own_words(link, ticket);
        let unsettled = self.unsettled_notes(record).await?;
        let is_ours = |comment: &Comment| skip.contains(comment.id()) || bears_one_of(comment, &unsettled);
        let said = comments.iter().filter(|comment| !is_ours(comment));
        let new = said.filter(|comment| since.is_none_or(|since| comment.at() >= since));
        let mut turns: Vec<Turn> = Vec::new();
        for comment in new {
            let is_theirs = written_elsewhere(link, ticket, comment.id()).is_none();
            let named = is_theirs && !comment.author().name.is_empty();
            if let (Some(id), true) = (&comment.author().id, named) {
                gathered.names.entry(id.clone()).or_insert_with(|| comment.author().name.clone());
            }
            turns.extend(self.turn(link, ticket, comment).await?);
        }
        gathered.turns = newest(turns);
        Ok(())
    }

    /// Until when the handoffs before have read the messages: what one of them could not read is
    /// read by the next. A moment earlier, for what was written while they read.
    async fn read_until(&self, record: &Handoff) -> Result<Option<Timestamp>, Fault> {
        let mut earlier = record.previous.clone();
        for _ in 0..EARLIER_MAX {
            let Some(id) = earlier else { return Ok(None) };
            let Some(before) = self.record_of(&id).await? else { return Ok(None) };
            // One that made no package has read nothing.
            if !before.unread && before.completeness.is_some() {
                return Ok(Some(before.detected_at.minus(READ_AGAIN)));
            }
            earlier = before.previous;
        }
        Ok(None)
    }

    /// The notes of the handoff before of which it is not known where they stand: its write was not
    /// answered, and not looked for yet.
    async fn unsettled_notes(&self, record: &Handoff) -> Result<Vec<OpKey>, Fault> {
        let Some(id) = &record.previous else { return Ok(Vec::new()) };
        let before = self.record_of(id).await?;
        let keys = before.filter(|before| before.briefing_comment.is_none() || before.late_key.is_some());
        Ok(keys.into_iter().flat_map(|before| [before.briefing_key, before.late_key]).flatten().collect())
    }

    async fn turn(&self, link: &Link, ticket: &TicketKey, comment: &Comment) -> Result<Option<Turn>, Fault> {
        let (public, body) = match comment {
            Comment::Public(comment) => (true, comment.text.body()),
            Comment::Private(comment) => (false, comment.text.body()),
        };
        let body = self.body_at_hand(body.clone()).await?;
        let at = comment.at();
        let text = body.text().unwrap_or_default();
        let elsewhere = written_elsewhere(link, ticket, comment.id());
        let text = elsewhere.map_or(text, |_| without_byline(text)).to_owned();
        let proof = Proof::Message { ticket: ticket.clone(), id: comment.id().clone(), at };
        let by = self.spoken_by(link, ticket, comment, elsewhere);
        Ok((!text.is_empty()).then_some(Turn { proof, by, at: Some(at), public, text, call: None }))
    }

    /// Whether anything of a person may stand on the conversation who is no customer. Of a ticket
    /// that has no partner the messages are not followed.
    pub(super) fn people_may_have_spoken(&self, link: &Link) -> bool {
        link.copies.is_empty()
            || link.copies.values().any(|copy| {
                let Origin::Comment(key) = &copy.origin else { return false };
                let writer = copy.writer.as_ref().and_then(|writer| writer.id.as_ref());
                copy.by == Some(Role::Agent)
                    && !copy.by_bot
                    && !writer.is_some_and(|id| self.is_bot(&key.ticket.account, id))
            })
    }

    /// Whose words a comment carries: a mirror shows many as ours.
    fn spoken_by(
        &self,
        link: &Link,
        ticket: &TicketKey,
        comment: &Comment,
        elsewhere: Option<(&TicketKey, &Writer)>,
    ) -> Party {
        let author = comment.author();
        let named = |name: &str| Some(name.to_owned()).filter(|name| !name.is_empty());
        if author.role == Role::Customer {
            return Party::Customer;
        }
        if said_by_bot(link, ticket, comment.id()) {
            return Party::Bot { name: None };
        }
        match elsewhere {
            Some((there, writer)) => match &writer.id {
                Some(id) if self.is_bot(&there.account, id) => Party::Bot { name: named(&writer.name) },
                // The id is theirs only where the helpdesk shows them and not us.
                _ => Party::Human {
                    name: named(&writer.name),
                    id: author.id.clone().filter(|_| author.name == writer.name),
                },
            },
            None => match &author.id {
                Some(id) if self.is_bot(&ticket.account, id) => Party::Bot { name: named(&author.name) },
                id => Party::Human { name: named(&author.name), id: id.clone() },
            },
        }
    }
}

/// Whether a note bears the reference of one of ours.
fn bears_one_of(comment: &Comment, keys: &[OpKey]) -> bool {
    let Comment::Private(note) = comment else { return false };
    let text = note.text.body().text().unwrap_or_default();
    keys.iter().any(|key| text.contains(key.as_str()))
}

/// What was said to the AI agent and stands on no ticket. What a note that was `sent` left out for
/// that is left out again.
pub(super) fn said_elsewhere(
    link: &Link,
    record: &Handoff,
    gathered: &Gathered,
    sent: Option<&str>,
) -> Vec<Turn> {
    let captured = gathered.captured.as_ref().filter(|_| record.kind == HandoffKind::AiToHuman);
    let on_tickets: BTreeSet<&str> = link.copies.values().map(|copy| copy.digest.as_str()).collect();
    let is_elsewhere = |turn: &&Turn| {
        turn.call.is_some()
            || (gathered.turns.iter().all(|shown| !is_same(turn, shown))
                && !on_tickets.contains(text_digest(&turn.text).as_str())
                && sent.is_none_or(|sent| sent.contains(beginning(&turn.text).as_str())))
    };
    captured.map(|captured| captured.turns.iter().filter(is_elsewhere).cloned().collect()).unwrap_or_default()
}

/// As much of a text as stands in a note unchanged.
fn beginning(text: &str) -> String {
    one_line(text)
        .chars()
        .take_while(|c| c.is_alphanumeric() || matches!(c, ' ' | ',' | '.'))
        .take(40)
        .collect()
}

/// As many messages as are read: what the customer said first, which tells what they want, and the
/// newest.
fn newest(mut turns: Vec<Turn>) -> Vec<Turn> {
    let too_many = turns.len().saturating_sub(TURNS_MAX);
    if too_many == 0 {
        return turns;
    }
    let first = turns.iter().position(|turn| turn.by == Party::Customer).filter(|at| *at <= too_many);
    let first = first.map(|at| turns[at].clone());
    let kept = turns.split_off(too_many + usize::from(first.is_some()));
    first.into_iter().chain(kept).collect()
}

/// Whether an AI agent said it through us.
pub(super) fn said_by_bot(link: &Link, ticket: &TicketKey, id: &RemoteId) -> bool {
    let here = Place::Here(id.clone());
    link.copies.values().any(|copy| copy.by_bot && copy.places.get(ticket) == Some(&here))
}

/// Where a comment of a ticket was written, and by which agent, if that was on another ticket.
fn written_elsewhere<'a>(
    link: &'a Link,
    ticket: &TicketKey,
    id: &RemoteId,
) -> Option<(&'a TicketKey, &'a Writer)> {
    let here = Place::Here(id.clone());
    let copy = link.copies.values().find(|copy| copy.places.get(ticket) == Some(&here))?;
    match &copy.origin {
        Origin::Comment(key) if key.ticket != *ticket => Some((&key.ticket, copy.writer.as_ref()?)),
        _ => None,
    }
}

/// Messages of a ticket that are our own: briefings, and what the customer was told to hold.
pub(super) fn own_words(link: &Link, ticket: &TicketKey) -> BTreeSet<RemoteId> {
    let ours = link.copies.values().filter(|copy| matches!(copy.origin, Origin::Ours(_)));
    ours.filter_map(|copy| match copy.places.get(ticket)? {
        Place::Here(id) => Some(id.clone()),
        Place::Sending(_) | Place::Parked(_) | Place::Before(_) => None,
    })
    .collect()
}
