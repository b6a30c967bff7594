//! Tickets to be made: mirrors of new tickets, and follow-ups of closed ones.

use std::collections::{BTreeMap, BTreeSet};

use super::Planner;
use crate::{
    comments::{self, Source, form},
    decision::Decision,
    intent::{Create, Import, Imported, Intent, NewTicket},
    link::{Link, Side, Standing},
    merge::{Views, refresh_behind},
    model::{
        comment::{Mail, Message, PublicMessage},
        ids::{AccountId, TicketKey},
        person::{Person, Role},
        ticket::{CommentsSeen, Field, Observed, Status, Value},
    },
    policy::SyncPolicy,
    route::{self, DueMirror},
};

/// The most messages that a ticket is made with; the others follow one by one.
pub const IMPORTED_MAX: usize = 400;
/// The most files that a ticket is made with: all of them are at hand at once.
pub const IMPORTED_FILES_MAX: usize = 50;

/// Why a message is not written to a ticket that is closed.
const CLOSED: &str = "the ticket is closed for good, and this helpdesk makes no follow-ups";

/// A message that follows a ticket's creation in a write of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Follower {
    /// Whether the customer can read it.
    pub public: bool,
    /// Whether the customer is mailed.
    pub mailed: bool,
    /// How many files it carries.
    pub attachments: usize,
}

/// What will follow a creation in writes of its own, as far as the views tell.
pub fn followers(
    link: &Link,
    create: &Create,
    observed: &BTreeMap<TicketKey, Observed>,
    policy: &SyncPolicy,
) -> Vec<Follower> {
    let views: Views<'_> = observed.iter().collect();
    let opening = link.openings.get(&create.key);
    let imported: BTreeSet<u64> =
        create.ticket.import.iter().flat_map(|import| &import.messages).map(|one| one.number).collect();
    let stands_there = |number: &u64| {
        let copy = link.copies.get(number);
        copy.is_some_and(|copy| copy.places.keys().any(|ticket| ticket.account == create.at))
    };
    let lacking = comments::all_mirrored(link, policy)
        .into_iter()
        .filter(|number| Some(number) != opening && !imported.contains(number) && !stands_there(number));
    let follower = |number: u64| {
        let copy = link.copies.get(&number)?;
        match comments::source(link, &views, copy) {
            Source::Text(original) => Some(Follower::of(&form::message(copy, original, &create.at, policy))),
            Source::Look(_) => Some(Follower { public: copy.public, mailed: false, attachments: 0 }),
            Source::Lost => None,
        }
    };
    lacking.filter_map(follower).collect()
}

impl Follower {
    fn of(message: &Message) -> Self {
        let mailed = matches!(message, Message::Public(message) if message.mail == Mail::Send);
        let public = matches!(message, Message::Public(_));
        Self { public, mailed, attachments: message.attachments().len() }
    }
}

/// A mirror's first message, by number.
type Opening = Option<(u64, PublicMessage)>;

impl Planner<'_> {
    pub(super) fn plan_mirrors(&mut self, views: &Views<'_>) {
        for mirror in route::due_mirrors(&self.plan.link, views, self.ground.policy) {
            let listed =
                views.get(&mirror.of).is_some_and(|view| matches!(view.comments, CommentsSeen::All(_)));
            if !listed {
                self.plan.look_at_comments.insert(mirror.of);
            } else if !self.waits_for_comments(views) {
                self.plan_mirror(&mirror, views);
            }
        }
    }

    fn plan_mirror(&mut self, mirror: &DueMirror, views: &Views<'_>) {
        let why_not = format!("{} names nobody who asked", mirror.of);
        let Some(requester) = self.requester_at(&mirror.at, why_not) else { return };
        if self.ground.policy.importing {
            self.plan.link.copies.values_mut().for_each(|copy| copy.past = true);
        }
        let all = comments::all_mirrored(&self.plan.link, self.ground.policy);
        let Some(opening) = self.opening(&all, &mirror.at, views) else { return };
        let imports = self.ground.policy.importing && self.ground.policy.can(&mirror.at).import;
        let rest = &all[usize::from(opening.is_some())..];
        let import = if imports {
            let Some(import) = self.import(mirror, all.first(), rest, views) else { return };
            Some(import)
        } else {
            None
        };
        let first = route::first_fields(&self.plan.link, mirror, self.ground.policy);
        let fields = self.ground.vendors.normalize(&mirror.at, &first);
        let ticket = NewTicket { requester, opening: None, fields, follows: None, import };
        self.push_create(&mirror.at, ticket, opening);
    }

    /// Who asked; without anybody the ticket cannot be made.
    fn requester_at(&mut self, at: &AccountId, why_not: String) -> Option<Person> {
        let requester = self.plan.link.requester.clone();
        if requester.is_none() {
            self.plan.link.create_parked.insert(at.clone(), why_not.clone());
            self.plan.decisions.push(Decision::CreateParked { at: at.clone(), reason: why_not });
        }
        requester
    }

    /// The message that a ticket is made with, the first of those that it lacks if
    /// that is public; `None` when a ticket's comments are to be listed first.
    fn opening(&mut self, lacking: &[u64], at: &AccountId, views: &Views<'_>) -> Option<Opening> {
        let first = lacking.first().and_then(|number| Some((*number, self.plan.link.copies.get(number)?)));
        let Some((number, copy)) = first.filter(|(_, copy)| copy.public) else { return Some(None) };
        match comments::source(&self.plan.link, views, copy) {
            Source::Text(original) => {
                Some(form::opening(original, at, self.ground.policy).map(|message| (number, message)))
            }
            Source::Lost => Some(None),
            Source::Look(ticket) => {
                self.plan.look_at_comments.insert(ticket);
                None
            }
        }
    }

    /// The past of a mirror; `None` when a ticket's comments are to be listed first.
    /// A message whose text is not to be had any more follows, and is parked then.
    fn import(
        &mut self,
        mirror: &DueMirror,
        first: Option<&u64>,
        rest: &[u64],
        views: &Views<'_>,
    ) -> Option<Import> {
        let link = &self.plan.link;
        let created_at = views.get(&mirror.of).map(|view| view.created_at).unwrap_or_default();
        let opening_at = first.and_then(|number| link.copies.get(number)).map_or(created_at, |copy| copy.at);
        let (mut messages, mut files) = (Vec::new(), 0);
        for number in rest.iter().take(IMPORTED_MAX) {
            let Some(copy) = link.copies.get(number) else { continue };
            match comments::source(link, views, copy) {
                Source::Text(original) => {
                    let message = silent(form::message(copy, original, &mirror.at, self.ground.policy));
                    files += message.attachments().len();
                    if files > IMPORTED_FILES_MAX {
                        break;
                    }
                    messages.push(Imported { message, at: copy.at, number: *number, author: None });
                }
                Source::Lost => break,
                Source::Look(ticket) => {
                    self.plan.look_at_comments.insert(ticket);
                    return None;
                }
            }
        }
        Some(Import { created_at, opening_at, messages })
    }

    fn push_create(&mut self, at: &AccountId, ticket: NewTicket, opening: Opening) {
        let link = &mut self.plan.link;
        let key = link.take_op();
        link.creating.insert(at.clone(), key.clone());
        let opening = opening.map(|(number, message)| {
            link.openings.insert(key.clone(), number);
            message
        });
        self.plan.decisions.push(Decision::Create { at: at.clone(), key: key.clone() });
        let ticket = NewTicket { opening, ..ticket };
        self.plan.intents.push(Intent::Create(Create { at: at.clone(), ticket, key }));
    }

    /// Something to say to the customer on a ticket that is closed makes a new one
    /// that follows it up, where the helpdesk can; fields and notes alone do not.
    pub(super) fn plan_follow_ups(&mut self, views: &Views<'_>) {
        let closed = self.plan.link.sides.iter().filter(|(_, side)| side.standing == Standing::Closed);
        let closed: Vec<_> = closed.map(|(ticket, _)| ticket.clone()).collect();
        for ticket in closed {
            if self.plan.link.side_at(&ticket.account).is_some() {
                continue;
            }
            let lacking = comments::pending(&self.plan.link, &ticket, self.ground.policy);
            if !self.ground.policy.can(&ticket.account).follow_up {
                lacking.iter().for_each(|number| self.park_comment(*number, &ticket, CLOSED));
            } else if self.may_create(&ticket.account) && self.has_public(&lacking) {
                self.plan_follow_up(&ticket, &lacking, views);
            }
        }
    }

    fn may_create(&self, at: &AccountId) -> bool {
        let link = &self.plan.link;
        let armed = self.ground.policy.accounts.get(at).is_some_and(|account| account.creates_armed);
        armed && !link.creating.contains_key(at) && !link.create_parked.contains_key(at)
    }

    fn has_public(&self, numbers: &[u64]) -> bool {
        numbers.iter().any(|number| self.plan.link.copies.get(number).is_some_and(|copy| copy.public))
    }

    fn plan_follow_up(&mut self, closed: &TicketKey, lacking: &[u64], views: &Views<'_>) {
        let at = &closed.account;
        let why_not = format!("{closed} is closed, and names nobody who asked");
        let Some(requester) = self.requester_at(at, why_not) else { return };
        let Some(opening) = self.opening(lacking, at, views) else { return };
        if self.waits_for_comments(views) {
            return;
        }
        // A ticket's first message is never mailed and is shown as the customer's: what is to be
        // mailed, and what somebody else said, follows as an update.
        let opening = opening.filter(|(number, message)| {
            message.author.role == Role::Customer && self.is_silent(*number, at, views)
        });
        self.reopen();
        let mirror = DueMirror { of: closed.clone(), at: at.clone() };
        let first = route::first_fields(&self.plan.link, &mirror, self.ground.policy);
        let fields = self.ground.vendors.normalize(at, &first);
        let follows = Some(closed.id.clone());
        let ticket = NewTicket { requester, opening: None, fields, follows, import: None };
        self.push_create(at, ticket, opening);
    }

    fn is_silent(&self, number: u64, at: &AccountId, views: &Views<'_>) -> bool {
        let link = &self.plan.link;
        let Some(copy) = link.copies.get(&number) else { return false };
        let Source::Text(original) = comments::source(link, views, copy) else { return false };
        let message = form::message(copy, original, at, self.ground.policy);
        matches!(message, Message::Public(message) if message.mail == Mail::Silent)
    }

    /// The conversation goes on: what is agreed to be closed for good is open again.
    fn reopen(&mut self) {
        let link = &mut self.plan.link;
        if link.base.get(&Field::Status).and_then(Value::as_status) != Some(Status::Closed) {
            return;
        }
        link.base.insert(Field::Status, Value::Status(Status::Open));
        let is_live = |side: &Side| side.standing == Standing::Live;
        let live: Vec<_> =
            link.sides.iter().filter(|(_, side)| is_live(side)).map(|(key, _)| key.clone()).collect();
        for ticket in live {
            refresh_behind(link, &ticket, Field::Status, self.ground);
        }
    }
}

fn silent(message: Message) -> Message {
    match message {
        Message::Public(message) => Message::Public(PublicMessage { mail: Mail::Silent, ..message }),
        message @ Message::Private(_) => message,
    }
}
