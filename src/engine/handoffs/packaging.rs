//! What is known of a handoff, made into a package and a briefing.

use std::collections::BTreeMap;

use futures_util::future::BoxFuture;
use handoffd_core::{
    AccountId, Field, Handoff, HandoffId, HandoffKind, RemoteId, TicketKey, Value,
    briefing::{Briefing, Extras, NoteLimits, TicketFacts, compose, compose_late},
    handoff::with_news,
    link::Link,
    model::{
        captured::Captured,
        package::{Package, Resolution},
        turn::Turn,
    },
    package::{Material, PackageRules, assemble, completeness, is_thin, repairs, resolution},
    redact::Names,
    rewrite::offer,
    thread::ThreadRules,
};

use super::{Fault, Inner, Look, messages::said_elsewhere};
use crate::store::{
    Key, Write,
    tables::{self, PACKAGES},
};

/// The most bytes of a package, so that its row fits.
const PACKAGE_BYTES_MAX: usize = 26 * 1024;
/// The most bytes of the package of a resolution, which says some of it twice.
const RESOLUTION_BYTES_MAX: usize = 16 * 1024;
/// How many handoffs back a package is looked for.
pub(super) const EARLIER_MAX: usize = 8;

/// What a package is made from.
pub(super) struct Gathered {
    ticket: TicketFacts,
    tickets: Vec<TicketKey>,
    pub(super) captured: Option<Captured>,
    pub(super) turns: Vec<Turn>,
    /// The ticket's messages were read.
    pub(super) listed: bool,
    previous: Option<Package>,
    pub(super) names: BTreeMap<RemoteId, String>,
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
        let mut gathered = self.gathered(link, record, &look.changed).await?;
        if self.wants_messages(link, record, &gathered) {
            self.read_messages(look, link, record, &mut gathered).await?;
        }
        let rules = self.package_rules(PACKAGE_BYTES_MAX);
        let mut package = assemble(&gathered.material(record), &rules, self.now());
        if is_thin(&package).is_some() && !gathered.listed {
            self.read_messages(look, link, record, &mut gathered).await?;
            package = assemble(&gathered.material(record), &rules, self.now());
        }
        self.weigh(record, &package);
        let briefing = self.composed(link, record, &package, &gathered).await;
        Ok((package, briefing))
    }

    /// The note of a package, its lines in better words where a model is there and quick enough.
    async fn composed(
        &self,
        link: &Link,
        record: &Handoff,
        package: &Package,
        gathered: &Gathered,
    ) -> Briefing {
        let template = self.parts.templates.pick(package);
        let rewriter = &self.parts.rewriter;
        let rewritten = match rewriter.is_configured() && self.now() < record.deadline {
            true => rewriter.rewrite(offer(package, template), &Names::of(package), record.deadline).await,
            false => BTreeMap::new(),
        };
        let transcript = said_elsewhere(link, record, gathered, None);
        let extras = Extras { transcript: &transcript, rewritten: &rewritten };
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
        let gathered = self.gathered(link, record, &[]).await?;
        let rules = self.package_rules(PACKAGE_BYTES_MAX);
        let fresh = assemble(&gathered.material(record), &rules, self.now());
        let package = match self.stored_package(&record.id).await? {
            Some(stored) => with_news(stored, fresh, PACKAGE_BYTES_MAX),
            None => fresh,
        };
        self.weigh(record, &package);
        let rewritten = BTreeMap::new();
        let transcript = said_elsewhere(link, record, &gathered, sent);
        let extras = Extras { transcript: &transcript, rewritten: &rewritten };
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
        let mut gathered = self.gathered(link, record, &look.changed).await?;
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

    /// All that is known without asking anybody. `changed`: records that are not committed yet.
    async fn gathered(&self, link: &Link, record: &Handoff, changed: &[Handoff]) -> Result<Gathered, Fault> {
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
            previous: self.package_before(link, record, changed).await?,
            names: self.names_at(link, &record.ticket.account),
        })
    }

    pub(super) async fn stored_package(&self, id: &HandoffId) -> Result<Option<Package>, Fault> {
        let row = tables::read::<Package>(&*self.parts.store, PACKAGES, &Key::of(&[id.as_str()])).await?;
        Ok(row.map(|row| row.value))
    }

    /// The newest package before this handoff's, with what came too late for a note of its own.
    async fn package_before(
        &self,
        link: &Link,
        record: &Handoff,
        changed: &[Handoff],
    ) -> Result<Option<Package>, Fault> {
        let mut earlier = record.previous.clone();
        for _ in 0..EARLIER_MAX {
            let Some(id) = earlier else { return Ok(None) };
            let before = match changed.iter().find(|known| known.id == id) {
                Some(known) => Some(known.clone()),
                None => self.record_of(&id).await?,
            };
            if let Some(package) = self.stored_package(&id).await? {
                let untold = before.filter(|before| before.late_facts && before.late_key.is_none());
                return Ok(Some(match untold {
                    Some(before) => self.with_untold(link, &before, package).await?,
                    None => package,
                }));
            }
            earlier = before.and_then(|before| before.previous);
        }
        Ok(None)
    }

    /// A stored package with what its own note never told, since the conversation went on meanwhile.
    fn with_untold<'a>(
        &'a self,
        link: &'a Link,
        before: &'a Handoff,
        stored: Package,
    ) -> BoxFuture<'a, Result<Package, Fault>> {
        Box::pin(async move {
            let gathered = self.gathered(link, before, &[]).await?;
            let rules = self.package_rules(PACKAGE_BYTES_MAX);
            let fresh = assemble(&gathered.material(before), &rules, self.now());
            Ok(with_news(stored, fresh, PACKAGE_BYTES_MAX))
        })
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

    /// Whether the ticket's messages are needed at once: a stream has the words of an AI agent's
    /// stretch, and nobody but the helpdesk those of people, who may have spoken in between.
    fn wants_messages(&self, link: &Link, record: &Handoff, gathered: &Gathered) -> bool {
        let streamed = gathered.captured.as_ref().is_some_and(|captured| !captured.turns.is_empty());
        let first_of_ai = record.kind == HandoffKind::AiToHuman && record.hop <= 1;
        !first_of_ai || !streamed || self.people_may_have_spoken(link)
    }

    /// The row that keeps a package.
    pub(super) fn package_write(&self, id: &HandoffId, package: &Package) -> Write {
        tables::put(PACKAGES, Key::of(&[id.as_str()]), package)
    }
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
