//! What people do beyond words and plain fields.

use handoffd_connectors::sim::{HumanAct, Who};
use handoffd_core::{RemoteId, Status, fold_text};

use crate::{
    acts::{Amend, Deed},
    oracle::{Fate, Said},
    shown::words_of,
    world::{FRESHDESK, Life, ZENDESK},
};

impl Life {
    /// Does what is new; gives back what is not.
    pub fn perform_more(&mut self, deed: Deed) -> Option<Deed> {
        match deed {
            // What was drawn before a merge or deletion is not done after it.
            Deed::Say { talk, .. } | Deed::Edit { talk, .. } | Deed::Assign { talk, .. }
                if self.profile.rich && !self.oracle.talks[&talk].is_live() => {}
            Deed::Attach { talk, said, html } => self.attach(talk, said, html),
            Deed::Amend { talk, account, how, which } => self.amend(talk, account, how, which),
            Deed::TakeOver { talk, account, agent } => self.take_over(talk, account, agent),
            Deed::Close { talk } => self.close(talk),
            Deed::Merge { talk, into, account } => self.merge(talk, into, account),
            Deed::Spam { talk, account } => {
                if let Some(ticket) = self.ticket_of(talk, account)
                    && self.human(account, HumanAct::Spam { ticket }).is_some()
                {
                    let now = self.now();
                    self.talk(talk).deleted.push((account, now));
                }
            }
            Deed::Rate { talk, account, percent } => {
                if let Some(ticket) = self.ticket_of(talk, account)
                    && self.human(account, HumanAct::Rate { ticket, percent, comment: None }).is_some()
                {
                    self.talk(talk).rated.insert(account, percent);
                }
            }
            other => return Some(other),
        }
        None
    }

    fn attach(&mut self, number: u32, said: Said, html: String) {
        let Some(ticket) = self.ticket_of(number, said.account) else { return };
        let hushed = self
            .shown(number, said.account)
            .is_some_and(|shown| shown.tags.iter().any(|tag| tag == "handoffd_quiet"));
        let (who, public, files) = (said.who.clone(), said.public, said.files.clone());
        if self.human(said.account, HumanAct::SayRich { ticket, who, html, public, files }).is_some() {
            let at = self.now();
            let talk = self.talk(number);
            talk.touched.push(at);
            talk.said.push(Said { hushed, ..said });
        }
    }

    /// One of the messages that were said here and stand.
    fn amend(&mut self, number: u32, account: &'static str, how: Amend, which: usize) {
        let Some(shown) = self.shown(number, account) else { return };
        let stands: Vec<(usize, RemoteId)> = self.oracle.talks[&number]
            .said
            .iter()
            .enumerate()
            .filter(|(_, said)| said.account == account && said.fate == Fate::Stands)
            .filter_map(|(at, said)| {
                let is_it = |comment: &&_| words_of(comment) == fold_text(&said.text);
                shown.comments.iter().find(is_it).map(|comment| (at, comment.id.clone()))
            })
            .collect();
        let Some((at, comment)) = stands.get(which % stands.len().max(1)).cloned() else { return };
        let said = &self.oracle.talks[&number].said[at];
        let (is_public, before) = (said.public, said.text.clone());
        let ticket = shown.id;
        let (act, fate) = match &how {
            Amend::Hide if !is_public => return,
            Amend::Hide => (HumanAct::Hide { ticket, comment: comment.clone() }, Fate::Hidden),
            Amend::Redact => {
                let fate = if account == FRESHDESK { Fate::Removed } else { Fate::Redacted };
                (HumanAct::Redact { ticket, comment: comment.clone() }, fate)
            }
            Amend::Edit(text) => {
                let text = text.clone();
                (HumanAct::Edit { ticket, comment: comment.clone(), text }, Fate::Edited(vec![before]))
            }
        };
        if self.human(account, act).is_none() {
            return;
        }
        let said = &mut self.talk(number).said[at];
        (said.fate, said.id) = (fate, Some(comment));
        if let Amend::Edit(text) = how {
            said.text = text;
        }
    }

    /// An agent takes the conversation over, where it was opened or elsewhere.
    fn take_over(&mut self, number: u32, account: &'static str, agent: String) {
        if self.oracle.talks[&number].bot_owns {
            return;
        }
        let Some(ticket) = self.ticket_of(number, account) else { return };
        if self.human(account, HumanAct::Assign { ticket, to: Some(Who::Agent(agent)) }).is_some() {
            let at = self.now();
            let talk = self.talk(number);
            talk.touched.push(at);
            talk.owner_since = at;
        }
    }

    fn close(&mut self, number: u32) {
        if !self.oracle.talks[&number].is_live() {
            return;
        }
        let Some(ticket) = self.ticket_of(number, ZENDESK) else { return };
        if self.human(ZENDESK, HumanAct::SetStatus { ticket, status: Status::Closed }).is_some() {
            let at = self.now();
            let talk = self.talk(number);
            talk.touched.push(at);
            talk.closed.push(at);
        }
    }

    fn merge(&mut self, number: u32, into: u32, account: &'static str) {
        let Some(ticket) = self.ticket_of(number, account) else { return };
        let Some(survivor) = self.ticket_of(into, account) else { return };
        if self.human(account, HumanAct::Merge { ticket, into: survivor }).is_some() {
            let at = self.now();
            let talk = self.talk(number);
            talk.merged = Some(into);
            self.talk(into).touched.push(at);
        }
    }
}
