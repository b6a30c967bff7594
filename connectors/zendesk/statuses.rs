//! Statuses of the account's own making. Pure.

use std::collections::BTreeMap;

use handoffd_core::{RemoteId, Status, Value};

use super::{map, wire};

/// The account's statuses as far as they are known, by id.
#[derive(Clone, Debug, Default)]
pub struct Statuses(BTreeMap<RemoteId, Known>);

/// What is known of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    category: Option<Status>,
    /// What its category means without further detail.
    default: bool,
}

impl Statuses {
    /// Takes what an answer tells.
    pub fn learn(&mut self, told: &[wire::CustomStatus]) {
        for status in told {
            let Some(id) = status.id.clone() else { continue };
            let category = status.status_category.as_deref().and_then(map::status);
            self.0.insert(id, Known { category, default: status.default != Some(false) });
        }
    }

    /// Nobody tells what this id is: it is taken for its category's default.
    pub fn give_up(&mut self, id: &RemoteId) {
        self.0.entry(id.clone()).or_insert(Known { category: None, default: true });
    }

    /// Whether the id was told.
    pub fn knows(&self, id: &RemoteId) -> bool {
        self.0.contains_key(id)
    }

    /// A ticket's status with the id of its custom status.
    pub fn value(&self, category: Status, id: Option<&RemoteId>) -> Value {
        let own = id.filter(|id| self.0.get(*id).is_some_and(|known| !known.default));
        match own.filter(|_| category != Status::Closed) {
            Some(id) => Value::StatusDetail { status: category, detail: id.to_string() },
            None => Value::Status(category),
        }
    }

    /// The id to write for a plain status, where the category alone may leave another status of it.
    pub fn default_of(&self, category: Status) -> Option<&RemoteId> {
        let of = |known: &Known| known.category == Some(category);
        let has_own = self.0.values().any(|known| of(known) && !known.default);
        let mut defaults = self.0.iter().filter(|(_, known)| of(known) && known.default);
        defaults.next().map(|(id, _)| id).filter(|_| has_own)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_status_of_their_own_is_a_detail() {
        let told = serde_json::json!([
            {"id": 3, "status_category": "pending", "default": true},
            {"id": 77, "status_category": "pending", "default": false},
            {"id": 2, "status_category": "open", "default": true}]);
        let told: Vec<wire::CustomStatus> = serde_json::from_value(told).unwrap();
        let mut statuses = Statuses::default();
        statuses.learn(&told);
        let id = |id: &str| RemoteId::from(id);
        let own = Value::StatusDetail { status: Status::Pending, detail: "77".to_owned() };
        assert_eq!(statuses.value(Status::Pending, Some(&id("77"))), own);
        assert_eq!(statuses.value(Status::Pending, Some(&id("3"))), Value::Status(Status::Pending));
        assert_eq!(statuses.value(Status::Pending, Some(&id("99"))), Value::Status(Status::Pending));
        assert_eq!(statuses.value(Status::Closed, Some(&id("77"))), Value::Status(Status::Closed));
        assert_eq!(statuses.default_of(Status::Pending), Some(&id("3")));
        assert_eq!(statuses.default_of(Status::Open), None, "the word is enough");
        assert!(!statuses.knows(&id("99")));
        statuses.give_up(&id("99"));
        assert!(statuses.knows(&id("99")));
    }
}
