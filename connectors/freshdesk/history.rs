//! An account's history: the list of tickets from the beginning on.
//!
//! The list can be cut only by the time of the last change, so that is the
//! order: whoever changed longest ago comes first, in windows that pass the
//! wall of 300 pages. It has no conversations; those are listed ticket by ticket.

use handoffd_core::Timestamp;

use super::{api, desk::Desk, feed::TICKETS, wire};
use crate::{
    client::json::read_json,
    contract::{Call, Error, FeedStart, History, Result},
};

impl Desk {
    /// One page of the history. The first one also asks the search index how many
    /// tickets there are; an account that does not tell is read all the same.
    pub async fn read_history(&self, call: Call, from: FeedStart) -> Result<History> {
        let total = match &from {
            FeedStart::Since(since) => self.count_since(call, *since).await?,
            FeedStart::After(_) => None,
        };
        let page = self.read_feed(call, TICKETS, from).await?;
        Ok(History {
            rows: page.rows,
            comments: Vec::new(),
            doubtful: Vec::new(),
            next: page.next,
            more: page.more,
            total,
        })
    }

    async fn count_since(&self, call: Call, since: Timestamp) -> Result<Option<u64>> {
        // The index knows days, not moments.
        let since = Timestamp::from_secs(self.first_second(since)).to_rfc3339_secs();
        let day = since.get(..10).unwrap_or("1970-01-01");
        match self.client.send(call, api::count_since(day)?).await {
            Ok(answer) => {
                let found: wire::Found = read_json(&answer)?;
                Ok(found.total.whole().and_then(|total| u64::try_from(total).ok()))
            }
            Err(Error::Refused { .. } | Error::Forbidden { .. } | Error::Gone) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
