//! `/organizations` and who belongs to them.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    catalog::listed,
    page,
    read::{self, number},
    users::counted,
    view::time,
};

/// A company of customers.
#[derive(Clone, Debug)]
pub(super) struct Org {
    pub(super) id: i64,
    pub(super) name: String,
    external_id: Option<String>,
    domain_names: Vec<String>,
    details: Option<String>,
    notes: Option<String>,
    tags: BTreeSet<String>,
    created_at: i64,
    updated_at: i64,
}

impl Sim {
    pub(super) fn below_organizations(&mut self, path: &[&str], call: &Call) -> Answer {
        match (call.method.as_str(), path) {
            ("GET", []) => self.organizations(call, |_| true),
            ("POST", []) => self.post_organization(call, false),
            ("POST", ["create_or_update"]) => self.post_organization(call, true),
            ("GET", ["count"]) => Ok(Reply::ok(counted(self.world.orgs.len(), call))),
            ("GET", ["show_many"]) => {
                let (ids, external) = (call.ids("ids"), call.words("external_ids"));
                self.organizations(call, |org| {
                    ids.contains(&org.id)
                        || org.external_id.as_deref().is_some_and(|id| external.contains(&id))
                })
            }
            ("GET", ["search"]) => {
                let (name, external) = (call.param("name"), call.param("external_id"));
                self.organizations(call, |org| {
                    name.is_some_and(|name| org.name.eq_ignore_ascii_case(name))
                        || external.is_some_and(|id| org.external_id.as_deref() == Some(id))
                })
            }
            ("GET", ["autocomplete"]) => {
                let start = call.param("name").unwrap_or_default().to_lowercase();
                self.organizations(call, |org| org.name.to_lowercase().starts_with(&start))
            }
            ("GET", [id]) => self.organization(number(id)?, call),
            ("PUT", [id]) => self.put_organization(number(id)?, call),
            ("DELETE", [id]) => self.delete_organization(number(id)?),
            ("GET", [id, "users"]) => {
                let org = self.known_org(number(id)?)?;
                self.listed_users(call, |user| user.org == Some(org))
            }
            ("GET", [id, "tickets"]) => {
                let org = self.known_org(number(id)?)?;
                self.chosen_tickets(call, |ticket| self.world.org_of(ticket.head.requester) == Some(org))
            }
            ("GET", [id, "organization_memberships"]) => {
                let org = self.known_org(number(id)?)?;
                self.organization_memberships(call, None, Some(org))
            }
            ("GET", [id, "related"]) => self.organization_related(number(id)?),
            _ => Err(Reply::no_endpoint()),
        }
    }

    fn known_org(&self, id: i64) -> Result<i64, Reply> {
        self.world.orgs.get(&id).map(|org| org.id).ok_or_else(Reply::no_record)
    }

    pub(super) fn organizations(&self, call: &Call, wanted: impl Fn(&Org) -> bool) -> Answer {
        let ids = self.world.orgs.values().filter(|org| wanted(org)).map(|org| org.id).collect();
        listed(call, "organizations", ids, |id| {
            self.world.orgs.get(&id).map_or(Value::Null, |org| org_json(org, call))
        })
    }

    fn organization(&self, id: i64, call: &Call) -> Answer {
        let org = self.world.orgs.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"organization": org_json(org, call)})))
    }

    fn organization_related(&self, id: i64) -> Answer {
        let org = Some(self.known_org(id)?);
        let users = self.world.users.values().filter(|user| !user.deleted && user.org == org).count();
        let tickets = self.world.tickets.values().filter(|ticket| ticket.deleted.is_none());
        let tickets = tickets.filter(|ticket| self.world.org_of(ticket.head.requester) == org).count();
        Ok(Reply::ok(json!({"organization_related": {"tickets_count": tickets, "users_count": users}})))
    }

    fn post_organization(&mut self, call: &Call, may_exist: bool) -> Answer {
        let sent = call.object("organization")?;
        let given = |key: &str| read::text(&sent, key).map(Option::flatten);
        let (name, external) = (given("name")?.unwrap_or_default(), given("external_id")?);
        let known = self.world.orgs.values().find(|org| {
            org.name.eq_ignore_ascii_case(name.trim())
                || (external.is_some() && org.external_id == external)
                || read::id(&sent, "id").ok().flatten().flatten() == Some(org.id)
        });
        match known.map(|org| org.id) {
            Some(id) if may_exist => return self.save_organization(id, &sent, call),
            Some(_) => {
                return Err(Reply::invalid("name", &format!("Name: {name} has already been taken")));
            }
            None if name.trim().is_empty() => {
                return Err(Reply::invalid("name", "Name: cannot be blank"));
            }
            None => {}
        }
        let (id, now) = (self.world.ids.large(), call.now.as_secs());
        let org = Org {
            id,
            name: name.trim().to_owned(),
            external_id: None,
            domain_names: Vec::new(),
            details: None,
            notes: None,
            tags: BTreeSet::new(),
            created_at: now,
            updated_at: now,
        };
        self.world.orgs.insert(id, org);
        let saved = self.save_organization(id, &sent, call)?;
        Ok(Reply { status: 201, ..saved }.with("location", call.url(&format!("organizations/{id}.json"))))
    }

    fn put_organization(&mut self, id: i64, call: &Call) -> Answer {
        self.known_org(id)?;
        self.save_organization(id, &call.object("organization")?, call)
    }

    fn save_organization(&mut self, id: i64, sent: &Map<String, Value>, call: &Call) -> Answer {
        let tags = sent.get("tags").map(read::tags).transpose()?;
        let name = read::text(sent, "name")?.flatten().filter(|name| !name.trim().is_empty());
        let texts = ["external_id", "details", "notes"].map(|key| read::text(sent, key));
        let [external_id, details, notes] = texts;
        let (external_id, details, notes) = (external_id?, details?, notes?);
        let Some(org) = self.world.orgs.get_mut(&id) else { return Err(Reply::no_record()) };
        if let Some(name) = name {
            org.name = name.trim().to_owned();
        }
        if let Some(Value::Array(domains)) = sent.get("domain_names") {
            org.domain_names = domains.iter().filter_map(Value::as_str).map(str::to_owned).collect();
        }
        org.external_id = external_id.unwrap_or(org.external_id.take());
        org.details = details.unwrap_or(org.details.take());
        org.notes = notes.unwrap_or(org.notes.take());
        org.tags = tags.unwrap_or(std::mem::take(&mut org.tags));
        org.updated_at = call.now.as_secs();
        self.organization(id, call)
    }

    /// Its people stay, without an organization.
    fn delete_organization(&mut self, id: i64) -> Answer {
        self.world.orgs.remove(&id).ok_or_else(Reply::no_record)?;
        for user in self.world.users.values_mut().filter(|user| user.org == Some(id)) {
            user.org = None;
        }
        Ok(Reply::nothing())
    }

    /// Each user is in at most one organization; the membership has the user's id.
    pub(super) fn organization_memberships(
        &self,
        call: &Call,
        user: Option<i64>,
        org: Option<i64>,
    ) -> Answer {
        let wanted = |one: &&super::state::User| {
            one.org.is_some()
                && !one.deleted
                && user.is_none_or(|id| one.id == id)
                && org.is_none_or(|id| one.org == Some(id))
        };
        let ids = self.world.users.values().filter(wanted).map(|user| user.id).collect();
        listed(call, "organization_memberships", ids, |id| self.org_membership_json(id, call))
    }

    pub(super) fn organization_membership(&self, user: i64, call: &Call) -> Answer {
        self.world.org_of(user).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"organization_membership": self.org_membership_json(user, call)})))
    }

    fn org_membership_json(&self, id: i64, call: &Call) -> Value {
        let org = self.world.org_of(id).and_then(|org| self.world.orgs.get(&org));
        json!({"id": id, "url": call.url(&format!("organization_memberships/{id}.json")), "user_id": id,
                "organization_id": org.map(|org| org.id), "organization_name": org.map(|org| org.name.as_str()),
                "default": true, "view_tickets": false, "created_at": time(self.world.started_at),
                "updated_at": time(self.world.started_at)})
    }

    /// `GET /incremental/organizations`: all of them on one page.
    pub(super) fn export_organizations(&self, call: &Call) -> Answer {
        let start = call.number("start_time")?.unwrap_or(0);
        let rows: Vec<&Org> = self.world.orgs.values().filter(|org| org.updated_at >= start).collect();
        let end = rows.iter().map(|org| org.updated_at).max().unwrap_or(start);
        let mut around = page::offset_around(call, 1, 1_000, rows.len());
        around.remove("previous_page");
        around.insert("end_time".to_owned(), json!(end));
        around.insert("end_of_stream".to_owned(), json!(true));
        around.insert("organizations".to_owned(), rows.iter().map(|org| org_json(org, call)).collect());
        Ok(Reply::ok(Value::Object(around)))
    }
}

impl super::world::World {
    /// The organization of a user.
    pub(super) fn org_of(&self, user: i64) -> Option<i64> {
        self.users.get(&user).and_then(|user| user.org)
    }
}

fn org_json(org: &Org, call: &Call) -> Value {
    json!({
        "id": org.id,
        "url": call.url(&format!("organizations/{}.json", org.id)),
        "name": org.name,
        "shared_tickets": false,
        "shared_comments": false,
        "external_id": org.external_id,
        "created_at": time(org.created_at),
        "updated_at": time(org.updated_at),
        "domain_names": org.domain_names,
        "details": org.details,
        "notes": org.notes,
        "group_id": null,
        "tags": org.tags,
        "organization_fields": {},
    })
}
