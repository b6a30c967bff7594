//! How Stripe is signed in to: a restricted key with read permissions only.

use crate::contract::{AuthMethod, AuthSpec, Credentials, Secret};

/// A key stands alone; a bearer token is the same thing by another name.
pub fn spec() -> AuthSpec {
    AuthSpec { methods: &[AuthMethod::ApiKey, AuthMethod::Bearer], header, oauth: None }
}

fn header(credentials: &Credentials) -> Option<Secret> {
    match credentials {
        Credentials::ApiKey { key: secret } | Credentials::Bearer { token: secret } => {
            Some(Secret::new(format!("Bearer {}", secret.expose())))
        }
        Credentials::ApiToken { .. }
        | Credentials::ClientCredentials(_)
        | Credentials::RefreshToken { .. } => None,
    }
}
