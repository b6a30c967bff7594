//! Signing in: the access token of a private app, or of an OAuth installation.
//! Neither expires, and there is no refresh token.

use crate::contract::{AuthMethod, AuthSpec, Credentials, Secret};

/// A bearer token: Intercom's OAuth ends in one that lives until the app is uninstalled.
pub fn spec() -> AuthSpec {
    AuthSpec { methods: &[AuthMethod::Bearer], header, oauth: None }
}

fn header(credentials: &Credentials) -> Option<Secret> {
    match credentials {
        Credentials::Bearer { token } => Some(Secret::new(format!("Bearer {}", token.expose().trim()))),
        Credentials::ApiKey { .. }
        | Credentials::ApiToken { .. }
        | Credentials::ClientCredentials(_)
        | Credentials::RefreshToken { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_borne() {
        let value = |credentials: &Credentials| (spec().header)(credentials).map(|s| s.expose().to_owned());
        let token = Credentials::Bearer { token: Secret::new("dG9r\n") };
        assert_eq!(value(&token).as_deref(), Some("Bearer dG9r"), "as a file holds it");
        assert_eq!(value(&Credentials::ApiKey { key: Secret::new("dG9r") }), None);
    }
}
