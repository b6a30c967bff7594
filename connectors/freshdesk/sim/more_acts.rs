//! What people do beside talking and setting plain fields: markup and files,
//! custom fields and statuses, amendments, merges.

use handoffd_core::{Field, FieldKind, RemoteId, Status, Timestamp, Typed, Value};
use serde_json::{Value as Json, json};

use super::{
    acts::{change, draft, find},
    fields::{CustomField, Kind, TYPES, name_of},
    files::upload,
    html,
    http::Checks,
    ticket_write::is_email,
    world::{Draft, World},
};
use crate::sim::{SimFile, Who};

/// A message with markup and files.
pub(super) fn say_rich(
    world: &mut World,
    ticket: &RemoteId,
    who: &Who,
    body: &str,
    public: bool,
    files: &[SimFile],
    now: Timestamp,
) -> Result<i64, String> {
    let draft = draft(world, ticket, who, public, now)?;
    let id = find(world, ticket)?.id;
    let keep = |file: &SimFile| world.keep(upload(&file.name, &file.content_type, &file.bytes), now);
    let attachments: Vec<i64> = files.iter().map(keep).collect();
    let body = html::sanitise(&world.with_places(body, &attachments));
    world.say(id, Draft { body, attachments, ..draft }, now);
    Ok(id)
}

/// The type, the due time, the addresses in copy, the requester.
pub(super) fn set_field(
    world: &mut World,
    ticket: &RemoteId,
    field: Field,
    value: Value,
    now: Timestamp,
) -> Result<i64, String> {
    find(world, ticket)?;
    let requester = match (&field, &value) {
        (Field::Requester, Value::Choice(Some(email))) if is_email(email) => {
            Some(world.contact_for(email, None, now))
        }
        _ => None,
    };
    change(world, ticket, now, |fields| {
        match (field, value) {
            (Field::Type, Value::Choice(kind)) => {
                if kind.as_ref().is_some_and(|kind| !TYPES.contains(&kind.as_str())) {
                    return Err("there is no such type".to_owned());
                }
                fields.kind = kind;
            }
            (Field::DueAt, Value::Time(Some(at))) => {
                fields.due_by = Timestamp::from_secs(at.as_secs());
                fields.fr_due_by = fields.fr_due_by.min(fields.due_by);
            }
            (Field::Ccs, Value::Tags(ccs)) => fields.cc_emails = ccs.into_iter().collect(),
            (Field::Requester, _) => fields.requester_id = requester.ok_or("that is no address")?,
            (field, value) => return Err(format!("{field} cannot be {value}")),
        }
        Ok(())
    })
}

/// A custom field of the form.
pub(super) fn make_field(
    world: &mut World,
    title: &str,
    kind: FieldKind,
    options: Vec<String>,
) -> Result<String, String> {
    let kind = match kind {
        FieldKind::Text => Kind::Text,
        FieldKind::Number => Kind::Decimal,
        FieldKind::Boolean => Kind::Checkbox,
        FieldKind::Date => Kind::Date,
        FieldKind::Choice => Kind::Dropdown(options),
        FieldKind::Choices => return Err("there are no fields of several options".to_owned()),
    };
    let field = CustomField { name: name_of(title), label: title.to_owned(), kind };
    world.add_field(field).map_err(str::to_owned)
}

/// A value of a custom field.
pub(super) fn set_custom(
    world: &mut World,
    ticket: &RemoteId,
    native: &str,
    value: Option<Typed>,
    now: Timestamp,
) -> Result<i64, String> {
    let field =
        world.custom_fields.iter().find(|field| field.name == native).ok_or("there is no such field")?;
    let value = match value {
        None => Json::Null,
        Some(Typed::Text(text) | Typed::Date(text) | Typed::Choice(text)) => json!(text),
        Some(Typed::Number(text)) => serde_json::from_str(&text).map_err(|_| "that is no number")?,
        Some(Typed::Boolean(yes)) => json!(yes),
        Some(Typed::Choices(_)) => return Err("it takes one value".to_owned()),
    };
    let mut checks = Checks::default();
    field.check(&value, &mut checks);
    checks.done().map_err(|_| "the field does not take that".to_owned())?;
    let native = native.to_owned();
    change(world, ticket, now, |fields| {
        fields.custom.insert(native, value);
        Ok(())
    })
}

/// A status of the account's own. Only its admin knows what it means.
pub(super) fn make_status(world: &mut World, label: String, means: Status) -> Result<i64, String> {
    if means == Status::New {
        return Err("there is no status New".to_owned());
    }
    if world.statuses.iter().any(|known| known.label == label) {
        return Err("there is such a status".to_owned());
    }
    let id = world.statuses.iter().map(|known| known.id).max().unwrap_or(7) + 1;
    world.statuses.push(super::world::Status { id, customers: label.clone(), label, means });
    Ok(id)
}

/// The place of a message on a ticket that people see.
fn place(world: &World, ticket: &RemoteId, comment: &RemoteId) -> Result<(i64, usize), String> {
    let on = find(world, ticket)?.id;
    let id = comment.as_str().parse::<i64>().map_err(|_| "that cannot be changed")?;
    world.said(id).filter(|(ticket, _)| *ticket == on).ok_or_else(|| "there is no such message".to_owned())
}

/// People delete notes and replies; nothing takes only the content out.
pub(super) fn redact(
    world: &mut World,
    ticket: &RemoteId,
    comment: &RemoteId,
    now: Timestamp,
) -> Result<i64, String> {
    let (id, at) = place(world, ticket, comment)?;
    let said = find(world, ticket)?.conversations.get(at);
    if said.is_some_and(|said| said.incoming && said.source != 2) {
        return Err("what came in is not deleted".to_owned());
    }
    world.unsay(id, at, now);
    Ok(id)
}

/// People rewrite notes.
pub(super) fn edit(
    world: &mut World,
    ticket: &RemoteId,
    comment: &RemoteId,
    text: &str,
    now: Timestamp,
) -> Result<i64, String> {
    let (id, at) = place(world, ticket, comment)?;
    if find(world, ticket)?.conversations.get(at).is_none_or(|said| said.source != 2) {
        return Err("only notes are rewritten".to_owned());
    }
    world.rewrite(id, at, html::from_plain(text), now);
    Ok(id)
}

/// An agent merges two tickets of one requester.
pub(super) fn merge(
    world: &mut World,
    ticket: &RemoteId,
    into: &RemoteId,
    now: Timestamp,
) -> Result<i64, String> {
    let (from, to) = (find(world, ticket)?, find(world, into)?);
    if from.id == to.id || from.fields.requester_id != to.fields.requester_id {
        return Err("two tickets of one requester are merged".to_owned());
    }
    let (from, to) = (from.id, to.id);
    let by = world.hire("Merle", now);
    world.merge(&[from], to, by, now);
    Ok(from)
}
