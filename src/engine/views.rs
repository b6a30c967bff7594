//! Tickets as feeds showed them, kept until somebody looks. A view that is
//! missing is fetched again: this saves requests and holds nothing dear.

use std::{collections::BTreeMap, sync::Mutex};

use handoffd_core::{Fetched, TicketKey};

/// A bounded set of views.
pub(super) struct Views {
    views_max: usize,
    views: Mutex<BTreeMap<TicketKey, Fetched>>,
}

impl Views {
    pub(super) fn new(views_max: usize) -> Self {
        Self { views_max, views: Mutex::default() }
    }

    /// Keeps a view, if there is room; a newer view of the same ticket replaces an older one.
    pub(super) fn keep(&self, ticket: TicketKey, view: Fetched) {
        let mut views = self.views.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if views.len() < self.views_max || views.contains_key(&ticket) {
            views.insert(ticket, view);
        }
    }

    /// Takes a view out.
    pub(super) fn take(&self, ticket: &TicketKey) -> Option<Fetched> {
        self.views.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(ticket)
    }
}
