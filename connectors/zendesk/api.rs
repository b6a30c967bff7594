//! Requests to Zendesk, as values. Pure.

use std::{collections::BTreeSet, time::Duration};

use handoffd_core::{
    Body, Message, OpKey, Person, RemoteId, Role, Timestamp, Version,
    intent::{Create, Import, Update},
};
use http::{HeaderValue, Method};
use sha2::{Digest, Sha256};
use url::form_urlencoded::byte_serialize;

use super::{
    body::{
        CommentWrite, FieldBody, MetadataWrite, RedactionBody, RequesterWrite, StatusBody, TicketBody,
        TicketWrite, UserBody, UserWrite,
    },
    fields,
    limits::{
        self, AUDITS, EXPORTS, ONE_PERSON, ONE_TICKET, PEOPLE_UPSERT, TICKETS_DELETE, TICKETS_INDEX,
        TICKETS_UPDATE,
    },
    map::{self, Dialect},
    settings::{PAGE_ROWS_MAX, Settings},
};
use crate::{
    client::{
        Ask, Kind,
        json::{get, json},
    },
    contract::{Error, Result, Supply},
    html,
};

/// How many tickets one request may name.
pub const IDS_MAX: usize = 100;

/// The export gives no change that is younger than a minute and refuses to
/// start there. Twice that leaves room for clocks that differ.
const START_AGE: Duration = Duration::from_secs(120);

/// What comes with tickets at no further request.
const SIDE_LOADS: &str = "include=users,comment_count,custom_statuses";

const PRIVATE_OPENING: &str = "This conversation began with internal notes.";

/// From where a page of the export is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExportFrom {
    /// The first page of a new read: seconds since the epoch.
    Start(i64),
    /// After this cursor of Zendesk's.
    After(String),
}

impl ExportFrom {
    /// The start of a read of changes since `since`, as young as Zendesk allows.
    pub fn start(since: Timestamp, now: Timestamp) -> Self {
        Self::Start(since.as_secs().min(now.minus(START_AGE).as_secs()).max(0))
    }
}

/// A page of the ticket export. A cursor is never sent together with a start
/// time: that would skip rows.
pub fn export(from: &ExportFrom, rows: u32) -> Result<Ask> {
    let from = match from {
        ExportFrom::Start(secs) => format!("start_time={secs}"),
        ExportFrom::After(cursor) => format!("cursor={}", escape(cursor)),
    };
    let size = if rows < PAGE_ROWS_MAX { format!("&per_page={rows}") } else { String::new() };
    let path = format!("/api/v2/incremental/tickets/cursor.json?{from}{size}&{SIDE_LOADS}");
    drawing(get(&path)?, &[EXPORTS])
}

/// Several tickets, at most [`IDS_MAX`].
pub fn show_many(tickets: &[&RemoteId]) -> Result<Ask> {
    let ids: Vec<&str> = tickets.iter().map(|id| id.as_str()).collect();
    get(&format!("/api/v2/tickets/show_many.json?ids={}&{SIDE_LOADS}", ids.join(",")))
}

/// A page of a ticket's comments, oldest first. The first is the description.
pub fn comments(ticket: &RemoteId, after: Option<&str>) -> Result<Ask> {
    let after = page_after(after);
    let path = format!("/api/v2/tickets/{}/comments.json?page[size]=100{after}", number(ticket)?);
    get(&format!("{path}&include_inline_images=true&include=users"))
}

/// The newest comments of a ticket, a page of them.
pub fn newest_comments(ticket: &RemoteId, after: Option<&str>) -> Result<Ask> {
    let after = page_after(after);
    let path =
        format!("/api/v2/tickets/{}/comments.json?sort=-created_at&page[size]=100{after}", number(ticket)?);
    get(&format!("{path}&include_inline_images=true"))
}

/// A page of the export of events, comments in full.
pub fn events(start_secs: i64, rows: u32) -> Result<Ask> {
    let size = if rows < PAGE_ROWS_MAX { format!("&per_page={rows}") } else { String::new() };
    let from = format!("start_time={start_secs}{size}");
    let path = format!("/api/v2/incremental/ticket_events.json?{from}&include=comment_events");
    drawing(get(&path)?, &[EXPORTS])
}

/// How many tickets there are; Zendesk counts anew once a day above 100,000.
pub fn tickets_count() -> Result<Ask> {
    get("/api/v2/tickets/count.json")
}

/// Several people, at most [`IDS_MAX`].
pub fn people(ids: &[&RemoteId]) -> Result<Ask> {
    let ids: Vec<&str> = ids.iter().map(|id| id.as_str()).collect();
    get(&format!("/api/v2/users/show_many.json?ids={}", ids.join(",")))
}

/// The account's statuses, all of them.
pub fn statuses() -> Result<Ask> {
    get("/api/v2/custom_statuses.json")
}

/// A page of the account's ticket fields.
pub fn ticket_fields(after: Option<&str>) -> Result<Ask> {
    get(&format!("/api/v2/ticket_fields.json?page[size]=100{}", page_after(after)))
}

/// A page of the account's groups.
pub fn groups(after: Option<&str>) -> Result<Ask> {
    get(&format!("/api/v2/groups.json?page[size]=100{}", page_after(after)))
}

/// A page of the account's agents.
pub fn agents(after: Option<&str>) -> Result<Ask> {
    get(&format!("/api/v2/users.json?role[]=agent&role[]=admin&page[size]=100{}", page_after(after)))
}

/// A page of a ticket's audits, newest first.
pub fn audits(ticket: &RemoteId, after: Option<&str>) -> Result<Ask> {
    let after = page_after(after);
    let path =
        format!("/api/v2/tickets/{}/audits.json?sort=-created_at&page[size]=100{after}", number(ticket)?);
    drawing(get(&path)?, &[AUDITS])
}

/// Tickets that bear this marker. The list, unlike the search, does not lag.
pub fn by_external_id(key: &OpKey) -> Result<Ask> {
    let path = format!("/api/v2/tickets.json?external_id={}&include=users", escape(key.as_str()));
    drawing(get(&path)?, &[TICKETS_INDEX])
}

/// Who we are.
pub fn me() -> Result<Ask> {
    get("/api/v2/users/me.json")
}

/// A page of the active triggers.
pub fn triggers(after: Option<&str>) -> Result<Ask> {
    get(&format!("/api/v2/triggers.json?active=true&page[size]=100{}", page_after(after)))
}

/// People whose address may be this one.
pub fn people_by_email(email: &str) -> Result<Ask> {
    let quoted = format!("email:\"{}\"", email.replace(['"', '\\'], ""));
    get(&format!("/api/v2/users/search.json?query={}", escape(&quoted)))
}

/// Makes a person, or gives back the one who has this address.
pub fn upsert_person(person: &Person, email: &str) -> Result<Ask> {
    let user =
        UserWrite { name: display_name(person, email), email: email.to_owned(), skip_verify_email: true };
    let path = "/api/v2/users/create_or_update.json";
    let ask = json(Method::POST, path, &UserBody { user }, Kind::IdempotentWrite)?;
    let mut ask = drawing(ask, &[PEOPLE_UPSERT])?;
    let whose = hex::encode(&Sha256::digest(email.as_bytes())[..6]);
    ask.buckets.push((format!("{PEOPLE_UPSERT}/{whose}"), ONE_PERSON));
    Ok(ask)
}

/// What a message needs beside the intent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// Who wrote it; `None` for our own user.
    pub author: Option<&'a RemoteId>,
    /// Its files, uploaded.
    pub uploads: &'a [Uploaded],
}

/// A file that was uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uploaded {
    /// What the comment names.
    pub token: String,
    /// The file's name.
    pub name: String,
}

/// Makes a ticket, silently. The same intent gives the same bytes, as the
/// idempotency key demands. The sender is the customer who wrote the opening.
pub fn create(create: &Create, sender: Sender<'_>, dialect: Dialect<'_>) -> Result<Ask> {
    let mut write = new_ticket(create, sender, dialect)?;
    write.metadata = Some(marked(&create.key));
    let tags = write.tags.take().unwrap_or_default();
    write.tags = Some(with_quiet(tags, dialect.settings));
    let mut ask =
        json(Method::POST, "/api/v2/tickets.json", &TicketBody { ticket: write }, Kind::IdempotentWrite)?;
    let key = HeaderValue::from_str(create.key.as_str())
        .map_err(|_| Error::Refused { why: "the marker is no header value".to_owned() })?;
    ask.request.headers_mut().insert("idempotency-key", key);
    Ok(ask)
}

/// What a new ticket holds, however it is made.
fn new_ticket(create: &Create, sender: Sender<'_>, dialect: Dialect<'_>) -> Result<TicketWrite> {
    let new = &create.ticket;
    let Sender { author, .. } = sender;
    let mut write = TicketWrite {
        external_id: Some(create.key.to_string()),
        comment: Some(match &new.opening {
            Some(opening) => comment(opening.text.body(), true, sender)?,
            None => CommentWrite {
                body: Some(PRIVATE_OPENING.to_owned()),
                public: false,
                ..CommentWrite::default()
            },
        }),
        // The submitter becomes the author of the first comment.
        submitter_id: author.filter(|_| new.opening.is_some()).map(map::id_json),
        via_followup_source_id: new.follows.as_ref().map(map::id_json),
        ..TicketWrite::default()
    };
    let wrote_it = new.opening.as_ref().is_none_or(|opening| opening.author.role == Role::Customer);
    match (email_of(&new.requester), author.filter(|_| wrote_it)) {
        (Some(email), _) => {
            let name = display_name(&new.requester, &email);
            write.requester = Some(RequesterWrite { name, email });
        }
        (None, Some(author)) => write.requester_id = Some(map::id_json(author)),
        (None, None) => {
            return Err(Error::Refused { why: "the customer has no e-mail address".to_owned() });
        }
    }
    map::write_fields(&mut write, &new.fields, true, dialect, &BTreeSet::new());
    write.tags = Some(fields::whole_tags(&new.fields, None, dialect.custom, &dialect.settings.quiet_tag));
    Ok(write)
}

/// Makes a ticket with its past. `senders`: of each message after the opening.
/// Zendesk mails nobody and runs no trigger; it knows no idempotency key here.
pub fn import(
    create: &Create,
    past: &Import,
    sender: Sender<'_>,
    senders: &[Sender<'_>],
    dialect: Dialect<'_>,
) -> Result<Ask> {
    let mut write = new_ticket(create, sender, dialect)?;
    let opening = write.comment.take().unwrap_or_default();
    write.created_at = Some(past.created_at.to_rfc3339_secs());
    write.comments.push(CommentWrite { created_at: Some(past.opening_at.to_rfc3339_secs()), ..opening });
    for (said, sender) in past.messages.iter().zip(senders) {
        let public = matches!(said.message, Message::Public(_));
        let words = comment(said.message.body(), public, *sender)?;
        write.comments.push(CommentWrite { created_at: Some(said.at.to_rfc3339_secs()), ..words });
    }
    json(Method::POST, "/api/v2/imports/tickets.json", &TicketBody { ticket: write }, Kind::Write)
}

/// A message: its markup if it has some, else its text. Zendesk reads `body` as Markdown where the
/// account says so: a private note, which tells in our own words what customers said, goes as
/// markup, so that nobody's words become a link or a picture in it.
fn comment(body: &Body, public: bool, sender: Sender<'_>) -> Result<CommentWrite> {
    let text =
        body.text().ok_or_else(|| Error::Refused { why: "the message's text is not at hand".to_owned() })?;
    let uploads: Vec<String> = sender.uploads.iter().map(|file| file.token.clone()).collect();
    let names = || sender.uploads.iter().map(|file| file.name.as_str()).collect::<Vec<_>>().join(", ");
    let html_body = body.html().map(str::to_owned);
    let plain = match text.trim() {
        // Zendesk drops a comment that says nothing, and its files with it.
        "" if !uploads.is_empty() => format!("[{}]", names()),
        _ => text.to_owned(),
    };
    let html_body = html_body.or_else(|| (!public).then(|| html::from_text(&plain)));
    Ok(CommentWrite {
        body: html_body.is_none().then_some(plain),
        html_body,
        public,
        author_id: sender.author.map(map::id_json),
        uploads,
        created_at: None,
    })
}

/// Uploads a file. A second upload of the same makes one that nobody uses.
pub fn upload(file: &Supply) -> Result<Ask> {
    let path = format!("/api/v2/uploads.json?filename={}", escape(&file.name));
    let mut ask = json(Method::POST, &path, &(), Kind::IdempotentWrite)?;
    *ask.request.body_mut() = bytes::Bytes::new();
    let plain = HeaderValue::from_static("application/octet-stream");
    let kind = HeaderValue::from_str(&file.content_type).unwrap_or(plain);
    ask.request.headers_mut().insert(http::header::CONTENT_TYPE, kind);
    ask.upload = vec![file.content.clone()];
    Ok(ask)
}

/// Hides a comment from the customer. Doing it again changes nothing.
pub fn make_private(ticket: &RemoteId, comment: &RemoteId) -> Result<Ask> {
    let path = format!("/api/v2/tickets/{}/comments/{}/make_private.json", number(ticket)?, number(comment)?);
    let mut ask = drawing(json(Method::PUT, &path, &Nothing {}, Kind::IdempotentWrite)?, &[TICKETS_UPDATE])?;
    // It is described without a body.
    *ask.request.body_mut() = bytes::Bytes::new();
    ask.buckets.push((format!("{TICKETS_UPDATE}/{ticket}"), ONE_TICKET));
    Ok(ask)
}

/// Takes out what is marked. What is out already cannot be marked again.
pub fn redact(comment: &RemoteId, body: &RedactionBody) -> Result<Ask> {
    json(Method::PUT, &format!("/api/v2/comment_redactions/{}.json", number(comment)?), body, Kind::Write)
}

/// Deletes a ticket, for thirty days in a way that an agent can undo.
pub fn delete(ticket: &RemoteId) -> Result<Ask> {
    let path = format!("/api/v2/tickets/{}.json", number(ticket)?);
    let mut ask = json(Method::DELETE, &path, &Nothing {}, Kind::Write)?;
    *ask.request.body_mut() = bytes::Bytes::new();
    drawing(ask, &[TICKETS_DELETE])
}

/// Makes a ticket field.
pub fn make_field(body: &FieldBody) -> Result<Ask> {
    json(Method::POST, "/api/v2/ticket_fields.json", body, Kind::Write)
}

/// Makes a custom status.
pub fn make_status(body: &StatusBody) -> Result<Ask> {
    json(Method::POST, "/api/v2/custom_statuses.json", body, Kind::Write)
}

/// An object without anything in it.
#[derive(serde::Serialize)]
struct Nothing {}

/// What an update needs beside the intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateTerms {
    /// Keep the account's triggers from mailing: the quiet tag goes along.
    pub quiet: bool,
    /// The whole set of tags to write, the quiet one aside, where it is not just what the intent
    /// sets: options belong to it, and a quiet update needs one.
    pub tags: Option<Vec<String>>,
    /// Who is in copy before.
    pub ccs_now: BTreeSet<String>,
    /// The version that the update is tied to.
    pub tied_to: Option<Version>,
}

/// Changes a ticket: fields, tags and at most one message.
pub fn update(update: &Update, sender: Sender<'_>, terms: &UpdateTerms, dialect: Dialect<'_>) -> Result<Ask> {
    let mut write = TicketWrite { metadata: Some(marked(&update.key)), ..TicketWrite::default() };
    map::write_fields(&mut write, &update.set, false, dialect, &terms.ccs_now);
    if let Some(message) = &update.message {
        write.comment = Some(comment(message.body(), matches!(message, Message::Public(_)), sender)?);
    }
    write.tags = terms.tags.clone().or(write.tags);
    if terms.quiet {
        let tags = write.tags.take().ok_or_else(|| Error::Refused {
            why: "the quiet tag cannot be set without knowing the other tags".to_owned(),
        })?;
        write.tags = Some(with_quiet(tags, dialect.settings));
    }
    tie(&mut write, terms.tied_to);
    put(&update.at.id, write, Kind::Write)
}

/// Takes the quiet tag off again: the whole set without it, tied to the version that showed the set.
pub fn unquiet(ticket: &RemoteId, tags: Vec<String>, version: Version, key: &OpKey) -> Result<Ask> {
    let metadata = MetadataWrite { handoffd_op: None, handoffd_quiet_off: Some(key.to_string()) };
    let mut write = TicketWrite { tags: Some(tags), metadata: Some(metadata), ..TicketWrite::default() };
    tie(&mut write, Some(version));
    put(ticket, write, Kind::Write)
}

fn put(ticket: &RemoteId, write: TicketWrite, kind: Kind) -> Result<Ask> {
    assert_ne!(write.status, Some("closed"), "nothing undoes closed");
    let path = format!("/api/v2/tickets/{}.json", number(ticket)?);
    let mut ask = drawing(json(Method::PUT, &path, &TicketBody { ticket: write }, kind)?, &[TICKETS_UPDATE])?;
    ask.buckets.push((format!("{TICKETS_UPDATE}/{ticket}"), ONE_TICKET));
    Ok(ask)
}

fn tie(write: &mut TicketWrite, version: Option<Version>) {
    if let Some(version) = version {
        write.safe_update = Some(true);
        write.updated_stamp = Some(Timestamp(version.0).to_rfc3339_secs());
    }
}

fn with_quiet(mut tags: Vec<String>, settings: &Settings) -> Vec<String> {
    tags.push(settings.quiet_tag.clone());
    tags.sort();
    tags.dedup();
    tags
}

fn marked(key: &OpKey) -> MetadataWrite {
    MetadataWrite { handoffd_op: Some(key.to_string()), handoffd_quiet_off: None }
}

/// The address as it is written, trimmed.
pub fn email_of(person: &Person) -> Option<String> {
    person.email.as_deref().map(str::trim).filter(|email| !email.is_empty()).map(str::to_owned)
}

/// Zendesk makes nobody without a name.
fn display_name(person: &Person, email: &str) -> String {
    let name = person.name.trim();
    if name.is_empty() { email.to_owned() } else { name.to_owned() }
}

fn drawing(mut ask: Ask, buckets: &[&str]) -> Result<Ask> {
    ask.buckets.extend(buckets.iter().map(|bucket| ((*bucket).to_owned(), limits::quota(bucket))));
    Ok(ask)
}

/// The id, if it can stand in a path. Any other is no ticket here.
fn number(ticket: &RemoteId) -> Result<&str> {
    if is_number(ticket) { Ok(ticket.as_str()) } else { Err(Error::Gone) }
}

/// Whether this can be an id of Zendesk's.
pub fn is_number(id: &RemoteId) -> bool {
    !id.as_str().is_empty() && id.as_str().bytes().all(|byte| byte.is_ascii_digit())
}

fn page_after(after: Option<&str>) -> String {
    after.map_or_else(String::new, |cursor| format!("&page[after]={}", escape(cursor)))
}

fn escape(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
