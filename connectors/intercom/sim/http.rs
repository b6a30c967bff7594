//! Requests and answers as Intercom's REST API speaks them.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Map, Value, json};

/// The API versions that are spoken here. Every other is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Version {
    V2_11,
    V2_12,
    V2_13,
    /// The app's default.
    #[default]
    V2_14,
    V2_15,
}

impl Version {
    /// The version of a request: its header's, else the app's default.
    pub fn of(request: &http::Request<Bytes>) -> Result<Self, Answer> {
        let Some(header) = request.headers().get("intercom-version") else { return Ok(Self::default()) };
        match header.to_str().unwrap_or_default().trim() {
            "2.11" => Ok(Self::V2_11),
            "2.12" => Ok(Self::V2_12),
            "2.13" => Ok(Self::V2_13),
            "2.14" => Ok(Self::V2_14),
            "2.15" => Ok(Self::V2_15),
            _ => Err(Answer::error(
                400,
                "intercom_version_invalid",
                "The requested version could not be found or is not supported for this resource",
            )),
        }
    }

    /// As the header says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V2_11 => "2.11",
            Self::V2_12 => "2.12",
            Self::V2_13 => "2.13",
            Self::V2_14 => "2.14",
            Self::V2_15 => "2.15",
        }
    }
}

/// One request, taken apart.
#[derive(Clone)]
pub(super) struct Call {
    /// The method in capitals.
    pub method: String,
    /// The path without empty parts.
    pub segments: Vec<String>,
    /// The query; of a name given twice the last counts.
    pub query: BTreeMap<String, String>,
    /// Scheme and host for links.
    pub base: String,
    /// The JSON object that was sent; empty without one.
    pub body: Map<String, Value>,
    /// What stands in the places of the route's pattern, in order.
    pub captured: Vec<String>,
    pub version: Version,
    /// Now, in whole seconds as the vendor keeps time.
    pub now: i64,
}

impl Call {
    /// The parts of a request but its body, which is read once the request is let in.
    pub fn read(request: &http::Request<Bytes>, now: i64) -> Self {
        let path = request.uri().path();
        let query = url::form_urlencoded::parse(request.uri().query().unwrap_or("").as_bytes());
        Self {
            method: request.method().as_str().to_owned(),
            segments: path.split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect(),
            query: query.map(|(name, value)| (name.into_owned(), value.into_owned())).collect(),
            base: base(request),
            body: Map::new(),
            captured: Vec::new(),
            version: Version::default(),
            now,
        }
    }

    /// A value of the query.
    pub fn param(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// A value of the body, null counting as absent.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.body.get(name).filter(|value| !value.is_null())
    }

    /// What stands at a place of the pattern.
    pub fn at(&self, place: usize) -> &str {
        self.captured.get(place).map_or("", String::as_str)
    }

    /// The number at a place of the pattern; 0, which nothing has, if it is none.
    pub fn number_at(&self, place: usize) -> i64 {
        self.at(place).parse().unwrap_or(0)
    }

    /// A text of the body; empty text counts as absent.
    pub fn text(&self, name: &str) -> Result<Option<&str>, Answer> {
        match self.given(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.trim().is_empty())),
            Some(_) => Err(Answer::invalid(&format!("{name} must be a string"))),
        }
    }

    /// A boolean of the body.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Answer> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => match value.as_bool() {
                Some(flag) => Ok(Some(flag)),
                None => Err(Answer::invalid(&format!("{name} must be a boolean"))),
            },
        }
    }

    /// A moment of the body in unix seconds.
    pub fn moment(&self, name: &str) -> Result<Option<i64>, Answer> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => match value.as_i64().filter(|at| (0..=MOMENT_MAX).contains(at)) {
                Some(at) => Ok(Some(at)),
                None => Err(Answer::invalid(&format!("{name} must be a UNIX timestamp"))),
            },
        }
    }

    /// An id of the body, which the vendor takes as a number and as text.
    pub fn id(&self, name: &str) -> Result<Option<i64>, Answer> {
        match self.given(name) {
            None => Ok(None),
            Some(value) => match id_of(value) {
                Some(id) => Ok(Some(id)),
                None => Err(Answer::invalid(&format!("{name} is invalid"))),
            },
        }
    }

    /// An id of the body that must be there.
    pub fn needed_id(&self, name: &str) -> Result<i64, Answer> {
        self.id(name)?.ok_or_else(|| Answer::missing(name))
    }
}

/// No moment lies later: the end of the year 9999.
const MOMENT_MAX: i64 = 253_402_300_799;

/// An id given as a number or as its digits.
pub(super) fn id_of(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_i64(),
    }
}

fn base(request: &http::Request<Bytes>) -> String {
    let header = request.headers().get(http::header::HOST).and_then(|host| host.to_str().ok());
    let host = header.or_else(|| request.uri().authority().map(http::uri::Authority::as_str));
    let host = host.unwrap_or("api.intercom.io");
    let local = host.starts_with("127.") || host.starts_with("localhost") || host.starts_with("[::1]");
    let scheme = request.uri().scheme_str().unwrap_or(if local { "http" } else { "https" });
    format!("{scheme}://{host}")
}

/// The token of Bearer authentication.
pub(super) fn bearer(request: &http::Request<Bytes>) -> Option<&str> {
    let header = request.headers().get(http::header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether the client takes JSON.
pub(super) fn takes_json(request: &http::Request<Bytes>) -> bool {
    let Some(accept) = request.headers().get(http::header::ACCEPT) else { return true };
    let accept = accept.to_str().unwrap_or_default();
    accept.split(',').any(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        matches!(kind, "*/*" | "application/*" | "application/json")
    })
}

/// The longest body that is taken.
const BODY_MAX: usize = 64 << 20;

/// The JSON object of a write.
pub(super) fn read_body(request: &http::Request<Bytes>) -> Result<Map<String, Value>, Answer> {
    let bytes = request.body();
    if bytes.is_empty() || request.method() == http::Method::GET {
        return Ok(Map::new());
    }
    if bytes.len() > BODY_MAX {
        return Err(Answer::error(413, "parameter_invalid", "The request is too large"));
    }
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(Answer::error(400, "bad_request", "Bad JSON")),
    }
}

/// What an answer carries.
#[derive(Clone, Debug)]
pub(super) enum Content {
    Json(Value),
    /// Errors, which the simulator puts into the envelope with the request's id.
    Errors(Vec<Value>),
    /// Anything else, with its media type.
    File(String, Bytes),
}

/// An answer before the limits' headers are put on it.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    pub content: Content,
    /// Headers of this answer alone.
    pub headers: Vec<(&'static str, String)>,
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, content: Content::Json(body), headers: Vec::new() }
    }

    /// One error in the one envelope.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        let errors = vec![json!({"code": code, "message": message})];
        Self { status, content: Content::Errors(errors), headers: Vec::new() }
    }

    /// Bytes of a media type.
    pub fn file(status: u16, kind: &str, bytes: Bytes) -> Self {
        Self { status, content: Content::File(kind.to_owned(), bytes), headers: Vec::new() }
    }

    /// 400 of a value that is wrong.
    pub fn invalid(message: &str) -> Self {
        Self::error(400, "parameter_invalid", message)
    }

    /// 400 of a value that is not there.
    pub fn missing(name: &str) -> Self {
        Self::error(400, "parameter_not_found", &format!("{name} is a required parameter"))
    }

    /// 404 of a record or a path.
    pub fn not_found() -> Self {
        Self::error(404, "not_found", "Resource Not Found")
    }

    /// 404 of a contact.
    pub fn no_contact() -> Self {
        Self::error(404, "not_found", "User Not Found")
    }

    /// 404 of an admin.
    pub fn no_admin() -> Self {
        Self::error(404, "admin_not_found", "Admin not found")
    }

    /// As an HTTP answer.
    pub fn into_http(self, request_id: &str) -> http::Response<Bytes> {
        let (kind, bytes) = match self.content {
            Content::Json(body) => (JSON.to_owned(), Bytes::from(body.to_string())),
            Content::Errors(errors) => {
                let body = json!({"type": "error.list", "request_id": request_id, "errors": errors});
                (JSON.to_owned(), Bytes::from(body.to_string()))
            }
            Content::File(kind, bytes) => (kind, bytes),
        };
        let mut response = http::Response::new(bytes);
        *response.status_mut() =
            http::StatusCode::from_u16(self.status).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
        let headers = [("content-type", kind), ("x-request-id", request_id.to_owned())];
        for (name, value) in headers.into_iter().chain(self.headers) {
            if let Ok(value) = http::HeaderValue::from_str(&value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

const JSON: &str = "application/json; charset=utf-8";
