//! The daemon: wires store, vault, vendors, engine and listeners from a configuration.

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use handoffd_connectors::{
    client::{Authorizer, ClientParts, Clock, Jitter, StaticAuthorizer, Transport},
    connector,
    contract::{AccountSetup, AuthMethod, BadSettings, ContextSource, CustomField, Helpdesk, Opened, Secret},
};
use handoffd_core::{AccountId, GroupId, RemoteId};
use rand::{Rng, SeedableRng};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{
    config::{AccountConfig, Config, SecretError, TemplatesError},
    engine::{
        Desk, Engine, EngineParts, Metrics, Voice,
        outbox::{EventKind, Hook},
    },
    http::{self, Agent, AgentError, Site, SiteParts},
    mapping::{Mapped, Translator, proof},
    rewriter::{ModelError, Rewriter},
    status::Readiness,
    store::{
        Key, ReadError, Store,
        blobs::{BlobError, Blobs},
        sled::{Health, OpenError, Options, SledStore},
        tables::{self, ACCOUNTS, AccountRow},
    },
    vault::{BadKey, KeeperParts, TokenKeeper, Vault, VaultKey},
};

/// The file of the admin token, in the data directory.
pub const ADMIN_TOKEN_FILE: &str = "admin-token";

/// Why the daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The store does not open.
    #[error(transparent)]
    Store(#[from] OpenError),
    /// The store opened and cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The files of long texts cannot be had.
    #[error(transparent)]
    Blobs(#[from] BlobError),
    /// A secret cannot be had.
    #[error("{key}: {why}")]
    Secret {
        /// The key in the configuration.
        key: String,
        /// What is wrong.
        why: SecretError,
    },
    /// The vault's key is none.
    #[error("vault.key: {0}")]
    VaultKey(#[from] BadKey),
    /// The vault has no key, and an account needs it.
    #[error("vault.key: accounts.{0} signs in by refresh token, which is kept sealed: set a key of 32 bytes")]
    NoVaultKey(String),
    /// An AI agent's secret cannot be used.
    #[error("agents.{name}.signing_secret: {why}")]
    Agent {
        /// Which.
        name: String,
        /// What is wrong.
        why: AgentError,
    },
    /// An account's settings cannot be used.
    #[error(transparent)]
    Settings(#[from] BadSettings),
    /// Values would be mapped to and fro for ever.
    #[error("{key}: {why}")]
    Mapping {
        /// The key in the configuration.
        key: String,
        /// What goes round.
        why: String,
    },
    /// The briefings' templates cannot be used.
    #[error(transparent)]
    Templates(#[from] TemplatesError),
    /// The language model cannot be used as configured.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// A file of the data directory cannot be used.
    #[error("{path}: {why}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// An address cannot be listened on.
    #[error("{key}: cannot listen on {at}: {why}")]
    Listen {
        /// The key in the configuration.
        key: &'static str,
        /// Where.
        at: SocketAddr,
        /// What the system says.
        why: std::io::Error,
    },
}

/// What the daemon takes from outside.
#[derive(Clone)]
pub struct Outside {
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Jitter.
    pub jitter: Arc<dyn Jitter>,
    /// How bytes travel.
    pub transport: Arc<dyn Transport>,
}

/// A daemon that is wired and does nothing yet.
pub struct App {
    /// The engine.
    pub engine: Engine,
    store: Arc<SledStore>,
    config: Config,
    admin_token: Secret,
    stop: CancellationToken,
}

/// Where a daemon listens.
#[derive(Clone, Copy, Debug)]
pub struct Listening {
    /// Webhooks and the API.
    pub public: SocketAddr,
    /// Health, metrics, status.
    pub admin: SocketAddr,
}

struct StoreReadiness(Arc<SledStore>);

impl Readiness for StoreReadiness {
    fn not_ready(&self) -> Option<String> {
        match self.0.health() {
            Health::Ready => None,
            health => Some(health.to_string()),
        }
    }
}

impl App {
    /// Opens the store and every account. Sends nothing.
    pub async fn open(config: Config, outside: Outside) -> Result<Self, StartError> {
        Self::open_with(config, outside, false).await
    }

    /// The same; `accept_damage` opens a store whose end is lost or whose rows are damaged.
    pub async fn open_with(
        config: Config,
        outside: Outside,
        accept_damage: bool,
    ) -> Result<Self, StartError> {
        let dir = config.store.data_dir.clone();
        let options = Options {
            cache_bytes: config.store.cache_mib << 20,
            accept_damage,
            ..Options::new(dir.join("store"), "handoffd")
        };
        private_dir(&dir)?;
        let store = Arc::new(SledStore::open(options, outside.clock.clone())?);
        if let Some(report) = store.checked_at_start() {
            tracing::info!(commit = report.commit_seq, jobs = report.jobs, "The store was checked whole.");
        }
        let admin_token = admin_token(&dir)?;
        let shared: Arc<dyn Store> = store.clone();
        let parts = engine_parts(&config, shared, Blobs::dir(dir.join("blobs"))?, &outside).await?;
        let engine = Engine::new(parts);
        Ok(Self { engine, store, config, admin_token, stop: CancellationToken::new() })
    }

    /// Starts listening and working.
    pub async fn start(&self) -> Result<Listening, StartError> {
        let public = listen("server.public_listen", self.config.server.public_listen).await?;
        let admin = listen("server.admin_listen", self.config.server.admin_listen).await?;
        let listening = Listening { public: address(&public), admin: address(&admin) };
        let site = self.site()?;
        for (listener, router) in
            [(public, http::public_router(site.clone())), (admin, http::admin_router(site.clone()))]
        {
            let stop = self.stop.clone();
            tokio::spawn(async move {
                if let Err(error) = http::serve(listener, router, stop).await {
                    tracing::error!(%error, "A listener stopped.");
                }
            });
        }
        self.engine.start();
        tracing::info!(public = %listening.public, admin = %listening.admin, "handoffd works.");
        Ok(listening)
    }

    fn site(&self) -> Result<Site, StartError> {
        Ok(Site::new(SiteParts {
            engine: self.engine.clone(),
            server: self.config.server.clone(),
            agents: agents(&self.config)?,
            admin_token: self.admin_token.clone(),
            readiness: Arc::new(StoreReadiness(self.store.clone())),
        }))
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Where the admin listener's token is.
    pub fn admin_token_file(&self) -> PathBuf {
        self.config.store.data_dir.join(ADMIN_TOKEN_FILE)
    }

    /// Resolves when the store has failed for good and the daemon should stop.
    pub async fn store_failed(&self) -> String {
        let mut health = self.store.watch_health();
        loop {
            if let Health::Failed { why } = &*health.borrow_and_update() {
                return why.clone();
            }
            if health.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// Stops: listeners first, then the engine, then the store.
    pub async fn shutdown(&self) {
        self.stop.cancel();
        self.engine.shutdown(self.config.engine.shutdown_grace.0).await;
        if let Err(error) = self.store.close().await {
            tracing::error!(%error, "The store did not close well; it is checked at the next start.");
        }
    }
}

/// Everything that an engine is made of, over the store given.
pub async fn engine_parts(
    config: &Config,
    store: Arc<dyn Store>,
    blobs: Blobs,
    outside: &Outside,
) -> Result<EngineParts, StartError> {
    let vault = vault(config)?;
    let metrics = Arc::new(Metrics::default());
    let mut desks = BTreeMap::new();
    let opened = open_accounts(config, &store, vault.as_ref(), outside)?;
    refuse_unstable(config, &opened)?;
    let mut sources: BTreeMap<AccountId, Arc<dyn ContextSource>> = BTreeMap::new();
    for (id, one) in opened {
        let name = id.as_str();
        let Some(account) = config.accounts.get(name) else { continue };
        match one.opened {
            Opened::ContextSource(source) => {
                sources.insert(id, source);
            }
            Opened::Helpdesk(helpdesk) => {
                let helpdesk: Arc<dyn Helpdesk> = match one.translator {
                    Some(translator) => Arc::new(Mapped::new(helpdesk, translator)),
                    None => helpdesk,
                };
                let key = Key::of(&[name]);
                let standing = tables::read::<AccountRow>(&*store, ACCOUNTS, &key).await?;
                let standing = standing.map(|row| row.value).unwrap_or_default();
                let poll = account.poll.unwrap_or(config.engine.poll);
                let resync = account.resync.unwrap_or(config.engine.resync);
                let desk = Desk::new(id.clone(), helpdesk, group_of(config, name), poll, resync, standing);
                desks.insert(id, Arc::new(desk));
            }
        }
    }
    Ok(EngineParts {
        store,
        blobs,
        clock: outside.clock.clone(),
        jitter: outside.jitter.clone(),
        desks,
        sources,
        groups: config.groups.iter().map(|(name, group)| (GroupId::new(name), group.clone())).collect(),
        rules: config.handoff_rules(),
        config: config.engine.clone(),
        handoff: config.handoff.clone(),
        placing: config
            .accounts
            .iter()
            .map(|(name, account)| (AccountId::new(name), account.handoff.clone()))
            .collect(),
        templates: config.handoff.templates()?,
        rewriter: Rewriter::open(&config.model, outside.clock.clone(), metrics.clone()).await?,
        voices: voices(config)?,
        transport: outside.transport.clone(),
        metrics,
        dry: None,
        run: format!("{:x}-{:x}", outside.clock.now().0, std::process::id()),
    })
}

/// An account that is open, with the translation into its link group's values.
pub struct OpenAccount {
    /// What it can be used for. A helpdesk is the connector's own, not translated.
    pub opened: Opened,
    /// The translation; `None` for an account in no link group.
    pub translator: Option<Translator>,
}

/// Opens every account. Sends nothing.
pub fn open_accounts(
    config: &Config,
    store: &Arc<dyn Store>,
    vault: Option<&Arc<Vault>>,
    outside: &Outside,
) -> Result<BTreeMap<AccountId, OpenAccount>, StartError> {
    let mut accounts = BTreeMap::new();
    for (name, account) in &config.accounts {
        let id = AccountId::new(name);
        let group = config.groups.iter().find(|(_, group)| group.accounts.contains(name));
        let translator = group.map(|(of, group)| {
            let wrong = |(key, why)| StartError::Mapping { key: format!("groups.{of}.{key}"), why };
            Translator::of(group, name).map_err(wrong)
        });
        let mut translator = translator.transpose()?;
        if let Some(translator) = &mut translator {
            translator.takes_too(account.handoff.custom_fields());
        }
        let custom = translator.as_ref().map(Translator::custom_fields).unwrap_or_default();
        let opened = open_account(&id, account, custom, store, vault, outside)?;
        accounts.insert(id, OpenAccount { opened, translator });
    }
    Ok(accounts)
}

/// A map that never comes to rest is not run.
fn refuse_unstable(config: &Config, accounts: &BTreeMap<AccountId, OpenAccount>) -> Result<(), StartError> {
    for (name, group) in &config.groups {
        let proof = proof::prove_group(group, accounts);
        if let Some(flaw) = proof.flaws.first() {
            let key = format!("groups.{name}.{}", flaw.key());
            return Err(StartError::Mapping { key, why: flaw.to_string() });
        }
    }
    Ok(())
}

fn group_of(config: &Config, account: &str) -> Option<GroupId> {
    config
        .groups
        .iter()
        .find(|(_, group)| group.accounts.contains(account))
        .map(|(name, _)| GroupId::new(name))
}

pub(crate) fn vault(config: &Config) -> Result<Option<Arc<Vault>>, StartError> {
    let Some(key) = &config.vault.key else { return Ok(None) };
    let text = key.resolve().map_err(|why| StartError::Secret { key: "vault.key".to_owned(), why })?;
    Ok(Some(Arc::new(Vault::new(&VaultKey::parse(&text)?))))
}

/// Opens one account with whoever signs its requests. `custom` are the custom fields that
/// its link group keeps in step.
pub fn open_account(
    id: &AccountId,
    account: &AccountConfig,
    custom: Vec<CustomField>,
    store: &Arc<dyn Store>,
    vault: Option<&Arc<Vault>>,
    outside: &Outside,
) -> Result<Opened, StartError> {
    let secret_at = |key: &str, why| StartError::Secret { key: format!("accounts.{id}.{key}"), why };
    let webhook_secret = account.webhook_secret.as_ref().map(crate::config::SecretRef::resolve).transpose();
    let webhook_secret = webhook_secret.map_err(|why| secret_at("webhook_secret", why))?;
    let credentials =
        account.auth.credentials().map_err(|(key, why)| secret_at(&format!("auth.{key}"), why))?;
    let no_such = |why: String| BadSettings { account: id.clone(), key: String::new(), why };
    let Some(connector) = connector(&account.connector) else {
        return Err(no_such(format!("there is no connector {:?}", account.connector)).into());
    };
    let spec = connector.auth();
    let authorizer: Arc<dyn Authorizer> = match ((spec.header)(&credentials), spec.oauth) {
        (Some(header), _) => Arc::new(StaticAuthorizer(header)),
        (None, Some(oauth)) => {
            let vault = match (vault, account.auth.method) {
                (Some(vault), _) => vault.clone(),
                (None, AuthMethod::RefreshToken) => return Err(StartError::NoVaultKey(id.to_string())),
                (None, _) => Arc::new(Vault::new(&throwaway_key()?)),
            };
            let parts = KeeperParts {
                store: store.clone(),
                vault,
                transport: outside.transport.clone(),
                clock: outside.clock.clone(),
            };
            let keeper = TokenKeeper::new(id, account.base_url.clone(), oauth, &credentials, parts);
            Arc::new(keeper.ok_or_else(|| no_such("cannot sign in that way".to_owned()))?)
        }
        (None, None) => return Err(no_such("cannot sign in that way".to_owned()).into()),
    };
    let setup = AccountSetup {
        id: id.clone(),
        base_url: account.base_url.clone(),
        webhook_secret,
        settings: serde_json::to_value(&account.settings).map_err(|why| no_such(why.to_string()))?,
        custom,
    };
    let parts = ClientParts {
        transport: outside.transport.clone(),
        clock: outside.clock.clone(),
        jitter: outside.jitter.clone(),
        authorizer,
    };
    Ok(connector.open(setup, parts)?)
}

/// A key for accounts that seal nothing.
fn throwaway_key() -> Result<VaultKey, BadKey> {
    let mut bytes = [0_u8; 32];
    rand_chacha::ChaCha20Rng::from_os_rng().fill(&mut bytes);
    VaultKey::parse(&Secret::new(hex::encode(bytes)))
}

/// AI agents, as the engine knows them.
fn voices(config: &Config) -> Result<BTreeMap<String, Voice>, StartError> {
    let mut voices = BTreeMap::new();
    for (name, agent) in &config.agents {
        let hook = agent.webhook.as_ref().map(|webhook| {
            let at = || format!("agents.{name}.webhook.secret");
            let secret = webhook.secret.resolve().map_err(|why| StartError::Secret { key: at(), why })?;
            let bad = |why| StartError::Agent { name: name.clone(), why };
            let key = crate::http::signing_key(secret.expose()).map_err(bad)?;
            let events = webhook.events.clone().unwrap_or_else(|| EventKind::ALL.into());
            Ok::<_, StartError>(Hook::new(webhook.url.clone(), key, events))
        });
        let ids = agent.speaks_as.iter();
        let voice = Voice {
            accounts: agent.accounts.clone(),
            speaks_as: ids.map(|(account, id)| (AccountId::new(account), RemoteId::new(id))).collect(),
            hook: hook.transpose()?,
        };
        voices.insert(name.clone(), voice);
    }
    Ok(voices)
}

fn agents(config: &Config) -> Result<Vec<Agent>, StartError> {
    let mut agents = Vec::new();
    for (name, agent) in &config.agents {
        let secret = |key: &str, at: &Option<crate::config::SecretRef>| {
            let found = at.as_ref().map(crate::config::SecretRef::resolve).transpose();
            found.map_err(|why| StartError::Secret { key: format!("agents.{name}.{key}"), why })
        };
        let token = secret("token", &agent.token)?;
        let signing = secret("signing_secret", &agent.signing_secret)?;
        let made = Agent::new(name.clone(), agent.accounts.clone(), token, signing.as_ref());
        agents.push(made.map_err(|why| StartError::Agent { name: name.clone(), why })?);
    }
    Ok(agents)
}

fn private_dir(dir: &Path) -> Result<(), StartError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|why| StartError::File { path: dir.to_owned(), why })
}

/// The admin listener's token: made at the first start, in a file of mode 0600.
pub fn admin_token(dir: &Path) -> Result<Secret, StartError> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let path = dir.join(ADMIN_TOKEN_FILE);
    let failed = |why| StartError::File { path: path.clone(), why };
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(Secret::new(text.trim())),
        Ok(_) => std::fs::remove_file(&path).map_err(failed)?,
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(failed(why)),
    }
    let mut bytes = [0_u8; 24];
    rand_chacha::ChaCha20Rng::from_os_rng().fill(&mut bytes);
    let token = hex::encode(bytes);
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(failed)?;
    file.write_all(format!("{token}\n").as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
    Ok(Secret::new(token))
}

async fn listen(key: &'static str, at: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(at).await.map_err(|why| StartError::Listen { key, at, why })
}

fn address(listener: &TcpListener) -> SocketAddr {
    listener.local_addr().unwrap_or(SocketAddr::from(([127, 0, 0, 1], 0)))
}
