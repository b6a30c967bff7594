//! How bytes travel: reqwest in the daemon, the simulated net in tests.

use std::{error::Error as _, path::PathBuf, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{StreamExt as _, TryStreamExt as _, future::BoxFuture};

use crate::contract::Sink;

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Why no answer came, by whether the request may have arrived.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TransportError {
    /// Nothing was sent: it certainly did not happen.
    #[error("not sent: {0}")]
    NotSent(String),
    /// It was sent, or may have been: it may have happened.
    #[error("no answer: {0}")]
    NoAnswer(String),
    /// Whoever takes the answer's pieces wants no more of them.
    #[error("{0}")]
    SinkRefused(String),
    /// The answer's body is longer than the cap.
    #[error("the answer is longer than {limit} bytes")]
    TooLong {
        /// The cap.
        limit: usize,
    },
}

/// Bytes at hand or in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// At hand.
    Bytes(Bytes),
    /// A file that stays as it is while it is sent.
    File {
        /// Where.
        path: PathBuf,
        /// Its length in bytes.
        len: u64,
    },
}

impl Content {
    /// The length in bytes.
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => u64::try_from(bytes.len()).unwrap_or(u64::MAX),
            Self::File { len, .. } => *len,
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All of it. For simulators and for vendors that want files inside JSON.
    pub async fn read(&self) -> std::io::Result<Bytes> {
        match self {
            Self::Bytes(bytes) => Ok(bytes.clone()),
            Self::File { path, .. } => tokio::fs::read(path).await.map(Bytes::from),
        }
    }
}

/// One request with an absolute URI, with its bounds.
#[derive(Debug)]
pub struct Outgoing {
    /// Method, absolute URI, headers, body.
    pub request: http::Request<Bytes>,
    /// What follows the body, streamed: the parts of an upload.
    pub upload: Vec<Content>,
    /// The longest wait for the whole answer.
    pub timeout: std::time::Duration,
    /// The longest body that is read.
    pub body_bytes_max: usize,
}

/// How bytes travel. Redirects are not followed.
pub trait Transport: Send + Sync {
    /// Sends one request and reads the whole answer.
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>>;
    /// Sends one request and hands a 2xx answer's body on piece by piece; any other answer's
    /// body is read as in [`Transport::send`]. The body of a 2xx answer is then empty.
    fn fetch<'a>(
        &'a self,
        outgoing: Outgoing,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(async move {
            let answer = self.send(outgoing).await?;
            if !answer.status().is_success() {
                return Ok(answer);
            }
            into.take(answer.body()).map_err(TransportError::SinkRefused)?;
            Ok(answer.map(|_| Bytes::new()))
        })
    }
}

impl Outgoing {
    /// The request with all of its upload in its body, for a net that is in memory.
    pub async fn gathered(self) -> Result<http::Request<Bytes>, TransportError> {
        let (head, body) = self.request.into_parts();
        let mut whole = BytesMut::from(&body[..]);
        for part in &self.upload {
            let part = part.read().await.map_err(|error| TransportError::NotSent(error.to_string()))?;
            whole.extend_from_slice(&part);
        }
        Ok(http::Request::from_parts(head, whole.freeze()))
    }
}

/// The net, over reqwest and rustls. Connections are kept and shared.
#[derive(Clone, Debug)]
pub struct ReqwestTransport {
    http: reqwest::Client,
}

/// The TLS stack or the resolver of the system cannot be set up.
#[derive(Debug, thiserror::Error)]
#[error("the HTTP client cannot be set up: {0}")]
pub struct CannotSetUp(String);

impl ReqwestTransport {
    /// Sets up TLS with the system's roots. Connects to nothing.
    pub fn new() -> Result<Self, CannotSetUp> {
        let http = reqwest::Client::builder()
            .user_agent(concat!("handoffd/", env!("CARGO_PKG_VERSION")))
            // A redirect could carry a credential to another host.
            .redirect(reqwest::redirect::Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .build()
            .map_err(|error| CannotSetUp(words(error)))?;
        Ok(Self { http })
    }

    /// Over a client that somebody set up with bounds of their own.
    pub fn over(http: reqwest::Client) -> Self {
        Self { http }
    }

    async fn exchange(
        &self,
        outgoing: Outgoing,
        into: Option<&mut dyn Sink>,
    ) -> Result<http::Response<Bytes>, TransportError> {
        let Outgoing { request, upload, timeout, body_bytes_max } = outgoing;
        let request = if upload.is_empty() {
            reqwest::Request::try_from(request)
        } else {
            reqwest::Request::try_from(streamed(request, upload))
        };
        let mut request = request.map_err(failure)?;
        *request.timeout_mut() = Some(timeout);
        let response = self.http.execute(request).await.map_err(failure)?;
        let (status, headers) = (response.status(), response.headers().clone());
        let body = match into {
            Some(into) if status.is_success() => pour(response, into).await?,
            _ => read_body(response, body_bytes_max).await?,
        };
        let mut answer = http::Response::new(body);
        *answer.status_mut() = status;
        *answer.headers_mut() = headers;
        Ok(answer)
    }
}

/// The request with its body and what follows it as one stream of known length.
fn streamed(request: http::Request<Bytes>, upload: Vec<Content>) -> http::Request<reqwest::Body> {
    let (mut head, body) = request.into_parts();
    let first = Content::Bytes(body);
    let len = upload.iter().fold(first.len(), |sum, part| sum.saturating_add(part.len()));
    head.headers.insert(http::header::CONTENT_LENGTH, len.into());
    let parts = futures_util::stream::iter([first].into_iter().chain(upload));
    let pieces = parts.then(open_content).try_flatten();
    http::Request::from_parts(head, reqwest::Body::wrap_stream(pieces))
}

type Pieces = futures_util::stream::BoxStream<'static, std::io::Result<Bytes>>;

async fn open_content(content: Content) -> std::io::Result<Pieces> {
    match content {
        Content::Bytes(bytes) => Ok(futures_util::stream::once(async move { Ok(bytes) }).boxed()),
        Content::File { path, len } => {
            let file = tokio::fs::File::open(path).await?;
            let file = tokio::io::AsyncReadExt::take(file, len);
            Ok(tokio_util::io::ReaderStream::new(file).boxed())
        }
    }
}

async fn pour(mut response: reqwest::Response, into: &mut dyn Sink) -> Result<Bytes, TransportError> {
    while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::NoAnswer(words(error)))? {
        into.take(&chunk).map_err(TransportError::SinkRefused)?;
    }
    Ok(Bytes::new())
}

impl Transport for ReqwestTransport {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(outgoing, None))
    }

    fn fetch<'a>(
        &'a self,
        outgoing: Outgoing,
        into: &'a mut dyn Sink,
    ) -> BoxFuture<'a, Result<http::Response<Bytes>, TransportError>> {
        Box::pin(self.exchange(outgoing, Some(into)))
    }
}

async fn read_body(mut response: reqwest::Response, limit: usize) -> Result<Bytes, TransportError> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| TransportError::NoAnswer(words(error)))? {
        if body.len() + chunk.len() > limit {
            return Err(TransportError::TooLong { limit });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.freeze())
}

/// Whether the request may have arrived. Only a connection that never came up
/// and a request that could not be built are certain.
fn failure(error: reqwest::Error) -> TransportError {
    if error.is_connect() || error.is_builder() {
        TransportError::NotSent(words(error))
    } else {
        TransportError::NoAnswer(words(error))
    }
}

/// The error and its causes without the URL, whose query may name a person.
fn words(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        words.push_str(": ");
        words.push_str(&error.to_string());
        cause = error.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::{TcpListener, TcpStream},
    };

    use super::*;

    /// A server that answers its one request with these bytes, and what it was asked.
    async fn server(answer: &'static str) -> (String, tokio::task::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("http://{}", listener.local_addr().unwrap());
        let asked = tokio::spawn(async move {
            let (mut peer, _) = listener.accept().await.unwrap();
            let asked = read_head(&mut peer).await;
            peer.write_all(answer.as_bytes()).await.unwrap();
            if answer.is_empty() {
                // Holds the connection open and says nothing.
                let _ = peer.read(&mut [0]).await;
            }
            asked
        });
        (origin, asked)
    }

    async fn read_head(peer: &mut TcpStream) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(peer.read_u8().await.unwrap());
        }
        String::from_utf8(head).unwrap()
    }

    async fn get(uri: &str) -> Result<http::Response<Bytes>, TransportError> {
        let request =
            http::Request::builder().uri(uri).header("authorization", "Bearer t").body(Bytes::new()).unwrap();
        let outgoing =
            Outgoing { request, upload: Vec::new(), timeout: Duration::from_millis(300), body_bytes_max: 5 };
        ReqwestTransport::new().unwrap().send(outgoing).await
    }

    #[tokio::test]
    async fn requests_and_answers_travel_whole() {
        let (origin, asked) = server("HTTP/1.1 404 Gone\r\nx-a: b\r\ncontent-length: 5\r\n\r\nhello").await;
        let answer = get(&format!("{origin}/a?b=c")).await.unwrap();
        assert_eq!((answer.status().as_u16(), &answer.headers()["x-a"]), (404, &"b".parse().unwrap()));
        assert_eq!(answer.body(), "hello");
        let asked = asked.await.unwrap();
        assert!(asked.starts_with("GET /a?b=c HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("authorization: Bearer t\r\n"), "{asked}");
        assert!(asked.contains(concat!("user-agent: handoffd/", env!("CARGO_PKG_VERSION"))), "{asked}");
    }

    #[tokio::test]
    async fn redirects_are_answers() {
        let (origin, _) =
            server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n").await;
        assert_eq!(get(&origin).await.unwrap().status(), 302);
    }

    #[tokio::test]
    async fn long_answers_are_cut_off() {
        let chunked =
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\n";
        for answer in ["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabcdef", chunked] {
            let (origin, _) = server(answer).await;
            assert_eq!(get(&origin).await.unwrap_err(), TransportError::TooLong { limit: 5 });
        }
    }

    #[tokio::test]
    async fn failures_say_whether_it_was_sent() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = format!("http://{}", listener.local_addr().unwrap());
        drop(listener);
        let error = get(&format!("{closed}/?email=who@x.example")).await.unwrap_err();
        assert!(matches!(&error, TransportError::NotSent(why) if !why.contains("who@")), "{error:?}");
        for answer in ["", "not HTTP\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab"] {
            let (origin, _) = server(answer).await;
            let error = get(&format!("{origin}/?email=who@x.example")).await.unwrap_err();
            assert!(matches!(&error, TransportError::NoAnswer(why) if !why.contains("who@")), "{error:?}");
        }
    }
}
