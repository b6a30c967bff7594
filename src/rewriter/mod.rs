//! Lines of a briefing in a language model's words, where an admin configured one.
//!
//! Text is redacted before it leaves, and what cannot be redacted does not leave. What comes back
//! is believed only as far as its sources go. Nothing waits for a model longer than its deadline.

mod egress;
#[cfg(test)]
mod tests;
mod wire;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use handoffd_connectors::{
    client::{Clock, transport::Outgoing, transport::Transport},
    contract::Secret,
};
use handoffd_core::{
    Timestamp,
    briefing::LineId,
    redact::{Names, Pseudonyms, Unsafe, redact},
    rewrite::{Draft, Rejected, accept, check_restored},
};

use crate::{
    config::{ModelConfig, ModelKind, SecretError},
    engine::Metrics,
};
use wire::{NoRewrite, Outbound};

/// The longest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 256 * 1024;

/// The longest answer that is shown to the model again, in bytes.
const REPAIR_BYTES_MAX: usize = 8 * 1024;

/// A model that cannot be used as configured.
#[derive(Debug, thiserror::Error)]
#[error("model.{key}: {why}")]
pub struct ModelError {
    /// The key in `[model]`.
    pub key: &'static str,
    /// What is wrong.
    pub why: String,
}

/// Asks the configured model. Without one nothing is ever rewritten.
#[derive(Default)]
pub struct Rewriter {
    model: Option<Model>,
}

/// A model that can be asked.
struct Model {
    config: ModelConfig,
    /// The address with a slash at its end.
    base: String,
    key: Option<Secret>,
    transport: Arc<dyn Transport>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
}

/// Why an endpoint gave no rewrite. It holds nothing of the text.
#[derive(Debug, thiserror::Error)]
enum Failed {
    #[error("{0}")]
    Transport(String),
    #[error("it answered with status {0}")]
    Status(u16),
    #[error(transparent)]
    Answer(#[from] NoRewrite),
    #[error("there was no answer in time")]
    Late,
}

impl Failed {
    fn name(&self) -> &'static str {
        match self {
            Self::Transport(_) => "unreachable",
            Self::Status(_) => "status",
            Self::Answer(NoRewrite::CutOff) => "cut_off",
            Self::Answer(NoRewrite::Refused) => "refused",
            Self::Answer(NoRewrite::Shape | NoRewrite::NotJson) => "unreadable",
            Self::Late => "late",
        }
    }
}

impl Rewriter {
    /// Without a model.
    pub fn none() -> Self {
        Self::default()
    }

    /// With the model of the configuration. Refuses one to which no text may go.
    pub async fn open(
        config: &ModelConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ModelError> {
        let Some(url) = config.base_url.as_ref().filter(|_| config.kind != ModelKind::None) else {
            return Ok(Self::none());
        };
        egress::check(config, url).await?;
        let resolved = config.key.as_ref().map(crate::config::SecretRef::resolve).transpose();
        let key = resolved.map_err(|why: SecretError| ModelError { key: "key", why: why.to_string() })?;
        let transport = Arc::new(egress::transport(config)?);
        let base = format!("{}/", url.as_str().trim_end_matches('/'));
        Ok(Self { model: Some(Model { config: config.clone(), base, key, transport, clock, metrics }) })
    }

    /// Whether there is a model.
    pub fn is_configured(&self) -> bool {
        self.model.is_some()
    }

    /// The drafts in better words, by line, as far as they came by the deadline and hold nothing
    /// that their sources do not. Never fails: what is not in the answer stays as it is.
    pub async fn rewrite(
        &self,
        drafts: Vec<Draft>,
        known: &Names,
        deadline: Timestamp,
    ) -> BTreeMap<LineId, String> {
        match &self.model {
            Some(model) if !drafts.is_empty() => model.rewrite(&drafts, known, deadline).await,
            _ => BTreeMap::new(),
        }
    }
}

impl Model {
    async fn rewrite(
        &self,
        drafts: &[Draft],
        known: &Names,
        deadline: Timestamp,
    ) -> BTreeMap<LineId, String> {
        let mut pseudonyms = Pseudonyms::new(known);
        let mut leaving = Vec::new();
        let mut kept_here = None;
        for draft in drafts {
            match outbound(draft, &mut pseudonyms) {
                Ok(line) => leaving.push(line),
                Err(why) => {
                    self.metrics.rewrote("unsafe", 1);
                    kept_here = Some(why);
                }
            }
        }
        if let Some(why) = kept_here {
            tracing::warn!(%why, "Lines of a briefing were not given to the language model.");
        }
        if leaving.is_empty() {
            return BTreeMap::new();
        }
        let left = deadline.since(self.clock.now()).min(self.config.deadline.0);
        // A timeout of nothing would still let a request go.
        let answer = match left.is_zero() {
            true => Err(Failed::Late),
            false => {
                let answer = tokio::time::timeout(left, self.answer(&leaving, left)).await;
                answer.unwrap_or(Err(Failed::Late))
            }
        };
        match answer {
            Ok(lines) => self.accepted(drafts, &leaving, lines, &pseudonyms),
            Err(why) => {
                self.metrics.rewrote(why.name(), leaving.len());
                tracing::warn!(%why, "The language model gave no rewrite: the briefing keeps its own words.");
                BTreeMap::new()
            }
        }
    }

    /// What the model proposes; asked once more where it did not write what it was asked for.
    async fn answer(&self, lines: &[Outbound], left: Duration) -> Result<Vec<(LineId, String)>, Failed> {
        let written = self.ask(lines, None, left).await?;
        match wire::lines(&written) {
            Ok(lines) => Ok(lines),
            Err(_) if written.len() > REPAIR_BYTES_MAX => Err(NoRewrite::NotJson.into()),
            Err(_) => Ok(wire::lines(&self.ask(lines, Some(&written), left).await?)?),
        }
    }

    async fn ask(
        &self,
        lines: &[Outbound],
        failed: Option<&str>,
        timeout: Duration,
    ) -> Result<String, Failed> {
        let (path, body) = wire::request(&self.config, lines, failed);
        let mut request =
            http::Request::post(format!("{}{path}", self.base)).header("content-type", "application/json");
        for (name, value) in wire::signed(self.config.kind, self.key.as_ref().map(Secret::expose)) {
            request = request.header(name, value);
        }
        // An error of the builder may name the header's value: it is not repeated.
        let request = request
            .body(Bytes::from(body.to_string()))
            .map_err(|_| Failed::Transport("the request cannot be made: look at model.key".to_owned()))?;
        let outgoing = Outgoing { request, upload: Vec::new(), timeout, body_bytes_max: BODY_BYTES_MAX };
        let answer = self.transport.send(outgoing).await;
        let answer = answer.map_err(|error| Failed::Transport(error.to_string()))?;
        match answer.status().as_u16() {
            200..=299 => Ok(wire::written(self.config.kind, answer.body())?),
            status => Err(Failed::Status(status)),
        }
    }

    /// What may be used of the model's lines, with the people in it again.
    fn accepted(
        &self,
        drafts: &[Draft],
        leaving: &[Outbound],
        lines: Vec<(LineId, String)>,
        pseudonyms: &Pseudonyms,
    ) -> BTreeMap<LineId, String> {
        let mut accepted = BTreeMap::new();
        let mut rejected = None;
        for (id, text) in lines {
            let Some(line) = leaving.iter().find(|line| line.id == id) else { continue };
            let Some(draft) = drafts.iter().find(|draft| draft.line == id) else { continue };
            match usable(draft, line, &text, pseudonyms) {
                Ok(text) => {
                    self.metrics.rewrote("accepted", 1);
                    accepted.insert(id, text);
                }
                Err(why) => {
                    self.metrics.rewrote(why.name(), 1);
                    rejected = Some(why);
                }
            }
        }
        if let Some(why) = rejected {
            tracing::warn!(%why, "What the language model wrote was not used.");
        }
        accepted
    }
}

/// What a model wrote of a line with its stand-ins turned back, if it may stand in a briefing.
fn usable(
    draft: &Draft,
    left: &Outbound,
    written: &str,
    pseudonyms: &Pseudonyms,
) -> Result<String, Rejected> {
    let restored = pseudonyms.restore(&accept(&left.draft(), written)?);
    check_restored(draft, &restored)?;
    Ok(restored)
}

fn outbound(draft: &Draft, pseudonyms: &mut Pseudonyms) -> Result<Outbound, Unsafe> {
    Ok(Outbound {
        id: draft.line.clone(),
        text: redact(&draft.text, pseudonyms)?,
        sources: draft.sources.iter().map(|source| redact(source, pseudonyms)).collect::<Result<_, _>>()?,
    })
}

impl Outbound {
    /// The draft as it left: what comes back is held against it.
    fn draft(&self) -> Draft {
        Draft {
            line: self.id.clone(),
            text: self.text.as_str().to_owned(),
            sources: self.sources.iter().map(|source| source.as_str().to_owned()).collect(),
        }
    }
}
