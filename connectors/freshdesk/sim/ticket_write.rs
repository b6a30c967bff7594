//! Creating and updating tickets.

use std::collections::BTreeMap;

use handoffd_core::Timestamp;
use serde_json::{Map, Value};

use super::{
    fields::{PRIORITIES, SOURCES, TYPES},
    files, html,
    http::{Answer, Call, Checks},
    shape,
    tickets::check_status,
    world::{Contact, Fields, World},
};

const KNOWN: &[&str] = &[
    "name",
    "requester_id",
    "email",
    "phone",
    "twitter_id",
    "unique_external_id",
    "subject",
    "type",
    "status",
    "priority",
    "description",
    "responder_id",
    "cc_emails",
    "company_id",
    "custom_fields",
    "due_by",
    "fr_due_by",
    "group_id",
    "source",
    "tags",
];
/// Taken and not kept: this world has no such thing.
const IGNORED: &[&str] = &[
    "attachments",
    "email_config_id",
    "facebook_id",
    "internal_agent_id",
    "internal_group_id",
    "lookup_parameter",
    "parent_id",
    "product_id",
    "related_ticket_ids",
];

/// `POST /tickets`.
pub(super) fn create(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let mut checks = Checks::default();
    check_names(&call.body, &mut checks);
    check_required(&call.body, &mut checks);
    files::check(call, &mut checks);
    let blank = world.blank_fields(0, call.now);
    let fields = Reader { world, body: &call.body, checks: &mut checks }.read(blank);
    checks.done()?;
    let requester_id = requester(world, call);
    let company_id = fields.company_id.or_else(|| world.contacts.get(&requester_id)?.company_id);
    let id = world.open(Fields { requester_id, company_id, ..fields }, call.now);
    let attachments = world.keep_files(call);
    world.tickets.get_mut(&id).ok_or_else(Answer::not_found)?.attachments = attachments;
    let ticket = world.live(id).ok_or_else(Answer::not_found)?;
    let mut answer = Answer::json(201, Value::Object(shape::ticket(&world.look(call), ticket)));
    answer.headers.push(("location", format!("{}/api/v2/tickets/{id}", call.base)));
    Ok(answer)
}

/// `PUT /tickets/{id}`: what is named is set, `tags` as a whole, `custom_fields` one by one.
pub(super) fn update(world: &mut World, call: &Call) -> Result<Answer, Answer> {
    let old = world.live(call.id).ok_or_else(Answer::not_found)?.fields.clone();
    let mut checks = Checks::default();
    check_names(&call.body, &mut checks);
    files::check(call, &mut checks);
    if call.body.contains_key("cc_emails") && !world.options.updates_ccs {
        checks.unknown("cc_emails");
    }
    let named = call.body.keys().any(|name| REQUESTER.contains(&name.as_str()));
    let mut fields = Reader { world, body: &call.body, checks: &mut checks }.read(old);
    checks.done()?;
    if named {
        fields.requester_id = requester(world, call);
    }
    world.set_fields(call.id, fields, call.now);
    let attachments = world.keep_files(call);
    if let Some(ticket) = world.tickets.get_mut(&call.id).filter(|_| !attachments.is_empty()) {
        ticket.attachments.extend(attachments);
        world.changed(call.id, call.now);
    }
    let ticket = world.live(call.id).ok_or_else(Answer::not_found)?;
    Ok(Answer::ok(Value::Object(shape::ticket(&world.look(call), ticket))))
}

const REQUESTER: [&str; 5] = ["requester_id", "email", "phone", "twitter_id", "unique_external_id"];

fn check_names(body: &Map<String, Value>, checks: &mut Checks) {
    let known = |name: &str| KNOWN.contains(&name) || IGNORED.contains(&name);
    for name in body.keys().filter(|name| !known(name)) {
        checks.unknown(name);
    }
}

/// What a create must have. Which fields an account requires is not verified.
fn check_required(body: &Map<String, Value>, checks: &mut Checks) {
    let missing = |name: &str| body.get(name).is_none_or(Value::is_null);
    for name in ["subject", "description"] {
        if missing(name) || body.get(name).and_then(Value::as_str) == Some("") {
            checks.missing(name, "It should be a/an String");
        }
    }
    if missing("status") {
        checks.missing("status", "It should be one of these values: '2,3,4,5,6,7'");
    }
    if missing("priority") {
        checks.missing("priority", "It should be one of these values: '1,2,3,4'");
    }
    if REQUESTER.iter().all(|name| missing(name)) && missing("facebook_id") {
        checks.missing(
            "requester_id",
            "Please fill at least 1 of requester_id, phone, email, twitter_id, facebook_id, unique_external_id fields",
        );
    }
}

/// Finds the requester that a checked body names, or makes the contact.
fn requester(world: &mut World, call: &Call) -> i64 {
    let text = |name: &str| call.body.get(name).and_then(Value::as_str).map(str::to_owned);
    if let Some(id) = call.body.get("requester_id").and_then(Value::as_i64) {
        return id;
    }
    let name = text("name");
    if let Some(email) = text("email") {
        return world.contact_for(&email, name.as_deref(), call.now);
    }
    let wanted = Contact {
        name: name.or_else(|| text("phone")).or_else(|| text("twitter_id")).unwrap_or_default(),
        phone: text("phone"),
        twitter_id: text("twitter_id"),
        unique_external_id: text("unique_external_id"),
        ..Contact::default()
    };
    let same = |mine: &Option<String>, theirs: &Option<String>| mine.is_some() && mine == theirs;
    let found = world.contacts.values().find(|contact| {
        same(&wanted.phone, &contact.phone)
            || same(&wanted.twitter_id, &contact.twitter_id)
            || same(&wanted.unique_external_id, &contact.unique_external_id)
    });
    match found.map(|contact| contact.id) {
        Some(id) => id,
        None => world.add_contact(wanted, call.now),
    }
}

/// Reads a body over the fields that a ticket has.
struct Reader<'a> {
    world: &'a World,
    body: &'a Map<String, Value>,
    checks: &'a mut Checks,
}

impl Reader<'_> {
    fn read(&mut self, old: Fields) -> Fields {
        self.check_requester();
        let (due_by, fr_due_by) = self.due(&old);
        Fields {
            subject: self.subject().unwrap_or(old.subject),
            description: self.text("description").map_or(old.description, |sent| html::sanitise(&sent)),
            status: self.status().unwrap_or(old.status),
            priority: self.one_of("priority", &PRIORITIES).unwrap_or(old.priority),
            source: self.one_of("source", &SOURCES).unwrap_or(old.source),
            kind: self.kind(old.kind),
            requester_id: old.requester_id,
            responder_id: self.person("responder_id", old.responder_id, "agent"),
            group_id: self.person("group_id", old.group_id, "group"),
            company_id: self.person("company_id", old.company_id, "company"),
            cc_emails: self.texts("cc_emails", None).unwrap_or(old.cc_emails),
            tags: self.texts("tags", Some(32)).unwrap_or(old.tags),
            custom: self.custom(old.custom),
            due_by,
            fr_due_by,
        }
    }

    fn check_requester(&mut self) {
        if self.integer("requester_id").is_some_and(|id| !self.world.is_person(id)) {
            self.checks.invalid("requester_id", "There is no contact matching the given requester_id");
        }
        if self.text("email").is_some_and(|email| !is_email(&email)) {
            self.checks.invalid("email", "It should be in the 'valid email address' format");
        }
        for name in ["name", "phone", "twitter_id", "unique_external_id"] {
            self.text(name);
        }
    }

    fn subject(&mut self) -> Option<String> {
        let subject = self.text("subject")?;
        let length = subject.chars().count();
        if length > 255 {
            self.checks.invalid(
                "subject",
                format!("Has {length} characters, it can have maximum of 255 characters"),
            );
        }
        Some(subject)
    }

    fn status(&mut self) -> Option<i64> {
        let status = self.integer("status")?;
        check_status(self.world, self.checks, status);
        Some(status)
    }

    fn kind(&mut self, old: Option<String>) -> Option<String> {
        if self.body.get("type").is_some_and(Value::is_null) {
            return None;
        }
        let Some(kind) = self.text("type") else { return old };
        if !TYPES.contains(&kind.as_str()) {
            let listed = TYPES.join(",");
            self.checks.invalid("type", format!("It should be one of these values: '{listed}'"));
        }
        Some(kind)
    }

    fn one_of(&mut self, name: &str, known: &[(&str, i64)]) -> Option<i64> {
        let value = self.integer(name)?;
        if !known.iter().any(|(_, id)| *id == value) {
            let ids: Vec<String> = known.iter().map(|(_, id)| id.to_string()).collect();
            self.checks.invalid(name, format!("It should be one of these values: '{}'", ids.join(",")));
        }
        Some(value)
    }

    /// An agent, a group or a company; null takes it off.
    fn person(&mut self, name: &str, old: Option<i64>, what: &str) -> Option<i64> {
        match self.body.get(name) {
            None => return old,
            Some(Value::Null) => return None,
            Some(_) => {}
        }
        let id = self.integer(name)?;
        let world = self.world;
        let known = match what {
            "agent" => world.agents.contains_key(&id),
            "company" => world.companies.contains_key(&id),
            _ => world.groups.contains_key(&id),
        };
        if !known {
            self.checks.invalid(name, format!("There is no {what} matching the given {name}"));
        }
        Some(id)
    }

    fn texts(&mut self, name: &str, longest: Option<usize>) -> Option<Vec<String>> {
        let value = self.body.get(name)?;
        let Some(list) = value.as_array() else {
            self.checks.mismatch(name, value, "Array");
            return None;
        };
        let mut out: Vec<String> = Vec::new();
        for item in list {
            let Some(text) = item.as_str() else {
                self.checks.mismatch(name, item, "String");
                return None;
            };
            let text = text.trim();
            if longest.is_some_and(|longest| text.chars().count() > longest) {
                self.checks
                    .invalid(name, "It should only contain elements that have maximum of 32 characters");
                return None;
            }
            if !text.is_empty() && !out.iter().any(|known| known == text) {
                out.push(text.to_owned());
            }
        }
        Some(out)
    }

    fn custom(&mut self, old: BTreeMap<String, Value>) -> BTreeMap<String, Value> {
        let Some(value) = self.body.get("custom_fields") else { return old };
        let Some(sent) = value.as_object() else {
            self.checks.mismatch("custom_fields", value, "Key/Value Pair");
            return old;
        };
        let mut out = old;
        for (name, value) in sent {
            match self.world.custom_fields.iter().find(|field| field.name == *name) {
                None => self.checks.unknown(name),
                Some(field) => {
                    field.check(value, self.checks);
                    out.insert(name.clone(), value.clone());
                }
            }
        }
        out
    }

    /// The first response is never due after the answer: likely, not verified.
    fn due(&mut self, old: &Fields) -> (Timestamp, Timestamp) {
        let (due_by, first) = (self.moment("due_by"), self.moment("fr_due_by"));
        let is_told = due_by.is_some() || first.is_some();
        let (due_by, first) = (due_by.unwrap_or(old.due_by), first.unwrap_or(old.fr_due_by));
        if is_told && first > due_by {
            self.checks.invalid("fr_due_by", "It should be less than or equal to due_by");
        }
        (due_by, first)
    }

    fn moment(&mut self, name: &str) -> Option<Timestamp> {
        let text = self.text(name)?;
        let moment = Timestamp::parse(&text).ok();
        if moment.is_none() {
            self.checks.invalid(name, "The date must be in the 'combined date and time ISO8601' format");
        }
        moment.map(|moment| Timestamp::from_secs(moment.as_secs()))
    }

    fn text(&mut self, name: &str) -> Option<String> {
        match self.body.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => Some(text.clone()),
            Some(other) => {
                self.checks.mismatch(name, other, "String");
                None
            }
        }
    }

    fn integer(&mut self, name: &str) -> Option<i64> {
        match self.body.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => {
                let number = value.as_i64();
                if number.is_none() {
                    self.checks.mismatch(name, value, "Integer");
                }
                number
            }
        }
    }
}

/// Whether a text can be an address.
pub(super) fn is_email(text: &str) -> bool {
    let clean = !text.chars().any(|letter| letter.is_whitespace() || letter == ',');
    clean && text.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
}
