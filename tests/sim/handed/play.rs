//! The script is played.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use handoffd_connectors::sim::{HumanAct, ShownTicket, Who};
use handoffd_core::{RemoteId, Status, Timestamp};
use http::Request;
use serde_json::{Value, json};

use super::{
    oracle::{Change, Hands, Oracle, Said, Tale, Tried},
    script::{Deed, PEOPLE, Script},
    stage::{self, BOT_TAG, Marks, Setting},
};
use crate::world::{AGENT_TOKEN, CUSTOMERS, Life, START};

/// How often webhooks are looked for while people act.
const TICK: Duration = Duration::from_millis(500);
/// The same while nobody acts.
const QUIET_TICK: Duration = Duration::from_secs(10);
/// How long after the last deed the world still moves.
const RESTLESS: Duration = Duration::from_secs(300);

/// For how long a deed is tried again.
const PATIENCE_MS: u64 = 1_800_000;

/// A life and what was done in it.
pub struct Stage {
    pub life: Life,
    pub setting: Setting,
    pub oracle: Oracle,
    /// What could not be done however often it was tried.
    pub undone: Vec<String>,
}

impl Stage {
    /// A world at its beginning.
    pub async fn begin(seed: u64, setting: Setting, verbose: bool) -> Self {
        let life = stage::begin(seed, &setting, verbose).await;
        Self { life, setting, oracle: Oracle::default(), undone: Vec::new() }
    }

    /// Everything happens; then nobody does anything, the net is calm, and the daemon finishes.
    pub async fn play(&mut self, script: Script) {
        self.act(script).await;
        self.life.world.calm();
        self.rest(RESTLESS).await;
        let end = self.life.now().plus(self.life.profile.quiet);
        while self.life.now() < end {
            self.life.pass(QUIET_TICK).await;
        }
    }

    /// Nobody does anything for so long.
    pub async fn rest(&mut self, time: Duration) {
        let until = self.life.now().plus(time);
        while self.life.now() < until {
            self.life.pass(TICK).await;
        }
    }

    /// Everything happens.
    pub async fn act(&mut self, script: Script) {
        let mut due = script;
        let mut first_tried = BTreeMap::new();
        while let Some(((at, _), _)) = due.first_key_value() {
            if START.plus(Duration::from_millis(*at)) > self.life.now() {
                self.life.pass(TICK).await;
                continue;
            }
            let Some(((at, number), deed)) = due.pop_first() else { break };
            let tried = deed.clone();
            if !self.perform(deed).await {
                let since = *first_tried.entry(number).or_insert(at);
                match self.elapsed_ms() - since < PATIENCE_MS {
                    true => drop(due.insert((self.elapsed_ms() + 5_000, number), tried)),
                    false => self.undone.push(format!("{tried:.200?}")),
                }
            }
        }
    }

    /// Since the world's beginning.
    pub fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.life.now().since(START).as_millis()).unwrap_or(u64::MAX)
    }

    /// Does it; `false`: it has to be done again.
    async fn perform(&mut self, deed: Deed) -> bool {
        self.life.say(&format!("{deed:.300?}"));
        match deed {
            Deed::Open { tale, account, customer, text } => self.open(tale, account, customer, text),
            Deed::Say { tale, account, who, public, text } => {
                return self.speak(tale, account, who, public, text);
            }
            Deed::Try { tale, words, outcome } => return self.stream(tale, words, outcome).await,
            Deed::Announce { tale, key, reason } => return self.announce(tale, &key, &reason).await,
            Deed::Give { tale, to } => return self.give(tale, to),
            Deed::Solve { tale } => {
                let (home, ticket) = self.home(tale);
                self.life.human(home, HumanAct::SetStatus { ticket, status: Status::Solved });
                let at = self.life.now();
                self.tale(tale).solved.push(at);
            }
            Deed::Crash { commits, side } => self.life.crash_in(commits, side),
            Deed::Restart => self.life.stop_and_start().await,
        }
        true
    }

    fn tale(&mut self, number: u32) -> &mut Tale {
        self.oracle.tales.get_mut(&number).expect("a conversation that was opened")
    }

    fn home(&mut self, number: u32) -> (&'static str, RemoteId) {
        let tale = self.tale(number);
        (tale.home, tale.id.clone())
    }

    fn open(&mut self, number: u32, account: &'static str, customer: usize, text: String) {
        let (name, email) = CUSTOMERS[customer];
        let by_tag = self.setting.marks == Marks::Tag;
        let act = HumanAct::Open {
            name: name.to_owned(),
            email: email.to_owned(),
            subject: format!("{} late order", Tale::mark(number)),
            text: text.clone(),
            to_bot: !by_tag,
        };
        let id = self.life.human(account, act).expect("a ticket");
        if by_tag {
            self.tag(account, &id, true);
        }
        let at = self.life.now();
        let opening = Said { at, account, who: Who::Customer, public: true, text };
        let tale = Tale {
            home: account,
            id,
            opened_at: at,
            hands: Hands::Bot,
            changes: Vec::new(),
            announced: Vec::new(),
            bodies: BTreeMap::new(),
            posted: BTreeMap::new(),
            reasons: Vec::new(),
            solved: Vec::new(),
            said: vec![opening],
            tried: Vec::new(),
            private: Vec::new(),
        };
        self.oracle.tales.insert(number, tale);
    }

    fn tag(&self, account: &str, ticket: &RemoteId, on: bool) {
        let tags = vec![BOT_TAG.to_owned()];
        let (add, remove) = if on { (tags, Vec::new()) } else { (Vec::new(), tags) };
        self.life.human(account, HumanAct::Tag { ticket: ticket.clone(), add, remove });
    }

    /// The conversation's ticket at an account, once it is there.
    pub fn shown(&self, number: u32, account: &str) -> Option<ShownTicket> {
        let tale = &self.oracle.tales[&number];
        let mark = Tale::mark(number);
        let is_it = |ticket: &ShownTicket| match account == tale.home {
            true => ticket.id == tale.id,
            false => ticket.subject.contains(&mark) && !ticket.deleted,
        };
        self.life.tickets(account).into_iter().find(is_it)
    }

    fn speak(&mut self, number: u32, account: &'static str, who: Who, public: bool, text: String) -> bool {
        let Some(ticket) = self.shown(number, account).map(|ticket| ticket.id) else { return false };
        let act = HumanAct::Say { ticket, who: who.clone(), text: text.clone(), public };
        self.life.human(account, act).expect("anybody may speak");
        let at = self.life.now();
        let tale = self.tale(number);
        if !public {
            tale.private.push(text.clone());
        }
        if let (Who::Agent(name), true) = (&who, public) {
            let by = PEOPLE.into_iter().find(|person| person == name).map_or(Hands::Pool, Hands::Person);
            let (words, outcome) = (text.clone(), String::new());
            tale.tried.push(Tried { at, words, outcome, by });
        }
        tale.said.push(Said { at, account, who, public, text });
        true
    }

    /// Hands the ticket over; `false`: not in this moment. Zendesk tells versions by the second, so a
    /// tag that is set in the same second as a message arrives cannot be known to the one who writes next.
    fn give(&mut self, number: u32, to: Hands) -> bool {
        let (home, ticket) = self.home(number);
        let now = self.life.now().as_secs();
        let said = &self.oracle.tales[&number].said;
        let is_said = |text: &str| said.iter().any(|said| said.account == home && text.contains(&said.text));
        let written = |shown: ShownTicket| {
            shown.comments.iter().any(|one| one.at.as_secs() == now && !is_said(&one.text))
        };
        let by_tag = self.setting.marks == Marks::Tag && home == "zendesk";
        if by_tag && self.shown(number, home).is_some_and(written) {
            return false;
        }
        let who = match (to, self.setting.marks) {
            (Hands::Bot, Marks::Tag) => {
                self.tag(home, &ticket, true);
                None
            }
            (Hands::Bot, _) => Some(Who::Bot),
            (Hands::Person(name), _) => Some(Who::Agent(name.to_owned())),
            (Hands::Pool, _) => None,
        };
        self.life.human(home, HumanAct::Assign { ticket: ticket.clone(), to: who }).expect("it may be given");
        if to != Hands::Bot && self.setting.marks == Marks::Tag {
            self.tag(home, &ticket, false);
        }
        let at = self.life.now();
        let tale = self.tale(number);
        let from = std::mem::replace(&mut tale.hands, to);
        tale.changes.push(Change { at, from, to });
        true
    }

    /// The AI agent streams a call of a tool and its outcome; whether it was taken.
    async fn stream(&mut self, number: u32, words: String, outcome: String) -> bool {
        let tale = self.tale(number);
        let path = format!("/v1/conversations/{}:{}/events", tale.home, tale.id);
        let call = tale.tried.len();
        let events = json!({ "events": [
            { "id": format!("{words}-called"), "type": "tool_call", "name": words,
                "call_id": format!("call_{call}"), "inputs": {} },
            { "id": format!("{words}-answered"), "type": "tool_result", "call_id": format!("call_{call}"),
                "outcome": outcome, "ok": false },
        ] });
        let answer = self.post(&path, Some(&format!("stream-{words}")), &events).await;
        if answer.as_ref().is_none_or(|(status, _)| *status != 202) {
            self.life.say(&format!("  the stream was answered {answer:?}"));
            return false;
        }
        let at = self.life.now();
        let tale = self.tale(number);
        tale.private.push(outcome.clone());
        tale.tried.push(Tried { at, words, outcome, by: Hands::Bot });
        true
    }

    /// The AI agent posts its handoff; whether it was taken.
    async fn announce(&mut self, number: u32, key: &str, reason: &str) -> bool {
        let tale = self.tale(number);
        let calls = tale.tried.iter().enumerate().filter(|(_, tried)| tried.by == Hands::Bot);
        let mut transcript = vec![json!({ "role": "user", "content": tale.said[0].text })];
        for (at, tried) in calls {
            transcript.extend(call_of(at, tried));
        }
        let body = json!({
            "conversation": { "account": tale.home, "ticket_id": tale.id.as_str() },
            "reason": reason,
            "transcript": transcript,
        });
        let tried_at: Timestamp = self.life.now();
        // Who repeats a request repeats all of it.
        let body = self.tale(number).bodies.entry(key.to_owned()).or_insert(body).clone();
        let answer = self.post("/v1/handoffs", Some(key), &body).await;
        // A daemon that died before it answered may have taken it.
        let first = *self.tale(number).posted.entry(key.to_owned()).or_insert(tried_at);
        if answer.as_ref().is_none_or(|(status, _)| *status != 202) {
            self.life.say(&format!("  the handoff was answered {answer:?}"));
            return false;
        }
        let tale = self.tale(number);
        if !tale.private.iter().any(|private| private == reason) {
            tale.private.push(reason.to_owned());
            tale.reasons.push(reason.to_owned());
            tale.announced.push(first);
        }
        true
    }

    /// The AI agent calls the API; `None` when the daemon died meanwhile.
    pub async fn post(&self, path: &str, key: Option<&str>, body: &Value) -> Option<(u16, Value)> {
        let mut request = Request::post(format!("https://handoffd.example{path}"))
            .header("authorization", format!("Bearer {AGENT_TOKEN}"))
            .header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let answer = self.life.ask(request.body(Bytes::from(body.to_string())).expect("a request")).await?;
        let body = serde_json::from_slice(answer.body()).unwrap_or_default();
        Some((answer.status().as_u16(), body))
    }
}

fn call_of(at: usize, tried: &Tried) -> [Value; 2] {
    let id = format!("call_{at}");
    [
        json!({ "role": "assistant", "content": null, "tool_calls": [
            { "id": id, "type": "function", "function": { "name": tried.words, "arguments": "{}" } } ] }),
        json!({ "role": "tool", "tool_call_id": id, "content": tried.outcome }),
    ]
}
