//! The whole store as one file: the backup, and the way to another backend.
//!
//! Form: a plain line that names it, then one zstd stream of frames. A frame is
//! the lengths of key and value (4 bytes each), the row's commit (8 bytes), a
//! CRC-32C over all of the frame (4 bytes), key, value. The last frame has an empty
//! key; its value is the trailer, so that a file that was cut off is seen.

use std::{
    fs::File,
    io::{self, BufReader, Read, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use super::{
    Rev, Seq, codec, disk, keys,
    plan::{self, Changes, Head},
    sled::{
        OpenError,
        engine::{Engine, EngineError},
        files::{self, DirLock, Sidecar},
    },
};

const MAGIC: &[u8] = b"handoffd store export 1\n";
const CACHE_BYTES: u64 = 32 << 20;
const ZSTD_LEVEL: i32 = 3;
const FRAME_HEAD_BYTES: usize = 20;
/// No key or value is longer.
const PART_BYTES_MAX: usize = 64 * 1024;
/// How many rows an import writes at once.
const IMPORT_ROWS: usize = 500;

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExportReport {
    /// The last commit in it.
    pub commit_seq: u64,
    /// Rows of any kind, the head not counted.
    pub rows: u64,
}

/// One row of an export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportRow {
    /// The stored key, as `keys` of this module's parent lays it out.
    pub key: Vec<u8>,
    /// The value.
    pub value: Vec<u8>,
    /// The commit that wrote it.
    pub rev: Rev,
}

/// Why there is no export, or no import.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExportError {
    /// The store does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A row cannot be read: run `handoffd store verify`.
    #[error("the store cannot be read: {why}")]
    Read {
        /// Where and what.
        why: String,
    },
    /// The file cannot be written or read.
    #[error("the export file: {why}")]
    File {
        /// The system's words.
        why: String,
    },
    /// The file is no export, is cut off, or is damaged.
    #[error("the export file is damaged or cut off: {why}")]
    Damaged {
        /// What is wrong.
        why: String,
    },
    /// An import goes into an empty directory only.
    #[error("there is a store already: import into an empty directory")]
    NotEmpty,
}

impl From<EngineError> for ExportError {
    fn from(error: EngineError) -> Self {
        Self::Read { why: error.to_string() }
    }
}

impl From<io::Error> for ExportError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Damaged { why: "it ends too early".to_owned() },
            io::ErrorKind::InvalidData | io::ErrorKind::Other => Self::Damaged { why: error.to_string() },
            _ => Self::File { why: error.to_string() },
        }
    }
}

impl From<codec::Corrupt> for ExportError {
    fn from(corrupt: codec::Corrupt) -> Self {
        Self::Read { why: corrupt.to_string() }
    }
}

fn damaged(why: &str) -> ExportError {
    ExportError::Damaged { why: why.to_owned() }
}

/// Writes the store in `dir`, which no process may have open, to a file. Blocks.
/// A running daemon exports by itself, with [`super::sled::SledStore::export`].
pub fn export(dir: &Path, out: &Path) -> Result<ExportReport, ExportError> {
    if !Engine::exists(dir) {
        return Err(OpenError::no_store(dir).into());
    }
    let _lock = DirLock::take(dir)?;
    let engine = Engine::open(dir, CACHE_BYTES).map_err(|error| OpenError::engine(dir, error))?;
    let report = write(&engine, out);
    engine.close()?;
    report
}

/// Writes all rows of an open store that nobody writes to meanwhile.
pub(super) fn write(engine: &Engine, out: &Path) -> Result<ExportReport, ExportError> {
    let head = engine.head()??;
    let mut report = ExportReport { commit_seq: head.commit_seq, rows: 0 };
    let mut failed = None;
    let written = disk::write_whole(out, |file| {
        file.write_all(MAGIC)?;
        let mut out = zstd::Encoder::new(file, ZSTD_LEVEL)?;
        if let Err(error) = write_rows(engine, &mut out, &mut report) {
            failed = Some(error);
            return Err(io::Error::other("stopped"));
        }
        let trailer = serde_json::to_vec(&report)?;
        write_frame(&mut out, &[], Seq(report.commit_seq), &trailer)?;
        out.finish().map(drop)
    });
    match failed {
        Some(error) => Err(error),
        None => written.map(|()| report).map_err(|error| ExportError::File { why: error.to_string() }),
    }
}

fn write_rows(engine: &Engine, out: &mut impl Write, report: &mut ExportReport) -> Result<(), ExportError> {
    for row in engine.all() {
        let (key, stored) = row?;
        if key == keys::HEAD {
            continue;
        }
        let opened = codec::decode(&key, &stored)?;
        write_frame(out, &key, opened.rev, &opened.value)
            .map_err(|error| ExportError::File { why: error.to_string() })?;
        report.rows += 1;
    }
    Ok(())
}

fn write_frame(out: &mut impl Write, key: &[u8], rev: Rev, value: &[u8]) -> io::Result<()> {
    let too_long = |_| io::Error::other("a key or value is too long");
    let mut head = Vec::with_capacity(FRAME_HEAD_BYTES);
    head.extend(u32::try_from(key.len()).map_err(too_long)?.to_be_bytes());
    head.extend(u32::try_from(value.len()).map_err(too_long)?.to_be_bytes());
    head.extend(rev.0.to_be_bytes());
    head.extend(frame_sum(&head, key, value).to_be_bytes());
    for part in [&head, key, value] {
        out.write_all(part)?;
    }
    Ok(())
}

fn frame_sum(head: &[u8], key: &[u8], value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(head), key), value)
}

/// Reads an export and gives each row to `take`, in key order. An error after some
/// rows means that none of them should be kept.
pub fn read_export(
    path: &Path,
    mut take: impl FnMut(ExportRow) -> Result<(), ExportError>,
) -> Result<ExportReport, ExportError> {
    let mut file = BufReader::new(File::open(path)?);
    let mut magic = [0; MAGIC.len()];
    file.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(damaged("it is no export of this version"));
    }
    let mut frames = zstd::Decoder::with_buffer(file)?;
    let mut rows = 0;
    loop {
        let row = read_frame(&mut frames)?;
        if row.key.is_empty() {
            let trailer: ExportReport =
                serde_json::from_slice(&row.value).map_err(|_| damaged("its trailer cannot be read"))?;
            if trailer.rows != rows {
                return Err(damaged("rows are missing"));
            }
            return Ok(trailer);
        }
        rows += 1;
        take(row)?;
    }
}

fn read_frame(frames: &mut impl Read) -> Result<ExportRow, ExportError> {
    let mut head = [0; FRAME_HEAD_BYTES];
    frames.read_exact(&mut head)?;
    let [k0, k1, k2, k3, v0, v1, v2, v3, rev @ .., s0, s1, s2, s3] = head;
    let length = |bytes| u32::from_be_bytes(bytes) as usize;
    let (key_bytes, value_bytes) = (length([k0, k1, k2, k3]), length([v0, v1, v2, v3]));
    if key_bytes > PART_BYTES_MAX || value_bytes > PART_BYTES_MAX {
        return Err(damaged("a frame is too long"));
    }
    let mut key = vec![0; key_bytes];
    frames.read_exact(&mut key)?;
    let mut value = vec![0; value_bytes];
    frames.read_exact(&mut value)?;
    if frame_sum(&head[..FRAME_HEAD_BYTES - 4], &key, &value) != u32::from_be_bytes([s0, s1, s2, s3]) {
        return Err(damaged("a frame's checksum does not match"));
    }
    Ok(ExportRow { key, value, rev: Seq(u64::from_be_bytes(rev)) })
}

/// Makes a store in `dir`, which has none, from an export. Blocks. A failed import
/// leaves a directory that does not open: remove it.
pub fn import(path: &Path, dir: &Path) -> Result<ExportReport, ExportError> {
    // Read once before anything is made, so that a damaged file leaves nothing behind.
    let report = read_export(path, |_| Ok(()))?;
    if Engine::exists(dir) {
        return Err(ExportError::NotEmpty);
    }
    let _lock = DirLock::take(dir)?;
    let engine = Engine::open(dir, CACHE_BYTES).map_err(|error| OpenError::engine(dir, error))?;
    let mut head = Head { commit_seq: report.commit_seq, node: "import".to_owned(), ..Head::default() };
    let mut rows = Changes::new();
    read_export(path, |row| {
        let stored = codec::encode(&row.key, row.rev, &row.value);
        head.rows += 1;
        head.sum = head.sum.wrapping_add(u64::from(codec::stored_sum(&stored)));
        rows.insert(row.key, Some(stored));
        if rows.len() >= IMPORT_ROWS {
            engine.load(std::mem::take(&mut rows))?;
        }
        Ok(())
    })?;
    rows.insert(keys::HEAD.to_vec(), Some(plan::head_bytes(&head)));
    engine.load(rows)?;
    engine.close()?;
    let sidecar = Sidecar { commit_seq: head.commit_seq, clean: true, wall: head.wall };
    files::write_sidecar(dir, &sidecar).map_err(|error| ExportError::File { why: error.to_string() })?;
    Ok(report)
}

#[cfg(test)]
mod tests;
