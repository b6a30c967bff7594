//! `handoffd status`: asks the daemon that runs; without one, reads its store.

use super::{Failure, ask, outside};
use crate::{
    app::{self, App},
    config::Config,
    status::{self, StatusReport},
};

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
    match ask::daemon(config, http::Method::GET, "/status.json", Vec::new()).await? {
        None => Ok(None),
        Some((200, body)) => Ok(Some(serde_json::from_slice(&body)?)),
        Some((status, _)) => Err(Failure::Other(anyhow::anyhow!("the daemon answered {status}"))),
    }
}
