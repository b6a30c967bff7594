//! Requests taken apart, and answers in Zendesk's envelopes.

use bytes::Bytes;
use handoffd_core::Timestamp;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use serde_json::{Value, json};

/// An answer before it is written out.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Content,
}

/// The body of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Content {
    Nothing,
    Json(Value),
    Text(String),
    /// A file and its media type.
    Bytes(String, Bytes),
}

/// `Err` is an answer that says no.
pub(super) type Answer = Result<Reply, Reply>;

impl Reply {
    pub(super) fn json(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Content::Json(body) }
    }

    pub(super) fn ok(body: Value) -> Self {
        Self::json(200, body)
    }

    pub(super) fn nothing() -> Self {
        Self::empty(204)
    }

    /// A status and no body at all.
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Nothing }
    }

    pub(super) fn text(status: u16, text: &str) -> Self {
        Self { status, headers: Vec::new(), body: Content::Text(text.to_owned()) }
    }

    pub(super) fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.headers.push((name, value.to_string()));
        self
    }

    /// 401 of a wrong or missing Basic sign-in.
    pub(super) fn not_signed_in() -> Self {
        Self::json(401, json!({"error": "Couldn't authenticate you"}))
    }

    /// 404 of a record.
    pub(super) fn no_record() -> Self {
        Self::json(404, json!({"error": "RecordNotFound", "description": "Not found"}))
    }

    /// 404 of a path.
    pub(super) fn no_endpoint() -> Self {
        Self::json(404, json!({"error": "InvalidEndpoint", "description": "Not found"}))
    }

    /// Whether this is the 404 of a path.
    pub(super) fn is_no_endpoint(&self) -> bool {
        self.body == Self::no_endpoint().body
    }

    /// 403 in the envelope of plan and role.
    pub(super) fn forbidden() -> Self {
        Self::json(
            403,
            json!({"error": {"title": "Forbidden",
                "message": "You do not have access to this page. Please contact the account owner of this help desk for further help."}}),
        )
    }

    /// 400 of a parameter that cannot be read.
    pub(super) fn bad_parameter(name: &str, why: &str) -> Self {
        let message = format!("You passed an invalid value for the {name} attribute. {why}");
        Self::json(400, json!({"error": {"title": "Invalid attribute", "message": message}}))
    }

    /// 400 in the envelope of the paging code.
    pub(super) fn bad_paging(code: &str, title: &str, detail: &str) -> Self {
        Self::json(400, json!({"errors": [{"code": code, "title": title, "detail": detail}]}))
    }

    /// 422 of one field of a record.
    pub(super) fn invalid(field: &str, why: &str) -> Self {
        Self::json(
            422,
            json!({"error": "RecordInvalid", "description": "Record validation errors",
                "details": {field: [{"description": why}]}}),
        )
    }

    /// Written out. A header that cannot be written is left away.
    pub(super) fn write(self) -> Response<Bytes> {
        let (kind, bytes) = match self.body {
            Content::Nothing => (None, Bytes::new()),
            Content::Json(value) => {
                (Some("application/json; charset=utf-8".to_owned()), Bytes::from(value.to_string()))
            }
            Content::Text(text) => (Some("text/plain; charset=utf-8".to_owned()), Bytes::from(text)),
            Content::Bytes(kind, bytes) => (Some(kind), bytes),
        };
        let mut response = Response::new(bytes);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kind = kind.map(|kind| ("content-type", kind));
        for (name, value) in kind.into_iter().chain(self.headers) {
            if let Ok(value) = value.parse() {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// One request, taken apart.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// The path's segments below `/api/v2`, without `.json`; whole paths elsewhere.
    pub(super) path: Vec<String>,
    /// Whether the path lies below `/api/v2`.
    pub(super) is_api: bool,
    pub(super) query: Vec<(String, String)>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// `scheme://host` for the addresses in answers.
    pub(super) origin: String,
    /// The user who asks, once known.
    pub(super) user: i64,
    pub(super) now: Timestamp,
}

impl Call {
    pub(super) fn read(request: Request<Bytes>, now: Timestamp, own_host: &str) -> Self {
        let (parts, body) = request.into_parts();
        let mut path: Vec<String> =
            parts.uri.path().split('/').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        let is_api = path.len() >= 2 && path[0] == "api" && path[1] == "v2";
        if is_api {
            path.drain(..2);
        }
        if let Some(last) = path.last_mut() {
            *last = last.strip_suffix(".json").unwrap_or(last).to_owned();
        }
        let query = serde_urlencoded::from_str(parts.uri.query().unwrap_or_default()).unwrap_or_default();
        let origin = origin(&parts, own_host);
        Self { method: parts.method, path, is_api, query, headers: parts.headers, body, origin, user: 0, now }
    }

    /// The last value of a query parameter.
    pub(super) fn param(&self, name: &str) -> Option<&str> {
        self.query.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter that must be a whole number if given.
    pub(super) fn number(&self, name: &str) -> Result<Option<i64>, Reply> {
        self.param(name)
            .map(|text| text.trim().parse())
            .transpose()
            .map_err(|_| Reply::bad_parameter(name, "It must be an integer"))
    }

    /// The ids of a comma-separated parameter; parts that are no numbers are passed over.
    pub(super) fn ids(&self, name: &str) -> Vec<i64> {
        self.param(name).unwrap_or_default().split(',').filter_map(|id| id.trim().parse().ok()).collect()
    }

    /// The words of a comma-separated parameter.
    pub(super) fn words(&self, name: &str) -> Vec<&str> {
        let list = self.param(name).unwrap_or_default().split(',').map(str::trim);
        list.filter(|word| !word.is_empty()).collect()
    }

    /// Whether a side-load was asked for.
    pub(super) fn includes(&self, what: &str) -> bool {
        self.query
            .iter()
            .any(|(key, value)| key == "include" && value.split(',').any(|part| part.trim() == what))
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The JSON body.
    pub(super) fn json(&self) -> Result<Value, Reply> {
        serde_json::from_slice(&self.body).map_err(|_| {
            Reply::json(
                400,
                json!({"error": "Unprocessable", "description": "The request could not be parsed as JSON"}),
            )
        })
    }

    /// The object under `name` in the JSON body.
    pub(super) fn object(&self, name: &str) -> Result<serde_json::Map<String, Value>, Reply> {
        match self.json()?.get_mut(name).map(Value::take) {
            Some(Value::Object(map)) => Ok(map),
            _ => Err(Reply::bad_parameter(name, "It must be an object")),
        }
    }

    /// The address of a path below `/api/v2`.
    pub(super) fn url(&self, path: &str) -> String {
        format!("{}/api/v2/{path}", self.origin)
    }

    /// This request's address with some parameters taken out and others put in.
    pub(super) fn url_with(&self, leave_out: &[&str], put_in: &[(&str, String)]) -> String {
        let mut query: Vec<(&str, &str)> = self
            .query
            .iter()
            .filter(|(key, _)| {
                !leave_out.contains(&key.as_str()) && !put_in.iter().any(|(name, _)| name == key)
            })
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        query.extend(put_in.iter().map(|(key, value)| (*key, value.as_str())));
        let query = serde_urlencoded::to_string(query).unwrap_or_default();
        format!("{}.json?{query}", self.url(&self.path.join("/")))
    }

    pub(super) fn client(&self) -> String {
        self.header("user-agent").unwrap_or("unknown").to_owned()
    }
}

fn origin(parts: &http::request::Parts, own_host: &str) -> String {
    if let (Some(scheme), Some(authority)) = (parts.uri.scheme_str(), parts.uri.authority()) {
        return format!("{scheme}://{authority}");
    }
    match parts.headers.get("host").and_then(|host| host.to_str().ok()) {
        Some(host) if is_loopback(host) => format!("http://{host}"),
        Some(host) => format!("https://{host}"),
        None => format!("https://{own_host}"),
    }
}

fn is_loopback(host: &str) -> bool {
    host.starts_with("localhost") || host.starts_with("127.") || host.starts_with("[::1]")
}
