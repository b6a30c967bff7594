//! What the account has that mapping may name, and making what is missing.

use handoffd_core::{FieldKind, RemoteId, Status};
use serde::de::DeserializeOwned;

use super::{
    Adapter, api,
    body::{FieldBody, FieldWrite, OptionWrite, StatusBody, StatusWrite},
    map, wire,
};
use crate::{
    client::{Ask, json::read_json},
    contract::{Call, Catalog, CatalogField, CatalogOwner, CatalogStatus, Error, Provision, Result},
};

/// Pages of a list that are read: 5000 rows. An account with more lists the first.
const PAGES_MAX: usize = 50;
/// Characters that a status's label may have.
const LABEL_CHARS_MAX: usize = 48;

impl Adapter {
    /// Custom fields, statuses, types, agents and groups.
    pub(super) async fn read_catalog(&self, call: Call) -> Result<Catalog> {
        let fields =
            self.all(call, api::ticket_fields, |page: wire::FieldsPage| (page.ticket_fields, page.meta));
        let fields = fields.await?;
        let statuses = self.read_statuses(call).await?;
        let groups = self.all(call, api::groups, |page: wire::GroupsPage| (page.groups, page.meta)).await?;
        let agents = self.all(call, api::agents, |page: wire::UsersPage| (page.users, page.meta)).await?;
        let team = |group: wire::Group| {
            let is_gone = group.deleted == Some(true);
            Some(CatalogOwner {
                id: group.id.filter(|_| !is_gone)?,
                name: group.name.unwrap_or_default(),
                email: None,
            })
        };
        let agent = |user: wire::User| {
            Some(CatalogOwner { id: user.id?, name: user.name.unwrap_or_default(), email: user.email })
        };
        Ok(Catalog {
            types: types(&fields),
            fields: fields.into_iter().filter_map(field).collect(),
            statuses,
            agents: agents.into_iter().filter_map(agent).collect(),
            teams: groups.into_iter().filter_map(team).collect(),
        })
    }

    /// Every row of a list.
    async fn all<Page: DeserializeOwned, Row>(
        &self,
        call: Call,
        ask: fn(Option<&str>) -> Result<Ask>,
        take: fn(Page) -> (Vec<Row>, wire::Meta),
    ) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..PAGES_MAX {
            let answer = self.http.send(call, ask(after.as_deref())?).await?;
            let (more, meta) = take(read_json(&answer)?);
            rows.extend(more);
            match meta.next(after.as_deref()) {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        Ok(rows)
    }

    /// The account's statuses. An account without custom ones has those of the categories.
    async fn read_statuses(&self, call: Call) -> Result<Vec<CatalogStatus>> {
        let told = match self.http.send(call, api::statuses()?).await {
            Ok(answer) => read_json::<wire::StatusesPage>(&answer)?.custom_statuses,
            Err(Error::Forbidden { .. } | Error::Gone) => Vec::new(),
            Err(error) => return Err(error),
        };
        self.memory.statuses(|statuses| statuses.learn(&told));
        if told.is_empty() {
            let usual = [Status::New, Status::Open, Status::Pending, Status::OnHold, Status::Solved];
            return Ok(usual.into_iter().map(plain).collect());
        }
        Ok(told.into_iter().filter_map(status).collect())
    }

    /// Makes a field or a status.
    pub(super) async fn make(&self, call: Call, item: &Provision) -> Result<String> {
        match item {
            Provision::Field { native, kind, options } => {
                let answer =
                    self.http.send(call, api::make_field(&new_field(native, *kind, options)?)?).await?;
                let made: wire::OneField = read_json(&answer)?;
                named(made.ticket_field.id, "ticket_field.id")
            }
            Provision::Status { label, status } => {
                let answer = self.http.send(call, api::make_status(&new_status(label, *status)?)?).await?;
                let made: wire::OneStatus = read_json(&answer)?;
                self.memory.statuses(|statuses| statuses.learn(std::slice::from_ref(&made.custom_status)));
                named(made.custom_status.id, "custom_status.id")
            }
        }
    }
}

fn named(id: Option<RemoteId>, place: &str) -> Result<String> {
    id.map(|id| id.to_string()).ok_or_else(|| Error::Malformed { what: format!("{place}: none") })
}

/// The account's own list of types, or the four that Zendesk has.
fn types(fields: &[wire::TicketField]) -> Vec<String> {
    let told = fields.iter().find(|field| field.kind.as_deref() == Some("tickettype"));
    let told = told.map(|field| words(&field.system_field_options)).unwrap_or_default();
    if told.is_empty() { map::TYPES.map(str::to_owned).into() } else { told }
}

fn words(options: &[wire::FieldOption]) -> Vec<String> {
    options.iter().filter_map(|option| option.value.clone()).collect()
}

fn field(field: wire::TicketField) -> Option<CatalogField> {
    if field.removable == Some(false) || field.active == Some(false) {
        return None;
    }
    let kind = field.kind.as_deref().unwrap_or_default();
    // Built-in fields of accounts that do not say what can be removed.
    let built_in =
        ["subject", "description", "status", "tickettype", "priority", "group", "assignee", "custom_status"];
    if built_in.contains(&kind) {
        return None;
    }
    Some(CatalogField {
        customers_see: field.visible_in_portal,
        native: field.id?.to_string(),
        title: field.title.unwrap_or_default(),
        kind: kind_of(kind),
        options: words(&field.custom_field_options),
    })
}

fn kind_of(word: &str) -> Option<FieldKind> {
    Some(match word {
        "text" | "textarea" | "regexp" => FieldKind::Text,
        "integer" | "decimal" => FieldKind::Number,
        "checkbox" => FieldKind::Boolean,
        "date" => FieldKind::Date,
        "tagger" => FieldKind::Choice,
        "multiselect" => FieldKind::Choices,
        _ => return None,
    })
}

fn status(status: wire::CustomStatus) -> Option<CatalogStatus> {
    if status.active == Some(false) {
        return None;
    }
    Some(CatalogStatus {
        native: status.id?.to_string(),
        label: status.agent_label.unwrap_or_default(),
        status: status.status_category.as_deref().and_then(map::status)?,
        default: status.default == Some(true),
    })
}

fn plain(status: Status) -> CatalogStatus {
    let word = map::status_word(status).to_owned();
    CatalogStatus { native: word.clone(), label: word, status, default: true }
}

fn refused<T>(why: String) -> Result<T> {
    Err(Error::Refused { why })
}

fn new_field(title: &str, kind: FieldKind, options: &[String]) -> Result<FieldBody> {
    if title.trim().is_empty() {
        return refused("a ticket field needs a title".to_owned());
    }
    let has_options = matches!(kind, FieldKind::Choice | FieldKind::Choices);
    if let Some(unfit) = options.iter().find(|option| map::tag(option).as_ref() != Some(option)) {
        return refused(format!(
            "{unfit:?} cannot be an option: options are tags, in lower case and without spaces"
        ));
    }
    if has_options && options.is_empty() {
        return refused("a drop-down needs options".to_owned());
    }
    let option = |value: &String| OptionWrite { name: value.clone(), value: value.clone() };
    let kind = match kind {
        FieldKind::Text => "text",
        FieldKind::Number => "decimal",
        FieldKind::Boolean => "checkbox",
        FieldKind::Date => "date",
        FieldKind::Choice => "tagger",
        FieldKind::Choices => "multiselect",
    };
    let custom_field_options = options.iter().filter(|_| has_options).map(option).collect();
    Ok(FieldBody { ticket_field: FieldWrite { kind, title: title.to_owned(), custom_field_options } })
}

fn new_status(label: &str, status: Status) -> Result<StatusBody> {
    let chars = label.trim().chars().count();
    if chars == 0 || chars > LABEL_CHARS_MAX {
        return refused(format!("a status's label has 1 to {LABEL_CHARS_MAX} characters"));
    }
    if status == Status::Closed {
        return refused("Zendesk has no statuses of the category closed".to_owned());
    }
    let (agent_label, end_user_label) = (label.to_owned(), label.to_owned());
    let status_category = map::status_word(status);
    Ok(StatusBody { custom_status: StatusWrite { status_category, agent_label, end_user_label } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_says_whether_customers_see_it() {
        for (told, seen) in [
            ("", None),
            (r#","visible_in_portal":null"#, None),
            (r#","visible_in_portal":true"#, Some(true)),
            (r#","visible_in_portal":false"#, Some(false)),
        ] {
            let json = format!(r#"{{"id":7,"type":"text","title":"Why"{told}}}"#);
            let shown: wire::TicketField = serde_json::from_str(&json).unwrap();
            assert_eq!(field(shown).unwrap().customers_see, seen, "{json}");
        }
    }

    #[test]
    fn what_zendesk_would_refuse_is_refused_before() {
        let options = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let refused = |result: Result<FieldBody>| matches!(result, Err(Error::Refused { .. }));
        assert!(refused(new_field(" ", FieldKind::Text, &[])));
        assert!(refused(new_field("Colour", FieldKind::Choice, &[])));
        assert!(refused(new_field("Colour", FieldKind::Choice, &options(&["Dark red"]))));
        let made = new_field("Colour", FieldKind::Choice, &options(&["red"])).unwrap();
        let expected = serde_json::json!({"ticket_field": {"type": "tagger", "title": "Colour",
            "custom_field_options": [{"name": "red", "value": "red"}]}});
        assert_eq!(serde_json::to_value(&made).unwrap(), expected);
        assert!(new_status("", Status::Open).is_err());
        assert!(new_status(&"x".repeat(49), Status::Open).is_err());
        assert!(new_status("Done", Status::Closed).is_err());
        let made = new_status("Waiting", Status::OnHold).unwrap();
        let expected = serde_json::json!({"custom_status": {"status_category": "hold", "agent_label": "Waiting",
            "end_user_label": "Waiting"}});
        assert_eq!(serde_json::to_value(&made).unwrap(), expected);
    }
}
