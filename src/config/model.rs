//! `[model]`: the language model that puts briefings into better words, if there is one.

use std::{collections::BTreeSet, path::PathBuf};

use serde::Deserialize;

use super::{SecretRef, Span, policy::Wrong};

/// The language model.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelConfig {
    /// How it is asked; `none`: there is none, and nothing leaves.
    pub kind: ModelKind,
    /// Where: for `openai_compatible` the address that ends in `/v1`, for `anthropic` the origin.
    pub base_url: Option<url::Url>,
    /// Which model.
    pub model: Option<String>,
    /// The key, where one is needed.
    pub key: Option<SecretRef>,
    /// To where text may leave.
    pub egress: Egress,
    /// Hosts that count as local although their addresses are not private.
    pub allow: BTreeSet<String>,
    /// The longest that a rewrite may take.
    pub deadline: Span,
    /// The parameter that bounds the answer.
    pub token_param: TokenParam,
    /// The most tokens of an answer.
    pub max_tokens: u32,
    /// A certificate authority of your own, as PEM.
    pub ca: Option<PathBuf>,
}

/// How a model is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelKind {
    /// There is none.
    None,
    /// `POST {base_url}/chat/completions`.
    OpenaiCompatible,
    /// `POST {base_url}/v1/messages`.
    Anthropic,
}

/// To where text may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Egress {
    /// To loopback and private addresses, and the hosts of `allow`.
    LocalOnly,
    /// To anywhere.
    Any,
}

/// The parameter that bounds an answer of an OpenAI-compatible endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenParam {
    /// What local servers know.
    MaxTokens,
    /// What OpenAI's newer models want.
    MaxCompletionTokens,
}

impl TokenParam {
    /// The name on the wire.
    pub fn name(self) -> &'static str {
        match self {
            Self::MaxTokens => "max_tokens",
            Self::MaxCompletionTokens => "max_completion_tokens",
        }
    }
}

impl ModelConfig {
    /// Keys that miss their partner.
    pub(super) fn check(&self) -> Result<(), Wrong> {
        if self.kind == ModelKind::None {
            return Ok(());
        }
        let wrong = |key: &str, why: &str| Err((format!("model.{key}"), why.to_owned()));
        let Some(url) = &self.base_url else { return wrong("base_url", "is needed for this kind") };
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return wrong("base_url", "is an address that begins with https:// or http://");
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return wrong("base_url", "holds no user, password or query; the key goes into `key`");
        }
        if self.model.as_deref().is_none_or(|model| model.trim().is_empty()) {
            return wrong("model", "is needed for this kind");
        }
        if self.kind == ModelKind::Anthropic && self.key.is_none() {
            return wrong("key", "is needed for this kind");
        }
        if self.max_tokens == 0 {
            return wrong("max_tokens", "is at least 1");
        }
        match self.deadline.0.is_zero() {
            true => wrong("deadline", "is longer than nothing"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::load_text;

    const MODEL: &str = "[model]\nkind = \"openai_compatible\"\nbase_url = \"http://127.0.0.1:11434/v1\"\nmodel = \"small\"\n";

    #[test]
    fn without_a_word_there_is_no_model() {
        let config = load_text("c.toml", "", &[]).unwrap();
        assert_eq!(config.model.kind, super::ModelKind::None);
        assert_eq!(config.model.egress, super::Egress::LocalOnly);
        load_text("c.toml", MODEL, &[]).unwrap();
    }

    #[test]
    fn what_a_kind_needs_is_named() {
        let cases = [
            (MODEL.replace("base_url", "# base_url"), "model.base_url"),
            (MODEL.replace("http:", "ftp:"), "model.base_url"),
            (MODEL.replace("127", "me:secret@127"), "model.base_url"),
            (MODEL.replace("model = \"small\"", ""), "model.model"),
            (MODEL.replace("openai_compatible", "anthropic"), "model.key"),
            (format!("{MODEL}max_tokens = 0\n"), "model.max_tokens"),
            (format!("{MODEL}deadline = \"0s\"\n"), "model.deadline"),
            (format!("{MODEL}egress = \"everywhere\"\n"), "model.egress"),
        ];
        for (text, key) in cases {
            let error = load_text("c.toml", &text, &[]).expect_err(&text);
            assert_eq!(error.key, key, "{error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }
}
