//! Whose history is taken in next: an account that rests or is parked holds up no other one,
//! and one whose pages stay unreadable is parked.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::PoisonError,
    time::Duration,
};

use handoffd_connectors::contract::{Disarms, Error};
use handoffd_core::{AccountId, GroupId, Timestamp};

use super::{Desk, Engine, Inner};
use crate::store::tables::{BackfillPhase, BackfillRow};

/// The wait before a page that could not be read is tried again; it doubles each time.
pub(super) const REST: Duration = Duration::from_secs(30);
/// How often the wait doubles.
const DOUBLINGS_MAX: u32 = 5;
/// After how many answers that make no sense, or refused resume points, a history is parked.
const SENSELESS_MAX: u32 = 5;

/// How the reading of an account's history goes, in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Turn {
    /// Not before then.
    not_before: Timestamp,
    /// Pages in a row that could not be read.
    failures: u32,
    /// Those of them whose answer makes no sense: it will make none the next time either.
    senseless: u32,
    /// Resume points that were refused: one that is refused again and again never gets on.
    refused: u32,
}

/// The turns, by account.
pub(super) type Turns = BTreeMap<AccountId, Turn>;

/// What is to be done next.
pub(super) enum Next {
    /// A page of this one.
    Page(BackfillRow),
    /// All rest until then.
    Rest(Timestamp),
    /// Nothing: all is done, parked, or waits for one that is parked.
    Nothing,
}

/// What a failed page means.
pub(super) enum Halt {
    /// Go on then.
    Until(Timestamp),
    /// Begin the phase anew, then.
    Anew(Timestamp),
    /// Nothing can go on until an admin looks.
    Parked(String),
}

/// What keeps the histories of a group back: until every index of it is whole, a ticket that two
/// helpdesks hold would be mirrored beside its twin.
pub(super) fn indexing(
    rows: &[BackfillRow],
    group_of: impl Fn(&AccountId) -> Option<GroupId>,
) -> BTreeMap<GroupId, &BackfillRow> {
    let open = rows.iter().filter(|row| row.phase == BackfillPhase::Index);
    open.filter_map(|row| Some((group_of(&row.account)?, row))).collect()
}

/// The next of these rows, none of them finished; indexes come first.
fn next_of(
    rows: Vec<BackfillRow>,
    parked: &BTreeSet<AccountId>,
    turns: &Turns,
    now: Timestamp,
    group_of: impl Fn(&AccountId) -> Option<GroupId>,
) -> Next {
    let waits_for: BTreeSet<GroupId> = indexing(&rows, &group_of).into_keys().collect();
    let is_ready = |row: &&BackfillRow| {
        let held_back = group_of(&row.account).is_some_and(|group| waits_for.contains(&group));
        !parked.contains(&row.account) && (row.phase == BackfillPhase::Index || !held_back)
    };
    let not_before =
        |row: &BackfillRow| turns.get(&row.account).map(|turn| turn.not_before).unwrap_or_default();
    let ready = || rows.iter().filter(is_ready);
    let due = ready().filter(|row| not_before(row) <= now);
    if let Some(row) = due.min_by_key(|row| row.phase != BackfillPhase::Index) {
        return Next::Page(row.clone());
    }
    ready().map(not_before).min().map_or(Next::Nothing, Next::Rest)
}

impl Turn {
    /// After a page that could not be read.
    fn failed(&mut self, error: &Error, now: Timestamp) -> Halt {
        self.failures += 1;
        let wait = REST * 2_u32.pow((self.failures - 1).min(DOUBLINGS_MAX));
        let again = now.plus(wait);
        match error {
            Error::Throttled { retry_at } => {
                self.failures -= 1;
                Halt::Until(*retry_at)
            }
            Error::Forbidden { missing } => Halt::Parked(format!("its history may not be read: {missing}")),
            Error::Refused { why } => Halt::Parked(format!("its history is refused: {why}")),
            Error::CursorRefused { why } => {
                self.refused += 1;
                match self.refused {
                    SENSELESS_MAX.. => Halt::Parked(format!(
                        "its history's resume points are refused again and again: {why}"
                    )),
                    _ => Halt::Anew(again),
                }
            }
            Error::Malformed { .. } | Error::Gone | Error::Stale | Error::Closed => {
                self.senseless += 1;
                match self.senseless {
                    SENSELESS_MAX.. => Halt::Parked(format!("a page of its history cannot be read: {error}")),
                    _ => Halt::Until(again),
                }
            }
            Error::Unauthorized { .. } | Error::Transient { .. } | Error::Unknown { .. } => {
                Halt::Until(again)
            }
        }
    }
}

impl Engine {
    /// What is to be done next of these, none of them finished.
    pub(super) async fn next_history(&self, rows: Vec<BackfillRow>) -> Next {
        let mut parked = BTreeSet::new();
        for row in &rows {
            if self.parked_history(&row.account).await.is_some() {
                parked.insert(row.account.clone());
            }
        }
        let turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        next_of(rows, &parked, &turns, self.now(), |account| self.group_of(account))
    }

    /// A page could not be read.
    pub(super) async fn page_failed(&self, desk: &Desk, error: &Error) -> Halt {
        self.learn(desk, error, Disarms::Nothing).await;
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let halt = turns.entry(desk.id.clone()).or_default().failed(error, self.now());
        if let Halt::Until(at) | Halt::Anew(at) = &halt {
            tracing::warn!(account = %desk.id, %error, %at, "A page of the history could not be read; it is tried again.");
        }
        halt
    }

    /// A page was read.
    pub(super) fn page_read(&self, account: &AccountId) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        let turn = turns.entry(account.clone()).or_default();
        *turn = Turn { refused: turn.refused, ..Turn::default() };
    }

    /// Nothing of the account's history is read before.
    pub(super) fn rest_history(&self, account: &AccountId, until: Timestamp) {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(account.clone()).or_default().not_before = until;
    }

    /// An admin had a look: the count begins anew.
    pub(super) fn forget_turn(&self, account: &AccountId) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(account);
    }
}

impl Inner {
    /// The link group of an account.
    pub(super) fn group_of(&self, account: &AccountId) -> Option<GroupId> {
        self.parts.desks.get(account).and_then(|desk| desk.group.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(account: &str, phase: BackfillPhase) -> BackfillRow {
        BackfillRow::new(AccountId::new(account), Timestamp(0), phase, Timestamp(0))
    }

    /// Accounts are named by their group and a number.
    fn group(account: &AccountId) -> Option<GroupId> {
        Some(GroupId::new(&account.as_str()[..1]))
    }

    fn shown(rows: &[(&str, BackfillPhase)], parked: &[&str], rests: &[(&str, i64)]) -> String {
        let rows = rows.iter().map(|(account, phase)| row(account, *phase)).collect();
        let parked = parked.iter().map(|account| AccountId::new(*account)).collect();
        let turn = |until| Turn { not_before: Timestamp(until), ..Turn::default() };
        let turns = rests.iter().map(|(account, until)| (AccountId::new(*account), turn(*until))).collect();
        match next_of(rows, &parked, &turns, Timestamp(100), group) {
            Next::Page(row) => row.account.to_string(),
            Next::Rest(at) => format!("rest {}", at.0),
            Next::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn one_that_rests_or_is_parked_holds_up_no_other_group() {
        use BackfillPhase::{Index, Tickets};
        let two = [("a1", Tickets), ("b1", Tickets)];
        assert_eq!(shown(&two, &[], &[]), "a1");
        assert_eq!(shown(&two, &[], &[("a1", 200)]), "b1");
        assert_eq!(shown(&two, &[], &[("a1", 100)]), "a1", "its rest is over");
        assert_eq!(shown(&two, &["a1"], &[("b1", 300)]), "rest 300");
        assert_eq!(shown(&two, &[], &[("a1", 200), ("b1", 300)]), "rest 200");
        assert_eq!(shown(&two, &["a1", "b1"], &[]), "nothing");
        let indexes = [("a1", Tickets), ("a2", Index), ("b1", Tickets)];
        assert_eq!(shown(&indexes, &[], &[]), "a2", "an index comes first");
        assert_eq!(shown(&indexes, &[], &[("a2", 200)]), "b1", "its own group waits for it");
        assert_eq!(shown(&indexes, &["a2", "b1"], &[]), "nothing", "its own group waits for an admin");
        let same = [("a1", Tickets), ("a2", Tickets)];
        assert_eq!(shown(&same, &[], &[("a1", 200)]), "a2", "after the indexes nobody waits");
    }

    fn fails(turn: &mut Turn, error: &Error) -> String {
        match turn.failed(error, Timestamp(0)) {
            Halt::Until(at) => format!("{}", at.0 / 1_000),
            Halt::Anew(at) => format!("anew {}", at.0 / 1_000),
            Halt::Parked(why) => why,
        }
    }

    #[test]
    fn what_stays_senseless_is_parked_and_what_passes_is_not() {
        let senseless = Error::Malformed { what: "tickets: a number".to_owned() };
        let mut turn = Turn::default();
        let found: Vec<String> = (0..5).map(|_| fails(&mut turn, &senseless)).collect();
        assert_eq!(found[..4], ["30", "60", "120", "240"]);
        assert!(found[4].contains("cannot be read") && found[4].contains("tickets: a number"), "{found:?}");
        let down = Error::Transient { why: "503".to_owned() };
        let mut turn = Turn::default();
        let found: Vec<String> = (0..50).map(|_| fails(&mut turn, &down)).collect();
        assert_eq!(found[5..].iter().collect::<BTreeSet<_>>().len(), 1, "{found:?}");
        assert_eq!(found[49], "960");
        let refused = Error::CursorRefused { why: "old".to_owned() };
        let mut turn = Turn::default();
        let found: Vec<String> = (0..5).map(|_| fails(&mut turn, &refused)).collect();
        assert_eq!(found[0], "anew 30");
        assert!(found[4].contains("again and again"), "{found:?}");
        let mut turn = Turn::default();
        assert_eq!(fails(&mut turn, &Error::Throttled { retry_at: Timestamp(7_000) }), "7");
        assert_eq!(fails(&mut turn, &down), "30", "a throttle is no failure");
    }
}
