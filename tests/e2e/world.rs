//! A sandbox in a process of its own, and a daemon configured over it.

use std::{
    future::Future,
    net::TcpListener,
    path::PathBuf,
    sync::atomic::{AtomicU16, Ordering},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::{
    process::{Ended, PATIENCE, Process, assert_without, text},
    rest::{Got, Vendor, basic, client, got, tried, word},
};

/// The AI agent's token.
pub const AGENT_TOKEN: &str = "the-agent-signs-in-with-this-token";
/// The AI agent's signing secret (Standard Webhooks).
pub const AGENT_SIGNS: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

/// The sandbox's process and its vendors.
pub struct Sandbox {
    process: Process,
    /// Zendesk.
    pub zendesk: Vendor,
    /// Freshdesk.
    pub freshdesk: Vendor,
    /// Intercom.
    pub intercom: Vendor,
    /// Stripe.
    pub stripe: Vendor,
    /// What it printed.
    pub announced: Value,
}

impl Sandbox {
    /// Starts the vendors that it has by default.
    pub fn start(seed: u64) -> Self {
        let seed = seed.to_string();
        let args = ["sandbox", "--seed", &seed];
        let mut process = Process::start(&args, &[]);
        let line = process.wait_for_line(|line| line.starts_with('{'));
        let announced: Value = serde_json::from_str(&line).expect("the line is JSON");
        let [zendesk, freshdesk, intercom, stripe] =
            ["zendesk", "freshdesk", "intercom", "stripe"].map(|name| Vendor::new(name, &announced));
        Self { process, zendesk, freshdesk, intercom, stripe, announced }
    }

    /// Ends it by SIGTERM.
    pub fn stop(self) -> Ended {
        self.process.stop()
    }
}

/// A sandbox, a configuration over it, and a place for the daemon's state.
pub struct World {
    /// The vendors.
    pub sandbox: Sandbox,
    /// The configuration, to be changed before a start.
    pub config: String,
    /// What the daemon's environment holds beside that of the test.
    pub variables: Vec<(String, String)>,
    public_port: u16,
    admin_port: u16,
    dir: tempfile::TempDir,
    client: reqwest::Client,
}

const CONFIG: &str = r#"
[server]
public_listen = "127.0.0.1:@public@"
admin_listen = "127.0.0.1:@admin@"
body_bytes_max = 65536

[store]
data_dir = "@data@"

[engine]
poll = { every = "1s", jitter = "100ms" }
debounce = "20ms"
retry_first = "200ms"
lost_settle = "1s"

[accounts.zd]
connector = "zendesk"
base_url = "@zendesk@"
auth = { method = "api_token", email = "@email@", token = "env:ZD_TOKEN" }
webhook_secret = "env:ZD_SIGNS"

[accounts.fd]
connector = "freshdesk"
base_url = "@freshdesk@"
auth = { method = "api_key", key = "env:FD_KEY" }
settings = { statuses = { "6" = "pending", "7" = "on_hold" } }

[accounts.pay]
connector = "stripe"
base_url = "@stripe@"
auth = { method = "api_key", key = "env:PAY_KEY" }

[groups.support]
accounts = ["zd", "fd"]
customer_facing = "zd"
routes = [{ from = "zd", to = "fd" }, { from = "fd", to = "zd" }]

[agents.assistant]
token = "env:AGENT_TOKEN"
signing_secret = "env:AGENT_SIGNS"
accounts = ["zd", "fd"]
"#;

impl World {
    /// A world whose Zendesk sends webhooks to where the daemon will listen.
    pub async fn new(seed: u64) -> Self {
        let sandbox = Sandbox::start(seed);
        let dir = tempfile::tempdir().expect("a temporary directory");
        let [public_port, admin_port] = free_ports();
        let config = CONFIG
            .replace("@public@", &public_port.to_string())
            .replace("@admin@", &admin_port.to_string())
            .replace("@data@", text(&dir.path().join("data")))
            .replace("@zendesk@", &sandbox.zendesk.base_url)
            .replace("@freshdesk@", &sandbox.freshdesk.base_url)
            .replace("@stripe@", &sandbox.stripe.base_url)
            .replace("@email@", &sandbox.zendesk.credential("email"));
        let variables = vec![
            ("ZD_TOKEN".to_owned(), sandbox.zendesk.credential("api_token")),
            ("ZD_SIGNS".to_owned(), zendesk_webhook(&sandbox.zendesk, public_port, "zd").await),
            ("FD_KEY".to_owned(), sandbox.freshdesk.credential("api_key")),
            ("PAY_KEY".to_owned(), sandbox.stripe.credential("api_key")),
            ("AGENT_TOKEN".to_owned(), AGENT_TOKEN.to_owned()),
            ("AGENT_SIGNS".to_owned(), AGENT_SIGNS.to_owned()),
        ];
        Self { sandbox, config, variables, public_port, admin_port, dir, client: client() }
    }

    /// Makes another Zendesk send its events to an account of this daemon; answers with the signing secret.
    pub async fn webhook_of(&self, zendesk: &Vendor, account: &str) -> String {
        zendesk_webhook(zendesk, self.public_port, account).await
    }

    /// Tells the daemon that the vendors' limits are as high as the sandbox's are.
    pub fn unlimited(&mut self) {
        let of_zendesk = "webhook_secret = \"env:ZD_SIGNS\"";
        self.config = self
            .config
            .replace(of_zendesk, &format!("{of_zendesk}\nsettings = {{ plan = \"high_volume\" }}"))
            .replace("settings = { statuses", "settings = { plan = \"unlimited\", statuses");
    }

    /// Changes a variable of the daemon's environment.
    pub fn set(&mut self, name: &str, value: &str) {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    /// A variable of the daemon's environment.
    pub fn variable(&self, name: &str) -> String {
        let found = self.variables.iter().find(|(known, _)| known == name);
        found.expect("a known variable").1.clone()
    }

    /// Everything that may be written nowhere.
    pub fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> = self.variables.iter().map(|(_, value)| value.clone()).collect();
        secrets.push(self.sandbox.zendesk.auth.replace("Basic ", ""));
        secrets.push(self.sandbox.freshdesk.auth.replace("Basic ", ""));
        secrets.extend(["client_secret", "access_token"].map(|name| self.sandbox.zendesk.credential(name)));
        secrets.extend(std::fs::read_to_string(self.token_file()).ok().map(|text| text.trim().to_owned()));
        secrets
    }

    /// The file of the admin token.
    pub fn token_file(&self) -> PathBuf {
        self.dir.path().join("data/admin-token")
    }

    /// A path beside the data directory.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Writes the configuration file.
    pub fn config_file(&self) -> PathBuf {
        let path = self.path("handoffd.toml");
        std::fs::write(&path, &self.config).expect("a configuration can be written");
        path
    }

    /// Runs a command on this configuration to its end, and looks for secrets in what it said.
    pub fn command(&self, args: &[&str]) -> Ended {
        let file = self.config_file();
        let mut all = args.to_vec();
        all.extend(["-c", text(&file)]);
        Process::run(&all, &self.variables).without(&self.secrets())
    }

    /// Starts the daemon; it may not listen yet.
    pub fn spawn(&self) -> Process {
        let file = self.config_file();
        Process::start(&["run", "-c", text(&file)], &self.variables)
    }

    /// Starts the daemon and waits until it takes work.
    pub async fn start(&self) -> Process {
        let mut daemon = self.spawn();
        let began = Instant::now();
        while tried(self.client.get(self.admin("/readyz"))).await.is_none_or(|got| got.status != 200) {
            assert!(daemon.runs() && began.elapsed() < PATIENCE, "{:?}", daemon.stderr());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        daemon
    }

    /// Stops the daemon by SIGTERM; it has to end well and to have kept its secrets.
    pub fn stop(&self, daemon: Process) -> Ended {
        daemon.stop().with_code(0).without(&self.secrets())
    }

    /// An address on the public listener.
    pub fn public(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.public_port)
    }

    /// An address on the admin listener.
    pub fn admin(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.admin_port)
    }

    /// The client for requests of the test's own.
    pub fn client(&self) -> &reqwest::Client {
        &self.client
    }

    /// Reads from the admin listener with the token as Basic password.
    pub async fn admin_get(&self, path: &str) -> Got {
        let token = std::fs::read_to_string(self.token_file()).expect("the token file");
        let request = self.client.get(self.admin(path)).header("authorization", basic("any", token.trim()));
        let got = got(request).await;
        assert_without(&self.secrets(), &got.text);
        got
    }

    /// Announces a handoff as the AI agent.
    pub async fn announce(&self, key: &str, body: &Value) -> Got {
        let request = self.client.post(self.public("/v1/handoffs")).header("idempotency-key", key);
        let request = request.header("authorization", format!("Bearer {AGENT_TOKEN}"));
        got(request.body(body.to_string())).await
    }
}

/// Makes Zendesk send every event to the daemon-to-be; answers with the signing secret.
async fn zendesk_webhook(zendesk: &Vendor, port: u16, account: &str) -> String {
    let hook = json!({ "webhook": { "name": "handoffd", "status": "active", "http_method": "POST",
        "request_format": "json", "endpoint": format!("http://127.0.0.1:{port}/webhooks/{account}"),
        "subscriptions": ["zen:event-type:ticket.*"] } });
    let made = zendesk.write("POST", "/api/v2/webhooks", hook).await;
    let path = format!("/api/v2/webhooks/{}/signing_secret", word(&made["webhook"], "id"));
    word(&zendesk.get(&path).await["signing_secret"], "secret")
}

/// Two ports that nobody listens on, below those that the system gives to outgoing
/// connections: a daemon that starts again needs its own back. No two tests get
/// the same ones, whether they share a process or not.
fn free_ports() -> [u16; 2] {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + u16::try_from(std::process::id() % 300).expect("below 300") * 40;
    let next = || first + GIVEN.fetch_add(1, Ordering::Relaxed);
    let mut free =
        std::iter::repeat_with(next).filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok());
    [(); 2].map(|()| free.next().expect("a free port"))
}

/// Waits until a question has an answer.
pub async fn eventually<T, F: Future<Output = Option<T>>>(what: &str, ask: impl Fn() -> F) -> T {
    within(PATIENCE, what, ask).await
}

/// Waits so long until a question has an answer.
pub async fn within<T, F: Future<Output = Option<T>>>(
    patience: Duration,
    what: &str,
    ask: impl Fn() -> F,
) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(began.elapsed() < patience, "not within {patience:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
