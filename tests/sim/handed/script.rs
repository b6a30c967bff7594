//! What happens in a life, drawn from its seed before it begins.

use std::{collections::BTreeMap, time::Duration};

use handoffd::store::mem::CrashSide;
use handoffd_connectors::sim::Who;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{oracle::Hands, stage::Setting};

/// Something that somebody does.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A customer opens a ticket, which the AI agent gets.
    Open { tale: u32, account: &'static str, customer: usize, text: String },
    /// Somebody says something on the ticket.
    Say { tale: u32, account: &'static str, who: Who, public: bool, text: String },
    /// The AI agent calls a tool; its outcome is known to nobody else.
    Try { tale: u32, words: String, outcome: String },
    /// The AI agent announces that it hands over, until it is told that this was taken.
    Announce { tale: u32, key: String, reason: String },
    /// The ticket changes hands.
    Give { tale: u32, to: Hands },
    /// The person who has it says it is done.
    Solve { tale: u32 },
    /// The daemon dies at a commit that is so many away.
    Crash { commits: u64, side: CrashSide },
    /// The daemon is stopped and started again.
    Restart,
}

/// Deeds by when they are done, in milliseconds from the beginning.
pub type Script = BTreeMap<(u64, u32), Deed>;

/// The people who answer.
pub const PEOPLE: [&str; 2] = ["Mara", "Tom"];

/// Draws a life.
pub struct Playwright<'a> {
    random: &'a mut ChaCha8Rng,
    setting: &'a Setting,
    script: Script,
    words: u32,
    tale: u32,
    now_ms: u64,
}

impl<'a> Playwright<'a> {
    /// The whole life.
    pub fn write(random: &'a mut ChaCha8Rng, setting: &'a Setting) -> Script {
        let mut play = Self { random, setting, script: Script::new(), words: 0, tale: 0, now_ms: 0 };
        for number in 1..=setting.tales {
            play.tale = number;
            play.now_ms = play.random.random_range(0..120_000);
            play.tale();
        }
        play.troubles();
        play.script
    }

    fn next(&mut self, deed: Deed) {
        self.words += 1;
        self.script.insert((self.now_ms, self.words), deed);
    }

    fn wait(&mut self, ms: std::ops::Range<u64>) {
        self.now_ms += self.random.random_range(ms);
    }

    fn one_in(&mut self, of: u32) -> bool {
        self.random.random_range(0..of) == 0
    }

    /// Long enough for everything that was done to be taken in, or much too short.
    fn pause(&mut self) {
        let settled = u64::try_from(self.setting.settled.as_millis()).unwrap_or(u64::MAX);
        match self.one_in(4) {
            true => self.wait(200..30_000),
            false => self.wait(settled + 1_000..settled + 120_000),
        }
    }

    /// A word unlike any other.
    fn canary(&mut self, letter: char) -> String {
        self.words += 1;
        format!("q{letter}{}q", self.words)
    }

    fn tale(&mut self) {
        let (tale, customer) = (self.tale, self.random.random_range(0..4));
        let account = self.setting.desks[self.random.random_range(0..self.setting.desks.len())];
        let text = format!("{} my order does not arrive, please help", self.canary('c'));
        self.next(Deed::Open { tale, account, customer, text });
        self.pause();
        let hops =
            if self.tale == 1 { 4 + self.random.random_range(0..2) } else { self.random.random_range(1..4) };
        let mut hands = Hands::Bot;
        for _ in 0..hops {
            hands = self.hop(account, hands);
        }
        self.end(account, hands);
    }

    /// Whoever has it works on it, then gives it on. Answers with who has it then.
    fn hop(&mut self, home: &'static str, hands: Hands) -> Hands {
        self.work(home, hands);
        match hands {
            Hands::Bot => self.escalate(),
            Hands::Pool => {
                let name = PEOPLE[self.random.random_range(0..2)];
                self.give(Hands::Person(name));
                Hands::Person(name)
            }
            Hands::Person(name) => {
                let other = PEOPLE[usize::from(name == PEOPLE[0])];
                let to = if self.one_in(3) { Hands::Person(other) } else { Hands::Bot };
                self.give(to);
                self.pause();
                to
            }
        }
    }

    fn give(&mut self, to: Hands) {
        let tale = self.tale;
        self.next(Deed::Give { tale, to });
    }

    /// The AI agent lets go: the ticket changes hands, or it says so, or both in either order.
    fn escalate(&mut self) -> Hands {
        let to = match self.random.random_range(0..3) {
            0 => Hands::Pool,
            which => Hands::Person(PEOPLE[which - 1]),
        };
        let how = self.random.random_range(0..4);
        if how == 1 {
            self.announce();
            self.wait(100..60_000);
        }
        if how == 3 {
            self.announce();
            self.pause();
        }
        self.give(to);
        if how == 2 {
            self.wait(100..60_000);
            self.announce();
        }
        self.pause();
        to
    }

    fn announce(&mut self) {
        let (tale, key) = (self.tale, self.canary('k'));
        let reason = format!("{} a person must decide", self.canary('r'));
        self.next(Deed::Announce { tale, key: key.clone(), reason: reason.clone() });
        if self.one_in(3) {
            let at = self.now_ms;
            self.wait(10..40_000);
            self.next(Deed::Announce { tale, key, reason });
            self.now_ms = at;
        }
    }

    fn say(&mut self, account: &'static str, who: Who, public: bool, text: String) {
        let tale = self.tale;
        self.next(Deed::Say { tale, account, who, public, text });
    }

    fn work(&mut self, home: &'static str, hands: Hands) {
        let (tale, any) = (self.tale, self.setting.desks.len());
        if self.one_in(2) {
            let text = format!("{} it still does not work", self.canary('c'));
            self.say(home, Who::Customer, true, text);
            self.wait(500..20_000);
        }
        match hands {
            Hands::Bot => {
                let words = format!("try_{}", self.canary('t'));
                let outcome = format!("Error: {} found", self.canary('o'));
                self.next(Deed::Try { tale, words, outcome });
                self.wait(200..5_000);
                let text = format!("{} let me look at it", self.canary('b'));
                self.say(home, Who::Bot, true, text);
                self.wait(200..20_000);
            }
            Hands::Person(name) => {
                let who = || Who::Agent(name.to_owned());
                if self.one_in(2) {
                    let text = format!("{} between us: watch out", self.canary('n'));
                    self.say(home, who(), false, text);
                    self.wait(200..20_000);
                }
                // Now and then somebody gives it on without a word to the customer.
                if self.one_in(6) {
                    return;
                }
                let account = self.setting.desks[self.random.random_range(0..any)];
                let text = format!("I have reset your parcel {}.", self.canary('p'));
                self.say(account, who(), true, text);
                self.wait(200..60_000);
            }
            Hands::Pool => {}
        }
    }

    /// It is solved, most times; then the customer writes once more, sometimes.
    fn end(&mut self, home: &'static str, hands: Hands) {
        self.work(home, hands);
        if !matches!(hands, Hands::Person(_)) || self.one_in(3) {
            return;
        }
        self.pause();
        let tale = self.tale;
        self.next(Deed::Solve { tale });
        if self.one_in(2) {
            self.pause();
            let text = format!("{} sorry, once more", self.canary('c'));
            self.say(home, Who::Customer, true, text);
        }
    }

    fn troubles(&mut self) {
        let end = self.script.keys().next_back().map_or(0, |(at, _)| *at);
        if !self.setting.crashes {
            return;
        }
        for _ in 0..6 {
            self.now_ms = self.random.random_range(0..end.max(1));
            let side = if self.one_in(2) { CrashSide::Before } else { CrashSide::After };
            let commits = self.random.random_range(1..20);
            self.next(Deed::Crash { commits, side });
        }
        self.now_ms = self.random.random_range(0..end.max(1));
        self.next(Deed::Restart);
        // Right where a handoff is under way is where it hurts.
        let gives: Vec<u64> = self
            .script
            .iter()
            .filter(|(_, deed)| matches!(deed, Deed::Give { .. } | Deed::Announce { .. }))
            .map(|((at, _), _)| *at)
            .collect();
        for at in gives {
            if self.one_in(2) {
                self.now_ms = at;
                let commits = self.random.random_range(1..8);
                self.next(Deed::Crash { commits, side: CrashSide::After });
            }
        }
    }
}

/// How long the daemon may need at most to take in what was done.
pub const SETTLED: Duration = Duration::from_secs(180);
/// The same where the net is bad.
pub const SETTLED_LATE: Duration = Duration::from_secs(420);
