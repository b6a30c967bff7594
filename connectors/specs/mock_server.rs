//! The mock server, as a process of its own on the loopback.

use std::{
    env,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use crate::client::{Outgoing, ReqwestTransport, Transport as _};

/// Where the mock server's program is; set by `cargo xtask test`.
const PROGRAM: &str = "HANDOFFD_PRISM";
/// What it prints when it is ready, before its origin.
const READY: &str = "Prism is listening on ";
/// How long it may take to read a description.
const START_MAX: Duration = Duration::from_secs(60);
/// How long it may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);
/// The longest answer that is read.
const BODY_BYTES_MAX: usize = 16 * 1_024 * 1_024;

/// The program. `None`, and loud words, where it is not installed and nobody said that it is.
pub fn program() -> Option<PathBuf> {
    if let Some(told) = env::var_os(PROGRAM) {
        let told = PathBuf::from(told);
        assert!(told.exists(), "{PROGRAM} names {}, which is not there", told.display());
        return Some(told);
    }
    let test = env::current_exe().expect("the test's own path");
    // target/debug/deps/test
    let target = test.ancestors().nth(3).expect("a target folder");
    let installed = target.join("prism/node_modules/.bin/prism");
    if installed.exists() {
        return Some(installed);
    }
    let how = format!(
        "the mock server is not installed: run `cargo xtask prism`, or set {PROGRAM} to its program \
         (the version is pinned in xtask/prism/package.json)"
    );
    assert!(env::var_os("CI").is_none(), "{how}");
    println!("NOT RUN: {how}");
    None
}

/// A running mock server. Ends when dropped.
pub struct MockServer {
    child: Child,
    origin: String,
    http: ReqwestTransport,
}

impl MockServer {
    /// Serves the description on a free port of the loopback.
    pub fn start(program: &Path, description: &Path) -> Self {
        let mut child = Command::new(program)
            .args(["mock", "-h", "127.0.0.1", "-p", "0"])
            .arg(description)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|why| panic!("{} cannot be started: {why}", program.display()));
        let printed = child.stdout.take().expect("its output is piped");
        let (ready, origin) = mpsc::channel();
        // Reads on to the end: a full pipe would stop it.
        thread::spawn(move || {
            for line in BufReader::new(printed).lines().map_while(Result::ok) {
                match line.split_once(READY) {
                    Some((_, origin)) => drop(ready.send(origin.trim().to_owned())),
                    None if line.contains("fatal") => println!("{line}"),
                    None => {}
                }
            }
        });
        let http = ReqwestTransport::new().expect("an HTTP client");
        let mut server = Self { child, origin: String::new(), http };
        // A server that ends closes the channel.
        server.origin = origin.recv_timeout(START_MAX).expect("the mock server says that it is ready");
        server
    }

    /// Sends it a request that was made for another host.
    pub async fn ask(&self, mut request: Request<Bytes>) -> Response<Bytes> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = format!("{}{path}", self.origin).parse().expect("an absolute URI");
        let outgoing =
            Outgoing { request, upload: Vec::new(), timeout: ANSWER_MAX, body_bytes_max: BODY_BYTES_MAX };
        self.http.send(outgoing).await.expect("the mock server answers")
    }
}

impl Drop for MockServer {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
