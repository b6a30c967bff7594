//! Stripe in memory, with a convenience for billing somebody over plain REST.
//!
//! Creating a subscription bills its first period at once; metadata `sim_card`
//! of the customer decides how a charge ends. Without a `Stripe-Version` the
//! account's own counts, which is one with the shape before 2025-03-31.

mod billing;
mod charges;
mod customers;
mod form;
mod http;
mod invoices;
mod ledger;
mod limits;
mod lists;
mod render;
mod routes;
mod search;
mod world;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use ::http::{HeaderValue, Request, Response, StatusCode};
use bytes::Bytes;
use handoffd_core::{RemoteId, Timestamp};
use serde_json::{Map, Value, json};

use self::{
    http::{Call, Fault},
    limits::Limits,
    routes::Route,
    world::World,
};
use crate::sim::{HumanAct, MailSent, ShownTicket, SimSetup, VendorSim, WebhookOut};

/// The account's own API version.
const ACCOUNT_VERSION: &str = "2024-06-20";
/// A key is remembered this long.
const KEY_SECONDS: i64 = 24 * 3_600;

/// How an account can differ from the usual one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How long after a change search still has the state before it. Whole seconds count.
    pub search_lag: Duration,
}

/// Starts the simulator. Plans: `live`, `test`, `unlimited`.
pub fn start(setup: SimSetup) -> Box<dyn VendorSim> {
    start_with(setup, Options::default())
}

/// Starts the simulator of an unusual account.
pub fn start_with(setup: SimSetup, options: Options) -> Box<dyn VendorSim> {
    let lag = i64::try_from(options.search_lag.as_secs()).unwrap_or(i64::MAX);
    Box::new(StripeSim {
        world: World::new(setup.seed, lag),
        limits: Limits::new(&setup.plan),
        replays: BTreeMap::new(),
        served: BTreeMap::new(),
        requests: 0,
    })
}

/// The first answer to an `Idempotency-Key`.
struct Replay {
    at: i64,
    path: String,
    params: Map<String, Value>,
    status: u16,
    body: Value,
}

struct StripeSim {
    world: World,
    limits: Limits,
    replays: BTreeMap<String, Replay>,
    served: BTreeMap<String, u64>,
    requests: u64,
}

/// An answer with headers of its own.
struct Answer {
    status: u16,
    body: Value,
    headers: Vec<(&'static str, String)>,
}

impl StripeSim {
    fn answer(&mut self, request: &Request<Bytes>, now: i64) -> Result<Answer, Fault> {
        let (method, path) = (request.method().as_str(), request.uri().path());
        let route = routes::find(method, path);
        let pattern = route.as_ref().map_or("other", |route| route.pattern);
        *self.served.entry(format!("{method} /v1/{pattern}")).or_default() += 1;
        let restricted = self.sign_in(request)?;
        let Some(route) = route else {
            return Err(Fault::new(
                404,
                format!(
                    "Unrecognized request URL ({method}: {path}). Please see https://stripe.com/docs or we can help at https://support.stripe.com/."
                ),
            ));
        };
        self.limits.take(&format!("{method} {pattern}"), now).map_err(over_limit)?;
        let call = read(request, &route, now)?;
        if restricted {
            self.permit(&call, &route)?;
        }
        self.once(request, call, &route)
    }

    /// Whether the key is the restricted one; refuses any that is none of ours.
    fn sign_in(&self, request: &Request<Bytes>) -> Result<bool, Fault> {
        match http::key(request) {
            Some(key) if key == self.world.secret_key() => Ok(false),
            Some(key) if key == self.world.restricted_key() => Ok(true),
            Some(key) if !key.is_empty() => {
                Err(Fault::new(401, format!("Invalid API Key provided: {}", masked(&key))))
            }
            _ => Err(Fault::new(
                401,
                "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we can help at https://support.stripe.com/.",
            )),
        }
    }

    /// Refuses what the restricted key may not, expanded properties included.
    fn permit(&self, call: &Call, route: &Route) -> Result<(), Fault> {
        let needed = routes::permission(&call.method, route.pattern);
        let expanded = call.expand()?;
        let expanded = expanded.iter().filter_map(|path| routes::expand_permission(path)).map(str::to_owned);
        for permission in std::iter::once(needed).chain(expanded) {
            if !routes::GRANTED.contains(&permission.as_str()) {
                let key = masked(&self.world.restricted_key());
                let account = &self.world.account;
                return Err(Fault::new(
                    403,
                    format!(
                        "The provided key '{key}' does not have the required permissions for this endpoint on account '{account}'. Having the '{permission}' permission would allow this request to continue."
                    ),
                ));
            }
        }
        Ok(())
    }

    /// Does the request, unless its key says that it was done before.
    fn once(&mut self, request: &Request<Bytes>, call: Call, route: &Route) -> Result<Answer, Fault> {
        let key = http::header(request, "idempotency-key").filter(|_| call.method == "POST");
        let Some(key) = key else { return self.run(&call, route) };
        if key.is_empty() || key.len() > 255 {
            return Err(Fault::new(400, "Idempotency keys must have between 1 and 255 characters."));
        }
        let oldest = call.now - KEY_SECONDS;
        self.replays.retain(|_, replay| replay.at >= oldest);
        if let Some(replay) = self.replays.get(key) {
            if replay.path != call.path || replay.params != call.params {
                let message = format!(
                    "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key other than '{key}' if you meant to execute a different request."
                );
                let mut fault = Fault::new(400, message);
                fault.error.insert("type".to_owned(), json!("idempotency_error"));
                return Err(fault);
            }
            let headers = vec![("idempotent-replayed", "true".to_owned())];
            return Ok(Answer { status: replay.status, body: replay.body.clone(), headers });
        }
        let outcome = self.run(&call, route);
        // What fails its checks is not kept; a declined card is.
        let kept = match &outcome {
            Ok(answer) => Some((answer.status, answer.body.clone())),
            Err(fault) if fault.status == 402 => Some((402, json!({"error": fault.error}))),
            Err(_) => None,
        };
        if let Some((status, body)) = kept {
            let Call { path, params, now, .. } = call;
            self.replays.insert(key.to_owned(), Replay { at: now, path, params, status, body });
        }
        outcome
    }

    fn run(&mut self, call: &Call, route: &Route) -> Result<Answer, Fault> {
        call.expand()?;
        let body = (route.handler)(&mut self.world, call)?;
        let body = render::render(&self.world, call, body)?;
        Ok(Answer { status: 200, body, headers: Vec::new() })
    }
}

fn read(request: &Request<Bytes>, route: &Route, now: i64) -> Result<Call, Fault> {
    let asked = http::header(request, "stripe-version").unwrap_or(ACCOUNT_VERSION);
    let version = http::version_date(asked)
        .ok_or_else(|| Fault::new(400, format!("Invalid Stripe API version: {asked}")))?;
    Ok(Call {
        method: request.method().as_str().to_owned(),
        path: request.uri().path().to_owned(),
        params: http::params(request)?,
        ids: route.ids.clone(),
        version,
        now,
    })
}

fn over_limit(reason: &'static str) -> Fault {
    let message =
        "Request rate limit exceeded. Learn more about rate limits here https://stripe.com/docs/rate-limits.";
    let mut fault = Fault::new(429, message).code("rate_limit");
    fault.headers.push(("stripe-rate-limited-reason", reason.to_owned()));
    fault.headers.push(("stripe-should-retry", "true".to_owned()));
    fault
}

/// A key with its middle hidden.
fn masked(key: &str) -> String {
    let letters: Vec<char> = key.chars().collect();
    if letters.len() < 16 {
        return "*".repeat(letters.len());
    }
    let (head, tail) = (letters[..8].iter().collect::<String>(), letters[letters.len() - 4..].iter());
    format!("{head}{}{}", "*".repeat(letters.len() - 12), tail.collect::<String>())
}

impl VendorSim for StripeSim {
    fn name(&self) -> &'static str {
        "stripe"
    }

    fn handle(&mut self, request: Request<Bytes>, now: Timestamp) -> Response<Bytes> {
        self.requests += 1;
        let id = format!("req_{}", world::letters(self.world.seed, &format!("req {}", self.requests), 14));
        let answer = self.answer(&request, now.as_secs()).unwrap_or_else(|mut fault| {
            if (400..500).contains(&fault.status) && fault.status != 401 {
                let log = format!("https://dashboard.stripe.com/test/logs/{id}?t={}", now.as_secs());
                fault.error.insert("request_log_url".to_owned(), json!(log));
            }
            Answer { status: fault.status, body: json!({"error": fault.error}), headers: fault.headers }
        });
        let version = http::header(&request, "stripe-version").unwrap_or(ACCOUNT_VERSION).to_owned();
        let mut headers = answer.headers;
        headers.extend([
            ("request-id", id),
            ("stripe-version", version),
            ("content-type", "application/json".to_owned()),
        ]);
        if let Some(key) = http::header(&request, "idempotency-key") {
            headers.push(("idempotency-key", key.to_owned()));
        }
        let mut response = Response::new(Bytes::from(answer.body.to_string()));
        *response.status_mut() =
            StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }

    fn human(&mut self, _act: HumanAct, _now: Timestamp) -> Result<RemoteId, String> {
        Err("stripe has no tickets".to_owned())
    }

    /// Sends none: this simulator is only read.
    fn set_webhook(&mut self, _url: &str, _secret: &str) {}

    fn webhooks_due(&mut self, _now: Timestamp) -> Vec<WebhookOut> {
        Vec::new()
    }

    fn webhook_answered(&mut self, _id: u64, _answer: Option<(u16, Option<u32>)>, _now: Timestamp) {}

    fn webhook_next_at(&self) -> Option<Timestamp> {
        None
    }

    fn mails_sent(&self) -> &[MailSent] {
        &[]
    }

    fn tickets(&self) -> Vec<ShownTicket> {
        Vec::new()
    }

    fn credentials(&self) -> serde_json::Value {
        json!({"api_key": self.world.secret_key(), "restricted_key": self.world.restricted_key()})
    }

    /// Everything in this world is in test mode.
    fn suggested_settings(&self) -> serde_json::Value {
        json!({ "livemode": false })
    }

    fn bot_marks(&self) -> (Vec<RemoteId>, Vec<RemoteId>) {
        (Vec::new(), Vec::new())
    }

    fn requests_served(&self) -> BTreeMap<String, u64> {
        self.served.clone()
    }

    /// Both keys are rolled: the old ones are dead and [`VendorSim::credentials`] has the new ones.
    fn expire_tokens(&mut self) {
        self.world.keys_made += 1;
    }
}
