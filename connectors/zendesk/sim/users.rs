//! `/users`.

use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    page::{self, Rows},
    read::{self, looks_like_email},
    state::{Role, User},
};

impl Sim {
    pub(super) fn me(&self, call: &Call) -> Answer {
        let user = self.world.users.get(&call.user).ok_or_else(Reply::no_record)?;
        let mut shown = self.world.user_json(user, call);
        if let Value::Object(shown) = &mut shown {
            shown.insert("authenticity_token".to_owned(), json!("sim"));
        }
        Ok(Reply::ok(json!({"user": shown})))
    }

    pub(super) fn show_user(&self, id: i64, call: &Call) -> Answer {
        let user = self.world.users.get(&id).ok_or_else(Reply::no_record)?;
        Ok(Reply::ok(json!({"user": self.world.user_json(user, call)})))
    }

    pub(super) fn list_users(&self, call: &Call) -> Answer {
        let roles: Vec<&str> = call
            .query
            .iter()
            .filter(|(key, _)| key == "role" || key == "role[]")
            .map(|(_, value)| value.as_str())
            .collect();
        let external = call.param("external_id");
        self.listed_users(call, |user| {
            (roles.is_empty() || roles.contains(&user.role.word()))
                && external.is_none_or(|id| user.external_id.as_deref() == Some(id))
        })
    }

    pub(super) fn users_of_group(&self, group: i64, call: &Call) -> Answer {
        self.listed_users(call, |user| user.group == Some(group))
    }

    pub(super) fn listed_users(&self, call: &Call, wanted: impl Fn(&User) -> bool) -> Answer {
        let places = self
            .world
            .users
            .values()
            .filter(|user| !user.deleted && wanted(user))
            .map(|user| (user.id, user.id))
            .collect();
        let draw =
            |id: i64| self.world.users.get(&id).map_or(Value::Null, |user| self.world.user_json(user, call));
        let rows = Rows { name: "users", places, descending: false };
        Ok(Reply::ok(Value::Object(page::listed(call, rows, draw)?)))
    }

    pub(super) fn show_many_users(&self, call: &Call) -> Answer {
        let ids = call.ids("ids");
        let external: Vec<&str> = call.param("external_ids").unwrap_or_default().split(',').collect();
        self.listed_users(call, |user| {
            ids.contains(&user.id) || user.external_id.as_deref().is_some_and(|id| external.contains(&id))
        })
    }

    /// `query=email:…`, an address, or a part of the name; or `external_id=`.
    pub(super) fn search_users(&self, call: &Call) -> Answer {
        if let Some(external) = call.param("external_id") {
            return self.listed_users(call, |user| user.external_id.as_deref() == Some(external));
        }
        let query = call.param("query").unwrap_or_default().trim().to_lowercase();
        let words: Vec<&str> = query.split_whitespace().filter(|word| !word.starts_with("type:")).collect();
        self.listed_users(call, |user| !words.is_empty() && words.iter().all(|word| matches(user, word)))
    }

    pub(super) fn count_users(&self, call: &Call) -> Answer {
        let role = call.param("role");
        let users = self
            .world
            .users
            .values()
            .filter(|user| !user.deleted && role.is_none_or(|role| role == user.role.word()));
        Ok(Reply::ok(counted(users.count(), call)))
    }

    pub(super) fn post_user(&mut self, call: &Call, may_exist: bool) -> Answer {
        let (id, is_new) = self.keep_user(&call.object("user")?, may_exist, call)?;
        let shown = Reply { status: if is_new { 201 } else { 200 }, ..self.show_user(id, call)? };
        Ok(shown.with("location", call.url(&format!("users/{id}.json"))))
    }

    /// Makes a user, or changes the one who is known already; whether they are new.
    pub(super) fn keep_user(
        &mut self,
        sent: &Map<String, Value>,
        may_exist: bool,
        call: &Call,
    ) -> Result<(i64, bool), Reply> {
        if may_exist && let Some(id) = self.known_user(sent)? {
            self.save_user(id, sent, call)?;
            return Ok((id, false));
        }
        let name = read::text(sent, "name")?.flatten().unwrap_or_default();
        if name.trim().is_empty() {
            return Err(Reply::invalid("name", "Name: is too short (minimum one character)"));
        }
        self.check_email(sent, None)?;
        let role = role_of(sent)?.unwrap_or(Role::EndUser);
        let group = role.is_staff().then_some(self.world.support_group);
        let id = self.world.add_user(name.trim(), None, role, group, call.now.as_secs());
        self.save_user(id, sent, call)?;
        Ok((id, true))
    }

    pub(super) fn put_user(&mut self, id: i64, call: &Call) -> Answer {
        if !self.world.users.contains_key(&id) {
            return Err(Reply::no_record());
        }
        self.save_user(id, &call.object("user")?, call)?;
        self.show_user(id, call)
    }

    fn known_user(&self, sent: &Map<String, Value>) -> Result<Option<i64>, Reply> {
        let external = read::text(sent, "external_id")?.flatten();
        let by_external = external.and_then(|id| {
            self.world.users.values().find(|user| user.external_id.as_deref() == Some(id.as_str()))
        });
        let email = read::text(sent, "email")?.flatten();
        let found = by_external.or_else(|| self.world.user_by_email(email.as_deref()?));
        Ok(found.map(|user| user.id))
    }

    fn check_email(&self, sent: &Map<String, Value>, own: Option<i64>) -> Result<(), Reply> {
        let Some(email) = read::text(sent, "email")?.flatten() else { return Ok(()) };
        if !looks_like_email(&email) {
            return Err(Reply::invalid("email", "Email: is not properly formatted"));
        }
        match self.world.user_by_email(&email) {
            Some(user) if Some(user.id) != own => {
                Err(Reply::invalid("email", &format!("Email: {email} is already being used by another user")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn save_user(&mut self, id: i64, sent: &Map<String, Value>, call: &Call) -> Result<(), Reply> {
        self.check_email(sent, Some(id))?;
        let (name, email) = (read::text(sent, "name")?, read::text(sent, "email")?);
        let (external, phone) = (read::text(sent, "external_id")?, read::text(sent, "phone")?);
        let role = role_of(sent)?;
        let org = read::id(sent, "organization_id")?;
        if org.flatten().is_some_and(|org| !self.world.orgs.contains_key(&org)) {
            return Err(Reply::invalid(
                "organization",
                "Organization: is not an organization of this account",
            ));
        }
        let tags = sent.get("tags").map(read::tags).transpose()?;
        let Some(user) = self.world.users.get_mut(&id) else { return Err(Reply::no_record()) };
        if let Some(name) = name.flatten().filter(|name| !name.trim().is_empty()) {
            user.name = name.trim().to_owned();
        }
        if let Some(Some(email)) = email {
            user.email = Some(email.trim().to_lowercase());
        }
        user.external_id = external.unwrap_or(user.external_id.take());
        user.org = org.unwrap_or(user.org);
        user.phone = phone.unwrap_or(user.phone.take());
        user.role = role.unwrap_or(user.role);
        user.tags = tags.unwrap_or(std::mem::take(&mut user.tags));
        if let Some(suspended) = sent.get("suspended").and_then(Value::as_bool) {
            user.suspended = suspended;
        }
        user.updated_at = call.now.as_secs();
        Ok(())
    }
}

/// `{"count": {"value", "refreshed_at"}}`.
pub(super) fn counted(count: usize, call: &Call) -> Value {
    json!({"count": {"value": count, "refreshed_at": call.now.to_rfc3339_secs()}})
}

fn role_of(sent: &Map<String, Value>) -> Result<Option<Role>, Reply> {
    match read::text(sent, "role")?.flatten().as_deref() {
        None => Ok(None),
        Some("end-user") => Ok(Some(Role::EndUser)),
        Some("agent") => Ok(Some(Role::Agent)),
        Some("admin") => Ok(Some(Role::Admin)),
        Some(_) => Err(Reply::invalid("role", "Role: is invalid")),
    }
}

fn matches(user: &User, word: &str) -> bool {
    let email = user.email.as_deref().unwrap_or_default();
    match word.split_once(':') {
        Some(("email", wanted)) => email == wanted.trim_matches('"'),
        Some(("role", wanted)) => user.role.word() == wanted,
        Some(("external_id", wanted)) => user.external_id.as_deref() == Some(wanted),
        Some(("name", wanted)) => user.name.to_lowercase().contains(wanted.trim_matches('"')),
        Some(("user", wanted)) => email == wanted || user.name.to_lowercase().contains(wanted),
        _ => email == word || user.name.to_lowercase().contains(word),
    }
}
