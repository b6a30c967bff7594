//! What becomes of messages and tickets that stand there already.

use handoffd_core::{
    RemoteId, TicketKey,
    intent::{Amend, Amendment, Applied, Delete},
};

use super::{Adapter, api, body::RedactionBody, files, map, wire};
use crate::{
    client::json::read_json,
    contract::{Call, Error, Result},
};

/// Zendesk holds at most 5000 comments on a ticket: 50 pages, and some room.
const COMMENT_PAGES_MAX: usize = 60;

impl Adapter {
    /// Hides or redacts a comment.
    pub(super) async fn amend(&self, call: Call, amend: &Amend) -> Result<Applied> {
        match &amend.change {
            Amendment::Hide(_) => {
                self.http.send(call, api::make_private(&amend.at.id, &amend.comment)?).await?;
                Ok(done(&amend.at))
            }
            Amendment::Redact => self.redact(call, amend).await,
            Amendment::Rewrite(_) => {
                Err(Error::Refused { why: "Zendesk cannot rewrite a comment".to_owned() })
            }
        }
    }

    async fn redact(&self, call: Call, amend: &Amend) -> Result<Applied> {
        let comment = self.one_comment(call, &amend.at.id, &amend.comment).await?;
        let comment = comment.ok_or_else(|| Error::Refused { why: "the comment is not there".to_owned() })?;
        if files::said(&comment).redacted {
            return Ok(done(&amend.at));
        }
        let html = comment.html_body.as_deref().unwrap_or_default();
        let urls = comment.attachments.iter().filter(|file| file.inline != Some(true));
        let body = RedactionBody {
            ticket_id: map::id_json(&amend.at.id),
            html_body: marked(html),
            external_attachment_urls: urls.filter_map(|file| file.content_url.clone()).collect(),
        };
        self.http.send(call, api::redact(&amend.comment, &body)?).await?;
        Ok(done(&amend.at))
    }

    /// A comment by its id; the newest are looked at first.
    async fn one_comment(
        &self,
        call: Call,
        ticket: &RemoteId,
        comment: &RemoteId,
    ) -> Result<Option<wire::Comment>> {
        let mut after: Option<String> = None;
        for _ in 0..COMMENT_PAGES_MAX {
            let answer = self.http.send(call, api::newest_comments(ticket, after.as_deref())?).await?;
            let page: wire::CommentsPage = read_json(&answer)?;
            if let Some(found) = page.comments.into_iter().find(|one| one.id.as_ref() == Some(comment)) {
                return Ok(Some(found));
            }
            match page.meta.next(after.as_deref()) {
                Some(next) => after = Some(next),
                None => return Ok(None),
            }
        }
        Err(Error::Malformed { what: format!("comments: more than {COMMENT_PAGES_MAX} pages") })
    }

    /// Whether the comment is as the amendment wants it.
    pub(super) async fn look_for_amendment(&self, call: Call, amend: &Amend) -> Result<Option<Applied>> {
        let found = self.one_comment(call, &amend.at.id, &amend.comment).await?;
        let is_done = found.is_some_and(|comment| match &amend.change {
            Amendment::Hide(_) => comment.public == Some(false),
            Amendment::Redact => files::said(&comment).redacted,
            Amendment::Rewrite(_) => false,
        });
        Ok(is_done.then(|| done(&amend.at)))
    }

    /// Deletes the ticket.
    pub(super) async fn delete(&self, call: Call, delete: &Delete) -> Result<Applied> {
        self.http.send(call, api::delete(&delete.at.id)?).await?;
        Ok(done(&delete.at))
    }

    /// Whether the ticket is gone.
    pub(super) async fn look_for_deletion(&self, call: Call, delete: &Delete) -> Result<Option<Applied>> {
        match self.read_raw(call, &delete.at.id).await {
            Ok(_) => Ok(None),
            Err(Error::Gone) => Ok(Some(done(&delete.at))),
            Err(error) => Err(error),
        }
    }
}

/// Zendesk's answer tells no version.
fn done(at: &TicketKey) -> Applied {
    Applied {
        ticket: at.clone(),
        version: None,
        shown: None,
        comment: None,
        written_at: None,
        imported: Vec::new(),
        unset: None,
    }
}

/// The HTML with marks around all of its text, its links and its images.
fn marked(html: &str) -> String {
    let mut out = String::with_capacity(html.len() * 2);
    let mut rest = html;
    while !rest.is_empty() {
        let open = rest.find('<').unwrap_or(rest.len());
        let text = &rest[..open];
        if text.trim().is_empty() {
            out.push_str(text);
        } else {
            out.push_str("<redact>");
            out.push_str(text);
            out.push_str("</redact>");
        }
        rest = &rest[open..];
        let end = tag_end(rest);
        let tag = &rest[..end];
        let name: String = tag.chars().skip(1).take_while(char::is_ascii_alphanumeric).collect();
        match tag.strip_suffix('>') {
            Some(start) if matches!(name.to_ascii_lowercase().as_str(), "a" | "img") => {
                out.push_str(start.trim_end_matches([' ', '/']));
                out.push_str(" redact>");
            }
            _ => out.push_str(tag),
        }
        rest = &rest[end..];
    }
    out
}

/// Where the tag ends that begins here. What stands in quotes is not its end.
fn tag_end(tag: &str) -> usize {
    let mut quote = None;
    for (at, sign) in tag.char_indices() {
        match (quote, sign) {
            (None, '>') => return at + 1,
            (None, '"' | '\'') => quote = Some(sign),
            (Some(open), sign) if open == sign => quote = None,
            _ => {}
        }
    }
    tag.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_that_shows_is_marked() {
        let rows = [
            ("", ""),
            ("<p>a</p>", "<p><redact>a</redact></p>"),
            (
                "<div class=\"zd-comment\" dir=\"auto\">\n<p>My <b>card</b><br>4242</p></div>",
                "<div class=\"zd-comment\" dir=\"auto\">\n<p><redact>My </redact><b><redact>card</redact></b><br>\
                 <redact>4242</redact></p></div>",
            ),
            (
                "<a href=\"https://x.test/?a>b\">x &lt; y</a><img src='z.png' />",
                "<a href=\"https://x.test/?a>b\" redact><redact>x &lt; y</redact></a><img src='z.png' redact>",
            ),
            ("cut <a hre", "<redact>cut </redact><a hre"),
        ];
        for (html, expected) in rows {
            assert_eq!(marked(html), expected);
        }
    }
}
