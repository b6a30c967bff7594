//! What becomes of comments and tickets later: hidden, redacted, merged, spam.

use bytes::Bytes;
use handoffd_core::Status;
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    change::{Act, Refusal, refuse},
    html, read,
    state::{Comment, Ticket},
    text::{escape, html_of, plain_of},
    uploads::{File, content_url},
};

/// What the vendor puts in the place of each character that is taken out.
const BLOCK: char = '▇';

impl Sim {
    fn comment_mut(&mut self, ticket: i64, comment: i64) -> Result<&mut Comment, Refusal> {
        let found = self.world.tickets.get_mut(&ticket).filter(|ticket| ticket.deleted.is_none());
        let found = found.and_then(|ticket| ticket.comments.iter_mut().find(|one| one.id == comment));
        found.ok_or(Refusal::Gone)
    }

    /// Makes an audit of something that is no change of a field, and rings.
    fn noted(&mut self, id: i64, event: Value, kind: &'static str, told: Value, act: &Act) {
        let mut audit = self.new_audit(act);
        audit.events.push(event);
        if let Some(ticket) = self.world.tickets.get_mut(&id) {
            ticket.audits.push(audit);
            ticket.updated_at = act.now.as_secs();
            ticket.generated_at = act.now.as_secs();
        }
        self.hooks.ticket_event(&mut self.world, id, kind, told, act);
    }

    /// Hides a comment from the customer. A second time changes nothing.
    pub(super) fn hide(&mut self, ticket: i64, comment: i64, act: &Act) -> Result<(), Refusal> {
        self.open_for_writes(ticket)?;
        let one = self.comment_mut(ticket, comment)?;
        if !std::mem::replace(&mut one.public, false) {
            return Ok(());
        }
        let event = json!({"id": self.world.ids.large(), "type": "CommentPrivacyChange", "comment_id": comment, "public": false});
        self.noted(
            ticket,
            event,
            "comment_made_private",
            json!({"comment": {"id": comment.to_string()}}),
            act,
        );
        Ok(())
    }

    fn open_for_writes(&self, ticket: i64) -> Result<(), Refusal> {
        match self.world.tickets.get(&ticket).filter(|ticket| ticket.deleted.is_none()) {
            None => Err(Refusal::Gone),
            Some(ticket) if ticket.head.status == Status::Closed => {
                refuse("status", "closed prevents ticket update")
            }
            Some(_) => Ok(()),
        }
    }

    /// Takes everything out of a comment, its files too.
    pub(super) fn blacken(&mut self, ticket: i64, comment: i64, act: &Act) -> Result<(), Refusal> {
        let one = self.comment_mut(ticket, comment)?;
        let body: String = one.body.chars().map(|c| if c.is_whitespace() { c } else { BLOCK }).collect();
        (one.html, one.body) = (html_of(&body), body);
        let files = one.files.clone();
        self.redacted(ticket, comment, &files, act);
        Ok(())
    }

    fn redacted(&mut self, ticket: i64, comment: i64, files: &[i64], act: &Act) {
        for id in files {
            if let Some(file) = self.world.files.get_mut(id) {
                *file = File {
                    name: "redacted.txt".to_owned(),
                    kind: "text/plain".to_owned(),
                    bytes: Bytes::new(),
                    ..file.clone()
                };
            }
        }
        let event =
            json!({"id": self.world.ids.large(), "type": "CommentRedactionEvent", "comment_id": comment});
        self.noted(ticket, event, "comment_redacted", json!({"comment": {"id": comment.to_string()}}), act);
    }

    pub(super) fn make_private(&mut self, id: i64, comment: i64, call: &Call) -> Answer {
        self.hide(id, comment, &read::act(call, &Map::new())).map_err(|refusal| refusal.reply())?;
        Ok(Reply::empty(200))
    }

    /// `PUT /comment_redactions/{id}`: what stands in `<redact>` becomes blocks, elements with the
    /// attribute `redact` go, and so do the files that are named.
    pub(super) fn redact_marked(&mut self, comment: i64, call: &Call) -> Answer {
        let Value::Object(sent) = call.json()? else {
            return Err(Reply::bad_parameter("ticket_id", "It must be present"));
        };
        let ticket = read::id(&sent, "ticket_id")?.flatten().ok_or_else(Reply::no_record)?;
        let found = self.world.live(ticket)?.comments.iter().find(|one| one.id == comment);
        let found = found.ok_or_else(Reply::no_record)?.clone();
        let marked = read::text(&sent, "html_body")?.flatten();
        let urls: Vec<&str> = match sent.get("external_attachment_urls") {
            Some(Value::Array(urls)) => urls.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let is_named = |id: &&i64| {
            self.world
                .files
                .get(*id)
                .is_some_and(|file| urls.contains(&content_url(file, &call.origin).as_str()))
        };
        let mut files: Vec<i64> = found.files.iter().filter(is_named).copied().collect();
        if let Some(marked) = marked {
            let shown = self.world.html_shown(&found, &call.origin);
            let left = html::redacted(&marked, BLOCK);
            if left.before != shown {
                return Err(Reply::invalid("html_body", "Html body: does not match the comment"));
            }
            let gone = |id: &&i64| {
                self.world
                    .files
                    .get(*id)
                    .is_some_and(|file| left.images.contains(&content_url(file, &call.origin)))
            };
            files.extend(found.files.iter().filter(gone));
            let one = self.comment_mut(ticket, comment).map_err(|refusal| refusal.reply())?;
            one.body = plain_of(&left.after);
            one.html = left.after;
        }
        self.redacted(ticket, comment, &files, &read::act(call, &Map::new()));
        self.one_comment(ticket, comment, call)
    }

    fn one_comment(&self, ticket: i64, comment: i64, call: &Call) -> Answer {
        let ticket = self.world.live(ticket)?;
        let one = ticket.comments.iter().find(|one| one.id == comment).ok_or_else(Reply::no_record)?;
        let audit = ticket.audits.iter().find(|audit| audit.id == one.audit_id);
        Ok(Reply::ok(json!({"comment": self.world.comment_json(one, audit, call)})))
    }

    /// `PUT …/redact`: the given words become blocks, in the text and in its HTML.
    pub(super) fn redact(&mut self, id: i64, comment: i64, call: &Call) -> Answer {
        self.open_for_writes(id).map_err(|refusal| refusal.reply())?;
        let sent = call.json()?;
        let words = sent.get("text").and_then(Value::as_str).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| Reply::bad_parameter("text", "It must be present"))?;
        let one = self.comment_mut(id, comment).map_err(|refusal| refusal.reply())?;
        if !one.body.contains(words) {
            return Err(Reply::invalid("text", "Text: could not be found in the comment"));
        }
        let blocks = BLOCK.to_string().repeat(words.chars().count());
        one.body = one.body.replace(words, &blocks);
        one.html = html_of(&one.body);
        self.redacted(id, comment, &[], &read::act(call, &Map::new()));
        self.one_comment(id, comment, call)
    }

    /// `POST /tickets/{id}/merge`.
    pub(super) fn merge(&mut self, target: i64, call: &Call) -> Answer {
        self.world.live(target)?;
        let Value::Object(sent) = call.json()? else {
            return Err(Reply::bad_parameter("ids", "It must be an array"));
        };
        let ids: Vec<i64> = match sent.get("ids") {
            Some(Value::Array(ids)) => ids.iter().filter_map(Value::as_i64).collect(),
            _ => return Err(Reply::bad_parameter("ids", "It must be an array")),
        };
        let act = read::act(call, &Map::new());
        let mut results = Vec::new();
        for id in &ids {
            let words = read::text(&sent, "source_comment")?.flatten();
            let public = sent.get("source_comment_is_public").and_then(Value::as_bool).unwrap_or(false);
            self.end_in(*id, target, words, public, &act).map_err(|refusal| refusal.reply())?;
            results.push(json!({"id": id, "action": "merge", "status": "Merged", "success": true}));
        }
        let words = read::text(&sent, "target_comment")?.flatten();
        let public = sent.get("target_comment_is_public").and_then(Value::as_bool).unwrap_or(false);
        self.take_in(target, &ids, words, public, &act).map_err(|refusal| refusal.reply())?;
        Ok(Reply::ok(json!({"job_status": self.finish_job(results, "Ticket Merge", call)})))
    }

    /// The ticket is closed, tagged, and says where it went. Only the note and the event name the target.
    pub(super) fn end_in(
        &mut self,
        id: i64,
        target: i64,
        words: Option<String>,
        public: bool,
        act: &Act,
    ) -> Result<(), Refusal> {
        let ticket =
            self.world.tickets.get(&id).filter(|ticket| ticket.deleted.is_none()).ok_or(Refusal::Gone)?;
        let mut tags = ticket.head.tags.clone();
        tags.insert("closed_by_merge".to_owned());
        let usual = format!("This request was closed and merged into request #{target}.");
        let change = super::change::Change {
            status: Some(Status::Closed),
            tags: Some(tags),
            note: Some(said(&words.unwrap_or(usual), public)),
            ..Default::default()
        };
        self.update(id, &change, &Act { channel: "system", ..act.clone() })?;
        if let Some(ticket) = self.world.tickets.get_mut(&id) {
            ticket.merged_into = Some(target);
        }
        let told = json!({"target_ticket_id": target.to_string()});
        self.hooks.ticket_event(&mut self.world, id, "merged", told, act);
        Ok(())
    }

    /// The ticket that goes on is told of those that ended in it.
    pub(super) fn take_in(
        &mut self,
        target: i64,
        ids: &[i64],
        words: Option<String>,
        public: bool,
        act: &Act,
    ) -> Result<(), Refusal> {
        let listed: Vec<String> = ids.iter().map(|id| format!("#{id}")).collect();
        let usual = format!("Requests {} were closed and merged into this request.", listed.join(", "));
        let note = Some(said(&words.unwrap_or(usual), public));
        let change = super::change::Change { note, ..Default::default() };
        self.update(target, &change, act).map(|_| ())
    }

    /// Deletes the ticket and suspends who asked.
    pub(super) fn spam(&mut self, id: i64, act: &Act) -> Result<(), Refusal> {
        let requester = self.world.tickets.get(&id).map(|ticket| ticket.head.requester);
        self.delete(id, act)?;
        if let Some(user) =
            requester.and_then(|id| self.world.users.get_mut(&id)).filter(|user| !user.role.is_staff())
        {
            user.suspended = true;
        }
        self.hooks.ticket_event(&mut self.world, id, "marked_as_spam", json!({}), act);
        Ok(())
    }
}

fn said(text: &str, public: bool) -> super::change::Note {
    let (body, html) = (text.to_owned(), html_of(text));
    super::change::Note { author: None, body, html, public: Some(public), files: Vec::new() }
}

impl super::world::World {
    /// The HTML of a comment, its own files at their addresses.
    pub(super) fn html_shown(&self, comment: &Comment, origin: &str) -> String {
        let mut html = comment.html.clone();
        for file in comment.files.iter().filter_map(|id| self.files.get(id)).filter(|file| file.inline) {
            html = html.replace(&format!("zd-file:{}", file.id), &escape(&content_url(file, origin)));
        }
        html
    }

    /// Where the ticket went on.
    pub(super) fn followups(&self, id: i64) -> Vec<i64> {
        let follows = |ticket: &&Ticket| ticket.follows == Some(id);
        self.tickets.values().filter(follows).map(|ticket| ticket.id).collect()
    }
}
