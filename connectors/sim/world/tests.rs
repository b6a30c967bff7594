use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicI64, Ordering},
};

use futures_util::FutureExt;

use super::*;
use crate::sim::{MailSent, ShownTicket, WebhookOut};

/// A clock that jumps when somebody sleeps.
struct JumpClock(AtomicI64);

impl JumpClock {
    fn new() -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(1_000)))
    }
}

impl Clock for JumpClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }

    fn sleep_until(&self, at: Timestamp) -> BoxFuture<'_, ()> {
        self.0.fetch_max(at.0, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

/// What the fake vendor has seen, shared with the test.
#[derive(Default)]
struct Seen {
    handled: Vec<String>,
    answers: Vec<(u64, WebhookAnswer)>,
}

/// A vendor that echoes, and sends a webhook for each request.
struct Echo {
    name: &'static str,
    seen: Arc<Mutex<Seen>>,
    due: BTreeMap<u64, Timestamp>,
    next: u64,
}

impl Echo {
    fn boxed(name: &'static str) -> (Box<dyn VendorSim>, Arc<Mutex<Seen>>) {
        let seen = Arc::new(Mutex::new(Seen::default()));
        (Box::new(Self { name, seen: Arc::clone(&seen), due: BTreeMap::new(), next: 1 }), seen)
    }
}

impl VendorSim for Echo {
    fn name(&self) -> &'static str {
        self.name
    }

    fn handle(&mut self, request: Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.seen.lock().unwrap().handled.push(request.uri().to_string());
        self.due.insert(self.next, now);
        self.next += 1;
        Response::new(Bytes::from(format!("{} {}", self.name, request.uri().path())))
    }

    fn human(&mut self, _act: HumanAct, now: Timestamp) -> Result<RemoteId, String> {
        self.due.insert(self.next, now);
        self.next += 1;
        Ok(RemoteId::new(self.name))
    }

    fn set_webhook(&mut self, _url: &str, _secret: &str) {}

    fn webhooks_due(&mut self, now: Timestamp) -> Vec<WebhookOut> {
        let due: Vec<_> = self.due.iter().filter(|(_, at)| **at <= now).map(|(id, _)| *id).collect();
        due.into_iter()
            .map(|id| {
                self.due.remove(&id);
                WebhookOut { id, request: Request::new(Bytes::from(id.to_string())) }
            })
            .collect()
    }

    fn webhook_answered(&mut self, id: u64, answer: WebhookAnswer, _now: Timestamp) {
        self.seen.lock().unwrap().answers.push((id, answer));
    }

    fn webhook_next_at(&self) -> Option<Timestamp> {
        self.due.values().min().copied()
    }

    fn mails_sent(&self) -> &[MailSent] {
        &[]
    }

    fn tickets(&self) -> Vec<ShownTicket> {
        Vec::new()
    }

    fn credentials(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn suggested_settings(&self) -> serde_json::Value {
        serde_json::json!({})
    }

    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>) {
        (Vec::new(), Vec::new())
    }

    fn requests_served(&self) -> BTreeMap<String, u64> {
        BTreeMap::new()
    }

    fn expire_tokens(&mut self) {}
}

struct Bench {
    world: World,
    clock: Arc<JumpClock>,
    account: AccountId,
    seen: Arc<Mutex<Seen>>,
}

impl Bench {
    fn new(faults: Faults) -> Self {
        Self::seeded(1, faults)
    }

    fn seeded(seed: u64, faults: Faults) -> Self {
        let clock = JumpClock::new();
        let world = World::new(seed, clock.clone());
        let account = AccountId::new("desk-main");
        let (sim, seen) = Echo::boxed("desk");
        world.add(account.clone(), sim, faults);
        world.keep_log();
        Self { world, clock, account, seen }
    }

    async fn get(&self, uri: &str) -> Came {
        let request = Request::get(uri).body(Bytes::new()).unwrap();
        let outgoing =
            Outgoing { request, upload: Vec::new(), timeout: Duration::from_secs(10), body_bytes_max: 100 };
        self.world.transport().send(outgoing).await
    }

    async fn ask(&self) -> Came {
        self.get("https://desk-main.sim/v1/tickets?page=2").await
    }

    fn handled(&self) -> usize {
        self.seen.lock().unwrap().handled.len()
    }

    fn answers(&self) -> Vec<(u64, WebhookAnswer)> {
        self.seen.lock().unwrap().answers.clone()
    }

    /// A person acts; the webhook of it goes out. Gives what arrived.
    async fn hook(&self) -> Vec<String> {
        self.world.human(&self.account, HumanAct::Delete { ticket: RemoteId::new("1") }).unwrap();
        self.pump().await
    }

    async fn pump(&self) -> Vec<String> {
        let arrived = Mutex::new(Vec::new());
        self.world
            .pump_webhooks(|_, request| {
                arrived.lock().unwrap().push(String::from_utf8(request.into_body().to_vec()).unwrap());
                std::future::ready(Some((202, None)))
            })
            .await;
        arrived.into_inner().unwrap()
    }
}

#[tokio::test]
async fn requests_reach_the_vendor_behind_their_host() {
    let bench = Bench::new(Faults::none());
    let (other, other_seen) = Echo::boxed("other");
    bench.world.add(AccountId::new("Other"), other, Faults::none());
    assert_eq!(bench.world.base_url(&bench.account).unwrap().as_str(), "https://desk-main.sim/");
    let url = bench.world.base_url(&AccountId::new("Other")).unwrap().join("v1/me").unwrap();
    assert_eq!(bench.get(url.as_str()).await.unwrap().body(), "other /v1/me");
    assert_eq!(bench.ask().await.unwrap().body(), "desk /v1/tickets");
    assert_eq!(bench.seen.lock().unwrap().handled, ["https://desk-main.sim/v1/tickets?page=2"]);
    assert_eq!(other_seen.lock().unwrap().handled.len(), 1);
    let nowhere = bench.get("https://elsewhere.sim/").await;
    assert!(matches!(nowhere, Err(TransportError::NotSent(_))), "{nowhere:?}");
    let counts: Vec<_> = bench.world.requests().into_iter().collect();
    assert_eq!(counts, [(AccountId::new("Other"), 1), (bench.account.clone(), 1)]);
    assert_eq!(bench.world.base_url(&AccountId::new("none")), None);
}

#[tokio::test]
async fn each_fault_is_what_it_says() {
    let none = Faults::none();
    type Holds = fn(&Came) -> bool;
    let cases: [(Faults, usize, Holds); 6] = [
        (Faults { refused: 1_000, ..none.clone() }, 0, |came| {
            matches!(came, Err(TransportError::NotSent(_)))
        }),
        (Faults { lost: 1_000, ..none.clone() }, 0, |came| matches!(came, Err(TransportError::NoAnswer(_)))),
        (Faults { answer_lost: 1_000, ..none.clone() }, 1, |came| {
            matches!(came, Err(TransportError::NoAnswer(_)))
        }),
        (Faults { error_before: 1_000, ..none.clone() }, 0, |came| {
            came.as_ref().is_ok_and(|answer| answer.status().is_server_error())
        }),
        (Faults { error_after: 1_000, ..none.clone() }, 1, |came| {
            came.as_ref().is_ok_and(|answer| answer.status().is_server_error())
        }),
        (Faults { throttled: 1_000, retry_after_secs: 9..=9, ..none.clone() }, 0, |came| {
            came.as_ref().is_ok_and(|answer| answer.status() == 429 && answer.headers()["retry-after"] == "9")
        }),
    ];
    for (faults, handled, holds) in cases {
        let bench = Bench::new(faults.clone());
        let came = bench.ask().await;
        assert!(holds(&came), "{faults:?}: {came:?}");
        assert_eq!(bench.handled(), handled, "{faults:?}");
        assert_eq!(bench.world.requests()[&bench.account], 1);
        bench.world.calm();
        assert!(bench.ask().await.is_ok(), "calm ends {faults:?}");
    }
}

#[tokio::test]
async fn ways_take_time_and_long_ones_time_out() {
    let slow =
        Faults { latency_ms: 100..=100, answer_slow: 1_000, answer_slow_ms: 500..=500, ..Faults::none() };
    let bench = Bench::new(slow);
    bench.ask().await.unwrap();
    assert_eq!(bench.clock.now(), Timestamp(1_000 + 100 + 100 + 500));

    let bench = Bench::new(Faults { latency_ms: 11_000..=11_000, ..Faults::none() });
    assert!(matches!(bench.ask().await, Err(TransportError::NoAnswer(_))));
    assert_eq!((bench.handled(), bench.clock.now()), (0, Timestamp(11_000)), "given up before it arrived");

    let bench = Bench::new(Faults { latency_ms: 6_000..=6_000, ..Faults::none() });
    assert!(matches!(bench.ask().await, Err(TransportError::NoAnswer(_))));
    assert_eq!((bench.handled(), bench.clock.now()), (1, Timestamp(11_000)), "given up after it happened");

    let bench = Bench::new(Faults { lost: 1_000, ..Faults::none() });
    bench.ask().await.unwrap_err();
    assert_eq!(bench.clock.now(), Timestamp(11_000), "what is lost is waited for");
}

#[tokio::test]
async fn a_long_answer_is_not_read() {
    let bench = Bench::new(Faults::none());
    let came = bench.get(&format!("https://desk-main.sim/{}", "x".repeat(200))).await;
    assert_eq!(came.unwrap_err(), TransportError::TooLong { limit: 100 });
}

#[tokio::test]
async fn webhooks_arrive_and_are_answered() {
    let bench = Bench::new(Faults::none());
    assert_eq!(bench.world.next_webhook_at(), None);
    bench.ask().await.unwrap();
    assert_eq!(bench.world.next_webhook_at(), Some(Timestamp(1_000)));
    assert_eq!(bench.pump().await, ["1"]);
    assert_eq!(bench.answers(), [(1, Some((202, None)))]);
    assert!(bench.pump().await.is_empty());
}

#[tokio::test]
async fn webhooks_are_lost_seen_or_unseen() {
    for (faults, arrived, answer) in [
        (Faults { webhook_lost: 1_000, ..Faults::none() }, 0, Some((200, None))),
        (Faults { webhook_unanswered: 1_000, ..Faults::none() }, 0, None),
        (Faults { webhook_answered_late: 1_000, ..Faults::none() }, 1, None),
    ] {
        let bench = Bench::new(faults.clone());
        assert_eq!(bench.hook().await.len(), arrived, "{faults:?}");
        assert_eq!(bench.answers(), [(1, answer)], "{faults:?}");
    }
}

#[tokio::test]
async fn webhooks_come_twice_and_out_of_order() {
    let wait = Faults { webhook_delay_ms: 300..=300, ..Faults::none() };
    let bench = Bench::new(Faults { webhook_doubled: 1_000, ..wait.clone() });
    assert_eq!(bench.hook().await, ["1"]);
    assert_eq!(bench.world.next_webhook_at(), Some(Timestamp(1_300)));
    bench.clock.sleep_until(Timestamp(1_299)).await;
    assert!(bench.pump().await.is_empty());
    bench.clock.sleep_until(Timestamp(1_300)).await;
    assert_eq!(bench.pump().await, ["1"]);
    assert_eq!(bench.answers().len(), 1, "the vendor hears the first answer only");

    let bench = Bench::new(Faults { webhook_delayed: 1_000, ..wait });
    assert!(bench.hook().await.is_empty());
    assert!(bench.answers().is_empty());
    bench.world.calm();
    assert_eq!(bench.hook().await, ["2"]);
    bench.clock.sleep_until(Timestamp(1_300)).await;
    assert_eq!(bench.pump().await, ["1"]);
    assert_eq!(bench.answers().iter().map(|(id, _)| *id).collect::<Vec<_>>(), [2, 1]);
}

async fn run(seed: u64, more_accounts: bool) -> (String, Vec<TraceLine>) {
    let bench = Bench::seeded(seed, Faults::some());
    if more_accounts {
        bench.world.add(AccountId::new("another"), Echo::boxed("another").0, Faults::some());
        bench.get("https://another.sim/v1/x").await.ok();
    }
    for _ in 0..200 {
        bench.ask().await.ok();
        bench.pump().await;
    }
    let own = bench.world.log().into_iter().filter(|line| line.account == bench.account);
    (bench.world.trace_hash(), own.collect())
}

#[tokio::test]
async fn the_same_seed_gives_the_same_world() {
    let (first, lines) = run(5, false).await;
    assert_eq!(run(5, false).await, (first.clone(), lines.clone()));
    assert_ne!(run(6, false).await.0, first);
    let faults: BTreeSet<_> =
        lines.iter().map(|line| line.fault.split('(').next().unwrap().to_owned()).collect();
    assert!(faults.len() > 8, "many kinds of faults are seen: {faults:?}");
    let others = run(5, true).await.1;
    let kinds =
        |lines: &[TraceLine]| lines.iter().map(|line| line.fault.clone()).take(20).collect::<Vec<_>>();
    assert_eq!(kinds(&others), kinds(&lines), "another account does not change this one's faults");
}

#[tokio::test]
async fn a_person_needs_an_account() {
    let bench = Bench::new(Faults::none());
    let act = HumanAct::Delete { ticket: RemoteId::new("1") };
    assert_eq!(bench.world.human(&bench.account, act.clone()), Ok(RemoteId::new("desk")));
    assert!(bench.world.human(&AccountId::new("none"), act).unwrap_err().contains("none"));
    assert!(bench.ask().now_or_never().is_some());
}
