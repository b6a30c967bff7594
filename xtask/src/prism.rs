//! The mock server that judges requests by the vendors' own descriptions: a
//! program of npm's, pinned by `xtask/prism`, installed below the target folder.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

/// Names the program to the tests.
pub const PROGRAM: &str = "HANDOFFD_PRISM";
/// Where the descriptions lie, beside the checkout.
pub const DESCRIPTIONS: &str = "../shared/specs";

/// The files that say what is installed, to the byte.
const PINS: [&str; 2] = ["package.json", "package-lock.json"];

/// Where the program is once it is installed.
pub fn program(target: &Path) -> PathBuf {
    target.join("prism/node_modules/.bin/prism")
}

/// Installs it, unless just this one is there. Says what to install where npm is absent.
pub fn install(root: &Path, target: &Path) -> Result<()> {
    let (pins, place) = (root.join("xtask/prism"), target.join("prism"));
    if program(target).exists() && PINS.iter().all(|pin| is_same(&pins.join(pin), &place.join(pin))) {
        println!("the mock server is installed already");
        return Ok(());
    }
    has("node")?;
    has("npm")?;
    fs::create_dir_all(&place).with_context(|| place.display().to_string())?;
    let lock = PINS[1];
    // Written last, so that an install that broke off is seen.
    drop(fs::remove_file(place.join(lock)));
    copy(&pins, &place, PINS[0])?;
    copy(&pins, &place, lock)?;
    let ended = Command::new("npm")
        .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&place)
        .stdin(Stdio::null())
        .status()
        .context("npm cannot be started")?;
    if !ended.success() {
        drop(fs::remove_file(place.join(lock)));
        bail!("`npm ci` ended with {ended}: it needs the package registry that npm is set up for");
    }
    Ok(())
}

fn copy(from: &Path, to: &Path, name: &str) -> Result<()> {
    fs::copy(from.join(name), to.join(name)).with_context(|| format!("{name} cannot be copied"))?;
    Ok(())
}

fn is_same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn has(name: &str) -> Result<()> {
    let mut command = Command::new(name);
    let ended = command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    match ended {
        Ok(status) if status.success() => Ok(()),
        _ => bail!(
            "{name} is not installed: requests are judged by a mock server that runs on Node.js 18.20 or \
             later; install Node.js with npm, or take {DESCRIPTIONS} away to do without"
        ),
    }
}
