//! What the engine knows of an account: what it can do, what is switched off, and why.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use handoffd_connectors::contract::{Capabilities, Disarms, Error, Helpdesk, Probe};
use handoffd_core::{
    AccountId, Fields, GroupId, Timestamp,
    policy::{AccountPolicy, Can, Normalize},
};

use crate::{config::Rhythm, store::tables::AccountRow};

/// One helpdesk account at work.
pub struct Desk {
    /// Its name.
    pub id: AccountId,
    /// The adapter.
    pub helpdesk: Arc<dyn Helpdesk>,
    /// What it can do.
    pub capabilities: Capabilities,
    /// The link group that it belongs to.
    pub group: Option<GroupId>,
    /// How often its feeds are read.
    pub poll: Rhythm,
    /// How often its linked tickets are read again.
    pub resync: Rhythm,
    standing: Mutex<AccountRow>,
    rest: Mutex<Rest>,
    /// Whether what was left undone is being looked for.
    catching_up: AtomicBool,
    /// Whether it was paused when the last process ended, and has not worked since.
    left_paused: AtomicBool,
}

/// How an account answers.
#[derive(Clone, Copy, Debug, Default)]
struct Rest {
    /// Nothing is read before, except for a handoff.
    until: Timestamp,
    /// Failures in a row.
    failures: u32,
    /// How often a call found a permission missing that no probe names.
    refusals: u32,
}

/// What an error of a call changes about an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum StandingChange {
    Paused(String),
    Disarmed(Disarms, String),
}

/// Names the change that an error brings, when the call needed `capability`.
pub(super) fn change_for(error: &Error, capability: Disarms) -> Option<StandingChange> {
    match error {
        Error::Unauthorized { why } => Some(StandingChange::Paused(why.clone())),
        Error::Forbidden { missing } => Some(StandingChange::Disarmed(capability, missing.clone())),
        _ => None,
    }
}

impl Desk {
    /// An account as it stood when it was stored last. A pause is not taken over:
    /// what was wrong may be mended, and the first call tells.
    pub fn new(
        id: AccountId,
        helpdesk: Arc<dyn Helpdesk>,
        group: Option<GroupId>,
        poll: Rhythm,
        resync: Rhythm,
        mut standing: AccountRow,
    ) -> Self {
        let capabilities = helpdesk.capabilities();
        let left_paused = standing.paused.take().is_some();
        Self {
            id,
            helpdesk,
            capabilities,
            group,
            poll,
            resync,
            standing: Mutex::new(standing),
            rest: Mutex::default(),
            catching_up: AtomicBool::new(false),
            left_paused: AtomicBool::new(left_paused),
        }
    }

    /// Whether a pause of the last process left things undone; told once.
    pub(super) fn take_left_paused(&self) -> bool {
        self.left_paused.swap(false, Ordering::Relaxed)
    }

    /// How it stands.
    pub fn standing(&self) -> AccountRow {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Changes how it stands; tells whether anything changed.
    pub(super) fn change_standing(&self, change: impl FnOnce(&mut AccountRow)) -> bool {
        let mut standing = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let before = standing.clone();
        change(&mut standing);
        *standing != before
    }

    /// Whether nothing is sent to it.
    pub fn is_paused(&self) -> bool {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).paused.is_some()
    }

    /// A read failed for a passing reason: reads rest, longer each time in a row.
    pub(super) fn failed(&self, now: Timestamp, first: Duration, most: Duration) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        if now >= rest.until {
            let wait = first.saturating_mul(2_u32.saturating_pow(rest.failures.min(16))).min(most);
            rest.failures = rest.failures.saturating_add(1);
            rest.until = now.plus(wait);
        }
    }

    /// A read was answered.
    pub(super) fn answered(&self) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        (rest.until, rest.failures) = (Timestamp::default(), 0);
    }

    /// Until when reads rest, if they do.
    pub(super) fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        let rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        (rest.until > now).then_some(rest.until)
    }

    /// A call found a permission missing.
    pub(super) fn refused(&self) {
        let mut rest = self.rest.lock().unwrap_or_else(PoisonError::into_inner);
        rest.refusals = rest.refusals.saturating_add(1);
    }

    /// How long until the account is probed again: the more calls were refused
    /// that its probe finds nothing wrong with, the longer.
    pub(super) fn recheck_wait(&self, usual: Duration) -> Duration {
        let refusals = self.rest.lock().unwrap_or_else(PoisonError::into_inner).refusals;
        usual.saturating_mul(2_u32.saturating_pow(refusals.saturating_sub(1).min(6)))
    }

    /// Claims the search for what was left undone; `false` while one goes on.
    pub(super) fn begin_catching_up(&self) -> bool {
        !self.catching_up.swap(true, Ordering::AcqRel)
    }

    pub(super) fn end_catching_up(&self) {
        self.catching_up.store(false, Ordering::Release);
    }

    /// Whether its feeds are read.
    pub(super) fn reads_armed(&self) -> bool {
        !self.standing().disarmed.contains_key(AccountRow::capability(Disarms::Reads))
    }

    /// What decisions need to know of it.
    pub(super) fn policy(&self) -> AccountPolicy {
        let standing = self.standing();
        let armed = |disarms| !standing.disarmed.contains_key(AccountRow::capability(disarms));
        let writes_armed = standing.paused.is_none() && armed(Disarms::Writes);
        AccountPolicy {
            conditional_writes: self.capabilities.conditional_writes,
            writes_armed,
            creates_armed: writes_armed && armed(Disarms::Creates),
            can: Can {
                hide: self.capabilities.hides_messages,
                redact: self.capabilities.redacts_messages,
                notes_by_agents_only: self.capabilities.notes_by_agents_only,
                lists_lack_deleted: self.capabilities.lists_lack_deleted,
                rewrite: self.capabilities.rewrites_messages,
                import: self.capabilities.imports_history,
                follow_up: self.capabilities.follows_up,
                delete: self.capabilities.deletes,
                attachment_bytes_max: self.capabilities.attachment_bytes_max,
                attachments_max: self.capabilities.attachments_max,
            },
        }
    }
}

/// Takes what a probe found into an account's standing.
pub(super) fn take_probe(standing: &mut AccountRow, probe: &Probe) {
    standing.paused = None;
    standing.identity = Some(probe.identity.clone());
    standing.disarmed.clear();
    for problem in &probe.problems {
        if problem.disarms != Disarms::Nothing {
            let why = format!("{} {}", problem.what, problem.remedy);
            standing.disarmed.insert(AccountRow::capability(problem.disarms).to_owned(), why);
        }
    }
}

/// Takes a failed call into an account's standing.
pub(super) fn take_change(standing: &mut AccountRow, change: &StandingChange, now: Timestamp) {
    match change {
        StandingChange::Paused(why) => {
            if standing.paused.is_none() {
                standing.paused = Some((why.clone(), now));
            }
        }
        StandingChange::Disarmed(disarms, why) => {
            standing.disarmed.insert(AccountRow::capability(*disarms).to_owned(), why.clone());
        }
    }
}

/// The helpdesks' own rewriting, for decisions.
pub(super) struct Vendors<'a>(pub(super) &'a BTreeMap<AccountId, Arc<Desk>>);

impl Normalize for Vendors<'_> {
    fn normalize(&self, account: &AccountId, fields: &Fields) -> Fields {
        match self.0.get(account) {
            Some(desk) => desk.helpdesk.normalize(fields),
            None => fields.clone(),
        }
    }
}
