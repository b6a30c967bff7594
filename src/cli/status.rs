//! `handoffd status`: asks the daemon that runs; without one, reads its store.

use std::time::Duration;

use handoffd_connectors::client::transport::Outgoing;

use super::{Failure, outside};
use crate::{
    app::{self, App},
    config::Config,
    status::{self, StatusReport},
};

/// The longest wait for the daemon.
const WAIT: Duration = Duration::from_secs(5);
/// The longest answer that is read.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

pub(super) async fn run(config: Config, json: bool) -> Result<(), Failure> {
    let report = match asked(&config).await? {
        Some(report) => report,
        None => {
            eprintln!("no daemon answers at {}; reading its store", config.server.admin_listen);
            let app = App::open(config, outside()?).await?;
            let report = status::collect(&app.engine).await;
            app.shutdown().await;
            report.map_err(app::StartError::from)?
        }
    };
    match json {
        true => println!("{}", serde_json::to_string_pretty(&report)?),
        false => print!("{}", status::text(&report)),
    }
    Ok(())
}

/// What the daemon says; `None` when none listens.
async fn asked(config: &Config) -> Result<Option<StatusReport>, Failure> {
    let token_file = config.store.data_dir.join(app::ADMIN_TOKEN_FILE);
    let token = match std::fs::read_to_string(&token_file) {
        Ok(token) => token.trim().to_owned(),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => {
            return Err(Failure::Other(anyhow::anyhow!("{}: {error}", token_file.display())));
        }
    };
    let request = http::Request::builder()
        .uri(format!("http://{}/status.json", config.server.admin_listen))
        .header("authorization", format!("Bearer {token}"))
        .body(bytes::Bytes::new())
        .map_err(|error| Failure::Other(error.into()))?;
    let outgoing = Outgoing { request, upload: Vec::new(), timeout: WAIT, body_bytes_max: BODY_BYTES_MAX };
    let Ok(response) = outside()?.transport.send(outgoing).await else { return Ok(None) };
    match response.status().as_u16() {
        200 => Ok(Some(serde_json::from_slice(response.body())?)),
        401 => Err(Failure::Other(anyhow::anyhow!(
            "{} is not the token of the daemon at {}",
            token_file.display(),
            config.server.admin_listen
        ))),
        status => Err(Failure::Other(anyhow::anyhow!("the daemon answered {status}"))),
    }
}
