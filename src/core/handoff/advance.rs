//! The state machine of a handoff.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{assign_key, bare_key, briefing_key, holding_key, is_open, late_key, place_key};
use crate::{
    intent::Unset,
    model::{
        handoff::{
            Evidence, Handoff, HandoffKind, HandoffState, Owner, SeenMessage, SourceAnswer, Told, Wanted,
        },
        ids::{AccountId, LinkId, OpKey, RemoteId, TicketKey},
        time::Timestamp,
    },
    policy::HandoffRules,
    transcript::merge_told,
};

/// Something that happened to a handoff.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandoffEvent {
    /// It is recorded; these context sources are to be asked.
    Opened {
        /// Whom to ask.
        sources: BTreeSet<AccountId>,
    },
    /// Another sign of the same handoff.
    Evidence(Box<News>),
    /// A context source answered. Its first answer counts.
    SourceAnswered {
        /// Which.
        account: AccountId,
        /// What it said; `Waiting` is no answer.
        answer: SourceAnswer,
    },
    /// The wake-up came. Too early it does nothing.
    DeadlinePassed,
    /// What came of the write that carries the briefing.
    BriefingSettled(Settled),
    /// What came of the write that carries what was late.
    LateSettled(Settled),
    /// The briefing is on the ticket; what goes beside it is not.
    FieldsUnset(Unset),
    /// What came of a write that carries only what goes beside the briefing.
    PlaceSettled(Settled),
    /// The next owner's public message is on the ticket. Nobody has to be waiting for it any more:
    /// a briefing that never came is measured by it too.
    OwnerSpoke {
        /// When. Always by the same clock, so that a repeat is known as one.
        at: Timestamp,
        /// The message, as the helpdesk shows it.
        message: SeenMessage,
    },
    /// The briefing was read back from its ticket.
    BriefingVisible(SeenMessage),
    /// It was looked for on its ticket and was not there.
    BriefingNotVisible,
    /// Its ticket could not be read: that says nothing.
    BriefingUnread,
    /// Packaging takes long: the customer is told to hold.
    HoldDue,
    /// The ticket is solved. Said again at every look: before the briefing is
    /// on the ticket it does nothing, because a solved ticket may be reopened.
    Solved,
    /// The ticket is open again, with the people who had it.
    Reopened,
    /// People passed it on: the next handoff has the conversation.
    PassedOn,
    /// The AI agent has the conversation again.
    HandedBack,
    /// Nobody took it in time.
    Expired,
}

/// What another sign of the same handoff adds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// The sign.
    pub evidence: Option<Evidence>,
    /// The conversation, where the sign knows it.
    pub link: Option<LinkId>,
    /// When it happened, as the sign has it.
    pub began_at: Option<Timestamp>,
    /// The ticket on which the briefing is better placed.
    pub ticket: Option<TicketKey>,
    /// Who owned it before.
    pub from: Option<Owner>,
    /// Who is to own it.
    pub to: Option<Owner>,
    /// What the AI agent told.
    pub told: Told,
    /// Where it asks that the conversation go.
    pub wanted: Wanted,
}

/// What came of a note.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It is on the ticket.
    Applied {
        /// Its id there, where the vendor says it.
        comment: Option<RemoteId>,
    },
    /// It is certainly not there and may be sent again.
    NotApplied,
    /// It may be there, and was not found. Never sent again.
    Lost,
    /// The vendor refuses it; the words are for an admin.
    Refused(String),
    /// The vendor refuses it with the fields that go with it; the words are for an admin.
    FieldsRefused(String),
}

/// Something to be done, after the step's record is committed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Ask these context sources, each once.
    AskSources(BTreeSet<AccountId>),
    /// Compose the briefing and write it under this key. Its text belongs into
    /// [`Handoff::briefing`] in the same commit.
    SendBriefing {
        /// The write's name: the same on every repeat.
        key: OpKey,
    },
    /// Bring what came late: rewrite the briefing where the helpdesk can, else
    /// add one follow-up.
    SendLate {
        /// The write's name: the same on every repeat.
        key: OpKey,
        /// The briefing's comment, where its id is known; without it, follow up.
        edit: Option<RemoteId>,
    },
    /// Read the briefing back from its ticket, as the helpdesk shows it.
    ReadBack,
    /// Name the next owner, now that the briefing is there.
    Assign {
        /// The write's name: the same on every repeat.
        key: OpKey,
    },
    /// Write what goes beside the briefing, by itself.
    Place {
        /// The write's name: the same on every repeat.
        key: OpKey,
    },
    /// Tell the customer, once, that somebody will be with them.
    Hold {
        /// The write's name: the same on every repeat.
        key: OpKey,
    },
    /// Tell the AI agent what people did while they had the conversation, once.
    Return,
    /// Look at [`due_events`] then. An earlier wake-up that was asked for before does no harm.
    WakeAt(Timestamp),
    /// The handoff is closed.
    Done,
}

/// A record after an event, with what is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandoffStep {
    /// The record as it is to be stored.
    pub record: Handoff,
    /// What to do, in this order.
    pub effects: Vec<Effect>,
}

/// What an event makes of a handoff.
///
/// An event that means nothing in the record's state changes nothing and has no
/// effects; so does every repeat, but for [`Settled::NotApplied`], which asks
/// for the same write again. A closed record stays closed: it still takes in
/// what came of its notes.
pub fn advance_handoff(
    record: &Handoff,
    event: &HandoffEvent,
    rules: &HandoffRules,
    now: Timestamp,
) -> HandoffStep {
    let mut step = HandoffStep { record: record.clone(), effects: Vec::new() };
    if !super::needs_briefing(record.kind) {
        return step;
    }
    match event {
        HandoffEvent::Opened { sources } => step.opened(sources, now),
        HandoffEvent::Evidence(news) => step.learned(news, rules, now),
        HandoffEvent::SourceAnswered { account, answer } => step.answered(account, answer, rules, now),
        HandoffEvent::DeadlinePassed => step.deadline_passed(rules, now),
        HandoffEvent::BriefingSettled(settled) => step.briefing_settled(settled, rules, now),
        HandoffEvent::LateSettled(settled) => step.late_settled(settled),
        HandoffEvent::FieldsUnset(unset) => step.fields_unset(unset),
        HandoffEvent::PlaceSettled(settled) => step.place_settled(settled),
        HandoffEvent::OwnerSpoke { at, message } => step.owner_spoke(*at, message),
        HandoffEvent::BriefingVisible(note) => step.visible(note),
        HandoffEvent::BriefingNotVisible => step.not_visible(),
        HandoffEvent::BriefingUnread => step.record.read_again = Some(now.plus(UNREAD_WAIT)),
        HandoffEvent::HoldDue => step.hold(),
        HandoffEvent::Reopened => step.reopened(),
        HandoffEvent::PassedOn => step.close(HandoffState::PassedOn),
        HandoffEvent::Solved => step.solved(),
        HandoffEvent::HandedBack => step.close(HandoffState::HandedBack),
        HandoffEvent::Expired => step.expired(),
    }
    if step.record != *record || !step.effects.is_empty() {
        step.effects.extend(next_wake(&step.record, rules).map(Effect::WakeAt));
    }
    step
}

/// When something is due next for a record; `None` when nothing will be by itself.
pub fn next_wake(record: &Handoff, rules: &HandoffRules) -> Option<Timestamp> {
    if !is_open(record) {
        return None;
    }
    let late = (has_left(record) && wants_late(record)).then(|| late_at(record, rules));
    let packaging = (!has_left(record)).then_some(record.deadline);
    let expiry = may_expire(record).then(|| expires_at(record, rules));
    let hold = may_hold(record).then(|| hold_at(record, rules)).flatten();
    let read_back = wants_read_back(record).then(|| read_back_at(record)).flatten();
    [late, packaging, expiry, hold, read_back].into_iter().flatten().min()
}

/// What a wake-up at `now` means for a record, in the order in which to apply it.
pub fn due_events(record: &Handoff, rules: &HandoffRules, now: Timestamp) -> Vec<HandoffEvent> {
    let mut events = Vec::new();
    if is_open(record) {
        let late_is_due = has_left(record) && wants_late(record) && now >= late_at(record, rules);
        if late_is_due || (!has_left(record) && now >= record.deadline) {
            events.push(HandoffEvent::DeadlinePassed);
        }
        if may_hold(record) && hold_at(record, rules).is_some_and(|at| now >= at) {
            events.push(HandoffEvent::HoldDue);
        }
        if may_expire(record) && now >= expires_at(record, rules) {
            events.push(HandoffEvent::Expired);
        }
    }
    events
}

/// Whether what a context source answers can still reach the next owner.
pub fn still_asks(record: &Handoff, rules: &HandoffRules, now: Timestamp) -> bool {
    is_open(record) && record.late_key.is_none() && (!has_left(record) || now < late_at(record, rules))
}

fn expires_at(record: &Handoff, rules: &HandoffRules) -> Timestamp {
    record.detected_at.plus(std::time::Duration::from_millis(rules.expire_ms))
}

fn late_at(record: &Handoff, rules: &HandoffRules) -> Timestamp {
    record.deadline.plus(std::time::Duration::from_millis(rules.late_wait_ms))
}

/// The briefing was composed: nothing more fits into it.
fn has_left(record: &Handoff) -> bool {
    record.briefing_key.is_some()
}

/// There is something for the one late message.
fn wants_late(record: &Handoff) -> bool {
    record.late_facts && record.late_key.is_none() && is_delivered(record)
}

/// Whether what the next owner says counts: also after the briefing failed, nobody took it in time, or
/// the ticket was solved, so that it is known that they spoke without it.
pub fn waits_for_words(record: &Handoff) -> bool {
    use HandoffState::{Expired, Failed, Resolved};
    let missed = matches!(record.state, Failed | Expired | Resolved);
    is_open(record) || (super::needs_briefing(record.kind) && missed && record.accepted_at.is_none())
}

fn is_delivered(record: &Handoff) -> bool {
    matches!(record.state, HandoffState::Delivered | HandoffState::Accepted | HandoffState::InProgress)
}

fn may_expire(record: &Handoff) -> bool {
    record.accepted_at.is_none() && matches!(record.state, HandoffState::Delivering | HandoffState::Delivered)
}

/// The customer waits, and nothing was said to them yet.
fn may_hold(record: &Handoff) -> bool {
    let announced = record.kind == HandoffKind::AiToHuman && record.accepted_at.is_none();
    announced && record.holding_key.is_none() && !has_left(record)
}

fn hold_at(record: &Handoff, rules: &HandoffRules) -> Option<Timestamp> {
    rules.hold_ms.map(|ms| record.detected_at.plus(Duration::from_millis(ms)))
}

/// The briefing is delivered and was not read back yet.
pub fn wants_read_back(record: &Handoff) -> bool {
    record.delivered_at.is_some() && record.visible.is_none() && record.read_backs < READ_BACKS_MAX
}

/// Whether what goes beside the briefing is still to be written: the briefing is there, and nobody
/// answered the customer yet.
pub fn wants_placing(record: &Handoff) -> bool {
    is_open(record) && record.delivered_at.is_some() && record.accepted_at.is_none()
}

/// Whether the person whom the AI agent asks for is still to be named.
pub fn wants_assignment(record: &Handoff) -> bool {
    let asked = record.wanted.agent.is_some() && record.unassigned.is_none();
    is_open(record) && asked && record.accepted_at.is_none()
}

/// Whether the customer is still to be told to hold.
pub fn wants_hold(record: &Handoff) -> bool {
    is_open(record) && record.delivered_at.is_none() && record.accepted_at.is_none() && !record.unheld
}

/// When the briefing is looked for on its ticket: at once, then after ever longer waits.
pub fn read_back_at(record: &Handoff) -> Option<Timestamp> {
    let wait = READ_BACK_WAIT * record.read_backs.saturating_mul(record.read_backs);
    let at = record.delivered_at.map(|at| at.plus(wait));
    at.map(|at| record.read_again.map_or(at, |again| again.max(at)))
}

fn all_answered(sources: &BTreeMap<AccountId, SourceAnswer>) -> bool {
    sources.values().all(|answer| !matches!(answer, SourceAnswer::Waiting))
}

/// How often a briefing that the helpdesk took is looked for on its ticket.
const READ_BACKS_MAX: u32 = 5;

/// The wait before it is looked for the second time; the next ones are longer.
const READ_BACK_WAIT: Duration = Duration::from_secs(2);

/// The wait after its ticket could not be read.
const UNREAD_WAIT: Duration = Duration::from_secs(60);

impl HandoffStep {
    fn opened(&mut self, sources: &BTreeSet<AccountId>, now: Timestamp) {
        if self.record.state != HandoffState::Detected {
            return;
        }
        self.record.state = HandoffState::Packaging;
        self.record.sources =
            sources.iter().map(|account| (account.clone(), SourceAnswer::Waiting)).collect();
        if !sources.is_empty() {
            self.effects.push(Effect::AskSources(sources.clone()));
        }
        self.leave_if_ready(now);
    }

    /// Before the briefing left, news go into it; after that they are late.
    fn learned(&mut self, news: &News, rules: &HandoffRules, now: Timestamp) {
        if !is_open(&self.record) {
            return;
        }
        let left = has_left(&self.record);
        let told = merge_told(&self.record.told, &news.told);
        let record = &mut self.record;
        let told_more = told != record.told;
        record.told = told;
        record.evidence.extend(news.evidence.clone());
        record.link = record.link.take().or_else(|| news.link.clone());
        record.began_at = [record.began_at, news.began_at].into_iter().flatten().min();
        record.from = record.from.take().or_else(|| news.from.clone());
        let named = news.to.clone().filter(|to| record.to.is_none() || *to != Owner::Nobody);
        record.to = named.or_else(|| record.to.take());
        let wanted = news.wanted.clone().or(&record.wanted);
        let asks_more = wanted.queue != record.wanted.queue || wanted.priority != record.wanted.priority;
        record.unplaced |= left && asks_more;
        record.wanted = wanted;
        if !left && let Some(ticket) = &news.ticket {
            record.ticket = ticket.clone();
        }
        if left && told_more {
            record.late_facts = true;
            self.send_late_if_ready(rules, now);
        }
        self.place();
        if self.record.delivered_at.is_some() && !wants_read_back(&self.record) {
            self.assign();
        }
    }

    fn answered(&mut self, account: &AccountId, answer: &SourceAnswer, rules: &HandoffRules, now: Timestamp) {
        if !is_open(&self.record) || matches!(answer, SourceAnswer::Waiting) {
            return;
        }
        let Some(waiting @ SourceAnswer::Waiting) = self.record.sources.get_mut(account) else { return };
        *waiting = answer.clone();
        if !has_left(&self.record) {
            return self.leave_if_ready(now);
        }
        self.record.late_facts |= match answer {
            SourceAnswer::Facts(facts) => !facts.is_empty(),
            SourceAnswer::Ambiguous(matches) => !matches.is_empty(),
            SourceAnswer::Waiting | SourceAnswer::Nobody | SourceAnswer::Failed(_) => false,
        };
        self.send_late_if_ready(rules, now);
    }

    fn deadline_passed(&mut self, rules: &HandoffRules, now: Timestamp) {
        if has_left(&self.record) {
            self.send_late_if_ready(rules, now);
        } else {
            self.leave_if_ready(now);
        }
    }

    /// The briefing leaves, once, when every source answered or time is up.
    /// Sources that still wait stay so, and are named as missing.
    fn leave_if_ready(&mut self, now: Timestamp) {
        let record = &mut self.record;
        let opened = record.state == HandoffState::Packaging;
        let overdue = record.state == HandoffState::Detected && now >= record.deadline;
        let ready = all_answered(&record.sources) || now >= record.deadline;
        if (opened && ready) || overdue {
            let key = match record.bare {
                Some(_) => bare_key(&record.id),
                None => briefing_key(&record.id),
            };
            record.state = HandoffState::Delivering;
            record.briefing_key = Some(key.clone());
            self.effects.push(Effect::SendBriefing { key });
        }
    }

    /// What is late leaves, once, when the briefing is on the ticket and either
    /// every source answered or waiting longer makes no sense.
    fn send_late_if_ready(&mut self, rules: &HandoffRules, now: Timestamp) {
        let ready = all_answered(&self.record.sources) || now >= late_at(&self.record, rules);
        if ready && wants_late(&self.record) {
            let key = late_key(&self.record.id);
            self.record.late_facts = false;
            self.record.late_key = Some(key.clone());
            self.effects.push(Effect::SendLate { key, edit: self.record.briefing_comment.clone() });
        }
    }

    fn briefing_settled(&mut self, settled: &Settled, rules: &HandoffRules, now: Timestamp) {
        if !has_left(&self.record) || self.record.delivered_at.is_some() {
            return;
        }
        let delivering = self.record.state == HandoffState::Delivering;
        match settled {
            Settled::Applied { comment } => {
                self.record.briefing_comment = comment.clone();
                self.record.delivered_at = Some(now);
                if delivering {
                    self.record.state = match self.record.accepted_at {
                        Some(_) => HandoffState::Accepted,
                        None => HandoffState::Delivered,
                    };
                    self.send_late_if_ready(rules, now);
                }
                self.effects.push(Effect::ReadBack);
                self.place();
            }
            Settled::FieldsRefused(why) if delivering => {
                let key = bare_key(&self.record.id);
                self.record.bare = Some(why.clone());
                self.record.briefing_key = Some(key.clone());
                self.effects.push(Effect::SendBriefing { key });
            }
            Settled::NotApplied if delivering => {
                self.effects.extend(self.record.briefing_key.clone().map(|key| Effect::SendBriefing { key }));
            }
            Settled::Lost if delivering => {
                self.fail("the briefing was sent, not answered, and not found on the ticket".to_owned());
            }
            Settled::Refused(why) if delivering => self.fail(format!("the briefing was refused: {why}")),
            Settled::NotApplied | Settled::Lost | Settled::Refused(_) | Settled::FieldsRefused(_) => {}
        }
    }

    /// The briefing is on its ticket, by the helpdesk's own word: now the next owner may be named.
    fn visible(&mut self, note: &SeenMessage) {
        if self.record.visible.is_some() {
            return;
        }
        self.record.visible = Some(note.clone());
        self.record.briefing_comment = self.record.briefing_comment.take().or_else(|| Some(note.id.clone()));
        self.assign();
    }

    /// The briefing stays, whatever becomes of what goes beside it.
    fn fields_unset(&mut self, unset: &Unset) {
        match unset {
            Unset::Refused(why) => self.record.bare = Some(why.clone()),
            // What is on its way by itself carries all of it.
            Unset::Later(_) if self.record.place_key.is_some() => {}
            Unset::Later(_) => {
                self.record.unplaced = true;
                self.place();
            }
        }
    }

    /// What goes beside the briefing and was not written with it leaves by itself, one write at a
    /// time, while nobody has taken the ticket.
    fn place(&mut self) {
        let record = &mut self.record;
        if record.unplaced && record.place_key.is_none() && wants_placing(record) {
            record.unplaced = false;
            record.placings = record.placings.saturating_add(1);
            let key = place_key(&record.id, record.placings);
            record.place_key = Some(key.clone());
            self.effects.push(Effect::Place { key });
        }
    }

    fn place_settled(&mut self, settled: &Settled) {
        let Some(key) = self.record.place_key.clone() else { return };
        match settled {
            Settled::NotApplied if wants_placing(&self.record) => {
                return self.effects.push(Effect::Place { key });
            }
            Settled::Refused(why) | Settled::FieldsRefused(why) => self.record.bare = Some(why.clone()),
            Settled::Applied { .. } | Settled::NotApplied | Settled::Lost => {}
        }
        self.record.place_key = None;
        self.place();
    }

    fn assign(&mut self) {
        if wants_assignment(&self.record) && self.record.assign_key.is_none() {
            let key = assign_key(&self.record.id);
            self.record.assign_key = Some(key.clone());
            self.effects.push(Effect::Assign { key });
        }
    }

    /// The helpdesk took the briefing and does not show it: it is looked for again, and given up
    /// at last.
    fn not_visible(&mut self) {
        if !wants_read_back(&self.record) {
            return;
        }
        self.record.read_backs += 1;
        if wants_read_back(&self.record) {
            return;
        }
        let why = "the helpdesk took the briefing and does not show it";
        self.record.failure = Some(why.to_owned());
        self.assign();
    }

    fn hold(&mut self) {
        if may_hold(&self.record) {
            let key = holding_key(&self.record.id);
            self.record.holding_key = Some(key.clone());
            self.effects.push(Effect::Hold { key });
        }
    }

    /// Only what was delivered goes on: who had it knows what it is about.
    fn reopened(&mut self) {
        if self.record.state == HandoffState::Resolved {
            self.record.state = HandoffState::InProgress;
        }
    }

    fn fail(&mut self, why: String) {
        self.record.failure = Some(why);
        self.close(HandoffState::Failed);
    }

    /// A late message that did not arrive is not repeated: the briefing is
    /// there, so the handoff goes on, and the record says what is missing.
    fn late_settled(&mut self, settled: &Settled) {
        let Some(key) = self.record.late_key.clone() else { return };
        let why = match settled {
            Settled::Applied { .. } => return,
            Settled::NotApplied if is_delivered(&self.record) => {
                let edit = self.record.briefing_comment.clone();
                return self.effects.push(Effect::SendLate { key, edit });
            }
            Settled::NotApplied => return,
            Settled::Lost => "what came late was sent, not answered, and not found on the ticket".to_owned(),
            Settled::Refused(why) | Settled::FieldsRefused(why) => {
                format!("what came late was refused: {why}")
            }
        };
        self.record.late_facts = true;
        self.record.failure = Some(why);
    }

    /// A message before the briefing is on the ticket is remembered, so that
    /// the handoff is accepted as soon as it is delivered.
    fn owner_spoke(&mut self, at: Timestamp, message: &SeenMessage) {
        let record = &mut self.record;
        if !waits_for_words(record) {
            return;
        }
        match record.accepted_at {
            None => {
                record.accepted_at = Some(at);
                record.first_reply = Some(message.clone());
                if record.state == HandoffState::Delivered {
                    record.state = HandoffState::Accepted;
                }
            }
            Some(first) if at > first && record.state == HandoffState::Accepted => {
                record.state = HandoffState::InProgress;
            }
            Some(_) => {}
        }
    }

    fn solved(&mut self) {
        if is_delivered(&self.record) {
            self.close(HandoffState::Resolved);
        }
    }

    fn expired(&mut self) {
        if may_expire(&self.record) {
            self.close(HandoffState::Expired);
        }
    }

    fn close(&mut self, state: HandoffState) {
        if is_open(&self.record) {
            self.record.state = state;
            self.effects.push(Effect::Done);
        }
    }
}
