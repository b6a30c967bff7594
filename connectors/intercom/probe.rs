//! Who we are at an account, and what is missing there.

use http::HeaderMap;

use super::{
    api::{VERSION, test},
    desk::Desk,
    map::{DESCRIPTION, TITLE},
    settings::RecordKind,
    wire,
};
use crate::{
    client::{Answer, json::read_json},
    contract::{Call, Disarms, Error, Probe, Problem, Result},
};

/// So many parts of a record are given at most.
const PARTS_GIVEN: u64 = 500;

/// The regions by the hosts of their APIs.
const REGIONS: [(&str, &str); 3] =
    [("api.intercom.io", "US"), ("api.eu.intercom.io", "EU"), ("api.au.intercom.io", "AU")];

/// The region that a base URL leads to; `None` for a host that is not Intercom's.
pub fn region_of(base_url: &url::Url) -> Option<&'static str> {
    let host = base_url.host_str()?;
    REGIONS.iter().find(|(known, _)| *known == host).map(|(_, region)| *region)
}

impl Desk {
    /// Signs in, and finds what is missing. Reads only.
    pub async fn look_around(&self, call: Call) -> Result<Probe> {
        let answer = self.client.send(call, self.mapping.get("/me")?).await?;
        let me: wire::Me = read_json(&answer)?;
        let mut problems: Vec<Problem> = self.region_problem(&me).into_iter().collect();
        problems.extend(self.version_problems(&answer));
        problems.extend(self.admin_problem(call).await?);
        if self.mapping.settings.syncs(RecordKind::Conversation) {
            problems.extend(self.conversation_problems(call).await?);
        }
        if self.mapping.settings.create == RecordKind::Ticket {
            problems.extend(self.ticket_problems(call).await?);
        }
        problems.extend(self.hidden_problem(call).await?);
        Ok(Probe { identity: identity(&me), problems })
    }

    fn region_problem(&self, me: &wire::Me) -> Option<Problem> {
        let (expected, told) = (self.region?, me.app.region.text()?);
        let told = told.trim().to_uppercase();
        let (host, _) = REGIONS.iter().find(|(_, region)| *region == told)?;
        (told != expected).then(|| Problem {
            disarms: Disarms::Nothing,
            what: format!("the workspace is in the region {told}, and base_url leads to {expected}"),
            remedy: format!("set accounts.{}.base_url to https://{host}", self.mapping.account),
        })
    }

    async fn admin_problem(&self, call: Call) -> Result<Option<Problem>> {
        let Some(id) = self.mapping.settings.named_admin() else { return Ok(None) };
        match self.client.send(call, self.mapping.get(&format!("/admins/{id}"))?).await {
            Ok(_) => Ok(None),
            Err(Error::Gone | Error::Refused { .. }) => Ok(Some(Problem {
                disarms: Disarms::Writes,
                what: format!("there is no admin {id}, in whose name is to be written"),
                remedy: format!(
                    "correct accounts.{}.settings.admin_id, or leave it out to write as the token's own admin",
                    self.mapping.account
                ),
            })),
            Err(error) => Err(error),
        }
    }

    async fn conversation_problems(&self, call: Call) -> Result<Vec<Problem>> {
        let settings = &self.mapping.settings;
        let listed = match self.conversation_attributes(call).await {
            Ok(listed) => listed,
            Err(Error::Forbidden { missing }) => {
                return Ok(vec![Problem {
                    disarms: Disarms::Creates,
                    what: format!("the attributes of conversations cannot be read: {missing}"),
                    remedy: format!(
                        "let the app read attributes, so that {} can be looked for",
                        settings.marker_attribute
                    ),
                }]);
            }
            Err(error) => return Err(error),
        };
        let find = |name: &str| listed.iter().find(|one| one.name.text().as_deref() == Some(name));
        let mut problems = Vec::new();
        if settings.create == RecordKind::Conversation {
            let marker = &settings.marker_attribute;
            problems.extend(marker_problem(find(marker)).map(|what| Problem {
                disarms: Disarms::Creates,
                what: format!("{what} {marker}, by which a conversation of ours is found again"),
                remedy: format!(
                    "in Intercom's settings, under Data > Conversations, make a text attribute {marker} \
                     (the API cannot), or name another one in accounts.{}.settings.marker_attribute",
                    self.mapping.account
                ),
            }));
        }
        let natives = self.mapping.custom.iter().map(|custom| &custom.native);
        let wanted = natives.chain(&settings.priority_attribute);
        let on_tickets = settings.syncs(RecordKind::Ticket);
        for name in wanted.filter(|name| find(name).is_none() && !on_tickets) {
            problems.push(Problem {
                disarms: Disarms::Nothing,
                what: format!("conversations have no attribute {name}: writes of it are refused"),
                remedy: "make it in Intercom's settings, under Data > Conversations".to_owned(),
            });
        }
        Ok(problems)
    }

    /// The attributes of conversations.
    pub async fn conversation_attributes(&self, call: Call) -> Result<Vec<wire::Attribute>> {
        let ask = self.mapping.get("/data_attributes?model=conversation")?;
        let listed: wire::Listed<wire::Attribute> = self.ask(call, ask).await?;
        Ok(listed.data.into_iter().filter(|one| one.archived.flag() != Some(true)).collect())
    }

    async fn ticket_problems(&self, call: Call) -> Result<Vec<Problem>> {
        let account = &self.mapping.account;
        let kind = match self.read_ticket_type(call).await {
            Err(Error::Gone | Error::Refused { .. }) => {
                return Ok(vec![Problem {
                    disarms: Disarms::Creates,
                    what: "the type of the tickets that are to be made is not there".to_owned(),
                    remedy: format!("correct accounts.{account}.settings.ticket_type_id"),
                }]);
            }
            read => read?,
        };
        let marker = &self.mapping.settings.marker_attribute;
        let of_name = |name: &str| kind.attributes().find(|one| one.name.text().as_deref() == Some(name));
        let mut problems = Vec::new();
        problems.extend(marker_problem(of_name(marker)).map(|what| Problem {
            disarms: Disarms::Creates,
            what: format!("{what} {marker}, by which a ticket of ours is found again"),
            remedy: format!(
                "run handoffd provision, or add a text attribute {marker} to the ticket type, hidden from contacts"
            ),
        }));
        let filled = |name: &str| name == TITLE || name == DESCRIPTION || name == marker;
        let required = kind.attributes().filter(|one| one.required_to_create.flag() == Some(true));
        let required: Vec<String> =
            required.filter_map(|one| one.name.text()).filter(|name| !filled(name)).collect();
        if !required.is_empty() {
            problems.push(Problem {
                disarms: Disarms::Creates,
                what: format!(
                    "new tickets must have attributes that handoffd may not know: {}",
                    required.join(", ")
                ),
                remedy: "let the ticket type not require them of teammates".to_owned(),
            });
        }
        Ok(problems)
    }

    /// Answers and notifications should be of the version that is asked for. What
    /// notifications come in is set in the Developer Hub.
    fn version_problems(&self, answer: &Answer) -> Vec<Problem> {
        let wanted = self.mapping.settings.api_version.name();
        let told = version_of(&answer.headers).filter(|told| *told != wanted);
        let answered = told.map(|told| Problem {
            disarms: Disarms::Nothing,
            what: format!("Intercom answers in version {told} of its API, and {wanted} was asked for"),
            remedy: format!(
                "look whether the workspace still has {wanted}, or set accounts.{}.settings.api_version",
                self.mapping.account
            ),
        });
        let notified = self.memory.notified_as().map(|told| Problem {
            disarms: Disarms::Nothing,
            what: format!("notifications come in version {told} of the API, and {wanted} is spoken here"),
            remedy: format!("choose {wanted} for the app's webhooks in the Developer Hub"),
        });
        answered.into_iter().chain(notified).collect()
    }

    /// Conversations with more parts than are given, by a search that counts them.
    /// Where that is not to be had, nothing is said of them.
    async fn long_conversations(&self, call: Call) -> Result<u64> {
        if !self.mapping.settings.syncs(RecordKind::Conversation) {
            return Ok(0);
        }
        let tests = [test("statistics.count_conversation_parts", ">", PARTS_GIVEN)];
        let ask = self.mapping.search("conversations", &tests, 1, None)?;
        match self.ask::<wire::Page>(call, ask).await {
            Ok(page) => Ok(page.total_count.count().unwrap_or_default()),
            Err(error @ (Error::Unauthorized { .. } | Error::Throttled { .. })) => Err(error),
            Err(_) => Ok(0),
        }
    }

    /// Intercom gives the newest 500 parts of a record.
    async fn hidden_problem(&self, call: Call) -> Result<Option<Problem>> {
        let seen = u64::try_from(self.memory.truncated()).unwrap_or(u64::MAX);
        let count = self.long_conversations(call).await?.max(seen);
        let problem = || Problem {
            disarms: Disarms::Nothing,
            what: format!(
                "{count} records have more than 500 parts, of which Intercom gives the newest 500: \
                 older messages that were not seen before are not mirrored"
            ),
            remedy: "a note on the mirror says so; close such conversations and begin new ones".to_owned(),
        };
        Ok((count > 0).then(problem))
    }
}

/// The version of the API that a message is in, if it says so.
pub fn version_of(headers: &HeaderMap) -> Option<&str> {
    headers.get(&VERSION)?.to_str().ok().map(str::trim).filter(|told| !told.is_empty())
}

/// What is wrong with the marker's attribute.
fn marker_problem(found: Option<&wire::Attribute>) -> Option<&'static str> {
    let Some(attribute) = found else { return Some("there is no attribute") };
    let kind = attribute.data_type.text();
    if kind.is_some_and(|kind| kind != "string") || !attribute.options.is_empty() {
        return Some("it is no text, the attribute");
    }
    (attribute.api_writable.flag() == Some(false)).then_some("the API may not write the attribute")
}

fn identity(me: &wire::Me) -> String {
    let text = |loose: &super::lenient::Loose| loose.text().unwrap_or_else(|| "?".to_owned());
    let name = me.name.text().unwrap_or_else(|| "admin".to_owned());
    let email = me.email.text().map(|email| format!(" <{email}>")).unwrap_or_default();
    format!("{name}{email} (admin {}, workspace {})", text(&me.id), text(&me.app.id_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_regions() {
        let region = |url: &str| region_of(&url.parse().unwrap());
        assert_eq!(region("https://api.intercom.io"), Some("US"));
        assert_eq!(region("https://api.eu.intercom.io"), Some("EU"));
        assert_eq!(region("https://api.au.intercom.io/"), Some("AU"));
        assert_eq!(region("http://127.0.0.1:8091"), None);
    }
}
