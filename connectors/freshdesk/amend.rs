//! What becomes of messages that stand there already, and of tickets.
//!
//! Freshdesk rewrites notes only, and deletes notes and replies, but nothing
//! that came in. It has no way to make a public note private and none to
//! redact. So a message is hidden by deleting it and adding its text as a
//! private note, and redacted by writing over it, or by deleting it where that
//! cannot be done. Each step may be repeated: a look for a lost answer goes on
//! where the amendment stopped.

use handoffd_core::{
    Message, PrivateMessage, RemoteId,
    intent::{Amend, Amendment, Applied, Delete},
};

use super::{
    api,
    desk::{Desk, Whole},
    messages::DESCRIPTION,
    wire,
    words::{self, REDACTED},
    write::{message_id, unseen},
};
use crate::{
    contract::{Attempted, Call, Error, Result},
    html,
};

/// A note among conversations.
const NOTE: i64 = 2;

impl Desk {
    /// Does an amendment, from wherever it stopped.
    pub async fn amend(&self, call: Call, amend: &Amend, author: Option<&RemoteId>) -> Result<Applied> {
        match &amend.change {
            Amendment::Hide(note) => self.hide(call, amend, note, author).await,
            Amendment::Redact => self.redact(call, amend).await,
            Amendment::Rewrite(message) => self.rewrite(call, amend, message).await,
        }
    }

    /// Goes on with an amendment whose answer was lost. All of it may be repeated but the
    /// adding of the private note, which is looked for.
    pub async fn find_amended(
        &self,
        call: Call,
        amend: &Amend,
        lost: &Attempted<'_>,
    ) -> Result<Option<Applied>> {
        let Amendment::Hide(note) = &amend.change else {
            return self.amend(call, amend, lost.author).await.map(Some);
        };
        let whole = self.whole(call, &amend.at.id).await?;
        if whole.conversation(&amend.comment).is_none() {
            let me = self.my_id(call).await?;
            let message = Message::Private(note.clone());
            if let Some(id) = self.find_message(&whole, &message, &amend.key, lost, &me)? {
                return Ok(Some(unseen(&amend.at, Some(id))));
            }
        }
        self.hide_in(call, amend, note, lost.author, &whole).await.map(Some)
    }

    async fn hide(
        &self,
        call: Call,
        amend: &Amend,
        note: &PrivateMessage,
        author: Option<&RemoteId>,
    ) -> Result<Applied> {
        if amend.comment.as_str() == DESCRIPTION {
            let why =
                "the first message of a Freshdesk ticket cannot be hidden: hide or delete the ticket there";
            return Err(Error::Refused { why: why.to_owned() });
        }
        let whole = self.whole(call, &amend.at.id).await?;
        self.hide_in(call, amend, note, author, &whole).await
    }

    async fn hide_in(
        &self,
        call: Call,
        amend: &Amend,
        note: &PrivateMessage,
        author: Option<&RemoteId>,
        whole: &Whole,
    ) -> Result<Applied> {
        let mut lines = Vec::new();
        if let Some(said) = whole.conversation(&amend.comment) {
            if said.private.flag() {
                return Ok(unseen(&amend.at, Some(amend.comment.clone())));
            }
            let files = said.attachments.as_deref().unwrap_or_default();
            let name = |file: &wire::Attachment| file.name.text().unwrap_or_else(|| "unnamed".to_owned());
            lines =
                files.iter().map(|file| words::not_copied(&name(file), "the message was hidden")).collect();
            self.delete_message(call, &amend.comment).await?;
        }
        let after = |error: Error| match error {
            Error::Refused { .. } => error,
            error => Error::Unknown {
                why: format!("the message is hidden, its private copy is not there: {error}"),
            },
        };
        let ask = self.mapping.private_copy(&amend.at.id, note, author, &lines, &amend.key)?;
        let answer = self.client.send(call, ask).await.map_err(after)?;
        Ok(unseen(&amend.at, Some(message_id(&answer)?)))
    }

    async fn redact(&self, call: Call, amend: &Amend) -> Result<Applied> {
        let done = || Ok(unseen(&amend.at, Some(amend.comment.clone())));
        let whole = self.whole(call, &amend.at.id).await?;
        let blank = html::from_text(REDACTED);
        if amend.comment.as_str() == DESCRIPTION {
            self.client.send(call, self.mapping.set_description(&amend.at.id, blank)?).await?;
            for file in whole.ticket.attachments.as_deref().unwrap_or_default() {
                self.delete_file(call, file).await?;
            }
            return done();
        }
        let Some(said) = whole.conversation(&amend.comment) else { return done() };
        let has_files = said.attachments.as_deref().is_some_and(|files| !files.is_empty());
        if said.source.whole() == Some(NOTE) && !has_files {
            match self.client.send(call, api::rewrite(&amend.comment, blank)?).await {
                Ok(_) | Err(Error::Gone) => return done(),
                // Not every note can be rewritten; what is deleted is gone as well.
                Err(Error::Refused { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        self.delete_message(call, &amend.comment).await?;
        done()
    }

    async fn rewrite(&self, call: Call, amend: &Amend, message: &Message) -> Result<Applied> {
        let html = words::message_html(message, &amend.key, &[])?;
        let ask = if amend.comment.as_str() == DESCRIPTION {
            self.mapping.set_description(&amend.at.id, html)?
        } else {
            api::rewrite(&amend.comment, html)?
        };
        match self.client.send(call, ask).await {
            Ok(_) => Ok(unseen(&amend.at, Some(amend.comment.clone()))),
            Err(Error::Gone) if amend.comment.as_str() != DESCRIPTION => {
                Err(Error::Refused { why: "the message is not there any more".to_owned() })
            }
            Err(Error::Refused { why }) => Err(Error::Refused {
                why: format!(
                    "Freshdesk rewrites notes only, not messages that were mailed or came in ({why})"
                ),
            }),
            Err(error) => Err(error),
        }
    }

    /// Deletes a message; one that is gone already is deleted.
    async fn delete_message(&self, call: Call, comment: &RemoteId) -> Result<()> {
        match self.client.send(call, api::delete_conversation(comment)?).await {
            Ok(_) | Err(Error::Gone) => Ok(()),
            Err(Error::Refused { why }) => Err(Error::Refused {
                why: format!(
                    "Freshdesk does not let this message be deleted, for instance because it came in ({why})"
                ),
            }),
            Err(error) => Err(error),
        }
    }

    async fn delete_file(&self, call: Call, file: &wire::Attachment) -> Result<()> {
        let by_hand = |why: &str| Error::Refused {
            why: format!(
                "the text is redacted; delete the first message's files at Freshdesk by hand ({why})"
            ),
        };
        let id = file.id.id().ok_or_else(|| by_hand("one has no id"))?;
        match self.client.send(call, api::delete_attachment(&id)?).await {
            Ok(_) | Err(Error::Gone) => Ok(()),
            Err(Error::Refused { why } | Error::Forbidden { missing: why }) => Err(by_hand(&why)),
            Err(error) => Err(error),
        }
    }

    /// Puts a ticket into the trash; one that is gone already is deleted.
    pub async fn delete(&self, call: Call, delete: &Delete) -> Result<Applied> {
        match self.client.send(call, api::delete_ticket(&delete.at.id)?).await {
            Ok(_) | Err(Error::Gone) => Ok(unseen(&delete.at, None)),
            Err(error) => Err(error),
        }
    }

    /// Deleting is safe to repeat.
    pub async fn find_deleted(&self, call: Call, delete: &Delete) -> Result<Option<Applied>> {
        match self.whole(call, &delete.at.id).await {
            Err(Error::Gone) => Ok(Some(unseen(&delete.at, None))),
            Ok(_) => self.delete(call, delete).await.map(Some),
            Err(error) => Err(error),
        }
    }
}

impl Whole {
    /// One of its conversations.
    fn conversation(&self, id: &RemoteId) -> Option<&wire::Conversation> {
        self.conversations.iter().find(|said| said.id.id().as_ref() == Some(id))
    }
}
