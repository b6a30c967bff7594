//! Requests, refusals and parameters as Stripe's API v1 speaks them.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use handoffd_core::Timestamp;
use http::{Request, header};
use serde_json::{Map, Value, json};

use super::form;

/// One request, taken apart.
#[derive(Clone)]
pub(super) struct Call {
    pub method: String,
    pub path: String,
    /// Query and form together.
    pub params: Map<String, Value>,
    /// The ids in the path, in order.
    pub ids: Vec<String>,
    /// The version that was asked for, as a date.
    pub version: String,
    /// Now in whole seconds.
    pub now: i64,
}

/// A refusal.
#[derive(Debug)]
pub(super) struct Fault {
    pub status: u16,
    pub error: Map<String, Value>,
    pub headers: Vec<(&'static str, String)>,
}

impl Fault {
    /// A refusal with a message and nothing more.
    pub fn new(status: u16, message: impl Into<String>) -> Self {
        let message: String = message.into();
        let mut error = Map::new();
        error.insert("message".to_owned(), Value::String(message));
        error.insert("type".to_owned(), json!("invalid_request_error"));
        Self { status, error, headers: Vec::new() }
    }

    /// With the vendor's code, and the page that explains it.
    pub fn code(mut self, code: &str) -> Self {
        self.error.insert("code".to_owned(), json!(code));
        let page = format!("https://stripe.com/docs/error-codes/{}", code.replace('_', "-"));
        self.error.insert("doc_url".to_owned(), json!(page));
        self
    }

    /// With the parameter that is wrong.
    pub fn param(mut self, param: &str) -> Self {
        self.error.insert("param".to_owned(), json!(param));
        self
    }

    /// Something that a path names and that is not there.
    pub fn no_such(what: &str, id: &str) -> Self {
        Self::new(404, format!("No such {what}: '{id}'")).code("resource_missing").param("id")
    }

    /// A required parameter that was not sent.
    pub fn missing(param: &str) -> Self {
        Self::new(400, format!("Missing required param: {param}.")).code("parameter_missing").param(param)
    }

    /// A parameter with a value that it cannot have.
    pub fn bad(param: &str, message: impl Into<String>) -> Self {
        Self::new(400, message).param(param)
    }
}

/// The key that a request is signed in with: Bearer, or the user of Basic.
pub(super) fn key(request: &Request<Bytes>) -> Option<String> {
    let text = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    Some(pair.split_once(':').map_or(pair.as_str(), |(user, _)| user).to_owned())
}

/// A header as text.
pub(super) fn header<'a>(request: &'a Request<Bytes>, name: &str) -> Option<&'a str> {
    request.headers().get(name).and_then(|value| value.to_str().ok())
}

/// Reads the parameters of the query and of a form body.
pub(super) fn params(request: &Request<Bytes>) -> Result<Map<String, Value>, Fault> {
    let kind = header(request, "content-type").unwrap_or("");
    if !request.body().is_empty() && kind.contains("json") {
        return Err(Fault::new(
            400,
            "Invalid request (check that your POST content type is application/x-www-form-urlencoded). If you have any questions, we can help at https://support.stripe.com/.",
        ));
    }
    let mut params = Map::new();
    let query = request.uri().query().unwrap_or("").as_bytes();
    let read = form::read(query, &mut params).and_then(|()| form::read(request.body(), &mut params));
    read.ok_or_else(|| Fault::new(400, "Invalid parameter name."))?;
    Ok(params.into_iter().map(|(name, value)| (name, form::settle(value))).collect())
}

/// The date of a version; `None` when it is no version.
pub(super) fn version_date(version: &str) -> Option<String> {
    let date = version.get(..10)?;
    let rest = &version[10..];
    Timestamp::parse(&format!("{date}T00:00:00Z")).ok()?;
    (rest.is_empty() || rest.starts_with('.')).then(|| date.to_owned())
}

impl Call {
    /// Whether the answer has the shape from 2025-03-31 ("basil") on.
    pub fn basil(&self) -> bool {
        self.version.as_str() >= "2025-03-31"
    }

    /// The id in the path.
    pub fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// Refuses parameters that the endpoint does not have.
    pub fn only(&self, known: &[&str]) -> Result<(), Fault> {
        match self.params.keys().find(|name| *name != "expand" && !known.contains(&name.as_str())) {
            None => Ok(()),
            Some(name) => Err(Fault::new(400, format!("Received unknown parameter: {name}"))
                .code("parameter_unknown")
                .param(name)),
        }
    }

    /// A text parameter that is not empty.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.params.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A text parameter that must be there.
    pub fn need(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| Fault::missing(name))
    }

    /// An integer parameter.
    pub fn integer(&self, name: &str) -> Result<Option<i64>, Fault> {
        integer(self.params.get(name), name)
    }

    /// A parameter that is `true` or `false`.
    pub fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Fault::bad(name, format!("Invalid boolean: {other}"))),
        }
    }

    /// The paths after `expand`.
    pub fn expand(&self) -> Result<Vec<String>, Fault> {
        let list = match self.params.get("expand") {
            None => return Ok(Vec::new()),
            Some(Value::Array(list)) => list,
            Some(_) => return Err(Fault::bad("expand", "Invalid array")),
        };
        let paths: Option<Vec<String>> = list.iter().map(|path| path.as_str().map(str::to_owned)).collect();
        let paths = paths.ok_or_else(|| Fault::bad("expand", "Invalid string"))?;
        if paths.iter().any(|path| path.split('.').count() > 4) {
            return Err(Fault::bad("expand", "You cannot expand more than 4 levels of a property."));
        }
        Ok(paths)
    }

    /// Whether a moment passes the range parameter `name`.
    pub fn within(&self, name: &str, held: Option<i64>) -> Result<bool, Fault> {
        let Some(range) = self.params.get(name) else { return Ok(true) };
        let Some(held) = held else { return Ok(false) };
        let Some(bounds) = range.as_object() else {
            return Ok(integer(Some(range), name)?.is_none_or(|wanted| held == wanted));
        };
        for (bound, wanted) in bounds {
            let wanted = integer(Some(wanted), name)?.unwrap_or(0);
            let fits = match bound.as_str() {
                "gt" => held > wanted,
                "gte" => held >= wanted,
                "lt" => held < wanted,
                "lte" => held <= wanted,
                other => {
                    return Err(Fault::new(400, format!("Received unknown parameter: {name}[{other}]"))
                        .code("parameter_unknown"));
                }
            };
            if !fits {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A number as the form has it.
pub(super) fn integer(value: Option<&Value>, name: &str) -> Result<Option<i64>, Fault> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => match value.as_str().and_then(|text| text.parse().ok()) {
            Some(number) => Ok(Some(number)),
            None => {
                let shown = value.as_str().unwrap_or("a hash");
                Err(Fault::bad(name, format!("Invalid integer: {shown}")).code("parameter_invalid_integer"))
            }
        },
    }
}
