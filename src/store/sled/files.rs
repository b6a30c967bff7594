//! The small files beside sled's own: the lock, the sidecar, the ballast.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read, Seek, Write},
    path::Path,
};

use handoffd_core::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::disk;
use super::OpenError;

const LOCK: &str = "lock";
const SIDECAR: &str = "sidecar.json";
const BALLAST: &str = "ballast";
const BALLAST_BYTES: usize = 4 * 1024 * 1024;

/// The directory, held for one process. The kernel lets go when the process dies.
pub(in crate::store) struct DirLock {
    file: File,
}

impl DirLock {
    /// Makes the directory if need be and takes it.
    pub(in crate::store) fn take(dir: &Path) -> Result<Self, OpenError> {
        let fault = |what, fault| OpenError::io(dir, what, &fault);
        fs::create_dir_all(dir).map_err(|error| fault("make the directory", error))?;
        let mut file = File::options()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(dir.join(LOCK))
            .map_err(|error| fault("open the lock file", error))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(OpenError::InUse { dir: dir.to_owned(), pid: pid_in(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(fault("lock the directory", error)),
        }
        write_pid(&mut file).map_err(|error| fault("write the lock file", error))?;
        Ok(Self { file })
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing alone would leave it with a child that is being started just now.
        // A lock that cannot be given back goes with the file.
        let _ = self.file.unlock();
    }
}

fn write_pid(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

/// What is known of the last commit apart from sled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::store) struct Sidecar {
    /// A commit that was on disk when this was written.
    pub(in crate::store) commit_seq: u64,
    /// Whether the store was closed then.
    pub(in crate::store) clean: bool,
    /// When it was written.
    pub(in crate::store) wall: Timestamp,
}

/// The sidecar: `None` when there is none, `Err` when it cannot be read.
pub(in crate::store) fn read_sidecar(dir: &Path) -> Result<Option<Sidecar>, String> {
    match fs::read(dir.join(SIDECAR)) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|fault| fault.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.to_string()),
    }
}

pub(in crate::store) fn write_sidecar(dir: &Path, sidecar: &Sidecar) -> io::Result<()> {
    let bytes = serde_json::to_vec(sidecar)?;
    disk::write_whole(&dir.join(SIDECAR), |out| out.write_all(&bytes))
}

/// Reserves room that can be given back when the disk is full.
pub(super) fn make_ballast(dir: &Path) -> io::Result<()> {
    let path = dir.join(BALLAST);
    if fs::metadata(&path).is_ok_and(|there| there.len() == BALLAST_BYTES as u64) {
        return Ok(());
    }
    disk::write_whole(&path, |out| out.write_all(&vec![0x5a; BALLAST_BYTES]))
}

/// Gives the reserved room back.
pub(super) fn free_ballast(dir: &Path) -> io::Result<()> {
    match fs::remove_file(dir.join(BALLAST)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => disk::sync_dir(dir),
    }
}
