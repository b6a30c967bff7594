//! How the workspace is set up: who we are, admins, teams, tags, attributes, types, articles.

use serde_json::{Value, json};

use super::{
    catalog::{self, DataAttribute, TicketAttribute},
    http::{Answer, Call, Version},
    ticket_shape::state_json,
    world::{Admin, Team, World, next},
};

/// `GET /me`.
pub(super) fn me(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    let admin = world.admins.get(&world.me).ok_or_else(Answer::no_admin)?;
    let mut shown = admin_json(admin);
    shown["email_verified"] = json!(true);
    let image = "https://static.intercomassets.com/assets/default-avatars/admins/128.png";
    shown["avatar"] = json!({"type": "avatar", "image_url": image});
    shown["app"] = json!({"type": "app", "id_code": world.app, "name": "Acme", "created_at": world.started_at,
        "secure": false, "identity_verification": false, "timezone": "Europe/Dublin", "region": "US"});
    Ok(Answer::ok(shown))
}

fn admin_json(admin: &Admin) -> Value {
    json!({"type": "admin", "id": admin.id.to_string(), "name": admin.name, "email": admin.email,
        "away_mode_enabled": false, "away_mode_reassign": false, "has_inbox_seat": true,
        "team_ids": [admin.team]})
}

/// `GET /admins`.
pub(super) fn admins(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    let admins: Vec<Value> = world.admins.values().map(admin_json).collect();
    Ok(Answer::ok(json!({"type": "admin.list", "admins": admins})))
}

/// `GET /admins/{id}`.
pub(super) fn admin(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let found = world.admins.get(&call.number_at(0)).ok_or_else(Answer::no_admin)?;
    Ok(Answer::ok(admin_json(found)))
}

fn team_json(world: &World, team: &Team) -> Value {
    let admins = world.admins.values().filter(|admin| admin.team == team.id);
    let admins: Vec<i64> = admins.map(|admin| admin.id).collect();
    json!({"type": "team", "id": team.id.to_string(), "name": team.name, "admin_ids": admins,
        "assignment_limit": null, "distribution_method": "manual"})
}

/// `GET /teams`.
pub(super) fn teams(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    let teams: Vec<Value> = world.teams.iter().map(|team| team_json(world, team)).collect();
    Ok(Answer::ok(json!({"type": "team.list", "teams": teams})))
}

/// `GET /teams/{id}`.
pub(super) fn team(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let gone = || Answer::error(404, "team_not_found", "Team not found");
    let found = world.team(call.number_at(0)).ok_or_else(gone)?;
    Ok(Answer::ok(team_json(world, found)))
}

/// `GET /tags`.
pub(super) fn tags(world: &mut World, _call: &Call) -> Result<Answer, Answer> {
    let tags: Vec<Value> = world.tags.keys().map(|id| world.tag_json(*id)).collect();
    Ok(Answer::ok(json!({"type": "list", "data": tags})))
}

/// `GET /tags/{id}`.
pub(super) fn tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.number_at(0);
    if !world.tags.contains_key(&id) {
        return Err(Answer::not_found());
    }
    Ok(Answer::ok(world.tag_json(id)))
}

/// `POST /tags`: finds or makes the tag of a name, whose case does not count; with an id, renames it.
pub(super) fn put_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let refused = || Answer::invalid("invalid tag parameters");
    let name = call.text("name")?.ok_or_else(refused)?.trim().to_owned();
    if call.given("users").is_some() || call.given("companies").is_some() || name.chars().count() > 255 {
        return Err(refused());
    }
    let id = match call.id("id")? {
        None => world.tag_named(&name),
        Some(id) => {
            let tag = world.tags.get_mut(&id).ok_or_else(Answer::not_found)?;
            *tag = name;
            id
        }
    };
    Ok(Answer::ok(world.tag_json(id)))
}

/// `DELETE /tags/{id}`.
pub(super) fn delete_tag(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.number_at(0);
    world.tags.remove(&id).ok_or_else(Answer::not_found)?;
    let tagged = world.threads.values().filter(|one| one.head.tags.iter().any(|tagged| tagged.tag == id));
    let tagged: Vec<i64> = tagged.map(|thread| thread.id).collect();
    for thread in tagged {
        world.untag(thread, id, call.now);
    }
    for contact in world.contacts.values_mut() {
        contact.tags.retain(|tag| *tag != id);
    }
    Ok(Answer::ok(json!({"id": id.to_string(), "object": "tag", "deleted": true})))
}

fn attribute_json(world: &World, attribute: &DataAttribute) -> Value {
    let mut shown = json!({"type": "data_attribute", "id": attribute.id, "model": attribute.model,
        "name": attribute.name, "full_name": format!("custom_attributes.{}", attribute.name),
        "label": attribute.name, "description": attribute.description, "data_type": attribute.data_type,
        "api_writable": true, "ui_writable": true, "messenger_writable": false, "custom": true,
        "archived": attribute.archived, "created_at": attribute.created_at,
        "updated_at": attribute.created_at, "admin_id": world.me.to_string()});
    if !attribute.options.is_empty() {
        shown["options"] = json!(attribute.options);
    }
    shown
}

/// `GET /data_attributes`.
pub(super) fn data_attributes(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let model = call.param("model");
    if model.is_some_and(|model| !["contact", "company", "conversation"].contains(&model)) {
        return Err(Answer::invalid("model must be contact, company or conversation"));
    }
    let archived = call.param("include_archived") == Some("true");
    let wanted = |attribute: &&DataAttribute| {
        model.is_none_or(|model| attribute.model == model) && (archived || !attribute.archived)
    };
    let shown: Vec<Value> =
        world.attributes.iter().filter(wanted).map(|one| attribute_json(world, one)).collect();
    Ok(Answer::ok(json!({"type": "list", "data": shown})))
}

/// `POST /data_attributes`: of contacts and companies only. Attributes of
/// conversations are made in the settings.
pub(super) fn create_attribute(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let name = call.text("name")?.ok_or_else(|| Answer::missing("name"))?.to_owned();
    let model = call.text("model")?.ok_or_else(|| Answer::missing("model"))?.to_owned();
    if model != "contact" && model != "company" {
        return Err(Answer::invalid("The Data Attribute model field must be either contact or company"));
    }
    let allowed = |letter: char| letter.is_alphanumeric() || " -_$€£¥".contains(letter);
    if !name.chars().all(allowed) {
        return Err(Answer::invalid(
            "Your name for this attribute must only contain alphanumeric characters, currency symbols, and hyphens",
        ));
    }
    let options: Vec<String> = match call.given("options").and_then(Value::as_array) {
        None => Vec::new(),
        Some(given) => given.iter().filter_map(|one| one["value"].as_str().map(str::to_owned)).collect(),
    };
    let data_type = match call.text("data_type")? {
        Some("options") if options.len() >= 2 => "string",
        Some("datetime" | "date") => "date",
        Some(known @ ("string" | "integer" | "float" | "boolean")) => known,
        _ => return Err(Answer::invalid("Data Type isn't an option")),
    };
    let same = |one: &&DataAttribute| one.model == model && one.name == name;
    if world.attributes.iter().any(|one| same(&one)) {
        let message = format!(
            "You already have '{name}' in your {model} data. To save this as new {model} data, use a different name."
        );
        return Err(Answer::invalid(&message));
    }
    let attribute = DataAttribute {
        id: next(&mut world.ids.attribute),
        model,
        name,
        description: call.text("description")?.unwrap_or_default().to_owned(),
        data_type: data_type.to_owned(),
        options,
        archived: false,
        created_at: call.now,
    };
    let shown = attribute_json(world, &attribute);
    world.attributes.push(attribute);
    Ok(Answer::ok(shown))
}

/// `GET /ticket_types`.
pub(super) fn ticket_types(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let types = world.ticket_types.values();
    let types: Vec<Value> = types.map(|kind| world.ticket_type_json(kind, call.version, true)).collect();
    Ok(Answer::ok(json!({"type": "list", "data": types})))
}

/// `GET /ticket_types/{id}`.
pub(super) fn ticket_type(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let kind = world.ticket_types.get(&call.number_at(0)).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(world.ticket_type_json(kind, call.version, true)))
}

/// `POST /ticket_types/{id}/attributes`.
pub(super) fn create_ticket_attribute(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let type_id = call.number_at(0);
    let kind = world.ticket_types.get(&type_id).ok_or_else(Answer::not_found)?;
    let name = call.text("name")?.ok_or_else(|| Answer::missing("name"))?.to_owned();
    let description = call.text("description")?.ok_or_else(|| Answer::missing("description"))?.to_owned();
    let data_type = call.text("data_type")?.unwrap_or_default().to_owned();
    if !["string", "list", "integer", "decimal", "boolean", "datetime", "files"].contains(&data_type.as_str())
    {
        return Err(Answer::invalid("Data Type isn't an option"));
    }
    if kind.attributes.iter().any(|one| one.name == name && !one.archived) {
        return Err(Answer::invalid(&format!("There is already an attribute named '{name}'")));
    }
    let labels = call.text("list_items")?.unwrap_or_default().to_owned();
    let labels: Vec<&str> = labels.split(',').map(str::trim).filter(|label| !label.is_empty()).collect();
    if data_type == "list" && labels.len() < 2 {
        return Err(Answer::invalid("list_items needs at least two items"));
    }
    let mut attribute = TicketAttribute {
        id: next(&mut world.ids.attribute),
        name,
        description,
        data_type,
        options: Vec::new(),
        multiline: call.flag("multiline")?.unwrap_or(false),
        required: call.flag("required_to_create")?.unwrap_or(false),
        visible_to_contacts: call.flag("visible_to_contacts")?.unwrap_or(true),
        built_in: false,
        archived: false,
        created_at: call.now,
    };
    if attribute.data_type == "list" {
        attribute.options = catalog::list_options(&attribute, &labels);
    }
    let order = world.ticket_types.get(&type_id).map_or(0, |kind| kind.attributes.len());
    let shown = world.ticket_attribute_json(type_id, &attribute, order);
    if let Some(kind) = world.ticket_types.get_mut(&type_id) {
        kind.attributes.push(attribute);
    }
    Ok(Answer::ok(shown))
}

/// `PUT /ticket_types/{id}/attributes/{id}`: its words, and whether it is archived.
pub(super) fn update_ticket_attribute(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let (type_id, id) = (call.number_at(0), call.number_at(1));
    let (name, description) = (call.text("name")?, call.text("description")?);
    let archived = call.flag("archived")?;
    let kind = world.ticket_types.get_mut(&type_id).ok_or_else(Answer::not_found)?;
    let order = kind.attributes.iter().position(|one| one.id == id).ok_or_else(Answer::not_found)?;
    let attribute = &mut kind.attributes[order];
    if attribute.built_in {
        return Err(Answer::invalid("A built-in attribute cannot be changed"));
    }
    if let Some(name) = name {
        attribute.name = name.to_owned();
    }
    if let Some(description) = description {
        attribute.description = description.to_owned();
    }
    attribute.archived = archived.unwrap_or(attribute.archived);
    let attribute = attribute.clone();
    Ok(Answer::ok(world.ticket_attribute_json(type_id, &attribute, order)))
}

/// `GET /ticket_states`, which is there from 2.12 on.
pub(super) fn ticket_states(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    if call.version < Version::V2_12 {
        return Err(Answer::not_found());
    }
    let types = world.ticket_types.values();
    let types: Vec<Value> = types.map(|kind| world.ticket_type_json(kind, call.version, false)).collect();
    let states = world.ticket_states.iter().map(|state| {
        let mut shown = state_json(state);
        shown["archived"] = json!(false);
        shown["ticket_types"] = json!({"type": "list", "data": types});
        shown
    });
    Ok(Answer::ok(json!({"type": "list", "data": states.collect::<Vec<_>>()})))
}

const ARTICLES: [(i64, &str, &str); 2] = [
    (6_871_119, "Descaling your kettle", "<p>Fill it with vinegar and water, boil, and rinse twice.</p>"),
    (6_871_120, "Returning an order", "<p>Orders can be returned within thirty days.</p>"),
];

/// `GET /articles/search`. It shows pages and takes no parameter for them.
pub(super) fn articles(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let phrase = call.param("phrase").unwrap_or_default().to_lowercase();
    let state = call.param("state").unwrap_or("all");
    let wanted = |(_, title, body): &&(i64, &str, &str)| {
        state != "draft" && format!("{title} {body}").to_lowercase().contains(&phrase)
    };
    let found = ARTICLES.iter().filter(wanted).map(|(id, title, body)| {
        json!({"type": "article", "id": id.to_string(), "workspace_id": world.app, "title": title,
            "description": "", "body": body, "author_id": world.me, "state": "published",
            "created_at": world.started_at, "updated_at": world.started_at, "parent_id": null,
            "parent_ids": [], "parent_type": null, "tags": {"type": "tag.list", "tags": []},
            "url": format!("https://help.acme.example/en/articles/{id}")})
    });
    let found: Vec<Value> = found.collect();
    let pages = json!({"type": "pages", "page": 1, "per_page": 10,
        "total_pages": usize::from(!found.is_empty())});
    Ok(Answer::ok(json!({"type": "list", "total_count": found.len(),
        "data": {"articles": found, "highlights": []}, "pages": pages})))
}
