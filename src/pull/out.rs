//! Where the lines go, and the resume point beside them.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufWriter, Seek as _, Write},
    path::{Path, PathBuf},
};

use handoffd_connectors::contract::Cursor;
use handoffd_core::{AccountId, Timestamp};
use serde::{Deserialize, Serialize};

use super::{Line, recent::Recent};
use crate::engine::spool::Spool;

/// The resume point of a pull into a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The account that is pulled.
    pub account: AccountId,
    /// Whether comments are in the lines.
    pub comments: bool,
    /// Where each feed goes on.
    pub cursors: BTreeMap<String, Cursor>,
    /// Until when each feed was pulled whole, in its vendor's time, as far as the vendor said.
    #[serde(default)]
    pub complete: BTreeMap<String, Timestamp>,
    /// How long the file is up to there, in bytes.
    pub bytes: u64,
    /// Whether everything was pulled: the next pull adds what changed since.
    pub done: bool,
}

/// Why a line or the resume point cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum OutError {
    /// The file system.
    #[error("{path}: {why}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// The resume point belongs to something else.
    #[error("{path}: {why}; choose another --out, or --restart to begin anew")]
    Other {
        /// Which file.
        path: PathBuf,
        /// What does not fit.
        why: String,
    },
}

/// The output.
pub struct Out {
    to: To,
    state: State,
    recent: Recent,
}

enum To {
    Stdout(BufWriter<io::Stdout>, tempfile::TempDir),
    File { file: BufWriter<File>, path: PathBuf, state_path: PathBuf },
}

impl Out {
    /// Standard output: nothing to go on from.
    pub fn stdout(account: &AccountId, comments: bool) -> Result<Self, OutError> {
        let dir = tempfile::tempdir().map_err(|why| OutError::File { path: std::env::temp_dir(), why })?;
        Ok(Self {
            to: To::Stdout(BufWriter::new(io::stdout()), dir),
            state: fresh(account, comments),
            recent: Recent::default(),
        })
    }

    /// Where comments wait for their tickets: beside the file, in `<file>.comments`.
    pub(super) fn spool(&self) -> Spool {
        Spool::at(self.spool_dir())
    }

    fn spool_dir(&self) -> PathBuf {
        match &self.to {
            To::Stdout(_, dir) => dir.path().join("comments"),
            To::File { path, .. } => {
                let mut dir = path.as_os_str().to_owned();
                dir.push(".comments");
                PathBuf::from(dir)
            }
        }
    }

    pub(super) fn spool_failed(&self, why: io::Error) -> OutError {
        OutError::File { path: self.spool_dir(), why }
    }

    /// A file, with its resume point in `<file>.state`. What was written after the last resume
    /// point is cut off. `restart` begins anew.
    pub fn file(path: &Path, account: &AccountId, comments: bool, restart: bool) -> Result<Self, OutError> {
        let mut state_path = path.as_os_str().to_owned();
        state_path.push(".state");
        let state_path = PathBuf::from(state_path);
        let failed = |path: &Path, why| OutError::File { path: path.to_owned(), why };
        let found = match fs::read(&state_path) {
            Ok(_) if restart => None,
            Ok(bytes) => Some(read_state(&state_path, &bytes, account, comments)?),
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => return Err(failed(&state_path, why)),
        };
        if found.is_none() && !restart && fs::metadata(path).is_ok_and(|there| there.len() > 0) {
            let why = "it is there already, and no pull to go on with".to_owned();
            return Err(OutError::Other { path: path.to_owned(), why });
        }
        let is_new = found.is_none();
        let state = found.unwrap_or_else(|| fresh(account, comments));
        if is_new {
            // Before the file: one that was cut before its first page is ours to go on with.
            save(&state_path, &state)?;
        }
        let mut file = File::options()
            .create(true)
            .write(true)
            .truncate(false)
            .open(path)
            .map_err(|why| failed(path, why))?;
        let len = file.metadata().map_err(|why| failed(path, why))?.len();
        if len < state.bytes {
            let why = format!("it has {len} bytes, fewer than the {} that were pulled", state.bytes);
            return Err(OutError::Other { path: path.to_owned(), why });
        }
        file.set_len(state.bytes)
            .and_then(|()| file.seek(io::SeekFrom::End(0)).map(|_| ()))
            .map_err(|why| failed(path, why))?;
        let recent = Recent::of_file(path, state.bytes).map_err(|why| failed(path, why))?;
        let to = To::File { file: BufWriter::new(file), path: path.to_owned(), state_path };
        Ok(Self { to, state, recent })
    }

    /// Where a feed goes on; `None` at its beginning.
    pub fn cursor(&self, feed: &str) -> Option<Cursor> {
        self.state.cursors.get(feed).cloned()
    }

    /// Until when a feed was pulled whole; `None` where the vendor never said.
    pub fn complete_until(&self, feed: &str) -> Option<Timestamp> {
        self.state.complete.get(feed).copied()
    }

    /// The resume point.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Writes a page's lines, then moves the resume point. `count` is told of each line that
    /// says something new.
    pub fn write(
        &mut self,
        feed: &str,
        lines: &[Line],
        next: Cursor,
        complete_until: Option<Timestamp>,
        mut count: impl FnMut(&Line),
    ) -> Result<(), OutError> {
        let mut bytes = Vec::new();
        for line in lines {
            let written = serde_json::to_vec(line).map_err(|why| self.failed(why.into()))?;
            if self.recent.is_new(&written) {
                bytes.extend(written);
                bytes.push(b'\n');
                count(line);
            }
        }
        let written = match &mut self.to {
            To::Stdout(out, _) => out.write_all(&bytes).and_then(|()| out.flush()),
            To::File { file, .. } => {
                file.write_all(&bytes).and_then(|()| file.flush()).and_then(|()| file.get_ref().sync_data())
            }
        };
        written.map_err(|why| self.failed(why))?;
        self.state.bytes += bytes.len() as u64;
        self.state.cursors.insert(feed.to_owned(), next);
        if let Some(until) = complete_until {
            let known = self.state.complete.entry(feed.to_owned()).or_insert(until);
            *known = until.max(*known);
        }
        self.state.done = false;
        self.save()
    }

    /// Notes that everything was pulled.
    pub fn finish(&mut self) -> Result<(), OutError> {
        self.state.done = true;
        self.save()
    }

    fn save(&self) -> Result<(), OutError> {
        match &self.to {
            To::File { state_path, .. } => save(state_path, &self.state),
            To::Stdout(..) => Ok(()),
        }
    }

    fn failed(&self, why: io::Error) -> OutError {
        let path = match &self.to {
            To::Stdout(..) => PathBuf::from("standard output"),
            To::File { path, .. } => path.clone(),
        };
        OutError::File { path, why }
    }
}

fn save(path: &Path, state: &State) -> Result<(), OutError> {
    let failed = |why| OutError::File { path: path.to_owned(), why };
    let bytes = serde_json::to_vec_pretty(state).map_err(|why| failed(why.into()))?;
    let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut whole = tempfile::NamedTempFile::new_in(dir).map_err(failed)?;
    whole.write_all(&bytes).and_then(|()| whole.as_file().sync_all()).map_err(failed)?;
    whole.persist(path).map_err(|why| failed(why.error))?;
    Ok(())
}

fn fresh(account: &AccountId, comments: bool) -> State {
    let (cursors, complete) = (BTreeMap::new(), BTreeMap::new());
    State { account: account.clone(), comments, cursors, complete, bytes: 0, done: false }
}

fn read_state(path: &Path, bytes: &[u8], account: &AccountId, comments: bool) -> Result<State, OutError> {
    let other = |why: String| OutError::Other { path: path.to_owned(), why };
    let state: State =
        serde_json::from_slice(bytes).map_err(|why| other(format!("it is no resume point: {why}")))?;
    if state.account != *account {
        return Err(other(format!("it belongs to a pull of {}", state.account)));
    }
    if state.comments != comments {
        let with = if state.comments { "with" } else { "without" };
        return Err(other(format!("it belongs to a pull {with} comments")));
    }
    Ok(state)
}
