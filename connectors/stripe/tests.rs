mod against_sim;
mod specs;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use handoffd_core::{AccountId, FactKey, FactValue, Timestamp, briefing::money_text};

use super::{wire::Price, *};
use crate::{
    client::{Answer, Kind, Outgoing, SeededJitter, StaticAuthorizer, TokioClock, Transport, TransportError},
    contract::{AuthMethod, Credentials, Disarms, Lane, Secret},
};

const NOW: Timestamp = Timestamp::from_secs(1_763_000_000);
const CUSTOMERS: &str = include_str!("fixtures/customers.json");
const SUBSCRIPTIONS: &str = include_str!("fixtures/subscriptions.json");
const SUBSCRIPTIONS_OLD: &str = include_str!("fixtures/subscriptions_before_2025.json");
const INVOICES: &str = include_str!("fixtures/invoices.json");
const CHARGES: &str = include_str!("fixtures/charges.json");
const PERMISSION_MISSING: &str = include_str!("fixtures/permission_missing.json");
const MIA: &str =
    r#"{"id":"cus_9","email":"Mia@x.example","name":"Mia Li","created":1617408000,"livemode":true}"#;
const NONE: &str = r#"{"object":"list","data":[],"has_more":false}"#;

// ---- requests ----

fn line(ask: Result<Ask>) -> String {
    let ask = ask.expect("it is a request");
    assert_eq!((ask.kind, ask.cost, ask.buckets.len()), (Kind::Read, 1, 1));
    assert_eq!(ask.request.headers()["stripe-version"], "2026-06-24.dahlia");
    assert!(ask.request.headers().get("idempotency-key").is_none());
    format!("{} {}", ask.request.method(), ask.request.uri())
}

#[test]
fn requests_name_what_they_ask_for() {
    let settings = Settings::default();
    let requests = Requests(&settings);
    let rows = [
        (requests.customers_by_email("a+b@x.example"), "GET /v1/customers?email=a%2Bb%40x.example&limit=100"),
        (
            requests.customers_search(r"o'n\e@x.example"),
            "GET /v1/customers/search?query=email%3A%27o%5C%27n%5C%5Ce%40x.example%27&limit=100",
        ),
        (requests.customer("cus_9"), "GET /v1/customers/cus_9"),
        (
            requests.subscriptions("cus_9", true),
            "GET /v1/subscriptions?customer=cus_9&status=all&limit=10&expand%5B%5D=data.latest_invoice",
        ),
        (requests.subscriptions("cus_9", false), "GET /v1/subscriptions?customer=cus_9&status=all&limit=10"),
        (requests.open_invoices("cus_9"), "GET /v1/invoices?customer=cus_9&status=open&limit=10"),
        (requests.charges("cus_9"), "GET /v1/charges?customer=cus_9&limit=5"),
        (requests.product("prod_1"), "GET /v1/products/prod_1"),
        (requests.first_of("charges"), "GET /v1/charges?limit=1"),
    ];
    for (ask, expected) in rows {
        assert_eq!(line(ask), expected);
    }
    for id in ["", "../x", "cus_9?limit=1"] {
        assert!(matches!(requests.customer(id), Err(Error::Refused { .. })), "{id}");
    }
}

#[test]
fn endpoints_have_their_own_quotas_and_settings_their_headers() {
    let settings = Settings {
        connected_account: Some("acct_1A".to_owned()),
        api_version: "2024-06-20".to_owned(),
        ..Settings::default()
    };
    let requests = Requests(&settings);
    let ask = requests.customers_search("a@x.example").unwrap();
    assert_eq!(ask.request.headers()["stripe-version"], "2024-06-20");
    assert_eq!(ask.request.headers()["stripe-account"], "acct_1A");
    let (bucket, quota) = &ask.buckets[0];
    assert_eq!((bucket.as_str(), quota.count, quota.per), ("customers_search", 20, Duration::from_secs(1)));
    assert_eq!(requests.charges("cus_9").unwrap().buckets[0].1.count, 25);
    assert_eq!(api::profile().quota.count, 100);
}

#[test]
fn keys_and_bearers_sign_alike() {
    let spec = auth::spec();
    assert_eq!(spec.methods, [AuthMethod::ApiKey, AuthMethod::Bearer]);
    let secret = || Secret::new("rk_live_1");
    for credentials in [Credentials::ApiKey { key: secret() }, Credentials::Bearer { token: secret() }] {
        assert_eq!((spec.header)(&credentials).unwrap().expose(), "Bearer rk_live_1");
    }
    let pair = Credentials::ApiToken { email: "a@x.example".to_owned(), token: secret() };
    assert!((spec.header)(&pair).is_none());
}

// ---- answers outside 2xx ----

/// What an answer means; `retry` is its `stripe-should-retry`, if any.
fn meaning(status: u16, retry: &str, body: &str) -> Option<Error> {
    let mut headers = http::HeaderMap::new();
    if !retry.is_empty() {
        headers.insert("stripe-should-retry", retry.parse().unwrap());
    }
    let status = http::StatusCode::from_u16(status).unwrap();
    let answer = Answer { status, headers, body: Bytes::copy_from_slice(body.as_bytes()), at: NOW };
    (api::profile().classify)(&answer, Kind::Read)
}

#[test]
fn a_missing_permission_is_named_and_the_key_is_not() {
    let missing = meaning(403, "", PERMISSION_MISSING);
    assert_eq!(missing, Some(Error::Forbidden { missing: "rak_subscription_read".to_owned() }));
    let rows = [
        (
            r#"{"error":{"code":"more_permissions_required"}}"#,
            "a permission of the key (more_permissions_required)",
        ),
        (r#"{"error":{"code":"rk_live_ABC","message":"key rk_live_ABC"}}"#, "a permission of the key"),
        ("<html>", "a permission of the key"),
    ];
    for (body, missing) in rows {
        assert_eq!(meaning(403, "", body), Some(Error::Forbidden { missing: missing.to_owned() }));
    }
}

#[test]
fn statuses_mean_what_stripe_documents() {
    let body = r#"{"error":{"type":"invalid_request_error","code":"parameter_unknown","param":"expand[]",
        "message":"mia@x.example sk_live_1"}}"#;
    let lock = r#"{"error":{"code":"lock_timeout"}}"#;
    let words = "HTTP 400 invalid_request_error parameter_unknown expand[]".to_owned();
    assert_eq!(meaning(400, "", body), Some(Error::Refused { why: words }));
    let rows = [
        (401, "", body, "Unauthorized"),
        (402, "", body, "Refused"),
        (404, "", body, "Gone"),
        (409, "", body, "Transient"),
        (409, "false", body, "Refused"),
        (429, "", body, "None"),
        (429, "false", body, "None"),
        (429, "", lock, "Transient"),
        (400, "true", body, "Transient"),
        (500, "", body, "Transient"),
        (503, "", "<html>", "Transient"),
        (500, "false", body, "Refused"),
        (401, "true", body, "Unauthorized"),
        (418, "", body, "None"),
    ];
    for (status, retry, body, expected) in rows {
        let error = meaning(status, retry, body);
        let shown = error.as_ref().map_or("None".to_owned(), |error| format!("{error:?}"));
        assert!(shown.starts_with(expected), "{status} {retry}: {shown}");
        assert!(!shown.contains("mia@") && !shown.contains("sk_live"), "{shown}");
    }
}

#[test]
fn only_the_accounts_own_rate_fills_its_bucket() {
    let seen = |reason: &'static str| {
        let mut headers = http::HeaderMap::new();
        headers.insert("stripe-rate-limited-reason", reason.parse().unwrap());
        (api::profile().read_limits)(&headers, NOW)
    };
    let all = seen("global-rate");
    assert_eq!((all[0].bucket.as_str(), all[0].remaining), ("", 0));
    assert_eq!(all[0].resets_at, Some(NOW.plus(Duration::from_secs(1))));
    assert!(seen("endpoint-rate").is_empty() && seen("lock").is_empty());
}

// ---- records to facts ----

fn read<T: DeserializeOwned>(json: &str) -> T {
    let reader = &mut serde_json::Deserializer::from_str(json);
    serde_path_to_error::deserialize(reader).unwrap_or_else(|error| panic!("{error}"))
}

fn customer(json: serde_json::Value) -> Customer {
    serde_json::from_value(json).expect("a customer")
}

#[test]
fn customers_are_the_same_by_address_alone() {
    use serde_json::json;
    let of = |livemode| {
        let found = vec![
            customer(json!({"id": "cus_1", "email": "mia@x.example", "created": 10, "livemode": true})),
            customer(json!({"id": "cus_2", "email": " Mia@X.example", "name": "Mia\nLi", "created": 20})),
            customer(json!({"id": "cus_2", "email": "mia@x.example"})),
            customer(json!({"id": "cus_3", "email": "mia@x.example", "livemode": false})),
            customer(json!({"id": "cus_4", "email": "mia@x.example.org"})),
            customer(json!({"id": "cus_5", "email": null})),
            customer(json!({"id": "cus_6", "email": "mia@x.example", "deleted": true})),
        ];
        map::resolved(map::with_email(found, " MIA@x.example ", livemode))
    };
    let Resolved::Ambiguous(matches) = of(Livemode::Only(true)) else { panic!() };
    let shown: Vec<_> = matches.iter().map(|m| (m.id.as_str(), m.label.as_str(), m.rule.as_str())).collect();
    assert_eq!(
        shown,
        [
            ("cus_2", "Mia Li, since 1970-01-01", "email"),
            ("cus_1", "mia@x.example, since 1970-01-01", "email")
        ]
    );
    let Resolved::Ambiguous(any) = of(Livemode::Any) else { panic!() };
    assert_eq!(any.len(), 3);
    assert_eq!(map::resolved(vec![]), Resolved::None);
    assert_eq!(map::spellings(" Mia@x.example"), ["Mia@x.example", "mia@x.example"]);
    assert_eq!(map::spellings("mia@x.example"), ["mia@x.example"]);
}

fn facts_of(subscriptions: &str, invoices: &str, charges: Result<&str, &str>) -> Vec<Fact> {
    let source = AccountId::from("billing");
    let list: List<Subscription> = read(subscriptions);
    let facts = map::Facts {
        source: &source,
        customer: "cus_9",
        at: NOW,
        livemode: Livemode::Only(true),
        products: BTreeMap::from([("prod_1".to_owned(), "Team".to_owned())]),
    };
    facts.of(&map::Read {
        customer: Ok(read::<List<Customer>>(CUSTOMERS).data.unwrap().remove(0)),
        subscriptions: Ok(list),
        invoices: Ok(read(invoices)),
        charges: charges.map(read).map_err(str::to_owned),
    })
}

/// Facts as `key value | detail | record`.
fn lines(facts: &[Fact]) -> Vec<String> {
    let line = |fact: &Fact| {
        let value = match &fact.value {
            FactValue::Text(text) => text.clone(),
            FactValue::Count(count) => count.to_string(),
            FactValue::Money { minor, currency } => money_text(*minor, currency),
            FactValue::Time(at) => at.to_string(),
        };
        assert_eq!((fact.source.as_str(), fact.fetched_at), ("billing", NOW));
        format!("{:?} {value} | {} | {}", fact.key, fact.detail.clone().unwrap_or_default(), fact.record)
    };
    facts.iter().map(line).collect()
}

#[test]
fn records_become_facts() {
    assert_eq!(
        lines(&facts_of(SUBSCRIPTIONS, INVOICES, Ok(CHARGES))),
        [
            "Customer Mia Li | Mia@x.example, delinquent | cus_9",
            "CustomerSince 2021-04-03T00:00:00Z |  | cus_9",
            "Plan Team | past due, 12 x 49.00 EUR per month, period ends 2025-12-01 | sub_1A",
            "OpenInvoice 588.00 EUR | F00-0012, for Team, 2 payment attempts failed, next try 2025-11-04 | in_7",
            "OpenInvoice 120000 JPY | F00-0013, due 2025-11-04 | in_8",
            "FailedPayment 588.00 EUR | 2025-11-01, Your card has insufficient funds. | ch_2",
        ]
    );
}

#[test]
fn the_shape_before_2025_reads_the_same() {
    let old_invoice = r#"{"data":[{"id":"in_7","status":"open","number":"F1","amount_remaining":500,
        "currency":"ugx","customer":"cus_9","subscription":"sub_1A","charge":"ch_1","paid":false}]}"#;
    let facts = lines(&facts_of(SUBSCRIPTIONS_OLD, old_invoice, Ok(NONE)));
    assert_eq!(facts[2], "Plan Team + Seats | active, 5800 JPY every 3 months, ends 2025-12-01 | sub_1A");
    assert_eq!(facts[3], "OpenInvoice 5 UGX | F1, for Team + Seats | in_7");
    assert_eq!(facts.len(), 4, "no failed payment is no fact");
}

#[test]
fn what_cannot_be_read_is_unknown_with_the_reason() {
    let facts = facts_of(SUBSCRIPTIONS, INVOICES, Err("the key lacks rak_charge_read"));
    let failed: Vec<String> = lines(&facts).into_iter().filter(|line| line.starts_with("Failed")).collect();
    assert_eq!(
        failed,
        [
            "FailedPayment 588.00 EUR | invoice F00-0012, 2 payment attempts failed, next try 2025-11-04 | in_7"
        ]
    );
    let facts = lines(&facts_of(NONE, NONE, Err("no answer")));
    assert_eq!(
        &facts[2..],
        ["Plan none |  | cus_9", "OpenInvoice none |  | cus_9", "FailedPayment unknown | no answer | cus_9"]
    );
}

#[test]
fn other_customers_and_other_modes_do_not_slip_in() {
    let foreign = r#"{"data":[{"id":"x_1","customer":"cus_8","status":"open","amount_remaining":5,"currency":"eur"},
        {"id":"x_2","customer":"cus_9","livemode":false,"status":"open","amount_remaining":5,"currency":"eur"},
        {"id":"x_3","customer":"cus_9","status":"paid","amount_remaining":5,"currency":"eur"}]}"#;
    let charges =
        r#"{"data":[{"id":"x_4","customer":"cus_8","status":"failed","amount":5,"currency":"eur"}]}"#;
    let subscriptions = r#"{"data":[{"id":"x_5","customer":"cus_8","status":"active"}]}"#;
    let facts = lines(&facts_of(subscriptions, foreign, Ok(charges)));
    assert_eq!(&facts[2..], ["Plan none |  | cus_9", "OpenInvoice none |  | cus_9"]);
}

#[test]
fn states_of_a_subscription_read_well() {
    let plan = |fields: &str| {
        let price = r#""items":{"data":[{"quantity":1,"price":{"id":"price_1","nickname":"Pro"}}]}"#;
        let list = format!(r#"{{"data":[{{"id":"sub_1",{price},{fields}}}]}}"#);
        lines(&facts_of(&list, NONE, Ok(NONE)))[2].clone()
    };
    let rows = [
        (r#""status":"trialing","trial_end":1764547200"#, "trialing, trial until 2025-12-01"),
        (r#""status":"canceled","canceled_at":1764547200"#, "canceled, ended 2025-12-01"),
        (r#""status":"active","cancel_at":1764547200"#, "active, ends 2025-12-01"),
        (r#""status":"active","cancel_at_period_end":true"#, "active, ends with the period"),
        (r#""status":"active","pause_collection":{"behavior":"void"}"#, "active, collection paused"),
        (r#""status":"some_new_state""#, "some new state"),
        (r#""status":null"#, ""),
    ];
    for (fields, detail) in rows {
        assert_eq!(plan(fields), format!("Plan Pro | {detail} | sub_1"));
    }
}

#[test]
fn running_plans_come_first_and_none_is_left_out_silently() {
    let row = |n: usize, status: &str| {
        format!(
            r#"{{"id":"sub_{n}","status":"{status}","items":{{"data":[{{"price":{{"nickname":"P{n}"}}}}]}}}}"#
        )
    };
    let list = |statuses: &[&str], has_more: bool| {
        let rows: Vec<String> = statuses.iter().enumerate().map(|(n, status)| row(n, status)).collect();
        let list = format!(r#"{{"data":[{}],"has_more":{has_more}}}"#, rows.join(","));
        let facts = lines(&facts_of(&list, NONE, Ok(NONE)));
        facts
            .iter()
            .filter_map(|line| Some(line.strip_prefix("Plan ")?.split(" |").next()?.to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(list(&["canceled", "active", "past_due", "canceled"], false), ["P2", "P1"]);
    assert_eq!(list(&["incomplete_expired", "canceled", "canceled"], false), ["P1"], "the last that ended");
    assert_eq!(list(&["active"; 5], false), ["P0", "P1", "P2", "2 more"]);
    assert_eq!(list(&["active"], true), ["P0", "more"]);
}

#[test]
fn records_with_nothing_but_an_id_are_read() {
    for json in [
        r#"{"id":"x"}"#,
        r#"{"id":"x","status":null,"items":null,"latest_invoice":null,"parent":null,"price":null,"livemode":null}"#,
        r#"{"id":"x","items":{"data":null},"latest_invoice":"in_1","customer":7,"parent":{"type":"quote_details"}}"#,
    ] {
        read::<Customer>(json);
        read::<wire::Invoice>(json);
        read::<wire::Charge>(json);
        let subscription: Subscription = read(json);
        assert!(subscription.items().is_empty() && subscription.period_end().is_none());
    }
    read::<List<Customer>>("{}");
}

/// The vendor's own sample objects, where they are at hand: `HANDOFFD_SPECS` names their folder.
#[test]
fn the_vendors_own_samples_are_read() {
    let Some(folder) = std::env::var_os("HANDOFFD_SPECS") else {
        eprintln!("skipped: HANDOFFD_SPECS does not name a folder with stripe/fixtures3.json");
        return;
    };
    let path = std::path::Path::new(&folder).join("stripe/fixtures3.json");
    let text = std::fs::read_to_string(path).expect("the samples are there");
    let samples: serde_json::Value = serde_json::from_str(&text).expect("the samples are JSON");
    let sample = |name: &str| samples["resources"][name].to_string();
    assert_eq!(read::<Customer>(&sample("customer")).id, "cus_QXg1o8vcGmoR32");
    assert_eq!(read::<Customer>(&sample("deleted_customer")).deleted, Some(true));
    let subscription: Subscription = read(&sample("subscription"));
    assert_eq!(subscription.period_end(), Some(976_287_773));
    let price = subscription.items()[0].price.as_ref().expect("it has a price");
    assert_eq!(price.unit_amount, Some(2_000));
    let invoice: wire::Invoice = read(&sample("invoice"));
    assert_eq!((invoice.amount_remaining, invoice.payment_failed()), (Some(1_000), false));
    assert_eq!(read::<wire::Charge>(&sample("charge")).status.as_deref(), Some("succeeded"));
    assert!(read::<Product>(&sample("product")).name.is_some());
    read::<wire::Item>(&sample("subscription_item"));
    read::<Price>(&sample("price"));
}

// ---- the whole source over a transport in memory ----

/// Answers by the path's beginning, the first that fits; 404 for the rest.
struct Routes {
    routes: Vec<(&'static str, u16, String)>,
    asked: Mutex<Vec<String>>,
}

impl Transport for Routes {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        assert_eq!(outgoing.request.headers()["authorization"], "Bearer rk_test_1");
        let uri = outgoing.request.uri().path_and_query().map(ToString::to_string).unwrap_or_default();
        let route = self.routes.iter().find(|(start, ..)| uri.starts_with(start));
        let (status, body) =
            route.map_or((404, "{}".to_owned()), |(_, status, body)| (*status, body.clone()));
        self.asked.lock().unwrap().push(uri);
        Box::pin(async move { Ok(http::Response::builder().status(status).body(body.into()).unwrap()) })
    }
}

struct World {
    source: Arc<dyn ContextSource>,
    routes: Arc<Routes>,
    call: Call,
}

impl World {
    fn new(routes: &[(&'static str, u16, &str)]) -> Self {
        Self::with(routes, serde_json::Value::Null)
    }

    fn with(routes: &[(&'static str, u16, &str)], settings: serde_json::Value) -> Self {
        let routes = routes.iter().map(|(path, status, body)| (*path, *status, (*body).to_owned())).collect();
        let routes = Arc::new(Routes { routes, asked: Mutex::default() });
        let parts = ClientParts {
            transport: Arc::clone(&routes) as Arc<dyn Transport>,
            clock: Arc::new(TokioClock::starting_at(NOW)),
            jitter: Arc::new(SeededJitter::new(1)),
            authorizer: Arc::new(StaticAuthorizer(Secret::new("Bearer rk_test_1"))),
        };
        let setup = AccountSetup {
            id: "billing".into(),
            base_url: "https://api.stripe.example".parse().unwrap(),
            webhook_secret: None,
            settings,
            custom: Vec::new(),
        };
        let Ok(Opened::ContextSource(source)) = STRIPE.open(setup, parts) else {
            panic!("it opens as a source")
        };
        Self {
            source,
            routes,
            call: Call { lane: Lane::Handoff, deadline: NOW.plus(Duration::from_secs(4)) },
        }
    }

    async fn resolve(&self, email: &str) -> Result<Resolved> {
        let subject = Subject { email: Some(email.to_owned()), name: Some("Mia Li".to_owned()) };
        self.source.resolve(self.call, &subject).await
    }

    async fn fetch(&self) -> Result<Vec<Fact>> {
        let found = Match { id: "cus_9".to_owned(), label: String::new(), rule: "email".to_owned() };
        self.source.fetch(self.call, &found).await
    }

    fn asked(&self) -> Vec<String> {
        self.routes.asked.lock().unwrap().clone()
    }
}

#[tokio::test(start_paused = true)]
async fn one_customer_in_both_lists_and_the_search_is_one() {
    let world = World::new(&[("/v1/customers", 200, CUSTOMERS)]);
    let Ok(Resolved::One(found)) = world.resolve("Mia@x.example").await else { panic!() };
    assert_eq!((found.id.as_str(), found.label.as_str()), ("cus_9", "Mia Li, since 2021-04-03"));
    let paths: Vec<String> =
        world.asked().iter().map(|uri| uri.split("&limit").next().unwrap().to_owned()).collect();
    assert_eq!(
        paths,
        [
            "/v1/customers?email=Mia%40x.example",
            "/v1/customers?email=mia%40x.example",
            "/v1/customers/search?query=email%3A%27Mia%40x.example%27"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_search_that_is_not_offered_is_done_without() {
    for (status, body) in [(403, PERMISSION_MISSING), (400, "{}"), (404, "{}")] {
        let world = World::new(&[("/v1/customers/search", status, body), ("/v1/customers", 200, NONE)]);
        assert_eq!(world.resolve("mia@x.example").await, Ok(Resolved::None), "{status}");
    }
    let world = World::new(&[("/v1/customers/search", 500, "{}"), ("/v1/customers", 200, CUSTOMERS)]);
    assert!(matches!(world.resolve("mia@x.example").await, Ok(Resolved::One(_))));
    let world = World::new(&[("/v1/customers/search", 500, "{}"), ("/v1/customers", 200, NONE)]);
    assert!(
        matches!(world.resolve("mia@x.example").await, Err(Error::Transient { .. })),
        "nobody was really seen"
    );
    let world = World::with(&[("/v1/customers", 200, NONE)], serde_json::json!({"search": false}));
    assert_eq!(world.resolve("mia@x.example").await, Ok(Resolved::None));
    assert_eq!(world.asked().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn nobody_is_asked_for_without_an_address() {
    let world = World::new(&[]);
    assert_eq!(world.resolve("  ").await, Ok(Resolved::None));
    let nameless = Subject { email: None, name: Some("Mia Li".to_owned()) };
    assert_eq!(world.source.resolve(world.call, &nameless).await, Ok(Resolved::None));
    assert!(world.asked().is_empty());
}

const ALL: [(&str, u16, &str); 5] = [
    ("/v1/customers/cus_9", 200, MIA),
    ("/v1/subscriptions?", 200, SUBSCRIPTIONS),
    ("/v1/invoices?", 200, INVOICES),
    ("/v1/charges?", 200, CHARGES),
    ("/v1/products/prod_1", 200, r#"{"id":"prod_1","object":"product","name":"Team plan"}"#),
];

/// All of them, but one answered otherwise.
fn but(path: &str, status: u16, body: &'static str) -> Vec<(&'static str, u16, &'static str)> {
    let but_one = |row: &(&'static str, u16, &'static str)| match row.0.starts_with(path) {
        true => (row.0, status, body),
        false => *row,
    };
    ALL.iter().map(but_one).collect()
}

async fn fetched(routes: &[(&'static str, u16, &'static str)]) -> Vec<String> {
    lines(&World::new(routes).fetch().await.expect("facts"))
}

#[tokio::test(start_paused = true)]
async fn five_reads_tell_all() {
    let world = World::new(&ALL);
    let facts = lines(&world.fetch().await.unwrap());
    assert_eq!(
        facts[2],
        "Plan Team plan | past due, 12 x 49.00 EUR per month, period ends 2025-12-01 | sub_1A"
    );
    assert_eq!(facts.len(), 6);
    assert_eq!(world.asked().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn what_the_key_may_not_read_is_unknown_and_the_rest_is_told() {
    let facts = fetched(&but("/v1/subscriptions", 403, PERMISSION_MISSING)).await;
    assert!(
        facts.contains(&"Plan unknown | the key lacks rak_subscription_read | cus_9".to_owned()),
        "{facts:?}"
    );
    assert!(
        facts.iter().any(|line| line.starts_with("OpenInvoice 588.00 EUR | F00-0012, 2 payment")),
        "{facts:?}"
    );
    let facts = fetched(&but("/v1/invoices", 403, PERMISSION_MISSING)).await;
    assert!(facts.contains(&"OpenInvoice unknown | the key lacks rak_subscription_read | cus_9".to_owned()));
    let facts = fetched(&but("/v1/customers", 500, "{}")).await;
    assert_eq!(facts[0], "Customer unknown | no answer | cus_9");
    let facts = fetched(&but("/v1/charges", 200, r#"{"data":[{"id":7}]}"#)).await;
    assert!(
        facts.iter().any(|line| line.starts_with("FailedPayment 588.00 EUR | invoice F00-0012")),
        "{facts:?}"
    );
    let facts = fetched(&but("/v1/products", 404, "{}")).await;
    assert!(facts[2].starts_with("Plan prod_1 | past due"));
}

#[tokio::test(start_paused = true)]
async fn subscriptions_are_asked_for_alone_when_invoices_may_not_come_with_them() {
    let mut routes = ALL.to_vec();
    routes
        .insert(0, ("/v1/subscriptions?customer=cus_9&status=all&limit=10&expand", 403, PERMISSION_MISSING));
    assert!(fetched(&routes).await.iter().any(|line| line.starts_with("Plan Team plan")));
}

#[tokio::test(start_paused = true)]
async fn a_source_that_says_nothing_fails_as_a_whole() {
    let refused = World::new(&but("/v1/charges", 401, "{}"));
    assert!(matches!(refused.fetch().await, Err(Error::Unauthorized { .. })));
    let silent = World::new(&[("/v1/", 403, PERMISSION_MISSING)]);
    let missing = "rak_subscription_read".to_owned();
    assert_eq!(silent.fetch().await, Err(Error::Forbidden { missing }));
    let deleted =
        World::new(&but("/v1/customers", 200, r#"{"id":"cus_9","object":"customer","deleted":true}"#));
    assert_eq!(deleted.fetch().await, Err(Error::Gone));
}

#[tokio::test(start_paused = true)]
async fn a_probe_names_each_missing_permission() {
    let good = World::new(&[("/v1/customers", 200, CUSTOMERS), ("/v1/", 200, NONE)]);
    let probe = good.source.probe(good.call).await.unwrap();
    assert_eq!((probe.identity.as_str(), probe.problems.len()), ("Stripe, live mode", 0));
    assert_eq!(good.asked().len(), 6);

    let poor = World::new(&[
        ("/v1/customers/search", 400, "{}"),
        ("/v1/customers", 200, CUSTOMERS),
        ("/v1/subscriptions", 403, PERMISSION_MISSING),
        ("/v1/charges", 403, PERMISSION_MISSING),
        ("/v1/invoices", 200, NONE),
    ]);
    let problems = poor.source.probe(poor.call).await.unwrap().problems;
    let whats: BTreeSet<&str> =
        problems.iter().map(|problem| problem.what.split(':').next().unwrap()).collect();
    let named = |resource: &str| format!("the key may not read {resource} (rak_subscription_read)");
    let (subscriptions, charges) = (named("Subscriptions"), named("Charges"));
    assert_eq!(
        whats,
        BTreeSet::from([subscriptions.as_str(), charges.as_str(), "customers cannot be searched"])
    );
    assert!(problems.iter().all(|problem| problem.disarms == Disarms::Nothing));

    let blind = World::new(&[("/v1/", 403, PERMISSION_MISSING)]);
    let problems = blind.source.probe(blind.call).await.unwrap().problems;
    assert_eq!(problems[0].disarms, Disarms::Reads);
    assert!(problems[0].what.starts_with("the key may not read Customers (rak_"));

    let test_mode = World::with(
        &[("/v1/customers", 200, CUSTOMERS), ("/v1/", 200, NONE)],
        serde_json::json!({"livemode": false}),
    );
    let problems = test_mode.source.probe(test_mode.call).await.unwrap().problems;
    assert_eq!((problems.len(), problems[0].disarms), (1, Disarms::Reads));

    let test_key = CUSTOMERS.replace(r#""livemode":true"#, r#""livemode":false"#);
    let test_key = World::new(&[("/v1/customers", 200, &test_key), ("/v1/", 200, NONE)]);
    let probe = test_key.source.probe(test_key.call).await.unwrap();
    assert_eq!((probe.identity.as_str(), probe.problems[0].disarms), ("Stripe, test mode", Disarms::Nothing));

    let refused = World::new(&[("/v1/", 401, "{}")]);
    assert!(matches!(refused.source.probe(refused.call).await, Err(Error::Unauthorized { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_busy_object_is_asked_again_within_the_deadline() {
    let world = World::new(&but("/v1/charges", 429, r#"{"error":{"code":"lock_timeout"}}"#));
    let facts = lines(&world.fetch().await.unwrap());
    assert!(facts.iter().any(|line| line.starts_with("FailedPayment 588.00 EUR | invoice")));
    assert!(world.asked().iter().filter(|uri| uri.starts_with("/v1/charges")).count() > 1);
}

#[test]
fn keys_of_facts_are_those_of_a_billing_source() {
    let keys: BTreeSet<FactKey> =
        facts_of(SUBSCRIPTIONS, INVOICES, Ok(CHARGES)).iter().map(|fact| fact.key).collect();
    assert_eq!(keys.len(), 5);
}

crate::conformance::context_source!(crate::conformance::shop::Goods {
    name: "stripe",
    media: "application/x-www-form-urlencoded",
    customer: &[("POST", "/v1/customers", "email={email}&name=Mia")],
    debtor: &[
        ("POST", "/v1/customers", "email={email}&name=Mia&metadata[sim_card]=declined"),
        ("POST", "/v1/products", "name=Gold"),
        ("POST", "/v1/prices", "product={1}&currency=EUR&unit_amount=4900&recurring[interval]=month"),
        (
            "POST",
            "/v1/subscriptions",
            "customer={0}&items[0][price]={2}&items[0][quantity]=2&payment_behavior=allow_incomplete",
        ),
    ],
    delete: ("DELETE", "/v1/customers/{id}", ""),
    shapes: &[r#"{"api_version": "2026-06-24.dahlia"}"#, r#"{"api_version": "2024-06-20"}"#],
    restricted: ("restricted_key", "rak_invoice_read"),
    plan: "Gold",
    owed: (9_800, "EUR"),
});
