//! `POST /imports/tickets`: tickets with their past. No trigger runs, nobody is mailed, nothing rings.

use handoffd_core::{Status, Timestamp};
use serde_json::{Map, Value, json};

use super::{
    Sim,
    answer::{Answer, Call, Reply},
    change::Note,
    read,
    state::Ticket,
};

impl Sim {
    pub(super) fn import_ticket(&mut self, call: &Call) -> Answer {
        self.admin_only(call)?;
        let sent = call.object("ticket")?;
        let id = self.import(&sent, call)?;
        let ticket = self.world.live(id)?;
        let location = call.url(&format!("tickets/{id}.json"));
        Ok(Reply::json(201, json!({"ticket": self.world.ticket_json(ticket, call)}))
            .with("location", location))
    }

    fn import(&mut self, sent: &Map<String, Value>, call: &Call) -> Result<i64, Reply> {
        let mut notes = self.imported_notes(sent, call)?;
        let now = call.now.as_secs();
        let created_at = moment(sent, "created_at")?.unwrap_or(now);
        let mut fields = sent.clone();
        fields.remove("comments");
        fields.remove("comment");
        let mut change = self.change(&fields, call)?;
        let requester = change.requester.unwrap_or(call.user);
        if notes.is_empty() {
            let text = read::text(sent, "description")?.flatten().unwrap_or_default();
            let note = self.note(Some(&json!({"body": text})))?;
            let note = note.ok_or_else(|| Reply::invalid("base", "Description: cannot be blank"))?;
            notes.push((Note { author: Some(requester), ..note }, created_at));
        }
        let act = read::act(call, sent);
        let status = change.status.take();
        let mut head = self.new_head(&change).map_err(|refusal| refusal.reply())?;
        // Only an import may begin where others end.
        if let Some(status) = status {
            head.status = status;
            head.custom_status = super::world::World::custom_status(status);
        }
        if let Some(Status::New) = status.filter(|_| head.assignee.is_some()) {
            head.status = Status::Open;
        }
        let id = self.world.ids.ticket();
        let (mut comments, mut audits) = (Vec::new(), Vec::new());
        for (note, at) in &notes {
            let then = super::change::Act { now: Timestamp::from_secs(*at), ..act.clone() };
            let audit = self.new_audit(&then);
            let comment = self.new_comment(note, true, audit.id, &then);
            audits
                .push(super::state::Audit { events: vec![super::change::comment_event(&comment)], ..audit });
            comments.push(comment);
        }
        let ticket = Ticket {
            submitter: comments.first().map_or(call.user, |comment| comment.author),
            created_at,
            updated_at: moment(sent, "updated_at")?.unwrap_or(now),
            comments,
            audits,
            ..Ticket::empty(id, head, act.channel, now)
        };
        self.world.tickets.insert(id, ticket);
        Ok(id)
    }

    fn imported_notes(&self, sent: &Map<String, Value>, call: &Call) -> Result<Vec<(Note, i64)>, Reply> {
        let Some(list) = sent.get("comments") else { return Ok(Vec::new()) };
        let Value::Array(list) = list else {
            return Err(Reply::bad_parameter("comments", "It must be an array"));
        };
        let mut notes = Vec::new();
        for comment in list {
            let mut comment = comment.as_object().cloned().unwrap_or_default();
            if let Some(value) = comment.remove("value") {
                comment.entry("body").or_insert(value);
            }
            let at = moment(&comment, "created_at")?.unwrap_or(call.now.as_secs());
            let files = self.uploaded(comment.get("uploads"), call.now.as_secs());
            let note = self.note(Some(&Value::Object(comment)))?;
            let note = note.ok_or_else(|| Reply::invalid("comment", "Comment: cannot be blank"))?;
            notes.push((Note { files, ..note }, at));
        }
        Ok(notes)
    }
}

fn moment(object: &Map<String, Value>, key: &str) -> Result<Option<i64>, Reply> {
    let Some(text) = read::text(object, key)?.flatten() else { return Ok(None) };
    let at = Timestamp::parse(&text).map_err(|_| Reply::bad_parameter(key, "It must be a date and time"))?;
    Ok(Some(at.as_secs()))
}
