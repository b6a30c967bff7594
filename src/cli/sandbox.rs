//! `handoffd sandbox`.

use std::{io::Write as _, net::SocketAddr};

use handoffd_connectors::sim::faults::Faults;

use super::{Failure, outside, stop_signal};
use crate::{
    config::LogFormat,
    sandbox::{Sandbox, SandboxSetup},
    telemetry,
};

pub(super) async fn run(
    vendors: Vec<String>,
    listen: SocketAddr,
    seed: u64,
    plan: String,
    faults: bool,
) -> Result<(), Failure> {
    telemetry::start(LogFormat::Text, "warn");
    let outside = outside()?;
    let setup = SandboxSetup {
        vendors,
        listen,
        seed,
        plan,
        faults: if faults { Faults::some() } else { Faults::none() },
        clock: outside.clock,
        transport: outside.transport,
    };
    let sandbox = Sandbox::start(setup).await.map_err(|error| Failure::Other(error.into()))?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", sandbox.announce())?;
    out.flush()?;
    stop_signal().await?;
    sandbox.shutdown().await;
    Ok(())
}
