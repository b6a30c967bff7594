//! Follow-ups of closed tickets that people make at the vendor.

use handoffd_core::{Observed, RemoteId, TicketKey, join};

use super::{Engine, Fault, reconciler::Look};
use crate::store::tables;

impl Engine {
    /// A follow-up that somebody made at the vendor takes the place of its closed ticket.
    pub(super) async fn take_follow_up(&self, observed: &Observed, closed: &RemoteId) -> Result<(), Fault> {
        let closed = TicketKey::new(observed.ticket.account.clone(), closed.clone());
        let Some(owner) = tables::link_of(&*self.parts.store, &closed).await? else { return Ok(()) };
        let Some(row) = tables::read_link(&*self.parts.store, &owner).await? else { return Ok(()) };
        if !join::follow_up_of(&row.link, observed) {
            return Ok(());
        }
        let link = join::adopt(&row.link, observed);
        let look = Look::at(link.id.clone(), "follow-up");
        self.store_link(&look, Some(&row), &link, Vec::new(), Vec::new()).await?;
        Err(Fault::Later { at: self.now(), why: "it follows up a ticket of its conversation".to_owned() })
    }
}
