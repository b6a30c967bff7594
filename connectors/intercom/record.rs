//! Conversations and tickets share one row of ids at Intercom. Here a
//! conversation's id is its number, and a ticket's the same with a `t` before it.

use handoffd_core::RemoteId;

use super::settings::RecordKind;
use crate::contract::{Error, Result};

/// A record, by kind and number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub kind: RecordKind,
    /// Intercom's own id of it: digits.
    pub number: String,
}

impl Record {
    /// Reads an id of ours. Anything else leads elsewhere and is refused.
    pub fn read(id: &RemoteId) -> Result<Self> {
        let (kind, number) = match id.as_str().strip_prefix('t') {
            Some(number) => (RecordKind::Ticket, number),
            None => (RecordKind::Conversation, id.as_str()),
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        if !digits || number.len() > 19 {
            return Err(Error::Refused { why: "the id is not an Intercom id".to_owned() });
        }
        Ok(Self { kind, number: number.to_owned() })
    }

    /// The id by which the rest of handoffd knows it.
    pub fn id(&self) -> RemoteId {
        record_id(self.kind, &self.number)
    }

    /// The record's path.
    pub fn path(&self) -> String {
        match self.kind {
            RecordKind::Conversation => format!("/conversations/{}", self.number),
            RecordKind::Ticket => format!("/tickets/{}", self.number),
        }
    }

    /// Whether it is a ticket.
    pub fn is_ticket(&self) -> bool {
        self.kind == RecordKind::Ticket
    }
}

/// The id of a record of this kind and number.
pub fn record_id(kind: RecordKind, number: &str) -> RemoteId {
    match kind {
        RecordKind::Conversation => RemoteId::new(number),
        RecordKind::Ticket => RemoteId::new(format!("t{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_name_kind_and_number() {
        let read = |id: &str| Record::read(&RemoteId::from(id)).map(|record| record.path()).ok();
        assert_eq!(read("503").as_deref(), Some("/conversations/503"));
        assert_eq!(read("t503").as_deref(), Some("/tickets/503"));
        for strange in ["", "t", "last", "../me", "tt5", "5t", "-5", "12345678901234567890"] {
            assert_eq!(read(strange), None, "{strange}");
        }
        let record = Record::read(&RemoteId::from("t503")).unwrap();
        assert_eq!(record.id(), RemoteId::from("t503"));
    }
}
