//! The source against the simulator, which knows nothing of how we read.

use crate::sim::{SimSetup, VendorSim};

use super::*;

/// The simulator behind a transport, at a time that stands still.
struct Shop(Mutex<Box<dyn VendorSim>>);

impl Shop {
    fn open() -> Arc<Self> {
        let setup = SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW };
        Arc::new(Self(Mutex::new(STRIPE.simulator(setup))))
    }

    fn key(&self, name: &str) -> String {
        let keys = self.0.lock().unwrap().credentials();
        format!("Bearer {}", keys[name].as_str().expect("the simulator names its keys"))
    }

    /// Makes something, and gives its id.
    fn post(&self, path: &str, form: &str) -> String {
        let request = http::Request::post(format!("https://api.stripe.example/v1/{path}"))
            .header("authorization", self.key("api_key"))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(Bytes::from(form.to_owned()))
            .unwrap();
        let answer = self.0.lock().unwrap().handle(request, NOW);
        let body: serde_json::Value = serde_json::from_slice(answer.body()).unwrap();
        assert_eq!(answer.status(), 200, "{body}");
        body["id"].as_str().expect("what is made has an id").to_owned()
    }

    /// A customer who owes for two of a plan, since the card is declined.
    fn debtor(&self, email: &str) -> String {
        let customer = self.post("customers", &format!("email={email}&name=Mia&metadata[sim_card]=declined"));
        let product = self.post("products", "name=Gold");
        let price = format!("product={product}&currency=EUR&unit_amount=4900&recurring[interval]=month");
        let price = self.post("prices", &price);
        let form = format!(
            "customer={customer}&items[0][price]={price}&items[0][quantity]=2&payment_behavior=allow_incomplete"
        );
        self.post("subscriptions", &form);
        customer
    }

    fn source(self: &Arc<Self>, key: &str, settings: serde_json::Value) -> Arc<dyn ContextSource> {
        let parts = ClientParts {
            transport: Arc::clone(self) as Arc<dyn Transport>,
            clock: Arc::new(TokioClock::starting_at(NOW)),
            jitter: Arc::new(SeededJitter::new(1)),
            authorizer: Arc::new(StaticAuthorizer(Secret::new(self.key(key)))),
        };
        let base_url = "https://api.stripe.example".parse().unwrap();
        let setup = AccountSetup {
            id: "billing".into(),
            base_url,
            webhook_secret: None,
            settings,
            custom: Vec::new(),
        };
        let Ok(Opened::ContextSource(source)) = STRIPE.open(setup, parts) else { panic!("it opens") };
        source
    }
}

impl Transport for Shop {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        let answer = self.0.lock().unwrap().handle(outgoing.request, NOW);
        Box::pin(async move { Ok(answer) })
    }
}

fn call() -> Call {
    Call { lane: Lane::Handoff, deadline: NOW.plus(Duration::from_secs(4)) }
}

async fn resolve(source: &dyn ContextSource, email: &str) -> Resolved {
    let subject = Subject { email: Some(email.to_owned()), name: None };
    source.resolve(call(), &subject).await.expect("it answers")
}

fn defaults() -> serde_json::Value {
    serde_json::Value::Null
}

#[tokio::test(start_paused = true)]
async fn what_is_owed_is_told_in_both_shapes() {
    let shop = Shop::open();
    let mia = shop.debtor("mia@x.example");
    for version in ["2026-06-24.dahlia", "2024-06-20"] {
        let source = shop.source("api_key", serde_json::json!({"api_version": version}));
        let Resolved::One(found) = resolve(&*source, "mia@x.example").await else { panic!("one is found") };
        assert_eq!(found.id, mia);
        let facts = lines(&source.fetch(call(), &found).await.unwrap());
        let starting = |start: &str| facts.iter().filter(|line| line.starts_with(start)).count();
        assert_eq!(starting("Customer Mia | mia@x.example"), 1, "{version}: {facts:?}");
        assert_eq!(starting("Plan Gold | incomplete, 2 x 49.00 EUR per month, period ends "), 1, "{facts:?}");
        assert_eq!(starting("OpenInvoice 98.00 EUR | "), 1, "{version}: {facts:?}");
        assert!(
            facts.iter().any(|line| line.starts_with("OpenInvoice") && line.contains("for Gold")),
            "{facts:?}"
        );
        assert_eq!(starting("FailedPayment 98.00 EUR | 2025-11-13, "), 1, "{version}: {facts:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn letter_case_finds_everybody_and_ties_are_told() {
    let shop = Shop::open();
    let source = shop.source("api_key", defaults());
    assert_eq!(resolve(&*source, "mia@x.example").await, Resolved::None);
    let first = shop.post("customers", "email=MIA@x.example");
    let Resolved::One(found) = resolve(&*source, "mia@x.example").await else {
        panic!("the search finds it")
    };
    assert_eq!(found.id, first);
    let second = shop.post("customers", "email=mia@x.example");
    let Resolved::Ambiguous(tie) = resolve(&*source, "Mia@x.example").await else { panic!("two tie") };
    let ids: BTreeSet<&str> = tie.iter().map(|found| found.id.as_str()).collect();
    assert_eq!(ids, BTreeSet::from([first.as_str(), second.as_str()]));
    let odd = shop.post("customers", "email=o%27neil%5C@x.example");
    let Resolved::One(found) = resolve(&*source, r"O'Neil\@x.example").await else { panic!("escapes hold") };
    assert_eq!(found.id, odd);
}

#[tokio::test(start_paused = true)]
async fn a_restricted_key_tells_what_it_may_and_names_what_it_lacks() {
    let shop = Shop::open();
    shop.debtor("mia@x.example");
    let source = shop.source("restricted_key", defaults());
    let Resolved::One(found) = resolve(&*source, "mia@x.example").await else { panic!("one is found") };
    let facts = lines(&source.fetch(call(), &found).await.unwrap());
    assert!(facts.iter().any(|line| line.starts_with("Plan Gold | incomplete")), "{facts:?}");
    let unknown = format!("OpenInvoice unknown | the key lacks rak_invoice_read | {}", found.id);
    assert!(facts.contains(&unknown), "{facts:?}");
    let problems = source.probe(call()).await.unwrap().problems;
    let lacking: Vec<&str> = problems
        .iter()
        .map(|problem| problem.what.as_str())
        .filter(|what| what.contains("may not read"))
        .collect();
    assert_eq!(lacking, ["the key may not read Invoices (rak_invoice_read): open invoices are not known"]);
}

#[tokio::test(start_paused = true)]
async fn a_rolled_key_is_refused_and_not_told() {
    let shop = Shop::open();
    let source = shop.source("api_key", defaults());
    let old = shop.key("api_key");
    shop.0.lock().unwrap().expire_tokens();
    let error = source.probe(call()).await.unwrap_err();
    assert!(matches!(error, Error::Unauthorized { .. }), "{error}");
    let tail = &old[old.len() - 4..];
    assert!(!error.to_string().contains(tail), "{error}");
}
