//! What people and the AI agent did, and nothing else: from this the end is judged.

use std::{collections::BTreeMap, time::Duration};

use handoffd_connectors::sim::Who;
use handoffd_core::{HandoffKind, RemoteId, Timestamp};
use serde_json::Value;

/// Everything that was done in one life.
#[derive(Default)]
pub struct Oracle {
    /// Conversations by number.
    pub tales: BTreeMap<u32, Tale>,
}

/// Whose a conversation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hands {
    /// The AI agent's.
    Bot,
    /// A person's.
    Person(&'static str),
    /// Everybody's: the team has it and nobody took it.
    Pool,
}

/// One conversation.
pub struct Tale {
    /// The account where it was opened, and where people work on it.
    pub home: &'static str,
    /// Its ticket there.
    pub id: RemoteId,
    pub opened_at: Timestamp,
    /// Whose it is now.
    pub hands: Hands,
    /// Every change of hands, in order.
    pub changes: Vec<Change>,
    /// When each key was posted first.
    pub posted: BTreeMap<String, Timestamp>,
    /// What was posted under each key.
    pub bodies: BTreeMap<String, Value>,
    /// When the AI agent first announced a handoff that it was told was taken.
    pub announced: Vec<Timestamp>,
    /// Why, in its words.
    pub reasons: Vec<String>,
    /// When it was said to be solved.
    pub solved: Vec<Timestamp>,
    /// What was said, the opening first.
    pub said: Vec<Said>,
    /// What was tried, in order.
    pub tried: Vec<Tried>,
    /// Private words: none of them may stand where a customer reads.
    pub private: Vec<String>,
}

/// The ticket went from one to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub at: Timestamp,
    pub from: Hands,
    pub to: Hands,
}

impl Change {
    /// What kind of handoff it is; `None` where nobody hands anything over.
    pub fn kind(&self) -> Option<HandoffKind> {
        kind(self.from, self.to)
    }
}

fn kind(from: Hands, to: Hands) -> Option<HandoffKind> {
    match (from, to) {
        (Hands::Bot, Hands::Person(_) | Hands::Pool) => Some(HandoffKind::AiToHuman),
        (Hands::Person(_), Hands::Bot) => Some(HandoffKind::HumanToAi),
        (Hands::Person(one), Hands::Person(other)) if one != other => Some(HandoffKind::HumanToHuman),
        _ => None,
    }
}

/// Something said.
#[derive(Clone, Debug)]
pub struct Said {
    pub at: Timestamp,
    /// Where.
    pub account: &'static str,
    pub who: Who,
    pub public: bool,
    /// Unlike any other text.
    pub text: String,
}

/// Something that was tried.
#[derive(Clone, Debug)]
pub struct Tried {
    pub at: Timestamp,
    /// Unlike any other; a briefing names it with these words.
    pub words: String,
    /// What came of it.
    pub outcome: String,
    pub by: Hands,
}

/// At least and at most so many.
pub type Between = (usize, usize);

impl Tale {
    /// The mark that the subject of this conversation bears.
    pub fn mark(number: u32) -> String {
        format!("[h{number}]")
    }

    /// Changes that follow each other within `settled`, so that the daemon may see only what they come to.
    pub fn clusters(&self, settled: Duration) -> Vec<Vec<Change>> {
        let mut clusters: Vec<Vec<Change>> = Vec::new();
        for change in &self.changes {
            match clusters.last_mut() {
                Some(cluster) if cluster.last().is_some_and(|last| change.at.since(last.at) < settled) => {
                    cluster.push(*change);
                }
                _ => clusters.push(vec![*change]),
            }
        }
        clusters
    }

    /// How many handoffs of these kinds there were.
    pub fn handoffs(&self, kinds: &[HandoffKind], settled: Duration) -> Between {
        let is_one = |kind: Option<HandoffKind>| kind.is_some_and(|kind| kinds.contains(&kind));
        if self.changes.is_empty() && !self.announced.is_empty() {
            let one = usize::from(is_one(Some(HandoffKind::AiToHuman)));
            return (one, one);
        }
        let (mut least, mut most) = (0, 0);
        for cluster in self.clusters(settled) {
            let all = cluster.iter().filter(|change| is_one(change.kind())).count();
            let (first, last) = (cluster[0], cluster[cluster.len() - 1]);
            let in_all = usize::from(is_one(kind(first.from, last.to)));
            // What nobody saw before it changed is not seen to change, unless somebody says so.
            let unseen = first.at.since(self.opened_at) < settled && !self.was_announced(&cluster);
            least += if unseen || self.corrects(&first, settled) { 0 } else { in_all };
            most += all.max(in_all);
        }
        (least, most)
    }

    /// Whether people only name who it is for: nobody was named when the AI agent let go, and
    /// nobody answered long enough before.
    fn corrects(&self, change: &Change, settled: Duration) -> bool {
        let is_person = matches!((change.from, change.to), (Hands::Person(_), Hands::Person(_)));
        let before: Vec<&Change> = self.changes.iter().filter(|one| one.at < change.at).collect();
        let began = before.iter().rev().find(|one| one.from == Hands::Bot);
        let unnamed = began.is_some_and(|began| {
            let passed =
                before.iter().any(|one| one.at > began.at && one.kind() == Some(HandoffKind::HumanToHuman));
            began.to == Hands::Pool && !passed
        });
        let answered = began.is_some_and(|began| {
            self.replies()
                .any(|said| said.at > began.at && change.at.since(said.at) > settled && said.at < change.at)
        });
        is_person && unnamed && !answered
    }

    /// What people said to the customer.
    pub fn replies(&self) -> impl Iterator<Item = &Said> {
        self.said.iter().filter(|said| said.public && matches!(said.who, Who::Agent(_)))
    }

    /// Whether nothing ended a stretch within `settled` after this moment.
    pub fn went_on(&self, at: Timestamp, settled: Duration) -> bool {
        let is_near = |other: Timestamp| other > at && other.since(at) < settled;
        let back = self.changes.iter().any(|change| change.to == Hands::Bot && is_near(change.at));
        !back && !self.solved.iter().any(|at| is_near(*at))
    }

    /// Whether the AI agent said so between the change before and the change after.
    fn was_announced(&self, cluster: &[Change]) -> bool {
        let (first, last) = (cluster[0].at, cluster[cluster.len() - 1].at);
        let before = self.changes.iter().rev().find(|change| change.at < first);
        let after = self.changes.iter().find(|change| change.at > last);
        let is_then = |at: &&Timestamp| {
            before.is_none_or(|before| **at > before.at) && after.is_none_or(|after| **at < after.at)
        };
        cluster[0].kind() == Some(HandoffKind::AiToHuman) && self.announced.iter().any(|at| is_then(&at))
    }
}
