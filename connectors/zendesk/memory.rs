//! What the adapter remembers between two calls: hints that save requests.
//! Losing them costs requests, nothing else.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use handoffd_core::RemoteId;

use super::{
    map::People,
    settings::{PAGE_ROWS_MIN, Settings},
    statuses::Statuses,
    wire,
};

/// How many tickets are remembered.
const TICKETS_MAX: usize = 4_096;
/// How many people are remembered.
const PEOPLE_MAX: usize = 4_096;
/// How many merged tickets are remembered.
const MERGED_MAX: usize = 4_096;

/// The adapter's memory.
#[derive(Debug)]
pub struct Memory {
    inner: Mutex<Inner>,
    page_rows_max: u32,
}

#[derive(Debug)]
struct Inner {
    tickets: BTreeMap<RemoteId, Ticket>,
    counts_are_whole: bool,
    page_rows: u32,
    people: People,
    statuses: Statuses,
    /// Which ticket goes on for one that was merged.
    merged: BTreeMap<RemoteId, RemoteId>,
    /// Our own user.
    me: Option<RemoteId>,
}

/// What is remembered of a ticket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ticket {
    /// Who asked.
    pub requester: Option<RemoteId>,
    /// The side-loaded comment count.
    pub count: Option<u64>,
    /// Whether the quiet tag was on it.
    pub quiet: bool,
}

impl Memory {
    /// Nothing yet.
    pub fn new(settings: &Settings) -> Self {
        let inner = Inner {
            tickets: BTreeMap::new(),
            counts_are_whole: settings.trust_comment_count,
            page_rows: settings.export_page_rows,
            people: People::new(),
            statuses: Statuses::default(),
            merged: BTreeMap::new(),
            me: None,
        };
        Self { inner: Mutex::new(inner), page_rows_max: settings.export_page_rows }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Hints stay hints whatever panicked while they were held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a ticket that was shown. Answers with its comment count if that can be believed.
    pub fn seen(&self, id: &RemoteId, ticket: Ticket) -> Option<u64> {
        let mut inner = self.lock();
        let count = ticket.count.filter(|_| inner.counts_are_whole);
        if inner.tickets.len() >= TICKETS_MAX && !inner.tickets.contains_key(id) {
            inner.tickets.pop_first();
        }
        inner.tickets.insert(id.clone(), ticket);
        count
    }

    /// The requester, if the ticket was seen with one.
    pub fn requester(&self, id: &RemoteId) -> Option<RemoteId> {
        self.lock().tickets.get(id).and_then(|ticket| ticket.requester.clone())
    }

    /// The requester was told without the ticket.
    pub fn asked_by(&self, id: &RemoteId, requester: RemoteId) {
        let mut inner = self.lock();
        if inner.tickets.len() >= TICKETS_MAX && !inner.tickets.contains_key(id) {
            inner.tickets.pop_first();
        }
        inner.tickets.entry(id.clone()).or_default().requester = Some(requester);
    }

    /// Remembers people who were shown.
    pub fn met(&self, people: &People) {
        let mut inner = self.lock();
        for (id, user) in people {
            if inner.people.len() >= PEOPLE_MAX && !inner.people.contains_key(id) {
                inner.people.pop_first();
            }
            inner.people.insert(id.clone(), user.clone());
        }
    }

    /// A person who was shown before.
    pub fn person(&self, id: &RemoteId) -> Option<wire::User> {
        self.lock().people.get(id).cloned()
    }

    /// Uses what is known of the account's statuses.
    pub fn statuses<T>(&self, with: impl FnOnce(&mut Statuses) -> T) -> T {
        with(&mut self.lock().statuses)
    }

    /// The ticket that goes on for one that was merged.
    pub fn merged_into(&self, id: &RemoteId) -> Option<RemoteId> {
        self.lock().merged.get(id).cloned()
    }

    /// Remembers which ticket goes on. A merge is for good.
    pub fn merged(&self, id: &RemoteId, into: &RemoteId) {
        let mut inner = self.lock();
        if inner.merged.len() >= MERGED_MAX {
            inner.merged.pop_first();
        }
        inner.merged.insert(id.clone(), into.clone());
    }

    /// Our own user, if we asked.
    pub fn me(&self) -> Option<RemoteId> {
        self.lock().me.clone()
    }

    /// Remembers our own user.
    pub fn is_me(&self, id: &RemoteId) {
        self.lock().me = Some(id.clone());
    }

    /// Whether the ticket was last seen with the quiet tag.
    pub fn is_quiet(&self, id: &RemoteId) -> bool {
        self.lock().tickets.get(id).is_some_and(|ticket| ticket.quiet)
    }

    /// All comments of a ticket were listed. A count that equals the public
    /// ones alone shows that private ones are not counted: it is not believed
    /// again, because an equal count would hide a new note. `true`: just found out.
    pub fn listed(&self, id: &RemoteId, all: u64, public: u64) -> bool {
        let mut inner = self.lock();
        let count = inner.tickets.get(id).and_then(|ticket| ticket.count);
        let found_out = inner.counts_are_whole && public < all && count == Some(public);
        if found_out {
            inner.counts_are_whole = false;
        }
        found_out
    }

    /// How many rows a page of the export is asked for.
    pub fn page_rows(&self) -> u32 {
        self.lock().page_rows
    }

    /// Zendesk could not answer in time: half as many rows. `false`: it cannot be less.
    pub fn shrink_page(&self) -> bool {
        let mut inner = self.lock();
        let smaller = (inner.page_rows / 2).max(PAGE_ROWS_MIN);
        std::mem::replace(&mut inner.page_rows, smaller) != smaller
    }

    /// The heavy pages are read: as many rows as configured again.
    pub fn caught_up(&self) {
        self.lock().page_rows = self.page_rows_max;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_that_leaves_notes_out_is_not_believed_again() {
        let memory = Memory::new(&Settings::default());
        let (a, b) = (RemoteId::from("1"), RemoteId::from("2"));
        let with = |count| Ticket { count: Some(count), ..Ticket::default() };
        assert_eq!(memory.seen(&a, with(3)), Some(3));
        assert!(!memory.listed(&a, 3, 2), "three of three");
        assert!(!memory.listed(&a, 3, 3), "nothing private shows nothing");
        assert_eq!(memory.seen(&b, with(2)), Some(2));
        assert!(memory.listed(&b, 3, 2));
        assert_eq!(memory.seen(&b, with(2)), None);
        let wary = Memory::new(&Settings { trust_comment_count: false, ..Settings::default() });
        assert_eq!(wary.seen(&a, with(3)), None);
    }

    #[test]
    fn pages_shrink_to_a_floor_and_grow_back() {
        let memory = Memory::new(&Settings { export_page_rows: 25, ..Settings::default() });
        assert!(memory.shrink_page());
        assert_eq!(memory.page_rows(), 12);
        assert!(memory.shrink_page());
        assert_eq!(memory.page_rows(), 10);
        assert!(!memory.shrink_page());
        memory.caught_up();
        assert_eq!(memory.page_rows(), 25);
    }

    #[test]
    fn memory_is_bounded() {
        let memory = Memory::new(&Settings::default());
        for id in 0..5_000 {
            memory.seen(&RemoteId::from(id), Ticket { requester: Some("9".into()), ..Ticket::default() });
        }
        assert_eq!(memory.lock().tickets.len(), TICKETS_MAX);
        assert_eq!(memory.requester(&RemoteId::from(4_999)), Some("9".into()));
    }
}
