//! Where a secret is, instead of the secret.

use std::{fmt, path::PathBuf};

use handoffd_connectors::contract::Secret;
use serde::{Deserialize, Deserializer, de::Error as _};

/// A reference to a secret: `env:NAME` or `file:/path`. A file's last line end is dropped.
#[derive(Clone)]
pub enum SecretRef {
    /// An environment variable.
    Env(String),
    /// A file, for instance a systemd credential.
    File(PathBuf),
    /// A secret made by the program itself. No configuration can write one.
    Made(Secret),
}

/// A reference that leads to no secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set, or is empty.
    #[error("the environment variable {0} is not set or is empty")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("the file {path} cannot be read: {why}")]
    NoFile {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: std::io::Error,
    },
    /// The file holds nothing.
    #[error("the file {0} is empty")]
    EmptyFile(PathBuf),
}

impl SecretRef {
    /// Fetches the secret.
    pub fn resolve(&self) -> Result<Secret, SecretError> {
        match self {
            Self::Made(secret) => Ok(secret.clone()),
            Self::Env(name) => match std::env::var(name) {
                Ok(text) if !text.is_empty() => Ok(Secret::new(text)),
                _ => Err(SecretError::NoVariable(name.clone())),
            },
            Self::File(path) => {
                let text = std::fs::read_to_string(path)
                    .map_err(|why| SecretError::NoFile { path: path.clone(), why })?;
                let text = text.trim_end_matches(['\n', '\r']);
                if text.is_empty() {
                    return Err(SecretError::EmptyFile(path.clone()));
                }
                Ok(Secret::new(text))
            }
        }
    }

    /// Reads `env:…` or `file:…`.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:").filter(|name| !name.is_empty()) {
            return Some(Self::Env(name.to_owned()));
        }
        text.strip_prefix("file:").filter(|path| !path.is_empty()).map(|path| Self::File(path.into()))
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(out, "env:{name}"),
            Self::File(path) => write!(out, "file:{}", path.display()),
            Self::Made(_) => out.write_str("***"),
        }
    }
}

impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text itself stays out of the message: it may be the secret.
        let text = String::deserialize(deserializer)
            .map_err(|_| D::Error::custom("a secret is written as \"env:NAME\" or \"file:/path\""))?;
        Self::parse(&text).ok_or_else(|| {
            D::Error::custom(
                "a secret is written as \"env:NAME\" or \"file:/path\", never as the secret itself",
            )
        })
    }
}
