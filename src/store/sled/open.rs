//! Opening the directory: the lock, sled, and whether what is there is all of it.

use std::path::{Path, PathBuf};

use handoffd_core::Timestamp;

use super::super::verify::{self, VerifyReport};
use super::{
    Options,
    engine::{Engine, EngineError},
    files::{self, Sidecar},
    repair,
};

/// Why the store does not open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another handoffd uses this directory ({}): {}", shown_pid(*.pid), dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// The other process, where it left its number.
        pid: Option<u32>,
    },
    /// The newest commits are gone: the machine lost power, or the files were damaged or replaced.
    #[error(
        "the end of the store in {} is lost: commit {sidecar} was on disk, the log ends at {head}; \
         restore the last export, or start once with damage accepted to go on from commit {head} \
         (vendors are read again from their older cursors)",
        dir.display()
    )]
    TailLost {
        /// The directory.
        dir: PathBuf,
        /// A commit that was on disk.
        sidecar: u64,
        /// The last commit that is there.
        head: u64,
    },
    /// The files are damaged.
    #[error(
        "the store in {} is damaged: {what}; run `handoffd store verify`, then restore the last good export, \
         or start once with damage accepted",
        dir.display()
    )]
    Damaged {
        /// The directory.
        dir: PathBuf,
        /// What was found first.
        what: String,
    },
    /// The system refuses.
    #[error("cannot {what} in {}: {why}", dir.display())]
    Io {
        /// The directory.
        dir: PathBuf,
        /// What was tried.
        what: &'static str,
        /// The system's words.
        why: String,
    },
}

fn shown_pid(pid: Option<u32>) -> String {
    pid.map_or_else(|| "pid unknown".to_owned(), |pid| format!("pid {pid}"))
}

impl OpenError {
    pub(super) fn io(dir: &Path, what: &'static str, why: &dyn std::fmt::Display) -> Self {
        Self::Io { dir: dir.to_owned(), what, why: why.to_string() }
    }

    pub(in crate::store) fn no_store(dir: &Path) -> Self {
        Self::Io { dir: dir.to_owned(), what: "find a store", why: "there is none".to_owned() }
    }

    pub(in crate::store) fn engine(dir: &Path, error: EngineError) -> Self {
        match error {
            EngineError::Full | EngineError::Io(_) => Self::io(dir, "open the store", &error),
            EngineError::Damaged(_) | EngineError::Panicked(_) => {
                Self::Damaged { dir: dir.to_owned(), what: error.to_string() }
            }
        }
    }
}

/// A store of up to so many rows is checked whole at every start: it takes well under a second.
const CHECKED_ALWAYS_ROWS: u64 = 200_000;

/// What an open store begins with.
pub(super) struct Begun {
    pub(super) engine: Engine,
    /// The last commit.
    pub(super) commit_seq: u64,
    /// Set after a full check, which an unclean stop asks for and a small store always gets.
    pub(super) checked: Option<VerifyReport>,
}

/// Opens what a locked directory holds and looks whether it is whole. With
/// damage accepted, what is left of it is made whole.
pub(super) fn begin(options: &Options, now: Timestamp) -> Result<Begun, OpenError> {
    let dir = options.dir.as_path();
    let fault = |error| OpenError::engine(dir, error);
    let engine = Engine::open(dir, options.cache_bytes).map_err(fault)?;
    let sidecar = files::read_sidecar(dir);
    let head = engine.head().map_err(fault)?;
    let closed = matches!(&sidecar, Ok(Some(sidecar)) if sidecar.clean);
    let trusted = closed && head.as_ref().is_ok_and(|head| head.rows > CHECKED_ALWAYS_ROWS);
    let checked = (!trusted).then(|| verify::check(dir, &engine, &sidecar));
    let mut commit_seq = head.as_ref().map_or(0, |head| head.commit_seq);
    let sound = match head {
        Ok(_) => whole(dir, commit_seq, sidecar.ok().flatten(), checked.as_ref()),
        Err(corrupt) => Err(OpenError::Damaged { dir: dir.to_owned(), what: corrupt.to_string() }),
    };
    match sound {
        Err(error) if options.accept_damage => {
            tracing::warn!(%error, "The store is damaged, and an admin accepts that.");
            commit_seq = repair::repair(&engine, &options.node, now).map_err(fault)?;
        }
        sound => sound?,
    }
    let opened = Sidecar { commit_seq, clean: false, wall: now };
    files::write_sidecar(dir, &opened).map_err(|fault| OpenError::io(dir, "write the sidecar", &fault))?;
    Ok(Begun { engine, commit_seq, checked })
}

fn whole(
    dir: &Path,
    head: u64,
    sidecar: Option<Sidecar>,
    checked: Option<&VerifyReport>,
) -> Result<(), OpenError> {
    if let Some(sidecar) = sidecar.filter(|sidecar| sidecar.commit_seq > head) {
        return Err(OpenError::TailLost { dir: dir.to_owned(), sidecar: sidecar.commit_seq, head });
    }
    match checked.and_then(|report| report.findings.first()) {
        Some(finding) => Err(OpenError::Damaged { dir: dir.to_owned(), what: finding.to_string() }),
        None => Ok(()),
    }
}
