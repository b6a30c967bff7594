//! OAuth 2 token requests, over our own transport.

use std::{fmt, time::Duration};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use handoffd_core::Timestamp;
use http::{HeaderValue, StatusCode, header};
use oauth2::{
    AsyncHttpClient, AuthType, ClientId, ClientSecret, EndpointNotSet, ExtraTokenFields, HttpRequest,
    HttpResponse, RefreshToken, RequestTokenError, Scope, StandardRevocableToken, StandardTokenResponse,
    TokenResponse as _, TokenUrl,
    basic::{
        BasicErrorResponse, BasicErrorResponseType, BasicRevocationErrorResponse,
        BasicTokenIntrospectionResponse, BasicTokenType,
    },
};
use serde::{Deserialize, Serialize};

use super::{Clock, Outgoing, Transport, TransportError};
use crate::contract::{OAuthClient, OAuthSpec, Secret};

/// The longest wait for a token.
const TIMEOUT: Duration = Duration::from_secs(20);

/// The longest answer of a token endpoint.
const BODY_BYTES_MAX: usize = 64 * 1024;

/// What is offered for a token.
#[derive(Clone, Debug)]
pub enum Grant {
    /// The client itself.
    ClientCredentials,
    /// A refresh token, which the answer may replace.
    Refresh(Secret),
}

/// What a token endpoint gave.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// The access token.
    pub access: Secret,
    /// The next refresh token; the one that was used may be dead now.
    pub refresh: Option<Secret>,
    /// When the access token ends; `None`: not told.
    pub expires_at: Option<Timestamp>,
    /// When the refresh token ends; `None`: not told.
    pub refresh_expires_at: Option<Timestamp>,
}

/// Why there is no token, by what the caller may do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The refresh token is used up, revoked or not of this client: the account must be reconnected.
    #[error("the refresh token is refused (invalid_grant)")]
    InvalidGrant,
    /// The client id or its secret is wrong.
    #[error("the OAuth client is refused")]
    InvalidClient,
    /// The client may not have what it asks for: the vendor's code.
    #[error("the token request is refused ({0})")]
    Refused(String),
    /// A passing failure. A refresh token that was sent may be used up all the same.
    #[error("the token endpoint fails: {0}")]
    Transient(String),
    /// The answer cannot be read: where and why.
    #[error("the token endpoint's answer cannot be read: {0}")]
    Malformed(String),
}

/// Asks the account's token endpoint for a token, once.
pub fn request_token<'a>(
    transport: &'a dyn Transport,
    clock: &'a dyn Clock,
    base_url: &'a url::Url,
    spec: &'a OAuthSpec,
    client: &'a OAuthClient,
    grant: Grant,
) -> BoxFuture<'a, Result<Tokens, TokenError>> {
    Box::pin(request(transport, clock, base_url, spec, client, grant))
}

async fn request(
    transport: &dyn Transport,
    clock: &dyn Clock,
    base_url: &url::Url,
    spec: &OAuthSpec,
    client: &OAuthClient,
    grant: Grant,
) -> Result<Tokens, TokenError> {
    let asker = asker(base_url, spec, client)?;
    let http = Endpoint { transport, json: spec.json };
    let scopes = client.scopes.iter().cloned().map(Scope::new);
    let answer = match grant {
        Grant::ClientCredentials => {
            asker.exchange_client_credentials().add_scopes(scopes).request_async(&http).await
        }
        Grant::Refresh(token) => {
            let token = RefreshToken::new(token.expose().to_owned());
            asker.exchange_refresh_token(&token).add_scopes(scopes).request_async(&http).await
        }
    };
    answer.map(|answer| tokens(&answer, clock.now())).map_err(token_error)
}

/// What vendors add to the standard answer.
#[derive(Debug, Deserialize, Serialize)]
struct Extra {
    /// Zendesk: seconds until the refresh token ends.
    #[serde(default)]
    refresh_token_expires_in: Option<u64>,
}

impl ExtraTokenFields for Extra {}

type Answered = StandardTokenResponse<Extra, BasicTokenType>;
type Asker = oauth2::Client<
    BasicErrorResponse,
    Answered,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    oauth2::EndpointSet,
>;

fn asker(base_url: &url::Url, spec: &OAuthSpec, client: &OAuthClient) -> Result<Asker, TokenError> {
    let url = super::absolute(base_url, &http::Uri::from_static(spec.token_path))
        .ok()
        .and_then(|uri| TokenUrl::new(uri.to_string()).ok())
        .ok_or_else(|| TokenError::Malformed("the token endpoint's address".to_owned()))?;
    Ok(oauth2::Client::new(ClientId::new(client.client_id.clone()))
        .set_client_secret(ClientSecret::new(client.client_secret.expose().to_owned()))
        .set_auth_type(AuthType::RequestBody)
        .set_token_uri(url))
}

fn tokens(answer: &Answered, now: Timestamp) -> Tokens {
    let refresh_ttl = answer.extra_fields().refresh_token_expires_in.map(Duration::from_secs);
    Tokens {
        access: Secret::new(answer.access_token().secret().as_str()),
        refresh: answer.refresh_token().map(|token| Secret::new(token.secret().as_str())),
        expires_at: answer.expires_in().map(|ttl| now.plus(ttl)),
        refresh_expires_at: refresh_ttl.map(|ttl| now.plus(ttl)),
    }
}

/// Why no answer of the token endpoint can be used.
#[derive(Debug)]
enum NoExchange {
    Transport(TransportError),
    Status(StatusCode),
}

impl fmt::Display for NoExchange {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Transport(error) => error.fmt(out),
            Self::Status(status) => write!(out, "HTTP {status}"),
        }
    }
}

impl std::error::Error for NoExchange {}

/// Our transport, as the crate wants it.
struct Endpoint<'t> {
    transport: &'t dyn Transport,
    json: bool,
}

impl<'c> AsyncHttpClient<'c> for Endpoint<'_> {
    type Error = NoExchange;
    type Future = BoxFuture<'c, Result<HttpResponse, NoExchange>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(exchange(self.transport, self.json, request))
    }
}

async fn exchange(
    transport: &dyn Transport,
    json: bool,
    request: HttpRequest,
) -> Result<HttpResponse, NoExchange> {
    let request = if json { as_json(request) } else { request };
    let outgoing = Outgoing {
        request: request.map(Bytes::from),
        upload: Vec::new(),
        timeout: TIMEOUT,
        body_bytes_max: BODY_BYTES_MAX,
    };
    let mut answer = transport.send(outgoing).await.map_err(NoExchange::Transport)?;
    let status = answer.status();
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if passing || status.is_server_error() || status.is_redirection() {
        return Err(NoExchange::Status(status));
    }
    if status.is_client_error() && !is_oauth_error(answer.body()) {
        return Err(NoExchange::Status(status));
    }
    if status.is_success() {
        // The crate takes nothing but 200, though the standard's 201 means the same.
        *answer.status_mut() = StatusCode::OK;
    }
    answer.headers_mut().remove(header::CONTENT_TYPE);
    Ok(answer.map(Vec::from))
}

fn is_oauth_error(body: &[u8]) -> bool {
    serde_json::from_slice::<BasicErrorResponse>(body).is_ok()
}

/// The same fields as a JSON object.
fn as_json(request: HttpRequest) -> HttpRequest {
    let mut request = request.map(|body| {
        let fields: serde_json::Map<String, serde_json::Value> = url::form_urlencoded::parse(&body)
            .map(|(name, value)| (name.into_owned(), value.into_owned().into()))
            .collect();
        serde_json::Value::Object(fields).to_string().into_bytes()
    });
    request.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    request
}

fn token_error(error: RequestTokenError<NoExchange, BasicErrorResponse>) -> TokenError {
    match error {
        RequestTokenError::ServerResponse(answer) => refused(answer.error()),
        RequestTokenError::Request(NoExchange::Transport(TransportError::TooLong { limit })) => {
            TokenError::Malformed(format!("longer than {limit} bytes"))
        }
        RequestTokenError::Request(NoExchange::Transport(error)) => TokenError::Transient(error.to_string()),
        RequestTokenError::Request(NoExchange::Status(status)) => by_status(status),
        // The inner message may quote a token.
        RequestTokenError::Parse(error, _) => TokenError::Malformed(format!("at {}", error.path())),
        RequestTokenError::Other(_) => TokenError::Malformed("an empty answer".to_owned()),
    }
}

fn refused(code: &BasicErrorResponseType) -> TokenError {
    match code {
        BasicErrorResponseType::InvalidGrant => TokenError::InvalidGrant,
        BasicErrorResponseType::InvalidClient => TokenError::InvalidClient,
        // A code that is no standard one is the vendor's text.
        BasicErrorResponseType::Extension(_) => TokenError::Refused("a code of the vendor's own".to_owned()),
        standard => TokenError::Refused(standard.to_string()),
    }
}

fn by_status(status: StatusCode) -> TokenError {
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => TokenError::InvalidClient,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS => {
            TokenError::Transient(format!("HTTP {status}"))
        }
        _ if status.is_server_error() => TokenError::Transient(format!("HTTP {status}")),
        _ => TokenError::Malformed(format!("HTTP {status}: is base_url the origin of the API?")),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::client::TokioClock;

    struct Scripted {
        answer: Result<(u16, &'static str), TransportError>,
        asked: Mutex<Vec<http::Request<Bytes>>>,
    }

    impl Transport for Scripted {
        fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
            self.asked.lock().unwrap().push(outgoing.request);
            let answer = self.answer.clone().map(|(status, body)| {
                http::Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap()
            });
            Box::pin(async { answer })
        }
    }

    async fn ask(
        answer: Result<(u16, &'static str), TransportError>,
        json: bool,
        grant: Grant,
    ) -> (Result<Tokens, TokenError>, http::Request<Bytes>) {
        let endpoint = Scripted { answer, asked: Mutex::default() };
        let clock = TokioClock::starting_at(Timestamp(0));
        let base_url = url::Url::parse("https://acme.example").unwrap();
        let spec = OAuthSpec { token_path: "/oauth/tokens", json };
        let client = OAuthClient {
            client_id: "us".to_owned(),
            client_secret: Secret::new("s3cret-client"),
            scopes: vec!["read".to_owned(), "write".to_owned()],
        };
        let tokens = request_token(&endpoint, &clock, &base_url, &spec, &client, grant).await;
        let asked = endpoint.asked.into_inner().unwrap().remove(0);
        (tokens, asked)
    }

    const GIVEN: &str = r#"{"access_token":"s3cret-access","refresh_token":"s3cret-next","token_type":"bearer",
        "scope":"read write","expires_in":1800,"refresh_token_expires_in":2592000}"#;

    #[tokio::test(start_paused = true)]
    async fn a_refresh_in_json() {
        let (tokens, asked) = ask(Ok((201, GIVEN)), true, Grant::Refresh(Secret::new("s3cret-old"))).await;
        assert_eq!(asked.uri(), "https://acme.example/oauth/tokens");
        assert_eq!(asked.method(), http::Method::POST);
        assert_eq!(asked.headers()[header::CONTENT_TYPE], "application/json");
        let body: serde_json::Value = serde_json::from_slice(asked.body()).unwrap();
        let expected = serde_json::json!({
            "grant_type": "refresh_token", "refresh_token": "s3cret-old", "scope": "read write",
            "client_id": "us", "client_secret": "s3cret-client",
        });
        assert_eq!(body, expected);
        let tokens = tokens.unwrap();
        assert_eq!(tokens.access.expose(), "s3cret-access");
        assert_eq!(tokens.refresh.as_ref().unwrap().expose(), "s3cret-next");
        assert_eq!(tokens.expires_at, Some(Timestamp::from_secs(1_800)));
        assert_eq!(tokens.refresh_expires_at, Some(Timestamp::from_secs(2_592_000)));
        assert!(!format!("{tokens:?}").contains("s3cret"));
    }

    #[tokio::test(start_paused = true)]
    async fn client_credentials_in_a_form() {
        let given = r#"{"access_token":"a","token_type":"bearer"}"#;
        let (tokens, asked) = ask(Ok((200, given)), false, Grant::ClientCredentials).await;
        assert_eq!(asked.headers()[header::CONTENT_TYPE], "application/x-www-form-urlencoded");
        let body = std::str::from_utf8(asked.body()).unwrap();
        assert!(body.starts_with("grant_type=client_credentials&scope=read+write"), "{body}");
        assert_eq!(tokens.unwrap().expires_at, None);
    }

    #[tokio::test(start_paused = true)]
    async fn failures_are_told_apart_and_keep_secrets() {
        use TokenError::{InvalidClient, InvalidGrant, Malformed, Refused, Transient};
        let grant = r#"{"error":"invalid_grant","error_description":"s3cret"}"#;
        let own = r#"{"error":"s3cret-own"}"#;
        let unreadable = r#"{"access_token":1,"token_type":"s3cret"}"#;
        let refused = |code: &str| Refused(code.to_owned());
        let transient = |why: &str| Transient(why.to_owned());
        let rows = [
            (Ok((400, grant)), InvalidGrant),
            (Ok((401, grant)), InvalidGrant),
            (Ok((401, r#"{"error":"invalid_client"}"#)), InvalidClient),
            (Ok((401, "<p>s3cret</p>")), InvalidClient),
            (Ok((400, r#"{"error":"invalid_scope"}"#)), refused("invalid_scope")),
            (Ok((400, own)), refused("a code of the vendor's own")),
            (Ok((503, grant)), transient("HTTP 503 Service Unavailable")),
            (Ok((429, "")), transient("HTTP 429 Too Many Requests")),
            (Ok((404, "")), Malformed("HTTP 404 Not Found: is base_url the origin of the API?".to_owned())),
            (Ok((200, unreadable)), Malformed("at access_token".to_owned())),
            (Ok((200, "")), Malformed("an empty answer".to_owned())),
            (Err(TransportError::NoAnswer("reset".to_owned())), transient("no answer: reset")),
        ];
        for (answer, expected) in rows {
            let name = format!("{answer:?}");
            let (tokens, _) = ask(answer, true, Grant::Refresh(Secret::new("s3cret-old"))).await;
            let error = tokens.unwrap_err();
            assert!(!format!("{error} {error:?}").contains("s3cret"), "{error:?}");
            assert_eq!(error, expected, "{name}");
        }
    }
}
