//! To where text may leave: checked when the daemon starts and at every connection.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use handoffd_connectors::client::ReqwestTransport;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::ModelError;
use crate::config::{Egress, ModelConfig};

/// How long a connection may take to come up.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How long the first look-up of the host may take.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);

/// Which hosts may be connected to.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    egress: Egress,
    allow: BTreeSet<String>,
}

impl Rules {
    pub(super) fn of(config: &ModelConfig) -> Self {
        let allow = config.allow.iter().map(|host| host.trim_end_matches('.').to_lowercase());
        Self { egress: config.egress, allow: allow.collect() }
    }

    fn is_free(&self, host: &str) -> bool {
        self.egress == Egress::Any || self.allow.contains(&host.trim_end_matches('.').to_lowercase())
    }

    fn may(&self, host: &str, address: IpAddr) -> bool {
        self.is_free(host) || is_local(address)
    }
}

/// Loopback, the private networks of RFC 1918 and RFC 4193. Link-local is not among them: there
/// clouds keep credentials.
pub(super) fn is_local(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_loopback() || v4.is_private(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local(),
    }
}

/// Refuses a host from which it is certain now that it may not be reached.
pub(super) async fn check(config: &ModelConfig, url: &url::Url) -> Result<(), ModelError> {
    let rules = Rules::of(config);
    let refused = |what: String| ModelError {
        key: "base_url",
        why: format!(
            "{what} is not a loopback or private address, and egress is \"local_only\": \
             name the host in model.allow, or set egress = \"any\""
        ),
    };
    match url.host() {
        None => Err(ModelError { key: "base_url", why: "names no host".to_owned() }),
        Some(url::Host::Ipv4(v4)) if !rules.may(&v4.to_string(), v4.into()) => Err(refused(v4.to_string())),
        Some(url::Host::Ipv6(v6)) if !rules.may(&format!("[{v6}]"), v6.into()) => {
            Err(refused(v6.to_string()))
        }
        Some(url::Host::Domain(host)) if !rules.is_free(host) => {
            let port = url.port_or_known_default().unwrap_or(443);
            match tokio::time::timeout(LOOKUP_TIMEOUT, tokio::net::lookup_host((host, port))).await {
                Ok(Ok(mut found)) => match found.find(|address| !is_local(address.ip())) {
                    Some(address) => Err(refused(format!("{host} ({})", address.ip()))),
                    None => Ok(()),
                },
                // Every connection is checked again.
                Ok(Err(_)) | Err(_) => {
                    tracing::warn!(host, "The language model's host cannot be looked up now.");
                    Ok(())
                }
            }
        }
        Some(_) => Ok(()),
    }
}

/// Looks a host up and leaves out every address to which nothing may go, so that a name that
/// points elsewhere later leads nowhere.
struct Guarded(Rules);

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = self.0.clone();
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|address| rules.may(&host, address.ip())).collect();
            match allowed.is_empty() {
                true => {
                    Err(io::Error::other("its addresses are not private, and egress is \"local_only\"")
                        .into())
                }
                false => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

/// The HTTP client: no redirects, no proxies where text must stay, addresses checked.
pub(super) fn transport(config: &ModelConfig) -> Result<ReqwestTransport, ModelError> {
    let mut client = reqwest::Client::builder()
        .user_agent(concat!("handoffd/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .dns_resolver(Arc::new(Guarded(Rules::of(config))));
    if config.egress == Egress::LocalOnly {
        client = client.no_proxy();
    }
    if let Some(path) = &config.ca {
        let wrong = |why: String| ModelError { key: "ca", why: format!("{}: {why}", path.display()) };
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let certificate = reqwest::Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
        client = client.add_root_certificate(certificate);
    }
    let client = client.build().map_err(|error| ModelError { key: "ca", why: error.to_string() })?;
    Ok(ReqwestTransport::over(client))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str, more: &str) -> ModelConfig {
        let text = format!(
            "[model]\nkind = \"openai_compatible\"\nbase_url = \"{base_url}\"\nmodel = \"m\"\n{more}"
        );
        crate::config::load_text("c.toml", &text, &[]).unwrap().model
    }

    #[test]
    fn private_addresses_are_told_from_others() {
        let local = ["127.0.0.1", "10.1.2.3", "172.16.0.1", "172.31.9.9", "192.168.1.1", "::1", "fd00::1"];
        let mapped = ["::ffff:10.0.0.1"];
        for address in local.into_iter().chain(mapped) {
            assert!(is_local(address.parse().unwrap()), "{address}");
        }
        let others = [
            "8.8.8.8",
            "172.32.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "::ffff:8.8.8.8",
            "2001:db8::1",
            "fe80::1",
            "::",
        ];
        for address in others {
            assert!(!is_local(address.parse().unwrap()), "{address}");
        }
    }

    #[tokio::test]
    async fn a_host_that_is_not_local_is_refused_at_the_start() {
        let cases = [
            ("http://127.0.0.1:1/v1", "", true),
            ("http://localhost:1/v1", "", true),
            ("http://[::1]:1/v1", "", true),
            ("http://8.8.8.8/v1", "", false),
            // The same address in one number.
            ("http://134744072/v1", "", false),
            ("http://169.254.169.254/v1", "", false),
            ("http://[::ffff:8.8.8.8]/v1", "", false),
            ("http://8.8.8.8/v1", "allow = [\"8.8.8.8\"]", true),
            ("http://8.8.8.8/v1", "egress = \"any\"", true),
            ("http://LLM.acme.example./v1", "allow = [\"llm.acme.example\"]", true),
        ];
        for (url, more, may) in cases {
            let config = config(url, more);
            let checked = check(&config, config.base_url.as_ref().unwrap()).await;
            assert_eq!(checked.is_ok(), may, "{url} {more}: {checked:?}");
        }
    }

    #[tokio::test]
    async fn a_name_that_points_elsewhere_leads_nowhere() {
        let resolve = async |rules: Rules, host: &str| {
            let addresses = Guarded(rules).resolve(host.parse().unwrap()).await;
            addresses.map(|found| found.map(|address| address.ip()).collect::<Vec<_>>())
        };
        let local = Rules::of(&config("http://localhost:1/v1", ""));
        let found = resolve(local.clone(), "localhost").await.unwrap();
        assert!(!found.is_empty() && found.iter().all(|ip| is_local(*ip)), "{found:?}");
        // A name's own spelling of a public address stands for a name that was pointed elsewhere.
        let error = resolve(local, "8.8.8.8").await.unwrap_err();
        assert!(error.to_string().contains("local_only"), "{error}");
        let any = Rules::of(&config("http://localhost:1/v1", "egress = \"any\""));
        assert_eq!(resolve(any, "8.8.8.8").await.unwrap(), ["8.8.8.8".parse::<IpAddr>().unwrap()]);
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_named() {
        let config = config("https://127.0.0.1:1/v1", "ca = \"/nowhere/ca.pem\"");
        assert!(transport(&config).unwrap_err().to_string().starts_with("model.ca: /nowhere/ca.pem"));
    }
}
