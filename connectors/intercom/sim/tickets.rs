//! Tickets: opened, changed, answered, deleted, and conversations that become one.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    catalog::{Category, DESCRIPTION, SUPPORT_REQUEST, TITLE},
    change::{Draft, Opening},
    conversations::style,
    http::{Answer, Call, Version, id_of},
    parts::{post, reply_draft},
    world::{Author, Card, Detail, Job, State, Thread, World, next},
};

/// How long a queued ticket takes, in seconds.
const JOB_SECS: i64 = 2;
/// So many jobs are remembered.
const JOBS_MAX: usize = 1_000;

/// The ticket in the path: by its long id, never by the number that people see.
fn found<'a>(world: &'a World, call: &Call) -> Result<&'a Thread, Answer> {
    world.ticket(call.number_at(0)).ok_or_else(Answer::not_found)
}

/// The whole ticket as an answer.
fn whole(world: &World, id: i64, call: &Call) -> Result<Answer, Answer> {
    let thread = world.ticket(id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(world.ticket_json(thread, &thread.head, None, &style(call))))
}

/// `GET /tickets/{id}`.
pub(super) fn view(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    whole(world, found(world, call)?.id, call)
}

/// A checked wish for a ticket.
struct Wish {
    type_id: i64,
    /// What names the contact: `id`, `external_id` or `email`, and its value.
    contact: (&'static str, String),
    attributes: BTreeMap<String, Value>,
    admin: Option<i64>,
    team: Option<i64>,
    link: Option<i64>,
    created_at: i64,
    silent: bool,
}

fn wish(world: &World, call: &Call) -> Result<Wish, Answer> {
    let type_id = call.needed_id("ticket_type_id")?;
    if !world.ticket_types.contains_key(&type_id) {
        return Err(Answer::error(404, "not_found", "Ticket type not found"));
    }
    let assignment = call.given("assignment").cloned().unwrap_or_default();
    let assignee = |name: &str| assignment.get(name).and_then(id_of).filter(|id| *id != 0);
    let (admin, team) = (assignee("admin_assignee_id"), assignee("team_assignee_id"));
    let known = admin.is_none_or(|id| world.admins.contains_key(&id))
        && team.is_none_or(|id| world.team(id).is_some());
    if !known {
        return Err(Answer::error(404, "assignee_not_found", "Assignee not found"));
    }
    let link = call.id("conversation_to_link_id")?;
    if link.is_some_and(|id| world.live(id).is_none()) {
        return Err(Answer::error(404, "not_found", "Conversation not found"));
    }
    let attributes = attributes(world, type_id, call.given("ticket_attributes"))?;
    let kind = world.ticket_types.get(&type_id);
    let required = kind.iter().flat_map(|kind| &kind.attributes).filter(|one| one.required && !one.archived);
    for one in required {
        if attributes.get(&one.name).is_none_or(Value::is_null) {
            return Err(Answer::invalid("Missing required ticket attributes"));
        }
    }
    Ok(Wish {
        type_id,
        contact: contact(world, call)?,
        attributes,
        admin,
        team,
        link,
        created_at: call.moment("created_at")?.unwrap_or(call.now),
        silent: call.flag("skip_notifications")? == Some(true),
    })
}

/// The one contact; an address that nobody has is fine.
fn contact(world: &World, call: &Call) -> Result<(&'static str, String), Answer> {
    let many = call.given("contacts").and_then(Value::as_array).ok_or_else(|| Answer::missing("contacts"))?;
    let [one] = many.as_slice() else {
        return Err(Answer::invalid("contacts must have exactly one entry"));
    };
    let named = ["id", "external_id", "email"].into_iter().find_map(|name| Some((name, one[name].as_str()?)));
    let (name, value) = named.ok_or_else(|| Answer::invalid("contacts need id, external_id or email"))?;
    let there = match name {
        "id" => world.live_contact(value).is_some(),
        "external_id" => world.contact_by_external(value).is_some(),
        _ => value.contains('@'),
    };
    if there { Ok((name, value.to_owned())) } else { Err(Answer::no_contact()) }
}

/// Attributes must be of the type, and have a value that they can have.
fn attributes(world: &World, type_id: i64, given: Option<&Value>) -> Result<BTreeMap<String, Value>, Answer> {
    let Some(given) = given else { return Ok(BTreeMap::new()) };
    let given = given.as_object().ok_or_else(|| Answer::invalid("ticket_attributes must be an object"))?;
    let known = world.ticket_types.get(&type_id).map(|kind| kind.attributes.as_slice()).unwrap_or_default();
    let mut admitted = BTreeMap::new();
    for (name, value) in given {
        let attribute = known.iter().find(|one| one.name == *name && !one.archived);
        let attribute =
            attribute.ok_or_else(|| Answer::invalid(&format!("Ticket attribute '{name}' does not exist")))?;
        let value = attribute
            .admit(value)
            .ok_or_else(|| Answer::invalid(&format!("Ticket attribute '{name}' has a wrong value")))?;
        admitted.insert(name.clone(), value);
    }
    Ok(admitted)
}

fn make(world: &mut World, wish: Wish, now: i64) -> i64 {
    let contact = match wish.contact {
        ("id", id) => id,
        ("external_id", id) => world.contact_by_external(&id).map(|one| one.id.clone()).unwrap_or_default(),
        (_, email) => world.contact_for(&email, None, "lead", now),
    };
    let category = world.ticket_types.get(&wish.type_id).map_or(Category::Customer, |kind| kind.category);
    let card = new_card(world, wish.type_id, wish.attributes);
    let opening = Opening {
        is_conversation: false,
        kind: "conversation",
        delivered_as: "customer_initiated",
        subject: String::new(),
        body: String::new(),
        author: Author::Contact(contact.clone()),
        contacts: vec![contact],
        files: Vec::new(),
        admin: wish.admin,
        team: wish.team,
        card: Some(card),
        created_at: wish.created_at,
    };
    let id = world.open(opening, now);
    if let Some(other) = wish.link {
        link(world, id, other, now);
    }
    submitted(world, id, now);
    world.notify(id, "ticket.created", None, now);
    if category == Category::Customer && !wish.silent {
        world.mail(id, None, now);
    }
    id
}

/// A customer submits a ticket with this title and description.
pub(super) fn submit(
    world: &mut World,
    contact: String,
    (title, description): (&str, &str),
    (admin, team): (Option<i64>, Option<i64>),
    now: i64,
) -> i64 {
    let attributes =
        BTreeMap::from([(TITLE.to_owned(), json!(title)), (DESCRIPTION.to_owned(), json!(description))]);
    let wish = Wish {
        type_id: SUPPORT_REQUEST,
        contact: ("id", contact),
        attributes,
        admin,
        team,
        link: None,
        created_at: now,
        silent: false,
    };
    make(world, wish, now)
}

/// A new ticket begins with this part.
fn submitted(world: &mut World, id: i64, now: i64) {
    let draft = Draft::plain("ticket_state_updated_by_admin", Author::Admin(world.me), true, now);
    let detail = Detail::TicketState { from: "submitted", to: "submitted" };
    world.add(id, Draft { detail, silent: true, ..draft }, now);
}

fn new_card(world: &mut World, type_id: i64, attributes: BTreeMap<String, Value>) -> Card {
    let kind = world.ticket_types.get(&type_id);
    let shared = kind.is_some_and(|kind| kind.category == Category::Customer);
    let state_id = world.ticket_states.first().map_or(0, |state| state.id);
    Card { number: next(&mut world.ids.ticket_number), type_id, state_id, attributes, shared }
}

fn link(world: &mut World, one: i64, other: i64, now: i64) {
    for (from, to) in [(one, other), (other, one)] {
        if let Some(thread) = world.threads.get_mut(&from) {
            thread.head.linked.insert(to);
        }
        world.touch(from, now);
    }
}

/// `POST /tickets`.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let wish = wish(world, call)?;
    let id = make(world, wish, call.now);
    whole(world, id, call)
}

/// `POST /tickets/enqueue`: checked now, made later.
pub(super) fn enqueue(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    wish(world, call)?;
    let (id, due) = (next(&mut world.ids.job), call.now + JOB_SECS);
    world.jobs.insert(id, Job { due, ticket: None, call: Some(call.clone()), failed: false });
    while world.jobs.len() > JOBS_MAX {
        world.jobs.pop_first();
    }
    world.wake_at = world.wake_at.min(due);
    Ok(Answer::ok(job_json(id, &world.jobs[&id], &call.base)))
}

/// `GET /jobs/status/{id}`.
pub(super) fn job(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.number_at(0);
    let gone = || Answer::error(404, "job_not_found", "Job Not Found");
    Ok(Answer::ok(job_json(id, world.jobs.get(&id).ok_or_else(gone)?, &call.base)))
}

fn job_json(id: i64, job: &Job, base: &str) -> Value {
    let status = match (job.call.is_some(), job.failed) {
        (true, _) => "pending",
        (false, true) => "failed",
        (false, false) => "success",
    };
    json!({"type": "job", "id": id.to_string(), "url": format!("{base}/jobs/status/{id}"), "status": status,
        "resource_type": "ticket", "resource_id": job.ticket.map(|id| id.to_string()),
        "resource_url": job.ticket.map(|id| format!("{base}/tickets/{id}"))})
}

impl World {
    /// Makes the tickets that were queued and are due.
    pub fn finish_jobs(&mut self, now: i64) {
        let due = self.jobs.iter().filter(|(_, job)| job.call.is_some() && job.due <= now);
        let due: Vec<i64> = due.map(|(id, _)| *id).collect();
        for id in due {
            let Some(call) = self.jobs.get_mut(&id).and_then(|job| job.call.take()) else { continue };
            let made = wish(self, &call).ok().map(|wish| make(self, wish, now));
            if let Some(job) = self.jobs.get_mut(&id) {
                (job.ticket, job.failed) = (made, made.is_none());
            }
        }
    }
}

/// What `PUT /tickets/{id}` sets, checked.
struct Change {
    attributes: BTreeMap<String, Value>,
    state: Option<i64>,
    open: Option<bool>,
    shared: Option<bool>,
    snooze: Option<i64>,
    assignee: Option<(&'static str, Option<i64>)>,
    by: i64,
    silent: bool,
}

fn change(world: &World, call: &Call, card: &Card) -> Result<Change, Answer> {
    let gone = || Answer::error(404, "assignee_not_found", "Assignee not found");
    let assignment = call.given("assignment").filter(|_| call.version < Version::V2_14);
    let named = |name: &str| match assignment {
        Some(nested) => Ok(nested.get(name).and_then(id_of)),
        None => call.id(name),
    };
    let by = named("admin_id")?.unwrap_or(world.me);
    if !world.admins.contains_key(&by) {
        return Err(gone());
    }
    let assignee = match named("assignee_id")? {
        None => None,
        Some(0) => Some(("admin", None)),
        Some(id) if world.admins.contains_key(&id) => Some(("admin", Some(id))),
        Some(id) if world.team(id).is_some() => Some(("team", Some(id))),
        Some(_) => return Err(gone()),
    };
    let snooze = call.moment("snoozed_until")?;
    if snooze.is_some_and(|until| until <= call.now) {
        return Err(Answer::invalid("snoozed_until must be in the future"));
    }
    Ok(Change {
        attributes: attributes(world, card.type_id, call.given("ticket_attributes"))?,
        state: new_state(world, call)?,
        open: call.flag("open")?,
        shared: call.flag("is_shared")?,
        snooze,
        assignee,
        by,
        silent: call.flag("skip_notifications")? == Some(true),
    })
}

/// The state by its id; before 2.12 by its category.
fn new_state(world: &World, call: &Call) -> Result<Option<i64>, Answer> {
    let wrong = || {
        let message = "Ticket state id is not valid or is not associated with the ticket type";
        Answer::error(400, "ticket_state_id_invalid", message)
    };
    if call.version < Version::V2_12 {
        let Some(category) = call.text("state")? else { return Ok(None) };
        let state = world.ticket_states.iter().find(|state| state.category == category);
        return state.map(|state| Some(state.id)).ok_or_else(wrong);
    }
    match call.given("ticket_state_id") {
        None => Ok(None),
        Some(id) => {
            let id = id_of(id).filter(|id| world.ticket_state(*id).is_some());
            id.map(Some).ok_or_else(wrong)
        }
    }
}

/// `PUT /tickets/{id}`.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let thread = found(world, call)?;
    let (id, card) = (thread.id, thread.head.card.clone());
    if call.text("company_id")?.is_some() {
        return Err(Answer::error(404, "company_not_found", "Company Not Found"));
    }
    let Some(card) = card else { return Err(Answer::not_found()) };
    let mut change = change(world, call, &card)?;
    let attributes = std::mem::take(&mut change.attributes);
    let who = Edit { by: change.by, by_app: true, silent: change.silent, now: call.now };
    if let Some(shared) = change.shared
        && shared != card.shared
    {
        if let Some(card) = world.threads.get_mut(&id).and_then(|thread| thread.head.card.as_mut()) {
            card.shared = shared;
        }
        world.touch(id, call.now);
    }
    world.set_attributes(id, attributes, &who);
    if let Some(state) = change.state {
        world.set_ticket_state(id, state, &who);
    }
    if let Some((kind, to)) = change.assignee {
        let draft = Draft::plain("assignment", Author::Admin(who.by), true, call.now);
        world.assign(id, kind, to, draft, call.now);
        // Nobody is neither an admin nor a team.
        if let (None, Some(thread)) = (to, world.threads.get_mut(&id)) {
            thread.head.team = None;
            world.touch(id, call.now);
        }
    }
    open_or_close(world, id, &change, call.now);
    whole(world, id, call)
}

/// `open`, and `snoozed_until`, which are not the ticket's state.
fn open_or_close(world: &mut World, id: i64, change: &Change, now: i64) {
    let state = world.live(id).map_or(State::Open, |thread| thread.head.state);
    let part = |kind| Draft::plain(kind, Author::Admin(change.by), true, now);
    match (change.open, change.snooze) {
        (Some(false), _) if state != State::Closed => {
            world.set_state(id, State::Closed, None, part("close"), now);
        }
        (Some(true), None) if state != State::Open => {
            world.set_state(id, State::Open, None, part("open"), now);
        }
        (None | Some(true), Some(until)) => {
            world.set_state(id, State::Snoozed, Some(until), part("snoozed"), now);
        }
        _ => {}
    }
}

/// Who changes a ticket, and whether customers are told.
pub(super) struct Edit {
    pub by: i64,
    pub by_app: bool,
    pub silent: bool,
    pub now: i64,
}

impl World {
    /// Sets attributes; each that changes makes a part.
    pub fn set_attributes(&mut self, id: i64, attributes: BTreeMap<String, Value>, edit: &Edit) {
        for (name, value) in attributes {
            let Some(card) = self.threads.get_mut(&id).and_then(|thread| thread.head.card.as_mut()) else {
                return;
            };
            if card.attributes.get(&name) == Some(&value) {
                continue;
            }
            card.attributes.insert(name.clone(), value.clone());
            let kind = self.ticket_types.get(&card.type_id);
            let attribute = kind.and_then(|kind| kind.attributes.iter().find(|one| one.name == name));
            let detail = Detail::Attribute { id: attribute.map_or(0, |one| one.id), name, value };
            let kind = "ticket_attribute_updated_by_admin";
            let draft = Draft::plain(kind, Author::Admin(edit.by), edit.by_app, edit.now);
            self.add(id, Draft { detail, ..draft }, edit.now);
        }
    }

    /// Moves a ticket to a state. The customers of a shared one are mailed.
    pub fn set_ticket_state(&mut self, id: i64, state: i64, edit: &Edit) {
        let category = |world: &Self, id| world.ticket_state(id).map_or("submitted", |state| state.category);
        let to = category(self, state);
        let Some(card) = self.live(id).and_then(|thread| thread.head.card.clone()) else { return };
        if card.state_id == state {
            return;
        }
        let detail = Detail::TicketState { from: category(self, card.state_id), to };
        if let Some(card) = self.threads.get_mut(&id).and_then(|thread| thread.head.card.as_mut()) {
            card.state_id = state;
        }
        let kind = "ticket_state_updated_by_admin";
        let draft = Draft::plain(kind, Author::Admin(edit.by), edit.by_app, edit.now);
        self.add(id, Draft { detail, ..draft }, edit.now);
        if card.shared && !edit.silent {
            self.mail(id, None, edit.now);
        }
    }
}

/// `POST /tickets/{id}/reply`. Answers with the part.
pub(super) fn reply(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let thread = found(world, call)?;
    let (id, card) = (thread.id, thread.head.card.clone());
    let back_office = card.is_some_and(|card| world.category(&card) != Category::Customer);
    if call.given("attachment_files").is_some() {
        return Err(Answer::invalid("attachment_files is not supported for tickets"));
    }
    let silent = call.flag("skip_notifications")? == Some(true);
    let draft = Draft { silent, ..reply_draft(world, call)? };
    if back_office && matches!(draft.author, Author::Contact(_)) {
        let message = "User replies are not allowed on Backoffice tickets";
        return Err(Answer::error(400, "parameter_mismatch", message));
    }
    let crossing = back_office && draft.kind == "note" && call.flag("cross_post")? == Some(true);
    let (body, author) = (draft.body.clone(), draft.author.clone());
    let part = post(world, id, draft, call.now)?;
    if crossing {
        let linked = world.live(id).map(|thread| thread.head.linked.clone()).unwrap_or_default();
        for other in linked {
            let note = Draft::plain("note", author.clone(), true, call.now);
            world.add(other, Draft { body: body.clone(), ..note }, call.now);
        }
    }
    let thread = world.live(id).ok_or_else(Answer::not_found)?;
    let part = thread.parts.iter().find(|one| one.id == part).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(world.ticket_part_json(part, &style(call))))
}

/// `DELETE /tickets/{id}`.
pub(super) fn delete(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let id = call.number_at(0);
    if call.version < Version::V2_13 {
        return Err(Answer::not_found());
    }
    if world.ticket(id).is_none() {
        return Err(Answer::error(404, "ticket_not_found", "Ticket not found"));
    }
    world.delete(id, call.now);
    Ok(Answer::ok(json!({"id": id.to_string(), "object": "ticket", "deleted": true})))
}

/// `POST /conversations/{id}/convert`: the ticket has the conversation's id.
pub(super) fn convert(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let thread = super::conversations::found(world, call)?;
    let (id, title) = (thread.id, world.subject(thread));
    if thread.head.card.is_some() {
        return Err(Answer::invalid("Conversation is already a ticket"));
    }
    let type_id = call.needed_id("ticket_type_id")?;
    let kind = world.ticket_types.get(&type_id);
    if kind.is_none_or(|kind| kind.category != Category::Customer) {
        return Err(Answer::invalid("Ticket type is not a customer ticket type"));
    }
    let mut attributes = attributes(world, type_id, call.given("attributes"))?;
    if !title.is_empty() {
        attributes.entry(TITLE.to_owned()).or_insert_with(|| json!(title));
    }
    let card = new_card(world, type_id, attributes);
    if let Some(thread) = world.threads.get_mut(&id) {
        thread.head.card = Some(card);
    }
    submitted(world, id, call.now);
    world.notify(id, "ticket.created", None, call.now);
    whole(world, id, call)
}
