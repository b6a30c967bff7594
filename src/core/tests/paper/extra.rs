//! What people do, and helpdesks can, in the newer cases: addresses in copy,
//! statuses of their own making, files, edits, hidden messages, closed tickets.

use std::collections::BTreeSet;

use handoffd_core::{
    Attachment, Body, Comment, Field, PrivateComment, PrivateText, PublicComment, RemoteId, Status,
    TicketKey, Value,
    intent::{Amend, Amendment},
    policy::{Can, SyncPolicy},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::World;

/// More fields, and helpdesks that can do more or less.
pub(super) fn widen(policy: &mut SyncPolicy, extra: &mut ChaCha8Rng) {
    let rule = policy.fields[&Field::Subject].clone();
    policy.fields.insert(Field::Ccs, rule);
    for account in policy.accounts.values_mut() {
        account.can = Can {
            hide: extra.random_bool(0.7),
            rewrite: extra.random_bool(0.7),
            attachment_bytes_max: 1_000,
            attachments_max: 1,
            ..Can::default()
        };
    }
    if extra.random_bool(0.5) {
        policy.agents.clear();
    }
}

/// What somebody said first, of a text as it may stand at a helpdesk.
pub fn plain(text: &str) -> &str {
    let text = text.strip_prefix("Bo (agent):\n").unwrap_or(text);
    let text = text.split("\n\n[attachment").next().unwrap_or(text);
    text.split(" (edit").next().unwrap_or(text)
}

impl World {
    /// Every ticket is read with its comments: an edit that no count tells of is seen.
    pub fn sweep(&mut self) -> bool {
        if self.extra.is_none() {
            return false;
        }
        let keys: Vec<_> = self.desks.keys().cloned().collect();
        let views = keys.iter().map(|key| (key.clone(), self.fetch(key, true))).collect();
        self.reconcile(views);
        true
    }

    /// What people do in the newer cases only; `false`: nothing of it.
    pub(super) fn act_extra(&mut self, key: &TicketKey) -> bool {
        let Some(mut extra) = self.extra.take() else { return false };
        let what = extra.random_range(0..20);
        let pick = extra.random_range(0..1_000);
        self.extra = Some(extra);
        match what {
            0 | 1 => self.add_cc(key, pick),
            2 | 3 => {
                let status = Status::ALL[pick % 5];
                let detail = format!("detail {}", pick % 3);
                self.set(key, Field::Status, Value::StatusDetail { status, detail });
            }
            4 => self.rewrite(key, pick),
            5 => self.hide(key, pick),
            6 if pick < 300 && self.desks.values().all(|desk| !desk.closed) && self.desks.len() > 1 => {
                self.trace.push(format!("{} {key}: closed for good", self.now));
                self.desks.get_mut(key).expect("a desk").closed = true;
                self.changed(key);
            }
            _ => return false,
        }
        true
    }

    fn add_cc(&mut self, key: &TicketKey, pick: usize) {
        let desk = self.desks.get_mut(key).expect("a desk");
        let entry = desk.fields.entry(Field::Ccs).or_insert_with(|| Value::Tags(BTreeSet::new()));
        let Value::Tags(all) = entry else { panic!("{entry:?} as addresses") };
        let address = format!("p{}@example.org", pick % 4);
        if !all.remove(&address) {
            all.insert(address);
        }
        self.trace.push(format!("{} {key}: a person changes who is in copy", self.now));
        self.changed(key);
    }

    /// Somebody's own comment of a ticket, if there is one: its place in the list.
    fn own_comment(&self, key: &TicketKey, pick: usize) -> Option<usize> {
        let said = self.said.get(key)?;
        let (text, _) = said.get(pick % said.len())?;
        self.desks[key]
            .comments
            .iter()
            .position(|one| one.body().text().is_some_and(|shown| shown.split(" (edit").next() == Some(text)))
    }

    fn rewrite(&mut self, key: &TicketKey, pick: usize) {
        let Some(at) = self.own_comment(key, pick) else { return };
        let number = self.next();
        let comment = &mut self.desks.get_mut(key).expect("a desk").comments[at];
        let text = format!("{} (edit {number})", plain(comment.body().text().expect("text")));
        *comment = with_text(comment, &text);
        self.trace.push(format!("{} {key}: a person edits: {text}", self.now));
        self.changed(key);
    }

    fn hide(&mut self, key: &TicketKey, pick: usize) {
        let Some(at) = self.own_comment(key, pick) else { return };
        let comment = &mut self.desks.get_mut(key).expect("a desk").comments[at];
        *comment = as_private(comment, comment.id().clone());
        let text = comment.body().text().expect("text").to_owned();
        // Where notes do not travel, a hidden comment may be there or not.
        self.hidden.insert(plain(&text).to_owned());
        self.trace.push(format!("{} {key}: a person hides {text}", self.now));
        self.changed(key);
    }

    pub(super) fn files(&mut self) -> Vec<Attachment> {
        let Some(extra) = &mut self.extra else { return Vec::new() };
        let files = extra.random_range(0..4_u64).saturating_sub(1);
        let sizes: Vec<_> = (0..files).map(|_| extra.random_range(0..1_500)).collect();
        let file = |size| Attachment {
            id: "f".into(),
            name: "file.txt".to_owned(),
            content_type: "text/plain".to_owned(),
            size: Some(size),
            inline: false,
            at: String::new(),
        };
        sizes.into_iter().map(file).collect()
    }

    /// A message changes; some helpdesks write a hidden one anew.
    #[expect(clippy::option_option, reason = "not there differs from the same id")]
    pub(super) fn amend(&mut self, key: &TicketKey, amend: &Amend) -> Option<Option<RemoteId>> {
        let desk = self.desks.get_mut(key).expect("a desk");
        let at = desk.comments.iter().position(|one| *one.id() == amend.comment)?;
        let renews = desk.counts;
        match &amend.change {
            Amendment::Hide(note) => {
                let id = if renews { RemoteId::from(desk.next_comment) } else { amend.comment.clone() };
                desk.next_comment += i64::from(renews);
                let old = desk.comments.remove(at);
                let text = note.text.body().text().expect("text");
                desk.comments.push(as_private(&with_text(&old, text), id.clone()));
                Some(renews.then_some(id))
            }
            Amendment::Rewrite(message) => {
                let text = message.body().text().expect("text");
                desk.comments[at] = with_text(&desk.comments[at], text);
                Some(None)
            }
            Amendment::Redact => panic!("nobody redacts here"),
        }
    }
}

fn with_text(comment: &Comment, text: &str) -> Comment {
    let body = Body::inline(text);
    match comment.clone() {
        Comment::Public(one) => Comment::Public(PublicComment { text: one.text.with_body(body), ..one }),
        Comment::Private(one) => Comment::Private(PrivateComment { text: one.text.with_body(body), ..one }),
    }
}

fn as_private(comment: &Comment, id: RemoteId) -> Comment {
    Comment::Private(PrivateComment {
        id,
        author: comment.author().clone(),
        text: PrivateText::new(comment.body().clone()),
        at: comment.at(),
        attachments: comment.attachments().to_vec(),
        redacted: false,
    })
}
