//! Requests and answers as Freshdesk's API v2 speaks them.

use std::collections::BTreeMap;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_core::Timestamp;
use serde_json::{Map, Value, json};

use super::{
    fields::CustomField,
    multipart::{self, Upload},
};

/// One request, taken apart.
#[derive(Clone)]
pub(super) struct Call {
    /// The method in capitals.
    pub method: String,
    /// The path below `/api/v2`, without empty parts.
    pub segments: Vec<String>,
    /// The query; of a name given twice the last counts.
    pub query: BTreeMap<String, String>,
    /// Scheme and host for links, empty when nobody named a host.
    pub base: String,
    /// The path as sent.
    pub path: String,
    /// The JSON object that was sent; empty without one.
    pub body: Map<String, Value>,
    /// The files of a form.
    pub files: Vec<Upload>,
    /// The number in the path, of a route that has one.
    pub id: i64,
    /// Now, in whole seconds as the vendor keeps time.
    pub now: Timestamp,
}

impl Call {
    /// The parts of a request but its body, which is read once the request is let in.
    pub fn read(request: &http::Request<Bytes>, now: Timestamp) -> Self {
        let path = request.uri().path().to_owned();
        let segments = path
            .strip_prefix("/api/v2")
            .unwrap_or("")
            .split('/')
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let query = url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes())
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect();
        Self {
            method: request.method().as_str().to_owned(),
            segments,
            query,
            base: base(request),
            path,
            body: Map::new(),
            files: Vec::new(),
            id: 0,
            now: Timestamp::from_secs(now.as_secs()),
        }
    }

    /// A value of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The names after `include=`.
    pub fn includes(&self) -> Vec<&str> {
        let list = self.param("include").unwrap_or("");
        list.split(',').map(str::trim).filter(|name| !name.is_empty()).collect()
    }

    /// Refuses names in the query that the endpoint does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), Answer> {
        let mut checks = Checks::default();
        for name in self.query.keys().filter(|name| !known.contains(&name.as_str())) {
            checks.unknown(name);
        }
        checks.done()
    }
}

fn base(request: &http::Request<Bytes>) -> String {
    let header = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str)) else {
        return String::new();
    };
    let local = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    let scheme = request.uri().scheme_str().unwrap_or(if local { "http" } else { "https" });
    format!("{scheme}://{host}")
}

/// The user name of Basic authentication.
pub(super) fn basic_user(request: &http::Request<Bytes>) -> Option<String> {
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = header.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    pair.split_once(':').map(|(user, _)| user.to_owned())
}

/// The JSON object of a write, and the files that came with it.
pub(super) fn read_body(
    request: &http::Request<Bytes>,
    custom: &[CustomField],
) -> Result<(Map<String, Value>, Vec<Upload>), Answer> {
    let bytes = request.body();
    if bytes.is_empty() || request.method() == http::Method::GET || request.method() == http::Method::DELETE {
        return Ok((Map::new(), Vec::new()));
    }
    let kind = request.headers().get(http::header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let essence = kind.unwrap_or("").split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if essence == "multipart/form-data" {
        let read = multipart::read(kind.unwrap_or_default(), bytes, custom);
        return read.ok_or_else(|| {
            let message = "Request body has invalid multipart format";
            Answer::json(400, json!({"code": "invalid_form", "message": message}))
        });
    }
    if essence != "application/json" {
        let message =
            format!("Content-Type header is set to {essence}. It should have the value application/json");
        return Err(Answer::json(415, json!({"code": "invalid_content_type", "message": message})));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(map)) => Ok((map, Vec::new())),
        _ => Err(Answer::json(
            400,
            json!({"code": "invalid_json", "message": "Request body has invalid json format"}),
        )),
    }
}

/// An answer before the limits' headers are put on it.
#[derive(Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// JSON, or nothing at all.
    pub body: Option<Value>,
    /// Headers of this answer alone.
    pub headers: Vec<(&'static str, String)>,
    /// A file and its media type, in place of JSON.
    pub file: Option<(String, Bytes)>,
}

impl Answer {
    /// An attachment.
    pub fn file(kind: String, bytes: Bytes) -> Self {
        Self { file: Some((kind, bytes)), ..Self::empty(200) }
    }

    pub fn json(status: u16, body: Value) -> Self {
        Self { status, body: Some(body), headers: Vec::new(), file: None }
    }

    pub fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub fn empty(status: u16) -> Self {
        Self { status, body: None, headers: Vec::new(), file: None }
    }

    /// 404, whose body is empty.
    pub fn not_found() -> Self {
        Self::empty(404)
    }

    /// 405 with the methods that there are.
    pub fn no_method(method: &str, allowed: &[&str]) -> Self {
        let allowed = allowed.join(", ");
        let message =
            format!("{method} method is not allowed. It should be one of these method(s): {allowed}");
        let mut answer = Self::json(405, json!({"message": message}));
        answer.headers.push(("allow", allowed));
        answer
    }

    /// As an HTTP answer.
    pub fn into_http(self) -> http::Response<Bytes> {
        let bytes = self.body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let (kind, bytes) =
            self.file.unwrap_or_else(|| ("application/json; charset=utf-8".to_owned(), bytes));
        let mut response = http::Response::new(bytes);
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        if let Ok(kind) = http::HeaderValue::from_str(&kind)
            && self.status != 204
        {
            headers.insert(http::header::CONTENT_TYPE, kind);
        }
        headers.insert("x-freshdesk-api-version", http::HeaderValue::from_static("latest=v2; requested=v2"));
        for (name, value) in self.headers {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
        response
    }
}

/// Collects what is wrong with a request, as `Validation failed` lists it.
#[derive(Default)]
pub(super) struct Checks {
    errors: Vec<Value>,
}

impl Checks {
    fn add(&mut self, field: &str, message: impl Into<String>, code: &str) {
        let message: String = message.into();
        self.errors.push(json!({"field": field, "message": message, "code": code}));
    }

    /// A name that the endpoint does not know.
    pub fn unknown(&mut self, field: &str) {
        self.add(field, "Unexpected/invalid field in request", "invalid_field");
    }

    pub fn missing(&mut self, field: &str, message: &str) {
        self.add(field, message, "missing_field");
    }

    pub fn invalid(&mut self, field: &str, message: impl Into<String>) {
        self.add(field, message, "invalid_value");
    }

    /// A value of another JSON type than `wanted`.
    pub fn mismatch(&mut self, field: &str, value: &Value, wanted: &str) {
        let got = match value {
            Value::Null => "Null",
            Value::Bool(_) => "Boolean",
            Value::Number(number) if number.is_i64() || number.is_u64() => "Integer",
            Value::Number(_) => "Float",
            Value::String(_) => "String",
            Value::Array(_) => "Array",
            Value::Object(_) => "Key/Value Pair",
        };
        self.add(
            field,
            format!("Value set is of type {got}.It should be a/an {wanted}"),
            "datatype_mismatch",
        );
    }

    /// The 400, if anything was wrong.
    pub fn done(self) -> Result<(), Answer> {
        if self.errors.is_empty() {
            return Ok(());
        }
        Err(Answer::json(400, json!({"description": "Validation failed", "errors": self.errors})))
    }
}

/// One thing wrong, as an answer.
pub(super) fn invalid(field: &str, message: impl Into<String>) -> Answer {
    let mut checks = Checks::default();
    checks.invalid(field, message);
    checks.done().err().unwrap_or_else(|| Answer::empty(400))
}

/// The page that a list was asked for.
pub(super) struct Paging {
    pub page: usize,
    pub per_page: usize,
}

impl Paging {
    /// `page` and `per_page`, with the vendor's bounds.
    pub fn of(call: &Call, last_page: Option<usize>) -> Result<Self, Answer> {
        let number = |name: &str, default: usize| match call.param(name) {
            None => Some(default),
            Some(text) => text.parse::<usize>().ok().filter(|number| *number > 0),
        };
        let Some(page) = number("page", 1) else {
            return Err(invalid("page", "It should be a Positive Integer"));
        };
        if last_page.is_some_and(|last| page > last) {
            return Err(invalid(
                "page",
                "You cannot access tickets beyond the 300th page. Please provide a smaller page number.",
            ));
        }
        let Some(per_page) = number("per_page", 30).filter(|number| *number <= 100) else {
            return Err(invalid("per_page", "It should be a Positive Integer less than or equal to 100"));
        };
        Ok(Self { page, per_page })
    }

    /// The page's rows as an answer, with a link to the next page when there is one.
    pub fn answer<T>(&self, call: &Call, rows: &[T], shape: impl Fn(&T) -> Value) -> Answer {
        let start = (self.page - 1).saturating_mul(self.per_page);
        let page: Vec<Value> = rows.iter().skip(start).take(self.per_page).map(shape).collect();
        let mut answer = Answer::ok(Value::Array(page));
        if rows.len() > start.saturating_add(self.per_page) {
            answer.headers.push(("link", self.next_link(call)));
        }
        answer
    }

    fn next_link(&self, call: &Call) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in call.query.iter().filter(|(name, _)| *name != "page") {
            query.append_pair(name, value);
        }
        query.append_pair("page", &(self.page + 1).to_string());
        format!("<{}{}?{}>; rel=\"next\"", call.base, call.path, query.finish())
    }
}
