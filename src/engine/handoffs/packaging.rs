//! What is known of a handoff, made into a package and a briefing.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use handoffd_connectors::contract::Lane;
use handoffd_core::{
    AccountId, Comment, CommentsSeen, Field, Handoff, HandoffId, HandoffKind, RemoteId, Role, TicketKey,
    Timestamp, Value,
    briefing::{Briefing, Extras, NoteLimits, TicketFacts, compose, compose_late},
    handoff::with_news,
    link::{Link, Origin, Place},
    model::{
        captured::Captured,
        package::{Package, Resolution},
        turn::{Party, Proof, Turn},
    },
    package::{Material, PackageRules, assemble, completeness, is_thin, repairs, resolution},
    redact::Names,
    rewrite::offer,
    thread::ThreadRules,
};

use super::{Fault, Inner, Look};
use crate::store::{
    Key, Write,
    tables::{self, PACKAGES},
};

/// The most bytes of a package, so that its row fits.
const PACKAGE_BYTES_MAX: usize = 26 * 1024;
/// The most bytes of the package of a resolution, which says some of it twice.
const RESOLUTION_BYTES_MAX: usize = 16 * 1024;
/// How many handoffs back a package is looked for.
const EARLIER_MAX: usize = 8;
/// How many messages of a ticket are read, the newest.
const TURNS_MAX: usize = 400;

/// How much of what the handoff before read is read once more.
const READ_AGAIN: Duration = Duration::from_secs(60);

/// What a package is made from.
struct Gathered {
    ticket: TicketFacts,
    tickets: Vec<TicketKey>,
    captured: Option<Captured>,
    turns: Vec<Turn>,
    /// The ticket's messages were read.
    listed: bool,
    previous: Option<Package>,
    names: BTreeMap<RemoteId, String>,
}

impl Gathered {
    fn material<'a>(&'a self, record: &'a Handoff) -> Material<'a> {
        Material {
            record,
            hop: record.hop.max(1),
            ticket: &self.ticket,
            tickets: self.tickets.clone(),
            captured: self.captured.as_ref(),
            turns: &self.turns,
            previous: self.previous.as_ref(),
            names: &self.names,
        }
    }
}

impl Inner {
    /// The package of a handoff and the note that it makes.
    pub(super) async fn package(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
    ) -> Result<(Package, Briefing), Fault> {
        let mut gathered = self.gathered(link, record).await?;
        if wants_messages(record, &gathered) {
            self.read_messages(look, link, record, &mut gathered).await?;
        }
        let rules = self.package_rules(PACKAGE_BYTES_MAX);
        let mut package = assemble(&gathered.material(record), &rules, self.now());
        if is_thin(&package).is_some() && !gathered.listed {
            self.read_messages(look, link, record, &mut gathered).await?;
            package = assemble(&gathered.material(record), &rules, self.now());
        }
        self.weigh(record, &package);
        let briefing = self.composed(record, &package, gathered.captured.as_ref()).await;
        Ok((package, briefing))
    }

    /// The note of a package, its lines in better words where a model is there and quick enough.
    async fn composed(&self, record: &Handoff, package: &Package, captured: Option<&Captured>) -> Briefing {
        let template = self.parts.templates.pick(package);
        let rewriter = &self.parts.rewriter;
        let rewritten = match rewriter.is_configured() && self.now() < record.deadline {
            true => rewriter.rewrite(offer(package, template), &Names::of(package), record.deadline).await,
            false => BTreeMap::new(),
        };
        let extras = Extras { transcript: transcript(record, captured), rewritten: &rewritten };
        let briefing = compose(package, &extras, template, self.note_limits(&record.ticket), self.now());
        if let Some(why) = &briefing.template_failed {
            tracing::error!(handoff = %record.id, why, "A briefing's template cannot be rendered; the built-in one was used.");
        }
        briefing
    }

    /// The package that was stored, with what became known since, and the note that says so: all
    /// of it where the first is rewritten, else the rest.
    pub(super) async fn late_note(
        &self,
        link: &Link,
        record: &mut Handoff,
        sent: Option<&str>,
    ) -> Result<(Package, Option<Briefing>), Fault> {
        let gathered = self.gathered(link, record).await?;
        let rules = self.package_rules(PACKAGE_BYTES_MAX);
        let fresh = assemble(&gathered.material(record), &rules, self.now());
        let package = match self.stored_package(&record.id).await? {
            Some(stored) => with_news(stored, fresh, PACKAGE_BYTES_MAX),
            None => fresh,
        };
        self.weigh(record, &package);
        let rewritten = BTreeMap::new();
        let captured = gathered.captured.as_ref();
        let extras = Extras { transcript: transcript(record, captured), rewritten: &rewritten };
        let template = self.parts.templates.pick(&package);
        let limits = self.note_limits(&record.ticket);
        let briefing = match sent {
            Some(sent) => compose_late(&package, sent, &extras, template, limits, self.now()),
            None => Some(compose(&package, &extras, template, limits, self.now())),
        };
        Ok((package, briefing))
    }

    /// What the AI agent is told that gets the conversation back.
    pub(super) async fn resolved(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
    ) -> Result<Resolution, Fault> {
        let mut gathered = self.gathered(link, record).await?;
        self.read_messages(look, link, record, &mut gathered).await?;
        let rules = self.package_rules(RESOLUTION_BYTES_MAX);
        let resolution = resolution(&gathered.material(record), &rules, self.now());
        self.weigh(record, &resolution.package);
        Ok(resolution)
    }

    /// Counts what a package knows; a thin one is raised once.
    fn weigh(&self, record: &mut Handoff, package: &Package) {
        let whole = completeness(package);
        let first = record.completeness.is_none();
        record.completeness = Some((whole.known, whole.required));
        record.thin = is_thin(package);
        if !first {
            return;
        }
        self.parts.metrics.packaged(record.kind, whole.percent(), record.thin.is_some());
        if let Some(why) = &record.thin {
            let remedies = repairs(package);
            tracing::warn!(handoff = %record.id, ticket = %record.ticket, why, ?remedies, "A handoff's package is thin.");
        }
    }

    fn package_rules(&self, bytes_max: usize) -> PackageRules {
        let (defaults, config) = (PackageRules::default(), &self.parts.handoff);
        PackageRules {
            thread: ThreadRules {
                transfer_prefixes: config.transfer_tools.clone(),
                inner_tools: config.ignored_tools.iter().cloned().collect(),
                ..defaults.thread
            },
            areas: config.areas.iter().map(|(route, area)| (route.clone(), area.clone())).collect(),
            bytes_max,
            ..defaults
        }
    }

    fn note_limits(&self, ticket: &TicketKey) -> NoteLimits {
        let desk = self.parts.desks.get(&ticket.account);
        let vendor_max = desk.map_or(usize::MAX, |desk| desk.capabilities.message_bytes_max);
        NoteLimits { bytes_max: self.parts.handoff.note_bytes_max.min(vendor_max) }
    }

    /// All that is known without asking anybody.
    async fn gathered(&self, link: &Link, record: &Handoff) -> Result<Gathered, Fault> {
        let others = link.sides.keys().filter(|ticket| **ticket != record.ticket);
        let mut captured = None;
        for ticket in std::iter::once(&record.ticket).chain(others.clone()).chain(&link.former) {
            if captured.is_none() {
                captured = tables::captured_of(&*self.parts.store, ticket).await?;
            }
        }
        Ok(Gathered {
            ticket: ticket_facts(link, &record.ticket),
            tickets: std::iter::once(&record.ticket).chain(others).cloned().collect(),
            captured,
            turns: Vec::new(),
            listed: false,
            previous: self.package_before(record).await?,
            names: self.names_at(link, &record.ticket.account),
        })
    }

    pub(super) async fn stored_package(&self, id: &HandoffId) -> Result<Option<Package>, Fault> {
        let row = tables::read::<Package>(&*self.parts.store, PACKAGES, &Key::of(&[id.as_str()])).await?;
        Ok(row.map(|row| row.value))
    }

    /// The newest package before this handoff's.
    async fn package_before(&self, record: &Handoff) -> Result<Option<Package>, Fault> {
        let mut earlier = record.previous.clone();
        for _ in 0..EARLIER_MAX {
            let Some(id) = earlier else { return Ok(None) };
            if let Some(package) = self.stored_package(&id).await? {
                return Ok(Some(package));
            }
            earlier = self.record_of(&id).await?.and_then(|record| record.previous);
        }
        Ok(None)
    }

    /// Agents, groups and teams whom the configuration names, by their ids at an account.
    fn names_at(&self, link: &Link, account: &AccountId) -> BTreeMap<RemoteId, String> {
        let Some(group) = self.parts.groups.get(&link.group) else { return BTreeMap::new() };
        let at = |(name, places): (&String, &BTreeMap<String, String>)| {
            places.get(account.as_str()).map(|id| (RemoteId::new(id), name.clone()))
        };
        let mut names: BTreeMap<RemoteId, String> = group.agents.iter().filter_map(at).collect();
        names.extend(group.teams.iter().filter_map(at));
        if let Some(placing) = self.parts.placing.get(account) {
            names.extend(placing.queues.iter().map(|(name, id)| (RemoteId::new(id), name.clone())));
        }
        names
    }

    /// The ticket's messages since the handoff before: those at hand, else with one listing. Where
    /// they cannot be had, what is known must do.
    async fn read_messages(
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
        let said = comments.iter().filter(|comment| !skip.contains(comment.id()));
        let new = said.filter(|comment| since.is_none_or(|since| comment.at() >= since));
        let mut turns: Vec<Turn> = Vec::new();
        for comment in new {
            if let (Some(id), false) = (&comment.author().id, comment.author().name.is_empty()) {
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

    async fn turn(&self, link: &Link, ticket: &TicketKey, comment: &Comment) -> Result<Option<Turn>, Fault> {
        let author = comment.author();
        let by = match (author.role, &author.id) {
            (Role::Customer, _) => Party::Customer,
            (Role::Agent, _) if said_by_bot(link, ticket, comment.id()) => Party::Bot { name: None },
            (Role::Agent, Some(id)) if self.is_bot(&ticket.account, id) => {
                Party::Bot { name: Some(author.name.clone()).filter(|name| !name.is_empty()) }
            }
            (Role::Agent, id) => Party::Human {
                name: Some(author.name.clone()).filter(|name| !name.is_empty()),
                id: id.clone(),
            },
        };
        let (public, body) = match comment {
            Comment::Public(comment) => (true, comment.text.body()),
            Comment::Private(comment) => (false, comment.text.body()),
        };
        let body = self.body_at_hand(body.clone()).await?;
        let at = comment.at();
        let text = body.text().unwrap_or_default().to_owned();
        let proof = Proof::Message { ticket: ticket.clone(), id: comment.id().clone(), at };
        Ok((!text.is_empty()).then_some(Turn { proof, by, at: Some(at), public, text, call: None }))
    }

    /// The row that keeps a package.
    pub(super) fn package_write(&self, id: &HandoffId, package: &Package) -> Write {
        tables::put(PACKAGES, Key::of(&[id.as_str()]), package)
    }
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

/// Whether the ticket's messages are needed at once: a stream has the words of an AI agent's
/// stretch, and nobody but the helpdesk those of people.
fn wants_messages(record: &Handoff, gathered: &Gathered) -> bool {
    let streamed = gathered.captured.as_ref().is_some_and(|captured| !captured.turns.is_empty());
    record.kind != HandoffKind::AiToHuman || record.hop > 1 || !streamed
}

/// What was said to the AI agent and stands on no ticket: of the first hop, all that was streamed.
fn transcript<'a>(record: &Handoff, captured: Option<&'a Captured>) -> &'a [Turn] {
    let ours = record.kind == HandoffKind::AiToHuman;
    captured.filter(|_| ours).map_or(&[], |captured| captured.turns.as_slice())
}

/// Whether an AI agent said it through us.
pub(super) fn said_by_bot(link: &Link, ticket: &TicketKey, id: &RemoteId) -> bool {
    let here = Place::Here(id.clone());
    link.copies.values().any(|copy| copy.by_bot && copy.places.get(ticket) == Some(&here))
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

fn ticket_facts(link: &Link, ticket: &TicketKey) -> TicketFacts {
    let shadow = link.sides.get(ticket).map(|side| &side.shadow).unwrap_or(&link.base);
    TicketFacts {
        subject: match shadow.get(&Field::Subject) {
            Some(Value::Text(subject)) => Some(subject.clone()),
            _ => None,
        },
        requester: link.requester.clone(),
        status: shadow.get(&Field::Status).and_then(Value::as_status),
    }
}
