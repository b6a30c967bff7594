//! Who calls: AI agents by bearer token or by signature, and the client's address.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
};

use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use handoffd_connectors::contract::Secret;
use handoffd_core::Timestamp;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::config::Server;

/// How far a signed request's time may be off, in seconds, either way (Standard Webhooks).
const TOLERANCE_SECS: i64 = 300;
/// A signing key has at least this many bytes (Standard Webhooks).
const KEY_BYTES_MIN: usize = 24;

/// An AI agent that may call.
pub struct Agent {
    /// Its name in the configuration.
    pub name: String,
    /// The helpdesk accounts whose tickets it may hand over; `None` for all.
    pub accounts: Option<BTreeSet<String>>,
    token: Option<Secret>,
    signing_key: Option<Vec<u8>>,
}

/// An agent's secret that cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("the signing secret is \"whsec_\" and the Base64 of 24 to 64 random bytes")]
pub struct AgentError;

impl Agent {
    /// An agent with its secrets at hand.
    pub fn new(
        name: String,
        accounts: Option<BTreeSet<String>>,
        token: Option<Secret>,
        signing_secret: Option<&Secret>,
    ) -> Result<Self, AgentError> {
        let signing_key = signing_secret.map(|secret| signing_key(secret.expose())).transpose()?;
        Ok(Self { name, accounts, token, signing_key })
    }

    fn has_token(&self, token: &str) -> bool {
        let mine = self.token.as_ref().map(|mine| mine.expose().as_bytes());
        mine.is_some_and(|mine| bool::from(mine.ct_eq(token.as_bytes())))
    }
}

/// Reads `whsec_…`: strict Base64, long enough. Some paste it with `v1,` before it.
pub(crate) fn signing_key(secret: &str) -> Result<Vec<u8>, AgentError> {
    let text = secret.strip_prefix("v1,").unwrap_or(secret);
    let text = text.strip_prefix("whsec_").ok_or(AgentError)?;
    let key = STANDARD.decode(text).map_err(|_| AgentError)?;
    if key.len() < KEY_BYTES_MIN { Err(AgentError) } else { Ok(key) }
}

/// Who a request is from, and its idempotency key where the signature covers one.
pub(super) struct Caller<'a> {
    pub(super) agent: &'a Agent,
    pub(super) signed_id: Option<String>,
}

/// Finds the caller by bearer token, else by signature. `None`: nobody known.
pub(super) fn caller<'a>(
    agents: &'a [Agent],
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Option<Caller<'a>> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = text("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        // Every agent is compared, so that the time taken tells nothing.
        let found: Vec<&Agent> = agents.iter().filter(|agent| agent.has_token(token.trim())).collect();
        return found.first().map(|agent| Caller { agent, signed_id: None });
    }
    let (id, at, signatures) = (text("webhook-id")?, text("webhook-timestamp")?, text("webhook-signature")?);
    let secs: i64 = at.parse().ok()?;
    if id.is_empty() || now.as_secs().abs_diff(secs) > TOLERANCE_SECS.unsigned_abs() {
        return None;
    }
    let signed = |agent: &&Agent| {
        agent.signing_key.as_ref().is_some_and(|key| is_signed(key, id, at, body, signatures))
    };
    agents.iter().find(signed).map(|agent| Caller { agent, signed_id: Some(id.to_owned()) })
}

fn is_signed(key: &[u8], id: &str, at: &str, body: &[u8], signatures: &str) -> bool {
    let given = signatures.split(' ').filter_map(|signature| signature.strip_prefix("v1,"));
    let given: Vec<Vec<u8>> = given.filter_map(|text| STANDARD.decode(text).ok()).collect();
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return false };
    mac.update(id.as_bytes());
    mac.update(b".");
    mac.update(at.as_bytes());
    mac.update(b".");
    mac.update(body);
    let expected = mac.finalize().into_bytes();
    given.iter().any(|given| bool::from(given.as_slice().ct_eq(expected.as_slice())))
}

/// The client's address: the peer's, or what a trusted proxy says of it.
pub(super) fn client_of(server: &Server, peer: SocketAddr, headers: &HeaderMap) -> IpAddr {
    let mut client = peer.ip();
    let forwarded = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    // From the nearest hop outwards, as long as each speaker is trusted.
    for hop in hops.into_iter().rev() {
        if !server.trusted_proxies.contains(&client) {
            break;
        }
        let Ok(next) = hop.parse() else { break };
        client = next;
    }
    client
}

#[cfg(test)]
mod tests {
    use super::*;

    // The vector of the Standard Webhooks reference libraries.
    const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
    const ID: &str = "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk";
    const AT: i64 = 1_649_367_553;
    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const VALID: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";

    fn agents() -> Vec<Agent> {
        let signing = Secret::new(SECRET);
        let by_token = Agent::new("t".to_owned(), None, Some(Secret::new("token-of-t")), None);
        let by_signature = Agent::new("s".to_owned(), None, None, Some(&signing));
        vec![by_token.expect("right"), by_signature.expect("right")]
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a value")))
            .collect()
    }

    fn signed(signature: &str, at: i64) -> Option<String> {
        let agents = agents();
        let headers = headers(&[
            ("webhook-id", ID),
            ("webhook-timestamp", &AT.to_string()),
            ("webhook-signature", signature),
        ]);
        caller(&agents, &headers, BODY, Timestamp::from_secs(at)).map(|caller| caller.agent.name.clone())
    }

    #[test]
    fn a_valid_signature_anywhere_in_the_list_is_accepted() {
        assert_eq!(signed(VALID, AT), Some("s".to_owned()));
        let list = format!("v1,tFtCZ5RDCPxzWQRWXWPgrCgE2frDBe9gjpbWQxnVfsQ= {VALID} v1,AAAA");
        assert_eq!(signed(&list, AT + 299), Some("s".to_owned()));
    }

    #[test]
    fn what_is_not_signed_is_refused() {
        for signature in ["v1,", "", &VALID[..11], &VALID.replace("v1,", "v2,")] {
            assert_eq!(signed(signature, AT), None, "{signature:?}");
        }
        for at in [AT - 301, AT + 301] {
            assert_eq!(signed(VALID, at), None, "{at}");
        }
    }

    #[test]
    fn a_bearer_token_names_its_agent() {
        let agents = agents();
        let name = |token: &str| {
            let headers = headers(&[("authorization", token)]);
            caller(&agents, &headers, BODY, Timestamp(0)).map(|caller| caller.agent.name.clone())
        };
        assert_eq!(name("Bearer token-of-t"), Some("t".to_owned()));
        for token in ["Bearer token-of-", "Bearer ", "Basic token-of-t", "token-of-t"] {
            assert_eq!(name(token), None, "{token:?}");
        }
    }

    #[test]
    fn short_or_lax_signing_secrets_are_refused() {
        for secret in ["whsec_AAAA", "C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "whsec_!!!!", ""] {
            assert!(signing_key(secret).is_err(), "{secret:?}");
        }
        assert!(signing_key(&format!("v1,{SECRET}")).is_ok());
    }

    #[test]
    fn forwarded_addresses_count_from_trusted_proxies_only() {
        let config = crate::config::load_text("c", "", &[]).expect("the defaults are right");
        let mut server = config.server;
        let peer: SocketAddr = "10.0.0.1:9".parse().expect("an address");
        let headers = headers(&[("x-forwarded-for", "6.6.6.6, 203.0.113.7, 10.0.0.2")]);
        assert_eq!(client_of(&server, peer, &headers).to_string(), "10.0.0.1");
        server.trusted_proxies =
            ["10.0.0.1", "10.0.0.2"].iter().map(|ip| ip.parse().expect("an address")).collect();
        assert_eq!(client_of(&server, peer, &headers).to_string(), "203.0.113.7");
    }
}
