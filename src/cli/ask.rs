//! Asks the daemon that runs, over its admin listener.

use std::time::Duration;

use bytes::Bytes;
use handoffd_connectors::client::transport::Outgoing;

use super::{Failure, outside};
use crate::{app, config::Config};

/// The longest wait for the daemon.
const WAIT: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What the daemon answered: status and body. `None` when none listens.
pub(super) async fn daemon(
    config: &Config,
    method: http::Method,
    path: &str,
    body: Vec<u8>,
) -> Result<Option<(u16, Bytes)>, Failure> {
    let token_file = config.store.data_dir.join(app::ADMIN_TOKEN_FILE);
    let token = match std::fs::read_to_string(&token_file) {
        Ok(token) => token.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::Other(anyhow::anyhow!("{}: {error}", token_file.display()))),
    };
    let request = http::Request::builder()
        .method(method)
        .uri(format!("http://{}{path}", config.server.admin_listen))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Bytes::from(body))
        .map_err(|error| Failure::Other(error.into()))?;
    let outgoing = Outgoing { request, upload: Vec::new(), timeout: WAIT, body_bytes_max: BODY_BYTES_MAX };
    let Ok(response) = outside()?.transport.send(outgoing).await else { return Ok(None) };
    match response.status().as_u16() {
        401 => Err(Failure::Other(anyhow::anyhow!(
            "{} is not the token of the daemon at {}",
            token_file.display(),
            config.server.admin_listen
        ))),
        status => Ok(Some((status, response.into_body()))),
    }
}
