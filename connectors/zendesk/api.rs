//! Requests to Zendesk, as values. Pure.

use std::time::Duration;

use handoffd_core::{
    Message, OpKey, Person, RemoteId, Timestamp, Version,
    intent::{Create, Update},
};
use http::{HeaderValue, Method};
use sha2::{Digest, Sha256};
use url::form_urlencoded::byte_serialize;

use super::{
    body::{CommentWrite, MetadataWrite, RequesterWrite, TicketBody, TicketWrite, UserBody, UserWrite},
    limits::{self, AUDITS, EXPORTS, ONE_PERSON, ONE_TICKET, PEOPLE_UPSERT, TICKETS_INDEX, TICKETS_UPDATE},
    map,
    settings::{PAGE_ROWS_MAX, Settings},
};
use crate::{
    client::{
        Ask, Kind,
        json::{get, json},
    },
    contract::{Error, Result},
};

/// How many tickets one request may name.
pub const IDS_MAX: usize = 100;

/// The export gives no change that is younger than a minute and refuses to
/// start there. Twice that leaves room for clocks that differ.
const START_AGE: Duration = Duration::from_secs(120);

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
    let path = format!("/api/v2/incremental/tickets/cursor.json?{from}{size}&include=users,comment_count");
    drawing(get(&path)?, &[EXPORTS])
}

/// Several tickets, at most [`IDS_MAX`].
pub fn show_many(tickets: &[&RemoteId]) -> Result<Ask> {
    let ids: Vec<&str> = tickets.iter().map(|id| id.as_str()).collect();
    get(&format!("/api/v2/tickets/show_many.json?ids={}&include=users,comment_count", ids.join(",")))
}

/// A page of a ticket's comments, oldest first. The first is the description.
pub fn comments(ticket: &RemoteId, after: Option<&str>) -> Result<Ask> {
    let after = page_after(after);
    get(&format!("/api/v2/tickets/{}/comments.json?page[size]=100{after}&include=users", number(ticket)?))
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

/// Makes a ticket, silently. The same intent gives the same bytes, as the
/// idempotency key demands. `author`: the customer who wrote the opening.
pub fn create(create: &Create, author: Option<&RemoteId>, settings: &Settings) -> Result<Ask> {
    let new = &create.ticket;
    let mut write = TicketWrite {
        external_id: Some(create.key.to_string()),
        metadata: Some(marked(&create.key)),
        comment: Some(match &new.opening {
            Some(opening) => CommentWrite {
                body: inline(opening.text.body().text())?,
                public: true,
                author_id: author.map(map::id_json),
            },
            None => CommentWrite { body: PRIVATE_OPENING.to_owned(), public: false, author_id: None },
        }),
        // The submitter becomes the author of the first comment.
        submitter_id: author.filter(|_| new.opening.is_some()).map(map::id_json),
        ..TicketWrite::default()
    };
    match (email_of(&new.requester), author) {
        (Some(email), _) => {
            let name = display_name(&new.requester, &email);
            write.requester = Some(RequesterWrite { name, email });
        }
        (None, Some(author)) => write.requester_id = Some(map::id_json(author)),
        (None, None) => {
            return Err(Error::Refused { why: "the customer has no e-mail address".to_owned() });
        }
    }
    map::write_fields(&mut write, &new.fields, true);
    let tags = write.tags.take().unwrap_or_default();
    write.tags = Some(with_quiet(tags, settings));
    let mut ask =
        json(Method::POST, "/api/v2/tickets.json", &TicketBody { ticket: write }, Kind::IdempotentWrite)?;
    let key = HeaderValue::from_str(create.key.as_str())
        .map_err(|_| Error::Refused { why: "the marker is no header value".to_owned() })?;
    ask.request.headers_mut().insert("idempotency-key", key);
    Ok(ask)
}

/// What an update needs beside the intent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpdateTerms {
    /// Keep the account's triggers from mailing: the quiet tag goes along.
    pub quiet: bool,
    /// The tags that the ticket has beside the quiet one, where the intent does not set them and the
    /// quiet tag goes along or is to go.
    pub tags_now: Option<Vec<String>>,
    /// The version that the update is tied to.
    pub tied_to: Option<Version>,
}

/// Changes a ticket: fields, tags and at most one message.
pub fn update(
    update: &Update,
    author: Option<&RemoteId>,
    terms: &UpdateTerms,
    settings: &Settings,
) -> Result<Ask> {
    let mut write = TicketWrite { metadata: Some(marked(&update.key)), ..TicketWrite::default() };
    map::write_fields(&mut write, &update.set, false);
    if let Some(message) = &update.message {
        write.comment = Some(CommentWrite {
            body: inline(message.body().text())?,
            public: matches!(message, Message::Public(_)),
            author_id: author.map(map::id_json),
        });
    }
    write.tags = write.tags.or_else(|| terms.tags_now.clone());
    if terms.quiet {
        let tags = write.tags.take().ok_or_else(|| Error::Refused {
            why: "the quiet tag cannot be set without knowing the other tags".to_owned(),
        })?;
        write.tags = Some(with_quiet(tags, settings));
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

fn inline(text: Option<&str>) -> Result<String> {
    text.map(str::to_owned)
        .ok_or_else(|| Error::Refused { why: "the message's text is not at hand".to_owned() })
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
