//! What AI agents stream of a conversation, seen from the engine.

use handoffd_core::{AccountId, TicketKey, capture::CaptureRules};

use super::Engine;
use crate::store::{ReadError, tables};

impl Engine {
    /// The ticket of a conversation: the one that it was bound to, else the one that the id itself
    /// names as `account:ticket`, of an account in a link group.
    pub async fn ticket_of_conversation(
        &self,
        agent: &str,
        id: &str,
    ) -> Result<Option<TicketKey>, ReadError> {
        let bound = tables::ticket_of_conversation(&*self.parts().store, agent, id).await?;
        Ok(bound.or_else(|| self.ticket_named(id)))
    }

    /// The ticket that `account:ticket` names, of an account in a link group.
    pub fn ticket_named(&self, id: &str) -> Option<TicketKey> {
        let (account, ticket) = id.split_once(':')?;
        self.is_linked(account).then(|| TicketKey::new(account, ticket)).filter(|_| is_ticket_id(ticket))
    }

    /// Whether there is such a helpdesk account and it is in a link group.
    pub fn is_linked(&self, account: &str) -> bool {
        let desk = self.parts().desks.get(&AccountId::new(account));
        desk.is_some_and(|desk| desk.group.is_some())
    }

    /// How the stream of an AI agent is folded.
    pub fn capture_rules(&self, agent: &str) -> CaptureRules {
        let areas = &self.parts().handoff.areas;
        CaptureRules {
            agent: Some(agent.to_owned()),
            areas: areas.iter().map(|(route, area)| (route.clone(), area.clone())).collect(),
            ..CaptureRules::default()
        }
    }
}

/// Whether a text can be a ticket's id at its helpdesk.
pub fn is_ticket_id(id: &str) -> bool {
    !id.is_empty() && id.len() <= 100 && !id.contains(['/', '#', '\0'])
}
