//! Signing in: an API key as the user name of HTTP Basic.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::contract::{AuthMethod, AuthSpec, Credentials, Secret};

/// An API key alone: OAuth exists only for marketplace apps.
pub fn spec() -> AuthSpec {
    AuthSpec { methods: &[AuthMethod::ApiKey], header, oauth: None }
}

/// `Basic base64("{key}:X")`: the password may be anything.
fn header(credentials: &Credentials) -> Option<Secret> {
    match credentials {
        Credentials::ApiKey { key } => {
            let pair = format!("{}:X", key.expose().trim());
            Some(Secret::new(format!("Basic {}", STANDARD.encode(pair))))
        }
        Credentials::ApiToken { .. }
        | Credentials::Bearer { .. }
        | Credentials::ClientCredentials(_)
        | Credentials::RefreshToken { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_is_the_user_name() {
        let key = |text: &str| Credentials::ApiKey { key: Secret::new(text) };
        let value = |credentials: &Credentials| (spec().header)(credentials).map(|s| s.expose().to_owned());
        assert_eq!(value(&key("abcdef")).as_deref(), Some("Basic YWJjZGVmOlg="));
        assert_eq!(value(&key("abcdef\n")).as_deref(), Some("Basic YWJjZGVmOlg="), "as a file holds it");
        assert_eq!(value(&Credentials::Bearer { token: Secret::new("abcdef") }), None);
    }
}
