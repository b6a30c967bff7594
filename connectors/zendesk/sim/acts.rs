//! People's acts beyond words and plain fields.

use bytes::Bytes;
use handoffd_core::{Field, RemoteId, Status, Timestamp, Value};

use super::{
    Sim,
    change::{Act, Change, Note},
    fields,
    human::by,
    read::looks_like_email,
    state::Rated,
    text::{plain_of, wrapped},
    uploads::File,
};
use crate::sim::{HumanAct, SimFile, Who};

impl Sim {
    /// The acts that `human.rs` does not carry out itself.
    pub(super) fn carry_out_more(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        match act {
            HumanAct::SayRich { ticket, who, html, public, files } => {
                self.say_rich(&ticket, &who, &html, public, &files, now)
            }
            HumanAct::SetField { ticket, field, value } => self.set_field(&ticket, field, &value, now),
            HumanAct::MakeField { title, kind, options } => {
                Ok(RemoteId::from(self.make_field(&title, kind, options)))
            }
            HumanAct::SetCustom { ticket, native, value } => {
                let field = native
                    .parse()
                    .ok()
                    .filter(|id| self.world.fields.iter().any(|field| field.is_custom && field.id == *id));
                let field: i64 = field.ok_or_else(|| format!("there is no field {native}"))?;
                let custom_fields = [(field, fields::entered(value.as_ref()))].into();
                self.edit(&ticket, Change { custom_fields, ..Change::default() }, now)
            }
            HumanAct::MakeStatus { label, status } => {
                if status == Status::Closed {
                    return Err("no status belongs to closed".to_owned());
                }
                Ok(RemoteId::from(self.world.add_status(&label, status)))
            }
            HumanAct::SetStatusDetail { ticket, native } => {
                let custom_status = Some(native.parse().map_err(|_| format!("there is no status {native}"))?);
                self.edit(&ticket, Change { custom_status, ..Change::default() }, now)
            }
            HumanAct::Edit { .. } => Err("nobody can rewrite a comment here".to_owned()),
            other => self.carry_out_rest(other, now),
        }
    }

    fn carry_out_rest(&mut self, act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        let user = self.world.agent(super::human::AGENT, now.as_secs());
        let doing = by(user, "web", now);
        match act {
            HumanAct::Hide { ticket, comment } => {
                let (id, comment) = (self.shown(&ticket)?.id, number(&comment)?);
                self.hide(id, comment, &doing).map_err(|refusal| refusal.text())?;
                Ok(ticket)
            }
            HumanAct::Redact { ticket, comment } => {
                let (id, comment) = (self.shown(&ticket)?.id, number(&comment)?);
                self.blacken(id, comment, &doing).map_err(|refusal| refusal.text())?;
                Ok(ticket)
            }
            HumanAct::Merge { ticket, into } => self.merge_by_hand(ticket, &into, &doing),
            HumanAct::Spam { ticket } => {
                let id = self.shown(&ticket)?.id;
                self.spam(id, &doing).map_err(|refusal| refusal.text())?;
                Ok(ticket)
            }
            HumanAct::Rate { ticket, percent, comment } => self.rate(ticket, percent, comment, now),
            _ => Err("nobody can do this here".to_owned()),
        }
    }

    fn merge_by_hand(&mut self, ticket: RemoteId, into: &RemoteId, act: &Act) -> Result<RemoteId, String> {
        let (from, to) = (self.shown(&ticket)?, self.shown(into)?);
        let (id, target) = (from.id, to.id);
        if id == target || from.head.requester != to.head.requester {
            return Err("tickets of two people, or one ticket, are not merged".to_owned());
        }
        if to.head.status == Status::Closed {
            return Err("nothing is merged into a closed ticket".to_owned());
        }
        self.end_in(id, target, None, false, act).map_err(|refusal| refusal.text())?;
        self.take_in(target, &[id], None, false, act).map_err(|refusal| refusal.text())?;
        Ok(ticket)
    }

    /// Good or bad: the scale has nothing between.
    fn rate(
        &mut self,
        ticket: RemoteId,
        percent: u8,
        comment: Option<String>,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let (id, requester) = (self.shown(&ticket)?.id, self.shown(&ticket)?.head.requester);
        let score = if percent >= 50 { "good" } else { "bad" };
        let rated = Rated { id: self.world.ids.large(), score, comment, at: now.as_secs() };
        self.rated(id, rated, &by(requester, "web", now));
        Ok(ticket)
    }

    fn set_field(
        &mut self,
        ticket: &RemoteId,
        field: Field,
        value: &Value,
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let head = self.shown(ticket)?.head.clone();
        let mut change = Change::default();
        match (field, value) {
            (Field::Type, Value::Choice(None)) => change.kind = Some(None),
            (Field::Type, Value::Choice(Some(word))) if super::read::is_type(word) => {
                change.kind = Some(Some(word.clone()));
            }
            (Field::DueAt, Value::Time(None)) => change.due_at = Some(None),
            (Field::DueAt, Value::Time(Some(at))) if head.kind.as_deref() == Some("task") => {
                change.due_at = Some(Some(at.to_rfc3339_secs()));
            }
            (Field::Ccs, Value::Tags(emails)) if emails.iter().all(|email| looks_like_email(email)) => {
                let wanted: Vec<i64> = emails.iter().map(|email| self.someone(email, now)).collect();
                let gone = head.email_ccs.iter().filter(|id| !wanted.contains(id)).map(|id| (*id, false));
                change.email_ccs = Some(gone.chain(wanted.iter().map(|id| (*id, true))).collect());
            }
            (Field::Requester, Value::Choice(Some(email))) if looks_like_email(email) => {
                change.requester = Some(self.someone(email, now));
            }
            _ => return Err(format!("{field} cannot be {value} here")),
        }
        self.edit(ticket, change, now)
    }

    fn someone(&mut self, email: &str, now: Timestamp) -> i64 {
        self.world.customer(email.split('@').next().unwrap_or(email), email, now.as_secs())
    }

    fn say_rich(
        &mut self,
        ticket: &RemoteId,
        who: &Who,
        html: &str,
        public: bool,
        files: &[SimFile],
        now: Timestamp,
    ) -> Result<RemoteId, String> {
        let mut html = html.to_owned();
        let mut ids = Vec::new();
        for file in files {
            let source = format!("cid:{}", file.name);
            let inline = html.contains(&source);
            let id = self.world.ids.large();
            html = html.replace(&source, &format!("zd-file:{id}"));
            let token = self.world.ids.secret();
            let (name, kind) = (file.name.clone(), file.content_type.clone());
            let bytes = Bytes::from(file.bytes.clone());
            self.world
                .files
                .insert(id, File { id, token, name, kind, bytes, inline, made_at: now.as_secs() });
            ids.push(id);
        }
        let html = wrapped(&html);
        let body = plain_of(&html);
        if body.is_empty() && ids.is_empty() {
            return Err("the message is empty".to_owned());
        }
        let note = Note { author: None, body, html, public: Some(public), files: ids };
        self.say_note(ticket, who, note, now)
    }
}

fn number(id: &RemoteId) -> Result<i64, String> {
    id.as_str().parse().map_err(|_| format!("there is no comment {id}"))
}
