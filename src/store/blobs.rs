//! Long text and files, each under the hash of its bytes, beside the rows that name them.
//!
//! A blob is put before the commit that names it. What no row names any more is
//! swept later, never younger than the sweep's age, so that a blob on its way
//! into a commit stays.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, UNIX_EPOCH},
};

use bytes::Bytes;
use handoffd_core::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::disk;

/// The longest blob, in bytes.
pub const BLOB_BYTES_MAX: usize = 64 * 1024 * 1024;

const NAME_CHARS: usize = 64;
const UNFINISHED: &str = ".unfinished";

/// The SHA-256 of a blob, in lower-case hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BlobHash(String);

/// A text that is not 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a blob's name is 64 lower-case hex digits")]
pub struct NotAHash;

impl BlobHash {
    /// The hash of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(hex::encode(Sha256::digest(bytes)))
    }

    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BlobHash {
    type Error = NotAHash;

    fn try_from(text: String) -> Result<Self, NotAHash> {
        let digits = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if digits && text.len() == NAME_CHARS { Ok(Self(text)) } else { Err(NotAHash) }
    }
}

impl From<BlobHash> for String {
    fn from(hash: BlobHash) -> Self {
        hash.0
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// Why a blob cannot be put or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// It is longer than [`BLOB_BYTES_MAX`].
    #[error("{bytes} bytes are too long for a blob, the most is {limit}")]
    TooLarge {
        /// Its length.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// There is none of this hash: it was swept or never put, or the directory was replaced.
    #[error("the blob {0} is missing")]
    Missing(BlobHash),
    /// The file's bytes do not have the hash: restore it from a backup.
    #[error("the blob {0} is damaged")]
    Damaged(BlobHash),
    /// The disk does not answer or is full. Try again later.
    #[error("the blobs' directory does not answer: {why}")]
    Unavailable {
        /// The system's words.
        why: String,
    },
}

impl From<io::Error> for BlobError {
    fn from(error: io::Error) -> Self {
        Self::Unavailable { why: error.to_string() }
    }
}

/// A place for a file that is on its way and named by no row.
#[derive(Debug)]
pub enum Scratch {
    /// In memory, for simulation.
    Memory(Vec<u8>),
    /// A file that goes when this is dropped.
    File(tempfile::NamedTempFile),
}

impl Write for Scratch {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self {
            Self::Memory(bytes) => bytes.write(piece),
            Self::File(file) => file.write(piece),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::File(file) => file.flush(),
        }
    }
}

/// What became of the blobs that rows name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct BlobReport {
    /// How many are whole.
    pub whole: u64,
    /// Named and not there.
    pub missing: BTreeSet<BlobHash>,
    /// There, with other bytes.
    pub damaged: BTreeSet<BlobHash>,
}

/// The blobs.
#[derive(Clone)]
pub struct Blobs {
    place: Place,
}

#[derive(Clone)]
enum Place {
    Memory(Arc<Mutex<BTreeMap<BlobHash, (Bytes, Timestamp)>>>, u64),
    /// The lock keeps a sweep from removing a file that is put again meanwhile.
    Dir(Arc<PathBuf>, Arc<Mutex<()>>),
}

/// Where files on their way are, beside the blobs.
const SCRATCH: &str = "transfers";

/// Where comments of histories are, beside the blobs.
const HISTORY: &str = "history";

impl Blobs {
    /// In memory, for simulation.
    pub fn memory() -> Self {
        static MADE: AtomicU64 = AtomicU64::new(0);
        Self { place: Place::Memory(Arc::default(), MADE.fetch_add(1, Ordering::Relaxed)) }
    }

    /// Files in a directory of their own, which is made if need be.
    pub fn dir(path: impl Into<PathBuf>) -> Result<Self, BlobError> {
        let path = path.into();
        fs::create_dir_all(&path)?;
        disk::sync_dir(disk::parent(&path))?;
        // What a process that was killed left on its way is of no use to anybody.
        match fs::remove_dir_all(path.with_file_name(SCRATCH)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        Ok(Self { place: Place::Dir(Arc::new(path), Arc::default()) })
    }

    /// Keeps these bytes; durable when it resolves. Bytes that are there already become young again.
    pub async fn put(&self, bytes: Bytes, now: Timestamp) -> Result<BlobHash, BlobError> {
        if bytes.len() > BLOB_BYTES_MAX {
            return Err(BlobError::TooLarge { bytes: bytes.len(), limit: BLOB_BYTES_MAX });
        }
        match &self.place {
            Place::Memory(blobs, _) => {
                let hash = BlobHash::of(&bytes);
                locked(blobs).insert(hash.clone(), (bytes, now));
                Ok(hash)
            }
            Place::Dir(dir, lock) => {
                let (dir, lock) = (Arc::clone(dir), Arc::clone(lock));
                aside(move || {
                    let _lock = locked(&lock);
                    put_file(&dir, &bytes, now)
                })
                .await
            }
        }
    }

    /// Where the comments of histories wait that are being taken in. They outlive a process: to
    /// read them again may take hours.
    pub fn history_dir(&self) -> PathBuf {
        match &self.place {
            Place::Memory(_, number) => {
                std::env::temp_dir().join(format!("handoffd-{}-{number}", std::process::id()))
            }
            Place::Dir(path, _) => path.with_file_name(HISTORY),
        }
    }

    /// A place for a file on its way. What a killed process leaves there goes at the next start.
    pub fn scratch(&self) -> Result<Scratch, BlobError> {
        match &self.place {
            Place::Memory(..) => Ok(Scratch::Memory(Vec::new())),
            Place::Dir(path, _) => {
                let dir = path.with_file_name(SCRATCH);
                fs::create_dir_all(&dir)?;
                Ok(Scratch::File(tempfile::NamedTempFile::new_in(dir)?))
            }
        }
    }

    /// The bytes of this hash, checked.
    pub async fn get(&self, hash: &BlobHash) -> Result<Bytes, BlobError> {
        match &self.place {
            Place::Memory(blobs, _) => {
                let found = locked(blobs).get(hash).map(|(bytes, _)| bytes.clone());
                found.ok_or_else(|| BlobError::Missing(hash.clone()))
            }
            Place::Dir(dir, _) => {
                let (dir, hash) = (Arc::clone(dir), hash.clone());
                aside(move || read_file(&dir, &hash)).await
            }
        }
    }

    /// Removes what is not in `keep` and was last put before `older_than`, and what
    /// an interrupted put left. Says how many were removed.
    pub async fn sweep(&self, keep: BTreeSet<BlobHash>, older_than: Timestamp) -> Result<u64, BlobError> {
        match &self.place {
            Place::Memory(blobs, _) => {
                let mut blobs = locked(blobs);
                let before = blobs.len();
                blobs.retain(|hash, (_, put_at)| keep.contains(hash) || *put_at >= older_than);
                Ok((before - blobs.len()) as u64)
            }
            Place::Dir(dir, lock) => {
                let (dir, lock) = (Arc::clone(dir), Arc::clone(lock));
                aside(move || sweep_dir(&dir, &lock, &keep, older_than)).await
            }
        }
    }

    /// Looks whether everything that rows name is there and whole.
    pub async fn verify(&self, named: BTreeSet<BlobHash>) -> Result<BlobReport, BlobError> {
        let mut report = BlobReport::default();
        for hash in named {
            match self.get(&hash).await {
                Ok(_) => report.whole += 1,
                Err(BlobError::Missing(hash)) => drop(report.missing.insert(hash)),
                Err(BlobError::Damaged(hash)) => drop(report.damaged.insert(hash)),
                Err(error) => return Err(error),
            }
        }
        Ok(report)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs on a thread that may wait for the disk.
async fn aside<T: Send + 'static>(
    act: impl FnOnce() -> Result<T, BlobError> + Send + 'static,
) -> Result<T, BlobError> {
    let gone = || BlobError::Unavailable { why: "a thread ended early".to_owned() };
    tokio::task::spawn_blocking(act).await.map_err(|_| gone())?
}

/// Two levels of directories, so that none grows long.
fn path_of(dir: &Path, hash: &BlobHash) -> PathBuf {
    let name = hash.as_str();
    dir.join(&name[..2]).join(&name[2..4]).join(name)
}

fn put_file(dir: &Path, bytes: &[u8], now: Timestamp) -> Result<BlobHash, BlobError> {
    let hash = BlobHash::of(bytes);
    let path = path_of(dir, &hash);
    if read_file(dir, &hash).is_err() {
        let folder = disk::parent(&path);
        fs::create_dir_all(folder)?;
        disk::write_whole(&path, |out| out.write_all(bytes))?;
        disk::sync_dir(disk::parent(folder))?;
        disk::sync_dir(dir)?;
    }
    let put_at = UNIX_EPOCH + Duration::from_millis(u64::try_from(now.0).unwrap_or(0));
    let file = File::options().write(true).open(&path)?;
    file.set_modified(put_at)?;
    file.sync_all()?;
    Ok(hash)
}

fn read_file(dir: &Path, hash: &BlobHash) -> Result<Bytes, BlobError> {
    let path = path_of(dir, hash);
    let bytes = match fs::metadata(&path) {
        Ok(there) if there.len() > BLOB_BYTES_MAX as u64 => return Err(BlobError::Damaged(hash.clone())),
        Ok(_) => fs::read(&path)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(BlobError::Missing(hash.clone()));
        }
        Err(error) => return Err(error.into()),
    };
    if BlobHash::of(&bytes) == *hash { Ok(Bytes::from(bytes)) } else { Err(BlobError::Damaged(hash.clone())) }
}

fn sweep_dir(
    dir: &Path,
    lock: &Mutex<()>,
    keep: &BTreeSet<BlobHash>,
    older_than: Timestamp,
) -> Result<u64, BlobError> {
    let mut removed = 0;
    for first in folders(dir)? {
        for second in folders(&first)? {
            // A put waits for one folder at most.
            let _lock = locked(lock);
            for entry in fs::read_dir(&second)? {
                let entry = entry?;
                if to_sweep(&entry, keep, older_than)? {
                    fs::remove_file(entry.path())?;
                    removed += 1;
                }
            }
        }
    }
    Ok(removed)
}

fn folders(dir: &Path) -> io::Result<Vec<PathBuf>> {
    let mut folders = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            folders.push(entry.path());
        }
    }
    folders.sort();
    Ok(folders)
}

/// A file with a name that is not ours is left alone.
fn to_sweep(entry: &fs::DirEntry, keep: &BTreeSet<BlobHash>, older_than: Timestamp) -> io::Result<bool> {
    let Ok(name) = entry.file_name().into_string() else { return Ok(false) };
    let unfinished = name.strip_suffix(UNFINISHED).map(str::to_owned);
    let is_unfinished = unfinished.is_some();
    let Ok(hash) = BlobHash::try_from(unfinished.unwrap_or(name)) else { return Ok(false) };
    let put_at = entry.metadata()?.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    let is_old = Timestamp::default().plus(put_at) < older_than;
    Ok(is_old && (is_unfinished || !keep.contains(&hash)))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn both(check: impl AsyncFn(Blobs)) {
        check(Blobs::memory()).await;
        let dir = tempfile::tempdir().unwrap();
        check(Blobs::dir(dir.path().join("blobs")).unwrap()).await;
    }

    const fn at(ms: i64) -> Timestamp {
        Timestamp(ms)
    }

    #[tokio::test]
    async fn bytes_come_back_under_their_hash() {
        both(async |blobs| {
            let hash = blobs.put(Bytes::from_static(b"abc"), at(1)).await.unwrap();
            assert_eq!(hash.as_str(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
            assert_eq!(blobs.get(&hash).await.unwrap(), "abc");
            let other = BlobHash::of(b"other");
            assert_eq!(blobs.get(&other).await, Err(BlobError::Missing(other)));
        })
        .await;
    }

    #[tokio::test]
    async fn a_sweep_removes_what_is_old_and_not_named() {
        both(async |blobs| {
            let put =
                async |text: &'static str, ms| blobs.put(Bytes::from_static(text.as_bytes()), at(ms)).await;
            let kept = put("kept", 1_000).await.unwrap();
            let old = put("old", 1_000).await.unwrap();
            let young = put("young", 5_000).await.unwrap();
            let again = put("again", 1_000).await.unwrap();
            put("again", 6_000).await.unwrap();
            let removed = blobs.sweep(BTreeSet::from([kept.clone()]), at(5_000)).await.unwrap();
            assert_eq!(removed, 1);
            let report = blobs.verify(BTreeSet::from([kept, old.clone(), young, again])).await.unwrap();
            assert_eq!(
                report,
                BlobReport { whole: 3, missing: BTreeSet::from([old]), damaged: BTreeSet::new() }
            );
        })
        .await;
    }

    #[tokio::test]
    async fn a_start_drops_what_was_on_its_way_and_keeps_histories() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::dir(dir.path().join("blobs")).unwrap();
        let Scratch::File(file) = blobs.scratch().unwrap() else { panic!("a file") };
        let (_, on_its_way) = file.keep().unwrap();
        let comments = blobs.history_dir().join("desk");
        fs::create_dir_all(&comments).unwrap();
        let again = Blobs::dir(dir.path().join("blobs")).unwrap();
        assert!(!on_its_way.exists());
        assert!(comments.exists());
        assert_eq!(again.history_dir().join("desk"), comments);
    }

    #[tokio::test]
    async fn a_damaged_file_is_seen_and_mended_by_the_next_put() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::dir(dir.path()).unwrap();
        let hash = blobs.put(Bytes::from_static(b"text"), at(1)).await.unwrap();
        fs::write(path_of(dir.path(), &hash), b"tex").unwrap();
        assert_eq!(blobs.get(&hash).await, Err(BlobError::Damaged(hash.clone())));
        let report = blobs.verify(BTreeSet::from([hash.clone()])).await.unwrap();
        assert_eq!(report.damaged, BTreeSet::from([hash.clone()]));
        blobs.put(Bytes::from_static(b"text"), at(2)).await.unwrap();
        assert_eq!(blobs.get(&hash).await.unwrap(), "text");
    }

    #[tokio::test]
    async fn a_sweep_leaves_what_is_not_ours_and_takes_leftovers() {
        let dir = tempfile::tempdir().unwrap();
        let blobs = Blobs::dir(dir.path()).unwrap();
        let hash = blobs.put(Bytes::from_static(b"text"), at(1)).await.unwrap();
        let folder = path_of(dir.path(), &hash).parent().unwrap().to_owned();
        fs::write(folder.join("README"), "x").unwrap();
        fs::write(folder.join(format!("{hash}{UNFINISHED}")), "x").unwrap();
        let removed = blobs.sweep(BTreeSet::from([hash.clone()]), at(i64::MAX)).await.unwrap();
        assert_eq!(removed, 1);
        assert!(folder.join("README").exists());
        assert!(blobs.get(&hash).await.is_ok());
    }

    #[tokio::test]
    async fn what_is_too_long_is_refused() {
        let long = Bytes::from(vec![0; BLOB_BYTES_MAX + 1]);
        let refused = Blobs::memory().put(long, at(1)).await;
        assert_eq!(refused, Err(BlobError::TooLarge { bytes: BLOB_BYTES_MAX + 1, limit: BLOB_BYTES_MAX }));
    }

    #[test]
    fn only_hashes_are_names() {
        let good = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(BlobHash::try_from(good.to_owned()).is_ok());
        let bad = [&good[1..], &good.to_uppercase(), "../../etc/passwd", "", &format!("{good}0")]
            .map(str::to_owned);
        for text in bad {
            assert_eq!(BlobHash::try_from(text.clone()), Err(NotAHash), "{text}");
            assert!(serde_json::from_value::<BlobHash>(serde_json::json!(text)).is_err());
        }
    }
}
