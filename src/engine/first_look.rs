//! The first view of a ticket in a look: from a feed's page or by id; a ticket that is no side of
//! a link starts one, if its account is in a group.

use handoffd_connectors::contract::Error;
use handoffd_core::{
    Fetched, LinkId, Observed, OpKey, Rating, RemoteId, TicketKey, intent::Intent, link::Link,
    policy::SyncPolicy, reconcile,
};

use super::{Engine, Fault, look::Look};
use crate::store::{
    Commit, Guard, Key, Write,
    tables::{self, INTENTS, IntentRow, LinkRow, RATINGS},
};

impl Engine {
    /// Reads the ticket that the trigger named, from a feed's page or by id.
    /// `false`: there is nothing to do.
    pub(super) async fn first_view(&self, look: &mut Look, ticket: &TicketKey) -> Result<bool, Fault> {
        let Some(desk) = self.parts.desks.get(&ticket.account) else { return Ok(false) };
        if desk.is_paused() {
            let at = self.now().plus(self.parts.config.paused_recheck.0);
            return Err(Fault::Later { at, why: format!("{} is paused", desk.id) });
        }
        if let Some(at) = desk.rests_until(self.now())
            && look.cause != "api"
        {
            return Err(Fault::Later { at, why: format!("{} does not answer well", desk.id) });
        }
        // A webhook may be about something newer than what a feed showed.
        let kept = self.views.take(ticket).filter(|_| !matches!(look.cause.as_str(), "webhook" | "api"));
        let view = match kept {
            Some(view) => view,
            None => match self.read_ticket(look, ticket).await {
                Ok(view) => view,
                Err(error) => return Err(self.put_off(&ticket.account, &error).await),
            },
        };
        let known = tables::read_link(&*self.parts.store, &look.link).await?;
        match (view, known) {
            (Fetched::Shown(mut observed), Some(row)) => {
                if self.decided_anew(look, &row, &observed).await? {
                    return Err(Fault::Later {
                        at: self.now(),
                        why: "what it belongs to was decided".to_owned(),
                    });
                }
                self.take_rating(&mut observed).await?;
                // A comment that was hidden or redacted changes no count: on its slow round a ticket
                // that changed since its comments were listed has them listed again.
                if look.cause == "resync" {
                    observed.comment_count = None;
                }
                look.observed.insert(ticket.clone(), *observed);
                Ok(true)
            }
            (Fetched::Shown(mut observed), None) => {
                self.take_rating(&mut observed).await?;
                self.start_link(look, desk.group.as_ref(), *observed).await
            }
            (Fetched::Gone(_), Some(row)) => {
                self.take_off(look, &row, ticket).await?;
                self.fail_intakes(ticket, "the ticket is deleted").await?;
                self.fail_words(ticket, "the ticket is deleted").await?;
                Ok(true)
            }
            (Fetched::MovedTo { from, to }, Some(row)) => {
                self.merged(look, &row, &from, &to).await?;
                Ok(true)
            }
            (Fetched::Gone(_) | Fetched::MovedTo { .. }, None) => {
                self.fail_intakes(ticket, "there is no such ticket").await?;
                self.fail_words(ticket, "there is no such ticket").await?;
                Ok(false)
            }
        }
    }

    /// Adds what a feed told of the customer's verdict to a ticket that does not show it. What the
    /// link knows already is kept no longer.
    async fn take_rating(&self, observed: &mut Observed) -> Result<(), Fault> {
        let (store, key) = (&*self.parts.store, tables::ticket_key(&observed.ticket));
        let Some(row) = tables::read::<Rating>(store, RATINGS, &key).await? else { return Ok(()) };
        let link = match tables::link_of(store, &observed.ticket).await? {
            Some(id) => tables::read_link(store, &id).await?,
            None => None,
        };
        let side = link.as_ref().and_then(|row| row.link.sides.get(&observed.ticket));
        if side.is_some_and(|side| side.rating.as_ref() == Some(&row.value)) {
            let guards = vec![Guard::Rev(RATINGS, key.clone(), row.rev)];
            let writes = vec![Write::Delete(RATINGS, key)];
            let done = store.commit(Commit { guards, writes, ..Commit::default() }).await;
            if let Err(error) = done {
                tracing::debug!(ticket = %observed.ticket, %error, "The rating's row stays for now.");
            }
        }
        observed.rating.get_or_insert(row.value);
        Ok(())
    }

    /// Starts a link with its first ticket. A ticket that bears our marker is a
    /// mirror whose creation is not settled yet, or one of another store.
    async fn start_link(
        &self,
        look: &mut Look,
        group: Option<&handoffd_core::GroupId>,
        observed: Observed,
    ) -> Result<bool, Fault> {
        let Some(policy) = group.and_then(|group| self.policy(group)) else {
            self.fail_intakes(&observed.ticket, "its account is in no link group").await?;
            self.fail_words(&observed.ticket, "its account is in no link group").await?;
            return Ok(false);
        };
        if let Some(marker) = &observed.marker {
            return self.take_marked(&observed, marker, &policy).await;
        }
        if self.may_be_being_made(&observed).await? {
            let at = self.now().plus(self.parts.config.retry_first.0);
            return Err(Fault::Later { at, why: "it may be a mirror that is being made".to_owned() });
        }
        if self.adopt_follow_up(&observed).await? {
            return Err(Fault::Later { at: self.now(), why: "it follows up a closed ticket".to_owned() });
        }
        let Some(link) = self.started(look, &policy, &observed).await? else {
            return Err(Fault::Later { at: self.now(), why: "it joined a conversation".to_owned() });
        };
        look.starting = Some(link);
        look.observed.insert(observed.ticket.clone(), observed);
        Ok(true)
    }

    /// Where a new ticket gets its marker after it was made: whether this may be one of ours
    /// without it, because a ticket for the same person is being made there.
    async fn may_be_being_made(&self, observed: &Observed) -> Result<bool, Fault> {
        let account = &observed.ticket.account;
        if self.parts.desks.get(account).is_none_or(|desk| desk.capabilities.marks_at_once) {
            return Ok(false);
        }
        let all = Key::of(&[]);
        let rows = tables::read_all::<IntentRow>(&*self.parts.store, INTENTS, &all, usize::MAX).await?;
        let asker = observed.requester.as_ref().and_then(|person| person.email_folded());
        let is_it = |row: &IntentRow| match &row.intent {
            Intent::Create(create) if create.at == *account => {
                let of = create.ticket.requester.email_folded();
                asker.is_none() || of.is_none() || of == asker
            }
            _ => false,
        };
        Ok(rows.iter().any(|(_, row)| is_it(&row.value)))
    }

    /// A ticket that bears our marker is a mirror whose creation is not settled
    /// yet; one whose creation was given up and that turned up after all; or one
    /// that another store made.
    async fn take_marked(
        &self,
        observed: &Observed,
        marker: &OpKey,
        policy: &SyncPolicy,
    ) -> Result<bool, Fault> {
        let owner = marker.as_str().rsplit_once('-').map_or(marker.as_str(), |(link, _)| link);
        let Some(row) = tables::read_link(&*self.parts.store, &LinkId::new(owner)).await? else {
            let why = format!("it bears the marker {marker} of a mirror that this store does not know");
            return Err(Fault::Park { why });
        };
        let later = |at, why: &str| Err(Fault::Later { at, why: why.to_owned() });
        match Marked::of(&row.link, &observed.ticket, marker) {
            Marked::Creating => {
                return later(
                    self.now().plus(self.parts.config.retry_first.0),
                    "its creation is not settled yet",
                );
            }
            Marked::Side => return later(self.now(), "its creation was settled meanwhile"),
            Marked::Doubled => {
                let why =
                    format!("it bears the marker {marker}, and its conversation has another ticket here");
                return Err(Fault::Park { why });
            }
            Marked::Found => {}
        }
        let mut link = reconcile::add_side(&row.link, &observed.ticket, policy);
        link.create_parked.remove(&observed.ticket.account);
        let look = Look::at(link.id.clone(), "found");
        self.store_link(&look, Some(&row), &link, Vec::new(), Vec::new()).await?;
        Err(Fault::Later { at: self.now(), why: "it is a side of its conversation after all".to_owned() })
    }

    /// Takes a ticket that is gone off its link, with the writes that certainly
    /// never left: should it come back, they are decided again.
    pub(super) async fn take_off(&self, look: &Look, row: &LinkRow, ticket: &TicketKey) -> Result<(), Fault> {
        let prefix = tables::link_prefix(&look.link);
        let intents = tables::read_all::<IntentRow>(&*self.parts.store, INTENTS, &prefix, usize::MAX).await?;
        let unsent = intents.into_iter().filter(|(_, intent)| {
            let intent = &intent.value;
            intent.intent.ticket() == Some(ticket)
                && intent.handoff.is_none()
                && intent.speech.is_none()
                && intent.sent_at.is_none()
                && intent.run == self.parts.run
        });
        let writes = unsent.map(|(key, _)| Write::Delete(INTENTS, key)).collect();
        let gone = reconcile::gone(&row.link, ticket);
        self.store_link(look, Some(row), &gone, writes, Vec::new()).await
    }

    pub(super) async fn read_ticket(&self, look: &mut Look, ticket: &TicketKey) -> Result<Fetched, Error> {
        *look.reads.entry(ticket.clone()).or_default() += 1;
        look.asked_at.insert(ticket.clone(), self.now());
        let Some(desk) = self.parts.desks.get(&ticket.account) else {
            return Ok(Fetched::Gone(ticket.clone()));
        };
        let ids: [RemoteId; 1] = [ticket.id.clone()];
        let fetched = desk.helpdesk.fetch_many(self.call(look.lane), &ids).await?;
        desk.answered();
        Ok(fetched.into_iter().next().unwrap_or_else(|| Fetched::Gone(ticket.clone())))
    }
}

/// What a ticket with our marker is to the conversation that the marker names.
#[derive(Debug, PartialEq, Eq)]
enum Marked {
    /// The write that makes it is not settled.
    Creating,
    /// It is a side already: its creation was settled after its link was looked for.
    Side,
    /// Its creation was given up, and here it is.
    Found,
    /// The conversation has another ticket there.
    Doubled,
}

impl Marked {
    fn of(link: &Link, ticket: &TicketKey, marker: &OpKey) -> Self {
        if link.creating.values().any(|key| key == marker) {
            Self::Creating
        } else if link.sides.contains_key(ticket) {
            Self::Side
        } else if link.create_parked.contains_key(&ticket.account) {
            Self::Found
        } else {
            Self::Doubled
        }
    }
}

#[cfg(test)]
mod tests {
    use handoffd_core::link::Side;

    use super::*;

    #[test]
    fn a_ticket_whose_creation_was_settled_meanwhile_is_a_side() {
        let (first, mirror) = (TicketKey::new("fd", "1"), TicketKey::new("zd", "22"));
        let marker = OpKey("l1-0".to_owned());
        let link = serde_json::json!({
            "id": Link::id_for(&first), "group": "support", "base": {}, "sides": {}, "former": [], "creating": {},
            "create_parked": {}, "requester": null, "handoff": null, "next_op": 0, "next_copy": 0,
        });
        let mut link: Link = serde_json::from_value(link).expect("a link");
        assert_eq!(Marked::of(&link, &mirror, &marker), Marked::Doubled);
        link.create_parked.insert(mirror.account.clone(), "lost".to_owned());
        assert_eq!(Marked::of(&link, &mirror, &marker), Marked::Found);
        link.sides.insert(mirror.clone(), Side::default());
        assert_eq!(Marked::of(&link, &mirror, &marker), Marked::Side);
        link.creating.insert(mirror.account.clone(), marker.clone());
        assert_eq!(Marked::of(&link, &mirror, &marker), Marked::Creating);
    }
}
