//! The project's own commands. `cargo xtask test` runs everything that must pass.

mod prism;
mod sizes;
mod steps;

use std::{
    env,
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result, bail};

const USAGE: &str = "\
cargo xtask test          everything that must pass, in order; stops at the first failure
cargo xtask test --fast   formatting, lints and tests only
cargo xtask prism         installs the mock server by which requests are judged
cargo xtask sizes         lines by package, the longest files, tests by module";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = root()?;
    let args: Vec<String> = env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args[..] {
        ["test"] => steps::test(&root, false),
        ["test", "--fast"] => steps::test(&root, true),
        ["prism"] => prism::install(&root, &steps::target(&root)),
        ["sizes"] => sizes::print(&root),
        ["help" | "--help" | "-h"] => {
            println!("{USAGE}");
            Ok(())
        }
        _ => bail!("there is no such command\n{USAGE}"),
    }
}

fn root() -> Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_path_buf).context("xtask lies in the repository")
}
