//! One open account: asks, and reads what comes.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use handoffd_core::{Comment, CommentsSeen, Fetched, Observed, Person, ReadBy, RemoteId};
use tokio::sync::OnceCell;

use super::{
    api::{self, EMBEDDED_MAX, PER_PAGE},
    errors::{cost_seen, duplicate_of},
    map::{Mapping, Read},
    staff::{People, Staff},
    wire,
};
use crate::{
    client::{Client, json::read_json},
    contract::{Call, Error, Result, Secret},
};

/// The most pages of one ticket's conversations that are read: 10,000 messages.
const CONVERSATION_PAGES_MAX: u32 = 100;

/// One Freshdesk account.
pub struct Desk {
    /// Its HTTP client.
    pub client: Client,
    /// How its words are mapped.
    pub mapping: Mapping,
    /// The secret that its webhooks carry.
    pub webhook_secret: Option<Secret>,
    /// What a page of the list costs.
    pub list_cost: Cost,
    /// What a ticket with its requester and conversations costs.
    pub fetch_cost: Cost,
    /// Who writes there.
    pub staff: Staff,
    me: OnceCell<Arc<wire::Agent>>,
}

/// What a kind of request costs, learnt from the vendor's header: what an
/// `include` costs is documented in two ways.
pub struct Cost(AtomicU32);

impl Cost {
    /// The last price seen.
    pub fn now(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes in an answer's headers.
    pub fn learn(&self, headers: &http::HeaderMap) {
        if let Some(cost) = cost_seen(headers) {
            self.0.store(cost, Ordering::Relaxed);
        }
    }
}

/// A ticket with all its conversations.
pub struct Whole {
    /// The ticket.
    pub ticket: wire::Ticket,
    /// Its conversations, oldest first.
    pub conversations: Vec<wire::Conversation>,
}

impl Desk {
    /// An account that nothing was sent to yet.
    pub fn new(client: Client, mapping: Mapping, webhook_secret: Option<Secret>) -> Self {
        // The dearer of the two documented prices, until a header tells.
        let cost = || Cost(AtomicU32::new(3));
        let (list_cost, fetch_cost) = (cost(), cost());
        let (staff, me) = (Staff::default(), OnceCell::new());
        Self { client, mapping, webhook_secret, list_cost, fetch_cost, staff, me }
    }

    /// Who we are; asked once.
    pub async fn me(&self, call: Call) -> Result<Arc<wire::Agent>> {
        let ask = || async {
            let agent: wire::Agent = read_json(&self.client.send(call, api::me()?).await?)?;
            match agent.id.id() {
                Some(_) => Ok(Arc::new(agent)),
                None => Err(Error::Malformed { what: "agents/me: id: not a number".to_owned() }),
            }
        };
        self.me.get_or_try_init(ask).await.cloned()
    }

    /// Our agent's id.
    pub async fn my_id(&self, call: Call) -> Result<RemoteId> {
        let me = self.me(call).await?;
        me.id.id().ok_or_else(|| Error::Malformed { what: "agents/me: id: not a number".to_owned() })
    }

    /// The ticket with what comes at no further request; `None` when it is gone.
    ///
    /// A ticket in the trash may answer 403.
    async fn get(
        &self,
        call: Call,
        id: &RemoteId,
    ) -> Result<Option<(wire::Ticket, handoffd_core::Timestamp)>> {
        match self.client.send(call, api::ticket(id, self.fetch_cost.now())?).await {
            Ok(answer) => {
                self.fetch_cost.learn(&answer.headers);
                Ok(Some((read_json(&answer)?, answer.at)))
            }
            Err(Error::Gone | Error::Forbidden { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Tickets by id, one request each.
    pub async fn fetch(&self, call: Call, ids: &[RemoteId]) -> Result<Vec<Fetched>> {
        let mut fetched = Vec::with_capacity(ids.len());
        for id in ids {
            fetched.push(self.fetch_one(call, id).await?);
        }
        Ok(fetched)
    }

    async fn fetch_one(&self, call: Call, id: &RemoteId) -> Result<Fetched> {
        let Some((ticket, read_at)) = self.get(call, id).await? else {
            return Ok(Fetched::Gone(self.mapping.key(id)));
        };
        let malformed = |why: String| Error::Malformed { what: format!("ticket {id}: {why}") };
        match self.mapping.ticket(&ticket, ReadBy::Fetch, read_at).map_err(malformed)? {
            Read::Gone(key) => Ok(Fetched::Gone(key)),
            Read::Shown(mut observed) => {
                if let Some(all) = embedded(&ticket) {
                    if let Some(to) = self.mapping.merged_into(&ticket, all) {
                        return Ok(Fetched::MovedTo { from: self.mapping.key(id), to });
                    }
                    let people = self.writers(call, &ticket, all).await?;
                    let comments = self.mapping.comments(&ticket, all, &people).map_err(malformed)?;
                    observed.comments = CommentsSeen::All(comments);
                }
                Ok(Fetched::Shown(observed))
            }
        }
    }

    /// A ticket with all its conversations: one request where they fit in it.
    pub async fn whole(&self, call: Call, id: &RemoteId) -> Result<Whole> {
        let (ticket, _) = self.get(call, id).await?.ok_or(Error::Gone)?;
        if ticket.deleted.flag() || ticket.spam.flag() {
            return Err(Error::Gone);
        }
        let conversations = match embedded(&ticket) {
            Some(all) => all.to_vec(),
            None => self.conversations(call, id).await?,
        };
        Ok(Whole { ticket, conversations })
    }

    async fn conversations(&self, call: Call, id: &RemoteId) -> Result<Vec<wire::Conversation>> {
        let mut all = Vec::new();
        let mut seen = BTreeSet::new();
        for page in 1..=CONVERSATION_PAGES_MAX {
            let answer = self.client.send(call, api::conversations(id, page)?).await?;
            let rows: Vec<wire::Conversation> = read_json(&answer)?;
            let full = rows.len() >= PER_PAGE;
            let before = seen.len();
            seen.extend(rows.iter().filter_map(|row| row.id.id()));
            all.extend(rows);
            if !full || seen.len() == before {
                return Ok(all);
            }
        }
        let most = CONVERSATION_PAGES_MAX as usize * PER_PAGE;
        Err(Error::Malformed { what: format!("ticket {id}: more than {most} conversations") })
    }

    /// Every comment of a ticket, oldest first.
    pub async fn all_comments(&self, call: Call, id: &RemoteId) -> Result<Vec<Comment>> {
        let whole = self.whole(call, id).await?;
        let people = self.writers(call, &whole.ticket, &whole.conversations).await?;
        self.comments_of(&whole, &people)
    }

    /// The comments of a ticket that was read whole, their writers named as far as they are among `people`.
    pub fn comments_of(&self, whole: &Whole, people: &People) -> Result<Vec<Comment>> {
        self.mapping.comments(&whole.ticket, &whole.conversations, people).map_err(|why| {
            let id = whole.ticket.id.id().map_or_else(String::new, |id| format!(" {id}"));
            Error::Malformed { what: format!("ticket{id}: {why}") }
        })
    }

    /// What an answer shows of a ticket; `None` where it cannot be read.
    pub fn shown(&self, ticket: &wire::Ticket, read_by: ReadBy) -> Option<Observed> {
        match self.mapping.ticket(ticket, read_by, self.client.now()) {
            Ok(Read::Shown(observed)) => Some(*observed),
            Ok(Read::Gone(_)) | Err(_) => None,
        }
    }

    /// The id of the contact with the person's address; made when there is none.
    pub async fn contact(&self, call: Call, person: &Person) -> Result<RemoteId> {
        let email = self.mapping.address(person)?;
        let found: Vec<wire::Person> =
            read_json(&self.client.send(call, self.mapping.contacts_of(&email)?).await?)?;
        let live = found.iter().find(|contact| !contact.deleted.flag());
        if let Some(id) = live.and_then(|contact| contact.id.id()) {
            return Ok(id);
        }
        let name = match person.name.trim() {
            "" => email.split('@').next().unwrap_or(&email),
            name => name,
        };
        match self.client.send(call, api::create_contact(name, &email)?).await {
            Ok(answer) => {
                let made: wire::Person = read_json(&answer)?;
                made.id.id().ok_or_else(|| Error::Malformed { what: "contacts: id: not a number".to_owned() })
            }
            // An agent's address, another contact's second one, or a request of ours a moment ago.
            Err(error) => duplicate_of(&error).ok_or(error),
        }
    }
}

/// The embedded conversations, if they are all: as many as fit may be not all.
fn embedded(ticket: &wire::Ticket) -> Option<&[wire::Conversation]> {
    ticket.conversations.as_deref().filter(|some| some.len() < EMBEDDED_MAX)
}
