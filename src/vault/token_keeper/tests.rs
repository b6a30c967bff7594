//! Against a vendor that rotates, and a store that fails when told to.

use std::collections::BTreeMap;

use bytes::Bytes;
use futures_util::stream::BoxStream;
use handoffd_connectors::{
    client::{Outgoing, TokioClock, TransportError},
    contract::Lane,
};
use rand::SeedableRng as _;

use super::*;
use crate::{
    store::{
        Caps, Claimed, CommitError, FenceToken, Lease, LeaseName, Page, ReadError, Seq, Shard, Table, Topic,
        Versioned,
    },
    vault::VaultKey,
};

const START: Timestamp = Timestamp::from_secs(1_000_000);

/// Rows in memory; `fails` answers the next commits, and says whether they land all the same.
#[derive(Default)]
struct Rows {
    rows: Mutex<BTreeMap<Key, Vec<u8>>>,
    fails: Mutex<Vec<(CommitError, bool)>>,
    commits: Mutex<u32>,
}

impl Store for Rows {
    fn caps(&self) -> Caps {
        Caps { many_replicas: false, value_bytes_max: 32_768, ops_max: 100 }
    }

    fn get<'a>(&'a self, _: Table, key: &'a Key) -> BoxFuture<'a, Result<Option<Versioned>, ReadError>> {
        let row = self.rows.lock().unwrap().get(key).cloned();
        Box::pin(async move { Ok(row.map(|value| Versioned { value, rev: Seq(1) })) })
    }

    fn commit(&self, commit: Commit) -> BoxFuture<'_, Result<Seq, CommitError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            *self.commits.lock().unwrap() += 1;
            let failure = self.fails.lock().unwrap().pop();
            if failure.as_ref().is_none_or(|(_, lands)| *lands) {
                for write in commit.writes {
                    let Write::Put(table, key, value) = write else { panic!("nothing is deleted") };
                    assert_eq!(table, SEALED);
                    self.rows.lock().unwrap().insert(key, value);
                }
            }
            failure.map_or(Ok(Seq(1)), |(error, _)| Err(error))
        })
    }

    fn page<'a>(
        &'a self,
        _: Table,
        _: &'a Key,
        _: Option<&'a Key>,
        _: u32,
    ) -> BoxFuture<'a, Result<Page, ReadError>> {
        unreachable!()
    }

    fn acquire<'a>(
        &'a self,
        _: &'a LeaseName,
        _: &'a str,
        _: Duration,
    ) -> BoxFuture<'a, Result<Option<Lease>, CommitError>> {
        unreachable!()
    }

    fn renew<'a>(&'a self, _: &'a Lease, _: Duration) -> BoxFuture<'a, Result<Lease, CommitError>> {
        unreachable!()
    }

    fn release(&self, _: Lease) -> BoxFuture<'_, Result<(), CommitError>> {
        unreachable!()
    }

    fn claim<'a>(
        &'a self,
        _: Shard,
        _: &'a Lease,
        _: u32,
        _: Duration,
    ) -> BoxFuture<'a, Result<Vec<Claimed>, CommitError>> {
        unreachable!()
    }

    fn queued(&self, _: Shard, _: u32) -> BoxFuture<'_, Result<Vec<crate::store::Queued>, ReadError>> {
        panic!("there are no jobs")
    }

    fn next_due(&self, _: Shard) -> BoxFuture<'_, Result<Option<Timestamp>, ReadError>> {
        unreachable!()
    }

    fn now(&self) -> Timestamp {
        unreachable!("{:?}", FenceToken(0))
    }

    fn hints(&self, _: Topic) -> BoxStream<'static, ()> {
        unreachable!()
    }
}

/// A token endpoint: `refresh-n` is good once and gives `access-n+1` and `refresh-n+1`.
struct Vendor {
    good: Mutex<u32>,
    asked: Mutex<Vec<String>>,
    down: Mutex<bool>,
    expires_in: Option<u32>,
    rotates: Mutex<bool>,
}

impl Vendor {
    fn answer(&self, body: &Bytes) -> (u16, String) {
        let asked: BTreeMap<String, String> = serde_json::from_slice(body).unwrap();
        let offered = asked.get("refresh_token").map_or("client", String::as_str).to_owned();
        self.asked.lock().unwrap().push(offered.clone());
        if *self.down.lock().unwrap() {
            return (503, String::new());
        }
        let mut good = self.good.lock().unwrap();
        if offered != "client" && offered != format!("refresh-{good}") {
            return (400, r#"{"error":"invalid_grant"}"#.to_owned());
        }
        if !*self.rotates.lock().unwrap() {
            let given = serde_json::json!({
                "access_token": "access", "token_type": "bearer", "expires_in": self.expires_in,
            });
            return (200, given.to_string());
        }
        *good += 1;
        let mut given = serde_json::json!({
            "access_token": format!("access-{good}"), "token_type": "bearer", "expires_in": self.expires_in,
        });
        if offered != "client" {
            given["refresh_token"] = format!("refresh-{good}").into();
        }
        (200, given.to_string())
    }
}

impl Transport for Vendor {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            let (status, body) = self.answer(outgoing.request.body());
            Ok(http::Response::builder().status(status).body(Bytes::from(body)).unwrap())
        })
    }
}

/// What outlives a restart.
struct World {
    store: Arc<Rows>,
    vendor: Arc<Vendor>,
    clock: Arc<TokioClock>,
}

impl World {
    fn new(expires_in: Option<u32>) -> Self {
        let vendor = Vendor {
            good: Mutex::new(0),
            asked: Mutex::default(),
            down: Mutex::new(false),
            expires_in,
            rotates: Mutex::new(true),
        };
        Self {
            store: Arc::default(),
            vendor: Arc::new(vendor),
            clock: Arc::new(TokioClock::starting_at(START)),
        }
    }

    /// A daemon starts, with this refresh token configured.
    fn start(&self, refresh_token: &str, key: u8) -> Arc<TokenKeeper> {
        let credentials =
            Credentials::RefreshToken { client: client(), refresh_token: Secret::new(refresh_token) };
        self.keeper(&credentials, key)
    }

    fn keeper(&self, credentials: &Credentials, key: u8) -> Arc<TokenKeeper> {
        let key = VaultKey::parse(&Secret::new(format!("{key:02x}").repeat(32))).unwrap();
        let nonces = rand_chacha::ChaCha20Rng::seed_from_u64(1);
        let parts = KeeperParts {
            store: Arc::clone(&self.store) as Arc<dyn Store>,
            vault: Arc::new(Vault::with_nonces(&key, nonces)),
            transport: Arc::clone(&self.vendor) as Arc<dyn Transport>,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
        };
        let base_url = url::Url::parse("https://acme.example").unwrap();
        let spec = OAuthSpec { token_path: "/oauth/tokens", json: true };
        let keeper = TokenKeeper::new(&AccountId::new("acme"), base_url, spec, credentials, parts);
        Arc::new(keeper.unwrap())
    }

    fn call(&self) -> Call {
        Call { lane: Lane::Live, deadline: self.clock.now().plus(Duration::from_secs(30)) }
    }

    async fn header(&self, keeper: &TokenKeeper) -> Result<String> {
        keeper.header(self.call()).await.map(|header| header.expose().to_owned())
    }

    fn asked(&self) -> Vec<String> {
        self.vendor.asked.lock().unwrap().clone()
    }

    fn fail_commits(&self, failures: Vec<(CommitError, bool)>) {
        *self.store.fails.lock().unwrap() = failures;
    }
}

fn client() -> OAuthClient {
    OAuthClient { client_id: "us".to_owned(), client_secret: Secret::new("s3cret"), scopes: Vec::new() }
}

fn unavailable() -> (CommitError, bool) {
    (CommitError::Unavailable { why: "disk full".to_owned() }, false)
}

async fn pass(secs: u64) {
    tokio::time::sleep(Duration::from_secs(secs)).await;
}

#[tokio::test(start_paused = true)]
async fn a_hundred_callers_ask_once() {
    let world = Arc::new(World::new(Some(1_800)));
    let keeper = world.start("refresh-0", 1);
    let callers: Vec<_> = (0..100)
        .map(|_| {
            let (world, keeper) = (Arc::clone(&world), Arc::clone(&keeper));
            tokio::spawn(async move { world.header(&keeper).await })
        })
        .collect();
    for caller in callers {
        assert_eq!(caller.await.unwrap().unwrap(), "Bearer access-1");
    }
    assert_eq!(world.asked(), ["refresh-0"]);
    assert_eq!(*world.store.commits.lock().unwrap(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_replaced_ahead_of_its_end_and_serves_until_then() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    pass(1_735).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    *world.vendor.down.lock().unwrap() = true;
    pass(10).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    assert_eq!(world.asked().len(), 2);
    // Held off: not every caller asks again.
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    assert_eq!(world.asked().len(), 2);
    pass(60).await;
    assert!(matches!(world.header(&keeper).await, Err(Error::Transient { .. })));
    *world.vendor.down.lock().unwrap() = false;
    pass(60).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-2");
}

#[tokio::test(start_paused = true)]
async fn a_pair_is_stored_before_it_is_used() {
    for failure in [
        unavailable(),
        (CommitError::Indeterminate { why: "io".to_owned() }, false),
        (CommitError::Indeterminate { why: "io".to_owned() }, true),
    ] {
        let world = World::new(Some(1_800));
        let keeper = world.start("refresh-0", 1);
        world.fail_commits(vec![failure.clone(), failure]);
        for _ in 0..2 {
            let error = world.header(&keeper).await.unwrap_err();
            assert!(matches!(&error, Error::Transient { why } if why.contains("stored")), "{error:?}");
            pass(5).await;
        }
        assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
        assert_eq!(world.asked(), ["refresh-0"], "the pair in memory is stored, not asked for again");
        // A restart finds it.
        assert_eq!(world.header(&world.start("refresh-0", 1)).await.unwrap(), "Bearer access-1");
        assert_eq!(world.asked().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_new_pair_that_is_not_stored_ends_the_old_one() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    pass(1_745).await;
    world.fail_commits(vec![unavailable()]);
    // The vendor has deleted the old pair by giving the new one.
    assert!(matches!(world.header(&keeper).await, Err(Error::Transient { .. })));
    pass(2).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-2");
}

#[tokio::test(start_paused = true)]
async fn a_vendor_that_does_not_rotate_is_asked_with_the_same_token() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    world.header(&keeper).await.unwrap();
    *world.vendor.rotates.lock().unwrap() = false;
    for _ in 0..2 {
        pass(1_800).await;
        world.header(&keeper).await.unwrap();
    }
    pass(1_800).await;
    world.header(&world.start("refresh-0", 1)).await.unwrap();
    assert_eq!(world.asked(), ["refresh-0", "refresh-1", "refresh-1", "refresh-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_crash_between_answer_and_commit_is_told_and_healed_by_a_new_token() {
    let world = World::new(Some(1_800));
    world.fail_commits(vec![unavailable()]);
    assert!(world.header(&world.start("refresh-0", 1)).await.is_err());
    let keeper = world.start("refresh-0", 1);
    for _ in 0..3 {
        assert!(matches!(world.header(&keeper).await, Err(Error::Unauthorized { .. })));
    }
    assert_eq!(world.asked(), ["refresh-0", "refresh-0"], "the refusal stands");
    pass(RECHECK.as_secs()).await;
    assert!(matches!(world.header(&keeper).await, Err(Error::Unauthorized { .. })));
    assert_eq!(world.asked().len(), 3, "one recheck");
    assert_eq!(world.header(&world.start("refresh-1", 1)).await.unwrap(), "Bearer access-2");
}

#[tokio::test(start_paused = true)]
async fn rotation_goes_on_across_restarts() {
    let world = World::new(Some(1_800));
    assert_eq!(world.header(&world.start("refresh-0", 1)).await.unwrap(), "Bearer access-1");
    pass(600).await;
    let keeper = world.start("refresh-0", 1);
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    pass(1_800).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-2");
    pass(1_800).await;
    assert_eq!(world.header(&world.start("refresh-0", 1)).await.unwrap(), "Bearer access-3");
    assert_eq!(world.asked(), ["refresh-0", "refresh-1", "refresh-2"]);
}

#[tokio::test(start_paused = true)]
async fn the_admins_new_token_wins_over_the_stored_pair() {
    let world = World::new(Some(1_800));
    assert_eq!(world.header(&world.start("refresh-0", 1)).await.unwrap(), "Bearer access-1");
    *world.vendor.good.lock().unwrap() = 50;
    assert_eq!(world.header(&world.start("refresh-50", 1)).await.unwrap(), "Bearer access-51");
    assert_eq!(world.header(&world.start("refresh-50", 1)).await.unwrap(), "Bearer access-51");
    assert_eq!(world.asked(), ["refresh-0", "refresh-50"]);
}

#[tokio::test(start_paused = true)]
async fn another_vault_key_is_named_and_no_dead_token_is_replayed() {
    let world = World::new(Some(1_800));
    world.header(&world.start("refresh-0", 1)).await.unwrap();
    let error = world.header(&world.start("refresh-0", 2)).await.unwrap_err();
    assert!(matches!(&error, Error::Unauthorized { why } if why.contains("another vault key")), "{error:?}");
    assert_eq!(world.asked(), ["refresh-0"]);
    assert_eq!(world.header(&world.start("refresh-1", 2)).await.unwrap(), "Bearer access-2");
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_without_an_end_is_replaced_once() {
    let world = World::new(None);
    let keeper = world.start("refresh-0", 1);
    let used = keeper.header(world.call()).await.unwrap();
    pass(1_000_000).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    let refusals = (0..50).map(|_| keeper.rejected(world.call(), &used));
    for another in futures_util::future::join_all(refusals).await {
        assert_eq!(another, Ok(true));
    }
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-2");
    assert_eq!(world.asked(), ["refresh-0", "refresh-1"]);
    // An old refusal that comes late changes nothing.
    assert_eq!(keeper.rejected(world.call(), &used).await, Ok(true));
    // A token refused as soon as it is given is not replaced for ever.
    let fresh = keeper.header(world.call()).await.unwrap();
    assert_eq!(keeper.rejected(world.call(), &fresh).await, Ok(false));
    assert_eq!(world.asked().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_goes_away_does_not_lose_the_pair() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    let gone = tokio::time::timeout(Duration::from_millis(20), world.header(&keeper)).await;
    assert!(gone.is_err());
    pass(1).await;
    assert_eq!(world.store.rows.lock().unwrap().len(), 1);
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    assert_eq!(world.asked(), ["refresh-0"]);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_longer_than_the_deadline() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    let call = Call { lane: Lane::Handoff, deadline: START.plus(Duration::from_millis(20)) };
    assert!(matches!(keeper.header(call).await, Err(Error::Transient { .. })));
    assert_eq!(world.clock.now().since(START).as_millis(), 20);
}

#[tokio::test(start_paused = true)]
async fn client_credentials_store_nothing() {
    let world = World::new(Some(300));
    let keeper = world.keeper(&Credentials::ClientCredentials(client()), 1);
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-1");
    pass(300).await;
    assert_eq!(world.header(&keeper).await.unwrap(), "Bearer access-2");
    assert_eq!(world.asked(), ["client", "client"]);
    assert!(world.store.rows.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn stored_bytes_show_no_token() {
    let world = World::new(Some(1_800));
    let keeper = world.start("refresh-0", 1);
    world.header(&keeper).await.unwrap();
    let rows = world.store.rows.lock().unwrap();
    let bytes = rows.values().next().unwrap();
    for secret in ["access-1", "refresh-1", "refresh-0", "s3cret"] {
        assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
    assert!(!format!("{keeper:?}").contains("refresh-"));
}
