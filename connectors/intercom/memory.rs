//! What the adapter remembers between two calls: hints that save requests.
//! Losing them costs requests, or a wait for Intercom's index; nothing else.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use handoffd_core::{OpKey, Person, RemoteId};

/// How many of each kind are remembered.
const KEPT_MAX: usize = 4_096;

/// The smallest page that a slow search is asked for.
const PAGE_ROWS_MIN: u32 = 5;

/// The adapter's memory.
#[derive(Debug)]
pub struct Memory {
    inner: Mutex<Inner>,
    page_rows_max: u32,
}

#[derive(Debug)]
struct Inner {
    people: BTreeMap<RemoteId, Person>,
    tags: BTreeMap<String, RemoteId>,
    made: BTreeMap<OpKey, RemoteId>,
    conversions: BTreeMap<String, bool>,
    truncated: BTreeMap<RemoteId, u64>,
    our_app: Option<String>,
    notified_as: Option<String>,
    page_rows: u32,
}

impl Memory {
    /// Nothing yet.
    pub fn new(page_rows: u32) -> Self {
        let inner = Inner {
            people: BTreeMap::new(),
            tags: BTreeMap::new(),
            made: BTreeMap::new(),
            conversions: BTreeMap::new(),
            truncated: BTreeMap::new(),
            our_app: None,
            notified_as: None,
            page_rows,
        };
        Self { inner: Mutex::new(inner), page_rows_max: page_rows }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Hints stay hints whatever panicked while they were held.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A contact that was looked up.
    pub fn person(&self, id: &RemoteId) -> Option<Person> {
        self.lock().people.get(id).cloned()
    }

    /// Remembers a contact.
    pub fn met(&self, id: RemoteId, person: Person) {
        keep(&mut self.lock().people, id, person);
    }

    /// The id of the tag of this name.
    pub fn tag(&self, name: &str) -> Option<RemoteId> {
        self.lock().tags.get(name).cloned()
    }

    /// Remembers a tag.
    pub fn tag_is(&self, name: String, id: RemoteId) {
        keep(&mut self.lock().tags, name, id);
    }

    /// Forgets a tag that is not there any more.
    pub fn tag_is_gone(&self, name: &str) {
        self.lock().tags.remove(name);
    }

    /// The record that a creation of ours made.
    pub fn made(&self, key: &OpKey) -> Option<RemoteId> {
        self.lock().made.get(key).cloned()
    }

    /// Remembers what a creation made: the index finds it only later.
    pub fn has_made(&self, key: OpKey, id: RemoteId) {
        keep(&mut self.lock().made, key, id);
    }

    /// Whether the ticket of this number is a conversation that became one, if that was asked.
    pub fn is_conversation(&self, number: &str) -> Option<bool> {
        self.lock().conversions.get(number).copied()
    }

    /// Remembers whether it is.
    pub fn conversation_is(&self, number: String, yes: bool) {
        keep(&mut self.lock().conversions, number, yes);
    }

    /// A record was read of which so many parts are not given. `true`: just found out.
    pub fn hides(&self, id: &RemoteId, parts: u64) -> bool {
        let mut inner = self.lock();
        if parts == 0 {
            inner.truncated.remove(id);
            return false;
        }
        let is_new = !inner.truncated.contains_key(id);
        keep(&mut inner.truncated, id.clone(), parts);
        is_new
    }

    /// How many records have parts that are not given.
    pub fn truncated(&self) -> usize {
        self.lock().truncated.len()
    }

    /// What parts say of the app that makes them, where it is ours.
    pub fn our_app(&self) -> Option<String> {
        self.lock().our_app.clone()
    }

    /// Remembers what a part that we made says of its app, if it says anything.
    pub fn our_app_is(&self, app: Option<String>) {
        if app.is_some() {
            self.lock().our_app = app;
        }
    }

    /// The other version of the API that notifications come in.
    pub fn notified_as(&self) -> Option<String> {
        self.lock().notified_as.clone()
    }

    /// A notification came in another version of the API. `true`: just found out.
    pub fn is_notified_as(&self, version: &str) -> bool {
        let told = Some(version.to_owned());
        let mut inner = self.lock();
        std::mem::replace(&mut inner.notified_as, told.clone()) != told
    }

    /// How many rows a page of a search is asked for.
    pub fn page_rows(&self) -> u32 {
        self.lock().page_rows
    }

    /// Intercom could not answer in time: half as many rows. `false`: it cannot be less.
    pub fn shrink_page(&self) -> bool {
        let mut inner = self.lock();
        let smaller = (inner.page_rows / 2).max(PAGE_ROWS_MIN).min(inner.page_rows);
        std::mem::replace(&mut inner.page_rows, smaller) != smaller
    }

    /// The heavy pages are read: as many rows as configured again.
    pub fn caught_up(&self) {
        self.lock().page_rows = self.page_rows_max;
    }
}

fn keep<K: Ord + Clone, V>(kept: &mut BTreeMap<K, V>, key: K, value: V) {
    if kept.len() >= KEPT_MAX && !kept.contains_key(&key) {
        kept.pop_first();
    }
    kept.insert(key, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_shrink_to_a_floor_and_grow_back() {
        let memory = Memory::new(50);
        let sizes: Vec<u32> =
            std::iter::from_fn(|| memory.shrink_page().then(|| memory.page_rows())).collect();
        assert_eq!(sizes, [25, 12, 6, 5]);
        memory.caught_up();
        assert_eq!(memory.page_rows(), 50);
        assert!(!Memory::new(3).shrink_page(), "it is small already");
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let memory = Memory::new(50);
        for at in 0..KEPT_MAX + 10 {
            memory.tag_is(format!("{at:06}"), RemoteId::from("1"));
        }
        assert_eq!(memory.lock().tags.len(), KEPT_MAX);
        assert_eq!(memory.tag("000000"), None);
    }

    #[test]
    fn a_record_that_shows_all_again_is_not_counted() {
        let memory = Memory::new(50);
        let id = RemoteId::from("5");
        assert!(memory.hides(&id, 3) && !memory.hides(&id, 4));
        assert_eq!(memory.truncated(), 1);
        memory.hides(&id, 0);
        assert_eq!(memory.truncated(), 0);
    }
}
