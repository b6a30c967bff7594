//! Every request that a connector sends, judged by a mock server that is run
//! from the vendor's description.
//!
//! What a connector sends is heard while the conformance suite runs. That this
//! is everything is shown by the adapter's own source: each path that is spelled
//! there must have been sent.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use http::{Request, Response, header};
use serde_json::Value as Json;

use super::{
    Exception, description,
    mock_server::{self, MockServer},
    shared, spoken,
};
use crate::{
    conformance::{
        Check,
        bench::{NOW, connector},
        recorder::sent_by,
        signing::credentials,
    },
    contract::AuthMethod,
    sim::SimSetup,
};

/// What the mock server says of a path that the description lacks.
const NO_PATH: &str = "NO_PATH_MATCHED_ERROR";

/// How a vendor's requests are judged.
pub struct Judged {
    /// The connector's name.
    pub name: &'static str,
    /// The OpenAPI file in `../shared/specs`.
    pub file: &'static str,
    /// A way of signing in that the file knows.
    pub sign_in: AuthMethod,
    /// Whether the file's own answers are left out: where their schemas refer to each other in
    /// circles, the mock server does not come to an end with them. Requests are judged all the same.
    pub cut_answers: bool,
    /// The path as the file spells it.
    pub spelled: fn(&str) -> String,
    /// What the description does not know, or knows otherwise.
    pub exceptions: &'static [Exception],
}

/// Sends all that the checks send to the mock server, each kind once.
pub fn judge(judged: &Judged, checks: &[Check]) {
    let Some(file) = shared(judged.file) else { return };
    let Some(program) = mock_server::program() else { return };
    let requests = kinds(&sent_by(checks));
    let authorization = authorization(judged);
    let cut = judged.cut_answers.then(|| description::without_answers(&file));
    let server = MockServer::start(&program, cut.as_ref().map_or(&*file, |cut| cut.path()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let nowhere = Request::get("http://mock.test/no/such/path").body(Bytes::new()).expect("a request");
    let said = objections(&runtime.block_on(server.ask(nowhere)));
    assert!(said.iter().any(|said| said.contains(NO_PATH)), "it objects to nothing: {said:?}");
    let mut verdicts = Vec::new();
    for mut request in requests {
        request.headers_mut().insert(header::AUTHORIZATION, authorization.clone());
        respell(&mut request, judged.spelled);
        let asked = request.clone();
        verdicts.push((asked, runtime.block_on(server.ask(request))));
    }
    drop(server);
    report(judged, &verdicts);
}

/// Checks that the suite sends every path that stands in the adapter's source.
pub fn all_is_sent(name: &str, checks: &[Check]) {
    let sent = sent_by(checks);
    let spelled = spoken::paths(name);
    assert!(!spelled.is_empty(), "no path is found in the source of {name}");
    let never: Vec<String> = spelled
        .iter()
        .filter(|path| !sent.iter().any(|request| path.is_sent_by(request.uri())))
        .map(ToString::to_string)
        .collect();
    assert!(
        never.is_empty(),
        "the conformance suite never sends what the source of {name} spells:\n  {}",
        never.join("\n  ")
    );
}

/// One request of each kind: those that differ in numbers or in long texts alone are the same.
fn kinds(sent: &[Request<Bytes>]) -> Vec<Request<Bytes>> {
    let mut kinds = BTreeMap::new();
    for request in sent {
        let media = request.headers().get(header::CONTENT_TYPE).map(|media| media.as_bytes().to_vec());
        let body = match serde_json::from_slice::<Json>(request.body()) {
            Ok(json) => shape(&json),
            Err(_) => request.body().len().to_string(),
        };
        let path = request.uri().path_and_query().map_or("", |path| path.as_str());
        let kind = (request.method().to_string(), without_numbers(path), media, body);
        kinds.entry(kind).or_insert_with(|| request.clone());
    }
    kinds.into_values().collect()
}

fn without_numbers(text: &str) -> String {
    let mut short = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_ascii_digit() {
            true if short.ends_with('0') => {}
            true => short.push('0'),
            false => short.push(c),
        }
    }
    short
}

/// A body without what is free in it.
fn shape(json: &Json) -> String {
    match json {
        Json::Object(object) => {
            let fields = object.iter().map(|(name, value)| format!("{name}:{}", shape(value)));
            format!("{{{}}}", fields.collect::<Vec<_>>().join(","))
        }
        Json::Array(rows) => {
            let shapes: BTreeSet<String> = rows.iter().map(shape).collect();
            format!("[{}]", shapes.into_iter().collect::<Vec<_>>().join(","))
        }
        Json::Number(_) => "0".to_owned(),
        // A single word may be one of few: a status, a kind.
        Json::String(text) if text.len() < 16 && !text.contains([' ', '@']) => without_numbers(text),
        Json::String(_) => "text".to_owned(),
        Json::Bool(_) | Json::Null => json.to_string(),
    }
}

fn authorization(judged: &Judged) -> http::HeaderValue {
    let connector = connector(judged.name);
    let sim = connector.simulator(SimSetup { seed: 7, plan: "unlimited".to_owned(), now: NOW });
    let given = credentials(judged.sign_in, &sim.credentials()).expect("the simulator has such credentials");
    let header = (connector.auth().header)(&given).expect("the connector signs in so");
    http::HeaderValue::from_str(header.expose()).expect("a header value")
}

fn respell(request: &mut Request<Bytes>, spelled: fn(&str) -> String) {
    let uri = request.uri().clone();
    let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
    *request.uri_mut() = format!("http://mock.test{}{query}", spelled(uri.path())).parse().expect("a URI");
}

fn report(judged: &Judged, verdicts: &[(Request<Bytes>, Response<Bytes>)]) {
    let (mut refused, mut met) = (Vec::new(), BTreeSet::new());
    let mut patterns = BTreeSet::new();
    for (request, answer) in verdicts {
        patterns.insert(format!("{} {}", request.method(), without_numbers(request.uri().path())));
        for objection in objections(answer) {
            match judged.exceptions.iter().position(|one| excuses(one, request, &objection)) {
                Some(at) => drop(met.insert(at)),
                None => {
                    let body = String::from_utf8_lossy(request.body());
                    refused.push(format!(
                        "{} {}\n    {body}\n    {objection}",
                        request.method(),
                        request.uri()
                    ));
                }
            }
        }
    }
    println!("{}: {} requests were judged, on {patterns:#?}", judged.name, verdicts.len());
    assert!(refused.is_empty(), "the description of {} forbids\n  {}", judged.name, refused.join("\n  "));
    let stale = judged.exceptions.iter().enumerate().filter(|(at, _)| !met.contains(at));
    let stale: Vec<&str> = stale.map(|(_, one)| one.request).collect();
    assert!(stale.is_empty(), "exceptions that nothing needs any more: {stale:?}");
}

/// What the mock server says against a request, one by one.
fn objections(answer: &Response<Bytes>) -> Vec<String> {
    let told = answer.headers().get("sl-violations").and_then(|header| header.to_str().ok());
    // A server that answers with the described error tells what is wrong in a header. What it says of
    // its own examples does not concern us.
    let violations = told.and_then(|told| serde_json::from_str::<Json>(told).ok());
    let of_request = violations.as_ref().and_then(Json::as_array).into_iter().flatten();
    let is_ours = |one: &&Json| one.pointer("/location/0").is_some_and(|place| place == "request");
    let mut found: Vec<String> = of_request.filter(is_ours).map(Json::to_string).collect();
    if answer.status().is_success() {
        return found;
    }
    let body: Json = serde_json::from_slice(answer.body()).unwrap_or_default();
    let listed = body.get("validation").and_then(Json::as_array).into_iter().flatten();
    found.extend(listed.map(Json::to_string));
    if found.is_empty() {
        found.push(format!("{}: {}", answer.status(), String::from_utf8_lossy(answer.body())));
    }
    found
}

fn excuses(exception: &Exception, request: &Request<Bytes>, objection: &str) -> bool {
    let said = if exception.said.is_empty() { NO_PATH } else { exception.said };
    let line = format!("{} {}", request.method(), request.uri().path());
    assert!(!exception.why.is_empty(), "an exception has a reason");
    line.starts_with(exception.request) && objection.contains(said)
}
