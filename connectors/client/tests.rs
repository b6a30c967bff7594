//! The whole client over a transport in memory.

use std::collections::VecDeque;

use super::*;

const START: Timestamp = Timestamp::from_secs(1_000_000);

type Scripted = Result<(u16, &'static str), TransportError>;

/// Answers as the script says; `"7"` beside a status is its `Retry-After`.
struct Script {
    clock: TokioClock,
    left: Mutex<VecDeque<Scripted>>,
    asked: Mutex<Vec<(Timestamp, http::Request<Bytes>)>>,
}

impl Transport for Script {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        self.asked.lock().unwrap().push((self.clock.now(), outgoing.request));
        let next = self.left.lock().unwrap().pop_front().expect("asked more often than scripted");
        Box::pin(async move {
            let (status, retry_after) = next?;
            let mut answer = http::Response::builder().status(status);
            if !retry_after.is_empty() {
                answer = answer.header(http::header::RETRY_AFTER, retry_after);
            }
            Ok(answer.body(Bytes::from_static(b"{}")).unwrap())
        })
    }
}

/// Gives `token-0`, and the next one after each refusal while there are any.
struct Rotating {
    given: Mutex<u32>,
    last: u32,
}

impl Authorizer for Rotating {
    fn header(&self, _call: Call) -> BoxFuture<'_, Result<Secret>> {
        let header = Secret::new(format!("Bearer token-{}", self.given.lock().unwrap()));
        Box::pin(async { Ok(header) })
    }

    fn rejected<'a>(&'a self, _call: Call, used: &'a Secret) -> BoxFuture<'a, Result<bool>> {
        let mut given = self.given.lock().unwrap();
        assert_eq!(used.expose(), format!("Bearer token-{given}"));
        let more = *given < self.last;
        *given += u32::from(more);
        Box::pin(async move { Ok(more) })
    }
}

struct World {
    client: Client,
    script: Arc<Script>,
    clock: TokioClock,
}

impl World {
    fn new(script: Vec<Scripted>) -> Self {
        Self::with(script, 0, "https://acme.example")
    }

    fn with(script: Vec<Scripted>, renewals: u32, base_url: &str) -> Self {
        let clock = TokioClock::starting_at(START);
        let script = Arc::new(Script { clock, left: Mutex::new(script.into()), asked: Mutex::default() });
        let profile = Profile {
            quota: Quota { count: 100, per: Duration::from_secs(60) },
            read_limits: |_, _| Vec::new(),
            classify: |_, _| None,
            retry_after_default: Duration::from_secs(60),
            body_bytes_max: 1_000,
            timeout: Duration::from_secs(10),
        };
        let parts = ClientParts {
            transport: Arc::clone(&script) as Arc<dyn Transport>,
            clock: Arc::new(clock),
            jitter: Arc::new(SeededJitter::new(1)),
            authorizer: Arc::new(Rotating { given: Mutex::new(0), last: renewals }),
        };
        let client = Client::new(AccountId::new("acme"), base_url.parse().unwrap(), profile, parts);
        Self { client, script, clock }
    }

    async fn send(&self, kind: Kind) -> Result<Answer> {
        let call = Call { lane: Lane::Live, deadline: START.plus(Duration::from_secs(30)) };
        let ask = Ask { kind, ..json::get("/api/v2/tickets/1?x=y").unwrap() };
        self.client.send(call, ask).await
    }

    fn asked(&self) -> usize {
        self.script.asked.lock().unwrap().len()
    }

    fn elapsed_ms(&self) -> u128 {
        self.clock.now().since(START).as_millis()
    }
}

fn lost() -> Scripted {
    Err(TransportError::NoAnswer("reset".to_owned()))
}

fn unsent() -> Scripted {
    Err(TransportError::NotSent("refused".to_owned()))
}

#[tokio::test(start_paused = true)]
async fn what_comes_of_a_call_by_kind() {
    use Kind::{IdempotentWrite, Read, Write};
    let ok = || Ok((200, ""));
    let rows: Vec<(&str, Kind, Vec<Scripted>, &str)> = vec![
        ("answered", Read, vec![ok()], "Ok"),
        ("lost read", Read, vec![lost(), ok()], "Ok"),
        ("lost write", Write, vec![lost()], "Unknown"),
        ("lost idempotent write", IdempotentWrite, vec![lost(), ok()], "Ok"),
        ("always lost read", Read, vec![lost(), lost(), lost(), lost()], "Transient"),
        ("always lost idempotent write", IdempotentWrite, vec![lost(), lost(), lost(), lost()], "Unknown"),
        ("unsent write", Write, vec![unsent(), ok()], "Ok"),
        ("never sent write", Write, vec![unsent(), unsent(), unsent(), unsent()], "Transient"),
        ("failed read", Read, vec![Ok((502, "")), ok()], "Ok"),
        ("failed write", Write, vec![Ok((502, ""))], "Unknown"),
        ("busy write", Write, vec![Ok((503, "1"))], "Unknown"),
        ("busy read", Read, vec![Ok((503, "40"))], "Transient"),
        ("throttled write", Write, vec![Ok((429, "7")), ok()], "Ok"),
        ("long throttled write", Write, vec![Ok((429, "31"))], "Throttled"),
        ("throttled without a time", Read, vec![Ok((429, ""))], "Throttled"),
        ("throttled for ever", Read, vec![Ok((429, "0")); 4], "Throttled"),
        ("lost, then throttled", IdempotentWrite, vec![lost(), Ok((429, "60"))], "Unknown"),
        ("stale", Write, vec![Ok((409, ""))], "Stale"),
        ("redirected", Read, vec![Ok((302, ""))], "Refused"),
        ("refused credential", Write, vec![Ok((401, ""))], "Unauthorized"),
    ];
    for (name, kind, script, expected) in rows {
        let steps = script.len();
        let world = World::new(script);
        let came = match world.send(kind).await {
            Ok(_) => "Ok".to_owned(),
            Err(error) => format!("{error:?}").split([' ', '{']).next().unwrap().to_owned(),
        };
        assert_eq!(came, expected, "{name}");
        assert_eq!(world.asked(), steps, "{name}");
        assert!(world.elapsed_ms() <= 30_000, "{name} outlives its deadline");
    }
}

#[tokio::test(start_paused = true)]
async fn retry_after_is_a_floor_for_everybody() {
    let world = World::new(vec![Ok((429, "7")), Ok((200, "")), Ok((200, ""))]);
    let (first, second) = tokio::join!(world.send(Kind::Write), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.send(Kind::Read).await
    });
    assert!(first.is_ok() && second.is_ok());
    let sent_at: Vec<u64> =
        world.script.asked.lock().unwrap().iter().map(|(at, _)| at.since(START).as_secs()).collect();
    assert_eq!(sent_at, [0, 7, 7]);
    let counts = Sent::from([(("GET".to_owned(), "2xx"), 2), (("GET".to_owned(), "4xx"), 1)]);
    assert_eq!(world.client.requests_sent(), counts);
}

#[tokio::test(start_paused = true)]
async fn a_refused_credential_is_replaced_once() {
    let world = World::with(vec![Ok((401, "")), Ok((200, ""))], 9, "https://acme.example");
    world.send(Kind::Write).await.unwrap();
    let used: Vec<String> = world
        .script
        .asked
        .lock()
        .unwrap()
        .iter()
        .map(|(_, request)| request.headers()[http::header::AUTHORIZATION].to_str().unwrap().to_owned())
        .collect();
    assert_eq!(used, ["Bearer token-0", "Bearer token-1"]);

    let world = World::with(vec![Ok((401, "")), Ok((401, ""))], 9, "https://acme.example");
    assert!(matches!(world.send(Kind::Read).await, Err(Error::Unauthorized { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_passed_deadline_sends_nothing() {
    let world = World::new(vec![]);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert!(matches!(world.send(Kind::Write).await, Err(Error::Transient { .. })));
}

#[tokio::test(start_paused = true)]
async fn requests_go_to_the_accounts_origin_only() {
    let base = |text: &str| url::Url::parse(text).unwrap();
    let uri = |text: &str| text.parse::<http::Uri>().unwrap();
    let rows = [
        ("https://acme.example", "/a?b=c", Some("https://acme.example/a?b=c")),
        ("https://acme.example/", "//evil.example/a", Some("https://acme.example//evil.example/a")),
        ("http://127.0.0.1:81/zendesk/", "/a", Some("http://127.0.0.1:81/zendesk/a")),
        ("https://me:pw@acme.example", "/a", Some("https://acme.example/a")),
        (
            "https://acme.example",
            "https://acme.example:443/next?page=2",
            Some("https://acme.example/next?page=2"),
        ),
        ("https://acme.example", "https://evil.example/next", None),
        ("https://acme.example", "http://acme.example/next", None),
        ("https://acme.example", "https://acme.example@evil.example/next", None),
    ];
    for (origin, path, expected) in rows {
        let came = absolute(&base(origin), &uri(path)).ok().map(|uri| uri.to_string());
        assert_eq!(came.as_deref(), expected, "{path} under {origin}");
    }
}
