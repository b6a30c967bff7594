//! `kill -9` at any moment.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{
    run::public,
    world::{World, within},
};

const KILLS: u32 = 50;
/// From this kill on people speak at Freshdesk alone. What a webhook did not tell of,
/// Zendesk's feed shows only after a minute, which begins with the last of those.
const ZENDESK_UNTIL: u32 = 35;
const SEED: u64 = 4_711;
/// Counted, not timed: on a fast machine as on a slow one as much is said.
const ACTS_PER_LIFE: u32 = 5;
/// The most that is said in one conversation at Freshdesk. Zendesk takes 30 updates of one ticket
/// in ten minutes, and a public reply of somebody else costs two.
const AT_FRESHDESK_MAX: usize = 12;
/// The vendor's feed shows a change that no webhook told of only after a minute.
const QUIET_WITHIN: Duration = Duration::from_secs(120);

/// What the people at both helpdesks said in one conversation, in order.
#[derive(Default)]
struct Conversation {
    /// Its ticket where it was opened, and whether that is Zendesk.
    opened: (String, bool),
    at_zendesk: Vec<String>,
    at_freshdesk: Vec<String>,
}

/// Everything that was said, by the subject of its ticket.
#[derive(Default)]
struct Oracle {
    said: BTreeMap<String, Conversation>,
    messages: u32,
    zendesk_is_quiet: bool,
}

impl Oracle {
    async fn open(&mut self, world: &World, random: &mut ChaCha8Rng) {
        self.messages += 1;
        let (subject, text) = (format!("Case {}", self.messages), format!("message {}", self.messages));
        let mut new = Conversation::default();
        if !self.zendesk_is_quiet && random.random_bool(0.5) {
            new.opened = (world.sandbox.zendesk.zendesk_open(&subject, &text).await, true);
            new.at_zendesk.push(text);
        } else {
            new.opened = (world.sandbox.freshdesk.freshdesk_open(&subject, &text).await, false);
            new.at_freshdesk.push(text);
        }
        self.said.insert(subject, new);
    }

    /// Somebody replies, at either side that there is already.
    async fn reply(&mut self, world: &World, random: &mut ChaCha8Rng) {
        let place = random.random_range(0..self.said.len());
        let (subject, conversation) = self.said.iter_mut().nth(place).unwrap();
        let at_zendesk = !self.zendesk_is_quiet && random.random_bool(0.5);
        let tickets = match at_zendesk {
            true => world.sandbox.zendesk.zendesk_tickets().await,
            false => world.sandbox.freshdesk.freshdesk_tickets().await,
        };
        let ticket = tickets.into_iter().find(|(_, shown)| shown == subject).map(|(id, _)| id);
        let (ticket, at_zendesk) = match ticket {
            Some(ticket) => (ticket, at_zendesk),
            // The mirror is not there yet.
            None if self.zendesk_is_quiet => return,
            None => conversation.opened.clone(),
        };
        if !at_zendesk && conversation.at_freshdesk.len() >= AT_FRESHDESK_MAX {
            return;
        }
        self.messages += 1;
        let text = format!("message {}", self.messages);
        if at_zendesk {
            world.sandbox.zendesk.zendesk_reply(&ticket, &text).await;
            conversation.at_zendesk.push(text);
        } else {
            world.sandbox.freshdesk.freshdesk_reply(&ticket, &text).await;
            conversation.at_freshdesk.push(text);
        }
    }

    /// What is not as it should be at one side; `None` when nothing is.
    async fn wrong(&self, world: &World, at_zendesk: bool) -> Option<String> {
        let (zendesk, freshdesk) = (&world.sandbox.zendesk, &world.sandbox.freshdesk);
        let tickets = match at_zendesk {
            true => zendesk.zendesk_tickets().await,
            false => freshdesk.freshdesk_tickets().await,
        };
        let side = if at_zendesk { "Zendesk" } else { "Freshdesk" };
        let by_subject: BTreeMap<_, _> = tickets.iter().map(|(id, subject)| (subject, id)).collect();
        if by_subject.len() != tickets.len() || tickets.len() > self.said.len() {
            return Some(format!("doubled tickets at {side}: {tickets:?}"));
        }
        for (subject, conversation) in &self.said {
            let Some(ticket) = by_subject.get(subject) else {
                return Some(format!("{subject} is missing at {side}"));
            };
            let said = match at_zendesk {
                true => public(&zendesk.zendesk_said(ticket).await),
                false => public(&freshdesk.freshdesk_said(ticket).await),
            };
            let of = |texts: &[String]| {
                said.iter().filter(|text| texts.contains(text)).cloned().collect::<Vec<_>>()
            };
            let all = conversation.at_zendesk.len() + conversation.at_freshdesk.len();
            // People at both sides may speak at once; those of one side keep their order.
            let in_order = of(&conversation.at_zendesk) == conversation.at_zendesk
                && of(&conversation.at_freshdesk) == conversation.at_freshdesk;
            if said.len() != all || !in_order {
                return Some(format!(
                    "{subject} at {side} shows {said:?}; said at Zendesk {:?}, at Freshdesk {:?}",
                    conversation.at_zendesk, conversation.at_freshdesk
                ));
            }
        }
        None
    }

    async fn wrong_anywhere(&self, world: &World) -> Option<String> {
        match self.wrong(world, true).await {
            None => self.wrong(world, false).await,
            wrong => wrong,
        }
    }
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_by_kills() {
    let world = World::new(21).await;
    let mut random = ChaCha8Rng::seed_from_u64(SEED);
    let mut oracle = Oracle::default();
    oracle.open(&world, &mut random).await;
    let mut log = String::new();
    for kill in 0..KILLS {
        oracle.zendesk_is_quiet = kill >= ZENDESK_UNTIL;
        let mut daemon = world.spawn();
        // Most lives end amid work; some last until lost answers are looked for.
        let life_ms = if random.random_bool(0.1) { 1_200..1_800 } else { 50..600 };
        let life = Duration::from_millis(random.random_range(life_ms));
        let until = Instant::now() + life;
        for _ in 0..ACTS_PER_LIFE {
            match random.random_bool(0.15) && oracle.said.len() < 25 {
                true => oracle.open(&world, &mut random).await,
                false => oracle.reply(&world, &mut random).await,
            }
            tokio::time::sleep(life / ACTS_PER_LIFE).await;
        }
        tokio::time::sleep(until.saturating_duration_since(Instant::now())).await;
        assert!(daemon.runs(), "it ended by itself: {:?}", daemon.stderr());
        log += &daemon.kill().without(&world.secrets()).stderr;
    }
    let daemon = world.start().await;
    let began = Instant::now();
    while let Some(wrong) = oracle.wrong_anywhere(&world).await {
        if began.elapsed() > QUIET_WITHIN {
            let status = world.admin_get("/status.json").await.text;
            panic!("{wrong}\n{status}\n{log}{}", daemon.stderr().join("\n"));
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    within(QUIET_WITHIN, "every write to be settled", || async {
        let report = world.admin_get("/status.json").await.json;
        (report["unsettled"] == serde_json::json!([]) && report["in_hand"] == 0).then_some(())
    })
    .await;
    // What must not come would come now.
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(oracle.wrong_anywhere(&world).await, None);
    let report = world.admin_get("/status.json").await.json;
    assert_eq!(report["parked"], serde_json::json!([]));
    assert!(oracle.messages > 100, "there was something to lose: {}", oracle.messages);
    world.stop(daemon);
    let verified = world.command(&["store", "verify"]).with_code(0);
    println!("{} messages in {} conversations; {}", oracle.messages, oracle.said.len(), verified.stdout);
}
