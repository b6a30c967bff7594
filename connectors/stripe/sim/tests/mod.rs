//! The simulator as a client meets it.

mod billing;
mod protocol;
mod random;

use bytes::Bytes;
use handoffd_core::Timestamp;
use http::{Request, Response};
use serde_json::Value;

use super::{Options, start_with};
use crate::sim::{SimSetup, VendorSim};

const OLD: &str = "2024-06-20";
const NEW: &str = "2025-09-30.clover";
/// 2026-11-22T08:00:00Z.
const START: i64 = 1_795_334_400;

/// A simulator, the key in use, the version asked for, and a clock in seconds.
struct Shop {
    sim: Box<dyn VendorSim>,
    key: String,
    version: String,
    now: i64,
}

/// An answer, read.
struct Got {
    status: u16,
    body: Value,
    response: Response<Bytes>,
}

impl Got {
    fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name).and_then(|value| value.to_str().ok())
    }

    fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or("").to_owned()
    }

    fn ids(&self) -> Vec<String> {
        let rows = self.body["data"].as_array().cloned().unwrap_or_default();
        rows.iter().map(|row| row["id"].as_str().unwrap_or("").to_owned()).collect()
    }

    fn error(&self, name: &str) -> &str {
        self.body["error"][name].as_str().unwrap_or("")
    }
}

impl Shop {
    fn new(plan: &str) -> Self {
        Self::with(plan, Options::default())
    }

    fn with(plan: &str, options: Options) -> Self {
        let setup = SimSetup { seed: 5, plan: plan.to_owned(), now: Timestamp::from_secs(START) };
        let sim = start_with(setup, options);
        let key = sim.credentials()["api_key"].as_str().unwrap().to_owned();
        Self { sim, key, version: NEW.to_owned(), now: START }
    }

    fn send(&mut self, request: Request<Bytes>) -> Got {
        let response = self.sim.handle(request, Timestamp::from_secs(self.now));
        let body = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Got { status: response.status().as_u16(), body, response }
    }

    fn request(&self, method: &str, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("https://api.stripe.com/v1/{path}"))
            .header("authorization", format!("Bearer {}", self.key))
            .header("stripe-version", &self.version)
    }

    fn get(&mut self, path: &str) -> Got {
        let request = self.request("GET", path).body(Bytes::new()).unwrap();
        self.send(request)
    }

    fn post(&mut self, path: &str, form: &str) -> Got {
        self.post_once(path, form, None)
    }

    fn post_once(&mut self, path: &str, form: &str, key: Option<&str>) -> Got {
        let mut request =
            self.request("POST", path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(Bytes::from(form.to_owned())).unwrap())
    }

    fn delete(&mut self, path: &str) -> Got {
        let request = self.request("DELETE", path).body(Bytes::new()).unwrap();
        self.send(request)
    }

    /// A customer of this address.
    fn customer(&mut self, email: &str, more: &str) -> String {
        let made = self.post("customers", &format!("email={email}{more}"));
        assert_eq!(made.status, 200, "{}", made.body);
        made.id()
    }

    /// A monthly price of 49 euros.
    fn price(&mut self) -> String {
        let product = self.post("products", "name=Gold").id();
        let form = format!("product={product}&currency=EUR&unit_amount=4900&recurring[interval]=month");
        self.post("prices", &form).id()
    }

    /// Two of the price every month for a customer.
    fn subscribe(&mut self, customer: &str, more: &str) -> Got {
        let price = self.price();
        let form = format!("customer={customer}&items[0][price]={price}&items[0][quantity]=2{more}");
        self.post("subscriptions", &form)
    }
}
