//! What people do next, drawn from the seed.

use std::time::Duration;

use handoffd::store::mem::CrashSide;
use handoffd_connectors::sim::{SimFile, Who};
use handoffd_core::{Field, Priority, Status, Timestamp, Typed, Value};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use crate::{
    oracle::{Fate, Oracle, Said, Talk, What},
    world::{FRESHDESK, Profile, ZENDESK},
};

/// Something that happens to the world.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A customer opens a ticket.
    Open { number: u32, account: &'static str, customer: usize, to_bot: bool, text: String },
    /// Somebody says something.
    Say { talk: u32, account: &'static str, who: Who, public: bool, text: String },
    /// An agent edits a field.
    Edit { talk: u32, account: &'static str, what: What },
    /// The ticket at home changes hands.
    Assign { talk: u32, to: Who },
    /// The AI agent announces a handoff, until it is answered.
    Announce { talk: u32, key: String, again: bool },
    /// An agent deletes a ticket.
    Delete { talk: u32, account: &'static str },
    /// Somebody writes with markup, a link and files.
    Attach { talk: u32, said: Said, html: String },
    /// People make something of a message that was said there; which one, a number draws.
    Amend { talk: u32, account: &'static str, how: Amend, which: usize },
    /// An agent takes a ticket over where it was not opened.
    TakeOver { talk: u32, account: &'static str, agent: String },
    /// The ticket at Zendesk is closed for good.
    Close { talk: u32 },
    /// An agent merges a conversation's ticket into another one's.
    Merge { talk: u32, into: u32, account: &'static str },
    /// An agent takes a ticket for spam.
    Spam { talk: u32, account: &'static str },
    /// The customer says what they think of the help.
    Rate { talk: u32, account: &'static str, percent: u8 },
    /// Zendesk's access tokens die.
    ExpireTokens,
    /// The daemon dies at a commit that is so many away.
    Crash { commits: u64, side: CrashSide },
    /// The daemon is stopped and started again.
    Restart,
}

/// What people make of a message.
#[derive(Clone, Debug)]
pub enum Amend {
    /// The customer is kept from reading it.
    Hide,
    /// Its words are taken out.
    Redact,
    /// A note is written anew.
    Edit(String),
}

/// How long a conversation with the AI agent stands before it is handed over
/// without an announcement: the daemon must have seen who owned it.
const SETTLED: Duration = Duration::from_secs(300);

/// Draws deeds.
pub struct Playwright {
    random: ChaCha8Rng,
    profile: Profile,
    opened: u32,
    words: u32,
    keys: u32,
}

impl Playwright {
    /// A playwright with randomness of its own.
    pub fn new(random: ChaCha8Rng, profile: Profile) -> Self {
        Self { random, profile, opened: 0, words: 0, keys: 0 }
    }

    /// How long until the next deeds.
    pub fn pause(&mut self) -> Duration {
        let longest_ms = if self.random.random_range(0..4) == 0 { 2_000 } else { self.profile.pause_ms_max };
        Duration::from_millis(self.random.random_range(0..longest_ms))
    }

    /// What happens now and soon after.
    pub fn draw(&mut self, oracle: &Oracle, now: Timestamp) -> Vec<(Duration, Deed)> {
        let open = oracle.talks.len() < self.profile.talks_max && self.random.random_range(0..5) == 0;
        if open || oracle.talks.is_empty() {
            return vec![(Duration::ZERO, self.open())];
        }
        if let Some(trouble) = self.trouble() {
            return vec![(Duration::ZERO, trouble)];
        }
        let live: Vec<u32> =
            oracle.talks.iter().filter(|(_, talk)| talk.is_live()).map(|(number, _)| *number).collect();
        let Some(number) = self.pick(&live) else { return vec![(Duration::ZERO, self.open())] };
        let talk = &oracle.talks[&number];
        if self.profile.rich && self.random.random_range(0..100) < 35 {
            return self.more(oracle, number, now);
        }
        match self.random.random_range(0..100) {
            0..45 => vec![(Duration::ZERO, self.say(number))],
            45..75 => vec![(Duration::ZERO, self.edit(number))],
            75..82 => self.edit_both(number),
            82..98 => self.owner(number, talk, now),
            _ if self.profile.deletes => {
                vec![(Duration::ZERO, Deed::Delete { talk: number, account: self.account() })]
            }
            _ => vec![(Duration::ZERO, self.say(number))],
        }
    }

    fn pick<T: Clone>(&mut self, of: &[T]) -> Option<T> {
        (!of.is_empty()).then(|| of[self.random.random_range(0..of.len())].clone())
    }

    fn account(&mut self) -> &'static str {
        self.profile.desks[self.random.random_range(0..self.profile.desks.len())]
    }

    fn trouble(&mut self) -> Option<Deed> {
        let roll = self.random.random_range(0..100);
        match roll {
            0..2 if self.profile.expiries => Some(Deed::ExpireTokens),
            2..3 if self.profile.crashes => Some(Deed::Restart),
            3..9 if self.profile.crashes => {
                let side =
                    if self.random.random_range(0..2) == 0 { CrashSide::Before } else { CrashSide::After };
                Some(Deed::Crash { commits: self.random.random_range(1..25), side })
            }
            _ => None,
        }
    }

    fn open(&mut self) -> Deed {
        self.opened += 1;
        let (account, customer) = (self.account(), self.random.random_range(0..4));
        Deed::Open {
            number: self.opened,
            account,
            customer,
            to_bot: self.random.random_range(0..5) < 3,
            text: self.text(),
        }
    }

    /// Text that was never said before, now and then with what could be mangled.
    fn text(&mut self) -> String {
        self.words += 1;
        let odd = [
            "",
            " and thanks.\n\nBest,\nDana",
            " costs < 5 & \"more\" than 'that' > all",
            " ünïcödé ✓ 日本",
            "  with   spaces ",
            " see https://example.com/a?b=c&d=e",
            " a&amp;b <b>bold</b>",
        ];
        let tail = odd[self.random.random_range(0..odd.len())];
        let long = if self.random.random_range(0..40) == 0 { " tale".repeat(2_600) } else { String::new() };
        format!("m{}: word {}{long}{tail}", self.words, self.random.random_range(0..1_000))
    }

    fn say(&mut self, talk: u32) -> Deed {
        let account = self.account();
        let who = match self.random.random_range(0..10) {
            0..4 => Who::Customer,
            4..6 => Who::Bot,
            _ => Who::Agent(["Mara", "Tom"][self.random.random_range(0..2)].to_owned()),
        };
        let public = who == Who::Customer || self.random.random_range(0..3) > 0;
        Deed::Say { talk, account, who, public, text: self.text() }
    }

    fn what(&mut self, talk: u32, account: &str) -> What {
        match self.random.random_range(0..10) {
            0..2 => {
                What::Subject(format!("{} subject {}", Talk::mark(talk), self.random.random_range(0..1_000)))
            }
            2..5 => {
                let known = [Status::Open, Status::Pending, Status::OnHold, Status::Solved];
                What::Status(known[self.random.random_range(0..known.len())])
            }
            5..7 => What::Priority(Priority::ALL[self.random.random_range(0..4)]),
            kind => {
                let zendesk = ["vip", "billing", "late", "big_customer"];
                let freshdesk = ["vip", "billing", "late", "Big Customer"];
                let tags = if account == ZENDESK { zendesk } else { freshdesk };
                let tag = tags[self.random.random_range(0..tags.len())].to_owned();
                if kind == 9 { What::Untagged(tag) } else { What::Tagged(tag) }
            }
        }
    }

    fn edit(&mut self, talk: u32) -> Deed {
        let account = self.account();
        Deed::Edit { talk, account, what: self.what(talk, account) }
    }

    /// Both sides edit within a moment, often the same field.
    fn edit_both(&mut self, talk: u32) -> Vec<(Duration, Deed)> {
        let gap = Duration::from_millis(self.random.random_range(0..3_000));
        let mut desks = self.profile.desks.clone();
        let one = desks.remove(self.random.random_range(0..desks.len()));
        let other = if desks.len() == 1 { desks[0] } else { desks[self.random.random_range(0..desks.len())] };
        let mut what = self.what(talk, other);
        let first = Deed::Edit { talk, account: one, what: self.what(talk, one) };
        if let Deed::Edit { what: What::Priority(_), .. } = first {
            what = What::Priority(Priority::ALL[self.random.random_range(0..4)]);
        }
        vec![(Duration::ZERO, first), (gap, Deed::Edit { talk, account: other, what })]
    }

    fn announce(&mut self, talk: u32) -> Vec<(Duration, Deed)> {
        self.keys += 1;
        let key = format!("key-{}", self.keys);
        let mut deeds = vec![(Duration::ZERO, Deed::Announce { talk, key: key.clone(), again: false })];
        if self.random.random_range(0..3) == 0 {
            let later = Duration::from_millis(self.random.random_range(0..60_000));
            deeds.push((later, Deed::Announce { talk, key, again: true }));
        }
        deeds
    }

    /// The AI agent hands over, or gets the conversation back.
    fn owner(&mut self, number: u32, talk: &Talk, now: Timestamp) -> Vec<(Duration, Deed)> {
        let agent = Who::Agent(["Mara", "Tom"][self.random.random_range(0..2)].to_owned());
        let assign = Deed::Assign { talk: number, to: agent };
        let soon = Duration::from_millis(self.random.random_range(0..90_000));
        let rested = now.since(talk.owner_since) > SETTLED;
        let stretch_over = talk.handoffs.last().is_none_or(|last| last.over);
        if !talk.bot_owns && !talk.closed.is_empty() {
            return vec![(Duration::ZERO, self.say(number))];
        }
        if !talk.bot_owns {
            // People pass it on among themselves, which gets no briefing, or give it back.
            let was_the_bots = talk.handoffs.last().is_some_and(|last| last.native);
            let back = was_the_bots && rested && self.random.random_range(0..2) == 0;
            let assign = if back { Deed::Assign { talk: number, to: Who::Bot } } else { assign };
            return vec![(Duration::ZERO, assign)];
        }
        if !stretch_over || (!talk.handoffs.is_empty() && !rested) {
            return vec![(Duration::ZERO, self.say(number))];
        }
        let seen = rested;
        match self.random.random_range(0..4) {
            0 if seen => vec![(Duration::ZERO, assign)],
            1 if seen => {
                let mut deeds = vec![(Duration::ZERO, assign)];
                deeds.extend(self.announce(number).into_iter().map(|(at, deed)| (at + soon, deed)));
                deeds
            }
            2 => self.announce(number),
            _ => {
                let mut deeds = self.announce(number);
                deeds.push((soon, assign));
                deeds
            }
        }
    }

    /// What the first draws do not know: files, fields of all kinds, amendments, ends.
    fn more(&mut self, oracle: &Oracle, number: u32, now: Timestamp) -> Vec<(Duration, Deed)> {
        let talk = &oracle.talks[&number];
        let account = self.account();
        let deed = match self.random.random_range(0..100) {
            0..30 => self.attach(number, account),
            30..60 => Deed::Edit { talk: number, account, what: self.field(account) },
            60..75 => {
                let how = match self.random.random_range(0..3) {
                    0 => Amend::Hide,
                    1 => Amend::Redact,
                    _ => Amend::Edit(self.text()),
                };
                Deed::Amend { talk: number, account, how, which: self.random.random_range(0..1_000) }
            }
            75..83 if !talk.bot_owns && talk.closed.is_empty() => {
                let agent = ["Mara", "Tom"][self.random.random_range(0..2)].to_owned();
                Deed::TakeOver { talk: number, account, agent }
            }
            83..88 if self.may_end(talk, now) && self.profile.desks.contains(&ZENDESK) => {
                return self.close(number);
            }
            88..93 => match self.partner(oracle, number, now) {
                Some(into) => Deed::Merge { talk: number, into, account },
                None => self.attach(number, account),
            },
            93..97 => Deed::Rate { talk: number, account, percent: self.random.random_range(0..5) * 25 },
            97.. if self.profile.deletes => Deed::Spam { talk: number, account },
            _ => Deed::Edit { talk: number, account, what: self.field(account) },
        };
        vec![(Duration::ZERO, deed)]
    }

    /// Whether it may be closed or merged: long enough there, and not in a handoff.
    fn may_end(&self, talk: &Talk, now: Timestamp) -> bool {
        let rested = now.since(talk.opened_at) > self.profile.intake_within + SETTLED;
        rested && talk.handoffs.is_empty() && !talk.bot_owns && talk.closed.is_empty()
    }

    /// Another conversation of the same customer with which it can be merged.
    fn partner(&mut self, oracle: &Oracle, number: u32, now: Timestamp) -> Option<u32> {
        let talk = &oracle.talks[&number];
        let fits = |other: &&u32| {
            let other_talk = &oracle.talks[*other];
            **other != number
                && other_talk.is_live()
                && other_talk.customer == talk.customer
                && self.may_end(other_talk, now)
        };
        let others: Vec<u32> = oracle.talks.keys().filter(fits).copied().collect();
        if self.may_end(talk, now) { self.pick(&others) } else { None }
    }

    /// Closed at Zendesk; then, most times, somebody goes on elsewhere.
    fn close(&mut self, number: u32) -> Vec<(Duration, Deed)> {
        let elsewhere: Vec<_> = self.profile.desks.iter().copied().filter(|desk| *desk != ZENDESK).collect();
        let mut deeds = vec![(Duration::ZERO, Deed::Close { talk: number })];
        if let Some(account) = self.pick(&elsewhere).filter(|_| self.random.random_range(0..4) > 0) {
            let said =
                Deed::Say { talk: number, account, who: Who::Customer, public: true, text: self.text() };
            deeds.push((Duration::from_millis(self.random.random_range(0..600_000)), said));
        }
        deeds
    }

    fn attach(&mut self, talk: u32, account: &'static str) -> Deed {
        let who = match self.random.random_range(0..5) {
            0..2 => Who::Customer,
            2 => Who::Bot,
            _ => Who::Agent(["Mara", "Tom"][self.random.random_range(0..2)].to_owned()),
        };
        let public = who == Who::Customer || self.random.random_range(0..3) > 0;
        self.words += 1;
        let words = self.words;
        let link =
            (self.random.random_range(0..3) == 0).then(|| format!("https://example.com/at/{words}?a=b"));
        let count = self.random.random_range(0..3);
        let files = (0..count).map(|file| self.file(words, file)).collect();
        let anchor =
            link.as_ref().map(|link| format!(" see <a href=\"{link}\">there</a>")).unwrap_or_default();
        let html = format!("<p>m{words}: with <b>markup</b> &lt;3</p><p>and{anchor} more</p>");
        let see = if link.is_some() { " see there" } else { "" };
        let text = format!("m{words}: with markup <3\n\nand{see} more");
        let fate = Fate::Stands;
        let said = Said { account, who, public, hushed: false, text, files, link, fate, id: None };
        Deed::Attach { talk, said, html }
    }

    fn file(&mut self, words: u32, number: u32) -> SimFile {
        let kinds = [("pdf", "application/pdf"), ("txt", "text/plain"), ("png", "image/png")];
        let (ending, kind) = kinds[self.random.random_range(0..kinds.len())];
        let length = self.random.random_range(1..2_000);
        let bytes = (0..length).map(|_| self.random.random()).collect();
        SimFile { name: format!("file-{words}-{number}.{ending}"), content_type: kind.to_owned(), bytes }
    }

    /// An edit of a field that only some helpdesks have.
    fn field(&mut self, account: &str) -> What {
        match self.random.random_range(0..8) {
            0 => {
                let zendesk = ["incident", "question", "problem", "task"];
                let freshdesk = ["Incident", "Question", "Problem", "Feature Request"];
                let kinds = if account == FRESHDESK { freshdesk } else { zendesk };
                let kind = kinds[self.random.random_range(0..kinds.len())].to_owned();
                What::Set(Field::Type, Value::Choice(Some(kind)))
            }
            1 => {
                let some = ["boss@example.com", "peer@example.com", "ops@example.org"];
                let count = self.random.random_range(0..3);
                let ccs = some[..count].iter().map(|one| (*one).to_owned()).collect();
                What::Set(Field::Ccs, Value::Tags(ccs))
            }
            2 => What::Waiting,
            3 => {
                let text = format!("ORDER-{}", self.random.random_range(0..1_000));
                let empty = self.random.random_range(0..5) == 0;
                What::Custom("order", (!empty).then_some(Typed::Text(text)))
            }
            4 => {
                let plan = ["free", "pro"][self.random.random_range(0..2)].to_owned();
                What::Custom("plan", Some(Typed::Choice(plan)))
            }
            5 => What::Custom("seats", Some(Typed::Number(self.random.random_range(1..500).to_string()))),
            6 => What::Custom("paid", Some(Typed::Boolean(self.random.random_range(0..2) == 0))),
            _ => What::Custom(
                "due_day",
                Some(Typed::Date(format!("2026-02-{:02}", self.random.random_range(1..28)))),
            ),
        }
    }
}
