//! The states of tickets: four categories, and states of people's own making within them.

use std::collections::BTreeMap;

use handoffd_core::{Status, Value};

use super::{settings::Settings, wire};
use crate::contract::CatalogStatus;

/// The states of an account's tickets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct States {
    all: BTreeMap<String, Known>,
    /// The state that each category means without further detail.
    defaults: BTreeMap<Status, String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Known {
    status: Status,
    label: String,
}

/// What a category means.
pub fn status(category: &str) -> Option<Status> {
    match category.trim() {
        "submitted" => Some(Status::New),
        "in_progress" => Some(Status::Open),
        "waiting_on_customer" => Some(Status::Pending),
        "resolved" => Some(Status::Solved),
        _ => None,
    }
}

/// The category that a status is written as.
fn category(status: Status) -> Status {
    match status {
        Status::New | Status::Open | Status::Pending | Status::Solved => status,
        Status::OnHold => Status::Pending,
        Status::Closed => Status::Solved,
    }
}

impl States {
    /// The states that Intercom lists. The first of a category is what the
    /// category means, unless the settings name another.
    pub fn new(listed: &[wire::State], settings: &Settings) -> Self {
        let mut states = Self::default();
        for state in listed.iter().filter(|state| state.archived.flag() != Some(true)) {
            let Some(id) = state.id.id() else { continue };
            let Some(status) = state.category.text().as_deref().and_then(status) else { continue };
            let label = state.internal_label.text().unwrap_or_default();
            states.defaults.entry(status).or_insert_with(|| id.as_str().to_owned());
            states.all.insert(id.as_str().to_owned(), Known { status, label });
        }
        for (status, id) in &settings.ticket_states {
            states.defaults.insert(*status, id.to_string());
        }
        states
    }

    /// The status that a ticket's state shows; `None` for a category that nobody knows.
    pub fn shown(&self, state: &wire::State) -> Option<Value> {
        let status = status(&state.category.text()?)?;
        let id = state.id.id();
        let is_default = id
            .as_ref()
            .is_none_or(|id| self.defaults.get(&status).is_none_or(|default| default == id.as_str()));
        Some(match id.filter(|_| !is_default) {
            None => Value::Status(status),
            Some(id) => Value::StatusDetail { status, detail: id.as_str().to_owned() },
        })
    }

    /// The id of the state that a value is written as; `None` where the account has no such category.
    pub fn id_of(&self, value: &Value) -> Option<&str> {
        if let Value::StatusDetail { detail, .. } = value
            && let Some((id, _)) = self.all.get_key_value(detail)
        {
            return Some(id);
        }
        self.defaults.get(&category(value.as_status()?)).map(String::as_str)
    }

    /// Every state, for mapping.
    pub fn catalog(&self) -> Vec<CatalogStatus> {
        let one = |(id, known): (&String, &Known)| CatalogStatus {
            native: id.clone(),
            label: known.label.clone(),
            status: known.status,
            default: self.defaults.get(&known.status) == Some(id),
        };
        self.all.iter().map(one).collect()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn states(settings: &Settings) -> States {
        let listed: Vec<wire::State> = serde_json::from_value(json!([
            {"id": "1", "category": "submitted", "internal_label": "Submitted"},
            {"id": "2", "category": "in_progress", "internal_label": "In progress"},
            {"id": "3", "category": "waiting_on_customer", "internal_label": "Waiting"},
            {"id": "4", "category": "resolved", "internal_label": "Resolved"},
            {"id": "5", "category": "in_progress", "internal_label": "With dev team"},
            {"id": "6", "category": "resolved", "internal_label": "Old", "archived": true},
        ]))
        .unwrap();
        States::new(&listed, settings)
    }

    fn state(id: &str, category: &str) -> wire::State {
        serde_json::from_value(json!({"id": id, "category": category})).unwrap()
    }

    #[test]
    fn a_custom_state_is_a_detail_of_its_category() {
        let states = states(&Settings::default());
        let detail = Value::StatusDetail { status: Status::Open, detail: "5".to_owned() };
        let rows = [
            (state("1", "submitted"), Some(Value::Status(Status::New))),
            (state("2", "in_progress"), Some(Value::Status(Status::Open))),
            (state("5", "in_progress"), Some(detail.clone())),
            (state("3", "waiting_on_customer"), Some(Value::Status(Status::Pending))),
            (state("4", "resolved"), Some(Value::Status(Status::Solved))),
            (state("9", "new_category"), None),
        ];
        for (state, expected) in rows {
            assert_eq!(states.shown(&state), expected);
        }
        assert_eq!(states.id_of(&detail), Some("5"));
        let ids = Status::ALL.map(|status| states.id_of(&Value::Status(status)).unwrap().to_owned());
        assert_eq!(ids, ["1", "2", "3", "3", "4", "4"]);
        let gone = Value::StatusDetail { status: Status::Solved, detail: "99".to_owned() };
        assert_eq!(states.id_of(&gone), Some("4"), "a state that is gone is written as its category");
    }

    #[test]
    fn the_settings_name_another_default() {
        let settings = Settings { ticket_states: BTreeMap::from([(Status::Open, 5)]), ..Settings::default() };
        let states = states(&settings);
        assert_eq!(states.shown(&state("5", "in_progress")), Some(Value::Status(Status::Open)));
        let other = Value::StatusDetail { status: Status::Open, detail: "2".to_owned() };
        assert_eq!(states.shown(&state("2", "in_progress")), Some(other));
        let defaults: Vec<String> =
            states.catalog().into_iter().filter(|s| s.default).map(|s| s.native).collect();
        assert_eq!(defaults, ["1", "3", "4", "5"]);
    }
}
