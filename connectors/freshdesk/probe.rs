//! Who we are at an account, and what is missing there.

use super::{api, catalog::choices, desk::Desk, map::Mapping, wire};
use crate::contract::{Call, Disarms, Error, Probe, Problem, Result};

/// The `ticket_scope` of an agent who sees every ticket.
const SCOPE_GLOBAL: i64 = 1;

/// Kinds of fields that hold any text.
const TEXT_KINDS: [&str; 2] = ["custom_text", "custom_paragraph"];

impl Desk {
    /// Signs in, and finds what is missing. Reads only.
    pub async fn look_around(&self, call: Call) -> Result<Probe> {
        let me = self.me(call).await?;
        let mut problems = scope_problems(&me);
        match self.ticket_fields(call).await {
            Ok(fields) => {
                problems.extend(self.mapping.field_problems(&fields));
                problems.extend(self.mapping.custom_problems(&fields));
            }
            Err(Error::Forbidden { missing }) => problems.push(Problem {
                disarms: Disarms::Creates,
                what: format!("the ticket fields cannot be read: {missing}"),
                remedy: format!(
                    "let the key's agent read ticket fields, so that {} can be looked for",
                    self.mapping.settings.marker_field
                ),
            }),
            Err(error) => return Err(error),
        }
        if let Some(missing) = self.list_agents(call).await? {
            problems.push(Problem {
                disarms: Disarms::Nothing,
                what: format!("agents are not named: {missing}. Their notes show a number elsewhere"),
                remedy: "let the key's agent see the account's agents (an administrator's key does)"
                    .to_owned(),
            });
        }
        match self.client.send(call, api::ratings(self.client.now().as_secs(), 1, 1)?).await {
            Ok(_) => {}
            Err(Error::Forbidden { missing }) => problems.push(Problem {
                disarms: Disarms::Nothing,
                what: format!("customers' ratings are not read: {missing}"),
                remedy: "nothing, if this account has no satisfaction surveys; else let the key's agent \
                         read them"
                    .to_owned(),
            }),
            Err(Error::Gone) => {}
            Err(error) => return Err(error),
        }
        Ok(Probe { identity: identity(&me), problems })
    }
}

fn identity(me: &wire::Agent) -> String {
    let id = me.id.id().map_or_else(|| "?".to_owned(), |id| id.to_string());
    let contact = me.contact.as_ref();
    let name = contact.and_then(|contact| contact.name.text()).unwrap_or_else(|| "agent".to_owned());
    match contact.and_then(|contact| contact.email.text()) {
        Some(email) => format!("{name} <{email}> (agent {id})"),
        None => format!("{name} (agent {id})"),
    }
}

fn scope_problems(me: &wire::Agent) -> Vec<Problem> {
    match me.ticket_scope.whole() {
        None | Some(SCOPE_GLOBAL) => Vec::new(),
        Some(_) => vec![Problem {
            disarms: Disarms::Nothing,
            what: "the key's agent does not see every ticket: the others look deleted".to_owned(),
            remedy: "give that agent global access".to_owned(),
        }],
    }
}

impl Mapping {
    /// What is missing among the ticket fields.
    pub fn field_problems(&self, fields: &[wire::TicketField]) -> Vec<Problem> {
        let mut problems = self.marker_problem(fields);
        let status = fields.iter().find(|field| field.name.text().as_deref() == Some("status"));
        let unmapped: Vec<String> = status
            .map(|field| choices(&field.choices))
            .unwrap_or_default()
            .into_iter()
            .filter(|(id, _)| !self.statuses.knows(*id))
            .map(|(id, label)| format!("{id} ({label})"))
            .collect();
        if !unmapped.is_empty() {
            problems.push(Problem {
                disarms: Disarms::Nothing,
                what: format!(
                    "these statuses read as open, because nobody said what they mean: {}",
                    unmapped.join(", ")
                ),
                remedy: format!(
                    "map them in accounts.{}.settings.statuses, for instance \"6\" = \"pending\"",
                    self.account
                ),
            });
        }
        problems
    }

    fn marker_problem(&self, fields: &[wire::TicketField]) -> Vec<Problem> {
        let name = &self.settings.marker_field;
        let remedy = format!(
            "as an administrator, add a single-line text field to the ticket fields whose API name is {name}, \
             or name another one in accounts.{}.settings.marker_field",
            self.account
        );
        let what = match fields.iter().find(|field| field.name.text().as_ref() == Some(name)) {
            None => format!("tickets have no field {name}, by which a ticket of ours is found again"),
            Some(field) => match field.kind.text() {
                Some(kind) if !TEXT_KINDS.contains(&kind.as_str()) => {
                    format!("the field {name} is of the kind {kind}, which does not hold any text")
                }
                _ => return Vec::new(),
            },
        };
        vec![Problem { disarms: Disarms::Creates, what, remedy }]
    }
}
