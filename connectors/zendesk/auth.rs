//! How Zendesk is signed in to.
//!
//! API tokens cannot be made any more and stop working on 2027-04-30, so OAuth
//! stands first. Client credentials need no refresh token, whose loss in a
//! crash would lose the grant.

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::contract::{AuthMethod, AuthSpec, Credentials, OAuthSpec, Secret};

const METHODS: &[AuthMethod] =
    &[AuthMethod::ClientCredentials, AuthMethod::RefreshToken, AuthMethod::Bearer, AuthMethod::ApiToken];

/// The ways to sign in, the recommended one first. Tokens are had by JSON from
/// `/oauth/tokens`, which is not under `/api/v2`: that one is deprecated.
pub fn spec() -> AuthSpec {
    AuthSpec { methods: METHODS, header, oauth: Some(OAuthSpec { token_path: "/oauth/tokens", json: true }) }
}

fn header(credentials: &Credentials) -> Option<Secret> {
    match credentials {
        Credentials::ApiToken { email, token } => {
            let pair = format!("{email}/token:{}", token.expose());
            Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
        }
        Credentials::Bearer { token } => Some(Secret::new(format!("Bearer {}", token.expose()))),
        Credentials::ApiKey { .. } | Credentials::ClientCredentials(_) | Credentials::RefreshToken { .. } => {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_tokens_name_the_agent_and_bearers_stand_alone() {
        let spec = spec();
        assert_eq!(spec.methods[0], AuthMethod::ClientCredentials);
        let token = Credentials::ApiToken { email: "ada@acme.test".to_owned(), token: Secret::new("t0k") };
        let value = (spec.header)(&token).unwrap();
        assert_eq!(value.expose(), "Basic YWRhQGFjbWUudGVzdC90b2tlbjp0MGs=");
        let bearer = Credentials::Bearer { token: Secret::new("abc") };
        assert_eq!((spec.header)(&bearer).unwrap().expose(), "Bearer abc");
        assert!((spec.header)(&Credentials::ApiKey { key: Secret::new("k") }).is_none());
    }
}
