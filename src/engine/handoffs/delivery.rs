//! What is written for a handoff: the briefing with what goes beside it, what came late, the words
//! that tell the customer to hold.

use std::collections::BTreeMap;

use handoffd_core::{
    Field, Fields, Handoff, Mail, Message, OpKey, Person, PrivateMessage, PublicMessage, PublicText,
    RemoteId, Role, TicketKey, Value,
    briefing::Briefing,
    handoff::fields_key,
    intent::{EditNote, Intent, Update},
    link::Link,
    model::package::Package,
    package::structured,
};

use super::{Fault, Inner, Look, placing::owners_of};
use crate::{
    config::placed_field,
    store::{
        Key, Write,
        tables::{self, PACKAGES},
    },
};

impl Inner {
    /// The briefing with what goes beside it, and the row that keeps its package.
    pub(super) async fn briefing_intent(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
        key: OpKey,
    ) -> Result<(Intent, Vec<Write>), Fault> {
        let (package, briefing) = self.package(look, link, record).await?;
        record.template = Some(briefing.template.clone());
        record.briefing = Some(self.body_aside(briefing.text.body().clone()).await?);
        record.unplaced = false;
        let (set, if_version) = match record.bare {
            Some(_) => (Fields::new(), None),
            None => self.beside(look, link, record, &package).await,
        };
        record.placed = owners_of(&set);
        let write = self.package_write(&record.id, &package);
        let update = Update { set, if_version, ..note(record.ticket.clone(), briefing, key) };
        Ok((Intent::Update(update), vec![write]))
    }

    /// What came late: the note whole where the helpdesk rewrites notes, else one more; and the
    /// custom fields that say something else now.
    pub(super) async fn late_intents(
        &self,
        link: &Link,
        record: &mut Handoff,
        key: OpKey,
        edit: Option<RemoteId>,
    ) -> Result<(Vec<Intent>, Vec<Write>), Fault> {
        let desk = self.parts.desks.get(&record.ticket.account);
        let can_edit = desk.is_some_and(|desk| desk.capabilities.edits_private_notes);
        let edit = edit.filter(|_| can_edit);
        let sent = match (&edit, &record.briefing) {
            (None, Some(body)) => Some(self.body_at_hand(body.clone()).await?),
            _ => None,
        };
        let sent = match edit {
            Some(_) => None,
            None => Some(sent.as_ref().and_then(handoffd_core::Body::text).unwrap_or_default()),
        };
        let known = self.stored_package(&record.id).await?;
        let (package, briefing) = self.late_note(link, record, sent).await?;
        let rows = vec![self.package_write(&record.id, &package)];
        let mut intents = Vec::new();
        let at = record.ticket.clone();
        if let Some(briefing) = briefing {
            intents.push(match edit {
                Some(comment) => {
                    let message =
                        PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() };
                    Intent::EditNote(EditNote { at: at.clone(), comment, message, key })
                }
                None => Intent::Update(note(at.clone(), briefing, key)),
            });
        }
        let set = self.late_fields(record, known.as_ref(), &package);
        if !set.is_empty() {
            let key = fields_key(&record.id);
            intents.push(Intent::Update(Update { at, set, message: None, if_version: None, key }));
        }
        Ok((intents, rows))
    }

    /// Custom fields that were written beside the briefing and say something else now. A helpdesk
    /// that refused them once is not asked again.
    fn late_fields(&self, record: &Handoff, known: Option<&Package>, package: &Package) -> Fields {
        let placing = self.parts.placing.get(&record.ticket.account).filter(|_| record.bare.is_none());
        let names = placing.into_iter().flat_map(|placing| placing.fields.keys());
        let (before, now) = (known.map(structured).unwrap_or_default(), structured(package));
        let changed = names.filter(|name| before.get(name.as_str()) != now.get(name.as_str()));
        let set = changed.filter_map(|name| {
            Some((Field::Custom(placed_field(name)?), Value::text(now.get(name.as_str())?)))
        });
        set.collect()
    }

    /// What the customer is told, once, by the account that mails them.
    pub(super) fn holding_message(&self, link: &Link, key: OpKey) -> Option<Intent> {
        let group = self.parts.groups.get(&link.group)?;
        let text = group.holding_message.as_ref()?;
        let (at, _) = link.side_at(&group.customer_facing())?;
        let message = PublicMessage {
            author: Person { id: None, name: String::new(), email: None, role: Role::Agent },
            text: PublicText::of_an_admin(text),
            mail: Mail::Send,
            attachments: Vec::new(),
        };
        let (at, message) = (at.clone(), Some(Message::Public(message)));
        Some(Intent::Update(Update { at, set: BTreeMap::new(), message, if_version: None, key }))
    }

    /// What the AI agent is told that has the conversation again: kept with the handoff, and sent
    /// once.
    pub(super) async fn handed_back(
        &self,
        look: &mut Look,
        link: &Link,
        record: &mut Handoff,
    ) -> Result<Vec<Write>, Fault> {
        let resolution = self.resolved(look, link, record).await?;
        let key = Key::of(&[record.id.as_str(), "resolution"]);
        let mut writes = vec![
            self.package_write(&record.id, &resolution.package),
            tables::put(PACKAGES, key, &resolution),
        ];
        writes.extend(self.told_returned(record, &resolution).await?);
        Ok(writes)
    }
}

fn note(at: TicketKey, briefing: Briefing, key: OpKey) -> Update {
    let message =
        Message::Private(PrivateMessage { author: None, text: briefing.text, attachments: Vec::new() });
    Update { at, set: BTreeMap::new(), message: Some(message), if_version: None, key }
}
