//! handoffd: arguments in, exit code out.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    handoffd::cli::main().await
}
