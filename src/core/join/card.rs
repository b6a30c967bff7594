//! What is kept of a ticket so that those which may be the same conversation are found
//! without comparing each with each, and whether two of them are.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::{
    comments::form,
    link::text_digest,
    model::{
        comment::{Comment, fold_text},
        ids::TicketKey,
        ticket::{CommentsSeen, Field, Observed, Typed, Value},
        time::Timestamp,
    },
    policy::ConflictRule,
};

/// The shortest first message that is not taken for another one by chance, in characters.
const MESSAGE_CHARS_MIN: usize = 20;
/// The most tickets that a first message is believed to name.
const NAMED_MAX: usize = 5;

/// By what two existing tickets are known to be one conversation. Our markers always count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinRules {
    /// A field that holds the same reference at both, or the other ticket's id.
    pub reference: Option<Field>,
    /// The same requester and the same subject are enough.
    pub requester_and_subject: bool,
    /// The same first message is enough, and one that names the other ticket as `account/id`.
    pub first_message: bool,
    /// How far apart the two may have been made, in milliseconds; references and
    /// markers count whenever they were made.
    pub window_ms: u64,
    /// How far apart the same message may stand in both, in milliseconds.
    pub comments_apart_ms: u64,
    /// Who wins where the two tickets show unequal fields; `None`: each field's own rule.
    pub unequal: Option<ConflictRule>,
}

impl Default for JoinRules {
    fn default() -> Self {
        Self {
            reference: None,
            requester_and_subject: true,
            first_message: false,
            window_ms: 86_400_000,
            comments_apart_ms: 3_600_000,
            unequal: None,
        }
    }
}

impl JoinRules {
    /// Whether anything but our own markers joins tickets.
    pub fn joins(&self) -> bool {
        self.reference.is_some() || self.requester_and_subject || self.first_message
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

impl Why {
    /// Whether it is no guess.
    pub fn is_exact(self) -> bool {
        self >= Self::Reference
    }
}

/// Something that tickets of one conversation have in common. Texts are digests, so that an
/// index of keys names nobody.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MatchKey {
    /// It bears this marker.
    Marker(String),
    /// This is its own name or id.
    Own(String),
    /// It names this: another ticket's name or id, or a reference that both have.
    Names(String),
    /// Its first message, and in which window it was made.
    Message(String, i64),
    /// Who asked and about what, and in which window it was made.
    Person(String, i64),
}

impl MatchKey {
    /// The keys under which tickets stand that may be the same conversation.
    pub fn sought(&self) -> Vec<Self> {
        match self {
            Self::Marker(_) => vec![self.clone()],
            Self::Own(name) => vec![Self::Names(name.clone())],
            Self::Names(name) => vec![self.clone(), Self::Own(name.clone())],
            Self::Message(text, at) => (at - 1..=at + 1).map(|at| Self::Message(text.clone(), at)).collect(),
            Self::Person(text, at) => (at - 1..=at + 1).map(|at| Self::Person(text.clone(), at)).collect(),
        }
    }

    fn meets(&self, other: &Self) -> Option<Why> {
        match (self, other) {
            (Self::Marker(mine), Self::Marker(theirs)) => (mine == theirs).then_some(Why::Marker),
            (Self::Names(mine), Self::Names(theirs) | Self::Own(theirs))
            | (Self::Own(mine), Self::Names(theirs)) => (mine == theirs).then_some(Why::Reference),
            (Self::Message(mine, _), Self::Message(theirs, _)) => {
                (mine == theirs).then_some(Why::FirstMessage)
            }
            (Self::Person(mine, _), Self::Person(theirs, _)) => {
                (mine == theirs).then_some(Why::RequesterAndSubject)
            }
            _ => None,
        }
    }
}

/// What is kept of a ticket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// Which ticket.
    pub ticket: TicketKey,
    /// When it was made, in its vendor's time.
    pub created_at: Timestamp,
    /// A digest of who asked.
    pub who: Option<String>,
    /// What it may have in common with others.
    pub keys: BTreeSet<MatchKey>,
}

impl Card {
    /// The card of a ticket. Its first message counts only where the comments were listed.
    pub fn of(view: &Observed, rules: &JoinRules) -> Self {
        let window = i64::try_from(rules.window_ms.max(1)).unwrap_or(i64::MAX);
        let at = view.created_at.0.div_euclid(window);
        let mut keys = BTreeSet::new();
        keys.extend(view.marker.as_ref().map(|marker| MatchKey::Marker(marker.to_string())));
        let mut names: BTreeSet<String> = BTreeSet::new();
        names.extend(rules.reference.and_then(|field| reference_of(view.fields.get(&field)?)));
        if rules.first_message {
            names.extend(named_by_text(view));
            keys.extend(first_digest(view).map(|digest| MatchKey::Message(digest, at)));
        }
        if rules.reference.is_some() || rules.first_message {
            keys.insert(MatchKey::Own(text_digest(&view.ticket.to_string())));
        }
        if rules.reference.is_some() {
            keys.insert(MatchKey::Own(text_digest(view.ticket.id.as_str())));
        }
        keys.extend(names.iter().map(|name| MatchKey::Names(text_digest(name))));
        let email = view.requester.as_ref().and_then(|one| one.email_folded());
        if let (true, Some(email), Some(subject)) = (rules.requester_and_subject, &email, subject(view)) {
            keys.insert(MatchKey::Person(text_digest(&format!("{email} {subject}")), at));
        }
        Self {
            ticket: view.ticket.clone(),
            created_at: view.created_at,
            who: email.as_deref().map(text_digest),
            keys,
        }
    }

    /// The card with what an earlier one knew of comments, where they were not listed for this one.
    #[must_use]
    pub fn or_as_before(mut self, view: &Observed, before: Option<&Self>) -> Self {
        if let (CommentsSeen::NotLooked, Some(before)) = (&view.comments, before) {
            let of_text = |key: &&MatchKey| matches!(key, MatchKey::Message(..) | MatchKey::Names(_));
            self.keys.extend(before.keys.iter().filter(of_text).cloned());
        }
        self
    }
}

/// Whether two tickets of different accounts are one conversation, and why.
pub fn fits(a: &Card, b: &Card, rules: &JoinRules) -> Option<Why> {
    if a.ticket.account == b.ticket.account {
        return None;
    }
    let met = a.keys.iter().flat_map(|mine| b.keys.iter().filter_map(|theirs| mine.meets(theirs))).max()?;
    let are_others = a.who.is_some() && b.who.is_some() && a.who != b.who;
    let far = a.created_at.0.abs_diff(b.created_at.0) > rules.window_ms;
    (met.is_exact() || !(are_others || far)).then_some(met)
}

fn reference_of(value: &Value) -> Option<String> {
    let text = match value {
        Value::Text(text)
        | Value::Typed(Some(Typed::Text(text) | Typed::Number(text) | Typed::Choice(text))) => text.trim(),
        _ => return None,
    };
    (!text.is_empty()).then(|| text.to_owned())
}

fn first(view: &Observed) -> Option<&Comment> {
    match &view.comments {
        CommentsSeen::All(comments) => comments.iter().find(|comment| comment.is_public()),
        CommentsSeen::NotLooked => None,
    }
}

/// The words of the first message that look like a ticket's whole name.
fn named_by_text(view: &Observed) -> Vec<String> {
    let is_edge = |c: char| c.is_whitespace() || "()[]<>,;:\"'".contains(c);
    let words = |text: &str| -> Vec<String> {
        let looks_like = |word: &&str| {
            word.split_once('/')
                .is_some_and(|(account, id)| !account.is_empty() && !id.is_empty() && !id.contains('/'))
        };
        text.split(is_edge).filter(looks_like).take(NAMED_MAX).map(str::to_owned).collect()
    };
    first(view).and_then(|comment| comment.body().text().map(words)).unwrap_or_default()
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
