//! Signing in, and what is missing at the account. Reads only.

use handoffd_core::RemoteId;

use super::{Adapter, api, wire};
use crate::{
    client::json::read_json,
    contract::{Call, Disarms, Error, Probe, Problem, Result},
};

const TRIGGER_PAGES_MAX: usize = 20;

impl Adapter {
    /// Signs in, and finds what is missing.
    pub(super) async fn look_around(&self, call: Call) -> Result<Probe> {
        let answer = self.http.send(call, api::me()?).await?;
        let me: wire::OneUser = read_json(&answer)?;
        let identity = identity(&me.user)?;
        let mut problems = Vec::new();
        problems.extend(self.export_problem(call).await?);
        problems.extend(self.mail_problem(call).await?);
        Ok(Probe { identity, problems })
    }

    async fn export_problem(&self, call: Call) -> Result<Option<Problem>> {
        let from = api::ExportFrom::start(self.http.now(), self.http.now());
        match self.http.send(call, api::export(&from, super::settings::PAGE_ROWS_MIN)?).await {
            Ok(_) => Ok(None),
            Err(Error::Forbidden { missing }) => Ok(Some(Problem {
                disarms: Disarms::Reads,
                what: format!("the incremental export is not allowed: {missing}"),
                remedy: "sign in as an administrator, with the scope `read`".to_owned(),
            })),
            Err(error) => Err(error),
        }
    }

    /// Which triggers would mail the customer what was mailed already.
    async fn mail_problem(&self, call: Call) -> Result<Option<Problem>> {
        if !self.settings.mails_public_replies {
            return Ok(None);
        }
        let loud = match self.loud_triggers(call).await {
            Ok(loud) => loud,
            Err(Error::Forbidden { missing }) => {
                return Ok(Some(Problem {
                    disarms: Disarms::Nothing,
                    what: format!("the triggers cannot be read: {missing}"),
                    remedy: self.remedy("every trigger that mails the requester"),
                }));
            }
            Err(error) => return Err(error),
        };
        if loud.is_empty() {
            return Ok(None);
        }
        let ids = loud.iter().map(RemoteId::as_str).collect::<Vec<_>>().join(", ");
        let required = self.settings.require_quiet_trigger;
        Ok(Some(Problem {
            disarms: if required { Disarms::Writes } else { Disarms::Nothing },
            what: format!("triggers would mail the customer a second time: {ids}"),
            remedy: self.remedy("each of them"),
        }))
    }

    fn remedy(&self, which: &str) -> String {
        let quiet = &self.settings.quiet_tag;
        format!("give {which} the condition \"Tags contains none of the following: {quiet}\" under ALL")
    }

    async fn loud_triggers(&self, call: Call) -> Result<Vec<RemoteId>> {
        let mut loud = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..TRIGGER_PAGES_MAX {
            let answer = self.http.send(call, api::triggers(after.as_deref())?).await?;
            let page: wire::TriggersPage = read_json(&answer)?;
            let heard = page.triggers.iter().filter(|trigger| is_loud(trigger, &self.settings.quiet_tag));
            loud.extend(heard.filter_map(|trigger| trigger.id.clone()));
            match page.meta.next(after.as_deref()) {
                Some(next) => after = Some(next),
                None => return Ok(loud),
            }
        }
        Err(Error::Malformed { what: format!("triggers: more than {TRIGGER_PAGES_MAX} pages") })
    }
}

/// Who we are. A missing or wrong password answers 200 with the anonymous user.
fn identity(me: &wire::User) -> Result<String> {
    let anonymous = || Error::Unauthorized { why: "Zendesk takes us for the anonymous user".to_owned() };
    me.id.as_ref().ok_or_else(anonymous)?;
    let name = me.name.as_deref().unwrap_or("unnamed");
    Ok(format!("{name} ({})", me.role.as_deref().unwrap_or("unknown role")))
}

/// Whether the trigger mails the requester when a ticket is made or gets a
/// public comment, and the quiet tag does not stop it.
pub(super) fn is_loud(trigger: &wire::Trigger, quiet: &str) -> bool {
    let mails = trigger.actions.iter().any(|action| {
        action.field.as_deref().is_some_and(|field| field.starts_with("notification_"))
            && action.value.first().is_some_and(|to| to == "requester_id" || to == "requester_and_ccs")
    });
    let conditions = &trigger.conditions;
    let stopped = conditions.all.iter().any(|rule| {
        rule.field.as_deref() == Some("current_tags")
            && rule.operator.as_deref() == Some("not_includes")
            && rule.value.iter().flat_map(|tags| tags.split([' ', ','])).any(|tag| tag == quiet)
    });
    let fits = conditions.all.iter().chain(&conditions.any).any(|rule| match rule.field.as_deref() {
        Some("comment_is_public") => rule.value.first().is_none_or(|value| value != "false"),
        Some("update_type") => rule.value.first().is_some_and(|value| value.eq_ignore_ascii_case("create")),
        _ => false,
    });
    trigger.active != Some(false) && mails && fits && !stopped
}
