//! sled itself, behind calls that neither panic nor leave an answer that is not on disk.

use std::{
    fs::File,
    io,
    ops::Bound,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    time::Duration,
};

use ::sled::transaction::{ConflictableTransactionError, TransactionError, UnabortableTransactionError};

use super::super::{
    CommitError, ReadError,
    codec::Corrupt,
    keys,
    plan::{self, Changes, Head, Plan, Read, Stop},
};

/// sled's folder in the store's directory.
const FOLDER: &str = "sled";
/// sled's file in its folder: the whole log.
const LOG_FILE: &str = "db";
const TREE: &str = "rows";
/// With the default of 512 KiB, leaves of long values would become files that are never synced.
const SEGMENT_BYTES: usize = 4 << 20;
/// sled's own flusher: what is acknowledged does not wait for it.
const FLUSH_EVERY_MS: u64 = 500;
/// Part of sled's words when its own lock is taken.
const SLED_LOCKED: &str = "could not acquire lock";
const LOCK_LOOKS: u32 = 20;
const LOCK_LOOK_EVERY: Duration = Duration::from_millis(50);

/// Why sled did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::store) enum EngineError {
    /// There is no room left.
    #[error("the disk is full: free space where the store's directory lies")]
    Full,
    /// The system's own error.
    #[error("{0}")]
    Io(String),
    /// sled found its files damaged.
    #[error("sled found its files damaged: {0}; run `handoffd store verify`, restore the last good export")]
    Damaged(String),
    /// sled panicked.
    #[error("sled panicked while it should {0}; run `handoffd store verify`")]
    Panicked(&'static str),
}

impl From<::sled::Error> for EngineError {
    fn from(error: ::sled::Error) -> Self {
        match error {
            ::sled::Error::Io(error) => error.into(),
            ::sled::Error::Corruption { at, .. } => Self::Damaged(format!("at {at:?}")),
            other => Self::Io(other.to_string()),
        }
    }
}

impl From<io::Error> for EngineError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            _ => Self::Io(error.to_string()),
        }
    }
}

impl From<EngineError> for ReadError {
    fn from(error: EngineError) -> Self {
        let why = error.to_string();
        match error {
            EngineError::Full | EngineError::Io(_) => Self::Unavailable { why },
            EngineError::Damaged(_) | EngineError::Panicked(_) => Self::Corrupt { why },
        }
    }
}

/// Runs `act`; a panic of sled becomes an error.
pub(super) fn guarded<T>(
    what: &'static str,
    act: impl FnOnce() -> Result<T, EngineError>,
) -> Result<T, EngineError> {
    // What sled left half done is never used again: the caller closes it after this error.
    catch_unwind(AssertUnwindSafe(act)).unwrap_or(Err(EngineError::Panicked(what)))
}

/// An open sled.
pub(in crate::store) struct Engine {
    tree: ::sled::Tree,
    log: File,
    /// Dropped last: sled flushes then.
    _db: ::sled::Db,
}

impl Engine {
    /// Opens sled in the store's directory, which must be locked.
    pub(in crate::store) fn open(dir: &Path, cache_bytes: u64) -> Result<Self, EngineError> {
        // With the directory locked, only what is ending can hold sled's own lock:
        // an engine of this process that was given up, or a child that is being started.
        for _ in 0..LOCK_LOOKS {
            match Self::open_once(dir, cache_bytes) {
                Err(EngineError::Io(why)) if why.contains(SLED_LOCKED) => std::thread::sleep(LOCK_LOOK_EVERY),
                opened => return opened,
            }
        }
        Self::open_once(dir, cache_bytes)
    }

    fn open_once(dir: &Path, cache_bytes: u64) -> Result<Self, EngineError> {
        guarded("open its files", || {
            let folder = dir.join(FOLDER);
            let db = ::sled::Config::new()
                .path(&folder)
                .cache_capacity(cache_bytes)
                .segment_size(SEGMENT_BYTES)
                .flush_every_ms(Some(FLUSH_EVERY_MS))
                .mode(::sled::Mode::LowSpace)
                .open()?;
            let tree = db.open_tree(TREE)?;
            let log = File::options().read(true).write(true).open(folder.join(LOG_FILE))?;
            log.sync_all()?;
            for made in [&folder, dir] {
                File::open(made)?.sync_all()?;
            }
            Ok(Self { tree, log, _db: db })
        })
    }

    /// Whether sled has files in this directory.
    pub(in crate::store) fn exists(dir: &Path) -> bool {
        dir.join(FOLDER).join(LOG_FILE).exists()
    }

    pub(in crate::store) fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        guarded("read", || Ok(self.tree.get(key)?.map(|stored| stored.to_vec())))
    }

    /// Rows in key order; ends after the first error.
    pub(in crate::store) fn range(
        &self,
        range: (Bound<Vec<u8>>, Bound<Vec<u8>>),
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), EngineError>> + use<> {
        let mut rows = Some(self.tree.range(range));
        std::iter::from_fn(move || {
            let next = guarded("scan", || {
                let next = rows.as_mut().and_then(|rows| rows.next()).transpose()?;
                Ok(next.map(|(key, stored)| (key.to_vec(), stored.to_vec())))
            });
            if next.is_err() {
                rows = None;
            }
            next.transpose()
        })
    }

    pub(in crate::store) fn all(
        &self,
    ) -> impl Iterator<Item = Result<(Vec<u8>, Vec<u8>), EngineError>> + use<> {
        self.range((Bound::Unbounded, Bound::Unbounded))
    }

    pub(in crate::store) fn head(&self) -> Result<Result<Head, Corrupt>, EngineError> {
        Ok(plan::head(self.get(keys::HEAD)?.as_deref()))
    }

    /// Decides and writes in one transaction; not yet on disk. `decide` may run more than once.
    pub(super) fn transact<T>(
        &self,
        decide: impl Fn(
            Read<'_, UnabortableTransactionError>,
        ) -> Result<(Plan, T), Stop<UnabortableTransactionError>>,
    ) -> Result<Result<(Plan, T), CommitError>, EngineError> {
        guarded("commit", || {
            let done = self.tree.transaction(|rows| {
                let read = |key: &[u8]| Ok(rows.get(key)?.map(|stored| stored.to_vec()));
                let (plan, more) = match decide(&read) {
                    Ok(planned) => planned,
                    Err(Stop::Refused(error)) => return Err(ConflictableTransactionError::Abort(error)),
                    Err(Stop::Read(error)) => return Err(error.into()),
                };
                for (key, value) in &plan.changes {
                    match value {
                        Some(value) => rows.insert(key.as_slice(), value.as_slice())?,
                        None => rows.remove(key.as_slice())?,
                    };
                }
                Ok((plan, more))
            });
            match done {
                Ok(done) => Ok(Ok(done)),
                Err(TransactionError::Abort(error)) => Ok(Err(error)),
                Err(TransactionError::Storage(error)) => Err(error.into()),
            }
        })
    }

    /// Writes rows as they are, outside any commit: for an import into an empty store.
    pub(in crate::store) fn load(&self, rows: Changes) -> Result<(), EngineError> {
        guarded("load", || {
            let mut batch = ::sled::Batch::default();
            for (key, value) in rows {
                match value {
                    Some(value) => batch.insert(key, value),
                    None => batch.remove(key),
                }
            }
            Ok(self.tree.apply_batch(batch)?)
        })
    }

    /// Brings everything written so far to the disk. sled's flush alone asks the
    /// kernel to write, not the device to keep.
    pub(in crate::store) fn sync(&self) -> Result<(), EngineError> {
        guarded("flush", || {
            self.tree.flush()?;
            Ok(self.log.sync_data()?)
        })
    }

    /// Closes sled.
    pub(in crate::store) fn close(self) -> Result<(), EngineError> {
        guarded("close", || {
            self.sync()?;
            drop(self);
            Ok(())
        })
    }
}
