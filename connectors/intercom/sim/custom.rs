//! Attributes and states that people make and fill in, and who takes part.

use std::collections::{BTreeMap, BTreeSet};

use handoffd_core::{FieldKind, Typed, Value as Canonical};
use serde_json::{Number, Value, json};

use super::{
    catalog::{self, DataAttribute, TicketAttribute, TicketState},
    change::Draft,
    tickets::Edit,
    world::{Author, Detail, World, next},
};

impl World {
    /// Sets attributes of a conversation; each that changes makes a part.
    pub fn set_custom(&mut self, id: i64, values: BTreeMap<String, Value>, edit: &Edit) {
        for (name, value) in values {
            let Some(thread) = self.threads.get_mut(&id) else { return };
            let before = thread.head.custom.get(&name).cloned().unwrap_or_default();
            if before == value {
                continue;
            }
            match &value {
                Value::Null => thread.head.custom.remove(&name),
                value => thread.head.custom.insert(name.clone(), value.clone()),
            };
            let kind = "conversation_attribute_updated_by_admin";
            let draft = Draft::plain(kind, Author::Admin(edit.by), edit.by_app, edit.now);
            self.add(id, Draft { detail: Detail::ConversationAttribute { name, value }, ..draft }, edit.now);
        }
    }

    /// Adds a state of tickets.
    pub fn add_state(&mut self, label: &str, category: &'static str) -> i64 {
        let id = self.ticket_states.last().map_or(8_300, |state| state.id + 1);
        let (internal_label, external_label) = (label.to_owned(), label.to_owned());
        self.ticket_states.push(TicketState { id, category, internal_label, external_label });
        id
    }
}

/// An attribute of conversations and of every type of tickets, by one name.
pub(super) fn make_field(
    world: &mut World,
    title: &str,
    kind: FieldKind,
    options: &[String],
    now: i64,
) -> Result<String, String> {
    let (data_type, of_tickets) = match kind {
        FieldKind::Text => ("string", "string"),
        FieldKind::Number => ("float", "decimal"),
        FieldKind::Boolean => ("boolean", "boolean"),
        FieldKind::Date => ("date", "datetime"),
        FieldKind::Choice if options.len() >= 2 => ("string", "list"),
        FieldKind::Choice => return Err("a list has at least two options".to_owned()),
        FieldKind::Choices => return Err("a list has one value".to_owned()),
    };
    let same = |one: &DataAttribute| one.model == "conversation" && one.name == title && !one.archived;
    if title.trim().is_empty() || world.attributes.iter().any(same) {
        return Err(format!("there is already an attribute {title}, or it has no name"));
    }
    world.attributes.push(DataAttribute {
        id: next(&mut world.ids.attribute),
        model: "conversation".to_owned(),
        name: title.to_owned(),
        description: String::new(),
        data_type: data_type.to_owned(),
        options: options.to_vec(),
        archived: false,
        created_at: now,
    });
    let labels: Vec<&str> = options.iter().map(String::as_str).collect();
    for kind in world.ticket_types.values_mut() {
        let mut attribute = TicketAttribute {
            id: next(&mut world.ids.attribute),
            name: title.to_owned(),
            description: String::new(),
            data_type: of_tickets.to_owned(),
            options: Vec::new(),
            multiline: false,
            required: false,
            visible_to_contacts: false,
            built_in: false,
            archived: false,
            created_at: now,
        };
        attribute.options = catalog::list_options(&attribute, &labels);
        kind.attributes.push(attribute);
    }
    Ok(title.to_owned())
}

/// Fills in an attribute by its name.
pub(super) fn set(
    world: &mut World,
    id: i64,
    name: &str,
    value: Option<&Typed>,
    by: i64,
    now: i64,
) -> Result<i64, String> {
    let wanted = value.map(raw).transpose()?.unwrap_or(Value::Null);
    let thread = world.live(id).ok_or("no such conversation")?;
    let none = || format!("there is no attribute {name}, or it cannot have this value");
    let edit = Edit { by, by_app: false, silent: true, now };
    if thread.is_conversation {
        let known = |one: &&DataAttribute| one.model == "conversation" && one.name == name && !one.archived;
        let admitted = world.attributes.iter().find(known).and_then(|one| one.admit(&wanted));
        let values = BTreeMap::from([(name.to_owned(), admitted.ok_or_else(none)?)]);
        world.set_custom(id, values, &edit);
    } else {
        let card = thread.head.card.as_ref();
        let kind = card.and_then(|card| world.ticket_types.get(&card.type_id));
        let known = kind.and_then(|kind| kind.attributes.iter().find(|one| one.name == name));
        let admitted = known.and_then(|one| one.admit(&wanted)).ok_or_else(none)?;
        world.set_attributes(id, BTreeMap::from([(name.to_owned(), admitted)]), &edit);
    }
    Ok(id)
}

fn raw(value: &Typed) -> Result<Value, String> {
    Ok(match value {
        Typed::Text(text) | Typed::Choice(text) | Typed::Date(text) => json!(text),
        Typed::Boolean(flag) => json!(flag),
        Typed::Number(digits) => {
            let whole = digits.parse::<i64>().ok().map(Number::from);
            let number = whole.or_else(|| digits.parse().ok().and_then(Number::from_f64));
            Value::Number(number.ok_or("that is no number")?)
        }
        Typed::Choices(_) => return Err("a list has one value".to_owned()),
    })
}

/// Who takes part beside the first customer. An address that nobody has becomes a lead.
pub(super) fn set_ccs(world: &mut World, id: i64, value: &Canonical, now: i64) -> Result<i64, String> {
    let Canonical::Tags(wanted) = value else { return Err("addresses in copy are a set".to_owned()) };
    if wanted.iter().any(|email| !email.contains('@')) {
        return Err("that is no address".to_owned());
    }
    let first = world.live(id).and_then(|thread| thread.head.contacts.first().cloned());
    let mut contacts: Vec<String> = first.into_iter().collect();
    for email in wanted {
        let contact = world.contact_for(email, None, "lead", now);
        if !contacts.contains(&contact) {
            contacts.push(contact);
        }
    }
    let Some(thread) = world.threads.get_mut(&id) else { return Err("no such conversation".to_owned()) };
    let (ours, theirs): (BTreeSet<_>, BTreeSet<_>) =
        (contacts.iter().cloned().collect(), thread.head.contacts.iter().cloned().collect());
    let (came, went) = (ours.difference(&theirs).count(), theirs.difference(&ours).count());
    let topics = match thread.is_conversation {
        true => ["conversation.contact.attached", "conversation.contact.detached"],
        false => ["ticket.contact.attached", "ticket.contact.detached"],
    };
    if came + went > 0 {
        thread.head.contacts = contacts;
        world.touch(id, now);
    }
    for topic in std::iter::repeat_n(topics[0], came).chain(std::iter::repeat_n(topics[1], went)) {
        world.notify(id, topic, None, now);
    }
    Ok(id)
}
