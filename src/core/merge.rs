//! One field, several sides: who changed it, who wins, who has yet to receive it.
//!
//! A side is compared with its own shadow only. Tags and addresses in copy merge
//! as sets; every other field is a register.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use crate::{
    decision::{Decision, Who},
    link::{Link, Side, Standing},
    model::{
        ids::{AccountId, TicketKey},
        ticket::{Field, Fields, Observed, Value, Version},
    },
    policy::{ConflictRule, FieldRule, Normalize, SyncPolicy},
};

/// How often in a row a helpdesk may show something else than it was sent
/// before that counts as its own form of the value and is left alone.
///
/// A rewriting that [`Normalize`] does not foresee looks like an edit, and is
/// spread like one, so that all sides agree. Two helpdesks that rewrite each
/// other's form, or one whose edits do not count, would go round for ever.
pub const REWRITES_MAX: u32 = 3;

/// The views that were taken in, by ticket.
pub(crate) type Views<'a> = BTreeMap<&'a TicketKey, &'a Observed>;

/// What decisions about values stand on.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub policy: &'a SyncPolicy,
    pub vendors: &'a dyn Normalize,
}

impl Ground<'_> {
    /// What `account` shows of one field after it is sent `value`; `None` if it cannot hold it.
    pub fn shown_as(&self, account: &AccountId, field: Field, value: &Value) -> Option<Value> {
        let sent = Fields::from([(field, value.clone())]);
        self.vendors.normalize(account, &sent).remove(&field)
    }

    /// The synced fields with their rules.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &FieldRule)> {
        self.policy.fields.iter().map(|(field, rule)| (*field, rule)).filter(|(field, _)| is_synced(*field))
    }

    /// The rule of a field, if it is synced.
    pub fn rule(&self, field: Field) -> Option<&FieldRule> {
        self.policy.fields.get(&field).filter(|_| is_synced(field))
    }

    /// What has to be sent so that `side` shows the base of a field; `None` when
    /// it does, cannot, or is not to receive it.
    pub fn missing(&self, base: &Fields, account: &AccountId, side: &Side, field: Field) -> Option<Value> {
        self.rule(field).filter(|rule| rule.to.contains(account))?;
        let base = base.get(&field)?;
        let wanted = self.shown_as(account, field, base)?;
        let shadow = side.shadow.get(&field);
        (shadow != Some(&wanted) && !self.holds_all(account, field, base, shadow)).then_some(wanted)
    }

    /// Whether each member of a set is there either as it is in the base or as the
    /// vendor would show it: a vendor's own spelling is not rewritten.
    fn holds_all(&self, account: &AccountId, field: Field, base: &Value, shadow: Option<&Value>) -> bool {
        let (Some(base), Some(shadow)) = (base.as_tags(), shadow.and_then(Value::as_tags)) else {
            return false;
        };
        let (mut held, other): (BTreeSet<_>, BTreeSet<_>) =
            base.iter().cloned().partition(|tag| shadow.contains(tag));
        if let Some(Value::Tags(rest)) = self.shown_as(account, field, &Value::Tags(other)) {
            held.extend(rest);
        }
        held == *shadow
    }

    /// One member of a set as `account` shows it; empty if it cannot hold it.
    fn member_at(&self, account: &AccountId, field: Field, tag: &str) -> BTreeSet<String> {
        let one = Value::Tags(BTreeSet::from([tag.to_owned()]));
        match self.shown_as(account, field, &one) {
            Some(Value::Tags(tags)) => tags,
            _ => BTreeSet::new(),
        }
    }
}

/// Whether a link group may keep a field in step at all.
pub(crate) fn is_synced(field: Field) -> bool {
    field.may_be_synced()
}

/// Sets or clears `behind` for one field of one side, by its shadow.
pub(crate) fn refresh_behind(link: &mut Link, ticket: &TicketKey, field: Field, ground: Ground<'_>) {
    let Some(side) = link.sides.get_mut(ticket) else { return };
    if ground.missing(&link.base, &ticket.account, side, field).is_some() {
        side.behind.insert(field);
    } else {
        side.behind.remove(&field);
    }
}

/// Takes the views' fields into the link.
pub(crate) fn merge_fields(
    link: &mut Link,
    views: &Views<'_>,
    ground: Ground<'_>,
    decisions: &mut Vec<Decision>,
) {
    follow_unsynced(link, views, ground);
    for (field, rule) in ground.fields() {
        let mut merge = Merge { link, views, ground, field, rule, decisions };
        if field.is_set() { merge.set() } else { merge.register() }
    }
}

/// Fields that are not synced are only watched: the shadow follows.
fn follow_unsynced(link: &mut Link, views: &Views<'_>, ground: Ground<'_>) {
    for (ticket, view) in views {
        let Some(side) = link.sides.get_mut(*ticket) else { continue };
        for (field, value) in view.fields.iter().filter(|(field, _)| ground.rule(**field).is_none()) {
            side.shadow.insert(*field, value.clone());
        }
    }
}

/// How a side's field differs from its shadow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    /// It does not.
    None,
    /// A value of ours showed up.
    Ours,
    /// Somebody changed it.
    Person,
}

/// Moves a side's shadow of one field to what is shown.
fn take_value(side: &mut Side, field: Field, shown: &Value) -> Change {
    if side.shadow.get(&field) == Some(shown) {
        return Change::None;
    }
    side.shadow.insert(field, shown.clone());
    if show_up(side, field, shown) {
        side.overtaken.remove(&field);
        return Change::Ours;
    }
    if side.in_flight.contains_key(&field) {
        side.overtaken.insert(field);
    }
    Change::Person
}

/// A value is shown: says whether it was in flight. The value of an outstanding
/// write stays so, because a person may have set the same before ours arrives;
/// older ones are over.
fn show_up(side: &mut Side, field: Field, shown: &Value) -> bool {
    let is_out = !side.outstanding.is_empty();
    let is_flying = confirm(side, field, shown);
    if is_flying && is_out && !side.in_flight.contains_key(&field) {
        side.in_flight.insert(field, vec![shown.clone()]);
    }
    is_flying
}

/// Takes a value and all older ones out of flight; says whether it was in flight.
pub(crate) fn confirm(side: &mut Side, field: Field, shown: &Value) -> bool {
    let Some(values) = side.in_flight.get_mut(&field) else { return false };
    let Some(at) = values.iter().position(|value| value == shown) else { return false };
    values.drain(..=at);
    if values.is_empty() {
        side.in_flight.remove(&field);
        side.overtaken.remove(&field);
    }
    true
}

/// A value that may become the base.
struct Contender {
    who: Who,
    /// Accounts that show it.
    accounts: BTreeSet<AccountId>,
    value: Value,
    version: Version,
}

/// A side's change of a set.
struct SetEdit {
    ticket: TicketKey,
    added: BTreeSet<String>,
    removed: BTreeSet<String>,
}

/// The merge of one field.
struct Merge<'a, 'b> {
    link: &'b mut Link,
    views: &'b Views<'a>,
    ground: Ground<'b>,
    field: Field,
    rule: &'b FieldRule,
    decisions: &'b mut Vec<Decision>,
}

impl Merge<'_, '_> {
    fn register(&mut self) {
        let moved = self.take_in(take_value);
        let (edits, ignored) = self.sort_out(&moved);
        let contenders = self.contenders(&edits);
        let before = self.link.base.get(&self.field).cloned();
        let winner = (!contenders.is_empty()).then(|| self.decide(contenders)).flatten();
        self.spread(before.as_ref(), &moved, winner.as_ref(), &ignored);
    }

    /// Moves every shadow; returns the sides that moved.
    fn take_in(&mut self, take: fn(&mut Side, Field, &Value) -> Change) -> Vec<(TicketKey, Change)> {
        let mut moved = Vec::new();
        for (ticket, view) in self.views {
            let Some(side) = self.link.sides.get_mut(*ticket) else { continue };
            let Some(value) = view.fields.get(&self.field) else { continue };
            let change = take(side, self.field, value);
            if change != Change::None {
                moved.push(((*ticket).clone(), change));
            }
        }
        moved
    }

    /// Splits the sides that somebody changed into those that count and those
    /// whose own form of the value is left alone.
    fn sort_out(&mut self, moved: &[(TicketKey, Change)]) -> (Vec<TicketKey>, Vec<TicketKey>) {
        let (mut edits, mut left) = (Vec::new(), Vec::new());
        for (ticket, _) in moved.iter().filter(|(_, change)| *change == Change::Person) {
            if self.is_own_form(ticket) {
                left.push(ticket.clone());
            } else if self.rule.from.contains(&ticket.account) {
                edits.push(ticket.clone());
            }
        }
        (edits, left)
    }

    /// Whether a helpdesk has shown its own form so often that it is left alone.
    fn is_own_form(&mut self, ticket: &TicketKey) -> bool {
        let field = self.field;
        let Some(side) = self.link.sides.get_mut(ticket) else { return false };
        if side.rewritten.get(&field).is_none_or(|times| *times < REWRITES_MAX) {
            return false;
        }
        side.rewritten.remove(&field);
        side.behind.remove(&field);
        if let Some(value) = side.shadow.get(&field).cloned() {
            self.decisions.push(Decision::Kept { field, ticket: ticket.clone(), value });
        }
        true
    }

    fn live(&self) -> impl Iterator<Item = (&TicketKey, &Side)> {
        self.link.sides.iter().filter(|(_, side)| side.standing == Standing::Live)
    }

    fn as_contender(&self, ticket: &TicketKey) -> Option<Contender> {
        let side = self.link.sides.get(ticket)?;
        Some(Contender {
            who: Who::Side(ticket.clone()),
            accounts: BTreeSet::from([ticket.account.clone()]),
            value: side.shadow.get(&self.field)?.clone(),
            version: side.seen,
        })
    }

    /// Everybody who claims the field: the sides that changed it; all sides
    /// when there is no base yet; and the base when none of them had received it.
    fn contenders(&self, edits: &[TicketKey]) -> Vec<Contender> {
        let Some(base) = self.link.base.get(&self.field) else {
            let from = self.live().filter(|(ticket, _)| self.rule.from.contains(&ticket.account));
            return from.filter_map(|(ticket, _)| self.as_contender(ticket)).collect();
        };
        let mut contenders: Vec<_> = edits.iter().filter_map(|ticket| self.as_contender(ticket)).collect();
        let is_behind = |ticket: &TicketKey| {
            self.link.sides.get(ticket).is_some_and(|side| side.behind.contains(&self.field))
        };
        if !edits.is_empty() && edits.iter().all(is_behind) {
            contenders.push(self.base_contender(base, edits));
        }
        contenders
    }

    /// The base stands for the sides that show it, and is as old as the oldest of their views.
    fn base_contender(&self, base: &Value, edits: &[TicketKey]) -> Contender {
        let holders: Vec<_> = self
            .live()
            .filter(|(ticket, side)| !side.behind.contains(&self.field) && !edits.contains(ticket))
            .filter(|(_, side)| side.shadow.contains_key(&self.field))
            .collect();
        Contender {
            who: Who::Base,
            accounts: holders.iter().map(|(ticket, _)| ticket.account.clone()).collect(),
            value: base.clone(),
            version: holders.iter().map(|(_, side)| side.seen).min().unwrap_or_default(),
        }
    }

    /// Whether `contender` shows what it would show if `winner` were sent to it.
    fn agrees(&self, contender: &Contender, winner: &Contender) -> bool {
        if contender.value == winner.value {
            return true;
        }
        let Who::Side(ticket) = &contender.who else { return false };
        self.ground.shown_as(&ticket.account, self.field, &winner.value).as_ref() == Some(&contender.value)
    }

    /// Sets the base; returns the side that won, if a side did.
    fn decide(&mut self, mut contenders: Vec<Contender>) -> Option<TicketKey> {
        contenders.sort_by_key(|contender| Reverse(self.rank(contender)));
        let all_agree = |one: &Contender| contenders.iter().all(|other| self.agrees(other, one));
        let at = contenders.iter().position(all_agree).unwrap_or(0);
        let winner = contenders.remove(at);
        let losers: Vec<_> = contenders.into_iter().filter(|other| !self.agrees(other, &winner)).collect();
        let (field, value) = (self.field, winner.value.clone());
        self.link.base.insert(field, value.clone());
        if !losers.is_empty() {
            let overruled = losers.into_iter().map(|loser| (loser.who, loser.value)).collect();
            let (kept, rule) = ((winner.who.clone(), value), self.rule.conflict.describe());
            self.decisions.push(Decision::Conflict { field, kept, overruled, rule });
        } else if let Who::Side(from) = &winner.who {
            self.decisions.push(Decision::Took { field, from: from.clone(), value });
        }
        match winner.who {
            Who::Side(ticket) => Some(ticket),
            Who::Base => None,
        }
    }

    /// Greater wins: the rule's account, then the newest, then the customer-facing account.
    fn rank(&self, contender: &Contender) -> (bool, Version, bool, Reverse<Who>) {
        let favoured = match &self.rule.conflict {
            ConflictRule::Newest => false,
            ConflictRule::Account(account) => contender.accounts.contains(account),
        };
        let facing = contender.accounts.contains(&self.ground.policy.customer_facing);
        (favoured, contender.version, facing, Reverse(contender.who.clone()))
    }

    /// Says who is behind now.
    fn spread(
        &mut self,
        before: Option<&Value>,
        moved: &[(TicketKey, Change)],
        winner: Option<&TicketKey>,
        left: &[TicketKey],
    ) {
        let base_moved = self.link.base.get(&self.field) != before;
        let tickets: Vec<_> = self.live().map(|(ticket, _)| ticket.clone()).collect();
        for ticket in tickets {
            let change = moved.iter().find(|(one, _)| *one == ticket).map(|(_, change)| *change);
            if winner == Some(&ticket) {
                self.won(&ticket);
            } else if (base_moved || change.is_some()) && !left.contains(&ticket) {
                refresh_behind(self.link, &ticket, self.field, self.ground);
            }
            if change == Some(Change::Person) && !left.contains(&ticket) {
                self.note_overruled(&ticket);
            }
        }
    }

    /// A side that gave the base is never behind on it.
    fn won(&mut self, ticket: &TicketKey) {
        self.end_rewrites(ticket);
        if let Some(side) = self.link.sides.get_mut(ticket) {
            side.behind.remove(&self.field);
        }
    }

    /// A person's edit at one side ends every count of rewritings elsewhere.
    fn end_rewrites(&mut self, ticket: &TicketKey) {
        let field = self.field;
        if self.link.sides.get(ticket).is_some_and(|side| side.rewritten.contains_key(&field)) {
            return;
        }
        for side in self.link.sides.values_mut() {
            side.rewritten.remove(&field);
        }
    }

    /// Records a change from an account whose changes do not count, if it will be undone.
    fn note_overruled(&mut self, ticket: &TicketKey) {
        let field = self.field;
        let Some(kept) = self.link.base.get(&field).cloned() else { return };
        let Some(side) = self.link.sides.get_mut(ticket) else { return };
        if self.rule.from.contains(&ticket.account) || !side.behind.contains(&field) {
            return;
        }
        *side.rewritten.entry(field).or_default() += 1;
        if let Some(value) = side.shadow.get(&field).cloned() {
            self.decisions.push(Decision::Overruled { field, ticket: ticket.clone(), value, kept });
        }
    }

    fn set(&mut self) {
        let old: BTreeMap<TicketKey, Side> = self
            .views
            .keys()
            .filter_map(|t| Some(((*t).clone(), self.link.sides.get(*t)?.clone())))
            .collect();
        let moved = self.take_in(take_set);
        let (counting, left) = self.sort_out(&moved);
        let before = self.link.base.get(&self.field).cloned();
        let edits = match before {
            None => self.first_sets(),
            Some(_) => counting.iter().filter_map(|ticket| self.set_edit(ticket, old.get(ticket)?)).collect(),
        };
        if !edits.is_empty() {
            self.merge_sets(edits);
        }
        for ticket in &counting {
            self.end_rewrites(ticket);
        }
        self.spread(before.as_ref(), &moved, None, &left);
    }

    /// Every side's set, where there is no base yet.
    fn first_sets(&self) -> Vec<SetEdit> {
        self.live()
            .filter(|(ticket, _)| self.rule.from.contains(&ticket.account))
            .filter_map(|(ticket, side)| Some((ticket, side.shadow.get(&self.field)?.as_tags()?)))
            .map(|(ticket, tags)| SetEdit {
                ticket: ticket.clone(),
                added: tags.clone(),
                removed: BTreeSet::new(),
            })
            .collect()
    }

    /// What somebody did to a side's set, as seen from the set they started with.
    fn set_edit(&self, ticket: &TicketKey, old: &Side) -> Option<SetEdit> {
        let shown = self.link.sides.get(ticket)?.shadow.get(&self.field)?.as_tags()?;
        let start = start_of(old, self.field, shown);
        let added = shown.difference(&start.most).cloned().collect();
        let removed = start.least.difference(shown).cloned().collect();
        Some(SetEdit { ticket: ticket.clone(), added, removed })
    }

    /// base = (base + added) - removed; an addition beats a removal of the same member.
    fn merge_sets(&mut self, edits: Vec<SetEdit>) {
        let base = self.link.base.get(&self.field).and_then(Value::as_tags).cloned().unwrap_or_default();
        let mut kept = base.clone();
        for edit in edits.iter().filter(|edit| !edit.removed.is_empty()) {
            kept.retain(|tag| {
                let shown = self.ground.member_at(&edit.ticket.account, self.field, tag);
                shown.is_empty() || !shown.is_subset(&edit.removed)
            });
        }
        for edit in edits {
            for tag in &edit.added {
                let is_twin = |one: &&String| {
                    self.ground.member_at(&edit.ticket.account, self.field, one).contains(tag)
                };
                let twins: Vec<_> = base.union(&kept).filter(is_twin).cloned().collect();
                if twins.is_empty() {
                    kept.insert(tag.clone());
                }
                kept.extend(twins);
            }
            let SetEdit { ticket: from, added, removed } = edit;
            let field = self.field;
            if !added.is_empty() || !removed.is_empty() {
                self.decisions.push(Decision::TagsMerged { field, from, added, removed });
            }
        }
        self.link.base.insert(self.field, Value::Tags(kept));
    }
}

/// From what a shown set was made, as far as it can be told.
struct Start {
    /// What is not in here was added.
    most: BTreeSet<String>,
    /// What is in here and not shown was removed.
    least: BTreeSet<String>,
    /// The set of ours that it certainly was made from.
    ours: Option<BTreeSet<String>>,
}

/// A shown set was made from the shadow or from a set of ours in flight. Ours
/// has landed if it is nearer, a tag that it adds is there and none that it takes
/// off; it has not if one of those is still there. When neither can be told, only what is in
/// all of them can have been removed: a tag too many is better than one too few.
fn start_of(side: &Side, field: Field, shown: &BTreeSet<String>) -> Start {
    let shadow = side.shadow.get(&field).and_then(Value::as_tags).cloned().unwrap_or_default();
    let mut start = Start { most: shadow.clone(), least: shadow.clone(), ours: None };
    let flying = side.in_flight.get(&field).into_iter().flatten().filter_map(Value::as_tags);
    let distance = |tags: &BTreeSet<String>| tags.symmetric_difference(shown).count();
    for ours in flying {
        let removed_all = shadow.difference(ours).all(|tag| !shown.contains(tag));
        let adds = ours.is_subset(&shadow) || ours.difference(&shadow).any(|tag| shown.contains(tag));
        if removed_all && adds && distance(ours) <= distance(&shadow) {
            return Start { most: ours.clone(), least: ours.clone(), ours: Some(ours.clone()) };
        }
        if removed_all {
            start.most.extend(ours.iter().cloned());
            start.least.retain(|tag| ours.contains(tag));
        }
    }
    start
}

/// As [`take_value`], and a set of ours with an edit on top counts as arrived.
fn take_set(side: &mut Side, field: Field, shown: &Value) -> Change {
    let ours = shown.as_tags().and_then(|tags| start_of(side, field, tags).ours).map(Value::Tags);
    let change = take_value(side, field, shown);
    if let (Change::Person, Some(ours)) = (change, ours) {
        show_up(side, field, &ours);
    }
    change
}
