//! Tickets that are one conversation already: found by what they have in common,
//! joined, followed up, merged. Nothing that stands somewhere is written there again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    comments::form,
    link::{CommentCopy, Link, Origin, Place, Side, Standing},
    merge::is_synced,
    model::{
        comment::{Comment, fold_text},
        ids::{AccountId, TicketKey},
        ticket::{CommentsSeen, Field, Observed, Typed, Value},
    },
    policy::SyncPolicy,
    reconcile::supersede,
};

/// The most comments that two links may have together to be folded into one.
pub const FOLD_COPIES_MAX: usize = 5_000;

/// The shortest first message that is not taken for another one by chance, in characters.
const MESSAGE_CHARS_MIN: usize = 20;

/// By what two existing tickets are known to be one conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRules {
    /// A field that holds the same reference at both, or the other ticket's id.
    pub reference: Option<Field>,
    /// The same requester and the same subject are enough.
    pub requester_and_subject: bool,
    /// The same first message is enough.
    pub first_message: bool,
    /// How far apart the two may have been made, in milliseconds; references and
    /// markers count whenever they were made.
    pub window_ms: u64,
    /// How far apart the same message may stand in both, in milliseconds.
    pub comments_apart_ms: u64,
}

impl Default for JoinRules {
    fn default() -> Self {
        Self {
            reference: None,
            requester_and_subject: true,
            first_message: true,
            window_ms: 86_400_000,
            comments_apart_ms: 3_600_000,
        }
    }
}

/// Why two tickets are one conversation, the surest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The same person asked about the same subject at the same time.
    RequesterAndSubject,
    /// The first message is the same.
    FirstMessage,
    /// One names the other, or both name the same thing.
    Reference,
    /// Both bear the same marker of ours.
    Marker,
}

/// Whether two tickets of different accounts are one conversation, and why. Their
/// first messages count only where the comments were listed.
pub fn same_conversation(a: &Observed, b: &Observed, rules: &JoinRules) -> Option<Why> {
    if a.ticket.account == b.ticket.account {
        return None;
    }
    if a.marker.is_some() && a.marker == b.marker {
        return Some(Why::Marker);
    }
    if refers(a, b, rules) || refers(b, a, rules) {
        return Some(Why::Reference);
    }
    let (mine, theirs) = (email(a), email(b));
    let are_others = mine.is_some() && theirs.is_some() && mine != theirs;
    if are_others || a.created_at.0.abs_diff(b.created_at.0) > rules.window_ms {
        return None;
    }
    if rules.first_message && first_digest(a).is_some() && first_digest(a) == first_digest(b) {
        return Some(Why::FirstMessage);
    }
    let same_subject = subject(a).is_some() && subject(a) == subject(b);
    let is_enough = rules.requester_and_subject && mine.is_some() && mine == theirs && same_subject;
    is_enough.then_some(Why::RequesterAndSubject)
}

/// Whether `a` names `b`: by the same reference, by its id, or by its whole name in the first message.
fn refers(a: &Observed, b: &Observed, rules: &JoinRules) -> bool {
    let name = b.ticket.to_string();
    let reference =
        |view: &Observed| rules.reference.and_then(|field| reference_of(view.fields.get(&field)?));
    let by_field = reference(a).is_some_and(|mine| {
        mine == name || mine == b.ticket.id.as_str() || reference(b).is_some_and(|theirs| theirs == mine)
    });
    let is_edge = |c: char| c.is_whitespace() || "()[]<>,;:\"'".contains(c);
    let by_text = || first(a)?.body().text()?.split(is_edge).find(|word| *word == name).map(drop);
    by_field || by_text().is_some()
}

fn reference_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Text(text)
        | Value::Typed(Some(Typed::Text(text) | Typed::Number(text) | Typed::Choice(text))) => text.trim(),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.to_owned())
}

fn email(view: &Observed) -> Option<String> {
    view.requester.as_ref().and_then(|one| one.email_folded())
}

fn first(view: &Observed) -> Option<&Comment> {
    match &view.comments {
        CommentsSeen::All(comments) => comments.iter().find(|comment| comment.is_public()),
        CommentsSeen::NotLooked => None,
    }
}

fn first_digest(view: &Observed) -> Option<String> {
    let body = first(view)?.body();
    let is_long = fold_text(body.text()?).chars().count() >= MESSAGE_CHARS_MIN;
    is_long.then(|| form::digest(body))
}

fn subject(view: &Observed) -> Option<String> {
    match view.fields.get(&Field::Subject) {
        Some(Value::Text(text)) => Some(fold_subject(text)).filter(|text| !text.is_empty()),
        _ => None,
    }
}

/// A subject for comparison: lower case, white space folded, without `Re:`, `Fwd:` and the like.
pub fn fold_subject(subject: &str) -> String {
    const PREFIXES: [&str; 8] = ["re:", "fwd:", "fw:", "aw:", "wg:", "sv:", "tr:", "rv:"];
    let folded = fold_text(subject).to_lowercase();
    let mut rest = folded.as_str();
    while let Some(shorter) = PREFIXES.iter().find_map(|prefix| rest.strip_prefix(prefix)) {
        rest = shorter.trim_start();
    }
    rest.to_owned()
}

/// Keys under which a ticket is kept so that those that may be the same
/// conversation are found without comparing each with each: two tickets for which
/// [`same_conversation`] holds have a key in common, references in text apart.
pub fn match_keys(view: &Observed, rules: &JoinRules) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    keys.extend(view.marker.as_ref().map(|marker| format!("marker {marker}")));
    if let Some(field) = rules.reference {
        let reference = view.fields.get(&field).and_then(reference_of);
        keys.extend(reference.map(|text| format!("reference {text}")));
        keys.insert(format!("reference {}", view.ticket.id));
        keys.insert(format!("reference {}", view.ticket));
    }
    if rules.first_message {
        keys.extend(first_digest(view).map(|digest| format!("message {digest}")));
    }
    if let (true, Some(email), Some(subject)) = (rules.requester_and_subject, email(view), subject(view)) {
        keys.insert(format!("person {email} {subject}"));
    }
    keys
}

/// Which ticket of another account is the same conversation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Partner {
    /// None.
    None,
    /// This one.
    One(TicketKey, Why),
    /// Several are as likely: none is joined, an admin decides.
    Ambiguous(Vec<TicketKey>, Why),
}

/// Finds the one of `candidates`, tickets of one other account, that is the same
/// conversation as `view`. The surest reason decides; two of the same are ambiguous.
pub fn find_partner<'a>(
    view: &Observed,
    candidates: impl IntoIterator<Item = &'a Observed>,
    rules: &JoinRules,
) -> Partner {
    let pair = |one: &Observed| same_conversation(view, one, rules).map(|why| (one.ticket.clone(), why));
    let found: Vec<_> = candidates.into_iter().filter_map(pair).collect();
    let Some(best) = found.iter().map(|(_, why)| *why).max() else { return Partner::None };
    let mut tickets: Vec<_> =
        found.into_iter().filter(|(_, why)| *why == best).map(|(ticket, _)| ticket).collect();
    match (tickets.pop(), tickets.is_empty()) {
        (Some(ticket), true) => Partner::One(ticket, best),
        (Some(ticket), false) => {
            tickets.push(ticket);
            Partner::Ambiguous(tickets, best)
        }
        (None, _) => Partner::None,
    }
}

/// The link with a ticket that exists already and is the same conversation. Equal
/// fields become the base, others are conflicts; comments that both hold are one.
/// Nobody is mailed about what was said before. Reconcile it with a view of that ticket next.
pub fn join(link: &Link, ticket: &TicketKey, policy: &SyncPolicy, rules: &JoinRules) -> Link {
    let mut link = crate::reconcile::add_side(link, ticket, policy);
    leave_past(&mut link, |copy, sides| {
        !sides.iter().any(|side| *side != *ticket && !copy.places.contains_key(side))
    });
    if let Some(side) = link.sides.get_mut(ticket) {
        side.uniting = side.uniting.map(|_| rules.comments_apart_ms);
    }
    link
}

/// Marks comments as past: those that are nowhere still to be written.
fn leave_past(link: &mut Link, is_past: impl Fn(&CommentCopy, &[TicketKey]) -> bool) {
    let sides: Vec<_> = link.sides.keys().cloned().collect();
    for copy in link.copies.values_mut().filter(|copy| is_past(copy, &sides)) {
        copy.past = true;
    }
}

/// Whether a ticket that is no side yet follows up one that is or was a side.
pub fn follow_up_of(link: &Link, observed: &Observed) -> bool {
    let is_new = !link.sides.contains_key(&observed.ticket) && !link.former.contains(&observed.ticket);
    let followed = followed(observed);
    is_new && followed.is_some_and(|one| link.sides.contains_key(&one) || link.former.contains(&one))
}

fn followed(observed: &Observed) -> Option<TicketKey> {
    observed.follows.as_ref().map(|id| TicketKey::new(observed.ticket.account.clone(), id.clone()))
}

/// The link with a follow-up that somebody made at the vendor in the place of the
/// closed ticket: its fields win, and what stood on the closed one is not written
/// there again. Only for what [`follow_up_of`] says.
pub fn adopt(link: &Link, observed: &Observed) -> Link {
    let Some(closed) = followed(observed).filter(|_| follow_up_of(link, observed)) else {
        return link.clone();
    };
    let mut link = crate::reconcile::gone(link, &closed);
    let ticket = &observed.ticket;
    link.sides.insert(ticket.clone(), Side::default());
    let earlier: Vec<_> = link.former.iter().filter(|one| one.account == ticket.account).cloned().collect();
    for one in earlier.iter().chain([&closed]) {
        supersede(&mut link, one, ticket);
    }
    link
}

/// Why two links cannot be folded into one now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldRefused {
    /// It is one link.
    #[error("it is the same link")]
    Same,
    /// They belong to different link groups.
    #[error("the links belong to different link groups")]
    OtherGroup,
    /// A write of the other link is not settled: try again when it is.
    #[error("a write of the other link is not settled yet")]
    Busy,
    /// A handoff is open on the other link: try again when it is over.
    #[error("a handoff is open on the other link")]
    Handoff,
    /// Together they have more comments than [`FOLD_COPIES_MAX`].
    #[error("the links have more than {FOLD_COPIES_MAX} comments together")]
    TooLong,
}

/// One link of two that turned out to be one conversation: their tickets were
/// merged at a vendor, or are joined. `link` stays, `other` is to be forgotten,
/// in one commit; `other` has neither writes nor a handoff open.
///
/// Where both have a ticket at one account, that of `link` goes on and the other
/// becomes a former one: nothing that stood there is written again. Comments that
/// both hold, at most `apart_ms` apart, are one.
pub fn fold(link: &Link, other: &Link, policy: &SyncPolicy, apart_ms: u64) -> Result<Link, FoldRefused> {
    check_fold(link, other)?;
    let mut link = link.clone();
    leave_past(&mut link, stands_everywhere);
    let mut other = other.clone();
    leave_past(&mut other, stands_everywhere);
    for copy in other.copies.into_values() {
        take_copy(&mut link, copy, apart_ms);
    }
    for ticket in other.former {
        if !link.former.contains(&ticket) && !link.sides.contains_key(&ticket) {
            link.former.push(ticket);
        }
    }
    for (ticket, side) in other.sides {
        take_side(&mut link, ticket, side, policy, apart_ms);
    }
    link.requester = link.requester.or(other.requester);
    Ok(link)
}

fn stands_everywhere(copy: &CommentCopy, sides: &[TicketKey]) -> bool {
    sides.iter().all(|side| copy.places.contains_key(side))
}

fn check_fold(link: &Link, other: &Link) -> Result<(), FoldRefused> {
    if link.id == other.id {
        return Err(FoldRefused::Same);
    }
    if link.group != other.group {
        return Err(FoldRefused::OtherGroup);
    }
    let is_sending =
        |copy: &CommentCopy| copy.places.values().any(|place| matches!(place, Place::Sending(_)));
    let is_out = other.sides.values().any(|side| !side.outstanding.is_empty());
    if is_out || !other.creating.is_empty() || other.copies.values().any(is_sending) {
        return Err(FoldRefused::Busy);
    }
    if other.handoff.is_some() {
        return Err(FoldRefused::Handoff);
    }
    if link.copies.len() + other.copies.len() > FOLD_COPIES_MAX {
        return Err(FoldRefused::TooLong);
    }
    Ok(())
}

/// A comment of the other link: one that is here already, or a new one.
fn take_copy(link: &mut Link, copy: CommentCopy, apart_ms: u64) {
    let is_twin = |mine: &CommentCopy| {
        matches!((&mine.origin, &copy.origin), (Origin::Comment(_), Origin::Comment(_)))
            && mine.digest == copy.digest
            && mine.public == copy.public
            && (mine.by.is_none() || copy.by.is_none() || mine.by == copy.by)
            && mine.at.0.abs_diff(copy.at.0) <= apart_ms
            && !copy.places.keys().any(|ticket| mine.places.contains_key(ticket))
    };
    if let Some(mine) = link.copies.values_mut().find(|mine| is_twin(mine)) {
        if let Origin::Comment(key) = &copy.origin {
            mine.theirs.insert(key.ticket.clone());
        }
        mine.theirs.extend(copy.theirs);
        mine.places.extend(copy.places);
        mine.shown.extend(copy.shown);
        return;
    }
    link.copies.insert(link.next_copy, copy);
    link.next_copy += 1;
}

fn take_side(link: &mut Link, ticket: TicketKey, side: Side, policy: &SyncPolicy, apart_ms: u64) {
    if link.sides.contains_key(&ticket) {
        return;
    }
    let survivor = survivor_at(link, &ticket.account);
    if let Some(survivor) = survivor.filter(|_| side.standing != Standing::Gone) {
        supersede(link, &ticket, &survivor);
        return;
    }
    link.former.retain(|former| *former != ticket);
    let receives = policy.fields.iter().filter(|(_, rule)| rule.to.contains(&ticket.account));
    let behind = receives.map(|(field, _)| *field).filter(|field| is_synced(*field)).collect();
    let side = Side {
        behind,
        comments_seen: None,
        uniting: Some(apart_ms),
        rating: side.rating,
        made: side.made,
        standing: side.standing,
        ..Side::default()
    };
    link.sides.insert(ticket, side);
}

fn survivor_at(link: &Link, account: &AccountId) -> Option<TicketKey> {
    link.side_at(account).map(|(ticket, _)| ticket.clone())
}

#[cfg(test)]
mod tests;
